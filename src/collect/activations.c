/* Reading saved activations. See activations.h. */
#include "collect/activations.h"
#include "base/error.h"
#include "base/files.h"
#include "collect/collect.h"
#include <math.h>
#include <string.h>

static const struct { const char *name, *other; GlintTensorType type; } types[] = {
    {"f32", "float32", GLINT_ST_F32}, {"bf16", "bfloat16", GLINT_ST_BF16}, {"f16", "float16", GLINT_ST_F16}};

gboolean glint_activations_type_parse(const char *text, GlintTensorType *type, GError **error)
{
    for (gsize k = 0; k < G_N_ELEMENTS(types); k++)
        if (g_ascii_strcasecmp(text, types[k].name) == 0 || g_ascii_strcasecmp(text, types[k].other) == 0) {
            *type = types[k].type;
            return TRUE;
        }
    return glint_fail(error, GLINT_ERROR_USAGE, "--save-dtype %s: there is no such type; choose f32, bf16 or f16", text);
}

char *glint_activations_path(const char *folder, const char *class_name, const GlintSite *site)
{
    g_autofree char *class_folder = glint_class_folder(class_name), *name = glint_site_name(site);
    return g_build_filename(folder, "activations", class_folder, name, NULL);
}

void glint_activations_free(GlintActivations *self)
{
    if (!self)
        return;
    glint_safetensors_free(self->shard);
    json_decref(self->meta);
    g_free(self->folder);
    g_free(self->class_name);
    g_free(self->pool);
    g_free(self);
}

static gboolean parse_meta(GlintActivations *self, GError **error)
{
    GError *problem = NULL;
    const json_t *meta = self->meta;
    const char *format = glint_json_string(meta, "format", NULL, &problem), *class_name = glint_json_string(meta, "class", NULL, &problem);
    const char *site = glint_json_string(meta, "site", NULL, &problem), *pool = glint_json_string(meta, "pool", NULL, &problem);
    const char *dtype = glint_json_string(meta, "dtype", NULL, &problem);
    gint64 rows = glint_json_int(meta, "rows", -1, &problem), width = glint_json_int(meta, "width", 0, &problem), layer = -1, sum = 0;
    size_t k;
    json_t *shard;
    if (!problem && g_strcmp0(format, GLINT_ACTIVATIONS_FORMAT) == 0 && !json_is_true(json_object_get(meta, "complete")))
        return glint_fail(error, GLINT_ERROR_DATA, "%s: these activations are not complete; finish the run that writes them", self->folder);
    json_array_foreach(json_object_get(meta, "shards"), k, shard)
        sum += MAX(glint_json_int(shard, "rows", 0, &problem), 0);
    gboolean good = !problem && g_strcmp0(format, GLINT_ACTIVATIONS_FORMAT) == 0 && class_name && site && pool && dtype && rows >= 0 && sum == rows && width > 0 &&
                    width <= G_MAXINT && glint_site_parse(site, &self->site.kind, &layer, NULL) && layer >= 0 &&
                    glint_activations_type_parse(dtype, &self->type, NULL);
    g_clear_error(&problem);
    if (!good)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s/meta.json is not what glint writes beside activations (format, class, site, pool, dtype, rows, width, shards); "
                          "collect them again", self->folder);
    self->site.layer = (gsize)layer;
    self->class_name = g_strdup(class_name);
    self->pool = g_strdup(pool);
    self->n = (gsize)rows;
    self->width = (gsize)width;
    return TRUE;
}

GlintActivations *glint_activations_open(const char *folder, GError **error)
{
    g_autoptr(GlintActivations) self = g_new0(GlintActivations, 1);
    g_autofree char *path = g_build_filename(folder, "meta.json", NULL);
    self->folder = g_strdup(folder);
    self->meta = glint_json_read(path, error);
    return self->meta && parse_meta(self, error) ? g_steal_pointer(&self) : NULL;
}

static char *shard_path(const GlintActivations *self, const json_t *shard)
{
    const char *file = json_string_value(json_object_get(shard, "file"));
    return file && !strchr(file, '/') ? g_build_filename(self->folder, file, NULL) : NULL;
}

/* Opens the next shard. */
static gboolean next_shard(GlintActivations *self, GError **error)
{
    const json_t *entry = json_array_get(json_object_get(self->meta, "shards"), self->next_shard);
    g_autofree char *path = shard_path(self, entry), *name = glint_site_name(&self->site);
    const gint64 rows = json_integer_value(json_object_get(entry, "rows"));
    g_clear_pointer(&self->shard, glint_safetensors_free);
    self->next_row = 0;
    if (!path)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s/meta.json: shard %zu names no file beside it", self->folder, self->next_shard);
    self->shard = glint_safetensors_open(path, error);
    if (!self->shard)
        return FALSE;
    self->rows = glint_safetensors_find(self->shard, name);
    self->text = glint_safetensors_find(self->shard, "text");
    if (!self->rows || self->rows->n_dims != 2 || self->rows->shape[0] != (gsize)rows || self->rows->shape[1] != self->width || self->rows->type != self->type ||
        !self->text || self->text->type != GLINT_ST_I32 || self->text->n_dims != 1 || self->text->n != (gsize)rows)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: a tensor %s [%" G_GINT64_FORMAT ", %zu] %s and text [%" G_GINT64_FORMAT "] I32 are expected; the file does not belong to "
                          "the meta.json beside it", path, name, rows, self->width, glint_tensor_type_name(self->type), rows);
    self->next_shard++;
    return TRUE;
}

