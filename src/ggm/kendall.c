/* Kendall's tau-b of all pairs of variables, O(n log n) a pair as Knight's method (JASA 1966), with a counting tree in the place of his merge
 * sort, whose branches cannot be predicted.
 *
 * For a pair (x, y) the samples come in the order of x. Each asks how many of those before it have a smaller y, which are the concordant
 * pairs, and then takes its place in the order of y. The tree of places seen has three levels: bits, 64 to a word; for every
 * word the number of bits before it in its block of 32 words; for every block the number of bits before it. A place is taken by setting
 * a bit and adding 1 to the later counters of the block and to those of the later blocks, which are vector additions of fixed length.
 *
 * Ties: samples tied in x all ask before any takes its place, so that pairs tied in x are not counted. For ties in y each sample has its own
 * place, but asks for the places before its group, and, for the discordant pairs, after its group. With
 * N = n (n-1)/2 and N_x, N_y the pairs tied in x, in y, tau-b = (concordant - discordant) / sqrt((N - N_x)(N - N_y)).
 *
 * All variables are sorted once. A task is one y against all x before it: its places are written down once, orders are read in sequence.
 * Counts are whole numbers: threads cannot change the result. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#define TIED (1u << 31)    /* in an order: this sample is tied with the one before it */
#define WORD 64
#define BLOCK 32           /* words */
#define VECTOR 16          /* blocks' counters are padded to this many */

typedef struct {
    uint64_t *bits;        /* (blocks * BLOCK) places seen */
    uint16_t *within;      /* (blocks * BLOCK) places seen in earlier words of the block */
    uint32_t *before;      /* (blocks) places seen in earlier blocks */
    size_t blocks;         /* a multiple of VECTOR; room for place n, too */
} tree;

typedef struct {
    uint32_t place, low, high; /* in the order of y: own place, first of the group of equals, end of the group */
} places;

typedef struct {
    const ggm_samples *samples;
    double *s;
    uint32_t *order;       /* (p, n) samples in the order of each variable, with TIED */
    double *ties;          /* (p) pairs tied in a variable */
    double *columns;       /* (threads, GGM_COLUMNS, n) */
    ggm_ranked *sorted;    /* (threads, 2, n) */
    places *y;             /* (threads, n) by sample */
    uint32_t *place;       /* (threads, n) by sample: for variables without ties */
    tree *trees;           /* (threads) */
} kendall;

/* ---- the tree ---- */
/* From element 31 - w on: 1 for the words of a block after word w */
static const uint16_t steps[2 * BLOCK] = {[BLOCK] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
/* The same for a vector of blocks */
static const uint32_t block_steps[2 * VECTOR] = {[VECTOR] = 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

#define INLINE static inline __attribute__((always_inline))

INLINE uint32_t seen_before(const tree *t, uint32_t place)
{
    const uint32_t word = place / WORD;
    const uint64_t earlier = t->bits[word] & (((uint64_t)1 << place % WORD) - 1);
    return t->before[word / BLOCK] + t->within[word] + (uint32_t)__builtin_popcountll(earlier);
}

INLINE void take_place(const tree *t, uint32_t place)
{
    const uint32_t word = place / WORD, block = word / BLOCK, number = word % BLOCK;
    uint16_t *within = t->within + block * BLOCK;
    const uint16_t *step = steps + BLOCK - 1 - number;
    t->bits[word] |= (uint64_t)1 << place % WORD;
#pragma omp simd
    for (uint32_t k = 0; k < BLOCK; k++)
        within[k] = (uint16_t)(within[k] + step[k]);
    const uint32_t *block_step = block_steps + VECTOR - 1 - block % VECTOR;
    uint32_t *before = t->before + block / VECTOR * VECTOR;
#pragma omp simd
    for (uint32_t k = 0; k < VECTOR; k++)
        before[k] += block_step[k];
    for (before += VECTOR; before < t->before + t->blocks; before += VECTOR)
        for (uint32_t k = 0; k < VECTOR; k++)
            before[k]++;
}

static void clear(const tree *t)
{
    memset(t->bits, 0, t->blocks * BLOCK * sizeof *t->bits);
    memset(t->within, 0, t->blocks * BLOCK * sizeof *t->within);
    memset(t->before, 0, t->blocks * sizeof *t->before);
}

/* ---- one pair ---- */
/* Concordant less discordant pairs, without ties */
GGM_CLONES static int64_t excess(const uint32_t *restrict order, const uint32_t *restrict place, size_t n, const tree *given)
{
    const tree t = *given;
    uint64_t concordant = 0;
    for (size_t k = 0; k < n; k++) {
        const uint32_t at = place[order[k]];
        concordant += seen_before(&t, at);
        take_place(&t, at);
    }
    return 2 * (int64_t)concordant - (int64_t)n * ((int64_t)n - 1) / 2;
}

GGM_CLONES static int64_t excess_with_ties(const uint32_t *restrict order, const places *restrict y, size_t n, const tree *given)
{
    const tree t = *given;
    int64_t sum = 0;
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first; end == first || (end < n && order[end] & TIED); end++) {
            const places *at = &y[order[end] & ~TIED];
            const int64_t smaller = seen_before(&t, at->low), greater = (int64_t)first - seen_before(&t, at->high);
            sum += smaller - greater;
        }
        for (size_t k = first; k < end; k++)
            take_place(&t, y[order[k] & ~TIED].place);
    }
    return sum;
}

