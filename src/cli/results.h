/* The results folder (DESIGN 5): where things are in it, and the jobs that fill it. `glint run` and the single commands
 * call the same jobs; each starts from the files that the one before left. */
#pragma once
#include "cli/sample.h"
#include "graph/graph.h"
#include <jansson.h>

typedef struct { char *class_name, *site, *path; } GlintResult; /* path = root/<class>/<site> */
void glint_result_free(GlintResult *self);

/* Solved results under `path`: itself when it holds precision.npz, else every <class>/<site> below it, sorted by class, layer.
 * An error when there are none. Elements are GlintResult*, freed with the array. */
GPtrArray *glint_results_find(const char *path, GError **error);

/* Runs `job` on every result under `path` and says `done` of each; stops at an error or an interrupt. */
typedef gboolean (*GlintResultJob)(const char *folder, guint64 seed, GError **error);
gboolean glint_results_each(const char *path, GlintResultJob job, guint64 seed, const char *done, GError **error);

/* Checks the values of the solve options: called before hours of collecting. */
gboolean glint_solve_args_check(const GlintSolveArgs *args, GError **error);

/* The value of --neurons: 0 for NULL or "all". */
gboolean glint_neuron_limit(const char *text, gsize *limit, GError **error);

/* Solves `sample` and writes neurons.csv, precision.npz, certificate.json and, when p <= 4096 or `dense`, covariance.npy and
 * precision.npy into the existing `folder`. *converged tells whether the certificate meets the tolerance. */
gboolean glint_job_solve(const GlintSample *sample, const GlintSolveArgs *args, int threads, const char *folder, gboolean *converged, GError **error);
/* precision.npz + neurons.csv (+ covariance) -> edges.csv, modules.csv, graph.dot, graph.graphml.
 * `covariance` may be NULL: covariance.npy is read if it is there. */
gboolean glint_job_graph(const char *folder, const double *covariance, guint64 seed, GError **error);
/* edges.csv + modules.csv + certificate.json -> precision.png, graph.png, graph.svg. */
gboolean glint_job_draw(const char *folder, guint64 seed, GError **error);
/* Several classes of one site -> compare/<site>/ at `out` (swapped in whole). `report` as below. */
gboolean glint_job_compare(char *const *folders, char *const *classes, gsize n_classes, const char *site, const char *out, gboolean pictures, json_t *report, GError **error);

/* What identifies a solve: equal keys mean equal results. Free with g_free. */
char *glint_solve_key(const GlintSample *sample, const GlintSolveArgs *args);
/* certificate.json of a folder, or NULL (no error set) when there is none that can be read. */
json_t *glint_certificate_read(const char *folder);
/* Whether a folder holds all that a stage writes, for keeping what is whole and making again what is not: regular files
 * that are not empty; the matrix and the graph can be read, too. */
gboolean glint_has_files(const char *folder, const char *const *names);
gboolean glint_has_solution(const char *folder, const GlintSample *sample, const GlintSolveArgs *args);
gboolean glint_has_graph(const char *folder);
gboolean glint_has_pictures(const char *folder);

/* All <class>/<site> of a collected folder: each is solved (then graphed and drawn, up to `last`) in a folder that is swapped
 * in whole; results with the same key are kept. *all_converged becomes FALSE when one did not. `report` (an array, may be
 * NULL) receives one object for each. */
typedef enum { GLINT_JOB_SOLVE, GLINT_JOB_GRAPH, GLINT_JOB_DRAW } GlintJob;
gboolean glint_job_solve_collected(const char *root, const GlintArgs *args, GlintJob last, gboolean *all_converged, json_t *report, GError **error);

/* Compares the classes of every site under `root`: to root/compare/<site>/, or to out/<site>/ when `out` is given. `report` (an
 * array, may be NULL) receives one object a site. With one class there is nothing to compare, and nothing is written. */
gboolean glint_job_compare_collected(const char *root, const char *out, gboolean pictures, json_t *report, GError **error);
