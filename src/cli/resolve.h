/* Names to paths: 'demo' is the model or data that comes with glint (a folder of that name is ./demo); then a local path that
 * exists; then org/name[@revision] in the Hugging Face cache (HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME). An error says where was looked and how to get it. */
#pragma once
#include <glib.h>

char *glint_resolve_model(const char *name, GError **error);   /* free with g_free */
char *glint_resolve_dataset(const char *name, GError **error); /* free with g_free */
