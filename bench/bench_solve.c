/* Graphical lasso: solves one problem with libggm, or with the glassoFast algorithm (peer_glassofast.c), or reads another program's answer,
 * and lets ggm_certify, which knows nothing of who found it, say how good it is. What bench/race.py is built on.
 *
 *   bench_solve FILE.npy LAMBDA [--solver auto|bcd|newton|sglasso|glassofast] [--tolerance T] [--penalize] [--threads N] [--json]
 *   bench_solve FILE.npy LAMBDA --answer PRECISION.npy [--penalize]      certificate of a dense answer; its two triangles are averaged
 *   bench_solve FILE.npy LAMBDA --path 20                                a warm path down to LAMBDA against one cold solve there
 *   bench_solve FILE.npy 0 --inverse                                     dpotrf + dpotri at this size: how far the limit is
 *
 * Seconds are wall time of the call, the best of as many runs as fit into a second (at most 5). Peak memory is the process's largest
 * resident set until then, S included. --json prints one line of JSON in place of a sentence. */
#include "base/npy.h"
#include "bench.h"
#include "ggm/ggm.h"
#include "peer_glassofast.h"

#include <lapacke.h>
#include <math.h>
#include <omp.h>
#include <string.h>

static char *solver, *answer, **positional;
static double tolerance = 1e-6;
static gboolean penalize, json, inverse;
static int threads, path, most_sweeps = 10000;

static const GOptionEntry options[] = {
    {"solver", 0, 0, G_OPTION_ARG_STRING, &solver, "libggm's, or the peer glassofast", "NAME"},
    {"tolerance", 0, 0, G_OPTION_ARG_DOUBLE, &tolerance, "relative gap; for glassofast its own threshold", "T"},
    {"penalize", 0, 0, G_OPTION_ARG_NONE, &penalize, "penalise the diagonal", NULL},
    {"threads", 0, 0, G_OPTION_ARG_INT, &threads, "0 = OMP_NUM_THREADS", "N"},
    {"sweeps", 0, 0, G_OPTION_ARG_INT, &most_sweeps, "at most", "N"},
    {"answer", 0, 0, G_OPTION_ARG_FILENAME, &answer, "judge this precision matrix", "FILE"},
    {"path", 0, 0, G_OPTION_ARG_INT, &path, "this many lambdas, log-spaced from the largest that matters", "N"},
    {"inverse", 0, 0, G_OPTION_ARG_NONE, &inverse, "time dpotrf + dpotri only", NULL},
    {"json", 0, 0, G_OPTION_ARG_NONE, &json, "print one line of JSON", NULL},
    {G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &positional, NULL, NULL},
    {NULL, 0, 0, 0, NULL, NULL, NULL}};

/* What a run found, before it is judged */
typedef struct {
    ggm_sparse precision;
    double seconds;
    int iterations;
    double own_gap;      /* as libggm's info says; NAN for others */
    const char *name;    /* of the solver that ran */
} found;

#define REPEAT(best, statement) \
    do { \
        double repeat_total = 0, repeat_took; \
        (best) = INFINITY; \
        for (int repeat = 0; repeat == 0 || (repeat < 5 && repeat_total < 1); repeat++) { \
            BENCH(repeat_took, 1, statement); \
            (best) = fmin(best, repeat_took); \
            repeat_total += repeat_took; \
        } \
    } while (0)

static GlintArray *read_square(const char *file)
{
    g_autoptr(GError) error = NULL;
    GlintArray *array = glint_npy_read(file, GLINT_F64, &error);
    if (!array)
        g_error("%s", error->message);
    bench_require(array->n_dims == 2 && array->shape[0] == array->shape[1] && array->shape[0] > 0, "not a square matrix");
    return array;
}

static double inverse_seconds(const double *s, size_t p)
{
    double best, *a = malloc(p * p * sizeof *a);
    bench_require(a != NULL, "no memory");
    BENCH(best, p > 3000 ? 1 : 3, {
        memcpy(a, s, p * p * sizeof *a);
        for (size_t i = 0; i < p; i++)
            a[i * p + i] += 1; /* any positive definite matrix will do */
        bench_require(LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'U', (int)p, a, (int)p) == 0 && LAPACKE_dpotri(LAPACK_ROW_MAJOR, 'U', (int)p, a, (int)p) == 0, "dpotrf");
    });
    free(a);
    return best;
}

