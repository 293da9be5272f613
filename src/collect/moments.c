/* Streaming moments in f64. See moments.h for the contract.
 *
 * A full block X of k rows is centred on its own mean b in place; with d = b - mean and n rows before it, Chan's merge is
 *     M2 += X'X + (n k / (n + k)) d d',   mean += d k / (n + k)
 * (Chan, Golub & LeVeque 1983, eq. 2.1b). The rank-one term costs nothing: sqrt(n k / (n + k)) d' is appended to X as one
 * more row, and one product does both.
 *
 * The product is split into square tiles of the upper triangle, handed out to OpenMP threads; each tile is
 * one BLAS call that runs on one thread, so neither the number of threads nor who gets which tile changes a bit. A parallel
 * BLAS would split the sums by the number of threads. OpenBLAS built with OpenMP stays on one thread inside a parallel
 * region, but not when the team has one member, and other builds start their own threads: so it is told outright. */
#include "collect/moments.h"
#include "base/error.h"
#include "base/simd.h"
#include "collect/moments_private.h"
#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { CHUNK = 256 /* columns centred at a time: sums stay in the cache */ };

/* Side of a tile, from p alone. Large tiles pack less (a tile of side t packs 2/t of its work); eight rows of tiles make 36
 * of them, enough to share out among a dozen threads. */
static gsize tile_side(gsize p)
{
    gsize side = ((p + 7) / 8 + 63) / 64 * 64;
    return CLAMP(side, 128, 1024);
}

/* Absent from other BLAS libraries: then NULL, and they must be single-threaded by themselves. */
#pragma weak openblas_set_num_threads
#pragma weak openblas_get_num_threads
void openblas_set_num_threads(int n);
int openblas_get_num_threads(void);

static int blas_one_thread(void)
{
    if (!openblas_set_num_threads || !openblas_get_num_threads)
        return 0;
    int before = openblas_get_num_threads();
    openblas_set_num_threads(1);
    return before;
}

/* OpenBLAS built with OpenMP sets OpenMP's number of threads along with its own: that goes back too. */
static void blas_restore_threads(int before, int omp_threads)
{
    if (before > 0)
        openblas_set_num_threads(before);
    omp_set_num_threads(omp_threads);
}

/* n zeros, in huge pages where the system has them: p^2 doubles in small ones are a hundred thousand page faults, which take as long as the first
 * products. Touched by the threads that will work on them. NULL when there is no memory; free with free(). */
static double *zeros(gsize n)
{
    const gsize page = (gsize)2 << 20, bytes = n * sizeof(double), alignment = bytes >= page ? page : 64;
    void *memory = NULL;
    if (n > G_MAXSIZE / sizeof(double) || posix_memalign(&memory, alignment, MAX(bytes, 1)) != 0)
        return NULL;
#ifdef MADV_HUGEPAGE
    if (bytes >= page)
        (void)madvise(memory, bytes, MADV_HUGEPAGE); /* only a hint */
#endif
    double *x = memory;
#pragma omp parallel for schedule(static) if (bytes >= page)
    for (gsize k = 0; k < n; k++)
        x[k] = 0;
    return x;
}

GlintMoments *glint_moments_new(gsize p)
{
    gsize cells;
    if (p == 0 || p > G_MAXINT || !g_size_checked_mul(&cells, p, p))
        return NULL;
    GlintMoments *self = g_new0(GlintMoments, 1);
    self->p = p;
    self->mirrored = TRUE;
    self->mean = g_try_malloc0_n(p, sizeof(double));
    self->m2 = zeros(cells);
    self->block = g_try_malloc_n(p, (GLINT_MOMENTS_BLOCK + 1) * sizeof(double));
    if (!self->mean || !self->m2 || !self->block)
        g_clear_pointer(&self, glint_moments_free);
    return self;
}

void glint_moments_free(GlintMoments *self)
{
    if (!self)
        return;
    g_free(self->mean);
    free(self->m2);
    g_free(self->block);
    g_free(self);
}

gsize glint_moments_p(const GlintMoments *self) { return self->p; }
gsize glint_moments_n(const GlintMoments *self) { return self->n_done + self->n_pending; }

/* ---- folding a block in ---- */

/* Columns [first, first + width) of the k pending rows: centres them, moves the mean, and writes the merge row. */
GLINT_CLONES
static void centre_columns(double *block, double *mean, gsize p, gsize first, gsize width, gsize k, double n)
{
    double sum[CHUNK];
    for (gsize j = 0; j < width; j++)
        sum[j] = 0;
    for (gsize i = 0; i < k; i++) {
        const double *row = block + i * p + first;
        for (gsize j = 0; j < width; j++)
            sum[j] += row[j];
    }
    for (gsize j = 0; j < width; j++)
        sum[j] /= (double)k;
    for (gsize i = 0; i < k; i++) {
        double *row = block + i * p + first;
        for (gsize j = 0; j < width; j++)
            row[j] -= sum[j];
    }
    double total = n + (double)k, weight = sqrt(n * (double)k / total), *merge_row = block + k * p + first;
    for (gsize j = 0; j < width; j++) {
        double d = sum[j] - mean[first + j];
        merge_row[j] = weight * d;
        mean[first + j] = n > 0 ? mean[first + j] + d * ((double)k / total) : sum[j];
    }
}

