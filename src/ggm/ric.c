/* RIC, rotation information criterion (Lysen 2009; Zhao et al., JMLR 13, 2012): rotating the columns of X against each other leaves each
 * variable as it is and destroys what they have in common, so the largest |S_ij| then is what noise alone reaches, and a lambda there keeps
 * noise out. The smallest such value of a few rotations is taken.
 *
 * One rotation is the product of X with X moved by r rows, which is what BLAS is for: n p^2 multiplications that R's huge makes one by one. Only
 * maxima are kept of it, so it is made in tiles, as many at once as there are threads, in single precision: twice as fast, and noise needs
 * no more digits. Samples are standardised once, into an array of floats. */
#include "ggm/selecting.h"

#include <cblas.h>
#include <math.h>

#define TILE 512 /* columns a side: a megabyte of products for each thread */

typedef struct {
    ggm_choice *choice;
    size_t n, p, across, count; /* tiles a side; rotations */
    float *z;                   /* (n, p) centred, with variance 1 */
    double *spread;             /* (p) what the problem's scale makes of it: 1, or the standard deviation */
    uint32_t *shift;            /* (count) r */
    double *largest;            /* (count, across, across) of each tile; -1 until it is done */
} rotation;

static double sample(const ggm_samples *samples, size_t row, size_t j)
{
    const size_t at = (samples->rows ? samples->rows[row] : row) * samples->p + j;
    return samples->x ? samples->x[at] : (double)samples->x32[at];
}

/* Standardised by mean and the variance that S has. False: no memory. */
static bool standardise(rotation *r)
{
    const ggm_samples *samples = r->choice->problem->samples;
    const ggm_problem *whole = r->choice->whole;
    double *mean = ggm_alloc_zero(r->p, sizeof *mean), *factor = ggm_alloc(r->p, sizeof *factor);
    const bool good = mean && factor;
    for (size_t i = 0; good && i < r->n; i++)
        for (size_t j = 0; j < r->p; j++)
            mean[j] += sample(samples, i, j);
    for (size_t j = 0; good && j < r->p; j++) {
        const double deviation = sqrt(whole->s[j * r->p + j]);
        mean[j] /= (double)r->n;
        factor[j] = 1 / deviation;
        r->spread[j] = whole->scale ? 1 : deviation;
    }
    for (size_t i = 0; good && i < r->n; i++)
        for (size_t j = 0; j < r->p; j++)
            r->z[i * r->p + j] = (float)((sample(samples, i, j) - mean[j]) * factor[j]);
    ggm_free(mean);
    ggm_free(factor);
    return good;
}

/* Largest entry of a tile of products, columns from a and b on, in units of the penalty's weights */
static double largest_of(const rotation *r, const float *product, size_t a, size_t rows, size_t b, size_t columns)
{
    const double *weights = r->choice->whole->weights;
    double largest = 0;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < columns; j++) {
            if (a + i == b + j)
                continue;
            const double weight = weights ? weights[(a + i) * r->p + b + j] : 1;
            if (weight > 0 && !isinf(weight))
                largest = fmax(largest, fabs((double)product[i * columns + j]) * r->spread[a + i] * r->spread[b + j] / weight);
        }
    return largest / (double)r->n;
}

/* product (rows, columns) = sum over samples of z at (i + shift) mod n, columns from a on, times z at i, columns from b on */
static void multiply(const rotation *r, size_t shift, size_t a, size_t rows, size_t b, size_t columns, float *product)
{
    const int lead = (int)r->p;
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)rows, (int)columns, (int)(r->n - shift), 1, r->z + shift * r->p + a, lead, r->z + b, lead, 0, product,
                (int)columns);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)rows, (int)columns, (int)shift, 1, r->z + a, lead, r->z + (r->n - shift) * r->p + b, lead, 1, product,
                (int)columns);
}

static ggm_status run_tile(void *context, ggm_job *given)
{
    rotation *r = context;
    const size_t job = (size_t)given->number, a = job / r->across % r->across * TILE, b = job % r->across * TILE, shift = r->shift[job / (r->across * r->across)];
    const size_t rows = r->p - a < TILE ? r->p - a : TILE, columns = r->p - b < TILE ? r->p - b : TILE;
    float *product = ggm_alloc(rows * columns, sizeof *product);
    if (product) {
        multiply(r, shift, a, rows, b, columns, product);
        r->largest[job] = largest_of(r, product, a, rows, b, columns);
    }
    ggm_free(product);
    atomic_fetch_add(&r->choice->watch.done, 1);
    return product ? GGM_OK : GGM_ERROR_MEMORY;
}

/* Points of the rotations that were completed, and the smallest of them */
static ggm_status conclude(const rotation *r)
{
    ggm_selection *selection = r->choice->selection;
    const size_t tiles = r->across * r->across;
    selection->points = ggm_alloc_zero(r->count, sizeof *selection->points);
    if (!selection->points)
        return GGM_ERROR_MEMORY;
    for (size_t k = 0; k < r->count; k++) {
        double largest = 0;
        bool done = true;
        for (size_t tile = 0; tile < tiles; tile++) {
            done = done && r->largest[k * tiles + tile] >= 0;
            largest = fmax(largest, r->largest[k * tiles + tile]);
        }
        if (!done)
            continue;
        if (selection->count == 0 || largest < selection->lambda) {
            selection->lambda = largest;
            selection->chosen = selection->count;
        }
        selection->points[selection->count++] = (ggm_select_point){.lambda = largest, .score = largest, .solves = 1};
    }
    const bool stopped = ggm_watch_poll(&r->choice->watch);
    return selection->count > 0 || stopped ? GGM_OK : GGM_ERROR_MEMORY;
}

static bool prepare(rotation *r)
{
    const size_t tiles = r->count * r->across * r->across;
    r->z = ggm_alloc(r->n * r->p, sizeof *r->z);
    r->spread = ggm_alloc(r->p, sizeof *r->spread);
    r->shift = ggm_alloc(r->n, sizeof *r->shift);
    r->largest = ggm_alloc(tiles, sizeof *r->largest);
    if (!r->z || !r->spread || !r->shift || !r->largest || !standardise(r))
        return false;
    for (size_t i = 0; i + 1 < r->n; i++)
        r->shift[i] = (uint32_t)i + 1;
    ggm_rng rng = ggm_rng_seeded(r->choice->select->seed, 0);
    ggm_rng_shuffle(&rng, r->shift, (uint32_t)r->n - 1);
    for (size_t k = 0; k < tiles; k++)
        r->largest[k] = -1;
    return true;
}

ggm_status ggm_choose_ric(ggm_choice *choice)
{
    const ggm_covariance_settings *covariance = choice->problem->covariance;
    const size_t n = choice->problem->samples->n, p = choice->problem->p, wanted = (size_t)choice->select->rotations;
    if (n < 2 || (covariance && (covariance->transform != GGM_TRANSFORM_NONE || covariance->shrinkage != 0)))
        return GGM_ERROR_ARGUMENT;
    rotation r = {.choice = choice, .n = n, .p = p, .across = (p + TILE - 1) / TILE, .count = wanted < n - 1 ? wanted : n - 1};
    ggm_status status = prepare(&r) ? GGM_OK : GGM_ERROR_MEMORY;
    if (status == GGM_OK) {
        choice->watch.planned = r.count * r.across * r.across;
        ggm_watch_jobs(&choice->watch, choice->watch.planned, 0, run_tile, &r);
        status = conclude(&r);
    }
    ggm_free(r.z);
    ggm_free(r.spread);
    ggm_free(r.shift);
    ggm_free(r.largest);
    return status;
}