/* Sees to it that a shard with rows left is open; *left is their number, 0 at the end. */
static gboolean need_rows(GlintActivations *self, gsize *left, GError **error)
{
    *left = 0;
    while (!self->shard || self->next_row == self->text->n) {
        if (self->next_shard == json_array_size(json_object_get(self->meta, "shards")))
            return TRUE;
        if (!next_shard(self, error))
            return FALSE;
    }
    *left = self->text->n - self->next_row;
    return TRUE;
}

gboolean glint_activations_skip(GlintActivations *self, gsize n, GError **error)
{
    for (gsize left; n > 0; n -= MIN(n, left)) {
        if (!need_rows(self, &left, error))
            return FALSE;
        if (left == 0)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: fewer rows than were read before", self->folder);
        self->next_row += MIN(n, left);
    }
    return TRUE;
}

gboolean glint_activations_next(GlintActivations *self, gsize most, float *rows, gint32 *text, gsize *n, GError **error)
{
    if (!need_rows(self, n, error))
        return FALSE;
    *n = MIN(most, *n);
    if (*n == 0)
        return TRUE;
    glint_tensor_to_f32(self->rows, self->next_row * self->width, *n * self->width, rows);
    if (text)
        memcpy(text, (const gint32 *)self->text->data + self->next_row, *n * sizeof *text);
    for (gsize k = 0; k < *n * self->width; k++)
        if (!isfinite(rows[k]))
            return glint_fail(error, GLINT_ERROR_DATA, "%s: row %zu, column %zu is not finite; the file is damaged", glint_safetensors_path(self->shard),
                              self->next_row + k / self->width, k % self->width);
    self->next_row += *n;
    return TRUE;
}

gboolean glint_activations_verify(const GlintActivations *self, GError **error)
{
    size_t k;
    json_t *shard;
    json_array_foreach(json_object_get(self->meta, "shards"), k, shard) {
        g_autofree char *path = shard_path(self, shard), *hash = path ? glint_sha256_file(path, error) : NULL;
        if (!hash)
            return path ? FALSE : glint_fail(error, GLINT_ERROR_FORMAT, "%s/meta.json: shard %zu names no file beside it", self->folder, k);
        if (g_strcmp0(hash, json_string_value(json_object_get(shard, "sha256"))) != 0)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: its SHA-256 is not the one that meta.json gives; the file was changed or damaged: collect it again", path);
    }
    return TRUE;
}

/* ---- finding ---- */

/* Adds `path` or, down to `depth` levels, what lies below. */
static void find_below(const char *path, int depth, GPtrArray *found)
{
    g_autofree char *meta = g_build_filename(path, "meta.json", NULL);
    if (g_file_test(meta, G_FILE_TEST_IS_REGULAR)) {
        g_ptr_array_add(found, g_strdup(path));
        return;
    }
    g_autoptr(GDir) dir = depth > 0 ? g_dir_open(path, 0, NULL) : NULL;
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (name[0] != '.') {
            g_autofree char *child = g_build_filename(path, name, NULL);
            find_below(child, depth - 1, found);
        }
}

/* "blocks.3.mlp.hook_post" is asked for by that name or, whatever the layer, by "mlp.hook_post". */
static gboolean wanted(const char *path, const char *class_name, const char *site)
{
    g_autofree char *leaf = g_path_get_basename(path), *parent = g_path_get_dirname(path), *folder = g_path_get_basename(parent);
    g_autofree char *class_folder = class_name ? glint_class_folder(class_name) : NULL;
    GlintSiteKind kind, own_kind;
    gint64 layer, own_layer;
    if (class_folder && strcmp(class_folder, folder) != 0)
        return FALSE;
    return !site || (glint_site_parse(site, &kind, &layer, NULL) && glint_site_parse(leaf, &own_kind, &own_layer, NULL) && kind == own_kind &&
                     (layer < 0 || layer == own_layer));
}

static gint by_path(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

GPtrArray *glint_activations_find(const char *folder, const char *class_name, const char *site, GError **error)
{
    g_autofree char *below = g_build_filename(folder, "activations", NULL);
    g_autoptr(GPtrArray) found = g_ptr_array_new_with_free_func(g_free);
    find_below(g_file_test(below, G_FILE_TEST_IS_DIR) ? below : folder, 2, found);
    for (guint k = 0; k < found->len;)
        if (wanted(g_ptr_array_index(found, k), class_name, site))
            k++;
        else
            g_ptr_array_remove_index(found, k);
    g_ptr_array_sort(found, by_path);
    if (found->len > 0)
        return g_steal_pointer(&found);
    glint_fail(error, GLINT_ERROR_DATA, "%s holds no complete activations%s%s%s%s; glint collect --save-activations writes them", folder, class_name ? " of class " : "",
               class_name ? class_name : "", site ? " at " : "", site ? site : "");
    return NULL;
}
