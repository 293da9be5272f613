/* Threads of one solve: a leader that computes, and helpers that lend a hand when they are running.
 *
 * The leader offers jobs of a few dozen tasks; whoever is free claims the next task; the leader takes tasks too, and waits only for
 * tasks that a helper has begun. So a helper which the system has put aside (other programs want the processors too) delays nothing,
 * where a barrier would wait a scheduling quantum for it, several times a batch. Which thread does a task never matters
 * to its result. Jobs follow each other within microseconds, so helpers spin for the next one, and sleep when none comes.
 *
 * The ticket packs job number, number of tasks and next task; claiming is a compare-and-swap on it, so a claim can
 * neither belong to an old job nor exceed its tasks, and a job's description stays as it is until all of its tasks are done.
 *
 * Here too: the conditions that end a solve early. */
#include "ggm/internal.h"

#include <omp.h>
#include <sched.h>
#include <time.h>

#define SPINS 3000         /* about 50 microseconds */
#define YIELDS 20
#define NAP_NANOSECONDS 50000
#define POLL_SECONDS 0.02  /* between two calls of the interrupt callback */

void ggm_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = NAP_NANOSECONDS}, NULL);
}

static void relax(int turn, bool may_nap)
{
    if (turn < SPINS) {
#if defined(__x86_64__) && defined(__GNUC__)
        __builtin_ia32_pause();
#endif
    } else if (turn < SPINS + YIELDS || !may_nap) {
        sched_yield();
    } else {
        ggm_nap();
    }
}

/* Does one task if there is one to claim */
static bool help(ggm_crew *crew, int thread)
{
    uint64_t ticket = atomic_load_explicit(&crew->ticket, memory_order_acquire);
    int task = (int)(ticket & 0xffff), count = (int)(ticket >> 16 & 0xffff);
    if (task >= count)
        return false;
    if (atomic_compare_exchange_weak_explicit(&crew->ticket, &ticket, ticket + 1, memory_order_acq_rel, memory_order_relaxed)) {
        crew->work(crew->context, task, thread);
        atomic_fetch_add_explicit(&crew->done, 1, memory_order_release);
    }
    return true;
}

void ggm_crew_run(ggm_crew *crew, void (*work)(void *context, int task, int thread), void *context, int count)
{
    if (crew->threads == 1) {
        for (int task = 0; task < count; task++)
            work(context, task, 0);
        return;
    }
    crew->work = work;
    crew->context = context;
    atomic_store_explicit(&crew->done, 0, memory_order_relaxed);
    crew->job++;
    atomic_store_explicit(&crew->ticket, (uint64_t)crew->job << 32 | (uint64_t)count << 16, memory_order_release);
    while (help(crew, 0))
        continue;
    for (int turn = 0; atomic_load_explicit(&crew->done, memory_order_acquire) < count; turn++)
        relax(turn, false);
}

static void follow(ggm_crew *crew, int thread)
{
    for (int turn = 0; !atomic_load_explicit(&crew->dismissed, memory_order_acquire); turn++) {
        if (help(crew, thread))
            turn = 0;
        else
            relax(turn, true);
    }
}

void ggm_crew_lead(ggm_crew *crew, int threads, void (*lead)(void *context), void *context)
{
    crew->threads = threads;
    crew->job = 0;
    atomic_init(&crew->ticket, 0);
    atomic_init(&crew->done, 0);
    atomic_init(&crew->dismissed, false);
    if (threads == 1) {
        lead(context);
        return;
    }
#pragma omp parallel num_threads(threads) default(none) shared(crew, lead, context)
    {
        if (omp_get_thread_num() == 0) {
            lead(context);
            atomic_store_explicit(&crew->dismissed, true, memory_order_release);
        } else {
            follow(crew, omp_get_thread_num());
        }
    }
}

static void end(ggm_control *control, ggm_outcome outcome)
{
    int running = GGM_CONVERGED;
    atomic_compare_exchange_strong(&control->stop, &running, (int)outcome); /* the first reason stays */
}

bool ggm_control_poll(ggm_control *control, bool calling)
{
    const ggm_settings *settings = control->settings;
    if (atomic_load_explicit(&control->stop, memory_order_relaxed) != GGM_CONVERGED)
        return true;
    if (settings->time_limit <= 0 && !(calling && settings->interrupt))
        return false;
    double now = ggm_now();
    if (settings->time_limit > 0 && now - control->start >= settings->time_limit)
        end(control, GGM_TIME_LIMIT);
    if (calling && settings->interrupt && now - control->last_poll >= POLL_SECONDS) {
        control->last_poll = now;
        if (settings->interrupt(settings->user_data))
            end(control, GGM_INTERRUPTED);
    }
    return atomic_load_explicit(&control->stop, memory_order_relaxed) != GGM_CONVERGED;
}

void ggm_control_report(const ggm_control *control, bool calling, int sweeps, double relative_gap)
{
    const ggm_settings *settings = control->settings;
    if (calling && settings->progress)
        settings->progress(control->lambda, sweeps, relative_gap, settings->user_data);
}
