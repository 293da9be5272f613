/* Memory of one thread that solves columns: see gram.c. */
#include "ggm/internal.h"

bool ggm_scratch_init(ggm_scratch *scratch, int m)
{
    size_t n = (size_t)m;
    *scratch = (ggm_scratch){0};
    scratch->row = ggm_alloc(n, sizeof(double));
    scratch->gradient = ggm_alloc(n, sizeof(double));
    scratch->diagonal = ggm_alloc(n, sizeof *scratch->diagonal);
    scratch->inverse = ggm_alloc(n, sizeof *scratch->inverse);
    scratch->limit = ggm_alloc(n, sizeof *scratch->limit);
    scratch->rows = ggm_alloc(n, sizeof(void *));
    scratch->factors = ggm_alloc(n, sizeof *scratch->factors);
    scratch->face = ggm_alloc(n, sizeof *scratch->face);
    scratch->has_row = ggm_alloc(n, 1);
    scratch->active = ggm_alloc_zero(n, 1);
    bool good = scratch->row && scratch->gradient && scratch->diagonal && scratch->inverse && scratch->limit && scratch->rows &&
                scratch->factors && scratch->face && scratch->has_row && scratch->active;
    if (!good)
        ggm_scratch_release(scratch);
    return good;
}

void ggm_scratch_release(ggm_scratch *scratch)
{
    ggm_free(scratch->gram);
    ggm_free(scratch->factor);
    ggm_free(scratch->face);
    ggm_free(scratch->row);
    ggm_free(scratch->gradient);
    ggm_free(scratch->diagonal);
    ggm_free(scratch->inverse);
    ggm_free(scratch->limit);
    ggm_free(scratch->rows);
    ggm_free(scratch->factors);
    ggm_free(scratch->has_row);
    ggm_free(scratch->active);
    *scratch = (ggm_scratch){0};
}
