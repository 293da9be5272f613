/* Moments as safetensors files. See moments.h for the layout.
 *
 * Pending rows are written as they are, not folded in: folding early would make a resumed run differ from an undisturbed
 * one in the last bits. */
#include "base/error.h"
#include "base/safetensors.h"
#include "collect/moments_private.h"
#include <string.h>

static gint by_text(gconstpointer a, gconstpointer b) { return strcmp(a, b); }

gboolean glint_moments_save(GlintMoments *self, const char *path, GHashTable *metadata, GError **error)
{
    gsize vector[1] = {self->p}, square[2] = {self->p, self->p}, pending[2] = {self->n_pending, self->p};
    g_autofree char *n = g_strdup_printf("%zu", glint_moments_n(self)), *p = g_strdup_printf("%zu", self->p);
    GlintSafetensorsWriter *writer = glint_safetensors_writer_new(path);
    g_autoptr(GString) keys = g_string_new(NULL);
    g_autoptr(GList) names = metadata ? g_list_sort(g_hash_table_get_keys(metadata), by_text) : NULL; /* sorted: same bytes every time */
    glint_moments_mirror(self);
    glint_safetensors_writer_metadata(writer, "format", "glint moments 1");
    glint_safetensors_writer_metadata(writer, "n", n);
    glint_safetensors_writer_metadata(writer, "p", p);
    for (GList *name = names; name; name = name->next) {
        g_string_append_printf(keys, "%s%s", keys->len ? "," : "", (char *)name->data);
        glint_safetensors_writer_metadata(writer, name->data, g_hash_table_lookup(metadata, name->data));
    }
    glint_safetensors_writer_metadata(writer, "keys", keys->str);
    glint_safetensors_writer_add(writer, "mean", GLINT_ST_F64, 1, vector, self->mean);
    glint_safetensors_writer_add(writer, "m2", GLINT_ST_F64, 2, square, self->m2);
    if (self->n_pending > 0)
        glint_safetensors_writer_add(writer, "pending", GLINT_ST_F64, 2, pending, self->block);
    return glint_safetensors_writer_close(writer, error);
}

static gboolean has_shape(const GlintTensor *tensor, int n_dims, gsize rows, gsize columns)
{
    return tensor && tensor->type == GLINT_ST_F64 && tensor->n_dims == n_dims && tensor->shape[0] == rows && (n_dims == 1 || tensor->shape[1] == columns);
}

static GHashTable *read_metadata(const GlintSafetensors *file)
{
    GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    const char *list = glint_safetensors_metadata(file, "keys");
    g_auto(GStrv) keys = g_strsplit(list ? list : "", ",", -1);
    for (char **key = keys; *key; key++) {
        const char *value = **key ? glint_safetensors_metadata(file, *key) : NULL;
        if (value)
            g_hash_table_insert(table, g_strdup(*key), g_strdup(value));
    }
    return table;
}

GlintMoments *glint_moments_load(const char *path, GHashTable **metadata, GError **error)
{
    g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, error);
    if (!file)
        return NULL;
    const GlintTensor *mean = glint_safetensors_find(file, "mean"), *m2 = glint_safetensors_find(file, "m2"), *pending = glint_safetensors_find(file, "pending");
    const char *text = glint_safetensors_metadata(file, "n");
    gsize p = mean && mean->n_dims == 1 ? mean->shape[0] : 0, k = pending && pending->n_dims == 2 ? pending->shape[0] : 0;
    guint64 n = 0;
    if (p == 0 || !has_shape(mean, 1, p, 0) || !has_shape(m2, 2, p, p) || (pending && !has_shape(pending, 2, k, p)) || k >= GLINT_MOMENTS_BLOCK ||
        !text || !g_ascii_string_to_unsigned(text, 10, k, G_MAXINT64, &n, NULL)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: not a file of moments: it must hold F64 tensors mean [p], m2 [p, p], pending [under %d, p] or none, and the metadata n; "
                   "collect it again", path, GLINT_MOMENTS_BLOCK);
        return NULL;
    }
    GlintMoments *self = glint_moments_new(p);
    if (!self) {
        glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory for moments of %zu columns (%.1f GB)", path, p, (double)p * (double)p * 8e-9);
        return NULL;
    }
    memcpy(self->mean, mean->data, p * sizeof(double));
    memcpy(self->m2, m2->data, p * p * sizeof(double));
    if (k > 0)
        memcpy(self->block, pending->data, k * p * sizeof(double));
    self->n_pending = k;
    self->n_done = (gsize)n - k;
    if (metadata)
        *metadata = read_metadata(file);
    return self;
}
