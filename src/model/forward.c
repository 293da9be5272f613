/* The forward pass: one decoder block for all families, taps, logits.
 *
 * All tokens of the batch go through a layer together, [N, width] f32 row by row; only attention knows of sequences. Inputs of
 * matrix products are written in the products' own form (dnn.h), which in bf16 compute is rounded; everything else stays f32.
 * The residual is one buffer that attention's and the MLP's outputs are added to: resid_mid = resid_pre + attn_out and
 * resid_post = resid_mid + mlp_out hold to the last bit. A tap gets the buffer itself; what it writes is what follows.
 *
 * The neurons of a layer exist as f32 only where somebody listens: else the products of gate and up end in the activation
 * function and in the input of the down projection, tile by tile.
 *
 * Buffers (kept between runs): residual, attn, mlp [N, H]; normed [threads, H]; qkv [N, (A + 2K) D]; z [N, A D]; gate, up [N, F] if
 * needed; input: of all products but down, neurons: of down; keys, values: the attention store of one layer; scratch: attention's,
 * per thread. */
#include "model/forward.h"
#include "base/error.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

/* Elements below which a pass over rows stays on one thread: waking another costs more than it saves. */
enum { WORTH_THREADS = 16384 };

typedef struct {
    GlintModel *model;
    const GlintBatch *batch;
    const GlintTap *taps;
    gsize n_taps, n, layer;
    gint64 last; /* order of the last site anyone listens to; G_MAXINT64 when logits are wanted */
    gboolean finished, edited; /* edited: the f32 neurons may differ from those in the input of down */
    GliSpan *spans;
    struct GlintCache *cache;
} Run;

void gli_buffer_clear(GliBuffer *self)
{
    free(self->bytes);
    *self = (GliBuffer){0};
}

gboolean gli_buffer_reserve(GliBuffer *self, gsize bytes, GError **error)
{
    if (bytes <= self->size)
        return TRUE;
    gli_buffer_clear(self);
    const gsize rounded = (bytes + 63) / 64 * 64;
    self->bytes = aligned_alloc(64, rounded);
    if (!self->bytes)
        return glint_fail(error, GLINT_ERROR_FAILED, "not enough memory for a batch (%zu MB more were needed); use a smaller --batch-size or --max-tokens",
                          bytes >> 20);
    self->size = rounded;
    return TRUE;
}

/* Does anybody want this kind of site's rows as a whole, in `layer` or (G_MAXSIZE) in any? */
static gboolean listened_whole(const Run *run, GlintSiteKind kind, gsize layer)
{
    for (gsize i = 0; i < run->n_taps; i++)
        if (run->taps[i].site.kind == kind && !run->taps[i].piece && (layer == G_MAXSIZE || run->taps[i].site.layer == layer))
            return TRUE;
    return FALSE;
}

/* Does anybody listen at this kind of site, in `layer` or (G_MAXSIZE) in any? */
static gboolean listened(const Run *run, GlintSiteKind kind, gsize layer)
{
    for (gsize i = 0; i < run->n_taps; i++)
        if (run->taps[i].site.kind == kind && (layer == G_MAXSIZE || run->taps[i].site.layer == layer))
            return TRUE;
    return FALSE;
}

static gboolean need_floats(GliBuffer *buffer, gsize rows, gsize width, GError **error) { return gli_buffer_reserve(buffer, rows * width * sizeof(float), error); }

/* Cosines and sines for positions below `length`; what was there stays. */
static gboolean need_rope(GliRopeTable *table, const GliRope *rope, gsize length, gsize most, GError **error)
{
    if (length <= table->length)
        return TRUE;
    length = MIN(MAX(length, 2 * table->length), most);
    const gsize half = rope->rotary / 2;
    float *cosine = g_try_renew(float, table->cosine, length * half);
    if (cosine)
        table->cosine = cosine;
    float *sine = cosine ? g_try_renew(float, table->sine, length * half) : NULL;
    if (!sine)
        return glint_fail(error, GLINT_ERROR_FAILED, "not enough memory for %zu positions", length);
    table->sine = sine;
    gli_rope_table(rope, table->length, length, table->cosine, table->sine);
    table->length = length;
    return TRUE;
}

