/* What T is worth, from S, the penalties, T, and a candidate W for the dual: nothing here knows how T and W were found.
 *
 * Let F be W moved to the nearest feasible point that agrees with T's signs: F = S + U with U_ij = L_ij sign T_ij where T_ij != 0, and
 * U_ij = W_ij - S_ij clipped to |U_ij| <= L_ij elsewhere. Clipping alone would do, but loses L |T| - U T > 0, first order in W's error,
 * wherever W falls short of a bound; with the signs that term is 0 and the gap second order. By weak duality, if F is positive definite,
 *     f(T) - f* <= f(T) - logdet F - p = [sum_ij L_ij |T_ij| - U_ij T_ij] + [tr(F T) - p - logdet(F T)].
 * The first is 0 by choice of F (it is summed all the same), the second a sum of terms >= 0, so nothing cancels, unlike in a difference
 * of two objectives. With T = K K' the eigenvalues
 * of F T are those of I + X, X = K'F K - I symmetric, and x - log(1 + x) <= x^2 / 2(1 - |x|):
 *     second bracket <= e / (2 (1 - sqrt e)),   e = ||X||_F^2 = tr(E E) = sum_ij E_ij E_ji,   E = T F - I,
 * for e < 1, which also proves F positive definite if T is. So the bound costs one sparse product (2 m nnz flops) where the two
 * Cholesky factorizations of the plain formula cost 2 m^3 / 3, and it is tight as soon as it is small. (The bound is ours; compare QUIC
 * and scikit-learn, whose gaps use a W that may be infeasible, and so come out negative.)
 *
 * When e >= 1 the plain formula is used, with F drawn towards a point that always is feasible until it is positive definite. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

double ggm_limit(const ggm_evidence *evidence, size_t i, size_t j)
{
    if (i == j && !evidence->penalize_diagonal)
        return 0;
    return evidence->weights ? ggm_weighted(evidence->lambda, evidence->weights[i * (size_t)evidence->m + j]) : evidence->lambda;
}

GGM_CLONES static void clip_row(double *restrict f, const double *restrict w, const double *restrict s, double limit, size_t m)
{
    for (size_t j = 0; j < m; j++) {
        double u = w[j] - s[j];
        u = u > limit ? limit : u;
        u = u < -limit ? -limit : u;
        f[j] = s[j] + u;
    }
}

/* S_i,from .. S_i,from+count: where it is stored, or put together in `buffer` */
static const double *covariance_row(const ggm_evidence *evidence, size_t i, size_t from, size_t count, double *buffer)
{
    if (evidence->s)
        return evidence->s + i * (size_t)evidence->m + from;
    const size_t row = (size_t)evidence->node[i];
    for (size_t c = 0; c < count; c++)
        buffer[c] = ggm_entry(evidence->problem, evidence->scales, row, (size_t)evidence->node[from + c]);
    return buffer;
}

static double covariance_at(const ggm_evidence *evidence, size_t i, size_t j)
{
    double entry;
    return *covariance_row(evidence, i, j, 1, &entry);
}

static void clip(const ggm_evidence *evidence, const double *w, double *feasible, size_t i)
{
    const size_t m = (size_t)evidence->m;
    const double *s = evidence->s + i * m;
    if (!evidence->weights)
        clip_row(feasible + i * m, w + i * m, s, evidence->lambda, m);
    for (size_t j = 0; evidence->weights && j < m; j++) {
        double limit = ggm_limit(evidence, i, j);
        feasible[i * m + j] = s[j] + fmax(-limit, fmin(limit, w[i * m + j] - s[j]));
    }
    feasible[i * m + i] = s[i] + ggm_limit(evidence, i, i);
}

void ggm_bound_clip(const ggm_evidence *evidence, const double *w, double *feasible, int from, int to)
{
    const size_t m = (size_t)evidence->m;
    const ggm_sparse *t = evidence->t;
    for (size_t i = (size_t)from; i < (size_t)to; i++) {
        clip(evidence, w, feasible, i);
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++) {
            size_t j = (size_t)t->index[k];
            double limit = ggm_limit(evidence, i, j);
            if (t->value[k] != 0 && isfinite(limit))
                feasible[i * m + j] = evidence->s[i * m + j] + copysign(limit, t->value[k]);
        }
    }
}

/* ---- the bound ----
 * F is never stored whole: E is computed by tiles of columns, each from its own columns of F, which are F's rows transposed. E is kept tile by
 * tile, (m, width) each, in single precision, which is plenty for a sum of its squares and half the memory. */
