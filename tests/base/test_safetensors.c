/* safetensors: the reference implementation's file is read, ours reads back, conversions are exact for every half and bfloat,
 * and each false claim a header can make is refused before a tensor is handed out. */
#include "base/scratch.h"

#include "base/safetensors.h"

#include <math.h>

/* ---- good files ----------------------------------------------------------------------------------------------------- */

static void test_reference_file(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(GlintSafetensors) file = glint_safetensors_open(DATA("reference.safetensors"), &error);
    expect_ok(file != NULL, error);
    assert_string_equal(glint_safetensors_path(file), DATA("reference.safetensors"));
    assert_int_equal(glint_safetensors_count(file), 4);
    assert_string_equal(glint_safetensors_metadata(file, "made_by"), "safetensors");
    assert_null(glint_safetensors_metadata(file, "absent"));
    assert_null(glint_safetensors_find(file, "absent"));
    assert_null(glint_safetensors_find(file, "__metadata__"));
    const GlintTensor *grid = glint_safetensors_find(file, "grid");
    assert_int_equal(grid->type, GLINT_ST_F32);
    assert_int_equal(grid->n_dims, 3);
    assert_int_equal(grid->shape[2], 4);
    double values[24];
    glint_tensor_to_f64(grid, 0, 24, values);
    for (int i = 0; i < 24; i++)
        assert_true(values[i] == i);
    float halves[2];
    glint_tensor_to_f32(glint_safetensors_find(file, "half"), 1, 2, halves);
    assert_true(halves[0] == -2 && halves[1] == 0.5f);
    const GlintTensor *none = glint_safetensors_find(file, "none");
    assert_int_equal(none->n, 0);
    glint_tensor_to_f32(none, 0, 0, halves);
    const GlintTensor *one = glint_safetensors_find(file, "one");
    assert_int_equal(one->n_dims, 0);
    glint_tensor_to_f64(one, 0, 1, values);
    assert_true(values[0] == 7);
}

static void test_round_trip(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "new/a.safetensors", NULL);
    guint8 bytes[3] = {1, 2, 3};
    double reals[6] = {0.5, 1, 2, 3, 4, 5};
    float singles[2] = {1.5f, -1};
    guint16 bfloats[1] = {0x3fc0};
    gsize three = 3, one = 1, two = 2, grid[2] = {2, 3}, empty[2] = {0, 4};
    GlintSafetensorsWriter *writer = glint_safetensors_writer_new(path);
    glint_safetensors_writer_metadata(writer, "format", "pt");
    glint_safetensors_writer_metadata(writer, "quote\"", "\xc3\xa9\n");
    glint_safetensors_writer_add(writer, "bytes", GLINT_ST_U8, 1, &three, bytes);
    glint_safetensors_writer_add(writer, "singles", GLINT_ST_F32, 1, &two, singles);
    glint_safetensors_writer_add(writer, "reals", GLINT_ST_F64, 2, grid, reals);
    glint_safetensors_writer_add(writer, "scalar", GLINT_ST_F64, 0, NULL, reals);
    glint_safetensors_writer_add(writer, "bfloats", GLINT_ST_BF16, 1, &one, bfloats);
    glint_safetensors_writer_add(writer, "empty", GLINT_ST_F32, 2, empty, NULL);
    expect_ok(glint_safetensors_writer_close(writer, &error), error);
    g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, &error);
    expect_ok(file != NULL, error);
    assert_int_equal(glint_safetensors_count(file), 6);
    assert_string_equal(glint_safetensors_metadata(file, "quote\""), "\xc3\xa9\n");
    for (gsize i = 0; i < 6; i++) { /* all aligned to their elements, wide ones first */
        const GlintTensor *tensor = glint_safetensors_at(file, i);
        gsize width = tensor->n > 0 ? tensor->n_bytes / tensor->n : 1;
        assert_int_equal((uintptr_t)tensor->data % width, 0);
    }
    assert_string_equal(glint_safetensors_at(file, 0)->name, "reals");
    assert_memory_equal(glint_safetensors_find(file, "reals")->data, reals, sizeof reals);
    assert_memory_equal(glint_safetensors_find(file, "bytes")->data, bytes, sizeof bytes);
    float x;
    glint_tensor_to_f32(glint_safetensors_find(file, "bfloats"), 0, 1, &x);
    assert_true(x == 1.5f);
}

