/* Steering while a model writes, over its cache, against whole texts run anew for every token. */
#include "model/generate.h"
#include "model/support.h"
#include "steer/operator.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { PROMPTS = 3, NEW = 10, N = 4 };
static const guint32 prompt[PROMPTS][5] = {{1, 17, 33, 5, 80}, {1, 61}, {1, 9, 44}};
static const gsize prompt_length[PROMPTS] = {5, 2, 3};
static const gsize columns[N] = {0, 3, 11, 20};
static const double constants[N] = {4, -3, 5, 2};

static GlintSteerOperator *operator_new(GlintSteerKind kind)
{
    GlintSteerOperator *self = g_new0(GlintSteerOperator, 1);
    *self = (GlintSteerOperator){.kind = kind, .site = {GLINT_SITE_MLP_POST, 1}, .n = N, .column = g_memdup2(columns, sizeof columns), .constant = g_memdup2(constants, sizeof constants),
                                 .centre = kind == GLINT_STEER_CLAMP ? g_new0(double, N) : NULL};
    return self;
}

/* The text's next tokens, greedy, with no cache: `skip` counts from the first token of the text. */
static void write_anew(GlintModel *model, const GlintSteerOperator *operator, double strength, gsize skip, gsize text, guint32 *written)
{
    const gsize vocab = glint_model_info(model)->vocab;
    guint32 tokens[5 + NEW];
    gsize n = prompt_length[text];
    memcpy(tokens, prompt[text], n * sizeof *tokens);
    g_autofree float *logits = g_new(float, vocab);
    GlintSteering steering = {.operator = operator, .strength = strength, .skip = skip};
    const GlintTap tap = glint_steering_tap(&steering);
    for (gsize k = 0; k < NEW; k++, n++) {
        const gsize start[2] = {0, n};
        const GlintBatch batch = {tokens, start, 1};
        GError *error = NULL;
        gsize top = 0;
        assert_true(glint_model_forward(model, &batch, &tap, 1, GLINT_LOGITS_LAST, logits, &error));
        for (gsize v = 1; v < vocab; v++)
            top = logits[v] > logits[top] ? v : top;
        tokens[n] = written[k] = (guint32)top;
    }
}

static gboolean note_past(const GlintGenerateStep *step, gpointer user_data, GError **error)
{
    (void)error;
    ((GlintSteering *)user_data)->past = step->past;
    return TRUE;
}

static void compare(GlintModel *model, GlintSteerKind kind, double strength, gsize skip, gsize *changed)
{
    GError *error = NULL;
    g_autoptr(GlintSteerOperator) operator = operator_new(kind);
    GlintSteering steering = {.operator = operator, .strength = strength, .skip = skip};
    const GlintTap tap = glint_steering_tap(&steering);
    GlintGenerateSettings settings;
    GlintPrompt prompts[PROMPTS];
    glint_generate_settings_init(&settings);
    settings.max_new_tokens = NEW;
    settings.temperature = 0;
    settings.taps = &tap;
    settings.n_taps = 1;
    settings.on_step = note_past;
    settings.user_data = &steering;
    settings.batch_size = 2; /* fewer than the texts: a slot is used again, and its past begins anew */
    for (gsize k = 0; k < PROMPTS; k++)
        prompts[k] = (GlintPrompt){prompt[k], prompt_length[k]};
    g_autoptr(GlintGeneration) generation = glint_generate(model, NULL, prompts, PROMPTS, &settings, &error);
    assert_non_null(generation);
    for (gsize k = 0; k < PROMPTS; k++) {
        guint32 steered[NEW], plain[NEW];
        write_anew(model, operator, strength, skip, k, steered);
        write_anew(model, operator, 0, skip, k, plain);
        assert_int_equal(generation->texts[k].tokens->len, NEW);
        assert_memory_equal(generation->texts[k].tokens->data, steered, sizeof steered);
        *changed += memcmp(steered, plain, sizeof plain) != 0;
    }
}

static void test_generation_is_steered_like_whole_texts(void **state)
{
    (void)state;
    g_autofree char *folder = data_folder("mistral_v4_f32");
    g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_F32, 1);
    static const GlintSteerKind kinds[] = {GLINT_STEER_SHIFT, GLINT_STEER_CLAMP};
    static const gsize skips[] = {0, 1, 4, 8};
    for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++)
        for (gsize s = 0; s < G_N_ELEMENTS(skips); s++) {
            gsize changed = 0;
            compare(model, kinds[k], 3, skips[s], &changed);
            assert_true(changed > 0); /* else the comparison proves nothing */
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_generation_is_steered_like_whole_texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
