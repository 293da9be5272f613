/* What lies under <folder>/moments: settings.json, and one file of moments per class and site. See collect.h.
 *
 * settings.json is written before the first file of moments, and files are only ever added under settings that agree with
 * it, so one folder never mixes moments of different runs. The settings are in each file's metadata too: a file that is
 * copied away still says where it comes from. */
#include "base/error.h"
#include "base/files.h"
#include "base/safetensors.h"
#include "collect/collect_private.h"
#include "collect/examples_write.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct { const char *key, *words, *before; } settings[GLINT_N_SETTINGS] = {
    {"model_sha256", "the model", NULL}, {"tokenizer_sha256", "the tokenizer", NULL}, {"dataset_sha256", "the data (dataset, --max-samples or seed)", NULL},
    {"pool", "--pool", NULL},            {"prefix", "the tokenizer's BOS", NULL},     {"max_tokens", "--max-tokens", NULL},
    {"batch_size", "--batch-size", NULL}, {"seed", "--seed", NULL},                   {"dtype", "--dtype", NULL},
    {"head_size", "the model's head size", NULL}, /* for the neuron ids of attn.hook_z, which later stages make without the model */
    {"shard", "--shard", "1/1"},                  /* `before`: of folders made before there was a choice */
    {"chat", "--chat, --system or the chat's date", "none"},
};

void glint_settings_describe(GlintSettings *self, const GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options)
{
    const GlintModelInfo *info = glint_model_info(model);
    gsize max_tokens = options->max_tokens == 0 || options->max_tokens > info->max_tokens ? info->max_tokens : options->max_tokens;
    char **value = self->value;
    *value++ = g_strdup(info->sha256);
    *value++ = g_strdup(glint_tokenizer_sha256(tokenizer));
    *value++ = g_strdup(dataset->sha256);
    *value++ = g_strdup(glint_pool_name(options->pool));
    *value++ = g_strdup_printf("%zu", glint_text_n_prefix(tokenizer, options->chat));
    *value++ = g_strdup_printf("%zu", max_tokens);
    *value++ = g_strdup_printf("%zu", options->batch_size);
    *value++ = g_strdup_printf("%" G_GUINT64_FORMAT, options->seed);
    *value++ = g_strdup(info->compute_type);
    *value++ = g_strdup_printf("%zu", info->head_size);
    *value++ = options->n_shards > 1 ? g_strdup_printf("%zu/%zu", options->shard, options->n_shards) : g_strdup("1/1");
    *value++ = g_strdup(options->chat ? glint_chat_identity(options->chat) : "none");
}

char **glint_settings_value(GlintSettings *self, const char *key)
{
    gsize k = 0;
    while (strcmp(settings[k].key, key) != 0)
        k++;
    return &self->value[k];
}

char *glint_settings_differ(const GlintSettings *was, const GlintSettings *now, const char *skip)
{
    GString *differ = g_string_new(NULL);
    for (gsize k = 0; k < GLINT_N_SETTINGS; k++) {
        const char *before = was->value[k] ? was->value[k] : "missing", *after = now->value[k] ? now->value[k] : "missing";
        gboolean hash = g_str_has_suffix(settings[k].key, "sha256");
        if (g_strcmp0(was->value[k], now->value[k]) == 0 || g_strcmp0(settings[k].key, skip) == 0)
            continue;
        g_string_append(differ, differ->len ? "; " : "");
        g_string_append_printf(differ, hash ? "%s (sha256 was %.12s, is now %.12s)" : "%s (was %s, is now %s)", settings[k].words, before, after);
    }
    return g_string_free(differ, FALSE);
}

void glint_settings_release(GlintSettings *self)
{
    for (gsize k = 0; k < GLINT_N_SETTINGS; k++)
        g_clear_pointer(&self->value[k], g_free);
}

/* ---- names ---- */

