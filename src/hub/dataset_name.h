/* Names of data sets on the Hugging Face hub: org/name[:config][:split], and the bare names of old, such as imdb. */
#pragma once
#include <glib.h>

typedef struct {
    char *id;       /* "stanfordnlp/imdb" */
    char *parts[2]; /* what stood behind the colons, NULL where nothing did: a config, a split, or one of them alone */
} GlintDatasetName;

/* FALSE, and nothing allocated, when `name` cannot be one: it has more than one slash, a part like "..", or looks like a file
 * ("a/b.jsonl"). A bare name is one only when it is among those the hub itself renamed. */
gboolean glint_dataset_name_parse(const char *name, GlintDatasetName *out);
void glint_dataset_name_clear(GlintDatasetName *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GlintDatasetName, glint_dataset_name_clear)

/* The id that a bare name means today, NULL when it means none. */
const char *glint_dataset_alias(const char *bare);
/* The known bare name that `bare` is a slip of the pen from (one or two letters), NULL when there is none. */
const char *glint_dataset_nearest(const char *bare);
