/* One solve and the files it leaves: neurons.csv, precision.npz, certificate.json, and dense matrices when they are small.
 * See results.h. The certificate is libggm's, computed apart from the solver. */
#include "base/error.h"
#include "base/files.h"
#include "base/npy.h"
#include "base/talk.h"
#include "cli/results.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DENSE_LIMIT = 4096 }; /* beyond this many neurons dense matrices are written on request only (DESIGN 5) */
#define DEFAULT_DEGREE 6.0   /* average neighbours of a neuron when no lambda is given: a graph that can be read */

typedef struct { double lambda /* NAN: by degree */, degree, tolerance; } SolveNumbers;

static gboolean read_numbers(const GlintSolveArgs *args, SolveNumbers *numbers, GError **error)
{
    *numbers = (SolveNumbers){.lambda = NAN, .degree = DEFAULT_DEGREE, .tolerance = 0};
    if (args->alpha && args->degree)
        return glint_fail(error, GLINT_ERROR_USAGE, "--alpha and --degree exclude each other: lambda is either given or found");
    return (!args->alpha || glint_args_real("--alpha", args->alpha, 0, 1e300, &numbers->lambda, error)) &&
           (!args->degree || glint_args_real("--degree", args->degree, 1e-6, 1e9, &numbers->degree, error)) &&
           (!args->tolerance || glint_args_real("--tol", args->tolerance, 1e-15, 1, &numbers->tolerance, error));
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

gboolean glint_solve_args_check(const GlintSolveArgs *args, GError **error)
{
    SolveNumbers numbers;
    gsize limit;
    return read_numbers(args, &numbers, error) && glint_neuron_limit(args->neurons, &limit, error);
}

char *glint_solve_key(const GlintSample *sample, const GlintSolveArgs *args)
{
    g_autofree char *text = g_strdup_printf("glint %s|%s|%s|p %zu|alpha %s|degree %s|tol %s|iterations %d|diagonal %d|scale %d|dense %d", GLINT_VERSION,
                                            sample->key, sample->site ? sample->site : "", sample->p, args->alpha ? args->alpha : "",
                                            args->degree ? args->degree : "", args->tolerance ? args->tolerance : "", args->max_iterations,
                                            args->penalize_diagonal, !args->no_scale, args->dense);
    return glint_sha256_bytes(text, strlen(text));
}

/* ---- files ---- */

static gboolean write_neurons(const GlintSample *sample, const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "neurons.csv", NULL);
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    fprintf(out, "row,neuron,column,mean,sd\n");
    for (gsize i = 0; i < sample->p; i++) {
        char mean[G_ASCII_DTOSTR_BUF_SIZE] = "", sd[G_ASCII_DTOSTR_BUF_SIZE] = "";
        if (sample->mean) {
            g_ascii_dtostr(mean, sizeof mean, sample->mean[i]);
            g_ascii_dtostr(sd, sizeof sd, sample->sd[i]);
        }
        fprintf(out, "%zu,%s,%zu,%s,%s\n", i, sample->neurons[i], sample->column[i], mean, sd);
    }
    return glint_file_commit(g_steal_pointer(&file), error);
}

static GlintCsr *to_csr(const ggm_sparse *matrix)
{
    GlintCsr *csr = g_new0(GlintCsr, 1);
    csr->rows = csr->cols = matrix->p;
    csr->nnz = matrix->nnz;
    csr->indptr = g_new(gint64, matrix->p + 1);
    csr->indices = g_new(gint32, matrix->nnz + 1);
    csr->data = g_new(double, matrix->nnz + 1);
    for (gsize i = 0; i <= matrix->p; i++)
        csr->indptr[i] = (gint64)matrix->start[i];
    for (gsize k = 0; k < matrix->nnz; k++) {
        csr->indices[k] = matrix->index[k];
        csr->data[k] = matrix->value[k];
    }
    return csr;
}

static gboolean writes_dense(const GlintSample *sample, const GlintSolveArgs *args) { return sample->p <= DENSE_LIMIT || args->dense; }

gboolean glint_has_solution(const char *folder, const GlintSample *sample, const GlintSolveArgs *args)
{
    const char *const names[] = {"neurons.csv", "precision.npz", writes_dense(sample, args) ? "covariance.npy" : NULL, "precision.npy", NULL};
    g_autofree char *npz = g_build_filename(folder, "precision.npz", NULL);
    g_autoptr(GlintCsr) precision = glint_has_files(folder, names) ? glint_csr_read(npz, NULL) : NULL;
    return precision && precision->rows == sample->p && precision->cols == sample->p;
}

