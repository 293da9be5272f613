/* Many solves that do not depend on each other, one to a core: resamples, folds, lambdas. That scales better than any solve on several
 * cores, so jobs are given one thread inside, BLAS included (inside a parallel region OpenBLAS computes alone, and a team of one
 * is told by ggm_workspace_enter).
 *
 * Threads take the next job when they are free. Only the calling thread calls back: between jobs, from inside its own jobs' solves, and,
 * when nothing is left to begin, while it waits for the others. A job must not depend on which thread does it nor on the
 * order: whatever random numbers it needs come from the run's seed and its own number.
 *
 * A job that fails leaves the others alone. One that is cut short by the time limit or the interrupt says so, and does not count.
 *
 * The random numbers are SplitMix64 (Steele, Lea & Flood 2014), bounded as Lemire (2019) does, which is fair to every number. */
#include "ggm/internal.h"

#include <omp.h>

/* ---- random numbers ---- */
uint64_t ggm_rng_next(ggm_rng *rng)
{
    uint64_t x = rng->state += 0x9E3779B97F4A7C15u;
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

ggm_rng ggm_rng_seeded(uint64_t seed, uint64_t stream)
{
    ggm_rng first = {seed}, second = {ggm_rng_next(&first) ^ stream};
    return (ggm_rng){ggm_rng_next(&second)};
}

uint32_t ggm_rng_below(ggm_rng *rng, uint32_t bound)
{
    uint64_t product = (ggm_rng_next(rng) >> 32) * bound;
    if ((uint32_t)product < bound)
        for (const uint32_t unfair = (0u - bound) % bound; (uint32_t)product < unfair;)
            product = (ggm_rng_next(rng) >> 32) * bound;
    return (uint32_t)(product >> 32);
}

void ggm_rng_shuffle(ggm_rng *rng, uint32_t *items, uint32_t count)
{
    for (uint32_t k = count; k > 1; k--) {
        const uint32_t other = ggm_rng_below(rng, k), kept = items[k - 1];
        items[k - 1] = items[other];
        items[other] = kept;
    }
}

/* ---- jobs ---- */
typedef struct {
    const ggm_jobs *jobs;
    ggm_control *control;
    ggm_jobs_report *report;
    omp_lock_t lock;       /* of the report */
    int first_failed;      /* number of the job whose status the report has */
    atomic_int next, idle, finished;
    int told;              /* finished jobs that the caller was told of; touched by the calling thread only */
} run;

/* What the settings of a job's solves point to */
typedef struct {
    run *run;
    bool calling;
} watch;

static bool poll(run *now, bool calling)
{
    const int finished = atomic_load(&now->finished);
    if (calling && finished > now->told) {
        now->told = finished;
        if (now->jobs->progress)
            now->jobs->progress(finished, now->jobs->count, now->jobs->user_data);
    }
    return ggm_control_poll(now->control, calling);
}

static bool watched(void *user_data)
{
    const watch *eyes = user_data;
    return poll(eyes->run, eyes->calling);
}

static void record(run *now, const ggm_job *job, ggm_status status)
{
    if (job->stopped && status == GGM_OK)
        return;
    omp_set_lock(&now->lock);
    if (status == GGM_OK) {
        now->report->completed++;
    } else {
        now->report->failed++;
        if (now->report->failed == 1 || job->number < now->first_failed) {
            now->first_failed = job->number;
            now->report->failure = status;
        }
    }
    omp_unset_lock(&now->lock);
    atomic_fetch_add(&now->finished, 1);
}

static void take_jobs(run *now, int thread, int threads)
{
    const bool calling = thread == 0;
    watch eyes = {now, calling};
    for (int number; !poll(now, calling) && (number = atomic_fetch_add(&now->next, 1)) < now->jobs->count;) {
        ggm_job job = {.number = number, .calling = calling, .settings = *now->control->settings};
        job.settings.threads = 1;
        job.settings.time_limit = 0; /* the whole run's, which `watched` heeds */
        job.settings.interrupt = watched;
        job.settings.progress = NULL;
        job.settings.user_data = &eyes;
        const ggm_status status = now->jobs->work(now->jobs->context, &job);
        record(now, &job, status);
    }
    atomic_fetch_add(&now->idle, 1);
    while (calling && atomic_load(&now->idle) < threads) {
        (void)poll(now, true);
        ggm_nap();
    }
    if (calling)
        (void)poll(now, true);
}

static int side_by_side(const ggm_jobs *jobs, int threads)
{
    threads = threads < jobs->count ? threads : jobs->count;
    if (jobs->memory_limit > 0 && jobs->bytes > 0 && jobs->memory_limit / jobs->bytes < (size_t)threads)
        threads = (int)(jobs->memory_limit / jobs->bytes);
    return threads > 1 ? threads : 1;
}

void ggm_jobs_run(const ggm_jobs *jobs, ggm_control *control, ggm_jobs_report *report)
{
    const int threads = side_by_side(jobs, ggm_thread_count(control->settings->threads)), before = omp_get_max_threads();
    run now = {.jobs = jobs, .control = control, .report = report};
    *report = (ggm_jobs_report){.threads = 1, .failure = GGM_OK, .outcome = GGM_CONVERGED};
    omp_init_lock(&now.lock);
    if (threads == 1) {
        omp_set_num_threads(1);
        take_jobs(&now, 0, 1);
        omp_set_num_threads(before);
    } else {
#pragma omp parallel num_threads(threads) default(none) shared(now)
        {
            if (omp_get_thread_num() == 0)
                now.report->threads = omp_get_num_threads();
            take_jobs(&now, omp_get_thread_num(), omp_get_num_threads());
        }
    }
    omp_destroy_lock(&now.lock);
    if (report->completed + report->failed < jobs->count) /* a stop that came too late to stop anything is none */
        report->outcome = (ggm_outcome)atomic_load(&control->stop);
}

void ggm_control_begin(ggm_control *control, const ggm_settings *settings)
{
    control->settings = settings;
    control->start = ggm_now();
    control->lambda = control->p = control->tolerance = control->last_poll = 0;
    atomic_init(&control->stop, GGM_CONVERGED);
}
