/* What a results folder says of the run that made it: options that need not be given again, and whether model and data are still those. */
#pragma once
#include "cli/options.h"

/* Model, data, their columns, draw, chat and site are taken from run.json where the command line is silent. *draw_seed: the seed that the run's texts
 * were drawn with, from moments/settings.json. */
gboolean glint_steer_inherit(GlintArgs *args, const char *root, gint64 *draw_seed, GError **error);
/* Texts that are held out must be held out of these: an error unless `used` is the very data of the run, and a warning unless model, tokenizer
 * and chat (NULL: none) are. */
gboolean glint_steer_check_run(const char *root, const GlintDataset *used, const GlintModel *model, const GlintTokenizer *tokenizer, const GlintChat *chat,
                                GError **error);
