/* Forward pass: tokens per second of a model over packed random texts, bare and with the neurons of every layer watched,
 * after the watched batch gave the same logits as its sequences one by one.
 *   bench_forward MODEL [f32|bf16] [sequences] [length] */
#include "bench.h"
#include "model/model.h"

#include <math.h>
#include <omp.h>
#include <string.h>

static double sink;

static gboolean listen_to(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    (void)site;
    (void)user_data;
    (void)error;
    sink += rows[batch->start[batch->n_sequences] * width - 1];
    return TRUE;
}

int main(int argc, char **argv)
{
    bench_require(argc >= 2, "usage: bench_forward MODEL [f32|bf16] [sequences] [length]");
    gboolean bf16 = argc > 2 && strcmp(argv[2], "bf16") == 0;
    gsize n_sequences = argc > 3 ? strtoul(argv[3], NULL, 10) : 16, length = argc > 4 ? strtoul(argv[4], NULL, 10) : 128, n = n_sequences * length;
    g_autoptr(GError) error = NULL;
    GlintModelOptions options = {.dtype = bf16 ? GLINT_DTYPE_BF16 : GLINT_DTYPE_F32};
    g_autoptr(GlintModel) model = glint_model_open(argv[1], &options, &error);
    if (!model)
        g_error("%s", error->message);
    const GlintModelInfo *info = glint_model_info(model);
    g_autofree guint32 *tokens = g_new(guint32, n);
    g_autofree gsize *start = g_new(gsize, n_sequences + 1);
    for (gsize k = 0; k < n; k++)
        tokens[k] = (guint32)((k * 2654435761u) % info->vocab);
    for (gsize s = 0; s <= n_sequences; s++)
        start[s] = s * length;
    g_autofree GlintTap *taps = g_new0(GlintTap, info->n_layers);
    for (gsize layer = 0; layer < info->n_layers; layer++)
        taps[layer] = (GlintTap){.site = {GLINT_SITE_MLP_POST, layer}, .function = listen_to, .only_reads = argc > 5};
    GlintBatch batch = {tokens, start, n_sequences};
    g_autofree float *logits = g_new(float, n_sequences *info->vocab), *one = g_new(float, info->vocab);
    bench_require(glint_model_forward(model, &batch, taps, info->n_layers, GLINT_LOGITS_LAST, logits, &error), "forward");
    double difference = 0, norm = 0;
    for (gsize s = 0; s < n_sequences; s++) {
        gsize alone[2] = {0, length};
        GlintBatch single = {tokens + start[s], alone, 1};
        bench_require(glint_model_forward(model, &single, NULL, 0, GLINT_LOGITS_LAST, one, &error), "forward of one");
        for (gsize v = 0; v < info->vocab; v++) {
            difference += pow(one[v] - logits[s * info->vocab + v], 2);
            norm += pow(one[v], 2);
        }
    }
    bench_require(sqrt(difference / norm) < (bf16 ? 0.02 : 1e-4), "a batch differs from its sequences one by one");
    GlintTap last = taps[info->n_layers - 1];
    double bare, watched;
    BENCH(bare, 3, bench_require(glint_model_forward(model, &batch, &last, 1, GLINT_LOGITS_NONE, NULL, &error), "forward"));
    BENCH(watched, 3, bench_require(glint_model_forward(model, &batch, taps, info->n_layers, GLINT_LOGITS_NONE, NULL, &error), "forward"));
    printf("forward   %s (%s, %.3g M parameters), %zu x %zu tokens, %d threads: %.0f tokens/s, %.0f with every layer's neurons watched (%+.1f %%)\n", argv[1],
           info->compute_type, (double)info->n_parameters * 1e-6, n_sequences, length, omp_get_max_threads(), (double)n / bare, (double)n / watched,
           100 * (watched / bare - 1));
    return isnan(sink);
}
