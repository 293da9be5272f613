/* The plan of a run: every text of its share tokenized, and for each class which texts run together in which batch.
 *
 * The plan depends on data and settings only. Within a class, texts run longest first: a batch then holds texts of like
 * length (its attention costs least), and if memory does not suffice, that shows at once and not after hours. Ties keep the
 * order of the dataset. */
#include "base/error.h"
#include "base/talk.h"
#include "collect/collect_private.h"
#include <string.h>

enum { TOKENS_PER_BATCH = 4096, TEXTS_PER_STEP = 512 };

void glint_plan_free(GlintPlan *self)
{
    if (!self)
        return;
    for (guint i = 0; self->tokenized && i < self->dataset->texts->len; i++)
        g_free(self->tokenized[i].ids);
    for (gsize c = 0; c < self->n_classes; c++) {
        g_free(self->order[c]);
        g_clear_pointer(&self->batch_start[c], g_array_unref);
    }
    g_free(self->tokenized);
    g_free(self->mine);
    g_free(self->punctuation);
    g_free(self->order);
    g_free(self->n_order);
    g_free(self->batch_start);
    g_free(self->count);
    g_free(self);
}

gsize glint_plan_batches(const GlintPlan *self, gsize c) { return self->batch_start[c]->len - 1; }

/* ---- tokens ---- */

static gboolean tokenize_one(const GlintTokenizer *tokenizer, const GlintChat *chat, const GlintText *text, gsize max_tokens, GlintTokenized *out, GError **error)
{
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!glint_text_encode(tokenizer, chat, text->text, -1, TRUE, ids, error)) {
        g_prefix_error(error, "text %s: ", text->id);
        return FALSE;
    }
    out->n = MIN((gsize)ids->len, max_tokens);
    out->truncated = ids->len > max_tokens;
    out->ids = g_memdup2(ids->data, out->n * sizeof(guint32));
    return TRUE;
}

/* The tokenizer is thread-safe and every text is on its own: order and threads do not matter. */
static gboolean tokenize_all(GlintPlan *self, const GlintTokenizer *tokenizer, const GlintChat *chat, gsize max_tokens, GError **error)
{
    guint n = self->dataset->texts->len;
    g_autoptr(GlintProgress) bar = glint_progress_new("tokenize", n, "texts");
    for (guint first = 0; first < n; first += TEXTS_PER_STEP) {
        guint end = MIN(first + TEXTS_PER_STEP, n), failed_at = G_MAXUINT;
        GError *failure = NULL;
#pragma omp parallel for schedule(dynamic, 8)
        for (guint i = first; i < end; i++) {
            GError *problem = NULL;
            if (!self->mine[i] || tokenize_one(tokenizer, chat, &g_array_index(self->dataset->texts, GlintText, i), max_tokens, &self->tokenized[i], &problem))
                continue;
#pragma omp critical(glint_tokenize_failure)
            {
                if (i < failed_at) { /* of several, the same one is reported every time */
                    failed_at = i;
                    g_clear_error(&failure);
                    failure = g_steal_pointer(&problem);
                }
            }
            g_clear_error(&problem);
        }
        if (failure) {
            g_propagate_error(error, failure);
            return FALSE;
        }
        glint_progress_update(bar, end, NULL);
        if (!glint_check_interrupt(error))
            return FALSE;
    }
    return TRUE;
}

/* Which texts are this run's: of each class, counted in the data set's order, every n_shards-th. */
static void take_share(GlintPlan *self, const GlintCollectOptions *options)
{
    gsize n_shards = MAX(options->n_shards, 1), shard = options->n_shards > 1 ? options->shard - 1 : 0;
    g_autofree gsize *seen = g_new0(gsize, self->dataset->classes->len + 1);
    self->mine = g_new0(guint8, self->dataset->texts->len + 1);
    for (guint i = 0; i < self->dataset->texts->len; i++)
        self->mine[i] = seen[g_array_index(self->dataset->texts, GlintText, i).label]++ % n_shards == shard;
}

/* Which of the tokens that occur are punctuation. */
static gboolean find_punctuation(GlintPlan *self, const GlintTokenizer *tokenizer, GError **error)
{
    enum { UNKNOWN = 2 };
    GlintSpeller speller;
    gsize n = 0;
    if (!glint_speller_init(&speller, tokenizer, error))
        return FALSE;
    for (guint i = 0; i < self->dataset->texts->len; i++)
        for (gsize t = 0; t < self->tokenized[i].n; t++)
            n = MAX(n, (gsize)self->tokenized[i].ids[t] + 1);
    self->punctuation = g_malloc(n + 1);
    memset(self->punctuation, UNKNOWN, n + 1);
    for (guint i = 0; i < self->dataset->texts->len; i++)
        for (gsize t = 0; t < self->tokenized[i].n; t++) {
            guint32 id = self->tokenized[i].ids[t];
            if (self->punctuation[id] == UNKNOWN)
                self->punctuation[id] = (guint8)glint_speller_is_punctuation(&speller, id);
        }
    return TRUE;
}

static gboolean has_punctuation(const GlintPlan *self, const GlintTokenized *text)
{
    for (gsize t = self->prefix; t < text->n; t++)
        if (self->punctuation[text->ids[t]])
            return TRUE;
    return FALSE;
}

GlintTexts *glint_plan_texts(const GlintPlan *self, gsize c, const GlintTokenizer *tokenizer, GError **error)
{
    g_autoptr(GlintTexts) texts = glint_texts_new();
    for (gsize k = 0; k < self->n_order[c]; k++) {
        guint i = self->order[c][k];
        glint_texts_add(texts, i, g_array_index(self->dataset->texts, GlintText, i).id, self->tokenized[i].ids, self->tokenized[i].n);
    }
    glint_texts_sort(texts);
    return glint_texts_spell(texts, tokenizer, error) ? g_steal_pointer(&texts) : NULL;
}

