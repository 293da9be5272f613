/* The engine: how fast the forward pass is, and against what the machine can do, measured in the same run.
 *
 *   bench_forward MODEL [--dtype f32|bf16] [--sequences 8] [--length 256] [--repeat 3] [--check SMALL_MODEL]
 *
 * Checked first: the neurons of SMALL_MODEL's last layer against plain loops in f64 (tests/model/reference.c), and the batch
 * against its sequences one by one. Then: start-up, bare forward, forward with the mean-pooled neurons of every layer going into
 * moments, the time inside products (the table of matrix operations is replaced by one with a stopwatch), oneDNN's and
 * OpenBLAS's rates for the same shapes, and memory.
 *
 * All moments go into one matrix, for 26 of them would take 10 GB; the work is the same. Rates come twice: by wall time, and by
 * CPU time times threads, which other programs on the machine disturb less. */
#include "bench.h"
#include "collect/moments.h"
#include "collect/piece_pool.h"
#include "model/forward.h"
#include "onednn.h"
#include "model/reference.h"

#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static char *dtype = NULL, *small = NULL;
static int sequences = 8, length = 256, repeat = 3;
static const GOptionEntry entries[] = {
    {"dtype", 0, 0, G_OPTION_ARG_STRING, &dtype, "f32 or bf16 (default)", "TYPE"},
    {"sequences", 0, 0, G_OPTION_ARG_INT, &sequences, "texts of the batch (8)", "N"},
    {"length", 0, 0, G_OPTION_ARG_INT, &length, "tokens of a text (256)", "N"},
    {"repeat", 0, 0, G_OPTION_ARG_INT, &repeat, "runs of which the best counts (3)", "N"},
    {"check", 0, 0, G_OPTION_ARG_FILENAME, &small, "a small model of the same kind, to be compared with plain loops", "DIR"},
    {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL},
};

typedef struct {
    GlintModel *model;
    gboolean bf16;
    gsize n;
    int threads;
    GlintBatch batch;
    GlintTap *taps;
    GlintMoments *moments;
    GlintPiecePool pieces;
    float *pooled; /* [sequences, F] */
} Bench;

static BenchTime best_of(BenchTime a, BenchTime b) { return (BenchTime){fmin(a.wall, b.wall), fmin(a.cpu, b.cpu)}; }

/* ---- what listens ---- */

static gboolean keep(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer copy, GError **error)
{
    (void)site;
    (void)error;
    memcpy(copy, rows, batch->start[batch->n_sequences] * width * sizeof *rows);
    return TRUE;
}

/* The neurons as `glint collect` takes them: pooled from pieces, then moments. */
static void take_piece(const GlintBatch *batch, gsize row, gsize n_rows, gsize column, gsize n_columns, const float *values, gpointer data)
{
    Bench *bench = data;
    glint_piece_pool_add(&bench->pieces, batch, row, n_rows, column, n_columns, values);
}

static gboolean collect(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer data, GError **error)
{
    (void)site;
    (void)rows;
    (void)error;
    Bench *bench = data;
    glint_piece_pool_means(&bench->pieces, batch, width, 0, batch->n_sequences, bench->pooled);
    if (bench->moments)
        glint_moments_add(bench->moments, bench->pooled, batch->n_sequences, width);
    return TRUE;
}

/* ---- a stopwatch around products ---- */

static const GliMatrixOps *inner;
static BenchTime in_products;

static void add_time(BenchTime start)
{
    const BenchTime took = bench_since(start);
    in_products.wall += took.wall;
    in_products.cpu += took.cpu;
}

static gboolean timed_run(GliLinear *linear, gsize rows, const void *x, float *y, GError **error)
{
    const BenchTime start = bench_now();
    const gboolean good = inner->run(linear, rows, x, y, error);
    add_time(start);
    return good;
}

static gboolean timed_run_activated(GliLinear *gate, GliLinear *up, GliActivation activation, gsize rows, const void *x, float *y, const GliSink *sink, void *next,
                                    GError **error)
{
    const BenchTime start = bench_now();
    const gboolean good = inner->run_activated(gate, up, activation, rows, x, y, sink, next, error);
    add_time(start);
    return good;
}

/* ---- checks ---- */

