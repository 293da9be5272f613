/* Solutions along a path: see select.h. The workspace starts each solve from the last; here is what is kept of them.
 *
 * The log-likelihood needs no factorization: the certificate's objective has logdet T in it, and what is subtracted, tr(S T) and the
 * penalty, are sums over T's nonzeros. */
#include "ggm/selecting.h"

#include <math.h>
#include <string.h>

#define LONE_FACTOR 0.8 /* step beyond a grid of one lambda */

void ggm_default_path_settings(ggm_path_settings *settings)
{
    *settings = (ggm_path_settings){.count = 20, .ratio = 0.1, .keep = true, .gamma = 0.5};
}

bool ggm_check_path_settings(const ggm_path_settings *settings)
{
    bool good = settings->count >= 1 && settings->count <= 1000000 && settings->tolerance >= 0 && isfinite(settings->tolerance) && settings->n >= 0 &&
                isfinite(settings->n) && settings->gamma >= 0 && isfinite(settings->gamma);
    if (!settings->lambdas)
        return good && settings->ratio > 0 && settings->ratio < 1;
    for (size_t k = 0; good && k < settings->count; k++)
        good = settings->lambdas[k] > 0 && isfinite(settings->lambdas[k]) && (k == 0 || settings->lambdas[k] < settings->lambdas[k - 1]);
    return good;
}

double *ggm_path_lambdas(const ggm_path_settings *settings, double lambda_max, size_t *count)
{
    *count = settings->lambdas || lambda_max > 0 ? settings->count : 1;
    double *lambdas = ggm_alloc(*count, sizeof *lambdas);
    for (size_t k = 0; lambdas && k < *count; k++)
        lambdas[k] = settings->lambdas ? settings->lambdas[k] : k == 0 ? lambda_max : lambda_max * pow(settings->ratio, (double)k / (double)(*count - 1));
    return lambdas;
}

double ggm_path_factor(const double *lambdas, size_t count, bool down)
{
    if (count < 2)
        return down ? LONE_FACTOR : 1 / LONE_FACTOR;
    return down ? lambdas[count - 1] / lambdas[count - 2] : lambdas[0] / lambdas[1];
}

double ggm_log_determinant(const ggm_workspace *workspace, const ggm_result *result)
{
    const ggm_problem *problem = ggm_workspace_problem(workspace);
    const double *scales = ggm_workspace_scales(workspace);
    const ggm_sparse *t = &result->precision;
    double linear = 0, rescaling = 0;
    for (size_t i = 0; i < t->p; i++) {
        rescaling += 2 * log(scales[i]);
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++) {
            const size_t j = (size_t)t->index[k];
            if (t->value[k] == 0)
                continue;
            const double value = t->value[k] / (scales[i] * scales[j]);
            linear += ggm_entry(problem, scales, i, j) * value;
            if (i != j || problem->penalize_diagonal)
                linear += ggm_weighted(result->info.lambda, problem->weights ? problem->weights[i * t->p + j] : 1) * fabs(value);
        }
    }
    return linear - result->info.objective + rescaling;
}

double ggm_trace_product(const double *s, const ggm_sparse *t)
{
    double sum = 0;
    for (size_t i = 0; i < t->p; i++)
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            sum += s[i * t->p + (size_t)t->index[k]] * t->value[k];
    return sum;
}

size_t ggm_edge_count(const ggm_sparse *t)
{
    size_t edges = 0;
    for (size_t i = 0; i < t->p; i++)
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            edges += (size_t)t->index[k] > i && t->value[k] != 0;
    return edges;
}

bool ggm_sparse_copy(const ggm_sparse *from, ggm_sparse *to)
{
    *to = (ggm_sparse){.p = from->p, .nnz = from->nnz, .start = ggm_alloc(from->p + 1, sizeof *to->start), .index = ggm_alloc(from->nnz, sizeof *to->index),
                       .value = ggm_alloc(from->nnz, sizeof *to->value)};
    if (!to->start || !to->index || !to->value) {
        ggm_sparse_release(to);
        return false;
    }
    memcpy(to->start, from->start, (from->p + 1) * sizeof *to->start);
    memcpy(to->index, from->index, from->nnz * sizeof *to->index);
    memcpy(to->value, from->value, from->nnz * sizeof *to->value);
    return true;
}