static void test_writer_refuses(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "a.safetensors", NULL);
    gsize one = 1, huge[2] = {G_MAXSIZE / 2, 4};
    float x = 1;
    for (int i = 0; i < 6; i++) {
        GlintSafetensorsWriter *writer = glint_safetensors_writer_new(path);
        glint_safetensors_writer_add(writer, "a", GLINT_ST_F32, 1, &one, &x);
        if (i == 0)
            glint_safetensors_writer_add(writer, "a", GLINT_ST_F32, 1, &one, &x);
        if (i == 1)
            glint_safetensors_writer_add(writer, "__metadata__", GLINT_ST_F32, 1, &one, &x);
        if (i == 2)
            glint_safetensors_writer_add(writer, "\xff", GLINT_ST_F32, 1, &one, &x);
        if (i == 3)
            glint_safetensors_writer_add(writer, "b", GLINT_ST_OTHER, 1, &one, &x);
        if (i == 4)
            glint_safetensors_writer_add(writer, "b", GLINT_ST_F32, 2, huge, &x);
        if (i == 5)
            glint_safetensors_writer_metadata(writer, "key", "\xff");
        glint_safetensors_writer_add(writer, "later", GLINT_ST_OTHER, 1, &one, &x); /* the first failure is the one told */
        assert_false(glint_safetensors_writer_close(writer, &error));
        expect_error(&error, GLINT_ERROR_FAILED, i < 3 ? "is taken or not allowed" : i < 5 ? "type or shape" : "not valid UTF-8");
    }
    GlintSafetensorsWriter *writer = glint_safetensors_writer_new("/dev/full");
    glint_safetensors_writer_add(writer, "a", GLINT_ST_F32, 1, &one, &x);
    assert_false(glint_safetensors_writer_close(writer, &error));
    expect_error(&error, GLINT_ERROR_IO, "No space left on device");
    glint_safetensors_writer_free(glint_safetensors_writer_new(path));
    glint_safetensors_writer_free(NULL);
    assert_int_equal(count_files(*state), 0);
}

/* ---- conversion ----------------------------------------------------------------------------------------------------- */

/* IEEE 754 binary16 by its definition. */
static double half_by_definition(guint16 h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double sign = h & 0x8000 ? -1 : 1;
    if (exponent == 31)
        return fraction == 0 ? sign * (double)INFINITY : (double)NAN;
    return sign * (exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25));
}

static void test_all_halves(void **state)
{
    (void)state;
    enum { N = 65536 };
    g_autofree guint8 *raw = g_malloc(2 * N + 1);
    g_autofree float *out = g_new(float, N);
    g_autofree double *wide = g_new(double, N);
    for (gsize i = 0; i < N; i++) {
        guint16 h = (guint16)i;
        memcpy(raw + 1 + 2 * i, &h, 2); /* at an odd address, as files may have it */
    }
    GlintTensor tensor = {.name = "a", .type = GLINT_ST_F16, .n_dims = 1, .shape = {N}, .n = N, .n_bytes = 2 * N, .data = raw + 1};
    glint_tensor_to_f32(&tensor, 0, N, out);
    glint_tensor_to_f64(&tensor, 0, N, wide);
    for (gsize i = 0; i < N; i++) {
        double expected = half_by_definition((guint16)i);
        if (isnan(expected))
            assert_true(isnan(out[i]) && isnan(wide[i]));
        else
            assert_true((double)out[i] == expected && wide[i] == expected && (signbit(out[i]) != 0) == (signbit(expected) != 0));
    }
}

static void test_all_bfloats(void **state)
{
    (void)state;
    enum { N = 65536 };
    g_autofree guint16 *raw = g_new(guint16, N);
    g_autofree float *out = g_new(float, N);
    for (gsize i = 0; i < N; i++)
        raw[i] = (guint16)i;
    GlintTensor tensor = {.name = "a", .type = GLINT_ST_BF16, .n_dims = 1, .shape = {N}, .n = N, .n_bytes = 2 * N, .data = raw};
    glint_tensor_to_f32(&tensor, 0, N, out);
    for (gsize i = 0; i < N; i++) {
        guint32 bits;
        memcpy(&bits, &out[i], sizeof bits);
        assert_int_equal(bits, (guint32)i << 16); /* subnormals, infinities and NaN payloads included */
    }
    glint_tensor_to_f32(&tensor, 0x3f80, 2, out);
    assert_true(out[0] == 1.0f && out[1] == 1.0078125f);
}

