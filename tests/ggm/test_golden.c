/* Agreement with scikit-learn 1.9.1's graphical_lasso on well-conditioned problems; golden.py made the numbers. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>

typedef struct {
    int p, n;
    double lambda, objective;
    size_t nonzeros;
    double first, second, last; /* T at (0, 0), (1, 0), (p - 1, p - 3) */
} golden;

static const golden goldens[] = {
    {6, 9, 0.05, 5.882001143265, 22, 1.0158760162, 0.0900295062, 0.0000000000},
    {10, 7, 0.1, 8.947477407837, 28, 1.0012335660, 0.0246314127, 0.0000000000},
    {25, 12, 0.15, 22.994532369115, 135, 1.2458732641, 0.0000000000, 0.0000000000},
};

static double *formula_matrix(int p, int n)
{
    double *s = malloc((size_t)p * (size_t)p * sizeof *s);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++) {
            double sum = 0;
            for (int k = 0; k < n; k++)
                sum += sin(1.0 + 3 * i + 7 * k + i * k) * sin(1.0 + 3 * j + 7 * k + j * k);
            s[i * p + j] = sum / n + (i == j ? 0.3 : 0);
        }
    return s;
}

static double at(const ggm_sparse *t, int i, int j)
{
    for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
        if (t->index[k] == j)
            return t->value[k];
    return 0;
}

static void test_scikit_learn(void **state)
{
    (void)state;
    for (size_t g = 0; g < sizeof goldens / sizeof *goldens; g++) {
        const golden *want = &goldens[g];
        const int p = want->p;
        double *s = formula_matrix(p, want->n);
        ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = want->lambda, .scale = true};
        ggm_settings settings;
        ggm_default_settings(&settings);
        settings.tolerance = 1e-12;
        ggm_result result;
        assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
        assert_int_equal(result.info.outcome, GGM_CONVERGED);
        assert_answer(&problem, &result, 1e-12);
        assert_true(fabs(result.info.objective - want->objective) <= 1e-10 * fabs(want->objective));
        assert_int_equal(result.info.nonzeros, want->nonzeros);
        const double expected[3] = {want->first, want->second, want->last};
        const int row[3] = {0, 1, p - 1}, column[3] = {0, 0, p - 3};
        for (int k = 0; k < 3; k++) { /* scikit-learn's are of the correlation matrix */
            double unit = sqrt(s[row[k] * p + row[k]] * s[column[k] * p + column[k]]);
            assert_true(fabs(at(&result.precision, row[k], column[k]) * unit - expected[k]) <= 1e-6);
        }
        ggm_result_release(&result);
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scikit_learn)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
