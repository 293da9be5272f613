/* Every allocation of libggm fails once: the call must say GGM_ERROR_MEMORY, leave an empty result, and leak nothing. libggm's
 * only ways to and from the heap, aligned_alloc and free, are wrapped at link time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/covariance.h"
#include "ggm/joint.h"
#include "ggm/select.h"
#include "ggm/support.h"
#include "ggm/uncertainty.h"

#include <malloc.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

void __real_free(void *memory);
void __wrap_free(void *memory);

static long calls, failing = -1; /* the test is single-threaded: one thread, small blocks */
static size_t live = (size_t)1 << 40, peak; /* bytes held, from a base that the frees of what the test allocated elsewhere do not use up */

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    if (calls++ == failing)
        return NULL;
    void *memory = __real_aligned_alloc(alignment, size);
    live += memory ? malloc_usable_size(memory) : 0;
    peak = live > peak ? live : peak;
    return memory;
}

void __wrap_free(void *memory)
{
    live -= malloc_usable_size(memory); /* 0 for NULL */
    __real_free(memory);
}

/* The same class twice, with and without a start, certified */
static ggm_status run_joint(bool fused, const ggm_problem *problem, const ggm_settings *settings)
{
    static const ggm_joint_result nothing = {0};
    ggm_problem classes[2] = {*problem, *problem};
    ggm_joint_problem joint = {.classes = 2, .problems = classes, .penalty = fused ? GGM_JOINT_FUSED : GGM_JOINT_GROUP, .lambda1 = problem->lambda, .lambda2 = 0.05};
    ggm_joint_result result, again;
    memset(&result, 0x5a, sizeof result);
    memset(&again, 0x5a, sizeof again);
    ggm_status status = ggm_joint_solve(&joint, settings, &result);
    if (status != GGM_OK) {
        assert_memory_equal(&result, &nothing, sizeof nothing);
        return status;
    }
    classes[0].start = &result.precisions[0];
    classes[1].start = &result.precisions[1];
    status = ggm_joint_solve(&joint, settings, &again);
    if (status != GGM_OK)
        assert_memory_equal(&again, &nothing, sizeof nothing);
    ggm_certificate certificate;
    if (status == GGM_OK) {
        status = ggm_joint_certify(&joint, again.precisions, 1, &certificate);
        ggm_joint_result_release(&again);
    }
    ggm_joint_result_release(&result);
    return status;
}

static ggm_status run(int kind, const ggm_problem *problem, const ggm_settings *settings)
{
    if (kind >= 3)
        return run_joint(kind == 4, problem, settings);
    ggm_result result;
    memset(&result, 0x5a, sizeof result);
    ggm_status status = GGM_OK;
    if (kind == 0) {
        status = ggm_solve(problem, settings, &result);
    } else if (kind == 1) {
        status = ggm_solve_degree(problem, settings, 4, &result);
    } else {
        ggm_workspace *workspace;
        status = ggm_workspace_new(problem, settings, &workspace);
        if (status != GGM_OK) {
            assert_null(workspace);
            return status;
        }
        for (double lambda = 0.4; status == GGM_OK && lambda > 0.1; lambda *= 0.6) {
            status = ggm_workspace_solve(workspace, lambda, &result);
            ggm_certificate certificate;
            ggm_problem at = *problem;
            at.lambda = lambda;
            if (status == GGM_OK) {
                status = ggm_certify(&at, &result.precision, 1, &certificate);
                ggm_result_release(&result);
            }
        }
        if (status != GGM_OK) { /* what failed once works the next time */
            failing = -1;
            assert_int_equal(ggm_workspace_solve(workspace, 0.2, &result), GGM_OK);
            ggm_result_release(&result);
        }
        ggm_workspace_free(workspace);
        return status;
    }
    if (status != GGM_OK) {
        static const ggm_result nothing = {0};
        assert_memory_equal(&result, &nothing, sizeof nothing);
    }
    ggm_result_release(&result);
    return status;
}

