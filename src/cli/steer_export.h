/* The direction of a trial's module as a llama.cpp control vector. */
#pragma once
#include "cli/steer_job.h"

/* Can the layers be exported? One layer alone, and not the first: said before hours of work. */
gboolean glint_steer_export_check(const GArray *layers /* gsize */, GError **error);
/* Measures, on the neutral text, the direction of the module's operator at the verdict's strength, and writes it. Says how much of the
 * change it is, and the mean KL that the vector alone causes on the neutral text. */
gboolean glint_steer_export(const GlintSteerPlan *plan, const GlintSteerOutcome *outcome, const char *path, GError **error);
