/* Shards to one. See collect.h for the contract.
 *
 * Everything is checked before anything is written: that every folder is a finished shard, that all are of one run, and which sites they hold.
 * Then one class and site after the other is merged, shards in their order, each file appearing under its name when it is whole: what is there
 * already was made from the same shards with the same settings, so a merge that was stopped goes on where it stood. */
#include "base/error.h"
#include "base/files.h"
#include "base/safetensors.h"
#include "base/talk.h"
#include "collect/collect_private.h"
#include <string.h>
#include <sys/stat.h>

typedef struct {
    const char *folder;
    gsize number, of;
    GlintSettings settings;
    GPtrArray *classes;     /* char* */
    GlintClassCount *count; /* one a class */
} Shard;

typedef struct {
    GPtrArray *shards;        /* Shard*, by number */
    GArray *sites;            /* GlintSite */
    gsize examples;           /* k; 0 = the shards have none */
    GlintSettings settings;   /* of the whole */
    GlintClassCount *count;
    const GPtrArray *classes; /* of the first shard */
    const char *folder;
    GlintMergeStats *stats;
} Merge;

static void shard_free(gpointer data)
{
    Shard *self = data;
    glint_settings_release(&self->settings);
    g_clear_pointer(&self->classes, g_ptr_array_unref);
    g_free(self->count);
    g_free(self);
}

static Shard *shard_at(const Merge *self, guint k) { return g_ptr_array_index(self->shards, k); }

/* ---- reading shards ---- */

static gboolean read_number(Shard *self, GError **error)
{
    const char *text = *glint_settings_value(&self->settings, "shard");
    g_auto(GStrv) parts = g_strsplit(text ? text : "", "/", -1);
    guint64 number, of;
    if (g_strv_length(parts) != 2 || !g_ascii_string_to_unsigned(parts[1], 10, 1, G_MAXINT32, &of, NULL) || strchr(parts[0], ',') ||
        !g_ascii_string_to_unsigned(parts[0], 10, 1, of, &number, NULL))
        return glint_fail(error, GLINT_ERROR_DATA, "%s: not one shard but \"%s\"; only what glint collect --shard I/N leaves can be merged", self->folder, text ? text : "");
    if (of == 1)
        return glint_fail(error, GLINT_ERROR_DATA, "%s: not a shard but a whole run; only what glint collect --shard I/N leaves can be merged", self->folder);
    self->number = (gsize)number;
    self->of = (gsize)of;
    return TRUE;
}

static gboolean read_classes(Shard *self, const json_t *root, GError **error)
{
    const json_t *list = json_object_get(root, "classes");
    self->classes = g_ptr_array_new_with_free_func(g_free);
    self->count = g_new0(GlintClassCount, json_array_size(list) + 1);
    for (size_t c = 0; c < json_array_size(list); c++) {
        const char *name = json_string_value(json_object_get(json_array_get(list, c), "name"));
        if (!name || !glint_store_read_count(json_array_get(list, c), &self->count[c]))
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s/moments/settings.json: class %zu has no name or a count that is none; collect the shard again", self->folder, c);
        g_ptr_array_add(self->classes, g_strdup(name));
    }
    return self->classes->len > 0 || glint_fail(error, GLINT_ERROR_FORMAT, "%s/moments/settings.json: no class in it; collect the shard again", self->folder);
}

static Shard *shard_open(const char *folder, GError **error)
{
    Shard *self = g_new0(Shard, 1);
    self->folder = folder;
    g_autoptr(json_t) root = glint_collect_settings(folder, error);
    g_autofree char *state = g_build_filename(folder, "moments", ".partial", "state.json", NULL);
    gboolean ok = root && (glint_settings_parse(&self->settings, root) ||
                           glint_fail(error, GLINT_ERROR_FORMAT, "%s/moments/settings.json: settings are missing in it; collect the shard again", folder));
    ok = ok && read_number(self, error) && read_classes(self, root, error);
    if (ok && g_file_test(state, G_FILE_TEST_EXISTS))
        ok = glint_fail(error, GLINT_ERROR_DATA, "%s: shard %zu/%zu is not finished; run its command again, which continues", folder, self->number, self->of);
    if (!ok)
        g_clear_pointer(&self, shard_free);
    return self;
}

static gint by_number(gconstpointer a, gconstpointer b)
{
    const Shard *x = *(Shard *const *)a, *y = *(Shard *const *)b;
    return x->number < y->number ? -1 : x->number > y->number;
}

static gboolean same_classes(const Shard *a, const Shard *b)
{
    gboolean same = a->classes->len == b->classes->len;
    for (guint c = 0; same && c < a->classes->len; c++)
        same = strcmp(g_ptr_array_index(a->classes, c), g_ptr_array_index(b->classes, c)) == 0;
    return same;
}

