/* Products of a few rows with a packed weight, at the speed of memory: what decoding is made of. Called by dnn.c. */
#pragma once
#include <glib.h>

/* Columns of a panel: outputs whose weights lie side by side. */
enum { GLI_PANEL = 64 };

/* One panel of a packed weight. Row k of f32 weights is GLI_PANEL floats at `weights` + k * step. Of bf16 weights rows come in
 * pairs, [column][2], pair k / 2 at `weights` + k / 2 * step; an odd last row has zeros beside it. step in elements. */
typedef struct {
    const void *weights;
    gsize step, in;
    gboolean bf16;
    gboolean adds; /* to what is in y */
} GliPanel;

/* y [rows, columns <= GLI_PANEL], rows `stride` apart, = x [rows, in rounded up to even], rows `x_stride` apart, times the panel, plus
 * bias [columns] unless NULL. Sums in f32, k ascending; a row's bits do not depend on the others. */
void gli_thin_panel(const GliPanel *panel, gsize rows, const float *x, gsize x_stride, const float *bias, gsize columns, float *y, gsize stride);
