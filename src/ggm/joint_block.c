/* One component of the joint problem: compact copies of every class's S and W, where the descent starts, and how T is put together.
 *
 * Cold start: W_k = S_k with the off-diagonal entries shrunk by the same share in all classes until every pair lies in the dual ball, which
 * is feasible, and positive definite if S_k is semidefinite and anything had to be shrunk. Feasibility is not needed, positive definiteness
 * is, so at least a small share is shrunk. Warm start: W_k = inverse of the start.
 *
 * At the optimum column i and column j agree on the pair (i, j). Before, T takes their mean where both are nonzero, class by class, and under the
 * fused penalty classes that either column makes equal are made equal: the structure that T has is structure that a proximal map has given. */
#include "ggm/joint_internal.h"

#include <math.h>
#include <string.h>

#define LEAST_SHRINKAGE 0.02

static void copy_covariance(ggm_joint_block *block, const ggm_joint_input *input)
{
    const size_t tile = 64, m = (size_t)block->m; /* tiles, for entries read both triangles */
    for (int k = 0; k < block->classes; k++) {
        double *s = block->s + (size_t)k * m * m;
        for (size_t i0 = 0; i0 < m; i0 += tile)
            for (size_t j0 = 0; j0 < m; j0 += tile)
                for (size_t i = i0; i < m && i < i0 + tile; i++)
                    for (size_t j = j0; j < m && j < j0 + tile; j++)
                        s[i * m + j] = ggm_joint_entry(input, k, (size_t)block->node[i], (size_t)block->node[j]);
    }
}

bool ggm_joint_column_reserve(ggm_joint_column *column, int count, int classes)
{
    if (count <= column->capacity)
        return true;
    const int capacity = count + count / 2 + 8;
    const size_t width = (size_t)classes, old = (size_t)column->count;
    int *index = ggm_alloc((size_t)capacity, sizeof *index);
    double *theta = ggm_alloc((size_t)capacity * width, sizeof *theta);
    if (!index || !theta) {
        ggm_free(index);
        ggm_free(theta);
        return false;
    }
    if (old > 0) {
        memcpy(index, column->index, old * sizeof *index);
        memcpy(theta, column->theta, old * width * sizeof *theta);
    }
    ggm_free(column->index);
    ggm_free(column->theta);
    *column = (ggm_joint_column){.index = index, .theta = theta, .count = column->count, .capacity = capacity};
    return true;
}

/* ---- starts ---- */
static void cold(ggm_joint_block *block)
{
    const size_t m = (size_t)block->m, classes = (size_t)block->classes;
    const double keep = 1 - fmax(LEAST_SHRINKAGE, ggm_joint_shrinkage(block));
    for (size_t k = 0; k < classes; k++) {
        const double *s = block->s + k * m * m;
        double *w = block->w + k * m * m;
        for (size_t e = 0; e < m * m; e++)
            w[e] = keep * s[e];
        for (size_t i = 0; i < m; i++) {
            w[i * m + i] = s[i * m + i] + (block->penalize_diagonal ? block->norm.lambda1 / block->weights[k] : 0);
            block->diagonal[i * classes + k] = 1 / w[i * m + i];
        }
    }
}

/* W_k = inverse of the start's part in this block, and T's diagonal; false where it is not positive definite */
static bool invert_starts(ggm_joint_block *block, const ggm_joint_input *input, const int *place)
{
    const size_t m = (size_t)block->m, classes = (size_t)block->classes;
    memset(block->w, 0, classes * m * m * sizeof *block->w);
    for (size_t k = 0; k < classes; k++) {
        const ggm_sparse *start = input->problems[k].start;
        const double *scales = input->scales[k];
        double *w = block->w + k * m * m;
        for (size_t i = 0; i < m; i++)
            for (size_t e = start->start[block->node[i]]; e < start->start[block->node[i] + 1]; e++) {
                const int j = place[start->index[e]];
                if (j >= 0)
                    w[i * m + (size_t)j] = start->value[e] / (scales[block->node[i]] * scales[start->index[e]]);
            }
        for (size_t i = 0; i < m; i++)
            block->diagonal[i * classes + k] = w[i * (m + 1)];
        if (!ggm_linalg_host.cholesky(w, block->m) || !ggm_linalg_host.invert(w, block->m))
            return false;
    }
    return true;
}

