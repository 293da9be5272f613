/* Making a data set: what `glint synth` and `--dataset synthetic` share. */
#pragma once
#include "cli/options.h"
#include <jansson.h>

/* Makes what `args` ask for and writes it to `path` (.jsonl) with its leakage report beside it (.leakage.json). The report also
 * comes back in *report (a new reference). With a dry run the prompts are printed, and *report is NULL. */
gboolean glint_job_synth(const GlintSynthArgs *args, guint64 seed, const char *path, json_t **report, GError **error);

/* The same for texts that belong to a results folder, where they stay: what the same request made before (the report says which one it was) is taken
 * again, and a folder that has moments of the texts of another one is an error. */
gboolean glint_job_synth_once(const GlintSynthArgs *args, guint64 seed, const char *folder, const char *path, json_t **report, GError **error);
