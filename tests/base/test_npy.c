/* .npy: what numpy wrote is read right in every type, order and version (tests/base/data, made by make_data.py); what we write
 * is laid out as numpy's; and every lie a header can tell is refused by name. */
#include "base/scratch.h"

#include "base/npy.h"

#include <math.h>

/* ---- numpy's files -------------------------------------------------------------------------------------------------- */

static void expect_grid(const char *file, const GlintArray *array, gboolean is_bool)
{
    if (array->n_dims != 3 || array->shape[0] != 2 || array->shape[1] != 3 || array->shape[2] != 4 || array->n != 24)
        fail_msg("%s: wrong shape", file);
    for (gsize i = 0; i < 24; i++) {
        double expected = is_bool ? i != 0 : (double)i;
        double got = array->dtype == GLINT_F64   ? ((double *)array->data)[i]
                     : array->dtype == GLINT_F32 ? (double)((float *)array->data)[i]
                     : array->dtype == GLINT_I64 ? (double)((gint64 *)array->data)[i]
                     : array->dtype == GLINT_I32 ? (double)((gint32 *)array->data)[i]
                                                 : (double)((guint8 *)array->data)[i];
        if (got != expected)
            fail_msg("%s as type %d: element %d is %g", file, (int)array->dtype, (int)i, got);
    }
}

static void test_every_numpy_type(void **state)
{
    (void)state;
    static const char *const integers[] = {"b1",        "i1",        "u1",       "little_i2", "little_u2", "little_i4",
                                           "little_u4", "little_i8", "little_u8", "big_i2",    "big_u4",    "big_i8"};
    static const char *const reals[] = {"little_f2", "little_f4", "little_f8", "big_f2",   "big_f4",
                                        "big_f8",    "fortran",   "fortran_big", "version2", "version3"};
    for (gsize i = 0; i < G_N_ELEMENTS(integers) + G_N_ELEMENTS(reals); i++) {
        gboolean is_real = i >= G_N_ELEMENTS(integers);
        const char *name = is_real ? reals[i - G_N_ELEMENTS(integers)] : integers[i];
        g_autofree char *path = g_strdup_printf("%s%s.npy", DATA(""), name);
        for (int dtype = GLINT_F64; dtype <= GLINT_U8; dtype++) {
            g_autoptr(GError) error = NULL;
            g_autoptr(GlintArray) array = glint_npy_read(path, (GlintDtype)dtype, &error);
            if (is_real && dtype != GLINT_F64 && dtype != GLINT_F32) {
                assert_null(array);
                expect_error(&error, GLINT_ERROR_FORMAT, "holds floating-point numbers, integers were expected");
            } else {
                expect_ok(array != NULL, error);
                expect_grid(name, array, strcmp(name, "b1") == 0);
            }
        }
    }
}

static void test_special_values(void **state)
{
    (void)state;
    static const double expected[] = {0, -0.0, 0x1p-24, 1023 * 0x1p-24, 0x1p-14, 65504, (double)INFINITY, -(double)INFINITY};
    g_autoptr(GlintArray) halves = glint_npy_read(DATA("halves.npy"), GLINT_F64, NULL);
    assert_int_equal(halves->n, 9);
    const double *x = halves->data;
    for (gsize i = 0; i < G_N_ELEMENTS(expected); i++)
        assert_memory_equal(&x[i], &expected[i], sizeof *x); /* by bits: tells -0 from 0 */
    assert_true(isnan(x[8]));
    g_autoptr(GlintArray) scalar = glint_npy_read(DATA("scalar.npy"), GLINT_F64, NULL);
    assert_int_equal(scalar->n_dims, 0);
    assert_int_equal(scalar->n, 1);
    assert_true(*(double *)scalar->data == 2.5);
    g_autoptr(GlintArray) empty = glint_npy_read(DATA("empty.npy"), GLINT_F32, NULL);
    assert_int_equal(empty->n, 0);
    assert_int_equal(empty->shape[1], 3);
    assert_non_null(empty->data);
    g_autoptr(GlintArray) huge = glint_npy_read(DATA("huge.npy"), GLINT_F64, NULL);
    assert_true(((double *)huge->data)[0] == 0x1p63 && ((double *)huge->data)[1] == 0x1p64);
}

