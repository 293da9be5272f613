/* What the tests of the choice of lambda share. */
#pragma once
#include "ggm/selecting.h"
#include "ggm/support.h"

enum { P = 24, N = 160 };

/* (n, p) samples from a sparse truth, with means and scales of their own; truth may be NULL */
double *sample_rows(int seed, int p, int n, double **truth);
/* (p, p) covariance of some rows about `centre`, or, if that is NULL, about their own mean; their mean is left in `mean`; plain loops */
void plain_covariance(const double *x, int p, const size_t *rows, size_t count, const double *centre, double *mean, double *s);
size_t *all_rows(size_t n);
/* The draw of resample `stream`: first .. first + n - 1 in random order */
size_t *drawn_rows(uint64_t seed, uint64_t stream, size_t n, size_t first);
/* Eight lambdas, solved tightly: losses and edges move by the square root of the tolerance */
ggm_select_settings defaults(ggm_criterion criterion);
/* The choice is one of the points, solved, and its answer certified */
void assert_choice(const ggm_problem *problem, const ggm_selection *selection);
size_t solves_of(const ggm_selection *selection); /* of all points */
