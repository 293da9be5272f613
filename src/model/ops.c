/* Norms, activation functions, rotary tables, bf16 rounding. See ops.h.
 *
 * Each operation is a leaf on one run of numbers, compiled for several instruction sets (GLINT_CLONES), and a wrapper that
 * gives runs to threads. Reductions go through OpenMP simd, so their order is fixed by the instruction set alone. */
#include "model/ops.h"
#include "base/simd.h"
#include "model/fastmath.h"
#include <math.h>

/* Work for one thread at a time, in elements: large against the cost of handing it out, small against a core's L2 cache.
 * Less than that is not handed out at all: on a busy machine waking a second thread costs more than it saves. */
enum { CHUNK = 16384 };
static gsize rows_per_chunk(gsize width) { return width >= CHUNK ? 1 : CHUNK / width; }

GLINT_CLONES static gboolean finite_run(const float *x, gsize n)
{
    guint32 bad = 0;
#pragma omp simd reduction(| : bad)
    for (gsize i = 0; i < n; i++) {
        guint32 bits;
        memcpy(&bits, x + i, sizeof bits);
        bad |= (bits & 0x7f800000u) == 0x7f800000u;
    }
    return !bad;
}

GLINT_CLONES static gboolean finite_bf16_run(const guint16 *x, gsize n)
{
    guint16 bad = 0;
#pragma omp simd reduction(| : bad)
    for (gsize i = 0; i < n; i++)
        bad |= (x[i] & 0x7f80u) == 0x7f80u;
    return !bad;
}

GLINT_CLONES static void bf16_run(const float *x, gsize n, guint16 *y)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++) {
        guint32 bits;
        memcpy(&bits, x + i, sizeof bits);
        const guint32 rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
        const guint32 quiet = (bits >> 16) | 0x40u;
        y[i] = (guint16)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
    }
}

gboolean gli_all_finite(const float *x, gsize n) { return finite_run(x, n); }
gboolean gli_all_finite_bf16(const guint16 *x, gsize n) { return finite_bf16_run(x, n); }
void gli_to_bf16(const float *x, gsize n, guint16 *y) { bf16_run(x, n, y); }

