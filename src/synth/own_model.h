/* A model on this machine as the one that writes: instruction models through their chat template; a model without one is given the
 * question and the beginning of the answer, and goes on from there. */
#pragma once
#include "model/model.h"
#include "synth/question.h"

typedef struct {
    GlintComputeType dtype;
    int threads;
    double temperature;   /* 0: the most likely token */
    guint64 seed;
    gsize max_new_tokens; /* of one answer */
} GlintOwnModelOptions;

typedef struct GlintOwnModel GlintOwnModel;
GlintOwnModel *glint_own_model_open(const char *folder, const GlintOwnModelOptions *options, GError **error);
void glint_own_model_free(GlintOwnModel *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintOwnModel, glint_own_model_free)
GlintAnswerer glint_own_model_answerer(GlintOwnModel *self); /* valid as long as the model */
