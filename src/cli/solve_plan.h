/* What the solve options ask for, read from their strings and checked against each other. */
#pragma once
#include "cli/options.h"

typedef enum { GLINT_RULE_GIVEN, GLINT_RULE_DEGREE, GLINT_RULE_DENSITY, GLINT_RULE_EBIC, GLINT_RULE_CV, GLINT_RULE_STARS, GLINT_RULE_RIC } GlintLambdaRule;

typedef enum { GLINT_SEPARATE, GLINT_JOINT_GROUP, GLINT_JOINT_FUSED } GlintJointKind;

typedef struct {
    GlintLambdaRule rule;
    double lambda;                     /* GIVEN; else NAN */
    double degree, density;            /* DEGREE, DENSITY */
    double gamma, instability;         /* of the EBIC; of STARS */
    gsize folds, subsamples;           /* of CV; of STARS */
    gboolean one_se;
    gboolean keeps_path;               /* --path */
    gsize path_count;                  /* of the grid, when path_lambdas is NULL */
    double *path_lambdas;              /* path_count of them, strictly descending, or NULL; owned */
    double tolerance;                  /* relative duality gap */
    double time_limit;                 /* seconds; 0 = none */
    int max_iterations;                /* 0 = the solver's own */
    ggm_solver solver;
    ggm_covariance_settings covariance;
    GlintJointKind joint;
    double lambda2;                    /* of joint */
    gsize n;                           /* --n; 0 = what the input says */
    int stability, null, bootstrap;    /* resamples; 0 = not wanted */
    gboolean debias;
    double fdr;
} GlintSolvePlan;

gboolean glint_solve_plan_read(GlintSolvePlan *self, const GlintSolveArgs *args, GError **error);
void glint_solve_plan_clear(GlintSolvePlan *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GlintSolvePlan, glint_solve_plan_clear)

/* The first option in `args` that needs the samples themselves and not just their covariance, as "--stability"; NULL if there is none. */
const char *glint_solve_needs_rows(const GlintSolveArgs *args);
/* Does the rule follow a path of lambdas over all samples, which path.json then tells of? */
gboolean glint_rule_has_path(GlintLambdaRule rule);
/* "ebic" */
const char *glint_rule_name(GlintLambdaRule rule);
/* "EBIC, gamma 0.5", "average degree 6", "given"; free with g_free. */
char *glint_rule_text(const GlintSolvePlan *plan);

/* Every option that the answer depends on, in one line: part of the key of a result (results.h). Free with g_free. */
char *glint_solve_args_text(const GlintSolveArgs *args);

/* The value of --neurons: 0 for NULL or "all". */
gboolean glint_neuron_limit(const char *text, gsize *limit, GError **error);