static void test_unsupported_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *file, *part;
        GlintErrorCode code;
    } cases[] = {
        {DATA("object.npy"), "pickled Python objects (dtype |O), which can run code", GLINT_ERROR_UNSUPPORTED},
        {DATA("complex.npy"), "numpy dtype '<c16' is not supported", GLINT_ERROR_UNSUPPORTED},
        {DATA("structured.npy"), "structured array; save one field", GLINT_ERROR_UNSUPPORTED},
        {DATA("five_dims.npy"), "more than 4 dimensions", GLINT_ERROR_UNSUPPORTED},
        {DATA("strings.npy"), "an array of strings, float64 was expected", GLINT_ERROR_FORMAT},
        {DATA("csr.npz"), "no .npy file", GLINT_ERROR_FORMAT},
        {DATA("absent.npy"), "No such file", GLINT_ERROR_IO},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        assert_null(glint_npy_read(cases[i].file, GLINT_F64, &error));
        expect_error(&error, cases[i].code, cases[i].part);
    }
}

static void test_integer_ranges(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.npy", NULL);
    gint64 values[] = {-1, 300, G_GINT64_CONSTANT(5000000000)};
    static const char *const too_large = "holds integers too large for";
    for (gsize n = 1; n <= 3; n++) {
        expect_ok(glint_npy_write(path, GLINT_I64, 1, &n, values, &error), error);
        GlintArray *as_byte = glint_npy_read(path, GLINT_U8, &error);
        assert_null(as_byte); /* -1 already does not fit */
        expect_error(&error, GLINT_ERROR_FORMAT, too_large);
        g_autoptr(GlintArray) as_int = glint_npy_read(path, GLINT_I32, &error);
        if (n < 3)
            expect_ok(as_int != NULL, error);
        else
            expect_error(&error, GLINT_ERROR_FORMAT, too_large);
        g_autoptr(GlintArray) as_long = glint_npy_read(path, GLINT_I64, &error);
        expect_ok(as_long != NULL, error);
        assert_memory_equal(as_long->data, values, n * sizeof *values);
    }
    gsize one = 1;
    gint64 low = -G_GINT64_CONSTANT(2147483649); /* one below the least 32-bit integer */
    expect_ok(glint_npy_write(path, GLINT_I64, 1, &one, &low, &error), error);
    assert_null(glint_npy_read(path, GLINT_I32, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, too_large);
    assert_null(glint_npy_read(DATA("huge.npy"), GLINT_I64, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, too_large);
}

/* ---- lying headers -------------------------------------------------------------------------------------------------- */

/* A version 1.0 file of this dictionary and `data_bytes` zero bytes. */
static GlintArray *parse_text(const char *dictionary, gsize data_bytes, GError **error)
{
    gsize header_bytes = strlen(dictionary), length = 10 + header_bytes + data_bytes;
    g_autofree guint8 *bytes = g_malloc0(length);
    memcpy(bytes, "\x93NUMPY\x01\x00", 8);
    bytes[8] = (guint8)header_bytes;
    bytes[9] = (guint8)(header_bytes >> 8);
    memcpy(bytes + 10, dictionary, header_bytes);
    return glint_npy_parse(bytes, length, "a.npy", GLINT_F64, error);
}

static void test_dictionary_forms(void **state)
{
    (void)state;
    static const char *const good[] = {
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }   \n",
        "{'descr':'<f8','fortran_order':False,'shape':(1,2)}",
        "{\"shape\": (1, 2,), \"fortran_order\": True, \"descr\": \"<f8\"}",
        "{'descr': '=f8', 'fortran_order': False, 'shape': (2L,)}\n",
        "{'descr': 'f8', 'fortran_order': False, 'shape': (1,1,2,1)}\n",
    };
    static const char *const bad[] = {
        "",
        "{",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), ",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), } x",
        "{'descr': '<f8', 'fortran_order': False}",
        "{'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f8', 'shape': (2,)}",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), 'more': 1}",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (2,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': [2]}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-2,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2.0,)}",
        "{'descr': '<f8' 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f8x', 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f8, 'fortran_order': False, 'shape': (2,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (__import__('os').system('true'),)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551617,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (9223372036854775807, 4)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2305843009213693952,)}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(good); i++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GlintArray) array = parse_text(good[i], 16, &error);
        expect_ok(array != NULL, error);
        assert_int_equal(array->n, 2);
    }
    for (gsize i = 0; i < G_N_ELEMENTS(bad); i++) {
        GError *error = NULL;
        GlintArray *array = parse_text(bad[i], 16, &error);
        if (array != NULL)
            fail_msg("accepted %s", bad[i]);
        expect_error(&error, GLINT_ERROR_FORMAT, "'a.npy': ");
        assert_null(parse_text(bad[i], 16, NULL)); /* nobody listens */
    }
}