static gboolean check_batch(const GlintModel *self, const struct GlintCache *cache, const GlintBatch *batch, GError **error)
{
    for (gsize s = 0; s < batch->n_sequences; s++) {
        g_return_val_if_fail(batch->start[s] <= batch->start[s + 1], FALSE);
        const gsize count = batch->start[s + 1] - batch->start[s], past = cache ? cache->length[s] : 0;
        if (count == 0 && !cache)
            return glint_fail(error, GLINT_ERROR_DATA, "sequence %zu of the batch has no tokens", s);
        if (past + count > self->arch.max_tokens)
            return glint_fail(error, GLINT_ERROR_DATA, "a sequence of %zu tokens is longer than the model takes (%zu); shorten it with --max-tokens %zu",
                              past + count, self->arch.max_tokens, self->arch.max_tokens);
        if (cache && (past + count + GLI_BLOCK - 1) / GLI_BLOCK > cache->blocks)
            return glint_fail(error, GLINT_ERROR_DATA, "a sequence of %zu tokens is longer than its cache (%zu)", past + count, cache->blocks * GLI_BLOCK);
        for (gsize t = batch->start[s]; t < batch->start[s + 1]; t++)
            if (batch->tokens[t] >= self->arch.vocab)
                return glint_fail(error, GLINT_ERROR_DATA, "token id %u (token %zu of sequence %zu) is outside the model's vocabulary of %zu; "
                                  "does the tokenizer belong to this model?", batch->tokens[t], t - batch->start[s], s, self->arch.vocab);
    }
    return TRUE;
}

static gboolean need_rows(const Run *run, GError **error)
{
    GlintModel *self = run->model;
    const GliArch *arch = &self->arch;
    const GliMatrixOps *ops = self->weights->ops;
    const GliDevice *device = self->weights->device;
    const gsize n = run->n, H = arch->hidden, F = arch->mlp_width, heads = arch->n_heads * arch->head_size;
    const gboolean apart = listened(run, GLINT_SITE_MLP_PRE, G_MAXSIZE) || listened(run, GLINT_SITE_MLP_PRE_LINEAR, G_MAXSIZE);
    const gboolean gate = apart || listened_whole(run, GLINT_SITE_MLP_POST, G_MAXSIZE);
    return need_floats(&self->residual, n, H, error) && need_floats(&self->normed, (gsize)self->threads, H, error) &&
           need_floats(&self->qkv, n, gli_arch_qkv_width(arch), error) && need_floats(&self->z, n, heads, error) &&
           need_floats(&self->attn, n, H, error) && need_floats(&self->mlp, n, H, error) && (!gate || need_floats(&self->gate, n, F, error)) &&
           (!apart || arch->mlp == GLI_MLP_PLAIN || need_floats(&self->up, n, F, error)) &&
           gli_buffer_reserve(&self->input, MAX(ops->input_bytes(device, n, H), ops->input_bytes(device, n, heads)), error) &&
           gli_buffer_reserve(&self->neurons, ops->input_bytes(device, n, F), error) &&
           need_floats(&self->scratch, (gsize)self->threads, gli_attention_scratch_floats(arch), error);
}

/* Lays out the sequences and takes all memory before anything is computed. */
static gboolean prepare(Run *run, GError **error)
{
    GlintModel *self = run->model;
    const GliArch *arch = &self->arch;
    gsize blocks = 0, longest = 0;
    run->spans = g_new(GliSpan, run->batch->n_sequences);
    for (gsize s = 0; s < run->batch->n_sequences; s++) {
        const gsize count = run->batch->start[s + 1] - run->batch->start[s], past = run->cache ? run->cache->length[s] : 0;
        run->spans[s] = (GliSpan){run->batch->start[s], count, past, run->cache ? s * run->cache->blocks : blocks};
        blocks += (count + GLI_BLOCK - 1) / GLI_BLOCK;
        longest = MAX(longest, past + count);
    }
    for (int r = 0; r < 2; r++)
        if (arch->rope[r].rotary && !need_rope(&self->rope[r], &arch->rope[r], longest, arch->max_tokens, error))
            return FALSE;
    if (!run->cache && (!need_floats(&self->keys, gli_store_key_floats(arch, blocks), 1, error) ||
                        !need_floats(&self->values, gli_store_value_floats(arch, blocks), 1, error)))
        return FALSE;
    return need_rows(run, error);
}

static void embed(const Run *run)
{
    const GlintModel *self = run->model;
    const gsize H = self->arch.hidden;
    float *residual = self->residual.bytes;
    for (gsize s = 0; s < run->batch->n_sequences; s++) {
        const GliSpan *span = &run->spans[s];
#pragma omp parallel for schedule(static) if (span->n_rows > 16)
        for (gsize t = 0; t < span->n_rows; t++) {
            float *row = residual + (span->first_row + t) * H;
            glint_tensor_to_f32(self->weights->tokens, run->batch->tokens[span->first_row + t] * H, H, row);
            for (gsize i = 0; self->embed_scale != 1.0f && i < H; i++)
                row[i] *= self->embed_scale;
            for (gsize i = 0; self->weights->positions && i < H; i++)
                row[i] += self->weights->positions[(span->past + t) * H + i];
        }
    }
}

