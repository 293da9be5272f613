/* Module against controls. See trial.h.
 *
 * The same rule serves everybody: the operator, the KL to reach, the prompts, and, where an operator has no direction of its own, the way its
 * sign is chosen. A control that cannot reach the KL counts with what it does at its limit. */
#include "steer/trial.h"
#include "base/talk.h"

#include <math.h>

#define LEVEL 0.05      /* of the p-values that the verdict asks for */
#define ANTI 0.4        /* share of texts steered the wrong way beyond which nothing is claimed */
#define LITTLE_MASS 1e-3
#define LEAST_KL 1e-9   /* of a strength that does nothing */

const char *glint_steer_role_name(GlintSteerRole role)
{
    static const char *const names[GLINT_ROLES] = {"module", "random", "degree-matched", "top-neurons", "correlation-module", "residual-difference"};
    return names[role];
}

void glint_steer_trial_free(GlintSteerTrial *self)
{
    if (!self)
        return;
    for (gsize a = 0; a < self->n_arms; a++) {
        if (self->arms[a].rows)
            g_array_unref(self->arms[a].rows);
        glint_steer_operator_free(self->arms[a].operator);
        glint_steer_curve_free(self->arms[a].curve);
    }
    g_free(self->arms);
    g_free(self->unsteered);
    g_free(self->p_random);
    g_free(self->p_matched);
    g_free(self->verdict);
    g_free(self);
}

const GlintSteerArm *glint_steer_trial_arm(const GlintSteerTrial *self, GlintSteerRole role)
{
    for (gsize a = 0; a < self->n_arms; a++)
        if (self->arms[a].role == role)
            return &self->arms[a];
    return NULL;
}

/* ---- arms ---- */

static const gsize *rows_of(const GArray *rows) { return (const gsize *)(const void *)rows->data; }

/* Takes `rows`. The first arm is the module, whose operator the others carry over. */
static gboolean add_arm(GlintSteerTrial *self, GlintSteerRole role, GArray *rows, const GlintSteerLayer *layer, const GlintSteerTrialOptions *options, GError **error)
{
    GlintSteerArm *arm = &self->arms[self->n_arms];
    *arm = (GlintSteerArm){.role = role, .rows = rows};
    if (self->n_arms++ == 0)
        arm->operator = glint_steer_operator_new(options->kind, layer, rows_of(rows), rows->len, options->hubs, error);
    else
        arm->operator = glint_steer_operator_on(self->arms[0].operator, layer, rows_of(rows), options->hubs, error);
    return arm->operator != NULL;
}

static gboolean make_arms(GlintSteerTrial *self, GlintSteerLab *lab, const GlintSteerLayer *layer, const GArray *rows, const GlintSteerTrialOptions *options, GError **error)
{
    GError *problem = NULL;
    self->arms = g_new0(GlintSteerArm, 4 + options->n_random + options->n_matched);
    if (!add_arm(self, GLINT_ROLE_MODULE, g_array_copy((GArray *)rows), layer, options, error))
        return FALSE;
    for (gsize k = 0; k < options->n_random; k++)
        if (!add_arm(self, GLINT_ROLE_RANDOM, glint_steer_random_rows(layer, rows, options->seed + 2 * k), layer, options, error))
            return FALSE;
    for (gsize k = 0; k < options->n_matched; k++)
        if (!add_arm(self, GLINT_ROLE_MATCHED, glint_steer_matched_rows(layer, rows, options->seed + 2 * k + 1), layer, options, error))
            return FALSE;
    if (!add_arm(self, GLINT_ROLE_TOP, glint_steer_top_rows(layer, rows->len), layer, options, error))
        return FALSE;
    GArray *correlation = glint_steer_correlation_rows(layer, rows->len, options->seed, &problem);
    if (problem) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    if (!correlation)
        glint_warn("no module of the plain correlation graph to compare with (layer %zu): %s", layer->site.layer,
                   layer->covariance ? "its correlation graph has none of that size" : "the results folder has no covariance.npy; solve with --dense");
    else if (!add_arm(self, GLINT_ROLE_CORRELATION, correlation, layer, options, error))
        return FALSE;
    if (!options->training[0] || !options->training[1])
        return TRUE;
    GlintSteerArm *arm = &self->arms[self->n_arms];
    arm->role = GLINT_ROLE_RESIDUAL;
    arm->operator = glint_steer_residual_difference(glint_steer_lab_model(lab), layer->site.layer, options->training[0], options->training[1], glint_steer_lab_skip(lab), error);
    self->n_arms += arm->operator != NULL;
    return arm->operator != NULL;
}

/* ---- what comes out ---- */

static double p_value(const GlintSteerTrial *self, GlintSteerRole role, gsize dose, gsize *count)
{
    gsize as_good = 0;
    *count = 0;
    for (gsize a = 1; a < self->n_arms; a++)
        if (self->arms[a].role == role) {
            (*count)++;
            as_good += self->arms[a].curve->doses[dose].effect >= self->arms[0].curve->doses[dose].effect;
        }
    return *count ? (1 + (double)as_good) / (1 + (double)*count) : 1;
}

