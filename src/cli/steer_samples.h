/* Continuations of held-out prompts with and without steering: for reading, and for what a text classifier makes of them. */
#pragma once
#include "cli/steer_job.h"

typedef struct {
    const char *role;      /* "unsteered", or that of the arm */
    double strength, kl;
    char **texts;          /* n, NULL-terminated */
    double class_rate;     /* share that the classifier takes for the class steered to */
    double distinct[2];    /* different words, and pairs of words, as a share of all */
    double nll;            /* nats a token of the continuations under the model when nobody steers: their fluency */
} GlintSampleArm;

typedef struct {
    gsize n, n_arms;
    char **prompts;        /* n, decoded */
    GlintSampleArm *arms;
    double clean_accuracy; /* of the classifier, on held-out texts as they are */
    gsize n_clean;         /* of them */
} GlintSteerSamples;

/* Unsteered, module, the first random set, top neurons and the residual, each at the verdict's dose, greedy. */
GlintSteerSamples *glint_steer_samples(const GlintSteerPlan *plan, const GlintSteerTrial *trial, GError **error);
void glint_steer_samples_free(GlintSteerSamples *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerSamples, glint_steer_samples_free)
json_t *glint_steer_samples_json(const GlintSteerSamples *self); /* what stands in steer.json: all but the texts */
/* samples.html: one page that opens without anything else. */
gboolean glint_steer_samples_page(const GlintSteerSamples *self, const GlintSteerPlan *plan, const GlintSteerTrial *trial, const char *title, const char *path, GError **error);
