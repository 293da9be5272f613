/* The fast paths of the engine against the plain ones, block by block: single precision against double, the hopeful start against the safe
 * one, the sparse factorization against a dense one, and the bound on the gap against two Cholesky factorizations. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/internal.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    ggm_problem problem;
    ggm_settings settings;
    ggm_control control;
    double *scales;
    int *node;
} fixture;

static void set_up(fixture *f, const double *s, int p, double lambda, double tolerance)
{
    ggm_default_settings(&f->settings);
    f->settings.tolerance = tolerance;
    f->problem = (ggm_problem){.p = (size_t)p, .s = s, .lambda = lambda, .scale = true};
    f->scales = ggm_scales(&f->problem);
    f->node = ggm_alloc((size_t)p, sizeof *f->node);
    for (int i = 0; i < p; i++)
        f->node[i] = i;
    f->control = (ggm_control){.settings = &f->settings, .start = ggm_now(), .lambda = lambda, .p = p, .tolerance = tolerance};
}

static void tear_down(fixture *f)
{
    ggm_free(f->scales);
    ggm_free(f->node);
}

/* Narrowing at the start of a descent is a matter of size; a target keeps the block as it is */
static double solve_block(fixture *f, int p, bool single, bool safe, ggm_block *block)
{
    assert_true(ggm_block_init(block, &f->problem, f->scales, f->node, p, f->problem.lambda, single));
    assert_true(ggm_block_cold(block, safe));
    assert_int_equal(ggm_bcd(block, f->settings.tolerance * p, 1, true, &f->control), GGM_OK);
    assert_int_equal(block->outcome, GGM_CONVERGED);
    assert_true(block->gap <= f->settings.tolerance * p);
    return block->objective;
}

static void test_precision_and_start(void **state)
{
    (void)state;
    rng r = rng_seeded(21);
    int kept = 0, hopeful = 0;
    for (int k = 0; k < 80; k++) {
        const int p = 3 + rng_below(&r, 90), n = 3 + rng_below(&r, 2 * p);
        double *truth = sparse_truth(&r, p, 1 + 5 * rng_uniform(&r)), *s = sample_covariance(&r, truth, p, n);
        const double tolerance = k % 2 ? 1e-6 : 1e-11;
        fixture f;
        set_up(&f, s, p, 0.05 + 0.4 * rng_uniform(&r), tolerance);
        ggm_block plain, other;
        const double objective = solve_block(&f, p, false, true, &plain);
        for (int way = 0; way < 3; way++) {
            const double same = solve_block(&f, p, way != 0, way == 1, &other);
            assert_true(fabs(same - objective) <= 2 * tolerance * p);
            kept += way == 1 && other.w32 != NULL;
            hopeful += other.hopeful;
            ggm_block_release(&other);
        }
        ggm_block_release(&plain);
        tear_down(&f);
        free(truth);
        free(s);
    }
    assert_true(kept >= 40); /* the paths were taken: single precision to the end, and the hopeful start */
    assert_true(hopeful >= 40);
}

/* A hopeful start that is indefinite does not survive: few samples of many variables give such ones */
static void test_hopeless_start(void **state)
{
    (void)state;
    rng r = rng_seeded(24);
    int indefinite = 0;
    for (int k = 0; k < 60; k++) {
        const int p = 6 + rng_below(&r, 20);
        double *truth = sparse_truth(&r, p, 2), *s = sample_covariance(&r, truth, p, 6);
        fixture f;
        set_up(&f, s, p, 0.02 + 0.1 * rng_uniform(&r), 1e-9);
        ggm_block safe, hopeful;
        const double objective = solve_block(&f, p, false, true, &safe);
        assert_true(ggm_block_init(&hopeful, &f.problem, f.scales, f.node, p, f.problem.lambda, false) && ggm_block_cold(&hopeful, false));
        double *copy = ggm_alloc((size_t)(p * p), sizeof *copy);
        memcpy(copy, hopeful.w, (size_t)(p * p) * sizeof *copy);
        indefinite += hopeful.hopeful && !ggm_linalg_host.cholesky(copy, p);
        ggm_free(copy);
        assert_int_equal(ggm_bcd(&hopeful, 1e-9 * p, 1, true, &f.control), GGM_OK);
        assert_true(fabs(hopeful.objective - objective) <= 2e-9 * p);
        ggm_block_release(&hopeful);
        ggm_block_release(&safe);
        tear_down(&f);
        free(truth);
        free(s);
    }
    assert_true(indefinite >= 5);
}