/* Pairs where a start is nonzero, with its values */
static bool columns_of_starts(ggm_joint_block *block, const ggm_joint_input *input, const int *place)
{
    const size_t classes = (size_t)block->classes;
    int *slot = ggm_alloc((size_t)block->m, sizeof *slot);
    for (int i = 0; slot && i < block->m; i++)
        slot[i] = -1;
    bool good = slot != NULL;
    for (int j = 0; good && j < block->m; j++) {
        ggm_joint_column *column = &block->columns[j];
        for (size_t k = 0; good && k < classes; k++) {
            const ggm_sparse *start = input->problems[k].start;
            const double *scales = input->scales[k];
            for (size_t e = start->start[block->node[j]]; good && e < start->start[block->node[j] + 1]; e++) {
                const int i = place[start->index[e]];
                if (i < 0 || i == j || start->value[e] == 0)
                    continue;
                if (slot[i] < 0) {
                    good = ggm_joint_column_reserve(column, column->count + 1, block->classes);
                    if (!good)
                        break;
                    slot[i] = column->count++;
                    column->index[slot[i]] = i;
                    memset(column->theta + (size_t)slot[i] * classes, 0, classes * sizeof *column->theta);
                }
                column->theta[(size_t)slot[i] * classes + k] = start->value[e] / (scales[block->node[j]] * scales[start->index[e]]);
            }
        }
        for (int a = 0; a < column->count; a++)
            slot[column->index[a]] = -1;
    }
    ggm_free(slot);
    return good;
}

/* The pairs that theta = 0 leaves outside the ball */
static bool first_active_sets(ggm_joint_block *block)
{
    const size_t m = (size_t)block->m, classes = (size_t)block->classes;
    double v[GGM_K];
    for (size_t j = 0; j < m; j++) {
        ggm_joint_column *column = &block->columns[j];
        for (size_t i = 0; i < m; i++) {
            for (size_t k = 0; k < classes; k++)
                v[k] = block->weights[k] * block->s[k * m * m + j * m + i];
            if (i == j || ggm_joint_in_ball(&block->norm, v))
                continue;
            if (!ggm_joint_column_reserve(column, column->count + 1, block->classes))
                return false;
            column->index[column->count] = (int)i;
            memset(column->theta + (size_t)column->count * classes, 0, classes * sizeof *column->theta);
            column->count++;
        }
    }
    return true;
}

bool ggm_joint_block_load(ggm_joint_block *block, const ggm_joint_input *input, const int *node, int m)
{
    const size_t classes = (size_t)input->classes, all = classes * (size_t)m * (size_t)m;
    *block = (ggm_joint_block){.m = m, .classes = input->classes, .node = node, .norm = input->norm, .penalize_diagonal = input->penalize_diagonal,
                               .weights = input->weights};
    block->s = ggm_alloc(all, sizeof *block->s);
    block->w = ggm_alloc(all, sizeof *block->w);
    block->feasible = ggm_alloc(all, sizeof *block->feasible);
    block->product = ggm_alloc(all, sizeof *block->product);
    block->precisions = ggm_alloc_zero(classes, sizeof *block->precisions);
    if (!block->s || !block->w || !block->feasible || !block->product || !block->precisions)
        return false;
    copy_covariance(block, input);
    return true;
}

bool ggm_joint_block_begin(ggm_joint_block *block, const ggm_joint_input *input, int *place)
{
    block->diagonal = ggm_alloc((size_t)block->m * (size_t)block->classes, sizeof *block->diagonal);
    block->columns = ggm_alloc_zero((size_t)block->m, sizeof *block->columns);
    if (!block->diagonal || !block->columns)
        return false;
    bool warm = false, good = true;
    if (input->has_start) {
        for (int i = 0; i < block->m; i++)
            place[block->node[i]] = i;
        warm = invert_starts(block, input, place);
        good = !warm || columns_of_starts(block, input, place);
        for (int i = 0; i < block->m; i++)
            place[block->node[i]] = -1;
    }
    if (warm || !good)
        return good;
    cold(block);
    return first_active_sets(block);
}

/* ---- T from the columns ---- */
/* Compressed rows whose entries are K-vectors in the columns */
typedef struct {
    size_t *start;
    int *index;
    const double **theta;
} pairs;

static void pairs_release(pairs *p)
{
    ggm_free(p->start);
    ggm_free(p->index);
    ggm_free(p->theta);
}

static bool pairs_alloc(pairs *p, size_t m, size_t count)
{
    p->start = ggm_alloc_zero(m + 1, sizeof *p->start);
    p->index = ggm_alloc(count, sizeof *p->index);
    p->theta = ggm_alloc(count, sizeof *p->theta);
    return p->start && p->index && p->theta;
}

/* Entry (i, j) of by_row, j ascending: what column j says */
static bool gather_rows(const ggm_joint_block *block, pairs *by_row)
{
    const size_t m = (size_t)block->m, classes = (size_t)block->classes;
    size_t count = 0;
    for (size_t j = 0; j < m; j++)
        count += (size_t)block->columns[j].count;
    if (!pairs_alloc(by_row, m, count))
        return false;
    for (size_t j = 0; j < m; j++)
        for (int a = 0; a < block->columns[j].count; a++)
            by_row->start[block->columns[j].index[a] + 1]++;
    ggm_counts_to_starts(by_row->start, m);
    for (size_t j = 0; j < m; j++)
        for (int a = 0; a < block->columns[j].count; a++) {
            const size_t at = by_row->start[block->columns[j].index[a]]++;
            by_row->index[at] = (int)j;
            by_row->theta[at] = block->columns[j].theta + (size_t)a * classes;
        }
    ggm_starts_from_ends(by_row->start, m);
    return true;
}

