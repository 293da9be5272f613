/* The header of a .npy file: magic "\x93NUMPY", version, header length (u16 in 1.0, u32 in 2.0 and 3.0, little endian), then a
 * Python dictionary literal padded with blanks. Shared by npy.c and npz.c, for nobody else. */
#pragma once
#include "base/npy.h"

#if G_BYTE_ORDER != G_LITTLE_ENDIAN
#error "glint maps little-endian files; a big-endian machine needs swapping writers in npy.c and safetensors.c"
#endif

enum { NPY_MAX_HEADER_BYTES = 65536, NPY_PREFIX_BYTES = 12 };

typedef struct {
    char kind;          /* numpy's: b i u f S U */
    gsize item_bytes;
    gboolean swapped;   /* big endian */
    gboolean fortran;
    int n_dims;
    gsize shape[4];
    gsize n;
    gsize data_offset;  /* bytes before the array */
    gsize data_bytes;   /* n * item_bytes */
} NpyHeader;

/* Reads the header out of the first `length` bytes (all of it, or NPY_PREFIX_BYTES + NPY_MAX_HEADER_BYTES, must be there). */
gboolean npy_header_parse(NpyHeader *self, const void *bytes, gsize length, const char *name, GError **error);
/* Magic, version 1.0 and dictionary for little-endian C order; `text_bytes` is the string's length for GLINT_BYTES. */
GString *npy_header_format(GlintDtype dtype, int n_dims, const gsize *shape, gsize text_bytes);

gsize npy_item_bytes(GlintDtype dtype); /* 1 for GLINT_BYTES */
const char *npy_dtype_name(GlintDtype dtype);
/* Product of dimensions times item size; FALSE on overflow. */
gboolean npy_shape_bytes(int n_dims, const gsize *shape, gsize item_bytes, gsize *n, gsize *n_bytes);

/* TRUE when the data can be used as it lies (type, byte order, element order). */
gboolean npy_is_plain(const NpyHeader *header, GlintDtype dtype);
/* An owned array of the header's shape with room for `dtype`, its values not set. */
GlintArray *npy_array_new(const NpyHeader *header, GlintDtype dtype, const char *name, GError **error);
/* Converts header->data_bytes bytes at `raw` into the array; raw == array->data is fine when npy_is_plain. */
gboolean npy_convert(const NpyHeader *header, const void *raw, GlintArray *array, const char *name, GError **error);
