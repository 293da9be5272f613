/* Graphical lasso: seconds to a relative duality gap, as libggm's certificate confirms it, and as a multiple of one
 * dpotrf + dpotri at the same size, which says how far the limit is.
 *   bench_solve FILE.npy LAMBDA [TOLERANCE] [penalize] */
#include "base/npy.h"
#include "bench.h"
#include "ggm/ggm.h"

#include <lapacke.h>
#include <math.h>
#include <omp.h>
#include <string.h>

static double inverse_seconds(const double *s, gsize p)
{
    double best, *a = malloc(p * p * sizeof *a);
    bench_require(a != NULL, "no memory");
    BENCH(best, 3, {
        memcpy(a, s, p * p * sizeof *a);
        for (gsize i = 0; i < p; i++)
            a[i * p + i] += 1; /* any positive definite matrix will do */
        bench_require(LAPACKE_dpotrf(LAPACK_ROW_MAJOR, 'U', (int)p, a, (int)p) == 0 && LAPACKE_dpotri(LAPACK_ROW_MAJOR, 'U', (int)p, a, (int)p) == 0, "dpotrf");
    });
    free(a);
    return best;
}

int main(int argc, char **argv)
{
    bench_require(argc >= 3, "usage: bench_solve FILE.npy LAMBDA [TOLERANCE] [penalize]");
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintArray) s = glint_npy_read(argv[1], GLINT_F64, &error);
    if (!s)
        g_error("%s", error->message);
    gsize p = s->shape[0];
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.tolerance = argc > 3 ? strtod(argv[3], NULL) : 1e-6;
    ggm_problem problem = {.p = p, .s = s->data, .lambda = strtod(argv[2], NULL), .penalize_diagonal = argc > 4, .scale = true};
    ggm_result result = {0};
    double best;
    BENCH(best, 3, {
        ggm_result_release(&result);
        memset(&result, 0, sizeof result);
        bench_require(ggm_solve(&problem, &settings, &result) == GGM_OK, "ggm_solve");
    });
    const ggm_info *info = &result.info;
    bench_require(info->outcome == GGM_CONVERGED && info->relative_duality_gap <= settings.tolerance, "not converged");
    double inverse = inverse_seconds(s->data, p);
    printf("solve     %s p %zu lambda %s, %d threads: %.3f s, relative gap %.1e, %.2f %% nonzero, %d iterations; %.1f x dpotrf+dpotri\n", argv[1], p, argv[2],
           omp_get_max_threads(), best, info->relative_duality_gap, 100.0 * (double)info->nonzeros / ((double)p * (double)p), info->iterations, best / inverse);
    ggm_result_release(&result);
    return 0;
}
