/* What `glint info --build` tells: what this program is made of and what it uses of this machine. */
#pragma once
#include <jansson.h>

json_t *glint_build_describe(void);
void glint_build_print(json_t *build); /* for people, on stdout */
