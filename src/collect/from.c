/* Moments from saved activations. The rows come in the order they were saved, which is the order in which the run that saved them
 * added them to its moments: from F32 the same bits come out, and the same file, for the settings are in meta.json.
 *
 * One target after the other. The moments under way are saved now and then, and when a signal asks to stop, in
 * moments/.from.safetensors, whose metadata says how many rows of which source they have. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "collect/collect_private.h"
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *folder;
    GlintSettings settings;
    GPtrArray *classes;     /* borrowed names */
    GPtrArray *sources;     /* GlintActivations*, owned */
    json_t *description;    /* as settings.json has it */
    double done;            /* rows, for the bar */
    GlintProgress *bar;
} From;

#define CHECKPOINT_SECONDS 20.0
#define CHECKPOINT_SHARE 10.0 /* at least this many times as long between checkpoints as one takes */

static void from_clear(From *self)
{
    glint_settings_release(&self->settings);
    g_clear_pointer(&self->classes, g_ptr_array_unref);
    g_clear_pointer(&self->sources, g_ptr_array_unref);
    json_decref(self->description);
}

/* Everything under `source`, or what of it the sites name. */
static GPtrArray *find_sources(const char *source, const char *const *sites, GError **error)
{
    static const char *const any[] = {NULL};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_autoptr(GPtrArray) sources = g_ptr_array_new_with_free_func((GDestroyNotify)glint_activations_free);
    for (const char *const *site = sites ? sites : any; site == any || *site; site++) {
        g_autoptr(GPtrArray) found = glint_activations_find(source, NULL, *site, error);
        for (guint k = 0; found && k < found->len; k++) {
            if (!g_hash_table_add(seen, g_strdup(g_ptr_array_index(found, k))))
                continue;
            GlintActivations *activations = glint_activations_open(g_ptr_array_index(found, k), error);
            if (!activations)
                return NULL;
            g_ptr_array_add(sources, activations);
        }
        if (!found)
            return NULL;
        if (site == any)
            break;
    }
    return g_steal_pointer(&sources);
}

/* Takes settings and classes from the first source; the others must say the same. */
static gboolean take_settings(From *self, GError **error)
{
    const GlintActivations *first = g_ptr_array_index(self->sources, 0);
    size_t c;
    json_t *entry;
    self->description = json_pack("{s:O?, s:O?}", "settings", json_object_get(first->meta, "settings"), "classes", json_object_get(first->meta, "classes"));
    for (guint k = 1; k < self->sources->len; k++) {
        const GlintActivations *other = g_ptr_array_index(self->sources, k);
        if (other->type != first->type || !json_equal(json_object_get(other->meta, "settings"), json_object_get(first->meta, "settings")) ||
            !json_equal(json_object_get(other->meta, "classes"), json_object_get(first->meta, "classes")))
            return glint_fail(error, GLINT_ERROR_DATA, "%s and %s were saved by runs with different settings; give the folder of one run", first->folder, other->folder);
    }
    if (first->type != GLINT_ST_F32) { /* rounded rows give other moments: they are not to be mixed with those of the run itself */
        json_t *settings = json_object_get(self->description, "settings");
        g_autofree char *dtype = g_strdup_printf("%s, saved as %s", json_string_value(json_object_get(settings, "dtype")), glint_tensor_type_name(first->type));
        g_autoptr(json_t) changed = json_deep_copy(settings);
        json_object_set_new(changed, "dtype", json_string(dtype));
        json_object_set(self->description, "settings", changed);
    }
    self->classes = g_ptr_array_new();
    json_array_foreach(json_object_get(self->description, "classes"), c, entry) {
        const char *name = json_string_value(json_object_get(entry, "name"));
        if (name)
            g_ptr_array_add(self->classes, (char *)(gsize)name);
    }
    return (glint_settings_parse(&self->settings, self->description) && self->classes->len > 0) ||
           glint_fail(error, GLINT_ERROR_FORMAT, "%s/meta.json does not say which settings and classes the rows belong to; collect them again", first->folder);
}

/* ---- checkpoints ---- */

static char *state_path(const From *self) { return g_build_filename(self->folder, "moments", ".from.safetensors", NULL); }

/* What the rows of a source are known by: meta.json, which has the hash of every shard. */
static char *identity_of(const GlintActivations *source)
{
    char *text = json_dumps(source->meta, JSON_COMPACT | JSON_SORT_KEYS);
    char *hash = glint_sha256_bytes(text, strlen(text));
    free(text);
    return hash;
}

static gboolean save_state(const From *self, const GlintActivations *source, GlintMoments *moments, GError **error)
{
    g_autofree char *path = state_path(self);
    g_autoptr(GHashTable) metadata = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    g_hash_table_insert(metadata, (char *)(gsize)"source", identity_of(source));
    return glint_moments_save(moments, path, metadata, error);
}

