/* One pass: a class's batches in the plan's order (plan.c), heard by every target of the pass (listen.c).
 *
 * Between batches the state is saved now and then (partial.c), and when a signal asks to stop. A resumed pass starts from the
 * saved state, pending rows included, at the next batch: it goes through the same additions as an undisturbed one, so the
 * result is the same bit for bit. A checkpoint of many wide targets is large: it is never made so often that saving takes more
 * than a tenth of the time. */
#include "base/error.h"
#include "base/files.h"
#include "collect/collect_private.h"

#define DEFAULT_CHECKPOINT_SECONDS 20.0
#define CHECKPOINT_SHARE 10.0 /* at least this many times as long between checkpoints as one takes */

typedef struct {
    GlintRun *run;
    gsize c, n;                  /* class; targets */
    GlintPartial *state;         /* borrowed: what a checkpoint writes */
    GlintListener *listeners;
    GlintTap *taps;
    GlintScratch scratch;
    gint64 last_save, save_cost; /* microseconds */
} Unit;

static void unit_release(Unit *self)
{
    for (gsize k = 0; k < self->n; k++)
        glint_listener_clear(&self->listeners[k]);
    g_free(self->listeners);
    g_free(self->taps);
    g_free(self->scratch.rows);
    g_free(self->scratch.features);
}

static gboolean unit_open(Unit *self, GlintRun *run, const GlintPass *pass, GError **error)
{
    gsize widest = 0;
    *self = (Unit){.run = run, .c = pass->c, .n = pass->targets->len, .state = pass->state, .last_save = g_get_monotonic_time()};
    self->listeners = g_new0(GlintListener, self->n + 1);
    self->taps = g_new0(GlintTap, self->n + 1);
    for (gsize k = 0; k < self->n; k++)
        widest = MAX(widest, g_array_index(pass->targets, GlintTarget, k).width);
    self->scratch.rows = g_try_malloc_n(widest, GLINT_POOL_ROWS * sizeof(float));
    if (!self->scratch.rows)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory for %d rows of %zu columns", GLINT_POOL_ROWS, widest);
    g_autofree char *resume = pass->state->generation > 0 ? glint_partial_folder(pass->state, run->folder) : NULL;
    for (gsize k = 0; k < self->n; k++) {
        const GlintTarget *target = &g_array_index(pass->targets, GlintTarget, k);
        if (!glint_listener_open(&self->listeners[k], run, target, pass->c, resume, error))
            return FALSE;
        self->listeners[k].scratch = &self->scratch;
        self->taps[k] = (GlintTap){.site = target->sae ? *glint_sae_reads(target->sae) : target->site, .function = glint_listener_tap, .user_data = &self->listeners[k], .only_reads = TRUE};
    }
    return TRUE;
}

static gboolean checkpoint(Unit *self, GError **error)
{
    gint64 start = g_get_monotonic_time();
    const char *folder = self->run->folder;
    g_autofree char *fresh = glint_partial_begin(self->state, folder, error);
    for (gsize k = 0; fresh && k < self->n; k++)
        if (!glint_listener_save(&self->listeners[k], fresh, error))
            return FALSE;
    if (!fresh || !glint_partial_commit(self->state, folder, error))
        return FALSE;
    self->last_save = g_get_monotonic_time();
    self->save_cost = self->last_save - start;
    return TRUE;
}

static gboolean checkpoint_due(const Unit *self)
{
    double wanted = self->run->options->checkpoint_seconds, since = (double)(g_get_monotonic_time() - self->last_save) * 1e-6;
    if (wanted < 0)
        return TRUE;
    wanted = wanted > 0 ? wanted : DEFAULT_CHECKPOINT_SECONDS;
    return since >= MAX(wanted, CHECKPOINT_SHARE * (double)self->save_cost * 1e-6);
}

static gboolean run_batch(Unit *self, gsize b, GError **error)
{
    GlintRun *run = self->run;
    GlintPacked packed;
    glint_plan_pack(run->plan, self->c, b, &packed);
    for (gsize k = 0; k < self->n; k++)
        self->listeners[k].texts = packed.texts;
    gboolean ok = glint_model_forward(run->model, &packed.batch, self->taps, self->n, GLINT_LOGITS_NONE, NULL, error);
    run->done += (double)packed.start[packed.batch.n_sequences];
    run->stats->n_tokens_run += packed.start[packed.batch.n_sequences];
    glint_packed_release(&packed);
    g_autofree char *note = g_strdup_printf("%s: batch %zu of %zu", glint_run_class(run, self->c), b + 1, self->state->n_batches);
    glint_progress_update(run->bar, run->done, note);
    return ok;
}

static gboolean run_batches(Unit *self, GError **error)
{
    GlintPartial *state = self->state;
    const GlintCollectOptions *options = self->run->options;
    while (state->next_batch < state->n_batches) {
        if (!run_batch(self, state->next_batch, error))
            return FALSE;
        state->next_batch++;
        if (glint_interrupted())
            return checkpoint(self, error) && glint_check_interrupt(error);
        if (options->stop && options->stop(options->stop_data))
            return checkpoint(self, error) && glint_fail(error, GLINT_ERROR_INTERRUPTED, "stopped; the same command continues");
        if (state->next_batch < state->n_batches && checkpoint_due(self) && !checkpoint(self, error))
            return FALSE;
    }
    return TRUE;
}

/* The class's texts, for its examples; on disk once, with the first pass. */
static GlintTexts *class_texts(const GlintRun *run, gsize c, GError **error)
{
    g_autofree char *folder = glint_examples_folder(run->folder, glint_run_class(run, c));
    g_autoptr(GlintTexts) texts = glint_plan_texts(run->plan, c, run->tokenizer, error);
    return texts && (glint_texts_exist(folder) || glint_texts_save(texts, folder, error)) ? g_steal_pointer(&texts) : NULL;
}

static gboolean finish(Unit *self, GError **error)
{
    g_autoptr(GlintTexts) texts = self->run->options->examples > 0 ? class_texts(self->run, self->c, error) : NULL;
    if (!texts && self->run->options->examples > 0)
        return FALSE;
    for (gsize k = 0; k < self->n; k++)
        if (!glint_listener_finish(&self->listeners[k], texts, error))
            return FALSE;
    return glint_partial_remove(self->run->folder, error);
}

static GlintPartial *state_of(const GlintRun *run, const GlintPass *pass)
{
    GlintPartial *state = g_new0(GlintPartial, 1);
    state->class_name = g_strdup(glint_run_class(run, pass->c));
    state->products = glint_products(run->options);
    state->sites = g_array_new(FALSE, FALSE, sizeof(GlintSite));
    for (guint k = 0; k < pass->targets->len; k++)
        g_array_append_val(state->sites, g_array_index(pass->targets, GlintTarget, k).site);
    state->n_batches = glint_plan_batches(run->plan, pass->c);
    return state;
}

gboolean glint_run_pass(GlintRun *run, GlintPass *pass, GError **error)
{
    Unit unit;
    if (pass->targets->len == 0) /* killed in the last step of its last target */
        return glint_partial_remove(run->folder, error);
    if (!pass->state)
        pass->state = state_of(run, pass);
    gboolean ok = unit_open(&unit, run, pass, error) && run_batches(&unit, error) && finish(&unit, error);
    unit_release(&unit);
    return ok;
}
