/* The state of an unfinished pass: <folder>/moments/.partial/state.json, and what its targets gathered (listen.c) in
 * .partial/<generation>/.
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

char *glint_partial_folder(const GlintPartial *self, const char *folder)
{
    g_autofree char *number = g_strdup_printf("%u", self->generation);
    return g_build_filename(folder, "moments", ".partial", number, NULL);
}

void glint_partial_free(GlintPartial *self)
{
    if (!self)
        return;
    g_free(self->class_name);
    g_free(self->products);
    g_clear_pointer(&self->sites, g_array_unref);
    g_free(self);
}

gboolean glint_partial_remove(const char *folder, GError **error)
{
    g_autofree char *path = partial_folder(folder), *state = state_path(folder);
    return glint_remove_tree(state, error) && glint_remove_tree(path, error); /* the state first: what is left without it is debris */
}

static GArray *parse_sites(const json_t *list)
{
    g_autoptr(GArray) sites = g_array_new(FALSE, FALSE, sizeof(GlintSite));
    for (size_t k = 0; k < json_array_size(list); k++) {
        const char *name = json_string_value(json_array_get(list, k));
        gint64 layer = -1;
        GlintSite site = {0};
        if (!name || !glint_site_parse(name, &site.kind, &layer, NULL) || layer < 0)
            return NULL;
        site.layer = (gsize)layer;
        g_array_append_val(sites, site);
    }
    return sites->len > 0 ? g_steal_pointer(&sites) : NULL;
}

static gboolean parse_state(GlintPartial *self, const json_t *root, GError **error)
{
    GError *problem = NULL;
    const char *class_name = glint_json_string(root, "class", NULL, &problem), *products = glint_json_string(root, "products", NULL, &problem);
    gint64 next = glint_json_int(root, "next_batch", -1, &problem), batches = glint_json_int(root, "batches", -1, &problem);
    gint64 generation = glint_json_int(root, "generation", -1, &problem);
    self->sites = parse_sites(json_object_get(root, "sites"));
    gboolean good = !problem && class_name && products && self->sites && next >= 0 && next <= batches && generation > 0 && generation < G_MAXINT;
    g_clear_error(&problem);
    if (!good)
        return glint_fail(error, GLINT_ERROR_FORMAT, "not the state of an unfinished run");
    self->class_name = g_strdup(class_name);
    self->products = g_strdup(products);
    self->next_batch = (gsize)next;
    self->n_batches = (gsize)batches;
    self->generation = (guint)generation;
    return TRUE;
}

GlintPartial *glint_partial_open(const char *folder, GError **error)
{
    g_autofree char *state = state_path(folder), *base = partial_folder(folder);
    if (!g_file_test(state, G_FILE_TEST_EXISTS))
        return NULL;
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

static gboolean write_state(const GlintPartial *self, const char *folder, GError **error)
{
    g_autofree char *path = state_path(folder);
    json_t *sites = json_array();
    for (guint k = 0; k < self->sites->len; k++) {
        g_autofree char *name = glint_site_name(&g_array_index(self->sites, GlintSite, k));
        json_array_append_new(sites, json_string(name));
    }
    g_autoptr(json_t) root = json_pack("{s:s, s:s, s:o, s:I, s:I, s:I}", "class", self->class_name, "products", self->products, "sites", sites, "next_batch",
                                       (json_int_t)self->next_batch, "batches", (json_int_t)self->n_batches, "generation", (json_int_t)self->generation);
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

char *glint_partial_begin(const GlintPartial *self, const char *folder, GError **error)
{
    const GlintPartial next = {.generation = self->generation + 1};
    g_autofree char *fresh = glint_partial_folder(&next, folder);
    if (!glint_remove_tree(fresh, error) || !glint_mkdir(fresh, error)) /* of a run killed while writing it */
        return NULL;
    return g_steal_pointer(&fresh);
}

gboolean glint_partial_commit(GlintPartial *self, const char *folder, GError **error)
{
    self->generation++;
    if (!write_state(self, folder, error)) {
        self->generation--;
        return FALSE;
    }
    return remove_debris(self, folder, error);
}
