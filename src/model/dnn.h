/* Matrix products of the forward pass, behind one small table of operations: y = x W' + b for a weight packed once.
 *
 * The one implementation, dnn.c, is oneDNN on the CPU. Promise of every implementation: a row of y depends on that row of
 * x and on W alone, up to rounding, and the bits of y depend on the number of rows but not on the number of threads.
 *
 * x is an *input*: rows in the order and the type in which the implementation reads them fastest, written by `put` (or by the
 * product before). It is private to the implementation, but for this: one row alone lies as it is, in the device's type. */
#pragma once
#include "model/arch.h"
#include <glib.h>

typedef struct GliDevice GliDevice;
typedef struct GliLinear GliLinear;

typedef struct {
    /* bf16: x and W are bf16, sums and y are f32. Otherwise all f32, with no lesser precision inside. */
    GliDevice *(*open)(gboolean bf16, int threads, GError **error);
    void (*close)(GliDevice *device); /* after every GliLinear of it; NULL ok */
    /* Can this machine multiply bf16 with instructions of its own? */
    gboolean (*has_fast_bf16)(void);
    /* W as [out, in], or [in, out] when `in_out`, in the device's type; copied. bias [out] or NULL, copied. */
    GliLinear *(*pack)(GliDevice *device, gsize out, gsize in, gboolean in_out, const void *weight, const float *bias, GError **error);
    void (*release)(GliLinear *linear); /* NULL ok */
    /* Memory for an input [rows, width]; 64-byte aligned memory is fastest. */
    gsize (*input_bytes)(const GliDevice *device, gsize rows, gsize width);
    /* Elements [first, first + count) of a row of an input [rows, width], rounded to the device's type. From any thread. */
    void (*put)(const GliDevice *device, gsize rows, gsize width, gsize row, gsize first, gsize count, const float *x, void *input);
    /* x: input [rows, in]; y [rows, out] f32. */
    gboolean (*run)(GliLinear *linear, gsize rows, const void *x, float *y, GError **error);
    /* act(x Gate') (times x Up', unless NULL) to y [rows, out] f32 and to `next`, an input [rows, out]; either may be NULL. The same
     * bits as run, gli_activate and put one after the other, without the ways through memory. */
    gboolean (*run_activated)(GliLinear *gate, GliLinear *up, GliActivation activation, gsize rows, const void *x, float *y, void *next, GError **error);
} GliMatrixOps;

extern const GliMatrixOps gli_dnn;

/* For glint info --build. The kernel's name is what oneDNN calls the one it chose for a usual product, NULL where it has none. */
char *gli_dnn_version(void);            /* free with g_free */
const char *gli_dnn_instructions(void); /* static */
char *gli_dnn_kernel_name(gboolean bf16);    /* free with g_free */
