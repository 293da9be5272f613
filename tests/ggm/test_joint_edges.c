/* The joint graphical lasso at its edges: bad and small input, stops, threads, starts. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/joint_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void assert_refused(const ggm_joint_problem *joint, ggm_status want)
{
    static const ggm_joint_result nothing = {0};
    ggm_joint_result result;
    memset(&result, 0x5a, sizeof result);
    assert_int_equal(ggm_joint_solve(joint, NULL, &result), want);
    assert_memory_equal(&result, &nothing, sizeof nothing);
}

static void test_arguments(void **state)
{
    (void)state;
    const double s[4] = {1, 0.5, 0.5, 1}, nan[4] = {1, NAN, NAN, 1}, zero[4] = {1, 0, 0, 0}, weights[2] = {1, 0}, one = 1;
    const ggm_problem good[2] = {{.p = 2, .s = s, .scale = true}, {.p = 2, .s = s, .scale = true}};
    ggm_problem bad[2];
    ggm_joint_problem joint = {.classes = 2, .problems = good, .lambda1 = 0.1, .lambda2 = 0.1}, other;
    ggm_joint_result result;
    double largest;
    ggm_certificate certificate;
    assert_int_equal(ggm_joint_solve(&joint, NULL, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_joint_lambda1_max(NULL, 0, &largest), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_joint_certify(&joint, NULL, 0, &certificate), GGM_ERROR_ARGUMENT);
    assert_refused(NULL, GGM_ERROR_ARGUMENT);
    for (int kind = 0; kind < 12; kind++) {
        memcpy(bad, good, sizeof good);
        other = joint;
        other.problems = bad;
        ggm_status want = GGM_ERROR_ARGUMENT;
        switch (kind) {
        case 0: other.classes = 0; break;
        case 1: other.classes = GGM_JOINT_CLASSES_MAX + 1; break;
        case 2: other.problems = NULL; break;
        case 3: other.lambda1 = -1; break;
        case 4: other.lambda2 = NAN; break;
        case 5: other.penalty = (ggm_joint_penalty)2; break;
        case 6: other.weights = weights; break;
        case 7: bad[1].p = 1; break;
        case 8: bad[1].scale = false; break;
        case 9: bad[1].weights = &one; break;
        case 10: bad[1].s = nan; want = GGM_ERROR_NOT_FINITE; break;
        default: bad[1].s = zero; want = GGM_ERROR_DIAGONAL; break;
        }
        assert_refused(&other, want);
    }
    assert_int_equal(ggm_joint_solve(&joint, NULL, &result), GGM_OK);
    result.precisions[1].value[1] *= 2;
    assert_int_equal(ggm_joint_certify(&joint, result.precisions, 0, &certificate), GGM_ERROR_NOT_SYMMETRIC);
    result.precisions[1].value[2] *= 2;
    result.precisions[1].value[0] = -1;
    assert_int_equal(ggm_joint_certify(&joint, result.precisions, 0, &certificate), GGM_OK);
    assert_false(certificate.positive_definite);
    assert_true(isinf(certificate.duality_gap));
    ggm_joint_result_release(&result);
    ggm_joint_result_release(&result);
    ggm_joint_result_release(NULL);
}

/* p = 1 and 2, duplicated variables, in single precision */
static void test_small(void **state)
{
    (void)state;
    static const float twins[2][9] = {{1, 1, 0.2f, 1, 1, 0.2f, 0.2f, 0.2f, 1}, {2, 2, 0.5f, 2, 2, 0.5f, 0.5f, 0.5f, 2}};
    for (int p = 1; p <= 3; p++)
        for (int kind = 0; kind < 4; kind++) {
            ggm_problem problems[2];
            double wide[2][9];
            float narrow[2][9];
            for (int k = 0; k < 2; k++) {
                for (int i = 0; i < p; i++)
                    for (int j = 0; j < p; j++)
                        wide[k][i * p + j] = narrow[k][i * p + j] = twins[k][i * 3 + j];
                problems[k] = (ggm_problem){.p = (size_t)p, .s32 = narrow[k]};
            }
            ggm_joint_problem joint = {.classes = 2, .problems = problems, .penalty = kind % 2 ? GGM_JOINT_FUSED : GGM_JOINT_GROUP, .lambda1 = 0.1, .lambda2 = 0.05,
                                       .penalize_diagonal = kind > 1};
            ggm_joint_result result;
            ggm_settings settings = tight(1e-11);
            assert_int_equal(ggm_joint_solve(&joint, &settings, &result), GGM_OK);
            assert_int_equal(result.info.outcome, GGM_CONVERGED);
            for (int k = 0; k < 2; k++)
                problems[k] = (ggm_problem){.p = (size_t)p, .s = wide[k]};
            assert_true(assert_joint(&joint, &result, 1e-11).relative_duality_gap < 1e-9);
            if (p == 1 && kind == 0)
                assert_true(fabs(result.precisions[1].value[0] - 0.5) < 1e-15);
            ggm_joint_result_release(&result);
        }
}

