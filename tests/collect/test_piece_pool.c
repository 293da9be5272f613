/* Means from pieces against means of the whole rows, for any cut into pieces, and in any order of them. */
#include "collect/collect_private.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { WIDTH = 53 };

typedef struct { GlintBatch batch; gsize *start; float *rows; } Case;

static Case case_new(const gsize *lengths, gsize n, guint32 seed)
{
    Case self = {.start = g_new0(gsize, n + 1)};
    GRand *rand = g_rand_new_with_seed(seed);
    for (gsize s = 0; s < n; s++)
        self.start[s + 1] = self.start[s] + lengths[s];
    self.rows = g_new(float, self.start[n] * WIDTH);
    for (gsize k = 0; k < self.start[n] * WIDTH; k++)
        self.rows[k] = (float)(g_rand_double(rand) * pow(10, g_rand_double_range(rand, -3, 3)));
    self.batch = (GlintBatch){.start = self.start, .n_sequences = n};
    g_rand_free(rand);
    return self;
}

static void case_clear(Case *self)
{
    g_free(self->start);
    g_free(self->rows);
}

/* Columns in pieces of `columns`, from the last piece to the first when `backwards`. */
static void give(const Case *self, GlintPiecePool *pool, gsize columns, gboolean backwards)
{
    const gsize n = self->start[self->batch.n_sequences], blocks = (n + GLINT_PIECE_ROWS - 1) / GLINT_PIECE_ROWS, across = (WIDTH + columns - 1) / columns;
    for (gsize k = 0; k < blocks * across; k++) {
        const gsize at = backwards ? blocks * across - 1 - k : k, row = at / across * GLINT_PIECE_ROWS, column = at % across * columns;
        const gsize height = MIN((gsize)GLINT_PIECE_ROWS, n - row), width = MIN(columns, WIDTH - column);
        g_autofree float *piece = g_new(float, height * width);
        for (gsize t = 0; t < height; t++)
            memcpy(piece + t * width, self->rows + (row + t) * WIDTH + column, width * sizeof *piece);
        glint_piece_pool_add(pool, &self->batch, row, height, column, width, piece);
    }
}

static void compare(const gsize *lengths, gsize n, gsize prefix)
{
    Case self = case_new(lengths, n, 7);
    g_autofree float *wanted = g_new(float, n * WIDTH), *got = g_new(float, n * WIDTH), *other = g_new(float, n * WIDTH);
    g_autofree gsize *bad = g_new(gsize, n);
    GlintPiecePool pool = {0};
    glint_pool_rows(GLINT_POOL_MEAN, prefix, NULL, &self.batch, self.rows, WIDTH, 0, n, wanted, bad);
    assert_true(glint_piece_pool_begin(&pool, &self.batch, WIDTH + 5, prefix)); /* another site is wider */
    give(&self, &pool, WIDTH, FALSE);
    glint_piece_pool_means(&pool, &self.batch, WIDTH, 0, n, got);
    for (gsize k = 0; k < n * WIDTH; k++)
        assert_true(fabsf(got[k] - wanted[k]) <= 1.2e-7f * fabsf(wanted[k]));
    give(&self, &pool, 16, TRUE);
    glint_piece_pool_means(&pool, &self.batch, WIDTH, 0, n, other);
    assert_memory_equal(got, other, n * WIDTH * sizeof *got);
    glint_piece_pool_means(&pool, &self.batch, WIDTH, n - 1, 1, other); /* some of the texts */
    assert_memory_equal(got + (n - 1) * WIDTH, other, WIDTH * sizeof *got);
    glint_piece_pool_clear(&pool);
    case_clear(&self);
}

static void test_means(void **state)
{
    (void)state;
    compare((const gsize[]){5}, 1, 0);
    compare((const gsize[]){5}, 1, 1);
    compare((const gsize[]){2, 2, 2, 3}, 4, 1);
    compare((const gsize[]){128, 128}, 2, 1);
    compare((const gsize[]){127, 2, 127}, 3, 1);    /* a prefix at the end of a block, and one at its beginning */
    compare((const gsize[]){300, 7, 513, 128, 2}, 5, 1);
    compare((const gsize[]){300, 7, 513, 128, 2}, 5, 0);
}

static void test_what_is_not_finite_is_seen(void **state)
{
    (void)state;
    Case self = case_new((const gsize[]){200, 40}, 2, 3);
    float out[2 * WIDTH];
    GlintPiecePool pool = {0};
    self.rows[150 * WIDTH + 4] = NAN;
    self.rows[0] = INFINITY; /* in the prefix: nobody looks */
    assert_true(glint_piece_pool_begin(&pool, &self.batch, WIDTH, 1));
    give(&self, &pool, 10, FALSE);
    glint_piece_pool_means(&pool, &self.batch, WIDTH, 0, 2, out);
    for (gsize k = 0; k < G_N_ELEMENTS(out); k++)
        assert_int_equal(isfinite(out[k]) ? 1 : 0, k != 4);
    glint_piece_pool_clear(&pool);
    case_clear(&self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_means), cmocka_unit_test(test_what_is_not_finite_is_seen)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
