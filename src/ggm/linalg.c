/* The table of dense operations: what libggm asks of a machine. Cholesky and inverse are LAPACK's; the combination of rows
 * is written out, for it reads each row once and keeps eight of them in flight, which a chain of BLAS axpys does not.
 *
 * LAPACK is column-major; for a symmetric matrix its "upper" triangle is our lower one. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <lapacke.h>
#include <math.h>
#include <string.h>

#define CHUNK 512 /* entries of r kept in the first-level cache while all rows pass by */

/* The same for rows of doubles and of floats: r[0 .. n) += sum of count rows from `from` on, times b; count 8, 4 or 1 */
#define ADD_ROWS(NAME, TYPE) \
    GGM_CLONES static void NAME##_eight(TYPE *restrict r, size_t n, const TYPE *const *rows, const double *restrict b, size_t from) \
    { \
        const TYPE *restrict w0 = rows[0] + from, *restrict w1 = rows[1] + from, *restrict w2 = rows[2] + from, *restrict w3 = rows[3] + from; \
        const TYPE *restrict w4 = rows[4] + from, *restrict w5 = rows[5] + from, *restrict w6 = rows[6] + from, *restrict w7 = rows[7] + from; \
        const TYPE b0 = (TYPE)b[0], b1 = (TYPE)b[1], b2 = (TYPE)b[2], b3 = (TYPE)b[3]; \
        const TYPE b4 = (TYPE)b[4], b5 = (TYPE)b[5], b6 = (TYPE)b[6], b7 = (TYPE)b[7]; \
        for (size_t k = 0; k < n; k++) { \
            TYPE x = b0 * w0[k] + b1 * w1[k] + b2 * w2[k] + b3 * w3[k]; \
            TYPE y = b4 * w4[k] + b5 * w5[k] + b6 * w6[k] + b7 * w7[k]; \
            r[k] += x + y; \
        } \
    } \
    GGM_CLONES static void NAME##_four(TYPE *restrict r, size_t n, const TYPE *const *rows, const double *restrict b, size_t from) \
    { \
        const TYPE *restrict w0 = rows[0] + from, *restrict w1 = rows[1] + from, *restrict w2 = rows[2] + from, *restrict w3 = rows[3] + from; \
        const TYPE b0 = (TYPE)b[0], b1 = (TYPE)b[1], b2 = (TYPE)b[2], b3 = (TYPE)b[3]; \
        for (size_t k = 0; k < n; k++) \
            r[k] += b0 * w0[k] + b1 * w1[k] + b2 * w2[k] + b3 * w3[k]; \
    } \
    GGM_CLONES static void NAME##_one(TYPE *restrict r, size_t n, const TYPE *const *rows, const double *restrict b, size_t from) \
    { \
        const TYPE *restrict w = rows[0] + from; \
        const TYPE factor = (TYPE)b[0]; \
        for (size_t k = 0; k < n; k++) \
            r[k] += factor * w[k]; \
    } \
    static void NAME(TYPE *r, size_t n, const TYPE *const *rows, const double *beta, int count) \
    { \
        for (size_t from = 0; from < n; from += CHUNK) { \
            const size_t length = n - from < CHUNK ? n - from : CHUNK; \
            memset(r + from, 0, length * sizeof *r); \
            int a = 0; \
            for (; a + 8 <= count; a += 8) \
                NAME##_eight(r + from, length, rows + a, beta + a, from); \
            for (; a + 4 <= count; a += 4) \
                NAME##_four(r + from, length, rows + a, beta + a, from); \
            for (; a < count; a++) \
                NAME##_one(r + from, length, rows + a, beta + a, from); \
        } \
    }

ADD_ROWS(combine64, double)
ADD_ROWS(combine32, float)

static bool cholesky(double *a, int m)
{
    lapack_int n = m, info = 0;
    char triangle = 'U';
    LAPACK_dpotrf(&triangle, &n, a, &n, &info);
    return info == 0;
}

static bool solve(double *a, double *x, int m)
{
    lapack_int n = m, one = 1, info = 0;
    char triangle = 'U';
    if (!cholesky(a, m))
        return false;
    LAPACK_dpotrs(&triangle, &n, &one, a, &n, x, &n, &info);
    return info == 0;
}

static bool invert(double *a, int m)
{
    lapack_int n = m, info = 0;
    char triangle = 'U';
    LAPACK_dpotri(&triangle, &n, a, &n, &info);
    for (size_t i = 0; info == 0 && i < (size_t)m; i++)
        for (size_t j = 0; j < i; j++)
            a[j * (size_t)m + i] = a[i * (size_t)m + j];
    return info == 0;
}

double ggm_logdet(const double *factor, int m)
{
    double sum = 0;
    for (size_t i = 0; i < (size_t)m; i++)
        sum += log(factor[i * (size_t)m + i]);
    return 2 * sum;
}

const ggm_linalg ggm_linalg_host = {.combine64 = combine64, .combine32 = combine32, .cholesky = cholesky, .solve = solve, .invert = invert};
