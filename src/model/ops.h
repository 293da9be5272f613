/* Everything of the forward pass that is not a matrix product or attention: norms, activation functions, rotary tables,
 * bf16 rounding. Row-major, contiguous rows. Functions that take `rows` split them over OpenMP threads; what a row becomes
 * never depends on the other rows or on the number of threads. */
#pragma once
#include "model/arch.h"

gboolean gli_all_finite(const float *x, gsize n);
gboolean gli_all_finite_bf16(const guint16 *x, gsize n);

/* Rounds to nearest even; NaN stays NaN. */
void gli_to_bf16(const float *x, gsize n, guint16 *y);
float gli_bf16_round(float x);

/* y = norm(x) * weight (+ bias); y may be x. For GLI_NORM_RMS_PLUS_ONE the caller has added the one to `weight`. bias may be NULL. */
typedef struct { GliNormKind kind; float eps; const float *weight, *bias; } GliNorm;
void gli_norm_row(const GliNorm *norm, const float *x, gsize width, float *y);
void gli_norm_rows(const GliNorm *norm, const float *x, gsize rows, gsize width, float *y);

/* gate = act(gate), times up if not NULL. */
void gli_activate(GliActivation activation, float *gate, const float *up, gsize rows, gsize width);
void gli_activate_run(GliActivation activation, float *gate, const float *up, gsize n); /* the same on the calling thread */
void gli_add_rows(float *x, const float *y, gsize rows, gsize width); /* x += y */
void gli_softcap_rows(float cap, float *x, gsize rows, gsize width);   /* cap tanh(x / cap) */

/* Rotary tables: rows of cosines and sines for positions 0 .. length-1, [length, rotary / 2]. Frequencies and angles are
 * rounded to f32 step by step as in transformers, for that is what models were trained with; the functions of them are exact to f32. */
void gli_rope_frequencies(const GliRope *rope, float *frequency /* rotary / 2 */);
void gli_rope_table(const GliRope *rope, gsize first, gsize length, float *cosine, float *sine);
/* Turns one head in place: pairs (k, k + rotary/2), the half-split form of Hugging Face checkpoints. */
void gli_rope_row(float *head, const float *cosine, const float *sine, gsize rotary);
