/* glint collect on several machines. See mpi_job.h.
 *
 * Ranks have nothing to say to each other while they run, except that one has failed: then it sends every other one a message, which they
 * look for between batches. So a node that dies takes at most the time since its last checkpoint with it, and the same command goes on with what
 * every shard has. Waiting for the slower ranks is done with naps, for MPI's own waiting keeps a core busy that they may need. */
#include "cli/mpi_job.h"
#include "base/error.h"
#include <stdlib.h>

gboolean glint_mpi_launched(void)
{
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MPI_LOCALNRANKS", "PMIX_SIZE"};
    for (gsize k = 0; k < G_N_ELEMENTS(names); k++) {
        const char *value = g_getenv(names[k]);
        if (value && atoi(value) > 1)
            return TRUE;
    }
    return FALSE;
}

gboolean glint_mpi_refuse(const char *command, GError **error)
{
    return !glint_mpi_launched() ||
           glint_fail(error, GLINT_ERROR_USAGE, "mpirun started several of glint %s, which would overwrite each other's results; mpirun is for "
                                                "glint collect, then run glint %s alone",
                      command, command);
}

#ifndef GLINT_MPI

int glint_job_collect_mpi(GlintArgs *args, json_t *report, gboolean *first, GError **error)
{
    (void)args;
    (void)report;
    *first = FALSE;
    glint_fail(error, GLINT_ERROR_UNSUPPORTED, "mpirun started several of this program, which is built without MPI; build it with -DGLINT_MPI=ON, or run glint collect "
                      "--shard I/N on each machine and glint merge at the end");
    return GLINT_EXIT_FAILED;
}

#else

#include "base/files.h"
#include "base/talk.h"
#include "cli/collect_job.h"
#include <mpi.h>
#include <omp.h>
#include <sched.h>
#include <stdio.h>

enum { STOP_TAG = 7, MOST_PROCESSORS = CPU_SETSIZE, NAP_US = 20000 };

typedef struct {
    int rank, size;
    gboolean told;    /* the others, that this rank has failed */
    gboolean stopped; /* by another rank */
    gboolean done;    /* everything was there already */
} Ranks;

/* ---- threads ---- */

/* Shares out the processors of a host among its ranks: mpirun may have given each its own, or all of them the same. */
static int threads_of_rank(void)
{
    static int mine[MOST_PROCESSORS], all[MOST_PROCESSORS];
    cpu_set_t set;
    MPI_Comm host;
    double share = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    for (int k = 0; k < MOST_PROCESSORS; k++)
        mine[k] = CPU_ISSET(k, &set) != 0;
    MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &host);
    MPI_Allreduce(mine, all, MOST_PROCESSORS, MPI_INT, MPI_SUM, host);
    MPI_Comm_free(&host);
    for (int k = 0; k < MOST_PROCESSORS; k++)
        share += mine[k] ? 1.0 / all[k] : 0;
    return share < 1 ? 1 : (int)(share + 1e-9);
}

/* ---- stopping together ---- */

static void tell_others(Ranks *self)
{
    if (self->told)
        return;
    self->told = TRUE;
    for (int other = 0; other < self->size; other++)
        if (other != self->rank) {
            MPI_Request request;
            MPI_Isend(NULL, 0, MPI_INT, other, STOP_TAG, MPI_COMM_WORLD, &request);
            MPI_Request_free(&request);
        }
}

static gboolean told_to_stop(gpointer data)
{
    Ranks *self = data;
    int there = 0;
    MPI_Status status;
    MPI_Iprobe(MPI_ANY_SOURCE, STOP_TAG, MPI_COMM_WORLD, &there, &status);
    if (there)
        MPI_Recv(NULL, 0, MPI_INT, status.MPI_SOURCE, STOP_TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE);
    self->stopped = self->stopped || there;
    return self->stopped;
}

/* The largest code of all ranks, waiting with naps. */
static int worst_code(int code)
{
    int worst = 0, done = 0;
    MPI_Request request;
    MPI_Iallreduce(&code, &worst, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD, &request);
    for (;;) {
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (done)
            return worst;
        g_usleep(NAP_US);
    }
}

