/* Class by class: the module that tells a class apart best is ablated, and the loss on the texts of every class is measured. A module that
 * matters for its class alone raises the diagonal; one that the model needs for everything raises the whole row, as random sets may. */
#pragma once
#include "steer/lab.h"
#include "steer/layer.h"

typedef struct {
    double change, error;  /* of the loss, nats a token: mean over the class's texts, and its standard error over them */
    double random_mean, random_high; /* of the random sets: mean, 95th percentile */
    double p;              /* (1 + random sets that change the loss at least as much) / (1 + random sets) */
    gboolean exceeds;      /* p <= .05 */
} GlintAblationCell;

typedef struct {
    int module;
    gsize n;               /* neurons */
    double separation;     /* of the class from the mean of the others */
    GlintAblationCell *cells; /* C, one for the texts of each class */
} GlintAblationRow;

typedef struct {
    gsize n_classes, n_random;
    GlintAblationRow *rows; /* C, one for each class's module */
    double *loss;          /* C: mean loss on each class's texts when nothing is ablated */
    gsize *n_texts;        /* C */
    double within, across; /* means of the changes on and off the diagonal */
} GlintAblation;

typedef struct {
    GlintSteerKind kind;   /* ablate-mean or ablate-zero */
    gsize least;           /* neurons that a module must have */
    gsize n_random;
    guint64 seed;
} GlintAblationOptions;

/* Turns the contrast of a layer into that of its class `towards` and the mean of all others (mean[away], effect). */
void glint_steer_against_others(GlintSteerLayer *self);

/* layers[c]: of class c's graph, its contrast against the others; texts[c]: held out, each of 2 tokens at least. Shows progress. */
GlintAblation *glint_steer_ablation(GlintSteerLab *lab, GlintSteerLayer *const *layers, GlintSteerTexts *const *texts, gsize n_classes,
                                    const GlintAblationOptions *options, GError **error);
void glint_steer_ablation_free(GlintAblation *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintAblation, glint_steer_ablation_free)
