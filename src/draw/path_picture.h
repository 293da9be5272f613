/* Curves along the regularization path: one panel a criterion, all over the same logarithmic lambda, the chosen lambda marked. */
#pragma once
#include "draw/draw.h"

typedef struct {
    gsize n;                   /* lambdas, in any order; those that are not above 0 cannot be drawn and are counted in the caption */
    const double *lambda;      /* (n) */
    const double *edges;       /* (n); NAN = not known, as below */
    const double *components;  /* (n) connected components of the graph, or NULL */
    const double *ebic;        /* (n) or NULL */
    const double *cv, *cv_se;  /* (n) held-out loss and its standard error, or NULL */
    const double *instability; /* (n) StARS, or NULL */
    double threshold;          /* of the instability; NAN = none */
    const gboolean *converged; /* (n) or NULL: all did */
    gsize selected;            /* index of the chosen lambda; n or more = none */
    const char *rule;          /* how it was chosen, as "EBIC, γ = 0.5"; may be NULL */
    gsize p;                   /* neurons; 0 = not known */
} GlintPathCurves;

/* `caption` may be NULL; its lambda is not used. */
gboolean glint_draw_path(const GlintPathCurves *curves, const GlintCaption *caption, const char *path, GError **error);

/* Where the panels lie, for tests: the number of panels, and the rectangle of the k-th in points. */
gsize glint_path_panels(const GlintPathCurves *curves);
void glint_path_panel(gsize k, double *x, double *y, double *width, double *height);