static void forward(Bench *self, const GlintTap *taps, gsize n_taps)
{
    GError *error = NULL;
    if (!glint_model_forward(self->model, &self->batch, taps, n_taps, GLINT_LOGITS_NONE, NULL, &error))
        g_error("%s", error->message);
}

static guint32 *random_tokens(gsize n, gsize vocab)
{
    guint32 *tokens = g_new(guint32, n);
    for (gsize k = 0; k < n; k++)
        tokens[k] = (guint32)((k * 2654435761u + 977) % vocab);
    return tokens;
}

static void check_small(gboolean bf16)
{
    enum { N = 40 };
    g_autoptr(GError) error = NULL;
    const GlintModelOptions options = {.dtype = bf16 ? GLINT_DTYPE_BF16 : GLINT_DTYPE_F32};
    g_autoptr(GlintModel) model = glint_model_open(small, &options, &error);
    if (!model)
        g_error("%s", error->message);
    const GlintModelInfo *info = glint_model_info(model);
    const gsize layer = info->n_layers - 1, start[] = {0, N};
    g_autofree guint32 *tokens = random_tokens(N, info->vocab);
    g_autofree float *fused = g_new(float, N * info->mlp_width);
    const GlintTap tap = {.site = {GLINT_SITE_MLP_POST, layer}, .function = keep, .user_data = fused, .only_reads = TRUE};
    bench_require(glint_model_forward(model, &(GlintBatch){tokens, start, 1}, &tap, 1, GLINT_LOGITS_NONE, NULL, NULL), "forward of the small model");
    g_autoptr(Reference) reference = reference_run(model->checkpoint, &model->arch, tokens, N);
    const double *expected = reference->rows[layer * GLINT_SITE_COUNT + GLINT_SITE_MLP_POST];
    double difference = 0, norm = 0;
    for (gsize i = 0; i < N * info->mlp_width; i++) {
        difference += pow((double)fused[i] - expected[i], 2);
        norm += pow(expected[i], 2);
    }
    bench_require(sqrt(difference / norm) < (bf16 ? 0.02 : 1e-5), "the neurons differ from plain loops in f64");
    printf("forward   %s: neurons of the last layer within %.1e of plain loops in f64\n", info->compute_type, sqrt(difference / norm));
}

static void check_batch(Bench *self)
{
    const gsize F = self->model->arch.mlp_width, last = self->model->arch.n_layers - 1, rows = (gsize)length;
    g_autofree float *together = g_new(float, self->n * F), *alone = g_new(float, rows * F);
    GlintTap tap = {.site = {GLINT_SITE_MLP_POST, last}, .function = keep, .user_data = together, .only_reads = TRUE};
    forward(self, &tap, 1);
    tap.user_data = alone;
    const gsize s = self->batch.n_sequences - 1, start[] = {0, rows};
    bench_require(glint_model_forward(self->model, &(GlintBatch){self->batch.tokens + s * rows, start, 1}, &tap, 1, GLINT_LOGITS_NONE, NULL, NULL), "forward of one");
    double difference = 0, norm = 0;
    for (gsize i = 0; i < rows * F; i++) {
        difference += pow((double)alone[i] - (double)together[s * rows * F + i], 2);
        norm += pow((double)alone[i], 2);
    }
    bench_require(sqrt(difference / norm) < (self->bf16 ? 0.02 : 1e-4), "a batch differs from its sequences one by one");
}

/* ---- the numbers ---- */

/* What the program itself takes, before it opens the model. */
static double resident_megabytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    bench_require(file && fscanf(file, "%*d %ld", &pages) == 1, "/proc/self/statm");
    fclose(file);
    return (double)pages * (double)sysconf(_SC_PAGESIZE) / 1048576;
}

static double peak_megabytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static gsize linear_parameters(const GliArch *arch)
{
    const gsize heads = arch->n_heads * arch->head_size;
    return arch->hidden * (gli_arch_qkv_width(arch) + heads + (arch->mlp == GLI_MLP_GATED ? 3 : 2) * arch->mlp_width);
}

