/* The glassoFast algorithm, in our C: what libggm is raced against where the R package glassoFast cannot be installed.
 *
 * Block coordinate descent on the dual W (Friedman, Hastie & Tibshirani 2008) as Sustik & Calderhead organise it (UTCS technical report
 * TR-12-29, 2012). Column j's lasso  min_b b'W11 b / 2 - s12'b + lambda |b|_1  is solved by coordinate descent in cyclic
 * passes over all i. The product r = W b is kept for the whole column: it is built once from the nonzeros of b, and each change
 * of a b_i adds a multiple of row i of W to it, so a coordinate that does not change costs a few flops and one that
 * does costs 2p. Both stopping rules are theirs: passes end when no b_i moved by more than threshold * mean |S_ij|, i != j, sweeps when no
 * column of W moved by more than threshold * sum_{i != j} |S_ij| / (p - 1) in the 1-norm.
 *
 * Written from the papers' description, with what a good compiler needs: rows of W are contiguous (it is symmetric), the diagonal of W
 * and lambda are at hand, and the loops are compiled for AVX2 and AVX-512 and chosen at run time, as libggm's own are. */
#include "peer_glassofast.h"

#include "ggm/simd.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t p;
    const double *s;
    double lambda;
    double inner, outer; /* the stopping rules' bounds */
    double *w;           /* (p, p) both triangles */
    double *beta;        /* (p, p) row j: the coefficients of column j's lasso, beta_jj = 0 */
    double *diagonal;    /* (p) of W */
    double *r;           /* (p) W beta_j */
} lasso;

GGM_CLONES static void add_multiple(double *restrict r, const double *restrict row, double factor, size_t p)
{
    for (size_t k = 0; k < p; k++)
        r[k] += factor * row[k];
}

GGM_CLONES static double distance(const double *restrict a, const double *restrict b, size_t p)
{
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (size_t k = 0; k < p; k++)
        sum += fabs(a[k] - b[k]);
    return sum;
}

static double soft(double x, double lambda)
{
    return x > lambda ? x - lambda : x < -lambda ? x + lambda : 0;
}

/* One cyclic pass over the coefficients of column j; the largest change */
static double pass(const lasso *l, size_t j, double *beta)
{
    const double *s = l->s + j * l->p;
    double largest = 0;
    for (size_t i = 0; i < l->p; i++) {
        if (i == j)
            continue;
        double next = soft(s[i] - l->r[i] + l->diagonal[i] * beta[i], l->lambda);
        if (next != 0)
            next /= l->diagonal[i];
        double change = next - beta[i];
        if (change == 0)
            continue;
        add_multiple(l->r, l->w + i * l->p, change, l->p);
        beta[i] = next;
        largest = fmax(largest, fabs(change));
    }
    return largest;
}

/* Replaces column j of W; how far it moved */
static double update_column(const lasso *l, size_t j)
{
    const size_t p = l->p;
    double *beta = l->beta + j * p, *row = l->w + j * p;
    memset(l->r, 0, p * sizeof *l->r);
    for (size_t i = 0; i < p; i++)
        if (beta[i] != 0)
            add_multiple(l->r, l->w + i * p, beta[i], p);
    while (pass(l, j, beta) >= l->inner)
        continue;
    l->r[j] = l->diagonal[j];
    double moved = distance(l->r, row, p);
    memcpy(row, l->r, p * sizeof *row);
    for (size_t i = 0; i < p; i++)
        l->w[i * p + j] = l->r[i];
    return moved;
}

/* T_jj = 1 / (w_jj - w12'b), t12 = -b T_jj; the two triangles are averaged. */
static void write_theta(const lasso *l, double *theta)
{
    const size_t p = l->p;
    for (size_t j = 0; j < p; j++) {
        const double *beta = l->beta + j * p, *w = l->w + j * p;
        double explained = 0;
        for (size_t i = 0; i < p; i++)
            explained += beta[i] * w[i];
        theta[j * p + j] = 1 / (l->diagonal[j] - explained);
        for (size_t i = 0; i < p; i++)
            if (i != j)
                theta[j * p + i] = -beta[i] * theta[j * p + j];
    }
    for (size_t j = 0; j < p; j++)
        for (size_t i = 0; i < j; i++)
            theta[i * p + j] = theta[j * p + i] = (theta[i * p + j] + theta[j * p + i]) / 2;
}

static void start(lasso *l, double threshold)
{
    const size_t p = l->p;
    double sum = 0;
    memcpy(l->w, l->s, p * p * sizeof *l->w);
    for (size_t i = 0; i < p; i++) {
        for (size_t j = 0; j < p; j++)
            sum += i == j ? 0 : fabs(l->s[i * p + j]);
        l->diagonal[i] = l->w[i * p + i] += l->lambda;
    }
    l->outer = p > 1 ? threshold * sum / (double)(p - 1) : 0;
    l->inner = fmax(l->outer / (double)p, 4e-16);
}

int peer_glassofast(size_t p, const double *s, double lambda, double threshold, int sweeps, double *theta)
{
    lasso l = {.p = p, .s = s, .lambda = lambda, .w = malloc(p * p * sizeof(double)), .beta = calloc(p * p, sizeof(double)),
               .diagonal = malloc(p * sizeof(double)), .r = malloc(p * sizeof(double))};
    int done = 0;
    if (l.w && l.beta && l.diagonal && l.r) {
        start(&l, threshold);
        double moved = INFINITY;
        for (; done < sweeps && moved > l.outer; done++) {
            moved = 0;
            for (size_t j = 0; j < p; j++)
                moved = fmax(moved, update_column(&l, j));
        }
        write_theta(&l, theta);
    }
    free(l.w);
    free(l.beta);
    free(l.diagonal);
    free(l.r);
    return done;
}
