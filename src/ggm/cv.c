/* Cross-validation: see select.h for the formulas. A fold's second moments are formed once, by its own job, and give both its training covariance
 * (all minus fold) and the held-out one: the folds together cost what S of all samples cost. Where that difference cancels, and where S is not a sum
 * over samples (transforms, shrinkage), the training covariance is formed from its rows. */
#include "ggm/selecting.h"

#include <math.h>
#include <string.h>

#define TRUSTED 0.05 /* share of the variance in all samples that downdating may leave */
#define CHUNK 4 /* lambdas added at once: a job that goes on forms its covariances again */

typedef struct {
    const ggm_choice *choice;
    size_t n, folds;
    uint32_t *order;         /* (n) the shuffled samples; fold f is a piece of it */
    double *mean;            /* (p) of all samples */
    bool downdates;
} folding;

static double entry(const ggm_samples *samples, size_t row, size_t j)
{
    const size_t at = (samples->rows ? samples->rows[row] : row) * samples->p + j;
    return samples->x ? samples->x[at] : (double)samples->x32[at];
}

/* Of count samples, given by number, or the first if rows is NULL */
static void column_means(const ggm_samples *samples, const uint32_t *rows, size_t count, double *mean)
{
    memset(mean, 0, samples->p * sizeof *mean);
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < samples->p; j++)
            mean[j] += entry(samples, rows ? rows[i] : i, j);
    for (size_t j = 0; j < samples->p; j++)
        mean[j] /= (double)count;
}

/* The n - n_f samples outside the fold */
static void training_rows(const folding *f, size_t from, size_t to, uint32_t *rows)
{
    memcpy(rows, f->order, from * sizeof *rows);
    memcpy(rows + from, f->order + to, (f->n - to) * sizeof *rows);
}

/* The training covariance from all samples and the fold (S_f, about its own mean, in test). False: a variable varies mostly in the fold, so that the
 * difference has few digits left: samples in single precision give S no more than 6 to begin with. */
static bool downdate(const folding *f, size_t count, const double *shift, const double *test, double *train)
{
    const size_t p = f->choice->whole->p;
    const double n = (double)f->n, own = (double)count, rest = n - own, *s = f->choice->whole->s;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            train[i * p + j] = (n * s[i * p + j] - own * test[i * p + j]) / rest - n * own / (rest * rest) * (shift[i] * shift[j]);
    bool good = true;
    for (size_t i = 0; i < p; i++)
        good = good && train[i * (p + 1)] >= TRUSTED * s[i * (p + 1)];
    return good;
}

static void about_training_mean(const folding *f, size_t count, const double *shift, double *test)
{
    const size_t p = f->choice->whole->p;
    const double n = (double)f->n, rest = n - (double)count;
    for (size_t i = 0; i < p; i++)
        for (size_t j = 0; j < p; j++)
            test[i * p + j] += n * n / (rest * rest) * (shift[i] * shift[j]);
}

static ggm_status form_fold(void *context, size_t job, double *train, double *test)
{
    const folding *f = context;
    const ggm_problem *problem = f->choice->problem;
    const size_t p = problem->p, from = job * f->n / f->folds, to = (job + 1) * f->n / f->folds;
    const uint32_t *own = f->order + from;
    const bool plain = !problem->covariance || problem->covariance->transform == GGM_TRANSFORM_NONE;
    ggm_covariance_settings settings;
    ggm_default_covariance_settings(&settings);
    if (!plain)
        settings = *problem->covariance;
    settings.shrinkage = 0;
    settings.repair = false; /* of the held-out matrix only the trace with T is taken */
    double *shift = ggm_alloc(p, sizeof *shift);
    uint32_t *rows = ggm_alloc(f->n, sizeof *rows);
    ggm_status status = shift && rows ? ggm_subset_covariance(problem, own, to - from, &settings, test) : GGM_ERROR_MEMORY;
    if (status == GGM_OK && plain) {
        column_means(problem->samples, own, to - from, shift);
        for (size_t j = 0; j < p; j++)
            shift[j] -= f->mean[j];
    }
    const bool formed = status == GGM_OK && f->downdates && downdate(f, to - from, shift, test, train);
    if (status == GGM_OK && !formed) {
        training_rows(f, from, to, rows);
        status = ggm_subset_covariance(problem, rows, f->n - (to - from), problem->covariance, train);
    }
    if (status == GGM_OK && plain)
        about_training_mean(f, to - from, shift, test);
    ggm_free(shift);
    ggm_free(rows);
    return status;
}

