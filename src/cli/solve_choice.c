/* Choosing lambda and solving there.
 *
 * A path over all samples is followed first, where one is wanted: by --path, and by cross-validation and StARS, whose resamples say how good
 * a lambda is but not what graph it gives. Its answers are kept beside the result that is under construction (<result>/.partial), one file
 * each as they come; a run that was stopped finds them there and goes on from the next. The EBIC follows its own path.
 *
 * What comes from resamples is in the units of libggm's covariance (divisor n), and is brought to those of the sample's here. */
#include "base/error.h"
#include "base/files.h"
#include "cli/solve_private.h"
#include "cli/sparse_file.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#define PATH_RATIO 0.1      /* smallest lambda of a grid as a share of the largest, as libggm's */
#define LOOSE_TOLERANCE 1e-5 /* relative gap of the points of a path that is only looked at: enough for edges and scores */

static gboolean solved(GlintSolve *self, ggm_status status, GError **error)
{
    return status == GGM_OK || glint_solve_fail(self, "the graphical lasso has no answer", status, error);
}

/* FALSE when the user stopped it; what a path has by then stays where it is. */
static gboolean not_interrupted(GlintSolve *self, ggm_outcome outcome, GError **error)
{
    if (self->path && self->path->error)
        return glint_path_write(self->path, "failed", error);
    if (outcome != GGM_INTERRUPTED)
        return TRUE;
    if (!self->path || self->path->points->len == 0)
        return glint_check_interrupt(error);
    return glint_path_write(self->path, ggm_outcome_text(outcome), error) &&
           glint_fail(error, GLINT_ERROR_INTERRUPTED, "interrupted; what was found for %u lambdas is kept in %s/path.json%s", self->path->points->len, self->unfinished,
                      self->plan.rule == GLINT_RULE_EBIC ? "" : ", and the same command goes on from there");
}

/* ---- the path ---- */

static json_t *path_head(const GlintSolve *self)
{
    const GlintSample *sample = self->sample;
    const GlintSolvePlan *plan = &self->plan;
    GlintArgs unlimited = *self->args; /* what there was time for is as good under another --time-limit, which goes on from there */
    unlimited.solve.time_limit = NULL;
    g_autofree char *key = glint_solve_key(sample, &unlimited), *rule = glint_rule_text(plan);
    json_t *head = json_pack("{s:s, s:s, s:s, s:I}", "key", key, "rule", glint_rule_name(plan->rule), "rule_text", rule, "p", (json_int_t)sample->p);
    if (sample->site)
        json_object_set_new(head, "site", json_string(sample->site));
    if (sample->class_name)
        json_object_set_new(head, "class", json_string(sample->class_name));
    if (sample->n_texts)
        json_object_set_new(head, "n", json_integer((json_int_t)sample->n_texts));
    json_object_set_new(head, "gamma", json_real(plan->gamma));
    if (plan->rule == GLINT_RULE_STARS)
        json_object_set_new(head, "instability_threshold", json_real(plan->instability));
    return head;
}

/* The folder that is there while the path grows: in the final one, which is made, empty, when it is not there. */
static gboolean begin_path(GlintSolve *self, GError **error)
{
    g_autofree char *final = g_path_get_dirname(self->unfinished), *marker = g_build_filename(final, ".glint", NULL);
    if (!g_file_test(marker, G_FILE_TEST_EXISTS)) {
        GlintFolder *empty = glint_folder_new(final, error);
        if (!empty || !glint_folder_commit(empty, error))
            return FALSE;
    }
    self->path = glint_path_new(self->unfinished, self->sample->p, path_head(self));
    if (self->plan.rule != GLINT_RULE_EBIC && glint_path_resume(self->path))
        glint_say("%s: going on from %u lambdas that an earlier run left", self->unfinished, self->path->points->len);
    else if (!glint_remove_tree(self->unfinished, error))
        return FALSE;
    return glint_mkdir(self->unfinished, error);
}

static void point_arrived(const ggm_path_point *point, void *user_data)
{
    GlintSolve *self = user_data;
    glint_path_arrived(self->path, point, TRUE);
    g_autofree char *note = g_strdup_printf("lambda %.4g, %zu edges", point->lambda, point->edges);
    glint_progress_update(self->bar, ++self->done, note);
}

