/* Samples replaced by functions of their ranks, variable by variable.
 *
 * Variables are gathered sixteen at a time, sorted, and scattered again into a copy of the samples. Sorting is a radix sort by
 * bytes of the number's bits, made to ascend with it: linear in n, and the bytes that are the same in all numbers (three of the eight if they
 * were single precision) cost nothing. A sample whose equals hold the places first .. last (from 0) of the sorted variable has the mean
 * rank (first + last) / 2 + 1; every rank transform is a function of it, so it is tabulated over the 2n - 1 possible values. */
#include "ggm/internal.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define BYTES 8
#define DIGITS 256

static const double pi = 3.14159265358979323846;

bool ggm_gather(const ggm_samples *samples, size_t first, size_t count, double *columns)
{
    const size_t n = samples->n;
    bool finite = true;
    for (size_t i = 0; i < n; i++) {
        const size_t at = ggm_sample_row(samples, i) * samples->p + first;
        for (size_t c = 0; c < count; c++) {
            const double value = samples->x ? samples->x[at + c] : (double)samples->x32[at + c];
            finite = finite && isfinite(value);
            columns[c * n + i] = value;
        }
    }
    return finite;
}

/* ---- sorting ---- */
/* Bits of a number, turned so that they ascend with it: negative ones are reversed and come first. Both zeros are one. */
static uint64_t ascending_bits(double x)
{
    uint64_t bits;
    x += 0.0;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static void scatter(const ggm_ranked *from, ggm_ranked *to, size_t n, int byte, uint32_t *place)
{
    for (size_t i = 0; i < n; i++)
        to[place[from[i].key >> 8 * byte & (DIGITS - 1)]++] = from[i];
}

void ggm_sort(const double *x, size_t n, ggm_ranked *sorted, ggm_ranked *space)
{
    uint32_t counts[BYTES][DIGITS];
    memset(counts, 0, sizeof counts);
    ggm_ranked *from = sorted, *to = space;
    for (size_t i = 0; i < n; i++) {
        const uint64_t key = ascending_bits(x[i]);
        from[i] = (ggm_ranked){key, (uint32_t)i};
        for (int byte = 0; byte < BYTES; byte++)
            counts[byte][key >> 8 * byte & (DIGITS - 1)]++;
    }
    for (int byte = 0; byte < BYTES; byte++) {
        if (counts[byte][from[0].key >> 8 * byte & (DIGITS - 1)] == n)
            continue; /* all the same */
        uint32_t before = 0;
        for (int digit = 0; digit < DIGITS; digit++) {
            const uint32_t count = counts[byte][digit];
            counts[byte][digit] = before;
            before += count;
        }
        scatter(from, to, n, byte, counts[byte]);
        ggm_ranked *swap = from;
        from = to;
        to = swap;
    }
    if (from != sorted)
        memcpy(sorted, from, n * sizeof *sorted);
}

/* ---- scores ---- */
/* x with normal distribution function u, 0 < u < 1: a rational guess (Abramowitz & Stegun 26.2.23, off by at most 4.5e-4) and Halley's
 * steps, each of which triples the number of right digits. The lower half is enough, and there the function has no cancellation. */
static double normal_quantile(double u)
{
    if (u == 0.5)
        return 0;
    const double tail = u < 0.5 ? u : 1 - u, t = sqrt(-2 * log(tail));
    double x = -(t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308))));
    for (int step = 0; step < 2; step++) {
        const double error = (0.5 * erfc(-x / sqrt(2)) - tail) * sqrt(2 * pi) * exp(0.5 * x * x); /* over the density */
        x -= error / (1 + 0.5 * x * error);
    }
    return u < 0.5 ? x : -x;
}

/* Score of twice the place (first + last), counted from 0 */
static double score(ggm_transform transform, double twice_place, double n)
{
    const double rank = 0.5 * twice_place + 1;
    if (transform == GGM_TRANSFORM_NPN)
        return normal_quantile(rank / (n + 1));
    if (transform == GGM_TRANSFORM_NPN_TRUNCATED) {
        const double cut = 1 / (4 * sqrt(sqrt(n)) * sqrt(pi * log(n)));
        return normal_quantile(fmin(fmax(rank / n, cut), 1 - cut));
    }
    return rank - 0.5 * (n + 1);
}

