/* A small heat map of classes against classes, with the number in every cell. Rows and columns differ in meaning: nothing is symmetric. */
#pragma once
#include <glib.h>

typedef struct {
    gsize n;                   /* classes */
    char *const *classes;      /* n names */
    char *const *row_notes;    /* n: what stands under each row's name, or NULL */
    const double *values;      /* n x n, row by row; NaN = not measured */
    const gboolean *marked;    /* n x n: these have a frame */
    const char *row_title, *column_title, *meaning; /* "ablated: module of", "texts of", "change of the loss (nats a token)" */
    const char *title, *line, *remark;
} GlintClassMatrix;

/* Where the cells are, in points; for the drawing code and its tests. */
#define GLINT_CLASS_MATRIX_LEFT 150.0
#define GLINT_CLASS_MATRIX_TOP 116.0
double glint_class_matrix_cell(gsize n); /* side of a cell */

gboolean glint_draw_class_matrix(const GlintClassMatrix *matrix, const char *path, GError **error);
