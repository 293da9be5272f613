/* ggm_certify on matrices that no solver made: good ones, bad ones, and ones that are not even precision matrices; and whether what it calls
 * proven is true, against optima solved far more exactly. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"
#include "ggm/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Dense (p, p) to sparse */
static ggm_sparse sparse_of(const double *dense, size_t p)
{
    ggm_sparse t = {.p = p, .start = calloc(p + 1, sizeof(size_t)), .index = malloc(p * p * sizeof(int)), .value = malloc(p * p * sizeof(double))};
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < p; j++)
            if (dense[i * p + j] != 0) {
                t.index[t.nnz] = (int)j;
                t.value[t.nnz++] = dense[i * p + j];
            }
        t.start[i + 1] = t.nnz;
    }
    return t;
}

static void release(ggm_sparse *t)
{
    free(t->start);
    free(t->index);
    free(t->value);
}

static void test_perturbed(void **state)
{
    (void)state;
    rng r = rng_seeded(70);
    const int p = 25;
    double *truth = sparse_truth(&r, p, 3), *s = sample_covariance(&r, truth, p, 40);
    for (int scale = 0; scale < 2; scale++)
        for (int penalize = 0; penalize < 2; penalize++) {
            ggm_problem problem = {.p = (size_t)p, .s = s, .lambda = 0.1, .penalize_diagonal = penalize, .scale = scale};
            ggm_settings settings;
            ggm_default_settings(&settings);
            settings.tolerance = 1e-10;
            ggm_result result;
            assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
            double best = result.info.objective;
            for (double noise = 1e-6; noise < 2; noise *= 10) { /* T moved off the optimum: its gap says at least how far */
                for (int i = 0; i < p; i++)
                    for (size_t k = result.precision.start[i]; k < result.precision.start[i + 1]; k++)
                        if (result.precision.index[k] == i)
                            result.precision.value[k] *= 1 + noise;
                ggm_certificate certificate;
                assert_int_equal(ggm_certify(&problem, &result.precision, 1, &certificate), GGM_OK);
                verdict v = check_answer(&problem, &result.precision);
                assert_true(certificate.positive_definite);
                assert_true(fabs(certificate.objective - v.objective) < 1e-10 * p);
                assert_true(fabs(certificate.kkt_residual - v.kkt) < 1e-9);
                assert_true(certificate.duality_gap >= certificate.objective - best - 1e-10 * p);
                assert_true(certificate.duality_gap > 0.1 * noise * noise);
                assert_true(fabs(certificate.objective - certificate.dual_objective - certificate.duality_gap) < 1e-10 * p);
                assert_int_equal(certificate.nonzeros, v.nonzeros);
            }
            ggm_result_release(&result);
        }
    free(truth);
    free(s);
}

static void test_not_positive_definite(void **state)
{
    (void)state;
    const double s[4] = {1, 0.2, 0.2, 1}, indefinite[4] = {1, 2, 2, 1}, negative[4] = {-1, 0, 0, 1};
    ggm_problem problem = {.p = 2, .s = s, .lambda = 0.1};
    for (int k = 0; k < 2; k++) {
        ggm_sparse t = sparse_of(k ? indefinite : negative, 2);
        ggm_certificate certificate;
        assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_OK);
        assert_false(certificate.positive_definite);
        assert_true(isinf(certificate.duality_gap));
        assert_true(isinf(certificate.smallest_eigenvalue) && certificate.smallest_eigenvalue < 0);
        assert_int_equal(certificate.proven_edges + certificate.proven_zeros + certificate.wrong_edges, 0);
        assert_int_equal(certificate.undecided_pairs, 1);
        assert_int_equal(certificate.nonzeros, k ? 4 : 2);
        release(&t);
    }
}

/* Edges missing between what T holds apart, although S does not: the residual must see them */
static void test_missing_edge(void **state)
{
    (void)state;
    const double s[9] = {1, 0.6, 0, 0.6, 1, 0, 0, 0, 1}, identity[9] = {1, 0, 0, 0, 1, 0, 0, 0, 1};
    ggm_problem problem = {.p = 3, .s = s, .lambda = 0.1};
    ggm_sparse t = sparse_of(identity, 3);
    ggm_certificate certificate;
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_OK);
    assert_true(fabs(certificate.kkt_residual - 0.5) < 1e-15);
    assert_true(fabs(certificate.duality_gap + log(1 - 0.25)) < 1e-12); /* W_12 = 0.5 is the best dual point */
    assert_int_equal(certificate.proven_zeros, 2); /* those of the third variable */
    assert_int_equal(certificate.undecided_pairs, 1);
    release(&t);
}

