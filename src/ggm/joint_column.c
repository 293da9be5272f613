/* Column j of every class given the rest of W. Per class the dual's column step is max log(W_jj - w' W11^-1 w); coupled by the ball it has, with
 * log q = min over t of t q - log t - 1, the convex dual
 *
 *     min over theta_k, t_k > 0   sum_k n_k [ -log t_k + S_jj t_k + 2 s_k'theta_k + theta_k' W11_k theta_k / t_k ] + 2 sum_i P(theta_.,i)
 *
 * (+ P(t) if the diagonal is penalised), theta_k and t_k being T_k's column and diagonal; then W_j = -W11 theta / t. Two groups of unknowns
 * in turn: cyclic descent over the pairs (i, j), each K-vector theta_.,i by one proximal map with curvatures n_k W_ii / t_k (joint_prox.c),
 * and t in closed form: S_jj t^2 - t - c = 0, c = theta'W11 theta. For one class that is gram.c's lasso, theta = -t beta.
 *
 * As there, descent runs on the active set and its Gram matrices (rows gathered when they are first needed), the whole new row of W follows
 * in one pass over rows of W, and the pairs outside the ball join the active set.
 *
 * W stays positive definite however early descent stops: W_jj = 1/t + c/t^2, so W_jj - W_j' W11^-1 W_j = 1/t. */
#include "ggm/joint_internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <string.h>

#define ROUNDS 4
#define PASSES 60
#define DIAGONAL_STEPS 100

bool ggm_joint_scratch_init(ggm_joint_scratch *scratch, int m, int classes)
{
    const size_t n = (size_t)m, all = n * (size_t)classes;
    *scratch = (ggm_joint_scratch){0};
    scratch->z = ggm_alloc(all, sizeof *scratch->z);
    scratch->s = ggm_alloc(all, sizeof *scratch->s);
    scratch->diagonal = ggm_alloc(all, sizeof *scratch->diagonal);
    scratch->rows = ggm_alloc(n, sizeof *scratch->rows);
    scratch->factors = ggm_alloc(n, sizeof *scratch->factors);
    scratch->has_row = ggm_alloc(all, 1);
    scratch->active = ggm_alloc_zero(n, 1);
    scratch->dense = ggm_alloc_zero(all, sizeof *scratch->dense);
    return scratch->z && scratch->s && scratch->diagonal && scratch->rows && scratch->factors && scratch->has_row && scratch->active &&
           scratch->dense;
}

void ggm_joint_scratch_release(ggm_joint_scratch *scratch)
{
    ggm_free(scratch->gram);
    ggm_free(scratch->z);
    ggm_free(scratch->s);
    ggm_free(scratch->diagonal);
    ggm_free(scratch->rows);
    ggm_free(scratch->factors);
    ggm_free(scratch->has_row);
    ggm_free(scratch->active);
    ggm_free(scratch->dense);
    *scratch = (ggm_joint_scratch){0};
}

static bool reserve(ggm_joint_scratch *scratch, size_t count)
{
    if (count <= scratch->capacity)
        return true;
    double *fresh = ggm_alloc(count + count / 2, sizeof *fresh);
    if (!fresh)
        return false;
    ggm_free(scratch->gram);
    scratch->gram = fresh;
    scratch->capacity = count + count / 2;
    return true;
}

GGM_CLONES static void gather_row(double *restrict out, const double *restrict row, const int *restrict index, int n)
{
    for (int b = 0; b < n; b++)
        out[b] = row[index[b]];
}

GGM_CLONES static void add(double *restrict z, const double *restrict row, double factor, size_t n)
{
    for (size_t b = 0; b < n; b++)
        z[b] += factor * row[b];
}

/* ---- the diagonal ---- */
/* The smooth part of ggm_joint_diagonal's objective plus, where it applies, the penalty */
static double diagonal_value(const ggm_joint_block *block, const double *s, const double *c, const double *t)
{
    double sum = ggm_joint_value(&block->norm, t);
    for (int k = 0; k < block->classes; k++)
        sum += block->weights[k] * (s[k] * t[k] - log(t[k]) + c[k] / t[k]);
    return sum;
}