char *glint_class_folder(const char *class_name)
{
    /* names that mean something in a results folder (DESIGN 5), or together with every class's name ("all") stay free */
    static const char *const reserved[] = {"moments", "compare", "index.html", "run.json", "settings.json"};
    enum { LONGEST = 150 }; /* file systems take 255 bytes; temporary names add some */
    g_autoptr(GString) name = g_string_new(NULL);
    for (const guchar *c = (const guchar *)class_name; *c; c++) {
        gboolean plain = *c >= 0x80 || g_ascii_isalnum(*c) || strchr("-_+=@,;() ", *c) || (*c == '.' && name->len > 0);
        if (plain && !(name->len == 0 && *c == ' '))
            g_string_append_c(name, (char)*c);
        else
            g_string_append_printf(name, "%%%02X", *c);
    }
    for (gsize k = 0; k < G_N_ELEMENTS(reserved); k++)
        if (g_ascii_strcasecmp(name->str, reserved[k]) == 0) {
            g_autofree char *first = g_strdup_printf("%%%02X", (guchar)name->str[0]);
            g_string_erase(name, 0, 1);
            g_string_prepend(name, first);
        }
    if (name->len == 0)
        return g_strdup("%");
    if (name->len > LONGEST) { /* cut between characters, and told apart by a hash of the whole */
        g_autofree char *hash = glint_sha256_bytes(class_name, strlen(class_name));
        gsize cut = LONGEST - 20;
        while (cut > 0 && ((guchar)name->str[cut] & 0xC0) == 0x80)
            cut--;
        g_string_truncate(name, cut);
        g_string_append_printf(name, "%%%.16s", hash);
    }
    return g_strdup(name->str);
}

char *glint_store_folder(const char *folder) { return g_build_filename(folder, "moments", NULL); }

static char *settings_path(const char *folder) { return g_build_filename(folder, "moments", "settings.json", NULL); }

char *glint_moments_path(const char *folder, const char *class_name, const GlintSite *site)
{
    g_autofree char *class_folder = glint_class_folder(class_name), *name = glint_site_name(site), *file = g_strconcat(name, ".safetensors", NULL);
    return g_build_filename(folder, "moments", class_folder, file, NULL);
}

char *glint_examples_folder(const char *folder, const char *class_name)
{
    g_autofree char *class_folder = glint_class_folder(class_name);
    return g_build_filename(folder, "moments", class_folder, "examples", NULL);
}

char *glint_examples_path(const char *folder, const char *class_name, const char *site_name, const char *extension)
{
    g_autofree char *examples = glint_examples_folder(folder, class_name), *file = g_strconcat(site_name, extension, NULL);
    return g_build_filename(examples, file, NULL);
}

/* ---- settings ---- */

/* A file of the store that is not what glint wrote: the cure is to make it again. Takes `problem`, returns NULL. */
static void *fail_damaged(GError *problem, GError **error)
{
    if (g_error_matches(problem, GLINT_ERROR, GLINT_ERROR_FORMAT)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s; to collect again, delete it (settings.json: the whole folder moments)", problem->message);
        g_error_free(problem);
    } else
        g_propagate_error(error, problem);
    return NULL;
}

json_t *glint_collect_settings(const char *folder, GError **error)
{
    g_autofree char *path = settings_path(folder);
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) {
        glint_fail(error, GLINT_ERROR_IO, "%s: no moments in this folder (%s is missing); run glint collect first", folder, path);
        return NULL;
    }
    GError *problem = NULL;
    g_autoptr(json_t) root = glint_json_read(path, &problem);
    if (!root)
        return fail_damaged(problem, error);
    if (!json_is_object(json_object_get(root, "settings")) || !json_is_array(json_object_get(root, "classes"))) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: the objects \"settings\" and \"classes\" are expected; delete the folder it lies in and collect again", path);
        return NULL;
    }
    return g_steal_pointer(&root);
}

/* Something in the store that was worked for: a class's folder, or the state of an unfinished run. NULL when there is none. */
static char *find_work(const char *store)
{
    g_autoptr(GDir) dir = g_dir_open(store, 0, NULL);
    g_autofree char *state = g_build_filename(store, ".partial", "state.json", NULL);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (name[0] != '.' && strcmp(name, "settings.json") != 0)
            return g_strdup(name);
    return g_file_test(state, G_FILE_TEST_EXISTS) ? g_strdup(".partial") : NULL;
}

gboolean glint_store_check(const char *folder, const GlintSettings *wanted, gboolean *known, GError **error)
{
    g_autofree char *path = settings_path(folder), *store = glint_store_folder(folder), *work = find_work(store);
    *known = work != NULL; /* settings of a run that failed before it had anything bind nobody */
    if (!work)
        return TRUE;
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return glint_fail(error, GLINT_ERROR_DATA, "%s holds \"%s\" but no settings.json, so it is not known what it comes from; choose another --out, or delete %s", store,
                          work, store);
    g_autoptr(json_t) root = glint_collect_settings(folder, error);
    if (!root)
        return FALSE;
    GlintSettings stored;
    glint_settings_parse(&stored, root); /* what is missing differs */
    g_autofree char *differ = glint_settings_differ(&stored, wanted, NULL);
    glint_settings_release(&stored);
    return *differ == '\0' ||
           glint_fail(error, GLINT_ERROR_DATA, "%s holds moments of another run; what differs: %s; choose another --out, or delete %s", store, differ, store);
}

