/* See select_case.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

#include "ggm/select_case.h"

#include "ggm/check.h"

#include <stdlib.h>

/* Samples from a sparse truth, with means and scales of their own */
double *sample_rows(int seed, int p, int n, double **truth)
{
    rng r = rng_seeded((uint64_t)seed);
    double *t = sparse_truth(&r, p, 2), *x = draw_samples(&r, t, p, n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < p; j++)
            x[i * p + j] = (1 + j % 3) * x[i * p + j] + 5 - j % 4;
    if (truth)
        *truth = t;
    else
        free(t);
    return x;
}

/* (p, p) covariance of some rows about `centre`, or about their own mean, which is left in `mean`; plain loops */
void plain_covariance(const double *x, int p, const size_t *rows, size_t count, const double *centre, double *mean, double *s)
{
    for (int j = 0; j < p; j++) {
        mean[j] = 0;
        for (size_t k = 0; k < count; k++)
            mean[j] += x[rows[k] * (size_t)p + (size_t)j] / (double)count;
    }
    for (int i = 0; i < p; i++)
        for (int j = 0; j < p; j++) {
            double sum = 0;
            for (size_t k = 0; k < count; k++)
                sum += (x[rows[k] * (size_t)p + (size_t)i] - (centre ? centre : mean)[i]) * (x[rows[k] * (size_t)p + (size_t)j] - (centre ? centre : mean)[j]);
            s[i * p + j] = sum / (double)count;
        }
}

size_t *all_rows(size_t n)
{
    size_t *rows = malloc(n * sizeof *rows);
    for (size_t i = 0; i < n; i++)
        rows[i] = i;
    return rows;
}

/* The draw of resample `stream`, as rows */
size_t *drawn_rows(uint64_t seed, uint64_t stream, size_t n, size_t first)
{
    uint32_t *items = malloc(n * sizeof *items);
    size_t *rows = malloc(n * sizeof *rows);
    for (size_t i = 0; i < n; i++)
        items[i] = (uint32_t)(i + first);
    ggm_rng random = ggm_rng_seeded(seed, stream);
    ggm_rng_shuffle(&random, items, (uint32_t)n);
    for (size_t i = 0; i < n; i++)
        rows[i] = items[i];
    free(items);
    return rows;
}

ggm_select_settings defaults(ggm_criterion criterion)
{
    ggm_select_settings select;
    ggm_default_select_settings(&select);
    select.criterion = criterion;
    select.path.count = 8;
    select.path.tolerance = 1e-12; /* losses and edges move by the square root of it */
    return select;
}

void assert_choice(const ggm_problem *problem, const ggm_selection *selection)
{
    ggm_problem at = *problem;
    double *s = malloc(problem->p * problem->p * sizeof *s);
    assert_int_equal(selection->status, GGM_OK);
    assert_true(selection->lambda == selection->points[selection->chosen].lambda);
    assert_true(selection->result.info.lambda == selection->lambda);
    if (problem->samples) {
        assert_int_equal(ggm_covariance(problem->samples, problem->covariance, 1, s), GGM_OK);
        at.samples = NULL;
        at.s = s;
    }
    at.lambda = selection->lambda;
    assert_answer(&at, &selection->result, 1e-7);
    free(s);
}

size_t solves_of(const ggm_selection *selection)
{
    size_t solves = 0;
    for (size_t k = 0; k < selection->count; k++)
        solves += (size_t)selection->points[k].solves;
    return solves;
}
