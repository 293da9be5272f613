/* From samples to edges with p-values: a chain of eight heavy-tailed variables, a rank-based covariance, lambda by the extended
 * BIC, and debiased tests of every pair.
 *   cc example_samples.c $(pkg-config --cflags --libs ggm) -lm -o example_samples */
#include <ggm/select.h>
#include <ggm/uncertainty.h>

#include <math.h>
#include <stdio.h>

#define N 400
#define P 8

/* Samples of a chain, cubed: what depends on what stays, the distribution is far from Gaussian */
static void draw(double *x)
{
    unsigned state = 1;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < P; j++) {
            double sum = 0;
            for (int k = 0; k < 12; k++) { /* twelve uniform numbers add up to nearly a normal one */
                state = state * 1664525u + 1013904223u;
                sum += (double)(state >> 8) / 16777216.0;
            }
            double before = j > 0 ? cbrt(x[i * P + j - 1]) : 0;
            x[i * P + j] = pow(0.6 * before + 0.8 * (sum - 6), 3);
        }
}

int main(void)
{
    static double x[N * P];
    draw(x);
    const ggm_samples samples = {.n = N, .p = P, .x = x};
    const ggm_covariance_settings robust = {.transform = GGM_TRANSFORM_NPN};
    ggm_problem problem;
    ggm_default_problem(&problem);
    problem.p = P;
    problem.samples = &samples;
    problem.covariance = &robust;

    ggm_select_settings select; /* the extended BIC is the default */
    ggm_default_select_settings(&select);
    ggm_selection selection;
    ggm_status status = ggm_select(&problem, NULL, &select, &selection);
    if (status != GGM_OK || selection.status != GGM_OK) {
        fprintf(stderr, "example_samples: %s\n", ggm_status_text(status != GGM_OK ? status : selection.status));
        return 1;
    }
    ggm_debias_result debiased;
    problem.lambda = selection.lambda;
    status = ggm_debias(&problem, &selection.result.precision, N, NULL, NULL, &debiased);
    if (status != GGM_OK) {
        fprintf(stderr, "example_samples: %s\n", ggm_status_text(status));
        ggm_selection_release(&selection);
        return 1;
    }
    size_t chain = 0;
    for (size_t k = 0; k < debiased.count; k++) {
        const ggm_debias_pair *pair = &debiased.pairs[k];
        printf("%d -- %d  partial correlation %+.2f, q %.1e\n", pair->i, pair->j, pair->partial, pair->q_value);
        chain += pair->j == pair->i + 1;
    }
    printf("lambda %.3f; %zu of %d neighbours in the chain found, %zu other pairs\n", selection.lambda, chain, P - 1, debiased.count - chain);
    ggm_debias_result_release(&debiased);
    ggm_selection_release(&selection);
    return 0;
}