static ggm_path_settings path_settings(GlintSolve *self)
{
    ggm_path_settings settings;
    ggm_default_path_settings(&settings);
    settings.count = self->plan.path_count;
    settings.lambdas = self->plan.path_lambdas;
    settings.ratio = PATH_RATIO;
    if (self->plan.rule == GLINT_RULE_EBIC) /* that of a looser answer is another one, for it counts every weak edge */
        settings.tolerance = glint_solve_settings(self).tolerance;
    else
        settings.tolerance = self->plan.keeps_path ? self->plan.tolerance : MAX(self->plan.tolerance, LOOSE_TOLERANCE);
    settings.keep = false;
    settings.n = (double)self->sample->n_texts;
    settings.gamma = self->plan.gamma;
    settings.arrived = point_arrived;
    settings.user_data = self;
    return settings;
}

/* libggm's own grid, spelled out so that a stopped path can go on in the middle. NULL when there is no edge at any lambda. */
static double *grid_of(GlintSolve *self, gsize count, GError **error)
{
    const ggm_problem problem = glint_solve_problem(self, 0);
    ggm_linkage linkage = {0};
    if (!solved(self, ggm_linkage_new(&problem, self->args->model.threads, &linkage), error))
        return NULL;
    const double most = linkage.p > 1 ? linkage.lambda[0] : 0;
    ggm_linkage_release(&linkage);
    double *grid = g_new(double, count + 1);
    for (gsize k = 0; k < count; k++)
        grid[k] = most * pow(PATH_RATIO, count > 1 ? (double)k / (double)(count - 1) : 0);
    return grid;
}

static gboolean follow(GlintSolve *self, const double *lambdas, gsize count, const ggm_sparse *start, GError **error)
{
    ggm_path_settings path = path_settings(self);
    path.lambdas = lambdas;
    path.count = count;
    ggm_problem problem = glint_solve_problem(self, 0);
    if (start)
        problem.start = start;
    ggm_settings settings = glint_solve_settings(self);
    ggm_path_result result = {0};
    glint_solve_stage(self, "path", (double)count, "lambdas");
    if (!solved(self, ggm_path(&problem, &settings, &path, &result), error))
        return FALSE;
    const ggm_outcome outcome = result.outcome;
    ggm_path_release(&result);
    return not_interrupted(self, outcome, error);
}

/* Follows the path over those of the lambdas (descending) that have no answer yet. */
static gboolean follow_missing(GlintSolve *self, const double *lambdas, gsize count, GError **error)
{
    g_autofree double *missing = g_new(double, count + 1);
    gsize n_missing = 0;
    ggm_sparse start = {0};
    for (gsize k = 0; k < count; k++) {
        const GlintPathPoint *point = glint_path_find(self->path, lambdas[k]);
        if (!point || !point->outcome || strcmp(point->outcome, ggm_outcome_text(GGM_CONVERGED)) != 0)
            missing[n_missing++] = lambdas[k];
        else if (n_missing == 0)
            glint_path_load(self->path, point, &start);
    }
    gboolean ok = n_missing == 0 || follow(self, missing, n_missing, start.start ? &start : NULL, error);
    glint_sparse_clear(&start);
    return ok;
}

static gboolean follow_path(GlintSolve *self, GError **error)
{
    g_autofree double *grid = self->plan.path_lambdas ? NULL : grid_of(self, self->plan.path_count, error);
    const double *lambdas = self->plan.path_lambdas ? self->plan.path_lambdas : grid;
    if (!lambdas)
        return FALSE;
    if (!(lambdas[0] > 0))
        return follow(self, NULL, self->plan.path_count, NULL, error);
    return follow_missing(self, lambdas, self->plan.path_count, error);
}

/* ---- the choice ---- */

static gboolean solve_given(GlintSolve *self, GError **error)
{
    const ggm_problem problem = glint_solve_problem(self, self->plan.lambda);
    const ggm_settings settings = glint_solve_settings(self);
    glint_solve_stage(self, "solve", 0, "sweeps");
    return solved(self, ggm_solve(&problem, &settings, &self->result), error) && not_interrupted(self, self->result.info.outcome, error);
}

static gboolean solve_degree(GlintSolve *self, GError **error)
{
    const gboolean by_density = self->plan.rule == GLINT_RULE_DENSITY;
    const double degree = by_density ? self->plan.density * (double)(self->sample->p - 1) : self->plan.degree;
    const ggm_problem problem = glint_solve_problem(self, 0);
    const ggm_settings settings = glint_solve_settings(self);
    glint_solve_stage(self, "solve", 0, "sweeps");
    return solved(self, ggm_solve_degree(&problem, &settings, degree, &self->result), error) && not_interrupted(self, self->result.info.outcome, error);
}

static void selection_progress(size_t done, size_t planned, void *user_data)
{
    GlintSolve *self = user_data;
    glint_progress_total(self->bar, (double)planned);
    glint_progress_update(self->bar, self->done = (double)done, NULL);
}