/* The largest share of the step to x that keeps every t above a tenth of what it is */
static double longest_share(const double *t, const double *x, int classes)
{
    double share = 1;
    for (int k = 0; k < classes; k++)
        if (x[k] < 0.1 * t[k])
            share = fmin(share, 0.9 * t[k] / (t[k] - x[k]));
    return share;
}

/* Proximal Newton: P's part lambda1 |t|_1 is linear, the rest goes through the proximal map with the curvatures of the smooth part */
static void penalized_diagonal(const ggm_joint_block *block, const double *s, const double *c, double *t)
{
    const int classes = block->classes;
    const ggm_joint_norm norm = {.penalty = block->norm.penalty, .classes = classes, .lambda2 = block->norm.lambda2};
    double a[GGM_K], b[GGM_K], x[GGM_K], next[GGM_K], value = diagonal_value(block, s, c, t);
    for (int step = 0; step < DIAGONAL_STEPS; step++) {
        double moved = 0;
        for (int k = 0; k < classes; k++) {
            const double inverse = 1 / t[k], slope = block->weights[k] * (s[k] - inverse - c[k] * inverse * inverse);
            a[k] = block->weights[k] * (inverse * inverse + 2 * c[k] * inverse * inverse * inverse);
            b[k] = a[k] * t[k] - slope - block->norm.lambda1;
            x[k] = t[k];
        }
        ggm_joint_prox(&norm, a, b, x);
        for (int k = 0; k < classes; k++)
            moved = fmax(moved, fabs(x[k] - t[k]) / t[k]);
        if (moved < 1e-8) { /* quadratic convergence: this step is the last that matters */
            memcpy(t, x, (size_t)classes * sizeof *t);
            return;
        }
        double share = longest_share(t, x, classes), reached = INFINITY;
        for (int halvings = 0; halvings < 40 && !(reached < value); halvings++, share /= 2) {
            for (int k = 0; k < classes; k++)
                next[k] = share == 1 ? x[k] : t[k] + share * (x[k] - t[k]);
            reached = diagonal_value(block, s, c, next);
        }
        if (!(reached < value))
            return;
        value = reached;
        memcpy(t, next, (size_t)classes * sizeof *t);
    }
}

void ggm_joint_diagonal(const ggm_joint_block *block, const double *s, const double *c, double *t)
{
    if (block->penalize_diagonal) {
        penalized_diagonal(block, s, c, t);
        return;
    }
    for (int k = 0; k < block->classes; k++)
        t[k] = (1 + sqrt(1 + 4 * s[k] * c[k])) / (2 * s[k]);
}

/* ---- descent on the active set ---- */
typedef struct {
    const ggm_joint_block *block;
    ggm_joint_column *column;
    ggm_joint_scratch *scratch;
    double *t;            /* (K) T_k,jj */
    double s_jj[GGM_K], c[GGM_K];
    int j, n;
} descent;

/* z_k += step * row a of class k's Gram matrix */
static void move(const descent *d, int k, int a, double step)
{
    const size_t n = (size_t)d->n, m = (size_t)d->block->m, place = (size_t)k * n + (size_t)a;
    double *row = d->scratch->gram + place * n;
    if (!d->scratch->has_row[place]) {
        gather_row(row, d->block->w + (size_t)k * m * m + (size_t)d->column->index[a] * m, d->column->index, d->n);
        d->scratch->has_row[place] = 1;
    }
    add(d->scratch->z + (size_t)k * n, row, step, n);
}

/* One cyclic pass; returns the largest step, in units of sqrt(W_aa) beta */
static double one_pass(const descent *d)
{
    const int classes = d->block->classes;
    const size_t n = (size_t)d->n;
    double curvature[GGM_K], linear[GGM_K], x[GGM_K], factor[GGM_K], largest = 0;
    for (int k = 0; k < classes; k++)
        factor[k] = d->block->weights[k] / d->t[k];
    for (int a = 0; a < d->n; a++) {
        double *theta = d->column->theta + (size_t)a * (size_t)classes;
        for (int k = 0; k < classes; k++) {
            const size_t place = (size_t)k * n + (size_t)a;
            x[k] = theta[k];
            curvature[k] = factor[k] * d->scratch->diagonal[place];
            linear[k] = curvature[k] * theta[k] - d->block->weights[k] * d->scratch->s[place] - factor[k] * d->scratch->z[place];
        }
        ggm_joint_prox(&d->block->norm, curvature, linear, x);
        for (int k = 0; k < classes; k++) {
            const double step = x[k] - theta[k];
            if (step == 0)
                continue;
            theta[k] = x[k];
            move(d, k, a, step);
            const double size = step * step * d->scratch->diagonal[(size_t)k * n + (size_t)a] / (d->t[k] * d->t[k]);
            largest = size > largest ? size : largest;
        }
    }
    return sqrt(largest);
}

