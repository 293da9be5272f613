/* Means and second moments of samples: a symmetric matrix product at the machine's rate for matrix products, whose bits do not depend on
 * the number of threads.
 *
 * The lower triangle is cut into tiles, always the same ones for a given p. Tiles are shared out to threads, each being computed by one
 * thread's call of a single-threaded BLAS; a threaded BLAS would cut sums by the number of its threads. Tiles are large because BLAS
 * copies both factors for every call. Samples are centred and copied a few thousand rows at a time.
 *
 * Single precision: products of a few hundred rows are summed in single precision, these sums in double precision. Adding c rows in single
 * precision leaves a relative error of about 3e-8 sqrt(c / 3) in a variance, and n / c such sums sqrt(n / c) times less of it: 3e-8 c / sqrt(3 n). So
 * c grows with sqrt(n), which keeps the largest error of thousands of variables below 1e-6.
 *
 * Every variable is divided by a power of two that brings its largest deviation near 1: that changes no bit of any result, except that squares of
 * very large or small values (1e20 in single precision) neither overflow nor vanish. Means are taken as x_0 + mean(x - x_0), x_0 the
 * first sample, which is exact for a variable that is constant: its covariances come out as 0. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <string.h>

#define HEIGHT 512  /* of a tile of S */
#define WIDTH 1024  /* of a tile off the diagonal */
#define ROWS 4096   /* centred and multiplied at once */
#define SHORT 128   /* fewest rows summed in single precision */
#define LONG 1024   /* most */
#define LINE 16     /* numbers to which rows are padded */
#define BAND 1024   /* rows whose sums one task takes */
#define STRIP 64    /* rows that one task centres */
#define MIRROR 64   /* side of the squares in which a triangle is copied to the other */
#define FEW 4e6     /* multiplications not worth a second thread */

typedef struct {
    const ggm_samples *samples;
    double *s;
    double *mean;        /* (p) */
    double *unit;        /* (p) power of two that a variable is divided by */
    size_t size;         /* of a number: sizeof(double) or sizeof(float) */
    size_t chain;        /* rows summed in single precision */
    size_t rows, stride; /* of the block: most rows centred at once, numbers from one to the next */
    void *block;         /* (rows, stride) centred samples */
    float *space;        /* (threads, HEIGHT, WIDTH) for single precision, or NULL */
    int threads;
} product;

/* Rows and columns [row, row + height) and [column, column + width) of S; on the diagonal its lower triangle */
typedef struct {
    size_t row, height, column, width;
} tile;

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t pieces(size_t length, size_t piece)
{
    return (length + piece - 1) / piece;
}

/* The same for samples of doubles and of floats: sums of x - shift and their largest size; a centred row */
#define ROW_LOOPS(NAME, TYPE) \
    GGM_CLONES static void NAME##_sum(double *restrict sum, double *restrict largest, const TYPE *restrict x, const TYPE *restrict shift, size_t p) \
    { \
        for (size_t j = 0; j < p; j++) { \
            const double d = (double)x[j] - (double)shift[j], size = fabs(d); \
            sum[j] += d; \
            largest[j] = size > largest[j] ? size : largest[j]; \
        } \
    } \
    GGM_CLONES static void NAME##_centre(TYPE *restrict out, const TYPE *restrict x, const double *restrict mean, \
                                         const double *restrict factor, size_t width) \
    { \
        for (size_t j = 0; j < width; j++) \
            out[j] = (TYPE)(((double)x[j] - mean[j]) * factor[j]); \
    }

ROW_LOOPS(wide, double)
ROW_LOOPS(narrow, float)

/* ---- means and units ---- */
static void sum_band(const ggm_samples *samples, size_t from, size_t to, double *sum, double *largest)
{
    const size_t p = samples->p, first = ggm_sample_row(samples, 0) * p;
    memset(sum, 0, p * sizeof *sum);
    memset(largest, 0, p * sizeof *largest);
    for (size_t i = from; i < to; i++) {
        const size_t at = ggm_sample_row(samples, i) * p;
        if (samples->x)
            wide_sum(sum, largest, samples->x + at, samples->x + first, p);
        else
            narrow_sum(sum, largest, samples->x32 + at, samples->x32 + first, p);
    }
}

