/* What the model's tests share. See support.h. */
#include "model/support.h"
#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

double relative_error_f64(const float *a, const double *b, gsize n)
{
    double difference = 0, size = 0;
    for (gsize i = 0; i < n; i++) {
        difference += (a[i] - b[i]) * (a[i] - b[i]);
        size += b[i] * b[i];
    }
    return sqrt(difference / size);
}

double relative_error(const float *a, const float *b, gsize n)
{
    double difference = 0, size = 0;
    for (gsize i = 0; i < n; i++) {
        difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        size += (double)b[i] * b[i];
    }
    return sqrt(difference / size);
}

void expect_close(const char *what, double error, double limit)
{
    print_message("%-60s %.2e\n", what, error);
    if (!(error < limit)) /* NaN must fail too */
        fail_msg("%s: relative error %g, allowed %g", what, error, limit);
}

static gboolean record(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    Recorder *self = user_data;
    (void)error;
    self->n_rows = batch->start[batch->n_sequences];
    float **slot = &self->rows[site->layer * GLINT_SITE_COUNT + site->kind];
    g_free(*slot);
    *slot = g_memdup2(rows, self->n_rows * width * sizeof *rows);
    return TRUE;
}

Recorder *recorder_new(GlintModel *model)
{
    Recorder *self = g_new0(Recorder, 1);
    self->n_layers = glint_model_info(model)->n_layers;
    self->rows = g_new0(float *, self->n_layers * GLINT_SITE_COUNT);
    self->taps = g_array_new(FALSE, FALSE, sizeof(GlintTap));
    for (gsize layer = 0; layer < self->n_layers; layer++)
        for (int kind = 0; kind < GLINT_SITE_COUNT; kind++) {
            const GlintTap tap = {.site = {(GlintSiteKind)kind, layer}, .function = record, .user_data = self};
            if (glint_model_site_width(model, tap.site.kind))
                g_array_append_val(self->taps, tap);
        }
    return self;
}

void recorder_free(Recorder *self)
{
    for (gsize i = 0; i < self->n_layers * GLINT_SITE_COUNT; i++)
        g_free(self->rows[i]);
    g_free(self->rows);
    g_array_unref(self->taps);
    g_free(self);
}

const float *recorder_rows(const Recorder *self, GlintSiteKind kind, gsize layer)
{
    const float *rows = self->rows[layer * GLINT_SITE_COUNT + kind];
    assert_non_null(rows);
    return rows;
}

char *data_folder(const char *name) { return g_build_filename(GLINT_SOURCE_DIR, "tests", "model", "data", name, NULL); }

char *temporary_folder(void)
{
    char *path = g_dir_make_tmp("glint-model-XXXXXX", NULL);
    assert_non_null(path);
    return path;
}

void remove_folder(const char *path)
{
    GDir *dir = g_dir_open(path, 0, NULL);
    for (const char *name = dir ? g_dir_read_name(dir) : NULL; name; name = g_dir_read_name(dir)) {
        g_autofree char *file = g_build_filename(path, name, NULL);
        g_remove(file);
    }
    if (dir)
        g_dir_close(dir);
    g_rmdir(path);
}

guint32 *golden_ids(const GlintSafetensors *golden, gsize *n)
{
    const GlintTensor *tensor = glint_safetensors_find(golden, "ids");
    assert_non_null(tensor);
    assert_int_equal(tensor->type, GLINT_ST_I64);
    guint32 *ids = g_new(guint32, tensor->n);
    for (gsize i = 0; i < tensor->n; i++) {
        gint64 id;
        memcpy(&id, (const char *)tensor->data + i * sizeof id, sizeof id);
        ids[i] = (guint32)id;
    }
    *n = tensor->n;
    return ids;
}

GlintModel *open_model(const char *folder, GlintComputeType type, int threads)
{
    GError *error = NULL;
    const GlintModelOptions options = {type, threads};
    GlintModel *model = glint_model_open(folder, &options, &error);
    if (!model)
        fail_msg("%s", error->message);
    return model;
}

float *run_one(GlintModel *model, const guint32 *ids, gsize n, Recorder *recorder)
{
    GError *error = NULL;
    const gsize start[] = {0, n};
    const GlintBatch batch = {ids, start, 1};
    float *logits = g_new(float, n * glint_model_info(model)->vocab);
    if (!glint_model_forward(model, &batch, recorder ? (GlintTap *)recorder->taps->data : NULL, recorder ? recorder->taps->len : 0, GLINT_LOGITS_ALL,
                             logits, &error))
        fail_msg("%s", error->message);
    return logits;
}

void *product_input(GliDevice *device, const float *x, gsize rows, gsize width)
{
    void *input = g_malloc0(gli_dnn.input_bytes(device, rows, width));
    for (gsize r = 0; r < rows; r++) /* in two goes: pieces may begin anywhere */
        for (gsize first = 0; first < width; first += MAX(width / 3, 1))
            gli_dnn.put(device, rows, width, r, first, MIN(MAX(width / 3, 1), width - first), x + r * width + first, input);
    return input;
}
