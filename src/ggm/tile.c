/* One tile of bound.c: columns of E = T F - I. In single precision (real.h) F is built from single-precision S and W and kept so, and eight
 * products are added in it before they go to a sum in double precision. */
#include "ggm/internal.h"
#include "ggm/real.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

#define GROUP 8 /* rows of F transposed together */

#ifndef GGM_SINGLE
/* A thread's space in doubles, for either precision: F's columns, GROUP rows of F, a row of S, a row of E */
size_t ggm_bound_space(size_t m, size_t width)
{
    return m * width + (GROUP + 1) * m + width;
}
#endif

GGM_CLONES static void REAL(clip_row)(real *restrict f, const real *restrict w, const real *restrict s, real limit, size_t m)
{
    for (size_t j = 0; j < m; j++) {
        real u = w[j] - s[j];
        u = u > limit ? limit : u;
        u = u < -limit ? -limit : u;
        f[j] = s[j] + u;
    }
}

#ifndef GGM_SINGLE
GGM_CLONES static void clip_mixed_row(double *restrict f, const float *restrict w, const double *restrict s, double limit, size_t m)
{
    for (size_t j = 0; j < m; j++) {
        double u = (double)w[j] - s[j];
        u = u > limit ? limit : u;
        u = u < -limit ? -limit : u;
        f[j] = s[j] + u;
    }
}
#endif

static void clip_weighted_row(const ggm_bound *bound, size_t i, real *f, const real *s)
{
    const size_t m = (size_t)bound->evidence->m;
    for (size_t j = 0; j < m; j++) {
        const double limit = ggm_limit(bound->evidence, i, j), w = bound->w32 ? (double)bound->w32[i * m + j] : bound->w[i * m + j];
        f[j] = (real)((double)s[j] + fmax(-limit, fmin(limit, w - (double)s[j])));
    }
}

/* Row i of F but for T's signs, and row i of S */
static const real *clipped_row(const ggm_bound *bound, size_t i, real *f, real *buffer)
{
    const ggm_evidence *evidence = bound->evidence;
    const size_t m = (size_t)evidence->m;
#ifdef GGM_SINGLE
    (void)buffer;
    const float *s = bound->s32 + i * m;
    if (!evidence->weights)
        REAL(clip_row)(f, bound->w32 + i * m, s, (float)evidence->lambda, m);
#else
    const double *s = ggm_evidence_row(evidence, i, 0, m, buffer);
    if (!evidence->weights && bound->w32)
        clip_mixed_row(f, bound->w32 + i * m, s, evidence->lambda, m);
    else if (!evidence->weights)
        REAL(clip_row)(f, bound->w + i * m, s, evidence->lambda, m);
#endif
    if (evidence->weights)
        clip_weighted_row(bound, i, f, s);
    return s;
}

GGM_CLONES static double REAL(norm_of)(const real *row, size_t m)
{
    double sum[8] = {0};
    size_t j = 0;
    for (; j + 8 <= m; j += 8)
        for (size_t x = 0; x < 8; x++)
            sum[x] += (double)row[j + x] * (double)row[j + x];
    for (; j < m; j++)
        sum[0] += (double)row[j] * (double)row[j];
    return sqrt(((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])));
}

/* Row i of F; buffer: (m) */
static void feasible_row(const ggm_bound *bound, size_t i, real *f, real *buffer, ggm_bound_sums *sums)
{
    const ggm_evidence *evidence = bound->evidence;
    const ggm_sparse *t = evidence->t;
    const size_t m = (size_t)evidence->m;
    const real *s = clipped_row(bound, i, f, buffer);
    for (size_t k = t->start[i]; k < t->start[i + 1]; k++) {
        const size_t j = (size_t)t->index[k];
        const double limit = ggm_limit(evidence, i, j), x = t->value[k];
        double exact;
        if (x == 0 || j == i)
            continue;
        exact = *ggm_evidence_row(evidence, i, j, 1, &exact);
        if (isfinite(limit))
            f[j] = (real)(exact + copysign(limit, x));
        else
            sums->slack = INFINITY; /* a forbidden edge */
    }
    double own;
    own = *ggm_evidence_row(evidence, i, i, 1, &own);
    f[i] = (real)(own + ggm_limit(evidence, i, i));
    sums->norm = fmax(sums->norm, REAL(norm_of)(f, m) + REAL(norm_of)(s, m));
}