/* Half of the machine's memory, for resamples side by side. */
gsize glint_solve_memory(void)
{
    const long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (gsize)pages / 2 * (gsize)size : 0;
}

static ggm_select_settings select_settings(GlintSolve *self)
{
    const GlintSolvePlan *plan = &self->plan;
    ggm_select_settings select;
    ggm_default_select_settings(&select);
    select.criterion = plan->rule == GLINT_RULE_EBIC ? GGM_CRITERION_EBIC : plan->rule == GLINT_RULE_CV ? GGM_CRITERION_CV :
                       plan->rule == GLINT_RULE_STARS ? GGM_CRITERION_STARS : GGM_CRITERION_RIC;
    select.path = path_settings(self);
    if (plan->rule != GLINT_RULE_EBIC)
        select.path.tolerance = MAX(plan->tolerance, LOOSE_TOLERANCE);
    if (plan->path_lambdas)
        select.extensions = 0; /* the choice is among those listed */
    select.seed = (guint64)self->args->common.seed;
    select.memory = glint_solve_memory();
    select.folds = (int)MIN(plan->folds, (gsize)G_MAXINT);
    select.one_standard_error = plan->one_se;
    select.subsamples = (int)MIN(plan->subsamples, (gsize)G_MAXINT);
    select.instability = plan->instability;
    select.progress = selection_progress;
    select.user_data = self;
    return select;
}

static void describe_selection(GlintSolve *self, const ggm_selection *selection)
{
    const GlintSolvePlan *plan = &self->plan;
    json_t *root = json_pack("{s:s, s:b, s:s, s:f}", "rule", glint_rule_name(plan->rule), "at_end", selection->at_end, "outcome", ggm_outcome_text(selection->outcome),
                             "seconds", selection->seconds);
    if (plan->rule == GLINT_RULE_EBIC)
        json_object_set_new(root, "gamma", json_real(plan->gamma));
    if (plan->rule == GLINT_RULE_CV) {
        json_object_set_new(root, "folds", json_integer((json_int_t)plan->folds));
        json_object_set_new(root, "one_standard_error", json_boolean(plan->one_se));
    }
    if (plan->rule == GLINT_RULE_STARS) {
        json_object_set_new(root, "subsamples", json_integer((json_int_t)plan->subsamples));
        json_object_set_new(root, "instability", json_real(plan->instability));
    }
    if (plan->rule == GLINT_RULE_RIC)
        json_object_set_new(root, "rotations", json_integer((json_int_t)selection->count));
    if (plan->rule != GLINT_RULE_EBIC)
        json_object_set_new(root, "seed", json_integer(self->args->common.seed));
    json_object_set_new(self->sections, "selection", root);
}

/* The scores of resamples, to the points of the path. */
static void take_scores(GlintSolve *self, const ggm_selection *selection)
{
    for (gsize k = 0; self->path && self->plan.rule != GLINT_RULE_RIC && k < selection->count; k++) {
        const ggm_select_point *from = &selection->points[k];
        GlintPathPoint *to = glint_path_at(self->path, glint_solve_lambda_of_rows(self, from->lambda));
        to->solves = from->solves;
        to->mean_edges = from->edges;
        if (self->plan.rule == GLINT_RULE_CV) {
            to->cv_mean = from->score;
            to->cv_se = from->spread;
        } else {
            to->instability = from->score;
            to->instability_raw = from->spread;
        }
    }
}

/* Lambdas beyond the grid that the resamples went to, which the path over all samples has not seen. */
static gboolean follow_extensions(GlintSolve *self, GError **error)
{
    if (!self->path)
        return TRUE;
    g_autofree double *lambdas = g_new(double, self->path->points->len + 1);
    const gsize count = self->path->points->len;
    for (gsize k = 0; k < count; k++)
        lambdas[k] = g_array_index(self->path->points, GlintPathPoint, k).lambda;
    return follow_missing(self, lambdas, count, error);
}

static void warn_end(const GlintSolve *self, const ggm_selection *selection)
{
    g_autofree char *subject = glint_solve_subject(self), *rule = glint_rule_text(&self->plan);
    if (selection->at_end && selection->lambda > 0 && selection->outcome != GGM_TIME_LIMIT) /* there is more beyond, and there was time for it */
        glint_warn("%s: %s chose lambda %.4g, which is at an end of those tried; the best may lie beyond (give another --path)", subject, rule, selection->lambda);
}

