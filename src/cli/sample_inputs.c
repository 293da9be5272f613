/* What the solve options add to a sample: another covariance, weights of the penalty, the text of each row, a place to start.
 * See sample.h. All of them are in terms of the columns of the input, of which constant ones have been left out. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/sample.h"
#include "cli/sparse_file.h"

#include <math.h>
#include <string.h>

ggm_samples glint_sample_rows(const GlintSample *self)
{
    return (ggm_samples){.n = self->n, .p = self->p, .x = self->rows};
}

/* ---- the covariance ---- */

static gboolean is_correlation(ggm_transform transform) { return transform != GGM_TRANSFORM_NONE && transform != GGM_TRANSFORM_WINSOR; }

static gboolean form_from_rows(GlintSample *self, int threads, GError **error)
{
    const ggm_samples samples = glint_sample_rows(self);
    ggm_status status = ggm_covariance_with_info(&samples, &self->forming, threads, self->covariance, &self->formed);
    if (status != GGM_OK)
        return glint_fail(error, GLINT_ERROR_DATA, "--transform: no covariance could be formed: %s", ggm_status_text(status));
    self->divisor = is_correlation(self->forming.transform) ? 1 : (double)self->n / (double)(self->n - 1);
    for (gsize k = 0; k < self->p * self->p; k++)
        self->covariance[k] *= self->divisor;
    for (gsize i = 0; i < self->p; i++)
        if (!(self->covariance[i * self->p + i] > 0))
            return glint_fail(error, GLINT_ERROR_DATA, "--transform: column %s no longer varies; leave it out, or cut less (--winsor)", self->neurons[i]);
    if (self->formed.repaired)
        glint_warn("the correlations were indefinite (smallest eigenvalue %.3g) and were moved to the nearest that are not, by %.3g in the Frobenius norm",
                   self->formed.smallest_eigenvalue, self->formed.repair_distance);
    return TRUE;
}

static gboolean form_covariance(GlintSample *self, const GlintSolvePlan *plan, int threads, GError **error)
{
    self->forming = plan->covariance;
    self->formed = (ggm_covariance_info){.shrinkage = plan->covariance.shrinkage, .smallest_eigenvalue = NAN};
    if (plan->covariance.transform != GGM_TRANSFORM_NONE || isnan(plan->covariance.shrinkage))
        return form_from_rows(self, threads, error);
    for (gsize i = 0; plan->covariance.shrinkage > 0 && i < self->p; i++)
        for (gsize j = 0; j < self->p; j++)
            self->covariance[i * self->p + j] *= i == j ? 1 : 1 - plan->covariance.shrinkage;
    return TRUE;
}

/* ---- the penalty ---- */

static gboolean check_weights(const char *path, const double *w, gsize width, GError **error)
{
    for (gsize i = 0; i < width; i++)
        for (gsize j = 0; j <= i; j++) {
            const double a = w[i * width + j], b = w[j * width + i];
            if (isnan(a) || a < 0 || (i == j && isinf(a)))
                return glint_fail(error, GLINT_ERROR_DATA, "%s: weight [%zu, %zu] is %g; weights are 0 or more, and on the diagonal finite", path, i, j, a);
            if (a != b)
                return glint_fail(error, GLINT_ERROR_DATA, "%s: weight [%zu, %zu] is %g but [%zu, %zu] is %g; weights are symmetric", path, i, j, a, j, i, b);
        }
    return TRUE;
}

static gboolean add_penalty(GlintSample *self, const char *path, GError **error)
{
    g_autoptr(GlintArray) array = glint_npy_read(path, GLINT_F64, error);
    if (!array)
        return FALSE;
    const gsize width = self->width, p = self->p;
    if (array->n_dims != 2 || array->shape[0] != width || array->shape[1] != width)
        return glint_fail(error, GLINT_ERROR_DATA, "%s: the weights must be a matrix of %zu x %zu, one row a column of the input; this has %d dimensions, %zu x %zu", path,
                          width, width, array->n_dims, array->n_dims > 0 ? array->shape[0] : 0, array->n_dims > 1 ? array->shape[1] : 0);
    const double *w = array->data;
    if (!check_weights(path, w, width, error))
        return FALSE;
    self->weights = g_try_malloc_n(p * p, sizeof *self->weights);
    if (!self->weights)
        return glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory for weights of %zu x %zu", path, p, p);
    for (gsize i = 0; i < p; i++)
        for (gsize j = 0; j < p; j++)
            self->weights[i * p + j] = w[self->column[i] * width + self->column[j]];
    g_autofree char *of_weights = glint_sha256_bytes(array->data, array->n * sizeof(double));
    char *key = g_strconcat(self->key, of_weights, NULL);
    g_free(self->key);
    self->key = key;
    return TRUE;
}

