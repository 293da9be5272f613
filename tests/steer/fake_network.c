/* See fake_network.h. Defines the few functions of model.h that steering calls. */
#include "fake_network.h"
#include <math.h>
#include <string.h>

struct GlintModel { GlintModelInfo info; };
int network_forwards;

GlintModel *network_model(void)
{
    static GlintModel model = {{.family = "fake", .n_layers = 1, .hidden = NET_RESIDUAL, .mlp_width = NET_NEURONS, .vocab = NET_VOCAB, .max_tokens = 64}};
    return &model;
}

const GlintModelInfo *glint_model_info(const GlintModel *self) { return &self->info; }

gsize glint_model_site_width(const GlintModel *self, GlintSiteKind kind)
{
    return kind == GLINT_SITE_MLP_POST ? self->info.mlp_width : kind == GLINT_SITE_RESID_POST ? NET_RESIDUAL : 0;
}

/* In (-1, 1), the same for the same three numbers. */
static double noise(guint32 a, guint32 b, guint32 c)
{
    guint32 h = (a + 1) * 2654435761u ^ (b + 7) * 40503u ^ (c + 3) * 2246822519u;
    h ^= h >> 15;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    return (double)h / 2147483648.0 - 1;
}

double network_activation(guint32 token, gsize neuron) { return 0.5 + 0.3 * noise(token, (guint32)neuron, 1); }

double network_bias(gsize token) { return 0.3 * noise((guint32)token, 0, 2); }

double network_effect(gsize token, gsize neuron)
{
    if (neuron < NET_MODULE)
        return token == NET_GOOD ? 0.6 : token == NET_BAD ? -0.6 : 0;
    if (neuron < 2 * NET_MODULE)
        return token == 3 ? 0.6 : token == 4 ? -0.6 : 0;
    return 0.3 * noise((guint32)token, (guint32)neuron, 3);
}

static gboolean visit(const GlintBatch *batch, const GlintTap *taps, gsize n_taps, GlintSiteKind kind, float *rows, gsize width, GError **error)
{
    for (gsize k = 0; k < n_taps; k++)
        if (taps[k].site.kind == kind && !taps[k].function(&taps[k].site, batch, rows, width, taps[k].user_data, error))
            return FALSE;
    return TRUE;
}

static void write_logits(const float *h, float *logits)
{
    for (gsize v = 0; v < NET_VOCAB; v++) {
        double sum = network_bias(v);
        for (gsize j = 0; j < NET_NEURONS; j++)
            sum += network_effect(v, j) * (double)h[j];
        logits[v] = (float)sum;
    }
}

gboolean glint_model_forward(GlintModel *self, const GlintBatch *batch, const GlintTap *taps, gsize n_taps, GlintLogits which, float *logits, GError **error)
{
    const gsize n = batch->start[batch->n_sequences];
    g_autofree float *h = g_new(float, n * NET_NEURONS + 1), *residual = g_new(float, n * NET_RESIDUAL + 1);
    (void)self;
    g_assert(batch->start[0] == 0);
    network_forwards++;
    for (gsize t = 0; t < n; t++) {
        for (gsize j = 0; j < NET_NEURONS; j++)
            h[t * NET_NEURONS + j] = (float)network_activation(batch->tokens[t], j);
        for (gsize j = 0; j < NET_RESIDUAL; j++)
            residual[t * NET_RESIDUAL + j] = (float)batch->tokens[t] + (float)j;
    }
    if (!visit(batch, taps, n_taps, GLINT_SITE_MLP_POST, h, NET_NEURONS, error) || !visit(batch, taps, n_taps, GLINT_SITE_RESID_POST, residual, NET_RESIDUAL, error))
        return FALSE;
    for (gsize s = 0; which == GLINT_LOGITS_LAST && s < batch->n_sequences; s++)
        write_logits(h + (batch->start[s + 1] - 1) * NET_NEURONS, logits + s * NET_VOCAB);
    for (gsize t = 0; which == GLINT_LOGITS_ALL && t < n; t++)
        write_logits(h + t * NET_NEURONS, logits + t * NET_VOCAB);
    return TRUE;
}

