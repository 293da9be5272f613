/* A trial of one layer and what it leaves. See steer_job.h. */
#include "cli/steer_job.h"
#include "base/error.h"
#include "base/files.h"
#include "base/order.h"
#include "base/talk.h"
#include "cli/steer_samples.h"
#include "collect/collect.h"
#include "draw/dose_picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SHOWN_MODULES = 5 };

void glint_steer_outcome_clear(GlintSteerOutcome *self)
{
    g_clear_pointer(&self->trial, glint_steer_trial_free);
    g_clear_pointer(&self->json, json_decref);
}

/* ---- which module ---- */

static GArray *choose_module(const GlintSteerPlan *plan, const GlintSteerLayer *layer, GlintSteerOutcome *outcome, json_t **ranking, GError **error)
{
    g_autoptr(GArray) ranked = glint_steer_rank(layer, plan->module >= 0 ? 1 : plan->least, error);
    if (!ranked)
        return NULL;
    guint at = 0;
    while (plan->module >= 0 && at < ranked->len && g_array_index(ranked, GlintRankedModule, at).module != plan->module)
        at++;
    if (at == ranked->len) {
        glint_fail(error, GLINT_ERROR_USAGE, "layer %zu has no module %d; it has modules 0 to %zu (modules.csv)", layer->site.layer, plan->module, layer->graph->n_modules - 1);
        return NULL;
    }
    const GlintRankedModule *chosen = &g_array_index(ranked, GlintRankedModule, at);
    *ranking = json_array();
    for (guint k = 0; k < ranked->len; k++) {
        const GlintRankedModule *next = &g_array_index(ranked, GlintRankedModule, k);
        json_array_append_new(*ranking, json_pack("{s:i, s:I, s:f, s:f}", "module", next->module, "neurons", (json_int_t)next->n, "separation",
                                                  next->separation, "mean_effect", next->effect));
        if (k < SHOWN_MODULES && plan->module < 0)
            glint_say("  module %d: %zu neurons, class means %.2f standard deviations apart%s", next->module, next->n, next->separation, k == 0 ? " (steered)" : "");
    }
    outcome->module = chosen->module;
    outcome->n = chosen->n;
    outcome->separation = chosen->separation;
    return glint_steer_module(layer, chosen->module);
}

/* ---- the picture ---- */

typedef struct { double *kl, *effect, *low, *high, *nll, *same, *p99; } Columns;

static Columns columns_of(const GlintSteerCurve *curve)
{
    const gsize n = curve->n_doses;
    Columns c = {g_new(double, n), g_new(double, n), g_new(double, n), g_new(double, n), g_new(double, n), g_new(double, n), g_new(double, n)};
    for (gsize k = 0; k < n; k++) {
        const GlintSteerDose *dose = &curve->doses[k];
        c.kl[k] = dose->cost.kl;
        c.effect[k] = dose->effect;
        c.low[k] = dose->low;
        c.high[k] = dose->high;
        c.nll[k] = dose->cost.nll_change;
        c.same[k] = dose->cost.same_top;
        c.p99[k] = dose->cost.kl_p99;
    }
    return c;
}

static gboolean draw_trial(const GlintSteerTrial *trial, const char *title, const char *folder, GError **error)
{
    static const char *const names[] = {"dose.png", "dose.svg"};
    g_autofree GlintDoseArm *arms = g_new0(GlintDoseArm, trial->n_arms);
    g_autofree Columns *columns = g_new0(Columns, trial->n_arms);
    gboolean ok = TRUE;
    for (gsize a = 0; a < trial->n_arms; a++) {
        columns[a] = columns_of(trial->arms[a].curve);
        const Columns *c = &columns[a];
        arms[a] = (GlintDoseArm){glint_steer_role_name(trial->arms[a].role), c->kl, c->effect, c->low, c->high, c->nll, c->same, c->p99};
    }
    const GlintDoseCurves curves = {trial->n_arms, trial->n_doses, arms, trial->p_random, trial->p_matched, title, trial->verdict, trial->n_prompts};
    for (gsize k = 0; ok && k < G_N_ELEMENTS(names); k++) {
        g_autofree char *path = g_build_filename(folder, names[k], NULL);
        ok = glint_draw_dose(&curves, path, error);
    }
    for (gsize a = 0; a < trial->n_arms; a++) {
        double *all[] = {columns[a].kl, columns[a].effect, columns[a].low, columns[a].high, columns[a].nll, columns[a].same, columns[a].p99};
        for (gsize k = 0; k < G_N_ELEMENTS(all); k++)
            g_free(all[k]);
    }
    return ok;
}

