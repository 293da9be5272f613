/* A file that is fetched in pieces and survives a kill: it grows under a name of its own, and gets its final one when it is whole. */
#pragma once
#include <glib.h>

/* Opens (or creates, with parent folders) the part file for reading and writing, and locks it; another process that holds it is
 * waited for. After waiting, the final file may be there: look. Returns a descriptor, -1 and error. */
int glint_part_open(const char *part, GError **error);

/* Syncs the part file and renames it. The descriptor stays open, and is the caller's to close. */
gboolean glint_part_commit(int fd, const char *part, const char *path, GError **error);
