/* What a solve starts from: the covariance of p neurons, with everything later stages want to say about them. */
#pragma once
#include "base/npy.h"
#include "cli/solve_plan.h"
#include "collect/moments.h"
#include "ggm/covariance.h"

typedef struct {
    gsize p, n;          /* neurons; rows of the activation matrix (0 = not known) */
    gsize n_texts;       /* independent ones behind it: n unless rows are tokens or --groups or --n say otherwise (0 = not known) */
    double *covariance;  /* p*p */
    double *mean, *sd;   /* p, or NULL when only a covariance is known */
    char **neurons;      /* p ids, NULL-terminated */
    gsize *column;       /* p: column of the site (or of the input matrix) each row stands for */
    gsize width;         /* columns there were before any were left out */
    gsize n_constant;    /* columns left out because they do not vary */
    char *site, *class_name; /* NULL when not known */
    char *key;           /* hash that identifies the data: part of what makes a result reusable */

    double *rows;        /* n x p samples, when they were asked for; they lie in `activations` */
    GlintArray *activations;
    double divisor;      /* covariance = divisor x what libggm forms from the rows (which divides by n, not n - 1) */
    gsize *group;        /* n: the text each row belongs to, or NULL: every row is one */
    ggm_covariance_settings forming; /* how the covariance was formed, and is to be formed from resamples */
    ggm_covariance_info formed;

    double *weights;     /* p*p of the penalty, or NULL for 1 everywhere */
    ggm_sparse start;    /* a precision matrix to start from, or empty */
} GlintSample;

void glint_sample_free(GlintSample *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSample, glint_sample_free)

/* A p x p covariance (.npy, any float type). Rows with zero variance are left out with a warning. */
GlintSample *glint_sample_from_covariance(const char *path, GError **error);
/* An n x p matrix of activations (.npy). `keep_rows`: fill in `rows`. */
GlintSample *glint_sample_from_activations(const char *path, gboolean keep_rows, GError **error);
/* The same of a matrix in memory (taken), which messages call `name`. */
GlintSample *glint_sample_from_rows(GlintArray *rows, const char *name, gboolean keep_rows, GError **error);
/* What glint collect --save-activations left: `folder` itself where it has a meta.json, else the one below it that class and site (each may be
 * NULL) name. Neurons have their ids; rows that are tokens have their text as group. (sample_saved.c) */
GlintSample *glint_sample_from_saved(const char *folder, const char *class_name, const char *site, gboolean keep_rows, GError **error);
/* Moments restricted to the given columns (ascending); `key` identifies them (copied). `features`: the number of every column, where columns
 * are some of an SAE's features; else NULL. */
GlintSample *glint_sample_from_moments(GlintMoments *moments, const gsize *columns, gsize p, const GlintSite *site, gsize head_size, const gsize *features,
                                       const char *class_name, gsize n_constant, const char *key, GError **error);

/* What the options add to a sample (sample_inputs.c): the transform and shrinkage of its covariance, --groups, --penalty, --start (of
 * which `folder`, if not NULL, is the part below a results folder) and --n. */
gboolean glint_sample_prepare(GlintSample *self, const GlintSolveArgs *args, const GlintSolvePlan *plan, int threads, const char *folder, GError **error);
/* The samples as libggm takes them; only with rows. */
ggm_samples glint_sample_rows(const GlintSample *self);
