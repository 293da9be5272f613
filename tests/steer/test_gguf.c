/* Directions against plain loops over the weights, with and without a norm behind the MLP; the file byte by byte. */
#include "base/error.h"
#include "base/safetensors.h"
#include "model/support.h"
#include "steer/gguf.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { LAYER = 1, N = 3, SKIP = 1 };
static const gsize columns[N] = {1, 4, 19};
static const double constants[N] = {0.5, -1.25, 2};
static const double strength = 0.75;

/* Two texts, of different lengths. */
static GlintSteerTexts *texts_new(void)
{
    GlintSteerTexts *texts = glint_steer_texts_new();
    glint_steer_texts_add(texts, (const guint32[]){2, 17, 33, 5, 80, 41}, 6);
    glint_steer_texts_add(texts, (const guint32[]){2, 61, 12, 7}, 4);
    return texts;
}

static GlintSteerOperator *operator_new(GlintSteerKind kind)
{
    GlintSteerOperator *operator = g_new0(GlintSteerOperator, 1);
    *operator = (GlintSteerOperator){.kind = kind, .site = {GLINT_SITE_MLP_POST, LAYER}, .n = N, .column = g_memdup2(columns, sizeof columns),
                                     .constant = kind == GLINT_STEER_SHIFT ? g_memdup2(constants, sizeof constants) : g_new0(double, N), .factor = kind == GLINT_STEER_SCALE};
    return operator;
}

typedef struct { GlintModel *model; double *down, *post_norm; gsize H, F; } Network;

static double *tensor_of(const GlintSafetensors *file, const char *name)
{
    const GlintTensor *tensor = glint_safetensors_find(file, name);
    assert_non_null(tensor);
    double *values = g_new(double, tensor->n);
    glint_tensor_to_f64(tensor, 0, tensor->n, values);
    return values;
}

static Network network_open(const char *name, gboolean post_norm)
{
    GError *error = NULL;
    g_autofree char *folder = data_folder(name), *path = g_build_filename(folder, "model.safetensors", NULL);
    g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, &error);
    assert_non_null(file);
    Network self = {.model = open_model(folder, GLINT_DTYPE_F32, 1), .down = tensor_of(file, "model.layers.1.mlp.down_proj.weight")};
    self.H = glint_model_info(self.model)->hidden;
    self.F = glint_model_info(self.model)->mlp_width;
    self.post_norm = post_norm ? tensor_of(file, "model.layers.1.post_feedforward_layernorm.weight") : NULL;
    return self;
}

static void network_close(Network *self)
{
    glint_model_free(self->model);
    g_free(self->down);
    g_free(self->post_norm);
}

/* What the neurons h write into the residual: W_down h, behind Gemma 3's norm, x / rms(x) (1 + w). */
static void written(const Network *self, const double *h, double *out)
{
    double squares = 0;
    for (gsize i = 0; i < self->H; i++) {
        out[i] = 0;
        for (gsize j = 0; j < self->F; j++)
            out[i] += self->down[i * self->F + j] * h[j];
        squares += out[i] * out[i];
    }
    for (gsize i = 0; self->post_norm && i < self->H; i++)
        out[i] *= (1 + self->post_norm[i]) / sqrt(squares / (double)self->H + 1e-6);
}

