/* See igraph_scope.h. The reason igraph gives for an error is kept until the failed call has returned, because only the
 * handler hears it. Both statics are guarded by the mutex that a scope holds. */
#include "graph/igraph_scope.h"
#include "base/error.h"
#include "base/talk.h"

static GMutex one_at_a_time;
static char last_reason[256];

/* igraph expects an error handler to free what the failing functions had allocated. */
static void keep_reason(const char *reason, const char *file, int line, igraph_error_t code)
{
    (void)file, (void)line, (void)code;
    g_strlcpy(last_reason, reason ? reason : "", sizeof last_reason);
    IGRAPH_FINALLY_FREE();
}

static void ignore_warning(const char *reason, const char *file, int line)
{
    (void)reason, (void)file, (void)line;
}

static igraph_error_t ask_interrupt(void *data)
{
    (void)data;
    if (!glint_interrupted())
        return IGRAPH_SUCCESS;
    IGRAPH_FINALLY_FREE();
    return IGRAPH_INTERRUPTED;
}

gboolean gli_igraph_enter(GliIgraph *self, guint64 seed, GError **error)
{
    *self = (GliIgraph){.entered = FALSE};
    g_mutex_lock(&one_at_a_time);
    last_reason[0] = '\0';
    self->error_handler = igraph_set_error_handler(keep_reason);
    self->warning_handler = igraph_set_warning_handler(ignore_warning);
    self->interruption_handler = igraph_set_interruption_handler(ask_interrupt);
    self->former_rng = *igraph_rng_default(); /* 0.10 copies the struct at set_default */
    self->entered = TRUE;
    /* PCG32 takes the low 32 bits of a seed; fold the high ones in. */
    if (igraph_rng_init(&self->rng, &igraph_rngtype_pcg32) != IGRAPH_SUCCESS ||
        igraph_rng_seed(&self->rng, (igraph_uint_t)((seed ^ seed >> 32) & 0xffffffffu)) != IGRAPH_SUCCESS) {
        self->rng.state = NULL;
        gli_igraph_leave(self);
        return glint_fail(error, GLINT_ERROR_FAILED, "igraph could not make a random number generator: out of memory");
    }
    igraph_rng_set_default(&self->rng);
    return TRUE;
}

void gli_igraph_leave(GliIgraph *self)
{
    if (!self->entered)
        return;
    igraph_rng_set_default(&self->former_rng);
    if (self->rng.state)
        igraph_rng_destroy(&self->rng);
    igraph_set_interruption_handler(self->interruption_handler);
    igraph_set_warning_handler(self->warning_handler);
    igraph_set_error_handler(self->error_handler);
    self->entered = FALSE;
    g_mutex_unlock(&one_at_a_time);
}

gboolean gli_igraph_check(igraph_error_t code, const char *what, GError **error)
{
    if (code == IGRAPH_SUCCESS)
        return TRUE;
    if (code == IGRAPH_INTERRUPTED)
        return glint_fail(error, GLINT_ERROR_INTERRUPTED, "interrupted during %s", what);
    return glint_fail(error, GLINT_ERROR_FAILED, "%s failed in igraph: %s%s%s", what, igraph_strerror(code), last_reason[0] ? ": " : "", last_reason);
}

gboolean gli_igraph_create(igraph_t *out, gsize n_nodes, const igraph_vector_int_t *ends, GError **error)
{
    return gli_igraph_check(igraph_create(out, ends, (igraph_integer_t)n_nodes, IGRAPH_UNDIRECTED), "building the graph", error);
}
