/* Names to paths: 'demo' is the model or data that comes with glint (a folder of that name is ./demo); then a local path that
 * exists; then a model org/name[@revision] of the Hugging Face hub, which is fetched when it is not in the cache (hub/hub.h). An
 * error says where was looked and how to get it. */
#pragma once
#include "text/dataset.h"
#include <glib.h>

char *glint_resolve_model(const char *name, GError **error);     /* free with g_free */
char *glint_resolve_tokenizer(const char *name, GError **error); /* the same, but of the hub no weights are fetched; free with g_free */

/* Opens the data set that `name` means: 'demo', a local path, an http(s) address of a file, or org/name[:config][:split] or a bare
 * name such as imdb on the hub; the last two are fetched into the cache. `path` (may be NULL) gets the file or folder read; free
 * with g_free. Columns left NULL in `options` are "text" and "label" of a file, guessed of a data set of the hub. */
GlintDataset *glint_resolve_open_dataset(const char *name, const GlintDatasetOptions *options, char **path, GError **error);
