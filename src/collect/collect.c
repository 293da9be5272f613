/* dataset x model x targets -> moments on disk. See collect.h for the contract; the pieces are listed in collect_private.h. */
#include "collect/collect.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "collect/collect_private.h"
#include <string.h>

static gboolean all_done(const GlintRun *run)
{
    for (gsize c = 0; c < run->dataset->classes->len; c++)
        for (guint k = 0; k < run->targets->len; k++)
            if (!glint_target_done(run, c, &g_array_index(run->targets, GlintTarget, k).site))
                return FALSE;
    return TRUE;
}

/* The passes that are left. */
static GPtrArray *plan_passes(const GlintRun *run, GError **error)
{
    GError *problem = NULL;
    GlintPartial *partial = glint_partial_open(run->folder, &problem);
    if (problem) {
        g_propagate_error(error, problem);
        return NULL;
    }
    return glint_passes_new(run, partial, error);
}

/* activations/texts.csv: what the numbers of texts beside saved rows mean. */
static gboolean write_texts(const GlintRun *run, GError **error)
{
    g_autofree char *path = g_build_filename(run->folder, "activations", "texts.csv", NULL);
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    fputs("text,class,id,tokens\n", out);
    for (guint k = 0; k < run->dataset->texts->len; k++) {
        const GlintText *text = &g_array_index(run->dataset->texts, GlintText, k);
        fprintf(out, "%u,", k);
        glint_csv_field(out, glint_run_class(run, (gsize)text->label));
        fputc(',', out);
        glint_csv_field(out, text->id);
        fprintf(out, ",%zu\n", run->plan->tokenized[k].n);
    }
    return glint_file_commit(g_steal_pointer(&file), error);
}

static gboolean run_all(GlintRun *run, gboolean known, GError **error)
{
    double total = 0;
    g_autoptr(GPtrArray) passes = plan_passes(run, error);
    g_autoptr(json_t) description = glint_store_describe(run->settings, run->dataset->classes, run->plan->count);
    if (!passes || (!known && !glint_store_write(run->folder, description, error)) || (run->options->save_activations && !write_texts(run, error)))
        return FALSE;
    glint_passes_say(run, passes);
    for (guint k = 0; k < passes->len; k++) {
        const GlintPass *pass = g_ptr_array_index(passes, k);
        total += glint_pass_tokens(run, pass);
        run->stats->resumed = run->stats->resumed || pass->state;
    }
    g_autoptr(GlintProgress) bar = glint_progress_new("activations", total, "tokens");
    run->bar = bar;
    for (guint k = 0; k < passes->len; k++)
        if (!glint_run_pass(run, g_ptr_array_index(passes, k), error))
            return FALSE;
    return TRUE;
}

static gboolean check_classes(const GlintDataset *dataset, GError **error)
{
    for (guint c = 0; dataset->classes->len > 1 && c < dataset->classes->len; c++)
        if (strcmp(g_ptr_array_index(dataset->classes, c), "all") == 0)
            return glint_fail(error, GLINT_ERROR_DATA, "a class of the data is called \"all\", which glint uses for all classes together; rename that label");
    return TRUE;
}

/* Whether any of its targets is not finished, of a run that keeps what this one does. */
static gboolean is_pending(const GlintRun *run, const GlintPartial *partial)
{
    gsize c = 0;
    while (c < run->dataset->classes->len && strcmp(glint_run_class(run, c), partial->class_name) != 0)
        c++;
    for (guint k = 0; c < run->dataset->classes->len && k < partial->sites->len; k++)
        if (!glint_target_done(run, c, &g_array_index(partial->sites, GlintSite, k)))
            return TRUE;
    return FALSE;
}

/* Everything asked for is there. A state whose targets are all finished is what a run left that was killed in its last step;
 * another one belongs to an unfinished run of other targets, and stays. */
static gboolean reuse(GlintRun *run, GError **error)
{
    GError *problem = NULL;
    g_autoptr(GlintPartial) partial = glint_partial_open(run->folder, &problem);
    if (problem) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    run->stats->reused = TRUE;
    g_autofree char *products = glint_products(run->options);
    return (!partial || strcmp(partial->products, products) != 0 || is_pending(run, partial) || glint_partial_remove(run->folder, error)) &&
           glint_store_counts(run->folder, run->stats, error);
}

