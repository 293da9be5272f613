/* Colours, the colour scale, numbers as text. */
#include "draw/lettering.h"
#include "draw/scale.h"
#include "support.h"
#include <math.h>

static double luminance(GlintColour c) { return 0.2126 * c.r + 0.7152 * c.g + 0.0722 * c.b; }

static void test_zero_is_white_and_signs_have_colours(void **state)
{
    (void)state;
    assert_int_equal(glint_colour_argb(glint_colour_diverging(0)), 0xffffffff);
    assert_int_equal(glint_colour_argb(glint_colour_diverging(NAN)), 0xffffffff);
    assert_true(test_is_blue(glint_colour_argb(glint_colour_diverging(1e-9)) & 0xffffff)); /* weak is not none */
    assert_true(test_is_red(glint_colour_argb(glint_colour_diverging(-1e-9)) & 0xffffff));
    assert_true(test_is_blue(glint_colour_argb(glint_colour_diverging(7)) & 0xffffff));
}

/* Darker with |t|, without a step back, and equally dark on both sides, so that neither sign is favoured. */
static void test_scale_darkens_evenly(void **state)
{
    (void)state;
    double blue_before = 1.01, red_before = 1.01;
    for (int k = 1; k <= 100; k++) {
        const double blue = luminance(glint_colour_diverging(k / 100.0)), red = luminance(glint_colour_diverging(-k / 100.0));
        assert_true(blue < blue_before && red < red_before);
        assert_true(fabs(blue - red) < 0.13);
        blue_before = blue;
        red_before = red;
    }
    assert_true(blue_before < 0.25 && red_before < 0.25);
}

static void test_module_colours_differ(void **state)
{
    (void)state;
    for (int a = 0; a < 36; a++) {
        for (int b = a + 1; b < 36; b++)
            assert_int_not_equal(glint_colour_argb(glint_colour_module(a)), glint_colour_argb(glint_colour_module(b)));
        assert_int_not_equal(glint_colour_argb(glint_colour_module(a)), glint_colour_argb(glint_colour_module(-1)));
    }
}

static void test_few_values_end_at_their_maximum(void **state)
{
    (void)state;
    const double values[] = {0.1, -0.37, NAN, 0.2, INFINITY, 0};
    const GlintScale scale = glint_scale_of(values, G_N_ELEMENTS(values));
    assert_near(scale.max, 0.4, 1e-12);
    assert_int_equal(scale.n_beyond, 0);
}

static void test_outliers_do_not_stretch_the_scale(void **state)
{
    (void)state;
    double values[1000];
    for (int k = 0; k < 1000; k++)
        values[k] = (k % 2 ? -1 : 1) * 0.1 * (k + 1) / 1000;
    values[7] = 0.9;
    values[8] = -0.8;
    const GlintScale scale = glint_scale_of(values, 1000);
    assert_near(scale.max, 0.1, 1e-12);
    assert_int_equal(scale.n_beyond, 2);
    const GlintColour end = glint_scale_colour(&scale, 0.1), beyond = glint_scale_colour(&scale, 0.9);
    assert_int_equal(glint_colour_argb(end), glint_colour_argb(beyond));
    g_autofree char *remark = glint_scale_remark(&scale);
    assert_non_null(strstr(remark, "2 stronger edges"));
    assert_non_null(strstr(remark, "|ρ| = 0.10"));
}

static void test_no_values_give_a_usable_scale(void **state)
{
    (void)state;
    const double zeros[] = {0, NAN};
    assert_near(glint_scale_of(NULL, 0).max, 1, 0);
    assert_near(glint_scale_of(zeros, 2).max, 1, 0);
}

static void test_tiny_and_huge_values(void **state)
{
    (void)state;
    const double tiny[] = {3e-300}, huge[] = {2e300};
    const GlintScale small = glint_scale_of(tiny, 1), large = glint_scale_of(huge, 1);
    assert_true(small.max >= 3e-300 && small.max < 1e-299);
    assert_true(large.max >= 2e300 && large.max < 1e301);
    g_autofree char *text = glint_format_real(large.max, 2), *shorter = glint_format_short(large.max, 3);
    assert_true(strlen(text) > 300);
    assert_string_equal(shorter, "2e+300");
}

static void test_numbers_as_text(void **state)
{
    (void)state;
    const struct { gsize n; const char *text; } counts[] = {{0, "0"}, {999, "999"}, {1000, "1,000"}, {1234567, "1,234,567"}};
    for (gsize k = 0; k < G_N_ELEMENTS(counts); k++) {
        g_autofree char *text = glint_format_count(counts[k].n);
        assert_string_equal(text, counts[k].text);
    }
    g_autofree char *one = glint_format_counted(1, "edge", "edges"), *two = glint_format_counted(2, "edge", "edges");
    assert_string_equal(one, "1 edge");
    assert_string_equal(two, "2 edges");
    g_autofree char *minus = glint_format_real(-0.254, 2), *no_minus_zero = glint_format_real(-0.001, 2), *rounded = glint_format_short(0.31749, 3);
    assert_string_equal(minus, "−0.25");
    assert_string_equal(no_minus_zero, "0.00");
    assert_string_equal(rounded, "0.317");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_zero_is_white_and_signs_have_colours),
        cmocka_unit_test(test_scale_darkens_evenly),
        cmocka_unit_test(test_module_colours_differ),
        cmocka_unit_test(test_few_values_end_at_their_maximum),
        cmocka_unit_test(test_outliers_do_not_stretch_the_scale),
        cmocka_unit_test(test_no_values_give_a_usable_scale),
        cmocka_unit_test(test_tiny_and_huge_values),
        cmocka_unit_test(test_numbers_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
