/* Model and labelled text in, moments out. See collect_job.h. */
#include "cli/collect_job.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/resolve.h"
#include "cli/synth_job.h"
#include <string.h>

static json_t *describe_dataset(const GlintDataset *dataset, const char *path)
{
    json_t *root = json_object(), *classes = json_object();
    g_autofree gsize *count = g_new0(gsize, dataset->classes->len + 1);
    for (guint k = 0; k < dataset->texts->len; k++)
        count[g_array_index(dataset->texts, GlintText, k).label]++;
    for (guint c = 0; c < dataset->classes->len; c++)
        json_object_set_new(classes, g_ptr_array_index(dataset->classes, c), json_integer((json_int_t)count[c]));
    json_object_set_new(root, "path", json_string(path));
    json_object_set_new(root, "format", json_string(dataset->format));
    json_object_set_new(root, "sha256", json_string(dataset->sha256));
    json_object_set_new(root, "texts", json_integer(dataset->texts->len));
    json_object_set_new(root, "classes", classes);
    json_object_set_new(root, "records_read", json_integer((json_int_t)dataset->n_read));
    json_object_set_new(root, "skipped_empty", json_integer((json_int_t)dataset->n_empty));
    json_object_set_new(root, "skipped_unlabelled", json_integer((json_int_t)dataset->n_unlabelled));
    json_object_set_new(root, "skipped_invalid", json_integer((json_int_t)dataset->n_invalid));
    return root;
}

static void say_dataset(const GlintDataset *dataset, json_t *description)
{
    g_autoptr(GString) line = g_string_new(NULL);
    const char *name;
    json_t *count;
    json_object_foreach(json_object_get(description, "classes"), name, count)
        g_string_append_printf(line, "%s%s %" JSON_INTEGER_FORMAT, line->len ? ", " : "", name, json_integer_value(count));
    glint_say("data: %u texts (%s) of %zu records", dataset->texts->len, line->str, dataset->n_read);
    if (dataset->n_empty + dataset->n_unlabelled + dataset->n_invalid > 0)
        glint_warn("skipped %zu empty texts, %zu records without a label, %zu that are malformed or not UTF-8", dataset->n_empty, dataset->n_unlabelled, dataset->n_invalid);
}

static json_t *describe_model(const GlintModel *model, const char *folder)
{
    const GlintModelInfo *info = glint_model_info(model);
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:s}", "folder", folder, "family", info->family, "sha256", info->sha256, "parameters",
                     (json_int_t)info->n_parameters, "layers", (json_int_t)info->n_layers, "mlp_width", (json_int_t)info->mlp_width, "weights",
                     info->weight_type, "arithmetic", info->compute_type);
}

/* `--dataset synthetic` makes the texts first, into the results folder; other names stay what they are. */
static char *dataset_name(const GlintArgs *args, const char *folder, json_t *report, GError **error)
{
    if (strcmp(args->data.dataset, "synthetic") != 0)
        return g_strdup(args->data.dataset);
    g_autofree char *path = g_build_filename(folder, "synthetic.jsonl", NULL);
    json_t *leakage = NULL;
    if (!glint_job_synth_once(&args->synth, (guint64)args->common.seed, folder, path, &leakage, error))
        return NULL;
    json_object_set_new(report, "synthetic", leakage);
    return g_steal_pointer(&path);
}

GlintDataset *glint_job_open_dataset(const GlintArgs *args, const char *folder, json_t *report, GError **error)
{
    g_autofree char *path = NULL, *name = dataset_name(args, folder, report, error);
    if (!name)
        return NULL;
    GlintDatasetOptions options = {.text_column = args->data.text_column, .label_column = args->data.label_column,
                                   .max_samples = (gsize)args->data.max_samples, .seed = (guint64)args->common.seed};
    GlintDataset *dataset = glint_resolve_open_dataset(name, &options, &path, error);
    if (!dataset)
        return NULL;
    json_t *description = describe_dataset(dataset, path);
    say_dataset(dataset, description);
    json_object_set_new(report, "dataset", description);
    return dataset;
}

