/* See check.h. Formulas straight from ggm.h's definition of the problem:
 *   f(T) = -logdet T + tr(S T) + sum L |T|;   d(W) = logdet W + p for |W - S| <= L;
 *   optimal iff S_ij - W_ij = -L_ij sign T_ij where T_ij != 0 and |S_ij - W_ij| <= L_ij elsewhere, W = inverse of T. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double limit_of(const ggm_problem *problem, size_t i, size_t j)
{
    double weight = problem->weights ? problem->weights[i * problem->p + j] : 1;
    if (i == j && !problem->penalize_diagonal)
        return 0;
    return isinf(weight) ? weight : problem->lambda * weight;
}

/* a = l l' with l lower triangular; false where a pivot is not positive */
static bool cholesky(const double *a, double *l, size_t p)
{
    memset(l, 0, p * p * sizeof *l);
    for (size_t j = 0; j < p; j++) {
        double pivot = a[j * p + j];
        for (size_t k = 0; k < j; k++)
            pivot -= l[j * p + k] * l[j * p + k];
        if (!(pivot > 0))
            return false;
        l[j * p + j] = sqrt(pivot);
        for (size_t i = j + 1; i < p; i++) {
            double sum = a[i * p + j];
            for (size_t k = 0; k < j; k++)
                sum -= l[i * p + k] * l[j * p + k];
            l[i * p + j] = sum / l[j * p + j];
        }
    }
    return true;
}

static double logdet(const double *l, size_t p)
{
    double sum = 0;
    for (size_t i = 0; i < p; i++)
        sum += 2 * log(l[i * p + i]);
    return sum;
}

/* Columns of the inverse of l l', one by one; a column is a row too */
static void inverse(const double *l, double *w, size_t p)
{
    for (size_t j = 0; j < p; j++) {
        double *x = w + j * p;
        for (size_t i = 0; i < p; i++) {
            double sum = i == j;
            for (size_t k = 0; k < i; k++)
                sum -= l[i * p + k] * x[k];
            x[i] = sum / l[i * p + i];
        }
        for (size_t i = p; i-- > 0;) {
            double sum = x[i];
            for (size_t k = i + 1; k < p; k++)
                sum -= l[k * p + i] * x[k];
            x[i] = sum / l[i * p + i];
        }
    }
}

static void load(const ggm_problem *problem, const ggm_sparse *precision, double *s, double *t, verdict *v)
{
    const size_t p = problem->p;
    v->sorted = true;
    memset(t, 0, p * p * sizeof *t);
    for (size_t i = 0; i < p; i++)
        for (size_t k = precision->start[i]; k < precision->start[i + 1]; k++) {
            size_t j = (size_t)precision->index[k];
            double unit = problem->scale ? sqrt(problem->s[i * p + i] * problem->s[j * p + j]) : 1;
            t[i * p + j] = precision->value[k] * unit;
            v->sorted = v->sorted && precision->value[k] != 0 && (k == precision->start[i] || precision->index[k - 1] < precision->index[k]);
        }
    v->nonzeros = precision->start[p];
    v->symmetric = true;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++) {
            double unit = problem->scale ? sqrt(problem->s[i * p + i] * problem->s[j * p + j]) : 1;
            s[i * p + j] = (problem->s[i * p + j] + problem->s[j * p + i]) / 2 / unit;
            v->symmetric = v->symmetric && fabs(t[i * p + j] - t[j * p + i]) <= 1e-14 * fabs(t[i * p + j]);
        }
}

/* Optimality conditions at w, and w moved into the bounds: onto them, by T's sign, where T is not 0 */
static void judge_dual(const ggm_problem *problem, const double *s, const double *t, double *w, verdict *v)
{
    const size_t p = problem->p;
    double unit = 0;
    for (size_t i = 0; i < p; i++)
        unit = fmax(unit, s[i * p + i]);
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++) {
            double limit = limit_of(problem, i, j), u = w[i * p + j] - s[i * p + j], sign = (t[i * p + j] > 0) - (t[i * p + j] < 0);
            double violation = sign != 0 ? fabs(u - limit * sign) : fmax(0, fabs(u) - limit);
            v->kkt = fmax(v->kkt, violation / unit);
            w[i * p + j] = s[i * p + j] + (sign != 0 ? limit * sign : fmin(limit, fmax(-limit, u)));
        }
}

verdict check_answer(const ggm_problem *problem, const ggm_sparse *precision)
{
    const size_t p = problem->p;
    verdict v = {.gap = INFINITY, .relative_gap = INFINITY};
    double *s = malloc(p * p * sizeof *s), *t = malloc(p * p * sizeof *t), *w = calloc(p * p, sizeof *w), *l = malloc(p * p * sizeof *l);
    load(problem, precision, s, t, &v);
    v.positive_definite = cholesky(t, l, p);
    if (v.positive_definite) {
        v.objective = -logdet(l, p);
        for (size_t k = 0; k < p * p; k++)
            if (t[k] != 0)
                v.objective += s[k] * t[k] + limit_of(problem, k / p, k % p) * fabs(t[k]);
        inverse(l, w, p);
        for (size_t i = 0; i < p; i++)
            for (size_t j = 0; j < p; j++) {
                double sum = -(double)(i == j);
                for (size_t k = 0; k < p; k++)
                    sum += t[i * p + k] * w[j * p + k]; /* w is symmetric */
                v.inverse_error = fmax(v.inverse_error, fabs(sum));
            }
        judge_dual(problem, s, t, w, &v);
        if (cholesky(w, l, p))
            v.gap = v.objective - logdet(l, p) - (double)p;
        v.relative_gap = v.gap / fmax(1, fabs(v.objective));
    }
    free(s);
    free(t);
    free(w);
    free(l);
    return v;
}

verdict assert_answer(const ggm_problem *problem, const ggm_result *result, double tolerance)
{
    const ggm_info *info = &result->info;
    verdict v = check_answer(problem, &result->precision);
    assert_true(v.positive_definite);
    assert_true(v.symmetric);
    assert_true(v.sorted);
    assert_int_equal(v.nonzeros, info->nonzeros);
    assert_int_equal(v.nonzeros, result->precision.nnz);
    assert_true(fabs(v.objective - info->objective) <= 1e-9 * fmax((double)problem->p, fabs(info->objective)));
    assert_true(info->duality_gap >= 0);
    assert_true(fabs(info->relative_duality_gap - info->duality_gap / fmax(1, fabs(info->objective))) <= 1e-15);
    if (info->outcome == GGM_CONVERGED)
        assert_true(info->relative_duality_gap <= tolerance);
    /* The judge's dual point is not the solver's, so its gap may be larger; both bound the same distance to the optimum. */
    assert_true(v.gap >= -1e-10 * (double)problem->p);
    return v;
}