/* Near `size`, and so that its inverse is a normal number too */
static double power_of_two(double size)
{
    int exponent;
    (void)frexp(size, &exponent);
    return ldexp(1, exponent > 1020 ? 1020 : exponent < -1020 ? -1020 : exponent);
}

/* Every band's sums apart, then added in their order */
static ggm_status take_means(product *a)
{
    const ggm_samples *samples = a->samples;
    const size_t n = samples->n, p = samples->p, bands = pieces(n, BAND), first = ggm_sample_row(samples, 0) * p;
    double *sums = ggm_alloc(2 * bands, p * sizeof *sums);
    if (!sums)
        return GGM_ERROR_MEMORY;
#pragma omp parallel for num_threads(a->threads) schedule(dynamic)
    for (size_t band = 0; band < bands; band++)
        sum_band(samples, band * BAND, smaller(n, (band + 1) * BAND), sums + 2 * band * p, sums + (2 * band + 1) * p);
    bool finite = true;
    for (size_t j = 0; j < p; j++) {
        const double shift = samples->x ? samples->x[first + j] : (double)samples->x32[first + j];
        double sum = 0, largest = 0;
        for (size_t band = 0; band < bands; band++) {
            sum += sums[2 * band * p + j];
            largest = fmax(largest, sums[(2 * band + 1) * p + j]);
        }
        finite = finite && isfinite(sum) && isfinite(shift);
        a->mean[j] = shift + sum / (double)n;
        a->unit[j] = finite && largest > 0 ? power_of_two(largest) : 1;
    }
    ggm_free(sums);
    return finite ? GGM_OK : GGM_ERROR_NOT_FINITE;
}

/* ---- the product ---- */
static const void *block_at(const product *a, size_t row, size_t column)
{
    return (const char *)a->block + (row * a->stride + column) * a->size;
}

/* Rows [from, to) of the block, whose first is sample `start` */
static void centre_rows(const product *a, const double *factor, size_t start, size_t from, size_t to)
{
    const size_t p = a->samples->p;
    for (size_t i = from; i < to; i++) {
        const size_t at = ggm_sample_row(a->samples, start + i) * p;
        if (a->samples->x)
            wide_centre((double *)a->block + i * a->stride, a->samples->x + at, a->mean, factor, p);
        else
            narrow_centre((float *)a->block + i * a->stride, a->samples->x32 + at, a->mean, factor, p);
    }
}

static void multiply(const product *a, const tile *t, size_t count, bool first)
{
    const int p = (int)a->samples->p, stride = (int)a->stride, height = (int)t->height, width = (int)t->width;
    const double *left = block_at(a, 0, t->row), *right = block_at(a, 0, t->column), beta = first ? 0 : 1;
    double *out = a->s + t->row * (size_t)p + t->column;
    if (t->row == t->column)
        cblas_dsyrk(CblasRowMajor, CblasLower, CblasTrans, height, (int)count, 1, left, stride, beta, out, p);
    else
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, height, width, (int)count, 1, left, stride, right, stride, beta, out, p);
}

GGM_CLONES static void add_row(double *restrict sum, const float *restrict part, size_t width, bool first)
{
    for (size_t j = 0; j < width; j++)
        sum[j] = first ? (double)part[j] : sum[j] + (double)part[j];
}

static void multiply32(const product *a, const tile *t, size_t count, bool first, float *space)
{
    const int stride = (int)a->stride, height = (int)t->height, width = (int)t->width;
    for (size_t k = 0; k < count; k += a->chain) {
        const float *left = block_at(a, k, t->row), *right = block_at(a, k, t->column);
        const int length = (int)smaller(a->chain, count - k);
        if (t->row == t->column)
            cblas_ssyrk(CblasRowMajor, CblasLower, CblasTrans, height, length, 1, left, stride, 0, space, width);
        else
            cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, height, width, length, 1, left, stride, right, stride, 0, space, width);
        for (size_t i = 0; i < t->height; i++)
            add_row(a->s + (t->row + i) * a->samples->p + t->column, space + i * t->width, t->row == t->column ? i + 1 : t->width, first && k == 0);
    }
}

