/* Steering operators and the tap that applies them. See operator.h for the formulas, docs/math/steering.md for where they come from. */
#include "steer/operator.h"
#include "base/error.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

#define WORTH_THREADS 100000 /* multiplications */
#define HUBS_SHARE 5 /* of the module: one in five neurons is a hub of the conditional operator */

static const char *const names[GLINT_STEER_KINDS] = {"scale", "weight", "clamp", "shift", "conditional", "discriminant", "ablate-mean", "ablate-zero", "vector"};

gboolean glint_steer_kind_parse(const char *text, GlintSteerKind *kind, GError **error)
{
    for (int k = 0; k < GLINT_STEER_VECTOR; k++)
        if (strcmp(text, names[k]) == 0) {
            *kind = (GlintSteerKind)k;
            return TRUE;
        }
    return glint_fail(error, GLINT_ERROR_USAGE, "there is no steering operator '%s'; there are scale, weight, clamp, shift, conditional, "
                                                "discriminant, ablate-mean and ablate-zero", text);
}

const char *glint_steer_kind_name(GlintSteerKind kind) { return names[kind]; }

double glint_steer_kind_limit(GlintSteerKind kind)
{
    return kind == GLINT_STEER_ABLATE_MEAN || kind == GLINT_STEER_ABLATE_ZERO ? 1 : (double)INFINITY;
}

void glint_steer_operator_free(GlintSteerOperator *self)
{
    if (!self)
        return;
    g_free(self->column);
    g_free(self->matrix);
    g_free(self->constant);
    g_free(self->centre);
    g_free(self);
}

static double towards_of(const GlintSteerLayer *layer, gsize row) { return layer->mean[layer->towards * layer->p + row]; }
static double difference_of(const GlintSteerLayer *layer, gsize row) { return towards_of(layer, row) - layer->mean[layer->away * layer->p + row]; }

/* R_MM, zero on the diagonal. */
static double *wiring(const GlintSteerLayer *layer, const gsize *rows, gsize n)
{
    double *matrix = g_new(double, n * n + 1);
    glint_steer_submatrix(layer, rows, n, matrix);
    g_autofree double *root = g_new(double, n + 1);
    for (gsize a = 0; a < n; a++)
        root[a] = sqrt(matrix[a * n + a]);
    for (gsize a = 0; a < n; a++)
        for (gsize b = 0; b < n; b++)
            matrix[a * n + b] = a == b ? 0 : -matrix[a * n + b] / (root[a] * root[b]);
    return matrix;
}

/* Where the module's neurons are expected when the hubs, its first ones, are at the mean of the class steered to. */
static gboolean conditional_state(const GlintSteerLayer *layer, const gsize *rows, gsize n, gsize hubs, double *state, GError **error)
{
    const gsize rest = n - hubs;
    g_autofree double *theta = g_new(double, n * n + 1), *block = g_new(double, rest * rest + 1), *move = g_new0(double, rest + 1);
    glint_steer_submatrix(layer, rows, n, theta);
    for (gsize b = 0; b < rest; b++) {
        memcpy(block + b * rest, theta + (hubs + b) * n + hubs, rest * sizeof *block);
        for (gsize a = 0; a < hubs; a++)
            move[b] -= theta[(hubs + b) * n + a] * (towards_of(layer, rows[a]) - layer->overall[rows[a]]);
    }
    if (rest > 0 && LAPACKE_dposv(LAPACK_ROW_MAJOR, 'L', (lapack_int)rest, 1, block, (lapack_int)rest, move, 1) != 0)
        return glint_fail(error, GLINT_ERROR_DATA, "the precision matrix of %zu neurons of layer %zu is not positive definite; solve again with "
                                                   "a larger --alpha", rest, layer->site.layer);
    for (gsize a = 0; a < hubs; a++)
        state[a] = towards_of(layer, rows[a]);
    for (gsize b = 0; b < rest; b++)
        state[hubs + b] = layer->overall[rows[hubs + b]] + move[b];
    return TRUE;
}

