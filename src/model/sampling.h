/* Choosing the next token from logits: the most likely one, or a draw from a filtered softmax. See generate.h for what the
 * filters mean. */
#pragma once
#include <glib.h>

/* SplitMix64 (Steele, Lea & Flood 2014). Text number `stream` of a run draws from the generator whose state is the first
 * number of seed xor the first number of (stream + 1), so streams do not follow one another. */
typedef struct { guint64 state; } GliRandom;
GliRandom gli_random_new(guint64 seed, guint64 stream);
guint64 gli_random_next(GliRandom *self);
double gli_random_unit(GliRandom *self); /* in [0, 1), the upper 53 bits */

typedef struct {
    double temperature; /* 0 = the most likely */
    gsize top_k;        /* 0 = all */
    double top_p;       /* 1 = all */
    double min_p;       /* 0 = all */
} GliFilter;

typedef struct { guint32 id; float weight; } GliCandidate; /* weight: p / max p */

/* Working memory for one thread, [vocab]. */
typedef struct {
    float *weights;
    GliCandidate *candidates;
    gsize vocab;
} GliSampler;
gboolean gli_sampler_init(GliSampler *self, gsize vocab, GError **error);
void gli_sampler_clear(GliSampler *self);

/* What is left of the logits [vocab] after the filters, in self->candidates, most likely first and the smaller id first on
 * ties; returns how many. filter->temperature > 0. The caller has looked for NaN. */
gsize gli_sampler_filter(GliSampler *self, const GliFilter *filter, const float *logits);
/* The next token. GLINT_ERROR_DATA when a logit is NaN or +infinity. */
gboolean gli_sampler_draw(GliSampler *self, const GliFilter *filter, const float *logits, GliRandom *random, guint32 *token, GError **error);
