/* Random numbers that are the same on every machine: SplitMix64 (Steele, Lea & Flood 2014). The state is one word, which a seed may
 * fill as it is. */
#pragma once
#include <glib.h>

static inline guint64 glint_random_next(guint64 *state)
{
    guint64 z = (*state += G_GUINT64_CONSTANT(0x9E3779B97F4A7C15));
    z = (z ^ (z >> 30)) * G_GUINT64_CONSTANT(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * G_GUINT64_CONSTANT(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

/* Uniform over 0..n-1, n at least 1. */
static inline guint64 glint_random_below(guint64 *state, guint64 n)
{
    guint64 reject = (G_MAXUINT64 - n + 1) % n, draw; /* 2^64 mod n: draws below it would make small values likelier */
    do
        draw = glint_random_next(state);
    while (draw < reject);
    return draw % n;
}
