/* The forward pass as plain loops in f64. See reference.h. */
#include "model/reference.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

typedef struct {
    GliCheckpoint *checkpoint;
    const GliArch *arch;
    gsize n, layer;
    Reference *out;
} Pass;

static double *tensor_f64(const GlintTensor *tensor)
{
    assert_non_null(tensor);
    double *values = g_new(double, tensor->n);
    glint_tensor_to_f64(tensor, 0, tensor->n, values);
    return values;
}

static double *weight_of(Pass *pass, GliRole role) { return tensor_f64(gli_checkpoint_weight(pass->checkpoint, pass->arch, role, pass->layer, NULL)); }

static double *bias_of(Pass *pass, GliRole role)
{
    return pass->arch->bias[role] == GLI_BIAS_NONE ? NULL : tensor_f64(gli_checkpoint_bias(pass->checkpoint, pass->arch, role, pass->layer, NULL));
}

/* y [n, out] = x [n, in] W' + b */
static double *linear(Pass *pass, GliRole role, const double *x, gsize n)
{
    gsize out, in;
    gli_arch_shape(pass->arch, role, &out, &in);
    g_autofree double *w = weight_of(pass, role), *b = bias_of(pass, role);
    const gboolean in_out = pass->arch->in_out && role != GLI_LM_HEAD;
    double *y = g_new(double, n * out);
    for (gsize t = 0; t < n; t++)
        for (gsize o = 0; o < out; o++) {
            double sum = b ? b[o] : 0;
            for (gsize i = 0; i < in; i++)
                sum += x[t * in + i] * (in_out ? w[i * out + o] : w[o * in + i]);
            y[t * out + o] = sum;
        }
    return y;
}

static void norm_in_place(Pass *pass, GliRole role, double *x, gsize rows, gsize width)
{
    g_autofree double *w = weight_of(pass, role), *b = bias_of(pass, role);
    for (gsize r = 0; r < rows; r++) {
        double *row = x + r * width, mean = 0, square = 0;
        for (gsize i = 0; pass->arch->norm == GLI_NORM_LAYER && i < width; i++)
            mean += row[i] / (double)width;
        for (gsize i = 0; i < width; i++)
            square += (row[i] - mean) * (row[i] - mean) / (double)width;
        for (gsize i = 0; i < width; i++) {
            const double factor = pass->arch->norm == GLI_NORM_RMS_PLUS_ONE ? 1 + w[i] : w[i];
            row[i] = (row[i] - mean) / sqrt(square + pass->arch->norm_eps) * factor + (b ? b[i] : 0);
        }
    }
}

static double *norm(Pass *pass, GliRole role, const double *x, gsize rows, gsize width)
{
    double *y = g_memdup2(x, rows * width * sizeof *x);
    norm_in_place(pass, role, y, rows, width);
    return y;
}

/* Frequencies and angles are rounded to f32 like transformers' (ops.h says why); the rest is f64. */
static void rotate(const GliRope *rope, double *head, gsize position)
{
    const gsize half = rope->rotary / 2;
    for (gsize k = 0; k < half; k++) {
        double frequency = 1 / (float)pow(rope->theta, (double)((float)(2 * k) / (float)rope->rotary));
        if (rope->kind == GLI_ROPE_LINEAR)
            frequency /= rope->factor;
        if (rope->kind == GLI_ROPE_LLAMA3) {
            const double wave = 2 * G_PI / frequency, smooth = (rope->original / wave - rope->low) / (rope->high - rope->low);
            frequency *= smooth >= 1 ? 1 : smooth <= 0 ? 1 / rope->factor : (1 - smooth) / rope->factor + smooth;
        }
        const float angle = (float)position * (float)frequency;
        const double a = head[k], b = head[k + half], c = cos((double)angle), s = sin((double)angle);
        head[k] = a * c - b * s;
        head[k + half] = b * c + a * s;
    }
}

typedef struct { double *q, *k, *v; } Triple;