static void test_malformed(void **state)
{
    (void)state;
    const double s[4] = {1, 0.2, 0.2, 1}, good[4] = {1, 0.1, 0.1, 1}, asymmetric[4] = {1, 0.1, 0.2, 1}, nan[4] = {1, NAN, NAN, 1};
    ggm_problem problem = {.p = 2, .s = s, .lambda = 0.1};
    ggm_certificate certificate;
    ggm_sparse t = sparse_of(good, 2);
    assert_int_equal(ggm_certify(NULL, &t, 0, &certificate), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_certify(&problem, NULL, 0, &certificate), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_certify(&problem, &t, 0, NULL), GGM_ERROR_ARGUMENT);
    assert_int_equal(ggm_certify(&problem, &t, -1, &certificate), GGM_ERROR_ARGUMENT);
    t.index[1] = 2;
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_ARGUMENT);
    t.index[1] = 0;
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_ARGUMENT);
    t.index[1] = 1;
    t.p = 3;
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_ARGUMENT);
    release(&t);
    t = sparse_of(asymmetric, 2);
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_NOT_SYMMETRIC);
    release(&t);
    t = sparse_of(nan, 2);
    assert_int_equal(ggm_certify(&problem, &t, 0, &certificate), GGM_ERROR_NOT_FINITE);
    release(&t);
}

/* ---- what is proven of the optimum ---- */
static double unit_of(const ggm_problem *problem, size_t i)
{
    return problem->scale ? sqrt(problem->s[i * problem->p + i]) : 1;
}

static double limit_of(const ggm_problem *problem, size_t i, size_t j)
{
    double weight = problem->weights ? problem->weights[i * problem->p + j] : 1;
    return isinf(weight) ? weight : problem->lambda * weight;
}

/* (p, p) dense T in units of the problem that is solved */
static double *dense_of(const ggm_problem *problem, const ggm_sparse *precision)
{
    const size_t p = problem->p;
    double *t = malloc(p * p * sizeof *t);
    ggm_sparse_to_dense(precision, t);
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            t[i * p + j] *= unit_of(problem, i) * unit_of(problem, j);
    return t;
}

/* Inverse of a positive definite matrix by Gauss and Jordan, and whether it is one */
static bool invert(const double *a, double *w, size_t p)
{
    double *work = malloc(p * p * sizeof *work);
    bool good = true;
    memcpy(work, a, p * p * sizeof *work);
    for (size_t k = 0; k < p * p; k++)
        w[k] = k / p == k % p;
    for (size_t k = 0; k < p; k++) {
        double pivot = work[k * p + k];
        good = good && pivot > 0;
        for (size_t j = 0; j < p; j++) {
            work[k * p + j] /= pivot;
            w[k * p + j] /= pivot;
        }
        for (size_t i = 0; i < p; i++) {
            double factor = i == k ? 0 : work[i * p + k];
            for (size_t j = 0; factor != 0 && j < p; j++) {
                work[i * p + j] -= factor * work[k * p + j];
                w[i * p + j] -= factor * w[k * p + j];
            }
        }
    }
    free(work);
    return good;
}

/* Numbers the components of {T_ij != 0 or |S_ij| > L_ij}; returns how many there are */
static int find_components(const ggm_problem *problem, const double *t, int *component)
{
    const size_t p = problem->p;
    int count = 0;
    for (size_t i = 0; i < p; i++)
        component[i] = -1;
    for (size_t first = 0; first < p; first++) {
        if (component[first] >= 0)
            continue;
        component[first] = count;
        for (bool grown = true; grown;) {
            grown = false;
            for (size_t i = 0; i < p; i++)
                for (size_t j = 0; j < p; j++)
                    if (component[i] == count && component[j] < 0 &&
                        (t[i * p + j] != 0 || fabs(problem->s[i * p + j]) / (unit_of(problem, i) * unit_of(problem, j)) > limit_of(problem, i, j))) {
                        component[j] = count;
                        grown = true;
                    }
        }
        count++;
    }
    return count;
}