static gboolean write_dense(const GlintSample *sample, const ggm_sparse *precision, const char *folder, GError **error)
{
    gsize p = sample->p, shape[2] = {p, p};
    g_autofree char *covariance_path = g_build_filename(folder, "covariance.npy", NULL);
    g_autofree char *precision_path = g_build_filename(folder, "precision.npy", NULL);
    g_autofree double *dense = g_try_malloc0_n(p * p, sizeof *dense);
    if (!dense)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory for the dense precision matrix (%.1f GB); leave --dense out", (double)p * (double)p * 8e-9);
    for (gsize i = 0; i < p; i++)
        for (gsize k = precision->start[i]; k < precision->start[i + 1]; k++)
            dense[i * p + (gsize)precision->index[k]] = precision->value[k];
    return glint_npy_write(covariance_path, GLINT_F64, 2, shape, sample->covariance, error) &&
           glint_npy_write(precision_path, GLINT_F64, 2, shape, dense, error);
}

/* JSON has no infinity: a gap that could not be certified is written as null. */
static json_t *number_or_null(double x) { return isfinite(x) ? json_real(x) : json_null(); }

static gboolean write_certificate(const GlintSample *sample, const GlintSolveArgs *args, const SolveNumbers *numbers, const ggm_info *info,
                                  const char *basis, gboolean converged, const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "certificate.json", NULL);
    g_autofree char *key = glint_solve_key(sample, args);
    gsize edges = (info->nonzeros - sample->p) / 2;
    g_autoptr(json_t) root = json_object();
    if (sample->site)
        json_object_set_new(root, "site", json_string(sample->site));
    if (sample->class_name)
        json_object_set_new(root, "class", json_string(sample->class_name));
    if (sample->n)
        json_object_set_new(root, "n", json_integer((json_int_t)sample->n));
    json_object_set_new(root, "p", json_integer((json_int_t)sample->p));
    json_object_set_new(root, "columns", json_integer((json_int_t)sample->width));
    json_object_set_new(root, "constant_columns", json_integer((json_int_t)sample->n_constant));
    json_object_set_new(root, "lambda", json_real(info->lambda));
    json_object_set_new(root, "lambda_rule", isnan(numbers->lambda) ? json_sprintf("average degree %g", numbers->degree) : json_string("given"));
    json_object_set_new(root, "penalize_diagonal", json_boolean(args->penalize_diagonal));
    json_object_set_new(root, "correlation_scaled", json_boolean(!args->no_scale));
    json_object_set_new(root, "objective", number_or_null(info->objective));
    json_object_set_new(root, "duality_gap", number_or_null(info->duality_gap));
    json_object_set_new(root, "relative_duality_gap", number_or_null(info->relative_duality_gap));
    json_object_set_new(root, "kkt_residual", number_or_null(info->kkt_residual));
    json_object_set_new(root, "certified_from", json_string(basis));
    json_object_set_new(root, "tolerance", number_or_null(numbers->tolerance));
    json_object_set_new(root, "nonzeros", json_integer((json_int_t)info->nonzeros));
    json_object_set_new(root, "edges", json_integer((json_int_t)edges));
    json_object_set_new(root, "density", json_real(sample->p > 1 ? 2.0 * (double)edges / ((double)sample->p * (double)(sample->p - 1)) : 0));
    json_object_set_new(root, "average_degree", json_real(2.0 * (double)edges / (double)sample->p));
    json_object_set_new(root, "components", json_integer((json_int_t)info->components));
    json_object_set_new(root, "largest_component", json_integer((json_int_t)info->largest_component));
    json_object_set_new(root, "iterations", json_integer(info->iterations));
    json_object_set_new(root, "seconds", json_real(info->seconds));
    json_object_set_new(root, "threads", json_integer(info->threads));
    json_object_set_new(root, "solver", json_string(info->solver));
    json_object_set_new(root, "outcome", json_string(converged || info->outcome != GGM_CONVERGED ? ggm_outcome_text(info->outcome) : "not certified"));
    json_object_set_new(root, "key", json_string(key));
    return glint_json_write(path, root, error);
}

/* ---- the solve ---- */

static bool stop_asked(void *user_data)
{
    (void)user_data;
    return glint_interrupted();
}

typedef struct { GlintProgress *bar; } SolveProgress;

static void show_progress(double lambda, int iteration, double gap, void *user_data)
{
    SolveProgress *progress = user_data;
    g_autofree char *note = isfinite(gap) ? g_strdup_printf("lambda %.4g, relative gap %.1e", lambda, gap) : g_strdup_printf("lambda %.4g", lambda);
    glint_progress_update(progress->bar, iteration, note);
}

static ggm_problem problem_of(const GlintSample *sample, const GlintSolveArgs *args, double lambda)
{
    ggm_problem problem;
    ggm_default_problem(&problem);
    problem.p = sample->p;
    problem.s = sample->covariance;
    problem.lambda = lambda;
    problem.penalize_diagonal = args->penalize_diagonal;
    problem.scale = !args->no_scale;
    return problem;
}

