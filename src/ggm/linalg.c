/* The table of dense operations: what libggm asks of a machine. Cholesky and inverse are LAPACK's; the combination of rows
 * is written out, for it reads each row once and keeps eight of them in flight, which a chain of BLAS axpys does not.
 *
 * LAPACK is column-major; for a symmetric matrix its "upper" triangle is our lower one. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <lapacke.h>
#include <math.h>

#define CHUNK 512 /* doubles of r kept in the first-level cache while all rows pass by */

GGM_CLONES static void add_eight(double *restrict r, size_t n, const double *const *rows, const double *restrict b, size_t from)
{
    const double *restrict w0 = rows[0] + from, *restrict w1 = rows[1] + from, *restrict w2 = rows[2] + from, *restrict w3 = rows[3] + from;
    const double *restrict w4 = rows[4] + from, *restrict w5 = rows[5] + from, *restrict w6 = rows[6] + from, *restrict w7 = rows[7] + from;
    const double b0 = b[0], b1 = b[1], b2 = b[2], b3 = b[3], b4 = b[4], b5 = b[5], b6 = b[6], b7 = b[7];
    for (size_t k = 0; k < n; k++) {
        double x = b0 * w0[k] + b1 * w1[k] + b2 * w2[k] + b3 * w3[k];
        double y = b4 * w4[k] + b5 * w5[k] + b6 * w6[k] + b7 * w7[k];
        r[k] -= x + y;
    }
}

GGM_CLONES static void add_one(double *restrict r, size_t n, const double *restrict w, double b)
{
    for (size_t k = 0; k < n; k++)
        r[k] -= b * w[k];
}

static void combine(double *r, const double *s, size_t n, const double *const *rows, const double *beta, int count)
{
    for (size_t from = 0; from < n; from += CHUNK) {
        size_t length = n - from < CHUNK ? n - from : CHUNK;
        double *out = r + from;
        for (size_t k = 0; k < length; k++)
            out[k] = s[from + k];
        int a = 0;
        for (; a + 8 <= count; a += 8)
            add_eight(out, length, rows + a, beta + a, from);
        for (; a < count; a++)
            add_one(out, length, rows[a] + from, beta[a]);
    }
}

static bool cholesky(double *a, int m)
{
    lapack_int n = m, info = 0;
    char triangle = 'U';
    LAPACK_dpotrf(&triangle, &n, a, &n, &info);
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

const ggm_linalg ggm_linalg_host = {.combine = combine, .cholesky = cholesky, .invert = invert};