/* [T (m1 - m0)]_M, as long as (m1 - m0)_M. */
static void discriminant(const GlintSteerLayer *layer, const gsize *rows, gsize n, double *direction)
{
    const GlintCsr *t = layer->precision;
    double length = 0, wanted = 0;
    for (gsize k = 0; k < n; k++) {
        direction[k] = 0;
        for (gint64 e = t->indptr[rows[k]]; e < t->indptr[rows[k] + 1]; e++)
            direction[k] += t->data[e] * difference_of(layer, (gsize)t->indices[e]);
        length += direction[k] * direction[k];
        wanted += difference_of(layer, rows[k]) * difference_of(layer, rows[k]);
    }
    for (gsize k = 0; length > 0 && k < n; k++)
        direction[k] *= sqrt(wanted / length);
}

gboolean glint_steer_kind_sets_state(GlintSteerKind kind)
{
    return kind == GLINT_STEER_CLAMP || kind == GLINT_STEER_CONDITIONAL || kind == GLINT_STEER_ABLATE_MEAN || kind == GLINT_STEER_ABLATE_ZERO;
}

static gboolean has_direction(const GlintSteerOperator *self)
{
    for (gsize k = 0; k < self->n; k++)
        if (self->constant[k] != 0)
            return TRUE;
    return FALSE;
}

/* All but K, which is the caller's. */
static gboolean fill(GlintSteerOperator *self, const GlintSteerLayer *layer, const gsize *rows, gsize hubs, GError **error)
{
    const gsize n = self->n;
    self->factor = self->kind == GLINT_STEER_SCALE ? 1 : 0;
    self->constant = g_new0(double, n + 1);
    self->centre = glint_steer_kind_sets_state(self->kind) ? g_new0(double, n + 1) : NULL;
    for (gsize k = 0; k < n; k++) {
        self->column[k] = layer->column[rows[k]];
        if (self->centre)
            self->centre[k] = layer->overall[rows[k]];
        if (self->kind == GLINT_STEER_CLAMP)
            self->constant[k] = towards_of(layer, rows[k]);
        else if (self->kind == GLINT_STEER_SHIFT)
            self->constant[k] = difference_of(layer, rows[k]);
        else if (self->kind == GLINT_STEER_ABLATE_MEAN)
            self->constant[k] = layer->overall[rows[k]];
    }
    if (self->kind == GLINT_STEER_CONDITIONAL && !conditional_state(layer, rows, n, hubs ? MIN(hubs, n) : MAX(n / HUBS_SHARE, 1), self->constant, error))
        return FALSE;
    if (self->kind == GLINT_STEER_DISCRIMINANT)
        discriminant(layer, rows, n, self->constant);
    if ((self->kind == GLINT_STEER_SHIFT || self->kind == GLINT_STEER_DISCRIMINANT) && !has_direction(self))
        return glint_fail(error, GLINT_ERROR_DATA, "the classes have the same mean in all %zu neurons of layer %zu: there is no direction to steer in", n, layer->site.layer);
    return TRUE;
}

static GlintSteerOperator *operator_alloc(GlintSteerKind kind, const GlintSite *site, gsize n)
{
    GlintSteerOperator *self = g_new0(GlintSteerOperator, 1);
    *self = (GlintSteerOperator){.kind = kind, .site = *site, .n = n, .column = g_new0(gsize, n + 1)};
    return self;
}

GlintSteerOperator *glint_steer_operator_new(GlintSteerKind kind, const GlintSteerLayer *layer, const gsize *rows, gsize n, gsize hubs, GError **error)
{
    g_return_val_if_fail(kind < GLINT_STEER_VECTOR, NULL);
    if (n == 0) {
        glint_fail(error, GLINT_ERROR_USAGE, "there is no neuron to steer in layer %zu", layer->site.layer);
        return NULL;
    }
    g_autoptr(GlintSteerOperator) self = operator_alloc(kind, &layer->site, n);
    if (!fill(self, layer, rows, hubs, error))
        return NULL;
    if (kind == GLINT_STEER_WEIGHT)
        self->matrix = wiring(layer, rows, n);
    return g_steal_pointer(&self);
}

