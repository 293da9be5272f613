/* One connected component: its own compact copies of S and W, in single precision or double, and the columns of T, all owned by
 * the block. start.c fills them in; here are their lives, the start from a given precision matrix, and T out of the columns. */
#include "ggm/internal.h"

#include <math.h>
#include <string.h>

static size_t square(int m)
{
    return (size_t)m * (size_t)m;
}

static void copy_weights(ggm_block *block)
{
    const size_t m = (size_t)block->m, p = block->problem->p;
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < m; j++)
            block->weights[i * m + j] = block->problem->weights[(size_t)block->node[i] * p + (size_t)block->node[j]];
}

static void set_diagonal(ggm_block *block)
{
    for (int i = 0; i < block->m; i++) {
        const size_t node = (size_t)block->node[i];
        block->diagonal[i] = ggm_entry(block->problem, block->scales, node, node) + ggm_penalty(block, i, i);
    }
}

static bool alloc_matrices(ggm_block *block, bool single)
{
    if (single) {
        block->s32 = ggm_alloc(ggm_bound_padded((size_t)block->m), sizeof *block->s32);
        block->w32 = ggm_alloc(square(block->m), sizeof *block->w32);
        return block->s32 && block->w32;
    }
    block->s = ggm_alloc(square(block->m), sizeof *block->s);
    block->w = ggm_alloc(square(block->m), sizeof *block->w);
    return block->s && block->w;
}

static void free_matrices(ggm_block *block, bool single)
{
    if (single) {
        ggm_free(block->s32);
        ggm_free(block->w32);
        block->s32 = block->w32 = NULL;
    } else {
        ggm_free(block->s);
        ggm_free(block->w);
        block->s = block->w = NULL;
    }
}

bool ggm_block_init(ggm_block *block, const ggm_problem *problem, const double *scales, const int *node, int m, double lambda, bool single)
{
    *block = (ggm_block){.m = m, .node = node, .problem = problem, .scales = scales, .lambda = lambda, .penalize_diagonal = problem->penalize_diagonal};
    block->weights = problem->weights ? ggm_alloc(square(m), sizeof *block->weights) : NULL;
    block->columns = ggm_alloc_zero((size_t)m, sizeof *block->columns);
    block->diagonal = ggm_alloc((size_t)m, sizeof *block->diagonal);
    if (!alloc_matrices(block, single) || !block->columns || !block->diagonal || (problem->weights && !block->weights)) {
        ggm_block_release(block);
        return false;
    }
    if (block->weights)
        copy_weights(block);
    set_diagonal(block);
    if (single)
        ggm_fill_covariance32(block);
    else
        ggm_fill_covariance64(block);
    return true;
}

bool ggm_block_widen(ggm_block *block)
{
    if (block->w)
        return true;
    if (!alloc_matrices(block, false)) {
        free_matrices(block, false);
        return false;
    }
    ggm_fill_covariance64(block);
    for (size_t k = 0; k < square(block->m); k++)
        block->w[k] = (double)block->w32[k];
    for (size_t i = 0; i < (size_t)block->m; i++)
        block->w[i * (size_t)block->m + i] = block->diagonal[i];
    free_matrices(block, true);
    block->stale = false;
    return true;
}

bool ggm_block_narrow(ggm_block *block)
{
    if (block->w32)
        return true;
    if (!alloc_matrices(block, true)) {
        free_matrices(block, true);
        return false;
    }
    for (size_t k = 0; k < square(block->m); k++) {
        block->s32[k] = (float)block->s[k];
        block->w32[k] = (float)block->w[k];
    }
    free_matrices(block, false);
    return true;
}

