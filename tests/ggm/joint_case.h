/* What the tests of the joint graphical lasso share: problems, and a judge in plain loops. */
#pragma once
#include "ggm/joint.h"
#include "ggm/support.h"

#define CLASSES 5

/* K matrices and the problem over them */
typedef struct {
    double *s[CLASSES];
    ggm_problem problems[CLASSES];
    ggm_joint_problem joint;
} case_of;

void set_up(case_of *c, int classes, int p, bool scale); /* of c->s */
/* Classes whose truth shares most of its edges, n samples each; without scale, their correlation matrices */
void random_case(case_of *c, uint64_t seed, int classes, int p, int n, bool scale);
void tear_down(case_of *c);
void to_correlation(double *s, int p);
ggm_settings tight(double tolerance);                    /* one thread */
double entry(const ggm_sparse *t, int i, int j);
void assert_same_bits(const ggm_sparse *a, const ggm_sparse *b);
/* What every answer must be, its objective recomputed by plain loops; returns the certificate */
ggm_certificate assert_joint(const ggm_joint_problem *joint, const ggm_joint_result *result, double tolerance);
