/* glint's own engine as the one that writes, with the demo model: it cannot write what it is asked for, but its answers have the form that is
 * promised, depend on seed and round alone, and are judged like anybody's. */
#include "base/scratch.h"
#include "base/talk.h"
#include "synth/ask.h"
#include "synth/own_model.h"

static GlintOwnModel *open_demo(guint64 seed)
{
    g_autoptr(GError) error = NULL;
    GlintOwnModelOptions options = {.dtype = GLINT_DTYPE_F32, .temperature = 1, .seed = seed, .max_new_tokens = 12};
    GlintOwnModel *model = glint_own_model_open(GLINT_SOURCE_DIR "/data/demo/model", &options, &error);
    expect_ok(model != NULL, error);
    return model;
}

static void ask_two(GlintOwnModel *model, char **answers)
{
    const GlintQuestion questions[] = {{"You write.", "Write about tea.", NULL}, {"You write.", "Write about rain.", NULL}};
    GlintAnswerer answerer = glint_own_model_answerer(model);
    g_autoptr(GError) error = NULL;
    gboolean ok = answerer.ask(answerer.self, questions, 2, answers, &error);
    expect_ok(ok, error);
}

static void test_answers(void **state)
{
    (void)state;
    g_autoptr(GlintOwnModel) model = open_demo(1), same = open_demo(1);
    char *first[2], *again[2], *second_round[2];
    ask_two(model, first);
    ask_two(same, again);
    ask_two(model, second_round);
    for (guint k = 0; k < 2; k++) {
        assert_true(g_str_has_prefix(first[k], "{\"sets\": [{\"a\": \""));
        assert_true(strlen(first[k]) > strlen("{\"sets\": [{\"a\": \""));
        assert_string_equal(first[k], again[k]);
        assert_string_not_equal(first[k], second_round[k]);
    }
    for (guint k = 0; k < 2; k++) {
        g_free(first[k]);
        g_free(again[k]);
        g_free(second_round[k]);
    }
}

static void test_too_little(void **state)
{
    (void)state;
    static const char *const labels[] = {"tea", "rain"}, *const concepts[] = {"a text about tea", "a text about rain"};
    GlintSynthTask task = {"tea", labels, concepts, 2};
    GlintAskOptions options = {.n = 1, .seed = 1};
    g_autoptr(GlintOwnModel) model = open_demo(2);
    GlintAnswerer answerer = glint_own_model_answerer(model);
    g_autoptr(GError) error = NULL;
    assert_null(glint_synth_ask(&task, &options, &answerer, &error));
    expect_error(&error, GLINT_ERROR_DATA, "it takes an instruction model");
    GlintOwnModelOptions settings = {.max_new_tokens = 4};
    assert_null(glint_own_model_open(GLINT_SOURCE_DIR "/data", &settings, &error));
    assert_non_null(error);
}

int main(void)
{
    glint_talk_set_quiet(TRUE);
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_answers), cmocka_unit_test(test_too_little)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
