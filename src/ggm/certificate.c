/* What T is worth, from S, the penalties, T, and a candidate W for the dual: nothing here knows how T and W were found.
 *
 * Let F be W moved to the nearest feasible point that agrees with T's signs: F = S + U with U_ij = L_ij sign T_ij where T_ij != 0, and
 * U_ij = W_ij - S_ij clipped to |U_ij| <= L_ij elsewhere. Clipping alone would do, but loses L |T| - U T > 0, first order in W's error,
 * wherever W falls short of a bound; with the signs that term is 0 and the gap second order. By weak duality, if F is positive definite,
 *     f(T) - f* <= f(T) - logdet F - p = [sum_ij L_ij |T_ij| - U_ij T_ij] + [tr(F T) - p - logdet(F T)].
 * The first is 0 by choice of F (it is summed all the same), the second a sum of terms >= 0, so nothing cancels, unlike in a difference
 * of two objectives. With T = K K' the eigenvalues
 * of F T are those of I + X, X = K'F K - I symmetric, and x - log(1 + x) <= x^2 / 2(1 - |x|):
 *     second bracket <= e / (2 (1 - sqrt e)),   e = ||X||_F^2 = tr(E E) = sum_ij E_ij E_ji,   E = T F - I,
 * for e < 1, which also proves F positive definite if T is. So the bound (bound.c) costs one sparse product (2 m nnz flops) where the two
 * Cholesky factorizations of the plain formula cost 2 m^3 / 3, and it is tight as soon as it is small. (The bound is ours; compare QUIC
 * and scikit-learn, whose gaps use a W that may be infeasible, and so come out negative.)
 *
 * When e >= 1 the plain formula is used, with F drawn towards a point that always is feasible until it is positive definite. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

double ggm_limit(const ggm_evidence *evidence, size_t i, size_t j)
{
    if (i == j && !evidence->penalize_diagonal)
        return 0;
    return evidence->weights ? ggm_weighted(evidence->lambda, evidence->weights[i * (size_t)evidence->m + j]) : evidence->lambda;
}

GGM_CLONES static void clip_unweighted(double *restrict f, const double *restrict w, const double *restrict s, double limit, size_t m)
{
    for (size_t j = 0; j < m; j++) {
        double u = w[j] - s[j];
        u = u > limit ? limit : u;
        u = u < -limit ? -limit : u;
        f[j] = s[j] + u;
    }
}

const double *ggm_evidence_row(const ggm_evidence *evidence, size_t i, size_t from, size_t count, double *buffer)
{
    if (evidence->s)
        return evidence->s + i * (size_t)evidence->m + from;
    const size_t row = (size_t)evidence->node[i];
    const double *s = evidence->problem->s + row * evidence->problem->p, scale = evidence->scales[row];
    for (size_t c = 0; c < count; c++) {
        const size_t column = (size_t)evidence->node[from + c];
        buffer[c] = s[column] * (scale * evidence->scales[column]);
    }
    if (i >= from && i < from + count)
        buffer[i - from] = ggm_entry(evidence->problem, evidence->scales, row, row);
    return buffer;
}

static double covariance_at(const ggm_evidence *evidence, size_t i, size_t j)
{
    double entry;
    return *ggm_evidence_row(evidence, i, j, 1, &entry);
}

static void clip(const ggm_evidence *evidence, const double *w, double *feasible, size_t i)
{
    const size_t m = (size_t)evidence->m;
    const double *s = evidence->s + i * m;
    if (!evidence->weights)
        clip_unweighted(feasible + i * m, w + i * m, s, evidence->lambda, m);
    for (size_t j = 0; evidence->weights && j < m; j++) {
        double limit = ggm_limit(evidence, i, j);
        feasible[i * m + j] = s[j] + fmax(-limit, fmin(limit, w[i * m + j] - s[j]));
    }
    feasible[i * m + i] = s[i] + ggm_limit(evidence, i, i);
}

void ggm_bound_clip(const ggm_evidence *evidence, const double *w, double *feasible, int from, int to)
{
    const size_t m = (size_t)evidence->m;
    const ggm_sparse *t = evidence->t;
    for (size_t i = (size_t)from; i < (size_t)to; i++) {
        clip(evidence, w, feasible, i);
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++) {
            size_t j = (size_t)t->index[k];
            double limit = ggm_limit(evidence, i, j);
            if (t->value[k] != 0 && isfinite(limit))
                feasible[i * m + j] = evidence->s[i * m + j] + copysign(limit, t->value[k]);
        }
    }
}

double ggm_linear_part(const ggm_evidence *evidence)
{
    const ggm_sparse *t = evidence->t;
    double sum = 0;
    for (size_t i = 0; i < t->p; i++)
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            if (t->value[k] != 0) {
                size_t j = (size_t)t->index[k];
                sum += covariance_at(evidence, i, j) * t->value[k] + ggm_limit(evidence, i, j) * fabs(t->value[k]);
            }
    return sum;
}

bool ggm_logdet_sparse(const ggm_sparse *t, double *space, double *logdet)
{
    ggm_sparse_to_dense(t, space);
    if (!ggm_linalg_host.cholesky(space, (int)t->p))
        return false;
    *logdet = ggm_logdet(space, (int)t->p);
    return isfinite(*logdet);
}

double ggm_shrinkage(const ggm_evidence *evidence)
{
    const size_t m = (size_t)evidence->m;
    double t = 1;
    for (size_t i = 1; i < m; i++)
        for (size_t j = 0; j < i; j++) {
            double s = fabs(evidence->s[i * m + j]), limit = ggm_limit(evidence, i, j);
            if (t * s > limit)
                t = limit / s;
        }
    return t;
}

static double logdet_or_none(double *space, int m)
{
    if (!ggm_linalg_host.cholesky(space, m))
        return -(double)INFINITY;
    double logdet = ggm_logdet(space, m);
    return isfinite(logdet) ? logdet : -(double)INFINITY;
}

double ggm_dual_logdet(const ggm_evidence *evidence, double *w, double *space)
{
    const size_t m = (size_t)evidence->m;
    const double keep = 1 - ggm_shrinkage(evidence);
    static const double shares[] = {0, 1e-6, 1e-3, 0.03, 0.2, 0.5, 1};
    ggm_bound_clip(evidence, w, space, 0, evidence->m); /* best near the optimum, where T's signs are right */
    double best = logdet_or_none(space, evidence->m), clipped = -(double)INFINITY;
    for (size_t i = 0; i < m; i++)
        clip(evidence, w, w, i);
    for (size_t k = 0; k < sizeof shares / sizeof *shares && !isfinite(clipped); k++) {
        double share = shares[k];
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < m; j++) {
                double centre = i == j ? w[i * m + i] : keep * evidence->s[i * m + j];
                space[i * m + j] = share > 0 ? (1 - share) * w[i * m + j] + share * centre : w[i * m + j];
            }
        clipped = logdet_or_none(space, evidence->m);
    }
    return fmax(best, clipped);
}
