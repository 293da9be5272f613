/* Steering operators: what is done to a module's neurons, as the Gaussian model of the graph suggests (docs/math/steering.md).
 *
 * A strength a says how much is done; a = 0 changes nothing, and strengths can be found by bisection on what they do to the model. With
 * m1, m0 the class means (towards, away), m their mean, T the precision matrix, R_ij = -T_ij / sqrt(T_ii T_jj) off the diagonal:
 *   scale         h_M <- (1 + a) h_M
 *   weight        h_M <- h_M + a R_MM h_M                   the original's: activations spread along the graph
 *   shift         h_M <- h_M + a (m1 - m0)_M
 *   discriminant  h_M <- h_M + a d, d = [T (m1 - m0)]_M scaled to the length of (m1 - m0)_M
 *   clamp         h_M <- g, g = m1_M
 *   conditional   h_M <- g, g_A = m1_A on the hubs A, g_B = m_B - T_BB^-1 T_BA (m1 - m)_A on the rest B of the module
 *   ablate-mean   h_M <- m_M
 *   ablate-zero   h_M <- 0
 *   vector        h <- h + a k over given columns           the difference of means of the residual, and other baselines
 * The first four and the last are linear in a: h + a (K h + c h + k). The four that set a state go there by the share |a| up to |a| = 1, where
 * nothing is left of h; beyond, which the ablations cannot, the state itself moves on, to m + a (g - m). (Going on along a straight line would
 * turn h around and blow it up.) */
#pragma once
#include "model/model.h"
#include "steer/layer.h"

typedef enum {
    GLINT_STEER_SCALE, GLINT_STEER_WEIGHT, GLINT_STEER_CLAMP, GLINT_STEER_SHIFT, GLINT_STEER_CONDITIONAL, GLINT_STEER_DISCRIMINANT,
    GLINT_STEER_ABLATE_MEAN, GLINT_STEER_ABLATE_ZERO, GLINT_STEER_VECTOR, GLINT_STEER_KINDS
} GlintSteerKind;
gboolean glint_steer_kind_parse(const char *text, GlintSteerKind *kind, GError **error); /* the names above, but for "vector" */
const char *glint_steer_kind_name(GlintSteerKind kind);
/* Largest strength that makes sense: 1 for the ablations, which are then complete; else infinity. */
double glint_steer_kind_limit(GlintSteerKind kind);

/* Does it set a state (clamp, conditional, the ablations)? Such operators have a centre, the others none. */
gboolean glint_steer_kind_sets_state(GlintSteerKind kind);

typedef struct {
    GlintSteerKind kind;
    GlintSite site;
    gsize n;           /* neurons */
    gsize *column;     /* n: places in the site's activations */
    double *matrix;    /* n x n: K, or NULL */
    double factor;     /* c */
    double *constant;  /* n: k, or the state g */
    double *centre;    /* n: m, of operators that set a state; NULL for the others */
} GlintSteerOperator;

/* On the neurons `rows` of the layer, hubs first (glint_steer_module). `hubs`: how many of them the conditional operator sets; 0 = a fifth,
 * at least one. Fails when T_BB is singular or the classes' means are equal where the operator needs their difference. */
GlintSteerOperator *glint_steer_operator_new(GlintSteerKind kind, const GlintSteerLayer *layer, const gsize *rows, gsize n, gsize hubs, GError **error);
/* A direction over given columns of a site (copied). */
GlintSteerOperator *glint_steer_operator_vector(const GlintSite *site, const gsize *columns, const double *direction, gsize n);
/* The identical operator on other neurons, `rows` again hubs first: matrices that stand for the module's wiring are carried over entry by
 * entry, vectors are computed from the other neurons' own means and precisions. Same n. */
GlintSteerOperator *glint_steer_operator_on(const GlintSteerOperator *self, const GlintSteerLayer *layer, const gsize *rows, gsize hubs, GError **error);
void glint_steer_operator_free(GlintSteerOperator *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerOperator, glint_steer_operator_free)

/* Steers one row of the site's activations, in double precision, so that a = 0 keeps every bit. `scratch`: 2 n doubles. */
void glint_steer_apply(const GlintSteerOperator *self, double strength, float *row, double *scratch);

/* An operator at work in a forward pass: the tap's user data. */
typedef struct {
    const GlintSteerOperator *operator;
    double strength;
    gsize skip;        /* leading tokens of every sequence that are left alone: BOS, or everything before a position */
    const gsize *past; /* tokens of each sequence that are in the cache already, or NULL: `skip` counts from the text's beginning */
} GlintSteering;
GlintTap glint_steering_tap(GlintSteering *self); /* borrows `self`, which must stay while the tap is in use */