GlintModel *glint_job_open_model(const GlintArgs *args, GlintTokenizer **tokenizer, GlintChat **chat, json_t *report, GError **error)
{
    GlintModelOptions options = {.threads = args->model.threads};
    g_autofree char *folder = NULL;
    if (!glint_args_compute_type(args->model.dtype, &options.dtype, error) || !(folder = glint_resolve_model(args->model.model, error)) ||
        !glint_args_chat(&args->chat, folder, chat, error) || !(*tokenizer = glint_tokenizer_open(folder, error)))
        return NULL;
    GlintModel *model = glint_model_open(folder, &options, error);
    if (!model)
        return NULL;
    const GlintModelInfo *info = glint_model_info(model);
    glint_say("model: %s, %zu layers of %zu neurons, %.3g M parameters, %s arithmetic", info->family, info->n_layers, info->mlp_width,
              (double)info->n_parameters * 1e-6, info->compute_type);
    json_object_set_new(report, "model", describe_model(model, folder));
    return model;
}

/* Appends `kind` at every layer of the list; kinds that the model lacks too, for the collector says so. */
static void add_sites(GArray *sites, GlintSiteKind kind, const GArray *layers)
{
    for (guint k = 0; k < layers->len; k++) {
        GlintSite site = {kind, g_array_index(layers, gsize, k)};
        g_array_append_val(sites, site);
    }
}

/* One name of --site, which may name a layer, at the layers of --layers otherwise. *named: whether it did. */
static gboolean add_named(GArray *sites, const char *name, const GlintModel *model, const GArray *layers, gboolean *named, GError **error)
{
    GlintSiteKind kind;
    gint64 layer = -1;
    if (strcmp(name, "all") == 0) {
        for (int k = 0; k < GLINT_SITE_COUNT; k++)
            if (glint_model_site_width(model, (GlintSiteKind)k) > 0)
                add_sites(sites, (GlintSiteKind)k, layers);
        return TRUE;
    }
    if (!glint_site_parse(name, &kind, &layer, error))
        return FALSE;
    *named = layer >= 0;
    if (*named) {
        GlintSite site = {kind, (gsize)layer};
        g_array_append_val(sites, site);
    } else
        add_sites(sites, kind, layers);
    return TRUE;
}

/* --site and --layers: the targets. */
static GArray *targets_of(const GlintArgs *args, const GlintModel *model, GError **error)
{
    g_autoptr(GArray) layers = glint_layers_parse(args->collect.layers ? args->collect.layers : "all", glint_model_info(model)->n_layers, error);
    if (!layers)
        return NULL;
    g_autoptr(GArray) sites = g_array_new(FALSE, FALSE, sizeof(GlintSite));
    if (args->collect.sae && !args->collect.site) /* the features only */
        return g_steal_pointer(&sites);
    g_auto(GStrv) names = g_strsplit(args->collect.site ? args->collect.site : "mlp.hook_post", ",", -1);
    gsize n_named = 0, n_names = g_strv_length(names);
    for (char **name = names; *name; name++) {
        gboolean named = FALSE;
        if (!add_named(sites, g_strstrip(*name), model, layers, &named, error))
            return NULL;
        n_named += named;
    }
    if (n_named > 0 && n_named == n_names && args->collect.layers) {
        glint_fail(error, GLINT_ERROR_USAGE, "--site %s names its layer already; leave --layers out", args->collect.site);
        return NULL;
    }
    return g_steal_pointer(&sites);
}

