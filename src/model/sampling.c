/* Choosing the next token. See sampling.h.
 *
 * A vocabulary has up to 262,144 tokens and a draw happens for every token of every text, so nothing here sorts all of it.
 * Weights are exp((logit - largest) / temperature). top-k keeps a heap of the k best. For top-p, tokens whose weight is
 * below (1 - p) / V of the total sum up to less than 1 - p of it: whatever they are, the others reach p without them, and
 * only the others are sorted. A draw without filters walks the weights in order of their ids. */
#include "model/sampling.h"
#include "base/error.h"
#include "base/random.h"
#include "base/simd.h"
#include "model/fastmath.h"
#include <float.h>
#include <stdlib.h>

enum { RUN = 4096 }; /* weights are summed in f32 over runs of this many, and runs in f64 */

guint64 gli_random_next(GliRandom *self) { return glint_random_next(&self->state); }

GliRandom gli_random_new(guint64 seed, guint64 stream)
{
    GliRandom first = {seed}, second = {stream + 1};
    return (GliRandom){gli_random_next(&first) ^ gli_random_next(&second)};
}

double gli_random_unit(GliRandom *self) { return (double)(gli_random_next(self) >> 11) * 0x1p-53; }

gboolean gli_sampler_init(GliSampler *self, gsize vocab, GError **error)
{
    *self = (GliSampler){g_try_new(float, vocab), g_try_new(GliCandidate, vocab), vocab};
    if (self->weights && self->candidates)
        return TRUE;
    gli_sampler_clear(self);
    return glint_fail(error, GLINT_ERROR_FAILED, "not enough memory to choose among %zu tokens", vocab);
}

void gli_sampler_clear(GliSampler *self)
{
    g_free(self->weights);
    g_free(self->candidates);
    *self = (GliSampler){0};
}

/* The largest; *sound becomes FALSE when there is a NaN or +infinity, or nothing above -infinity. In lanes, since clang makes no vector
 * code of the largest of floats that may be NaN. */
GLINT_CLONES static float largest(const float *x, gsize n, gboolean *sound)
{
    enum { LANES = 16 };
    float tops[LANES], top = -FLT_MAX;
    int bads[LANES] = {0}, bad = 0;
    for (int j = 0; j < LANES; j++)
        tops[j] = top;
    const gsize whole = n - n % LANES;
    for (gsize i = 0; i < whole; i += LANES)
#pragma omp simd
        for (int j = 0; j < LANES; j++) {
            tops[j] = x[i + (gsize)j] > tops[j] ? x[i + (gsize)j] : tops[j];
            bads[j] |= !(x[i + (gsize)j] <= FLT_MAX);
        }
    for (gsize i = whole; i < n; i++) {
        top = x[i] > top ? x[i] : top;
        bad |= !(x[i] <= FLT_MAX);
    }
    for (int j = 0; j < LANES; j++) {
        top = tops[j] > top ? tops[j] : top;
        bad |= bads[j];
    }
    *sound = !bad && top > -FLT_MAX;
    return top;
}

GLINT_CLONES static float weigh(const float *logits, gsize n, float top, float inverse, float *weights)
{
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (gsize i = 0; i < n; i++) {
        weights[i] = gli_exp((logits[i] - top) * inverse);
        sum += weights[i];
    }
    return sum;
}

static double weigh_all(GliSampler *self, const float *logits, float top, double temperature)
{
    double total = 0;
    for (gsize first = 0; first < self->vocab; first += RUN)
        total += (double)weigh(logits + first, MIN((gsize)RUN, self->vocab - first), top, (float)(1.0 / temperature), self->weights + first);
    return total;
}

static inline gboolean before(GliCandidate a, GliCandidate b) { return a.weight > b.weight || (a.weight == b.weight && a.id < b.id); }

static int compare(const void *a, const void *b) { return before(*(const GliCandidate *)a, *(const GliCandidate *)b) ? -1 : 1; }

/* A heap with the worst candidate on top. */
static void sink(GliCandidate *heap, gsize n, gsize at)
{
    for (gsize child; (child = 2 * at + 1) < n; at = child) {
        if (child + 1 < n && before(heap[child], heap[child + 1]))
            child++;
        if (!before(heap[at], heap[child]))
            return;
        const GliCandidate other = heap[at];
        heap[at] = heap[child];
        heap[child] = other;
    }
}

