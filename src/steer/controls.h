/* What a module is compared with: other sets of as many neurons of the same layer, for the identical operator. All draws come from the
 * seed alone. Sets are rows of the layer, hubs first as glint_steer_module() gives them (those of many edges come first). */
#pragma once
#include "steer/layer.h"
#include "steer/lab.h"

/* n neurons drawn from those outside `module` (from all, where fewer than n are outside). GArray of gsize. */
GArray *glint_steer_random_rows(const GlintSteerLayer *layer, const GArray *module, guint64 seed);
/* For each neuron of the module another one outside it, drawn from the eight unused ones whose degree in the graph is closest. */
GArray *glint_steer_matched_rows(const GlintSteerLayer *layer, const GArray *module, guint64 seed);
/* The n single neurons whose class means lie furthest apart, by |Cohen's d|. */
GArray *glint_steer_top_rows(const GlintSteerLayer *layer, gsize n);
/* A module of the plain correlation graph, which has as many edges as the layer's graph (its strongest |r|) and is cut into modules in the same way:
 * of those of at least n / 2 neurons the one that tells the classes apart best, cut to n hubs or filled up with its strongest neighbours. NULL and no
 * error when the layer has no covariance or its correlation graph no such module. */
GArray *glint_steer_correlation_rows(const GlintSteerLayer *layer, gsize n, guint64 seed, GError **error);

/* Mean residual after the layer (hook_resid_post) of the first texts less that of the others, each text being the mean over its tokens
 * from `skip` on: the difference in means, as an operator. */
GlintSteerOperator *glint_steer_residual_difference(GlintModel *model, gsize layer, const GlintSteerTexts *towards, const GlintSteerTexts *away, gsize skip, GError **error);