#define ROWS_AT_ONCE 64
#define TILE_BYTES ((size_t)2 << 20) /* of F's columns at a time, at most: about a second-level cache */
#define GROUP 8 /* rows of F transposed together: a cache line */

size_t ggm_bound_width(int m)
{
    return (size_t)m * 64 * sizeof(double) <= TILE_BYTES ? 64 : 32;
}

bool ggm_bound_init(ggm_bound *bound, const ggm_evidence *evidence, const double *w, const float *w32, float *residual, int threads)
{
    const size_t m = (size_t)evidence->m, width = ggm_bound_width(evidence->m), tiles = (m + width - 1) / width;
    *bound = (ggm_bound){.evidence = evidence, .w = w, .w32 = w32, .residual = residual, .width = (int)width, .tiles = (int)tiles};
    bound->stride = m * width + (GROUP + 1) * m + 2 * width;
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

GGM_CLONES static void clip_row32(double *restrict f, const float *restrict w, const double *restrict s, double limit, size_t m)
{
    for (size_t j = 0; j < m; j++) {
        double u = (double)w[j] - s[j];
        u = u > limit ? limit : u;
        u = u < -limit ? -limit : u;
        f[j] = s[j] + u;
    }
}

/* Row i of F; buffer: (m) */
static void feasible_row(const ggm_bound *bound, size_t i, double *f, double *buffer, ggm_bound_sums *sums)
{
    const ggm_evidence *evidence = bound->evidence;
    const ggm_sparse *t = evidence->t;
    const size_t m = (size_t)evidence->m, at = i * m;
    const double *s = covariance_row(evidence, i, 0, m, buffer);
    if (evidence->weights) {
        for (size_t j = 0; j < m; j++) {
            double limit = ggm_limit(evidence, i, j), w = bound->w32 ? (double)bound->w32[at + j] : bound->w[at + j];
            f[j] = s[j] + fmax(-limit, fmin(limit, w - s[j]));
        }
    } else if (bound->w32) {
        clip_row32(f, bound->w32 + at, s, evidence->lambda, m);
    } else {
        clip_row(f, bound->w + at, s, evidence->lambda, m);
    }
    f[i] = s[i] + ggm_limit(evidence, i, i);
    for (size_t k = t->start[i]; k < t->start[i + 1]; k++) {
        const size_t j = (size_t)t->index[k];
        const double limit = ggm_limit(evidence, i, j), x = t->value[k];
        if (x == 0)
            continue;
        if (isfinite(limit))
            f[j] = s[j] + copysign(limit, x);
        sums->slack += fmax(0, limit * fabs(x) - (f[j] - s[j]) * x);
    }
}

/* GROUP rows to columns [to, to + count) of the tile */
GGM_CLONES static void transpose_group(double *restrict tile, size_t width, const double *restrict rows, size_t m, size_t count)
{
    if (count == GROUP)
        for (size_t k = 0; k < m; k++)
            for (size_t c = 0; c < GROUP; c++)
                tile[k * width + c] = rows[c * m + k];
    else
        for (size_t k = 0; k < m; k++)
            for (size_t c = 0; c < count; c++)
                tile[k * width + c] = rows[c * m + k];
}

GGM_CLONES static double store_residual(float *restrict out, const double *restrict row, size_t n)
{
    double largest = 0;
    for (size_t j = 0; j < n; j++) {
        double x = row[j] < 0 ? -row[j] : row[j];
        largest = x > largest ? x : largest;
        out[j] = (float)row[j];
    }
    return largest;
}

/* Row i of E = T F - I in a tile's columns, f being F's; returns its largest entry */
static double residual_segment(const ggm_bound *bound, size_t i, size_t from, size_t count, const double *f, double *row, float *out)
{
    const ggm_sparse *t = bound->evidence->t;
    const size_t width = (size_t)bound->width;
    const double *rows[ROWS_AT_ONCE];
    double *part = row + width;
    memset(row, 0, count * sizeof *row);
    for (size_t k = t->start[i]; k < t->start[i + 1]; k += ROWS_AT_ONCE) {
        int n = 0;
        for (; n < ROWS_AT_ONCE && k + (size_t)n < t->start[i + 1]; n++)
            rows[n] = f + (size_t)t->index[k + (size_t)n] * width;
        ggm_linalg_host.combine64(k == t->start[i] ? row : part, count, rows, t->value + k, n);
        for (size_t c = 0; k > t->start[i] && c < count; c++)
            row[c] += part[c];
    }
    if (i >= from && i < from + count)
        row[i - from] -= 1;
    return store_residual(out, row, count);
}

void ggm_bound_tile(void *context, int tile, int thread)
{
    const ggm_bound *bound = context;
    const size_t m = (size_t)bound->evidence->m, width = (size_t)bound->width, from = (size_t)tile * width;
    const size_t count = from + width < m ? width : m - from;
    double *f = bound->space + (size_t)thread * bound->stride, *rows = f + m * width, *buffer = rows + GROUP * m, *row = buffer + m;
    float *residual = bound->residual + (size_t)tile * m * width;
    ggm_bound_sums sums = {0};
    for (size_t c0 = 0; c0 < count; c0 += GROUP) {
        const size_t group = count - c0 < GROUP ? count - c0 : GROUP;
        for (size_t c = 0; c < group; c++)
            feasible_row(bound, from + c0 + c, rows + c * m, buffer, &sums);
        transpose_group(f + c0, width, rows, m, group);
    }
    for (size_t i = 0; i < m; i++)
        sums.kkt = fmax(sums.kkt, residual_segment(bound, i, from, count, f, row, residual + i * width));
    bound->sums[tile] = sums;
}

/* The sum of E_ij E_ji over j in this tile and i up to j's tile, and what rounding E to single precision may have taken from it */
void ggm_bound_square(void *context, int tile, int thread)
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
            for (size_t j = 0; j < rows; j++) {
                const double x = times * (double)a[i * width + j] * (double)b[j * width + i];
                square += x;
                size += fabs(x);
            }
    }
    bound->sums[bound->tiles + tile].square = square + 2.4e-7 * size;
}