static json_t *describe_class(const char *name, const GlintClassCount *count)
{
    g_autofree char *folder = glint_class_folder(name);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "name", name, "folder", folder, "texts", (json_int_t)count->texts, "tokens", (json_int_t)count->tokens,
                     "truncated", (json_int_t)count->truncated, "no_tokens", (json_int_t)count->no_tokens, "no_punctuation", (json_int_t)count->no_punctuation,
                     "samples", (json_int_t)count->samples);
}

gboolean glint_store_read_count(const json_t *entry, GlintClassCount *count)
{
    const struct { const char *key; gsize *value; } fields[] = {{"texts", &count->texts},         {"tokens", &count->tokens}, {"truncated", &count->truncated},
                                                                {"no_tokens", &count->no_tokens}, {"no_punctuation", &count->no_punctuation}, {"samples", &count->samples}};
    GError *problem = NULL;
    gboolean good = TRUE;
    for (gsize k = 0; k < G_N_ELEMENTS(fields); k++) {
        gint64 value = glint_json_int(entry, fields[k].key, 0, &problem);
        good = good && !problem && value >= 0;
        *fields[k].value = (gsize)MAX(value, 0);
    }
    g_clear_error(&problem);
    return good;
}

json_t *glint_store_describe(const GlintSettings *values, const GPtrArray *classes, const GlintClassCount *count)
{
    json_t *root = json_object();
    json_t *object = json_object(), *list = json_array();
    for (gsize k = 0; k < GLINT_N_SETTINGS; k++)
        json_object_set_new(object, settings[k].key, json_string(values->value[k]));
    for (guint c = 0; c < classes->len; c++)
        json_array_append_new(list, describe_class(g_ptr_array_index(classes, c), &count[c]));
    json_object_set_new(root, "settings", object);
    json_object_set_new(root, "classes", list);
    return root;
}

gboolean glint_settings_parse(GlintSettings *self, const json_t *description)
{
    gboolean whole = json_is_array(json_object_get(description, "classes"));
    for (gsize k = 0; k < GLINT_N_SETTINGS; k++) {
        const char *stored = json_string_value(json_object_get(json_object_get(description, "settings"), settings[k].key));
        self->value[k] = g_strdup(stored ? stored : settings[k].before);
        whole = whole && self->value[k];
    }
    return whole;
}

gboolean glint_store_write(const char *folder, const json_t *description, GError **error)
{
    g_autofree char *path = settings_path(folder);
    return glint_json_write(path, description, error);
}

gboolean glint_store_counts(const char *folder, GlintCollectStats *stats, GError **error)
{
    g_autoptr(json_t) root = glint_collect_settings(folder, error);
    if (!root)
        return FALSE;
    size_t c;
    json_t *entry;
    stats->n_texts = stats->n_tokens = stats->n_truncated = stats->n_no_tokens = stats->n_no_punctuation = 0;
    json_array_foreach(json_object_get(root, "classes"), c, entry) {
        GlintClassCount count;
        if (!glint_store_read_count(entry, &count))
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s/moments/settings.json: class %zu has a count that is none; delete the folder moments and collect again", folder, c);
        stats->n_texts += count.texts;
        stats->n_tokens += count.tokens;
        stats->n_truncated += count.truncated;
        stats->n_no_tokens += count.no_tokens;
        stats->n_no_punctuation += count.no_punctuation;
    }
    return TRUE;
}

GPtrArray *glint_collect_classes(const char *folder, GError **error)
{
    g_autoptr(json_t) root = glint_collect_settings(folder, error);
    if (!root)
        return NULL;
    g_autoptr(GPtrArray) classes = g_ptr_array_new_with_free_func(g_free);
    size_t c;
    json_t *entry;
    json_array_foreach(json_object_get(root, "classes"), c, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (!name) {
            glint_fail(error, GLINT_ERROR_FORMAT, "%s/moments/settings.json: class %zu has no \"name\"; delete the folder moments and collect again", folder, c);
            return NULL;
        }
        g_ptr_array_add(classes, g_strdup(name));
    }
    return g_steal_pointer(&classes);
}

static gint by_kind_and_layer(gconstpointer a, gconstpointer b)
{
    const GlintSite *x = a, *y = b;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->layer < y->layer ? -1 : x->layer > y->layer;
}