static void test_wrong_lengths(void **state)
{
    (void)state;
    static const char two[] = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }\n";
    GError *error = NULL;
    assert_null(parse_text(two, 15, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "truncated: the header promises 16 bytes of data, 15 are there");
    assert_null(parse_text(two, 17, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "1 bytes follow the array");
    assert_null(parse_text("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000000,), }\n", 16, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "truncated"); /* and nothing of that size is allocated before */
}

/* Every shorter piece of a good file is refused, whichever byte it ends at. */
static void test_every_truncation(void **state)
{
    (void)state;
    static const char *const files[] = {DATA("little_f4.npy"), DATA("version2.npy"), DATA("fortran_big.npy")};
    for (gsize f = 0; f < G_N_ELEMENTS(files); f++) {
        g_autofree char *bytes = NULL;
        gsize length;
        assert_true(g_file_get_contents(files[f], &bytes, &length, NULL));
        for (gsize n = 0; n < length; n++) {
            GError *error = NULL;
            g_autofree char *exact = g_memdup2(bytes, MAX(n, 1));
            assert_null(glint_npy_parse(exact, n, "a.npy", GLINT_F64, &error));
            expect_error(&error, GLINT_ERROR_FORMAT, "a.npy");
        }
    }
}

static void test_versions(void **state)
{
    (void)state;
    GError *error = NULL;
    assert_null(glint_npy_parse("\x93NUMPY\x04\x00\x00\x00\x00\x00", 12, "a.npy", GLINT_F64, &error));
    expect_error(&error, GLINT_ERROR_UNSUPPORTED, "version 4.0 is not known");
    assert_null(glint_npy_parse("\x93NUMPY\x01\x01\x00\x00\x00\x00", 12, "a.npy", GLINT_F64, &error));
    expect_error(&error, GLINT_ERROR_UNSUPPORTED, "version 1.1 is not known");
    assert_null(glint_npy_parse("\x93NUMPY\x02\x00\xff\xff\xff\xff", 12, "a.npy", GLINT_F64, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "header claims 4294967295 bytes");
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static void test_written_bytes(void **state)
{
    g_autofree char *path = g_build_filename(*state, "new/a.npy", NULL), *bytes = NULL, *reference = NULL;
    gsize shape[3] = {2, 3, 4}, length, reference_length;
    double grid[24];
    for (int i = 0; i < 24; i++)
        grid[i] = i;
    GError *error = NULL;
    expect_ok(glint_npy_write(path, GLINT_F64, 3, shape, grid, &error), error);
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    assert_true(g_file_get_contents(DATA("little_f8.npy"), &reference, &reference_length, NULL));
    assert_int_equal(length, reference_length);
    assert_memory_equal(bytes, reference, length); /* byte for byte what numpy writes */
}

static void test_round_trips(void **state)
{
    static const gsize shapes[][4] = {{0}, {7}, {0, 3}, {5, 0}, {3, 5}, {2, 3, 4}, {2, 1, 3, 2}, {1}, {1, 1}};
    static const int n_dims[] = {0, 1, 2, 2, 2, 3, 4, 1, 2};
    static const gsize item_bytes[] = {8, 4, 8, 4, 1};
    g_autofree char *path = g_build_filename(*state, "a.npy", NULL);
    guint8 bytes[8 * 24];
    for (gsize i = 0; i < sizeof bytes; i++)
        bytes[i] = (guint8)(i % 120); /* as reals: finite values */
    for (gsize s = 0; s < G_N_ELEMENTS(shapes); s++) {
        for (int dtype = GLINT_F64; dtype <= GLINT_U8; dtype++) {
            GError *error = NULL;
            expect_ok(glint_npy_write(path, (GlintDtype)dtype, n_dims[s], shapes[s], bytes, &error), error);
            g_autoptr(GlintArray) back = glint_npy_read(path, (GlintDtype)dtype, &error);
            expect_ok(back != NULL, error);
            assert_int_equal(back->n_dims, n_dims[s]);
            assert_memory_equal(back->shape, shapes[s], (gsize)n_dims[s] * sizeof(gsize));
            assert_memory_equal(back->data, bytes, back->n * item_bytes[dtype]);
        }
    }
}

static void test_large_file_is_mapped(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.npy", NULL);
    gsize shape[2] = {300, 400}, n = shape[0] * shape[1];
    g_autofree double *values = g_new(double, n);
    for (gsize i = 0; i < n; i++)
        values[i] = (double)i * 0.5;
    expect_ok(glint_npy_write(path, GLINT_F64, 2, shape, values, &error), error);
    GlintArray *array = glint_npy_read(path, GLINT_F64, &error);
    expect_ok(array != NULL, error);
    assert_non_null(array->map);
    assert_memory_equal(array->data, values, n * sizeof *values);
    ((double *)array->data)[7] = -1; /* writable, and the file stays as it was */
    glint_array_free(array);
    glint_array_free(NULL);
    g_autoptr(GlintArray) again = glint_npy_read(path, GLINT_F64, &error);
    assert_memory_equal(again->data, values, n * sizeof *values);
    g_autoptr(GlintArray) narrow = glint_npy_read(path, GLINT_F32, &error); /* converted in many pieces */
    assert_null(narrow->map);
    for (gsize i = 0; i < n; i++)
        assert_true(((float *)narrow->data)[i] == (float)values[i]);
}

/* Larger than one piece of the converter, in Fortran order, against the formula of its elements. */
static void test_fortran_in_pieces(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.npy", NULL), *bytes = NULL;
    enum { ROWS = 61, COLS = 53 };
    gsize shape[2] = {COLS, ROWS}, length;
    g_autofree double *transposed = g_new(double, ROWS * COLS);
    for (int j = 0; j < COLS; j++)
        for (int i = 0; i < ROWS; i++)
            transposed[j * ROWS + i] = 1000 * i + j;
    expect_ok(glint_npy_write(path, GLINT_F64, 2, shape, transposed, &error), error);
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    char *order = strstr(bytes + 10, "False"), *written = strstr(bytes + 10, "(53, 61)");
    assert_true(order != NULL && written != NULL);
    memcpy(order, "True ", 5);
    memcpy(written, "(61, 53)", 8);
    g_autoptr(GlintArray) array = glint_npy_parse(bytes, length, "a.npy", GLINT_F32, &error);
    expect_ok(array != NULL, error);
    for (int i = 0; i < ROWS; i++)
        for (int j = 0; j < COLS; j++)
            assert_true(((float *)array->data)[i * COLS + j] == (float)(1000 * i + j));
}

static void test_write_failures(void **state)
{
    (void)state;
    GError *error = NULL;
    gsize n = 200000, huge[2] = {G_MAXSIZE / 2, 8};
    g_autofree double *values = g_new0(double, n);
    assert_false(glint_npy_write("/dev/full", GLINT_F64, 1, &n, values, &error));
    expect_error(&error, GLINT_ERROR_IO, "No space left on device");
    assert_false(glint_npy_write("/proc/none/a.npy", GLINT_F64, 1, &n, values, &error));
    expect_error(&error, GLINT_ERROR_IO, "/proc/none");
    assert_false(glint_npy_write("a.npy", GLINT_F64, 2, huge, values, &error));
    expect_error(&error, GLINT_ERROR_FAILED, "its shape overflows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_every_numpy_type),
        scratch_test(test_special_values),
        scratch_test(test_unsupported_are_named),
        scratch_test(test_integer_ranges),
        scratch_test(test_dictionary_forms),
        scratch_test(test_wrong_lengths),
        scratch_test(test_every_truncation),
        scratch_test(test_versions),
        scratch_test(test_written_bytes),
        scratch_test(test_round_trips),
        scratch_test(test_large_file_is_mapped),
        scratch_test(test_fortran_in_pieces),
        scratch_test(test_write_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
