/* Answers of the rows API, true and false ones. */
#include "base/scratch.h"
#include "hub/rows.h"

static const char features[] = "\"features\": [{\"feature_idx\": 0, \"name\": \"text\", \"type\": {\"dtype\": \"string\", \"_type\": \"Value\"}},"
                               "{\"feature_idx\": 1, \"name\": \"label\", \"type\": {\"names\": [\"neg\", \"pos\"], \"_type\": \"ClassLabel\"}},"
                               "{\"feature_idx\": 2, \"name\": \"picture\", \"type\": {\"_type\": \"Image\"}}]";

static json_t *parse(const char *text)
{
    json_t *value = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (!value)
        fail_msg("the test's JSON is wrong: %s", text);
    return value;
}

static GlintSplit *split_of(gint64 n_rows)
{
    g_autofree char *text = g_strdup_printf("{%s, \"num_rows_total\": %" G_GINT64_FORMAT "}", features, n_rows);
    g_autoptr(json_t) answer = parse(text);
    g_autoptr(GError) error = NULL;
    GlintSplit *split = glint_split_parse(answer, "org/name", "default", "train", "where", &error);
    expect_ok(split != NULL, error);
    return split;
}

static void test_rows_become_lines(void **state)
{
    (void)state;
    g_autoptr(GlintSplit) split = split_of(103);
    g_autoptr(json_t) answer = parse("{\"num_rows_total\": 103, \"rows\": ["
                                     "{\"row_idx\": 100, \"row\": {\"text\": \"a\\n\\\"b\\\"\", \"label\": 1, \"picture\": {\"src\": \"x\"}}, "
                                     "\"truncated_cells\": []},"
                                     "{\"row_idx\": 101, \"row\": {\"text\": \"ü\", \"label\": -1}, \"truncated_cells\": [\"picture\"]},"
                                     "{\"row_idx\": 102, \"row\": {\"text\": \"half a te\", \"label\": 0}, \"truncated_cells\": [\"text\"]}]}");
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    guint64 cut = 0;
    gboolean ok = glint_rows_parse(split, answer, 100, 100, "where", lines, &cut, &error);
    expect_ok(ok, error);
    assert_int_equal(lines->len, 3);
    assert_string_equal(g_ptr_array_index(lines, 0), "{\"text\":\"a\\n\\\"b\\\"\",\"label\":\"pos\",\"id\":\"train/100\"}");
    assert_string_equal(g_ptr_array_index(lines, 1), "{\"text\":\"ü\",\"label\":null,\"id\":\"train/101\"}");
    assert_string_equal(g_ptr_array_index(lines, 2), "{\"id\":\"train/102\"}");
    assert_int_equal(cut, 1);
}

static void test_false_answers(void **state)
{
    (void)state;
    static const struct { const char *answer, *part; GlintErrorCode code; } cases[] = {
        {"{\"num_rows_total\": 2}", "a list \"rows\" was expected", GLINT_ERROR_FORMAT},
        {"{\"num_rows_total\": 2, \"rows\": {}}", "a list \"rows\" was expected", GLINT_ERROR_FORMAT},
        {"{\"num_rows_total\": 3, \"rows\": []}", "changed, fetch it afresh", GLINT_ERROR_DATA},
        {"{\"rows\": []}", "changed, fetch it afresh", GLINT_ERROR_DATA},
        {"{\"num_rows_total\": 2, \"rows\": []}", "0 rows came, 2 were asked for", GLINT_ERROR_FORMAT},
        {"{\"num_rows_total\": 2, \"rows\": [{\"row_idx\": 0, \"row\": {\"text\": \"a\", \"label\": 0}}, {\"row_idx\": 0, \"row\": {\"text\": \"a\", "
         "\"label\": 0}}]}", "row 1 was expected", GLINT_ERROR_FORMAT},
        {"{\"num_rows_total\": 2, \"rows\": [{\"row_idx\": 0, \"row\": []}, 7]}", "row 0 was expected", GLINT_ERROR_FORMAT},
        {"{\"num_rows_total\": 2, \"rows\": [{\"row_idx\": 0, \"row\": {\"text\": 5, \"label\": 0}}, 7]}",
         "row train/0: the value of column \"text\"", GLINT_ERROR_FORMAT},
        {"{\"num_rows_total\": 2, \"rows\": [{\"row_idx\": 0, \"row\": {\"text\": \"a\", \"label\": 2}}, 7]}",
         "column \"label\" is not of its type ClassLabel", GLINT_ERROR_FORMAT},
        {"{\"num_rows_total\": 2, \"rows\": [{\"row_idx\": 0, \"row\": {\"text\": \"a\", \"label\": \"pos\"}}, 7]}", "column \"label\"",
         GLINT_ERROR_FORMAT},
    };
    g_autoptr(GlintSplit) split = split_of(2);
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        g_autoptr(json_t) answer = parse(cases[k].answer);
        g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
        g_autoptr(GError) error = NULL;
        guint64 cut = 0;
        assert_false(glint_rows_parse(split, answer, 0, 100, "where", lines, &cut, &error));
        expect_error(&error, cases[k].code, cases[k].part);
    }
    static const char *const wrong[] = {"{}", "{\"features\": 1, \"num_rows_total\": 1}", "{\"features\": [], \"num_rows_total\": -4}",
                                        "{\"features\": [], \"num_rows_total\": \"9\"}",
                                        "{\"features\": [{\"name\": \"x\"}], \"num_rows_total\": 1}",
                                            "{\"features\": [{\"type\": {}}], \"num_rows_total\": 1}", "{\"features\": [7], \"num_rows_total\": 1}"};
    for (gsize k = 0; k < G_N_ELEMENTS(wrong); k++) {
        g_autoptr(json_t) answer = parse(wrong[k]);
        g_autoptr(GError) error = NULL;
        assert_null(glint_split_parse(answer, "org/name", "default", "train", "where", &error));
        expect_error(&error, GLINT_ERROR_FORMAT, "where: ");
    }
}

