/* A steering operator as a llama.cpp control vector: the direction that it adds to the residual stream, in a GGUF file.
 *
 * An operator changes neurons, a control vector adds one constant vector to the residual behind a block. The vector is the mean, over the
 * positions of given texts, of hook_resid_post of the operator's layer when it steers less when nobody steers: two forward passes, a tap at the
 * end of the layer. Where the MLP's output goes into the residual as it is (Llama, Qwen, Mistral, GPT-2, Gemma 1), the vector of an operator
 * that adds a constant (shift, discriminant) is W_down times that constant, exactly. Behind a post-norm (Gemma 2 and 3), and for operators that
 * depend on the activations, the change differs from token to token, and the vector is its mean: `explained` says how much of it that is. */
#pragma once
#include "steer/lab.h"

typedef struct {
    gsize layer, n;     /* n = hidden size */
    double strength;    /* of the operator */
    double *values;     /* n */
    gsize positions;    /* that the mean is over */
    double explained;   /* 1 - sum |change - values|^2 / sum |change|^2: 1 when every token changes by the same vector */
} GlintSteerDirection;

/* Texts' positions from `skip` on count. An error when the operator changes nothing there. */
GlintSteerDirection *glint_steer_direction(GlintModel *model, const GlintSteerOperator *operator, double strength, const GlintSteerTexts *texts, gsize skip, GError **error);
void glint_steer_direction_free(GlintSteerDirection *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerDirection, glint_steer_direction_free)

/* What the file says beside the vector. Strings are kept as glint.<key>, numbers as f64. */
typedef struct { const char *key, *text; double number; /* where text is NULL */ } GlintGgufNote;

/* GGUF version 3, little endian, data aligned to 32 bytes and padded to it: general.architecture "controlvector", controlvector.model_hint,
 * controlvector.layer_count (i32: one), the notes, and the F32 tensor direction.<layer>, which llama.cpp adds to the output of that block
 * (counted from 0). llama.cpp takes no direction for block 0: an error here. `notes` ends with a NULL key. */
gboolean glint_steer_direction_write(const GlintSteerDirection *self, const char *model_hint, const GlintGgufNote *notes, const char *path, GError **error);
