/* Reading safetensors (https://github.com/huggingface/safetensors, format description). The file is mapped; opening reads the
 * header only and proves, before any tensor is handed out, that every tensor lies inside the file, that none overlap, that they
 * fill the data exactly, and that dtype times shape is what the offsets say. A tensor's data may start at any byte: convert with
 * glint_tensor_to_*, or memcpy. Like every mapped file, it must not be shortened while it is in use (SIGBUS); replacing it by
 * rename, as glint and the hub's tools do, is safe.
 *
 * The parsed JSON is kept, for tensors' names and metadata point into it. */
#include "base/safetensors.h"

#include "base/error.h"
#include "base/files.h"
#include "base/simd.h"
#include "base/npy_header.h" /* the byte-order guard */

#include <math.h>
#include <string.h>

enum { LENGTH_BYTES = 8, MAX_HEADER_BYTES = 100000000 /* as the reference implementation */, MAX_DIMS = 8 };

struct GlintSafetensors {
    char *path;
    GMappedFile *map; /* NULL when parsed from memory */
    json_t *header;
    GArray *tensors;  /* of GlintTensor, in file order */
    GHashTable *by_name;
};

/* dtype names of the format; those glint does no arithmetic on are OTHER, their sizes are still checked. */
static const struct {
    const char *name;
    GlintTensorType type;
    gsize bytes;
} types[] = {
    {"F64", GLINT_ST_F64, 8},       {"F32", GLINT_ST_F32, 4},       {"F16", GLINT_ST_F16, 2},       {"BF16", GLINT_ST_BF16, 2},
    {"I64", GLINT_ST_I64, 8},       {"I32", GLINT_ST_I32, 4},       {"I16", GLINT_ST_I16, 2},       {"I8", GLINT_ST_I8, 1},
    {"U8", GLINT_ST_U8, 1},         {"BOOL", GLINT_ST_BOOL, 1},     {"U64", GLINT_ST_OTHER, 8},     {"U32", GLINT_ST_OTHER, 4},
    {"U16", GLINT_ST_OTHER, 2},     {"F8_E4M3", GLINT_ST_OTHER, 1}, {"F8_E5M2", GLINT_ST_OTHER, 1}, {"F8_E8M0", GLINT_ST_OTHER, 1},
    {"C64", GLINT_ST_OTHER, 8},
};

const char *glint_tensor_type_name(GlintTensorType type)
{
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++)
        if (types[i].type == type && type != GLINT_ST_OTHER)
            return types[i].name;
    return "other";
}

/* ---- the header ----------------------------------------------------------------------------------------------------- */

static gboolean read_length(const json_t *value, gsize *out)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return FALSE;
    *out = (gsize)json_integer_value(value);
    return TRUE;
}

static gboolean read_dtype(GlintTensor *self, const json_t *value, gsize *item_bytes, const char *path, GError **error)
{
    if (!json_is_string(value))
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': tensor '%s' has no dtype", path, self->name);
    const char *dtype = json_string_value(value);
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        if (strcmp(dtype, types[i].name) == 0) {
            self->dtype = types[i].name;
            self->type = types[i].type;
            *item_bytes = types[i].bytes;
            return TRUE;
        }
    }
    return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "'%s': tensor '%s' has dtype '%s', which glint does not know", path, self->name, dtype);
}

static gboolean read_shape(GlintTensor *self, const json_t *value, const char *path, GError **error)
{
    if (!json_is_array(value))
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': tensor '%s' has no shape", path, self->name);
    if (json_array_size(value) > MAX_DIMS)
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "'%s': tensor '%s' has more than %d dimensions", path, self->name, MAX_DIMS);
    self->n_dims = (int)json_array_size(value);
    self->n = 1;
    for (int d = 0; d < self->n_dims; d++) {
        if (!read_length(json_array_get(value, (gsize)d), &self->shape[d]))
            return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': the shape of tensor '%s' holds something other than lengths", path, self->name);
        if (!g_size_checked_mul(&self->n, self->n, self->shape[d]))
            return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': the shape of tensor '%s' overflows", path, self->name);
    }
    return TRUE;
}

