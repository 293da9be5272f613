/* One target of a pass: what its tap feeds, and how that is saved between batches, taken up again, and finished.
 *
 * Every text's row is pooled to f32 once (pool.c), and whatever is gathered of the target is fed with these rows. */
#include "base/error.h"
#include "base/files.h"
#include "collect/collect_private.h"
#include <math.h>

static char *moments_path(const GlintListener *self, const char *checkpoint)
{
    g_autofree char *name = glint_site_name(&self->target.site), *file = g_strconcat(name, ".safetensors", NULL);
    return g_build_filename(checkpoint, file, NULL);
}

static gboolean open_moments(GlintListener *self, const char *resume, GError **error)
{
    gsize width = self->target.width;
    g_autofree char *path = resume ? moments_path(self, resume) : NULL;
    self->moments = path ? glint_moments_load(path, NULL, error) : glint_moments_new(width);
    if (!self->moments)
        return path ? FALSE : glint_fail(error, GLINT_ERROR_FAILED, "no memory for moments of %zu columns (%.1f GB a target); give less --memory, for more passes", width,
                                         (double)width * (double)width * 8e-9);
    if (glint_moments_p(self->moments) != width)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: moments of %zu columns where the model has %zu; delete %s/moments/.partial", path,
                          glint_moments_p(self->moments), width, self->run->folder);
    return TRUE;
}

/* ---- examples ---- */

static char *examples_path(const GlintListener *self, const char *checkpoint)
{
    g_autofree char *name = glint_site_name(&self->target.site), *file = g_strconcat(name, ".examples.safetensors", NULL);
    return g_build_filename(checkpoint, file, NULL);
}

static gboolean open_examples(GlintListener *self, const char *resume, GError **error)
{
    const GlintCollectOptions *options = self->run->options;
    gsize width = self->target.width;
    if (options->examples == 0)
        return TRUE;
    g_autofree char *path = resume ? examples_path(self, resume) : NULL;
    self->examples = path ? glint_examples_load(path, error) : glint_examples_new(width, options->examples, options->seed);
    if (!self->examples)
        return path ? FALSE : glint_fail(error, GLINT_ERROR_FAILED,
                                         "no memory for examples of %zu columns (%.2g GB a target); give less --memory, for more passes, or fewer --examples",
                                         width, (double)glint_examples_bytes(width, options->examples) * 1e-9);
    if (glint_examples_width(self->examples) != width || glint_examples_k(self->examples) != options->examples)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: not this run's examples; delete %s/moments/.partial", path, self->run->folder);
    return TRUE;
}

/* ---- saved rows ---- */

static char *rows_path(const GlintListener *self, const char *checkpoint)
{
    g_autofree char *name = glint_site_name(&self->target.site), *file = g_strconcat(name, ".rows.safetensors", NULL);
    return g_build_filename(checkpoint, file, NULL);
}

/* What meta.json says beside the shards. */
static json_t *describe_rows(const GlintListener *self)
{
    const GlintRun *run = self->run;
    g_autofree char *name = glint_site_name(&self->target.site);
    json_t *meta = json_pack("{s:s, s:s, s:s, s:s, s:I, s:s}", "format", GLINT_ACTIVATIONS_FORMAT, "glint", GLINT_VERSION, "class",
                             glint_run_class(run, self->c), "site", name, "layer",
                             (json_int_t)self->target.site.layer, "pool", glint_pool_name(run->options->pool));
    g_autoptr(json_t) description = glint_store_describe(run->settings, run->dataset->classes, run->plan->count);
    json_object_update(meta, description);
    g_autoptr(GHashTable) of_sae = glint_features_metadata(run, &self->target);
    GHashTableIter iter;
    gpointer key, value;
    if (of_sae) {
        json_t *sae = json_object();
        g_hash_table_iter_init(&iter, of_sae);
        while (g_hash_table_iter_next(&iter, &key, &value))
            json_object_set_new(sae, key, json_string(value));
        json_object_set_new(meta, "sae", sae);
    }
    if (run->options->about)
        json_object_update_missing(meta, (json_t *)(gsize)run->options->about);
    return meta;
}

/* Rows that are there already, and of the same features, are not written again: until the end of this pass nobody would have them. */
static gboolean has_rows(const GlintListener *self)
{
    g_autofree char *folder = glint_activations_path(self->run->folder, glint_run_class(self->run, self->c), &self->target.site);
    g_autoptr(GlintActivations) saved = glint_target_has_rows(self->run, self->c, &self->target.site) ? glint_activations_open(folder, NULL) : NULL;
    g_autoptr(json_t) meta = saved ? describe_rows(self) : NULL;
    const json_t *had = saved ? json_object_get(saved->meta, "sae") : NULL, *now = json_object_get(meta, "sae");
    return saved && saved->width == self->target.width && (had || now ? json_equal(had, now) : TRUE);
}

