/* See sparse_file.h. */
#include "cli/sparse_file.h"
#include "base/error.h"
#include "base/npy.h"

#include <math.h>
#include <string.h>

gboolean glint_sparse_write(const char *path, const ggm_sparse *matrix, GError **error)
{
    g_autoptr(GlintCsr) csr = g_new0(GlintCsr, 1);
    csr->rows = csr->cols = matrix->p;
    csr->nnz = matrix->nnz;
    csr->indptr = g_new(gint64, matrix->p + 1);
    csr->indices = g_new(gint32, matrix->nnz + 1);
    csr->data = g_new(double, matrix->nnz + 1);
    for (gsize i = 0; i <= matrix->p; i++)
        csr->indptr[i] = (gint64)matrix->start[i];
    for (gsize k = 0; k < matrix->nnz; k++) {
        csr->indices[k] = matrix->index[k];
        csr->data[k] = matrix->value[k];
    }
    return glint_csr_write(path, csr, error);
}

gboolean glint_sparse_read(const char *path, ggm_sparse *matrix, GError **error)
{
    *matrix = (ggm_sparse){0};
    g_autoptr(GlintCsr) csr = glint_csr_read(path, error);
    if (!csr)
        return FALSE;
    if (csr->rows != csr->cols)
        return glint_fail(error, GLINT_ERROR_DATA, "%s is %zu x %zu; a precision matrix is square", path, csr->rows, csr->cols);
    for (gsize k = 0; k < csr->nnz; k++)
        if (!isfinite(csr->data[k]))
            return glint_fail(error, GLINT_ERROR_DATA, "%s holds values that are not finite", path);
    matrix->p = csr->rows;
    matrix->nnz = csr->nnz;
    matrix->start = g_new(size_t, csr->rows + 1);
    matrix->index = g_new(int, csr->nnz + 1);
    matrix->value = g_new(double, csr->nnz + 1);
    for (gsize i = 0; i <= csr->rows; i++)
        matrix->start[i] = (size_t)csr->indptr[i];
    memcpy(matrix->index, csr->indices, csr->nnz * sizeof *matrix->index);
    memcpy(matrix->value, csr->data, csr->nnz * sizeof *matrix->value);
    return TRUE;
}

void glint_sparse_clear(ggm_sparse *matrix)
{
    g_free(matrix->start);
    g_free(matrix->index);
    g_free(matrix->value);
    *matrix = (ggm_sparse){0};
}
