/* Every operation of the forward pass against libm and plain f64 loops: elementary functions over their ranges, norms,
 * activations, bf16 rounding, rotary tables, and matrix products of many shapes in both layouts and both types. */
#include "model/dnn.h"
#include "model/fastmath.h"
#include "model/ops.h"
#include "model/support.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void fill(float *x, gsize n, double size, guint32 seed)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    for (gsize i = 0; i < n; i++)
        x[i] = (float)g_rand_double_range(random, -size, size);
}

static void test_exp_tanh(void **state)
{
    (void)state;
    double worst_exp = 0, worst_tanh = 0;
    for (double x = -86.9; x < 88; x += 0.00137) {
        const float f = (float)x;
        worst_exp = MAX(worst_exp, fabs(gli_exp(f) / exp((double)f) - 1));
        worst_tanh = MAX(worst_tanh, f == 0 ? 0 : fabs(gli_tanh(f) / tanh((double)f) - 1));
    }
    for (double x = 1e-20; x < 2; x *= 1.01)
        worst_tanh = MAX(worst_tanh, fabs(gli_tanh((float)x) / tanh((double)(float)x) - 1));
    double worst_erfc = 0, worst_tail = 0;
    for (double x = -9; x < 9; x += 0.00037) {
        const float f = (float)x;
        worst_erfc = MAX(worst_erfc, fabs(gli_erfc(f) - erfc((double)f)));
        worst_tail = MAX(worst_tail, f < 5.8f ? fabs(gli_erfc(f) / erfc((double)f) - 1) : 0);
    }
    expect_close("erfc", worst_erfc, 6e-7);
    expect_close("erfc, relative", worst_tail, 5e-6);
    assert_true(gli_erfc(30) == 0 && gli_erfc(-30) == 2 && gli_erfc(INFINITY) == 0);
    expect_close("exp", worst_exp, 3e-7);
    expect_close("tanh", worst_tanh, 2.5e-7);
    assert_true(gli_exp(-100) == 0 && gli_exp(-INFINITY) == 0 && gli_exp(0) == 1 && isfinite(gli_exp(1000)));
    assert_true(gli_tanh(0) == 0 && gli_tanh(50) == 1 && gli_tanh(-50) == -1);
}

static double exact_activation(GliActivation activation, double x)
{
    return activation == GLI_ACT_SILU        ? x / (1 + exp(-x))
           : activation == GLI_ACT_GELU_TANH ? 0.5 * x * (1 + tanh(sqrt(2 / G_PI) * (x + 0.044715 * x * x * x)))
           : activation == GLI_ACT_GELU_ERF  ? 0.5 * x * erfc(-x / sqrt(2))
                                             : fmax(x, 0);
}

static void test_activations(void **state)
{
    (void)state;
    enum { N = 40001 };
    static const char *const names[] = {"silu", "gelu tanh", "gelu erf", "relu"};
    g_autofree float *x = g_new(float, N), *up = g_new(float, N), *y = g_new(float, N);
    g_autofree double *expected = g_new(double, N);
    for (int activation = 0; activation < 4; activation++)
        for (int gated = 0; gated < 2; gated++) {
            fill(x, N, 12, 1);
            fill(up, N, 3, 2);
            memcpy(y, x, N * sizeof *x);
            gli_activate((GliActivation)activation, y, gated ? up : NULL, 1, N);
            for (gsize i = 0; i < N; i++) {
                expected[i] = exact_activation((GliActivation)activation, x[i]) * (gated ? up[i] : 1);
                assert_true(fabs(y[i] - expected[i]) < 2e-6 * (1 + fabs(expected[i])));
            }
            expect_close(names[activation], relative_error_f64(y, expected, N), 1e-6);
        }
}

