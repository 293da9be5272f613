/* Van der Corput's sequence in base 2 (0, 1/2, 1/4, 3/4, 1/8, ...), turned round the circle by an amount that the seed gives, and
 * multiplied by the number of pages. With n_steps points, a power of two and at least n_pages, the points lie no further apart than a page is wide, so
 * every page is met; pages met a second time are passed over. */
#include "hub/page_order.h"
#include "base/random.h"

static guint64 reversed(guint64 x)
{
    guint64 out = 0;
    for (int b = 0; b < 64; b++, x >>= 1)
        out = out << 1 | (x & 1);
    return out;
}

void glint_page_order_init(GlintPageOrder *self, guint64 n_pages, guint64 seed)
{
    guint64 state = seed; /* neighbouring seeds give unrelated turns */
    *self = (GlintPageOrder){.n_pages = n_pages, .turn = glint_random_next(&state), .taken = g_hash_table_new_full(g_int64_hash, g_int64_equal, g_free, NULL)};
    for (self->n_steps = 1; self->n_steps < n_pages; self->n_steps *= 2)
        continue;
}

gboolean glint_page_order_next(GlintPageOrder *self, guint64 *page)
{
    while (self->step < self->n_steps) {
        guint64 place = reversed(self->step++) + self->turn; /* of 2^64, round the circle */
        guint64 found = ((place >> 32) * self->n_pages) >> 32;
        if (g_hash_table_contains(self->taken, &found))
            continue;
        g_hash_table_add(self->taken, g_memdup2(&found, sizeof found));
        *page = found;
        return TRUE;
    }
    return FALSE;
}

void glint_page_order_clear(GlintPageOrder *self) { g_clear_pointer(&self->taken, g_hash_table_unref); }