/* Memory after a bare forward: packed weights, and everything a batch needs. `before`: megabytes that are not the model's. */
static void report_memory(const Bench *self, double before)
{
    const GlintModel *model = self->model;
    const GliBuffer *buffers[] = {&model->residual, &model->normed, &model->qkv, &model->z, &model->attn, &model->mlp, &model->gate, &model->up,
                                  &model->input, &model->neurons, &model->keys, &model->values, &model->scratch};
    double working = before, packed = (double)(linear_parameters(&model->arch) * model->arch.n_layers) * (self->bf16 ? 2 : 4) / 1048576;
    for (gsize i = 0; i < G_N_ELEMENTS(buffers); i++)
        working += (double)buffers[i]->size / 1048576;
    const double peak = peak_megabytes();
    printf("forward   peak memory %.0f MB: packed weights %.0f MB, working set %.0f MB; (peak - working set) / packed = %.2f (bar: below 1.3)\n", peak, packed, working,
           (peak - working) / packed);
}

static double sgemm_seconds(gsize rows, gsize in, gsize out)
{
    g_autofree float *x = g_new0(float, rows * in), *w = g_new0(float, in * out), *y = g_new0(float, rows * out);
    BenchTime best = {1e300, 1e300};
    for (int k = 0; k < 3; k++) {
        const BenchTime start = bench_now();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, (int)out, (int)in, 1, x, (int)in, w, (int)in, 0, y, (int)out);
        best = best_of(best, bench_since(start));
    }
    return best.cpu;
}

/* What the products of a forward pass would take, one call each, by oneDNN (and OpenBLAS, f32). */
static void report_products(const Bench *self, BenchTime spent, BenchTime total)
{
    const GliArch *arch = &self->model->arch;
    const gsize H = arch->hidden, F = arch->mlp_width, heads = arch->n_heads * arch->head_size;
    const struct { const char *name; gsize in, out, count; } shapes[] = {
        {"qkv", H, gli_arch_qkv_width(arch), 1}, {"proj", heads, H, 1},
        {arch->mlp == GLI_MLP_GATED ? "gate, up" : "gate", H, F, arch->mlp == GLI_MLP_GATED ? 2 : 1}, {"down", F, H, 1},
    };
    double wall = 0, cpu = 0, blas = 0, flops = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++) {
        double one_wall, one_cpu;
        const double work = 2.0 * (double)self->n * (double)shapes[i].in * (double)shapes[i].out;
        bench_onednn(self->bf16, self->n, shapes[i].in, shapes[i].out, &one_wall, &one_cpu);
        printf("forward     oneDNN's own, %zu x %zu x %zu (%s): %.0f GFLOP/s, by CPU time %.0f\n", self->n, shapes[i].in, shapes[i].out, shapes[i].name, work / one_wall * 1e-9,
               work * self->threads / one_cpu * 1e-9);
        const double times = (double)(shapes[i].count * arch->n_layers);
        wall += one_wall * times;
        cpu += one_cpu * times;
        flops += work * times;
        blas += self->bf16 ? 0 : sgemm_seconds(self->n, shapes[i].in, shapes[i].out) * times;
    }
    printf("forward   products: %.0f %% of the time (bar: 70), by CPU time %.0f %%; %.0f GFLOP/s with activation function and rounding in them, by CPU time %.0f\n",
           100 * spent.wall / total.wall, 100 * spent.cpu / total.cpu, flops / spent.wall * 1e-9, flops * self->threads / spent.cpu * 1e-9);
    printf("forward   products against oneDNN's own of the same shapes: %.0f %% of its rate (bar: 90), by CPU time %.0f %%\n", 100 * wall / spent.wall, 100 * cpu / spent.cpu);
    if (!self->bf16)
        printf("forward   products against OpenBLAS's sgemm, by CPU time: %.0f %% of its rate (bar: 80)\n", 100 * blas / spent.cpu);
}

static BenchTime time_forward(Bench *self, const GlintTap *taps, gsize n_taps)
{
    BenchTime best = {1e300, 1e300};
    for (int k = 0; k < repeat; k++) {
        const BenchTime start = bench_now();
        forward(self, taps, n_taps);
        if (self->moments)
            glint_moments_flush(self->moments);
        best = best_of(best, bench_since(start));
    }
    return best;
}

static void report(Bench *self, const char *name, BenchTime took, const BenchTime *bare)
{
    printf("forward   %-46s %6.0f tokens/s, by CPU time %6.0f", name, (double)self->n / took.wall, (double)self->n * self->threads / took.cpu);
    if (bare)
        printf("; %+.1f %%, by CPU time %+.1f %% (bar: 5)", 100 * (took.wall / bare->wall - 1), 100 * (took.cpu / bare->cpu - 1));
    printf("\n");
}