static void check_norm(GliNormKind kind, gsize width, double offset)
{
    enum { ROWS = 7 };
    g_autofree float *x = g_new(float, ROWS * width), *y = g_new(float, ROWS * width), *w = g_new(float, width), *b = g_new(float, width);
    g_autofree double *expected = g_new(double, ROWS * width);
    fill(x, ROWS * width, 1, 3);
    fill(w, width, 1, 4);
    fill(b, width, 1, 5);
    const GliNorm norm = {kind, 1e-5f, w, kind == GLI_NORM_LAYER ? b : NULL};
    for (gsize r = 0; r < ROWS; r++) {
        double mean = 0, square = 0;
        for (gsize i = 0; i < width; i++) {
            x[r * width + i] += (float)offset;
            mean += kind == GLI_NORM_LAYER ? x[r * width + i] / (double)width : 0;
        }
        for (gsize i = 0; i < width; i++)
            square += pow(x[r * width + i] - mean, 2) / (double)width;
        for (gsize i = 0; i < width; i++)
            expected[r * width + i] = (x[r * width + i] - mean) / sqrt(square + 1e-5) * w[i] + (norm.bias ? b[i] : 0);
    }
    gli_norm_rows(&norm, x, ROWS, width, y);
    g_autofree char *what = g_strdup_printf("norm %d, width %zu", (int)kind, width);
    expect_close(what, relative_error_f64(y, expected, ROWS * width), 2e-6);
    gli_norm_rows(&norm, x, ROWS, width, x);
    assert_memory_equal(x, y, ROWS * width * sizeof *x); /* in place is the same */
}

static void test_norms(void **state)
{
    (void)state;
    static const gsize widths[] = {1, 3, 16, 17, 640, 5376};
    for (gsize i = 0; i < G_N_ELEMENTS(widths); i++) {
        check_norm(GLI_NORM_RMS, widths[i], 0);
        if (widths[i] > 1)
            check_norm(GLI_NORM_LAYER, widths[i], 2);
    }
}

static guint16 exact_bf16(float x)
{
    guint32 bits;
    memcpy(&bits, &x, sizeof bits);
    const guint32 low = bits & 0xffff, high = bits >> 16;
    return (guint16)(high + (low > 0x8000 || (low == 0x8000 && (high & 1))));
}

static void test_bf16(void **state)
{
    (void)state;
    enum { N = 5000 };
    float x[N];
    guint16 y[N];
    fill(x, N, 1e3, 6);
    for (guint32 i = 0; i < 64; i++) { /* halfway cases, both parities */
        const guint32 bits = 0x3f800000u + (i << 15);
        memcpy(x + i, &bits, sizeof bits);
    }
    gli_to_bf16(x, N, y);
    for (gsize i = 0; i < N; i++)
        assert_int_equal(y[i], exact_bf16(x[i]));
    const float odd[] = {INFINITY, -INFINITY, 3.4028235e38f, -0.0f, 1e-45f};
    gli_to_bf16(odd, 5, y);
    assert_int_equal(y[0], 0x7f80);
    assert_int_equal(y[1], 0xff80);
    assert_int_equal(y[2], 0x7f80);
    assert_int_equal(y[3], 0x8000);
    assert_int_equal(y[4], 0);
    const guint32 nan_bits[] = {0x7fffffffu, 0x7f800001u, 0xffffffffu};
    memcpy(x, nan_bits, sizeof nan_bits);
    gli_to_bf16(x, 3, y);
    for (int i = 0; i < 3; i++)
        assert_true((y[i] & 0x7f80) == 0x7f80 && (y[i] & 0x7f) != 0);
}

static void test_finite(void **state)
{
    (void)state;
    enum { N = 1000 };
    float x[N];
    guint16 half[N];
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (gsize at = 0; at < N; at += 37)
        for (int kind = 0; kind < 3; kind++) {
            fill(x, N, 3e38, 8);
            gli_to_bf16(x, N, half);
            assert_true(gli_all_finite(x, N) && gli_all_finite_bf16(half, N));
            x[at] = bad[kind];
            gli_to_bf16(x, N, half);
            assert_false(gli_all_finite(x, N));
            assert_false(gli_all_finite_bf16(half, N));
        }
}