/* Dense -> sparse, the two triangles averaged: some programs return an answer that is not quite symmetric. */
static ggm_sparse sparse_of(const double *a, size_t p)
{
    ggm_sparse t = {.p = p, .start = g_new0(size_t, p + 1)};
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            t.nnz += a[i * p + j] + a[j * p + i] != 0;
    t.index = g_new(int, t.nnz);
    t.value = g_new(double, t.nnz);
    size_t at = 0;
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < p; j++) {
            double x = (a[i * p + j] + a[j * p + i]) / 2;
            if (x == 0)
                continue;
            t.index[at] = (int)j;
            t.value[at++] = x;
        }
        t.start[i + 1] = at;
    }
    return t;
}

static ggm_settings settings_of(void)
{
    static const char *const names[] = {[GGM_SOLVER_AUTO] = "auto", [GGM_SOLVER_BCD] = "bcd", [GGM_SOLVER_NEWTON] = "newton", [GGM_SOLVER_SGLASSO] = "sglasso"};
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.tolerance = tolerance;
    settings.max_iterations = most_sweeps;
    settings.threads = threads;
    size_t k = 0;
    while (solver && k < G_N_ELEMENTS(names) && strcmp(names[k], solver) != 0)
        k++;
    bench_require(k < G_N_ELEMENTS(names), "no such solver");
    settings.solver = (ggm_solver)k;
    return settings;
}

static found run_libggm(const ggm_problem *problem)
{
    const ggm_settings settings = settings_of();
    ggm_result result = {0};
    found f = {0};
    REPEAT(f.seconds, {
        ggm_result_release(&result);
        ggm_status status = ggm_solve(problem, &settings, &result);
        bench_require(status == GGM_OK, ggm_status_text(status));
    });
    bench_require(settings.solver == GGM_SOLVER_AUTO || strcmp(result.info.solver, solver) == 0, "another solver ran than the one that was asked for");
    f.precision = result.precision; /* taken over */
    f.iterations = result.info.iterations;
    f.own_gap = result.info.relative_duality_gap;
    f.name = result.info.solver;
    return f;
}

static found run_glassofast(const ggm_problem *problem)
{
    const size_t p = problem->p;
    bench_require(penalize, "glassofast penalises the diagonal: --penalize");
    double *theta = malloc(p * p * sizeof *theta);
    bench_require(theta != NULL, "no memory");
    found f = {.own_gap = NAN, .name = "glassofast"};
    REPEAT(f.seconds, f.iterations = peer_glassofast(p, problem->s, problem->lambda, tolerance, most_sweeps, theta));
    bench_require(f.iterations > 0, "no memory");
    f.precision = sparse_of(theta, p);
    free(theta);
    return f;
}

static found read_answer(size_t p)
{
    g_autoptr(GlintArray) theta = read_square(answer);
    bench_require(theta->shape[0] == p, "the answer has another size");
    return (found){.precision = sparse_of(theta->data, p), .own_gap = NAN, .name = "answer"};
}

/* Largest resident set of this program so far. (Not getrusage's: that one starts with what the parent held before exec.) */
static double peak_bytes(void)
{
    g_autofree char *status = NULL;
    bench_require(g_file_get_contents("/proc/self/status", &status, NULL, NULL), "/proc/self/status");
    const char *line = strstr(status, "VmHWM:");
    bench_require(line != NULL, "/proc/self/status has no VmHWM");
    return 1024 * g_ascii_strtod(line + strlen("VmHWM:"), NULL);
}

/* JSON has no infinity */
static const char *number(char *space, double x)
{
    if (!isfinite(x))
        return "null";
    g_ascii_formatd(space, G_ASCII_DTOSTR_BUF_SIZE, "%.12g", x);
    return space;
}

