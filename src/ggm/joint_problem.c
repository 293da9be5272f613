/* Checks and takes the K problems of a joint one: each by the checks of problem.c, then what they must have in common. */
#include "ggm/joint_internal.h"

#include <math.h>

static bool good_penalty(const ggm_joint_problem *problem)
{
    return (problem->penalty == GGM_JOINT_GROUP || problem->penalty == GGM_JOINT_FUSED) && problem->lambda1 >= 0 && isfinite(problem->lambda1) &&
           problem->lambda2 >= 0 && isfinite(problem->lambda2);
}

static ggm_status check_shape(const ggm_joint_problem *problem)
{
    if (!problem || problem->classes == 0 || problem->classes > GGM_K || !problem->problems || !good_penalty(problem))
        return GGM_ERROR_ARGUMENT;
    for (size_t k = 0; k < problem->classes; k++) {
        const ggm_problem *one = &problem->problems[k];
        const double weight = problem->weights ? problem->weights[k] : 1;
        if (one->weights || one->p != problem->problems[0].p || one->scale != problem->problems[0].scale || !(weight > 0) || !isfinite(weight))
            return GGM_ERROR_ARGUMENT;
    }
    return GGM_OK;
}

ggm_status ggm_joint_take(const ggm_joint_problem *problem, int threads, ggm_joint_input *input)
{
    *input = (ggm_joint_input){0};
    ggm_status status = check_shape(problem);
    if (status != GGM_OK)
        return status;
    input->norm = (ggm_joint_norm){.penalty = problem->penalty, .classes = (int)problem->classes, .lambda1 = problem->lambda1,
                                   .lambda2 = problem->lambda2};
    input->p = problem->problems[0].p;
    input->scale = problem->problems[0].scale;
    input->penalize_diagonal = problem->penalize_diagonal;
    input->has_start = true;
    for (size_t k = 0; status == GGM_OK && k < problem->classes; k++) {
        ggm_problem one = problem->problems[k];
        input->weights[k] = problem->weights ? problem->weights[k] : 1;
        /* of one class the group penalty is (lambda1 + lambda2) |x|, the fused one lambda1 |x|: ggm_solve's with this lambda */
        const bool alone = problem->classes == 1 && problem->penalty == GGM_JOINT_GROUP;
        one.lambda = (problem->lambda1 + (alone ? problem->lambda2 : 0)) / input->weights[k];
        one.penalize_diagonal = problem->penalize_diagonal;
        input->has_start = input->has_start && one.start;
        status = ggm_take_problem(&one, threads, &input->problems[k], &input->owned[k]);
        input->classes = (int)k + 1;
        if (status == GGM_OK && !(input->scales[k] = ggm_scales(&input->problems[k])))
            status = GGM_ERROR_MEMORY;
    }
    if (status != GGM_OK)
        ggm_joint_input_release(input);
    return status;
}

void ggm_joint_input_release(ggm_joint_input *input)
{
    for (int k = 0; k < input->classes; k++) {
        ggm_free(input->owned[k]);
        ggm_free(input->scales[k]);
    }
    *input = (ggm_joint_input){0};
}