static void test_rope(void **state)
{
    (void)state;
    const GliRope rope = {.kind = GLI_ROPE_PLAIN, .theta = 1e6, .rotary = 16};
    enum { LENGTH = 1000, HALF = 8 };
    g_autofree float *cosine = g_new(float, LENGTH * HALF), *sine = g_new(float, LENGTH * HALF);
    gli_rope_table(&rope, 0, 10, cosine, sine);
    gli_rope_table(&rope, 10, LENGTH, cosine, sine); /* grown in two steps */
    for (gsize p = 0; p < LENGTH; p++)
        for (gsize k = 0; k < HALF; k++) {
            const double angle = (double)p * pow(1e6, -2.0 * (double)k / 16);
            assert_true(fabs(cosine[p * HALF + k] - cos(angle)) < 2e-7 * (1 + angle)); /* f32 angles */
            assert_true(fabs(sine[p * HALF + k] - sin(angle)) < 2e-7 * (1 + angle));
        }
    float head[20];
    fill(head, 20, 1, 9);
    float turned[20];
    memcpy(turned, head, sizeof head);
    gli_rope_row(turned, cosine + 77 * HALF, sine + 77 * HALF, 16);
    for (gsize k = 0; k < HALF; k++) {
        const double c = cosine[77 * HALF + k], s = sine[77 * HALF + k];
        assert_true(fabs(turned[k] - (head[k] * c - head[k + 8] * s)) < 1e-6);
        assert_true(fabs(turned[k + 8] - (head[k + 8] * c + head[k] * s)) < 1e-6);
    }
    assert_memory_equal(turned + 16, head + 16, 4 * sizeof(float)); /* the rest of the head passes through */
}

static float from_bf16(guint16 half)
{
    const guint32 bits = (guint32)half << 16;
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* One product against f64; in bf16 both factors are rounded first, so that only the summing differs. */
static double product_error(GliDevice *device, gboolean bf16, gsize rows, gsize in, gsize out, gboolean in_out, gboolean biased)
{
    g_autofree float *x = g_new(float, rows * in), *w = g_new(float, in * out), *b = g_new(float, out), *y = g_new(float, rows * out);
    g_autofree guint16 *half_w = g_new(guint16, in * out);
    g_autofree double *expected = g_new(double, rows * out);
    fill(x, rows * in, 1, 10);
    fill(w, in * out, 1, 11);
    fill(b, out, 1, 12);
    gli_to_bf16(w, in * out, half_w);
    for (gsize i = 0; bf16 && i < rows * in; i++)
        x[i] = gli_bf16_round(x[i]);
    for (gsize i = 0; bf16 && i < in * out; i++)
        w[i] = from_bf16(half_w[i]);
    GError *error = NULL;
    GliLinear *linear = gli_dnn.pack(device, out, in, in_out, bf16 ? (void *)half_w : (void *)w, biased ? b : NULL, &error);
    g_autofree void *input = product_input(device, x, rows, in);
    if (!linear || !gli_dnn.run(linear, rows, input, y, &error))
        fail_msg("%s", error->message);
    for (gsize r = 0; r < rows; r++)
        for (gsize o = 0; o < out; o++) {
            double sum = biased ? b[o] : 0;
            for (gsize i = 0; i < in; i++)
                sum += (double)x[r * in + i] * w[in_out ? i * out + o : o * in + i];
            expected[r * out + o] = sum;
        }
    gli_dnn.release(linear);
    return relative_error_f64(y, expected, rows * out);
}

/* The product that ends in the activation function is the same as its steps, to the last bit, at any number of rows. */
static void check_activated(GliDevice *device, gboolean bf16, gsize rows, gsize in, gsize out, gboolean gated, GliActivation activation)
{
    g_autofree float *x = g_new(float, rows * in), *w = g_new(float, in * out), *gate = g_new(float, rows * out), *up = g_new(float, rows * out);
    g_autofree float *y = g_new(float, rows * out), *b = g_new(float, out);
    g_autofree guint16 *half = g_new(guint16, in * out);
    GliLinear *linear[2] = {NULL, NULL};
    fill(x, rows * in, 1, 20);
    fill(b, out, 1, 21);
    for (int i = 0; i < 1 + gated; i++) {
        fill(w, in * out, 1, 22 + (guint32)i);
        gli_to_bf16(w, in * out, half);
        linear[i] = gli_dnn.pack(device, out, in, FALSE, bf16 ? (void *)half : (void *)w, b, NULL);
        assert_non_null(linear[i]);
    }
    const gsize bytes = gli_dnn.input_bytes(device, rows, out);
    g_autofree void *input = product_input(device, x, rows, in), *next = g_malloc0(bytes), *alone = g_malloc0(bytes);
    assert_true(gli_dnn.run_activated(linear[0], linear[1], activation, rows, input, y, NULL, next, NULL));
    assert_true(gli_dnn.run_activated(linear[0], linear[1], activation, rows, input, NULL, NULL, alone, NULL));
    assert_true(gli_dnn.run(linear[0], rows, input, gate, NULL) && (!gated || gli_dnn.run(linear[1], rows, input, up, NULL)));
    gli_activate(activation, gate, gated ? up : NULL, rows, out);
    g_autofree void *expected = product_input(device, gate, rows, out);
    assert_memory_equal(y, gate, rows * out * sizeof *y);
    assert_memory_equal(next, expected, bytes);
    assert_memory_equal(alone, expected, bytes);
    gli_dnn.release(linear[0]);
    gli_dnn.release(linear[1]);
}

static void check_products(gboolean bf16)
{
    static const gsize shapes[][3] = { /* rows, in, out */
        {1, 1, 1}, {1, 64, 64}, {3, 5, 7}, {15, 48, 144}, {16, 64, 172}, {17, 172, 64}, {127, 33, 65}, {128, 64, 64}, {129, 64, 513},
        {300, 20, 1100}, {2, 1500, 30}, {40, 640, 640}, {130, 1300, 70},
    };
    GError *error = NULL;
    GliDevice *device = gli_dnn.open(bf16, 2, &error);
    if (!device) {
        assert_true(bf16);
        assert_non_null(strstr(error->message, "--dtype f32"));
        g_error_free(error);
        return;
    }
    double worst = 0;
    for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++)
        for (int variant = 0; variant < 4; variant++)
            worst = MAX(worst, product_error(device, bf16, shapes[i][0], shapes[i][1], shapes[i][2], variant & 1, (variant & 2) != 0));
    expect_close(bf16 ? "products in bf16, sums in f32" : "products in f32", worst, 1e-6);
    for (int activation = 0; activation < 4; activation++)
        for (int gated = 0; gated < 2; gated++) {
            check_activated(device, bf16, 1, 70, 650, gated, (GliActivation)activation);
            check_activated(device, bf16, 150, 640, 1300, gated, (GliActivation)activation);
        }
    gli_dnn.close(device);
}

