/* Dose-response curves. See curve.h. */
#include "steer/curve.h"
#include "base/order.h"

#include <math.h>
#include <stdlib.h>

#define RESAMPLES 1000

void glint_steer_curve_free(GlintSteerCurve *self)
{
    if (!self)
        return;
    for (gsize k = 0; self->doses && k < self->n_doses; k++)
        g_free(self->doses[k].reading);
    g_free(self->doses);
    g_free(self);
}

double glint_steer_mean_change(const GlintSteerReading *steered, const GlintSteerReading *unsteered, gsize n)
{
    double sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += steered[i].log_odds - unsteered[i].log_odds;
    return n ? sum / (double)n : 0;
}

static void bootstrap(GlintSteerDose *dose, const GlintSteerReading *unsteered, gsize n, guint64 seed)
{
    GRand *rand = g_rand_new_with_seed_array((const guint32[]){(guint32)seed, (guint32)(seed >> 32)}, 2);
    g_autofree double *means = g_new0(double, RESAMPLES);
    for (gsize b = 0; b < RESAMPLES; b++) {
        for (gsize i = 0; i < n; i++) {
            const gsize k = (gsize)g_rand_int_range(rand, 0, (gint32)n);
            means[b] += (dose->reading[k].log_odds - unsteered[k].log_odds) / (double)n;
        }
    }
    qsort(means, RESAMPLES, sizeof *means, glint_ascending);
    dose->low = means[(gsize)(0.025 * RESAMPLES)];
    dose->high = means[(gsize)(0.975 * RESAMPLES) - 1];
    g_rand_free(rand);
}

static void sum_up(GlintSteerDose *dose, const GlintSteerReading *unsteered, gsize n, guint64 seed)
{
    dose->effect = glint_steer_mean_change(dose->reading, unsteered, n);
    for (gsize i = 0; i < n; i++) {
        dose->probability += dose->reading[i].probability / (double)n;
        dose->mass += dose->reading[i].mass / (double)n;
        dose->wrong += dose->reading[i].log_odds < unsteered[i].log_odds ? 1.0 / (double)n : 0;
    }
    bootstrap(dose, unsteered, n, seed);
}

/* Ranks with ties at their mean. */
static void ranks(const double *x, gsize n, double *out)
{
    for (gsize i = 0; i < n; i++) {
        gsize below = 0, equal = 0;
        for (gsize j = 0; j < n; j++) {
            below += x[j] < x[i];
            equal += x[j] == x[i];
        }
        out[i] = (double)below + 0.5 * ((double)equal - 1);
    }
}

