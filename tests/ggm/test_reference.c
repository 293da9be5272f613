/* Public benchmark matrices with optima that several codes agree on (shared/research/graphical-lasso.md, 3.1 and 3.9). Skipped
 * where the matrices are not at hand. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
    const char *file;
    double lambda, optimum, known; /* known: relative accuracy of the number */
    bool scale;
} reference;

static const reference references[] = {
    {"er_692.npy", 0.5, 923.10424604239, 1e-12, true}, {"er_692.npy", 0.3, 706.7220903, 1e-10, true},       {"er_692.npy", 0.1, 251.188770166, 1e-11, true},
    {"mazumder_5.npy", 0.004, -14.819394314, 1e-9, false}, {"mazumder_50.npy", 0.02, -51.273536419, 2e-7, false},
};

static double *load(const char *file, size_t *p)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/glasso/%s", GLINT_SHARED_DIR, file);
    double *s = read_square_npy(path, p);
    if (!s) {
        print_message("skipped: %s is not there\n", path);
        skip();
    }
    return s;
}

static void solve_and_compare(const reference *r, double tolerance, double agreement)
{
    size_t p;
    double *s = load(r->file, &p);
    ggm_problem problem = {.p = p, .s = s, .lambda = r->lambda, .penalize_diagonal = true, .scale = r->scale};
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.tolerance = tolerance;
    ggm_result result;
    assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
    assert_int_equal(result.info.outcome, GGM_CONVERGED);
    double error = fabs(result.info.objective - r->optimum) / fabs(r->optimum);
    verdict v = assert_answer(&problem, &result, tolerance);
    ggm_certificate certificate;
    assert_int_equal(ggm_certify(&problem, &result.precision, 0, &certificate), GGM_OK);
    print_message("%s lambda %g: objective %.12g, off the reference by %.1e, gap %.1e, judge's gap %.1e, ggm_certify's %.1e, kkt %.1e, %d sweeps, %.2f s\n", r->file, r->lambda,
                  result.info.objective, error, result.info.relative_duality_gap, v.relative_gap, certificate.relative_duality_gap, v.kkt, result.info.iterations,
                  result.info.seconds);
    assert_true(error <= fmax(agreement, r->known));
    assert_true(result.info.objective >= r->optimum - fmax(1e-9, 2 * r->known) * fabs(r->optimum)); /* not below the optimum */
    assert_true(fabs(certificate.objective - result.info.objective) <= 1e-10 * fabs(r->optimum));
    assert_true(certificate.relative_duality_gap <= 1000 * tolerance);
    ggm_result_release(&result);
    free(s);
}

static void test_default_tolerance(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof references / sizeof *references; k++)
        solve_and_compare(&references[k], 1e-7, 1e-7);
}

static void test_tight_tolerance(void **state)
{
    (void)state;
    for (size_t k = 0; k < sizeof references / sizeof *references; k++)
        solve_and_compare(&references[k], 1e-10, 1e-9);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_default_tolerance), cmocka_unit_test(test_tight_tolerance)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
