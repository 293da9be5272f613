/* path.json and path/: what was found at each lambda (docs/files.md). Written again, atomically, after every point, so that whatever
 * happens to the run, the points that came before are there. */
#pragma once
#include "ggm/select.h"
#include <glib.h>
#include <jansson.h>

typedef struct {
    double lambda;
    char *status;             /* "ok", or why there is no answer */
    char *outcome;            /* how the solve over all samples ended; NULL without one */
    double edges, components, largest_component; /* NAN = not known, as below */
    double objective, relative_duality_gap, kkt_residual, log_likelihood, ebic;
    double cv_mean, cv_se;    /* held-out loss over the folds */
    double instability, instability_raw, mean_edges; /* of StARS: monotone and as found; edges of a resample's graph */
    int solves;               /* resamples that gave an answer; 0 = none were asked for */
    double seconds;           /* since the path began */
    char *file;               /* "path/<name>.npz" or NULL */
} GlintPathPoint;

typedef struct {
    char *folder;             /* that path.json is written into */
    json_t *head;             /* what stands before the points; the caller may add to it */
    GArray *points;           /* GlintPathPoint, lambda descending */
    gsize p;
    double selected;          /* lambda; NAN while there is none */
    GError *error;            /* the first write that failed; nothing more is written then */
} GlintPath;

/* `head` (taken over) is an object. */
GlintPath *glint_path_new(const char *folder, gsize p, json_t *head);
void glint_path_free(GlintPath *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintPath, glint_path_free)

/* The point at lambda (within 1e-9 of it): NULL if there is none; made if there is none. */
GlintPathPoint *glint_path_find(const GlintPath *self, double lambda);
GlintPathPoint *glint_path_at(GlintPath *self, double lambda);
/* Takes in the points that an earlier run of the same key left in the folder; FALSE when there are none. */
gboolean glint_path_resume(GlintPath *self);
/* The matrix of a point, empty when there is none to be read; release it with glint_sparse_clear(). */
void glint_path_load(const GlintPath *self, const GlintPathPoint *point, ggm_sparse *matrix);
/* Takes over what libggm found at a lambda; with `keep` its matrix goes to path/. Errors go to self->error: this is called from a callback. */
void glint_path_arrived(GlintPath *self, const ggm_path_point *point, gboolean keep);
/* Writes path.json as it stands. FALSE and *error also when an earlier write had failed. */
gboolean glint_path_write(GlintPath *self, const char *outcome, GError **error);
/* Moves path.json and, if wanted, path/ into `folder`; write path.json after glint_path_forget() when the matrices stay behind. */
void glint_path_forget(GlintPath *self);
gboolean glint_path_move(GlintPath *self, const char *folder, gboolean with_matrices, GError **error);

/* path.json of `folder` -> path.png; nothing happens where there is no path.json. */
gboolean glint_path_draw(const char *folder, GError **error);

