/* dataset x model x sites -> moments on disk. See collect.h for the contract.
 *
 * The work is cut into units: one class and a group of layers whose moments fit into half of the machine's memory. A unit
 * runs the class's batches in the plan's order (plan.c), taps feed every layer of the group in one pass, and at its end
 * each layer's moments become a finished file. Between batches the state is saved now and then (partial.c), and when a signal
 * asks to stop. A resumed unit starts from the saved moments, pending rows included, at the next batch: it goes through
 * the same additions as an undisturbed one, so the result is the same bit for bit.
 *
 * A checkpoint of many wide layers is large: it is never made so often that saving takes more than a tenth of the time. */
#include "collect/collect.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "collect/collect_private.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_CHECKPOINT_SECONDS 20.0
#define CHECKPOINT_SHARE 10.0 /* at least this many times as long between checkpoints as one takes */

typedef struct {
    GlintModel *model;
    const GlintDataset *dataset;
    const GlintCollectOptions *options;
    const char *folder;
    const GlintSettings *settings;
    GlintPlan *plan;
    GlintCollectStats *stats;
    gsize width;
    GlintProgress *bar;
    double done; /* tokens, for the bar */
} Run;

/* One class and a group of layers. `state` is what a checkpoint writes. */
typedef struct {
    gsize c;
    GlintPartial *state;
    gsize n;                  /* layers */
    GlintMoments **moments;
    GlintListener *listeners;
    GlintTap *taps;
    double *rows;             /* scratch of the listeners, shared: taps run one after the other */
    gint64 last_save, save_cost; /* microseconds */
} Unit;

static void unit_release(Unit *self)
{
    for (gsize k = 0; self->moments && k < self->n; k++)
        glint_moments_free(self->moments[k]);
    g_free(self->moments);
    g_free(self->listeners);
    g_free(self->taps);
    g_free(self->rows);
    glint_partial_free(self->state);
}

static const char *class_name(const Run *run, gsize c) { return g_ptr_array_index(run->dataset->classes, c); }

/* ---- what is left to do ---- */

static GArray *missing_layers(const Run *run, gsize c)
{
    GArray *missing = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (gsize k = 0; k < run->options->n_layers; k++) {
        GlintSite site = {run->options->site, run->options->layers[k]};
        if (!glint_store_has(run->folder, class_name(run, c), &site))
            g_array_append_val(missing, site.layer);
    }
    return missing;
}

static gboolean all_done(const Run *run)
{
    for (gsize c = 0; c < run->dataset->classes->len; c++) {
        g_autoptr(GArray) missing = missing_layers(run, c);
        if (missing->len > 0)
            return FALSE;
    }
    return TRUE;
}

/* How many layers go into one pass. */
static gsize layers_at_once(const Run *run)
{
    double pages = (double)sysconf(_SC_PHYS_PAGES), page = (double)sysconf(_SC_PAGE_SIZE);
    double layer = (double)run->width * (double)(run->width + GLINT_MOMENTS_BLOCK + 1) * sizeof(double);
    double memory = run->options->memory_bytes > 0 ? (double)run->options->memory_bytes : pages > 0 && page > 0 ? 0.5 * pages * page : 0;
    double fit = memory / layer;
    return fit < 1 ? 1 : fit > 1e6 ? 1000000 : (gsize)fit;
}

/* ---- a unit ---- */

static gboolean unit_moments(Run *run, Unit *unit, gboolean resume, GError **error)
{
    unit->moments = g_new0(GlintMoments *, unit->n + 1);
    for (gsize k = 0; k < unit->n; k++) {
        gsize layer = g_array_index(unit->state->layers, gsize, k);
        if (resume) {
            unit->moments[k] = glint_partial_load(unit->state, run->folder, layer, error);
            if (!unit->moments[k])
                return FALSE;
            if (glint_moments_p(unit->moments[k]) != run->width)
                return glint_fail(error, GLINT_ERROR_FORMAT, "%s/moments/.partial: moments of %zu columns where the model has %zu; delete that folder", run->folder,
                                  glint_moments_p(unit->moments[k]), run->width);
        } else {
            unit->moments[k] = glint_moments_new(run->width);
            if (!unit->moments[k])
                return glint_fail(error, GLINT_ERROR_FAILED, "no memory for moments of %zu columns (%.1f GB a layer); collect fewer --layers at a time", run->width,
                                  (double)run->width * (double)run->width * 8e-9);
        }
    }
    return TRUE;
}