/* A failure where much else is there is recorded, not returned: GGM_ERROR_MEMORY if it is to be seen anywhere */
static ggm_status run_path(const ggm_problem *problem, const ggm_settings *settings)
{
    ggm_path_settings path;
    ggm_default_path_settings(&path);
    path.count = 4;
    path.n = 20;
    ggm_path_result result;
    memset(&result, 0x5a, sizeof result);
    ggm_status status = ggm_path(problem, settings, &path, &result);
    assert_true(status == GGM_OK || (!result.points && result.count == 0));
    size_t failed = 0;
    for (size_t k = 0; k < result.count; k++)
        failed += result.points[k].status != GGM_OK;
    assert_true(failed <= 1); /* one failure, one point */
    ggm_path_release(&result);
    return failed > 0 ? GGM_ERROR_MEMORY : status;
}

static ggm_status run_selection(ggm_criterion criterion, const ggm_problem *problem, const ggm_settings *settings)
{
    ggm_select_settings select;
    ggm_default_select_settings(&select);
    select.criterion = criterion;
    select.path.count = 3;
    select.path.ratio = 0.5;
    select.extensions = 1;
    select.folds = 2;
    select.subsamples = 3;
    select.rotations = 2;
    select.density = 0.2;
    ggm_selection selection;
    memset(&selection, 0x5a, sizeof selection);
    ggm_status status = ggm_select(problem, settings, &select, &selection);
    assert_true(status == GGM_OK || (!selection.points && !selection.result.precision.start && !selection.path.points && !selection.stability.start));
    if (status == GGM_OK) {
        status = selection.status;
        if (criterion == GGM_CRITERION_RIC && selection.count < 2)
            status = GGM_ERROR_MEMORY;
        for (size_t k = 0; k < selection.count; k++)
            if (selection.points[k].status != GGM_OK)
                status = selection.points[k].status;
    }
    ggm_selection_release(&selection);
    return status;
}

static ggm_status run_choice(int kind, const ggm_problem *problem, const ggm_settings *settings)
{
    if (kind == 0) {
        ggm_linkage linkage;
        memset(&linkage, 0x5a, sizeof linkage);
        ggm_status status = ggm_linkage_new(problem, 1, &linkage);
        assert_true(status == GGM_OK || !linkage.lambda);
        ggm_linkage_release(&linkage);
        return status;
    }
    return kind == 1 ? run_path(problem, settings) : run_selection((ggm_criterion)(kind - 2), problem, settings);
}

static void test_each_allocation_of_choices(void **state)
{
    (void)state;
    rng r = rng_seeded(82);
    const int p = 6, n = 20;
    double *truth = sparse_truth(&r, p, 2), *x = draw_samples(&r, truth, p, n);
    ggm_samples samples = {.n = (size_t)n, .p = (size_t)p, .x = x};
    ggm_problem problem = {.p = (size_t)p, .samples = &samples, .scale = true};
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.threads = 1;
    const size_t before = live;
    for (int kind = 0; kind < 7; kind++) {
        failing = -1;
        calls = 0;
        assert_int_equal(run_choice(kind, &problem, &settings), GGM_OK);
        const long all = calls;
        assert_true(all > 10);
        for (long k = 0; k < all; k++) {
            calls = 0;
            failing = k;
            assert_int_equal(run_choice(kind, &problem, &settings), GGM_ERROR_MEMORY);
        }
    }
    failing = -1;
    assert_int_equal(live, before);
    free(truth);
    free(x);
}

static void test_each_allocation(void **state)
{
    (void)state;
    rng r = rng_seeded(80);
    const int p = 12;
    double *truth = sparse_truth(&r, p, 3), *s = sample_covariance(&r, truth, p, 20), *weights = malloc((size_t)(p * p) * sizeof *weights);
    for (int k = 0; k < p * p; k++)
        weights[k] = 1;
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.threads = 1;
    const size_t before = live;
    for (int kind = 0; kind < 13; kind++) /* from 5 on 0 .. 2 again, by sglasso, and from 10 on by newton */
        for (int weighted = 0; weighted < (kind % 5 < 3 ? 2 : kind < 5 ? 1 : 0); weighted++)
            for (double lambda = 0; lambda < 0.2; lambda += 0.15) {
                ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = lambda, .scale = true, .weights = weighted ? weights : NULL};
                settings.solver = kind < 5 ? GGM_SOLVER_AUTO : kind < 10 ? GGM_SOLVER_SGLASSO : GGM_SOLVER_NEWTON;
                failing = -1;
                calls = 0;
                assert_int_equal(run(kind % 5, &problem, &settings), GGM_OK);
                long all = calls;
                assert_true(all > 10);
                for (long k = 0; k < all; k++) {
                    calls = 0;
                    failing = k;
                    assert_int_equal(run(kind % 5, &problem, &settings), GGM_ERROR_MEMORY);
                }
            }
    failing = -1;
    assert_int_equal(live, before);
    free(truth);
    free(s);
    free(weights);
}

