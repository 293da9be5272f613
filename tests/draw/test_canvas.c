/* Pages and their files: formats by ending, nothing half-written, equal bytes, any text. */
#include "base/error.h"
#include "draw/canvas.h"
#include "draw/lettering.h"
#include "support.h"
#include <string.h>

static gboolean draw_page(const char *path, const char *text, GError **error)
{
    GlintCanvas *canvas = glint_canvas_new(path, 120, 80, "A <title> & more", text, error);
    if (!canvas)
        return FALSE;
    const GlintFont font = {.size = 10, .colour = GLINT_INK};
    glint_text(canvas->cr, font, 5, 20, text);
    glint_text_up(canvas->cr, font, 15, 70, text);
    glint_text_halo(canvas->cr, font, 5, 40, text);
    glint_text_paragraph(canvas->cr, font, 5, 60, 60, 9, text);
    glint_canvas_line(canvas->cr, 0, 0, 120, 80, 1, GLINT_QUIET);
    /* An embedded image, whose name cairo counts through the whole process. */
    cairo_surface_t *image = cairo_image_surface_create(CAIRO_FORMAT_ARGB32, 4, 4);
    cairo_set_source_surface(canvas->cr, image, 50, 50);
    cairo_paint(canvas->cr);
    cairo_surface_destroy(image);
    return glint_canvas_finish(canvas, error);
}

static void test_each_format_is_what_its_ending_says(void **state)
{
    const struct { const char *name, *start; } formats[] = {{"a.png", "\x89PNG"}, {"b.svg", "<?xml"}, {"c.pdf", "%PDF"}, {"d.PNG", "\x89PNG"}};
    for (gsize k = 0; k < G_N_ELEMENTS(formats); k++) {
        g_autofree char *path = test_path(state, formats[k].name);
        g_autoptr(GError) error = NULL;
        assert_true(draw_page(path, "text", &error));
        gsize length;
        g_autofree char *bytes = test_contents(path, &length);
        assert_true(length > 100);
        assert_memory_equal(bytes, formats[k].start, strlen(formats[k].start));
    }
    assert_int_equal(test_count_files(state), G_N_ELEMENTS(formats));
}

static void test_png_has_three_pixels_a_point(void **state)
{
    g_autofree char *path = test_path(state, "a.png");
    assert_true(draw_page(path, "text", NULL));
    TestPicture *picture = test_picture_read(path);
    assert_int_equal(picture->width, 360);
    assert_int_equal(picture->height, 240);
    assert_int_equal(test_pixel(picture, 358, 2), 0xffffff);
    test_picture_free(picture);
}

static void test_other_endings_are_refused_with_the_cure(void **state)
{
    const char *names[] = {"a.jpg", "png", "a.svgz", ""};
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++) {
        g_autofree char *path = test_path(state, names[k]);
        g_autoptr(GError) error = NULL;
        assert_false(draw_page(path, "text", &error));
        assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_USAGE));
        assert_non_null(strstr(error->message, path));
        assert_non_null(strstr(error->message, ".svg"));
    }
    assert_int_equal(test_count_files(state), 0);
}

static void test_unwritable_path_leaves_nothing(void **state)
{
    g_autofree char *file = test_path(state, "file");
    assert_true(g_file_set_contents(file, "x", 1, NULL));
    g_autofree char *path = test_path(state, "file/picture.png"); /* a folder cannot be made here */
    g_autoptr(GError) error = NULL;
    assert_false(draw_page(path, "text", &error));
    assert_non_null(error);
    assert_non_null(strstr(error->message, "file"));
    assert_int_equal(test_count_files(state), 1);
}

static void test_abandoned_page_leaves_nothing(void **state)
{
    const char *names[] = {"a.png", "a.svg", "a.pdf"};
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++) {
        g_autofree char *path = test_path(state, names[k]);
        g_autoptr(GlintCanvas) canvas = glint_canvas_new(path, 50, 50, "t", "d", NULL);
        assert_non_null(canvas);
        glint_canvas_line(canvas->cr, 0, 0, 50, 50, 1, GLINT_INK);
    }
    assert_int_equal(test_count_files(state), 0);
}

