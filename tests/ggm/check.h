/* The independent judge of answers: plain loops and a Cholesky of its own, sharing no line with the solver or its certificate. */
#pragma once
#include "ggm/ggm.h"

typedef struct {
    bool positive_definite, symmetric, sorted;
    double objective, gap, relative_gap; /* gap: objective - dual at the inverse of T projected into the bounds; infinite if that is not
                                            positive definite */
    double kkt;                          /* largest violation of the optimality conditions, G = S - inverse of T */
    double inverse_error;                /* max |T inv(T) - I|: the judge judging itself */
    size_t nonzeros;
} verdict;

/* Of the problem that ggm_solve solves (correlations if problem->scale), the answer being in problem->s's units */
verdict check_answer(const ggm_problem *problem, const ggm_sparse *precision);

/* Runs check_answer and fails the test where info lies: objective, nonzeros; gap not above `tolerance`; T not fit to be an answer */
verdict assert_answer(const ggm_problem *problem, const ggm_result *result, double tolerance);
