/* Graphs to draw, and pictures read back. */
#pragma once
#include "draw/draw.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cairo.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

/* Debian 12's cmocka has no assert_double_equal. */
#define assert_near(a, b, tolerance) assert_true(fabs((a) - (b)) <= (tolerance))

typedef struct { gsize i, j; double rho; } Rho;

/* A graph of p neurons "L0.N0".. with these partial correlations, measured. */
GlintGraph *test_graph_of(gsize p, const Rho *edges, gsize n_edges);
/* Modules of `size` neurons with `degree` random edges each inside and few between; `n_isolated` neurons more. */
GlintGraph *test_random_graph(gsize n_modules, gsize size, double degree, gsize n_isolated, guint32 seed);

/* A fresh folder, its path in *state of a cmocka test; removed with what it holds by the teardown. */
int test_folder_setup(void **state);
int test_folder_teardown(void **state);
char *test_path(void **state, const char *name);
gsize test_count_files(void **state);
char *test_contents(const char *path, gsize *length);
gsize test_file_size(const char *path);

/* Pixels of a PNG, 0xrrggbb. */
typedef struct { int width, height; guint32 *rgb; } TestPicture;
TestPicture *test_picture_read(const char *path);
void test_picture_free(TestPicture *self);
guint32 test_pixel(const TestPicture *self, double x, double y);
gboolean test_is_blue(guint32 rgb);
gboolean test_is_red(guint32 rgb);
gboolean test_is_colourless(guint32 rgb); /* grey, white or black */

/* Parses the SVG as XML; fails the test when it is not well formed. Returns the text of <title> and <desc>, joined. */
char *test_svg_text(const char *path);
/* How many elements of this name the SVG has. */
gsize test_svg_count(const char *path, const char *element);
