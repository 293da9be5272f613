/* What stands around a heat map: colour strips and names of the modules, separators, ticks, names of neurons. */
#pragma once
#include "draw/heat.h"
#include "graph/graph.h"

/* A run of rows of the same module. */
typedef struct { int module; gsize start, size; } GlintRun;

/* Drops neurons without an edge from an order of all p neurons (as glint_graph_order() gives it); returns how many stay. */
gsize glint_connected_of(const GlintGraph *graph, gsize *order);
/* The runs among the first n_rows of the order: GArray of GlintRun, owned by the caller. */
GArray *glint_runs_of(const GlintGraph *graph, const gsize *order, gsize n_rows);

/* Room the names need left of the panel and above it, strips included. */
#define GLINT_MARGIN_LEFT 66.0
#define GLINT_MARGIN_TOP 30.0

/* Under the cells: light lines between modules and a grey ground on each module's own block. */
void glint_margins_grid(const GlintHeatPanel *panel, cairo_t *cr, const GArray *runs);
/* Over the cells: the frame and, outside it, strips with module numbers; with sizes at the left, if wanted there. */
void glint_margins_strips(const GlintHeatPanel *panel, cairo_t *cr, const GArray *runs, gboolean names_at_left);
/* Ticks that count neurons along the lower edge, and "neurons, ordered by module" under them. */
void glint_margins_ticks(const GlintHeatPanel *panel, cairo_t *cr);
/* Up to this many neurons have their names at the right and lower edge instead of ticks, each in a room this long. */
enum { GLINT_NAMED_NEURONS = 64 };
#define GLINT_NAMES_ROOM 60.0
void glint_margins_names(const GlintHeatPanel *panel, cairo_t *cr, char *const *names);
