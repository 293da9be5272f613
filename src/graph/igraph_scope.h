/* Calling igraph safely. igraph 0.10 keeps an error handler that aborts the program, a warning handler that prints, an
 * interruption handler and one random number generator, all process-wide. A scope puts harmless ones in their place, with a
 * generator of its own seeded by the caller, and puts the former ones back when it is left. One scope at a time (a mutex
 * sees to it), because Debian's igraph is not built thread-safe. Internal to src/graph. */
#pragma once
#include "graph/graph.h"
#include <igraph/igraph.h>

#if IGRAPH_VERSION_MAJOR != 0 || IGRAPH_VERSION_MINOR != 10
#error "src/graph is written against igraph 0.10 (1.0 changed the random generator, Leiden, betweenness and interruption): build with libigraph 0.10"
#endif

typedef struct {
    igraph_error_handler_t *error_handler;
    igraph_warning_handler_t *warning_handler;
    igraph_interruption_handler_t *interruption_handler;
    igraph_rng_t rng, former_rng;
    gboolean entered;
} GliIgraph;

/* FALSE (and nothing to leave) when there is no memory. */
gboolean gli_igraph_enter(GliIgraph *self, guint64 seed, GError **error);
/* Puts everything back; may be called on a zeroed or left scope. */
void gli_igraph_leave(GliIgraph *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GliIgraph, gli_igraph_leave)

/* TRUE when `code` is success; else says what failed in *error. Only inside a scope. */
gboolean gli_igraph_check(igraph_error_t code, const char *what, GError **error);

/* An undirected igraph of n_nodes nodes; ends[2k], ends[2k+1] are the nodes of edge k. The caller destroys *out. */
gboolean gli_igraph_create(igraph_t *out, gsize n_nodes, const igraph_vector_int_t *ends, GError **error);