/* GROUP rows become columns of the tile */
GGM_CLONES static void REAL(transpose_group)(real *restrict tile, size_t width, const real *restrict rows, size_t m, size_t count)
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

/* row (width) = sum of rows of the tile f, times t: eight at a time, or one by one */
GGM_CLONES static void REAL(multiply_tile)(double *restrict row, const real *restrict f, size_t width, const int *restrict index, const double *restrict t, size_t n)
{
    size_t k = 0;
    for (size_t c = 0; c < width; c++)
        row[c] = 0;
    for (; k + 8 <= n; k += 8) {
        const real *restrict f0 = f + (size_t)index[k] * width, *restrict f1 = f + (size_t)index[k + 1] * width;
        const real *restrict f2 = f + (size_t)index[k + 2] * width, *restrict f3 = f + (size_t)index[k + 3] * width;
        const real *restrict f4 = f + (size_t)index[k + 4] * width, *restrict f5 = f + (size_t)index[k + 5] * width;
        const real *restrict f6 = f + (size_t)index[k + 6] * width, *restrict f7 = f + (size_t)index[k + 7] * width;
        const real t0 = (real)t[k], t1 = (real)t[k + 1], t2 = (real)t[k + 2], t3 = (real)t[k + 3];
        const real t4 = (real)t[k + 4], t5 = (real)t[k + 5], t6 = (real)t[k + 6], t7 = (real)t[k + 7];
        for (size_t c = 0; c < width; c++) {
            const real x = (t0 * f0[c] + t1 * f1[c]) + (t2 * f2[c] + t3 * f3[c]), y = (t4 * f4[c] + t5 * f5[c]) + (t6 * f6[c] + t7 * f7[c]);
            row[c] += (double)(x + y);
        }
    }
    for (; k < n; k++) {
        const real *restrict f0 = f + (size_t)index[k] * width;
        const double t0 = t[k];
        for (size_t c = 0; c < width; c++)
            row[c] += t0 * (double)f0[c];
    }
}

/* out = row, in single precision; returns its largest entry in size, adds its squares to *size */
GGM_CLONES static double REAL(store_residual)(float *restrict out, const double *restrict row, size_t n, double *size)
{
    double largest[8] = {0}, squares[8] = {0}, most = 0;
    for (size_t j = 0; j + 8 <= n; j += 8)
        for (size_t x = 0; x < 8; x++) {
            const double entry = row[j + x] < 0 ? -row[j + x] : row[j + x];
            largest[x] = entry > largest[x] ? entry : largest[x];
            squares[x] += entry * entry;
            out[j + x] = (float)row[j + x];
        }
    for (size_t x = 0; x < 8; x++) {
        most = largest[x] > most ? largest[x] : most;
        *size += squares[x];
    }
    return most;
}

void REAL(ggm_bound_tile)(void *context, int tile, int thread)
{
    const ggm_bound *bound = context;
    const ggm_sparse *t = bound->evidence->t;
    const size_t m = (size_t)bound->evidence->m, width = (size_t)bound->width, from = (size_t)tile * width;
    const size_t count = from + width < m ? width : m - from;
    real *f = (real *)(bound->space + (size_t)thread * bound->stride), *rows = f + m * width, *buffer = rows + GROUP * m;
    double *row = bound->space + (size_t)(thread + 1) * bound->stride - width;
    float *residual = bound->residual + (size_t)tile * m * width; /* in single precision: where these rows of S are, which are read before */
    ggm_bound_sums sums = {0};
    if (count < width)
        memset(f, 0, m * width * sizeof *f);
    for (size_t c0 = 0; c0 < count; c0 += GROUP) {
        const size_t group = count - c0 < GROUP ? count - c0 : GROUP;
        for (size_t c = 0; c < group; c++)
            feasible_row(bound, from + c0 + c, rows + c * m, buffer, &sums);
        REAL(transpose_group)(f + c0, width, rows, m, group);
    }
    for (size_t i = 0; i < m; i++) {
        REAL(multiply_tile)(row, f, width, t->index + t->start[i], t->value + t->start[i], t->start[i + 1] - t->start[i]);
        if (i >= from && i < from + count)
            row[i - from] -= 1;
        sums.kkt = fmax(sums.kkt, REAL(store_residual)(residual + i * width, row, width, &sums.size));
    }
    bound->sums[tile] = sums;
}
