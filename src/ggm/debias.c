/* Debiased estimates of the precision matrix (Jankova & van de Geer 2015, "Confidence intervals for high-dimensional inverse covariance
 * estimation"): D = 2 T - T S T.
 *
 * Row i of T S is a combination of S's rows, and D_ij then a sparse product with T's row j, so both steps cost what T's nonzeros
 * cost and D is never held as a matrix unless asked for. Rows are shared out to threads; each D_ij, i >= j, is computed once, in row i, so threads
 * change nothing. Everything scales with the variables' units as T does, so S is taken as it is given.
 *
 * False discovery rate: q of the k-th smallest of N p-values is min over l >= k of N p_(l) / l (Benjamini & Hochberg 1995). If it is at most the
 * level, then so is the p_(l) that attains it: pairs with p above the level need not be kept to have the others' q exactly. */
#include "ggm/internal.h"
#include "ggm/simd.h"

#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#define ROOT_HALF 0.70710678118654752440

typedef struct {
    size_t count, capacity;
    ggm_debias_pair *pairs;
} pair_list;

typedef struct {
    const ggm_problem *problem;
    const ggm_sparse *t;
    const ggm_debias_settings *chosen;
    ggm_debias_result *result;
    ggm_control *control;
    double root_n;
    double *own;           /* (p) T_ii */
    double *debiased;      /* (p) D_ii */
    pair_list *kept;       /* (threads) */
    atomic_int next, idle, failed;
} run;

typedef struct {
    double *product;       /* (p) row of T S */
    double *row;           /* (p) row of T, dense */
    double *factor;        /* (p) */
    const double **rows;   /* (p) */
} space;

void ggm_default_debias_settings(ggm_debias_settings *settings)
{
    *settings = (ggm_debias_settings){.false_discovery = 0.05, .confidence = 0.95};
}

/* ---- the normal distribution ---- */
static double two_sided(double z)
{
    return erfc(fabs(z) * ROOT_HALF);
}

double ggm_normal_log10_p(double z)
{
    const double x = fabs(z) * ROOT_HALF;
    if (!(x > 25))
        return log10(two_sided(z));
    const double y = 1 / (2 * x * x); /* erfc(x) = exp(-x^2) / (x sqrt(pi)) (1 - y + 3 y^2 - 15 y^3 + 105 y^4 - ...) */
    const double series = -y * (1 - y * (3 - y * (15 - y * 105)));
    return (-x * x - log(x * sqrt(acos(-1))) + log1p(series)) / log(10);
}

