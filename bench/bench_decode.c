/* Decoding: tokens per second with a cache, one text and several at once, against the machine's memory bandwidth, measured by
 * the same threads in the same run: a pass must read every weight once. Before it prints, the first text's tokens are checked
 * against passes without a cache.
 *   bench_decode MODEL [f32|bf16] [tokens of prompt] [tokens to generate] */
#include "bench.h"
#include "model/generate.h"

#include <math.h>
#include <omp.h>
#include <string.h>
#include <sys/mman.h>

typedef long long Lanes __attribute__((vector_size(64), aligned(64)));
static volatile long long sink;

static void read_all(const char *buffer, gsize blocks, gsize block)
{
    long long total = 0;
#pragma omp parallel for schedule(static) reduction(+ : total)
    for (gsize b = 0; b < blocks; b++) {
        const Lanes *lanes = (const Lanes *)(const void *)(buffer + b * block);
        Lanes sum[4] = {0};
        for (gsize i = 0; i < block / sizeof(Lanes); i += 4)
            for (int k = 0; k < 4; k++)
                sum[k] += lanes[i + (gsize)k];
        total += sum[0][0] + sum[1][1] + sum[2][2] + sum[3][3];
    }
    sink = total;
}

/* Bytes per second of reading a buffer larger than any cache can be, in huge pages, which is faster. */
static double read_bandwidth(gsize bytes)
{
    char *buffer = aligned_alloc(2 << 20, bytes);
    bench_require(buffer != NULL, "memory for the bandwidth");
    (void)madvise(buffer, bytes, MADV_HUGEPAGE);
    const gsize block = 1 << 20, blocks = bytes / block;
#pragma omp parallel for schedule(static)
    for (gsize b = 0; b < blocks; b++)
        memset(buffer + b * block, (int)b, block);
    double best;
    BENCH(best, 5, read_all(buffer, blocks, block));
    free(buffer);
    return (double)(blocks * block) / best;
}

/* Shortest passes count: the machine may be shared. */
typedef struct { double begun, best; gsize passes; } Clock;

static gboolean tick(const GlintGenerateStep *step, gpointer user_data, GError **error)
{
    (void)step;
    (void)error;
    Clock *clock = user_data;
    const double now = bench_seconds();
    if (clock->passes++ > 1) /* the first pass reads the prompts */
        clock->best = fmin(clock->best, now - clock->begun);
    clock->begun = now;
    return TRUE;
}

/* The generated tokens are the most likely ones of passes without a cache, or as likely up to rounding. */
static void check(GlintModel *model, const guint32 *prompt, gsize n_prompt, const GArray *out, gboolean bf16)
{
    const gsize vocab = glint_model_info(model)->vocab, n = n_prompt + out->len;
    g_autofree guint32 *ids = g_new(guint32, n);
    memcpy(ids, prompt, n_prompt * sizeof *ids);
    memcpy(ids + n_prompt, out->data, out->len * sizeof *ids);
    g_autofree float *logits = g_new(float, vocab);
    for (gsize at = n_prompt; at < n; at += (n - n_prompt + 3) / 4) {
        const gsize start[] = {0, at};
        bench_require(glint_model_forward(model, &(GlintBatch){ids, start, 1}, NULL, 0, GLINT_LOGITS_LAST, logits, NULL), "forward");
        float top = -INFINITY, low = INFINITY;
        for (gsize v = 0; v < vocab; v++) {
            top = fmaxf(top, logits[v]);
            low = fminf(low, logits[v]);
        }
        bench_require(top - logits[ids[at]] <= (bf16 ? 0.02f : 1e-4f) * (top - low), "a generated token is not the most likely one");
    }
}

int main(int argc, char **argv)
{
    bench_require(argc >= 2, "usage: bench_decode MODEL [f32|bf16] [tokens of prompt] [tokens to generate]");
    const gboolean bf16 = argc <= 2 || strcmp(argv[2], "f32") != 0;
    const gsize n_prompt = argc > 3 ? strtoul(argv[3], NULL, 10) : 64, n_new = argc > 4 ? strtoul(argv[4], NULL, 10) : 16;
    g_autoptr(GError) error = NULL;
    GlintModelOptions options = {.dtype = bf16 ? GLINT_DTYPE_BF16 : GLINT_DTYPE_F32};
    g_autoptr(GlintModel) model = glint_model_open(argv[1], &options, &error);
    if (!model)
        g_error("%s", error->message);
    const GlintModelInfo *info = glint_model_info(model);
    const double bytes = (double)info->n_parameters * (bf16 ? 2 : 4), bandwidth = read_bandwidth((gsize)1 << 30);
    enum { MOST = 32 };
    g_autofree guint32 *tokens = g_new(guint32, MOST * n_prompt);
    for (gsize k = 0; k < MOST * n_prompt; k++)
        tokens[k] = (guint32)((k * 2654435761u + 12345) % info->vocab);
    GlintPrompt prompts[MOST];
    for (gsize p = 0; p < MOST; p++)
        prompts[p] = (GlintPrompt){tokens + p * n_prompt, n_prompt};
    printf("decode    %s (%s, %.3g M parameters), prompts of %zu tokens, %d threads, memory reads %.1f GB/s\n", argv[1], info->compute_type,
           (double)info->n_parameters * 1e-6, n_prompt, omp_get_max_threads(), bandwidth * 1e-9);
    static const gsize sizes[] = {1, 2, 4, 8, 16, 32};
    for (gsize i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Clock clock = {0, 1e300, 0};
        GlintGenerateSettings settings;
        glint_generate_settings_init(&settings);
        settings.max_new_tokens = n_new;
        settings.on_step = tick;
        settings.user_data = &clock;
        g_autoptr(GlintGeneration) generation = glint_generate(model, NULL, prompts, sizes[i], &settings, &error);
        bench_require(generation != NULL, "generate");
        if (i == 0)
            check(model, tokens, n_prompt, generation->texts[0].tokens, bf16);
        printf("decode      %2zu texts: %7.1f tokens/s, pass %.1f ms (mean %.1f), weights at %.1f GB/s = %.0f %% of the bandwidth\n", sizes[i],
               (double)sizes[i] / clock.best, clock.best * 1e3, generation->decode_seconds / (double)(n_new - 1) * 1e3, bytes / clock.best * 1e-9,
               100 * bytes / clock.best / bandwidth);
    }
    return 0;
}