/* Fused with lambda1 = 0 is bounded only if the weighted mean of the S_k is positive definite: then it is solved, otherwise refused */
static void test_without_lambda1(void **state)
{
    (void)state;
    for (int n = 6; n <= 14; n += 8) {
        case_of c;
        random_case(&c, 38, 2, 16, n, false);
        c.joint.penalty = GGM_JOINT_FUSED;
        c.joint.lambda2 = 0.3;
        ggm_joint_result result;
        ggm_settings settings = tight(1e-7);
        settings.max_iterations = 100;
        if (n < 8) {
            assert_refused(&c.joint, GGM_ERROR_INDEFINITE);
        } else {
            assert_int_equal(ggm_joint_solve(&c.joint, &settings, &result), GGM_OK);
            assert_int_equal(result.info.outcome, GGM_CONVERGED);
            assert_joint(&c.joint, &result, 1e-7);
            ggm_joint_result_release(&result);
        }
        tear_down(&c);
    }
}

/* ---- stops, threads, starts ---- */
static bool at_once(void *user_data)
{
    int *calls = user_data;
    return ++*calls > 0;
}

static void test_interrupt(void **state)
{
    (void)state;
    case_of c;
    random_case(&c, 34, 3, 120, 60, true);
    c.joint.lambda1 = 0.05;
    for (int kind = 0; kind < 4; kind++) { /* group, fused; interrupt, time limit */
        c.joint.penalty = kind % 2 ? GGM_JOINT_FUSED : GGM_JOINT_GROUP;
        c.joint.lambda2 = 0.05;
        ggm_settings settings = tight(1e-9);
        ggm_joint_result best, result;
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &best), GGM_OK);
        int calls = 0;
        settings.user_data = &calls;
        settings.interrupt = kind < 2 ? at_once : NULL;
        settings.time_limit = kind < 2 ? 0 : 1e-9;
        for (int apart = 0; apart < 2; apart++) {
            c.joint.lambda2 = apart ? 0 : 0.05;
            assert_int_equal(ggm_joint_solve(&c.joint, &settings, &result), GGM_OK);
            assert_int_equal(result.info.outcome, kind < 2 ? GGM_INTERRUPTED : GGM_TIME_LIMIT);
            assert_joint(&c.joint, &result, 1);
            assert_true(isfinite(result.info.duality_gap) && result.info.duality_gap > 1e-3);
            assert_true(apart || result.info.duality_gap >= result.info.objective - best.info.objective - 1e-9);
            ggm_joint_result_release(&result);
        }
        ggm_joint_result_release(&best);
    }
    tear_down(&c);
}