/* z with two-sided p-value 1 - confidence, by halving an interval until doubles end */
static double normal_quantile(double confidence)
{
    double low = 0, high = 40;
    for (double middle = 20; middle > low && middle < high; middle = low + (high - low) / 2) {
        if (two_sided(middle) > 1 - confidence)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* ---- false discovery rate ---- */
typedef struct {
    double p;
    size_t place;
} ranked;

static int by_p(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return (x->p > y->p) - (x->p < y->p);
}

ggm_status ggm_benjamini_hochberg(const double *p, size_t count, double *q)
{
    if (count > 0 && (!p || !q))
        return GGM_ERROR_ARGUMENT;
    for (size_t k = 0; k < count; k++)
        if (!(p[k] >= 0 && p[k] <= 1))
            return GGM_ERROR_ARGUMENT;
    ranked *order = ggm_alloc(count, sizeof *order);
    if (!order)
        return GGM_ERROR_MEMORY;
    for (size_t k = 0; k < count; k++)
        order[k] = (ranked){p[k], k};
    qsort(order, count, sizeof *order, by_p);
    double smallest = 1;
    for (size_t k = count; k-- > 0;) {
        smallest = fmin(smallest, order[k].p * (double)count / (double)(k + 1));
        q[order[k].place] = smallest;
    }
    ggm_free(order);
    return GGM_OK;
}

static int by_z(const void *a, const void *b)
{
    const ggm_debias_pair *x = a, *y = b;
    const double u = fabs(x->z), v = fabs(y->z);
    if (u != v)
        return (u < v) - (u > v);
    return x->i != y->i ? (x->i > y->i) - (x->i < y->i) : (x->j > y->j) - (x->j < y->j);
}

/* ---- rows ---- */
GGM_CLONES static double sparse_dot(const int *index, const double *value, size_t count, const double *dense)
{
    double sum = 0;
    for (size_t k = 0; k < count; k++)
        sum += value[k] * dense[index[k]];
    return sum;
}

static bool keep_pair(pair_list *list, size_t i, size_t j, double estimate, double sigma, double z, double p_value)
{
    if (list->count == list->capacity) {
        const size_t capacity = 2 * list->capacity + 64;
        ggm_debias_pair *more = ggm_grow(list->pairs, list->count, capacity, sizeof *more);
        if (!more)
            return false;
        list->pairs = more;
        list->capacity = capacity;
    }
    list->pairs[list->count++] = (ggm_debias_pair){.i = (int)j, .j = (int)i, .estimate = estimate, .partial = sigma, .z = z, .p_value = p_value};
    return true;
}

static bool debias_row(run *now, size_t i, space *mine, pair_list *list)
{
    const ggm_sparse *t = now->t;
    const size_t p = t->p, from = t->start[i], count = t->start[i + 1] - from;
    memset(mine->row, 0, p * sizeof *mine->row);
    for (size_t k = 0; k < count; k++) {
        mine->rows[k] = now->problem->s + (size_t)t->index[from + k] * p;
        mine->factor[k] = t->value[from + k];
        mine->row[t->index[from + k]] = t->value[from + k];
    }
    ggm_linalg_host.combine64(mine->product, p, mine->rows, mine->factor, (int)count);
    for (size_t j = 0; j <= i; j++) {
        const double own = mine->row[j];
        const double estimate = 2 * own - sparse_dot(t->index + t->start[j], t->value + t->start[j], t->start[j + 1] - t->start[j], mine->product);
        if (now->result->estimate)
            now->result->estimate[i * p + j] = now->result->estimate[j * p + i] = estimate;
        if (j == i) {
            now->debiased[i] = estimate;
            continue;
        }
        const double sigma = sqrt(now->own[i] * now->own[j] + own * own), z = now->root_n * estimate / sigma, p_value = two_sided(z);
        if (now->result->z) {
            now->result->z[i * p + j] = now->result->z[j * p + i] = z;
            now->result->p_value[i * p + j] = now->result->p_value[j * p + i] = p_value;
        }
        if (p_value <= now->chosen->false_discovery && !keep_pair(list, i, j, estimate, sigma, z, p_value))
            return false;
    }
    return true;
}

static bool space_init(space *mine, size_t p)
{
    *mine = (space){.product = ggm_alloc(p, sizeof(double)), .row = ggm_alloc(p, sizeof(double)), .factor = ggm_alloc(p, sizeof(double)),
                    .rows = ggm_alloc(p, sizeof(double *))};
    return mine->product && mine->row && mine->factor && mine->rows;
}

static void space_release(space *mine)
{
    ggm_free(mine->product);
    ggm_free(mine->row);
    ggm_free(mine->factor);
    ggm_free(mine->rows);
}

/* Rows from the last, which is the longest, on */
static void take_rows(run *now, int thread, int threads)
{
    space mine;
    const int p = (int)now->t->p;
    bool good = space_init(&mine, now->t->p);
    for (int k; good && atomic_load(&now->failed) == 0 && !ggm_control_poll(now->control, thread == 0) && (k = atomic_fetch_add(&now->next, 1)) < p;)
        good = debias_row(now, (size_t)(p - 1 - k), &mine, &now->kept[thread]);
    space_release(&mine);
    if (!good)
        atomic_store(&now->failed, 1);
    atomic_fetch_add(&now->idle, 1);
    while (thread == 0 && atomic_load(&now->idle) < threads) {
        (void)ggm_control_poll(now->control, true);
        ggm_nap();
    }
}

/* ---- put together ---- */
/* All kept pairs in one list. False: no memory. */
static bool gather(run *now, int threads)
{
    ggm_debias_result *result = now->result;
    size_t count = 0;
    for (int k = 0; k < threads; k++)
        count += now->kept[k].count;
    result->pairs = ggm_alloc(count, sizeof *result->pairs);
    if (!result->pairs)
        return false;
    for (int k = 0; k < threads; k++) {
        if (now->kept[k].count > 0)
            memcpy(result->pairs + result->count, now->kept[k].pairs, now->kept[k].count * sizeof *result->pairs);
        result->count += now->kept[k].count;
    }
    return true;
}

/* `partial` holds sigma until here */
static void finish_pairs(run *now)
{
    ggm_debias_result *result = now->result;
    const double all = 0.5 * (double)now->t->p * (double)(now->t->p - 1), reach = normal_quantile(now->chosen->confidence) / now->root_n;
    qsort(result->pairs, result->count, sizeof *result->pairs, by_z);
    double smallest = 1;
    for (size_t k = result->count; k-- > 0;) {
        ggm_debias_pair *pair = &result->pairs[k];
        const double sigma = pair->partial, a = now->debiased[pair->i], b = now->debiased[pair->j];
        smallest = fmin(smallest, pair->p_value * all / (double)(k + 1));
        pair->q_value = smallest;
        pair->log10_p = ggm_normal_log10_p(pair->z);
        pair->lower = pair->estimate - reach * sigma;
        pair->upper = pair->estimate + reach * sigma;
        pair->partial = a > 0 && b > 0 ? -pair->estimate / sqrt(a * b) : NAN;
    }
    while (result->count > 0 && result->pairs[result->count - 1].q_value > now->chosen->false_discovery)
        result->count--;
}

static ggm_status dense_rates(ggm_debias_result *result)
{
    const size_t p = result->p, pairs = p * (p - 1) / 2;
    double *value = ggm_alloc(pairs, sizeof *value), *rate = ggm_alloc(pairs, sizeof *rate);
    ggm_status status = value && rate ? GGM_OK : GGM_ERROR_MEMORY;
    size_t at = 0;
    for (size_t i = 0; status == GGM_OK && i < p; i++)
        for (size_t j = 0; j < i; j++)
            value[at++] = result->p_value[i * p + j];
    if (status == GGM_OK)
        status = ggm_benjamini_hochberg(value, pairs, rate);
    at = 0;
    for (size_t i = 0; status == GGM_OK && i < p; i++) {
        for (size_t j = 0; j < i; j++)
            result->q_value[i * p + j] = result->q_value[j * p + i] = rate[at++];
        result->z[i * (p + 1)] = result->p_value[i * (p + 1)] = result->q_value[i * (p + 1)] = NAN;
    }
    ggm_free(value);
    ggm_free(rate);
    return status;
}

/* ---- the whole ---- */
static bool prepare(run *now, int threads)
{
    const size_t p = now->t->p;
    ggm_debias_result *result = now->result;
    now->own = ggm_alloc_zero(p, sizeof *now->own);
    now->debiased = ggm_alloc(p, sizeof *now->debiased);
    now->kept = ggm_alloc_zero((size_t)threads, sizeof *now->kept);
    if (now->chosen->dense) {
        result->estimate = ggm_alloc(p * p, sizeof *result->estimate);
        result->z = ggm_alloc(p * p, sizeof *result->z);
        result->p_value = ggm_alloc(p * p, sizeof *result->p_value);
        result->q_value = ggm_alloc(p * p, sizeof *result->q_value);
        if (!result->estimate || !result->z || !result->p_value || !result->q_value)
            return false;
    }
    return now->own && now->debiased && now->kept;
}

static bool take_diagonal(const ggm_sparse *t, double *own)
{
    bool positive = true;
    for (size_t i = 0; i < t->p; i++) {
        for (size_t k = t->start[i]; k < t->start[i + 1]; k++)
            if ((size_t)t->index[k] == i)
                own[i] = t->value[k];
        positive = positive && own[i] > 0;
    }
    return positive;
}

static ggm_status debias_taken(run *now, int threads)
{
    ggm_debias_result *result = now->result;
    if (!prepare(now, threads))
        return GGM_ERROR_MEMORY;
    if (!take_diagonal(now->t, now->own))
        return GGM_ERROR_ARGUMENT;
    if (threads == 1) {
        take_rows(now, 0, 1);
    } else {
#pragma omp parallel num_threads(threads) default(none) shared(now)
        take_rows(now, omp_get_thread_num(), omp_get_num_threads());
    }
    if (atomic_load(&now->failed) != 0)
        return GGM_ERROR_MEMORY;
    const ggm_outcome outcome = (ggm_outcome)atomic_load(&now->control->stop);
    if (outcome != GGM_CONVERGED && atomic_load(&now->next) < (int)now->t->p) {
        ggm_debias_result_release(result);
        *result = (ggm_debias_result){.p = now->t->p, .outcome = outcome};
        return GGM_OK;
    }
    if (!gather(now, threads))
        return GGM_ERROR_MEMORY;
    finish_pairs(now);
    return result->z ? dense_rates(result) : GGM_OK;
}

static ggm_status check(const ggm_problem *problem, const ggm_sparse *precision, double independent, const ggm_settings *settings,
                        const ggm_debias_settings *chosen)
{
    if (!problem || !precision || !isfinite(independent) || !(independent >= 1) || !(chosen->confidence > 0 && chosen->confidence < 1) ||
        !(chosen->false_discovery >= 0 && chosen->false_discovery <= 1))
        return GGM_ERROR_ARGUMENT;
    return ggm_check_settings(settings);
}

ggm_status ggm_debias(const ggm_problem *problem, const ggm_sparse *precision, double independent, const ggm_settings *settings,
                      const ggm_debias_settings *debias, ggm_debias_result *result)
{
    if (!result)
        return GGM_ERROR_ARGUMENT;
    *result = (ggm_debias_result){0};
    ggm_settings solver;
    ggm_debias_settings chosen;
    ggm_default_settings(&solver);
    ggm_default_debias_settings(&chosen);
    solver = settings ? *settings : solver;
    chosen = debias ? *debias : chosen;
    ggm_control control;
    ggm_control_begin(&control, &solver);
    ggm_problem taken;
    double *owned = NULL;
    ggm_status status = check(problem, precision, independent, &solver, &chosen);
    if (status == GGM_OK)
        status = ggm_take_problem(problem, solver.threads, &taken, &owned);
    if (status != GGM_OK)
        return status;
    const int threads = ggm_thread_count(solver.threads);
    run now = {.problem = &taken, .t = precision, .chosen = &chosen, .result = result, .control = &control, .root_n = sqrt(independent)};
    status = ggm_check_sparse(precision, taken.p);
    if (status == GGM_OK)
        status = ggm_check_symmetric(precision);
    if (status == GGM_OK) {
        result->p = taken.p;
        status = debias_taken(&now, threads);
    }
    for (int k = 0; now.kept && k < threads; k++)
        ggm_free(now.kept[k].pairs);
    ggm_free(now.kept);
    ggm_free(now.own);
    ggm_free(now.debiased);
    ggm_free(owned);
    if (status != GGM_OK)
        ggm_debias_result_release(result);
    else
        result->seconds = ggm_now() - control.start;
    return status;
}

void ggm_debias_result_release(ggm_debias_result *result)
{
    if (!result)
        return;
    ggm_free(result->pairs);
    ggm_free(result->estimate);
    ggm_free(result->z);
    ggm_free(result->p_value);
    ggm_free(result->q_value);
    *result = (ggm_debias_result){0};
}
