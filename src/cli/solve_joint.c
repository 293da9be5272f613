/* Several classes in one problem: the joint graphical lasso of libggm. Lambda (lambda1) is given, or found by the average degree or density of
 * the classes together, by the same kind of search as for one class: down a geometric path until the graphs are dense enough, then by
 * interpolation. Every class's certificate.json holds the same proof, for it is one problem; edges and density are the class's own. */
#include "base/error.h"
#include "base/files.h"
#include "cli/solve_private.h"

#include <math.h>
#include <string.h>

enum { LONGEST_PATH = 40, INTERPOLATIONS = 6 };
#define STEP 0.8

typedef struct {
    GlintSolve solve;           /* of the first class: settings, bar, plan */
    GlintSample *const *samples;
    gsize n;
    ggm_problem *problems;      /* (n) owned */
    ggm_joint_problem problem;
    ggm_joint_result best;      /* owned */
} Joint;

static void joint_clear(Joint *self)
{
    glint_progress_free(self->solve.bar);
    g_free(self->solve.unit);
    glint_solve_plan_clear(&self->solve.plan);
    ggm_joint_result_release(&self->best);
    g_free(self->problems);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Joint, joint_clear)

static void joint_init(Joint *self, const GlintArgs *args)
{
    self->problems = g_new0(ggm_problem, self->n);
    for (gsize k = 0; k < self->n; k++) {
        self->solve.sample = self->samples[k];
        self->problems[k] = glint_solve_problem(&self->solve, 0);
    }
    self->solve.sample = self->samples[0];
    ggm_default_joint_problem(&self->problem);
    self->problem.classes = self->n;
    self->problem.problems = self->problems;
    self->problem.penalty = self->solve.plan.joint == GLINT_JOINT_GROUP ? GGM_JOINT_GROUP : GGM_JOINT_FUSED;
    self->problem.lambda2 = self->solve.plan.lambda2;
    self->problem.penalize_diagonal = args->solve.penalize_diagonal;
}

static gboolean joint_failed(ggm_status status, GError **error)
{
    return glint_fail(error, GLINT_ERROR_DATA, "--joint: the joint graphical lasso has no answer: %s", ggm_status_text(status));
}

/* Average degree over all neurons of all classes. */
static double degree_of(const ggm_joint_result *result)
{
    double edges = 0, neurons = 0;
    for (gsize k = 0; k < result->classes; k++) {
        neurons += (double)result->precisions[k].p;
        edges += (double)(result->precisions[k].nnz - result->precisions[k].p);
    }
    return edges / neurons;
}

static gboolean solve_at(Joint *self, double lambda, ggm_joint_result *result, GError **error)
{
    self->problem.lambda1 = lambda;
    const ggm_settings settings = glint_solve_settings(&self->solve);
    ggm_status status = ggm_joint_solve(&self->problem, &settings, result);
    if (status != GGM_OK)
        return joint_failed(status, error);
    if (result->info.outcome != GGM_INTERRUPTED)
        return TRUE;
    ggm_joint_result_release(result);
    return glint_check_interrupt(error);
}

/* Keeps the result if its degree is nearest to the wanted one so far; releases what is not kept. TRUE while the search may go on. */
static gboolean keep_nearest(Joint *self, ggm_joint_result *result, double wanted)
{
    const gboolean goes_on = result->info.outcome != GGM_TIME_LIMIT;
    if (self->best.classes && fabs(degree_of(result) - wanted) >= fabs(degree_of(&self->best) - wanted)) {
        ggm_joint_result_release(result);
        return goes_on;
    }
    ggm_joint_result_release(&self->best);
    self->best = *result;
    *result = (ggm_joint_result){0};
    return goes_on;
}

