/* The choice of columns for the solve. See columns.h for the rule and why it is the same for all classes. */
#include "collect/columns.h"
#include "base/error.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RELATIVE_TO_MEAN 1e-6     /* single precision, after the sums of a forward pass */
#define RELATIVE_TO_LARGEST 1e-8

void glint_columns_free(GlintColumns *self)
{
    if (!self)
        return;
    g_free(self->index);
    g_free(self->constant);
    g_free(self);
}

static gboolean fail_all_constant(const char *class_name, gsize width, const GlintColumnsOptions *options, GError **error)
{
    const char *site = options->site ? options->site : "the activations";
    if (g_strcmp0(options->pool, "first") == 0)
        return glint_fail(error, GLINT_ERROR_DATA,
                          "%s, class %s: all %zu columns are constant: position 0 of a causal model sees only itself, so every text gives the same row there; "
                          "use --pool mean or --pool last", site, class_name, width);
    return glint_fail(error, GLINT_ERROR_DATA, "%s, class %s: all %zu columns are constant, so there is no correlation to estimate; are its texts all the same? "
                      "Otherwise choose another --site or --pool", site, class_name, width);
}

/* Marks the constant columns of one class; FALSE when all are. */
static gboolean mark_constant(GlintMoments *moments, gboolean *constant)
{
    gsize p = glint_moments_p(moments), n = glint_moments_n(moments), n_constant = 0;
    const double *mean = glint_moments_mean(moments), *m2 = glint_moments_m2(moments);
    double largest = 0;
    for (gsize j = 0; j < p; j++)
        largest = MAX(largest, m2[j * p + j]);
    double scale = 1.0 / (double)(n - 1), floor = RELATIVE_TO_LARGEST * sqrt(largest * scale);
    for (gsize j = 0; j < p; j++) {
        double sd = sqrt(m2[j * p + j] * scale);
        if (!(sd > RELATIVE_TO_MEAN * fabs(mean[j]) + floor)) { /* written so that NaN counts as constant */
            constant[j] = TRUE;
            n_constant++;
        }
    }
    return n_constant < p;
}

static gboolean check_classes(GlintMoments *const *moments, const char *const *names, gsize n_classes, const GlintColumnsOptions *options, GError **error)
{
    const char *site = options->site ? options->site : "the activations";
    if (n_classes == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "%s: no class to choose columns for", site);
    for (gsize c = 0; c < n_classes; c++) {
        if (glint_moments_p(moments[c]) != glint_moments_p(moments[0]))
            return glint_fail(error, GLINT_ERROR_DATA, "%s: class %s has %zu columns and class %s %zu; collect both from one model", site, names[c],
                              glint_moments_p(moments[c]), names[0], glint_moments_p(moments[0]));
        if (glint_moments_n(moments[c]) < 2)
            return glint_fail(error, GLINT_ERROR_DATA, "%s: class %s has %zu sample%s, and a covariance needs at least 2; give the class more texts or leave it out",
                              site, names[c], glint_moments_n(moments[c]), glint_moments_n(moments[c]) == 1 ? "" : "s");
    }
    return TRUE;
}

typedef struct { gsize column; double variance; } Ranked;

static int by_variance(const void *a, const void *b)
{
    const Ranked *x = a, *y = b;
    if (x->variance != y->variance)
        return x->variance > y->variance ? -1 : 1;
    return x->column < y->column ? -1 : x->column > y->column; /* equal variances: lower index first */
}

/* Drops all but the `limit` columns of largest pooled within-class variance from self->index. */
static void limit_columns(GlintColumns *self, GlintMoments *const *moments, gsize n_classes, gsize limit)
{
    if (limit == 0 || self->n <= limit)
        return;
    g_autofree Ranked *ranked = g_new(Ranked, self->n);
    g_autofree gboolean *chosen = g_new0(gboolean, self->width);
    for (gsize k = 0; k < self->n; k++) {
        gsize j = self->index[k];
        double sum = 0, freedom = 0;
        for (gsize c = 0; c < n_classes; c++) {
            sum += glint_moments_m2(moments[c])[j * self->width + j];
            freedom += (double)(glint_moments_n(moments[c]) - 1);
        }
        ranked[k] = (Ranked){j, sum / freedom};
    }
    qsort(ranked, self->n, sizeof *ranked, by_variance);
    for (gsize k = 0; k < limit; k++)
        chosen[ranked[k].column] = TRUE;
    self->n_limited = self->n - limit;
    self->n = 0;
    for (gsize j = 0; j < self->width; j++)
        if (chosen[j])
            self->index[self->n++] = j;
}

GlintColumns *glint_columns_choose(GlintMoments *const *moments, const char *const *names, gsize n_classes, const GlintColumnsOptions *options, GError **error)
{
    if (!check_classes(moments, names, n_classes, options, error))
        return NULL;
    gsize width = glint_moments_p(moments[0]);
    g_autofree gboolean *constant = g_new0(gboolean, width);
    for (gsize c = 0; c < n_classes; c++) {
        g_autofree gboolean *here = g_new0(gboolean, width);
        gboolean by_design = options->bos && g_strcmp0(options->pool, "first") == 0; /* what varies is rounding */
        if (by_design || !mark_constant(moments[c], here)) {
            fail_all_constant(names[c], width, options, error);
            return NULL;
        }
        for (gsize j = 0; j < width; j++)
            constant[j] = constant[j] || here[j];
    }
    g_autoptr(GlintColumns) self = g_new0(GlintColumns, 1);
    self->width = width;
    self->index = g_new(gsize, width);
    self->constant = g_new(gsize, width);
    for (gsize j = 0; j < width; j++) {
        if (constant[j])
            self->constant[self->n_constant++] = j;
        else
            self->index[self->n++] = j;
    }
    if (self->n == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "%s: each of the %zu columns is constant in one class or another, so the classes have no neurons in common to compare; "
                   "choose another --site or --pool", options->site ? options->site : "the activations", width);
        return NULL;
    }
    limit_columns(self, moments, n_classes, options->limit);
    return g_steal_pointer(&self);
}