ggm_gap ggm_bound_finish(const ggm_bound *bound)
{
    double slack = 0, square = 0, kkt = 0;
    for (int k = 0; k < 2 * bound->tiles; k++) {
        slack += bound->sums[k].slack;
        square += bound->sums[k].square;
        kkt = fmax(kkt, bound->sums[k].kkt);
    }
    double eta = sqrt(fmax(square, 0));
    return (ggm_gap){.gap = eta < 1 ? slack + eta * eta / (2 * (1 - eta)) : (double)INFINITY, .kkt = kkt};
}

double ggm_linear_part(const ggm_evidence *evidence)
{
    const ggm_sparse *t = evidence->t;
    double sum = 0;
    for (size_t i = 0; i < t->p; i++)
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            if (t->value[k] != 0) {
                size_t j = (size_t)t->index[k];
                sum += covariance_at(evidence, i, j) * t->value[k] + ggm_limit(evidence, i, j) * fabs(t->value[k]);
            }
    return sum;
}

bool ggm_logdet_sparse(const ggm_sparse *t, double *space, double *logdet)
{
    ggm_sparse_to_dense(t, space);
    if (!ggm_linalg_host.cholesky(space, (int)t->p))
        return false;
    *logdet = ggm_logdet(space, (int)t->p);
    return isfinite(*logdet);
}

double ggm_shrinkage(const ggm_evidence *evidence)
{
    const size_t m = (size_t)evidence->m;
    double t = 1;
    for (size_t i = 1; i < m; i++)
        for (size_t j = 0; j < i; j++) {
            double s = fabs(evidence->s[i * m + j]), limit = ggm_limit(evidence, i, j);
            if (t * s > limit)
                t = limit / s;
        }
    return t;
}

static double logdet_or_none(double *space, int m)
{
    if (!ggm_linalg_host.cholesky(space, m))
        return -(double)INFINITY;
    double logdet = ggm_logdet(space, m);
    return isfinite(logdet) ? logdet : -(double)INFINITY;
}

double ggm_dual_logdet(const ggm_evidence *evidence, double *w, double *space)
{
    const size_t m = (size_t)evidence->m;
    const double keep = 1 - ggm_shrinkage(evidence);
    static const double shares[] = {0, 1e-6, 1e-3, 0.03, 0.2, 0.5, 1};
    ggm_bound_clip(evidence, w, space, 0, evidence->m); /* best near the optimum, where T's signs are right */
    double best = logdet_or_none(space, evidence->m), clipped = -(double)INFINITY;
    for (size_t i = 0; i < m; i++)
        clip(evidence, w, w, i);
    for (size_t k = 0; k < sizeof shares / sizeof *shares && !isfinite(clipped); k++) {
        double share = shares[k];
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < m; j++) {
                double centre = i == j ? w[i * m + i] : keep * evidence->s[i * m + j];
                space[i * m + j] = share > 0 ? (1 - share) * w[i * m + j] + share * centre : w[i * m + j];
            }
        clipped = logdet_or_none(space, evidence->m);
    }
    return fmax(best, clipped);
}
