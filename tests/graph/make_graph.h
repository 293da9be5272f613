/* Graphs for the tests: a precision matrix whose partial correlations are given. */
#pragma once
#include "graph/graph.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

typedef struct { gsize i, j; double pcor; } Link;

/* theta_ii = 1 + i / 10 and theta_ij = -pcor sqrt(theta_ii theta_jj). */
GlintCsr *make_precision(gsize p, const Link *links, gsize n_links);
/* The graph of it, neurons "L0.N<i>", not measured. Fails the test on error. */
GlintGraph *make_graph(gsize p, const Link *links, gsize n_links);
/* The same with neuron ids of the caller's. */
GlintGraph *make_named(gsize p, const Link *links, gsize n_links, char *const *neurons);
/* n_modules groups of equal size: chances of an edge inside and between, |pcor| 0.05 to 0.3, both signs. */
GlintGraph *make_planted(gsize p, gsize n_modules, double inside, double between, guint32 seed);
/* Zachary's karate club (34 nodes, 78 edges, all |pcor| = 0.05): the standard example, best modularity 0.4198. */
GlintGraph *make_karate(void);
char **make_names(gsize p);

/* A private folder, removed with all it holds by scratch_remove. */
char *scratch_new(void);
void scratch_remove(char *folder);
char *read_text(const char *folder, const char *name);
void write_text(const char *folder, const char *name, const char *text);

/* Requires failure with this code and a message that holds `words`; clears the error. */
void expect_error(GError **error, int code, const char *words);