static void test_other_types(void **state)
{
    (void)state;
    static const struct {
        GlintTensorType type;
        gsize bytes;
        guint8 raw[9];
        double expected;
    } cases[] = {
        {GLINT_ST_F64, 8, {0, 0, 0, 0, 0, 0, 0, 0xf8, 0x3f}, 1.5},
        {GLINT_ST_F32, 4, {0, 0, 0, 0xc0, 0xbf}, -1.5},
        {GLINT_ST_I64, 8, {0, 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, -2},
        {GLINT_ST_I32, 4, {0, 0xfe, 0xff, 0xff, 0xff}, -2},
        {GLINT_ST_I16, 2, {0, 0xfe, 0xff}, -2},
        {GLINT_ST_I8, 1, {0, 0xfe}, -2},
        {GLINT_ST_U8, 1, {0, 0xfe}, 254},
        {GLINT_ST_BOOL, 1, {0, 1}, 1},
    };
    double wide;
    float narrow;
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GlintTensor tensor = {.name = "a", .type = cases[i].type, .n = 1, .n_bytes = cases[i].bytes, .data = cases[i].raw + 1};
        glint_tensor_to_f64(&tensor, 0, 1, &wide);
        glint_tensor_to_f32(&tensor, 0, 1, &narrow);
        assert_true(wide == cases[i].expected && (double)narrow == cases[i].expected);
    }
    GlintTensor other = {.name = "a", .type = GLINT_ST_OTHER, .n = 1, .n_bytes = 1, .data = cases[0].raw};
    glint_tensor_to_f64(&other, 0, 1, &wide);
    glint_tensor_to_f32(&other, 0, 1, &narrow);
    assert_true(isnan(wide) && isnan(narrow));
    assert_string_equal(glint_tensor_type_name(GLINT_ST_BF16), "BF16");
    assert_string_equal(glint_tensor_type_name(GLINT_ST_OTHER), "other");
}

/* ---- lying headers -------------------------------------------------------------------------------------------------- */

/* Whether a file of this header and `data_bytes` zero bytes opens; `claimed` 0 = the true header length. */
static gboolean opens(const char *json, guint64 claimed, gsize data_bytes, GError **error)
{
    gsize text_bytes = strlen(json), length = 8 + text_bytes + data_bytes;
    g_autofree guint8 *bytes = g_malloc0(length);
    guint64 header_bytes = claimed != 0 ? claimed : text_bytes;
    memcpy(bytes, &header_bytes, 8);
    memcpy(bytes + 8, json, text_bytes);
    g_autoptr(GlintSafetensors) file = glint_safetensors_parse(bytes, length, "a.safetensors", error);
    return file != NULL;
}

#define T(name, dtype, shape, begin, end) "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":[" begin "," end "]}"

static void test_accepted_headers(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "{" T("a", "F32", "[2]", "0", "8") "}",
        "{" T("a", "F32", "[2]", "0", "8") "}    ",
        "{" T("b", "F16", "[2]", "4", "8") "," T("a", "F32", "[]", "0", "4") "}",
        "{" T("e", "F32", "[0,7]", "4", "4") "," T("b", "F16", "[2]", "4", "8") "," T("a", "F32", "[]", "0", "4") "}",
        "{" T("a", "U32", "[1]", "0", "4") "," T("b", "F8_E5M2", "[2,2]", "4", "8") "}",
        "{\"__metadata__\":{}," T("a", "BOOL", "[8]", "0", "8") "}",
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autoptr(GError) error = NULL;
        gboolean opened = opens(cases[i], 0, 8, &error);
        expect_ok(opened, error);
    }
    g_autoptr(GError) error = NULL;
    gboolean opened = opens("{}", 0, 0, &error);
    expect_ok(opened, error);
}

