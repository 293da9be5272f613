/* JSON: strict reading with places named, getters that tell absent from wrong, and numbers that survive writing. */
#include "base/scratch.h"

#include <math.h>

static json_t *read_text(void **state, const char *text, GError **error)
{
    g_autofree char *path = g_build_filename(*state, "a.json", NULL);
    put_file(path, text, strlen(text));
    return glint_json_read(path, error);
}

static void test_bad_json_is_placed(void **state)
{
    static const struct {
        const char *text, *part;
    } cases[] = {
        {"{\n  \"a\": 1,\n  \"b\" 2\n}", "a.json:3:"}, {"{\"a\": 1, \"a\": 2}", "duplicate"}, {"{\"a\": NaN}", "not valid JSON"},
        {"{\"a\": \"\xff\"}", "byte 0xff"},                {"{} {}", "end of file"},              {"[1e999]", "overflow"},
        {"\xef\xbb\xbf{}", "not valid JSON"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        assert_null(read_text(state, cases[i].text, &error));
        expect_error(&error, GLINT_ERROR_FORMAT, cases[i].part);
    }
    GError *error = NULL;
    g_autofree char *deep = g_strnfill(100000, '[');
    assert_null(read_text(state, deep, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "not valid JSON");
}

static void test_getters(void **state)
{
    GError *error = NULL;
    g_autoptr(json_t) o = read_text(state, "{\"i\": 3, \"r\": 0.5, \"whole\": 4.0, \"b\": true, \"s\": \"x\", \"n\": null}", &error);
    expect_ok(o != NULL, error);
    assert_int_equal(glint_json_int(o, "i", 9, &error), 3);
    assert_int_equal(glint_json_int(o, "whole", 9, &error), 4);
    assert_int_equal(glint_json_int(o, "absent", 9, &error), 9);
    assert_int_equal(glint_json_int(o, "n", 9, &error), 9);
    assert_true(glint_json_real(o, "r", 9, &error) == 0.5);
    assert_true(glint_json_real(o, "i", 9, &error) == 3);
    assert_true(glint_json_real(o, "n", 9, &error) == 9);
    assert_true(glint_json_bool(o, "b", FALSE, &error));
    assert_true(glint_json_bool(o, "absent", TRUE, &error));
    assert_string_equal(glint_json_string(o, "s", "y", &error), "x");
    assert_string_equal(glint_json_string(o, "absent", "y", &error), "y");
    assert_null(error);
}

static void test_getters_report_the_first_wrong_type(void **state)
{
    GError *error = NULL;
    g_autoptr(json_t) o = read_text(state, "{\"i\": \"3\", \"r\": [1], \"f\": 0.5, \"s\": 1}", &error);
    assert_int_equal(glint_json_int(o, "i", 9, &error), 9);
    assert_true(glint_json_real(o, "r", 9, &error) == 9);
    expect_error(&error, GLINT_ERROR_FORMAT, "key \"i\" holds a string, an integer was expected");
    glint_json_int(o, "f", 9, &error);
    expect_error(&error, GLINT_ERROR_FORMAT, "key \"f\" holds a real number");
    glint_json_bool(o, "s", FALSE, &error);
    expect_error(&error, GLINT_ERROR_FORMAT, "true or false was expected");
    glint_json_string(o, "s", "", &error);
    expect_error(&error, GLINT_ERROR_FORMAT, "a string was expected");
    g_autoptr(json_t) list = json_array();
    glint_json_string(list, "s", "", &error);
    expect_error(&error, GLINT_ERROR_FORMAT, "an object was expected");
    assert_int_equal(glint_json_int(o, "i", 9, NULL), 9);
}

/* tokenizer_config.json of many models says "model_max_length": 1000000000000000019884624838656. */
static void test_huge_integers(void **state)
{
    GError *error = NULL;
    g_autoptr(json_t) o = read_text(state, "{\"model_max_length\": 1000000000000000019884624838656, \"layers\": 18}", &error);
    expect_ok(o != NULL, error);
    assert_true(glint_json_real(o, "model_max_length", 0, &error) == 1000000000000000019884624838656.0);
    assert_int_equal(glint_json_int(o, "layers", 0, &error), 18);
    assert_null(error);
    glint_json_int(o, "model_max_length", 0, &error);
    expect_error(&error, GLINT_ERROR_FORMAT, "an integer was expected");
}

static void test_written_text(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.json", NULL), *text = NULL;
    g_autoptr(json_t) o = json_pack("{s:f, s:i, s:s, s:[i,i], s:[{s:b}], s:{}, s:[], s:n}", "z", 0.1, "a", 2, "quote\"", "\xc3\xa9\n", "list", 1, 2,
                                    "deep", "b", 1, "none", "empty", "null");
    expect_ok(glint_json_write(path, o, &error), error);
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, "{\n  \"z\": 0.1,\n  \"a\": 2,\n  \"quote\\\"\": \"\xc3\xa9\\n\",\n  \"list\": [1, 2],\n  \"deep\": [\n    {\n"
                              "      \"b\": true\n    }\n  ],\n  \"none\": {},\n  \"empty\": [],\n  \"null\": null\n}\n");
    assert_false(glint_json_write("/proc/a.json", o, &error));
    expect_error(&error, GLINT_ERROR_IO, "/proc/a.json");
}

static void test_numbers_round_trip(void **state)
{
    static const double numbers[] = {0,       -0.0,   1,       0.1,     1.0 / 3, 1e300,   5e-324,      1.7976931348623157e308, 123456789.123456789,
                                     1e15,    1e16,   1e17,    2e22,    -1.5,    6.02e23, 0.1 + 0.2, 9007199254740993.0};
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.json", NULL);
    g_autoptr(json_t) list = json_array();
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        json_array_append_new(list, json_real(numbers[i]));
    expect_ok(glint_json_write(path, list, &error), error);
    g_autoptr(json_t) back = glint_json_read(path, &error);
    expect_ok(back != NULL, error);
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++) {
        assert_true(json_is_real(json_array_get(back, i))); /* never turned into an integer */
        double x = json_real_value(json_array_get(back, i));
        assert_memory_equal(&x, &numbers[i], sizeof x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_bad_json_is_placed), scratch_test(test_getters),      scratch_test(test_getters_report_the_first_wrong_type),
        scratch_test(test_huge_integers),      scratch_test(test_written_text), scratch_test(test_numbers_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