/* The duality gap of one component by ggm_certify: as a problem of its own, its gap has no other share */
static double gap_of_component(const ggm_problem *problem, const ggm_sparse *precision, const int *component, int number)
{
    const size_t p = problem->p;
    double *dense = malloc(p * p * sizeof *dense), *t = malloc(p * p * sizeof *t), *s = malloc(p * p * sizeof *s), *weights = malloc(p * p * sizeof *weights);
    ggm_sparse_to_dense(precision, dense);
    size_t q = 0, at = 0;
    for (size_t i = 0; i < p; i++)
        q += component[i] == number;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            if (component[i] == number && component[j] == number) {
                t[at] = dense[i * p + j];
                s[at] = problem->s[i * p + j];
                weights[at++] = problem->weights ? problem->weights[i * p + j] : 1;
            }
    ggm_problem part = *problem;
    part.p = q;
    part.s = s;
    part.weights = weights;
    ggm_sparse sparse = sparse_of(t, q);
    ggm_certificate certificate;
    assert_int_equal(ggm_certify(&part, &sparse, 1, &certificate), GGM_OK);
    release(&sparse);
    free(dense);
    free(t);
    free(s);
    free(weights);
    return certificate.duality_gap;
}

/* Roots of rise(x) = gap by bisection; `below` chooses -y - log(1 - y) instead of d - log(1 + d) */
static double root_of(double gap, bool below)
{
    double low = 0, high = below ? 1 : 10 + 2 * gap;
    for (int k = 0; k < 200; k++) {
        double x = (low + high) / 2;
        if ((below ? -x - log1p(-x) : x - log1p(x)) < gap)
            low = x;
        else
            high = x;
    }
    return high;
}

typedef struct {
    double covariance, precision; /* largest |W*_ij - W_ij| and |T*_ij - T_ij| in units of what the gap allows */
    size_t edges, zeros, undecided;
} tally;

/* Checks all that the certificate says of the optimum against an optimum found much more exactly */
static void check_proofs(const instance *x, const ggm_sparse *precision, const ggm_sparse *optimum, tally *total)
{
    const ggm_problem *problem = &x->problem;
    const size_t p = problem->p;
    ggm_certificate certificate;
    assert_int_equal(ggm_certify(problem, precision, 1, &certificate), GGM_OK);
    assert_true(certificate.positive_definite);
    double *t = dense_of(problem, precision), *best = dense_of(problem, optimum), *w = malloc(p * p * sizeof *w), *best_w = malloc(p * p * sizeof *best_w);
    int *component = malloc(p * sizeof *component);
    assert_true(invert(t, w, p) && invert(best, best_w, p));
    const int count = find_components(problem, t, component);
    size_t edges = 0, zeros = 0, wrong = 0;
    for (int k = 0; k < count; k++) {
        double gap = gap_of_component(problem, precision, component, k) + 1e-14 * (double)p, middle = sqrt(2 * gap + 4 * gap * gap / 9);
        double d = middle + 2 * gap / 3, y = middle - 2 * gap / 3, z = y < 1 ? y / (1 - y) : (double)INFINITY;
        if (gap > 1e-5 && gap < 0.5) { /* where bisection can tell: the closed forms are upper bounds, and near */
            assert_true(d >= (1 - 1e-9) * root_of(gap, false) && d <= 1.03 * root_of(gap, false));
            assert_true(y >= (1 - 1e-9) * root_of(gap, true) && y <= 1.05 * root_of(gap, true));
        }
        for (size_t i = 0; i < p; i++)
            for (size_t j = 0; j < p; j++) {
                size_t at = i * p + j;
                if (component[i] != k || component[j] != k)
                    continue;
                double root = sqrt(w[i * p + i] * w[j * p + j]), scale = sqrt(t[i * p + i] * t[j * p + j]);
                double s = problem->s[at] / (unit_of(problem, i) * unit_of(problem, j)), limit = i == j ? 0 : limit_of(problem, i, j);
                assert_true(fabs(best_w[at] - w[at]) <= (d + 1e-6) * root);
                assert_true(fabs(best[at] - t[at]) <= (z + 1e-6) * scale);
                total->covariance = fmax(total->covariance, fabs(best_w[at] - w[at]) / ((d + 1e-6) * root));
                total->precision = fmax(total->precision, fabs(best[at] - t[at]) / ((z + 1e-6) * scale));
                bool edge = fabs(t[at]) > z * scale, zero = isinf(limit) || fabs(s - w[at]) + d * root < limit;
                if (i >= j)
                    continue;
                assert_false(edge && zero);
                if (edge)
                    assert_true(best[at] * t[at] > 0);
                if (zero)
                    assert_true(fabs(best[at]) <= 1e-6 * scale);
                edges += edge;
                zeros += zero;
                wrong += zero && t[at] != 0;
            }
    }
    for (size_t i = 0; i < p; i++)
        for (size_t j = i + 1; j < p; j++)
            if (component[i] != component[j]) {
                zeros++;
                assert_true(best[i * p + j] == 0);
            }
    const size_t pairs = p * (p - 1) / 2, decided = certificate.proven_edges + certificate.proven_zeros;
    assert_int_equal(decided + certificate.undecided_pairs, pairs);
    /* the two counts may only differ by pairs on the very boundary, which rounding decides */
    assert_true(certificate.proven_edges <= edges + 1 && certificate.proven_edges + 1 >= edges);
    assert_true(certificate.proven_zeros <= zeros + 1 && certificate.proven_zeros + 1 >= zeros);
    assert_true(certificate.wrong_edges <= wrong + 1 && certificate.wrong_edges + 1 >= wrong);
    total->edges += certificate.proven_edges;
    total->zeros += certificate.proven_zeros;
    total->undecided += certificate.undecided_pairs;
    free(t);
    free(best);
    free(w);
    free(best_w);
    free(component);
}