static void judge(const ggm_problem *problem, const found *f)
{
    const double memory = peak_bytes() / (8.0 * (double)problem->p * (double)problem->p), area = (double)problem->p * (double)problem->p;
    ggm_certificate c;
    ggm_status status = ggm_certify(problem, &f->precision, threads, &c);
    bench_require(status == GGM_OK, ggm_status_text(status));
    char gap[G_ASCII_DTOSTR_BUF_SIZE], own[G_ASCII_DTOSTR_BUF_SIZE], objective[G_ASCII_DTOSTR_BUF_SIZE], kkt[G_ASCII_DTOSTR_BUF_SIZE];
    if (json)
        printf("{\"solver\": \"%s\", \"p\": %zu, \"lambda\": %.12g, \"penalize\": %s, \"tolerance\": %g, \"threads\": %d, \"seconds\": %.6f, \"iterations\": %d, "
               "\"gap\": %s, \"own_gap\": %s, \"objective\": %s, \"kkt\": %s, \"nonzeros\": %zu, \"density\": %.6g, \"memory\": %.3f}\n",
               f->name, problem->p, problem->lambda, penalize ? "true" : "false", tolerance, threads ? threads : omp_get_max_threads(), f->seconds,
               f->iterations, number(gap, c.relative_duality_gap), number(own, f->own_gap), number(objective, c.objective),
               number(kkt, c.kkt_residual), c.nonzeros, (double)c.nonzeros / area, memory);
    else
        printf("solve     %s lambda %g, %s, %d threads: %.3f s, certified relative gap %.1e, %.2f %% nonzero, %d iterations, peak memory %.1f p^2 doubles\n",
               positional[0], problem->lambda, f->name, threads ? threads : omp_get_max_threads(), f->seconds, c.relative_duality_gap,
               100.0 * (double)c.nonzeros / area, f->iterations, memory);
}

/* `path` lambdas from the largest that matters down to lambda, against one cold solve of the last */
static void run_path(const ggm_problem *problem)
{
    const ggm_settings settings = settings_of();
    ggm_workspace *workspace = NULL;
    ggm_result result = {0};
    double warm, cold;
    bench_require(path > 1, "a path has at least two lambdas");
    BENCH(warm, 1, {
        bench_require(ggm_workspace_new(problem, &settings, &workspace) == GGM_OK, "ggm_workspace_new");
        const double first = ggm_workspace_lambda_max(workspace);
        for (int k = 0; k < path; k++) {
            ggm_result_release(&result);
            double lambda = first * pow(problem->lambda / first, (double)k / (path - 1));
            bench_require(ggm_workspace_solve(workspace, lambda, &result) == GGM_OK && result.info.outcome == GGM_CONVERGED, "ggm_workspace_solve");
        }
        ggm_workspace_free(workspace);
    });
    ggm_result_release(&result);
    REPEAT(cold, {
        ggm_result_release(&result);
        bench_require(ggm_solve(problem, &settings, &result) == GGM_OK && result.info.outcome == GGM_CONVERGED, "ggm_solve");
    });
    ggm_result_release(&result);
    if (json)
        printf("{\"path\": %d, \"seconds\": %.6f, \"cold_seconds\": %.6f}\n", path, warm, cold);
    else
        printf("path      %s, %d lambdas down to %g: %.3f s, %.2f times one cold solve of the last (%.3f s)\n", positional[0], path, problem->lambda,
               warm, warm / cold, cold);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("FILE.npy LAMBDA");
    g_option_context_add_main_entries(context, options, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error))
        g_error("%s", error->message);
    bench_require(positional && positional[0] && positional[1], "usage: bench_solve FILE.npy LAMBDA [OPTIONS]; see bench_solve.c");
    if (threads > 0)
        omp_set_num_threads(threads);
    g_autoptr(GlintArray) s = read_square(positional[0]);
    ggm_problem problem;
    ggm_default_problem(&problem);
    problem.p = s->shape[0];
    problem.s = s->data;
    problem.lambda = g_ascii_strtod(positional[1], NULL);
    problem.penalize_diagonal = penalize;
    if (inverse) {
        double seconds = inverse_seconds(s->data, problem.p);
        printf(json ? "{\"p\": %zu, \"inverse_seconds\": %.6f}\n" : "inverse   p %zu: dpotrf + dpotri %.3f s\n", problem.p, seconds);
        return 0;
    }
    if (path) {
        run_path(&problem);
        return 0;
    }
    found f = answer ? read_answer(problem.p) : g_strcmp0(solver, "glassofast") == 0 ? run_glassofast(&problem) : run_libggm(&problem);
    judge(&problem, &f);
    return 0;
}
