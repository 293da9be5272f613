/* Options to numbers. Everything is checked before any file is opened, so that a slip of the pen costs seconds and not the hours of a
 * `glint run`. See solve_plan.h. */
#include "cli/solve_plan.h"
#include "base/error.h"
#include "ggm/covariance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_PATH = 20, LONGEST_PATH = 10000, MOST_RESAMPLES = 1000000 };
#define DEFAULT_DEGREE 6.0 /* average neighbours of a neuron when no lambda is given: a graph that can be read */

void glint_solve_plan_clear(GlintSolvePlan *self)
{
    g_free(self->path_lambdas);
    memset(self, 0, sizeof *self);
}

/* ---- names ---- */

static const char *const rule_names[] = {"given", "degree", "density", "ebic", "cv", "stars", "ric"};
static const char *const solver_names[] = {"auto", "bcd", "newton", "sglasso", NULL};
static const char *const transform_names[] = {"none", "winsor", "npn", "npn-truncated", "spearman", "skeptic", "kendall", NULL};
static const char *const joint_names[] = {"", "group", "fused", NULL};

const char *glint_rule_name(GlintLambdaRule rule) { return rule_names[rule]; }

gboolean glint_rule_has_path(GlintLambdaRule rule) { return rule == GLINT_RULE_EBIC || rule == GLINT_RULE_CV || rule == GLINT_RULE_STARS; }

char *glint_rule_text(const GlintSolvePlan *plan)
{
    switch (plan->rule) {
    case GLINT_RULE_DEGREE: return g_strdup_printf("average degree %g", plan->degree);
    case GLINT_RULE_DENSITY: return g_strdup_printf("density %g", plan->density);
    case GLINT_RULE_EBIC: return g_strdup_printf("EBIC, gamma %g", plan->gamma);
    case GLINT_RULE_CV: return g_strdup_printf("cross-validation, %zu folds%s", plan->folds, plan->one_se ? ", one standard error" : "");
    case GLINT_RULE_STARS: return g_strdup_printf("StARS, %zu subsamples, instability %g", plan->subsamples, plan->instability);
    case GLINT_RULE_RIC: return g_strdup("RIC");
    default: return g_strdup("given");
    }
}

/* The index of `text` among `names` (NULL-terminated), or `missing` when text is NULL. */
static gboolean read_name(const char *option, const char *text, const char *const *names, int missing, int *index, GError **error)
{
    *index = missing;
    if (!text)
        return TRUE;
    for (int k = 0; names[k]; k++)
        if (*text && strcmp(text, names[k]) == 0) {
            *index = k;
            return TRUE;
        }
    g_autofree char *all = g_strjoinv(", ", (char **)(gsize)(*names[0] ? names : names + 1));
    return glint_fail(error, GLINT_ERROR_USAGE, "%s is one of %s, not '%s'", option, all, text);
}

/* ---- the choice of lambda ---- */

