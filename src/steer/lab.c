/* Next-token distributions with and without steering. See lab.h.
 *
 * The unsteered log-probabilities of the neutral text are kept, since every operator at every strength is compared with them. Texts run in
 * batches small enough for their logits to be a few dozen megabytes, whatever the vocabulary. */
#include "steer/lab.h"
#include "base/error.h"
#include "base/order.h"
#include "base/simd.h"
#include "base/talk.h"
#include "model/fastmath.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LOGITS_BYTES ((gsize)64 << 20) /* of one batch */
#define DEFAULT_MEMORY ((gsize)512 << 20)
#define WORTH_THREADS 100000 /* logits */

struct GlintSteerLab {
    GlintModel *model;
    GlintSteerTexts *neutral;
    GArray *verbalisers[2];
    gsize skip, vocab, positions;
    float *base;       /* positions x vocab: p, unsteered */
    struct { double entropy, sum, next; gsize top; } *before; /* positions: of p, whose sum is 1 but for rounding; log p of the token that does come next; the most likely one */
    float *logits;     /* of a batch: room for logits_rows of them */
    gsize logits_rows, batch_tokens;
    double *kl;        /* positions: scratch */
};

/* ---- texts ---- */

GlintSteerTexts *glint_steer_texts_new(void)
{
    GlintSteerTexts *self = g_new0(GlintSteerTexts, 1);
    self->tokens = g_array_new(FALSE, FALSE, sizeof(guint32));
    self->start = g_array_new(FALSE, TRUE, sizeof(gsize));
    g_array_set_size(self->start, 1);
    return self;
}

void glint_steer_texts_free(GlintSteerTexts *self)
{
    if (!self)
        return;
    g_array_unref(self->tokens);
    g_array_unref(self->start);
    g_free(self);
}

void glint_steer_texts_add(GlintSteerTexts *self, const guint32 *tokens, gsize n)
{
    g_array_append_vals(self->tokens, tokens, (guint)n);
    const gsize end = self->tokens->len;
    g_array_append_val(self->start, end);
}

static gsize start_of(const GlintSteerTexts *self, gsize text) { return g_array_index(self->start, gsize, text); }
static const guint32 *tokens_of(const GlintSteerTexts *self, gsize text) { return &g_array_index(self->tokens, guint32, start_of(self, text)); }
gsize glint_steer_texts_count(const GlintSteerTexts *self) { return self->start->len - 1; }
gsize glint_steer_texts_length(const GlintSteerTexts *self, gsize text) { return start_of(self, text + 1) - start_of(self, text); }

/* ---- running ---- */

static gboolean need_logits(GlintSteerLab *self, gsize rows, GError **error)
{
    if (rows <= self->logits_rows)
        return TRUE;
    free(self->logits);
    self->logits = malloc(rows * self->vocab * sizeof *self->logits);
    self->logits_rows = self->logits ? rows : 0;
    return self->logits || glint_fail(error, GLINT_ERROR_FAILED, "not enough memory for %zu distributions over %zu tokens; give shorter texts", rows, self->vocab);
}

/* Called with the logits of one text at each of its tokens, or at the last alone. */
typedef void (*Reader)(GlintSteerLab *self, gsize text, const float *logits, gsize n, gpointer user_data);

static gboolean run_batch(GlintSteerLab *self, const GlintSteerTexts *texts, gsize first, gsize last, const GlintTap *tap, GlintLogits which, Reader reader,
                          gpointer user_data, GError **error)
{
    const gsize n = last - first;
    g_autofree gsize *start = g_new(gsize, n + 1);
    for (gsize k = 0; k <= n; k++)
        start[k] = start_of(texts, first + k) - start_of(texts, first);
    const GlintBatch batch = {tokens_of(texts, first), start, n};
    if (!glint_check_interrupt(error) || !need_logits(self, which == GLINT_LOGITS_LAST ? n : start[n], error) ||
        !glint_model_forward(self->model, &batch, tap, tap ? 1 : 0, which, self->logits, error))
        return FALSE;
    for (gsize k = 0; k < n; k++)
        if (which == GLINT_LOGITS_LAST)
            reader(self, first + k, self->logits + k * self->vocab, 1, user_data);
        else
            reader(self, first + k, self->logits + start[k] * self->vocab, start[k + 1] - start[k], user_data);
    return TRUE;
}