static ggm_path_point point_of(const ggm_path_run *run, double lambda, ggm_status status, const ggm_result *result)
{
    const ggm_problem *problem = ggm_workspace_problem(run->workspace);
    if (status != GGM_OK)
        return (ggm_path_point){.lambda = lambda, .status = status, .log_likelihood = NAN, .ebic = NAN};
    ggm_path_point point = {.lambda = lambda, .info = result->info, .edges = ggm_edge_count(&result->precision), .ebic = NAN, .precision = result->precision};
    point.log_likelihood = ggm_log_determinant(run->workspace, result) - ggm_trace_product(problem->s, &result->precision);
    const double n = run->settings.n, edges = (double)point.edges;
    if (n > 0)
        point.ebic = -n * point.log_likelihood + edges * log(n) + 4 * run->settings.gamma * edges * log((double)problem->p);
    return point;
}

void ggm_path_step(ggm_path_run *run, double lambda, size_t position)
{
    ggm_path_result *path = run->result;
    ggm_result result;
    ggm_status status = ggm_workspace_step(run->workspace, lambda, run->settings.tolerance, run->control, &result);
    ggm_path_point point = point_of(run, lambda, status, &result);
    if (status == GGM_OK && point.info.outcome > path->outcome)
        path->outcome = point.info.outcome;
    if (run->settings.arrived)
        run->settings.arrived(&point, run->settings.user_data);
    if (!run->settings.keep)
        ggm_sparse_release(&point.precision);
    memmove(path->points + position + 1, path->points + position, (path->count - position) * sizeof *path->points);
    path->points[position] = point;
    path->count++;
}

static ggm_status run_path(ggm_path_run *run)
{
    size_t count;
    ggm_path_result *path = run->result;
    double *lambdas = ggm_path_lambdas(&run->settings, path->lambda_max, &count);
    path->points = ggm_alloc_zero(count, sizeof *path->points);
    const bool good = lambdas && path->points;
    for (size_t k = 0; good && k < count && !ggm_control_poll(run->control, true); k++)
        ggm_path_step(run, lambdas[k], k);
    ggm_free(lambdas);
    if (atomic_load(&run->control->stop) != GGM_CONVERGED)
        path->outcome = (ggm_outcome)atomic_load(&run->control->stop);
    path->seconds = ggm_now() - run->control->start;
    return good ? GGM_OK : GGM_ERROR_MEMORY;
}

ggm_status ggm_path(const ggm_problem *problem, const ggm_settings *settings, const ggm_path_settings *path, ggm_path_result *result)
{
    if (!result)
        return GGM_ERROR_ARGUMENT;
    *result = (ggm_path_result){0};
    ggm_path_run run = {.result = result};
    ggm_default_path_settings(&run.settings);
    if (path)
        run.settings = *path;
    if (!problem || !ggm_check_path_settings(&run.settings))
        return GGM_ERROR_ARGUMENT;
    ggm_problem any = *problem;
    any.lambda = 0;
    ggm_status status = ggm_workspace_new(&any, settings, &run.workspace);
    if (status != GGM_OK)
        return status;
    ggm_control control;
    const int before = ggm_workspace_enter(run.workspace);
    ggm_workspace_control(run.workspace, &control);
    run.control = &control;
    if (run.settings.tolerance == 0)
        run.settings.tolerance = ggm_workspace_settings(run.workspace)->tolerance;
    if (run.settings.n == 0 && problem->samples)
        run.settings.n = (double)problem->samples->n;
    result->lambda_max = ggm_workspace_lambda_max(run.workspace);
    status = run_path(&run);
    ggm_workspace_leave(before);
    ggm_workspace_free(run.workspace);
    if (status != GGM_OK)
        ggm_path_release(result);
    return status;
}

void ggm_path_release(ggm_path_result *result)
{
    if (!result)
        return;
    for (size_t k = 0; k < result->count; k++)
        ggm_sparse_release(&result->points[k].precision);
    ggm_free(result->points);
    *result = (ggm_path_result){0};
}
