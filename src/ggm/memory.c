/* The only door to the heap: every allocation of libggm is made here, is 64-byte aligned (cache lines, AVX-512), and has its
 * size checked for overflow. Matrices ask for huge pages: sweeps touch a cache line in every row, and with small pages each of
 * those is a TLB miss. Nobody here gives up: a NULL is passed on as GGM_ERROR_MEMORY. Arrays are freed by whoever allocated the
 * struct they hang on. */
#include "ggm/internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define ALIGNMENT 64
#define HUGE_PAGE ((size_t)2 << 20)

void *ggm_alloc(size_t count, size_t size)
{
    if (count == 0)
        count = 1;
    if (count > (SIZE_MAX - HUGE_PAGE) / size)
        return NULL;
    const size_t wanted = count * size, alignment = wanted >= HUGE_PAGE / 2 ? HUGE_PAGE : ALIGNMENT;
    const size_t bytes = (wanted + alignment - 1) / alignment * alignment;
    void *memory = aligned_alloc(alignment, bytes);
#ifdef MADV_HUGEPAGE
    if (memory && alignment == HUGE_PAGE)
        (void)madvise(memory, bytes, MADV_HUGEPAGE); /* a wish: without it everything works, slower */
#endif
    return memory;
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
