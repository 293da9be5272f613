/* A trial: a module's operator against controls that are steered by the identical operator to the identical KL, and a verdict. */
#pragma once
#include "steer/controls.h"
#include "steer/curve.h"

typedef enum {
    GLINT_ROLE_MODULE,
    GLINT_ROLE_RANDOM,      /* equally many neurons, drawn at random */
    GLINT_ROLE_MATCHED,     /* drawn with equal degrees in the graph */
    GLINT_ROLE_TOP,         /* single neurons of the largest class difference */
    GLINT_ROLE_CORRELATION, /* a module of the plain correlation graph */
    GLINT_ROLE_RESIDUAL,    /* difference in means added to the residual */
    GLINT_ROLES
} GlintSteerRole;
const char *glint_steer_role_name(GlintSteerRole role); /* "module", "random", "degree-matched", "top-neurons", "correlation-module", "residual-difference" */

typedef struct {
    GlintSteerRole role;
    GArray *rows;           /* of the layer, NULL for the residual */
    GlintSteerOperator *operator;
    GlintSteerCurve *curve;
} GlintSteerArm;

typedef struct {
    GlintSteerKind kind;
    const double *dose; gsize n_doses;     /* KLs, ascending */
    gboolean by_strength;                  /* they are strengths of the module's operator instead: controls get the KL it has there */
    gsize n_random, n_matched;             /* controls of each; default 20 */
    gsize hubs;                            /* of the conditional operator, 0 = default */
    guint64 seed;
    const GlintSteerTexts *prompts;        /* held out: effects are measured here */
    const GlintSteerTexts *choosing;       /* of the training texts: signs are chosen here */
    const GlintSteerTexts *training[2];    /* towards, away: for the residual's difference in means */
} GlintSteerTrialOptions;

typedef struct {
    gsize n_arms, n_doses, n_prompts;
    GlintSteerArm *arms;                   /* the first is the module */
    GlintSteerReading *unsteered;          /* n_prompts */
    double *p_random, *p_matched;          /* n_doses: (1 + controls with at least the module's effect) / (1 + controls) */
    gsize n_random, n_matched;
    gsize verdict_dose;                    /* index of the dose that the verdict is about: the strongest that the module reached */
    gboolean steers;                       /* better than random and matched sets (p <= .05), with an interval above 0 */
    char *verdict;                         /* in words */
} GlintSteerTrial;

/* `rows`: the module, hubs first. Shows progress. */
GlintSteerTrial *glint_steer_trial(GlintSteerLab *lab, const GlintSteerLayer *layer, const GArray *rows, const GlintSteerTrialOptions *options, GError **error);
void glint_steer_trial_free(GlintSteerTrial *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerTrial, glint_steer_trial_free)
const GlintSteerArm *glint_steer_trial_arm(const GlintSteerTrial *self, GlintSteerRole role); /* the first of the role, or NULL */
