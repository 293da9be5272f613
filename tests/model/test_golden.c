/* Two trained models against float64 numbers that an independent program computed (models/golden): logits, neurons,
 * residuals, the likelihood of the prompt, and 40 tokens of greedy continuation. f32, relative 2-norm error below 1e-5. */
#include "base/files.h"
#include "model/generate.h"
#include "model/support.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static const double LIMIT = 1e-5;

static double *reals(const json_t *array, gsize *n)
{
    *n = json_array_size(array);
    assert_true(*n > 0);
    double *values = g_new(double, *n);
    for (gsize i = 0; i < *n; i++)
        values[i] = json_number_value(json_array_get(array, i));
    return values;
}

static guint32 *ids_of(const json_t *array, gsize *n)
{
    g_autofree double *values = reals(array, n);
    guint32 *ids = g_new(guint32, *n);
    for (gsize i = 0; i < *n; i++)
        ids[i] = (guint32)values[i];
    return ids;
}

static void compare(const char *what, const float *found, const json_t *expected)
{
    gsize n;
    g_autofree double *values = reals(expected, &n);
    expect_close(what, relative_error_f64(found, values, n), LIMIT);
}

static void compare_layers(const Recorder *recorder, GlintSiteKind kind, gsize row, gsize width, const json_t *layers)
{
    assert_int_equal(json_array_size(layers), recorder->n_layers);
    for (gsize l = 0; l < recorder->n_layers; l++) {
        const GlintSite site = {kind, l};
        g_autofree char *name = glint_site_name(&site);
        assert_int_equal(json_array_size(json_array_get(layers, l)), width);
        compare(name, recorder_rows(recorder, kind, l) + row * width, json_array_get(layers, l));
    }
}

static double surprise(const float *logits, gsize vocab, guint32 next)
{
    double top = logits[0], sum = 0;
    for (gsize i = 1; i < vocab; i++)
        top = MAX(top, logits[i]);
    for (gsize i = 0; i < vocab; i++)
        sum += exp(logits[i] - top);
    return log(sum) + top - logits[next];
}

static void check_case(const char *name, int number)
{
    g_autofree char *folder = g_build_filename(GLINT_SHARED_DIR, "models", name, NULL);
    g_autofree char *file = g_strdup_printf("%s/models/golden/%s.%d.json", GLINT_SHARED_DIR, name, number);
    if (!g_file_test(file, G_FILE_TEST_EXISTS)) {
        print_message("%s is not here: skipped\n", file);
        skip();
    }
    g_autoptr(json_t) golden = glint_json_read(file, NULL);
    assert_non_null(golden);
    gsize n, n_greedy;
    g_autofree guint32 *ids = ids_of(json_object_get(golden, "ids"), &n), *greedy = ids_of(json_object_get(golden, "greedy_ids"), &n_greedy);
    g_autoptr(GlintModel) model = open_model(folder, GLINT_DTYPE_F32, 0);
    const GlintModelInfo *info = glint_model_info(model);
    assert_string_equal(info->family, "llama");
    g_autoptr(Recorder) recorder = recorder_new(model);
    g_autofree float *logits = run_one(model, ids, n, recorder);
    compare("logits of the first token", logits, json_object_get(golden, "logits_first_token"));
    compare("logits of the last token", logits + (n - 1) * info->vocab, json_object_get(golden, "logits_last_prompt_token"));
    compare_layers(recorder, GLINT_SITE_MLP_POST, n - 1, info->mlp_width, json_object_get(golden, "mlp_neuron_acts_last_prompt_token"));
    compare_layers(recorder, GLINT_SITE_RESID_MID, n - 1, info->hidden, json_object_get(golden, "resid_mid_last_prompt_token"));
    double nll = 0;
    for (gsize t = 0; t + 1 < n; t++)
        nll += surprise(logits + t * info->vocab, info->vocab, ids[t + 1]);
    const double expected = json_number_value(json_object_get(golden, "nll_sum_prompt"));
    expect_close("likelihood of the prompt", fabs(nll - expected) / expected, LIMIT);

    GlintGenerateSettings settings;
    glint_generate_settings_init(&settings);
    settings.max_new_tokens = n_greedy;
    g_autoptr(GlintGeneration) generation = glint_generate(model, NULL, &(GlintPrompt){ids, n}, 1, &settings, NULL);
    assert_non_null(generation);
    assert_int_equal(generation->texts[0].tokens->len, n_greedy);
    assert_memory_equal(generation->texts[0].tokens->data, greedy, n_greedy * sizeof *greedy);
}

static void test_stories_0(void **state) { (void)state; check_case("stories260K", 0); }
static void test_stories_1(void **state) { (void)state; check_case("stories260K", 1); }
static void test_tinystories_0(void **state) { (void)state; check_case("tinystories-656k", 0); }
static void test_tinystories_1(void **state) { (void)state; check_case("tinystories-656k", 1); }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_stories_0), cmocka_unit_test(test_stories_1), cmocka_unit_test(test_tinystories_0),
                                       cmocka_unit_test(test_tinystories_1)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
