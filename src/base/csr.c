/* Sparse matrices in scipy's .npz layout: members indices, indptr, format (the bytes "csr"), shape, data, in this order, as
 * scipy.sparse.save_npz writes them. Reading trusts nothing: every bound that later loops rely on is checked here. */
#include "base/error.h"
#include "base/npy.h"

#include <string.h>

void glint_csr_free(GlintCsr *self)
{
    if (self == NULL)
        return;
    g_free(self->indptr);
    g_free(self->indices);
    g_free(self->data);
    g_free(self);
}

/* scipy keeps indptr in 32 bits as long as they hold it; the 64-bit copy in memory is narrowed (rows + 1 numbers). */
static gboolean add_indptr(GlintNpz *npz, const GlintCsr *matrix, GError **error)
{
    gsize n = matrix->rows + 1;
    if (matrix->nnz > G_MAXINT32)
        return glint_npz_add(npz, "indptr", GLINT_I64, 1, &n, matrix->indptr, error);
    g_autofree gint32 *narrow = g_try_new(gint32, n);
    if (narrow == NULL)
        return glint_fail(error, GLINT_ERROR_FAILED, "not enough memory to write a sparse matrix of %" G_GSIZE_FORMAT " rows", matrix->rows);
    for (gsize i = 0; i < n; i++)
        narrow[i] = (gint32)matrix->indptr[i];
    return glint_npz_add(npz, "indptr", GLINT_I32, 1, &n, narrow, error);
}

gboolean glint_csr_write(const char *path, const GlintCsr *matrix, GError **error)
{
    gsize two = 2;
    gint64 shape[2] = {(gint64)matrix->rows, (gint64)matrix->cols};
    g_autoptr(GlintNpz) npz = glint_npz_new(path);
    if (!glint_npz_add(npz, "indices", GLINT_I32, 1, &matrix->nnz, matrix->indices, error) || !add_indptr(npz, matrix, error) ||
        !glint_npz_add(npz, "format", GLINT_BYTES, 0, NULL, "csr", error) ||
        !glint_npz_add(npz, "shape", GLINT_I64, 1, &two, shape, error) ||
        !glint_npz_add(npz, "data", GLINT_F64, 1, &matrix->nnz, matrix->data, error))
        return FALSE;
    return glint_npz_close(g_steal_pointer(&npz), error);
}

static gboolean check_rows(const GlintCsr *self, const char *path, GError **error)
{
    if (self->indptr[0] != 0 || self->indptr[self->rows] != (gint64)self->nnz)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': indptr does not run from 0 to the number of entries", path);
    for (gsize i = 0; i < self->rows; i++)
        if (self->indptr[i + 1] < self->indptr[i] || self->indptr[i + 1] > (gint64)self->nnz)
            return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': indptr falls or leaves the entries at row %" G_GSIZE_FORMAT, path, i);
    for (gsize i = 0; i < self->rows; i++) {
        for (gint64 k = self->indptr[i]; k < self->indptr[i + 1]; k++) {
            if (self->indices[k] < 0 || (gsize)self->indices[k] >= self->cols)
                return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': row %" G_GSIZE_FORMAT " names column %d, there are %" G_GSIZE_FORMAT, path, i,
                                  self->indices[k], self->cols);
            if (k > self->indptr[i] && self->indices[k] <= self->indices[k - 1])
                return glint_fail(error, GLINT_ERROR_FORMAT,
                                  "'%s': the columns of row %" G_GSIZE_FORMAT " do not ascend; call sum_duplicates() on the matrix before "
                                  "scipy.sparse.save_npz",
                                  path, i);
        }
    }
    return TRUE;
}

static gboolean check_format(const char *path, GError **error)
{
    g_autoptr(GlintArray) format = glint_npz_read(path, "format", GLINT_BYTES, error);
    if (format == NULL) {
        g_prefix_error(error, "not a sparse matrix of scipy.sparse.save_npz: ");
        return FALSE;
    }
    return strcmp(format->data, "csr") == 0 ||
           glint_fail(error, GLINT_ERROR_UNSUPPORTED, "'%s': sparse format '%s' is not read; save matrix.tocsr() instead", path,
                      (const char *)format->data);
}

GlintCsr *glint_csr_read(const char *path, GError **error)
{
    if (!check_format(path, error))
        return NULL;
    g_autoptr(GlintArray) shape = glint_npz_read(path, "shape", GLINT_I64, error);
    g_autoptr(GlintArray) indptr = shape != NULL ? glint_npz_read(path, "indptr", GLINT_I64, error) : NULL;
    g_autoptr(GlintArray) indices = indptr != NULL ? glint_npz_read(path, "indices", GLINT_I32, error) : NULL;
    g_autoptr(GlintArray) data = indices != NULL ? glint_npz_read(path, "data", GLINT_F64, error) : NULL;
    if (data == NULL)
        return NULL;
    const gint64 *lengths = shape->data;
    if (shape->n_dims != 1 || shape->n != 2 || lengths[0] < 0 || lengths[1] < 0 || indptr->n_dims != 1 || indices->n_dims != 1 ||
        data->n_dims != 1 || indptr->n == 0 || indptr->n - 1 != (gsize)lengths[0] || indices->n != data->n) {
        glint_fail(error, GLINT_ERROR_FORMAT, "'%s': the lengths of shape, indptr, indices and data do not fit together", path);
        return NULL;
    }
    g_autoptr(GlintCsr) self = g_new0(GlintCsr, 1);
    self->rows = (gsize)lengths[0];
    self->cols = (gsize)lengths[1];
    self->nnz = data->n;
    /* Members of a zip are never mapped, so their memory can change owner. */
    self->indptr = g_steal_pointer(&indptr->data);
    self->indices = g_steal_pointer(&indices->data);
    self->data = g_steal_pointer(&data->data);
    return check_rows(self, path, error) ? g_steal_pointer(&self) : NULL;
}
