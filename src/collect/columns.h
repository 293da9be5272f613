/* Which columns (neurons) of a site go into the solve: those that vary in every class, and of these, on request, the N that
 * vary most. One choice serves all classes, so that their graphs have the same nodes and can be compared.
 *
 * A column is constant in a class when its standard deviation there is at most
 *     1e-6 |mean of the column|  +  1e-8 (largest standard deviation of the class):
 * the first term is what single precision leaves of a truly constant activation that went through a forward pass, the
 * second catches columns that are zero but for rounding. Correlations of such a column would be correlations of noise. */
#pragma once
#include "collect/moments.h"
#include <glib.h>

typedef struct {
    gsize width;          /* columns of the site */
    gsize n;              /* columns chosen */
    gsize *index;         /* chosen columns, ascending */
    gsize n_constant;     /* left out: constant in at least one class */
    gsize *constant;      /* which, ascending */
    gsize n_limited;      /* left out by the limit: they vary, but less than the chosen ones */
} GlintColumns;
void glint_columns_free(GlintColumns *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintColumns, glint_columns_free)

typedef struct {
    gsize limit;          /* keep the columns of largest pooled within-class variance, sum M2_jj / sum (n-1); 0 = keep all */
    const char *site;     /* for messages: "blocks.3.mlp.hook_post" */
    const char *pool;     /* "mean", ...: for the cure in messages; may be NULL */
    gboolean bos;         /* every text starts with the same special token: with pool "first" all rows are the same by design */
} GlintColumnsOptions;

/* `moments` and `names`: one per class. GLINT_ERROR_DATA when a class has fewer than 2 samples, or all columns are constant. */
GlintColumns *glint_columns_choose(GlintMoments *const *moments, const char *const *names, gsize n_classes, const GlintColumnsOptions *options, GError **error);