/* t given theta; returns how much the coefficients beta = -theta / t changed, in the same units */
static double update_diagonal(descent *d)
{
    const int classes = d->block->classes;
    double before[GGM_K], largest = 0;
    memcpy(before, d->t, (size_t)classes * sizeof *before);
    for (int k = 0; k < classes; k++) {
        const double *z = d->scratch->z + (size_t)k * (size_t)d->n;
        d->c[k] = 0;
        for (int a = 0; a < d->n; a++)
            d->c[k] += d->column->theta[(size_t)a * (size_t)classes + (size_t)k] * z[a];
        d->c[k] = fmax(0, d->c[k]);
    }
    ggm_joint_diagonal(d->block, d->s_jj, d->c, d->t);
    for (int k = 0; k < classes; k++)
        largest = fmax(largest, fabs(1 - before[k] / d->t[k]) * sqrt(d->c[k]) / d->t[k]);
    return largest;
}

static bool load(descent *d)
{
    const ggm_joint_block *block = d->block;
    const size_t m = (size_t)block->m, classes = (size_t)block->classes;
    d->n = d->column->count;
    const size_t n = (size_t)d->n;
    if (!reserve(d->scratch, classes * n * n))
        return false;
    memset(d->scratch->has_row, 0, classes * n);
    memset(d->scratch->z, 0, classes * n * sizeof *d->scratch->z);
    for (size_t k = 0; k < classes; k++)
        for (size_t a = 0; a < n; a++) {
            const size_t i = (size_t)d->column->index[a];
            d->scratch->s[k * n + a] = block->s[k * m * m + (size_t)d->j * m + i];
            d->scratch->diagonal[k * n + a] = block->w[k * m * m + i * m + i];
        }
    for (size_t a = 0; a < n; a++)
        for (size_t k = 0; k < classes; k++)
            if (d->column->theta[a * classes + k] != 0)
                move(d, (int)k, (int)a, d->column->theta[a * classes + k]);
    return true;
}

/* rows_k = -W theta / t over the whole block, the new row of W */
static void full_rows(const descent *d, double *rows)
{
    const ggm_joint_block *block = d->block;
    const size_t m = (size_t)block->m, classes = (size_t)block->classes;
    for (size_t k = 0; k < classes; k++) {
        int count = 0;
        for (int a = 0; a < d->n; a++) {
            const double theta = d->column->theta[(size_t)a * classes + k];
            if (theta == 0)
                continue;
            d->scratch->rows[count] = block->w + k * m * m + (size_t)d->column->index[a] * m;
            d->scratch->factors[count++] = -theta / d->t[k];
        }
        ggm_linalg_host.combine64(rows + k * m, m, d->scratch->rows, d->scratch->factors, count);
    }
}

static bool descend(descent *d, const ggm_joint_rules *rules, double floor, double *rows)
{
    if (!load(d))
        return false;
    double first = 0;
    for (int pass = 1; pass <= PASSES; pass++) {
        double step = one_pass(d);
        step = fmax(step, update_diagonal(d));
        if (pass == 1)
            first = step;
        if (step <= fmax(rules->inner * first, floor))
            break;
    }
    full_rows(d, rows);
    return true;
}

