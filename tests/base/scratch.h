/* What the tests of base share: a private folder each, raw files, and checks of errors. */
#pragma once
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka wants the four above first */
#include <cmocka.h>

#include "base/error.h"
#include "base/files.h"

#include <glib/gstdio.h>
#include <string.h>

#define DATA(name) GLINT_SOURCE_DIR "/tests/base/data/" name

/* A fresh folder in *state, removed with all in it afterwards. */
static inline int scratch_setup(void **state)
{
    *state = g_dir_make_tmp("glint-test-XXXXXX", NULL);
    return *state == NULL ? -1 : 0;
}

static inline int scratch_teardown(void **state)
{
    gboolean ok = glint_remove_tree(*state, NULL);
    g_free(*state);
    return ok ? 0 : -1;
}

#define scratch_test(f) cmocka_unit_test_setup_teardown(f, scratch_setup, scratch_teardown)

static inline void put_file(const char *path, const void *bytes, gsize length)
{
    assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
}

static inline guint count_files(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    assert_non_null(dir);
    guint n = 0;
    while (g_dir_read_name(dir) != NULL)
        n++;
    return n;
}

/* The error must be ours, of this code, say `part`, and be fit to print; it is cleared. */
static inline void expect_error(GError **error, GlintErrorCode code, const char *part)
{
    assert_non_null(*error);
    if (!g_error_matches(*error, GLINT_ERROR, (int)code) || strstr((*error)->message, part) == NULL)
        fail_msg("expected code %d with \"%s\", got %d: %s", (int)code, part, (*error)->code, (*error)->message);
    assert_true(g_utf8_validate((*error)->message, -1, NULL));
    g_clear_error(error);
}

static inline void expect_ok(gboolean ok, const GError *error)
{
    if (!ok || error != NULL)
        fail_msg("unexpected failure: %s", error != NULL ? error->message : "(no message)");
}
