/* The strength at which an intervention changes the model by a given amount. See lab.h.
 *
 * The mean KL of the neutral text grows with the strength, in the beginning as its square, later more slowly; it need not grow
 * everywhere. So every measurement is kept, the wanted KL is bracketed by two of them, and the bracket is narrowed by straight lines in the
 * logarithms (regula falsi, with a halving now and then so that a bent curve cannot hold it up). Targets share measurements. */
#include "steer/lab.h"

#include <math.h>

#define CLOSE 0.02     /* relative distance to the wanted KL that is near enough */
#define MEASUREMENTS 60
#define WEAKEST 1e-9
#define STRONGEST 1e6
#define FIRST 0.25     /* where the search begins */
#define STEP 4.0       /* between strengths while there is no bracket */

typedef struct { double strength, kl; GlintSteerCost cost; } Measurement;

typedef struct {
    GlintSteerLab *lab;
    const GlintSteerOperator *operator;
    int sign;
    double limit;
    GArray *done; /* Measurement, by strength */
} Search;

static Measurement *measured(const Search *self, guint k) { return &g_array_index(self->done, Measurement, k); }

static gboolean measure(Search *self, double strength, Measurement *out, GError **error)
{
    for (guint k = 0; k < self->done->len; k++)
        if (measured(self, k)->strength == strength) {
            *out = *measured(self, k);
            return TRUE;
        }
    *out = (Measurement){.strength = strength};
    if (!glint_steer_lab_cost(self->lab, self->operator, self->sign * strength, &out->cost, error))
        return FALSE;
    out->kl = isfinite(out->cost.kl) ? out->cost.kl : (double)INFINITY;
    guint at = 0;
    while (at < self->done->len && measured(self, at)->strength < strength)
        at++;
    g_array_insert_val(self->done, at, *out);
    return TRUE;
}

/* The first two neighbours of which one lies below the KL and the next at or above it. */
static gboolean bracket(const Search *self, double kl, Measurement *low, Measurement *high)
{
    for (guint k = 0; k + 1 < self->done->len; k++)
        if (measured(self, k)->kl < kl && measured(self, k + 1)->kl >= kl) {
            *low = *measured(self, k);
            *high = *measured(self, k + 1);
            return TRUE;
        }
    return FALSE;
}

/* A step outwards, where everything measured lies on one side of the KL; FALSE: no strength is left. */
static gboolean next_outside(const Search *self, double kl, double *strength)
{
    if (self->done->len == 0) {
        *strength = MIN(FIRST, self->limit);
        return TRUE;
    }
    const Measurement *least = measured(self, 0), *most = measured(self, self->done->len - 1);
    if (least->kl >= kl) {
        *strength = least->strength / STEP;
        return *strength >= WEAKEST;
    }
    *strength = MIN(most->strength * STEP, self->limit);
    return most->strength < self->limit;
}

static double next_inside(const Measurement *low, const Measurement *high, double kl, int turn)
{
    const double a = log(low->strength), b = log(high->strength);
    if (turn % 3 == 2 || !(low->kl > 0) || !isfinite(high->kl))
        return exp(0.5 * (a + b));
    const double share = log(kl / low->kl) / log(high->kl / low->kl);
    return exp(a + CLAMP(share, 0.02, 0.98) * (b - a));
}

static gboolean nearest(const Search *self, double kl, Measurement *found)
{
    gboolean close = FALSE;
    for (guint k = 0; k < self->done->len; k++)
        if (!close && fabs(measured(self, k)->kl / kl - 1) <= CLOSE) {
            *found = *measured(self, k);
            close = TRUE;
        }
    return close;
}

static gboolean search(Search *self, double kl, Measurement *found, gboolean *reached, GError **error)
{
    for (int turn = 0; turn < MEASUREMENTS; turn++) {
        Measurement low, high;
        double strength;
        if (nearest(self, kl, found)) {
            *reached = TRUE;
            return TRUE;
        }
        if (bracket(self, kl, &low, &high)) {
            strength = next_inside(&low, &high, kl, turn);
            if (!(high.strength / low.strength > 1 + 1e-6)) { /* a jump: the distribution changes at once; the weaker side is the honest one */
                *found = low;
                *reached = FALSE;
                return TRUE;
            }
        } else if (!next_outside(self, kl, &strength)) {
            *found = measured(self, 0)->kl >= kl ? *measured(self, 0) : *measured(self, self->done->len - 1);
            *reached = FALSE;
            return TRUE;
        }
        Measurement fresh;
        if (!measure(self, strength, &fresh, error))
            return FALSE;
    }
    *found = *measured(self, self->done->len - 1);
    *reached = FALSE;
    return TRUE;
}

gboolean glint_steer_calibrate(GlintSteerLab *self, const GlintSteerOperator *operator, int sign, const double *kl, gsize n, double *strength, gboolean *reached,
                               GlintSteerCost *cost, GError **error)
{
    Search state = {.lab = self, .operator = operator, .sign = sign < 0 ? -1 : 1, .limit = MIN(glint_steer_kind_limit(operator->kind), STRONGEST)};
    state.done = g_array_new(FALSE, FALSE, sizeof(Measurement));
    gboolean ok = TRUE;
    for (gsize k = 0; ok && k < n; k++) {
        Measurement found = {0};
        ok = search(&state, kl[k], &found, &reached[k], error);
        strength[k] = state.sign * found.strength;
        cost[k] = found.cost;
    }
    g_array_unref(state.done);
    return ok;
}
