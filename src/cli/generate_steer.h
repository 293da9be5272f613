/* glint generate --steer: the operator of a steer.json at work while a model writes. */
#pragma once
#include "model/generate.h"
#include "steer/files.h"

/* As typed. */
typedef struct {
    char *file, *strength;
    int from; /* -1: from behind what the tokenizer puts in front */
} GlintSteerArgs;

typedef struct GlintGenerateSteer GlintGenerateSteer;
/* Reads args->file and checks that it fits the model: layer and columns must, a different checksum is warned about. `n_prefix`: leading tokens
 * of every text that are left alone when args->from is -1. */
GlintGenerateSteer *glint_generate_steer_new(const GlintSteerArgs *args, const GlintModel *model, gsize n_prefix, GError **error);
void glint_generate_steer_free(GlintGenerateSteer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintGenerateSteer, glint_generate_steer_free)

GlintTap glint_generate_steer_tap(GlintGenerateSteer *self); /* borrows self */
void glint_generate_steer_step(GlintGenerateSteer *self, const GlintGenerateStep *step); /* GlintGenerateSettings.on_step */
json_t *glint_generate_steer_json(const GlintGenerateSteer *self); /* new reference */