/* Takes `state`. */
static gboolean unit_init(Run *run, Unit *unit, GlintPartial *state, gsize c, gboolean resume, GError **error)
{
    *unit = (Unit){.c = c, .state = state, .n = state->layers->len, .last_save = g_get_monotonic_time()};
    unit->rows = g_try_malloc_n(run->width, GLINT_POOL_ROWS * sizeof(double));
    if (!unit->rows)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory for %d rows of %zu columns", GLINT_POOL_ROWS, run->width);
    if (!unit_moments(run, unit, resume, error))
        return FALSE;
    unit->listeners = g_new0(GlintListener, unit->n);
    unit->taps = g_new0(GlintTap, unit->n);
    for (gsize k = 0; k < unit->n; k++) {
        unit->listeners[k] = (GlintListener){.moments = unit->moments[k], .pool = run->options->pool, .prefix = run->plan->prefix, .dataset = run->dataset, .rows = unit->rows};
        unit->taps[k] = (GlintTap){{run->options->site, g_array_index(state->layers, gsize, k)}, glint_pool_tap, &unit->listeners[k]};
    }
    return TRUE;
}

static gboolean checkpoint(Run *run, Unit *unit, GError **error)
{
    gint64 start = g_get_monotonic_time();
    if (!glint_partial_save(unit->state, run->folder, unit->moments, error))
        return FALSE;
    unit->last_save = g_get_monotonic_time();
    unit->save_cost = unit->last_save - start;
    return TRUE;
}

static gboolean checkpoint_due(const Run *run, const Unit *unit)
{
    double wanted = run->options->checkpoint_seconds, since = (double)(g_get_monotonic_time() - unit->last_save) * 1e-6;
    if (wanted < 0)
        return TRUE;
    wanted = wanted > 0 ? wanted : DEFAULT_CHECKPOINT_SECONDS;
    return since >= MAX(wanted, CHECKPOINT_SHARE * (double)unit->save_cost * 1e-6);
}

static gboolean run_batch(Run *run, Unit *unit, gsize b, GError **error)
{
    GlintPacked packed;
    glint_plan_pack(run->plan, unit->c, b, &packed);
    for (gsize k = 0; k < unit->n; k++)
        unit->listeners[k].texts = packed.texts;
    gboolean ok = glint_model_forward(run->model, &packed.batch, unit->taps, unit->n, GLINT_LOGITS_NONE, NULL, error);
    run->done += (double)packed.start[packed.batch.n_sequences];
    run->stats->n_tokens_run += packed.start[packed.batch.n_sequences];
    glint_packed_release(&packed);
    g_autofree char *note = g_strdup_printf("%s: batch %zu of %zu", class_name(run, unit->c), b + 1, unit->state->n_batches);
    glint_progress_update(run->bar, run->done, note);
    return ok;
}

static gboolean finish_unit(Run *run, Unit *unit, GError **error)
{
    for (gsize k = 0; k < unit->n; k++)
        if (!glint_store_save(run->folder, class_name(run, unit->c), &unit->taps[k].site, run->settings, unit->moments[k], error))
            return FALSE;
    return glint_partial_remove(run->folder, error);
}

/* Takes `state`. */
static gboolean run_unit(Run *run, GlintPartial *state, gsize c, gboolean resume, GError **error)
{
    Unit unit;
    gboolean ok = unit_init(run, &unit, state, c, resume, error);
    while (ok && state->next_batch < state->n_batches) {
        ok = run_batch(run, &unit, state->next_batch, error);
        if (!ok)
            break;
        state->next_batch++;
        if (glint_interrupted())
            ok = checkpoint(run, &unit, error) && glint_check_interrupt(error);
        else if (state->next_batch < state->n_batches && checkpoint_due(run, &unit))
            ok = checkpoint(run, &unit, error);
    }
    ok = ok && finish_unit(run, &unit, error);
    unit_release(&unit);
    return ok;
}

/* ---- resuming ---- */

static gsize find_class(const Run *run, const char *name)
{
    for (gsize c = 0; c < run->dataset->classes->len; c++)
        if (strcmp(class_name(run, c), name) == 0)
            return c;
    return G_MAXSIZE;
}

