/* What `glint info MODEL` tells of a model folder. */
#pragma once
#include "model/summary.h"
#include <jansson.h>

json_t *glint_model_describe(const char *folder, const GlintModelSummary *summary);
void glint_model_print(json_t *model); /* for people, on stdout; from what describe returned */