/* ---- all variables ---- */
/* Order of one variable from its sorted values; returns the number of tied pairs */
static double take_order(const ggm_ranked *sorted, size_t n, uint32_t *order)
{
    double ties = 0;
    size_t equals = 0; /* before this one */
    for (size_t k = 0; k < n; k++) {
        equals = k > 0 && sorted[k].key == sorted[k - 1].key ? equals + 1 : 0;
        order[k] = sorted[k].index | (equals > 0 ? TIED : 0);
        ties += (double)equals;
    }
    return ties;
}

static bool take_orders(const kendall *a, size_t first, size_t count, size_t thread)
{
    const size_t n = a->samples->n;
    double *columns = a->columns + thread * GGM_COLUMNS * n;
    ggm_ranked *sorted = a->sorted + thread * 2 * n;
    if (!ggm_gather(a->samples, first, count, columns))
        return false;
    for (size_t c = 0; c < count; c++) {
        ggm_sort(columns + c * n, n, sorted, sorted + n);
        a->ties[first + c] = take_order(sorted, n, a->order + (first + c) * n);
    }
    return true;
}

static void take_places(const uint32_t *order, size_t n, places *y, uint32_t *place)
{
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && order[end] & TIED; end++)
            continue;
        for (size_t k = first; k < end; k++) {
            const uint32_t sample = order[k] & ~TIED;
            place[sample] = (uint32_t)k;
            y[sample] = (places){(uint32_t)k, (uint32_t)first, (uint32_t)end};
        }
    }
}

/* Row j of the lower triangle */
static void take_row(const kendall *a, size_t j, size_t thread)
{
    const size_t n = a->samples->n, p = a->samples->p;
    const double pairs = 0.5 * (double)n * ((double)n - 1);
    places *y = a->y + thread * n;
    uint32_t *place = a->place + thread * n;
    const tree *t = &a->trees[thread];
    a->s[j * p + j] = a->ties[j] < pairs ? 1 : 0;
    take_places(a->order + j * n, n, y, place);
    for (size_t i = 0; i < j; i++) {
        const uint32_t *order = a->order + i * n;
        double tau = 0;
        if (a->ties[i] < pairs && a->ties[j] < pairs) {
            clear(t);
            const int64_t sum = a->ties[i] > 0 || a->ties[j] > 0 ? excess_with_ties(order, y, n, t) : excess(order, place, n, t);
            tau = (double)sum / sqrt((pairs - a->ties[i]) * (pairs - a->ties[j]));
        }
        a->s[i * p + j] = a->s[j * p + i] = fmin(fmax(tau, -1), 1);
    }
}

static bool trees_init(tree *trees, int threads, size_t n)
{
    bool good = true;
    for (int k = 0; k < threads; k++) {
        const size_t blocks = (n / (WORD * BLOCK) + VECTOR) / VECTOR * VECTOR;
        trees[k] = (tree){.blocks = blocks};
        trees[k].bits = ggm_alloc(blocks * BLOCK, sizeof *trees[k].bits);
        trees[k].within = ggm_alloc(blocks * BLOCK, sizeof *trees[k].within);
        trees[k].before = ggm_alloc(blocks, sizeof *trees[k].before);
        good = good && trees[k].bits && trees[k].within && trees[k].before;
    }
    return good;
}

static void release(kendall *a, int threads)
{
    for (int k = 0; a->trees && k < threads; k++) {
        ggm_free(a->trees[k].bits);
        ggm_free(a->trees[k].within);
        ggm_free(a->trees[k].before);
    }
    ggm_free(a->order);
    ggm_free(a->ties);
    ggm_free(a->columns);
    ggm_free(a->sorted);
    ggm_free(a->y);
    ggm_free(a->place);
    ggm_free(a->trees);
}

static ggm_status run(const kendall *a, int threads)
{
    const size_t p = a->samples->p;
    int bad = 0;
#pragma omp parallel for num_threads(threads) schedule(dynamic) reduction(+ : bad)
    for (size_t first = 0; first < p; first += GGM_COLUMNS)
        bad += !take_orders(a, first, p - first < GGM_COLUMNS ? p - first : GGM_COLUMNS, (size_t)omp_get_thread_num());
    if (bad > 0)
        return GGM_ERROR_NOT_FINITE;
#pragma omp parallel for num_threads(threads) schedule(dynamic)
    for (size_t j = p; j > 0; j--) /* the longest rows first */
        take_row(a, j - 1, (size_t)omp_get_thread_num());
    return GGM_OK;
}

ggm_status ggm_kendall(const ggm_samples *samples, int threads, double *s)
{
    const size_t n = samples->n, p = samples->p, team = (size_t)threads;
    kendall a = {.samples = samples, .s = s};
    a.order = ggm_alloc(n, p * sizeof *a.order);
    a.ties = ggm_alloc(p, sizeof *a.ties);
    a.columns = ggm_alloc(team * GGM_COLUMNS, n * sizeof *a.columns);
    a.sorted = ggm_alloc(team * 2, n * sizeof *a.sorted);
    a.y = ggm_alloc(team, n * sizeof *a.y);
    a.place = ggm_alloc(team, n * sizeof *a.place);
    a.trees = ggm_alloc(team, sizeof *a.trees);
    const bool trees = a.trees && trees_init(a.trees, threads, n);
    ggm_status status = a.order && a.ties && a.columns && a.sorted && a.y && a.place && trees ? run(&a, threads) : GGM_ERROR_MEMORY;
    release(&a, threads);
    return status;
}