static gboolean run_texts(GlintSteerLab *self, const GlintSteerTexts *texts, const GlintSteerOperator *operator, double strength, GlintLogits which, Reader reader,
                          gpointer user_data, GError **error)
{
    GlintSteering steering = {.operator = operator, .strength = strength, .skip = self->skip};
    const GlintTap tap = operator ? glint_steering_tap(&steering) : (GlintTap){0};
    const gsize n = glint_steer_texts_count(texts), most = which == GLINT_LOGITS_LAST ? MAX(self->batch_tokens, 2048) : self->batch_tokens;
    for (gsize first = 0, last; first < n; first = last) {
        gsize tokens = 0;
        for (last = first; last < n && (last == first || (tokens + glint_steer_texts_length(texts, last) <= most && last - first < self->batch_tokens)); last++)
            tokens += glint_steer_texts_length(texts, last);
        if (!run_batch(self, texts, first, last, operator ? &tap : NULL, which, reader, user_data, error))
            return FALSE;
    }
    return TRUE;
}

GLINT_CLONES static float largest_of(const float *x, gsize n)
{
    float largest[16];
    for (gsize l = 0; l < 16; l++)
        largest[l] = x[l < n ? l : 0];
    gsize v = 0;
    for (; v + 16 <= n; v += 16)
        for (gsize l = 0; l < 16; l++)
            largest[l] = x[v + l] > largest[l] ? x[v + l] : largest[l];
    for (; v < n; v++)
        largest[0] = x[v] > largest[0] ? x[v] : largest[0];
    for (gsize l = 1; l < 16; l++)
        largest[0] = largest[l] > largest[0] ? largest[l] : largest[0];
    return largest[0];
}

/* Sum of exp(x - largest): lanes in single precision over a few hundred terms each, their sums in double precision. */
GLINT_CLONES static double sum_of_exponentials(const float *x, float largest, gsize n)
{
    double total = 0;
    for (gsize from = 0; from < n; from += 4096) {
        float lanes[16] = {0};
        const gsize to = from + 4096 < n ? from + 4096 : n;
        gsize v = from;
        for (; v + 16 <= to; v += 16)
            for (gsize l = 0; l < 16; l++)
                lanes[l] += gli_exp(x[v + l] - largest);
        for (; v < to; v++)
            lanes[0] += gli_exp(x[v] - largest);
        for (gsize l = 0; l < 16; l++)
            total += (double)lanes[l];
    }
    return total;
}

GLINT_CLONES static double dot(const float *a, const float *b, gsize n)
{
    double lanes[16] = {0}, total = 0;
    gsize v = 0;
    for (; v + 16 <= n; v += 16)
        for (gsize l = 0; l < 16; l++)
            lanes[l] += (double)a[v + l] * (double)b[v + l];
    for (; v < n; v++)
        lanes[0] += (double)a[v] * (double)b[v];
    for (gsize l = 0; l < 16; l++)
        total += lanes[l];
    return total;
}

/* log sum exp. */
static double normaliser(const float *logits, gsize n)
{
    const float largest = largest_of(logits, n);
    return (double)largest + log(sum_of_exponentials(logits, largest, n));
}

static gsize top_of(const float *logits, gsize n)
{
    const float largest = largest_of(logits, n);
    gsize top = 0;
    while (top < n && !(logits[top] == largest)) /* none, where something is not a number */
        top++;
    return top;
}

/* ---- the neutral text ---- */

/* Where a text's positions begin in `base`: every text has length - skip of them. */
static gsize position_of(const GlintSteerLab *self, gsize text) { return start_of(self->neutral, text) - text * self->skip; }

