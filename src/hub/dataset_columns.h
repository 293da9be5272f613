/* Which columns of a data set are the text and the label. */
#pragma once
#include "hub/rows.h"

/* Takes what was asked for (NULL: nothing was), else guesses from names and kinds. *text and *label point into `split`.
 * Fails with a list of the columns when one that was asked for is missing or of the wrong kind, and when none or
 * several could be meant. */
gboolean glint_dataset_columns_choose(const GlintSplit *split, const char *text_column, const char *label_column, const GlintColumn **text,
                              const GlintColumn **label, GError **error);
