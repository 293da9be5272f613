/* Model and labelled text in, moments out: what `glint collect` and `glint run` share. */
#pragma once
#include "cli/options.h"
#include <jansson.h>

/* Opens what `args` name, collects into `folder` (resuming what is there), and adds "model", "dataset" and "collect" to `report`. */
gboolean glint_job_collect(const GlintArgs *args, const char *folder, json_t *report, GError **error);
/* The same from saved activations (--from): no model, no data. */
gboolean glint_job_collect_from(const GlintArgs *args, const char *folder, json_t *report, GError **error);
