/* The smallest complete use of libggm: a chain of five variables, of which only neighbours depend on each other directly.
 *   cc example.c $(pkg-config --cflags --libs ggm) -o example */
#include <ggm/ggm.h>

#include <math.h>
#include <stdio.h>

#define P 5

int main(void)
{
    double s[P * P]; /* correlation 0.6^|i-j|: the covariance of a chain (an autoregression) */
    for (int i = 0; i < P; i++)
        for (int j = 0; j < P; j++)
            s[i * P + j] = pow(0.6, i > j ? i - j : j - i);

    ggm_problem problem;
    ggm_default_problem(&problem);
    problem.p = P;
    problem.s = s;
    problem.lambda = 0.05;

    ggm_result result;
    ggm_status status = ggm_solve(&problem, NULL, &result);
    if (status != GGM_OK) {
        fprintf(stderr, "example: %s\n", ggm_status_text(status));
        return 1;
    }
    const ggm_sparse *t = &result.precision;
    for (size_t i = 0; i < t->p; i++)
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            if ((size_t)t->index[k] > i)
                printf("%zu -- %d  precision %+.4f\n", i, t->index[k], t->value[k]);

    ggm_certificate proof;
    status = ggm_certify(&problem, t, 0, &proof);
    printf("libggm %s: %s, objective %.6f, relative gap below 1e-6: %s\n", ggm_version(), ggm_outcome_text(result.info.outcome), proof.objective,
           status == GGM_OK && proof.relative_duality_gap < 1e-6 ? "yes" : "no");
    ggm_result_release(&result);
    return status == GGM_OK && proof.relative_duality_gap < 1e-6 ? 0 : 1;
}