/* (2n - 1) scores; all 0 for a single sample, of which every transform is constant. NULL: no memory. */
static double *score_table(ggm_transform transform, size_t n, int threads)
{
    double *table = ggm_alloc_zero(2 * n - 1, sizeof *table);
    if (!table || n == 1)
        return table;
#pragma omp parallel for num_threads(threads) schedule(static)
    for (size_t k = 0; k < 2 * n - 1; k++)
        table[k] = score(transform, (double)k, (double)n);
    return table;
}

/* ---- transforms of one variable ---- */
static void score_column(const ggm_ranked *sorted, size_t n, const double *table, double *x)
{
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && sorted[end].key == sorted[first].key; end++)
            continue;
        for (size_t k = first; k < end; k++)
            x[sorted[k].index] = table[first + end - 1];
    }
}

static void winsorise_column(const ggm_ranked *sorted, size_t n, size_t cut, double *x)
{
    const double low = x[sorted[cut].index], high = x[sorted[n - 1 - cut].index];
    for (size_t i = 0; i < n; i++)
        x[i] = fmin(fmax(x[i], low), high);
}

/* ---- all variables ---- */
typedef struct {
    const ggm_samples *samples;
    const double *table;   /* of scores, or NULL for winsorising */
    size_t cut;            /* values cut off at each end */
    double *columns;       /* (threads, GGM_COLUMNS, n) */
    ggm_ranked *sorted;    /* (threads, 2, n) */
    void *out;             /* (n, p) of the samples' type */
} transformer;

static void put_back(const transformer *t, size_t first, size_t count, const double *columns)
{
    const size_t n = t->samples->n, p = t->samples->p;
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < count; c++) {
            if (t->samples->x)
                ((double *)t->out)[i * p + first + c] = columns[c * n + i];
            else
                ((float *)t->out)[i * p + first + c] = (float)columns[c * n + i];
        }
}

static bool transform_columns(const transformer *t, size_t first, size_t count, size_t thread)
{
    const size_t n = t->samples->n;
    double *columns = t->columns + thread * GGM_COLUMNS * n;
    ggm_ranked *sorted = t->sorted + thread * 2 * n;
    if (!ggm_gather(t->samples, first, count, columns))
        return false;
    for (size_t c = 0; c < count; c++) {
        ggm_sort(columns + c * n, n, sorted, sorted + n);
        if (t->table)
            score_column(sorted, n, t->table, columns + c * n);
        else
            winsorise_column(sorted, n, t->cut, columns + c * n);
    }
    put_back(t, first, count, columns);
    return true;
}

static bool transform_all(const transformer *t, int threads)
{
    const size_t p = t->samples->p;
    int bad = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic) reduction(+ : bad)
    for (size_t first = 0; first < p; first += GGM_COLUMNS)
        bad += !transform_columns(t, first, p - first < GGM_COLUMNS ? p - first : GGM_COLUMNS, (size_t)omp_get_thread_num());
    return bad == 0;
}

ggm_status ggm_transform_samples(const ggm_samples *samples, ggm_transform transform, double winsor, int threads,
                                 ggm_samples *transformed, void **owned)
{
    const size_t n = samples->n, p = samples->p, size = samples->x ? sizeof *samples->x : sizeof *samples->x32;
    const bool by_rank = transform != GGM_TRANSFORM_WINSOR;
    double *table = by_rank ? score_table(transform, n, threads) : NULL;
    transformer t = {.samples = samples, .table = table, .cut = (size_t)(winsor * (double)n)};
    t.columns = ggm_alloc((size_t)threads * GGM_COLUMNS, n * sizeof *t.columns);
    t.sorted = ggm_alloc((size_t)threads * 2, n * sizeof *t.sorted);
    t.out = ggm_alloc(n, p * size);
    ggm_status status = (by_rank && !table) || !t.columns || !t.sorted || !t.out ? GGM_ERROR_MEMORY : GGM_OK;
    if (status == GGM_OK && !transform_all(&t, threads))
        status = GGM_ERROR_NOT_FINITE;
    ggm_free(table);
    ggm_free(t.columns);
    ggm_free(t.sorted);
    if (status != GGM_OK) {
        ggm_free(t.out);
        t.out = NULL;
    }
    *owned = t.out;
    *transformed = (ggm_samples){.n = n, .p = p, .x = samples->x ? t.out : NULL, .x32 = samples->x ? NULL : t.out};
    return status;
}
