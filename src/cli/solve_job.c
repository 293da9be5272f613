/* One solve: lambda is chosen, the answer certified, what is asked of its uncertainty found out, and everything written.
 * See results.h. The certificate is libggm's, computed apart from the solver. */
#include "base/error.h"
#include "base/files.h"
#include "cli/solve_private.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

gboolean glint_solve_args_check(const GlintArgs *args, gboolean has_rows, GError **error)
{
    g_auto(GlintSolvePlan) plan = {0};
    gsize limit;
    if (!glint_solve_plan_read(&plan, &args->solve, error) || !glint_neuron_limit(args->solve.neurons, &limit, error))
        return FALSE;
    const char *needs = has_rows ? NULL : glint_solve_needs_rows(&args->solve);
    if (!needs)
        return TRUE;
    return glint_fail(error, GLINT_ERROR_USAGE, "%s needs the samples themselves, of which a covariance or the moments that glint collect keeps say too little; "
                      "give the samples x neurons matrix with --activations FILE.npy", needs);
}

char *glint_solve_key(const GlintSample *sample, const GlintArgs *args)
{
    const gboolean draws = glint_solve_needs_rows(&args->solve) != NULL;
    g_autofree char *options = glint_solve_args_text(&args->solve);
    g_autofree char *text = g_strdup_printf("glint %s|%s|%s|p %zu|n %zu|seed %" G_GINT64_FORMAT "|%s", GLINT_VERSION, sample->key, sample->site ? sample->site : "",
                                            sample->p, sample->n_texts, draws ? args->common.seed : 0, options);
    return glint_sha256_bytes(text, strlen(text));
}

/* ---- what libggm is given ---- */

static bool stop_asked(void *user_data)
{
    const GlintSolve *self = user_data;
    return glint_interrupted() || (self->path && self->path->error);
}

static void show_progress(double lambda, int iteration, double gap, void *user_data)
{
    GlintSolve *self = user_data;
    g_autofree char *note = isfinite(gap) ? g_strdup_printf("lambda %.4g, relative gap %.1e", lambda, gap) : g_strdup_printf("lambda %.4g", lambda);
    if (strcmp(self->unit, "sweeps") == 0)
        self->done = iteration;
    glint_progress_update(self->bar, self->done, note);
}

void glint_solve_stage(GlintSolve *self, const char *title, double total, const char *unit)
{
    glint_progress_free(self->bar);
    g_free(self->unit);
    self->unit = g_strdup(unit);
    self->done = 0;
    self->bar = glint_progress_new(title, total, unit);
}

ggm_problem glint_solve_problem(const GlintSolve *self, double lambda)
{
    ggm_problem problem;
    ggm_default_problem(&problem);
    problem.p = self->sample->p;
    problem.s = self->sample->covariance;
    problem.lambda = lambda;
    problem.penalize_diagonal = self->args->solve.penalize_diagonal;
    problem.scale = !self->args->solve.no_scale;
    problem.weights = self->sample->weights;
    problem.start = self->sample->start.start ? &self->sample->start : NULL;
    return problem;
}

/* libggm divides by n where the sample's covariance divides by n - 1. The answer to (c S, c lambda) is that to (S, lambda) divided by c, and
 * when the problem is scaled to correlations, lambda stays. */
ggm_problem glint_solve_problem_of_rows(const GlintSolve *self, double lambda)
{
    ggm_problem problem = glint_solve_problem(self, self->args->solve.no_scale ? lambda / self->sample->divisor : lambda);
    problem.s = NULL;
    problem.samples = &self->rows;
    problem.covariance = &self->sample->forming;
    problem.start = NULL;
    return problem;
}

double glint_solve_lambda_of_rows(const GlintSolve *self, double lambda) { return self->args->solve.no_scale ? lambda * self->sample->divisor : lambda; }

double glint_solve_matrix_of_rows(const GlintSolve *self) { return 1 / self->sample->divisor; }

/* The certificate is taken from the precision matrix alone, and its dual point is not as good as the one the solver steers by:
 * at the same matrix its gap is up to 80 times larger (measured). The solver therefore aims this much lower than it is asked to. */
static double solver_tolerance(double tolerance) { return MIN(tolerance, MAX(tolerance * 0.01, 1e-13)); }

ggm_settings glint_solve_settings(GlintSolve *self)
{
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.tolerance = solver_tolerance(self->plan.tolerance);
    if (self->plan.max_iterations > 0)
        settings.max_iterations = self->plan.max_iterations;
    if (self->plan.time_limit > 0) /* a limit that is over still lets libggm return what it starts with */
        settings.time_limit = MAX(1e-3, self->plan.time_limit - (double)(g_get_monotonic_time() - self->started) * 1e-6);
    settings.threads = self->args->model.threads;
    settings.solver = self->plan.solver;
    settings.interrupt = stop_asked;
    settings.progress = show_progress;
    settings.user_data = self;
    return settings;
}

