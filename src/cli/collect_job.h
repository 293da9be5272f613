/* Model and labelled text in, moments out: what `glint collect` and `glint run` share. */
#pragma once
#include "cli/options.h"
#include <jansson.h>

/* The data set and the model with its tokenizer and chat (NULL where `args` ask for none) that `args` name; "dataset" and "model" are added to `report`. */
GlintDataset *glint_job_open_dataset(const GlintArgs *args, json_t *report, GError **error);
GlintModel *glint_job_open_model(const GlintArgs *args, GlintTokenizer **tokenizer, GlintChat **chat, json_t *report, GError **error);

/* Opens what `args` name, collects into `folder` (resuming what is there), and adds "model", "dataset" and "collect" to `report`. */
gboolean glint_job_collect(const GlintArgs *args, const char *folder, json_t *report, GError **error);