/* "2/8": the second of eight shares. */
static gboolean read_shard(const char *text, GlintCollectOptions *options, GError **error)
{
    enum { MOST = 1000000 };
    g_auto(GStrv) parts = g_strsplit(text, "/", -1);
    guint64 shard, n;
    if (g_strv_length(parts) != 2 || !g_ascii_string_to_unsigned(parts[0], 10, 1, MOST, &shard, NULL) || !g_ascii_string_to_unsigned(parts[1], 10, 1, MOST, &n, NULL) || shard > n)
        return glint_fail(error, GLINT_ERROR_USAGE, "--shard needs a share such as 2/8, the second of eight, not '%s'", text);
    options->shard = (gsize)shard;
    options->n_shards = (gsize)n;
    return TRUE;
}

/* ---- sparse autoencoders ---- */

static GPtrArray *open_saes(const GlintArgs *args, GError **error)
{
    g_autoptr(GPtrArray) saes = g_ptr_array_new_with_free_func((GDestroyNotify)glint_sae_free);
    for (char **path = args->collect.sae; path && *path; path++) {
        GlintSae *sae = glint_sae_open(*path, error);
        if (!sae)
            return NULL;
        g_ptr_array_add(saes, sae);
        g_autofree char *name = glint_site_name(glint_sae_reads(sae));
        glint_say("SAE: %zu features (%s) of %s", glint_sae_width(sae), glint_sae_kind(sae), name);
    }
    return g_steal_pointer(&saes);
}

static gint by_number(gconstpointer a, gconstpointer b)
{
    gsize x = *(const gsize *)a, y = *(const gsize *)b;
    return x < y ? -1 : x > y;
}

/* Numbers separated by commas, blanks or line ends: sorted, each once. */
static GArray *parse_numbers(const char *text, GError **error)
{
    g_autoptr(GArray) numbers = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (const char *at = text; *at;) {
        char *end = NULL;
        if (strchr(", \t\r\n", *at)) {
            at++;
            continue;
        }
        const gsize number = (gsize)g_ascii_strtoull(at, &end, 10);
        if (!g_ascii_isdigit(*at) || number > G_MAXINT32) {
            glint_fail(error, GLINT_ERROR_USAGE, "--sae-features needs a number, a list of numbers as in 3,17,256, or a file of them, not '%.40s'", at);
            return NULL;
        }
        g_array_append_val(numbers, number);
        at = end;
    }
    g_array_sort(numbers, by_number);
    for (guint k = 1; k < numbers->len;)
        if (g_array_index(numbers, gsize, k) == g_array_index(numbers, gsize, k - 1))
            g_array_remove_index(numbers, k);
        else
            k++;
    return g_steal_pointer(&numbers);
}

/* *list: the features named, if they are. */
static gboolean feature_options(const GlintArgs *args, GlintCollectOptions *options, GArray **list, GError **error)
{
    const char *text = args->collect.sae_features;
    g_autofree char *content = NULL;
    if (!text)
        return TRUE;
    if (!args->collect.sae)
        return glint_fail(error, GLINT_ERROR_USAGE, "--sae-features chooses among the features of --sae; give that");
    if (g_file_test(text, G_FILE_TEST_IS_REGULAR) && !g_file_get_contents(text, &content, NULL, error))
        return FALSE;
    *list = parse_numbers(content ? content : text, error);
    if (!*list)
        return FALSE;
    if (!content && !strchr(text, ',')) {
        options->sae_features = (*list)->len == 1 ? g_array_index(*list, gsize, 0) : 0;
        return options->sae_features > 0 || glint_fail(error, GLINT_ERROR_USAGE, "--sae-features must be at least 1");
    }
    if ((*list)->len == 0 || g_strv_length(args->collect.sae) > 1)
        return glint_fail(error, GLINT_ERROR_USAGE, (*list)->len == 0 ? "--sae-features lists no feature" :
                          "--sae-features can list the features of one --sae only; give a number");
    options->sae_list = (const gsize *)(void *)(*list)->data;
    options->n_sae_list = (*list)->len;
    return TRUE;
}

