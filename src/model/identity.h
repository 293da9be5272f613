/* What identifies a set of files (config.json and weights). See identity.c for what large files contribute. */
#pragma once
#include <glib.h>

/* SHA-256 in hex over names, sizes and content hashes of the files, in the order given (NULL-terminated); free with g_free. */
char *gli_identity(const char *const *paths, GError **error);
