/* Threads of one solve: a barrier, and the conditions that end a solve early.
 *
 * A batch of columns takes tens of microseconds, so a barrier must cost less than one: waiting threads spin. They spin for about that
 * long only and then give their processor away, because on a machine shared with others the thread they wait for
 * may not be running at all. */
#include "ggm/internal.h"

#include <sched.h>

#define SPINS 4000
#define POLL_SECONDS 0.02 /* between two calls of the interrupt callback */

void ggm_barrier_wait(ggm_barrier *barrier, int threads)
{
    if (threads == 1)
        return;
    int phase = atomic_load_explicit(&barrier->phase, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&barrier->arrived, 1, memory_order_acq_rel) == threads - 1) {
        atomic_store_explicit(&barrier->arrived, 0, memory_order_relaxed);
        atomic_store_explicit(&barrier->phase, phase + 1, memory_order_release);
        return;
    }
    for (int spin = 0; atomic_load_explicit(&barrier->phase, memory_order_acquire) == phase; spin++) {
        if (spin > SPINS)
            sched_yield();
#if defined(__x86_64__) && defined(__GNUC__)
        else
            __builtin_ia32_pause();
#endif
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
