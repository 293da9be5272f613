/* For qsort: doubles from the smallest to the largest. */
#pragma once

static inline int glint_ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
