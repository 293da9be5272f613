/* logdet of a sparse positive definite matrix, by a Cholesky factorization that takes advantage of its zeros.
 *
 * Variables are eliminated by minimum degree (George & Liu, 1989) on an explicit elimination graph, a matrix of bits, as long as a variable
 * has far fewer neighbours than there are variables left; what remains, dense by then, is factorized by LAPACK. Graphs of neurons
 * fill in quickly but have many variables of few neighbours, so the dense rest is a fraction of the whole, and its cost is cubic.
 *
 * The sparse columns are computed left-looking (George & Liu 1981, 5.2): column v is A's, less multiples of the earlier columns that have an
 * entry in row v; each earlier column waits in the list of the row that its next entry lies in. */
#include "ggm/internal.h"

#include <math.h>
#include <string.h>

#define TILE 32
#define SINGULAR 1e-15 /* a pivot this small, in units of its diagonal entry, may be rounding alone: nobody can say whether the matrix is definite */
#define DENSE 4 /* the rest is called dense when the least degree exceeds 1/DENSE of it: LAPACK is about DENSE^2 times as fast on it */

typedef struct {
    const ggm_sparse *a;
    double *diagonal;        /* (m) of a */
    size_t m, words, sparse; /* variables; words of a bit row; variables eliminated before the dense rest */
    uint64_t *bits;          /* (m, words) elimination graph */
    int *degree;             /* (m) -1 once eliminated */
    int *order, *place;      /* (m) elimination order and its inverse */
    size_t *start;           /* (m + 1) columns of the factor below the diagonal, by place */
    int *row;                /* places, ascending; filled when all places are known */
    double *value;
    size_t capacity;
} factor;

static void release(factor *f)
{
    ggm_free(f->bits);
    ggm_free(f->diagonal);
    ggm_free(f->degree);
    ggm_free(f->order);
    ggm_free(f->place);
    ggm_free(f->start);
    ggm_free(f->row);
    ggm_free(f->value);
}

static uint64_t *bit_row(const factor *f, size_t i)
{
    return f->bits + i * f->words;
}

static int count_bits(const uint64_t *row, size_t words)
{
    int count = 0;
    for (size_t k = 0; k < words; k++) { /* population count by halves: no instruction set assumed */
        uint64_t x = row[k];
        x -= x >> 1 & 0x5555555555555555u;
        x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
        x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
        count += (int)(x * 0x0101010101010101u >> 56);
    }
    return count;
}

static bool prepare(factor *f, const ggm_sparse *a)
{
    *f = (factor){.a = a, .m = a->p, .words = (a->p + 63) / 64};
    f->bits = ggm_alloc_zero(f->m * f->words, sizeof *f->bits);
    f->degree = ggm_alloc(f->m, sizeof *f->degree);
    f->order = ggm_alloc(f->m, sizeof *f->order);
    f->place = ggm_alloc(f->m, sizeof *f->place);
    f->start = ggm_alloc_zero(f->m + 1, sizeof *f->start);
    f->diagonal = ggm_alloc_zero(f->m, sizeof *f->diagonal);
    if (!f->diagonal || !f->bits || !f->degree || !f->order || !f->place || !f->start)
        return false;
    for (size_t i = 0; i < f->m; i++) {
        for (size_t k = a->start[i]; k < a->start[i + 1]; k++)
            if ((size_t)a->index[k] == i)
                f->diagonal[i] = a->value[k];
            else
                bit_row(f, i)[a->index[k] / 64] |= (uint64_t)1 << a->index[k] % 64;
        f->degree[i] = count_bits(bit_row(f, i), f->words);
    }
    return true;
}

static bool reserve_rows(factor *f, size_t count)
{
    if (count <= f->capacity)
        return true;
    int *row = ggm_grow(f->row, f->capacity, 2 * count, sizeof *row);
    if (!row)
        return false;
    f->row = row;
    f->capacity = 2 * count;
    return true;
}

/* Variable v goes: its neighbours become neighbours of each other, and are noted as the rows of its column */
static bool eliminate(factor *f, int v)
{
    const uint64_t *mine = bit_row(f, (size_t)v);
    const size_t at = f->start[f->sparse];
    size_t count = 0;
    if (!reserve_rows(f, at + (size_t)f->degree[v]))
        return false;
    for (size_t k = 0; k < f->words; k++)
        for (uint64_t left = mine[k]; left; left &= left - 1) {
            uint64_t lowest = left & (~left + 1);
            int u = (int)(64 * k) + count_bits(&(uint64_t){lowest - 1}, 1);
            uint64_t *row = bit_row(f, (size_t)u);
            for (size_t x = 0; x < f->words; x++)
                row[x] |= mine[x];
            row[u / 64] &= ~((uint64_t)1 << u % 64);
            row[v / 64] &= ~((uint64_t)1 << v % 64);
            f->degree[u] = count_bits(row, f->words);
            f->row[at + count++] = u;
        }
    f->degree[v] = -1;
    f->order[f->sparse++] = v;
    f->start[f->sparse] = at + count;
    return true;
}

static bool order_variables(factor *f)
{
    for (size_t left = f->m; left > 0; left--) {
        int best = -1;
        for (size_t i = 0; i < f->m; i++)
            if (f->degree[i] >= 0 && (best < 0 || f->degree[i] < f->degree[best]))
                best = (int)i;
        if ((size_t)f->degree[best] * DENSE > left)
            break;
        if (!eliminate(f, best))
            return false;
    }
    size_t next = f->sparse;
    for (size_t i = 0; i < f->m; i++)
        if (f->degree[i] >= 0)
            f->order[next++] = (int)i;
    for (size_t k = 0; k < f->m; k++)
        f->place[f->order[k]] = (int)k;
    return true;
}