/* Moments of as many rows as an earlier call got to, which are skipped in the source, or new ones. What is there but of another source, or
 * damaged, is of no use. */
static GlintMoments *begin(const From *self, GlintActivations *source, GError **error)
{
    g_autofree char *path = state_path(self), *identity = identity_of(source);
    g_autoptr(GHashTable) metadata = NULL;
    GlintMoments *moments = g_file_test(path, G_FILE_TEST_EXISTS) ? glint_moments_load(path, &metadata, NULL) : NULL;
    const gboolean own = moments && g_strcmp0(g_hash_table_lookup(metadata, "source"), identity) == 0 && glint_moments_p(moments) == source->width &&
                         glint_moments_n(moments) <= source->n;
    if (!own)
        g_clear_pointer(&moments, glint_moments_free);
    if (!moments)
        moments = glint_moments_new(source->width);
    if (!moments)
        glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory for moments of %zu columns (%.1f GB)", source->folder, source->width,
                   (double)source->width * (double)source->width * 8e-9);
    else if (!glint_activations_skip(source, glint_moments_n(moments), error))
        g_clear_pointer(&moments, glint_moments_free);
    return moments;
}

/* ---- one target ---- */

static gboolean add_rows(From *self, GlintActivations *source, GlintMoments *moments, GError **error)
{
    gint64 saved = g_get_monotonic_time(), cost = 0;
    g_autofree float *rows = g_try_malloc_n(source->width, GLINT_MOMENTS_BLOCK * sizeof *rows);
    if (!rows)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory for %d rows of %zu columns", GLINT_MOMENTS_BLOCK, source->width);
    self->done += (double)glint_moments_n(moments);
    for (gsize n = 1; n > 0;) {
        if (!glint_activations_next(source, GLINT_MOMENTS_BLOCK, rows, NULL, &n, error))
            return FALSE;
        glint_moments_add(moments, rows, n, source->width);
        self->done += (double)n;
        glint_progress_update(self->bar, self->done, source->class_name);
        const gint64 now = g_get_monotonic_time();
        if (!glint_interrupted() && (double)(now - saved) * 1e-6 < MAX(CHECKPOINT_SECONDS, CHECKPOINT_SHARE * (double)cost * 1e-6))
            continue;
        if (!save_state(self, source, moments, error) || !glint_check_interrupt(error))
            return FALSE;
        saved = g_get_monotonic_time();
        cost = saved - now;
    }
    return TRUE;
}

static gboolean collect_one(From *self, GlintActivations *source, GError **error)
{
    g_autofree char *state = state_path(self);
    g_autoptr(GlintMoments) moments = begin(self, source, error);
    g_autoptr(GHashTable) extra = g_hash_table_new(g_str_hash, g_str_equal);
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(source->meta, "sae"), key, value)
        if (json_is_string(value))
            g_hash_table_insert(extra, (char *)(gsize)key, (char *)(gsize)json_string_value(value));
    return moments && add_rows(self, source, moments, error) &&
           glint_store_save(self->folder, source->class_name, &source->site, &self->settings, extra, moments, error) && glint_remove_tree(state, error);
}

static gboolean collect_locked(From *self, GlintCollectStats *stats, GError **error)
{
    gboolean known;
    double total = 0;
    if (!glint_store_check(self->folder, &self->settings, &known, error) || !glint_store_sweep(self->folder, error) ||
        (!known && !glint_store_write(self->folder, self->description, error)))
        return FALSE;
    stats->reused = TRUE;
    for (guint k = 0; k < self->sources->len; k++)
        total += (double)((const GlintActivations *)g_ptr_array_index(self->sources, k))->n;
    g_autoptr(GlintProgress) bar = glint_progress_new("moments", total, "rows");
    self->bar = bar;
    for (guint k = 0; k < self->sources->len; k++) {
        GlintActivations *source = g_ptr_array_index(self->sources, k);
        if (glint_store_has(self->folder, source->class_name, &source->site)) {
            self->done += (double)source->n;
            continue;
        }
        stats->reused = FALSE;
        if (!collect_one(self, source, error))
            return FALSE;
    }
    return glint_store_counts(self->folder, stats, error);
}

gboolean glint_collect_from(const char *source, const char *const *sites, const char *folder, GlintCollectStats *stats, GError **error)
{
    const gint64 start = g_get_monotonic_time();
    From self = {.folder = folder, .sources = find_sources(source, sites, error)};
    *stats = (GlintCollectStats){0};
    int lock = self.sources && take_settings(&self, error) ? glint_store_lock(folder, error) : -1;
    gboolean ok = lock >= 0 && collect_locked(&self, stats, error);
    if (lock >= 0)
        glint_store_unlock(folder, lock);
    from_clear(&self);
    stats->seconds = (double)(g_get_monotonic_time() - start) * 1e-6;
    return ok;
}
