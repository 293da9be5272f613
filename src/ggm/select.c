/* ggm_select: what the criteria have in common, the two that need no resamples, and the solve at the choice. See select.h. */
#include "ggm/selecting.h"

#include <math.h>
#include <string.h>

#define TOLERANCE 1e-5 /* of solves of which only edges and scores count */
#define DEGREE_SPAN (1.25e-3) /* ggm_solve_degree goes no lower than about this share of lambda_max */

void ggm_default_select_settings(ggm_select_settings *settings)
{
    *settings = (ggm_select_settings){.extensions = 8, .seed = 1, .folds = 5, .subsamples = 20, .instability = 0.05, .bound = true, .rotations = 20, .density = 0.01};
    ggm_default_path_settings(&settings->path);
    settings->path.keep = false;
}

static bool good_settings(const ggm_select_settings *s)
{
    return s->criterion >= GGM_CRITERION_EBIC && s->criterion <= GGM_CRITERION_DENSITY && ggm_check_path_settings(&s->path) && s->extensions >= 0 &&
           s->extensions <= 1000000 && s->folds >= 2 && s->subsamples >= 2 && s->instability > 0 && s->instability < 1 && s->rotations >= 1 && s->density >= 0 &&
           s->density <= 1;
}

size_t ggm_select_job_bytes(size_t p)
{
    const size_t squares = 7;
    return p == 0 || p > SIZE_MAX / sizeof(double) / squares / p ? 0 : squares * p * p * sizeof(double);
}

/* ---- progress ---- */
void ggm_watch_report(ggm_watch *watch)
{
    const size_t done = atomic_load(&watch->done);
    if (watch->select->progress && done != watch->reported)
        watch->select->progress(done, watch->planned, watch->select->user_data);
    watch->reported = done;
}

bool ggm_watch_poll(ggm_watch *watch)
{
    ggm_watch_report(watch);
    return ggm_control_poll(watch->control, true);
}

static void report(int finished, int count, void *watch)
{
    (void)finished;
    (void)count;
    ggm_watch_report(watch);
}

void ggm_watch_jobs(ggm_watch *watch, size_t count, size_t bytes, ggm_status (*work)(void *context, ggm_job *job), void *context)
{
    const ggm_jobs jobs = {.count = (int)count, .bytes = bytes, .memory_limit = watch->select->memory, .work = work, .context = context, .progress = report,
                           .user_data = watch};
    ggm_jobs_report ignored; /* jobs note what became of them in their slots */
    ggm_jobs_run(&jobs, watch->control, &ignored);
}

/* ---- what CV and StARS have in common ---- */
ggm_ladder ggm_choice_ladder(ggm_choice *choice)
{
    return (ggm_ladder){.problem = choice->problem, .whole = choice->whole, .select = choice->select, .watch = &choice->watch, .tolerance = choice->tolerance};
}

bool ggm_choice_points(ggm_choice *choice, const ggm_ladder *ladder, const bool *complete, size_t reach)
{
    ggm_select_point *points = ggm_alloc(ladder->count, sizeof *points);
    if (!points)
        return false;
    ggm_free(choice->selection->points);
    choice->selection->points = points;
    choice->selection->count = ladder->count;
    ggm_ladder_points(ladder, complete, reach, points);
    return true;
}

ggm_ends ggm_find_best(const ggm_choice *choice)
{
    const ggm_selection *selection = choice->selection;
    ggm_ends ends = {.best = selection->count};
    size_t last = 0;
    for (size_t k = 0; k < selection->count; k++) {
        const double score = selection->points[k].score;
        if (!isfinite(score))
            continue;
        last = k;
        if (ends.best == selection->count || score < selection->points[ends.best].score)
            ends.best = k;
    }
    ends.found = ends.best < selection->count;
    ends.lower = ends.found && ends.best == last;
    ends.down = ends.found && ends.best == selection->count - 1;
    ends.up = ends.found && ends.best == 0 && selection->points[0].lambda < choice->lambda_max;
    return ends;
}

/* ---- EBIC ---- */
static void ebic_points(ggm_choice *choice)
{
    ggm_selection *selection = choice->selection;
    selection->count = selection->path.count;
    for (size_t k = 0; k < selection->count; k++) {
        const ggm_path_point *from = &selection->path.points[k];
        selection->points[k] =
            (ggm_select_point){.lambda = from->lambda, .status = from->status, .score = from->ebic, .edges = (double)from->edges, .solves = from->status == GGM_OK};
    }
}