bool ggm_column_reserve(ggm_column *column, int count)
{
    if (count <= column->capacity)
        return true;
    int capacity = count + count / 2 + 8;
    int *index = ggm_alloc((size_t)capacity, sizeof *index);
    double *beta = ggm_alloc((size_t)capacity, sizeof *beta);
    if (!index || !beta) {
        ggm_free(index);
        ggm_free(beta);
        return false;
    }
    if (column->count > 0) {
        memcpy(index, column->index, (size_t)column->count * sizeof *index);
        memcpy(beta, column->beta, (size_t)column->count * sizeof *beta);
    }
    ggm_free(column->index);
    ggm_free(column->beta);
    column->index = index;
    column->beta = beta;
    column->capacity = capacity;
    return true;
}

bool ggm_block_cold(ggm_block *block, bool safe)
{
    return block->w32 ? ggm_fill_cold32(block, safe) : ggm_fill_cold64(block, safe);
}

void ggm_block_rescale(ggm_block *block, double lambda)
{
    const double ratio = fmin(1, lambda / block->lambda);
    block->lambda = lambda;
    block->sweeps = 0;
    set_diagonal(block);
    if (block->stale) {
        /* a second lambda: from now on the bound has memory of its own, if there is any, and S stays */
        block->residual = ggm_alloc(ggm_bound_padded((size_t)block->m), sizeof *block->residual);
        ggm_fill_covariance32(block);
    }
    if (block->w32)
        ggm_fill_rescale32(block, ratio);
    else
        ggm_fill_rescale64(block, ratio);
}

/* The old column's entries whose variables are in this block, renumbered */
static bool warm_column(ggm_column *column, const ggm_column *old, const int *old_node, const ggm_places *places, int number)
{
    column->index = ggm_alloc((size_t)old->count, sizeof *column->index);
    column->beta = ggm_alloc((size_t)old->count, sizeof *column->beta);
    if (!column->index || !column->beta)
        return false;
    column->capacity = old->count;
    for (int k = 0; k < old->count; k++) {
        int variable = old_node[old->index[k]];
        if (places->block_of[variable] != number)
            continue;
        column->index[column->count] = places->place[variable];
        column->beta[column->count++] = old->beta[k];
    }
    return true;
}

bool ggm_block_warm(ggm_block *block, const ggm_places *places, const ggm_block *old, const ggm_places *old_places, double old_lambda)
{
    const double ratio = fmin(1, block->lambda / old_lambda);
    const int number = places->block_of[block->node[0]];
    for (int i = 0; i < block->m; i++) {
        const int a = old_places->block_of[block->node[i]];
        if (a >= 0 && !warm_column(&block->columns[i], &old[a].columns[old_places->place[block->node[i]]], old[a].node, places, number))
            return false;
    }
    if (block->w32)
        ggm_fill_warm32(block, old, old_places, ratio);
    else
        ggm_fill_warm64(block, old, old_places, ratio);
    return true;
}

/* The rows of `start` that belong to the block, in its variables and units, as block->precision and as columns */
static bool load_start(ggm_block *block, const ggm_sparse *start, const double *scales, const ggm_places *places)
{
    const int number = places->block_of[block->node[0]];
    size_t nnz = 0;
    for (int i = 0; i < block->m; i++)
        nnz += start->start[block->node[i] + 1] - start->start[block->node[i]];
    ggm_sparse *t = &block->precision;
    *t = (ggm_sparse){.p = (size_t)block->m, .start = ggm_alloc((size_t)block->m + 1, sizeof *t->start), .index = ggm_alloc(nnz, sizeof *t->index),
                      .value = ggm_alloc(nnz, sizeof *t->value)};
    if (!t->start || !t->index || !t->value)
        return false;
    size_t at = 0;
    for (int i = 0; i < block->m; i++) {
        const size_t row = (size_t)block->node[i];
        t->start[i] = at;
        for (size_t k = start->start[row]; k < start->start[row + 1]; k++) {
            const int j = start->index[k];
            if (places->block_of[j] != number || start->value[k] == 0)
                continue;
            t->index[at] = places->place[j];
            t->value[at++] = start->value[k] / (scales[row] * scales[j]);
        }
    }
    t->start[block->m] = t->nnz = at;
    return true;
}