/* q [n, A D], k, v [n, K D], normed and turned. */
static Triple queries_keys_values(Pass *pass, const double *x)
{
    const GliArch *arch = pass->arch;
    const gsize D = arch->head_size, A = arch->n_heads, K = arch->n_kv_heads, n = pass->n;
    Triple t;
    if (arch->qkv == GLI_QKV_SEPARATE) {
        t = (Triple){linear(pass, GLI_Q, x, n), linear(pass, GLI_K, x, n), linear(pass, GLI_V, x, n)};
    } else {
        g_autofree double *all = linear(pass, GLI_QKV, x, n);
        const gsize width = (A + 2 * K) * D;
        t = (Triple){g_new(double, n * A * D), g_new(double, n * K * D), g_new(double, n * K * D)};
        for (gsize row = 0; row < n; row++)
            for (gsize h = 0; h < A; h++)
                for (gsize d = 0; d < D; d++) {
                    const double *from = all + row * width + (arch->qkv == GLI_QKV_JOINED ? h * D : 3 * h * D) + d;
                    const gsize step = arch->qkv == GLI_QKV_JOINED ? A * D : D;
                    t.q[(row * A + h) * D + d] = from[0];
                    t.k[(row * A + h) * D + d] = from[step];
                    t.v[(row * A + h) * D + d] = from[2 * step];
                }
    }
    if (arch->name[GLI_Q_NORM])
        norm_in_place(pass, GLI_Q_NORM, t.q, n * A, D);
    if (arch->name[GLI_K_NORM])
        norm_in_place(pass, GLI_K_NORM, t.k, n * K, D);
    for (gsize row = 0; arch->position == GLI_POSITION_ROPE && row < n; row++) {
        const GliRope *rope = &arch->rope[arch->layers[pass->layer].rope];
        for (gsize h = 0; h < A; h++)
            rotate(rope, t.q + (row * A + h) * D, row);
        for (gsize h = 0; h < K; h++)
            rotate(rope, t.k + (row * K + h) * D, row);
    }
    return t;
}

static double *attention(Pass *pass, const double *x)
{
    const GliArch *arch = pass->arch;
    const GliLayer *layer = &arch->layers[pass->layer];
    const gsize D = arch->head_size, A = arch->n_heads, K = arch->n_kv_heads, n = pass->n;
    const Triple t = queries_keys_values(pass, x);
    double *z = g_new0(double, n * A * D);
    g_autofree double *p = g_new(double, n);
    for (gsize h = 0; h < A; h++)
        for (gsize i = 0; i < n; i++) {
            const gsize kv = h / (A / K), first = layer->window && i + 1 > layer->window ? i + 1 - layer->window : 0;
            double total = 0;
            for (gsize j = first; j <= i; j++) {
                double score = 0;
                for (gsize d = 0; d < D; d++)
                    score += t.q[(i * A + h) * D + d] * t.k[(j * K + kv) * D + d];
                score *= layer->scale;
                p[j] = exp(arch->attn_softcap > 0 ? arch->attn_softcap * tanh(score / arch->attn_softcap) : score);
                total += p[j];
            }
            for (gsize j = first; j <= i; j++)
                for (gsize d = 0; d < D; d++)
                    z[(i * A + h) * D + d] += p[j] / total * t.v[(j * K + kv) * D + d];
        }
    g_free(t.q);
    g_free(t.k);
    g_free(t.v);
    return z;
}

static double activate(GliActivation activation, double x)
{
    switch (activation) {
    case GLI_ACT_SILU: return x / (1 + exp(-x));
    case GLI_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(sqrt(2 / G_PI) * (x + 0.044715 * x * x * x)));
    case GLI_ACT_GELU_ERF: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case GLI_ACT_RELU: return x > 0 ? x : 0;
    }
    fail();
    return NAN;
}

static void keep(Pass *pass, GlintSiteKind kind, const double *rows, gsize width)
{
    pass->out->rows[pass->layer * GLINT_SITE_COUNT + kind] = g_memdup2(rows, pass->n * width * sizeof *rows);
}

static void add(double *x, const double *y, gsize n)
{
    for (gsize i = 0; i < n; i++)
        x[i] += y[i];
}