char *glint_solve_subject(const GlintSolve *self)
{
    const GlintSample *sample = self->sample;
    return sample->class_name ? g_strconcat(sample->class_name, sample->site ? " " : "", sample->site ? sample->site : "", NULL) : g_strdup("the matrix");
}

gboolean glint_solve_fail(const GlintSolve *self, const char *what, ggm_status status, GError **error)
{
    if (self->path && self->path->error) {
        g_propagate_error(error, g_error_copy(self->path->error));
        return FALSE;
    }
    g_autofree char *subject = glint_solve_subject(self);
    return glint_fail(error, GLINT_ERROR_DATA, "%s: %s: %s", subject, what, ggm_status_text(status));
}

gsize glint_solve_edges(const GlintSolve *self) { return (self->result.info.nonzeros - self->sample->p) / 2; }

json_t *glint_number_or_null(double x) { return isfinite(x) ? json_real(x) : json_null(); }

char *glint_unfinished_path(const char *path) { return g_build_filename(path, ".partial", NULL); }

/* ---- the job ---- */

static void column_free(gpointer data)
{
    GlintSolveColumn *self = data;
    g_free(self->name);
    g_free(self->values);
    g_free(self);
}

static void solve_clear(GlintSolve *self)
{
    glint_progress_free(self->bar);
    g_free(self->unit);
    glint_path_free(self->path);
    ggm_result_release(&self->result);
    glint_solve_plan_clear(&self->plan);
    json_decref(self->sections);
    g_clear_pointer(&self->columns, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GlintSolve, solve_clear)

/* Replaces the solver's account of its answer by one that trusts nothing of the solver. Without memory for that (three dense
 * matrices), or without a positive definite dual point near an unfinished answer, the solver's own proof stays. */
static void certify(GlintSolve *self)
{
    const ggm_problem problem = glint_solve_problem(self, self->result.info.lambda);
    ggm_certificate certificate;
    self->basis = "the solver's dual point";
    if (ggm_certify(&problem, &self->result.precision, self->args->model.threads, &certificate) != GGM_OK || !isfinite(certificate.duality_gap))
        return;
    self->basis = "the precision matrix alone";
    self->proof = certificate;
    self->result.info.objective = certificate.objective;
    self->result.info.duality_gap = certificate.duality_gap;
    self->result.info.relative_duality_gap = certificate.relative_duality_gap;
    self->result.info.kkt_residual = certificate.kkt_residual;
}

/* The search for lambda ends at the nearest degree it met, which may be far off: more is asked than there are neurons, or than the
 * smallest lambda of the path gives. */
static void warn_degree(const GlintSolve *self)
{
    const GlintSolvePlan *plan = &self->plan;
    const double p = (double)self->sample->p, degree = 2 * (double)glint_solve_edges(self) / p;
    const gboolean by_density = plan->rule == GLINT_RULE_DENSITY;
    const double wanted = by_density ? plan->density * (p - 1) : plan->degree;
    if ((plan->rule != GLINT_RULE_DEGREE && !by_density) || fabs(degree - wanted) <= 0.1 * wanted || self->result.info.outcome != GGM_CONVERGED)
        return;
    g_autofree char *subject = glint_solve_subject(self);
    glint_warn("%s: no lambda gives %s of %g; the nearest that was found is %.3g, at lambda %.4g (choose another --%s, or --alpha)", subject,
               by_density ? "a density" : "an average degree", by_density ? plan->density : wanted, by_density ? degree / (p - 1) : degree, self->result.info.lambda,
               by_density ? "density" : "degree");
}

gboolean glint_job_solve(const GlintSample *sample, const GlintArgs *args, const char *folder, const char *unfinished, gboolean *converged, GError **error)
{
    g_auto(GlintSolve) self = {.sample = sample, .args = args, .folder = folder, .unfinished = unfinished, .started = g_get_monotonic_time(),
                               .sections = json_object(), .columns = g_ptr_array_new_with_free_func(column_free)};
    if (!glint_solve_plan_read(&self.plan, &args->solve, error))
        return FALSE;
    if (self.plan.debias && sample->n_texts == 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "--debias needs to know how many independent texts are behind the covariance; say so with --n N");
    if (sample->rows)
        self.rows = glint_sample_rows(sample);
    if (!glint_solve_choose(&self, error))
        return FALSE;
    warn_degree(&self);
    certify(&self);
    *converged = self.result.info.outcome == GGM_CONVERGED && self.result.info.relative_duality_gap <= self.plan.tolerance;
    return glint_solve_finish_path(&self, error) && glint_solve_uncertainty(&self, error) && glint_solve_write(&self, *converged, error);
}