static gboolean asked_for(const GlintCollectOptions *options, gsize layer)
{
    for (gsize k = 0; k < options->n_layers; k++)
        if (options->layers[k] == layer)
            return TRUE;
    return FALSE;
}

static gboolean check_partial(const Run *run, const GlintPartial *partial, gsize c, GError **error)
{
    g_autoptr(GString) layers = g_string_new(NULL);
    gboolean fits = partial->site == run->options->site;
    for (guint k = 0; k < partial->layers->len; k++) {
        gsize layer = g_array_index(partial->layers, gsize, k);
        g_string_append_printf(layers, "%s%zu", k ? "," : "", layer);
        fits = fits && asked_for(run->options, layer);
    }
    if (!fits)
        return glint_fail(error, GLINT_ERROR_DATA, "%s/moments/.partial holds an unfinished run of --site %s --layers %s, which this run does not include; "
                          "finish it with these options, or delete that folder", run->folder, glint_site_suffix(partial->site), layers->str);
    if (c == G_MAXSIZE || partial->n_batches != glint_plan_batches(run->plan, c))
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s/moments/.partial does not belong to the settings beside it; delete that folder", run->folder);
    return TRUE;
}

/* Layers that were finished before the run was stopped need no second finish. Their moments are then not loaded either. */
static void drop_finished(const Run *run, GlintPartial *partial)
{
    for (guint k = 0; k < partial->layers->len;) {
        GlintSite site = {partial->site, g_array_index(partial->layers, gsize, k)};
        if (glint_store_has(run->folder, partial->class_name, &site))
            g_array_remove_index(partial->layers, k);
        else
            k++;
    }
}

static double tokens_of_batches(const GlintPlan *plan, gsize c, gsize n_batches)
{
    double sum = 0;
    gsize end = g_array_index(plan->batch_start[c], gsize, n_batches);
    for (gsize k = 0; k < end; k++)
        sum += (double)plan->tokenized[plan->order[c][k]].n;
    return sum;
}

static gboolean resume_partial(Run *run, GlintPartial *partial, GError **error)
{
    g_autoptr(GlintPartial) owned = partial;
    gsize c = find_class(run, partial->class_name);
    if (!check_partial(run, partial, c, error))
        return FALSE;
    run->stats->resumed = TRUE;
    drop_finished(run, partial);
    if (partial->layers->len == 0)
        return glint_partial_remove(run->folder, error);
    run->done += tokens_of_batches(run->plan, c, partial->next_batch);
    glint_progress_update(run->bar, run->done, NULL);
    return run_unit(run, g_steal_pointer(&owned), c, TRUE, error);
}

/* ---- the whole ---- */

static gboolean run_class(Run *run, gsize c, GError **error)
{
    g_autoptr(GArray) missing = missing_layers(run, c);
    gsize at_once = layers_at_once(run);
    for (gsize first = 0; first < missing->len; first += at_once) {
        GlintPartial *state = g_new0(GlintPartial, 1);
        state->class_name = g_strdup(class_name(run, c));
        state->site = run->options->site;
        state->layers = g_array_new(FALSE, FALSE, sizeof(gsize));
        g_array_append_vals(state->layers, &g_array_index(missing, gsize, first), (guint)MIN(at_once, missing->len - first));
        state->n_batches = glint_plan_batches(run->plan, c);
        if (!run_unit(run, state, c, FALSE, error))
            return FALSE;
    }
    return TRUE;
}

/* Tokens that all units together will run. */
static double total_tokens(const Run *run)
{
    double total = 0;
    gsize at_once = layers_at_once(run);
    for (gsize c = 0; c < run->dataset->classes->len; c++) {
        g_autoptr(GArray) missing = missing_layers(run, c);
        total += (double)((missing->len + at_once - 1) / at_once) * (double)run->plan->count[c].tokens;
    }
    return total;
}

static gboolean run_all(Run *run, gboolean known, GError **error)
{
    GError *problem = NULL;
    if (!known && !glint_store_write(run->folder, run->settings, run->dataset, run->plan->count, error))
        return FALSE;
    GlintPartial *partial = glint_partial_open(run->folder, &problem);
    if (problem) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    g_autoptr(GlintProgress) bar = glint_progress_new("activations", total_tokens(run), "tokens");
    run->bar = bar;
    if (partial && !resume_partial(run, partial, error))
        return FALSE;
    for (gsize c = 0; c < run->dataset->classes->len; c++)
        if (!run_class(run, c, error))
            return FALSE;
    return TRUE;
}