GlintSteerOperator *glint_steer_operator_vector(const GlintSite *site, const gsize *columns, const double *direction, gsize n)
{
    GlintSteerOperator *self = operator_alloc(GLINT_STEER_VECTOR, site, n);
    memcpy(self->column, columns, n * sizeof *columns);
    self->constant = g_memdup2(direction, n * sizeof *direction);
    return self;
}

GlintSteerOperator *glint_steer_operator_on(const GlintSteerOperator *self, const GlintSteerLayer *layer, const gsize *rows, gsize hubs, GError **error)
{
    g_return_val_if_fail(self->kind < GLINT_STEER_VECTOR, NULL);
    g_autoptr(GlintSteerOperator) other = operator_alloc(self->kind, &layer->site, self->n);
    if (!fill(other, layer, rows, hubs, error))
        return NULL;
    other->matrix = self->matrix ? g_memdup2(self->matrix, self->n * self->n * sizeof *self->matrix) : NULL;
    return g_steal_pointer(&other);
}

/* h goes to the state by the share |a|; beyond 1 the state goes on, away from the mean. */
static double towards_state(const GlintSteerOperator *self, gsize k, double strength, double before)
{
    const double size = fabs(strength), reach = size > 1 ? strength : strength < 0 ? -1 : 1;
    const double state = self->centre[k] + reach * (self->constant[k] - self->centre[k]);
    return size >= 1 ? state : before + size * (state - before);
}

void glint_steer_apply(const GlintSteerOperator *self, double strength, float *row, double *scratch)
{
    const gsize n = self->n;
    double *before = scratch, *after = scratch + n;
    for (gsize k = 0; k < n; k++)
        before[k] = (double)row[self->column[k]];
    for (gsize k = 0; k < n; k++) {
        if (self->centre) {
            after[k] = towards_state(self, k, strength, before[k]);
            continue;
        }
        double move = self->factor * before[k] + self->constant[k];
        for (gsize j = 0; self->matrix && j < n; j++)
            move += self->matrix[k * n + j] * before[j];
        after[k] = before[k] + strength * move;
    }
    for (gsize k = 0; k < n; k++)
        row[self->column[k]] = (float)after[k];
}

static gboolean steer_rows(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    const GlintSteering *steering = user_data;
    const GlintSteerOperator *operator= steering->operator;
    for (gsize k = 0; k < operator->n; k++)
        if (operator->column[k] >= width)
            return glint_fail(error, GLINT_ERROR_DATA, "steering wants column %zu of %s, which has %zu; was the operator made for another model?", operator->column[k],
                              glint_site_suffix(site->kind), width);
    if (steering->strength == 0)
        return TRUE;
    const gsize cost = batch->start[batch->n_sequences] * operator->n * (operator->matrix ? operator->n : 1);
#pragma omp parallel if (cost > WORTH_THREADS)
    {
        double *scratch = g_new(double, 2 * operator->n);
        for (gsize s = 0; s < batch->n_sequences; s++) {
            const gsize past = steering->past ? steering->past[s] : 0, skip = steering->skip > past ? steering->skip - past : 0;
#pragma omp for schedule(static) nowait
            for (gsize t = batch->start[s]; t < batch->start[s + 1]; t++)
                if (t - batch->start[s] >= skip)
                    glint_steer_apply(operator, steering->strength, rows + t * width, scratch);
        }
        g_free(scratch);
    }
    return TRUE;
}

GlintTap glint_steering_tap(GlintSteering *self) { return (GlintTap){.site = self->operator->site, .function = steer_rows, .user_data = self}; }
