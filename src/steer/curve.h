/* Dose and response of one operator: at each wanted KL the strength that has it, what it does to held-out prompts, and what it costs. */
#pragma once
#include "steer/lab.h"

typedef struct {
    double kl;                 /* wanted */
    double strength;           /* that has it, with its sign */
    gboolean reached;          /* FALSE: the operator cannot do so much; `strength` is as far as it goes */
    GlintSteerCost cost;       /* on the neutral text */
    GlintSteerReading *reading;/* n prompts */
    double effect;             /* mean change of the log-odds */
    double low, high;          /* 95 % bootstrap interval of it, over prompts */
    double probability, mass;  /* means */
    double wrong;              /* share of the prompts whose log-odds fell */
} GlintSteerDose;

typedef struct {
    gsize n_prompts, n_doses;
    int sign;                  /* of the strengths: operators that point to a class have +1, for the others see below */
    GlintSteerDose *doses;
    /* Over the doses, each text's log-odds as a straight line through them, the strengths in units of the largest: */
    double slope, slope_sd;    /* mean and standard deviation over the texts: steerability (Tan et al. 2024) */
    double against;            /* share of texts with a negative slope */
    double monotone;           /* mean Spearman correlation of dose and log-odds */
} GlintSteerCurve;

/* `unsteered`: readings of the prompts when nobody steers. `choosing` and `unsteered_choosing`: other prompts, by which the sign of operators that
 * point nowhere (scale, weight) is chosen: the one that raises their log-odds more at the first KL. `kl` ascending. */
GlintSteerCurve *glint_steer_curve(GlintSteerLab *lab, const GlintSteerOperator *operator, const double *kl, gsize n, const GlintSteerTexts *prompts,
                                   const GlintSteerReading *unsteered, const GlintSteerTexts *choosing, const GlintSteerReading *unsteered_choosing, guint64 seed,
                                   GError **error);
/* The same at strengths given, all of one sign, ascending in size. */
GlintSteerCurve *glint_steer_curve_at(GlintSteerLab *lab, const GlintSteerOperator *operator, const double *strength, gsize n, const GlintSteerTexts *prompts,
                                      const GlintSteerReading *unsteered, guint64 seed, GError **error);
void glint_steer_curve_free(GlintSteerCurve *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerCurve, glint_steer_curve_free)

double glint_steer_mean_change(const GlintSteerReading *steered, const GlintSteerReading *unsteered, gsize n);