static gboolean open_rows(GlintListener *self, const char *resume, GError **error)
{
    const GlintRun *run = self->run;
    const GlintCollectOptions *options = run->options;
    g_autofree char *name = glint_site_name(&self->target.site), *folder = glint_activations_path(run->folder, glint_run_class(run, self->c), &self->target.site);
    g_autofree char *path = resume ? rows_path(self, resume) : NULL;
    g_autoptr(json_t) meta = describe_rows(self);
    self->writer = glint_row_writer_new(folder, name, self->target.width, options->save_type, options->pool == GLINT_POOL_TOKENS, options->shard_bytes, error);
    return self->writer && (path ? glint_row_writer_resume(self->writer, meta, path, error) : glint_row_writer_begin(self->writer, meta, error));
}

static gboolean save_rows(GlintListener *self, const char *checkpoint, GError **error)
{
    g_autofree char *path = rows_path(self, checkpoint);
    return glint_row_writer_save(self->writer, path, error);
}

static gboolean finish_rows(GlintListener *self, GError **error)
{
    g_autoptr(json_t) meta = describe_rows(self);
    return glint_row_writer_finish(self->writer, meta, error);
}

/* ---- opening, saving, finishing ---- */

gboolean glint_listener_open(GlintListener *self, const GlintRun *run, const GlintTarget *target, gsize c, const char *resume, GError **error)
{
    *self = (GlintListener){.run = run, .target = *target, .c = c};
    return open_moments(self, resume, error) && open_examples(self, resume, error) && (!run->options->save_activations || has_rows(self) || open_rows(self, resume, error));
}

void glint_listener_clear(GlintListener *self)
{
    g_clear_pointer(&self->moments, glint_moments_free);
    g_clear_pointer(&self->examples, glint_examples_free);
    g_clear_pointer(&self->writer, glint_row_writer_free);
}

gboolean glint_listener_save(GlintListener *self, const char *checkpoint, GError **error)
{
    g_autofree char *path = moments_path(self, checkpoint), *examples = examples_path(self, checkpoint);
    return glint_moments_save(self->moments, path, NULL, error) && (!self->examples || glint_examples_save(self->examples, examples, NULL, error)) &&
           (!self->writer || save_rows(self, checkpoint, error));
}

/* Moments come last: where they are, everything else of the target is. */
gboolean glint_listener_finish(GlintListener *self, const GlintTexts *texts, GError **error)
{
    const GlintRun *run = self->run;
    g_autoptr(GHashTable) extra = glint_features_metadata(run, &self->target);
    return (!self->writer || finish_rows(self, error)) &&
           (!self->examples || glint_store_save_examples(run->folder, glint_run_class(run, self->c), &self->target.site, run->settings, extra, self->examples, texts, error)) &&
           glint_store_save(run->folder, glint_run_class(run, self->c), &self->target.site, run->settings, extra, self->moments, error);
}

/* ---- the tap ---- */

static gboolean fail_not_finite(const GlintListener *self, const GlintSite *site, gsize sequence, gsize column, GError **error)
{
    const GlintText *text = &g_array_index(self->run->dataset->texts, GlintText, self->texts[sequence]);
    g_autofree char *name = glint_site_name(site);
    return glint_fail(error, GLINT_ERROR_DATA, "text %s (class %s): column %zu of %s is not finite; the model overflows on this text: run with --dtype f32, or leave the text out",
                      text->id, glint_run_class(self->run, (gsize)text->label), column, name);
}

/* Rows of one text's tokens from position `first` on. */
static gboolean keep_tokens(GlintListener *self, const float *rows, gsize n, gsize text, gsize first, GError **error)
{
    g_autofree gint32 *texts = g_new(gint32, n + 1), *positions = g_new(gint32, n + 1);
    for (gsize k = 0; k < n; k++) {
        texts[k] = (gint32)text;
        positions[k] = (gint32)(first + k);
    }
    return glint_row_writer_add(self->writer, rows, n, texts, positions, error);
}

static gboolean keep_texts(GlintListener *self, gsize first, gsize n, GError **error)
{
    gint32 texts[GLINT_POOL_ROWS];
    for (gsize k = 0; k < n; k++)
        texts[k] = (gint32)self->texts[first + k];
    return glint_row_writer_add(self->writer, self->scratch->rows, n, texts, NULL, error);
}

static gboolean hear_tokens(GlintListener *self, const GlintBatch *batch, const float *rows, GError **error)
{
    const gsize width = self->target.width, prefix = self->run->plan->prefix;
    for (gsize s = 0; s < batch->n_sequences; s++) {
        const float *first = rows + (batch->start[s] + prefix) * width;
        gsize n = batch->start[s + 1] - batch->start[s] - prefix, bad = glint_first_bad(first, n, width);
        if (bad < width)
            return fail_not_finite(self, &self->target.site, s, bad, error);
        glint_moments_add(self->moments, first, n, width);
        if (self->writer && !keep_tokens(self, first, n, self->texts[s], prefix, error))
            return FALSE;
    }
    return TRUE;
}