/* One tile of m2 += X'X, on the thread that calls. */
static void add_tile(GlintMoments *self, gsize side, gsize row, gsize column, gsize k)
{
    int p = (int)self->p, height = (int)MIN(side, self->p - row), width = (int)MIN(side, self->p - column);
    double *tile = self->m2 + row * self->p + column;
    if (row == column)
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, height, (int)k, 1, self->block + row, p, 1, tile, p);
    else
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, height, width, (int)k, 1, self->block + row, p, self->block + column, p, 1, tile, p);
}

static void fold_block(GlintMoments *self)
{
    gsize p = self->p, k = self->n_pending, side = tile_side(p), n_tiles = (p + side - 1) / side, n_chunks = (p + CHUNK - 1) / CHUNK;
    if (k == 0)
        return;
    double n = (double)self->n_done;
    int threads = omp_get_max_threads(), blas_threads = blas_one_thread();
#pragma omp parallel num_threads(threads) default(shared)
    {
#pragma omp for schedule(static)
        for (gsize c = 0; c < n_chunks; c++)
            centre_columns(self->block, self->mean, p, c * CHUNK, MIN((gsize)CHUNK, p - c * CHUNK), k, n);
#pragma omp for schedule(dynamic) collapse(2)
        for (gsize i = 0; i < n_tiles; i++)
            for (gsize j = 0; j < n_tiles; j++)
                if (i <= j)
                    add_tile(self, side, i * side, j * side, n > 0 ? k + 1 : k);
    }
    blas_restore_threads(blas_threads, threads);
    self->n_done += k;
    self->n_pending = 0;
    self->mirrored = FALSE;
}

void glint_moments_add(GlintMoments *self, const float *rows, gsize n, gsize stride)
{
    for (gsize i = 0; i < n; i++) {
        double *slot = self->block + self->n_pending * self->p;
        const float *row = rows + i * stride;
        for (gsize j = 0; j < self->p; j++)
            slot[j] = (double)row[j];
        if (++self->n_pending == GLINT_MOMENTS_BLOCK)
            fold_block(self);
    }
}

void glint_moments_add_f64(GlintMoments *self, const double *rows, gsize n, gsize stride)
{
    for (gsize i = 0; i < n; i++) {
        memcpy(self->block + self->n_pending * self->p, rows + i * stride, self->p * sizeof *rows);
        if (++self->n_pending == GLINT_MOMENTS_BLOCK)
            fold_block(self);
    }
}

void glint_moments_flush(GlintMoments *self) { fold_block(self); }

/* ---- merging and reading ---- */

gboolean glint_moments_merge(GlintMoments *self, const GlintMoments *other, GError **error)
{
    gsize p = self->p;
    if (other->p != p)
        return glint_fail(error, GLINT_ERROR_DATA, "moments of %zu and of %zu columns cannot be merged: they are of different sites or models", p, other->p);
    fold_block(self);
    if (other->n_done > 0) {
        double a = (double)self->n_done, b = (double)other->n_done, weight = a * b / (a + b);
        double *d = self->block; /* free after the fold: the difference of the means */
        for (gsize j = 0; j < p; j++)
            d[j] = other->mean[j] - self->mean[j];
#pragma omp parallel for schedule(static, 16)
        for (gsize i = 0; i < p; i++)
            for (gsize j = i; j < p; j++)
                self->m2[i * p + j] += other->m2[i * p + j] + weight * d[i] * d[j];
        for (gsize j = 0; j < p; j++)
            self->mean[j] = a > 0 ? self->mean[j] + d[j] * (b / (a + b)) : other->mean[j];
        self->n_done += other->n_done;
        self->mirrored = FALSE;
    }
    glint_moments_add_f64(self, other->block, other->n_pending, p);
    return TRUE;
}

void glint_moments_mirror(GlintMoments *self)
{
    gsize p = self->p;
    if (self->mirrored)
        return;
#pragma omp parallel for schedule(dynamic)
    for (gsize i = 0; i < p; i += 64) /* blocks: both sides of a transposition stay in the cache */
        for (gsize j = i; j < p; j += 64)
            for (gsize r = i; r < MIN(i + 64, p); r++)
                for (gsize c = MAX(j, r + 1); c < MIN(j + 64, p); c++)
                    self->m2[c * p + r] = self->m2[r * p + c];
    self->mirrored = TRUE;
}

const double *glint_moments_mean(GlintMoments *self)
{
    fold_block(self);
    return self->mean;
}

const double *glint_moments_m2(GlintMoments *self)
{
    fold_block(self);
    glint_moments_mirror(self);
    return self->m2;
}

void glint_moments_covariance(GlintMoments *self, double *out)
{
    const double *m2 = glint_moments_m2(self);
    double scale = self->n_done > 1 ? 1.0 / (double)(self->n_done - 1) : 0;
    for (gsize k = 0; k < self->p * self->p; k++)
        out[k] = m2[k] * scale;
}