/* ---- batches ---- */

static gint longest_first(gconstpointer a, gconstpointer b, gpointer user_data)
{
    const GlintTokenized *tokenized = user_data;
    guint x = *(const guint *)a, y = *(const guint *)b;
    if (tokenized[x].n != tokenized[y].n)
        return tokenized[x].n > tokenized[y].n ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void count_class(GlintPlan *self, gsize c, GlintPool pool)
{
    GlintClassCount *count = &self->count[c];
    GArray *order = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint i = 0; i < self->dataset->texts->len; i++) {
        const GlintTokenized *tokenized = &self->tokenized[i];
        if (!self->mine[i] || (gsize)g_array_index(self->dataset->texts, GlintText, i).label != c)
            continue;
        count->texts++;
        count->truncated += tokenized->truncated;
        if (tokenized->n <= self->prefix) {
            count->no_tokens++;
            continue;
        }
        if (self->punctuation && !has_punctuation(self, tokenized)) {
            count->no_punctuation++;
            continue;
        }
        count->tokens += tokenized->n;
        count->samples += pool == GLINT_POOL_TOKENS ? tokenized->n - self->prefix : 1;
        g_array_append_val(order, i);
    }
    g_array_sort_with_data(order, longest_first, self->tokenized);
    self->n_order[c] = order->len;
    self->order[c] = (guint *)(void *)g_array_free(order, FALSE);
}

static void cut_batches(GlintPlan *self, gsize c, gsize batch_size)
{
    gsize in_batch = 0, tokens = 0;
    self->batch_start[c] = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (gsize k = 0; k < self->n_order[c]; k++) {
        gsize n = self->tokenized[self->order[c][k]].n;
        gboolean full = batch_size > 0 ? in_batch == batch_size : tokens + n > TOKENS_PER_BATCH;
        if (k == 0 || full) {
            g_array_append_val(self->batch_start[c], k);
            in_batch = tokens = 0;
        }
        in_batch++;
        tokens += n;
    }
    g_array_append_val(self->batch_start[c], self->n_order[c]);
}

static gboolean check_samples(const GlintPlan *self, GError **error)
{
    for (gsize c = 0; c < self->n_classes; c++) {
        const GlintClassCount *count = &self->count[c];
        if (count->samples < 2)
            return glint_fail(error, GLINT_ERROR_DATA,
                              "class %s has %zu sample%s (%zu texts, %zu of them without a token%s), and a covariance needs at least 2; give the class more texts, "
                              "raise --max-samples, or leave the class out of the data", (char *)g_ptr_array_index(self->dataset->classes, c), count->samples,
                              count->samples == 1 ? "" : "s", count->texts, count->no_tokens + count->no_punctuation, self->punctuation ? " of punctuation" : "");
    }
    return TRUE;
}

GlintPlan *glint_plan_new(const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options, gsize max_tokens, GError **error)
{
    g_autoptr(GlintPlan) self = g_new0(GlintPlan, 1);
    gsize n_classes = dataset->classes->len;
    self->dataset = dataset;
    self->prefix = glint_text_n_prefix(tokenizer, options->chat);
    if (max_tokens <= self->prefix) {
        glint_fail(error, GLINT_ERROR_USAGE, "--max-tokens %zu leaves nothing of a text behind its %zu special token%s; give more", max_tokens, self->prefix,
                   self->prefix == 1 ? "" : "s");
        return NULL;
    }
    self->tokenized = g_new0(GlintTokenized, dataset->texts->len + 1);
    take_share(self, options);
    if (!tokenize_all(self, tokenizer, options->chat, max_tokens, error) || (options->pool == GLINT_POOL_PUNCT && !find_punctuation(self, tokenizer, error)))
        return NULL;
    self->n_classes = n_classes;
    self->order = g_new0(guint *, n_classes + 1);
    self->n_order = g_new0(gsize, n_classes + 1);
    self->batch_start = g_new0(GArray *, n_classes + 1);
    self->count = g_new0(GlintClassCount, n_classes + 1);
    for (gsize c = 0; c < n_classes; c++) {
        count_class(self, c, options->pool);
        cut_batches(self, c, options->batch_size);
    }
    return options->n_shards > 1 || check_samples(self, error) ? g_steal_pointer(&self) : NULL;
}

double glint_plan_tokens(const GlintPlan *self, gsize c, gsize n_batches)
{
    double sum = 0;
    gsize end = g_array_index(self->batch_start[c], gsize, n_batches);
    for (gsize k = 0; k < end; k++)
        sum += (double)self->tokenized[self->order[c][k]].n;
    return sum;
}

void glint_plan_pack(const GlintPlan *self, gsize c, gsize b, GlintPacked *packed)
{
    gsize first = g_array_index(self->batch_start[c], gsize, b), end = g_array_index(self->batch_start[c], gsize, b + 1), n = end - first, total = 0;
    const guint *texts = self->order[c] + first;
    packed->start = g_new(gsize, n + 1);
    packed->texts = texts;
    for (gsize s = 0; s < n; s++) {
        packed->start[s] = total;
        total += self->tokenized[texts[s]].n;
    }
    packed->start[n] = total;
    packed->tokens = g_new(guint32, total + 1);
    for (gsize s = 0; s < n; s++)
        memcpy(packed->tokens + packed->start[s], self->tokenized[texts[s]].ids, self->tokenized[texts[s]].n * sizeof(guint32));
    packed->batch = (GlintBatch){packed->tokens, packed->start, n};
}

void glint_packed_release(GlintPacked *self)
{
    g_clear_pointer(&self->tokens, g_free);
    g_clear_pointer(&self->start, g_free);
}