static gboolean read_rule(GlintSolvePlan *self, const GlintSolveArgs *args, GError **error)
{
    static const char *const choices[] = {"degree", "density", "ebic", "cv", "stars", "ric", NULL};
    int choice;
    if (!read_name("--lambda-select", args->select, choices, -1, &choice, error))
        return FALSE;
    if (args->alpha && (args->degree || args->density || args->select))
        return glint_fail(error, GLINT_ERROR_USAGE, "--alpha and --%s exclude each other: lambda is either given or found",
                          args->degree ? "degree" : args->density ? "density" : "lambda-select");
    if (args->degree && args->density)
        return glint_fail(error, GLINT_ERROR_USAGE, "--degree and --density exclude each other");
    self->rule = args->alpha ? GLINT_RULE_GIVEN : choice >= 0 ? (GlintLambdaRule)(choice + 1) : args->density ? GLINT_RULE_DENSITY : GLINT_RULE_DEGREE;
    if (self->rule == GLINT_RULE_DENSITY && !args->density)
        return glint_fail(error, GLINT_ERROR_USAGE, "--lambda-select density needs --density D, the share of the pairs that are to be edges");
    const struct { const char *option; gboolean given; GlintLambdaRule rule; } belongs[] = {
        {"--degree", args->degree != NULL, GLINT_RULE_DEGREE},        {"--density", args->density != NULL, GLINT_RULE_DENSITY},
        {"--folds", args->folds > 0, GLINT_RULE_CV},                  {"--one-se", args->one_se, GLINT_RULE_CV},
        {"--subsamples", args->subsamples > 0, GLINT_RULE_STARS},     {"--instability", args->instability != NULL, GLINT_RULE_STARS}};
    for (gsize k = 0; k < G_N_ELEMENTS(belongs); k++)
        if (belongs[k].given && belongs[k].rule != self->rule)
            return glint_fail(error, GLINT_ERROR_USAGE, "%s belongs to --lambda-select %s; lambda is chosen by '%s' here", belongs[k].option,
                              rule_names[belongs[k].rule], rule_names[self->rule]);
    if (args->groups && (self->rule == GLINT_RULE_CV || self->rule == GLINT_RULE_STARS || self->rule == GLINT_RULE_RIC))
        return glint_fail(error, GLINT_ERROR_USAGE, "--lambda-select %s draws rows one by one and would take those of one text for independent; with --groups, "
                          "choose by ebic, degree or density", rule_names[self->rule]);
    if (args->gamma && !args->path && !glint_rule_has_path(self->rule))
        return glint_fail(error, GLINT_ERROR_USAGE, "--gamma belongs to the EBIC; add --lambda-select ebic, or --path to see it on a path");
    return TRUE;
}

static gboolean read_choice_numbers(GlintSolvePlan *self, const GlintSolveArgs *args, GError **error)
{
    self->lambda = NAN;
    self->degree = DEFAULT_DEGREE;
    self->gamma = 0.5;
    self->instability = 0.05;
    self->folds = args->folds ? (gsize)args->folds : 5;
    self->subsamples = args->subsamples ? (gsize)args->subsamples : 20;
    self->one_se = args->one_se;
    if (self->folds < 2 || self->subsamples < 2)
        return glint_fail(error, GLINT_ERROR_USAGE, "%s must be at least 2", self->folds < 2 ? "--folds" : "--subsamples");
    return (!args->alpha || glint_args_real("--alpha", args->alpha, 0, 1e300, &self->lambda, error)) &&
           (!args->degree || glint_args_real("--degree", args->degree, 1e-6, 1e9, &self->degree, error)) &&
           (!args->density || glint_args_real("--density", args->density, 0, 1, &self->density, error)) &&
           (!args->gamma || glint_args_real("--gamma", args->gamma, 0, 1e6, &self->gamma, error)) &&
           (!args->instability || glint_args_real("--instability", args->instability, 1e-9, 0.999, &self->instability, error));
}

static int descending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

static gboolean read_lambda_list(GlintSolvePlan *self, const char *text, GError **error)
{
    g_auto(GStrv) words = g_strsplit(text, ",", -1);
    gsize count = g_strv_length(words), kept = 0;
    self->path_lambdas = g_new(double, count + 1);
    for (gsize k = 0; k < count; k++)
        if (!glint_args_real("--path", words[k], 1e-300, 1e300, &self->path_lambdas[k], error))
            return FALSE;
    qsort(self->path_lambdas, count, sizeof *self->path_lambdas, descending);
    for (gsize k = 0; k < count; k++)
        if (kept == 0 || self->path_lambdas[k] < self->path_lambdas[kept - 1])
            self->path_lambdas[kept++] = self->path_lambdas[k];
    self->path_count = kept;
    return TRUE;
}

static gboolean read_path(GlintSolvePlan *self, const char *text, GError **error)
{
    self->path_count = DEFAULT_PATH;
    self->keeps_path = text != NULL;
    if (!text || !*text)
        return TRUE;
    if (strpbrk(text, ".,eE"))
        return read_lambda_list(self, text, error);
    double count;
    if (!glint_args_real("--path", text, 2, LONGEST_PATH, &count, error))
        return FALSE;
    self->path_count = (gsize)count;
    return TRUE;
}

