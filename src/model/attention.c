/* Causal attention, blocked over keys with a running softmax (Milakov & Gimelshein 2018; Dao et al. 2022), f32.
 *
 * A task is (sequence, heads, GLI_BLOCK queries at most): it walks the key blocks from the first the window lets it see up to
 * the diagonal. Heads that share keys and values go together as far as their queries fit the block, so that decoding, one
 * query a head, reads the cache once. Blocks begin at fixed positions of the sequence and rows do not mix, so the bits of a
 * result depend neither on the rest of the batch nor on the number of threads. Both inner products are one micro-kernel: 8 rows
 * (at the end 4, 2, 1) times 16 lanes. */
#include "model/attention.h"
#include "base/simd.h"
#include "model/fastmath.h"
#include <omp.h>
#include <string.h>

/* 16 floats as the compiler's own vector type: one AVX-512 register, two of AVX, four of SSE or NEON. */
typedef float Lanes __attribute__((vector_size(GLI_LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

enum { ROWS = 8 };

/* Multiplications below which one thread does all: about 20 microseconds of work. */
enum { WORTH_THREADS = 500000 };

/* Scores below this count as masked; exp of it is 0, and it is finite so that differences stay defined. */
static const float MASKED = -1e30f;

gsize gli_store_key_floats(const GliArch *arch, gsize n_blocks) { return n_blocks * arch->n_kv_heads * arch->head_size * GLI_BLOCK; }
gsize gli_store_value_floats(const GliArch *arch, gsize n_blocks) { return n_blocks * arch->n_kv_heads * GLI_BLOCK * gli_padded_head(arch->head_size); }

/* queries [64, D], scores [64, 64], sums [64, padded D], running maximum and denominator [64] */
gsize gli_attention_scratch_floats(const GliArch *arch)
{
    return GLI_BLOCK * (arch->head_size + GLI_BLOCK + gli_padded_head(arch->head_size) + 2 + GLI_LANES);
}

/* C [rows <= 8, 16] (+)= A [rows, n] B [n, 16]. */
static inline __attribute__((always_inline)) void tile(int rows, gsize n, const float *a, gsize a_stride, const float *b, gsize b_stride, gboolean add, float *c, gsize c_stride)
{
    Lanes sum[ROWS];
    for (int r = 0; r < rows; r++)
        sum[r] = add ? *(const Lanes *)(c + (gsize)r * c_stride) : (Lanes){0};
    for (gsize k = 0; k < n; k++) {
        const Lanes row = *(const Lanes *)(b + k * b_stride);
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++)
            sum[r] += a[(gsize)r * a_stride + k] * row;
    }
    for (int r = 0; r < rows; r++)
        *(Lanes *)(c + (gsize)r * c_stride) = sum[r];
}

/* C [rows, columns] (+)= A [rows, n] B [n, columns]; columns a multiple of 16. */
GLINT_CLONES static void product(gsize rows, gsize columns, gsize n, const float *a, gsize a_stride, const float *b, gsize b_stride,
                                 gboolean add, float *c, gsize c_stride)
{
    for (gsize r = 0, step; r < rows; r += step) {
        step = rows - r >= 8 ? 8 : rows - r >= 4 ? 4 : rows - r >= 2 ? 2 : 1;
        for (gsize j = 0; j < columns; j += GLI_LANES) {
            const float *from = a + r * a_stride;
            float *to = c + r * c_stride + j;
            switch (step) {
            case 8: tile(8, n, from, a_stride, b + j, b_stride, add, to, c_stride); break;
            case 4: tile(4, n, from, a_stride, b + j, b_stride, add, to, c_stride); break;
            case 2: tile(2, n, from, a_stride, b + j, b_stride, add, to, c_stride); break;
            default: tile(1, n, from, a_stride, b + j, b_stride, add, to, c_stride);
            }
        }
    }
}

/* One block's scores into weights: scale, cap, mask to keys [first, last], running maximum and denominator; returns the
 * factor by which what was summed before must shrink. */
GLINT_CLONES static float soften(float *score, float scale, float cap, gint64 first, gint64 last, float *maximum, float *denominator)
{
    float top = *maximum, sum = 0;
#pragma omp simd
    for (int j = 0; j < GLI_BLOCK; j++)
        score[j] *= scale;
    if (cap > 0)
#pragma omp simd
        for (int j = 0; j < GLI_BLOCK; j++)
            score[j] = cap * gli_tanh(score[j] / cap);
    for (int j = 0; j < GLI_BLOCK && j < first; j++)
        score[j] = MASKED;
    for (gint64 j = last < 0 ? 0 : last + 1; j < GLI_BLOCK; j++)
        score[j] = MASKED;
#pragma omp simd reduction(max : top)
    for (int j = 0; j < GLI_BLOCK; j++)
        top = score[j] > top ? score[j] : top;
#pragma omp simd reduction(+ : sum)
    for (int j = 0; j < GLI_BLOCK; j++) {
        score[j] = gli_exp(score[j] - top);
        sum += score[j];
    }
    const float shrink = gli_exp(*maximum - top);
    *denominator = *denominator * shrink + sum;
    *maximum = top;
    return shrink;
}

GLINT_CLONES static void scale_run(float *x, float factor, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        x[i] *= factor;
}

/* Queries of `n_heads` heads from `head` on, which share keys, at positions [first, first + count) of the sequence; at most
 * GLI_BLOCK of them. Row h * count + i is position first + i of head `head` + h. */
static void run_task(const GliAttention *self, const GliSpan *span, gsize head, gsize n_heads, gsize first, gsize count, const float *qkv, float *z, float *scratch)
{
    const GliArch *arch = self->arch;
    const gsize D = arch->head_size, P = gli_padded_head(D), width = gli_arch_qkv_width(arch), rows = n_heads * count;
    const gsize kv = head / (arch->n_heads / arch->n_kv_heads), window = self->layer->window;
    float *query = scratch, *score = query + GLI_BLOCK * D, *sum = score + GLI_BLOCK * GLI_BLOCK, *maximum = sum + GLI_BLOCK * P, *denominator = maximum + GLI_BLOCK;
    const gsize first_row = span->first_row + first - span->past;
    memset(sum, 0, rows * P * sizeof *sum);
    for (gsize r = 0; r < rows; r++) {
        memcpy(query + r * D, qkv + (first_row + r % count) * width + (head + r / count) * D, D * sizeof *query);
        maximum[r] = MASKED;
        denominator[r] = 0;
    }
    const gsize begin = window && first + 1 > window ? (first + 1 - window) / GLI_BLOCK : 0, end = (first + count - 1) / GLI_BLOCK;
    for (gsize block = begin; block <= end; block++) {
        const gsize at = (span->first_block + block) * arch->n_kv_heads + kv, start = block * GLI_BLOCK;
        const gsize visible = MIN((gsize)GLI_BLOCK, first + count - start);
        product(rows, GLI_BLOCK, D, query, D, self->store.keys + at * D * GLI_BLOCK, GLI_BLOCK, FALSE, score, GLI_BLOCK);
        for (gsize r = 0; r < rows; r++) {
            const gint64 position = (gint64)(first + r % count);
            const gint64 oldest = window ? position - (gint64)window + 1 - (gint64)start : 0;
            const float shrink = soften(score + r * GLI_BLOCK, (float)self->layer->scale, (float)arch->attn_softcap, oldest,
                                        position - (gint64)start, &maximum[r], &denominator[r]);
            if (shrink != 1.0f)
                scale_run(sum + r * P, shrink, P);
        }
        product(rows, P, visible, score, GLI_BLOCK, self->store.values + at * GLI_BLOCK * P, P, TRUE, sum, P);
    }
    for (gsize r = 0; r < rows; r++) {
        scale_run(sum + r * P, 1.0f / denominator[r], D);
        memcpy(z + (first_row + r % count) * arch->n_heads * D + (head + r / count) * D, sum + r * P, D * sizeof *z);
    }
}

/* Calls are flattened into (span, block of new positions), the unit both passes below hand to threads. */
typedef struct { const GliSpan *span; gsize first, count; } Piece;

static Piece *cut(const GliAttention *self, gsize *n)
{
    gsize total = 0;
    for (gsize s = 0; s < self->n_spans; s++)
        total += self->spans[s].n_rows / GLI_BLOCK + 2; /* at most */
    Piece *pieces = g_new(Piece, total);
    *n = 0;
    for (gsize s = 0; s < self->n_spans; s++) {
        const GliSpan *span = &self->spans[s];
        const gsize end = span->past + span->n_rows;
        for (gsize first = span->past; first < end;) { /* pieces end where blocks end */
            const gsize count = MIN(GLI_BLOCK - first % GLI_BLOCK, end - first);
            pieces[(*n)++] = (Piece){span, first, count};
            first += count;
        }
    }
    return pieces;
}

static void turn(const GliAttention *self, const GliNorm *norm, gsize position, float *head)
{
    const gsize rotary = self->arch->rope[self->layer->rope].rotary, half = rotary / 2;
    if (norm)
        gli_norm_row(norm, head, self->arch->head_size, head);
    if (self->cosine)
        gli_rope_row(head, self->cosine + position * half, self->sine + position * half, rotary);
}

static void store_piece(const GliAttention *self, const Piece *piece, float *qkv)
{
    const GliArch *arch = self->arch;
    const gsize D = arch->head_size, P = gli_padded_head(D), width = gli_arch_qkv_width(arch), K = arch->n_kv_heads;
    for (gsize p = piece->first; p < piece->first + piece->count; p++) {
        float *row = qkv + (piece->span->first_row + p - piece->span->past) * width;
        for (gsize head = 0; head < arch->n_heads; head++)
            turn(self, self->q_norm, p, row + head * D);
        for (gsize head = 0; head < K; head++) {
            const gsize at = (piece->span->first_block + p / GLI_BLOCK) * K + head, lane = p % GLI_BLOCK;
            float *key = row + (arch->n_heads + head) * D, *to = self->store.keys + at * D * GLI_BLOCK + lane;
            turn(self, self->k_norm, p, key);
            for (gsize d = 0; d < D; d++)
                to[d * GLI_BLOCK] = key[d];
            float *value = self->store.values + (at * GLI_BLOCK + lane) * P;
            memcpy(value, row + (arch->n_heads + K + head) * D, D * sizeof *value);
            memset(value + D, 0, (P - D) * sizeof *value);
        }
    }
}

void gli_attention_store(const GliAttention *self, float *qkv)
{
    gsize n;
    g_autofree Piece *pieces = cut(self, &n);
#pragma omp parallel for schedule(dynamic) num_threads(self->threads) if (n > 1)
    for (gsize i = 0; i < n; i++)
        store_piece(self, &pieces[i], qkv);
}

/* Heads of one task for pieces of `count` queries: a divisor of those that share keys. */
static gsize heads_together(const GliArch *arch, gsize count)
{
    gsize heads = arch->n_heads / arch->n_kv_heads;
    while (heads > 1 && (heads * count > GLI_BLOCK || (arch->n_heads / arch->n_kv_heads) % heads != 0))
        heads--;
    return heads;
}

void gli_attention_run(const GliAttention *self, const float *qkv, float *z)
{
    typedef struct { const Piece *piece; gsize head, n_heads; } Task;
    gsize n, n_tasks = 0, products = 0; /* of a query and a key */
    g_autofree Piece *pieces = cut(self, &n);
    const gsize heads = self->arch->n_heads, floats = gli_attention_scratch_floats(self->arch);
    g_autofree Task *tasks = g_new(Task, n * heads);
    for (gsize i = n; i-- > 0;) { /* late pieces see the most keys: hand them out first */
        const gsize together = heads_together(self->arch, pieces[i].count);
        for (gsize head = 0; head < heads; head += together)
            tasks[n_tasks++] = (Task){&pieces[i], head, together};
        products += heads * pieces[i].count * (pieces[i].first + pieces[i].count);
    }
    const gboolean worth = products * self->arch->head_size > WORTH_THREADS;
#pragma omp parallel for schedule(dynamic) num_threads(self->threads) if (worth)
    for (gsize i = 0; i < n_tasks; i++)
        run_task(self, tasks[i].piece->span, tasks[i].head, tasks[i].n_heads, tasks[i].piece->first, tasks[i].piece->count, qkv, z,
                 self->scratch + (gsize)omp_get_thread_num() * floats);
}