/* Gives a tap the rows in pieces, where they were not computed so. */
static void give_pieces(const Run *run, const GlintTap *tap, const float *rows, gsize width)
{
#pragma omp parallel for schedule(static) if (run->n > GLINT_PIECE_ROWS)
    for (gsize row = 0; row < run->n; row += GLINT_PIECE_ROWS)
        tap->piece(run->batch, row, MIN((gsize)GLINT_PIECE_ROWS, run->n - row), 0, width, rows + row * width, tap->user_data);
}

/* Lets everyone who listens here see (and edit) the rows; notes when nobody listens further on. `in_pieces`: those who want pieces have
 * had them. */
static gboolean visit_site(Run *run, GlintSiteKind kind, GliBuffer *buffer, gboolean in_pieces, GError **error)
{
    const GlintSite site = {kind, run->layer};
    const gsize width = glint_model_site_width(run->model, kind);
    for (gsize i = 0; i < run->n_taps; i++) {
        const GlintTap *tap = &run->taps[i];
        if (tap->site.kind != kind || tap->site.layer != run->layer)
            continue;
        if (tap->piece && !in_pieces)
            give_pieces(run, tap, buffer->bytes, width);
        if (!tap->function(&site, run->batch, tap->piece ? NULL : buffer->bytes, width, tap->user_data, error))
            return FALSE;
        run->edited = run->edited || !(tap->only_reads || tap->piece);
    }
    run->finished = (gint64)(run->layer * GLINT_SITE_COUNT + kind) >= run->last;
    return TRUE;
}

static gboolean visit(Run *run, GlintSiteKind kind, GliBuffer *buffer, GError **error) { return visit_site(run, kind, buffer, FALSE, error); }

#define VISIT(kind, buffer)                       \
    do {                                          \
        if (!visit(run, kind, buffer, error))     \
            return FALSE;                         \
        if (run->finished)                        \
            return TRUE;                          \
    } while (0)

/* x [n, width] as an input of products. */
static void put_rows(const GlintModel *self, gsize n, const float *x, gsize width, void *input)
{
#pragma omp parallel for schedule(static) if (n * width > WORTH_THREADS)
    for (gsize r = 0; r < n; r++)
        self->weights->ops->put(self->weights->device, n, width, r, 0, width, x + r * width, input);
}

/* Rows of x [.., H], normed, into self->input: those that `pick` names, or (NULL) the first n. */
static void put_normed(GlintModel *self, const GliNorm *norm, const float *x, gsize n, const gsize *pick)
{
    const gsize H = self->arch.hidden;
#pragma omp parallel for schedule(static) if (n * H > WORTH_THREADS)
    for (gsize r = 0; r < n; r++) {
        float *row = (float *)self->normed.bytes + (gsize)omp_get_thread_num() * H;
        gli_norm_row(norm, x + (pick ? pick[r] : r) * H, H, row);
        self->weights->ops->put(self->weights->device, n, H, r, 0, H, row, self->input.bytes);
    }
}

static gboolean multiply(GlintModel *self, GliLinear *linear, gsize n, const void *input, float *y, GError **error)
{
    return self->weights->ops->run(linear, n, input, y, error);
}

static gboolean attend(Run *run, GError **error)
{
    GlintModel *self = run->model;
    const GliArch *arch = &self->arch;
    const GliLayerWeights *weights = &self->weights->layers[run->layer];
    const GliLayer *layer = &arch->layers[run->layer];
    const GliRopeTable *rope = arch->position == GLI_POSITION_ROPE ? &self->rope[layer->rope] : NULL;
    put_normed(self, &weights->attn_norm, self->residual.bytes, run->n, NULL);
    if (!multiply(self, weights->qkv, run->n, self->input.bytes, self->qkv.bytes, error))
        return FALSE;
    const GliAttention attention = {
        .arch = arch, .layer = layer, .spans = run->spans, .n_spans = run->batch->n_sequences,
        .store = run->cache ? run->cache->layers[run->layer] : (GliStore){self->keys.bytes, self->values.bytes},
        .q_norm = weights->q_norm.weight ? &weights->q_norm : NULL, .k_norm = weights->k_norm.weight ? &weights->k_norm : NULL,
        .cosine = rope ? rope->cosine : NULL, .sine = rope ? rope->sine : NULL, .scratch = self->scratch.bytes, .threads = self->threads,
    };
    gli_attention_store(&attention, self->qkv.bytes);
    gli_attention_run(&attention, self->qkv.bytes, self->z.bytes);
    VISIT(GLINT_SITE_ATTN_Z, &self->z);
    put_rows(self, run->n, self->z.bytes, arch->n_heads * arch->head_size, self->input.bytes);
    if (!multiply(self, weights->proj, run->n, self->input.bytes, self->attn.bytes, error))
        return FALSE;
    if (weights->attn_post_norm.weight)
        gli_norm_rows(&weights->attn_post_norm, self->attn.bytes, run->n, arch->hidden, self->attn.bytes);
    VISIT(GLINT_SITE_ATTN_OUT, &self->attn);
    return TRUE;
}