static gboolean check_request(const GlintModel *model, const GlintDataset *dataset, const GlintCollectOptions *options, GError **error)
{
    const GlintModelInfo *info = glint_model_info(model);
    if (glint_model_site_width(model, options->site) == 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "a %s model has no site %s", info->family, glint_site_suffix(options->site));
    if (options->n_layers == 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "no layer to collect; give --layers");
    for (gsize k = 0; k < options->n_layers; k++)
        if (options->layers[k] >= info->n_layers)
            return glint_fail(error, GLINT_ERROR_USAGE, "--layers %zu: the model has layers 0 to %zu", options->layers[k], info->n_layers - 1);
    for (guint c = 0; dataset->classes->len > 1 && c < dataset->classes->len; c++)
        if (strcmp(g_ptr_array_index(dataset->classes, c), "all") == 0)
            return glint_fail(error, GLINT_ERROR_DATA, "a class of the data is called \"all\", which glint uses for all classes together; rename that label");
    return TRUE;
}

/* Two runs into one folder would overwrite each other's state. The lock goes with the process, killed or not. */
static int lock_store(const char *folder, GError **error)
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

static void unlock_store(const char *folder, int lock)
{
    g_autofree char *path = g_build_filename(folder, "moments", ".lock", NULL);
    unlink(path);
    close(lock);
}

/* Everything asked for is there. A state whose layers are all finished is what a run left that was killed in its last step;
 * another one belongs to an unfinished run of other layers, and stays. */
static gboolean reuse(Run *run, GError **error)
{
    GError *problem = NULL;
    g_autoptr(GlintPartial) partial = glint_partial_open(run->folder, &problem);
    if (problem) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    if (partial)
        drop_finished(run, partial);
    run->stats->reused = TRUE;
    return (!partial || partial->layers->len > 0 || glint_partial_remove(run->folder, error)) && glint_store_counts(run->folder, run->stats, error);
}

static gboolean collect_locked(Run *run, const GlintTokenizer *tokenizer, GError **error)
{
    gboolean known;
    if (!glint_store_check(run->folder, run->settings, &known, error) || !glint_store_sweep(run->folder, run->dataset, error))
        return FALSE;
    if (known && all_done(run))
        return reuse(run, error);
    if (run->options->pool == GLINT_POOL_FIRST && glint_text_n_prefix(tokenizer, run->options->chat) > 0)
        glint_warn("--pool first: every text starts with the same special token, and position 0 of a causal model sees only itself, so every text gives the same row; "
                   "--pool mean and --pool last vary");
    gsize max_tokens = glint_model_info(run->model)->max_tokens;
    if (run->options->max_tokens > 0)
        max_tokens = MIN(max_tokens, run->options->max_tokens);
    run->plan = glint_plan_new(tokenizer, run->options->chat, run->dataset, run->options->pool, max_tokens, run->options->batch_size, error);
    return run->plan && run_all(run, known, error) && glint_store_counts(run->folder, run->stats, error);
}

gboolean glint_collect(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options, const char *folder, GlintCollectStats *stats, GError **error)
{
    GlintCollectStats unused;
    GlintSettings settings = {0};
    gint64 start = g_get_monotonic_time();
    stats = stats ? stats : &unused;
    *stats = (GlintCollectStats){0};
    if (!check_request(model, dataset, options, error))
        return FALSE;
    int lock = lock_store(folder, error);
    if (lock < 0)
        return FALSE;
    glint_settings_describe(&settings, model, tokenizer, dataset, options);
    Run run = {.model = model, .dataset = dataset, .options = options, .folder = folder, .settings = &settings, .stats = stats,
               .width = glint_model_site_width(model, options->site)};
    gboolean ok = collect_locked(&run, tokenizer, error);
    glint_plan_free(run.plan);
    glint_settings_release(&settings);
    stats->seconds = (double)(g_get_monotonic_time() - start) * 1e-6;
    unlock_store(folder, lock);
    return ok;
}
