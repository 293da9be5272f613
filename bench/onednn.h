/* oneDNN's own rate for a product, as its benchdnn would measure it: one call for the whole product with all threads, dense
 * matrices, the weight in the layout that oneDNN asks for. What the engine's products are compared with. */
#pragma once
#include <glib.h>

/* Seconds of y [rows, out] f32 = x [rows, in] times w [in, out], x and w bf16 or f32, the best of a few: wall and CPU time. */
void bench_onednn(gboolean bf16, gsize rows, gsize in, gsize out, double *wall, double *cpu);
