/* See joint_case.h. Formulas straight from joint.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/joint_case.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void set_up(case_of *c, int classes, int p, bool scale)
{
    ggm_default_joint_problem(&c->joint);
    for (int k = 0; k < classes; k++)
        c->problems[k] = (ggm_problem){.p = (size_t)p, .s = c->s[k], .scale = scale};
    c->joint.classes = (size_t)classes;
    c->joint.problems = c->problems;
}

void to_correlation(double *s, int p)
{
    double d[512];
    for (int i = 0; i < p; i++)
        d[i] = sqrt(s[i * p + i]);
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++)
            s[i * p + j] = i == j ? 1 : s[i * p + j] / (d[i] * d[j]);
}

void random_case(case_of *c, uint64_t seed, int classes, int p, int n, bool scale)
{
    rng r = rng_seeded(seed);
    double *truth = sparse_truth(&r, p, 3);
    for (int k = 0; k < classes; k++) {
        double *own = malloc((size_t)(p * p) * sizeof *own);
        memcpy(own, truth, (size_t)(p * p) * sizeof *own);
        for (int i = 1; i < p; i++)
            if (own[i * p + i - 1] != 0 && k % 2)
                own[i * p + i - 1] = own[(i - 1) * p + i] = 0;
        c->s[k] = sample_covariance(&r, own, p, n);
        if (!scale)
            to_correlation(c->s[k], p);
        free(own);
    }
    free(truth);
    set_up(c, classes, p, scale);
}

void tear_down(case_of *c)
{
    for (size_t k = 0; k < c->joint.classes; k++)
        free(c->s[k]);
}

ggm_settings tight(double tolerance)
{
    ggm_settings settings;
    ggm_default_settings(&settings);
    settings.tolerance = tolerance;
    settings.threads = 1;
    return settings;
}

double entry(const ggm_sparse *t, int i, int j)
{
    for (size_t e = t->start[i]; e < t->start[i + 1]; e++)
        if (t->index[e] == j)
            return t->value[e];
    return 0;
}

/* The objective in plain loops, of dense matrices in the units of the solved problem */
static double plain_objective(const ggm_joint_problem *joint, const ggm_sparse *precisions)
{
    const size_t p = joint->problems[0].p, classes = joint->classes;
    double *t = malloc(classes * p * p * sizeof *t), sum = 0;
    for (size_t k = 0; k < classes; k++) {
        const ggm_problem *one = &joint->problems[k];
        double *dense = t + k * p * p, *l = malloc(p * p * sizeof *l), value = 0;
        ggm_sparse_to_dense(&precisions[k], dense);
        for (size_t i = 0; i < p; i++)
            for (size_t j = 0; j < p; j++) {
                double unit = one->scale ? sqrt(one->s[i * p + i] * one->s[j * p + j]) : 1;
                dense[i * p + j] *= unit;
                value += dense[i * p + j] * (one->s[i * p + j] + one->s[j * p + i]) / 2 / unit;
            }
        for (size_t j = 0; j < p; j++) /* Cholesky */
            for (size_t i = j; i < p; i++) {
                double x = dense[i * p + j];
                for (size_t q = 0; q < j; q++)
                    x -= l[i * p + q] * l[j * p + q];
                assert_true(i > j || x > 0);
                l[i * p + j] = i == j ? sqrt(x) : x / l[j * p + j];
                value -= i == j ? log(x) : 0;
            }
        sum += value * (joint->weights ? joint->weights[k] : 1);
        free(l);
    }
    for (size_t at = 0; at < p * p; at++) {
        double size = 0, square = 0, apart = 0;
        for (size_t k = 0; k < classes; k++) {
            size += fabs(t[k * p * p + at]);
            square += t[k * p * p + at] * t[k * p * p + at];
            for (size_t l = 0; l < k; l++)
                apart += fabs(t[k * p * p + at] - t[l * p * p + at]);
        }
        if (at / p != at % p || joint->penalize_diagonal)
            sum += joint->lambda1 * size + joint->lambda2 * (joint->penalty == GGM_JOINT_GROUP ? sqrt(square) : apart);
    }
    free(t);
    return sum;
}

ggm_certificate assert_joint(const ggm_joint_problem *joint, const ggm_joint_result *result, double tolerance)
{
    const ggm_joint_info *info = &result->info;
    const double objective = plain_objective(joint, result->precisions);
    size_t nonzeros = 0;
    ggm_certificate certificate;
    assert_int_equal(result->classes, joint->classes);
    assert_int_equal(ggm_joint_certify(joint, result->precisions, 1, &certificate), GGM_OK);
    for (size_t k = 0; k < joint->classes; k++) {
        const ggm_sparse *t = &result->precisions[k];
        nonzeros += t->nnz;
        for (size_t i = 0; i < t->p; i++)
            for (size_t e = t->start[i]; e < t->start[i + 1]; e++) {
                assert_true(t->value[e] != 0);
                assert_true(t->value[e] == entry(t, t->index[e], (int)i));
                assert_true(e == t->start[i] || t->index[e - 1] < t->index[e]);
            }
    }
    const double unit = 1e-10 * fmax((double)joint->problems[0].p * (double)joint->classes, fabs(objective));
    assert_true(fabs(info->objective - objective) <= unit);
    assert_true(fabs(certificate.objective - objective) <= unit);
    assert_true(certificate.positive_definite);
    assert_int_equal(info->nonzeros, nonzeros);
    assert_int_equal(certificate.nonzeros, nonzeros);
    assert_true(info->duality_gap >= 0 && certificate.duality_gap >= 0);
    assert_true(fabs(info->relative_duality_gap - info->duality_gap / fmax(1, fabs(info->objective))) <= 1e-15);
    if (info->outcome == GGM_CONVERGED)
        assert_true(info->relative_duality_gap <= tolerance);
    return certificate;
}

void assert_same_bits(const ggm_sparse *a, const ggm_sparse *b)
{
    assert_int_equal(a->nnz, b->nnz);
    assert_memory_equal(a->start, b->start, (a->p + 1) * sizeof *a->start);
    assert_memory_equal(a->index, b->index, a->nnz * sizeof *a->index);
    assert_memory_equal(a->value, b->value, a->nnz * sizeof *a->value);
}
