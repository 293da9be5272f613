/* Which columns go into the solve: constant ones are left out for all classes, the limit keeps those that vary most. */
#include "base/error.h"
#include "collect/columns.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
/* cmocka needs the four above it */
#include <cmocka.h>

enum { P = 8, N = 600 };
static const char *const names[] = {"neg", "pos"};
static const GlintColumnsOptions plain = {.site = "blocks.0.mlp.hook_post", .pool = "mean"};

/* Column j has mean centre[j] and standard deviation sd[j]. */
static GlintMoments *moments_of(const double *centre, const double *sd, gsize n)
{
    GlintMoments *moments = glint_moments_new(P);
    guint32 state = 1;
    for (gsize i = 0; i < n; i++) {
        double row[P];
        for (gsize j = 0; j < P; j++) {
            state = state * 1664525u + 1013904223u;
            row[j] = centre[j] + sd[j] * sqrt(12.0) * (ldexp((double)(state >> 8), -24) - 0.5);
        }
        glint_moments_add_f64(moments, row, 1, P);
    }
    return moments;
}

static void check(GlintMoments *a, GlintMoments *b, gsize limit, const gsize *wanted, gsize n, gsize n_constant, gsize n_limited)
{
    GlintMoments *const moments[] = {a, b};
    g_autoptr(GError) error = NULL;
    GlintColumnsOptions options = plain;
    options.limit = limit;
    g_autoptr(GlintColumns) columns = glint_columns_choose(moments, names, b ? 2 : 1, &options, &error);
    assert_non_null(columns);
    assert_int_equal(columns->width, P);
    assert_int_equal(columns->n, n);
    assert_int_equal(columns->n_constant, n_constant);
    assert_int_equal(columns->n_limited, n_limited);
    assert_memory_equal(columns->index, wanted, n * sizeof *wanted);
}

static void check_error(GlintMoments *a, GlintMoments *b, const GlintColumnsOptions *options, const char *part)
{
    GlintMoments *const moments[] = {a, b};
    g_autoptr(GError) error = NULL;
    assert_null(glint_columns_choose(moments, names, 2, options, &error));
    assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_DATA));
    if (!strstr(error->message, part))
        fail_msg("%s", error->message);
}

static void test_constant_columns(void **state)
{
    (void)state;
    /*                          varies, constant, f32 noise, zero, small but real, noise beside the largest, ...           */
    const double centre[P] = {0, 5, 1000, 0, 0.001, 0, 1, 1};
    const double sd_a[P] = {1, 0, 1e-4, 0, 1e-5, 1e-10, 0.5, 0.2}, sd_b[P] = {1, 0.3, 1, 1, 1e-5, 1e-10, 0.1, 0.2};
    g_autoptr(GlintMoments) a = moments_of(centre, sd_a, N), b = moments_of(centre, sd_b, N);
    check(a, NULL, 0, (const gsize[]){0, 4, 6, 7}, 4, 4, 0);
    check(b, NULL, 0, (const gsize[]){0, 1, 2, 3, 4, 6, 7}, 7, 1, 0);
    check(a, b, 0, (const gsize[]){0, 4, 6, 7}, 4, 4, 0); /* constant in one class: out of both */
}

static void test_limit(void **state)
{
    (void)state;
    const double centre[P] = {0}, sd_a[P] = {1, 2, 3, 4, 5, 6, 7, 8}, sd_b[P] = {9, 1, 1, 1, 1, 1, 1, 1};
    const double shifted[P] = {0, 0, 1000, 0, 0, 0, 0, 0}; /* classes differ in the mean: that is no within-class variance */
    g_autoptr(GlintMoments) a = moments_of(centre, sd_a, N), b = moments_of(shifted, sd_b, N);
    check(a, b, 3, (const gsize[]){0, 6, 7}, 3, 0, 5);
    check(a, NULL, 2, (const gsize[]){6, 7}, 2, 0, 6);
    check(a, b, P, (const gsize[]){0, 1, 2, 3, 4, 5, 6, 7}, P, 0, 0);
    check(a, b, 100, (const gsize[]){0, 1, 2, 3, 4, 5, 6, 7}, P, 0, 0);
}

static void test_errors(void **state)
{
    (void)state;
    const double centre[P] = {1, 2, 3, 4, 5, 6, 7, 8}, none[P] = {0}, some[P] = {1, 1, 1, 1, 0, 0, 0, 0}, others[P] = {0, 0, 0, 0, 1, 1, 1, 1};
    g_autoptr(GlintMoments) flat = moments_of(centre, none, N), a = moments_of(centre, some, N), b = moments_of(centre, others, N), one = moments_of(centre, some, 1);
    g_autoptr(GlintMoments) narrow = glint_moments_new(P - 1), empty = glint_moments_new(P);
    GlintColumnsOptions first = {.site = "blocks.1.hook_mlp_out", .pool = "first"}, bos = {.site = "blocks.1.hook_mlp_out", .pool = "first", .bos = TRUE};
    check_error(a, flat, &plain, "blocks.0.mlp.hook_post, class pos: all 8 columns are constant");
    check_error(flat, a, &first, "class neg: all 8 columns are constant: position 0 of a causal model sees only itself");
    check_error(flat, a, &first, "use --pool mean or --pool last");
    check_error(a, a, &bos, "position 0 of a causal model sees only itself"); /* known by design, whatever rounding left */
    check_error(a, b, &plain, "no neurons in common");
    check_error(a, one, &plain, "class pos has 1 sample, and a covariance needs at least 2");
    check_error(a, empty, &plain, "class pos has 0 samples");
    check_error(a, narrow, &plain, "class pos has 7 columns and class neg 8");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_constant_columns), cmocka_unit_test(test_limit), cmocka_unit_test(test_errors)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