/* A piece of the neurons, to everyone who wants pieces. */
static void take_neurons(gpointer context, gsize row, gsize n_rows, gsize column, gsize n_columns, const float *values)
{
    const Run *run = context;
    for (gsize i = 0; i < run->n_taps; i++) {
        const GlintTap *tap = &run->taps[i];
        if (tap->piece && tap->site.kind == GLINT_SITE_MLP_POST && tap->site.layer == run->layer)
            tap->piece(run->batch, row, n_rows, column, n_columns, values, tap->user_data);
    }
}

/* The neurons: in self->neurons for the down projection, and as f32 in self->gate where somebody listens. */
static gboolean find_neurons(Run *run, GError **error)
{
    GlintModel *self = run->model;
    const GliArch *arch = &self->arch;
    const GliLayerWeights *weights = &self->weights->layers[run->layer];
    put_normed(self, &weights->mlp_norm, self->residual.bytes, run->n, NULL);
    if (!listened(run, GLINT_SITE_MLP_PRE, run->layer) && !listened(run, GLINT_SITE_MLP_PRE_LINEAR, run->layer)) {
        /* with an editor among the taps pieces have to wait for what it leaves */
        const gboolean whole = listened_whole(run, GLINT_SITE_MLP_POST, run->layer), pieces = !whole && listened(run, GLINT_SITE_MLP_POST, run->layer);
        const GliSink sink = {take_neurons, run};
        if (!self->weights->ops->run_activated(weights->gate, weights->up, arch->activation, run->n, self->input.bytes, whole ? self->gate.bytes : NULL,
                                               pieces ? &sink : NULL, self->neurons.bytes, error))
            return FALSE;
        if (pieces)
            return visit_site(run, GLINT_SITE_MLP_POST, &self->gate, TRUE, error);
    } else {
        if (!multiply(self, weights->gate, run->n, self->input.bytes, self->gate.bytes, error))
            return FALSE;
        VISIT(GLINT_SITE_MLP_PRE, &self->gate);
        if (weights->up) {
            if (!multiply(self, weights->up, run->n, self->input.bytes, self->up.bytes, error))
                return FALSE;
            VISIT(GLINT_SITE_MLP_PRE_LINEAR, &self->up);
        }
        gli_activate(arch->activation, self->gate.bytes, weights->up ? self->up.bytes : NULL, run->n, arch->mlp_width);
        run->edited = TRUE;
    }
    VISIT(GLINT_SITE_MLP_POST, &self->gate);
    if (run->edited)
        put_rows(self, run->n, self->gate.bytes, arch->mlp_width, self->neurons.bytes);
    return TRUE;
}

static gboolean feed_forward(Run *run, GError **error)
{
    GlintModel *self = run->model;
    const GliArch *arch = &self->arch;
    const GliLayerWeights *weights = &self->weights->layers[run->layer];
    run->edited = FALSE;
    if (!find_neurons(run, error) || run->finished)
        return run->finished;
    if (!multiply(self, weights->down, run->n, self->neurons.bytes, self->mlp.bytes, error))
        return FALSE;
    if (weights->mlp_post_norm.weight)
        gli_norm_rows(&weights->mlp_post_norm, self->mlp.bytes, run->n, arch->hidden, self->mlp.bytes);
    VISIT(GLINT_SITE_MLP_OUT, &self->mlp);
    return TRUE;
}