bool ggm_block_columns(ggm_block *block)
{
    const ggm_sparse *t = &block->precision;
    for (int j = 0; j < block->m; j++) {
        ggm_column *column = &block->columns[j];
        if (!ggm_column_reserve(column, (int)(t->start[j + 1] - t->start[j])))
            return false;
        column->count = 0;
        column->diagonal = 0;
        for (size_t k = t->start[j]; k < t->start[j + 1]; k++)
            if (t->index[k] == j)
                column->diagonal = t->value[k];
        for (size_t k = t->start[j]; k < t->start[j + 1]; k++)
            if (t->index[k] != j) {
                column->index[column->count] = t->index[k];
                column->beta[column->count++] = -t->value[k] / column->diagonal;
            }
    }
    return true;
}

/* W = the inverse of the start moved into the bounds, drawn towards the cold start until it is positive definite */
static bool covariance_of_start(ggm_block *block)
{
    static const double shares[] = {0, 0.01, 0.1, 0.5};
    const size_t m = (size_t)block->m;
    const ggm_evidence evidence = ggm_block_evidence(block);
    double logdet;
    if (!ggm_logdet_sparse(&block->precision, block->feasible, &logdet) || !ggm_linalg_host.invert(block->feasible, block->m))
        return false;
    ggm_bound_clip(&evidence, block->feasible, block->product, 0, block->m);
    const double keep = 1 - ggm_shrinkage(&evidence);
    for (size_t attempt = 0; attempt < sizeof shares / sizeof *shares; attempt++) {
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < m; j++) {
                const size_t k = i * m + j;
                block->w[k] = i == j ? block->product[k] : (1 - shares[attempt]) * block->product[k] + shares[attempt] * keep * block->s[k];
            }
        memcpy(block->feasible, block->w, m * m * sizeof *block->w);
        if (ggm_linalg_host.cholesky(block->feasible, block->m))
            return true;
    }
    return false;
}

bool ggm_block_start(ggm_block *block, const ggm_sparse *start, const double *scales, const ggm_places *places)
{
    if (!ggm_block_space(block) || !load_start(block, start, scales, places))
        return false;
    if (!covariance_of_start(block))
        return ggm_block_cold(block, true);
    return ggm_block_columns(block);
}

/* Compressed rows of a square matrix; `value` is shared by reference to the caller's arrays */
typedef struct {
    size_t *start;
    int *index;
    double *value;
} rows;

static void rows_release(rows *r)
{
    ggm_free(r->start);
    ggm_free(r->index);
    ggm_free(r->value);
}

static bool rows_alloc(rows *r, size_t m, size_t nnz)
{
    r->start = ggm_alloc_zero(m + 1, sizeof *r->start);
    r->index = ggm_alloc(nnz, sizeof *r->index);
    r->value = ggm_alloc(nnz, sizeof *r->value);
    return r->start && r->index && r->value;
}

void ggm_counts_to_starts(size_t *start, size_t m)
{
    for (size_t i = 0; i < m; i++)
        start[i + 1] += start[i];
}

void ggm_starts_from_ends(size_t *start, size_t m)
{
    memmove(start + 1, start, m * sizeof *start);
    start[0] = 0;
}

/* by_row: -T_jj beta_j at (i, j), by rows i, j ascending */
static bool gather_rows(const ggm_block *block, rows *by_row)
{
    const size_t m = (size_t)block->m;
    size_t nnz = 0;
    for (size_t j = 0; j < m; j++)
        nnz += (size_t)block->columns[j].count;
    if (!rows_alloc(by_row, m, nnz))
        return false;
    for (size_t j = 0; j < m; j++)
        for (int k = 0; k < block->columns[j].count; k++)
            by_row->start[block->columns[j].index[k] + 1] += block->columns[j].beta[k] != 0;
    ggm_counts_to_starts(by_row->start, m);
    for (size_t j = 0; j < m; j++)
        for (int k = 0; k < block->columns[j].count; k++)
            if (block->columns[j].beta[k] != 0) {
                size_t at = by_row->start[block->columns[j].index[k]]++;
                by_row->index[at] = (int)j;
                by_row->value[at] = -block->columns[j].diagonal * block->columns[j].beta[k];
            }
    ggm_starts_from_ends(by_row->start, m);
    return true;
}