float gli_bf16_round(float x)
{
    guint16 half;
    gli_to_bf16(&x, 1, &half);
    const guint32 bits = (guint32)half << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Sums run in f32 over SUM_RUN elements and in f64 over the runs: as fast as f32, and as exact for 10,000 elements as for 100. */
enum { SUM_RUN = 256 };

GLINT_CLONES static void rms_row(const float *x, const float *weight, float eps, gsize width, float *y)
{
    double squares = 0;
    for (gsize first = 0; first < width; first += SUM_RUN) {
        const gsize end = first + SUM_RUN < width ? first + SUM_RUN : width;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (gsize i = first; i < end; i++)
            sum += x[i] * x[i];
        squares += (double)sum;
    }
    const float scale = 1.0f / sqrtf((float)(squares / (double)width) + eps);
#pragma omp simd
    for (gsize i = 0; i < width; i++)
        y[i] = x[i] * scale * weight[i];
}

GLINT_CLONES static void layer_row(const float *x, const float *weight, const float *bias, float eps, gsize width, float *y)
{
    double total = 0, squares = 0;
    for (gsize first = 0; first < width; first += SUM_RUN) {
        const gsize end = first + SUM_RUN < width ? first + SUM_RUN : width;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (gsize i = first; i < end; i++)
            sum += x[i];
        total += (double)sum;
    }
    const float mean = (float)(total / (double)width);
    for (gsize first = 0; first < width; first += SUM_RUN) {
        const gsize end = first + SUM_RUN < width ? first + SUM_RUN : width;
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (gsize i = first; i < end; i++)
            sum += (x[i] - mean) * (x[i] - mean);
        squares += (double)sum;
    }
    const float scale = 1.0f / sqrtf((float)(squares / (double)width) + eps);
#pragma omp simd
    for (gsize i = 0; i < width; i++)
        y[i] = (x[i] - mean) * scale * weight[i];
    if (bias)
#pragma omp simd
        for (gsize i = 0; i < width; i++)
            y[i] += bias[i];
}

void gli_norm_row(const GliNorm *norm, const float *x, gsize width, float *y)
{
    if (norm->kind == GLI_NORM_LAYER)
        layer_row(x, norm->weight, norm->bias, norm->eps, width, y);
    else
        rms_row(x, norm->weight, norm->eps, width, y);
}

void gli_norm_rows(const GliNorm *norm, const float *x, gsize rows, gsize width, float *y)
{
    const int chunk = (int)rows_per_chunk(width);
#pragma omp parallel for schedule(static, chunk) if (rows > (gsize)chunk)
    for (gsize r = 0; r < rows; r++)
        gli_norm_row(norm, x + r * width, width, y + r * width);
}

GLINT_CLONES static void silu_run(float *x, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        x[i] *= gli_sigmoid(x[i]);
}

/* 0.5 x (1 + tanh u) = x sigmoid(2 u), which does not cancel for negative u. */
GLINT_CLONES static void gelu_tanh_run(float *x, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        x[i] *= gli_sigmoid(1.59576912160573f * (x[i] + 0.044715f * x[i] * x[i] * x[i]));
}

GLINT_CLONES static void gelu_erf_run(float *x, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        x[i] *= 0.5f * gli_erfc(-x[i] * 0.70710678118655f);
}

GLINT_CLONES static void relu_run(float *x, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        x[i] = x[i] > 0 ? x[i] : 0;
}

GLINT_CLONES static void multiply_run(float *x, const float *y, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        x[i] *= y[i];
}

GLINT_CLONES static void add_run(float *x, const float *y, gsize n)
{
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        x[i] += y[i];
}

GLINT_CLONES static void softcap_run(float cap, float *x, gsize n)
{
    const float inverse = 1.0f / cap;
#pragma omp simd
    for (gsize i = 0; i < n; i++)
        x[i] = cap * gli_tanh(x[i] * inverse);
}

static void (*const activation_runs[])(float *, gsize) = {
    [GLI_ACT_SILU] = silu_run, [GLI_ACT_GELU_TANH] = gelu_tanh_run, [GLI_ACT_GELU_ERF] = gelu_erf_run, [GLI_ACT_RELU] = relu_run,
};

void gli_activate_run(GliActivation activation, float *gate, const float *up, gsize n)
{
    activation_runs[activation](gate, n);
    if (up)
        multiply_run(gate, up, n);
}

void gli_activate(GliActivation activation, float *gate, const float *up, gsize rows, gsize width)
{
    const gsize n = rows * width, chunks = (n + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(static) if (chunks > 1)
    for (gsize c = 0; c < chunks; c++) {
        const gsize at = c * CHUNK, count = MIN((gsize)CHUNK, n - at);
        gli_activate_run(activation, gate + at, up ? up + at : NULL, count);
    }
}

void gli_add_rows(float *x, const float *y, gsize rows, gsize width)
{
    const gsize n = rows * width, chunks = (n + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(static) if (chunks > 1)
    for (gsize c = 0; c < chunks; c++)
        add_run(x + c * CHUNK, y + c * CHUNK, MIN((gsize)CHUNK, n - c * CHUNK));
}

void gli_softcap_rows(float cap, float *x, gsize rows, gsize width)
{
    const gsize n = rows * width, chunks = (n + CHUNK - 1) / CHUNK;
#pragma omp parallel for schedule(static) if (chunks > 1)
    for (gsize c = 0; c < chunks; c++)
        softcap_run(cap, x + c * CHUNK, MIN((gsize)CHUNK, n - c * CHUNK));
}

/* Llama 3 stretches slow waves by `factor`, keeps fast ones, and blends in between (by wave length against the original context).
 * Every step is rounded to f32, through double so that no compiler fuses two of them. */
static float llama3_frequency(const GliRope *rope, float frequency)
{
    const float wave = (float)((double)(1.0f / frequency) * (double)(float)(2 * G_PI));
    const float stretched = frequency / (float)rope->factor;
    if (wave < rope->original / rope->high)
        return frequency;
    if (wave > rope->original / rope->low)
        return stretched;
    const float waves = (float)((double)(1.0f / wave) * rope->original);
    const float s = (float)((double)waves - rope->low) / (float)(rope->high - rope->low);
    const float slow = (float)((1 - (double)s) * (double)frequency) / (float)rope->factor, fast = (float)((double)s * (double)frequency);
    return (float)((double)slow + (double)fast);
}

/* theta^(-2k / rotary) as torch computes it in f32. The exponent's own rounding matters: where `rotary` is no power of two, exact
 * powers are up to 4e-7 away from what models were trained with, and angles of the 2,000th token 1e-4. */
void gli_rope_frequencies(const GliRope *rope, float *frequency)
{
    for (gsize k = 0; k < rope->rotary / 2; k++) {
        const float exponent = (float)(2 * k) / (float)rope->rotary;
        const float plain = 1.0f / (float)pow((double)(float)rope->theta, (double)exponent);
        frequency[k] = rope->kind == GLI_ROPE_LINEAR ? plain / (float)rope->factor : rope->kind == GLI_ROPE_LLAMA3 ? llama3_frequency(rope, plain) : plain;
    }
}

void gli_rope_table(const GliRope *rope, gsize first, gsize length, float *cosine, float *sine)
{
    const gsize half = rope->rotary / 2;
    g_autofree float *frequency = g_new(float, half);
    gli_rope_frequencies(rope, frequency);
#pragma omp parallel for schedule(static)
    for (gsize p = first; p < length; p++)
        for (gsize k = 0; k < half; k++) {
            const float angle = (float)p * frequency[k];
            cosine[p * half + k] = (float)cos((double)angle);
            sine[p * half + k] = (float)sin((double)angle);
        }
}

GLINT_CLONES static void rope_run(float *head, const float *cosine, const float *sine, gsize rotary)
{
    const gsize half = rotary / 2;
#pragma omp simd
    for (gsize k = 0; k < half; k++) {
        const float a = head[k], b = head[k + half];
        head[k] = a * cosine[k] - b * sine[k];
        head[k + half] = b * cosine[k] + a * sine[k];
    }
}

void gli_rope_row(float *head, const float *cosine, const float *sine, gsize rotary) { rope_run(head, cosine, sine, rotary); }
