/* The results folder (DESIGN 5): where things are in it, and the jobs that fill it. `glint run` and the single commands
 * call the same jobs; each starts from the files that the one before left. */
#pragma once
#include "cli/sample.h"
#include "graph/graph.h"
#include <jansson.h>

typedef struct { char *class_name, *site, *path; } GlintResult; /* path = root/<class>/<site> */
void glint_result_free(GlintResult *self);

/* Solved results under `path`: itself when it holds precision.npz, else every <class>/<site>, or <class>, below it, sorted by class, layer.
 * An error when there are none. Elements are GlintResult*, freed with the array. */
GPtrArray *glint_results_find(const char *path, GError **error);

/* Runs `job` on every result under `path` and says `done` of each; stops at an error or an interrupt. */
typedef gboolean (*GlintResultJob)(const char *folder, guint64 seed, GError **error);
gboolean glint_results_each(const char *path, GlintResultJob job, guint64 seed, const char *done, GError **error);

/* Checks the values of the solve options: called before hours of collecting. Without the samples themselves (`has_rows`), options that need
 * them are refused. */
gboolean glint_solve_args_check(const GlintArgs *args, gboolean has_rows, GError **error);

/* Solves `sample` and writes neurons.csv, precision.npz, certificate.json, edges.csv, what the options ask for besides (docs/files.md) and, when
 * p <= 4096 or `dense`, covariance.npy and precision.npy into the existing `folder`. While lambda is being chosen, what was found so
 * far is in the folder `unfinished`, which is below that of the result and gone afterwards. *converged tells whether the certificate
 * meets the tolerance. When the user stops it after the answer was found, what there is by then is written (without a key, so that it
 * is made again), and glint_interrupted() tells. */
gboolean glint_job_solve(const GlintSample *sample, const GlintArgs *args, const char *folder, const char *unfinished, gboolean *converged, GError **error);
/* One joint solve of several samples, which have the same neurons; folders[k] gets the files of samples[k]. */
gboolean glint_job_solve_joint(GlintSample *const *samples, gsize n_samples, const GlintArgs *args, char *const *folders, gboolean *converged, GError **error);
/* glint solve of one .npy, and (--joint) of several, of which one list is NULL: exit codes. */
int glint_job_solve_matrix(const GlintArgs *args, const char *covariance, const char *activations, GError **error);
int glint_job_solve_matrices(const GlintArgs *args, char *const *covariances, char *const *activations, GError **error);
/* Where a result at `path` is while it is unfinished; free with g_free. */
char *glint_unfinished_path(const char *path);

/* Numbers of each edge beside its estimate, which a solve left for the graph: i, j, and the columns that "columns" names. */
#define GLINT_UNCERTAINTY_FILE "uncertainty.npz"
/* edges.csv of a solved folder. */
gboolean glint_write_edges(const char *folder, const double *covariance, GError **error);
/* precision.npz + neurons.csv (+ covariance) -> edges.csv, modules.csv, graph.dot, graph.graphml.
 * `covariance` may be NULL: covariance.npy is read if it is there. */
gboolean glint_job_graph(const char *folder, const double *covariance, guint64 seed, GError **error);
/* edges.csv + modules.csv + certificate.json -> precision.png, graph.png, graph.svg. */
gboolean glint_job_draw(const char *folder, guint64 seed, GError **error);
/* Several classes of one site -> compare/<site>/ at `out` (swapped in whole). `report` as below. */
gboolean glint_job_compare(char *const *folders, char *const *classes, gsize n_classes, const char *site, const char *out, gboolean pictures, json_t *report, GError **error);

/* What identifies a solve: equal keys mean equal results. Free with g_free. */
char *glint_solve_key(const GlintSample *sample, const GlintArgs *args);
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
