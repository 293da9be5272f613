/* What the model's tests share: recording sites, comparing tensors, opening models. */
#pragma once
#include "base/safetensors.h"
#include "model/dnn.h"
#include "model/model.h"
#include <glib.h>

/* ||a - b|| / ||b||, in f64. */
double relative_error_f64(const float *a, const double *b, gsize n);
double relative_error(const float *a, const float *b, gsize n);

/* Fails the test with a message when above `limit`; prints the figure. */
void expect_close(const char *what, double error, double limit);

/* All sites of all layers, recorded by taps. */
typedef struct {
    gsize n_layers, n_rows;
    float **rows; /* [n_layers * GLINT_SITE_COUNT], NULL where the family has no such site */
    GArray *taps; /* of GlintTap */
} Recorder;
Recorder *recorder_new(GlintModel *model);
void recorder_free(Recorder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Recorder, recorder_free)
const float *recorder_rows(const Recorder *self, GlintSiteKind kind, gsize layer);

/* tests/model/data/NAME; free with g_free. */
char *data_folder(const char *name);
guint32 *golden_ids(const GlintSafetensors *golden, gsize *n);

/* A private folder under TMPDIR; remove_folder() deletes it and the files in it. */
char *temporary_folder(void);
void remove_folder(const char *path);

/* x [rows, width] as an input of products; free with g_free. */
void *product_input(GliDevice *device, const float *x, gsize rows, gsize width);

/* Opens a model folder; fails the test when that fails. */
GlintModel *open_model(const char *folder, GlintComputeType type, int threads);

/* One sequence with all its logits; recorder may be NULL. Returns [n, V]. */
float *run_one(GlintModel *model, const guint32 *ids, gsize n, Recorder *recorder);