/* Mean change over the positions behind the first of each text, and how much of the change it is. */
static void plain_direction(const Network *self, GlintSteerKind kind, double *direction, double *explained)
{
    const guint32 tokens[2][6] = {{2, 17, 33, 5, 80, 41}, {2, 61, 12, 7}};
    const gsize length[2] = {6, 4};
    g_autofree double *h = g_new(double, self->F), *before = g_new(double, self->H), *after = g_new(double, self->H);
    double squares = 0, mean = 0;
    memset(direction, 0, self->H * sizeof *direction);
    for (gsize text = 0; text < 2; text++) {
        g_autoptr(Recorder) recorder = recorder_new(self->model);
        g_autofree float *logits = run_one(self->model, tokens[text], length[text], recorder);
        assert_non_null(logits);
        const float *rows = recorder_rows(recorder, GLINT_SITE_MLP_POST, LAYER);
        for (gsize t = SKIP; t < length[text]; t++) {
            for (gsize j = 0; j < self->F; j++)
                h[j] = (double)rows[t * self->F + j];
            written(self, h, before);
            for (gsize k = 0; k < N; k++)
                h[columns[k]] += strength * (kind == GLINT_STEER_SCALE ? h[columns[k]] : constants[k]);
            written(self, h, after);
            for (gsize i = 0; i < self->H; i++) {
                direction[i] += (after[i] - before[i]) / 8;
                squares += (after[i] - before[i]) * (after[i] - before[i]) / 8;
            }
        }
    }
    for (gsize i = 0; i < self->H; i++)
        mean += direction[i] * direction[i];
    *explained = mean / squares;
}

static void compare(const char *name, gboolean post_norm, GlintSteerKind kind)
{
    GError *error = NULL;
    Network network = network_open(name, post_norm);
    g_autofree double *expected = g_new(double, network.H);
    g_autoptr(GlintSteerOperator) operator = operator_new(kind);
    g_autoptr(GlintSteerTexts) texts = texts_new();
    g_autoptr(GlintSteerDirection) direction = glint_steer_direction(network.model, operator, strength, texts, SKIP, &error);
    double explained, apart = 0, length = 0;
    assert_non_null(direction);
    plain_direction(&network, kind, expected, &explained);
    assert_true(direction->layer == LAYER && direction->n == network.H && direction->positions == 8 && direction->strength == strength);
    for (gsize i = 0; i < network.H; i++) {
        apart += (direction->values[i] - expected[i]) * (direction->values[i] - expected[i]);
        length += expected[i] * expected[i];
    }
    assert_true(sqrt(apart / length) < 1e-5);
    assert_true(fabs(direction->explained - explained) < 1e-5);
    if (kind == GLINT_STEER_SHIFT && !post_norm) { /* W_down times the constant: no text needed */
        for (gsize i = 0; i < network.H; i++) {
            double sum = 0;
            for (gsize k = 0; k < N; k++)
                sum += strength * network.down[i * network.F + columns[k]] * constants[k];
            assert_true(fabs(direction->values[i] - sum) < 1e-5 * sqrt(length));
        }
        assert_true(direction->explained > 1 - 1e-9);
    } else
        assert_true(direction->explained < 0.999);
    network_close(&network);
}

static void test_a_shift_without_post_norm_is_exact(void **state) { (void)state; compare("mistral_v4_f32", FALSE, GLINT_STEER_SHIFT); }
static void test_a_shift_behind_a_post_norm_is_the_mean_change(void **state) { (void)state; compare("gemma3_v4_f32", TRUE, GLINT_STEER_SHIFT); }
static void test_scaling_is_the_mean_change(void **state) { (void)state; compare("mistral_v4_f32", FALSE, GLINT_STEER_SCALE); }

static void test_no_change_is_an_error(void **state)
{
    (void)state;
    GError *error = NULL;
    Network network = network_open("mistral_v4_f32", FALSE);
    g_autoptr(GlintSteerOperator) operator = operator_new(GLINT_STEER_SHIFT);
    g_autoptr(GlintSteerTexts) texts = texts_new(), none = glint_steer_texts_new();
    assert_null(glint_steer_direction(network.model, operator, 0, texts, SKIP, &error));
    assert_non_null(strstr(error->message, "changes nothing"));
    g_clear_error(&error);
    assert_null(glint_steer_direction(network.model, operator, 1, none, SKIP, &error));
    assert_non_null(error);
    g_clear_error(&error);
    network_close(&network);
}

/* ---- the file, read by a reader of this test's own ---- */

typedef struct { const guint8 *at, *begin, *end; } Reader;

static guint64 take(Reader *self, gsize bytes)
{
    guint64 value = 0;
    assert_true(bytes <= (gsize)(self->end - self->at));
    for (gsize k = 0; k < bytes; k++)
        value |= (guint64)self->at[k] << (8 * k);
    self->at += bytes;
    return value;
}