static void keep_base(GlintSteerLab *self, gsize text, const float *logits, gsize n, gpointer user_data)
{
    (void)user_data;
    float *base = self->base + position_of(self, text) * self->vocab;
#pragma omp parallel for schedule(static) if (n * self->vocab > WORTH_THREADS)
    for (gsize t = self->skip; t < n; t++) {
        const float *row = logits + t * self->vocab;
        float *p = base + (t - self->skip) * self->vocab;
        const double norm = normaliser(row, self->vocab);
        double entropy = 0, sum = 0;
        for (gsize v = 0; v < self->vocab; v++) {
            p[v] = (float)exp((double)row[v] - norm);
            entropy -= (double)p[v] * ((double)row[v] - norm);
            sum += (double)p[v];
        }
        const gsize at = position_of(self, text) + t - self->skip;
        self->before[at].entropy = entropy;
        self->before[at].sum = sum;
        self->before[at].next = t + 1 < n ? (double)row[tokens_of(self->neutral, text)[t + 1]] - norm : 0;
        self->before[at].top = top_of(row, self->vocab);
    }
}

typedef struct { double nll, same; gsize predicted; } CostSums;

static void compare(GlintSteerLab *self, gsize text, const float *logits, gsize n, gpointer user_data)
{
    CostSums *sums = user_data;
    const gsize first = position_of(self, text), V = self->vocab;
    const guint32 *tokens = tokens_of(self->neutral, text);
    g_autofree double *nll = g_new0(double, n + 1); /* added up in order, for the same bits at any number of threads; `same` counts */
    double same = 0;
#pragma omp parallel for schedule(static) reduction(+ : same) if (n * V > WORTH_THREADS)
    for (gsize t = self->skip; t < n; t++) {
        const gsize at = first + t - self->skip;
        const float *row = logits + t * V;
        const double norm = normaliser(row, V), kl = norm * self->before[at].sum - dot(self->base + at * V, row, V) - self->before[at].entropy;
        self->kl[at] = MAX(kl, 0); /* rounding may leave a little less */
        if (t + 1 < n)
            nll[t] = norm - (double)row[tokens[t + 1]] + self->before[at].next;
        same += top_of(row, V) == self->before[at].top ? 1 : 0;
    }
    for (gsize t = 0; t < n; t++)
        sums->nll += nll[t];
    sums->same += same;
    sums->predicted += n - self->skip - 1;
}

gboolean glint_steer_lab_cost(GlintSteerLab *self, const GlintSteerOperator *operator, double strength, GlintSteerCost *cost, GError **error)
{
    CostSums sums = {0};
    if (!run_texts(self, self->neutral, operator, strength, GLINT_LOGITS_ALL, compare, &sums, error))
        return FALSE;
    double total = 0;
    for (gsize k = 0; k < self->positions; k++)
        total += self->kl[k];
    qsort(self->kl, self->positions, sizeof *self->kl, glint_ascending);
    *cost = (GlintSteerCost){.kl = total / (double)self->positions, .kl_p99 = self->kl[(gsize)(0.99 * (double)(self->positions - 1))],
                             .nll_change = sums.predicted ? sums.nll / (double)sums.predicted : 0, .same_top = sums.same / (double)self->positions};
    return TRUE;
}

/* ---- prompts ---- */

typedef struct { GlintSteerReading *readings; } Readings;

static void read_prompt(GlintSteerLab *self, gsize text, const float *logits, gsize n, gpointer user_data)
{
    const Readings *into = user_data;
    double log_sum[2];
    (void)n;
    const double norm = normaliser(logits, self->vocab);
    for (int side = 0; side < 2; side++) {
        double largest = -DBL_MAX, sum = 0;
        for (guint k = 0; k < self->verbalisers[side]->len; k++)
            largest = MAX(largest, (double)logits[g_array_index(self->verbalisers[side], guint32, k)]);
        for (guint k = 0; k < self->verbalisers[side]->len; k++)
            sum += exp((double)logits[g_array_index(self->verbalisers[side], guint32, k)] - largest);
        log_sum[side] = largest + log(sum) - norm;
    }
    into->readings[text] = (GlintSteerReading){.log_odds = log_sum[0] - log_sum[1], .probability = 1 / (1 + exp(log_sum[1] - log_sum[0])),
                                               .mass = exp(log_sum[0]) + exp(log_sum[1])};
}

gboolean glint_steer_lab_read(GlintSteerLab *self, const GlintSteerTexts *prompts, const GlintSteerOperator *operator, double strength, GlintSteerReading *readings,
                              GError **error)
{
    Readings into = {readings};
    return run_texts(self, prompts, operator, strength, GLINT_LOGITS_LAST, read_prompt, &into, error);
}