static gboolean check_belong(const Merge *self, GError **error)
{
    const Shard *first = shard_at(self, 0);
    for (guint k = 1; k < self->shards->len; k++) {
        const Shard *shard = shard_at(self, k);
        g_autofree char *differ = glint_settings_differ(&first->settings, &shard->settings, "shard");
        if (*differ)
            return glint_fail(error, GLINT_ERROR_DATA, "%s and %s are shards of different runs; what differs: %s", first->folder, shard->folder, differ);
        if (shard->of != first->of)
            return glint_fail(error, GLINT_ERROR_DATA, "%s is one of %zu shards and %s is one of %zu; they cannot be of one run", first->folder,
                              first->of, shard->folder, shard->of);
        if (!same_classes(first, shard))
            return glint_fail(error, GLINT_ERROR_DATA, "%s and %s have different classes; they are shards of different data", first->folder, shard->folder);
        if (shard->number == shard_at(self, k - 1)->number)
            return glint_fail(error, GLINT_ERROR_DATA, "shard %zu/%zu is given twice: %s and %s", shard->number, shard->of, shard_at(self, k - 1)->folder, shard->folder);
    }
    return TRUE;
}

/* Which of the shards are there: "1/1" when all are. */
static gboolean check_complete(Merge *self, gboolean partial, GError **error)
{
    const Shard *first = shard_at(self, 0);
    g_autoptr(GString) missing = g_string_new(NULL), there = g_string_new(NULL);
    guint k = 0;
    for (gsize number = 1; number <= first->of; number++) {
        gboolean found = k < self->shards->len && shard_at(self, k)->number == number;
        GString *list = found ? there : missing;
        g_string_append_printf(list, "%s%zu", list->len ? "," : "", number);
        k += found;
    }
    self->stats->n_missing = first->of - self->shards->len;
    if (missing->len > 0 && !partial)
        return glint_fail(error, GLINT_ERROR_DATA, "of %zu shards these are not given: %s; give all of them, or --partial to merge what there is", first->of, missing->str);
    for (gsize s = 0; s < GLINT_N_SETTINGS; s++)
        self->settings.value[s] = g_strdup(first->settings.value[s]);
    char **shard = glint_settings_value(&self->settings, "shard");
    g_free(*shard);
    *shard = missing->len > 0 ? g_strdup_printf("%s/%zu", there->str, first->of) : g_strdup("1/1");
    return TRUE;
}

static gboolean count_classes(Merge *self, GError **error)
{
    self->classes = shard_at(self, 0)->classes;
    self->count = g_new0(GlintClassCount, self->classes->len + 1);
    for (guint c = 0; c < self->classes->len; c++) {
        GlintClassCount *sum = &self->count[c];
        for (guint k = 0; k < self->shards->len; k++) {
            const GlintClassCount *count = &shard_at(self, k)->count[c];
            sum->texts += count->texts;
            sum->tokens += count->tokens;
            sum->truncated += count->truncated;
            sum->no_tokens += count->no_tokens;
            sum->no_punctuation += count->no_punctuation;
            sum->samples += count->samples;
        }
        self->stats->n_texts += sum->texts;
        self->stats->n_tokens += sum->tokens;
        if (sum->samples < 2)
            return glint_fail(error, GLINT_ERROR_DATA, "class %s has %zu sample%s in all these shards together, and a covariance needs at least 2; collect more texts",
                              (char *)g_ptr_array_index(self->classes, c), sum->samples, sum->samples == 1 ? "" : "s");
    }
    return TRUE;
}

/* ---- sites ---- */

static gboolean same_site(const GlintSite *a, const GlintSite *b) { return a->kind == b->kind && a->layer == b->layer; }

/* Every shard must hold the sites of the first, of every class. */
static gboolean check_sites(Merge *self, GError **error)
{
    self->sites = glint_collect_sites(shard_at(self, 0)->folder, g_ptr_array_index(self->classes, 0));
    if (self->sites->len == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "%s: no moments in it; run its command again", shard_at(self, 0)->folder);
    for (guint k = 0; k < self->shards->len; k++)
        for (guint c = 0; c < self->classes->len; c++) {
            const char *class_name = g_ptr_array_index(self->classes, c);
            g_autoptr(GArray) sites = glint_collect_sites(shard_at(self, k)->folder, class_name);
            gboolean same = sites->len == self->sites->len;
            for (guint s = 0; same && s < sites->len; s++)
                same = same_site(&g_array_index(sites, GlintSite, s), &g_array_index(self->sites, GlintSite, s));
            if (!same)
                return glint_fail(error, GLINT_ERROR_DATA, "%s holds %u sites of class %s where %s holds %u or others; run the same --site and --layers for every shard",
                                  shard_at(self, k)->folder, sites->len, class_name, shard_at(self, 0)->folder, self->sites->len);
        }
    return TRUE;
}