/* A function of uncertainty.h. Memory that a single resample lacked is that resample's failure alone: then GGM_OK is right, and *failed counts it. */
static ggm_status run_uncertainty(int kind, const ggm_problem *problem, const ggm_settings *settings, const ggm_resampling *chosen, int *failed)
{
    union {
        ggm_stability_result stability;
        ggm_null_result null;
        ggm_bootstrap_result bootstrap;
        ggm_debias_result debias;
    } result;
    static const char nothing[sizeof result];
    memset(&result, 0x5a, sizeof result);
    ggm_status status;
    const ggm_resampling_info *info = NULL;
    size_t size;
    if (kind == 0) {
        status = ggm_stability(problem, settings, chosen, &result.stability);
        info = &result.stability.info;
        size = sizeof result.stability;
    } else if (kind == 1) {
        status = ggm_shuffle_null(problem, settings, chosen, &result.null);
        info = &result.null.info;
        size = sizeof result.null;
    } else if (kind == 2) {
        status = ggm_bootstrap(problem, settings, chosen, &result.bootstrap);
        info = &result.bootstrap.info;
        size = sizeof result.bootstrap;
    } else {
        int index[3] = {0, 1, 2};
        size_t start[4] = {0, 1, 2, 3};
        double value[3] = {1, 1, 1};
        const ggm_sparse identity = {.p = 3, .nnz = 3, .start = start, .index = index, .value = value};
        const ggm_debias_settings all = {.false_discovery = 1, .confidence = 0.9, .dense = true};
        status = ggm_debias(problem, &identity, 20, settings, &all, &result.debias);
        size = sizeof result.debias;
    }
    if (status != GGM_OK)
        assert_memory_equal(&result, nothing, size);
    *failed = status == GGM_OK && info ? info->failed : 0;
    if (*failed > 0)
        assert_int_equal(info->failure, GGM_ERROR_MEMORY);
    switch (kind) {
    case 0: ggm_stability_result_release(&result.stability); break;
    case 1: ggm_null_result_release(&result.null); break;
    case 2: ggm_bootstrap_result_release(&result.bootstrap); break;
    default: ggm_debias_result_release(&result.debias);
    }
    return status;
}

static void test_uncertainty(void **state)
{
    (void)state;
    rng r = rng_seeded(82);
    double x[60];
    for (int k = 0; k < 60; k++)
        x[k] = rng_normal(&r) + (k % 3 > 0 ? 0.6 * x[k - 1] : 0);
    const size_t group[20] = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9};
    const ggm_samples samples = {.n = 20, .p = 3, .x = x};
    ggm_problem problem = {.p = 3, .samples = &samples, .lambda = 0.1, .scale = true};
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.threads = 1;
    ggm_resampling chosen;
    ggm_default_resampling(&chosen);
    chosen.count = 3;
    chosen.group = group;
    const size_t before = live;
    for (int kind = 0; kind < 4; kind++) {
        int failed = 0, once = 0, none = 0;
        failing = -1;
        calls = 0;
        assert_int_equal(run_uncertainty(kind, &problem, &settings, &chosen, &failed), GGM_OK);
        assert_int_equal(failed, 0);
        const long all = calls;
        for (long k = 0; k < all; k++) {
            calls = 0;
            failing = k;
            const ggm_status status = run_uncertainty(kind, &problem, &settings, &chosen, &failed);
            assert_true(status == GGM_ERROR_MEMORY || (status == GGM_OK && failed == 1));
            once += status == GGM_OK;
            none += status != GGM_OK;
        }
        assert_true(none > 10 && (kind == 3 || once > 30));
    }
    failing = -1;
    double p[3] = {0.1, 0.2, 0.3}, q[3];
    calls = failing = 0;
    assert_int_equal(ggm_benjamini_hochberg(p, 3, q), GGM_ERROR_MEMORY);
    failing = -1;
    assert_int_equal(live, before);
}