static double *attention_branch(Pass *pass, const double *x)
{
    const gsize H = pass->arch->hidden;
    g_autofree double *normed = norm(pass, GLI_ATTN_NORM, x, pass->n, H), *z = attention(pass, normed);
    keep(pass, GLINT_SITE_ATTN_Z, z, pass->arch->n_heads * pass->arch->head_size);
    double *out = linear(pass, GLI_ATTN_PROJ, z, pass->n);
    if (pass->arch->name[GLI_ATTN_POST_NORM])
        norm_in_place(pass, GLI_ATTN_POST_NORM, out, pass->n, H);
    keep(pass, GLINT_SITE_ATTN_OUT, out, H);
    return out;
}

static double *mlp_branch(Pass *pass, const double *x)
{
    const gsize H = pass->arch->hidden, F = pass->arch->mlp_width;
    g_autofree double *normed = norm(pass, GLI_MLP_NORM, x, pass->n, H), *post = linear(pass, GLI_GATE, normed, pass->n);
    keep(pass, GLINT_SITE_MLP_PRE, post, F);
    g_autofree double *up = pass->arch->mlp == GLI_MLP_GATED ? linear(pass, GLI_UP, normed, pass->n) : NULL;
    if (up)
        keep(pass, GLINT_SITE_MLP_PRE_LINEAR, up, F);
    for (gsize i = 0; i < pass->n * F; i++)
        post[i] = activate(pass->arch->activation, post[i]) * (up ? up[i] : 1);
    keep(pass, GLINT_SITE_MLP_POST, post, F);
    double *out = linear(pass, GLI_DOWN, post, pass->n);
    if (pass->arch->name[GLI_MLP_POST_NORM])
        norm_in_place(pass, GLI_MLP_POST_NORM, out, pass->n, H);
    keep(pass, GLINT_SITE_MLP_OUT, out, H);
    return out;
}

static void layer(Pass *pass, double *x)
{
    const gsize size = pass->n * pass->arch->hidden;
    keep(pass, GLINT_SITE_RESID_PRE, x, pass->arch->hidden);
    g_autofree double *attn = attention_branch(pass, x), *mlp = NULL;
    if (pass->arch->residual == GLI_RESIDUAL_PARALLEL) {
        mlp = mlp_branch(pass, x);
        add(x, attn, size);
    } else {
        add(x, attn, size);
        keep(pass, GLINT_SITE_RESID_MID, x, pass->arch->hidden);
        mlp = mlp_branch(pass, x);
    }
    add(x, mlp, size);
    keep(pass, GLINT_SITE_RESID_POST, x, pass->arch->hidden);
}

static double *embed(Pass *pass, const guint32 *ids)
{
    const gsize H = pass->arch->hidden;
    g_autofree double *tokens = weight_of(pass, GLI_TOKENS), *positions = pass->arch->position == GLI_POSITION_LEARNED ? weight_of(pass, GLI_POSITIONS) : NULL;
    double *x = g_new(double, pass->n * H);
    for (gsize t = 0; t < pass->n; t++)
        for (gsize i = 0; i < H; i++)
            x[t * H + i] = tokens[ids[t] * H + i] * pass->arch->embed_scale + (positions ? positions[t * H + i] : 0);
    return x;
}

Reference *reference_run(GliCheckpoint *checkpoint, const GliArch *arch, const guint32 *ids, gsize n)
{
    Reference *self = g_new0(Reference, 1);
    *self = (Reference){.n = n, .n_layers = arch->n_layers, .rows = g_new0(double *, arch->n_layers * GLINT_SITE_COUNT)};
    Pass pass = {checkpoint, arch, n, 0, self};
    g_autofree double *x = embed(&pass, ids);
    for (pass.layer = 0; pass.layer < arch->n_layers; pass.layer++)
        layer(&pass, x);
    pass.layer = 0;
    norm_in_place(&pass, GLI_FINAL_NORM, x, n, arch->hidden);
    self->logits = linear(&pass, GLI_LM_HEAD, x, n);
    for (gsize i = 0; arch->final_softcap > 0 && i < n * arch->vocab; i++)
        self->logits[i] = arch->final_softcap * tanh(self->logits[i] / arch->final_softcap);
    return self;
}

void reference_free(Reference *self)
{
    for (gsize i = 0; i < self->n_layers * GLINT_SITE_COUNT; i++)
        g_free(self->rows[i]);
    g_free(self->rows);
    g_free(self->logits);
    g_free(self);
}
