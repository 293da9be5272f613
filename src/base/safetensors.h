/* safetensors files: u64-LE header length N, N bytes of JSON {name: {dtype, shape, data_offsets}}, then the data.
 * Opening maps the file and checks everything the header claims (lengths, overlaps, dtype x shape = bytes) before any tensor is handed out. */
#pragma once
#include <glib.h>

typedef enum { GLINT_ST_F64, GLINT_ST_F32, GLINT_ST_F16, GLINT_ST_BF16, GLINT_ST_I64, GLINT_ST_I32, GLINT_ST_I16, GLINT_ST_I8, GLINT_ST_U8,
              GLINT_ST_BOOL, GLINT_ST_OTHER } GlintTensorType;

typedef struct {
    const char *name;
    const char *dtype; /* as the file spells it, "F8_E4M3"; static */
    GlintTensorType type;
    int n_dims;
    gsize shape[8];
    gsize n;           /* elements */
    gsize n_bytes;
    const void *data;  /* in the mapped file; valid until the file is freed; may be unaligned */
} GlintTensor;

typedef struct GlintSafetensors GlintSafetensors;
GlintSafetensors *glint_safetensors_open(const char *path, GError **error);
GlintSafetensors *glint_safetensors_parse(const void *bytes, gsize length, const char *name, GError **error); /* borrows bytes */
void glint_safetensors_free(GlintSafetensors *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSafetensors, glint_safetensors_free)

const char *glint_safetensors_path(const GlintSafetensors *self);
gsize glint_safetensors_count(const GlintSafetensors *self);
const GlintTensor *glint_safetensors_at(const GlintSafetensors *self, gsize index);           /* in file order */
const GlintTensor *glint_safetensors_find(const GlintSafetensors *self, const char *name);    /* NULL if absent */
const char *glint_safetensors_metadata(const GlintSafetensors *self, const char *key);        /* NULL if absent */

const char *glint_tensor_type_name(GlintTensorType type);
/* Converts elements [first, first+n) to float or double: F64, F32, F16, BF16 and the integer types; OTHER gives NaN. */
void glint_tensor_to_f32(const GlintTensor *tensor, gsize first, gsize n, float *out);
void glint_tensor_to_f64(const GlintTensor *tensor, gsize first, gsize n, double *out);

/* Writing: add tensors (data borrowed until close), then close writes atomically. Tensors of wider elements come first in
 * the file, which keeps all of them aligned, else in order of addition. A bad name or type is reported by close. */
typedef struct GlintSafetensorsWriter GlintSafetensorsWriter;
GlintSafetensorsWriter *glint_safetensors_writer_new(const char *path);
void glint_safetensors_writer_metadata(GlintSafetensorsWriter *self, const char *key, const char *value);
void glint_safetensors_writer_add(GlintSafetensorsWriter *self, const char *name, GlintTensorType type, int n_dims, const gsize *shape, const void *data);
gboolean glint_safetensors_writer_close(GlintSafetensorsWriter *self, GError **error); /* frees self in every case */
void glint_safetensors_writer_free(GlintSafetensorsWriter *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSafetensorsWriter, glint_safetensors_writer_free)
