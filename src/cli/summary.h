/* What a run found, in plain words on standard output. */
#pragma once
#include <glib.h>
#include <jansson.h>

void glint_print_summary(json_t *report, const char *folder, gboolean pictures);