/* Mean and standard error of a rung's losses */
static void score(const ggm_rung *rung, size_t jobs, const bool *complete, ggm_select_point *point)
{
    if (point->solves == 0)
        return;
    double mean = 0, square = 0;
    for (size_t job = 0; job < jobs; job++)
        mean += complete[job] ? rung->slots[job].loss / point->solves : 0;
    for (size_t job = 0; job < jobs; job++)
        square += complete[job] ? (rung->slots[job].loss - mean) * (rung->slots[job].loss - mean) : 0;
    point->score = mean;
    point->spread = point->solves > 1 ? sqrt(square / (point->solves - 1) / point->solves) : 0;
}

static void choose(ggm_choice *choice, ggm_ends ends)
{
    ggm_selection *selection = choice->selection;
    size_t chosen = ends.best;
    if (choice->select->one_standard_error) {
        const double limit = selection->points[chosen].score + selection->points[chosen].spread;
        for (chosen = 0; !(selection->points[chosen].score <= limit); chosen++)
            continue;
    }
    selection->chosen = chosen;
    selection->lambda = selection->points[chosen].lambda;
    selection->at_end = ends.lower || ends.up;
}

/* Runs the folds, and extends the grid while the best is at its end */
static ggm_status search(ggm_choice *choice, ggm_ladder *r, bool *complete)
{
    ggm_selection *selection = choice->selection;
    size_t below = (size_t)choice->extensions, above = below;
    for (;;) {
        ggm_ladder_run(r, 0, r->jobs, r->count);
        size_t reach = r->count;
        (void)ggm_ladder_complete(r, 1, &reach, complete);
        if (!ggm_choice_points(choice, r, complete, reach))
            return GGM_ERROR_MEMORY;
        for (size_t k = 0; k < reach; k++)
            score(&r->rungs[k], r->jobs, complete, &selection->points[k]);
        const ggm_ends ends = ggm_find_best(choice);
        if (ends.found)
            choose(choice, ends);
        const bool down = ends.down && below > 0, up = !down && ends.up && above > 0;
        if ((!down && !up) || ggm_watch_poll(&choice->watch))
            return GGM_OK;
        size_t *left = down ? &below : &above, more = *left < CHUNK ? *left : CHUNK;
        *left -= more;
        if (!ggm_ladder_extend(r, more, down))
            return GGM_ERROR_MEMORY;
    }
}

ggm_status ggm_choose_cv(ggm_choice *choice)
{
    const ggm_samples *samples = choice->problem->samples;
    const ggm_covariance_settings *covariance = choice->problem->covariance;
    folding f = {.choice = choice, .n = samples->n, .folds = (size_t)choice->select->folds};
    if (f.folds < 2 || f.folds > f.n)
        return GGM_ERROR_ARGUMENT;
    f.downdates = !covariance || (covariance->transform == GGM_TRANSFORM_NONE && covariance->shrinkage == 0);
    f.order = ggm_alloc(f.n, sizeof *f.order);
    f.mean = ggm_alloc(samples->p, sizeof *f.mean);
    bool *complete = ggm_alloc_zero(f.folds, sizeof *complete);
    size_t count;
    double *lambdas = ggm_path_lambdas(&choice->select->path, choice->lambda_max, &count);
    ggm_ladder r = ggm_choice_ladder(choice);
    r.jobs = f.folds;
    r.held_out = true;
    r.form = form_fold;
    r.context = &f;
    ggm_status status = f.order && f.mean && complete && lambdas && ggm_ladder_init(&r, lambdas, count) ? GGM_OK : GGM_ERROR_MEMORY;
    if (status == GGM_OK) {
        for (size_t i = 0; i < f.n; i++)
            f.order[i] = (uint32_t)i;
        ggm_rng rng = ggm_rng_seeded(choice->select->seed, 0);
        ggm_rng_shuffle(&rng, f.order, (uint32_t)f.n);
        column_means(samples, NULL, f.n, f.mean);
        status = search(choice, &r, complete);
    }
    ggm_ladder_release(&r);
    ggm_free(lambdas);
    ggm_free(complete);
    ggm_free(f.order);
    ggm_free(f.mean);
    return status;
}