static void test_iteration_limit(void **state)
{
    (void)state;
    case_of c;
    random_case(&c, 35, 2, 60, 40, true);
    c.joint.lambda1 = 0.05;
    c.joint.lambda2 = 0.02;
    ggm_settings settings = tight(1e-14);
    settings.max_iterations = 2;
    ggm_joint_result result;
    assert_int_equal(ggm_joint_solve(&c.joint, &settings, &result), GGM_OK);
    assert_int_equal(result.info.outcome, GGM_ITERATION_LIMIT);
    assert_int_equal(result.info.iterations, 2);
    assert_true(result.info.duality_gap > 0);
    assert_joint(&c.joint, &result, 1);
    ggm_joint_result_release(&result);
    tear_down(&c);
}

static void test_threads(void **state)
{
    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        case_of c;
        random_case(&c, 36, 3, 130, 100, true);
        c.joint.penalty = kind % 2 ? GGM_JOINT_FUSED : GGM_JOINT_GROUP;
        c.joint.lambda1 = kind < 2 ? 0.05 : 0.4; /* one large component, many small ones */
        c.joint.lambda2 = 0.03;
        ggm_joint_result one, more;
        ggm_settings settings = tight(1e-8);
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &one), GGM_OK);
        assert_true(kind < 2 ? one.info.largest_component > 100 : one.info.components > 10);
        for (settings.threads = 2; settings.threads <= 3; settings.threads++) {
            assert_int_equal(ggm_joint_solve(&c.joint, &settings, &more), GGM_OK);
            assert_int_equal(more.info.threads, settings.threads);
            for (int k = 0; k < 3; k++)
                assert_same_bits(&one.precisions[k], &more.precisions[k]);
            ggm_joint_result_release(&more);
        }
        ggm_joint_result from = one;
        for (int k = 0; k < 3; k++)
            c.problems[k].start = &from.precisions[k];
        c.joint.lambda1 *= 0.9;
        settings.threads = 1;
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &one), GGM_OK);
        settings.threads = 3;
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &more), GGM_OK);
        for (int k = 0; k < 3; k++)
            assert_same_bits(&one.precisions[k], &more.precisions[k]);
        ggm_joint_result_release(&from);
        ggm_joint_result_release(&more);
        ggm_joint_result_release(&one);
        tear_down(&c);
    }
}

/* From an answer nearby the solve takes fewer sweeps to the same optimum, and from a useless start it gets there as well */
static void test_start(void **state)
{
    (void)state;
    case_of c;
    random_case(&c, 37, 3, 80, 50, true);
    for (int fused = 0; fused < 2; fused++) {
        c.joint.penalty = fused ? GGM_JOINT_FUSED : GGM_JOINT_GROUP;
        c.joint.lambda2 = 0.03;
        ggm_settings settings = tight(1e-9);
        ggm_joint_result near, cold, warm;
        c.joint.lambda1 = 0.1;
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &near), GGM_OK);
        c.joint.lambda1 = 0.098;
        assert_int_equal(ggm_joint_solve(&c.joint, &settings, &cold), GGM_OK);
        for (int useless = 0; useless < 2; useless++) {
            for (int k = 0; k < 3; k++)
                c.problems[k].start = &near.precisions[k];
            if (useless)
                near.precisions[1].value[0] = -1;
            assert_int_equal(ggm_joint_solve(&c.joint, &settings, &warm), GGM_OK);
            assert_joint(&c.joint, &warm, 1e-9);
            assert_true(useless || warm.info.iterations < cold.info.iterations);
            assert_true(fabs(warm.info.objective - cold.info.objective) < 2e-9 * fabs(cold.info.objective));
            ggm_joint_result_release(&warm);
            for (int k = 0; k < 3; k++)
                c.problems[k].start = NULL;
        }
        ggm_joint_result_release(&near);
        ggm_joint_result_release(&cold);
    }
    tear_down(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_arguments), cmocka_unit_test(test_small), cmocka_unit_test(test_without_lambda1),
                                       cmocka_unit_test(test_interrupt), cmocka_unit_test(test_iteration_limit), cmocka_unit_test(test_threads),
                                       cmocka_unit_test(test_start)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
