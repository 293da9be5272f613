/* What an intervention does to a model's next-token distributions: on prompts, where an effect is wanted, and on neutral text, where
 * none is. Letters: V vocabulary, P positions of the neutral text. */
#pragma once
#include "model/model.h"
#include "steer/operator.h"

/* Sequences of tokens, one behind the other, as a GlintBatch has them. */
typedef struct {
    GArray *tokens; /* guint32 */
    GArray *start;  /* gsize, n + 1 */
} GlintSteerTexts;
GlintSteerTexts *glint_steer_texts_new(void);
void glint_steer_texts_free(GlintSteerTexts *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerTexts, glint_steer_texts_free)
void glint_steer_texts_add(GlintSteerTexts *self, const guint32 *tokens, gsize n);
gsize glint_steer_texts_count(const GlintSteerTexts *self);
gsize glint_steer_texts_length(const GlintSteerTexts *self, gsize text);

/* Words that stand for the two classes: sets of tokens, disjoint and not empty. [0] towards, [1] away. */
typedef struct { GArray *tokens[2]; /* guint32 */ } GlintVerbalisers;

typedef struct GlintSteerLab GlintSteerLab;
/* Borrows the model and copies the rest. `neutral`: texts on which the cost is measured, at every position from `skip` on; as many as fit
 * into `memory` bytes of distributions (P V floats; 0 = 512 MB) are used, from the first on. `skip`: leading tokens that are never steered (BOS). */
GlintSteerLab *glint_steer_lab_new(GlintModel *model, const GlintSteerTexts *neutral, const GlintVerbalisers *verbalisers, gsize skip, gsize memory, GError **error);
void glint_steer_lab_free(GlintSteerLab *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerLab, glint_steer_lab_free)
gsize glint_steer_lab_positions(const GlintSteerLab *self); /* P */
gsize glint_steer_lab_skip(const GlintSteerLab *self);
GlintModel *glint_steer_lab_model(const GlintSteerLab *self);

/* Against the model when nobody steers, over all positions of the neutral text. */
typedef struct {
    double kl, kl_p99;  /* KL(unsteered || steered) of the next-token distribution in nats: mean, 99th percentile */
    double nll_change;  /* mean of -log p(actual next token), steered less unsteered, nats a token */
    double same_top;    /* share of positions whose most likely token stays the same */
} GlintSteerCost;
gboolean glint_steer_lab_cost(GlintSteerLab *self, const GlintSteerOperator *operator, double strength, GlintSteerCost *cost, GError **error);

/* The next token behind a prompt. With V+, V- the verbalisers' tokens and P+, P- their probabilities: */
typedef struct {
    double log_odds;    /* log P+ - log P- */
    double probability; /* P+ / (P+ + P-) */
    double mass;        /* P+ + P-: where it is tiny, the two above mean little */
} GlintSteerReading;
/* readings[text]; `operator` may be NULL: nobody steers. */
gboolean glint_steer_lab_read(GlintSteerLab *self, const GlintSteerTexts *prompts, const GlintSteerOperator *operator, double strength, GlintSteerReading *readings,
                              GError **error);

/* Mean loss of given texts, nats a token, one value a text (token 0 is not predicted). */
gboolean glint_steer_lab_loss(GlintSteerLab *self, const GlintSteerTexts *texts, const GlintSteerOperator *operator, double strength, double *loss, GError **error);

/* The strength of the given sign (+1, -1) at which the mean KL is kl[k], to within 2 %, for every k (ascending). Where the operator's limit, or a
 * strength of 1e6, is met first, *reached is FALSE and strength[k] is that limit. `cost[k]` is what was measured there. */
gboolean glint_steer_calibrate(GlintSteerLab *self, const GlintSteerOperator *operator, int sign, const double *kl, gsize n, double *strength, gboolean *reached,
                               GlintSteerCost *cost, GError **error);