typedef struct { const GlintSteerTexts *texts; double *loss; } Losses;

static void add_loss(GlintSteerLab *self, gsize text, const float *logits, gsize n, gpointer user_data)
{
    const Losses *into = user_data;
    const guint32 *tokens = tokens_of(into->texts, text);
    g_autofree double *terms = g_new0(double, n + 1); /* added up in order, as above */
    double sum = 0;
#pragma omp parallel for schedule(static) if (n * self->vocab > WORTH_THREADS)
    for (gsize t = 0; t < n - 1; t++)
        terms[t] = normaliser(logits + t * self->vocab, self->vocab) - (double)logits[t * self->vocab + tokens[t + 1]];
    for (gsize t = 0; t < n; t++)
        sum += terms[t];
    into->loss[text] = n > 1 ? sum / (double)(n - 1) : 0;
}

gboolean glint_steer_lab_loss(GlintSteerLab *self, const GlintSteerTexts *texts, const GlintSteerOperator *operator, double strength, double *loss, GError **error)
{
    Losses into = {texts, loss};
    return run_texts(self, texts, operator, strength, GLINT_LOGITS_ALL, add_loss, &into, error);
}

/* ---- life ---- */

void glint_steer_lab_free(GlintSteerLab *self)
{
    if (!self)
        return;
    glint_steer_texts_free(self->neutral);
    for (int side = 0; side < 2; side++)
        if (self->verbalisers[side])
            g_array_unref(self->verbalisers[side]);
    free(self->base);
    g_free(self->before);
    free(self->logits);
    g_free(self->kl);
    g_free(self);
}

/* Texts with a position to measure, as many as the memory takes. */
static void choose_neutral(GlintSteerLab *self, const GlintSteerTexts *neutral, gsize memory)
{
    const gsize most = MAX(memory / (self->vocab * sizeof(float)), 1);
    self->neutral = glint_steer_texts_new();
    for (gsize text = 0; text < glint_steer_texts_count(neutral); text++) {
        const gsize n = glint_steer_texts_length(neutral, text);
        if (n <= self->skip + 1 || self->positions + n - self->skip > most)
            continue;
        glint_steer_texts_add(self->neutral, tokens_of(neutral, text), n);
        self->positions += n - self->skip;
    }
}

GlintSteerLab *glint_steer_lab_new(GlintModel *model, const GlintSteerTexts *neutral, const GlintVerbalisers *verbalisers, gsize skip, gsize memory, GError **error)
{
    const GlintModelInfo *info = glint_model_info(model);
    g_autoptr(GlintSteerLab) self = g_new0(GlintSteerLab, 1);
    *self = (GlintSteerLab){.model = model, .skip = skip, .vocab = info->vocab};
    for (int side = 0; side < 2; side++)
        self->verbalisers[side] = g_array_copy(verbalisers->tokens[side]);
    choose_neutral(self, neutral, memory ? memory : DEFAULT_MEMORY);
    if (self->positions == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "there is no neutral text of at least %zu tokens to measure side effects on", skip + 2);
        return NULL;
    }
    self->batch_tokens = CLAMP(LOGITS_BYTES / (self->vocab * sizeof(float)), 64, 4096);
    self->base = malloc(self->positions * self->vocab * sizeof *self->base);
    self->kl = g_new0(double, self->positions);
    self->before = g_malloc0_n(self->positions, sizeof *self->before);
    if (!self->base) {
        glint_fail(error, GLINT_ERROR_FAILED, "not enough memory for the distributions of %zu positions over %zu tokens; give fewer or shorter "
                                              "neutral texts", self->positions, self->vocab);
        return NULL;
    }
    if (!run_texts(self, self->neutral, NULL, 0, GLINT_LOGITS_ALL, keep_base, NULL, error))
        return NULL;
    return g_steal_pointer(&self);
}

gsize glint_steer_lab_positions(const GlintSteerLab *self) { return self->positions; }
gsize glint_steer_lab_skip(const GlintSteerLab *self) { return self->skip; }
GlintModel *glint_steer_lab_model(const GlintSteerLab *self) { return self->model; }
