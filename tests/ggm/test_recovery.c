/* A planted sparse precision is found again from samples. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>

static double f1(const double *truth, const ggm_sparse *t, int p, double *precision, double *recall)
{
    int found = 0, right = 0, there = 0;
    for (int i = 0; i < p; i++) {
        for (int j = 0; j < i; j++)
            there += truth[i * p + j] != 0;
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            if (t->index[k] < i) {
                found++;
                right += truth[i * p + t->index[k]] != 0;
            }
    }
    *precision = found ? (double)right / found : 0;
    *recall = there ? (double)right / there : 0;
    return right ? 2 * *precision * *recall / (*precision + *recall) : 0;
}

static void test_planted(void **state)
{
    (void)state;
    static const struct {
        int p, n;
        double degree, wanted;
    } cases[] = {{50, 2000, 2, 0.97}, {100, 4000, 3, 0.95}, {150, 6000, 3, 0.95}};
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++) {
        const int p = cases[c].p;
        rng r = rng_seeded(100 + c);
        double *truth = sparse_truth(&r, p, cases[c].degree), *s = sample_covariance(&r, truth, p, cases[c].n), edges = 0;
        for (int i = 0; i < p; i++)
            for (int j = 0; j < i; j++)
                edges += truth[i * p + j] != 0;
        ggm_problem problem = {.p = (size_t)p, .s = s, .scale = true};
        ggm_result result;
        assert_int_equal(ggm_solve_degree(&problem, NULL, 2 * edges / p, &result), GGM_OK);
        problem.lambda = result.info.lambda;
        assert_answer(&problem, &result, 1e-7);
        double precision, recall, score = f1(truth, &result.precision, p, &precision, &recall);
        print_message("p %d, n %d, %g edges: lambda %.3f, precision %.3f, recall %.3f, F1 %.3f\n", p, cases[c].n, edges, result.info.lambda, precision, recall, score);
        assert_true(score >= cases[c].wanted);
        for (int i = 0; i < p; i++) /* signs of what was found rightly */
            for (size_t k = result.precision.start[i]; k < result.precision.start[i + 1]; k++)
                if (truth[i * p + result.precision.index[k]] != 0)
                    assert_true(truth[i * p + result.precision.index[k]] * result.precision.value[k] > 0);
        ggm_result_release(&result);
        free(truth);
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_planted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
