/* start.c in single precision: see real.h. */
#define GGM_SINGLE 1
#include "ggm/start.c" /* NOLINT: compiled twice on purpose */