/* Rows become places, ascending within a column */
static void place_rows(factor *f)
{
    for (size_t v = 0; v < f->sparse; v++)
        for (size_t k = f->start[v]; k < f->start[v + 1]; k++) {
            int place = f->place[f->row[k]];
            size_t x = k;
            for (; x > f->start[v] && f->row[x - 1] > place; x--) /* columns are short */
                f->row[x] = f->row[x - 1];
            f->row[x] = place;
        }
}

/* What the numerical part works with */
typedef struct {
    double *column;  /* (m) by place; zero between columns */
    int *waiting;    /* (m) first column in a row's list, -1: none */
    int *next;       /* (m) the one behind it */
    size_t *entry;   /* (m) a column's entry that lies in the row it waits for */
} numbers;

/* Moves column u behind its entry to the list of the row that comes next */
static void wait_for_next(const factor *f, numbers *n, int u)
{
    if (n->entry[u] < f->start[u + 1]) {
        int row = f->row[n->entry[u]];
        n->next[u] = n->waiting[row];
        n->waiting[row] = u;
    }
}

/* column = A's column v, less what earlier columns take from it; rows before v are not touched */
static void gather_column(const factor *f, numbers *n, int v)
{
    const size_t original = (size_t)f->order[v];
    for (size_t k = f->a->start[original]; k < f->a->start[original + 1]; k++)
        if (f->place[f->a->index[k]] >= v)
            n->column[f->place[f->a->index[k]]] = f->a->value[k];
    for (int u = n->waiting[v], after; u >= 0; u = after) {
        after = n->next[u];
        const double factor_uv = f->value[n->entry[u]];
        for (size_t k = n->entry[u]; k < f->start[u + 1]; k++)
            n->column[f->row[k]] -= factor_uv * f->value[k];
        n->entry[u]++;
        wait_for_next(f, n, u);
    }
}

static bool eliminate_numbers(factor *f, numbers *n, double *logdet)
{
    for (size_t v = 0; v < f->sparse; v++) {
        gather_column(f, n, (int)v);
        double pivot = n->column[v];
        n->column[v] = 0;
        if (!(pivot > SINGULAR * f->diagonal[f->order[v]]))
            return false;
        *logdet += log(pivot);
        const double inverse = 1 / sqrt(pivot);
        for (size_t k = f->start[v]; k < f->start[v + 1]; k++) {
            f->value[k] = n->column[f->row[k]] * inverse;
            n->column[f->row[k]] = 0;
        }
        n->entry[v] = f->start[v];
        wait_for_next(f, n, (int)v);
    }
    return true;
}

static bool finish_dense(const factor *f, numbers *n, double *rest, double *logdet)
{
    const size_t q = f->m - f->sparse;
    for (size_t v = 0; v < q; v++) {
        gather_column(f, n, (int)(f->sparse + v));
        memcpy(rest + v * q + v, n->column + f->sparse + v, (q - v) * sizeof *rest);
        memset(n->column + f->sparse + v, 0, (q - v) * sizeof *rest);
    }
    for (size_t i0 = 0; i0 < q; i0 += TILE) /* by rows it was filled; Cholesky reads the other triangle */
        for (size_t j0 = 0; j0 <= i0; j0 += TILE)
            for (size_t i = i0; i < q && i < i0 + TILE; i++)
                for (size_t j = j0; j < i && j < j0 + TILE; j++)
                    rest[i * q + j] = rest[j * q + i];
    if (q > 0 && !ggm_linalg_host.cholesky(rest, (int)q))
        return false;
    for (size_t v = 0; v < q; v++)
        if (!(rest[v * q + v] * rest[v * q + v] > SINGULAR * f->diagonal[f->order[f->sparse + v]]))
            return false;
    *logdet += ggm_logdet(rest, (int)q);
    return true;
}

static ggm_status compute(factor *f, double *logdet)
{
    const size_t q = f->m - f->sparse;
    numbers n = {.column = ggm_alloc_zero(f->m, sizeof *n.column), .waiting = ggm_alloc(f->m, sizeof *n.waiting), .next = ggm_alloc(f->m, sizeof *n.next),
                 .entry = ggm_alloc(f->m, sizeof *n.entry)};
    f->value = ggm_alloc(f->start[f->sparse], sizeof *f->value);
    double *rest = ggm_alloc(q * q, sizeof *rest);
    ggm_status status = n.column && n.waiting && n.next && n.entry && f->value && rest ? GGM_OK : GGM_ERROR_MEMORY;
    for (size_t v = 0; n.waiting && v < f->m; v++)
        n.waiting[v] = -1;
    if (status == GGM_OK && !(eliminate_numbers(f, &n, logdet) && finish_dense(f, &n, rest, logdet) && isfinite(*logdet)))
        status = GGM_ERROR_INDEFINITE;
    ggm_free(n.column);
    ggm_free(n.waiting);
    ggm_free(n.next);
    ggm_free(n.entry);
    ggm_free(rest);
    return status;
}

ggm_status ggm_factor_logdet(const ggm_sparse *a, double *logdet)
{
    factor f;
    *logdet = 0;
    bool good = prepare(&f, a) && order_variables(&f);
    ggm_free(f.bits);
    f.bits = NULL;
    ggm_status status = GGM_ERROR_MEMORY;
    if (good) {
        place_rows(&f);
        status = compute(&f, logdet);
    }
    release(&f);
    return status;
}