static gboolean read_offsets(GlintTensor *self, const json_t *value, const guint8 *data, gsize data_bytes, const char *path, GError **error)
{
    gsize begin, end;
    if (json_array_size(value) != 2 || !read_length(json_array_get(value, 0), &begin) || !read_length(json_array_get(value, 1), &end) ||
        begin > end)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': tensor '%s' has no data_offsets [begin, end]", path, self->name);
    if (end > data_bytes)
        return glint_fail(error, GLINT_ERROR_FORMAT,
                          "'%s': tensor '%s' ends at byte %" G_GSIZE_FORMAT " of the data, there are %" G_GSIZE_FORMAT
                          "; was the file fully downloaded?",
                          path, self->name, end, data_bytes);
    self->data = data + begin;
    self->n_bytes = end - begin;
    return TRUE;
}

static gboolean read_tensor(GlintTensor *self, const json_t *entry, const guint8 *data, gsize data_bytes, const char *path, GError **error)
{
    gsize item_bytes = 0, expected;
    if (!json_is_object(entry))
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': header entry '%s' is not an object", path, self->name);
    if (json_object_size(entry) != 3)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': tensor '%s' needs exactly dtype, shape and data_offsets", path, self->name);
    if (!read_dtype(self, json_object_get(entry, "dtype"), &item_bytes, path, error) ||
        !read_shape(self, json_object_get(entry, "shape"), path, error) ||
        !read_offsets(self, json_object_get(entry, "data_offsets"), data, data_bytes, path, error))
        return FALSE;
    if (!g_size_checked_mul(&expected, self->n, item_bytes) || expected != self->n_bytes)
        return glint_fail(error, GLINT_ERROR_FORMAT,
                          "'%s': tensor '%s' of %" G_GSIZE_FORMAT " elements of %" G_GSIZE_FORMAT " bytes is given %" G_GSIZE_FORMAT " bytes", path,
                          self->name, self->n, item_bytes, self->n_bytes);
    return TRUE;
}

static gboolean check_metadata(const json_t *metadata, const char *path, GError **error)
{
    const char *key;
    json_t *value;
    if (!json_is_object(metadata))
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': __metadata__ is not an object", path);
    json_object_foreach ((json_t *)metadata, key, value)
        if (!json_is_string(value))
            return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': __metadata__ '%s' is not a string", path, key);
    return TRUE;
}

static gint compare_places(gconstpointer a, gconstpointer b)
{
    const GlintTensor *x = a, *y = b;
    if (x->data != y->data)
        return (const guint8 *)x->data < (const guint8 *)y->data ? -1 : 1;
    if (x->n_bytes != y->n_bytes) /* empty tensors first: they may share their place with the next */
        return x->n_bytes < y->n_bytes ? -1 : 1;
    return strcmp(x->name, y->name);
}

/* Tensors, sorted by place, must follow each other without gap or overlap and end where the data ends. */
static gboolean check_cover(const GlintSafetensors *self, const guint8 *data, gsize data_bytes, GError **error)
{
    gsize at = 0;
    for (guint i = 0; i < self->tensors->len; i++) {
        const GlintTensor *tensor = &g_array_index(self->tensors, GlintTensor, i);
        gsize begin = (gsize)((const guint8 *)tensor->data - data);
        if (begin != at)
            return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': tensor '%s' %s", self->path, tensor->name,
                              begin < at ? "overlaps another" : "leaves a hole before it");
        at = begin + tensor->n_bytes;
    }
    return at == data_bytes || glint_fail(error, GLINT_ERROR_FORMAT,
                                          "'%s': %" G_GSIZE_FORMAT " bytes at the end belong to no tensor", self->path, data_bytes - at);
}

