/* What moments.c (arithmetic) and moments_file.c (safetensors) share: the inside of GlintMoments. */
#pragma once
#include "collect/moments.h"

struct GlintMoments {
    gsize p;
    gsize n_done;       /* rows folded into mean and m2 */
    gsize n_pending;    /* rows waiting in block, fewer than GLINT_MOMENTS_BLOCK between calls */
    double *mean;       /* p */
    double *m2;         /* p*p; the upper triangle is the truth, the lower one its mirror when `mirrored` */
    double *block;      /* (GLINT_MOMENTS_BLOCK + 1) * p: pending rows, and one row more for the merge */
    gboolean mirrored;
};

void glint_moments_mirror(GlintMoments *self); /* fills the lower triangle; does not flush */
