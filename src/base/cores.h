/* How many threads are worth starting: the processors that this process may use, with the hyper-threads of a core counted once
 * (two threads of arithmetic on one core share its units and its cache, and slow each other down), and no more than a container's
 * CPU quota pays for (what is above it is paused again and again, with the others waiting at the next barrier). */
#pragma once
#include <glib.h>

int glint_usable_cores(void); /* at least 1 */

/* The same with the system's files under `root` and processors allowed[0 .. n-1]: for tests. */
int glint_usable_cores_at(const char *root, const gboolean *allowed, int n);
