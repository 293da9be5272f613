/* Writes down what one site of several layers sees: taps that keep rows, and the tensors of a safetensors file made of them. */
#pragma once
#include "base/safetensors.h"
#include "model/generate.h"

typedef struct GlintRecorder GlintRecorder;
/* `site` NULL = mlp.hook_post; it may name its layer. `layers` NULL = all. */
GlintRecorder *glint_recorder_new(const GlintModel *model, const char *site, const char *layers, GError **error);
void glint_recorder_free(GlintRecorder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintRecorder, glint_recorder_free)

const GlintTap *glint_recorder_taps(const GlintRecorder *self, gsize *n);
/* The coming pass is one of generation, and of its rows only those of generated tokens are kept (GlintGenerateSettings.on_step).
 * Without this call all rows are. `prompts` is what was given to glint_generate(). */
void glint_recorder_step(GlintRecorder *self, const GlintGenerateStep *step, const GlintPrompt *prompts);
gsize glint_recorder_n_rows(const GlintRecorder *self);

/* Adds one tensor [rows, width] per layer under the site's full name and, `index`, the columns `prompt`, `position` (counted from the
 * prompt's first token) and `token` of the rows; rows are sorted by prompt, then position. Borrowed until the writer is closed. */
gboolean glint_recorder_write(GlintRecorder *self, GlintSafetensorsWriter *writer, gboolean index, GError **error);
