/* Taps that take a site in pieces get every element of the whole rows once, whatever path computes them: few rows, many, several sites at once, an
 * editor before them; and a tap that only reads changes nothing. */
#include "base/error.h"
#include "model/support.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { VOCAB = 96 };

typedef struct {
    float *rows;  /* [N, width], put together from the pieces */
    int *times;   /* how often each element came */
    gsize n, width;
    gsize calls;  /* of the function behind the pieces */
} Collector;

static void take(const GlintBatch *batch, gsize row, gsize n_rows, gsize column, gsize n_columns, const float *values, gpointer user_data)
{
    Collector *self = user_data;
    (void)batch;
    assert_true(n_rows > 0 && row / GLINT_PIECE_ROWS == (row + n_rows - 1) / GLINT_PIECE_ROWS && row + n_rows <= self->n && column + n_columns <= self->width);
    for (gsize t = 0; t < n_rows; t++)
        for (gsize j = 0; j < n_columns; j++) { /* no two threads have the same element, or `times` would tell */
            self->rows[(row + t) * self->width + column + j] = values[t * n_columns + j];
            self->times[(row + t) * self->width + column + j]++;
        }
}

static gboolean done(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    Collector *self = user_data;
    (void)site;
    (void)batch;
    (void)error;
    assert_null(rows);
    assert_int_equal(width, self->width);
    for (gsize k = 0; k < self->n * width; k++)
        assert_int_equal(self->times[k], 1);
    self->calls++;
    return TRUE;
}

static gboolean copy(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    (void)site;
    (void)error;
    memcpy(user_data, rows, batch->start[batch->n_sequences] * width * sizeof *rows);
    return TRUE;
}

static gboolean add_one(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    (void)site;
    (void)user_data;
    (void)error;
    for (gsize k = 0; k < batch->start[batch->n_sequences] * width; k++)
        rows[k] += 1;
    return TRUE;
}

static Collector collector_new(gsize n, gsize width)
{
    return (Collector){.rows = g_new0(float, n * width), .times = g_new0(int, n * width), .n = n, .width = width};
}

static void collector_clear(Collector *self)
{
    g_free(self->rows);
    g_free(self->times);
}

/* One site by pieces and as a whole, with and without an editor before them. */
static void check(GlintModel *model, GlintSite site, gsize n, gboolean edited)
{
    const gsize width = glint_model_site_width(model, site.kind), start[] = {0, n / 3, n};
    if (width == 0)
        return;
    g_autofree guint32 *ids = g_new(guint32, n);
    for (gsize t = 0; t < n; t++)
        ids[t] = (guint32)((t * 37 + 5) % VOCAB);
    const GlintBatch batch = {ids, start, 2};
    Collector collector = collector_new(n, width);
    g_autofree float *whole = g_new(float, n * width);
    const GlintTap editor = {.site = site, .function = add_one};
    const GlintTap pieces[] = {editor, {.site = site, .function = done, .user_data = &collector, .piece = take}};
    const GlintTap rows[] = {editor, {.site = site, .function = copy, .user_data = whole, .only_reads = TRUE}};
    const gsize first = edited ? 0 : 1;
    assert_true(glint_model_forward(model, &batch, pieces + first, 2 - first, GLINT_LOGITS_NONE, NULL, NULL));
    assert_true(glint_model_forward(model, &batch, rows + first, 2 - first, GLINT_LOGITS_NONE, NULL, NULL));
    assert_int_equal(collector.calls, 1);
    assert_memory_equal(collector.rows, whole, n * width * sizeof *whole);
    collector_clear(&collector);
}

static void test_pieces_are_the_rows(void **state)
{
    static const char *const models[] = {"gemma3_v4_f32", "llama_sharded_f32", "gpt2_f32", "gpt_neox_f32"};
    (void)state;
    for (gsize m = 0; m < G_N_ELEMENTS(models); m++)
        for (int threads = 1; threads <= 3; threads += 2) {
            g_autofree char *folder = data_folder(models[m]);
            g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_F32, threads);
            const gsize counts[] = {3, 30, MIN((gsize)300, glint_model_info(model)->max_tokens)};
            for (gsize c = 0; c < G_N_ELEMENTS(counts); c++)
                for (int kind = 0; kind < GLINT_SITE_COUNT; kind++)
                    for (int edited = 0; edited < 2; edited++)
                        check(model, (GlintSite){(GlintSiteKind)kind, 1}, counts[c], edited);
        }
}

/* What follows a site is the same whoever reads it: the neurons go to the next product by different ways. */
static void test_readers_change_nothing(void **state)
{
    (void)state;
    g_autofree char *folder = data_folder("gemma3_bf16");
    for (int type = GLINT_DTYPE_AUTO; type <= GLINT_DTYPE_F32; type++) {
        g_autoptr(GlintModel) model = open_model(folder, (GlintComputeType)type, 2);
        enum { N = 60 };
        const gsize width = glint_model_site_width(model, GLINT_SITE_MLP_POST), start[] = {0, N}, vocab = glint_model_info(model)->vocab;
        guint32 ids[N];
        for (guint32 t = 0; t < N; t++)
            ids[t] = (t * 31 + 7) % VOCAB;
        const GlintBatch batch = {ids, start, 1};
        Collector collector = collector_new(N, width);
        g_autofree float *whole = g_new(float, N * width), *plain = g_new(float, vocab), *logits = g_new(float, vocab);
        const GlintSite site = {GLINT_SITE_MLP_POST, 0};
        const GlintTap taps[] = {{.site = site, .function = copy, .user_data = whole, .only_reads = TRUE}, {.site = site, .function = copy, .user_data = whole},
                                 {.site = site, .function = done, .user_data = &collector, .piece = take}};
        assert_true(glint_model_forward(model, &batch, NULL, 0, GLINT_LOGITS_LAST, plain, NULL));
        for (gsize k = 0; k < G_N_ELEMENTS(taps); k++) {
            assert_true(glint_model_forward(model, &batch, taps + k, 1, GLINT_LOGITS_LAST, logits, NULL));
            assert_memory_equal(plain, logits, vocab * sizeof *plain);
        }
        assert_memory_equal(collector.rows, whole, N * width * sizeof *whole);
        collector_clear(&collector);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pieces_are_the_rows), cmocka_unit_test(test_readers_change_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