/* Covariances of samples, with every transform, shrinkage to be found and a repair to be made (fewer samples than variables) */
static ggm_status form(int transform, bool narrow, const double *x, const float *x32, double *s)
{
    const ggm_samples samples = {.n = 8, .p = 12, .x = narrow ? NULL : x, .x32 = narrow ? x32 : NULL};
    const ggm_covariance_settings settings = {.transform = (ggm_transform)transform, .winsor = 0.1, .shrinkage = transform % 2 ? (double)NAN : 0, .repair = true};
    ggm_covariance_info info = {.repaired = true}, zero = {0};
    ggm_status status = ggm_covariance_with_info(&samples, &settings, 1, s, &info);
    if (status != GGM_OK)
        assert_memory_equal(&info, &zero, sizeof info);
    return status;
}

static void test_covariance_allocations(void **state)
{
    (void)state;
    rng r = rng_seeded(82);
    double x[96], s[144];
    float x32[96];
    for (int k = 0; k < 96; k++)
        x32[k] = (float)(x[k] = rng_normal(&r));
    const size_t before = live;
    for (int transform = GGM_TRANSFORM_NONE; transform <= GGM_TRANSFORM_KENDALL; transform++)
        for (int narrow = 0; narrow < 2; narrow++) {
            failing = -1;
            calls = 0;
            assert_int_equal(form(transform, narrow, x, x32, s), GGM_OK);
            const long all = calls;
            assert_true(all >= 4);
            for (long k = 0; k < all; k++) {
                calls = 0;
                failing = k;
                assert_int_equal(form(transform, narrow, x, x32, s), GGM_ERROR_MEMORY);
            }
        }
    const double indefinite[9] = {1, 0.9, -0.9, 0.9, 1, 0.9, -0.9, 0.9, 1};
    ggm_status status = GGM_ERROR_MEMORY;
    for (failing = 0; status != GGM_OK; failing++) {
        calls = 0;
        memcpy(s, indefinite, sizeof indefinite);
        status = ggm_repair(s, 3, 1, NULL);
        assert_true(status == GGM_OK || (status == GGM_ERROR_MEMORY && memcmp(s, indefinite, sizeof indefinite) == 0));
    }
    assert_true(failing > 5);
    failing = -1;
    assert_int_equal(live, before);
}

/* ggm_memory_bytes is an upper bound on what is held at any time, answer and dense graphs included, and not a wild one */
static void test_memory_bytes(void **state)
{
    (void)state;
    rng r = rng_seeded(81);
    for (int p = 1; p < 300; p = 2 * p + 9) {
        double *truth = sparse_truth(&r, p, 3), *s = sample_covariance(&r, truth, p, p + 5);
        for (double lambda = 0.01; lambda < 1; lambda *= 4) {
            ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = lambda, .scale = true};
            ggm_settings settings;
            ggm_default_settings(&settings);
            settings.threads = 1;
            ggm_result result;
            size_t before = live;
            peak = live;
            assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
            if (peak - before > ggm_memory_bytes((size_t)p))
                print_message("p %d lambda %g: held %zu, promised %zu\n", p, lambda, peak - before, ggm_memory_bytes((size_t)p));
            assert_true(peak - before <= ggm_memory_bytes((size_t)p));
            assert_true(p < 100 || lambda > 0.05 || ggm_memory_bytes((size_t)p) < 4 * (peak - before));
            ggm_result_release(&result);
            assert_int_equal(live, before);
        }
        free(truth);
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation), cmocka_unit_test(test_covariance_allocations), cmocka_unit_test(test_uncertainty),
                                       cmocka_unit_test(test_each_allocation_of_choices),
                                       cmocka_unit_test(test_memory_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
