/* NumPy .npy and .npz files (format 1.0-3.0, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html).
 * Reading accepts bool, int8..64, uint8..64, float16/32/64, either byte order, C or Fortran order, up to 4 dimensions, and
 * always delivers C order. Writing is little endian, C order, through a temporary name, fsync and rename. */
#pragma once
#include <glib.h>

typedef enum {
    GLINT_F64,
    GLINT_F32,
    GLINT_I64,
    GLINT_I32,
    GLINT_U8,
    GLINT_BYTES /* one string (numpy S<n>, shape ()): data is char *, NUL-terminated. For .npz members such as scipy's "format" */
} GlintDtype;

typedef struct {
    int n_dims;      /* 0 = scalar */
    gsize shape[4];
    gsize n;         /* product of shape */
    GlintDtype dtype;
    void *data;      /* owned by the array, writable; large files are mapped, so never free or steal it apart from the array */
    void *map;       /* private: the mapping that `data` lies in, or NULL */
    gsize map_bytes; /* private */
} GlintArray;

void glint_array_free(GlintArray *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintArray, glint_array_free)

/* Reads `path` and converts to `dtype`. Integers convert to reals and to any integer type that holds their values; reals do not
 * convert to integers. Does not refuse NaN: callers do, with context. Pickled objects (|O) are refused. */
GlintArray *glint_npy_read(const char *path, GlintDtype dtype, GError **error);
/* The same from memory; `name` is used in error messages. For .npz members and fuzzing. */
GlintArray *glint_npy_parse(const void *bytes, gsize length, const char *name, GlintDtype dtype, GError **error);
gboolean glint_npy_write(const char *path, GlintDtype dtype, int n_dims, const gsize *shape, const void *data, GError **error);

/* .npz: a zip of .npy. Every add streams its member into a temporary file (data is not kept), close puts it under its final
 * name; freeing without close leaves nothing. The bytes depend on the members only. Readers load one member at a time. */
typedef struct GlintNpz GlintNpz;
GlintNpz *glint_npz_new(const char *path);
gboolean glint_npz_add(GlintNpz *self, const char *member, GlintDtype dtype, int n_dims, const gsize *shape, const void *data, GError **error);
gboolean glint_npz_close(GlintNpz *self, GError **error); /* writes; frees self in every case */
void glint_npz_free(GlintNpz *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintNpz, glint_npz_free)
/* `member` is spelled without ".npy". */
GlintArray *glint_npz_read(const char *path, const char *member, GlintDtype dtype, GError **error);
GlintArray *glint_npz_parse(const void *bytes, gsize length, const char *name, const char *member, GlintDtype dtype, GError **error);

/* A scipy.sparse CSR matrix as scipy.sparse.save_npz writes it and load_npz reads it. */
typedef struct { gsize rows, cols, nnz; gint64 *indptr; /* rows+1 */ gint32 *indices; /* nnz */ double *data; /* nnz */ } GlintCsr;
void glint_csr_free(GlintCsr *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintCsr, glint_csr_free)
gboolean glint_csr_write(const char *path, const GlintCsr *matrix, GError **error);
GlintCsr *glint_csr_read(const char *path, GError **error); /* validates bounds; columns ascend in each row */
