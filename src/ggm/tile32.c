/* tile.c in single precision: see real.h. */
#define GGM_SINGLE 1
#include "ggm/tile.c" /* NOLINT: compiled twice on purpose */
