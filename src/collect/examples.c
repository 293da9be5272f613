/* Top, bottom, spread and uniform examples of every column, streaming. See examples.h for the contract.
 *
 * The cost lies in the values that are not examples, nearly all. Each column has three limits that a value must reach (of itself, of its
 * negative, of its square times the token's weight 1/u); a lane of 16 columns is compared with them at once and looked at closer only when one
 * of them reaches its own. Columns are shared out among the threads in blocks whose limits stay in the first cache, and every block
 * goes through all tokens, so that no two threads meet. */
#include "collect/examples.h"
#include "base/error.h"
#include "base/simd.h"
#include "collect/examples_private.h"
#include <math.h>
#include <string.h>

enum { LANE = 16, GROUP = 64, BLOCK = 1024, PARALLEL_FROM = 1 << 17 };

/* ---- draws ---- */

static guint64 mix(guint64 x) /* the finaliser of SplitMix64 */
{
    x ^= x >> 30;
    x *= G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    x ^= x >> 27;
    x *= G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

guint64 glint_examples_key(guint64 seed, const char *text_id)
{
    guint64 hash = G_GUINT64_CONSTANT(0xcbf29ce484222325); /* FNV-1a */
    for (const guchar *c = (const guchar *)text_id; *c; c++)
        hash = (hash ^ *c) * G_GUINT64_CONSTANT(0x100000001b3);
    return mix(hash ^ mix(seed + G_GUINT64_CONSTANT(0x9e3779b97f4a7c15)));
}

static guint64 token_hash(guint64 key, guint32 position) { return mix(key + ((guint64)position + 1) * G_GUINT64_CONSTANT(0x9e3779b97f4a7c15)); }

/* 1/u, u uniform over (0, 1] in 2^24 steps. */
static float token_weight(guint64 hash) { return 0x1p24f / (float)((hash >> 40) + 1); }

/* ---- lists ---- */

void glint_example_list_limit(GlintExampleList *self, gsize column)
{
    self->limit[column] = self->n[column] < self->capacity ? -INFINITY : self->entries[(column + 1) * self->capacity - 1].priority;
}

static void list_insert(GlintExampleList *self, gsize column, const GlintExample *example)
{
    GlintExample *entries = self->entries + column * self->capacity;
    gsize n = self->n[column], at = n;
    if (n == self->capacity) {
        if (!glint_example_before(example, &entries[n - 1]))
            return;
        at = n - 1;
    } else
        self->n[column]++;
    for (; at > 0 && glint_example_before(example, &entries[at - 1]); at--)
        entries[at] = entries[at - 1];
    entries[at] = *example;
    glint_example_list_limit(self, column);
}

static gboolean list_init(GlintExampleList *self, gsize width, gsize capacity)
{
    gsize n;
    self->capacity = capacity;
    if (!g_size_checked_mul(&n, width, capacity))
        return FALSE;
    self->n = g_try_new0(guint32, width);
    self->entries = g_try_new0(GlintExample, n);
    self->limit = g_try_new(float, width);
    if (!self->n || !self->entries || !self->limit)
        return FALSE;
    for (gsize j = 0; j < width; j++)
        self->limit[j] = -INFINITY;
    return TRUE;
}

static void list_release(GlintExampleList *self)
{
    g_free(self->n);
    g_free(self->entries);
    g_free(self->limit);
}

/* ---- the whole ---- */

GlintExamples *glint_examples_new(gsize width, gsize k, guint64 seed)
{
    if (width == 0 || width > G_MAXINT || k == 0 || k > GLINT_EXAMPLES_MOST)
        return NULL;
    GlintExamples *self = g_new0(GlintExamples, 1);
    self->width = width;
    self->k = k;
    self->seed = seed;
    self->rows = g_new0(GlintExampleRow, GLINT_EXAMPLES_ROWS);
    self->row_values = g_try_malloc_n(width, GLINT_EXAMPLES_ROWS * sizeof(float));
    if (!self->row_values || !list_init(&self->top, width, k) || !list_init(&self->bottom, width, k) || !list_init(&self->spread, width, GLINT_EXAMPLES_SPREAD * k))
        g_clear_pointer(&self, glint_examples_free);
    return self;
}

void glint_examples_free(GlintExamples *self)
{
    if (!self)
        return;
    list_release(&self->top);
    list_release(&self->bottom);
    list_release(&self->spread);
    g_free(self->rows);
    g_free(self->row_values);
    g_free(self);
}

gsize glint_examples_bytes(gsize width, gsize k)
{
    return width * ((2 + GLINT_EXAMPLES_SPREAD) * k * sizeof(GlintExample) + 3 * (sizeof(guint32) + sizeof(float)) + GLINT_EXAMPLES_ROWS * sizeof(float));
}

/* ---- adding ---- */

/* What a column's value must reach to be looked at closer. */
typedef struct { const float *top, *bottom, *spread; } Limits;

/* Whether one of n values may be an example, or is not finite. The comparisons are negated so that NaN comes through. */
static inline int any_reaches(const float *x, const Limits *at, gsize first, float weight, gsize n)
{
    const float *top = at->top + first, *bottom = at->bottom + first, *spread = at->spread + first;
    int hit = 0;
    for (gsize j = 0; j < n; j++)
        hit |= (!(x[first + j] < top[j]) | !(-x[first + j] < bottom[j]) | !(x[first + j] * x[first + j] * weight < spread[j])) & (x[first + j] != 0);
    return hit;
}

/* The lanes of `columns` columns that must be looked at closer: their starts into `hits`. */
GLINT_CLONES
static gsize scan_row(const float *x, const Limits *limits, float weight, gsize columns, guint16 *hits)
{
    gsize n_hits = 0, first = 0;
    for (; first + GROUP <= columns; first += GROUP)
        if (any_reaches(x, limits, first, weight, GROUP))
            for (gsize lane = first; lane < first + GROUP; lane += LANE) {
                hits[n_hits] = (guint16)lane;
                n_hits += any_reaches(x, limits, lane, weight, LANE) != 0;
            }
    for (; first < columns; first += LANE)
        hits[n_hits++] = (guint16)first;
    return n_hits;
}

/* Returns FALSE when the value is not finite. */
static gboolean offer(GlintExamples *self, gsize column, float x, float weight, guint32 text, guint32 position)
{
    GlintExample example = {.value = x, .priority = x, .text = text, .position = position};
    if (x == 0)
        return TRUE;
    if (!isfinite(x))
        return FALSE;
    if (example.priority >= self->top.limit[column])
        list_insert(&self->top, column, &example);
    example.priority = -x;
    if (example.priority >= self->bottom.limit[column])
        list_insert(&self->bottom, column, &example);
    example.priority = x * x * weight;
    if (example.priority >= self->spread.limit[column])
        list_insert(&self->spread, column, &example);
    return TRUE;
}

/* Columns [first, end) of one part. Returns the first column that is not finite, or `end`. */
static gsize add_columns(GlintExamples *self, const GlintExampleRows *part, gsize stride, gsize first, gsize end)
{
    const Limits limits = {self->top.limit + first, self->bottom.limit + first, self->spread.limit + first};
    guint16 hits[BLOCK / LANE + 1];
    for (gsize t = 0; t < part->n; t++) {
        guint32 position = part->position + (guint32)t;
        const float *row = part->rows + t * stride;
        float weight = token_weight(token_hash(part->key, position));
        gsize n_hits = scan_row(row + first, &limits, weight, end - first, hits);
        for (gsize h = 0; h < n_hits; h++)
            for (gsize j = first + hits[h]; j < MIN(first + hits[h] + LANE, end); j++)
                if (!offer(self, j, row[j], weight, part->text, position))
                    return j;
    }
    return end;
}

/* A row of `values` among those drawn. */
static void rows_insert(GlintExamples *self, GlintExampleRow row, const float *values)
{
    gsize n = self->n_rows, low = 0, high = n;
    row.slot = n;
    if (n == GLINT_EXAMPLES_ROWS) {
        if (!glint_example_row_before(&row, &self->rows[n - 1]))
            return;
        row.slot = self->rows[--n].slot;
        high = n;
    } else
        self->n_rows++;
    while (low < high) {
        gsize middle = (low + high) / 2;
        if (glint_example_row_before(&row, &self->rows[middle]))
            high = middle;
        else
            low = middle + 1;
    }
    memmove(self->rows + low + 1, self->rows + low, (n - low) * sizeof *self->rows);
    self->rows[low] = row;
    memcpy(self->row_values + row.slot * self->width, values, self->width * sizeof(float));
}

gboolean glint_examples_add(GlintExamples *self, const GlintExampleRows *parts, gsize n_parts, gsize stride, gsize *part, gsize *column)
{
    gsize n_blocks = (self->width + BLOCK - 1) / BLOCK, tokens = 0, bad_part = n_parts, bad_column = 0;
    for (gsize p = 0; p < n_parts; p++)
        tokens += parts[p].n;
#pragma omp parallel for schedule(dynamic) if (tokens * self->width > PARALLEL_FROM)
    for (gsize b = 0; b < n_blocks; b++) {
        gsize first = b * BLOCK, end = MIN(first + BLOCK, self->width);
        for (gsize p = 0; p < n_parts; p++) {
            gsize bad = add_columns(self, &parts[p], stride, first, end);
            if (bad == end)
                continue;
#pragma omp critical(glint_examples_bad)
            if (p < bad_part || (p == bad_part && bad < bad_column)) { /* of several, the same one every time */
                bad_part = p;
                bad_column = bad;
            }
            break;
        }
    }
    *part = bad_part;
    *column = bad_column;
    if (bad_part < n_parts)
        return FALSE;
    for (gsize p = 0; p < n_parts; p++)
        for (gsize t = 0; t < parts[p].n; t++) {
            guint32 position = parts[p].position + (guint32)t;
            rows_insert(self, (GlintExampleRow){token_hash(parts[p].key, position), parts[p].text, position, 0}, parts[p].rows + t * stride);
        }
    self->n_tokens += tokens;
    return TRUE;
}

static void list_merge(GlintExampleList *self, const GlintExampleList *other, gsize width)
{
#pragma omp parallel for schedule(static)
    for (gsize j = 0; j < width; j++)
        for (guint32 i = 0; i < other->n[j]; i++)
            list_insert(self, j, &other->entries[j * other->capacity + i]);
}

gboolean glint_examples_merge(GlintExamples *self, const GlintExamples *other, GError **error)
{
    if (self->width != other->width || self->k != other->k || self->seed != other->seed)
        return glint_fail(error, GLINT_ERROR_DATA, "examples of %zu columns (%zu each, seed %" G_GUINT64_FORMAT ") and of %zu columns (%zu each, seed %" G_GUINT64_FORMAT
                          ") cannot be merged: they are of different runs", self->width, self->k, self->seed, other->width, other->k, other->seed);
    list_merge(&self->top, &other->top, self->width);
    list_merge(&self->bottom, &other->bottom, self->width);
    list_merge(&self->spread, &other->spread, self->width);
    for (gsize i = 0; i < other->n_rows; i++)
        rows_insert(self, other->rows[i], other->row_values + other->rows[i].slot * other->width);
    self->n_tokens += other->n_tokens;
    return TRUE;
}

/* ---- reading ---- */

gsize glint_examples_width(const GlintExamples *self) { return self->width; }
gsize glint_examples_k(const GlintExamples *self) { return self->k; }
gsize glint_examples_n(const GlintExamples *self) { return self->n_tokens; }
gsize glint_examples_n_rows(const GlintExamples *self) { return self->n_rows; }

static const GlintExample *list_of(const GlintExampleList *self, gsize column, gsize *n)
{
    *n = self->n[column];
    return self->entries + column * self->capacity;
}

const GlintExample *glint_examples_top(const GlintExamples *self, gsize column, gsize *n) { return list_of(&self->top, column, n); }
const GlintExample *glint_examples_bottom(const GlintExamples *self, gsize column, gsize *n) { return list_of(&self->bottom, column, n); }
const GlintExample *glint_examples_spread(const GlintExamples *self, gsize column, gsize *n) { return list_of(&self->spread, column, n); }

float glint_examples_row(const GlintExamples *self, gsize row, gsize column, guint32 *text, guint32 *position)
{
    const GlintExampleRow *at = &self->rows[row];
    if (text)
        *text = at->text;
    if (position)
        *position = at->position;
    return self->row_values[at->slot * self->width + column];
}