static gboolean read_header(GlintSafetensors *self, const guint8 *bytes, gsize length, GError **error)
{
    guint64 header_bytes;
    json_error_t where;
    if (length < LENGTH_BYTES)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s' is too short for a safetensors file (%" G_GSIZE_FORMAT " bytes)", self->path, length);
    memcpy(&header_bytes, bytes, LENGTH_BYTES);
    if (header_bytes > length - LENGTH_BYTES)
        return glint_fail(error, GLINT_ERROR_FORMAT,
                          "'%s': the header claims %" G_GUINT64_FORMAT " bytes, the file has %" G_GSIZE_FORMAT
                          "; not a safetensors file, or not fully downloaded (a Git LFS pointer?)",
                          self->path, header_bytes, length);
    if (header_bytes > MAX_HEADER_BYTES)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': the header claims %" G_GUINT64_FORMAT " bytes, more than the format allows (%d)",
                          self->path, header_bytes, MAX_HEADER_BYTES);
    const char *text = (const char *)bytes + LENGTH_BYTES;
    if (header_bytes == 0 || text[0] != '{')
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': the safetensors header does not start with '{'", self->path);
    self->header = json_loadb(text, header_bytes, JSON_REJECT_DUPLICATES, &where);
    if (self->header == NULL)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': the safetensors header is not valid JSON at byte %d: %s", self->path,
                          where.position, where.text);
    return TRUE;
}

static gboolean read_tensors(GlintSafetensors *self, const guint8 *data, gsize data_bytes, GError **error)
{
    const char *name;
    json_t *entry;
    if (!json_is_object(self->header))
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': the safetensors header is not an object", self->path);
    json_object_foreach (self->header, name, entry) {
        GlintTensor tensor = {.name = name};
        if (strcmp(name, "__metadata__") == 0) {
            if (!check_metadata(entry, self->path, error))
                return FALSE;
        } else if (read_tensor(&tensor, entry, data, data_bytes, self->path, error)) {
            g_array_append_val(self->tensors, tensor);
        } else {
            return FALSE;
        }
    }
    g_array_sort(self->tensors, compare_places);
    for (guint i = 0; i < self->tensors->len; i++) {
        GlintTensor *tensor = &g_array_index(self->tensors, GlintTensor, i);
        g_hash_table_insert(self->by_name, (gpointer)tensor->name, tensor);
    }
    return check_cover(self, data, data_bytes, error);
}

GlintSafetensors *glint_safetensors_parse(const void *bytes, gsize length, const char *name, GError **error)
{
    g_autoptr(GlintSafetensors) self = g_new0(GlintSafetensors, 1);
    self->path = g_strdup(name);
    self->tensors = g_array_new(FALSE, FALSE, sizeof(GlintTensor));
    self->by_name = g_hash_table_new(g_str_hash, g_str_equal);
    if (!read_header(self, bytes, length, error))
        return NULL;
    guint64 header_bytes;
    memcpy(&header_bytes, bytes, LENGTH_BYTES);
    gsize data_offset = LENGTH_BYTES + (gsize)header_bytes;
    if (!read_tensors(self, (const guint8 *)bytes + data_offset, length - data_offset, error))
        return NULL;
    return g_steal_pointer(&self);
}

GlintSafetensors *glint_safetensors_open(const char *path, GError **error)
{
    GMappedFile *map = glint_map_file(path, error);
    if (map == NULL)
        return NULL;
    GlintSafetensors *self = glint_safetensors_parse(g_mapped_file_get_contents(map), g_mapped_file_get_length(map), path, error);
    if (self == NULL)
        g_mapped_file_unref(map);
    else
        self->map = map;
    return self;
}

void glint_safetensors_free(GlintSafetensors *self)
{
    if (self == NULL)
        return;
    g_hash_table_unref(self->by_name);
    g_array_unref(self->tensors);
    json_decref(self->header);
    if (self->map != NULL)
        g_mapped_file_unref(self->map);
    g_free(self->path);
    g_free(self);
}

const char *glint_safetensors_path(const GlintSafetensors *self) { return self->path; }
gsize glint_safetensors_count(const GlintSafetensors *self) { return self->tensors->len; }

const GlintTensor *glint_safetensors_at(const GlintSafetensors *self, gsize index)
{
    g_assert(index < self->tensors->len);
    return &g_array_index(self->tensors, GlintTensor, index);
}

const GlintTensor *glint_safetensors_find(const GlintSafetensors *self, const char *name) { return g_hash_table_lookup(self->by_name, name); }

const char *glint_safetensors_metadata(const GlintSafetensors *self, const char *key)
{
    return json_string_value(json_object_get(json_object_get(self->header, "__metadata__"), key));
}

/* ---- conversion ----------------------------------------------------------------------------------------------------- */