/* What is wanted of a selection; it is released by the caller. */
static gboolean take_selection(GlintSolve *self, ggm_selection *selection, gboolean of_rows, GError **error)
{
    if (!not_interrupted(self, selection->outcome, error))
        return FALSE;
    if (!isfinite(selection->lambda) || !selection->result.precision.start) {
        g_autofree char *subject = glint_solve_subject(self), *rule = glint_rule_text(&self->plan);
        return (!self->path || glint_path_write(self->path, "failed", error)) &&
               glint_fail(error, GLINT_ERROR_DATA, "%s: %s could choose no lambda (%s); %s", subject, rule, ggm_outcome_text(selection->outcome),
                          selection->outcome == GGM_TIME_LIMIT ? "give a longer --time-limit" : "choose by --degree, or give --alpha");
    }
    describe_selection(self, selection);
    warn_end(self, selection);
    self->result = selection->result;
    selection->result = (ggm_result){0};
    if (selection->outcome == GGM_TIME_LIMIT)
        self->result.info.outcome = GGM_TIME_LIMIT;
    if (!of_rows)
        return TRUE;
    self->result.info.lambda = glint_solve_lambda_of_rows(self, self->result.info.lambda);
    const GlintPathPoint *point = self->path ? glint_path_find(self->path, self->result.info.lambda) : NULL;
    if (point) /* the two grids differ by rounding */
        self->result.info.lambda = point->lambda;
    for (gsize k = 0; k < self->result.precision.nnz; k++)
        self->result.precision.value[k] *= glint_solve_matrix_of_rows(self);
    g_autofree char *file = g_build_filename(self->folder, "stars.npz", NULL);
    return !selection->stability.start || glint_sparse_write(file, &selection->stability, error);
}

/* Where time ran out before the last solve, the path has a better answer at the chosen lambda than that solve's beginnings: it is solved again
 * from there, which takes hardly any time. */
static gboolean rescue_choice(GlintSolve *self, GError **error)
{
    const GlintPathPoint *point = self->path ? glint_path_find(self->path, self->result.info.lambda) : NULL;
    if (!point || self->result.info.outcome != GGM_TIME_LIMIT)
        return TRUE;
    ggm_sparse start = {0};
    glint_path_load(self->path, point, &start);
    ggm_problem problem = glint_solve_problem(self, point->lambda);
    problem.start = &start;
    const ggm_settings settings = glint_solve_settings(self);
    ggm_result result = {0};
    if (start.start && !solved(self, ggm_solve(&problem, &settings, &result), error)) {
        glint_sparse_clear(&start);
        return FALSE;
    }
    glint_sparse_clear(&start);
    if (!result.precision.start || !(result.info.relative_duality_gap < self->result.info.relative_duality_gap)) {
        ggm_result_release(&result);
        return TRUE;
    }
    ggm_result_release(&self->result);
    self->result = result;
    self->result.info.outcome = GGM_TIME_LIMIT;
    return TRUE;
}

static gboolean select_by_ebic(GlintSolve *self, GError **error)
{
    const ggm_problem problem = glint_solve_problem(self, 0);
    const ggm_settings settings = glint_solve_settings(self);
    const ggm_select_settings select = select_settings(self);
    ggm_selection selection = {0};
    glint_solve_stage(self, "ebic", (double)select.path.count, "lambdas");
    gboolean ok = solved(self, ggm_select(&problem, &settings, &select, &selection), error) && take_selection(self, &selection, FALSE, error);
    ggm_selection_release(&selection);
    return ok;
}

static gboolean select_by_rows(GlintSolve *self, GError **error)
{
    if (self->path && !follow_path(self, error))
        return FALSE;
    const ggm_problem problem = glint_solve_problem_of_rows(self, 0);
    const ggm_settings settings = glint_solve_settings(self);
    ggm_select_settings select = select_settings(self);
    g_autofree double *lambdas = NULL;
    if (self->plan.path_lambdas && self->args->solve.no_scale) { /* the user's lambdas are on the scale of the sample's covariance */
        lambdas = g_new(double, self->plan.path_count);
        for (gsize k = 0; k < self->plan.path_count; k++)
            lambdas[k] = self->plan.path_lambdas[k] / self->sample->divisor;
        select.path.lambdas = lambdas;
    }
    select.path.arrived = NULL;
    ggm_selection selection = {0};
    glint_solve_stage(self, glint_rule_name(self->plan.rule), 0, "solves");
    gboolean ok = solved(self, ggm_select(&problem, &settings, &select, &selection), error);
    if (ok)
        take_scores(self, &selection);
    ok = ok && take_selection(self, &selection, TRUE, error) && rescue_choice(self, error) && follow_extensions(self, error);
    ggm_selection_release(&selection);
    return ok;
}

