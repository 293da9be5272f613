/* A problem with samples, and the settings that the tests of resampling want. */
#pragma once
#include "ggm/internal.h"
#include "ggm/support.h"

#include <stdlib.h>

/* Samples, a problem and settings that are tight enough for two ways to the same answer to have the same edges */
typedef struct {
    double *x;
    ggm_samples samples;
    ggm_problem problem;
    ggm_settings settings;
    ggm_resampling chosen;
} fixture;

static inline void set_up(fixture *f, double *x, int n, int p, double lambda, int count)
{
    f->x = x;
    f->samples = (ggm_samples){.n = (size_t)n, .p = (size_t)p, .x = x};
    f->problem = (ggm_problem){.p = (size_t)p, .samples = &f->samples, .lambda = lambda, .scale = true};
    ggm_default_settings(&f->settings);
    f->settings.tolerance = 1e-11;
    ggm_default_resampling(&f->chosen);
    f->chosen.count = count;
    f->chosen.seed = 7;
}

static inline double *independent_samples(rng *r, int n, int p)
{
    double *x = malloc((size_t)n * (size_t)p * sizeof *x);
    for (int k = 0; k < n * p; k++)
        x[k] = rng_normal(r);
    return x;
}