/* ---- files ---- */

static json_t *describe(const GlintSteerPlan *plan, const GlintSteerLayer *layer, const GlintSteerOutcome *outcome, json_t *ranking)
{
    json_t *root = glint_steer_trial_json(outcome->trial, layer);
    g_autofree char *site = glint_site_name(&layer->site), *up = glint_steer_words_text(plan->tokenizer, plan->words->tokens[0]),
                    *down = glint_steer_words_text(plan->tokenizer, plan->words->tokens[1]);
    json_object_set_new(root, "site", json_string(site));
    json_object_set_new(root, "graph_of", json_string(plan->graph_class));
    json_object_set_new(root, "module", json_integer(outcome->module));
    json_object_set_new(root, "separation", json_real(outcome->separation));
    json_object_set_new(root, "model_sha256", json_string(glint_model_info(plan->model)->sha256));
    json_object_set_new(root, "seed", json_integer((json_int_t)plan->seed));
    json_object_set_new(root, "words_towards", json_string(up));
    json_object_set_new(root, "words_away", json_string(down));
    json_object_set_new(root, "texts_used", json_integer((json_int_t)plan->split->n_used));
    json_object_set_new(root, "texts_held_out", json_integer((json_int_t)plan->split->n_held_out));
    json_object_set_new(root, "neutral_positions", json_integer((json_int_t)glint_steer_lab_positions(plan->lab)));
    json_object_set_new(root, "modules", ranking);
    return root;
}

static gboolean write_trial(const GlintSteerPlan *plan, const GlintSteerLayer *layer, GlintSteerOutcome *outcome, const char *folder, GError **error)
{
    g_autofree char *json = g_build_filename(folder, "steer.json", NULL), *page = g_build_filename(folder, "samples.html", NULL);
    g_autofree char *title = g_strdup_printf("Module %d of layer %zu (%zu neurons), %s towards %s", outcome->module, layer->site.layer,
                                             outcome->n, glint_steer_kind_name(plan->kind), plan->towards);
    if (plan->n_samples > 0) {
        g_autoptr(GlintSteerSamples) samples = glint_steer_samples(plan, outcome->trial, error);
        if (!samples || !glint_steer_samples_page(samples, plan, outcome->trial, title, page, error))
            return FALSE;
        json_object_set_new(outcome->json, "samples", glint_steer_samples_json(samples));
    }
    return glint_steer_trial_tables(outcome->trial, layer, folder, error) && (!plan->pictures || draw_trial(outcome->trial, title, folder, error)) &&
           glint_json_write(json, outcome->json, error);
}

gboolean glint_job_steer_layer(const GlintSteerPlan *plan, const GlintSite *site, GlintSteerOutcome *outcome, GError **error)
{
    const GlintModelInfo *info = glint_model_info(plan->model);
    g_autofree char *name = glint_site_name(site), *path = g_build_filename(plan->out, name, NULL);
    *outcome = (GlintSteerOutcome){.layer = site->layer};
    g_autofree char *graph = glint_class_folder(plan->graph_class);
    g_autoptr(GlintSteerLayer) layer = glint_steer_layer_read(plan->root, plan->classes, plan->folders, graph, plan->towards, plan->away, site,
                                                              glint_model_site_width(plan->model, site->kind), info->head_size, error);
    if (!layer)
        return FALSE;
    glint_say("layer %zu: graph of class %s, %zu neurons in %zu modules", site->layer, plan->graph_class, layer->p, layer->graph->n_modules);
    json_t *ranking = NULL;
    g_autoptr(GArray) rows = choose_module(plan, layer, outcome, &ranking, error);
    if (!rows)
        return FALSE;
    const GlintSteerTrialOptions options = {.kind = plan->kind, .dose = plan->dose, .n_doses = plan->n_doses, .by_strength = plan->by_strength,
                                            .n_random = plan->n_random, .n_matched = plan->n_matched, .hubs = plan->hubs,
                                            .seed = plan->seed, .prompts = plan->split->prompts, .choosing = plan->split->choosing,
                                            .training = {plan->split->training[0], plan->split->training[1]}};
    outcome->trial = glint_steer_trial(plan->lab, layer, rows, &options, error);
    if (!outcome->trial) {
        json_decref(ranking);
        return FALSE;
    }
    outcome->json = describe(plan, layer, outcome, ranking);
    g_autoptr(GlintFolder) folder = glint_folder_new(path, error);
    if (!folder || !write_trial(plan, layer, outcome, glint_folder_path(folder), error) || !glint_folder_commit(g_steal_pointer(&folder), error))
        return FALSE;
    return TRUE;
}