/* ---- the active set ---- */
/* How far n_k (S_ij - W_ij) is outside the ball, in units of lambda1 + lambda2; 0 if it is inside */
static double excess(const ggm_joint_block *block, const double *rows, size_t i, size_t j)
{
    const size_t m = (size_t)block->m;
    const ggm_joint_norm *norm = &block->norm;
    double v[GGM_K], u[GGM_K], largest = 0;
    static const double origin[GGM_K] = {0};
    for (int k = 0; k < block->classes; k++) {
        v[k] = block->weights[k] * (block->s[((size_t)k * m + j) * m + i] - rows[(size_t)k * m + i]);
        largest = fmax(largest, fabs(v[k]));
    }
    if (largest <= norm->lambda1 || ggm_joint_in_ball(norm, v))
        return 0;
    ggm_joint_nearest(norm, origin, v, u);
    largest = 0;
    for (int k = 0; k < block->classes; k++)
        largest = fmax(largest, fabs(v[k] - u[k]));
    return fmax(largest / (norm->lambda1 + norm->lambda2), 1e-300);
}

static bool append(ggm_joint_column *column, int i, int classes)
{
    if (!ggm_joint_column_reserve(column, column->count + 1, classes))
        return false;
    column->index[column->count] = i;
    memset(column->theta + (size_t)column->count * (size_t)classes, 0, (size_t)classes * sizeof *column->theta);
    column->count++;
    return true;
}

static bool add_violators(const descent *d, const ggm_joint_rules *rules, const double *rows, double *worst)
{
    ggm_joint_column *column = d->column;
    const int before = column->count;
    bool good = true;
    *worst = 0;
    for (int a = 0; a < before; a++)
        d->scratch->active[column->index[a]] = 1;
    for (int i = 0; good && i < d->block->m; i++) {
        if (d->scratch->active[i] || i == d->j || rules->batch[i] == rules->current)
            continue;
        const double far = excess(d->block, rows, (size_t)i, (size_t)d->j);
        if (far > 0)
            good = append(column, i, d->block->classes);
        *worst = fmax(*worst, far);
    }
    for (int a = 0; a < before; a++)
        d->scratch->active[column->index[a]] = 0;
    return good;
}

/* Members of the batch outside the ball: they could not join now, the next sweep is to have them */
static bool add_members(const descent *d, const ggm_joint_rules *rules, const double *rows)
{
    bool good = true;
    for (int k = 0; good && k < rules->member_count; k++) {
        const int i = rules->member[k];
        if (i != d->j && excess(d->block, rows, (size_t)i, (size_t)d->j) > 0)
            good = append(d->column, i, d->block->classes);
    }
    return good;
}

/* Pairs that are 0 in every class leave the active set, but for the `kept` last ones, which the next sweep is to try */
static void drop_zeros(ggm_joint_column *column, int kept, int classes)
{
    const size_t width = (size_t)classes;
    int n = 0;
    for (int a = 0; a < column->count; a++) {
        bool keep = a >= column->count - kept;
        for (size_t k = 0; k < width; k++)
            keep = keep || column->theta[(size_t)a * width + k] != 0;
        if (!keep)
            continue;
        column->index[n] = column->index[a];
        memmove(column->theta + (size_t)n * width, column->theta + (size_t)a * width, width * sizeof *column->theta);
        n++;
    }
    column->count = n;
}

bool ggm_joint_column_solve(ggm_joint_block *block, int j, const ggm_joint_rules *rules, ggm_joint_scratch *scratch, double *rows)
{
    const size_t m = (size_t)block->m, classes = (size_t)block->classes;
    descent d = {.block = block, .column = &block->columns[j], .scratch = scratch, .t = block->diagonal + (size_t)j * classes, .j = j};
    double unit = 0;
    for (size_t k = 0; k < classes; k++) {
        d.s_jj[k] = block->s[k * m * m + (size_t)j * (m + 1)];
        unit = fmax(unit, sqrt(d.s_jj[k]));
    }
    int added = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double worst;
        if (!descend(&d, rules, rules->floor * unit, rows))
            return false;
        if (!add_violators(&d, rules, rows, &worst))
            return false;
        added = d.column->count - d.n;
        if (worst <= rules->slack)
            break;
    }
    const int before = d.column->count;
    if (!add_members(&d, rules, rows))
        return false;
    drop_zeros(d.column, added + d.column->count - before, block->classes);
    for (size_t k = 0; k < classes; k++)
        rows[k * m + (size_t)j] = block->penalize_diagonal ? 1 / d.t[k] + d.c[k] / (d.t[k] * d.t[k]) : d.s_jj[k];
    return true;
}