/* Every stop message is received before the end: one that nobody took would keep MPI_Finalize waiting. */
static void drain(void)
{
    Ranks nobody = {0};
    MPI_Barrier(MPI_COMM_WORLD);
    while (told_to_stop(&nobody))
        nobody.stopped = FALSE;
}

/* ---- the shards ---- */

static char *shard_folder(const char *out, int number, int of)
{
    g_autofree char *name = g_strdup_printf("%d-of-%d", number, of);
    return g_build_filename(out, ".shards", name, NULL);
}

static gboolean run_shard(GlintArgs *args, Ranks *ranks, json_t *report, GError **error)
{
    g_autofree char *folder = shard_folder(args->common.out, ranks->rank + 1, ranks->size);
    g_free(args->collect.shard);
    args->collect.shard = g_strdup_printf("%d/%d", ranks->rank + 1, ranks->size);
    GlintShardJob shard = {.whole = args->common.out, .stop = told_to_stop, .data = ranks};
    gboolean ok = glint_job_collect_shard(args, folder, &shard, report, error);
    ranks->done = shard.done;
    return ok;
}

static gboolean merge_shards(const GlintArgs *args, const Ranks *ranks, json_t *report, GError **error)
{
    g_autoptr(GPtrArray) folders = g_ptr_array_new_with_free_func(g_free);
    g_autofree char *all = g_build_filename(args->common.out, ".shards", NULL);
    GlintMergeStats stats;
    for (int k = 1; k <= ranks->size; k++)
        g_ptr_array_add(folders, shard_folder(args->common.out, k, ranks->size));
    if (!glint_collect_merge((char *const *)folders->pdata, folders->len, FALSE, args->common.out, &stats, error))
        return FALSE;
    glint_say("merged: %d shards, %zu sites, %zu texts, %zu tokens", ranks->size, stats.n_sites, stats.n_texts, stats.n_tokens);
    json_object_set_new(report, "merge", json_pack("{s:i, s:I, s:I, s:I}", "shards", ranks->size, "sites", (json_int_t)stats.n_sites, "texts", (json_int_t)stats.n_texts, "tokens",
                                                   (json_int_t)stats.n_tokens));
    return glint_remove_tree(all, error);
}

/* A rank's own trouble is printed where it arises, and its code is that of all; who was stopped by another has none. */
static int code_of(const GError *error, const Ranks *ranks)
{
    if (!error || ranks->stopped)
        return GLINT_EXIT_OK;
    fprintf(stderr, "glint: rank %d of %d: %s\n", ranks->rank, ranks->size, error->message);
    return glint_exit_code(error);
}

/* All ranks: shards, then the merge on rank 0. Returns the exit code of all. */
static int collect_all(GlintArgs *args, Ranks *ranks, json_t *report)
{
    GError *problem = NULL;
    run_shard(args, ranks, report, &problem);
    int code = code_of(problem, ranks);
    if (problem)
        tell_others(ranks);
    g_clear_error(&problem);
    int worst = worst_code(code);
    if (worst != GLINT_EXIT_OK)
        return worst;
    if (ranks->rank == 0 && !ranks->done) {
        merge_shards(args, ranks, report, &problem);
        code = code_of(problem, ranks);
        g_clear_error(&problem);
    }
    return worst_code(code);
}

int glint_job_collect_mpi(GlintArgs *args, json_t *report, gboolean *first, GError **error)
{
    Ranks ranks = {0};
    MPI_Init(NULL, NULL);
    MPI_Comm_rank(MPI_COMM_WORLD, &ranks.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &ranks.size);
    int threads = threads_of_rank();
    if (args->model.threads == 0)
        args->model.threads = threads;
    omp_set_num_threads(args->model.threads);
    *first = ranks.rank == 0;
    glint_talk_set_quiet(args->common.quiet || ranks.rank != 0);
    int code = collect_all(args, &ranks, report);
    drain();
    MPI_Finalize();
    if (code != GLINT_EXIT_OK && *first)
        glint_fail(error, code == GLINT_EXIT_INTERRUPTED ? GLINT_ERROR_INTERRUPTED : code == GLINT_EXIT_USAGE ? GLINT_ERROR_USAGE : GLINT_ERROR_FAILED,
                   "%s; what was collected is kept, and the same command continues", code == GLINT_EXIT_INTERRUPTED ? "the ranks were stopped" : "a rank failed, and all ended");
    return code;
}

#endif
