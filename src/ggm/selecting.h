/* What the files that choose lambda share. Not installed.
 *
 *   linkage.c   component sizes for every lambda
 *   path.c      solutions along a path, likelihood and EBIC
 *   ladder.c    paths on many subsets of the samples
 *   cv.c, stars.c, ric.c, select.c  the criteria, and what they have in common */
#pragma once
#include "ggm/covariance.h"
#include "ggm/internal.h"
#include "ggm/select.h"

/* ---- linkage.c ---- */
/* ggm_linkage_new() for a problem that has been checked; false: no memory, release what there is */
bool ggm_linkage_build(const ggm_problem *problem, ggm_linkage *linkage);
/* The components at lambda, as ggm_screen() would have them, but for pairs within rounding of a weighted penalty */
bool ggm_linkage_cut(const ggm_linkage *linkage, double lambda, ggm_components *components);

/* ---- path.c ---- */
/* A path under way, one lambda after another, in any order */
typedef struct {
    ggm_workspace *workspace;
    ggm_control *control;
    ggm_path_settings settings; /* tolerance and n as they hold */
    ggm_path_result *result;    /* points has room for all that come */
} ggm_path_run;
bool ggm_check_path_settings(const ggm_path_settings *settings);
/* (*count) the lambdas to begin with; NULL: no memory */
double *ggm_path_lambdas(const ggm_path_settings *settings, double lambda_max, size_t *count);
/* Factor from the last lambda to the next beyond the lower end, and from the first to the next beyond the upper one (its inverse) */
double ggm_path_factor(const double *lambdas, size_t count, bool down);
/* Solves at lambda and puts the point before points[position] */
void ggm_path_step(ggm_path_run *run, double lambda, size_t position);
double ggm_log_determinant(const ggm_workspace *workspace, const ggm_result *result); /* logdet T, from the objective: no factorization */
double ggm_trace_product(const double *s, const ggm_sparse *t);                        /* tr(S T) */
size_t ggm_edge_count(const ggm_sparse *t);
bool ggm_sparse_copy(const ggm_sparse *from, ggm_sparse *to);

/* ---- select.c: progress over many solves in many jobs ---- */
typedef struct {
    ggm_control *control;
    const ggm_select_settings *select;
    atomic_size_t done;
    size_t planned, reported;
} ggm_watch;
/* Reports progress if there is any; from the calling thread only */
void ggm_watch_report(ggm_watch *watch);
/* The same, and true when all is to end */
bool ggm_watch_poll(ggm_watch *watch);
/* Does the jobs, reporting on the way */
void ggm_watch_jobs(ggm_watch *watch, size_t count, size_t bytes, ggm_status (*work)(void *context, ggm_job *job), void *context);

/* ---- ladder.c ---- */
typedef struct {
    bool there;              /* there is an answer */
    ggm_status status;
    double loss;             /* CV: held-out */
    size_t edges;
    size_t *start;           /* STARS: (p + 1) and (edges) the pairs i < j that are edges, by i */
    int *other;
} ggm_slot;

typedef struct {
    double lambda;
    ggm_slot *slots;         /* (jobs) */
} ggm_rung;

typedef struct {
    const ggm_problem *problem;  /* as the caller gave it, with samples */
    const ggm_problem *whole;    /* with S of all samples */
    const ggm_select_settings *select;
    ggm_watch *watch;
    double tolerance;
    size_t jobs;
    size_t *reach;               /* (jobs) rungs, from the first on, that the job has been over */
    ggm_sparse *last;            /* (jobs) T at the last of them, where the job goes on */
    size_t count, capacity;
    ggm_rung *rungs;             /* (capacity) lambda descending */
    bool held_out;               /* jobs have a test covariance */
    /* Forms the training covariance of a job (p, p), and the test covariance if held_out */
    ggm_status (*form)(void *context, size_t job, double *train, double *test);
    void *context;
} ggm_ladder;
bool ggm_ladder_init(ggm_ladder *ladder, const double *lambdas, size_t count);
/* `more` rungs beyond the lower or the upper end; those above are solved at once by all jobs */
bool ggm_ladder_extend(ggm_ladder *ladder, size_t more, bool down);
/* Jobs from .. to - 1 go down to rung `reach` */
void ggm_ladder_run(ggm_ladder *ladder, size_t from, size_t to, size_t reach);
/* Marks the jobs that have an answer at each of the first *reach rungs (but for rungs where none has one), having lowered *reach until there
 * are at least `least`; returns how many there are */
size_t ggm_ladder_complete(const ggm_ladder *ladder, size_t least, size_t *reach, bool *complete);
/* lambda, status, edges, solves of the points; score and spread NaN */
void ggm_ladder_points(const ggm_ladder *ladder, const bool *complete, size_t reach, ggm_select_point *points);
void ggm_ladder_release(ggm_ladder *ladder);
/* S of some rows of the problem's samples, one thread */
ggm_status ggm_subset_covariance(const ggm_problem *problem, const uint32_t *rows, size_t count, const ggm_covariance_settings *settings, double *s);
/* Variables whose variance is nothing next to that in all samples keep the latter, and no covariance */
void ggm_keep_constants(const ggm_problem *whole, double *s);

/* ---- select.c ---- */
typedef struct {
    const ggm_problem *problem;  /* as the caller gave it */
    const ggm_settings *settings;
    const ggm_select_settings *select;
    ggm_workspace *workspace;    /* of all samples */
    const ggm_problem *whole;    /* its problem */
    ggm_control control;
    ggm_watch watch;
    double tolerance;            /* of the solves on the way */
    double lambda_max;
    int extensions;              /* none if lambda_max = 0 */
    ggm_selection *selection;
} ggm_choice;
/* Where the smallest score among the selection's points lies */
typedef struct {
    bool found;
    size_t best;
    bool lower;              /* no smaller lambda has a score */
    bool down, up;           /* at the lower end; at the upper one, with edges beyond it */
} ggm_ends;
ggm_ends ggm_find_best(const ggm_choice *choice);
/* Each fills points, chosen, lambda (left NaN if there is no choice) and at_end */
ggm_status ggm_choose_cv(ggm_choice *choice);
ggm_status ggm_choose_stars(ggm_choice *choice);
ggm_status ggm_choose_ric(ggm_choice *choice);
/* Resamples with everything set but jobs, held_out, form and context */
ggm_ladder ggm_choice_ladder(ggm_choice *choice);
/* Moves the rungs' points into the selection; false: no memory */
bool ggm_choice_points(ggm_choice *choice, const ggm_ladder *ladder, const bool *complete, size_t reach);
