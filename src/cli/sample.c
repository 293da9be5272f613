/* Samples for the solver from a covariance, from activations, or from collected moments. See sample.h.
 *
 * A neuron that does not vary has no correlation with anything: its row is left out, named in a warning, and counted in the
 * certificate. Everything downstream works on the rows that are left; `column` says which they are. */
#include "cli/sample.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/sparse_file.h"

#include <math.h>
#include <string.h>

void glint_sample_free(GlintSample *self)
{
    if (!self)
        return;
    g_free(self->covariance);
    g_free(self->mean);
    g_free(self->sd);
    g_strfreev(self->neurons);
    g_free(self->column);
    g_free(self->site);
    g_free(self->class_name);
    g_free(self->key);
    glint_array_free(self->activations); /* and the rows in it */
    g_free(self->group);
    g_free(self->weights);
    glint_sparse_clear(&self->start);
    g_free(self);
}

static GlintSample *sample_new(gsize p, GError **error)
{
    GlintSample *self = g_new0(GlintSample, 1);
    self->p = p;
    self->divisor = 1;
    ggm_default_covariance_settings(&self->forming);
    self->covariance = g_try_malloc_n(p ? p * p : 1, sizeof *self->covariance);
    self->neurons = g_new0(char *, p + 1);
    self->column = g_new0(gsize, p + 1);
    if (self->covariance)
        return self;
    glint_fail(error, GLINT_ERROR_FAILED, "no memory for a covariance of %zu x %zu (%.1f GB); use --neurons N", p, p, (double)p * (double)p * 8e-9);
    glint_sample_free(self);
    return NULL;
}

/* Copies the rows and columns `column[0..p)` of the width x width matrix into self->covariance. */
static void take_submatrix(GlintSample *self, const double *matrix, gsize width)
{
    for (gsize i = 0; i < self->p; i++)
        for (gsize j = 0; j < self->p; j++)
            self->covariance[i * self->p + j] = matrix[self->column[i] * width + self->column[j]];
}

/* Fills n, covariance, mean and sd of the columns in self->column. */
static void take_moments(GlintSample *self, GlintMoments *moments)
{
    gsize p = self->p;
    const double *mean = glint_moments_mean(moments);
    self->n = self->n_texts = glint_moments_n(moments);
    self->divisor = (double)self->n / (double)(self->n - 1);
    self->mean = g_new(double, p + 1);
    self->sd = g_new(double, p + 1);
    take_submatrix(self, glint_moments_m2(moments), glint_moments_p(moments));
    for (gsize k = 0; k < p * p; k++)
        self->covariance[k] /= (double)(self->n - 1);
    for (gsize i = 0; i < p; i++) {
        self->mean[i] = mean[self->column[i]];
        self->sd[i] = sqrt(self->covariance[i * p + i]);
    }
}

static gboolean all_finite(const GlintArray *array, const char *path, GError **error)
{
    const double *x = array->data;
    gsize row_length = array->n_dims == 2 ? array->shape[1] : 1;
    for (gsize k = 0; k < array->n; k++)
        if (!isfinite(x[k]))
            return glint_fail(error, GLINT_ERROR_DATA, "%s: entry [%zu, %zu] is %s; remove or replace values that are not finite", path,
                              k / row_length, k % row_length, isnan(x[k]) ? "NaN" : "infinite");
    return TRUE;
}

/* The columns of a plain matrix that vary, named N0, N1, ...; the others are warned about. */
static GlintSample *sample_of_varying(const double *variance, gsize width, const char *path, GError **error)
{
    g_autofree gsize *kept = g_new(gsize, width + 1);
    g_autoptr(GString) constant = g_string_new(NULL);
    gsize p = 0;
    double largest = 0;
    for (gsize j = 0; j < width; j++)
        largest = MAX(largest, variance[j]);
    for (gsize j = 0; j < width; j++) {
        if (variance[j] > 1e-16 * largest)
            kept[p++] = j;
        else if (j - p < 10)
            g_string_append_printf(constant, " N%zu", j);
    }
    if (p == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "%s: all %zu columns are constant, so there is no correlation to estimate", path, width);
        return NULL;
    }
    if (p < width)
        glint_warn("%s: %zu of %zu columns do not vary and are left out:%s%s", path, width - p, width, constant->str, width - p > 10 ? " ..." : "");
    GlintSample *self = sample_new(p, error);
    if (!self)
        return NULL;
    self->width = width;
    self->n_constant = width - p;
    for (gsize i = 0; i < p; i++) {
        self->column[i] = kept[i];
        self->neurons[i] = g_strdup_printf("N%zu", kept[i]);
    }
    return self;
}

