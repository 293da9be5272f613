/* The state of an unfinished run: <folder>/moments/.partial/state.json and .partial/<generation>/L<layer>.safetensors.
 *
 * A checkpoint writes a whole new generation beside the old one and then replaces state.json, which names the generation
 * that counts, by one rename. Killed at any moment, the state on disk is that of one checkpoint or the next, complete.
 * Generations that state.json does not name are debris and removed. */
#include "base/error.h"
#include "base/files.h"
#include "collect/collect_private.h"
#include <string.h>

static char *partial_folder(const char *folder) { return g_build_filename(folder, "moments", ".partial", NULL); }

static char *state_path(const char *folder) { return g_build_filename(folder, "moments", ".partial", "state.json", NULL); }

static char *layer_path(const char *folder, guint generation, gsize layer)
{
    g_autofree char *number = g_strdup_printf("%u", generation), *file = g_strdup_printf("L%zu.safetensors", layer);
    return g_build_filename(folder, "moments", ".partial", number, file, NULL);
}

void glint_partial_free(GlintPartial *self)
{
    if (!self)
        return;
    g_free(self->class_name);
    g_clear_pointer(&self->layers, g_array_unref);
    g_free(self);
}

gboolean glint_partial_remove(const char *folder, GError **error)
{
    g_autofree char *path = partial_folder(folder), *state = state_path(folder);
    return glint_remove_tree(state, error) && glint_remove_tree(path, error); /* the state first: what is left without it is debris */
}

static gboolean parse_state(GlintPartial *self, const json_t *root, GError **error)
{
    GError *problem = NULL;
    const char *class_name = glint_json_string(root, "class", NULL, &problem), *site = glint_json_string(root, "site", NULL, &problem);
    gint64 next = glint_json_int(root, "next_batch", -1, &problem), batches = glint_json_int(root, "batches", -1, &problem);
    gint64 generation = glint_json_int(root, "generation", -1, &problem), layer_in_name = -1;
    json_t *layers = json_object_get(root, "layers");
    gboolean good = !problem && class_name && site && next >= 0 && next <= batches && generation >= 0 && generation < G_MAXINT && json_is_array(layers) &&
                    json_array_size(layers) > 0 && glint_site_parse(site, &self->site, &layer_in_name, NULL);
    g_clear_error(&problem);
    self->layers = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (size_t k = 0; good && k < json_array_size(layers); k++) {
        const json_t *item = json_array_get(layers, k);
        gsize layer = (gsize)json_integer_value(item);
        good = json_is_integer(item) && json_integer_value(item) >= 0;
        g_array_append_val(self->layers, layer);
    }
    if (!good)
        return glint_fail(error, GLINT_ERROR_FORMAT, "not the state of an unfinished run");
    self->class_name = g_strdup(class_name);
    self->next_batch = (gsize)next;
    self->n_batches = (gsize)batches;
    self->generation = (guint)generation;
    return TRUE;
}

GlintPartial *glint_partial_open(const char *folder, GError **error)
{
    g_autofree char *state = state_path(folder), *base = partial_folder(folder);
    if (!g_file_test(state, G_FILE_TEST_EXISTS)) {
        glint_remove_tree(base, error); /* killed before its first checkpoint was complete */
        return NULL;
    }
    g_autoptr(json_t) root = glint_json_read(state, error);
    if (!root)
        return NULL;
    g_autoptr(GlintPartial) self = g_new0(GlintPartial, 1);
    if (!parse_state(self, root, error)) {
        g_prefix_error(error, "%s: ", state);
        g_autofree char *cure = g_strdup_printf("; delete %s, and what was finished before stays", base);
        if (error && *error) {
            char *message = g_strconcat((*error)->message, cure, NULL);
            g_free((*error)->message);
            (*error)->message = message;
        }
        return NULL;
    }
    return g_steal_pointer(&self);
}

GlintMoments *glint_partial_load(const GlintPartial *self, const char *folder, gsize layer, GError **error)
{
    g_autofree char *path = layer_path(folder, self->generation, layer);
    return glint_moments_load(path, NULL, error);
}

static gboolean write_state(const GlintPartial *self, const char *folder, guint generation, GError **error)
{
    g_autofree char *path = state_path(folder);
    json_t *layers = json_array();
    for (guint k = 0; k < self->layers->len; k++)
        json_array_append_new(layers, json_integer((json_int_t)g_array_index(self->layers, gsize, k)));
    g_autoptr(json_t) root = json_pack("{s:s, s:s, s:o, s:I, s:I, s:I}", "class", self->class_name, "site", glint_site_suffix(self->site), "layers", layers,
                                       "next_batch", (json_int_t)self->next_batch, "batches", (json_int_t)self->n_batches, "generation", (json_int_t)generation);
    return glint_json_write(path, root, error);
}

/* Removes everything in .partial but state.json and the current generation. */
static gboolean remove_debris(const GlintPartial *self, const char *folder, GError **error)
{
    g_autofree char *base = partial_folder(folder), *current = g_strdup_printf("%u", self->generation);
    g_autoptr(GDir) dir = g_dir_open(base, 0, NULL);
    g_autoptr(GPtrArray) debris = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (strcmp(name, current) != 0 && strcmp(name, "state.json") != 0)
            g_ptr_array_add(debris, g_build_filename(base, name, NULL));
    for (guint k = 0; k < debris->len; k++)
        if (!glint_remove_tree(g_ptr_array_index(debris, k), error))
            return FALSE;
    return TRUE;
}

gboolean glint_partial_save(GlintPartial *self, const char *folder, GlintMoments *const *moments, GError **error)
{
    guint next = self->generation + 1;
    g_autofree char *base = partial_folder(folder), *number = g_strdup_printf("%u", next), *fresh = g_build_filename(base, number, NULL);
    if (!glint_remove_tree(fresh, error) || !glint_mkdir(fresh, error)) /* of a run killed while writing it */
        return FALSE;
    for (guint k = 0; k < self->layers->len; k++) {
        g_autofree char *path = layer_path(folder, next, g_array_index(self->layers, gsize, k));
        if (!glint_moments_save(moments[k], path, NULL, error))
            return FALSE;
    }
    if (!write_state(self, folder, next, error))
        return FALSE;
    self->generation = next;
    return remove_debris(self, folder, error);
}
