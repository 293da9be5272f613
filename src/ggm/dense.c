/* Dense operations that a crew shares, by tiles: Cholesky factor, inverse, and the product A V A of symmetric matrices.
 *
 * LAPACK's own threads would do, but for the promise that bits do not depend on the number of threads: OpenBLAS cuts a matrix
 * differently for each. Here the tiles depend on the size alone; each is one call of BLAS on one thread, whoever makes it. The calls
 * are long in the inner dimension (a tile is updated by everything to its left at once), which BLAS likes best.
 *
 * All matrices are m x m, row-major. Nothing is allocated. */
#include "ggm/internal.h"

#include <cblas.h>
#include <lapacke.h>
#include <math.h>

#define TILE 128

static int tiles(int m)
{
    return (m + TILE - 1) / TILE;
}

static int first(int tile)
{
    return tile * TILE;
}

static int length(int tile, int m)
{
    return m - first(tile) < TILE ? m - first(tile) : TILE;
}

typedef struct {
    int m, panel;
    double *a, *inverse;   /* the factor, and its inverse */
    atomic_bool failed;
} factoring;

static double *tile_at(double *a, int m, int i, int j)
{
    return a + (size_t)first(i) * (size_t)m + first(j);
}

/* Tile (i, panel) less what the panels to the left contribute */
static void update_tile(void *context, int task, int thread)
{
    (void)thread;
    factoring *f = context;
    const int m = f->m, j = f->panel, i = j + task;
    if (j > 0)
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, length(i, m), length(j, m), first(j), -1, tile_at(f->a, m, i, 0), m, tile_at(f->a, m, j, 0), m, 1,
                    tile_at(f->a, m, i, j), m);
    if (task > 0)
        return;
    lapack_int n = length(j, m), stride = m, info = 0;
    char triangle = 'U'; /* in LAPACK's order of columns our lower triangle is the upper one */
    LAPACK_dpotrf(&triangle, &n, tile_at(f->a, m, j, j), &stride, &info);
    if (info != 0)
        atomic_store(&f->failed, true);
}

static void solve_tile(void *context, int task, int thread)
{
    (void)thread;
    factoring *f = context;
    const int m = f->m, j = f->panel, i = j + 1 + task;
    cblas_dtrsm(CblasRowMajor, CblasRight, CblasLower, CblasTrans, CblasNonUnit, length(i, m), length(j, m), 1, tile_at(f->a, m, j, j), m,
                tile_at(f->a, m, i, j), m);
}

bool ggm_dense_cholesky(ggm_crew *crew, double *a, int m)
{
    factoring f = {.m = m, .a = a};
    atomic_init(&f.failed, false);
    for (f.panel = 0; f.panel < tiles(m) && !atomic_load(&f.failed); f.panel++) {
        ggm_crew_run(crew, update_tile, &f, tiles(m) - f.panel);
        if (!atomic_load(&f.failed))
            ggm_crew_run(crew, solve_tile, &f, tiles(m) - f.panel - 1);
    }
    return !atomic_load(&f.failed);
}

/* A column of tiles of the factor's inverse M: M_ij = -L_ii^-1 sum over k of L_ik M_kj */
static void invert_column(void *context, int j, int thread)
{
    (void)thread;
    factoring *f = context;
    const int m = f->m, width = length(j, m);
    for (int i = j; i < tiles(m); i++) {
        double *tile = tile_at(f->inverse, m, i, j);
        if (i > j) {
            cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, length(i, m), width, first(i) - first(j), -1, tile_at(f->a, m, i, j), m,
                        tile_at(f->inverse, m, j, j), m, 0, tile, m);
        } else {
            for (int x = 0; x < width; x++)
                for (int y = 0; y < width; y++)
                    tile[(size_t)x * (size_t)m + (size_t)y] = x == y;
        }
        cblas_dtrsm(CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, length(i, m), width, 1, tile_at(f->a, m, i, i), m, tile, m);
    }
}

/* A row of tiles of M' M, to the diagonal and not beyond, and their mirror images */
static void multiply_inverse(void *context, int i, int thread)
{
    (void)thread;
    factoring *f = context;
    const int m = f->m;
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, length(i, m), first(i) + length(i, m), m - first(i), 1, tile_at(f->inverse, m, i, i), m,
                tile_at(f->inverse, m, i, 0), m, 0, tile_at(f->a, m, i, 0), m);
}

static void mirror(void *context, int task, int thread)
{
    (void)thread;
    factoring *f = context;
    const size_t m = (size_t)f->m, from = (size_t)first(task), to = from + (size_t)length(task, f->m), step = 16;
    for (size_t i0 = from; i0 < to; i0 += step)
        for (size_t j0 = 0; j0 < i0 + step; j0 += step)
            for (size_t i = i0; i < to && i < i0 + step; i++)
                for (size_t j = j0; j < i && j < j0 + step; j++)
                    f->a[j * m + i] = f->a[i * m + j];
}

void ggm_dense_invert(ggm_crew *crew, double *a, double *space, int m)
{
    factoring f = {.m = m, .a = a, .inverse = space};
    ggm_crew_run(crew, invert_column, &f, tiles(m));
    ggm_crew_run(crew, multiply_inverse, &f, tiles(m));
    ggm_crew_run(crew, mirror, &f, tiles(m));
}

typedef struct {
    int m;
    const float *a, *v;
    float *av, *result;
} sandwich;

static void left_product(void *context, int task, int thread)
{
    (void)thread;
    const sandwich *x = context;
    const size_t from = (size_t)first(task) * (size_t)x->m;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, length(task, x->m), x->m, x->m, 1, x->a + from, x->m, x->v, x->m, 0, x->av + from, x->m);
}

static void right_product(void *context, int task, int thread)
{
    (void)thread;
    const sandwich *x = context;
    const size_t from = (size_t)first(task) * (size_t)x->m;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, length(task, x->m), first(task) + length(task, x->m), x->m, 1, x->av + from, x->m, x->a, x->m, 0,
                x->result + from, x->m);
}

void ggm_dense_sandwich(ggm_crew *crew, const float *a, const float *v, float *av, float *result, int m)
{
    sandwich x = {.m = m, .a = a, .v = v, .av = av, .result = result};
    ggm_crew_run(crew, left_product, &x, tiles(m));
    ggm_crew_run(crew, right_product, &x, tiles(m));
}
