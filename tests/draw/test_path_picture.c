/* Curves along a path of penalties: axes whose ticks can be read, curves and marks where they belong, and nothing breaks on what is missing. */
#include "draw/axis.h"
#include "draw/path_picture.h"
#include "support.h"
#include <math.h>

static const GlintCaption caption = {"blocks.1.mlp.hook_post", "pos", NAN, 1000};

static void assert_ticks(GlintAxis axis, guint n_most, const double *wanted, guint n_wanted)
{
    g_autoptr(GArray) ticks = glint_axis_ticks(&axis, n_most);
    assert_int_equal(ticks->len, n_wanted);
    for (guint k = 0; k < n_wanted; k++)
        assert_near(g_array_index(ticks, double, k), wanted[k], 1e-9 * fabs(wanted[k]));
}

static void test_ticks_are_round_numbers(void **state)
{
    (void)state;
    assert_ticks((GlintAxis){.kind = GLINT_AXIS_LINEAR, .low = -0.3, .high = 4.1}, 5, (const double[]){0, 1, 2, 3, 4}, 5);
    assert_ticks((GlintAxis){.kind = GLINT_AXIS_LINEAR, .low = -30010, .high = -29990}, 5, (const double[]){-30010, -30005, -30000, -29995, -29990}, 5);
    assert_ticks((GlintAxis){.kind = GLINT_AXIS_LOG, .low = 0.04, .high = 0.9}, 9, (const double[]){0.05, 0.1, 0.2, 0.5}, 4);
    assert_ticks((GlintAxis){.kind = GLINT_AXIS_LOG, .low = 1e-6, .high = 1}, 4, (const double[]){1e-6, 1e-4, 1e-2, 1}, 4);
    assert_ticks((GlintAxis){.kind = GLINT_AXIS_LOG_COUNT, .low = 0, .high = 20000}, 6, (const double[]){0, 1, 10, 100, 1000, 10000}, 6);
}

static void test_labels_tell_ticks_apart(void **state)
{
    (void)state;
    const struct { GlintAxis axis; guint tick; const char *label; } cases[] = {
        {{.kind = GLINT_AXIS_LINEAR, .low = 0, .high = 0.05}, 1, "0.01"},
        {{.kind = GLINT_AXIS_LINEAR, .low = -30010, .high = -29990}, 1, "−30,005"},
        {{.kind = GLINT_AXIS_LINEAR, .low = 1.2e6, .high = 1.6e6}, 1, "1.3"},
        {{.kind = GLINT_AXIS_LOG, .low = 0.04, .high = 0.9}, 0, "0.05"},
        {{.kind = GLINT_AXIS_LOG_COUNT, .low = 0, .high = 20000}, 5, "10,000"},
    };
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        g_autoptr(GArray) ticks = glint_axis_ticks(&cases[k].axis, 6);
        g_autofree char *label = glint_axis_label(&cases[k].axis, ticks, cases[k].tick);
        assert_string_equal(label, cases[k].label);
    }
    assert_int_equal(glint_axis_power(&cases[2].axis), 2);
    assert_int_equal(glint_axis_power(&cases[1].axis), 0);
}

static void test_axes_hold_their_values(void **state)
{
    (void)state;
    const double some[] = {3, NAN, 7, INFINITY}, zeros[] = {0, 0}, one[] = {0.2};
    GlintAxis axis = glint_axis_of(GLINT_AXIS_LINEAR, some, 4, 0.25);
    assert_near(axis.low, 2, 1e-12);
    assert_near(axis.high, 8, 1e-12);
    axis.from = 100;
    axis.to = 40;
    assert_near(glint_axis_at(&axis, 2), 100, 1e-9);
    assert_near(glint_axis_at(&axis, 5), 70, 1e-9);
    const GlintAxisKind kinds[] = {GLINT_AXIS_LINEAR, GLINT_AXIS_LOG, GLINT_AXIS_LOG_COUNT};
    for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++) {
        const GlintAxis empty = glint_axis_of(kinds[k], NULL, 0, 0.1), flat = glint_axis_of(kinds[k], zeros, 2, 0.1), single = glint_axis_of(kinds[k], one, 1, 0.1);
        assert_true(empty.low < empty.high && flat.low < flat.high && single.low < 0.2 && single.high > 0.2);
    }
    axis = glint_axis_of(GLINT_AXIS_LOG, (const double[]){0.01, 1, 0, -3}, 4, 0);
    axis.to = 100;
    assert_near(glint_axis_at(&axis, 0.1), 50, 1e-9);
    assert_false(glint_axis_shows(&axis, 0));
}

enum { N = 30 };
typedef struct { double lambda[N], edges[N], components[N], ebic[N], cv[N], se[N], instability[N]; gboolean converged[N]; GlintPathCurves curves; } Path;