static void test_false_claims(void **state)
{
    (void)state;
    static const struct {
        const char *json, *part;
        GlintErrorCode code;
    } cases[] = {
        {"[]", "does not start with '{'", GLINT_ERROR_FORMAT},
        {" {}", "does not start with '{'", GLINT_ERROR_FORMAT},
        {"{", "not valid JSON", GLINT_ERROR_FORMAT},
        {"{\"\xff\":1}", "not valid JSON", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[1]", "0", "4") "," T("a", "F32", "[1]", "4", "8") "}", "duplicate", GLINT_ERROR_FORMAT},
        {"{\"a\":1}", "not an object", GLINT_ERROR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", "exactly dtype, shape and data_offsets", GLINT_ERROR_FORMAT},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"offsets\":[0,8]}}", "no data_offsets", GLINT_ERROR_FORMAT},
        {"{\"a\":{\"dtype\":7,\"shape\":[2],\"data_offsets\":[0,8]}}", "has no dtype", GLINT_ERROR_FORMAT},
        {"{" T("a", "Q4_K", "[2]", "0", "8") "}", "dtype 'Q4_K', which glint does not know", GLINT_ERROR_UNSUPPORTED},
        {"{" T("a", "F32", "2", "0", "8") "}", "has no shape", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[-2]", "0", "8") "}", "something other than lengths", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[2.0]", "0", "8") "}", "something other than lengths", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[1,1,1,1,1,1,1,1,2]", "0", "8") "}", "more than 8 dimensions", GLINT_ERROR_UNSUPPORTED},
        {"{" T("a", "F32", "[4611686018427387904,8]", "0", "8") "}", "shape of tensor 'a' overflows", GLINT_ERROR_FORMAT},
        {"{" T("a", "F64", "[2305843009213693952]", "0", "0") "}", "is given 0 bytes", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[3]", "0", "8") "}", "3 elements of 4 bytes is given 8 bytes", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[2]", "8", "0") "}", "no data_offsets [begin, end]", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[2]", "-8", "0") "}", "no data_offsets", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[3]", "0", "12") "}", "ends at byte 12 of the data, there are 8", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[1]", "9223372036854775803", "9223372036854775807") "}", "ends at byte", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[1]", "0", "4") "}", "4 bytes at the end belong to no tensor", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[1]", "4", "8") "}", "leaves a hole", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[1]", "4", "8") "}", "overlaps another", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[2]", "0", "8") "," T("b", "F32", "[2]", "0", "8") "}", "overlaps another", GLINT_ERROR_FORMAT},
        {"{" T("a", "F32", "[2]", "0", "8") "," T("e", "F32", "[0]", "4", "4") "}", "overlaps another", GLINT_ERROR_FORMAT},
        {"{}", "8 bytes at the end belong to no tensor", GLINT_ERROR_FORMAT},
        {"{\"__metadata__\":[]," T("a", "F32", "[2]", "0", "8") "}", "__metadata__ is not an object", GLINT_ERROR_FORMAT},
        {"{\"__metadata__\":{\"n\":1}," T("a", "F32", "[2]", "0", "8") "}", "'n' is not a string", GLINT_ERROR_FORMAT},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GError *error = NULL;
        if (opens(cases[i].json, 0, 8, &error))
            fail_msg("accepted %s", cases[i].json);
        expect_error(&error, cases[i].code, cases[i].part);
    }
}

static void test_header_lengths(void **state)
{
    (void)state;
    static const guint64 lengths[] = {9, (guint64)1 << 31, (guint64)1 << 32, (guint64)1 << 63, G_MAXUINT64, G_MAXUINT64 - 7};
    GError *error = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        assert_false(opens("{}", lengths[i], 0, &error));
        expect_error(&error, GLINT_ERROR_FORMAT, "not fully downloaded");
    }
    for (gsize n = 0; n < 8; n++) {
        assert_null(glint_safetensors_parse("\0\0\0\0\0\0\0", n, "a.safetensors", &error));
        expect_error(&error, GLINT_ERROR_FORMAT, "too short");
    }
    /* What people have in place of the file after `git clone` without LFS. */
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0000\nsize 1\n";
    assert_null(glint_safetensors_parse(pointer, sizeof pointer - 1, "model.safetensors", &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "a Git LFS pointer?");
    assert_null(glint_safetensors_open("/none.safetensors", &error));
    expect_error(&error, GLINT_ERROR_IO, "'/none.safetensors'");
}

static void test_every_truncation(void **state)
{
    (void)state;
    g_autofree char *bytes = NULL;
    gsize length;
    assert_true(g_file_get_contents(DATA("reference.safetensors"), &bytes, &length, NULL));
    for (gsize n = 0; n < length; n++) {
        GError *error = NULL;
        g_autofree char *exact = g_memdup2(bytes, MAX(n, 1));
        assert_null(glint_safetensors_parse(exact, n, "a.safetensors", &error));
        expect_error(&error, GLINT_ERROR_FORMAT, "a.safetensors");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reference_file), scratch_test(test_round_trip),           scratch_test(test_writer_refuses),
        cmocka_unit_test(test_all_halves),     cmocka_unit_test(test_all_bfloats),      cmocka_unit_test(test_other_types),
        cmocka_unit_test(test_accepted_headers), cmocka_unit_test(test_false_claims),   cmocka_unit_test(test_header_lengths),
        cmocka_unit_test(test_every_truncation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