/* ---- the text of each row ---- */

/* Labels as text, whatever the file holds: one an entry of a .npy, or one a line; a first line too many is taken for a heading. */
static char **read_labels(const char *path, gsize n, GError **error)
{
    if (g_str_has_suffix(path, ".npy")) {
        g_autoptr(GlintArray) array = glint_npy_read(path, GLINT_I64, error);
        char **labels = array ? g_new0(char *, array->n + 1) : NULL;
        for (gsize k = 0; array && k < array->n; k++)
            labels[k] = g_strdup_printf("%" G_GINT64_FORMAT, ((const gint64 *)array->data)[k]);
        return labels;
    }
    g_autofree char *text = NULL;
    if (!g_file_get_contents(path, &text, NULL, error))
        return NULL;
    g_strchomp(text);
    char **lines = g_strsplit(text, "\n", -1);
    if (g_strv_length(lines) == n + 1) {
        g_free(lines[0]);
        memmove(lines, lines + 1, (n + 1) * sizeof *lines);
    }
    return lines;
}

static gboolean add_groups(GlintSample *self, const char *path, GError **error)
{
    g_auto(GStrv) labels = read_labels(path, self->n, error);
    if (!labels)
        return FALSE;
    const gsize count = g_strv_length(labels);
    if (count != self->n)
        return glint_fail(error, GLINT_ERROR_DATA, "%s names the text of %zu rows, but there are %zu", path, count, self->n);
    g_autoptr(GHashTable) numbers = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GString) all = g_string_new(self->key);
    self->group = g_new(gsize, self->n);
    for (gsize k = 0; k < self->n; k++) {
        gpointer number = g_hash_table_lookup(numbers, g_strstrip(labels[k]));
        if (!number)
            g_hash_table_insert(numbers, labels[k], number = GSIZE_TO_POINTER(g_hash_table_size(numbers) + 1));
        self->group[k] = GPOINTER_TO_SIZE(number) - 1;
        g_string_append_printf(all, ",%zu", self->group[k]);
    }
    self->n_texts = g_hash_table_size(numbers);
    if (self->n_texts < 2)
        return glint_fail(error, GLINT_ERROR_DATA, "%s: all rows are of one text; resampling needs at least 2", path);
    g_free(self->key);
    self->key = glint_sha256_bytes(all->str, all->len);
    return TRUE;
}

/* ---- a place to start ---- */

static char *start_path(const char *path, const char *folder)
{
    if (!g_file_test(path, G_FILE_TEST_IS_DIR))
        return g_strdup(path);
    return folder ? g_build_filename(path, folder, "precision.npz", NULL) : g_build_filename(path, "precision.npz", NULL);
}

static gboolean add_start(GlintSample *self, const char *given, const char *folder, GError **error)
{
    g_autofree char *path = start_path(given, folder);
    if (!glint_sparse_read(path, &self->start, error))
        return FALSE;
    if (self->start.p != self->p)
        return glint_fail(error, GLINT_ERROR_DATA, "%s is %zu x %zu, but there are %zu neurons to solve for; --start needs a result of the same neurons", path, self->start.p,
                          self->start.p, self->p);
    return TRUE;
}

gboolean glint_sample_prepare(GlintSample *self, const GlintSolveArgs *args, const GlintSolvePlan *plan, int threads, const char *folder, GError **error)
{
    if ((args->groups && !add_groups(self, args->groups, error)) || (args->penalty && !add_penalty(self, args->penalty, error)) ||
        (args->start && !add_start(self, args->start, folder, error)))
        return FALSE;
    if (plan->n > self->n && self->n > 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "--n is %zu, but there are only %zu rows; it counts independent texts, of which there is at most one a row", plan->n, self->n);
    if (plan->n)
        self->n_texts = plan->n;
    return form_covariance(self, plan, threads, error);
}
