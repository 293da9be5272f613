/* See fake_model.h. Defines the few functions of model.h and tokenizer.h that collecting calls. */
#include "fake_model.h"
#include "base/error.h"
#include <math.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

FakeControl fake;

struct GlintModel { GlintModelInfo info; };
struct GlintTokenizer { int unused; };

GlintModel *fake_model(void)
{
    static GlintModel model = {{.family = "fake", .n_layers = FAKE_LAYERS, .hidden = 8, .mlp_width = FAKE_WIDTH, .vocab = 257, .max_tokens = FAKE_MAX_TOKENS,
                                .weight_type = "F32", .compute_type = "f32", .sha256 = "0123456789abcdef"}};
    return &model;
}

GlintTokenizer *fake_tokenizer(void)
{
    static GlintTokenizer tokenizer;
    return &tokenizer;
}

const GlintModelInfo *glint_model_info(const GlintModel *self) { return &self->info; }

gsize glint_model_site_width(const GlintModel *self, GlintSiteKind kind) { return kind == GLINT_SITE_MLP_POST ? self->info.mlp_width : kind == GLINT_SITE_MLP_OUT ? 8 : 0; }

float fake_activation(guint32 token, gsize position, gsize layer, gsize j)
{
    guint32 h = (token + 1) * 2654435761u ^ ((guint32)layer + 7) * 40503u ^ ((guint32)j + 3) * 2246822519u;
    h ^= h >> 15;
    h *= 0x85ebca6bu;
    h ^= h >> 13;
    return (float)ldexp((double)(h >> 8), -22) + (float)position * 0.01f * (float)(j % 3) + (float)j;
}

gboolean glint_model_forward(GlintModel *self, const GlintBatch *batch, const GlintTap *taps, gsize n_taps, GlintLogits which, float *logits, GError **error)
{
    gsize n = batch->start[batch->n_sequences];
    g_assert(which == GLINT_LOGITS_NONE && !logits && batch->start[0] == 0);
    fake.forwards++;
    if (fake.forwards == fake.kill_at)
        kill(getpid(), SIGKILL);
    if (fake.forwards == fake.interrupt_at)
        raise(SIGINT);
    if (fake.sleep_us)
        usleep(fake.sleep_us);
    for (gsize k = 0; k < n_taps; k++) {
        gsize width = glint_model_site_width(self, taps[k].site.kind), layer = taps[k].site.layer;
        g_autofree float *rows = g_new(float, n * width);
        for (gsize s = 0; s < batch->n_sequences; s++)
            for (gsize t = batch->start[s]; t < batch->start[s + 1]; t++)
                for (gsize j = 0; j < width; j++)
                    rows[t * width + j] = fake.overflow_token && batch->tokens[t] == fake.overflow_token && layer == 1 && j == 5
                                              ? INFINITY : fake_activation(batch->tokens[t], t - batch->start[s], layer, j);
        if (!taps[k].function(&taps[k].site, batch, rows, width, taps[k].user_data, error))
            return FALSE;
    }
    return TRUE;
}

gboolean glint_tokenizer_encode(const GlintTokenizer *self, const char *text, gssize length, gboolean add_special, GArray *ids, GError **error)
{
    (void)self;
    guint32 bos = FAKE_BOS;
    if (strchr(text, '\x01'))
        return glint_fail(error, GLINT_ERROR_DATA, "the fake tokenizer refuses byte 1");
    if (add_special)
        g_array_append_val(ids, bos);
    for (gsize k = 0, n = length < 0 ? strlen(text) : (gsize)length; k < n; k++) {
        guint32 id = (guchar)text[k];
        if (id != '~') /* a text of "~" has no token */
            g_array_append_val(ids, id);
    }
    return TRUE;
}

gsize glint_tokenizer_n_prefix(const GlintTokenizer *self)
{
    (void)self;
    return 1;
}

const char *glint_tokenizer_sha256(const GlintTokenizer *self)
{
    (void)self;
    return "fedcba9876543210";
}

gboolean glint_tokenizer_is_special(const GlintTokenizer *self, guint32 id)
{
    (void)self;
    return id == FAKE_BOS;
}

char *glint_tokenizer_decode(const GlintTokenizer *self, const guint32 *ids, gsize n, gboolean skip_special)
{
    GString *text = g_string_new(NULL);
    for (gsize k = 0; k < n; k++)
        if (ids[k] == FAKE_BOS && !skip_special)
            g_string_append(text, "<bos>");
        else if (ids[k] < 0x80)
            g_string_append_c(text, (char)ids[k]);
        else if (!glint_tokenizer_is_special(self, ids[k]))
            g_string_append(text, "\xEF\xBF\xBD");
    return g_string_free(text, FALSE);
}