/* ---- depth ---- */

/* 5 % and 95 % of the effects of the arms of one role. */
static void band(const GlintSteerTrial *trial, GlintSteerRole role, double *low, double *high)
{
    g_autofree double *effects = g_new(double, trial->n_arms);
    gsize n = 0;
    for (gsize a = 0; a < trial->n_arms; a++)
        if (trial->arms[a].role == role)
            effects[n++] = trial->arms[a].curve->doses[trial->verdict_dose].effect;
    qsort(effects, n, sizeof *effects, glint_ascending);
    *low = n ? effects[(gsize)(0.05 * (double)(n - 1))] : NAN;
    *high = n ? effects[(gsize)ceil(0.95 * (double)(n - 1))] : NAN;
}

static double effect_of(const GlintSteerTrial *trial, GlintSteerRole role)
{
    const GlintSteerArm *arm = glint_steer_trial_arm(trial, role);
    return arm ? arm->curve->doses[trial->verdict_dose].effect : NAN;
}

static GlintDepthPoint depth_point(const GlintSteerOutcome *outcome)
{
    const GlintSteerTrial *trial = outcome->trial;
    const GlintSteerDose *dose = &trial->arms[0].curve->doses[trial->verdict_dose];
    GlintDepthPoint point = {.layer = outcome->layer, .effect = dose->effect, .low = dose->low, .high = dose->high, .top = effect_of(trial, GLINT_ROLE_TOP),
                             .correlation = effect_of(trial, GLINT_ROLE_CORRELATION), .residual = effect_of(trial, GLINT_ROLE_RESIDUAL), .steers = trial->steers};
    band(trial, GLINT_ROLE_RANDOM, &point.random_low, &point.random_high);
    band(trial, GLINT_ROLE_MATCHED, &point.matched_low, &point.matched_high);
    return point;
}

static void print_points(const GlintSteerOutcome *outcomes, const GlintDepthPoint *points, gsize n, FILE *out)
{
    fputs("layer,module,neurons,separation,kl,effect,low,high,p_random,p_matched,random_low,random_high,matched_low,matched_high,top,correlation,residual,steers\n", out);
    for (gsize k = 0; k < n; k++) {
        const GlintSteerTrial *trial = outcomes[k].trial;
        const GlintDepthPoint *p = &points[k];
        const double numbers[] = {outcomes[k].separation, trial->arms[0].curve->doses[trial->verdict_dose].cost.kl, p->effect, p->low, p->high,
                                  trial->p_random[trial->verdict_dose],
                                  trial->p_matched[trial->verdict_dose], p->random_low, p->random_high, p->matched_low, p->matched_high, p->top, p->correlation, p->residual};
        char text[G_ASCII_DTOSTR_BUF_SIZE];
        fprintf(out, "%zu,%d,%zu", p->layer, outcomes[k].module, outcomes[k].n);
        for (gsize c = 0; c < G_N_ELEMENTS(numbers); c++)
            fprintf(out, ",%s", isfinite(numbers[c]) ? g_ascii_formatd(text, sizeof text, "%.9g", numbers[c]) : "");
        fprintf(out, ",%d\n", p->steers);
    }
}

gboolean glint_job_steer_depth(const GlintSteerPlan *plan, const GlintSteerOutcome *outcomes, gsize n, GError **error)
{
    g_autofree GlintDepthPoint *points = g_new0(GlintDepthPoint, n);
    for (gsize k = 0; k < n; k++)
        points[k] = depth_point(&outcomes[k]);
    g_autofree char *table = g_build_filename(plan->out, "depth.csv", NULL), *picture = g_build_filename(plan->out, "depth.png", NULL);
    g_autofree char *title = g_strdup_printf("Steering towards %s over depth (%s)", plan->towards, glint_steer_kind_name(plan->kind));
    GlintFile *file = glint_file_new(table, error);
    if (!file)
        return FALSE;
    print_points(outcomes, points, n, glint_file_stream(file));
    return glint_file_commit(file, error) && (!plan->pictures || glint_draw_depth(points, n, title, picture, error));
}
