/* Every allocation of libggm fails once: the call must say GGM_ERROR_MEMORY, leave an empty result, and leak nothing. libggm's
 * only ways to and from the heap, aligned_alloc and free, are wrapped at link time. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <malloc.h>
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

static ggm_status run(int kind, const ggm_problem *problem, const ggm_settings *settings)
{
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
    for (int kind = 0; kind < 3; kind++)
        for (int weighted = 0; weighted < 2; weighted++)
            for (double lambda = 0; lambda < 0.2; lambda += 0.15) {
                ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = lambda, .scale = true, .weights = weighted ? weights : NULL};
                failing = -1;
                calls = 0;
                assert_int_equal(run(kind, &problem, &settings), GGM_OK);
                long all = calls;
                assert_true(all > 10);
                for (long k = 0; k < all; k++) {
                    calls = 0;
                    failing = k;
                    assert_int_equal(run(kind, &problem, &settings), GGM_ERROR_MEMORY);
                }
            }
    failing = -1;
    assert_int_equal(live, before);
    free(truth);
    free(s);
    free(weights);
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
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_each_allocation), cmocka_unit_test(test_memory_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