/* How many examples a column has in a shard's file; 0 when there is none. */
static gsize examples_in(const Shard *shard, const char *class_name, const GlintSite *site)
{
    g_autofree char *name = glint_site_name(site), *path = glint_examples_path(shard->folder, class_name, name, ".safetensors");
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return 0;
    g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, NULL);
    const char *k = file ? glint_safetensors_metadata(file, "k") : NULL;
    return k ? (gsize)g_ascii_strtoull(k, NULL, 10) : 0;
}

/* Examples are merged when every shard has them; when only some do, that is a mistake that should not go unnoticed. */
static gboolean check_examples(Merge *self, GError **error)
{
    for (guint k = 0; k < self->shards->len; k++)
        for (guint c = 0; c < self->classes->len; c++)
            for (guint s = 0; s < self->sites->len; s++) {
                const GlintSite *site = &g_array_index(self->sites, GlintSite, s);
                gsize found = examples_in(shard_at(self, k), g_ptr_array_index(self->classes, c), site);
                if (k == 0 && c == 0 && s == 0)
                    self->examples = found;
                if (found == self->examples)
                    continue;
                g_autofree char *name = glint_site_name(site);
                return glint_fail(error, GLINT_ERROR_DATA, "%s keeps %zu examples a column of %s, class %s, where %s keeps %zu; run every shard with the same --examples",
                                  shard_at(self, k)->folder, found, name, (char *)g_ptr_array_index(self->classes, c), shard_at(self, 0)->folder, self->examples);
            }
    return TRUE;
}

/* ---- merging ---- */

/* A file of a shard: what is wrong with it is said with a cure. Takes `problem`. */
static gboolean fail_shard(const Shard *shard, GError *problem, GError **error)
{
    g_propagate_prefixed_error(error, problem, "shard %zu/%zu in %s: ", shard->number, shard->of, shard->folder);
    return FALSE;
}

static gboolean same_extra(GHashTable *a, GHashTable *b)
{
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, a);
    while (g_hash_table_iter_next(&iter, &key, &value))
        if (g_strcmp0(g_hash_table_lookup(b, key), value) != 0)
            return FALSE;
    return g_hash_table_size(a) == g_hash_table_size(b);
}

/* *extra: what the files say beside the settings, the same in all. */
static gboolean merge_moments(const Merge *self, const char *class_name, const GlintSite *site, GHashTable **extra, GlintMoments **out, GError **error)
{
    g_autoptr(GlintMoments) sum = NULL;
    GError *problem = NULL;
    for (guint k = 0; k < self->shards->len; k++) {
        g_autofree char *path = glint_moments_path(shard_at(self, k)->folder, class_name, site);
        g_autoptr(GHashTable) metadata = NULL;
        g_autoptr(GlintMoments) next = glint_moments_load(path, &metadata, &problem);
        g_autoptr(GHashTable) said = metadata ? glint_store_extra(metadata) : NULL;
        if (*extra && said && !same_extra(*extra, said))
            return glint_fail(error, GLINT_ERROR_DATA, "%s: its columns are not those of shard %zu in %s, but of another SAE or "
                                                       "other features of it", path, shard_at(self, 0)->number,
                              shard_at(self, 0)->folder);
        if (!*extra)
            *extra = g_steal_pointer(&said);
        if (!next || (sum && !glint_moments_merge(sum, next, &problem)))
            return fail_shard(shard_at(self, k), problem, error);
        if (!sum)
            sum = g_steal_pointer(&next);
        if (!glint_check_interrupt(error))
            return FALSE;
    }
    *out = g_steal_pointer(&sum);
    return TRUE;
}

static gboolean merge_examples(const Merge *self, const char *class_name, const GlintSite *site, GHashTable *extra, const GlintTexts *texts, GError **error)
{
    g_autoptr(GlintExamples) sum = NULL;
    g_autofree char *name = glint_site_name(site);
    GError *problem = NULL;
    for (guint k = 0; k < self->shards->len; k++) {
        g_autofree char *path = glint_examples_path(shard_at(self, k)->folder, class_name, name, ".safetensors");
        g_autoptr(GlintExamples) next = glint_examples_load(path, &problem);
        if (!next || (sum && !glint_examples_merge(sum, next, &problem)))
            return fail_shard(shard_at(self, k), problem, error);
        if (!sum)
            sum = g_steal_pointer(&next);
    }
    return glint_store_save_examples(self->folder, class_name, site, &self->settings, extra, sum, texts, error);
}

