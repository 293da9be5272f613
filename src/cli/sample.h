/* What a solve starts from: the covariance of p neurons, with everything later stages want to say about them. */
#pragma once
#include "cli/options.h"
#include "collect/moments.h"

typedef struct {
    gsize p, n;          /* neurons; rows of the activation matrix (0 = not known) */
    double *covariance;  /* p*p */
    double *mean, *sd;   /* p, or NULL when only a covariance is known */
    char **neurons;      /* p ids, NULL-terminated */
    gsize *column;       /* p: column of the site (or of the input matrix) each row stands for */
    gsize width;         /* columns there were before any were left out */
    gsize n_constant;    /* columns left out because they do not vary */
    char *site, *class_name; /* NULL when not known */
    char *key;           /* hash that identifies the data: part of what makes a result reusable */
} GlintSample;

void glint_sample_free(GlintSample *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintSample, glint_sample_free)

/* A p x p covariance (.npy, any float type). Rows with zero variance are left out with a warning. */
GlintSample *glint_sample_from_covariance(const char *path, GError **error);
/* An n x p matrix of activations (.npy). */
GlintSample *glint_sample_from_activations(const char *path, GError **error);
/* Moments restricted to the given columns (ascending); `key` identifies them (copied). */
GlintSample *glint_sample_from_moments(GlintMoments *moments, const gsize *columns, gsize p, const GlintSite *site, gsize head_size,
                                       const char *class_name, gsize n_constant, const char *key, GError **error);