static gboolean collect_options(const GlintArgs *args, const GlintModel *model, const GlintChat *chat, GlintCollectOptions *options, GArray **sites, GError **error)
{
    *options = (GlintCollectOptions){.pool = GLINT_POOL_MEAN, .max_tokens = (gsize)args->collect.max_tokens, .batch_size = (gsize)args->collect.batch_size,
                                     .chat = chat, .seed = (guint64)args->common.seed, .checkpoint_seconds = 20, .examples = (gsize)args->collect.examples,
                                     .save_activations = args->collect.save_activations, .save_type = GLINT_ST_F32};
    if ((args->collect.pool && !glint_pool_parse(args->collect.pool, &options->pool, error)) ||
        (args->collect.save_dtype && !glint_activations_type_parse(args->collect.save_dtype, &options->save_type, error)) ||
        (args->collect.memory && !glint_args_bytes("--memory", args->collect.memory, &options->memory_bytes, error)) ||
        (args->collect.shard && !read_shard(args->collect.shard, options, error)) || !(*sites = targets_of(args, model, error)))
        return FALSE;
    options->sites = (const GlintSite *)(void *)(*sites)->data;
    options->n_sites = (*sites)->len;
    if (args->collect.save_dtype && !args->collect.save_activations)
        return glint_fail(error, GLINT_ERROR_USAGE, "--save-dtype is of what --save-activations keeps; add that");
    return TRUE;
}

static json_t *describe_collect(const GlintCollectOptions *options, const GlintCollectStats *stats)
{
    json_t *sites = json_array();
    for (gsize k = 0; k < options->n_sites; k++) {
        g_autofree char *name = glint_site_name(&options->sites[k]);
        json_array_append_new(sites, json_string(name));
    }
    for (gsize k = 0; k < options->n_saes; k++) {
        const GlintSite site = glint_sae_site(options->saes[k]);
        g_autofree char *name = glint_site_name(&site);
        json_array_append_new(sites, json_string(name));
    }
    return json_pack("{s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:b, s:b}", "chat",
                     options->chat ? glint_chat_identity(options->chat) : "none", "sites", sites, "pool", glint_pool_name(options->pool), "examples",
                     (json_int_t)options->examples, "without_punctuation", (json_int_t)stats->n_no_punctuation, "max_tokens", (json_int_t)options->max_tokens, "batch_size",
                     (json_int_t)options->batch_size,
                     "texts", (json_int_t)stats->n_texts, "tokens", (json_int_t)stats->n_tokens, "truncated", (json_int_t)stats->n_truncated,
                     "without_tokens", (json_int_t)stats->n_no_tokens, "seconds", stats->seconds, "resumed", stats->resumed, "reused", stats->reused);
}

static gboolean plan_only(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options, const char *folder,
                          json_t *report, GError **error)
{
    json_t *plan = glint_collect_plan(model, tokenizer, dataset, options, folder, error);
    if (plan)
        json_object_set_new(report, "plan", plan);
    return plan != NULL;
}

/* Whether the whole is there already. */
static gboolean find_whole(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options,
                           GlintShardJob *shard, GError **error)
{
    GlintCollectOptions undivided = *options;
    undivided.shard = undivided.n_shards = 0;
    g_autoptr(json_t) plan = glint_collect_plan(model, tokenizer, dataset, &undivided, shard->whole, error);
    shard->done = plan && json_array_size(json_object_get(plan, "passes")) == 0;
    return plan != NULL;
}

gboolean glint_job_collect(const GlintArgs *args, const char *folder, json_t *report, GError **error)
{
    return glint_job_collect_shard(args, folder, NULL, report, error);
}