/* Better is only what lies below the module's interval: a difference within it may be chance. */
static void compare_with(GString *text, const GlintSteerTrial *self, GlintSteerRole role, const char *what, const GlintSteerDose *module)
{
    const GlintSteerArm *arm = glint_steer_trial_arm(self, role);
    if (!arm)
        return;
    const double effect = arm->curve->doses[self->verdict_dose].effect;
    g_string_append_printf(text, effect >= module->low ? " It is no better than %s (%+.3f)." : " It is better than %s (%+.3f).", what, effect);
}

/* First whether there is an effect, then whether it is one of the module, then whether a graph was needed. */
static void judge(GlintSteerTrial *self)
{
    const gsize k = self->verdict_dose;
    const GlintSteerCurve *curve = self->arms[0].curve;
    const GlintSteerDose *dose = &curve->doses[k];
    GString *text = g_string_new(NULL);
    const gboolean effect = dose->low > 0 && curve->against <= ANTI;
    self->steers = effect && self->p_random[k] <= LEVEL && self->p_matched[k] <= LEVEL;
    g_string_append_printf(text, "At a mean KL of %.3g the module changes the log-odds by %+.3f [%+.3f, %+.3f] on %zu held-out texts; %.0f %% of them move the wrong way.",
                           dose->cost.kl, dose->effect, dose->low, dose->high, self->n_prompts, 100 * dose->wrong);
    if (!effect)
        g_string_append_printf(text, " That is not an effect towards the class%s.", dose->low > 0 ? ": too many texts respond the other way" : "");
    else if (self->p_random[k] > LEVEL)
        g_string_append_printf(text, " It is no better than random sets of as many neurons (p = %.3f, %zu sets).", self->p_random[k], self->n_random);
    else if (self->p_matched[k] > LEVEL)
        g_string_append_printf(text, " It is better than random sets (p = %.3f, %zu sets), but no better than sets of equal degrees (p = %.3f, %zu sets).", self->p_random[k],
                               self->n_random, self->p_matched[k], self->n_matched);
    else
        g_string_append_printf(text, " It is better than random sets (p = %.3f, %zu sets) and sets of equal degrees (p = %.3f, %zu sets).", self->p_random[k], self->n_random,
                               self->p_matched[k], self->n_matched);
    compare_with(text, self, GLINT_ROLE_TOP, "as many single neurons of the largest class difference", dose);
    compare_with(text, self, GLINT_ROLE_CORRELATION, "a module of the plain correlation graph", dose);
    compare_with(text, self, GLINT_ROLE_RESIDUAL, "the difference in means of the residual", dose);
    if (dose->mass < LITTLE_MASS)
        g_string_append_printf(text, " The verbalisers have only %.1g of the probability: the log-odds are about words that the model hardly considers.", dose->mass);
    self->verdict = g_string_free(text, FALSE);
}

static gboolean run_arms(GlintSteerTrial *self, GlintSteerLab *lab, const GlintSteerTrialOptions *options, GError **error)
{
    const gsize n_choosing = glint_steer_texts_count(options->choosing);
    g_autofree GlintSteerReading *choosing = g_new0(GlintSteerReading, n_choosing + 1);
    self->unsteered = g_new0(GlintSteerReading, self->n_prompts + 1);
    if (!glint_steer_lab_read(lab, options->prompts, NULL, 0, self->unsteered, error) || !glint_steer_lab_read(lab, options->choosing, NULL, 0, choosing, error))
        return FALSE;
    g_autofree double *kl = g_memdup2(options->dose, self->n_doses * sizeof *kl);
    g_autoptr(GlintProgress) bar = glint_progress_new("steering", (double)self->n_arms, "sets");
    for (gsize a = 0; a < self->n_arms; a++) {
        GlintSteerArm *arm = &self->arms[a];
        glint_progress_update(bar, (double)a, glint_steer_role_name(arm->role));
        if (a == 0 && options->by_strength)
            arm->curve = glint_steer_curve_at(lab, arm->operator, options->dose, self->n_doses, options->prompts, self->unsteered, options->seed, error);
        else
            arm->curve = glint_steer_curve(lab, arm->operator, kl, self->n_doses, options->prompts, self->unsteered, options->choosing, choosing, options->seed, error);
        if (!arm->curve)
            return FALSE;
        for (gsize k = 0; a == 0 && options->by_strength && k < self->n_doses; k++)
            kl[k] = MAX(arm->curve->doses[k].cost.kl, LEAST_KL);
    }
    return TRUE;
}

GlintSteerTrial *glint_steer_trial(GlintSteerLab *lab, const GlintSteerLayer *layer, const GArray *rows, const GlintSteerTrialOptions *options, GError **error)
{
    g_autoptr(GlintSteerTrial) self = g_new0(GlintSteerTrial, 1);
    self->n_doses = options->n_doses;
    self->n_prompts = glint_steer_texts_count(options->prompts);
    if (!make_arms(self, lab, layer, rows, options, error) || !run_arms(self, lab, options, error))
        return NULL;
    self->p_random = g_new(double, self->n_doses);
    self->p_matched = g_new(double, self->n_doses);
    for (gsize k = 0; k < self->n_doses; k++) {
        self->p_random[k] = p_value(self, GLINT_ROLE_RANDOM, k, &self->n_random);
        self->p_matched[k] = p_value(self, GLINT_ROLE_MATCHED, k, &self->n_matched);
        if (self->arms[0].curve->doses[k].reached)
            self->verdict_dose = k;
    }
    judge(self);
    return g_steal_pointer(&self);
}
