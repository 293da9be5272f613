/* Examples as safetensors: the state of GlintExamples, for resuming, merging, and for reading with numpy or torch. With W columns and
 * capacity c (k for top and bottom, 2 k for spread):
 *   <list>.n [W]  <list>.value [W,c]  <list>.text [W,c]  <list>.position [W,c]     list: top, bottom, spread; unused entries are 0
 *   spread.priority [W,c]                                                          value^2 / u
 *   rows.value [m,W]  rows.text [m]  rows.position [m]  rows.hash [m]              tokens drawn uniformly, absent when m = 0
 * Reals are F32, numbers I32, hashes I64 (the bits of an unsigned one). What is read is checked: lists must be in order, for merging counts
 * on it. */
#include "base/error.h"
#include "base/safetensors.h"
#include "collect/examples_private.h"
#include <math.h>
#include <string.h>

#define FORMAT "glint examples 1"

/* Tensors under construction; all memory in one bag, freed when the writer has written. */
typedef struct {
    GlintSafetensorsWriter *writer;
    GPtrArray *memory;
} Out;

static void *out_new(Out *out, gsize n, gsize size)
{
    void *data = g_malloc0_n(n + 1, size);
    g_ptr_array_add(out->memory, data);
    return data;
}

/* The writer copies names. */
static void put(Out *out, const char *list, const char *field, GlintTensorType type, gsize rows, gsize columns, const void *data)
{
    g_autofree char *name = g_strconcat(list, ".", field, NULL);
    gsize shape[2] = {rows, columns};
    glint_safetensors_writer_add(out->writer, name, type, columns > 0 ? 2 : 1, shape, data);
}

static void put_list(Out *out, const char *name, const GlintExampleList *list, gsize width, gboolean priority)
{
    gsize c = list->capacity, n = width * c;
    float *value = out_new(out, n, sizeof *value), *weight = priority ? out_new(out, n, sizeof *weight) : NULL;
    gint32 *text = out_new(out, n, sizeof *text), *position = out_new(out, n, sizeof *position);
    for (gsize j = 0; j < width; j++)
        for (gsize i = j * c; i < j * c + list->n[j]; i++) {
            value[i] = list->entries[i].value;
            text[i] = (gint32)list->entries[i].text;
            position[i] = (gint32)list->entries[i].position;
            if (weight)
                weight[i] = list->entries[i].priority;
        }
    put(out, name, "n", GLINT_ST_I32, width, 0, list->n);
    put(out, name, "value", GLINT_ST_F32, width, c, value);
    put(out, name, "text", GLINT_ST_I32, width, c, text);
    put(out, name, "position", GLINT_ST_I32, width, c, position);
    if (weight)
        put(out, name, "priority", GLINT_ST_F32, width, c, weight);
}

static void put_rows(Out *out, const GlintExamples *self)
{
    gsize m = self->n_rows, width = self->width;
    if (m == 0)
        return;
    float *value = out_new(out, m * width, sizeof *value);
    gint32 *text = out_new(out, m, sizeof *text), *position = out_new(out, m, sizeof *position);
    guint64 *hash = out_new(out, m, sizeof *hash);
    for (gsize i = 0; i < m; i++) {
        memcpy(value + i * width, self->row_values + self->rows[i].slot * width, width * sizeof(float));
        text[i] = (gint32)self->rows[i].text;
        position[i] = (gint32)self->rows[i].position;
        hash[i] = self->rows[i].hash;
    }
    put(out, "rows", "value", GLINT_ST_F32, m, width, value);
    put(out, "rows", "text", GLINT_ST_I32, m, 0, text);
    put(out, "rows", "position", GLINT_ST_I32, m, 0, position);
    put(out, "rows", "hash", GLINT_ST_I64, m, 0, hash);
}

static gint by_text(gconstpointer a, gconstpointer b) { return strcmp(a, b); }

gboolean glint_examples_save(const GlintExamples *self, const char *path, GHashTable *metadata, GError **error)
{
    g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(g_free);
    Out out = {glint_safetensors_writer_new(path), memory};
    g_autofree char *k = g_strdup_printf("%zu", self->k), *n = g_strdup_printf("%zu", self->n_tokens), *seed = g_strdup_printf("%" G_GUINT64_FORMAT, self->seed);
    g_autoptr(GList) names = metadata ? g_list_sort(g_hash_table_get_keys(metadata), by_text) : NULL; /* sorted: same bytes every time */
    glint_safetensors_writer_metadata(out.writer, "format", FORMAT);
    glint_safetensors_writer_metadata(out.writer, "k", k);
    glint_safetensors_writer_metadata(out.writer, "tokens", n);
    glint_safetensors_writer_metadata(out.writer, "examples_seed", seed);
    for (GList *name = names; name; name = name->next)
        glint_safetensors_writer_metadata(out.writer, name->data, g_hash_table_lookup(metadata, name->data));
    put_list(&out, "top", &self->top, self->width, FALSE);
    put_list(&out, "bottom", &self->bottom, self->width, FALSE);
    put_list(&out, "spread", &self->spread, self->width, TRUE);
    put_rows(&out, self);
    return glint_safetensors_writer_close(out.writer, error);
}

/* ---- reading ---- */

