/* The colours of modules: 12 that stay apart for normal, deuteranope and protanope eyes (src/draw/colour.c tells how they were
 * found). They live here because DOT and GraphML carry them too, and a stage never includes one to its right. */
#include "graph/palette.h"

enum { N_COLOURS = 12 };

static const guint32 colours[N_COLOURS] = {
    0x6d6ed9, 0xf4c22d, 0x7b4704, 0x52e8a4, 0xbe5c4a, 0xb9c7f7, 0x843167, 0x028f95, 0xbe8cf9, 0xc7932b, 0x254dac, 0x73b6ad,
};

static guint32 mix(guint32 a, guint32 b, double share)
{
    guint32 out = 0;
    for (int shift = 0; shift <= 16; shift += 8) {
        double x = (double)(a >> shift & 255), y = (double)(b >> shift & 255);
        out |= (guint32)(x + share * (y - x) + 0.5) << shift;
    }
    return out;
}

guint32 glint_module_rgb(int module)
{
    const guint32 white = 0xffffff, ink = 0x212126, grey = 0xa8a8ad;
    if (module < 0)
        return grey;
    guint32 colour = colours[module % N_COLOURS];
    switch (module / N_COLOURS % 3) {
    case 1: return mix(colour, white, 0.45);
    case 2: return mix(colour, ink, 0.45);
    default: return colour;
    }
}
