/* gram.c in single precision: see real.h. */
#define GGM_SINGLE 1
#include "ggm/gram.c" /* NOLINT: compiled twice on purpose */