static void path_fill(Path *self)
{
    for (int k = 0; k < N; k++) {
        const double lambda = pow(10, -1.5 * k / (N - 1)), x = log(lambda) + 1.7;
        self->lambda[k] = lambda;
        self->edges[k] = floor(4000 * exp(-6 * lambda) - 4000 * exp(-6));
        self->components[k] = fmin(300, ceil(1 + 299 * lambda));
        self->ebic[k] = 180000 + 9000 * x * x;
        self->cv[k] = 210 + 3 * (x + 0.4) * (x + 0.4);
        self->se[k] = 0.8;
        self->instability[k] = 0.2 / (1 + exp(14 * (lambda - 0.2)));
        self->converged[k] = k < N - 2;
    }
    self->curves = (GlintPathCurves){.n = N, .lambda = self->lambda, .edges = self->edges, .components = self->components, .ebic = self->ebic, .cv = self->cv,
                                     .cv_se = self->se, .instability = self->instability, .threshold = 0.05, .converged = self->converged, .selected = 14,
                                     .rule = "EBIC, γ = 0.5", .p = 300};
}

static TestPicture *draw_png(void **state, const GlintPathCurves *curves)
{
    g_autofree char *path = test_path(state, "path.png");
    g_autoptr(GError) error = NULL;
    if (!glint_draw_path(curves, &caption, path, &error))
        fail_msg("%s", error->message);
    return test_picture_read(path);
}

/* How many pixels of column x of panel k pass the test. */
static gsize count_in_column(const TestPicture *picture, gsize k, double x, gboolean (*is)(guint32))
{
    double left, top, width, height;
    glint_path_panel(k, &left, &top, &width, &height);
    gsize n = 0;
    for (int y = (int)((top + 1) * GLINT_CANVAS_PIXELS); y < (int)((top + height - 1) * GLINT_CANVAS_PIXELS); y++)
        n += is(test_pixel(picture, x * GLINT_CANVAS_PIXELS, y));
    return n;
}

static double place_of(const Path *path, gsize k)
{
    double left, top, width, height;
    glint_path_panel(0, &left, &top, &width, &height);
    GlintAxis axis = glint_axis_of(GLINT_AXIS_LOG, path->lambda, N, 0.03);
    axis.from = left;
    axis.to = left + width;
    return glint_axis_at(&axis, path->lambda[k]);
}

static void test_curves_and_the_choice_are_where_they_belong(void **state)
{
    Path path;
    path_fill(&path);
    assert_int_equal(glint_path_panels(&path.curves), 5);
    TestPicture *picture = draw_png(state, &path.curves);
    for (gsize panel = 0; panel < 5; panel++) {
        for (gsize k = 0; k < N; k++)
            assert_true(count_in_column(picture, panel, place_of(&path, k), test_is_blue) >= 3);
        const double chosen = place_of(&path, 14), between = (place_of(&path, 10) + place_of(&path, 11)) / 2;
        assert_true(count_in_column(picture, panel, chosen, test_is_red) > 100);
        assert_int_equal(count_in_column(picture, panel, between, test_is_red), 0);
    }
    test_picture_free(picture);
}

static void test_only_known_criteria_have_a_panel(void **state)
{
    Path path;
    path_fill(&path);
    for (int k = 0; k < N; k++)
        path.cv[k] = NAN;
    path.curves.ebic = NULL;
    path.curves.components = NULL;
    assert_int_equal(glint_path_panels(&path.curves), 2);
    TestPicture *small = draw_png(state, &path.curves);
    path_fill(&path);
    TestPicture *large = draw_png(state, &path.curves);
    assert_true(small->height < large->height && small->width == large->width);
    test_picture_free(small);
    test_picture_free(large);
}

static void test_what_is_missing_does_no_harm(void **state)
{
    Path path;
    path_fill(&path);
    path.edges[3] = NAN;
    path.ebic[4] = INFINITY;
    path.se[5] = NAN;
    path.lambda[N - 1] = 0;
    path.curves.selected = N;
    path.curves.rule = NULL;
    test_picture_free(draw_png(state, &path.curves));
    for (gsize n = 0; n < 3; n++) {
        path_fill(&path);
        path.curves.n = n;
        path.curves.selected = 0;
        test_picture_free(draw_png(state, &path.curves));
        g_autofree char *file = test_path(state, "path.svg");
        assert_true(glint_draw_path(&path.curves, NULL, file, NULL));
    }
}

static void test_the_words_stand_in_the_svg(void **state)
{
    Path path;
    path_fill(&path);
    g_autofree char *file = test_path(state, "path.svg");
    assert_true(glint_draw_path(&path.curves, &caption, file, NULL));
    g_autofree char *text = test_svg_text(file);
    assert_non_null(strstr(text, "class pos"));
    assert_non_null(strstr(text, "by EBIC, γ = 0.5"));
    assert_non_null(strstr(text, "2 points stopped before the tolerance"));
    g_autofree char *bad = test_path(state, "path.bmp");
    g_autoptr(GError) error = NULL;
    assert_false(glint_draw_path(&path.curves, &caption, bad, &error));
    assert_non_null(error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticks_are_round_numbers),
        cmocka_unit_test(test_labels_tell_ticks_apart),
        cmocka_unit_test(test_axes_hold_their_values),
        cmocka_unit_test_setup_teardown(test_curves_and_the_choice_are_where_they_belong, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_only_known_criteria_have_a_panel, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_what_is_missing_does_no_harm, test_folder_setup, test_folder_teardown),
        cmocka_unit_test_setup_teardown(test_the_words_stand_in_the_svg, test_folder_setup, test_folder_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