/* ---- the rest ---- */

static gboolean read_covariance(GlintSolvePlan *self, const GlintSolveArgs *args, GError **error)
{
    int transform;
    ggm_default_covariance_settings(&self->covariance);
    if (!read_name("--transform", args->transform, transform_names, GGM_TRANSFORM_NONE, &transform, error))
        return FALSE;
    self->covariance.transform = (ggm_transform)transform;
    if (args->winsor && transform != GGM_TRANSFORM_WINSOR)
        return glint_fail(error, GLINT_ERROR_USAGE, "--winsor belongs to --transform winsor");
    if (args->winsor && !glint_args_real("--winsor", args->winsor, 0, 0.499999, &self->covariance.winsor, error))
        return FALSE;
    if (args->shrinkage && strcmp(args->shrinkage, "auto") == 0)
        self->covariance.shrinkage = NAN;
    else if (args->shrinkage && !glint_args_real("--shrinkage", args->shrinkage, 0, 1, &self->covariance.shrinkage, error))
        return FALSE;
    if (self->rule == GLINT_RULE_RIC && transform != GGM_TRANSFORM_NONE)
        return glint_fail(error, GLINT_ERROR_USAGE, "--lambda-select ric rotates the samples as they are and cannot be had with --transform; use ebic, cv or stars");
    return TRUE;
}

static gboolean read_joint(GlintSolvePlan *self, const GlintSolveArgs *args, GError **error)
{
    int kind;
    if (!read_name("--joint", args->joint, joint_names, GLINT_SEPARATE, &kind, error))
        return FALSE;
    self->joint = (GlintJointKind)kind;
    if (kind == GLINT_SEPARATE)
        return !args->lambda2 || glint_fail(error, GLINT_ERROR_USAGE, "--lambda2 belongs to --joint group or --joint fused");
    if (!args->lambda2)
        return glint_fail(error, GLINT_ERROR_USAGE, "--joint needs --lambda2 L, the penalty on what differs between classes (0 solves them apart)");
    const struct { const char *option; gboolean given; } alone[] = {
        {"--lambda-select", self->rule > GLINT_RULE_DENSITY}, {"--path", args->path != NULL},       {"--penalty", args->penalty != NULL},
        {"--start", args->start != NULL},                     {"--stability", args->stability > 0}, {"--null", args->null > 0},
        {"--bootstrap", args->bootstrap > 0},                 {"--debias", args->debias},           {"--with-all", args->with_all}};
    for (gsize k = 0; k < G_N_ELEMENTS(alone); k++)
        if (alone[k].given)
            return glint_fail(error, GLINT_ERROR_USAGE, "%s cannot be had with --joint; %s", alone[k].option,
                              k == 0 ? "choose by --alpha, --degree or --density" : "leave one of them out");
    return glint_args_real("--lambda2", args->lambda2, 0, 1e300, &self->lambda2, error);
}

static gboolean read_resampling(GlintSolvePlan *self, const GlintSolveArgs *args, GError **error)
{
    self->stability = args->stability;
    self->null = args->null;
    self->bootstrap = args->bootstrap;
    self->debias = args->debias;
    self->n = (gsize)args->n;
    self->fdr = 0.05;
    if (MAX(MAX(self->stability, self->null), self->bootstrap) > MOST_RESAMPLES)
        return glint_fail(error, GLINT_ERROR_USAGE, "--stability, --null and --bootstrap take at most %d resamples", MOST_RESAMPLES);
    if (self->stability % 2 != 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "--stability is %d; half-samples come in complementary pairs, so give an even number", self->stability);
    if (self->bootstrap == 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "--bootstrap must be at least 2: an interval needs more than one resample");
    if (args->fdr && !args->debias)
        return glint_fail(error, GLINT_ERROR_USAGE, "--fdr belongs to --debias");
    return !args->fdr || glint_args_real("--fdr", args->fdr, 0, 1, &self->fdr, error);
}

