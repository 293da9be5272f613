/* Products of a few rows with a panel of 64 packed columns. See thin.h.
 *
 * Every weight is used `rows` times and no more, so the time is that of reading it from memory, and all that counts is to read
 * in order, once, and to be done with the arithmetic before the next cache line is there. A bf16 number is the upper half of an
 * f32, so a pair in a 32-bit lane is two f32 by one shift and one mask: exact, and without instructions of any one processor.
 * AT_ONCE rows of sums fit the registers of AVX-512; more rows take the panel from the cache again. */
#include "model/thin.h"
#include "base/simd.h"
#include <string.h>

enum { LANES = 16, PER_PANEL = GLI_PANEL / LANES, AT_ONCE = 6, AHEAD = 2048 /* bytes that memory is asked for before they are needed */ };

typedef float Lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef guint32 Words __attribute__((vector_size(LANES * sizeof(guint32)), aligned(sizeof(float)), may_alias));

static inline __attribute__((always_inline)) void put(int rows, Lanes sum[AT_ONCE][PER_PANEL], gboolean adds, const float *bias, gsize columns, float *y, gsize stride)
{
    for (int r = 0; r < rows; r++) {
        float row[GLI_PANEL];
        for (int j = 0; j < PER_PANEL; j++)
            *(Lanes *)(row + j * LANES) = sum[r][j];
        for (gsize c = 0; bias && c < columns; c++)
            row[c] += bias[c];
        for (gsize c = 0; adds && c < columns; c++)
            row[c] += y[(gsize)r * stride + c];
        memcpy(y + (gsize)r * stride, row, columns * sizeof *row);
    }
}

static inline __attribute__((always_inline)) void pairs(int rows, const GliPanel *panel, const float *x, gsize width, const float *bias, gsize columns, float *y, gsize stride)
{
    const guint16 *weights = panel->weights;
    const gsize n = (panel->in + 1) / 2;
    Lanes sum[AT_ONCE][PER_PANEL] = {0};
    for (gsize k = 0; k < n; k++, weights += panel->step) {
        const Words *line = (const Words *)(const void *)weights;
#pragma GCC unroll 4
        for (int j = 0; j < PER_PANEL; j++) {
            __builtin_prefetch((const char *)(line + j) + AHEAD);
            const Lanes even = (Lanes)(line[j] << 16), odd = (Lanes)(line[j] & 0xFFFF0000u);
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++) {
                sum[r][j] += x[(gsize)r * width + 2 * k] * even;
                sum[r][j] += x[(gsize)r * width + 2 * k + 1] * odd;
            }
        }
    }
    put(rows, sum, panel->adds, bias, columns, y, stride);
}

static inline __attribute__((always_inline)) void singles(int rows, const GliPanel *panel, const float *x, gsize width, const float *bias, gsize columns, float *y, gsize stride)
{
    const float *weights = panel->weights;
    Lanes sum[AT_ONCE][PER_PANEL] = {0};
    for (gsize k = 0; k < panel->in; k++, weights += panel->step)
#pragma GCC unroll 4
        for (int j = 0; j < PER_PANEL; j++) {
            const Lanes line = *(const Lanes *)(weights + j * LANES);
            __builtin_prefetch((const char *)(weights + j * LANES) + AHEAD);
#pragma GCC unroll 6
            for (int r = 0; r < rows; r++)
                sum[r][j] += x[(gsize)r * width + k] * line;
        }
    put(rows, sum, panel->adds, bias, columns, y, stride);
}

/* One function per number of rows, so that the sums are registers. */
#define KERNEL(kind, rows)                                                                                                                 \
    GLINT_CLONES static void kind##_##rows(const GliPanel *panel, const float *x, gsize width, const float *bias, gsize columns, float *y, gsize stride) \
    {                                                                                                                                      \
        kind(rows, panel, x, width, bias, columns, y, stride);                                                                                    \
    }
#define KERNELS(kind) KERNEL(kind, 1) KERNEL(kind, 2) KERNEL(kind, 3) KERNEL(kind, 4) KERNEL(kind, 5) KERNEL(kind, 6)
KERNELS(pairs)
KERNELS(singles)

void gli_thin_panel(const GliPanel *panel, gsize rows, const float *x, gsize x_stride, const float *bias, gsize columns, float *y, gsize stride)
{
    typedef void (*Kernel)(const GliPanel *, const float *, gsize, const float *, gsize, float *, gsize);
    static const Kernel kernels[2][AT_ONCE] = {{singles_1, singles_2, singles_3, singles_4, singles_5, singles_6},
                                               {pairs_1, pairs_2, pairs_3, pairs_4, pairs_5, pairs_6}};
    const gsize passes = (rows + AT_ONCE - 1) / AT_ONCE;
    for (gsize pass = 0, done = 0; pass < passes; pass++) { /* passes of like size */
        const gsize count = (rows - done + passes - pass - 1) / (passes - pass);
        kernels[panel->bf16][count - 1](panel, x + done * x_stride, x_stride, bias, columns, y + done * stride, stride);
        done += count;
    }
}
