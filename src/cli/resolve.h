/* Names to paths: 'demo' is the model or data that comes with glint (a folder of that name is ./demo); then a local path that
 * exists; then a model org/name[@revision] of the Hugging Face hub, which is fetched when it is not in the cache (hub/hub.h). An
 * error says where was looked and how to get it. */
#pragma once
#include <glib.h>

char *glint_resolve_model(const char *name, GError **error);     /* free with g_free */
char *glint_resolve_tokenizer(const char *name, GError **error); /* the same, but of the hub no weights are fetched; free with g_free */
char *glint_resolve_dataset(const char *name, GError **error);   /* free with g_free */