static void test_proofs(void **state)
{
    (void)state;
    rng r = rng_seeded(71);
    static const double tolerances[] = {1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8, 1e-10};
    enum { LEVELS = sizeof tolerances / sizeof *tolerances };
    tally total[LEVELS] = {{0}};
    for (int number = 0; number < 100; number++) {
        instance x = random_instance(&r, number);
        ggm_settings settings;
        ggm_default_settings(&settings);
        settings.threads = 1;
        settings.tolerance = 1e-13;
        ggm_result best, rough;
        assert_int_equal(ggm_solve(&x.problem, &settings, &best), GGM_OK);
        assert_true(best.info.relative_duality_gap < 1e-12);
        for (int level = 0; level < LEVELS; level++) {
            settings.tolerance = tolerances[level];
            assert_int_equal(ggm_solve(&x.problem, &settings, &rough), GGM_OK);
            check_proofs(&x, &rough.precision, &best.precision, &total[level]);
            ggm_result_release(&rough);
        }
        ggm_result_release(&best);
        instance_release(&x);
    }
    for (int level = 0; level < LEVELS; level++)
        print_message("tolerance %g: %zu edges, %zu zeros proven, %zu pairs undecided; W off by %.2f, T by %.2f of what is allowed\n", tolerances[level], total[level].edges,
                      total[level].zeros, total[level].undecided, total[level].covariance, total[level].precision);
    assert_true(total[0].covariance > 0.2 && total[0].precision > 0.05); /* the bounds are bounds, but not idle */
    assert_true(total[LEVELS - 1].undecided * 50 < total[LEVELS - 1].edges + total[LEVELS - 1].zeros);
}

/* T with noise of every size where the optimum is 0 */
static void test_wrong_edges(void **state)
{
    (void)state;
    rng r = rng_seeded(72);
    const size_t p = 20;
    double *truth = sparse_truth(&r, (int)p, 3), *s = sample_covariance(&r, truth, (int)p, 60), *t = malloc(p * p * sizeof *t);
    ggm_problem problem = {.p = p, .s = s, .lambda = 0.15, .scale = true};
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.tolerance = 1e-13;
    ggm_result result;
    assert_int_equal(ggm_solve(&problem, &settings, &result), GGM_OK);
    ggm_certificate before, after;
    assert_int_equal(ggm_certify(&problem, &result.precision, 1, &before), GGM_OK);
    assert_int_equal(before.wrong_edges, 0);
    assert_int_equal(before.undecided_pairs, 0);
    assert_int_equal(2 * before.proven_edges + p, before.nonzeros);
    ggm_sparse_to_dense(&result.precision, t);
    size_t added = 0;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < i; j++)
            if (t[i * p + j] == 0 && rng_uniform(&r) < 0.3) {
                t[i * p + j] = t[j * p + i] = 1e-9 * rng_normal(&r);
                added++;
            }
    ggm_sparse noisy = sparse_of(t, p);
    assert_int_equal(ggm_certify(&problem, &noisy, 1, &after), GGM_OK);
    assert_true(added > 10);
    assert_int_equal(after.nonzeros, before.nonzeros + 2 * added);
    assert_true(after.wrong_edges > 0.9 * (double)added && after.wrong_edges <= added);
    assert_true(after.proven_edges <= before.proven_edges);
    release(&noisy);
    ggm_result_release(&result);
    free(truth);
    free(s);
    free(t);
}