static gsize keep_best(GliSampler *self, gsize k)
{
    GliCandidate *heap = self->candidates;
    for (gsize i = 0; i < k; i++)
        heap[i] = (GliCandidate){(guint32)i, self->weights[i]};
    for (gsize i = k / 2; i-- > 0;)
        sink(heap, k, i);
    for (gsize i = k; i < self->vocab; i++)
        if (self->weights[i] > heap[0].weight) { /* equal: the id is larger than all in the heap */
            heap[0] = (GliCandidate){(guint32)i, self->weights[i]};
            sink(heap, k, 0);
        }
    return k;
}

static gsize keep_above(GliSampler *self, float least)
{
    gsize n = 0;
    for (gsize i = 0; i < self->vocab; i++)
        if (self->weights[i] >= least)
            self->candidates[n++] = (GliCandidate){(guint32)i, self->weights[i]};
    return n;
}

static double total_of(const GliCandidate *candidates, gsize n)
{
    double total = 0;
    for (gsize i = 0; i < n; i++)
        total += (double)candidates[i].weight;
    return total;
}

static gsize filter_weights(GliSampler *self, const GliFilter *filter, double total)
{
    const double V = (double)self->vocab;
    gsize n = self->vocab;
    if (filter->top_k > 0 && filter->top_k < self->vocab) {
        n = keep_best(self, filter->top_k);
        total = total_of(self->candidates, n);
    } else
        n = keep_above(self, (float)(0.99 * MAX((1 - filter->top_p) * total / V, filter->min_p))); /* 0.99: rounding */
    qsort(self->candidates, n, sizeof *self->candidates, compare);
    if (filter->top_p < 1) {
        double sum = 0;
        gsize kept = 0;
        while (kept < n && (kept == 0 || sum < filter->top_p * total))
            sum += (double)self->candidates[kept++].weight;
        n = kept;
    }
    while (n > 1 && (double)self->candidates[n - 1].weight < filter->min_p)
        n--;
    return n;
}

gsize gli_sampler_filter(GliSampler *self, const GliFilter *filter, const float *logits)
{
    gboolean sound;
    const double total = weigh_all(self, logits, largest(logits, self->vocab, &sound), filter->temperature);
    return filter_weights(self, filter, total);
}

static guint32 most_likely(const float *logits, gsize n, float top)
{
    gsize i = 0;
    while (i + 1 < n && logits[i] != top)
        i++;
    return (guint32)i;
}

/* Rounding may leave a little of `rest` behind the last weight: then the last token that can be drawn. */
static guint32 draw_any(const GliSampler *self, double rest)
{
    guint32 last = 0;
    for (gsize i = 0; i < self->vocab; i++) {
        if (self->weights[i] <= 0)
            continue;
        last = (guint32)i;
        rest -= (double)self->weights[i];
        if (rest < 0)
            break;
    }
    return last;
}

static guint32 draw_candidate(const GliCandidate *candidates, gsize n, double rest)
{
    gsize i = 0;
    for (; i + 1 < n; i++) {
        rest -= (double)candidates[i].weight;
        if (rest < 0)
            break;
    }
    return candidates[i].id;
}

gboolean gli_sampler_draw(GliSampler *self, const GliFilter *filter, const float *logits, GliRandom *random, guint32 *token, GError **error)
{
    gboolean sound;
    const float top = largest(logits, self->vocab, &sound);
    if (!sound)
        return glint_fail(error, GLINT_ERROR_DATA, "the model's logits are not finite, there is no next token; try --dtype f32");
    if (filter->temperature == 0) {
        *token = most_likely(logits, self->vocab, top);
        return TRUE;
    }
    const double total = weigh_all(self, logits, top, filter->temperature), unit = gli_random_unit(random);
    if ((filter->top_k == 0 || filter->top_k >= self->vocab) && filter->top_p >= 1 && filter->min_p <= 0) {
        *token = draw_any(self, unit * total);
        return TRUE;
    }
    const gsize n = filter_weights(self, filter, total);
    *token = draw_candidate(self->candidates, n, unit * total_of(self->candidates, n));
    return TRUE;
}
