/* NumPy .npy and .npz files (format 1.0-3.0, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 * Reading accepts bool, int8..64, uint8..64, float16/32/64, either byte order, C or Fortran order, up to 4 dimensions, and
 * always delivers C order. Writing is little endian, C order, through a temporary name, fsync and rename. */
#pragma once
#include <glib.h>

typedef enum { GLINT_F64, GLINT_F32, GLINT_I64, GLINT_I32, GLINT_U8, GLINT_BYTES /* numpy S<n>, npz only */ } GlintDtype;

typedef struct {
    int n_dims;      /* 0 = scalar */
    gsize shape[4];
    gsize n;         /* product of shape */
    GlintDtype dtype;
    void *data;      /* owned */
} GlintArray;

void glint_array_free(GlintArray *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintArray, glint_array_free)

/* Reads `path` and converts to `dtype` (GLINT_F64 or GLINT_F32 or GLINT_I64). Does not refuse NaN: callers do, with context. */
GlintArray *glint_npy_read(const char *path, GlintDtype dtype, GError **error);
/* The same from memory; `name` is used in error messages. For .npz members and fuzzing. */
GlintArray *glint_npy_parse(const void *bytes, gsize length, const char *name, GlintDtype dtype, GError **error);
gboolean glint_npy_write(const char *path, GlintDtype dtype, int n_dims, const gsize *shape, const void *data, GError **error);

/* .npz: a zip of .npy. Writer collects members and writes the file at close; readers load one member at a time. */
typedef struct GlintNpz GlintNpz;
GlintNpz *glint_npz_new(const char *path);
gboolean glint_npz_add(GlintNpz *self, const char *member, GlintDtype dtype, int n_dims, const gsize *shape, const void *data, GError **error);
gboolean glint_npz_close(GlintNpz *self, GError **error); /* writes; frees self in every case */
GlintArray *glint_npz_read(const char *path, const char *member, GlintDtype dtype, GError **error);

/* A scipy.sparse CSR matrix as scipy.sparse.save_npz writes it and load_npz reads it. */
typedef struct { gsize rows, cols, nnz; gint64 *indptr; /* rows+1 */ gint32 *indices; /* nnz */ double *data; /* nnz */ } GlintCsr;
void glint_csr_free(GlintCsr *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintCsr, glint_csr_free)
gboolean glint_csr_write(const char *path, const GlintCsr *matrix, GError **error);
GlintCsr *glint_csr_read(const char *path, GError **error); /* validates bounds and order */