static inline float bits_to_float(guint32 bits)
{
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* Branch-free, so that loops of it become vector code. A subnormal half is fraction * 2^-24: computed from the integer, it never
 * passes through a subnormal float, which threads that flush denormals to zero (oneDNN's may) would lose. */
static inline float half_to_float(guint16 h)
{
    guint32 sign = (guint32)(h & 0x8000u) << 16, rest = h & 0x7fffu;
    guint32 normal = (rest << 13) + (112u << 23);
    guint32 special = (rest << 13) | 0x7f800000u;
    float small = (float)(gint32)rest * 0x1p-24f;
    guint32 small_bits;
    memcpy(&small_bits, &small, sizeof small_bits);
    guint32 is_small = 0u - (guint32)(rest < 0x400u), is_special = 0u - (guint32)(rest >= 0x7c00u); /* all ones or none */
    return bits_to_float(sign | (small_bits & is_small) | (special & is_special) | (normal & ~(is_small | is_special)));
}

GLINT_CLONES
static void halves(const guint8 *restrict raw, gsize n, float *restrict out)
{
    for (gsize i = 0; i < n; i++) {
        guint16 h;
        memcpy(&h, raw + 2 * i, sizeof h);
        out[i] = half_to_float(h);
    }
}

GLINT_CLONES
static void bfloats(const guint8 *restrict raw, gsize n, float *restrict out)
{
    for (gsize i = 0; i < n; i++) {
        guint16 h;
        memcpy(&h, raw + 2 * i, sizeof h);
        out[i] = bits_to_float((guint32)h << 16);
    }
}

#define CONVERT(ctype)                            \
    for (gsize i = 0; i < n; i++) {               \
        ctype x;                                  \
        memcpy(&x, raw + i * sizeof x, sizeof x); \
        out[i] = to(x);                           \
    }                                             \
    return

static const guint8 *place(const GlintTensor *tensor, gsize first, gsize n)
{
    g_assert(first <= tensor->n && n <= tensor->n - first);
    return n == 0 ? tensor->data : (const guint8 *)tensor->data + first * (tensor->n_bytes / tensor->n);
}

void glint_tensor_to_f32(const GlintTensor *tensor, gsize first, gsize n, float *out)
{
    const guint8 *raw = place(tensor, first, n);
    if (n == 0)
        return;
#define to(x) ((float)(x))
    switch (tensor->type) {
    case GLINT_ST_F32: memcpy(out, raw, n * sizeof *out); return;
    case GLINT_ST_BF16: bfloats(raw, n, out); return;
    case GLINT_ST_F16: halves(raw, n, out); return;
    case GLINT_ST_F64: CONVERT(double);
    case GLINT_ST_I64: CONVERT(gint64);
    case GLINT_ST_I32: CONVERT(gint32);
    case GLINT_ST_I16: CONVERT(gint16);
    case GLINT_ST_I8: CONVERT(gint8);
    case GLINT_ST_U8:
    case GLINT_ST_BOOL: CONVERT(guint8);
    case GLINT_ST_OTHER: break;
    }
#undef to
    for (gsize i = 0; i < n; i++)
        out[i] = NAN;
}

void glint_tensor_to_f64(const GlintTensor *tensor, gsize first, gsize n, double *out)
{
    const guint8 *raw = place(tensor, first, n);
    if (n == 0)
        return;
#define to(x) ((double)(x))
    switch (tensor->type) {
    case GLINT_ST_F64: memcpy(out, raw, n * sizeof *out); return;
    case GLINT_ST_F32: CONVERT(float);
    case GLINT_ST_I64: CONVERT(gint64);
    case GLINT_ST_I32: CONVERT(gint32);
    case GLINT_ST_I16: CONVERT(gint16);
    case GLINT_ST_I8: CONVERT(gint8);
    case GLINT_ST_U8:
    case GLINT_ST_BOOL: CONVERT(guint8);
    case GLINT_ST_F16:
    case GLINT_ST_BF16:
    case GLINT_ST_OTHER: break;
    }
#undef to
    float piece[512];
    for (gsize done = 0; done < n; done += G_N_ELEMENTS(piece)) {
        gsize m = MIN(G_N_ELEMENTS(piece), n - done);
        glint_tensor_to_f32(tensor, first + done, m, piece);
        for (gsize i = 0; i < m; i++)
            out[done + i] = (double)piece[i];
    }
}