static void test_factor(void **state)
{
    (void)state;
    rng r = rng_seeded(22);
    for (int k = 0; k < 60; k++) {
        const int p = 1 + rng_below(&r, 150);
        double *dense = sparse_truth(&r, p, k % 3 == 0 ? 30 : 3 * rng_uniform(&r));
        const bool indefinite = k % 5 == 4 && p > 2;
        if (indefinite)
            dense[(p / 2) * p + p / 2] = -0.5;
        ggm_sparse t = {.p = (size_t)p, .start = ggm_alloc((size_t)p + 1, sizeof *t.start), .index = ggm_alloc((size_t)(p * p), sizeof *t.index),
                        .value = ggm_alloc((size_t)(p * p), sizeof *t.value)};
        t.start[0] = 0;
        for (int i = 0; i < p; i++) {
            for (int j = 0; j < p; j++)
                if (dense[i * p + j] != 0) {
                    t.index[t.nnz] = j;
                    t.value[t.nnz++] = dense[i * p + j];
                }
            t.start[i + 1] = t.nnz;
        }
        double sparse_logdet, logdet = 0;
        assert_int_equal(ggm_factor_logdet(&t, &sparse_logdet), indefinite ? GGM_ERROR_INDEFINITE : GGM_OK);
        for (int i = 0; !indefinite && i < p; i++) { /* Gaussian elimination */
            logdet += log(dense[i * p + i]);
            for (int a = i + 1; a < p; a++) {
                const double factor = dense[a * p + i] / dense[i * p + i];
                for (int b = i; b < p; b++)
                    dense[a * p + b] -= factor * dense[i * p + b];
            }
        }
        assert_true(indefinite || fabs(sparse_logdet - logdet) <= 1e-11 * (p + fabs(logdet)));
        ggm_sparse_release(&t);
        free(dense);
    }
}

/* The bound is never below the gap by the plain formula at the same feasible point, and close to it when small; single precision W or double */
static void test_bound(void **state)
{
    (void)state;
    rng r = rng_seeded(23);
    for (int k = 0; k < 30; k++) {
        const int p = 4 + rng_below(&r, 140);
        double *truth = sparse_truth(&r, p, 3), *s = sample_covariance(&r, truth, p, p + 20);
        fixture f;
        set_up(&f, s, p, 0.15, pow(10, -2 - k % 6));
        ggm_block block;
        solve_block(&f, p, false, true, &block);
        const double wide = block.gap;
        const ggm_evidence evidence = ggm_block_evidence(&block);
        double *point = ggm_alloc((size_t)(p * p), sizeof *point);
        ggm_bound_clip(&evidence, block.w, point, 0, p);
        assert_true(ggm_linalg_host.cholesky(point, p));
        const double gap = block.objective - ggm_logdet(point, p) - p;
        assert_true(wide >= gap - 1e-10 * p);
        assert_true(wide <= 1.5 * gap + 1e-10 * p || wide > 0.1);
        ggm_crew alone = {.threads = 1};
        assert_true(ggm_block_narrow(&block) && ggm_precision_gap(&block, &alone));
        assert_true(block.gap >= (1 - 1e-3) * wide - 1e-9 * p && block.gap <= 1.5 * wide + 1e-9 * p); /* up to what rounding may be to blame for */
        ggm_free(point);
        ggm_block_release(&block);
        tear_down(&f);
        free(truth);
        free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_precision_and_start), cmocka_unit_test(test_hopeless_start), cmocka_unit_test(test_factor),
                                       cmocka_unit_test(test_bound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