GArray *glint_collect_sites(const char *folder, const char *class_name)
{
    g_autofree char *class_folder = glint_class_folder(class_name), *path = g_build_filename(folder, "moments", class_folder, NULL);
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    GArray *sites = g_array_new(FALSE, FALSE, sizeof(GlintSite));
    for (const char *name; dir && (name = g_dir_read_name(dir));) {
        GlintSite site = {0};
        gint64 layer = -1;
        if (!g_str_has_suffix(name, ".safetensors") || name[0] == '.')
            continue;
        g_autofree char *site_name = g_strndup(name, strlen(name) - strlen(".safetensors"));
        if (!glint_site_parse(site_name, &site.kind, &layer, NULL) || layer < 0)
            continue;
        site.layer = (gsize)layer;
        g_array_append_val(sites, site);
    }
    g_array_sort(sites, by_kind_and_layer);
    return sites;
}

/* Half-written files in `path` and, `depth` levels down, below it. */
static gboolean sweep_folder(const char *path, int depth, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, NULL);
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        g_ptr_array_add(names, g_strdup(name));
    for (guint k = 0; k < names->len; k++) {
        const char *name = g_ptr_array_index(names, k);
        g_autofree char *child = g_build_filename(path, name, NULL);
        const gboolean debris = g_str_has_prefix(name, ".glint-"); /* base/files.c's temporary names */
        if ((debris && !glint_remove_tree(child, error)) || (!debris && depth > 0 && !sweep_folder(child, depth - 1, error)))
            return FALSE;
    }
    return TRUE;
}

gboolean glint_store_sweep(const char *folder, GError **error)
{
    g_autofree char *store = glint_store_folder(folder), *rows = g_build_filename(folder, "activations", NULL), *state = g_build_filename(store, ".partial", "state.json", NULL);
    return sweep_folder(store, 2, error) && sweep_folder(rows, 2, error) && /* killed before its first checkpoint was complete: */
           (g_file_test(state, G_FILE_TEST_EXISTS) || glint_partial_remove(folder, error));
}

/* ---- the lock ---- */

int glint_store_lock(const char *folder, GError **error)
{
    g_autofree char *store = glint_store_folder(folder), *path = g_build_filename(store, ".lock", NULL);
    if (!glint_mkdir(store, error))
        return -1;
    for (;;) {
        struct stat held, named;
        int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (lock < 0) {
            glint_fail(error, GLINT_ERROR_IO, "cannot write %s: %s; choose another --out", path, g_strerror(errno));
            return -1;
        }
        if (flock(lock, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) { /* file systems without locks go on without one */
            glint_fail(error, GLINT_ERROR_FAILED, "%s is being written by another glint; wait for it, or choose another --out", store);
            close(lock);
            return -1;
        }
        if (fstat(lock, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino)
            return lock;
        close(lock); /* its owner removed the file between our two calls */
    }
}

void glint_store_unlock(const char *folder, int lock)
{
    g_autofree char *path = g_build_filename(folder, "moments", ".lock", NULL);
    unlink(path);
    close(lock);
}

/* ---- moments ---- */

gboolean glint_store_has(const char *folder, const char *class_name, const GlintSite *site)
{
    g_autofree char *path = glint_moments_path(folder, class_name, site);
    return g_file_test(path, G_FILE_TEST_EXISTS);
}

static GHashTable *describe_file(const char *class_name, const GlintSite *site, const GlintSettings *values, GHashTable *extra)
{
    GHashTable *metadata = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_insert(metadata, g_strdup("class"), g_strdup(class_name));
    g_hash_table_insert(metadata, g_strdup("site"), glint_site_name(site));
    for (gsize k = 0; k < GLINT_N_SETTINGS; k++)
        g_hash_table_insert(metadata, g_strdup(settings[k].key), g_strdup(values->value[k]));
    if (extra) {
        g_hash_table_iter_init(&iter, extra);
        while (g_hash_table_iter_next(&iter, &key, &value))
            g_hash_table_insert(metadata, g_strdup(key), g_strdup(value));
    }
    return metadata;
}

GHashTable *glint_store_extra(GHashTable *metadata)
{
    GHashTable *extra = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, metadata);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        gboolean known = strcmp(key, "class") == 0 || strcmp(key, "site") == 0;
        for (gsize k = 0; k < GLINT_N_SETTINGS; k++)
            known = known || strcmp(key, settings[k].key) == 0;
        if (!known)
            g_hash_table_insert(extra, g_strdup(key), g_strdup(value));
    }
    return extra;
}