/* Entry (j, i) of b, i ascending: what column j says */
static bool transpose(const pairs *a, size_t m, pairs *b)
{
    if (!pairs_alloc(b, m, a->start[m]))
        return false;
    for (size_t e = 0; e < a->start[m]; e++)
        b->start[a->index[e] + 1]++;
    ggm_counts_to_starts(b->start, m);
    for (size_t i = 0; i < m; i++)
        for (size_t e = a->start[i]; e < a->start[i + 1]; e++) {
            const size_t at = b->start[a->index[e]]++;
            b->index[at] = (int)i;
            b->theta[at] = a->theta[e];
        }
    ggm_starts_from_ends(b->start, m);
    return true;
}

/* out = mean of x and y, with the zeros of either and, fused, the equalities of either */
static void merge_pair(const ggm_joint_norm *norm, const double *x, const double *y, double *out)
{
    int group[GGM_K];
    for (int k = 0; k < norm->classes; k++) {
        out[k] = x[k] == 0 || y[k] == 0 ? 0 : 0.5 * (x[k] + y[k]);
        group[k] = k;
    }
    if (norm->penalty != GGM_JOINT_FUSED)
        return;
    for (int k = 1; k < norm->classes; k++)
        for (int l = 0; l < k; l++)
            if (out[k] != 0 && out[l] != 0 && group[k] != group[l] && (x[k] == x[l] || y[k] == y[l]))
                for (int i = 0, old = group[k], fresh = group[l]; i < norm->classes; i++)
                    group[i] = group[i] == old ? fresh : group[i];
    for (int k = 0; k < norm->classes; k++) {
        if (group[k] != k)
            continue;
        double sum = 0;
        int count = 0;
        for (int l = 0; l < norm->classes; l++)
            if (group[l] == k && out[l] != 0) {
                sum += out[l];
                count++;
            }
        for (int l = 0; count > 1 && l < norm->classes; l++)
            out[l] = group[l] == k && out[l] != 0 ? sum / count : out[l];
    }
}

static void put(ggm_joint_block *block, size_t j, const double *values)
{
    for (int k = 0; k < block->classes; k++)
        if (values[k] != 0) {
            ggm_sparse *t = &block->precisions[k];
            t->index[t->nnz] = (int)j;
            t->value[t->nnz++] = values[k];
        }
}

static void merge_row(ggm_joint_block *block, const pairs *a, const pairs *b, size_t i)
{
    const double *diagonal = block->diagonal + i * (size_t)block->classes;
    size_t x = a->start[i], y = b->start[i];
    double merged[GGM_K];
    bool done = false;
    while (x < a->start[i + 1] && y < b->start[i + 1]) {
        if (a->index[x] < b->index[y]) {
            x++;
        } else if (a->index[x] > b->index[y]) {
            y++;
        } else {
            if (!done && (size_t)a->index[x] > i) {
                put(block, i, diagonal);
                done = true;
            }
            merge_pair(&block->norm, a->theta[x], b->theta[y], merged);
            put(block, (size_t)a->index[x], merged);
            x++;
            y++;
        }
    }
    if (!done)
        put(block, i, diagonal);
}

static bool sparse_alloc(ggm_sparse *t, size_t m, size_t nnz)
{
    *t = (ggm_sparse){.p = m, .start = ggm_alloc(m + 1, sizeof *t->start), .index = ggm_alloc(nnz, sizeof *t->index),
                      .value = ggm_alloc(nnz, sizeof *t->value)};
    return t->start && t->index && t->value;
}

bool ggm_joint_block_precisions(ggm_joint_block *block)
{
    const size_t m = (size_t)block->m;
    pairs a = {0}, b = {0};
    bool good = gather_rows(block, &a) && transpose(&a, m, &b);
    for (int k = 0; k < block->classes; k++) {
        ggm_sparse_release(&block->precisions[k]);
        good = good && sparse_alloc(&block->precisions[k], m, a.start[m] + m);
    }
    for (size_t i = 0; good && i < m; i++) {
        for (int k = 0; k < block->classes; k++)
            block->precisions[k].start[i] = block->precisions[k].nnz;
        merge_row(block, &a, &b, i);
    }
    for (int k = 0; good && k < block->classes; k++)
        block->precisions[k].start[m] = block->precisions[k].nnz;
    pairs_release(&a);
    pairs_release(&b);
    return good;
}

void ggm_joint_block_release(ggm_joint_block *block)
{
    for (int j = 0; block->columns && j < block->m; j++) {
        ggm_free(block->columns[j].index);
        ggm_free(block->columns[j].theta);
    }
    for (int k = 0; block->precisions && k < block->classes; k++)
        ggm_sparse_release(&block->precisions[k]);
    ggm_free(block->columns);
    ggm_free(block->precisions);
    ggm_free(block->diagonal);
    ggm_free(block->s);
    ggm_free(block->w);
    ggm_free(block->feasible);
    ggm_free(block->product);
    *block = (ggm_joint_block){0};
}
