/* Examples for people and scripts: one line of JSON a neuron. docs/collect.md shows one. */
#pragma once
#include "collect/examples.h"
#include "collect/texts.h"
#include "model/site.h"

enum { GLINT_EXAMPLES_BANDS = 5, GLINT_EXAMPLES_BEFORE = 8, GLINT_EXAMPLES_AFTER = 4 /* tokens shown around an example */ };

/* `numbers`: of the columns, where they are some of the site's only; or NULL. {"neuron", "id", "quantiles", "top", "bottom", "bands"}; an example is
 * {"text", "position", "value", "tokens", "at"}. `bottom` only for columns that go below 0. `texts` must be sorted. An error when an example's text is not among `texts`. */
gboolean glint_examples_write(const GlintExamples *self, const GlintTexts *texts, const GlintSite *site, const gsize *numbers, gsize head_size, const char *path, GError **error);
