/* Products of few rows (thin.c) against plain loops in f64 and against oneDNN's products of the same packed weight: odd shapes,
 * biases, both orders of storage, f32 and bf16, one thread and two. */
#include "model/dnn.h"
#include "model/ops.h"
#include "model/support.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

enum { MOST_ROWS = 20 };

static const struct { gsize out, in; } shapes[] = {{1, 1}, {7, 5}, {64, 32}, {100, 33}, {65, 64}, {448, 1152}, {1536, 130}, {1000, 257}, {520, 2}, {2050, 31}, {450, 1301}};

static float *random_floats(GRand *random, gsize n)
{
    float *x = g_new(float, n);
    for (gsize i = 0; i < n; i++)
        x[i] = (float)g_rand_double_range(random, -1, 1);
    return x;
}

/* The same numbers in the device's type; `x` is rounded to what the device sees. */
static void *as_type(float *x, gsize n, gboolean bf16)
{
    guint16 *half = g_new(guint16, 2 * n);
    if (!bf16) {
        memcpy(half, x, n * sizeof *x);
        return half;
    }
    gli_to_bf16(x, n, half);
    for (gsize i = 0; i < n; i++)
        x[i] = gli_bf16_round(x[i]);
    return half;
}

/* Largest difference to the plain sums, relative to the sum of the products' sizes. */
static double distance(const float *y, const float *x, const float *w, const float *bias, gsize rows, gsize out, gsize in, gboolean in_out)
{
    double worst = 0;
    for (gsize r = 0; r < rows; r++)
        for (gsize o = 0; o < out; o++) {
            double sum = bias ? (double)bias[o] : 0, size = fabs(sum);
            for (gsize k = 0; k < in; k++) {
                const double term = (double)x[r * in + k] * (double)(in_out ? w[k * out + o] : w[o * in + k]);
                sum += term;
                size += fabs(term);
            }
            worst = fmax(worst, fabs((double)y[r * out + o] - sum) / size);
        }
    return worst;
}

static void check_shape(GliDevice *device, GRand *random, gsize out, gsize in, gboolean bf16, gboolean in_out, gboolean biased)
{
    g_autofree float *w = random_floats(random, out * in), *x = random_floats(random, MOST_ROWS * in), *bias = biased ? random_floats(random, out) : NULL;
    g_autofree void *packed_w = as_type(w, out * in, bf16);
    for (gsize i = 0; bf16 && i < MOST_ROWS * in; i++)
        x[i] = gli_bf16_round(x[i]);
    g_autofree float *y = g_new(float, MOST_ROWS * out), *first = g_new(float, out);
    GError *error = NULL;
    GliLinear *linear = gli_dnn.pack(device, out, in, in_out, packed_w, bias, &error);
    assert_non_null(linear);
    for (gsize rows = 1; rows <= MOST_ROWS; rows++) { /* small numbers take the thin path, large ones oneDNN */
        g_autofree void *input = product_input(device, x, rows, in);
        assert_true(gli_dnn.run(linear, rows, input, y, NULL));
        const double worst = distance(y, x, w, bias, rows, out, in, in_out);
        if (!(worst < 2e-6))
            fail_msg("%zu rows, %zu x %zu%s%s%s: %g", rows, out, in, bf16 ? " bf16" : "", in_out ? " in_out" : "", biased ? " biased" : "", worst);
        if (rows == 1)
            memcpy(first, y, out * sizeof *y);
        else if (rows <= 8)
            assert_memory_equal(first, y, out * sizeof *y); /* a row's bits do not depend on the others */
    }
    gli_dnn.release(linear);
}

static void check_type(gboolean bf16)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(3);
    for (int threads = 1; threads <= 2; threads++) {
        GError *error = NULL;
        GliDevice *device = gli_dnn.open(bf16, threads, &error);
        if (!device) {
            print_message("skipped: %s\n", error->message);
            g_error_free(error);
            skip();
        }
        for (gsize i = 0; i < G_N_ELEMENTS(shapes); i++)
            for (int which = 0; which < 4; which++)
                check_shape(device, random, shapes[i].out, shapes[i].in, bf16, which & 1, which & 2);
        gli_dnn.close(device);
    }
}

static void test_f32(void **state) { (void)state; check_type(FALSE); }
static void test_bf16(void **state) { (void)state; check_type(TRUE); }

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_f32), cmocka_unit_test(test_bf16)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
