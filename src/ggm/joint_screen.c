/* Exact screening for the joint problem, and the lambda1 from which on there is no edge.
 *
 * Components of the graph {i != j: v_ij = (n_1 S_1,ij .. n_K S_K,ij) outside the dual ball of P} are, jointly for all classes, components of
 * the solution. Proof: solve each component by itself and put the T_k together, zero between components; the W_k = inverse of T_k are then
 * zero there too. Within components the optimality conditions n_k (W_k - S_k) in the subdifferential of P at T hold. Between components T =
 * 0, whose subdifferential is the ball, and n_k (0 - S_k,ij) = -v_ij is in it, for the ball is symmetric. So all conditions hold, and the
 * solution is unique. Conversely, a pair outside the ball cannot have W_k,ij = T_k,ij = 0 for all k, so components never split further than
 * the true graph does, after Witten, Friedman & Simon (2011) and Mazumder & Hastie (2012); for two classes, Danaher, Wang & Witten's theorems
 * 1 to 4. */
#include "ggm/joint_internal.h"

#include <math.h>
#include <string.h>

static void load_pair(const ggm_joint_input *input, size_t i, size_t j, double *v)
{
    for (int k = 0; k < input->classes; k++)
        v[k] = input->weights[k] * ggm_joint_entry(input, k, i, j);
}

static void join_matrix(const ggm_sparse *matrix, int *parent)
{
    for (size_t i = 0; i < matrix->p; i++)
        for (size_t k = matrix->start[i]; k < matrix->start[i + 1]; k++)
            if (matrix->value[k] != 0)
                ggm_join(parent, (int)i, matrix->index[k]);
}

bool ggm_joint_screen(const ggm_joint_input *input, const ggm_sparse *also, bool all, ggm_components *components)
{
    const size_t p = input->p;
    double v[GGM_K];
    *components = (ggm_components){0};
    int *parent = ggm_alloc(p, sizeof *parent);
    if (!parent)
        return false;
    for (size_t i = 0; i < p; i++)
        parent[i] = all ? 0 : (int)i;
    for (size_t i = 1; !all && i < p; i++)
        for (size_t j = 0; j < i; j++) {
            load_pair(input, i, j, v);
            if (!ggm_joint_in_ball(&input->norm, v))
                ggm_join(parent, (int)i, (int)j);
        }
    for (int k = 0; also && !all && k < input->classes; k++)
        join_matrix(&also[k], parent);
    bool good = ggm_components_collect(parent, p, components);
    ggm_free(parent);
    return good;
}

/* ---- lambda1_max ---- */
static void sort_descending(double *v, int n)
{
    for (int i = 1; i < n; i++) {
        const double moved = v[i];
        int j = i;
        for (; j > 0 && v[j - 1] < moved; j--)
            v[j] = v[j - 1];
        v[j] = moved;
    }
}

/* Smallest lambda1 >= 0 with sum (|v_k| - lambda1)_+^2 <= lambda2^2: if n classes exceed it, the smaller root of
 * n l^2 - 2 l sum + squares = lambda2^2 over the n largest; n is right as soon as the next largest does not exceed that root */
static double group_lambda1(double *v, int classes, double lambda2)
{
    double root = 0, sum = 0, square = 0;
    for (int k = 0; k < classes; k++)
        v[k] = fabs(v[k]);
    sort_descending(v, classes);
    for (int n = 1; n <= classes; n++) {
        sum += v[n - 1];
        square += v[n - 1] * v[n - 1];
        root = (sum - sqrt(fmax(0, sum * sum - n * (square - lambda2 * lambda2)))) / n;
        if (n == classes || root >= v[n])
            break;
    }
    return root;
}

/* Smallest lambda1 with |sum of any n| <= n lambda1 + lambda2 n (K - n) */
static double fused_lambda1(double *v, int classes, double lambda2)
{
    double largest = 0, top = 0, bottom = 0;
    sort_descending(v, classes);
    for (int n = 1; n <= classes; n++) {
        top += v[n - 1];
        bottom -= v[classes - n];
        largest = fmax(largest, fmax(top, bottom) / n - lambda2 * (classes - n));
    }
    return largest;
}

static double lambda1_max(const ggm_joint_input *input)
{
    ggm_joint_norm norm = input->norm;
    double v[GGM_K], sorted[GGM_K];
    norm.lambda1 = 0;
    for (size_t i = 1; i < input->p; i++)
        for (size_t j = 0; j < i; j++) {
            load_pair(input, i, j, v);
            if (ggm_joint_in_ball(&norm, v))
                continue;
            memcpy(sorted, v, (size_t)input->classes * sizeof *v);
            const bool fused = norm.penalty == GGM_JOINT_FUSED;
            const double least = (fused ? fused_lambda1 : group_lambda1)(sorted, input->classes, norm.lambda2);
            norm.lambda1 = fmax(norm.lambda1, least);
            for (double nudge = 1e-16; !ggm_joint_in_ball(&norm, v); nudge *= 2) /* roots are rounded: go up until the pair is in */
                norm.lambda1 += nudge * fmax(norm.lambda1 + norm.lambda2, 1e-300);
        }
    return norm.lambda1;
}

ggm_status ggm_joint_lambda1_max(const ggm_joint_problem *problem, int threads, double *result)
{
    if (!result || threads < 0 || !problem)
        return GGM_ERROR_ARGUMENT;
    *result = 0;
    ggm_joint_problem at = *problem;
    at.lambda1 = 0;
    ggm_joint_input input;
    ggm_status status = ggm_joint_take(&at, threads, &input);
    if (status != GGM_OK)
        return status;
    *result = lambda1_max(&input);
    ggm_joint_input_release(&input);
    return GGM_OK;
}