gboolean glint_job_collect_shard(const GlintArgs *args, const char *folder, GlintShardJob *shard, json_t *report, GError **error)
{
    g_autoptr(GlintDataset) dataset = glint_job_open_dataset(args, folder, report, error);
    if (!dataset)
        return FALSE;
    g_autoptr(GlintTokenizer) tokenizer = NULL;
    g_autoptr(GlintChat) chat = NULL;
    g_autoptr(GlintModel) model = glint_job_open_model(args, &tokenizer, &chat, report, error);
    g_autoptr(GPtrArray) saes = model ? open_saes(args, error) : NULL;
    g_autoptr(GArray) sites = NULL, features = NULL;
    GlintCollectOptions options;
    GlintCollectStats stats = {0};
    if (!saes || !collect_options(args, model, chat, &options, &sites, error) || !feature_options(args, &options, &features, error))
        return FALSE;
    options.saes = (GlintSae *const *)saes->pdata;
    options.n_saes = saes->len;
    options.about = report;
    if (args->collect.dry_run)
        return plan_only(model, tokenizer, dataset, &options, folder, report, error);
    if (shard) {
        options.stop = shard->stop;
        options.stop_data = shard->data;
        if (!find_whole(model, tokenizer, dataset, &options, shard, error))
            return FALSE;
        if (shard->done) {
            glint_say("activations: all in %s already, nothing to run", shard->whole);
            return TRUE;
        }
    }
    if (!glint_collect(model, tokenizer, dataset, &options, folder, &stats, error))
        return FALSE;
    json_t *description = describe_collect(&options, &stats);
    if (args->collect.shard)
        json_object_set_new(description, "shard", json_string(args->collect.shard));
    json_object_set_new(report, "collect", description);
    if (stats.n_no_punctuation > 0)
        glint_warn("%zu of %zu texts have no token of punctuation and give no row", stats.n_no_punctuation, stats.n_texts);
    if (stats.reused)
        glint_say("activations: moments in %s are those of the same settings, nothing to run", folder);
    else
        glint_say("activations: %zu texts, %zu tokens in %.1f s (%.0f tokens/s)%s", stats.n_texts, stats.n_tokens, stats.seconds,
                  stats.seconds > 0 ? (double)stats.n_tokens_run / stats.seconds : 0, stats.resumed ? ", resumed: time and rate are of what was left" : "");
    return TRUE;
}

gboolean glint_job_collect_from(const GlintArgs *args, const char *folder, json_t *report, GError **error)
{
    const GlintCollectArgs *a = &args->collect;
    const struct { const char *option; gboolean given; } useless[] = {
        {"--model", args->model.model != NULL}, {"--dataset", args->data.dataset != NULL}, {"--pool", a->pool != NULL}, {"--save-activations", a->save_activations},
        {"--layers", a->layers != NULL}, {"--dry-run", a->dry_run}, {"--memory", a->memory != NULL}, {"--sae", a->sae != NULL}, {"--shard", a->shard != NULL},
        {"--chat", args->chat.chat || args->chat.format}, {"--max-samples", args->data.max_samples > 0}, {"--sae-features", a->sae_features != NULL},
        {"--save-dtype", a->save_dtype != NULL}, {"--batch-size", a->batch_size > 0}};
    for (gsize k = 0; k < G_N_ELEMENTS(useless); k++)
        if (useless[k].given)
            return glint_fail(error, GLINT_ERROR_USAGE, "%s does not go with --from, whose rows are there already; leave it out (--site blocks.3.mlp.hook_post chooses among them)",
                              useless[k].option);
    g_auto(GStrv) sites = a->site && strcmp(a->site, "all") != 0 ? g_strsplit(a->site, ",", -1) : NULL;
    for (char **site = sites; site && *site; site++) {
        GlintSiteKind kind;
        gint64 layer;
        if (!glint_site_parse(g_strstrip(*site), &kind, &layer, error))
            return FALSE;
    }
    GlintCollectStats stats;
    if (!glint_collect_from(a->from, (const char *const *)sites, folder, &stats, error))
        return FALSE;
    json_object_set_new(report, "collect", json_pack("{s:s, s:I, s:I, s:f, s:b}", "from", a->from, "texts", (json_int_t)stats.n_texts, "tokens",
                                                     (json_int_t)stats.n_tokens, "seconds", stats.seconds, "reused", stats.reused));
    glint_say("moments from %s: %s", a->from, stats.reused ? "all there already, nothing to do" : "done");
    return TRUE;
}