static gboolean run_layer(Run *run, GError **error)
{
    GlintModel *self = run->model;
    const gsize H = self->arch.hidden;
    const gboolean parallel = self->arch.residual == GLI_RESIDUAL_PARALLEL;
    VISIT(GLINT_SITE_RESID_PRE, &self->residual);
    if (!attend(run, error) || run->finished)
        return run->finished;
    if (!parallel) {
        gli_add_rows(self->residual.bytes, self->attn.bytes, run->n, H);
        VISIT(GLINT_SITE_RESID_MID, &self->residual);
    }
    if (!feed_forward(run, error) || run->finished)
        return run->finished;
    if (parallel)
        gli_add_rows(self->residual.bytes, self->attn.bytes, run->n, H);
    gli_add_rows(self->residual.bytes, self->mlp.bytes, run->n, H);
    VISIT(GLINT_SITE_RESID_POST, &self->residual);
    return TRUE;
}

/* The rows that logits are wanted of: the last one of each sequence that has any; returns how many. */
static gsize last_rows(const Run *run, gsize *rows)
{
    gsize n = 0;
    for (gsize s = 0; s < run->batch->n_sequences; s++)
        if (run->spans[s].n_rows)
            rows[n++] = run->batch->start[s + 1] - 1;
    return n;
}

static gboolean write_logits(Run *run, GlintLogits which, float *logits, GError **error)
{
    GlintModel *self = run->model;
    const gsize H = self->arch.hidden, V = self->arch.vocab;
    g_autofree gsize *pick = which == GLINT_LOGITS_LAST ? g_new(gsize, run->batch->n_sequences) : NULL;
    const gsize rows = pick ? last_rows(run, pick) : run->n;
    if (!gli_buffer_reserve(&self->input, self->weights->ops->input_bytes(self->weights->device, rows, H), error))
        return FALSE;
    put_normed(self, &self->weights->final_norm, self->residual.bytes, rows, pick);
    if (!multiply(self, self->weights->head, rows, self->input.bytes, logits, error))
        return FALSE;
    if (self->arch.final_softcap > 0)
        gli_softcap_rows((float)self->arch.final_softcap, logits, rows, V);
    if (which == GLINT_LOGITS_ALL)
        return TRUE;
    gsize from = rows; /* spread over the sequences, from the last on: empty ones were left out */
    for (gsize s = run->batch->n_sequences; s-- > from;)
        if (run->spans[s].n_rows)
            memcpy(logits + s * V, logits + --from * V, V * sizeof *logits);
    return TRUE;
}

static gboolean run_all(Run *run, GlintLogits which, float *logits, GError **error)
{
    GlintModel *self = run->model;
    if (!prepare(run, error) || (which != GLINT_LOGITS_NONE && !gli_weights_need_head(self->weights, self->checkpoint, &self->arch, error)))
        return FALSE;
    embed(run);
    for (run->layer = 0; run->layer < self->arch.n_layers && !run->finished; run->layer++)
        if (!run_layer(run, error))
            return FALSE;
    return which == GLINT_LOGITS_NONE || write_logits(run, which, logits, error);
}

static gboolean check_taps(const GlintModel *self, const GlintTap *taps, gsize n_taps, GError **error)
{
    for (gsize i = 0; i < n_taps; i++) {
        if (taps[i].site.layer >= self->arch.n_layers)
            return glint_fail(error, GLINT_ERROR_USAGE, "layer %zu does not exist: the model has %zu layers, the first is 0", taps[i].site.layer,
                              self->arch.n_layers);
        if (glint_model_site_width(self, taps[i].site.kind) == 0)
            return glint_fail(error, GLINT_ERROR_USAGE, "a %s model has no site %s", self->arch.family, glint_site_suffix(taps[i].site.kind));
    }
    return TRUE;
}

gboolean gli_forward(GlintModel *self, struct GlintCache *cache, const GlintBatch *batch, const GlintTap *taps, gsize n_taps, GlintLogits which,
                     float *logits, GError **error)
{
    if (!check_taps(self, taps, n_taps, error) || !check_batch(self, cache, batch, error))
        return FALSE;
    Run run = {.model = self, .batch = batch, .taps = taps, .n_taps = n_taps, .n = batch->start[batch->n_sequences], .cache = cache, .last = -1};
    for (gsize i = 0; i < n_taps; i++)
        run.last = MAX(run.last, (gint64)(taps[i].site.layer * GLINT_SITE_COUNT + taps[i].site.kind));
    if (which != GLINT_LOGITS_NONE || cache)
        run.last = G_MAXINT64;
    if (run.last < 0 || run.n == 0)
        return TRUE;
    const int threads = omp_get_max_threads();
    omp_set_num_threads(self->threads);
    const gboolean good = run_all(&run, which, logits, error);
    omp_set_num_threads(threads);
    for (gsize s = 0; good && cache && s < batch->n_sequences; s++)
        cache->length[s] += run.spans[s].n_rows;
    g_free(run.spans);
    return good;
}
