/* Every family against transformers, on texts of 1 to 2,000 tokens, far beyond every window. tests/model/data/families holds one
 * file per family: tiny random checkpoints with what transformers computed (tools/reference/make_families.py says how the
 * files are laid out). Checked per checkpoint, in f32: logits within 1e-4 absolute, for the whole text and for each of its
 * beginnings (window - 1, window, window + 1 tokens ...), these packed into one batch; every site of every layer within 1e-5
 * relative. In bf16, glint may not be further from the exact logits than transformers in bf16 is.
 *
 * Other files of this form may be given on the command line: that is the one-off sweep over random models. */
#include "base/safetensors.h"
#include "base/simd.h"
#include "model/support.h"
#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static const double LOGITS = 1e-4, SITES = 1e-5, AS_GOOD = 1;
#ifdef GLINT_SANITIZED /* a hundred times slower: enough for the windows */
enum { MOST_TOKENS = 200 };
#else
enum { MOST_TOKENS = 2000 };
#endif
static const char *const families[] = {"gemma", "gemma2", "gemma3", "gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "qwen2", "qwen3", "smollm3"};

static double worst_logit, worst_site, worst_bf16; /* over all models of this program */

typedef struct {
    const GlintSafetensors *file;
    const char *name;
    char *folder; /* the checkpoint, unpacked */
    guint32 *ids;
    gsize n;
    GArray *at, *sites; /* of gsize: positions whose logits, whose sites are in the file */
} Variant;

static const GlintTensor *part(const Variant *self, const char *what)
{
    g_autofree char *name = g_strdup_printf("%s|%s", self->name, what);
    return glint_safetensors_find(self->file, name);
}

static float *floats(const GlintTensor *tensor)
{
    assert_non_null(tensor);
    float *values = g_new(float, tensor->n);
    glint_tensor_to_f32(tensor, 0, tensor->n, values);
    return values;
}

static GArray *positions(const GlintTensor *tensor) /* those below MOST_TOKENS, which stand first */
{
    g_autofree float *values = floats(tensor);
    GArray *list = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (gsize i = 0; i < tensor->n && values[i] < MOST_TOKENS; i++)
        g_array_append_vals(list, &(gsize){(gsize)values[i]}, 1);
    assert_true(list->len > 0);
    return list;
}

static char *unpack(const GlintSafetensors *file, const char *name)
{
    char *folder = temporary_folder();
    g_autofree char *config = g_build_filename(folder, "config.json", NULL), *weights = g_build_filename(folder, "model.safetensors", NULL);
    const char *text = glint_safetensors_metadata(file, name);
    assert_non_null(text);
    assert_true(g_file_set_contents(config, text, -1, NULL));
    g_autofree char *front = g_strdup_printf("%s|weights|", name);
    GlintSafetensorsWriter *writer = glint_safetensors_writer_new(weights);
    for (gsize i = 0; i < glint_safetensors_count(file); i++) {
        const GlintTensor *tensor = glint_safetensors_at(file, i);
        if (g_str_has_prefix(tensor->name, front))
            glint_safetensors_writer_add(writer, tensor->name + strlen(front), tensor->type, tensor->n_dims, tensor->shape, tensor->data);
    }
    assert_true(glint_safetensors_writer_close(writer, NULL));
    return folder;
}

static void note(const char *name, const char *what, double error, double limit, double *worst)
{
    *worst = MAX(*worst, error);
    if (!(error <= limit)) /* NaN must fail too */
        fail_msg("%s: %s: error %g, allowed %g", name, what, error, limit);
}

static double largest_difference(const float *a, const float *b, gsize n)
{
    double worst = 0;
    for (gsize i = 0; i < n; i++)
        worst = fmax(worst, isnan(a[i]) ? INFINITY : fabs((double)a[i] - b[i]));
    return worst;
}

static float *forward(GlintModel *model, const GlintBatch *batch, Recorder *recorder, GlintLogits which)
{
    GError *error = NULL;
    float *logits = g_new(float, (which == GLINT_LOGITS_ALL ? batch->start[batch->n_sequences] : batch->n_sequences) * glint_model_info(model)->vocab);
    if (!glint_model_forward(model, batch, recorder ? (GlintTap *)recorder->taps->data : NULL, recorder ? recorder->taps->len : 0, which, logits, &error))
        fail_msg("%s", error->message);
    return logits;
}

/* Logits of the kept positions, [P, V]. */
static float *kept(const Variant *self, const float *logits, gsize vocab)
{
    float *rows = g_new(float, self->at->len * vocab);
    for (guint i = 0; i < self->at->len; i++)
        memcpy(rows + i * vocab, logits + g_array_index(self->at, gsize, i) * vocab, vocab * sizeof *rows);
    return rows;
}

static void check_sites(const Variant *self, const Recorder *recorder, GlintModel *model)
{
    gsize compared = 0, expected_count = 0;
    for (gsize layer = 0; layer < recorder->n_layers; layer++)
        for (int kind = 0; kind < GLINT_SITE_COUNT; kind++) {
            const GlintSite site = {(GlintSiteKind)kind, layer};
            const gsize width = glint_model_site_width(model, site.kind);
            g_autofree char *name = glint_site_name(&site);
            const GlintTensor *golden = part(self, name);
            expected_count += width > 0;
            if (!golden)
                continue;
            const gsize n = self->sites->len * width;
            g_autofree float *expected = floats(golden), *found = g_new(float, n);
            assert_true(golden->n >= n && golden->n % width == 0);
            for (guint i = 0; i < self->sites->len; i++)
                memcpy(found + i * width, recorder_rows(recorder, site.kind, layer) + g_array_index(self->sites, gsize, i) * width, width * sizeof *found);
            note(self->name, name, relative_error(found, expected, n), SITES, &worst_site);
            compared++;
        }
    assert_int_equal(compared, expected_count);
}

/* The beginnings of the text that end at the kept positions, side by side in one batch. */
static void check_beginnings(const Variant *self, GlintModel *model, const float *expected)
{
    const gsize vocab = glint_model_info(model)->vocab, count = self->at->len;
    g_autofree gsize *start = g_new0(gsize, count + 1);
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (gsize i = 0; i < count; i++) {
        const gsize length = g_array_index(self->at, gsize, i) + 1;
        start[i + 1] = start[i] + length;
        g_array_append_vals(tokens, self->ids, (guint)length);
    }
    const GlintBatch batch = {(const guint32 *)(const void *)tokens->data, start, count};
    g_autofree float *logits = forward(model, &batch, NULL, GLINT_LOGITS_LAST);
    note(self->name, "logits of the beginnings", largest_difference(logits, expected, count * vocab), LOGITS, &worst_logit);
}

static void check_f32(const Variant *self)
{
    g_autoptr(GlintModel) model = open_model(self->folder, GLINT_DTYPE_F32, 0);
    const gsize vocab = glint_model_info(model)->vocab, start[] = {0, self->n};
    g_autoptr(Recorder) recorder = recorder_new(model);
    g_autofree float *logits = forward(model, &(GlintBatch){self->ids, start, 1}, recorder, GLINT_LOGITS_ALL);
    g_autofree float *found = kept(self, logits, vocab), *expected = floats(part(self, "logits"));
    assert_true(part(self, "logits")->n >= self->at->len * vocab);
    note(self->name, "logits", largest_difference(found, expected, self->at->len * vocab), LOGITS, &worst_logit);
    check_sites(self, recorder, model);
    check_beginnings(self, model, expected);
}

static void check_bf16(const Variant *self)
{
    const GlintTensor *theirs = part(self, "logits_bf16");
    GError *refused = NULL;
    const GlintModelOptions options = {GLINT_DTYPE_BF16, 0};
    g_autoptr(GlintModel) model = theirs ? glint_model_open(self->folder, &options, &refused) : NULL;
    if (!model) { /* an F32 checkpoint, or a processor that cannot, and says so */
        assert_true(!refused || strstr(refused->message, "bf16"));
        g_clear_error(&refused);
        return;
    }
    const gsize vocab = glint_model_info(model)->vocab, n = self->at->len * vocab, start[] = {0, self->n};
    g_autofree float *logits = forward(model, &(GlintBatch){self->ids, start, 1}, NULL, GLINT_LOGITS_ALL);
    g_autofree float *found = kept(self, logits, vocab), *exact = floats(part(self, "logits")), *other = floats(theirs);
    const double ours = relative_error(found, exact, n);
    print_message("  %-24s bf16: %.4f from the exact logits, transformers %.4f\n", self->name, ours, relative_error(other, exact, n));
    note(self->name, "logits in bf16", ours / relative_error(other, exact, n), AS_GOOD, &worst_bf16);
    assert_true(ours > 1e-6); /* it did compute in bf16 */
}

static void check_variant(const GlintSafetensors *file, const char *name)
{
    Variant self = {.file = file, .name = name, .folder = unpack(file, name)};
    const GlintTensor *ids = glint_safetensors_find(file, "ids");
    g_autofree float *values = floats(ids);
    g_autofree guint32 *tokens = g_new(guint32, ids->n);
    for (gsize i = 0; i < ids->n; i++)
        tokens[i] = (guint32)values[i];
    self.ids = tokens;
    self.n = MIN(ids->n, (gsize)MOST_TOKENS);
    self.at = positions(part(&self, "positions"));
    self.sites = positions(part(&self, "sites"));
    check_f32(&self);
    check_bf16(&self);
    g_array_unref(self.at);
    g_array_unref(self.sites);
    remove_folder(self.folder);
    g_free(self.folder);
}

static void check_file(const char *path)
{
    GError *error = NULL;
    g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, &error);
    if (!file)
        fail_msg("%s", error->message);
    gsize n = 0;
    for (gsize i = 0; i < glint_safetensors_count(file); i++) {
        const char *name = glint_safetensors_at(file, i)->name;
        if (!g_str_has_suffix(name, "|positions"))
            continue;
        g_autofree char *variant = g_strndup(name, strlen(name) - strlen("|positions"));
        check_variant(file, variant);
        n++;
    }
    assert_true(n > 0);
    print_message("%s: %zu models; so far at most %.1e off in the logits, %.1e in a site, %.2f times transformers' error in bf16\n", path, n, worst_logit,
                  worst_site, worst_bf16);
}

static void test_family(void **state)
{
    g_autofree char *name = g_strdup_printf("%s.safetensors", (const char *)*state), *folder = data_folder("families"), *path = g_build_filename(folder, name, NULL);
    GStatBuf about;
    assert_int_equal(g_stat(path, &about), 0);
    assert_true(about.st_size < 300000);
    check_file(path);
}

static void test_file(void **state) { check_file(*state); }

int main(int argc, char **argv)
{
    const gsize n = argc > 1 ? (gsize)argc - 1 : G_N_ELEMENTS(families);
    g_autofree struct CMUnitTest *tests = g_new0(struct CMUnitTest, n);
    for (gsize i = 0; i < n; i++) {
        char *name = argc > 1 ? argv[i + 1] : (char *)families[i];
        tests[i] = (struct CMUnitTest){name, argc > 1 ? test_file : test_family, NULL, NULL, name};
    }
    return _cmocka_run_group_tests("families", tests, n, NULL, NULL);
}
