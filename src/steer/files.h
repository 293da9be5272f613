/* What a trial leaves: steer.json (settings, doses, verdict, and the operator itself, so that it can be used again), and tables.
 *
 *   doses.csv     arm,role,dose,kl_wanted,kl,strength,reached,effect,low,high,probability,mass,wrong,kl_p99,nll_change,same_top
 *   controls.csv  arm,role,neurons,slope,slope_sd,against,monotone
 *   texts.csv     text,dose,log_odds,change     of the module, dose 0 = nobody steers */
#pragma once
#include "steer/trial.h"
#include <jansson.h>

/* Everything about the trial as JSON; `operator` holds the module's operator in full. New reference. */
json_t *glint_steer_trial_json(const GlintSteerTrial *trial, const GlintSteerLayer *layer);
/* The three tables into an existing folder. */
gboolean glint_steer_trial_tables(const GlintSteerTrial *trial, const GlintSteerLayer *layer, const char *folder, GError **error);

/* The operator of a steer.json, its strength at the verdict's dose and what it points to. Everything is checked: the file is untrusted. */
typedef struct {
    GlintSteerOperator *operator;
    double strength;
    char *towards, *model_sha256; /* of the model it was measured on; "" where the file does not say */
} GlintSteerFile;
GlintSteerFile *glint_steer_file_read(const char *path, GError **error);
void glint_steer_file_free(GlintSteerFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSteerFile, glint_steer_file_free)