static const void *get(const GlintSafetensors *file, const char *list, const char *field, GlintTensorType type, gsize rows, gsize columns)
{
    g_autofree char *name = g_strconcat(list, ".", field, NULL);
    const GlintTensor *tensor = glint_safetensors_find(file, name);
    if (!tensor || tensor->type != type || tensor->n_dims != (columns > 0 ? 2 : 1) || tensor->shape[0] != rows || (columns > 0 && tensor->shape[1] != columns))
        return NULL;
    return tensor->data;
}

/* Element i of a tensor that may lie unaligned. */
static gint32 int_at(const void *data, gsize i)
{
    gint32 x;
    memcpy(&x, (const char *)data + i * sizeof x, sizeof x);
    return x;
}

static float real_at(const void *data, gsize i)
{
    float x;
    memcpy(&x, (const char *)data + i * sizeof x, sizeof x);
    return x;
}

/* `sign` of a value is its priority; 0: there is a tensor of them. */
static gboolean get_list(const GlintSafetensors *file, const char *name, GlintExampleList *list, gsize width, float sign)
{
    gsize c = list->capacity;
    const void *n = get(file, name, "n", GLINT_ST_I32, width, 0), *value = get(file, name, "value", GLINT_ST_F32, width, c);
    const void *text = get(file, name, "text", GLINT_ST_I32, width, c), *position = get(file, name, "position", GLINT_ST_I32, width, c);
    const void *priority = sign == 0 ? get(file, name, "priority", GLINT_ST_F32, width, c) : value;
    if (!n || !value || !text || !position || !priority)
        return FALSE;
    for (gsize j = 0; j < width; j++) {
        gint32 count = int_at(n, j);
        if (count < 0 || (gsize)count > c)
            return FALSE;
        list->n[j] = (guint32)count;
        for (gsize i = j * c; i < j * c + (gsize)count; i++) {
            GlintExample *e = &list->entries[i];
            *e = (GlintExample){real_at(value, i), sign == 0 ? real_at(priority, i) : sign * real_at(value, i), (guint32)int_at(text, i), (guint32)int_at(position, i)};
            if (!isfinite(e->value) || isnan(e->priority) || int_at(text, i) < 0 || int_at(position, i) < 0 || (i > j * c && !glint_example_before(e - 1, e)))
                return FALSE;
        }
        glint_example_list_limit(list, j);
    }
    return TRUE;
}

static gboolean get_rows(const GlintSafetensors *file, GlintExamples *self)
{
    const GlintTensor *first = glint_safetensors_find(file, "rows.text");
    gsize m = first && first->n_dims == 1 ? first->shape[0] : 0;
    if (!first)
        return TRUE;
    const void *value = get(file, "rows", "value", GLINT_ST_F32, m, self->width), *text = get(file, "rows", "text", GLINT_ST_I32, m, 0);
    const void *position = get(file, "rows", "position", GLINT_ST_I32, m, 0), *hash = get(file, "rows", "hash", GLINT_ST_I64, m, 0);
    if (m == 0 || m > GLINT_EXAMPLES_ROWS || !value || !text || !position || !hash)
        return FALSE;
    for (gsize i = 0; i < m; i++) {
        GlintExampleRow *row = &self->rows[i];
        memcpy(&row->hash, (const char *)hash + i * sizeof row->hash, sizeof row->hash);
        row->text = (guint32)int_at(text, i);
        row->position = (guint32)int_at(position, i);
        row->slot = i;
        if (int_at(text, i) < 0 || int_at(position, i) < 0 || (i > 0 && !glint_example_row_before(row - 1, row)))
            return FALSE;
    }
    memcpy(self->row_values, value, m * self->width * sizeof(float));
    for (gsize i = 0; i < m * self->width; i++)
        if (!isfinite(self->row_values[i]))
            return FALSE;
    self->n_rows = m;
    return TRUE;
}

GlintExamples *glint_examples_load(const char *path, GError **error)
{
    g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, error);
    if (!file)
        return NULL;
    const GlintTensor *n = glint_safetensors_find(file, "top.n");
    const char *k_text = glint_safetensors_metadata(file, "k"), *seed_text = glint_safetensors_metadata(file, "examples_seed"),
        *tokens_text = glint_safetensors_metadata(file, "tokens");
    gsize width = n && n->n_dims == 1 ? n->shape[0] : 0;
    guint64 k = 0, seed = 0, tokens = 0;
    gboolean good = width > 0 && k_text && seed_text && tokens_text && g_ascii_string_to_unsigned(k_text, 10, 1, GLINT_EXAMPLES_MOST, &k, NULL) &&
                    g_ascii_string_to_unsigned(seed_text, 10, 0, G_MAXUINT64, &seed, NULL) && g_ascii_string_to_unsigned(tokens_text, 10, 0, G_MAXINT64, &tokens, NULL) &&
                    get(file, "top", "value", GLINT_ST_F32, width, (gsize)k); /* before memory is asked for */
    g_autoptr(GlintExamples) self = good ? glint_examples_new(width, (gsize)k, seed) : NULL;
    if (good && !self) {
        glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory for examples of %zu columns", path, width);
        return NULL;
    }
    if (!good || !get_list(file, "top", &self->top, width, 1) || !get_list(file, "bottom", &self->bottom, width, -1) || !get_list(file, "spread", &self->spread, width, 0) ||
        !get_rows(file, self)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: not a file of examples, or damaged: the lists top, bottom and spread are expected, in order, "
                                              "and up to %d rows; collect it again",
                   path, GLINT_EXAMPLES_ROWS);
        return NULL;
    }
    self->n_tokens = (gsize)tokens;
    return g_steal_pointer(&self);
}