static gboolean plan_texts(GlintRun *run, const GlintTokenizer *tokenizer, GError **error)
{
    gsize max_tokens = glint_model_info(run->model)->max_tokens;
    if (run->options->max_tokens > 0)
        max_tokens = MIN(max_tokens, run->options->max_tokens);
    run->plan = glint_plan_new(tokenizer, run->dataset, run->options, max_tokens, error);
    return run->plan != NULL;
}

static gboolean collect_locked(GlintRun *run, const GlintTokenizer *tokenizer, GError **error)
{
    gboolean known;
    if (!glint_store_check(run->folder, run->settings, &known, error) || !glint_store_sweep(run->folder, error) ||
        !glint_features_check(run, error))
        return FALSE;
    if (known && all_done(run))
        return reuse(run, error);
    if (run->options->pool == GLINT_POOL_FIRST && glint_text_n_prefix(tokenizer, run->options->chat) > 0)
        glint_warn("--pool first: every text starts with the same special token, and position 0 of a causal model sees only itself, so every text gives the same row; "
                   "--pool mean and --pool last vary");
    return plan_texts(run, tokenizer, error) && glint_features_choose(run, error) && run_all(run, known, error) && glint_store_counts(run->folder, run->stats, error);
}

static gboolean check_options(const GlintCollectOptions *options, GError **error)
{
    if (options->n_shards > 1 && (options->shard == 0 || options->shard > options->n_shards))
        return glint_fail(error, GLINT_ERROR_USAGE, "--shard %zu/%zu: shards are counted from 1 to their number", options->shard, options->n_shards);
    if (options->n_shards > 1 && options->n_saes > 0 && options->sae_features > 0 && !options->sae_list)
        return glint_fail(error, GLINT_ERROR_USAGE, "a shard cannot know which %zu features are active most often in all the texts; give --sae-features a list or a file of them",
                          options->sae_features);
    return options->examples <= GLINT_EXAMPLES_MOST ||
           glint_fail(error, GLINT_ERROR_USAGE, "--examples %zu: at most %d are kept of each column", options->examples, GLINT_EXAMPLES_MOST);
}

static gboolean run_open(GlintRun *run, GlintSettings *settings, const GlintTokenizer *tokenizer, GError **error)
{
    run->targets = check_options(run->options, error) && check_classes(run->dataset, error) ? glint_targets_new(run->model, run->options, error) : NULL;
    if (run->targets)
        glint_settings_describe(settings, run->model, tokenizer, run->dataset, run->options);
    run->settings = settings;
    return run->targets != NULL;
}

static void run_clear(GlintRun *run, GlintSettings *settings)
{
    glint_plan_free(run->plan);
    g_clear_pointer(&run->targets, g_array_unref);
    glint_settings_release(settings);
}

gboolean glint_collect(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options,
                       const char *folder, GlintCollectStats *stats, GError **error)
{
    GlintCollectStats unused;
    GlintSettings settings = {0};
    gint64 start = g_get_monotonic_time();
    stats = stats ? stats : &unused;
    *stats = (GlintCollectStats){0};
    GlintRun run = {.model = model, .tokenizer = tokenizer, .dataset = dataset, .options = options, .folder = folder, .stats = stats};
    int lock = run_open(&run, &settings, tokenizer, error) ? glint_store_lock(folder, error) : -1;
    gboolean ok = lock >= 0 && collect_locked(&run, tokenizer, error);
    run_clear(&run, &settings);
    stats->seconds = (double)(g_get_monotonic_time() - start) * 1e-6;
    if (lock >= 0)
        glint_store_unlock(folder, lock);
    return ok;
}

json_t *glint_collect_plan(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options, const char *folder, GError **error)
{
    GlintSettings settings = {0};
    GlintCollectStats stats = {0};
    gboolean known;
    GlintRun run = {.model = model, .tokenizer = tokenizer, .dataset = dataset, .options = options, .folder = folder, .stats = &stats};
    gboolean ok = run_open(&run, &settings, tokenizer, error) && glint_store_check(folder, &settings, &known, error) && plan_texts(&run, tokenizer, error);
    g_autoptr(GPtrArray) passes = ok ? plan_passes(&run, error) : NULL;
    json_t *plan = passes ? glint_passes_describe(&run, passes) : NULL;
    run_clear(&run, &settings);
    return plan;
}