static double ebic_factor(const ggm_path_result *path, bool down)
{
    const size_t at = down && path->count > 1 ? path->count - 2 : 0;
    const double lambdas[2] = {path->points[at].lambda, path->count > 1 ? path->points[at + 1].lambda : 0};
    return ggm_path_factor(lambdas, path->count < 2 ? 1 : 2, down);
}

static void step(ggm_choice *choice, ggm_path_run *run, double lambda, size_t position)
{
    ggm_path_step(run, lambda, position);
    atomic_fetch_add(&choice->watch.done, 1);
}

/* Further down, or up, while the smallest EBIC lies at an end; then that is the choice */
static void extend_ebic(ggm_choice *choice, ggm_path_run *run)
{
    ggm_path_result *path = run->result;
    int below = choice->extensions, above = below;
    for (;;) {
        ebic_points(choice);
        const ggm_ends ends = ggm_find_best(choice);
        const bool down = ends.down && below > 0, up = !down && ends.up && above > 0;
        if (ends.found) {
            choice->selection->chosen = ends.best;
            choice->selection->lambda = choice->selection->points[ends.best].lambda;
            choice->selection->at_end = ends.lower || ends.up;
        }
        if ((!down && !up) || ggm_watch_poll(&choice->watch))
            return;
        choice->watch.planned++;
        if (down) {
            below--;
            step(choice, run, path->points[path->count - 1].lambda * ebic_factor(path, true), path->count);
        } else {
            above--;
            ggm_workspace_restart(choice->workspace, NULL); /* the lower end is further away than nothing */
            step(choice, run, fmin(path->lambda_max, path->points[0].lambda * ebic_factor(path, false)), 0);
        }
    }
}

static ggm_status choose_ebic(ggm_choice *choice)
{
    const ggm_select_settings *select = choice->select;
    ggm_path_result *path = &choice->selection->path;
    ggm_path_run run = {.workspace = choice->workspace, .control = &choice->control, .settings = select->path, .result = path};
    run.settings.tolerance = choice->tolerance;
    run.settings.keep = true; /* the solve at the choice starts from one of them */
    if (run.settings.n == 0 && choice->problem->samples)
        run.settings.n = (double)choice->problem->samples->n;
    if (!(run.settings.n > 0))
        return GGM_ERROR_ARGUMENT;
    size_t count;
    path->lambda_max = choice->lambda_max;
    double *lambdas = ggm_path_lambdas(&select->path, choice->lambda_max, &count);
    path->points = ggm_alloc_zero(count + 2 * (size_t)choice->extensions, sizeof *path->points);
    choice->selection->points = ggm_alloc(count + 2 * (size_t)choice->extensions, sizeof *choice->selection->points);
    ggm_status status = lambdas && path->points && choice->selection->points ? GGM_OK : GGM_ERROR_MEMORY;
    choice->watch.planned = count;
    for (size_t k = 0; status == GGM_OK && k < count && !ggm_watch_poll(&choice->watch); k++)
        step(choice, &run, lambdas[k], k);
    ggm_free(lambdas);
    if (status == GGM_OK)
        extend_ebic(choice, &run);
    path->seconds = ggm_now() - choice->control.start;
    if (atomic_load(&choice->control.stop) != GGM_CONVERGED)
        path->outcome = (ggm_outcome)atomic_load(&choice->control.stop);
    return status;
}

/* ---- density ---- */
static ggm_status choose_density(ggm_choice *choice)
{
    ggm_selection *selection = choice->selection;
    const double p = (double)choice->whole->p, wanted = choice->select->density;
    selection->points = ggm_alloc(1, sizeof *selection->points);
    if (!selection->points)
        return GGM_ERROR_MEMORY;
    ggm_status status = ggm_solve_degree(choice->whole, choice->settings, wanted * (p - 1), &selection->result);
    if (status != GGM_OK)
        return status;
    const double edges = (double)ggm_edge_count(&selection->result.precision), reached = p > 1 ? edges / (0.5 * p * (p - 1)) : 0;
    selection->lambda = selection->result.info.lambda;
    selection->count = 1;
    selection->points[0] = (ggm_select_point){.lambda = selection->lambda, .score = reached, .edges = edges, .solves = 1};
    selection->at_end = reached < 0.9 * wanted && selection->lambda <= DEGREE_SPAN * choice->lambda_max;
    return GGM_OK;
}

