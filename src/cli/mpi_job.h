/* glint collect under mpirun: every rank runs its shard of the texts, and rank 0 merges them. In programs built without MPI
 * (-DGLINT_MPI=ON) only the question whether mpirun started them is answered, so that it can be said. */
#pragma once
#include "cli/options.h"
#include <jansson.h>

/* Whether mpirun, or another launcher of several processes, started this one as one of several. */
gboolean glint_mpi_launched(void);
/* For commands that run on one machine: an error when several were started. */
gboolean glint_mpi_refuse(const char *command, GError **error);

/* Collects into args->common.out; called by every rank. Shards lie in OUT/.shards/ until they are merged. When one rank fails or is
 * interrupted, all save their state and end; the same command continues. The error of a rank is printed by that rank, and rank 0 sets
 * *error to what that means for the whole. Returns the exit code, the same on every rank. *first: whether this is rank 0, which prints results. */
int glint_job_collect_mpi(GlintArgs *args, json_t *report, gboolean *first, GError **error);