static GlintTexts *merge_texts(const Merge *self, const char *class_name, GError **error)
{
    g_autoptr(GlintTexts) all = glint_texts_new();
    GError *problem = NULL;
    for (guint k = 0; k < self->shards->len; k++) {
        g_autofree char *folder = glint_examples_folder(shard_at(self, k)->folder, class_name);
        g_autoptr(GlintTexts) texts = glint_texts_load(folder, &problem);
        if (!texts || !glint_texts_merge(all, texts, &problem)) {
            fail_shard(shard_at(self, k), problem, error);
            return NULL;
        }
    }
    g_autofree char *folder = glint_examples_folder(self->folder, class_name);
    return glint_mkdir(folder, error) && (glint_texts_exist(folder) || glint_texts_save(all, folder, error)) ? g_steal_pointer(&all) : NULL;
}

/* Moments come last: where they are, everything else of the site is. */
static gboolean merge_site(const Merge *self, const char *class_name, const GlintSite *site, const GlintTexts *texts, GError **error)
{
    g_autoptr(GHashTable) extra = NULL;
    g_autoptr(GlintMoments) moments = NULL;
    return merge_moments(self, class_name, site, &extra, &moments, error) && (self->examples == 0 || merge_examples(self, class_name, site, extra, texts, error)) &&
           glint_store_save(self->folder, class_name, site, &self->settings, extra, moments, error);
}

static gboolean is_done(const Merge *self, const char *class_name, const GlintSite *site)
{
    return glint_store_has(self->folder, class_name, site) && (self->examples == 0 || glint_store_has_examples(self->folder, class_name, site, self->examples));
}

static gboolean merge_class(Merge *self, const char *class_name, GlintProgress *bar, gsize *done, GError **error)
{
    g_autoptr(GlintTexts) texts = NULL;
    for (guint s = 0; s < self->sites->len; s++) {
        const GlintSite *site = &g_array_index(self->sites, GlintSite, s);
        g_autofree char *name = glint_site_name(site), *note = g_strdup_printf("%s %s", class_name, name);
        glint_progress_update(bar, (double)(*done)++, note);
        if (is_done(self, class_name, site))
            continue;
        self->stats->reused = FALSE;
        if (self->examples > 0 && !texts && !(texts = merge_texts(self, class_name, error)))
            return FALSE;
        if (!merge_site(self, class_name, site, texts, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean merge_all(Merge *self, GError **error)
{
    gboolean known;
    gsize done = 0;
    g_autoptr(json_t) description = glint_store_describe(&self->settings, self->classes, self->count);
    if (!glint_store_check(self->folder, &self->settings, &known, error) || !glint_store_sweep(self->folder, error) ||
        (!known && !glint_store_write(self->folder, description, error)))
        return FALSE;
    g_autoptr(GlintProgress) bar = glint_progress_new("merge", (double)(self->classes->len * self->sites->len), "sites");
    for (guint c = 0; c < self->classes->len; c++)
        if (!merge_class(self, g_ptr_array_index(self->classes, c), bar, &done, error))
            return FALSE;
    return TRUE;
}

/* ---- the whole ---- */

static gboolean same_folder(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static gboolean open_shards(Merge *self, char *const *folders, gsize n, GError **error)
{
    if (n == 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "no shard to merge; name the folders that glint collect --shard I/N wrote");
    for (gsize k = 0; k < n; k++) {
        if (same_folder(folders[k], self->folder))
            return glint_fail(error, GLINT_ERROR_USAGE, "%s is given as a shard and as the folder to write; the folder to write comes first, and is another", folders[k]);
        Shard *shard = shard_open(folders[k], error);
        if (!shard)
            return FALSE;
        g_ptr_array_add(self->shards, shard);
    }
    g_ptr_array_sort(self->shards, by_number);
    return TRUE;
}

gboolean glint_collect_merge(char *const *shards, gsize n_shards, gboolean partial, const char *folder, GlintMergeStats *stats, GError **error)
{
    Merge self = {.shards = g_ptr_array_new_with_free_func(shard_free), .folder = folder, .stats = stats};
    *stats = (GlintMergeStats){.n_shards = n_shards, .reused = TRUE};
    gboolean ok = open_shards(&self, shards, n_shards, error) && check_belong(&self, error) && check_complete(&self, partial, error) && count_classes(&self, error) &&
                  check_sites(&self, error) && check_examples(&self, error);
    int lock = ok ? glint_store_lock(folder, error) : -1;
    ok = lock >= 0 && merge_all(&self, error);
    if (lock >= 0)
        glint_store_unlock(folder, lock);
    stats->n_sites = self.sites ? self.sites->len : 0;
    glint_settings_release(&self.settings);
    g_clear_pointer(&self.sites, g_array_unref);
    g_free(self.count);
    g_ptr_array_unref(self.shards);
    return ok;
}