/* A ClassLabel without names is a number. */
static void test_missing_class_names(void **state)
{
    (void)state;
    g_autoptr(json_t) answer = parse("{\"features\": [{\"name\": \"label\", \"type\": {\"_type\": \"ClassLabel\"}}], \"num_rows_total\": 1, \"rows\": "
                                     "[{\"row_idx\": 0, \"row\": {\"label\": 3}}]}");
    g_autoptr(GlintSplit) split = glint_split_parse(answer, "org/name", "default", "train", "where", NULL);
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    guint64 cut = 0;
    assert_non_null(split);
    assert_true(glint_rows_parse(split, answer, 0, 100, "where", lines, &cut, NULL));
    assert_string_equal(g_ptr_array_index(lines, 0), "{\"label\":3,\"id\":\"train/0\"}");
}

/* `what`: "config|split" to be chosen, or part of the error. */
static void check_choice(const char *splits, const char *first, const char *second, const char *what, gboolean good)
{
    g_autofree char *text = g_strdup_printf("{\"splits\": [%s]}", splits);
    g_autoptr(json_t) answer = parse(text);
    g_autofree char *config = NULL, *split = NULL, *one = g_strdup(first), *two = g_strdup(second);
    char *const parts[2] = {one, two};
    g_autoptr(GError) error = NULL;
    gboolean ok = glint_splits_choose(answer, "org/name", parts, &config, &split, &error);
    if (!good) {
        assert_false(ok);
        expect_error(&error, GLINT_ERROR_DATA, what);
        return;
    }
    expect_ok(ok, error);
    g_autofree char *got = g_strdup_printf("%s|%s", config, split);
    assert_string_equal(got, what);
}

static void test_choice_of_split(void **state)
{
    (void)state;
    const char *one = "{\"config\": \"plain_text\", \"split\": \"train\"}, {\"config\": \"plain_text\", \"split\": \"test\"}";
    const char *two = "{\"config\": \"sst2\", \"split\": \"train\"}, {\"config\": \"cola\", \"split\": \"train\"}, {\"config\": \"cola\", \"split\": "
                      "\"validation\"}";
    const char *with_default = "{\"config\": \"other\", \"split\": \"test\"}, {\"config\": \"default\", \"split\": \"test\"}";
    const char *no_train = "{\"config\": \"a\", \"split\": \"dev\"}, {\"config\": \"a\", \"split\": \"test\"}";
    check_choice(one, NULL, NULL, "plain_text|train", TRUE);
    check_choice(one, "test", NULL, "plain_text|test", TRUE);
    check_choice(one, "plain_text", "test", "plain_text|test", TRUE);
    check_choice(one, "dev", NULL, "no split \"dev\"; it has: train, test", FALSE);
    check_choice(one, "x", "test", "no configuration \"x\"; it has: plain_text", FALSE);
    check_choice(two, NULL, NULL, "several configurations; choose one, as in org/name:sst2, among: sst2, cola", FALSE);
    check_choice(two, "cola", NULL, "cola|train", TRUE);
    check_choice(two, "cola", "validation", "cola|validation", TRUE);
    check_choice(two, "sst2", "validation", "no split \"validation\"; it has: train", FALSE);
    check_choice(with_default, NULL, NULL, "default|test", TRUE);
    check_choice(no_train, NULL, NULL, "several splits", FALSE);
    check_choice("", NULL, NULL, "names no splits", FALSE);
    check_choice("{\"config\": \"a\"}", NULL, NULL, "no splits of the data set org/name, configuration a", FALSE);
    check_choice("7, {\"config\": 3}", NULL, NULL, "names no splits", FALSE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows_become_lines), cmocka_unit_test(test_false_answers),
                                       cmocka_unit_test(test_missing_class_names), cmocka_unit_test(test_choice_of_split)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
