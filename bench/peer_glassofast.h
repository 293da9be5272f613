/* The strongest known peer as an opponent in the race, see peer_glassofast.c. */
#pragma once
#include <stdbool.h>
#include <stddef.h>

/* Minimises -logdet T + tr(S T) + lambda sum_ij |T_ij| (diagonal penalised) over positive definite T.
 * s, theta: (p, p) row-major, symmetric; threshold: of the method's own stopping rules, relative to the mean |S_ij|, i != j.
 * Returns the number of sweeps, 0 when no memory; `sweeps` at most. One thread. */
int peer_glassofast(size_t p, const double *s, double lambda, double threshold, int sweeps, double *theta);
