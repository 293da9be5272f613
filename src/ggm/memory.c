/* The only door to the heap: every allocation of libggm is made here, is 64-byte aligned (cache lines, AVX-512), and has its
 * size checked for overflow. Nobody here gives up: a NULL is passed on as GGM_ERROR_MEMORY. Arrays are freed by whoever
 * allocated the struct they hang on. */
#include "ggm/internal.h"

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64

void *ggm_alloc(size_t count, size_t size)
{
    if (count == 0)
        count = 1;
    if (count > (SIZE_MAX - ALIGNMENT) / size)
        return NULL;
    size_t bytes = (count * size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return aligned_alloc(ALIGNMENT, bytes);
}

void *ggm_alloc_zero(size_t count, size_t size)
{
    void *memory = ggm_alloc(count, size);
    if (memory)
        memset(memory, 0, count * size);
    return memory;
}

void *ggm_grow(void *old, size_t old_count, size_t count, size_t size)
{
    void *memory = ggm_alloc(count, size);
    if (memory && old_count > 0)
        memcpy(memory, old, old_count * size);
    if (memory)
        ggm_free(old);
    return memory;
}

void ggm_free(void *memory)
{
    free(memory);
}
