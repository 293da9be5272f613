/* Rows of a site, written down by taps. See recorder.h. */
#include "cli/recorder.h"
#include "base/error.h"

#include <string.h>

typedef struct {
    GlintRecorder *recorder;
    char *name;
    float *rows;
    gsize n, room, width;
} Recording;

/* Where a row comes from, and its number in the order it was seen. */
typedef struct { gint64 prompt, position, token; gsize row; } Origin;

struct GlintRecorder {
    GArray *taps;          /* of GlintTap, one per layer */
    GPtrArray *recordings; /* in the same order */
    GArray *origins;       /* of Origin, written by the first tap */
    const GlintGenerateStep *step;
    const GlintPrompt *prompts;
    gint64 *columns[3];
};

static void recording_free(gpointer data)
{
    Recording *self = data;
    g_free(self->rows);
    g_free(self->name);
    g_free(self);
}

static gboolean append(Recording *self, const float *row, gsize width, GError **error)
{
    if (self->n == self->room) {
        const gsize room = MAX(2 * self->room, (gsize)16);
        float *rows = room < G_MAXSIZE / sizeof(float) / MAX(width, 1) ? g_try_realloc_n(self->rows, room * width, sizeof *rows) : NULL;
        if (!rows)
            return glint_fail(error, GLINT_ERROR_FAILED, "no memory for the activations of %s; name fewer layers", self->name);
        self->rows = rows;
        self->room = room;
    }
    self->width = width;
    memcpy(self->rows + self->n++ * width, row, width * sizeof *row);
    return TRUE;
}

static gboolean record(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    (void)site;
    Recording *self = user_data;
    GlintRecorder *recorder = self->recorder;
    const gboolean first = self == g_ptr_array_index(recorder->recordings, 0);
    for (gsize s = 0; s < batch->n_sequences; s++)
        for (gsize t = batch->start[s]; t < batch->start[s + 1]; t++) {
            const GlintGenerateStep *step = recorder->step;
            const gsize prompt = step ? step->prompt[s] : s, position = (step ? step->past[s] : 0) + t - batch->start[s];
            if (step && position < recorder->prompts[prompt].n_tokens)
                continue;
            const Origin origin = {(gint64)prompt, (gint64)position, batch->tokens[t], self->n};
            if (first)
                g_array_append_val(recorder->origins, origin);
            if (!append(self, rows + t * width, width, error))
                return FALSE;
        }
    return TRUE;
}

static gboolean add_layers(GlintRecorder *self, const GlintModel *model, GlintSiteKind kind, const char *list, GError **error)
{
    g_autoptr(GArray) layers = glint_layers_parse(list, glint_model_info(model)->n_layers, error);
    for (guint k = 0; layers && k < layers->len; k++) {
        Recording *recording = g_new0(Recording, 1);
        GlintTap tap = {.site = {kind, g_array_index(layers, gsize, k)}, .function = record, .user_data = recording};
        recording->recorder = self;
        recording->name = glint_site_name(&tap.site);
        recording->width = glint_model_site_width(model, kind);
        g_ptr_array_add(self->recordings, recording);
        g_array_append_val(self->taps, tap);
    }
    return layers != NULL;
}

GlintRecorder *glint_recorder_new(const GlintModel *model, const char *site, const char *layers, GError **error)
{
    g_autoptr(GlintRecorder) self = g_new0(GlintRecorder, 1);
    self->taps = g_array_new(FALSE, FALSE, sizeof(GlintTap));
    self->recordings = g_ptr_array_new_with_free_func(recording_free);
    self->origins = g_array_new(FALSE, FALSE, sizeof(Origin));
    GlintSiteKind kind = GLINT_SITE_MLP_POST;
    gint64 named_layer = -1;
    if (site && !glint_site_parse(site, &kind, &named_layer, error))
        return NULL;
    if (glint_model_site_width(model, kind) == 0) {
        glint_fail(error, GLINT_ERROR_USAGE, "a %s model has no site %s", glint_model_info(model)->family, glint_site_suffix(kind));
        return NULL;
    }
    if (named_layer >= 0 && layers) {
        glint_fail(error, GLINT_ERROR_USAGE, "the site names layer %" G_GINT64_FORMAT " already; leave --layers out", named_layer);
        return NULL;
    }
    g_autofree char *one = named_layer >= 0 ? g_strdup_printf("%" G_GINT64_FORMAT, named_layer) : NULL;
    return add_layers(self, model, kind, one ? one : layers ? layers : "all", error) ? g_steal_pointer(&self) : NULL;
}

void glint_recorder_free(GlintRecorder *self)
{
    if (!self)
        return;
    for (gsize c = 0; c < G_N_ELEMENTS(self->columns); c++)
        g_free(self->columns[c]);
    g_array_unref(self->taps);
    g_ptr_array_unref(self->recordings);
    g_array_unref(self->origins);
    g_free(self);
}

const GlintTap *glint_recorder_taps(const GlintRecorder *self, gsize *n)
{
    *n = self->taps->len;
    return (const GlintTap *)(void *)self->taps->data;
}

void glint_recorder_step(GlintRecorder *self, const GlintGenerateStep *step, const GlintPrompt *prompts)
{
    self->step = step;
    self->prompts = prompts;
}

gsize glint_recorder_n_rows(const GlintRecorder *self) { return self->origins->len; }

static int by_place(const void *a, const void *b)
{
    const Origin *x = a, *y = b;
    if (x->prompt != y->prompt)
        return x->prompt < y->prompt ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

static gboolean sort_rows(Recording *self, const GArray *origins, GError **error)
{
    float *sorted = g_try_malloc_n(MAX(self->n * self->width, 1), sizeof *sorted);
    if (!sorted)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory to put the activations of %s in order; name fewer layers", self->name);
    for (gsize r = 0; r < self->n; r++)
        memcpy(sorted + r * self->width, self->rows + g_array_index(origins, Origin, r).row * self->width, self->width * sizeof *sorted);
    g_free(self->rows);
    self->rows = sorted;
    self->room = self->n;
    return TRUE;
}

gboolean glint_recorder_write(GlintRecorder *self, GlintSafetensorsWriter *writer, gboolean index, GError **error)
{
    static const char *const names[] = {"prompt", "position", "token"};
    const gsize n = self->origins->len;
    qsort(self->origins->data, n, sizeof(Origin), by_place);
    for (gsize c = 0; index && c < G_N_ELEMENTS(names); c++) {
        g_free(self->columns[c]);
        self->columns[c] = g_new(gint64, MAX(n, 1));
        for (gsize r = 0; r < n; r++) {
            const Origin *origin = &g_array_index(self->origins, Origin, r);
            self->columns[c][r] = c == 0 ? origin->prompt : c == 1 ? origin->position : origin->token;
        }
        glint_safetensors_writer_add(writer, names[c], GLINT_ST_I64, 1, &n, self->columns[c]);
    }
    for (guint k = 0; k < self->recordings->len; k++) {
        Recording *recording = g_ptr_array_index(self->recordings, k);
        if (!sort_rows(recording, self->origins, error))
            return FALSE;
        glint_safetensors_writer_add(writer, recording->name, GLINT_ST_F32, 2, (gsize[]){recording->n, recording->width}, recording->rows);
    }
    return TRUE;
}