GlintSample *glint_sample_from_covariance(const char *path, GError **error)
{
    g_autoptr(GlintArray) array = glint_npy_read(path, GLINT_F64, error);
    if (!array)
        return NULL;
    if (array->n_dims != 2 || array->shape[0] != array->shape[1] || array->shape[0] == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "%s: a covariance must be a square matrix, this has %d dimensions, %zu x %zu; for samples use --activations",
                   path, array->n_dims, array->n_dims > 0 ? array->shape[0] : 0, array->n_dims > 1 ? array->shape[1] : 0);
        return NULL;
    }
    if (!all_finite(array, path, error))
        return NULL;
    gsize width = array->shape[0];
    const double *s = array->data;
    g_autofree double *variance = g_new(double, width);
    for (gsize j = 0; j < width; j++) {
        variance[j] = s[j * width + j];
        if (variance[j] < 0) {
            glint_fail(error, GLINT_ERROR_DATA, "%s: variance [%zu, %zu] is %g; a covariance has no negative diagonal", path, j, j, variance[j]);
            return NULL;
        }
    }
    for (gsize i = 0; i < width; i++)
        for (gsize j = i + 1; j < width; j++) { /* libggm's own bound, which names no entry */
            double upper = s[i * width + j], lower = s[j * width + i], scale = sqrt(variance[i]) * sqrt(variance[j]);
            if (scale > 0 && fabs(upper - lower) > 1e-6 * scale) {
                glint_fail(error, GLINT_ERROR_DATA, "%s: entry [%zu, %zu] is %g but [%zu, %zu] is %g; a covariance is symmetric", path, i, j, upper, j, i, lower);
                return NULL;
            }
        }
    GlintSample *self = sample_of_varying(variance, width, path, error);
    if (!self)
        return NULL;
    take_submatrix(self, s, width);
    self->key = glint_sha256_bytes(array->data, array->n * sizeof(double));
    return self;
}

/* Moves the columns that were kept together; what was between them is not needed again. */
static void take_rows(GlintSample *self, GlintArray *activations)
{
    double *x = activations->data;
    for (gsize i = 0; self->p < self->width && i < self->n; i++)
        for (gsize j = 0; j < self->p; j++)
            x[i * self->p + j] = x[i * self->width + self->column[j]];
    self->rows = x;
    self->activations = activations;
}

GlintSample *glint_sample_from_activations(const char *path, gboolean keep_rows, GError **error)
{
    GlintArray *array = glint_npy_read(path, GLINT_F64, error);
    return array ? glint_sample_from_rows(array, path, keep_rows, error) : NULL;
}

GlintSample *glint_sample_from_rows(GlintArray *rows, const char *path, gboolean keep_rows, GError **error)
{
    g_autoptr(GlintArray) array = rows;
    if (array->n_dims != 2 || array->shape[0] < 2 || array->shape[1] == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "%s: activations must be a matrix of at least 2 samples (rows) and 1 neuron (columns), this has %d dimensions, %zu x %zu",
                   path, array->n_dims, array->n_dims > 0 ? array->shape[0] : 0, array->n_dims > 1 ? array->shape[1] : 0);
        return NULL;
    }
    if (!all_finite(array, path, error))
        return NULL;
    gsize n = array->shape[0], width = array->shape[1];
    g_autoptr(GlintMoments) moments = glint_moments_new(width);
    if (!moments) {
        glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory for the second moments of %zu columns (%.1f GB); give fewer columns", path, width,
                   (double)width * (double)width * 8e-9);
        return NULL;
    }
    glint_moments_add_f64(moments, array->data, n, width);
    const double *m2 = glint_moments_m2(moments), *mean = glint_moments_mean(moments);
    g_autofree double *variance = g_new(double, width);
    for (gsize j = 0; j < width; j++) {
        /* rounding leaves a constant column a variance of about (eps mean)^2 */
        double v = m2[j * width + j] / (double)(n - 1), floor = 1e-12 * fabs(mean[j]);
        variance[j] = v > floor * floor ? v : 0;
    }
    GlintSample *self = sample_of_varying(variance, width, path, error);
    if (!self)
        return NULL;
    take_moments(self, moments);
    self->key = glint_sha256_bytes(array->data, array->n * sizeof(double));
    if (keep_rows)
        take_rows(self, g_steal_pointer(&array));
    return self;
}

GlintSample *glint_sample_from_moments(GlintMoments *moments, const gsize *columns, gsize p, const GlintSite *site, gsize head_size, const gsize *features,
                                       const char *class_name, gsize n_constant, const char *key, GError **error)
{
    GlintSample *self = sample_new(p, error);
    if (!self)
        return NULL;
    self->width = glint_moments_p(moments);
    self->n_constant = n_constant;
    self->site = glint_site_name(site);
    self->class_name = g_strdup(class_name);
    self->key = g_strdup(key);
    memcpy(self->column, columns, p * sizeof *columns);
    take_moments(self, moments);
    for (gsize i = 0; i < p; i++)
        self->neurons[i] = glint_neuron_id(site, features ? features[columns[i]] : columns[i], head_size);
    return self;
}