/* Tile number `piece` of a row of tiles, 0 being that on the diagonal. False: there is none. */
static bool place_tile(size_t p, size_t row, size_t piece, tile *t)
{
    const size_t first = row * HEIGHT, height = smaller(HEIGHT, p - first);
    *t = (tile){first, height, first, height};
    if (piece == 0)
        return true;
    t->column = (piece - 1) * WIDTH;
    t->width = t->column < first ? smaller(WIDTH, first - t->column) : 0;
    return t->width > 0;
}

static void multiply_tile(const product *a, size_t row, size_t piece, size_t count, bool first)
{
    tile t;
    if (!place_tile(a->samples->p, row, piece, &t))
        return;
    if (a->space)
        multiply32(a, &t, count, first, a->space + (size_t)omp_get_thread_num() * HEIGHT * WIDTH);
    else
        multiply(a, &t, count, first);
}

/* The lower triangle of the sum over all samples, in the variables' units */
static void sum_products(const product *a, const double *factor)
{
    const size_t n = a->samples->n, tile_rows = pieces(a->samples->p, HEIGHT), most = pieces(a->samples->p, WIDTH);
    for (size_t start = 0; start < n; start += a->rows) {
        const size_t count = smaller(a->rows, n - start), strips = pieces(count, STRIP);
#pragma omp parallel num_threads(a->threads)
        {
#pragma omp for schedule(dynamic)
            for (size_t strip = 0; strip < strips; strip++)
                centre_rows(a, factor, start, strip * STRIP, smaller(count, (strip + 1) * STRIP));
#pragma omp for schedule(dynamic) collapse(2)
            for (size_t row = tile_rows; row > 0; row--) /* the longest first */
                for (size_t piece = most + 1; piece > 0; piece--)
                    multiply_tile(a, row - 1, piece - 1, count, start == 0);
        }
    }
}

/* Both triangles of S from the lower one of the sums. False: an entry of the diagonal overflowed. */
static bool finish(const product *a)
{
    const size_t p = a->samples->p;
    const double n = (double)a->samples->n;
    double *s = a->s;
#pragma omp parallel for num_threads(a->threads) schedule(dynamic)
    for (size_t i0 = 0; i0 < p; i0 += MIRROR)
        for (size_t j0 = 0; j0 <= i0; j0 += MIRROR)
            for (size_t i = i0; i < smaller(p, i0 + MIRROR); i++)
                for (size_t j = j0; j < smaller(i + 1, j0 + MIRROR); j++)
                    s[j * p + i] = s[i * p + j] = s[i * p + j] / n * a->unit[i] * a->unit[j];
    bool finite = true;
    for (size_t i = 0; i < p; i++)
        finite = finite && isfinite(s[i * (p + 1)]);
    return finite;
}

static size_t chain_length(size_t n)
{
    const size_t length = (size_t)(8 * sqrt((double)n)) / 64 * 64;
    return length < SHORT ? SHORT : smaller(length, LONG);
}

ggm_status ggm_sample_covariance(const ggm_samples *samples, int threads, double *s, double *mean)
{
    const size_t n = samples->n, p = samples->p;
    product a = {.samples = samples, .s = s, .mean = mean, .rows = smaller(n, ROWS)};
    a.chain = chain_length(n);
    a.size = samples->x ? sizeof(double) : sizeof(float);
    a.stride = pieces(p, LINE) * LINE;
    a.stride += a.stride % 512 == 0 ? LINE : 0; /* or else rows' beginnings would share a few places of the cache */
    a.threads = (double)n * (double)p * (double)p < FEW ? 1 : threads;
    a.unit = ggm_alloc(2 * p, sizeof *a.unit);
    a.block = ggm_alloc(a.rows, a.stride * a.size);
    a.space = samples->x ? NULL : ggm_alloc((size_t)a.threads, HEIGHT * WIDTH * sizeof *a.space);
    ggm_status status = !a.unit || !a.block || (!samples->x && !a.space) ? GGM_ERROR_MEMORY : take_means(&a);
    if (status == GGM_OK) {
        double *factor = a.unit + p;
        for (size_t j = 0; j < p; j++)
            factor[j] = 1 / a.unit[j];
        sum_products(&a, factor);
        status = finish(&a) ? GGM_OK : GGM_ERROR_NOT_FINITE;
    }
    ggm_free(a.unit);
    ggm_free(a.block);
    ggm_free(a.space);
    return status;
}
