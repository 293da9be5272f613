/* Exit codes, and messages made safe to print. */
#include "base/scratch.h"

#include <errno.h>

static int code_of(GQuark domain, int code)
{
    g_autoptr(GError) error = g_error_new_literal(domain, code, "x");
    return glint_exit_code(error);
}

static void test_exit_codes(void **state)
{
    (void)state;
    assert_int_equal(glint_exit_code(NULL), 0);
    assert_int_equal(code_of(GLINT_ERROR, GLINT_ERROR_USAGE), 2);
    assert_int_equal(code_of(G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION), 2);
    assert_int_equal(code_of(GLINT_ERROR, GLINT_ERROR_INTERRUPTED), 130);
    for (int code = GLINT_ERROR_FAILED; code < GLINT_ERROR_INTERRUPTED; code++)
        if (code != GLINT_ERROR_USAGE)
            assert_int_equal(code_of(GLINT_ERROR, code), 1);
    assert_int_equal(code_of(G_FILE_ERROR, G_FILE_ERROR_NOENT), 1);
}

static void test_fail_sets_and_tolerates_null(void **state)
{
    (void)state;
    GError *error = NULL;
    assert_false(glint_fail(&error, GLINT_ERROR_DATA, "class '%s' has %d samples", "a", 1));
    expect_error(&error, GLINT_ERROR_DATA, "class 'a' has 1 samples");
    assert_false(glint_fail(NULL, GLINT_ERROR_DATA, "nobody listens"));
}

static void test_messages_are_printable(void **state)
{
    (void)state;
    GError *error = NULL;
    glint_fail(&error, GLINT_ERROR_FORMAT, "tensor '%s'", "\033[31mred\r\x7f\xff");
    assert_string_equal(error->message, "tensor '\\x1b[31mred\\x0d\\x7f\xef\xbf\xbd'");
    g_clear_error(&error);
    g_autofree char *kept = glint_printable("a\tb\nc \xc3\xa9");
    assert_string_equal(kept, "a\tb\nc \xc3\xa9");
    g_autofree char *c1 = glint_printable("\xc2\x9b" "31m"); /* the one-character form of ESC [ */
    assert_string_equal(c1, "\\x9b31m");
}

static void test_long_messages_are_cut(void **state)
{
    (void)state;
    g_autofree char *name = g_strnfill(1000000, 'x');
    GError *error = NULL;
    glint_fail(&error, GLINT_ERROR_FORMAT, "'%s'", name);
    assert_in_range(strlen(error->message), 3900, 4100);
    assert_true(g_str_has_suffix(error->message, "..."));
    g_clear_error(&error);
}

static void test_system_errors_name_the_cure(void **state)
{
    (void)state;
    GError *error = NULL;
    glint_fail_errno(&error, ENOSPC, "cannot write '%s'", "a");
    expect_error(&error, GLINT_ERROR_IO, "cannot write 'a': No space left on device; free some space");
    glint_fail_errno(&error, EACCES, "cannot write '%s'", "a");
    expect_error(&error, GLINT_ERROR_IO, "Permission denied; check the permissions");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_exit_codes),
        cmocka_unit_test(test_fail_sets_and_tolerates_null),
        cmocka_unit_test(test_messages_are_printable),
        cmocka_unit_test(test_long_messages_are_cut),
        cmocka_unit_test(test_system_errors_name_the_cure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
