/* The search for the lambda of a wanted average degree, along a descending path.
 *
 * Descending, because every solve then starts near its answer and the graphs on the way are sparser, hence cheaper, than the one
 * that is looked for; starting from below would begin with the dearest. The degree is not strictly monotone in lambda, so the
 * search keeps the nearest of all it saw rather than trusting the last. The search solves to a loose tolerance, which moves few
 * edges; only the lambda it ends with is solved to the caller's. */
#include "ggm/internal.h"

#include <math.h>

#define STEP 0.8
#define SPAN 1e-3        /* smallest lambda as a share of the largest */
#define REFINEMENTS 6
#define CLOSE 0.01       /* a degree this near the wanted one, as a share of it, ends the search */
#define SEARCH_TOLERANCE 1e-5

typedef struct {
    ggm_workspace *workspace;
    ggm_control control;
    double wanted, tolerance;
    double lambda, distance; /* of the nearest so far; distance < 0: none */
    ggm_result best;
} degree_search;

static double degree_of(const ggm_sparse *precision)
{
    return (double)(precision->nnz - precision->p) / (double)precision->p;
}

/* Solves at lambda, keeps the result if its degree is the nearest so far (an unfinished one only for want of a better); *degree is the
 * degree it has */
static ggm_status visit(degree_search *search, double lambda, double *degree)
{
    ggm_result result;
    ggm_status status = ggm_workspace_step(search->workspace, lambda, search->tolerance, &search->control, &result);
    if (status != GGM_OK)
        return status;
    *degree = degree_of(&result.precision);
    double distance = fabs(*degree - search->wanted);
    bool finished = result.info.outcome == GGM_CONVERGED || result.info.outcome == GGM_ITERATION_LIMIT;
    if (search->distance < 0 || (finished && distance < search->distance)) {
        ggm_result_release(&search->best);
        search->best = result;
        search->distance = distance;
        search->lambda = lambda;
    } else {
        ggm_result_release(&result);
    }
    return GGM_OK;
}

static bool stopped(degree_search *search)
{
    return ggm_control_poll(&search->control, true);
}

static bool close_enough(const degree_search *search)
{
    return search->distance >= 0 && search->distance <= CLOSE * search->wanted;
}

/* Where the degree is to be expected between two lambdas: its logarithm is about linear in log lambda. Not too near either, lest one end
 * stays for ever. */
static double between(double above, double degree_above, double below, double degree_below, double wanted)
{
    const double low = log(0.1 + degree_above), high = log(0.1 + degree_below);
    double share = high > low ? (log(0.1 + wanted) - low) / (high - low) : 0.5;
    share = fmin(0.9, fmax(0.1, share));
    return exp((1 - share) * log(above) + share * log(below));
}

/* Down the path until the degree is reached, then between the last two lambdas */
static ggm_status follow(degree_search *search)
{
    const double most = ggm_workspace_lambda_max(search->workspace);
    double above = most, below = most, degree_above = 0, degree_below = 0;
    ggm_status status = visit(search, most, &degree_below);
    while (status == GGM_OK && degree_below < search->wanted && below * STEP > most * SPAN && !stopped(search)) {
        above = below;
        degree_above = degree_below;
        below *= STEP;
        status = visit(search, below, &degree_below);
    }
    for (int k = 0; status == GGM_OK && above > below && degree_below > search->wanted && k < REFINEMENTS; k++) {
        if (close_enough(search) || stopped(search))
            break;
        double degree, middle = between(above, degree_above, below, degree_below, search->wanted);
        status = visit(search, middle, &degree);
        if (status != GGM_OK)
            break;
        if (degree < search->wanted) {
            above = middle;
            degree_above = degree;
        } else {
            below = middle;
            degree_below = degree;
        }
    }
    return status;
}

/* The nearest lambda again, to the caller's tolerance */
static ggm_status finish(degree_search *search)
{
    const ggm_settings *settings = ggm_workspace_settings(search->workspace);
    if (stopped(search) || search->best.info.relative_duality_gap <= settings->tolerance)
        return GGM_OK;
    ggm_result result;
    ggm_status status = ggm_workspace_step(search->workspace, search->lambda, settings->tolerance, &search->control, &result);
    if (status != GGM_OK)
        return status;
    if (result.info.outcome == GGM_CONVERGED || result.info.duality_gap < search->best.info.duality_gap) {
        ggm_result_release(&search->best);
        search->best = result;
    } else {
        ggm_result_release(&result); /* cut short, and not as good as what there was */
    }
    return GGM_OK;
}

ggm_status ggm_solve_degree(const ggm_problem *problem, const ggm_settings *settings, double degree, ggm_result *result)
{
    if (!result)
        return GGM_ERROR_ARGUMENT;
    *result = (ggm_result){0};
    if (!problem || !(degree >= 0) || !isfinite(degree))
        return GGM_ERROR_ARGUMENT;
    ggm_problem any = *problem;
    any.lambda = 0;
    degree_search search = {.wanted = degree, .distance = -1};
    ggm_status status = ggm_workspace_new(&any, settings, &search.workspace);
    if (status != GGM_OK)
        return status;
    int before = ggm_workspace_enter(search.workspace);
    ggm_workspace_control(search.workspace, &search.control);
    search.tolerance = fmax(SEARCH_TOLERANCE, ggm_workspace_settings(search.workspace)->tolerance);
    status = follow(&search);
    if (status == GGM_OK)
        status = finish(&search);
    if (status == GGM_OK && atomic_load(&search.control.stop) != GGM_CONVERGED)
        search.best.info.outcome = (ggm_outcome)atomic_load(&search.control.stop);
    ggm_workspace_leave(before);
    if (status == GGM_OK) {
        *result = search.best;
        result->info.seconds = ggm_now() - search.control.start;
    } else {
        ggm_result_release(&search.best);
    }
    ggm_workspace_free(search.workspace);
    return status;
}