/* ---- the solve at the choice ---- */
static ggm_status solve_choice(ggm_choice *choice)
{
    ggm_selection *selection = choice->selection;
    const double tolerance = choice->settings->tolerance;
    const ggm_path_point *near = selection->path.count > 0 ? &selection->path.points[selection->chosen] : NULL;
    const bool stopped = ggm_watch_poll(&choice->watch);
    if (near && (stopped || near->info.relative_duality_gap <= tolerance)) {
        selection->result.info = near->info;
        return ggm_sparse_copy(&near->precision, &selection->result.precision) ? GGM_OK : GGM_ERROR_MEMORY;
    }
    ggm_workspace_restart(choice->workspace, near ? &near->precision : choice->problem->start);
    return ggm_workspace_step(choice->workspace, selection->lambda, tolerance, &choice->control, &selection->result);
}

static ggm_status choose(ggm_choice *choice)
{
    switch (choice->select->criterion) {
    case GGM_CRITERION_EBIC: return choose_ebic(choice);
    case GGM_CRITERION_CV: return ggm_choose_cv(choice);
    case GGM_CRITERION_STARS: return ggm_choose_stars(choice);
    case GGM_CRITERION_RIC: return ggm_choose_ric(choice);
    case GGM_CRITERION_DENSITY: return choose_density(choice);
    }
    return GGM_ERROR_ARGUMENT;
}

static ggm_status run(ggm_choice *choice)
{
    ggm_selection *selection = choice->selection;
    ggm_status status = choose(choice);
    if (status == GGM_OK && !isnan(selection->lambda) && selection->result.precision.p == 0)
        selection->status = solve_choice(choice);
    const int stop = atomic_load(&choice->control.stop);
    selection->outcome = stop != GGM_CONVERGED ? (ggm_outcome)stop : selection->result.info.outcome;
    if (!choice->select->path.keep)
        for (size_t k = 0; k < selection->path.count; k++)
            ggm_sparse_release(&selection->path.points[k].precision);
    (void)ggm_watch_poll(&choice->watch); /* the last progress */
    selection->seconds = ggm_now() - choice->control.start;
    return status;
}

/* EBIC multiplies the log-likelihood by n, so that a gap which moves no edge can still move the choice */
static double way_tolerance(ggm_criterion criterion, double tolerance)
{
    return criterion == GGM_CRITERION_EBIC ? tolerance : fmax(TOLERANCE, tolerance);
}

ggm_status ggm_select(const ggm_problem *problem, const ggm_settings *settings, const ggm_select_settings *select, ggm_selection *selection)
{
    if (!selection)
        return GGM_ERROR_ARGUMENT;
    *selection = (ggm_selection){0};
    ggm_select_settings chosen;
    ggm_default_select_settings(&chosen);
    if (select)
        chosen = *select;
    const bool resampled = chosen.criterion == GGM_CRITERION_CV || chosen.criterion == GGM_CRITERION_STARS || chosen.criterion == GGM_CRITERION_RIC;
    if (!problem || !good_settings(&chosen) || (resampled && (!problem->samples || problem->samples->n > UINT32_MAX)))
        return GGM_ERROR_ARGUMENT;
    ggm_problem any = *problem;
    any.lambda = 0;
    ggm_choice choice = {.problem = problem, .select = &chosen, .selection = selection};
    ggm_status status = ggm_workspace_new(&any, settings, &choice.workspace);
    if (status != GGM_OK)
        return status;
    choice.settings = ggm_workspace_settings(choice.workspace);
    choice.whole = ggm_workspace_problem(choice.workspace);
    choice.tolerance = chosen.path.tolerance > 0 ? chosen.path.tolerance : way_tolerance(chosen.criterion, choice.settings->tolerance);
    choice.lambda_max = ggm_workspace_lambda_max(choice.workspace);
    choice.extensions = choice.lambda_max > 0 ? chosen.extensions : 0;
    const int before = ggm_workspace_enter(choice.workspace);
    ggm_workspace_control(choice.workspace, &choice.control);
    choice.watch = (ggm_watch){.control = &choice.control, .select = &chosen};
    selection->lambda = NAN;
    status = run(&choice);
    ggm_workspace_leave(before);
    ggm_workspace_free(choice.workspace);
    if (status != GGM_OK)
        ggm_selection_release(selection);
    return status;
}

const char *ggm_criterion_text(ggm_criterion criterion)
{
    switch (criterion) {
    case GGM_CRITERION_EBIC: return "ebic";
    case GGM_CRITERION_CV: return "cv";
    case GGM_CRITERION_STARS: return "stars";
    case GGM_CRITERION_RIC: return "ric";
    case GGM_CRITERION_DENSITY: return "density";
    }
    return "unknown criterion";
}

void ggm_selection_release(ggm_selection *selection)
{
    if (!selection)
        return;
    ggm_free(selection->points);
    ggm_result_release(&selection->result);
    ggm_path_release(&selection->path);
    ggm_sparse_release(&selection->stability);
    *selection = (ggm_selection){0};
}