static void takes_string(Reader *self, const char *text)
{
    assert_int_equal(take(self, 8), strlen(text));
    assert_true((gsize)(self->end - self->at) >= strlen(text));
    assert_memory_equal(self->at, text, strlen(text));
    self->at += strlen(text);
}

static void takes_text(Reader *self, const char *key, const char *value)
{
    takes_string(self, key);
    assert_int_equal(take(self, 4), 8); /* string */
    takes_string(self, value);
}

static void test_the_file_byte_by_byte(void **state)
{
    (void)state;
    GError *error = NULL;
    double values[] = {1.5, -0.1, 1e-30, 0, 3e5};
    const GlintSteerDirection direction = {.layer = 11, .n = 5, .strength = 2, .values = values, .positions = 7, .explained = 1};
    const GlintGgufNote notes[] = {{"towards", "pos\xff", 0}, {"strength", NULL, -0.3}, {NULL, NULL, 0}};
    g_autofree char *folder = temporary_folder(), *path = g_build_filename(folder, "v.gguf", NULL), *bytes = NULL;
    gsize length;
    assert_true(glint_steer_direction_write(&direction, "llama", notes, path, &error));
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    Reader reader = {(const guint8 *)bytes, (const guint8 *)bytes, (const guint8 *)bytes + length};
    assert_memory_equal(bytes, "GGUF", 4);
    reader.at += 4;
    assert_int_equal(take(&reader, 4), 3);
    assert_int_equal(take(&reader, 8), 1);
    assert_int_equal(take(&reader, 8), 5);
    takes_text(&reader, "general.architecture", "controlvector");
    takes_text(&reader, "controlvector.model_hint", "llama");
    takes_string(&reader, "controlvector.layer_count");
    assert_int_equal(take(&reader, 4), 5); /* i32 */
    assert_int_equal(take(&reader, 4), 1);
    takes_text(&reader, "glint.towards", "pos\xef\xbf\xbd");
    takes_string(&reader, "glint.strength");
    assert_int_equal(take(&reader, 4), 12); /* f64 */
    const guint64 bits = take(&reader, 8);
    double number;
    memcpy(&number, &bits, sizeof number);
    assert_true(number == -0.3);
    takes_string(&reader, "direction.11");
    assert_int_equal(take(&reader, 4), 1); /* dimensions */
    assert_int_equal(take(&reader, 8), 5);
    assert_int_equal(take(&reader, 4), 0); /* F32 */
    assert_int_equal(take(&reader, 8), 0); /* offset */
    while ((reader.at - reader.begin) % 32)
        assert_int_equal(take(&reader, 1), 0);
    for (gsize i = 0; i < 5; i++) {
        const guint32 word = (guint32)take(&reader, 4);
        float value;
        memcpy(&value, &word, sizeof value);
        assert_true(value == (float)values[i]);
    }
    while ((reader.at - reader.begin) % 32)
        assert_int_equal(take(&reader, 1), 0);
    assert_true(reader.at == reader.end);
    remove_folder(folder);
}

static void test_layer_0_is_refused(void **state)
{
    (void)state;
    GError *error = NULL;
    double values[] = {1};
    const GlintSteerDirection direction = {.layer = 0, .n = 1, .values = values};
    g_autofree char *folder = temporary_folder(), *path = g_build_filename(folder, "v.gguf", NULL);
    assert_false(glint_steer_direction_write(&direction, "llama", NULL, path, &error));
    assert_non_null(strstr(error->message, "direction.0"));
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    g_clear_error(&error);
    remove_folder(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_shift_without_post_norm_is_exact), cmocka_unit_test(test_a_shift_behind_a_post_norm_is_the_mean_change),
        cmocka_unit_test(test_scaling_is_the_mean_change), cmocka_unit_test(test_no_change_is_an_error),
        cmocka_unit_test(test_the_file_byte_by_byte), cmocka_unit_test(test_layer_0_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