/* Twice the log-likelihood of a sample, up to a constant: logdet T - tr(S T), from the objective and what it adds to that. */
static double log_likelihood(const GlintSolve *self)
{
    const GlintSample *sample = self->sample;
    const gboolean scaled = !self->args->solve.no_scale;
    const ggm_sparse *t = &self->result.precision;
    const gsize p = sample->p;
    double penalty = 0, units = 0;
    for (gsize i = 0; i < p; i++) {
        const double *row = sample->covariance + i * p;
        units += scaled ? log(row[i]) : 0;
        for (gsize k = t->start[i]; k < t->start[i + 1]; k++) {
            const gsize j = (gsize)t->index[k];
            const double weight = i == j && !self->args->solve.penalize_diagonal ? 0 : sample->weights ? sample->weights[i * p + j] : 1;
            const double scale = scaled ? sqrt(row[i]) * sqrt(sample->covariance[j * p + j]) : 1;
            penalty += t->value[k] != 0 ? weight * fabs(t->value[k]) * scale : 0;
        }
    }
    return self->result.info.lambda * penalty - self->result.info.objective - units;
}

/* The chosen lambda is a point of the path too, with the numbers of the answer that is written. */
gboolean glint_solve_finish_path(GlintSolve *self, GError **error)
{
    if (!self->path)
        return TRUE;
    const ggm_info *info = &self->result.info;
    const double edges = (double)glint_solve_edges(self), n = (double)self->sample->n_texts, likelihood = log_likelihood(self);
    const double cost = log(n) + 4 * self->plan.gamma * log((double)self->sample->p);
    const ggm_path_point point = {.lambda = info->lambda, .info = *info, .edges = glint_solve_edges(self), .log_likelihood = likelihood,
                                  .ebic = n > 0 ? -n * likelihood + edges * cost : NAN, .precision = self->result.precision};
    self->path->selected = info->lambda;
    if (!self->plan.keeps_path)
        glint_path_forget(self->path);
    glint_path_arrived(self->path, &point, self->plan.keeps_path);
    const gboolean limited = info->outcome == GGM_TIME_LIMIT;
    return glint_path_write(self->path, limited ? ggm_outcome_text(info->outcome) : "done", error) &&
           glint_path_move(self->path, self->folder, self->plan.keeps_path, error) && (self->args->skip_viz || glint_path_draw(self->folder, error)) &&
           glint_remove_tree(self->unfinished, error);
}

/* What can be drawn apart: texts where the rows have them, else rows. */
static gsize count_units(const GlintSample *sample)
{
    gsize count = sample->group ? 0 : sample->n;
    for (gsize k = 0; sample->group && k < sample->n; k++) /* numbered in the order they come */
        count = MAX(count, sample->group[k] + 1);
    return count;
}

/* What the rule and the resampling need of the sample, before anything is begun. */
static gboolean check_sample(const GlintSolve *self, GError **error)
{
    const GlintLambdaRule rule = self->plan.rule;
    const gsize n = self->sample->n, units = count_units(self->sample);
    const char *what = self->sample->group ? "texts" : "samples";
    if (self->plan.stability > 0 && units < 4)
        return glint_fail(error, GLINT_ERROR_DATA, "--stability halves the %s and needs at least 4; there are %zu", what, units);
    if (rule == GLINT_RULE_EBIC && self->sample->n_texts == 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "--lambda-select ebic needs to know how many independent texts are behind the covariance; say so with --n N");
    if (rule == GLINT_RULE_CV && self->plan.folds > n / 2)
        return glint_fail(error, GLINT_ERROR_USAGE, "--folds is %zu, but there are %zu samples; a fold needs at least 2", self->plan.folds, n);
    if ((rule == GLINT_RULE_STARS || rule == GLINT_RULE_RIC) && n < 4)
        return glint_fail(error, GLINT_ERROR_DATA, "%zu samples are too few to choose lambda from resamples; give --alpha", n);
    return TRUE;
}

gboolean glint_solve_choose(GlintSolve *self, GError **error)
{
    const GlintLambdaRule rule = self->plan.rule;
    if (!check_sample(self, error))
        return FALSE;
    if ((self->plan.keeps_path || glint_rule_has_path(rule)) && !begin_path(self, error))
        return FALSE;
    gboolean ok;
    if (rule == GLINT_RULE_EBIC)
        ok = select_by_ebic(self, error);
    else if (rule == GLINT_RULE_CV || rule == GLINT_RULE_STARS || rule == GLINT_RULE_RIC)
        ok = select_by_rows(self, error);
    else
        ok = (!self->path || follow_path(self, error)) && (rule == GLINT_RULE_GIVEN ? solve_given(self, error) : solve_degree(self, error));
    return ok;
}
