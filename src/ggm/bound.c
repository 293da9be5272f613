/* The bound on the gap of certificate.c, e = sum_ij E_ij E_ji with E = T F - I, in tasks for a crew.
 *
 * F is never stored whole: E is computed by tiles of columns, each from its own columns of F, which are F's rows transposed
 * (tile.c). E is kept tile by tile, (m, width) each, in single precision, which is plenty for a sum of its squares.
 *
 * A block in single precision has a quick way: F from its single-precision S and W, and E in the place of that S, row for row, so that no
 * memory is asked for. What rounding does is bounded: let R be the error of E, then |e - e'| <= 2 |E| |R| + |R|^2 in
 * Frobenius norms, and row i of R is at most sum_k |T_ik| |dF_k|, where dF_k stands for rounding of F_k and of products with it, so
 * |R| <= sqrt(sum_i |T_i|_1^2) max_k |dF_k|. Where that matters, E is
 * computed again with F in double precision from the exact S. */
#include "ggm/internal.h"

#include <math.h>

#define ROUNDING (10 * 5.97e-8) /* in units of |F_ij| + |S_ij|: S's own rounding, two operations for F, T's rounding, four of a sum of eight products */
#define MATTERS 0.3            /* share of the bound that may be owed to rounding */

size_t ggm_bound_width(int m)
{
    return m <= 4096 ? 64 : 32;
}

bool ggm_bound_init(ggm_bound *bound, const ggm_evidence *evidence, int threads)
{
    const size_t m = (size_t)evidence->m, width = ggm_bound_width(evidence->m), tiles = (m + width - 1) / width;
    *bound = (ggm_bound){.evidence = evidence, .width = (int)width, .tiles = (int)tiles, .stride = ggm_bound_space(m, width)};
    bound->space = ggm_alloc((size_t)threads * bound->stride, sizeof *bound->space);
    bound->sums = ggm_alloc_zero(2 * tiles, sizeof *bound->sums);
    if (bound->space && bound->sums)
        return true;
    ggm_bound_release(bound);
    return false;
}

void ggm_bound_release(ggm_bound *bound)
{
    ggm_free(bound->space);
    ggm_free(bound->sums);
    *bound = (ggm_bound){0};
}

/* Adds times sum_j a_j b_j, b's entries lying `stride` apart, and the sum of the terms' sizes */
static void square_row(const float *a, const float *b, size_t stride, size_t n, double times, double *square, double *size)
{
    double sum[4] = {0}, sizes[4] = {0};
    size_t j = 0;
    for (; j + 4 <= n; j += 4)
        for (size_t x = 0; x < 4; x++) {
            const double term = (double)a[j + x] * (double)b[(j + x) * stride];
            sum[x] += term;
            sizes[x] += fabs(term);
        }
    for (; j < n; j++) {
        const double term = (double)a[j] * (double)b[j * stride];
        sum[0] += term;
        sizes[0] += fabs(term);
    }
    *square += times * ((sum[0] + sum[1]) + (sum[2] + sum[3]));
    *size += times * ((sizes[0] + sizes[1]) + (sizes[2] + sizes[3]));
}

/* The sum of E_ij E_ji over j in this tile and i up to j's tile, and what rounding E to single precision may have taken from it */
static void square_tile(void *context, int tile, int thread)
{
    (void)thread;
    const ggm_bound *bound = context;
    const size_t m = (size_t)bound->evidence->m, width = (size_t)bound->width, to = (size_t)tile * width;
    double square = 0, size = 0;
    for (size_t other = 0; other <= (size_t)tile; other++) {
        const size_t from = other * width, rows = to + width < m ? width : m - to, columns = from + width < m ? width : m - from;
        const float *a = bound->residual + (size_t)tile * m * width + from * width; /* E_ij, i in the other tile, j in this */
        const float *b = bound->residual + other * m * width + to * width;          /* E_ji */
        const double times = other < (size_t)tile ? 2 : 1;
        for (size_t i = 0; i < columns; i++)
            square_row(a + i * width, b + i, width, rows, times, &square, &size);
    }
    bound->sums[bound->tiles + tile].square = square + 2.4e-7 * size;
}

/* sqrt(sum_i |T_i|_1^2) */
static double norm_of(const ggm_sparse *t)
{
    double total = 0;
    for (size_t i = 0; i < t->p; i++) {
        double sum = 0;
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            sum += fabs(t->value[k]);
        total += sum * sum;
    }
    return sqrt(total);
}

/* Sums up; *exact: rounding does not matter to the bound */
static ggm_gap finish(const ggm_bound *bound, bool *exact)
{
    double slack = 0, square = 0, kkt = 0, norm = 0, size = 0;
    for (int k = 0; k < 2 * bound->tiles; k++) {
        slack += bound->sums[k].slack;
        square += bound->sums[k].square;
        size += bound->sums[k].size;
        kkt = fmax(kkt, bound->sums[k].kkt);
        norm = fmax(norm, bound->sums[k].norm);
    }
    const double rounding = bound->s32 ? ROUNDING * norm_of(bound->evidence->t) * norm : 0;
    const double error = rounding * (2 * sqrt(size) + rounding), eta = sqrt(fmax(square, 0) + error);
    *exact = error <= MATTERS * square || eta >= 1;
    return (ggm_gap){.gap = eta < 1 ? slack + eta * eta / (2 * (1 - eta)) : (double)INFINITY, .kkt = kkt};
}

ggm_gap ggm_bound_take(ggm_bound *bound, ggm_crew *crew)
{
    bool exact = true;
    ggm_crew_run(crew, bound->s32 ? ggm_bound_tile32 : ggm_bound_tile64, bound, bound->tiles);
    ggm_crew_run(crew, square_tile, bound, bound->tiles);
    ggm_gap gap = finish(bound, &exact);
    if (!exact) {
        bound->s32 = NULL;
        ggm_crew_run(crew, ggm_bound_tile64, bound, bound->tiles);
        ggm_crew_run(crew, square_tile, bound, bound->tiles);
        gap = finish(bound, &exact);
    }
    return gap;
}
