/* .npz and sparse matrices: scipy's files are read, ours have scipy's members and equal bytes for equal content, and damaged
 * archives or matrices that would lead a later loop out of bounds are refused. */
#include "base/scratch.h"

#include "base/npy.h"

#include <unistd.h>

/* The matrix in tests/base/data: [[0, 1.5, 0], [0, 0, 0], [-2, 0, 0.25], [0, 0, 3]]. */
static gint64 indptr[] = {0, 1, 1, 3, 4};
static gint32 indices[] = {1, 0, 2, 2};
static double values[] = {1.5, -2, 0.25, 3};
static const GlintCsr matrix = {.rows = 4, .cols = 3, .nnz = 4, .indptr = indptr, .indices = indices, .data = values};

static void expect_matrix(const GlintCsr *self)
{
    assert_int_equal(self->rows, 4);
    assert_int_equal(self->cols, 3);
    assert_int_equal(self->nnz, 4);
    assert_memory_equal(self->indptr, indptr, sizeof indptr);
    assert_memory_equal(self->indices, indices, sizeof indices);
    assert_memory_equal(self->data, values, sizeof values);
}

static void test_scipy_files(void **state)
{
    (void)state;
    static const char *const files[] = {DATA("csr.npz"), DATA("csr_stored.npz")};
    for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GlintCsr) self = glint_csr_read(files[i], &error);
        expect_ok(self != NULL, error);
        expect_matrix(self);
    }
    GError *error = NULL;
    assert_null(glint_csr_read(DATA("csc.npz"), &error));
    expect_error(&error, GLINT_ERROR_UNSUPPORTED, "sparse format 'csc' is not read; save matrix.tocsr()");
    assert_null(glint_csr_read(DATA("plain.npz"), &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "not a sparse matrix of scipy.sparse.save_npz");
}

static void test_csr_round_trip(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.npz", NULL);
    expect_ok(glint_csr_write(path, &matrix, &error), error);
    g_autoptr(GlintCsr) self = glint_csr_read(path, &error);
    expect_ok(self != NULL, error);
    expect_matrix(self);
    gint64 zeros[] = {0, 0, 0};
    GlintCsr empty = {.rows = 2, .cols = 5, .nnz = 0, .indptr = zeros, .indices = NULL, .data = NULL};
    expect_ok(glint_csr_write(path, &empty, &error), error);
    g_autoptr(GlintCsr) back = glint_csr_read(path, &error);
    expect_ok(back != NULL, error);
    assert_int_equal(back->rows, 2);
    assert_int_equal(back->cols, 5);
    assert_int_equal(back->nnz, 0);
    empty.rows = 0;
    expect_ok(glint_csr_write(path, &empty, &error), error);
    g_autoptr(GlintCsr) nothing = glint_csr_read(path, &error);
    expect_ok(nothing != NULL, error);
    assert_int_equal(nothing->rows, 0);
}

/* Our members have the types scipy gives them. */
static void test_members_as_scipy(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.npz", NULL), *ours = NULL, *theirs = NULL;
    gsize length, their_length;
    expect_ok(glint_csr_write(path, &matrix, &error), error);
    assert_true(g_file_get_contents(path, &ours, &length, NULL));
    assert_true(g_file_get_contents(DATA("csr_stored.npz"), &theirs, &their_length, NULL));
    static const char *const members[] = {"indices", "indptr", "format", "shape", "data"};
    gsize last = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(members); i++) {
        g_autofree char *name = g_strconcat(members[i], ".npy", NULL);
        const char *at = memmem(ours, length, name, strlen(name));
        assert_non_null(at);
        assert_true((gsize)(at - ours) > last); /* in scipy's order */
        last = (gsize)(at - ours);
    }
    /* data is stored without compression in both: the whole .npy must be the same bytes. */
    const char *a = memmem(ours + last, length - last, "\x93NUMPY", 6);
    const char *name = memmem(theirs, their_length, "data.npy", 8);
    const char *b = memmem(name, their_length - (gsize)(name - theirs), "\x93NUMPY", 6);
    assert_true(a != NULL && b != NULL);
    assert_memory_equal(a, b, 128 + sizeof values);
}

static void test_bytes_depend_on_content_only(void **state)
{
    g_autofree char *one = g_build_filename(*state, "one.npz", NULL), *two = g_build_filename(*state, "two.npz", NULL);
    g_autofree char *first = NULL, *second = NULL;
    gsize first_length, second_length;
    g_setenv("TZ", "UTC", TRUE);
    assert_true(glint_csr_write(one, &matrix, NULL));
    sleep(1); /* zip times have a resolution of two seconds; the time zone below would show as well */
    g_setenv("TZ", "Pacific/Kiritimati", TRUE);
    sleep(1);
    assert_true(glint_csr_write(two, &matrix, NULL));
    g_unsetenv("TZ");
    assert_true(g_file_get_contents(one, &first, &first_length, NULL));
    assert_true(g_file_get_contents(two, &second, &second_length, NULL));
    assert_int_equal(first_length, second_length);
    assert_memory_equal(first, second, first_length);
}

