/* Making a data set: what `glint synth` and `--dataset synthetic` share. */
#pragma once
#include "cli/options.h"
#include <jansson.h>

/* Makes what `args` ask for and writes it to `path` (.jsonl) with its leakage report beside it (.leakage.json). The report also
 * comes back in *report (a new reference). With a dry run the prompts are printed, and *report is NULL. */
gboolean glint_job_synth(const GlintSynthArgs *args, guint64 seed, const char *path, json_t **report, GError **error);