static gboolean search_degree(Joint *self, double wanted, GError **error)
{
    double high, low = 0, high_degree = 0, low_degree = 0;
    ggm_status status = ggm_joint_lambda1_max(&self->problem, self->solve.args->model.threads, &high);
    if (status != GGM_OK)
        return joint_failed(status, error);
    ggm_joint_result result = {0};
    double lambda = high;
    for (int k = 0; k < LONGEST_PATH && low == 0; k++, lambda *= STEP) {
        if (!solve_at(self, lambda, &result, error))
            return FALSE;
        const double degree = degree_of(&result);
        if (!keep_nearest(self, &result, wanted) || lambda <= 0)
            return TRUE;
        if (degree >= wanted) {
            low = lambda;
            low_degree = degree;
        } else {
            high = lambda;
            high_degree = degree;
        }
    }
    for (int k = 0; k < INTERPOLATIONS && low > 0 && low < high && fabs(degree_of(&self->best) - wanted) > 0.01 * wanted; k++) {
        const double share = low_degree > high_degree ? (low_degree - wanted) / (low_degree - high_degree) : 0.5;
        lambda = low * pow(high / low, CLAMP(share, 0.1, 0.9));
        if (!solve_at(self, lambda, &result, error))
            return FALSE;
        const double degree = degree_of(&result);
        if (!keep_nearest(self, &result, wanted))
            return TRUE;
        *(degree >= wanted ? &low : &high) = lambda;
        *(degree >= wanted ? &low_degree : &high_degree) = degree;
    }
    const double found = degree_of(&self->best);
    if (fabs(found - wanted) > 0.1 * wanted)
        glint_warn("--joint: no lambda gives an average degree of %g; the nearest that was found is %.3g, at lambda %.4g", wanted, found, self->best.info.lambda1);
    return TRUE;
}

static gboolean choose(Joint *self, GError **error)
{
    const GlintSolvePlan *plan = &self->solve.plan;
    glint_solve_stage(&self->solve, "joint solve", 0, "sweeps");
    if (plan->rule == GLINT_RULE_GIVEN)
        return solve_at(self, plan->lambda, &self->best, error);
    return search_degree(self, plan->rule == GLINT_RULE_DENSITY ? plan->density * (double)(self->samples[0]->p - 1) : plan->degree, error);
}

/* The certificate from the matrices alone, in place of the solver's account. */
static const char *certify(Joint *self)
{
    ggm_certificate certificate;
    self->problem.lambda1 = self->best.info.lambda1;
    if (ggm_joint_certify(&self->problem, self->best.precisions, self->solve.args->model.threads, &certificate) != GGM_OK || !isfinite(certificate.duality_gap))
        return "the solver's dual point";
    self->best.info.objective = certificate.objective;
    self->best.info.duality_gap = certificate.duality_gap;
    self->best.info.relative_duality_gap = certificate.relative_duality_gap;
    self->best.info.kkt_residual = certificate.kkt_residual;
    return "the precision matrices alone";
}

static json_t *describe_joint(const Joint *self)
{
    json_t *classes = json_array();
    for (gsize k = 0; k < self->n; k++)
        json_array_append_new(classes, json_string(self->samples[k]->class_name));
    return json_pack("{s:s, s:f, s:f, s:o}", "penalty", self->problem.penalty == GGM_JOINT_GROUP ? "group" : "fused", "lambda1", self->best.info.lambda1, "lambda2",
                     self->best.info.lambda2, "classes", classes);
}

gboolean glint_job_solve_joint(GlintSample *const *samples, gsize n_samples, const GlintArgs *args, char *const *folders, gboolean *converged, GError **error)
{
    g_auto(Joint) self = {.samples = samples, .n = n_samples, .solve = {.args = args, .started = g_get_monotonic_time()}};
    if (!glint_solve_plan_read(&self.solve.plan, &args->solve, error))
        return FALSE;
    if (n_samples > GGM_JOINT_CLASSES_MAX)
        return glint_fail(error, GLINT_ERROR_DATA, "--joint takes at most %d classes, these are %zu", GGM_JOINT_CLASSES_MAX, n_samples);
    for (gsize k = 1; k < n_samples; k++)
        if (samples[k]->p != samples[0]->p || memcmp(samples[k]->column, samples[0]->column, samples[0]->p * sizeof *samples[0]->column) != 0)
            return glint_fail(error, GLINT_ERROR_DATA, "--joint: %s has other neurons than %s (constant columns are left out); give the classes the same columns",
                              samples[k]->class_name, samples[0]->class_name);
    joint_init(&self, args);
    if (!choose(&self, error))
        return FALSE;
    const char *basis = certify(&self);
    *converged = self.best.info.outcome == GGM_CONVERGED && self.best.info.relative_duality_gap <= self.solve.plan.tolerance;
    for (gsize k = 0; k < n_samples; k++)
        if (!glint_solve_write_joint(samples[k], args, &self.solve.plan, &self.best.precisions[k], &self.best.info, describe_joint(&self), basis, *converged,
                                     folders[k], error))
            return FALSE;
    return TRUE;
}