gboolean glint_store_save(const char *folder, const char *class_name, const GlintSite *site, const GlintSettings *values, GHashTable *extra, GlintMoments *moments, GError **error)
{
    g_autofree char *path = glint_moments_path(folder, class_name, site), *parent = g_path_get_dirname(path);
    g_autoptr(GHashTable) metadata = describe_file(class_name, site, values, extra);
    glint_moments_flush(moments);
    return glint_mkdir(parent, error) && glint_moments_save(moments, path, metadata, error);
}

gboolean glint_store_has_examples(const char *folder, const char *class_name, const GlintSite *site, gsize k)
{
    g_autofree char *name = glint_site_name(site), *path = glint_examples_path(folder, class_name, name, ".safetensors");
    g_autofree char *lines = glint_examples_path(folder, class_name, name, ".jsonl"), *texts = glint_examples_folder(folder, class_name);
    if (!g_file_test(path, G_FILE_TEST_EXISTS) || !g_file_test(lines, G_FILE_TEST_EXISTS) || !glint_texts_exist(texts))
        return FALSE;
    g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, NULL); /* damaged: made again */
    const char *stored = file ? glint_safetensors_metadata(file, "k") : NULL;
    g_autofree char *wanted = g_strdup_printf("%zu", k);
    return g_strcmp0(stored, wanted) == 0;
}

gboolean glint_store_save_examples(const char *folder, const char *class_name, const GlintSite *site, const GlintSettings *values, GHashTable *extra,
                                   const GlintExamples *examples, const GlintTexts *texts, GError **error)
{
    g_autofree char *name = glint_site_name(site), *path = glint_examples_path(folder, class_name, name, ".safetensors");
    g_autofree char *lines = glint_examples_path(folder, class_name, name, ".jsonl"), *parent = g_path_get_dirname(path);
    g_autoptr(GHashTable) metadata = describe_file(class_name, site, values, extra);
    g_autoptr(GArray) features = glint_collect_features(metadata);
    const char *head_size = g_hash_table_lookup(metadata, "head_size");
    return glint_mkdir(parent, error) && glint_examples_write(examples, texts, site, features ? (const gsize *)(void *)features->data : NULL,
                                                              head_size ? (gsize)g_ascii_strtoull(head_size, NULL, 10) : 0, lines, error) &&
           glint_examples_save(examples, path, metadata, error);
}

static GlintMoments *load_one(const char *folder, const char *class_name, const GlintSite *site, GHashTable **metadata, GError **error)
{
    g_autofree char *path = glint_moments_path(folder, class_name, site);
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        GError *problem = NULL;
        GlintMoments *moments = glint_moments_load(path, metadata, &problem);
        return moments ? moments : fail_damaged(problem, error);
    }
    glint_fail(error, GLINT_ERROR_IO, "%s: no such file; collect this site and layer first (glint collect with the same --out)", path);
    return NULL;
}

GArray *glint_collect_features(GHashTable *metadata)
{
    const char *list = g_hash_table_lookup(metadata, "features");
    if (!list)
        return NULL;
    GArray *features = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (const char *at = list; g_ascii_isdigit(*at);) {
        char *end = NULL;
        const gsize feature = (gsize)g_ascii_strtoull(at, &end, 10);
        g_array_append_val(features, feature);
        at = *end == ',' ? end + 1 : end;
    }
    return features;
}

GlintMoments *glint_collect_load(const char *folder, const char *class_name, const GlintSite *site, GHashTable **metadata, GError **error)
{
    g_autoptr(GPtrArray) classes = glint_collect_classes(folder, error);
    if (!classes)
        return NULL;
    for (guint c = 0; c < classes->len; c++)
        if (strcmp(g_ptr_array_index(classes, c), class_name) == 0)
            return load_one(folder, class_name, site, metadata, error);
    if (strcmp(class_name, "all") != 0 || classes->len == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "%s: no class \"%s\" in it; moments/settings.json there lists the classes", folder, class_name);
        return NULL;
    }
    g_autoptr(GlintMoments) all = load_one(folder, g_ptr_array_index(classes, 0), site, metadata, error);
    for (guint c = 1; all && c < classes->len; c++) {
        g_autoptr(GlintMoments) next = load_one(folder, g_ptr_array_index(classes, c), site, NULL, error);
        if (!next || !glint_moments_merge(all, next, error)) {
            if (metadata)
                g_clear_pointer(metadata, g_hash_table_unref);
            return NULL;
        }
    }
    if (all && metadata)
        g_hash_table_insert(*metadata, g_strdup("class"), g_strdup("all"));
    return g_steal_pointer(&all);
}
