/* Classes against classes: every value in its own cell, rows and columns not mixed up, frames where they belong, many classes and odd names. */
#include "draw/canvas.h"
#include "draw/class_matrix.h"
#include "support.h"

static char *names[] = {(char *)"neg", (char *)"pos & <b>"}, *notes[] = {(char *)"module 1", (char *)"module 2"};

static gboolean draw(const double *values, const gboolean *marked, const char *path)
{
    GError *error = NULL;
    const GlintClassMatrix matrix = {.n = 2, .classes = names, .row_notes = notes, .values = values, .marked = marked, .row_title = "module of", .column_title = "texts of", .meaning = "change",
                                     .title = "A title", .line = "a line", .remark = "a remark"};
    return glint_draw_class_matrix(&matrix, path, &error);
}

/* A point of a cell that no number and no frame touches. */
static guint32 cell_pixel(const TestPicture *picture, gsize n, gsize row, gsize column)
{
    const double cell = glint_class_matrix_cell(n);
    return test_pixel(picture, GLINT_CANVAS_PIXELS * (GLINT_CLASS_MATRIX_LEFT + ((double)column + 0.5) * cell), GLINT_CANVAS_PIXELS * (GLINT_CLASS_MATRIX_TOP + ((double)row + 0.2) * cell));
}

static guint32 frame_pixel(const TestPicture *picture, gsize row, gsize column)
{
    const double cell = glint_class_matrix_cell(2);
    return test_pixel(picture, GLINT_CANVAS_PIXELS * (GLINT_CLASS_MATRIX_LEFT + ((double)column + 0.5) * cell), GLINT_CANVAS_PIXELS * (GLINT_CLASS_MATRIX_TOP + (double)row * cell + 2.5));
}

static void test_cells_have_their_values(void **state)
{
    const double values[] = {0.5, -0.5, 0, (double)NAN};
    const gboolean marked[] = {FALSE, TRUE, FALSE, FALSE};
    g_autofree char *path = test_path(state, "matrix.png");
    assert_true(draw(values, marked, path));
    TestPicture *picture = test_picture_read(path);
    assert_true(test_is_blue(cell_pixel(picture, 2, 0, 0)));
    assert_true(test_is_red(cell_pixel(picture, 2, 0, 1)));
    assert_true(test_is_colourless(cell_pixel(picture, 2, 1, 0)) && test_is_colourless(cell_pixel(picture, 2, 1, 1)));
    assert_true(test_is_blue(frame_pixel(picture, 0, 0)) && test_is_colourless(frame_pixel(picture, 0, 1)));
    test_picture_free(picture);
}

static void test_svg_is_well_formed(void **state)
{
    const double values[] = {0.001, 12345.6, -1e-9, 0};
    const gboolean marked[] = {TRUE, TRUE, TRUE, TRUE};
    g_autofree char *path = test_path(state, "matrix.svg");
    assert_true(draw(values, marked, path));
    g_autofree char *text = test_svg_text(path);
    assert_non_null(strstr(text, "A title"));
    assert_non_null(strstr(text, "a remark"));
}

static void test_many_classes(void **state)
{
    enum { N = 90 };
    GError *error = NULL;
    g_autofree double *values = g_new0(double, N * N);
    g_autofree gboolean *marked = g_new0(gboolean, N * N);
    g_auto(GStrv) classes = g_new0(char *, N + 1);
    g_autofree char *path = test_path(state, "many.png");
    for (gsize k = 0; k < N; k++)
        classes[k] = g_strdup_printf("a class with a rather long name, number %zu", k);
    values[(N - 1) * N] = 1; /* last row, first column */
    const GlintClassMatrix matrix = {.n = N, .classes = classes, .row_notes = NULL, .values = values, .marked = marked, .row_title = "r", .column_title = "c", .meaning = "m", .title = "t", .line = "l", .remark = ""};
    assert_true(glint_draw_class_matrix(&matrix, path, &error));
    TestPicture *picture = test_picture_read(path);
    assert_true(test_is_blue(cell_pixel(picture, N, N - 1, 0)));
    assert_true(test_is_colourless(cell_pixel(picture, N, 0, N - 1)));
    test_picture_free(picture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup_teardown(test_cells_have_their_values, test_folder_setup, test_folder_teardown),
                                       cmocka_unit_test_setup_teardown(test_svg_is_well_formed, test_folder_setup, test_folder_teardown),
                                       cmocka_unit_test_setup_teardown(test_many_classes, test_folder_setup, test_folder_teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
