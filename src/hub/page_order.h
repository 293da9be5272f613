/* The order in which pages of a split are fetched when only a sample is wanted: every beginning of it is spread evenly over the
 * split, whose rows are often sorted by label. It depends on the number of pages and the seed alone. */
#pragma once
#include <glib.h>

typedef struct {
    guint64 n_pages, step, n_steps, turn;
    GHashTable *taken;
} GlintPageOrder;

void glint_page_order_init(GlintPageOrder *self, guint64 n_pages, guint64 seed); /* n_pages: 1 .. 2^31 */
gboolean glint_page_order_next(GlintPageOrder *self, guint64 *page);            /* FALSE: all have been given */
void glint_page_order_clear(GlintPageOrder *self);