static void test_smallest_eigenvalue(void **state)
{
    (void)state;
    rng r = rng_seeded(73);
    for (int number = 0; number < 40; number++) {
        instance x = random_instance(&r, number);
        const size_t p = x.problem.p;
        ggm_result result;
        ggm_certificate certificate;
        assert_int_equal(ggm_solve(&x.problem, NULL, &result), GGM_OK);
        assert_int_equal(ggm_certify(&x.problem, &result.precision, 1, &certificate), GGM_OK);
        double *t = dense_of(&x.problem, &result.precision), *w = malloc(p * p * sizeof *w), rows = 0, bound = certificate.smallest_eigenvalue;
        assert_true(invert(t, w, p));
        for (size_t i = 0; i < p; i++) {
            double sum = 0;
            for (size_t j = 0; j < p; j++)
                sum += fabs(w[i * p + j]);
            rows = fmax(rows, sum);
        }
        assert_true(bound * rows >= 1 - 1e-9); /* no worse than the plain row sums */
        for (size_t i = 0; i < p; i++)
            t[i * (p + 1)] -= (1 - 1e-9) * bound;
        assert_true(invert(t, w, p)); /* T - bound I is positive definite: it is a lower bound */
        for (size_t i = 0; i < p; i++)
            t[i * (p + 1)] -= sqrt((double)p) * bound;
        assert_false(invert(t, w, p)); /* and not a wild one: the row sums are at most sqrt(p) times the eigenvalue */
        free(t);
        free(w);
        ggm_result_release(&result);
        instance_release(&x);
    }
    const double s[4] = {2, 0, 0, 5}, diagonal[4] = {0.25, 0, 0, 4};
    ggm_sparse t = sparse_of(diagonal, 2);
    ggm_certificate certificate;
    assert_int_equal(ggm_certify(&(ggm_problem){.p = 2, .s = s, .lambda = 0.1}, &t, 1, &certificate), GGM_OK);
    assert_true(fabs(certificate.smallest_eigenvalue - 0.25) < 1e-15);
    assert_int_equal(certificate.proven_zeros, 1);
    release(&t);
}

/* The problem from single precision and from samples is the same problem */
static void test_other_inputs(void **state)
{
    (void)state;
    rng r = rng_seeded(74);
    enum { P = 6, N = 40 };
    double x[N * P], s[P * P] = {0}, mean[P] = {0};
    float s32[P * P];
    for (int k = 0; k < N * P; k++)
        x[k] = rng_normal(&r) + (k % P > 0 ? 0.6 * x[k - 1] : 0);
    for (int k = 0; k < N * P; k++)
        mean[k % P] += x[k] / N;
    for (int k = 0; k < N; k++)
        for (int i = 0; i < P; i++)
            for (int j = 0; j < P; j++)
                s[i * P + j] += (x[k * P + i] - mean[i]) * (x[k * P + j] - mean[j]) / N;
    for (int k = 0; k < P * P; k++)
        s32[k] = (float)s[k];
    ggm_samples samples = {.n = N, .p = P, .x = x};
    ggm_problem problem = {.p = P, .s = s, .lambda = 0.1, .scale = true}, narrow = problem, raw = problem;
    narrow.s = NULL;
    narrow.s32 = s32;
    raw.s = NULL;
    raw.samples = &samples;
    ggm_result result;
    ggm_certificate a, b, c;
    assert_int_equal(ggm_solve(&problem, NULL, &result), GGM_OK);
    assert_int_equal(ggm_certify(&problem, &result.precision, 1, &a), GGM_OK);
    assert_int_equal(ggm_certify(&narrow, &result.precision, 1, &b), GGM_OK);
    assert_int_equal(ggm_certify(&raw, &result.precision, 1, &c), GGM_OK);
    assert_true(fabs(a.objective - b.objective) < 1e-5 && fabs(a.smallest_eigenvalue - b.smallest_eigenvalue) < 1e-5);
    assert_true(fabs(a.objective - c.objective) < 1e-12 && fabs(a.smallest_eigenvalue - c.smallest_eigenvalue) < 1e-12);
    assert_int_equal(a.proven_edges + a.proven_zeros + a.undecided_pairs, P * (P - 1) / 2);
    assert_int_equal(a.proven_edges, c.proven_edges);
    ggm_result_release(&result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_perturbed), cmocka_unit_test(test_not_positive_definite), cmocka_unit_test(test_missing_edge),
                                       cmocka_unit_test(test_malformed), cmocka_unit_test(test_proofs), cmocka_unit_test(test_wrong_edges),
                                       cmocka_unit_test(test_smallest_eigenvalue), cmocka_unit_test(test_other_inputs)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
