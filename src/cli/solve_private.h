/* One solve under way, shared by solve_*.c: what is asked, what is being done, and what libggm's callbacks need. For nobody else. */
#pragma once
#include "base/talk.h"
#include "cli/path_file.h"
#include "cli/results.h"
#include "cli/solve_plan.h"
#include "ggm/joint.h"

typedef struct {
    const GlintSample *sample;
    const GlintArgs *args;
    GlintSolvePlan plan;
    ggm_samples rows;         /* with sample->rows */
    const char *folder;       /* existing; results are written into it */
    const char *unfinished;   /* where path.json grows while lambda is being chosen */
    gint64 started;
    GlintProgress *bar;
    double done;              /* of the bar */
    char *unit;               /* of the stage: "half-sample" */
    GlintPath *path;          /* or NULL */
    ggm_result result;        /* at the chosen lambda, in units of sample->covariance */
    const char *basis;        /* what the certificate was taken from */
    ggm_certificate proof;    /* when it was taken from the matrix alone; else all zero */
    gboolean interrupted;     /* after there was an answer: it is written with what is known of it */
    json_t *sections;         /* object: more of certificate.json */
    GPtrArray *columns;       /* GlintSolveColumn: more of edges.csv */
} GlintSolve;

/* A number for each edge, in the order of the matrix (i, then j > i). */
typedef struct { char *name; double *values; } GlintSolveColumn;

/* The problem with the sample's own covariance, or with the samples behind it. `lambda` is on the scale of the former. */
ggm_problem glint_solve_problem(const GlintSolve *self, double lambda);
ggm_problem glint_solve_problem_of_rows(const GlintSolve *self, double lambda);
/* A lambda that libggm found from rows, on the scale of the sample's covariance, and what a matrix found there is to be multiplied by. */
double glint_solve_lambda_of_rows(const GlintSolve *self, double lambda);
double glint_solve_matrix_of_rows(const GlintSolve *self);
/* Settings with the callbacks of this solve; what is left of the time limit. */
ggm_settings glint_solve_settings(GlintSolve *self);
/* A new bar: `unit` is what is counted, `total` 0 = unknown. */
void glint_solve_stage(GlintSolve *self, const char *title, double total, const char *unit);
/* "positive blocks.3.mlp.hook_post"; free with g_free. */
char *glint_solve_subject(const GlintSolve *self);
gboolean glint_solve_fail(const GlintSolve *self, const char *what, ggm_status status, GError **error);
gsize glint_solve_edges(const GlintSolve *self);
/* Bytes that resamples solved side by side may hold: half of the machine's memory. */
gsize glint_solve_memory(void);

/* Chooses lambda and solves there: fills result, and begins path (solve_choice.c). */
gboolean glint_solve_choose(GlintSolve *self, GError **error);
/* The certified answer into the path, path.json, path/ and path.png into the folder. */
gboolean glint_solve_finish_path(GlintSolve *self, GError **error);
/* Stability, null, bootstrap, debiased estimates: fills sections and columns, writes their files (solve_uncertainty.c). */
gboolean glint_solve_uncertainty(GlintSolve *self, GError **error);
/* neurons.csv, precision.npz, certificate.json, edges.csv and the rest (solve_files.c). */
gboolean glint_solve_write(GlintSolve *self, gboolean converged, GError **error);
/* The same for one class of several that were solved together; `joint` (taken over) is what the certificate says of that. */
gboolean glint_solve_write_joint(const GlintSample *sample, const GlintArgs *args, const GlintSolvePlan *plan, const ggm_sparse *precision, const ggm_joint_info *info,
                                 json_t *joint, const char *basis, gboolean converged, const char *folder, GError **error);
/* JSON has no infinity: a gap that could not be certified is written as null. */
json_t *glint_number_or_null(double x);
