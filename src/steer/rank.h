/* Modules of a layer, ranked by how well they tell the classes apart on the texts that the graph was estimated from. */
#pragma once
#include "steer/layer.h"

typedef struct {
    int module;
    gsize n;            /* neurons */
    double separation;  /* glint_steer_separation() */
    double effect;      /* mean |Cohen's d| of its single neurons */
} GlintRankedModule;

/* Modules of at least `least` neurons, best first. GArray of GlintRankedModule; an error when there is none. */
GArray *glint_steer_rank(const GlintSteerLayer *layer, gsize least, GError **error);