static void test_equal_pages_give_equal_bytes(void **state)
{
    const char *names[] = {"png", "svg", "pdf"};
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++) {
        g_autofree char *first_name = g_strconcat("1.", names[k], NULL), *second_name = g_strconcat("2.", names[k], NULL);
        g_autofree char *first = test_path(state, first_name), *second = test_path(state, second_name);
        assert_true(draw_page(first, "Λ text", NULL));
        assert_true(draw_page(second, "Λ text", NULL));
        gsize n, m;
        g_autofree char *a = test_contents(first, &n), *b = test_contents(second, &m);
        assert_int_equal(n, m);
        assert_memory_equal(a, b, n);
    }
}

static void test_svg_carries_escaped_title_and_description(void **state)
{
    g_autofree char *path = test_path(state, "a.svg");
    assert_true(draw_page(path, "λ < 0.3 & \"n\" = 5", NULL));
    g_autofree char *text = test_svg_text(path);
    assert_non_null(strstr(text, "A <title> & more"));
    assert_non_null(strstr(text, "λ < 0.3 & \"n\" = 5"));
}

static void test_any_bytes_can_be_text(void **state)
{
    const char *texts[] = {"", "broken \xff\xfe utf-8", "line\nbreak\tand \x01 control", "漢字 🙂 עברית", "averyveryverylongwordwithoutanyspaceswhatsoeverinit"};
    for (gsize k = 0; k < G_N_ELEMENTS(texts); k++) {
        g_autofree char *path = test_path(state, k % 2 ? "a.svg" : "a.png");
        g_autoptr(GError) error = NULL;
        if (!draw_page(path, texts[k], &error))
            fail_msg("text %zu: %s", k, error->message);
    }
    g_autofree char *svg = test_path(state, "a.svg"), *text = test_svg_text(svg);
    assert_non_null(text);
}

static void test_paragraph_breaks_at_spaces_and_stays_within(void **state)
{
    g_autofree char *path = test_path(state, "a.png");
    GlintCanvas *canvas = glint_canvas_new(path, 200, 200, "t", "d", NULL);
    const GlintFont font = {.size = 10, .colour = GLINT_INK};
    const double one = glint_text_paragraph(canvas->cr, font, 10, 20, 150, 9, "short");
    const double many = glint_text_paragraph(canvas->cr, font, 10, 20, 60, 9, "some words that need more lines thananysinglelinecanholdinthewidth");
    assert_near(one, 20, 0);
    assert_true(many > 20 + 3 * 14);
    assert_near(glint_text_paragraph(canvas->cr, font, 10, 140, 60, 2, "some words that need more lines than two"), 140 + 14.2, 0.1);
    assert_true(glint_canvas_finish(canvas, NULL));
    TestPicture *picture = test_picture_read(path);
    for (int y = 3 * 22; y < picture->height; y++) { /* below the first line nothing lies right of 10 + 60 points */
        for (int x = 3 * 73; x < picture->width; x++)
            assert_int_equal(test_pixel(picture, x, y), 0xffffff);
    }
    test_picture_free(picture);
}

#define FOLDER_TEST(f) cmocka_unit_test_setup_teardown(f, test_folder_setup, test_folder_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOLDER_TEST(test_each_format_is_what_its_ending_says),
        FOLDER_TEST(test_png_has_three_pixels_a_point),
        FOLDER_TEST(test_other_endings_are_refused_with_the_cure),
        FOLDER_TEST(test_unwritable_path_leaves_nothing),
        FOLDER_TEST(test_abandoned_page_leaves_nothing),
        FOLDER_TEST(test_equal_pages_give_equal_bytes),
        FOLDER_TEST(test_svg_carries_escaped_title_and_description),
        FOLDER_TEST(test_any_bytes_can_be_text),
        FOLDER_TEST(test_paragraph_breaks_at_spaces_and_stays_within),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
