/* glint steer: one layer of a results folder, steered and measured. */
#pragma once
#include "cli/steer_texts.h"
#include "model/model.h"
#include "steer/files.h"
#include "steer/rank.h"

typedef struct {
    GlintModel *model;
    const GlintTokenizer *tokenizer;
    const GlintChat *chat;     /* texts are user turns of it, or NULL */
    const GlintDataset *used, *all;
    const GlintSteerSplit *split;
    GlintSteerLab *lab;
    const GlintVerbalisers *words;
    char *const *classes, *const *folders; /* of the results folder */
    const char *root, *out;    /* results; where the trials go: out/<site>/ */
    const char *graph_class, *towards, *away;
    GlintSteerKind kind;
    int module;                /* -1: the one that tells the classes apart best */
    gsize least;               /* neurons of a module that is chosen */
    const double *dose; gsize n_doses;
    gboolean by_strength;      /* doses are strengths, else KLs */
    gsize n_random, n_matched, hubs;
    gsize n_samples, sample_tokens; /* continuations to write */
    const GArray *stop_tokens; /* guint32: where they end */
    guint64 seed;
    gboolean pictures;
} GlintSteerPlan;

typedef struct { gsize layer; int module; gsize n; double separation; GlintSteerTrial *trial; json_t *json; } GlintSteerOutcome;
void glint_steer_outcome_clear(GlintSteerOutcome *self);

/* A trial of the layer's module; leaves out/<site>/ (swapped in whole). */
gboolean glint_job_steer_layer(const GlintSteerPlan *plan, const GlintSite *site, GlintSteerOutcome *outcome, GError **error);
/* What several layers have in common: out/depth.csv and depth.png. */
gboolean glint_job_steer_depth(const GlintSteerPlan *plan, const GlintSteerOutcome *outcomes, gsize n, GError **error);
