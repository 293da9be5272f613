/* What steering does, as curves: effect against dose with the controls as bands, what it costs, and the effect over the depth of the model.
 * Knows nothing of models: plain numbers, described by the caller. */
#pragma once
#include "draw/draw.h"

typedef struct {
    const char *role;      /* "module", "random", "degree-matched", "top-neurons", "correlation-module", "residual-difference" */
    const double *kl;      /* (n_doses) mean KL that was reached, nats */
    const double *effect;  /* (n_doses) mean change of the log-odds */
    const double *low, *high; /* (n_doses) its interval, or NULL */
    const double *nll_change, *same_top, *kl_p99; /* (n_doses), on neutral text */
} GlintDoseArm;

typedef struct {
    gsize n_arms, n_doses;
    const GlintDoseArm *arms;     /* the first is the module */
    const double *p_random, *p_matched; /* (n_doses) */
    const char *title;            /* "Module 3 of layer 5 (12 neurons), shift towards pos" */
    const char *verdict;          /* in words: stands under the picture */
    gsize n_texts;
} GlintDoseCurves;

/* Three panels: effect against KL (module with its interval, bands of the random and of the degree-matched sets, single lines for the others), cost in
 * NLL and same-top-1 against effect. */
gboolean glint_draw_dose(const GlintDoseCurves *curves, const char *path, GError **error);

typedef struct {
    gsize layer;
    double effect, low, high;     /* of the module at the verdict's dose */
    double random_low, random_high, matched_low, matched_high; /* 5 % and 95 % of the controls there */
    double top, correlation, residual; /* NAN: not measured */
    gboolean steers;
} GlintDepthPoint;

/* Effect over layers, one point a layer. */
gboolean glint_draw_depth(const GlintDepthPoint *points, gsize n, const char *title, const char *path, GError **error);