/* The certificate is taken from the precision matrix alone, and its dual point is not as good as the one the solver steers by:
 * at the same matrix its gap is up to 80 times larger (measured). The solver therefore aims this much lower than it is asked to. */
static double solver_tolerance(double tolerance) { return MIN(tolerance, MAX(tolerance * 0.01, 1e-13)); }

/* "positive blocks.3.mlp.hook_post" */
static char *subject_of(const GlintSample *sample)
{
    return sample->class_name ? g_strconcat(sample->class_name, " ", sample->site ? sample->site : "", NULL) : g_strdup("the matrix");
}

/* The search for lambda ends at the nearest degree it met, which may be far off: more is asked than there are neurons, or than the
 * smallest lambda of the path gives. */
static void warn_degree(const GlintSample *sample, const SolveNumbers *numbers, const ggm_info *info)
{
    double degree = (double)(info->nonzeros - sample->p) / (double)sample->p;
    if (!isnan(numbers->lambda) || fabs(degree - numbers->degree) <= 0.1 * numbers->degree)
        return;
    g_autofree char *subject = subject_of(sample);
    glint_warn("%s: no lambda gives an average degree of %g; the nearest that was found is %.3g, at lambda %.4g (choose another --degree, or --alpha)", subject,
               numbers->degree, degree, info->lambda);
}

static gboolean run_solver(const GlintSample *sample, const GlintSolveArgs *args, SolveNumbers *numbers, int threads, ggm_result *result, GError **error)
{
    ggm_problem problem = problem_of(sample, args, isnan(numbers->lambda) ? 0 : numbers->lambda);
    g_autoptr(GlintProgress) bar = glint_progress_new("solve", 0, "sweeps");
    SolveProgress progress = {bar};
    ggm_settings settings;
    ggm_default_settings(&settings);
    if (numbers->tolerance == 0)
        numbers->tolerance = settings.tolerance;
    settings.tolerance = solver_tolerance(numbers->tolerance);
    if (args->max_iterations > 0)
        settings.max_iterations = args->max_iterations;
    settings.threads = threads;
    settings.interrupt = stop_asked;
    settings.progress = show_progress;
    settings.user_data = &progress;
    ggm_status status = isnan(numbers->lambda) ? ggm_solve_degree(&problem, &settings, numbers->degree, result) : ggm_solve(&problem, &settings, result);
    if (status == GGM_OK)
        return TRUE;
    g_autofree char *subject = subject_of(sample);
    return glint_fail(error, GLINT_ERROR_DATA, "%s: the graphical lasso has no answer: %s", subject, ggm_status_text(status));
}

/* Replaces the solver's account of its answer by one that trusts nothing of the solver. Without memory for that (three dense
 * matrices), or without a positive definite dual point near an unfinished answer, the solver's own proof stays. Returns which. */
static const char *certify(const GlintSample *sample, const GlintSolveArgs *args, int threads, ggm_result *result)
{
    ggm_problem problem = problem_of(sample, args, result->info.lambda);
    ggm_certificate certificate;
    if (ggm_certify(&problem, &result->precision, threads, &certificate) != GGM_OK || !isfinite(certificate.duality_gap))
        return "the solver's dual point";
    result->info.objective = certificate.objective;
    result->info.duality_gap = certificate.duality_gap;
    result->info.relative_duality_gap = certificate.relative_duality_gap;
    result->info.kkt_residual = certificate.kkt_residual;
    return "the precision matrix alone";
}

gboolean glint_job_solve(const GlintSample *sample, const GlintSolveArgs *args, int threads, const char *folder, gboolean *converged, GError **error)
{
    SolveNumbers numbers;
    if (!read_numbers(args, &numbers, error))
        return FALSE;
    ggm_result result = {0};
    if (!run_solver(sample, args, &numbers, threads, &result, error))
        return FALSE;
    warn_degree(sample, &numbers, &result.info);
    const char *basis = certify(sample, args, threads, &result);
    *converged = result.info.outcome == GGM_CONVERGED && result.info.relative_duality_gap <= numbers.tolerance;
    g_autofree char *npz = g_build_filename(folder, "precision.npz", NULL);
    g_autoptr(GlintCsr) csr = to_csr(&result.precision);
    gboolean ok = result.info.outcome != GGM_INTERRUPTED || glint_check_interrupt(error);
    ok = ok && write_neurons(sample, folder, error) && glint_csr_write(npz, csr, error);
    if (ok && writes_dense(sample, args))
        ok = write_dense(sample, &result.precision, folder, error);
    ok = ok && write_certificate(sample, args, &numbers, &result.info, basis, *converged, folder, error);
    ggm_result_release(&result);
    return ok;
}
