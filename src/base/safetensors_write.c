/* Writing safetensors. The header is built in memory, the tensors are streamed from where the caller has them. Wider elements come
 * first, as in the reference implementation, so that every tensor is aligned to its element; the header is padded with blanks
 * to 8 bytes for the same reason. What is wrong with an added tensor is remembered and reported by close, so that callers can
 * add many without a check each. */
#include "base/error.h"
#include "base/files.h"
#include "base/npy_header.h"
#include "base/safetensors.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DIMS = 8, WIDTHS = 4, WRITE_BYTES = 1 << 26 };

typedef struct {
    char *name;
    GlintTensorType type;
    int n_dims;
    gsize shape[MAX_DIMS];
    gsize n_bytes;
    const void *data; /* borrowed */
} Entry;

struct GlintSafetensorsWriter {
    char *path;
    json_t *metadata; /* NULL: none */
    GArray *entries;
    GHashTable *names; /* borrowed from entries */
    GError *failure;   /* of the first bad call */
};

static gsize item_bytes(GlintTensorType type)
{
    switch (type) {
    case GLINT_ST_F64:
    case GLINT_ST_I64: return 8;
    case GLINT_ST_F32:
    case GLINT_ST_I32: return 4;
    case GLINT_ST_F16:
    case GLINT_ST_BF16:
    case GLINT_ST_I16: return 2;
    case GLINT_ST_I8:
    case GLINT_ST_U8:
    case GLINT_ST_BOOL: return 1;
    case GLINT_ST_OTHER: break;
    }
    return 0;
}

static void entry_clear(gpointer entry) { g_free(((Entry *)entry)->name); }

GlintSafetensorsWriter *glint_safetensors_writer_new(const char *path)
{
    GlintSafetensorsWriter *self = g_new0(GlintSafetensorsWriter, 1);
    self->path = g_strdup(path);
    self->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    g_array_set_clear_func(self->entries, entry_clear);
    self->names = g_hash_table_new(g_str_hash, g_str_equal);
    return self;
}

void glint_safetensors_writer_free(GlintSafetensorsWriter *self)
{
    if (self == NULL)
        return;
    g_hash_table_unref(self->names);
    g_array_unref(self->entries);
    json_decref(self->metadata);
    g_clear_error(&self->failure);
    g_free(self->path);
    g_free(self);
}

static GError **failure_slot(GlintSafetensorsWriter *self) { return self->failure == NULL ? &self->failure : NULL; }

void glint_safetensors_writer_metadata(GlintSafetensorsWriter *self, const char *key, const char *value)
{
    if (self->metadata == NULL)
        self->metadata = json_object();
    if (json_object_set_new(self->metadata, key, json_string(value)) != 0)
        glint_fail(failure_slot(self), GLINT_ERROR_FAILED, "cannot write '%s': metadata '%s' is not valid UTF-8", self->path, key);
}

void glint_safetensors_writer_add(GlintSafetensorsWriter *self, const char *name, GlintTensorType type, int n_dims, const gsize *shape,
                                  const void *data)
{
    gsize n;
    Entry entry = {.type = type, .n_dims = n_dims, .data = data};
    if (!g_utf8_validate(name, -1, NULL) || strcmp(name, "__metadata__") == 0 || g_hash_table_contains(self->names, name))
        glint_fail(failure_slot(self), GLINT_ERROR_FAILED, "cannot write '%s': the tensor name '%s' is taken or not allowed", self->path, name);
    else if (item_bytes(type) == 0 || n_dims < 0 || n_dims > MAX_DIMS || !npy_shape_bytes(n_dims, shape, item_bytes(type), &n, &entry.n_bytes))
        glint_fail(failure_slot(self), GLINT_ERROR_FAILED, "cannot write '%s': tensor '%s' has a type or shape that cannot be written",
                   self->path, name);
    else {
        entry.name = g_strdup(name);
        for (int d = 0; d < n_dims; d++)
            entry.shape[d] = shape[d];
        g_array_append_val(self->entries, entry);
        g_hash_table_add(self->names, entry.name);
    }
}

/* Calls `visit` on all entries in file order: elements of 8 bytes first, then 4, 2, 1. */
static void each_entry(const GlintSafetensorsWriter *self, void (*visit)(const Entry *entry, gpointer data), gpointer data)
{
    for (gsize width = 1u << (WIDTHS - 1); width > 0; width /= 2)
        for (guint i = 0; i < self->entries->len; i++) {
            const Entry *entry = &g_array_index(self->entries, Entry, i);
            if (item_bytes(entry->type) == width)
                visit(entry, data);
        }
}

typedef struct {
    json_t *header;
    gsize at;
    gboolean overflow;
} Layout;

static void describe(const Entry *entry, gpointer data)
{
    Layout *layout = data;
    json_t *shape = json_array();
    for (int d = 0; d < entry->n_dims; d++)
        json_array_append_new(shape, json_integer((json_int_t)entry->shape[d]));
    gsize begin = layout->at;
    layout->overflow = !g_size_checked_add(&layout->at, begin, entry->n_bytes) || layout->at > G_MAXSSIZE || layout->overflow;
    json_t *description = json_object();
    json_object_set_new(description, "dtype", json_string(glint_tensor_type_name(entry->type)));
    json_object_set_new(description, "shape", shape);
    json_t *offsets = json_array();
    json_array_append_new(offsets, json_integer((json_int_t)begin));
    json_array_append_new(offsets, json_integer((json_int_t)layout->at));
    json_object_set_new(description, "data_offsets", offsets);
    json_object_set_new(layout->header, entry->name, description);
}

static void put_data(const Entry *entry, gpointer data)
{
    FILE *stream = data;
    for (gsize done = 0; done < entry->n_bytes && !ferror(stream); done += WRITE_BYTES)
        fwrite((const guint8 *)entry->data + done, 1, MIN((gsize)WRITE_BYTES, entry->n_bytes - done), stream);
}

/* The header's text with its length before it; NULL when sizes overflow. */
static GString *format_header(const GlintSafetensorsWriter *self)
{
    Layout layout = {.header = json_object()};
    if (self->metadata != NULL)
        json_object_set(layout.header, "__metadata__", self->metadata);
    each_entry(self, describe, &layout);
    char *text = layout.overflow ? NULL : json_dumps(layout.header, JSON_COMPACT);
    json_decref(layout.header);
    if (text == NULL)
        return NULL;
    GString *header = g_string_new_len("\0\0\0\0\0\0\0", 8);
    g_string_append(header, text);
    free(text);
    while (header->len % 8 != 0)
        g_string_append_c(header, ' ');
    guint64 header_bytes = header->len - 8;
    memcpy(header->str, &header_bytes, 8);
    return header;
}

gboolean glint_safetensors_writer_close(GlintSafetensorsWriter *writer, GError **error)
{
    g_autoptr(GlintSafetensorsWriter) self = writer;
    if (self->failure != NULL) {
        g_propagate_error(error, g_steal_pointer(&self->failure));
        return FALSE;
    }
    g_autoptr(GString) header = format_header(self);
    if (header == NULL)
        return glint_fail(error, GLINT_ERROR_FAILED, "cannot write '%s': its tensors are too large", self->path);
    g_autoptr(GlintFile) file = glint_file_new(self->path, error);
    if (file == NULL)
        return FALSE;
    fwrite(header->str, 1, header->len, glint_file_stream(file));
    each_entry(self, put_data, glint_file_stream(file));
    return glint_file_commit(g_steal_pointer(&file), error);
}