/* Slope of y on x, and their correlation (0 where either is constant). */
static void line(const double *x, const double *y, gsize n, double *slope, double *correlation)
{
    double mx = 0, my = 0, xx = 0, xy = 0, yy = 0;
    for (gsize i = 0; i < n; i++) {
        mx += x[i] / (double)n;
        my += y[i] / (double)n;
    }
    for (gsize i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        xy += (x[i] - mx) * (y[i] - my);
        yy += (y[i] - my) * (y[i] - my);
    }
    *slope = xx > 0 ? xy / xx : 0;
    *correlation = xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

static void steerability(GlintSteerCurve *self, const GlintSteerReading *unsteered)
{
    const gsize points = self->n_doses + 1, n = self->n_prompts;
    g_autofree double *x = g_new0(double, points), *y = g_new(double, points), *rx = g_new(double, points), *ry = g_new(double, points);
    double sum = 0, squares = 0;
    const double unit = fabs(self->doses[self->n_doses - 1].strength);
    for (gsize k = 1; k < points; k++)
        x[k] = unit > 0 ? fabs(self->doses[k - 1].strength) / unit : 0;
    ranks(x, points, rx);
    for (gsize i = 0; i < n; i++) {
        double slope, correlation, rank_correlation, unused;
        y[0] = unsteered[i].log_odds;
        for (gsize k = 1; k < points; k++)
            y[k] = self->doses[k - 1].reading[i].log_odds;
        ranks(y, points, ry);
        line(x, y, points, &slope, &correlation);
        line(rx, ry, points, &unused, &rank_correlation);
        sum += slope;
        squares += slope * slope;
        self->against += slope < 0 ? 1.0 / (double)n : 0;
        self->monotone += rank_correlation / (double)n;
    }
    self->slope = sum / (double)n;
    self->slope_sd = n > 1 ? sqrt(MAX(0, (squares - sum * sum / (double)n) / (double)(n - 1))) : 0;
}

static GlintSteerCurve *curve_new(gsize n_doses, gsize n_prompts, int sign)
{
    GlintSteerCurve *self = g_new0(GlintSteerCurve, 1);
    *self = (GlintSteerCurve){.n_prompts = n_prompts, .n_doses = n_doses, .sign = sign, .doses = g_new0(GlintSteerDose, n_doses)};
    for (gsize k = 0; k < n_doses; k++)
        self->doses[k].reading = g_new0(GlintSteerReading, n_prompts + 1);
    return self;
}

/* Strengths and costs are there: the prompts are read. */
static gboolean read_doses(GlintSteerCurve *self, GlintSteerLab *lab, const GlintSteerOperator *operator, const GlintSteerTexts *prompts, const GlintSteerReading *unsteered,
                           guint64 seed, GError **error)
{
    for (gsize k = 0; k < self->n_doses; k++) {
        GlintSteerDose *dose = &self->doses[k];
        if (!glint_steer_lab_read(lab, prompts, operator, dose->strength, dose->reading, error))
            return FALSE;
        sum_up(dose, unsteered, self->n_prompts, seed + k);
    }
    steerability(self, unsteered);
    return TRUE;
}

/* The sign that raises the log-odds of the choosing prompts more at the weakest dose; both its calibrations are made on the way. */
static gboolean choose_sign(GlintSteerLab *lab, const GlintSteerOperator *operator, double kl, const GlintSteerTexts *choosing, const GlintSteerReading *unsteered, int *sign,
                            GError **error)
{
    const gsize n = glint_steer_texts_count(choosing);
    g_autofree GlintSteerReading *reading = g_new0(GlintSteerReading, n + 1);
    double change[2];
    for (int side = 0; side < 2; side++) {
        double strength;
        gboolean reached;
        GlintSteerCost cost;
        if (!glint_steer_calibrate(lab, operator, side ? -1 : 1, &kl, 1, &strength, &reached, &cost, error) ||
            !glint_steer_lab_read(lab, choosing, operator, strength, reading, error))
            return FALSE;
        change[side] = glint_steer_mean_change(reading, unsteered, n);
    }
    *sign = change[1] > change[0] ? -1 : 1;
    return TRUE;
}

GlintSteerCurve *glint_steer_curve(GlintSteerLab *lab, const GlintSteerOperator *operator, const double *kl, gsize n, const GlintSteerTexts *prompts,
                                   const GlintSteerReading *unsteered, const GlintSteerTexts *choosing, const GlintSteerReading *unsteered_choosing, guint64 seed,
                                   GError **error)
{
    int sign = 1;
    const gboolean points_nowhere = operator->kind == GLINT_STEER_SCALE || operator->kind == GLINT_STEER_WEIGHT;
    if (points_nowhere && !choose_sign(lab, operator, kl[0], choosing, unsteered_choosing, &sign, error))
        return NULL;
    g_autoptr(GlintSteerCurve) self = curve_new(n, glint_steer_texts_count(prompts), sign);
    g_autofree double *strength = g_new(double, n);
    g_autofree gboolean *reached = g_new(gboolean, n);
    g_autofree GlintSteerCost *cost = g_new0(GlintSteerCost, n);
    if (!glint_steer_calibrate(lab, operator, sign, kl, n, strength, reached, cost, error))
        return NULL;
    for (gsize k = 0; k < n; k++) {
        self->doses[k].kl = kl[k];
        self->doses[k].strength = strength[k];
        self->doses[k].reached = reached[k];
        self->doses[k].cost = cost[k];
    }
    return read_doses(self, lab, operator, prompts, unsteered, seed, error) ? g_steal_pointer(&self) : NULL;
}

GlintSteerCurve *glint_steer_curve_at(GlintSteerLab *lab, const GlintSteerOperator *operator, const double *strength, gsize n, const GlintSteerTexts *prompts,
                                      const GlintSteerReading *unsteered, guint64 seed, GError **error)
{
    g_autoptr(GlintSteerCurve) self = curve_new(n, glint_steer_texts_count(prompts), strength[0] < 0 ? -1 : 1);
    for (gsize k = 0; k < n; k++) {
        GlintSteerDose *dose = &self->doses[k];
        if (!glint_steer_lab_cost(lab, operator, strength[k], &dose->cost, error))
            return NULL;
        dose->strength = strength[k];
        dose->kl = dose->cost.kl;
        dose->reached = TRUE;
    }
    return read_doses(self, lab, operator, prompts, unsteered, seed, error) ? g_steal_pointer(&self) : NULL;
}