/* Two modules wired as rings with a chord, and a sparse background; |rho| 0.2. */
static GlintCsr *wiring(void)
{
    g_autofree double *theta = g_new0(double, NET_NEURONS * NET_NEURONS);
    for (gsize i = 0; i < NET_NEURONS; i++)
        theta[i * NET_NEURONS + i] = 1.5;
    for (gsize i = 0; i < NET_NEURONS; i++) {
        const gsize module = i / NET_MODULE, next = module * NET_MODULE + (i + 1) % NET_MODULE, across = module * NET_MODULE + (i + 2) % NET_MODULE;
        theta[i * NET_NEURONS + next] = theta[next * NET_NEURONS + i] = -0.3;
        if (i % NET_MODULE == 0)
            theta[i * NET_NEURONS + across] = theta[across * NET_NEURONS + i] = 0.3;
    }
    GlintCsr *matrix = g_new0(GlintCsr, 1);
    *matrix = (GlintCsr){.rows = NET_NEURONS, .cols = NET_NEURONS, .indptr = g_new0(gint64, NET_NEURONS + 1), .indices = g_new(gint32, NET_NEURONS * NET_NEURONS),
                         .data = g_new(double, NET_NEURONS * NET_NEURONS)};
    for (gsize i = 0; i < NET_NEURONS; i++) {
        for (gsize j = 0; j < NET_NEURONS; j++)
            if (theta[i * NET_NEURONS + j] != 0) {
                matrix->indices[matrix->nnz] = (gint32)j;
                matrix->data[matrix->nnz++] = theta[i * NET_NEURONS + j];
            }
        matrix->indptr[i + 1] = (gint64)matrix->nnz;
    }
    return matrix;
}

GlintSteerLayer *network_layer(void)
{
    GlintSteerLayer *self = g_new0(GlintSteerLayer, 1);
    const gsize p = NET_NEURONS;
    *self = (GlintSteerLayer){.site = {GLINT_SITE_MLP_POST, 0}, .p = p, .width = p, .n_classes = 2, .towards = 1, .away = 0};
    self->column = g_new(gsize, p);
    self->neurons = g_new0(char *, p + 1);
    self->classes = g_strsplit("neg,pos", ",", -1);
    self->mean = g_new(double, 2 * p);
    self->sd = g_new(double, p);
    self->overall = g_new(double, p);
    self->effect = g_new(double, p);
    self->covariance = g_new0(double, p * p);
    for (gsize i = 0; i < p; i++) {
        const double gap = i < 2 * NET_MODULE ? 0.2 : 0.02 * noise((guint32)i, 5, 5);
        self->column[i] = i;
        self->neurons[i] = g_strdup_printf("L0.N%zu", i);
        self->mean[i] = 0.5 - gap / 2;
        self->mean[p + i] = 0.5 + gap / 2;
        self->overall[i] = 0.5;
        self->sd[i] = 0.2;
        self->effect[i] = gap / 0.2;
        for (gsize j = 0; j < p; j++)
            self->covariance[i * p + j] = i == j ? 0.04 : i / NET_MODULE == j / NET_MODULE ? 0.02 : 0.001;
    }
    self->precision = wiring();
    GError *error = NULL;
    self->graph = glint_graph_new(self->precision, self->neurons, NULL, NULL, NULL, &error);
    g_assert_no_error(error);
    for (gsize i = 0; i < p; i++)
        self->graph->nodes[i].module = (int)(i / NET_MODULE);
    self->graph->n_modules = p / NET_MODULE;
    return self;
}

GlintSteerTexts *network_texts(gsize n, gsize length, guint32 seed)
{
    GlintSteerTexts *texts = glint_steer_texts_new();
    GRand *rand = g_rand_new_with_seed(seed);
    for (gsize k = 0; k < n; k++) {
        g_autofree guint32 *tokens = g_new(guint32, length);
        tokens[0] = NET_BOS;
        for (gsize t = 1; t < length; t++)
            tokens[t] = (guint32)g_rand_int_range(rand, 5, NET_VOCAB);
        glint_steer_texts_add(texts, tokens, length);
    }
    g_rand_free(rand);
    return texts;
}

GlintVerbalisers network_verbalisers(void)
{
    GlintVerbalisers words = {{g_array_new(FALSE, FALSE, sizeof(guint32)), g_array_new(FALSE, FALSE, sizeof(guint32))}};
    const guint32 good = NET_GOOD, bad = NET_BAD;
    g_array_append_val(words.tokens[0], good);
    g_array_append_val(words.tokens[1], bad);
    return words;
}
