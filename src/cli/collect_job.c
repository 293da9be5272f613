/* Model and labelled text in, moments out. See collect_job.h. */
#include "cli/collect_job.h"
#include "base/error.h"
#include "base/talk.h"
#include "cli/resolve.h"

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

GlintDataset *glint_job_open_dataset(const GlintArgs *args, json_t *report, GError **error)
{
    g_autofree char *path = NULL;
    GlintDatasetOptions options = {.text_column = args->data.text_column, .label_column = args->data.label_column,
                                   .max_samples = (gsize)args->data.max_samples, .seed = (guint64)args->common.seed};
    GlintDataset *dataset = glint_resolve_open_dataset(args->data.dataset, &options, &path, error);
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

static gboolean collect_options(const GlintArgs *args, const GlintModel *model, const GlintChat *chat, GlintCollectOptions *options, GArray **layers, GError **error)
{
    const GlintModelInfo *info = glint_model_info(model);
    gint64 named_layer = -1;
    *options = (GlintCollectOptions){.site = GLINT_SITE_MLP_POST, .pool = GLINT_POOL_MEAN, .max_tokens = (gsize)args->collect.max_tokens,
                                     .batch_size = (gsize)args->collect.batch_size, .chat = chat, .seed = (guint64)args->common.seed, .checkpoint_seconds = 20};
    if ((args->collect.site && !glint_site_parse(args->collect.site, &options->site, &named_layer, error)) ||
        (args->collect.pool && !glint_pool_parse(args->collect.pool, &options->pool, error)))
        return FALSE;
    if (named_layer >= 0 && args->collect.layers)
        return glint_fail(error, GLINT_ERROR_USAGE, "--site names layer %" G_GINT64_FORMAT " already; leave --layers out", named_layer);
    g_autofree char *one = named_layer >= 0 ? g_strdup_printf("%" G_GINT64_FORMAT, named_layer) : NULL;
    *layers = glint_layers_parse(one ? one : args->collect.layers ? args->collect.layers : "all", info->n_layers, error);
    if (!*layers)
        return FALSE;
    options->layers = (const gsize *)(void *)(*layers)->data;
    options->n_layers = (*layers)->len;
    if (glint_model_site_width(model, options->site) == 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "a %s model has no site %s", info->family, glint_site_suffix(options->site));
    return TRUE;
}

static json_t *describe_collect(const GlintCollectOptions *options, const GlintCollectStats *stats)
{
    json_t *layers = json_array();
    for (gsize k = 0; k < options->n_layers; k++)
        json_array_append_new(layers, json_integer((json_int_t)options->layers[k]));
    return json_pack("{s:s, s:s, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:b, s:b}", "chat", options->chat ? glint_chat_identity(options->chat) : "none", "site", glint_site_suffix(options->site), "layers", layers, "pool",
                     glint_pool_name(options->pool), "max_tokens", (json_int_t)options->max_tokens, "batch_size", (json_int_t)options->batch_size,
                     "texts", (json_int_t)stats->n_texts, "tokens", (json_int_t)stats->n_tokens, "truncated", (json_int_t)stats->n_truncated,
                     "without_tokens", (json_int_t)stats->n_no_tokens, "seconds", stats->seconds, "resumed", stats->resumed, "reused", stats->reused);
}

gboolean glint_job_collect(const GlintArgs *args, const char *folder, json_t *report, GError **error)
{
    g_autoptr(GlintDataset) dataset = glint_job_open_dataset(args, report, error);
    if (!dataset)
        return FALSE;
    g_autoptr(GlintTokenizer) tokenizer = NULL;
    g_autoptr(GlintChat) chat = NULL;
    g_autoptr(GlintModel) model = glint_job_open_model(args, &tokenizer, &chat, report, error);
    g_autoptr(GArray) layers = NULL;
    GlintCollectOptions options;
    GlintCollectStats stats = {0};
    if (!model || !collect_options(args, model, chat, &options, &layers, error) ||
        !glint_collect(model, tokenizer, dataset, &options, folder, &stats, error))
        return FALSE;
    json_object_set_new(report, "collect", describe_collect(&options, &stats));
    if (stats.reused)
        glint_say("activations: moments in %s are those of the same settings, nothing to run", folder);
    else
        glint_say("activations: %zu texts, %zu tokens in %.1f s (%.0f tokens/s)%s", stats.n_texts, stats.n_tokens, stats.seconds,
                  stats.seconds > 0 ? (double)stats.n_tokens_run / stats.seconds : 0, stats.resumed ? ", resumed: time and rate are of what was left" : "");
    return TRUE;
}
