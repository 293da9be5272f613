/* Model and labelled text in, moments out: what `glint collect` and `glint run` share. */
#pragma once
#include "cli/options.h"
#include <jansson.h>

/* The data set and the model with its tokenizer that `args` name; "dataset" and "model" are added to `report`. Texts made on the spot go into `folder`; *chat is
 * NULL unless --chat asks for one. */
GlintDataset *glint_job_open_dataset(const GlintArgs *args, const char *folder, json_t *report, GError **error);
GlintModel *glint_job_open_model(const GlintArgs *args, GlintTokenizer **tokenizer, GlintChat **chat, json_t *report, GError **error);

/* Opens what `args` name, collects into `folder` (resuming what is there), and adds "model", "dataset" and "collect" to `report`. */
gboolean glint_job_collect(const GlintArgs *args, const char *folder, json_t *report, GError **error);
/* One shard, of a run on several machines. `whole` is the folder that gets everything in the end: when all is there already, nothing is run and *done
 * is set. `stop`: as GlintCollectOptions has it. */
typedef struct {
    const char *whole;
    gboolean (*stop)(gpointer data);
    gpointer data;
    gboolean done;
} GlintShardJob;
gboolean glint_job_collect_shard(const GlintArgs *args, const char *folder, GlintShardJob *shard, json_t *report, GError **error);
/* The same from saved activations (--from): no model, no data. */
gboolean glint_job_collect_from(const GlintArgs *args, const char *folder, json_t *report, GError **error);
