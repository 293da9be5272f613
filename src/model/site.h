/* Sites: named places in the model, TransformerLens spelling (DESIGN 3). */
#pragma once
#include <glib.h>

typedef enum {
    GLINT_SITE_RESID_PRE,      /* blocks.{L}.hook_resid_pre           [N, H] */
    GLINT_SITE_ATTN_Z,         /* blocks.{L}.attn.hook_z              [N, A*D] */
    GLINT_SITE_ATTN_OUT,       /* blocks.{L}.hook_attn_out            [N, H] what is added to the residual */
    GLINT_SITE_RESID_MID,      /* blocks.{L}.hook_resid_mid           [N, H] */
    GLINT_SITE_MLP_PRE,        /* blocks.{L}.mlp.hook_pre             [N, F] gate (or c_fc) before the activation function */
    GLINT_SITE_MLP_PRE_LINEAR, /* blocks.{L}.mlp.hook_pre_linear      [N, F] up projection; gated MLPs only */
    GLINT_SITE_MLP_POST,       /* blocks.{L}.mlp.hook_post            [N, F] the neurons; the default */
    GLINT_SITE_MLP_OUT,        /* blocks.{L}.hook_mlp_out             [N, H] what is added to the residual */
    GLINT_SITE_RESID_POST,     /* blocks.{L}.hook_resid_post          [N, H] */
    GLINT_SITE_COUNT
} GlintSiteKind;

/* The features of a sparse autoencoder that reads site `kind` are a site too, "blocks.{L}.hook_resid_post.sae". No model has it by itself:
 * collect/sae.h makes its rows. */
#define GLINT_SITE_SAE(kind) ((GlintSiteKind)((guint)(kind) + GLINT_SITE_COUNT))
gboolean glint_site_is_sae(GlintSiteKind kind);

typedef struct { GlintSiteKind kind; gsize layer; } GlintSite;

/* "mlp.hook_post", "hook_mlp_out", "mlp_out", "blocks.3.mlp.hook_post" (then *layer is set; else -1). FALSE lists what exists. */
gboolean glint_site_parse(const char *text, GlintSiteKind *kind, gint64 *layer, GError **error);
char *glint_site_name(const GlintSite *site);              /* "blocks.3.mlp.hook_post"; free with g_free */
const char *glint_site_suffix(GlintSiteKind kind);         /* "mlp.hook_post" */
char *glint_neuron_id(const GlintSite *site, gsize index, gsize head_size); /* "L5.N1234"; attn.hook_z: "L5.H3.17"; of an SAE: "L5.S1234" */
/* "0,5-8", "all", "-1" (last) over n_layers: sorted unique layer numbers (GArray of gsize). */
GArray *glint_layers_parse(const char *text, gsize n_layers, GError **error);