gboolean glint_solve_plan_read(GlintSolvePlan *self, const GlintSolveArgs *args, GError **error)
{
    *self = (GlintSolvePlan){.max_iterations = args->max_iterations};
    ggm_settings settings;
    ggm_default_settings(&settings);
    self->tolerance = settings.tolerance;
    int solver = GGM_SOLVER_AUTO;
    gboolean ok = read_rule(self, args, error) && read_choice_numbers(self, args, error) && read_path(self, args->path, error) &&
                  (!args->tolerance || glint_args_real("--tol", args->tolerance, 1e-15, 1, &self->tolerance, error)) &&
                  (!args->time_limit || glint_args_real("--time-limit", args->time_limit, 1e-3, 1e9, &self->time_limit, error)) &&
                  read_name("--solver", args->solver, solver_names, GGM_SOLVER_AUTO, &solver, error) && read_covariance(self, args, error) &&
                  read_joint(self, args, error) && read_resampling(self, args, error);
    self->solver = (ggm_solver)solver;
    if (!ok)
        glint_solve_plan_clear(self);
    return ok;
}

const char *glint_solve_needs_rows(const GlintSolveArgs *args)
{
    const gboolean by_rows = args->select && (strcmp(args->select, "cv") == 0 || strcmp(args->select, "stars") == 0 || strcmp(args->select, "ric") == 0);
    const gboolean transforms = args->transform && strcmp(args->transform, "none") != 0;
    if (by_rows)
        return strcmp(args->select, "cv") == 0 ? "--lambda-select cv" : strcmp(args->select, "stars") == 0 ? "--lambda-select stars" : "--lambda-select ric";
    return transforms ? "--transform" : args->shrinkage && strcmp(args->shrinkage, "auto") == 0 ? "--shrinkage auto" : args->stability ? "--stability" :
           args->null ? "--null" : args->bootstrap ? "--bootstrap" : args->groups ? "--groups" : NULL;
}

static void add_text(GString *text, const char *name, const char *value)
{
    if (value)
        g_string_append_printf(text, "|%s %s", name, value);
}

static void add_count(GString *text, const char *name, int value)
{
    if (value)
        g_string_append_printf(text, "|%s %d", name, value);
}

char *glint_solve_args_text(const GlintSolveArgs *a)
{
    GString *text = g_string_new(NULL);
    g_string_append_printf(text, "alpha %s|degree %s|tol %s|iterations %d|diagonal %d|scale %d|dense %d", a->alpha ? a->alpha : "", a->degree ? a->degree : "",
                           a->tolerance ? a->tolerance : "", a->max_iterations, a->penalize_diagonal, !a->no_scale, a->dense);
    const struct { const char *name, *value; } words[] = {
        {"density", a->density}, {"limit", a->time_limit}, {"solver", a->solver}, {"select", a->select}, {"gamma", a->gamma}, {"instability", a->instability},
        {"path", a->path}, {"transform", a->transform}, {"winsor", a->winsor}, {"shrinkage", a->shrinkage}, {"joint", a->joint}, {"lambda2", a->lambda2}, {"fdr", a->fdr}};
    const struct { const char *name; int value; } counts[] = {{"folds", a->folds},         {"subsamples", a->subsamples}, {"n", a->n},
                                                              {"stability", a->stability}, {"null", a->null},             {"bootstrap", a->bootstrap},
                                                              {"one-se", a->one_se},       {"debias", a->debias}};
    for (gsize k = 0; k < G_N_ELEMENTS(words); k++)
        add_text(text, words[k].name, words[k].value);
    for (gsize k = 0; k < G_N_ELEMENTS(counts); k++)
        add_count(text, counts[k].name, counts[k].value);
    return g_string_free(text, FALSE);
}

gboolean glint_neuron_limit(const char *text, gsize *limit, GError **error)
{
    *limit = 0;
    if (!text || strcmp(text, "all") == 0)
        return TRUE;
    double value;
    if (!glint_args_real("--neurons", text, 2, 1e9, &value, error))
        return FALSE;
    if (value != floor(value))
        return glint_fail(error, GLINT_ERROR_USAGE, "--neurons needs a whole number or 'all', not '%s'", text);
    *limit = (gsize)value;
    return TRUE;
}