static bool transpose(const rows *a, size_t m, rows *b)
{
    if (!rows_alloc(b, m, a->start[m]))
        return false;
    for (size_t k = 0; k < a->start[m]; k++)
        b->start[a->index[k] + 1]++;
    ggm_counts_to_starts(b->start, m);
    for (size_t i = 0; i < m; i++)
        for (size_t k = a->start[i]; k < a->start[i + 1]; k++) {
            size_t at = b->start[a->index[k]]++;
            b->index[at] = (int)i;
            b->value[at] = a->value[k];
        }
    ggm_starts_from_ends(b->start, m);
    return true;
}

/* Row i of the mean of the two, where both have an entry, with the diagonal; returns the end of `out` */
static size_t merge_row(const ggm_block *block, const rows *a, const rows *b, size_t i, ggm_sparse *out, size_t at)
{
    size_t x = a->start[i], y = b->start[i];
    bool diagonal = false;
    while (x < a->start[i + 1] && y < b->start[i + 1]) {
        if (a->index[x] < b->index[y]) {
            x++;
        } else if (a->index[x] > b->index[y]) {
            y++;
        } else {
            if (!diagonal && (size_t)a->index[x] > i) {
                diagonal = true;
                out->index[at] = (int)i;
                out->value[at++] = block->columns[i].diagonal;
            }
            double mean = 0.5 * (a->value[x] + b->value[y]);
            out->index[at] = a->index[x];
            out->value[at] = mean;
            at += mean != 0;
            x++;
            y++;
        }
    }
    if (!diagonal) {
        out->index[at] = (int)i;
        out->value[at++] = block->columns[i].diagonal;
    }
    return at;
}

bool ggm_block_precision(ggm_block *block)
{
    const size_t m = (size_t)block->m;
    rows a = {0}, b = {0};
    ggm_sparse t = {.p = m};
    bool good = gather_rows(block, &a) && transpose(&a, m, &b);
    if (good) {
        t.start = ggm_alloc(m + 1, sizeof *t.start);
        t.index = ggm_alloc(a.start[m] + m, sizeof *t.index);
        t.value = ggm_alloc(a.start[m] + m, sizeof *t.value);
        good = t.start && t.index && t.value;
    }
    if (good) {
        t.start[0] = 0;
        for (size_t i = 0; i < m; i++)
            t.start[i + 1] = merge_row(block, &a, &b, i, &t, t.start[i]);
        t.nnz = t.start[m];
        ggm_sparse_release(&block->precision);
        block->precision = t;
    } else {
        ggm_sparse_release(&t);
    }
    rows_release(&a);
    rows_release(&b);
    return good;
}

bool ggm_block_space(ggm_block *block)
{
    if (!block->feasible)
        block->feasible = ggm_alloc(square(block->m), sizeof *block->feasible);
    if (!block->product)
        block->product = ggm_alloc(square(block->m), sizeof *block->product);
    return block->feasible && block->product;
}

void ggm_block_release(ggm_block *block)
{
    for (int j = 0; block->columns && j < block->m; j++) {
        ggm_free(block->columns[j].index);
        ggm_free(block->columns[j].beta);
    }
    ggm_free(block->columns);
    free_matrices(block, true);
    free_matrices(block, false);
    ggm_free(block->weights);
    ggm_free(block->diagonal);
    ggm_free(block->residual);
    ggm_free(block->feasible);
    ggm_free(block->product);
    ggm_sparse_release(&block->precision);
    *block = (ggm_block){0};
}