static void run(Bench *self, double before)
{
    const gsize layers = self->model->arch.n_layers;
    GlintTap end = {.site = {GLINT_SITE_MLP_OUT, layers - 1}, .function = keep, .user_data = g_new(float, self->n * self->model->arch.hidden), .only_reads = TRUE};
    forward(self, &end, 1);
    report_memory(self, before + (double)(self->n * self->model->arch.hidden * sizeof(float)) / 1048576);
    check_batch(self);
    GliMatrixOps timed = *self->model->weights->ops;
    inner = self->model->weights->ops;
    timed.run = timed_run;
    timed.run_activated = timed_run_activated;
    self->model->weights->ops = &timed;
    BenchTime bare = {1e300, 1e300}, spent = {0, 0};
    for (int k = 0; k < repeat; k++) { /* products of the run that counts */
        in_products = (BenchTime){0, 0};
        const BenchTime start = bench_now();
        forward(self, &end, 1);
        const BenchTime took = bench_since(start);
        if (took.cpu < bare.cpu)
            spent = in_products;
        bare = best_of(bare, took);
    }
    self->model->weights->ops = inner;
    report(self, "bare", bare, NULL);
    const BenchTime pooled = time_forward(self, self->taps, layers);
    report(self, "pooling the neurons of all layers", pooled, &bare);
    self->moments = glint_moments_new(self->model->arch.mlp_width);
    bench_require(self->moments != NULL, "memory for the moments");
    report(self, "pooling them and adding up their moments", time_forward(self, self->taps, layers), &bare);
    report_products(self, spent, bare);
    glint_moments_free(self->moments);
    g_free(end.user_data);
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    g_autoptr(GError) error = NULL;
    g_autoptr(GOptionContext) context = g_option_context_new("MODEL - the forward pass against what the machine can do");
    g_option_context_add_main_entries(context, entries, NULL);
    if (!g_option_context_parse(context, &argc, &argv, &error) || argc != 2 || sequences < 1 || length < 1 || repeat < 1) {
        fprintf(stderr, "bench_forward: %s\n", error ? error->message : "one model, and positive numbers");
        return 2;
    }
    Bench self = {.bf16 = !dtype || strcmp(dtype, "f32") != 0, .n = (gsize)sequences * (gsize)length};
    if (small)
        check_small(self.bf16);
    const double before = resident_megabytes();
    const GlintModelOptions options = {.dtype = self.bf16 ? GLINT_DTYPE_BF16 : GLINT_DTYPE_F32};
    const BenchTime start = bench_now();
    self.model = glint_model_open(argv[1], &options, &error);
    if (!self.model)
        g_error("%s", error->message);
    const BenchTime opened = bench_since(start);
    const GlintModelInfo *info = glint_model_info(self.model);
    self.threads = self.model->threads;
    printf("forward   %s (%s, %.3g M parameters), %d x %d tokens, %d threads; opened in %.2f s (CPU time %.2f; bar: 5)\n", argv[1], info->compute_type,
           (double)info->n_parameters * 1e-6, sequences, length, self.threads, opened.wall, opened.cpu);
    g_autofree guint32 *tokens = random_tokens(self.n, info->vocab);
    g_autofree gsize *starts = g_new(gsize, sequences + 1);
    for (int s = 0; s <= sequences; s++)
        starts[s] = (gsize)s * (gsize)length;
    self.batch = (GlintBatch){tokens, starts, (gsize)sequences};
    self.taps = g_new0(GlintTap, info->n_layers);
    for (gsize layer = 0; layer < info->n_layers; layer++)
        self.taps[layer] = (GlintTap){.site = {GLINT_SITE_MLP_POST, layer}, .function = collect, .user_data = &self, .piece = take_piece};
    self.pooled = g_new(float, (gsize)sequences * info->mlp_width);
    bench_require(glint_piece_pool_begin(&self.pieces, &self.batch, info->mlp_width, 0), "memory for the sums");
    run(&self, before);
    g_free(self.taps);
    g_free(self.pooled);
    glint_piece_pool_clear(&self.pieces);
    glint_model_free(self.model);
    return 0;
}