/* 1e-6 in f32 also shows that no tf32 or bf16 is hidden inside, whatever the environment asks of oneDNN. */
static void test_products(void **state)
{
    (void)state;
    g_setenv("ONEDNN_DEFAULT_FPMATH_MODE", "BF16", TRUE);
    check_products(FALSE);
    check_products(TRUE);
}

/* AUTO takes bf16 for a bf16 checkpoint where the processor (or what ONEDNN_MAX_CPU_ISA leaves of it) has instructions for it. */
static void test_auto(void **state)
{
    (void)state;
    const char *most = g_getenv("ONEDNN_MAX_CPU_ISA");
    if (most) /* this program is run with such limits too, see CMakeLists.txt */
        assert_true(g_str_equal(most, "AVX512_CORE_AMX") || !gli_dnn.has_fast_bf16());
    g_autofree char *half = data_folder("gemma3_bf16"), *full = data_folder("gemma3_v4_f32");
    g_autoptr(GlintModel) a = open_model(half, GLINT_DTYPE_AUTO, 1), b = open_model(full, GLINT_DTYPE_AUTO, 1);
    assert_string_equal(glint_model_info(a)->compute_type, gli_dnn.has_fast_bf16() ? "bf16" : "f32");
    assert_string_equal(glint_model_info(b)->compute_type, "f32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_products), cmocka_unit_test(test_auto), cmocka_unit_test(test_exp_tanh), cmocka_unit_test(test_activations), cmocka_unit_test(test_norms),
        cmocka_unit_test(test_bf16), cmocka_unit_test(test_finite), cmocka_unit_test(test_rope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