static gboolean hear_texts(GlintListener *self, const GlintBatch *batch, const float *rows, GError **error)
{
    const gsize width = self->target.width;
    gsize bad[GLINT_POOL_ROWS];
    for (gsize first = 0; first < batch->n_sequences; first += GLINT_POOL_ROWS) {
        gsize n = MIN((gsize)GLINT_POOL_ROWS, batch->n_sequences - first);
        if (rows)
            glint_pool_rows(self->run->options->pool, self->run->plan->prefix, self->run->plan->punctuation, batch, rows, width, first, n, self->scratch->rows, bad);
        else {
            glint_piece_pool_means(&self->scratch->pieces, batch, width, first, n, self->scratch->rows);
            for (gsize k = 0; k < n; k++)
                bad[k] = glint_first_bad(self->scratch->rows + k * width, 1, width);
        }
        for (gsize k = 0; k < n; k++)
            if (bad[k] < width)
                return fail_not_finite(self, &self->target.site, first + k, bad[k], error);
        glint_moments_add(self->moments, self->scratch->rows, n, width);
        if (self->writer && !keep_texts(self, first, n, error))
            return FALSE;
    }
    return TRUE;
}

/* Every token of the batch but the prefixes. */
static gboolean hear_examples(GlintListener *self, const GlintBatch *batch, const float *rows, GError **error)
{
    const gsize width = self->target.width, prefix = self->run->plan->prefix;
    g_autofree GlintExampleRows *parts = g_new(GlintExampleRows, batch->n_sequences + 1);
    gsize part, column;
    for (gsize s = 0; s < batch->n_sequences; s++) {
        const GlintText *text = &g_array_index(self->run->dataset->texts, GlintText, self->texts[s]);
        parts[s] = (GlintExampleRows){rows + (batch->start[s] + prefix) * width, batch->start[s + 1] - batch->start[s] - prefix, self->texts[s], (guint32)prefix,
                                      glint_examples_key(self->run->options->seed, text->id)};
    }
    return glint_examples_add(self->examples, parts, batch->n_sequences, width, &part, &column) || fail_not_finite(self, &self->target.site, part, column, error);
}

/* The features of the model's rows, for all tokens; NULL on error. */
static const float *encode(GlintListener *self, const GlintBatch *batch, const float *rows, gsize width, GError **error)
{
    const gsize n = batch->start[batch->n_sequences], prefix = self->run->plan->prefix, needed = n * self->target.width;
    GlintScratch *scratch = self->scratch;
    for (gsize s = 0; s < batch->n_sequences; s++) { /* ReLU would make a zero of NaN */
        gsize first = batch->start[s] + prefix, bad = glint_first_bad(rows + first * width, batch->start[s + 1] - first, width);
        if (bad < width) {
            fail_not_finite(self, glint_sae_reads(self->target.sae), s, bad, error);
            return NULL;
        }
    }
    if (needed > scratch->n_features) {
        g_free(scratch->features);
        scratch->features = g_try_new(float, needed);
        scratch->n_features = scratch->features ? needed : 0;
    }
    if (!scratch->features) {
        glint_fail(error, GLINT_ERROR_FAILED, "no memory for %zu features of %zu tokens; give a smaller --batch-size or --sae-features", self->target.width, n);
        return NULL;
    }
    return glint_sae_encode(self->target.sae, rows, n, scratch->features, error) ? scratch->features : NULL;
}

gboolean glint_listener_in_pieces(const GlintListener *self)
{
    return self->run->options->pool == GLINT_POOL_MEAN && !self->examples && !self->target.sae;
}

void glint_listener_piece(const GlintBatch *batch, gsize row, gsize n_rows, gsize column, gsize n_columns, const float *values, gpointer listener)
{
    const GlintListener *self = listener;
    glint_piece_pool_add(&self->scratch->pieces, batch, row, n_rows, column, n_columns, values);
}

/* `rows` are NULL when they came in pieces. */
gboolean glint_listener_tap(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer listener, GError **error)
{
    GlintListener *self = listener;
    const float *seen = rows;
    const gsize announced = self->target.sae ? glint_sae_width_in(self->target.sae) : self->target.width;
    (void)site;
    if (width != announced)
        return glint_fail(error, GLINT_ERROR_FAILED, "the model delivers %zu columns where %zu were announced", width, announced);
    if (self->target.sae && !(seen = encode(self, batch, rows, width, error)))
        return FALSE;
    if (self->examples && !hear_examples(self, batch, seen, error))
        return FALSE;
    return self->run->options->pool == GLINT_POOL_TOKENS ? hear_tokens(self, batch, seen, error) : hear_texts(self, batch, seen, error);
}