static void test_members(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.npz", NULL);
    enum { N = 50000 };
    g_autofree double *reals = g_new(double, N);
    g_autofree gint64 *integers = g_new(gint64, N);
    for (int i = 0; i < N; i++) {
        reals[i] = i * 0.25;
        integers[i] = -i;
    }
    gsize shape[2] = {N / 100, 100}, n = N;
    GlintNpz *npz = glint_npz_new(path);
    expect_ok(glint_npz_add(npz, "reals", GLINT_F64, 2, shape, reals, &error), error);
    expect_ok(glint_npz_add(npz, "integers", GLINT_I64, 1, &n, integers, &error), error);
    expect_ok(glint_npz_add(npz, "text", GLINT_BYTES, 0, NULL, "hello", &error), error);
    assert_false(glint_npz_add(npz, "text", GLINT_BYTES, 0, NULL, "twice", &error));
    expect_error(&error, GLINT_ERROR_FAILED, "member 'text' is added twice");
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    expect_ok(glint_npz_close(npz, &error), error);
    assert_int_equal(count_files(*state), 1);
    g_autoptr(GlintArray) r = glint_npz_read(path, "reals", GLINT_F64, &error);
    expect_ok(r != NULL, error);
    assert_int_equal(r->shape[0], N / 100);
    assert_memory_equal(r->data, reals, N * sizeof *reals);
    g_autoptr(GlintArray) i = glint_npz_read(path, "integers", GLINT_F64, &error); /* deflated and converted */
    expect_ok(i != NULL, error);
    assert_true(((double *)i->data)[N - 1] == 1.0 - N);
    g_autoptr(GlintArray) text = glint_npz_read(path, "text", GLINT_BYTES, &error);
    expect_ok(text != NULL, error);
    assert_string_equal(text->data, "hello");
    assert_null(glint_npz_read(path, "absent", GLINT_F64, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "has no member 'absent.npy' (it has: reals.npy, integers.npy, text.npy)");
    assert_null(glint_npz_read(path, "text", GLINT_F64, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "a.npz[text]': holds a string, float64 was expected");
}

static void test_numpy_members(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(GlintArray) grid = glint_npz_read(DATA("plain.npz"), "grid", GLINT_F32, &error);
    expect_ok(grid != NULL, error);
    assert_int_equal(grid->n, 24);
    assert_true(((float *)grid->data)[23] == 23);
    g_autoptr(GlintArray) name = glint_npz_read(DATA("plain.npz"), "name", GLINT_BYTES, &error); /* a unicode string */
    expect_ok(name != NULL, error);
    assert_string_equal(name->data, "x");
}

static void test_abandoned_and_empty(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.npz", NULL);
    gsize n = 4;
    GlintNpz *npz = glint_npz_new(path);
    expect_ok(glint_npz_add(npz, "a", GLINT_F64, 1, &n, values, &error), error);
    glint_npz_free(npz);
    glint_npz_free(NULL);
    assert_int_equal(count_files(*state), 0);
    expect_ok(glint_npz_close(glint_npz_new(path), &error), error); /* no members: a valid, empty zip */
    assert_null(glint_npz_read(path, "a", GLINT_F64, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "has no member 'a.npy' (it has: none)");
}

/* No truncation of the archive may pass: the zip's directory is at its end, so all are refused, none crashes. */
static void test_truncated_archives(void **state)
{
    (void)state;
    g_autofree char *bytes = NULL;
    gsize length;
    assert_true(g_file_get_contents(DATA("plain.npz"), &bytes, &length, NULL));
    for (gsize n = 0; n < length; n += 7) {
        GError *error = NULL;
        g_autofree char *exact = g_memdup2(bytes, MAX(n, 1));
        g_autoptr(GlintArray) array = glint_npz_parse(exact, n, "a.npz", "name", GLINT_BYTES, &error);
        if (array != NULL) /* the member lies whole before the cut, and libarchive finds it by its local header */
            assert_string_equal(array->data, "x");
        else
            expect_error(&error, GLINT_ERROR_FORMAT, "a.npz");
    }
}

static void test_damaged_data(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autofree char *bytes = NULL;
    gsize length;
    assert_true(g_file_get_contents(DATA("plain.npz"), &bytes, &length, NULL));
    char *at = memmem(bytes, length, "\x93NUMPY", 6);
    at[128 + 9] ^= 1; /* one bit of the array */
    assert_null(glint_npz_parse(bytes, length, "a.npz", "grid", GLINT_F64, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "CRC");
    assert_null(glint_npz_read(DATA("lie.npz"), "a", GLINT_F64, &error)); /* refused before that much is allocated */
    expect_error(&error, GLINT_ERROR_FORMAT, "its size differs from what its header promises");
}

static void test_bad_matrices(void **state)
{
    g_autofree char *path = g_build_filename(*state, "a.npz", NULL);
    static const struct {
        gint64 indptr[4];
        gint32 indices[3];
        const char *part;
    } cases[] = {
        {{1, 1, 2, 3}, {0, 1, 2}, "indptr does not run from 0"},   {{0, 1, 2, 2}, {0, 1, 2}, "indptr does not run from 0"},
        {{0, 3, 2, 3}, {0, 1, 2}, "indptr falls"},                 {{0, 100, 2, 3}, {0, 1, 2}, "indptr falls or leaves"},
        {{0, -5, 2, 3}, {0, 1, 2}, "indptr falls"},                {{0, 1, 2, 3}, {0, 3, 2}, "row 1 names column 3, there are 3"},
        {{0, 1, 2, 3}, {0, -1, 2}, "row 1 names column -1"},       {{0, 2, 2, 3}, {1, 0, 2}, "columns of row 0 do not ascend"},
        {{0, 2, 2, 3}, {1, 1, 2}, "columns of row 0 do not ascend; call sum_duplicates()"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        GlintCsr bad = {.rows = 3, .cols = 3, .nnz = 3, .indptr = (gint64 *)cases[i].indptr, .indices = (gint32 *)cases[i].indices, .data = values};
        expect_ok(glint_csr_write(path, &bad, &error), error);
        assert_null(glint_csr_read(path, &error));
        expect_error(&error, GLINT_ERROR_FORMAT, cases[i].part);
    }
}

/* Members of lengths that do not belong together. */
static void test_mismatched_members(void **state)
{
    g_autofree char *path = g_build_filename(*state, "a.npz", NULL);
    static const gint64 shapes[][2] = {{5, 3}, {-1, 3}, {4, -3}, {3, 3}};
    for (gsize i = 0; i < G_N_ELEMENTS(shapes) + 1; i++) {
        GError *error = NULL;
        gsize two = 2, five = 5, n_indices = i < G_N_ELEMENTS(shapes) ? 4 : 3, four = 4;
        GlintNpz *npz = glint_npz_new(path);
        glint_npz_add(npz, "format", GLINT_BYTES, 0, NULL, "csr", NULL);
        gint64 good[2] = {4, 3};
        glint_npz_add(npz, "shape", GLINT_I64, 1, &two, i < G_N_ELEMENTS(shapes) ? shapes[i] : good, NULL);
        glint_npz_add(npz, "indptr", GLINT_I64, 1, &five, indptr, NULL);
        glint_npz_add(npz, "indices", GLINT_I32, 1, &n_indices, indices, NULL);
        glint_npz_add(npz, "data", GLINT_F64, 1, &four, values, NULL);
        expect_ok(glint_npz_close(npz, &error), error);
        assert_null(glint_csr_read(path, &error));
        expect_error(&error, GLINT_ERROR_FORMAT, "do not fit together");
    }
}

static void test_write_failures(void **state)
{
    (void)state;
    GError *error = NULL;
    gsize n = 1 << 20;
    g_autofree double *zeros = g_new0(double, n);
    assert_false(glint_csr_write("/proc/none/a.npz", &matrix, &error));
    expect_error(&error, GLINT_ERROR_IO, "/proc/none");
    assert_false(glint_csr_write("/dev/full", &matrix, &error)); /* fails at commit */
    expect_error(&error, GLINT_ERROR_IO, "'/dev/full': No space left on device");
    GlintNpz *npz = glint_npz_new("/dev/full");
    assert_false(glint_npz_add(npz, "a", GLINT_F64, 1, &n, zeros, &error)); /* fails on the way */
    expect_error(&error, GLINT_ERROR_IO, "'/dev/full': No space left on device; free some space");
    glint_npz_free(npz);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_scipy_files),
        scratch_test(test_csr_round_trip),
        scratch_test(test_members_as_scipy),
        scratch_test(test_bytes_depend_on_content_only),
        scratch_test(test_members),
        scratch_test(test_numpy_members),
        scratch_test(test_abandoned_and_empty),
        scratch_test(test_truncated_archives),
        scratch_test(test_damaged_data),
        scratch_test(test_bad_matrices),
        scratch_test(test_mismatched_members),
        scratch_test(test_write_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
