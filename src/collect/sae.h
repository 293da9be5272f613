/* Sparse autoencoders as SAELens saves them: a folder with cfg.json and sae_weights.safetensors. Only the encoder is used:
 *     a = x - b_dec (unless apply_b_dec_to_input is false),   h = a W_enc + b_enc,   features = f(h),
 * f being ReLU ("standard"), ReLU where h > threshold and 0 elsewhere ("jumprelu"; batch top-k is saved as that), or ReLU of the k
 * largest of a row ("topk"). All in f32. What would change these formulas and is not implemented is refused by name. */
#pragma once
#include "model/site.h"
#include <glib.h>

typedef struct GlintSae GlintSae;
GlintSae *glint_sae_open(const char *folder, GError **error);
void glint_sae_free(GlintSae *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSae, glint_sae_free)

const GlintSite *glint_sae_reads(const GlintSae *self); /* the site whose rows it encodes */
GlintSite glint_sae_site(const GlintSae *self);         /* its own: kind GLINT_SITE_SAE(...) */
gsize glint_sae_width_in(const GlintSae *self);
gsize glint_sae_width(const GlintSae *self);            /* all of its features */
const char *glint_sae_kind(const GlintSae *self);       /* "relu", "jumprelu", "topk" */
const char *glint_sae_sha256(const GlintSae *self);     /* over both files */

/* Which features to encode: n numbers, ascending, each below width (copied); NULL = all. Packs the weights it takes, so do it once. `threads`
 * as for a model: 0 = all. */
gboolean glint_sae_keep(GlintSae *self, const gsize *features, gsize n, int threads, GError **error);
gsize glint_sae_n_kept(const GlintSae *self);           /* 0 before keep */
const gsize *glint_sae_kept(const GlintSae *self, gsize *n); /* numbers of the kept features; NULL when all are */
double glint_sae_bytes(const GlintSae *self, gsize kept, gsize tokens); /* memory for encoding `tokens` rows to `kept` features */
/* rows [n, width_in] -> out [n, kept]. The bits do not depend on the number of threads. */
gboolean glint_sae_encode(GlintSae *self, const float *rows, gsize n, float *out, GError **error);
