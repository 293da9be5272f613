/* Moments against a plain two-pass computation, against numpy, against themselves merged, saved and on other thread counts. */
#include "base/error.h"
#include "collect/moments.h"
#include <glib/gstdio.h>
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
/* cmocka needs the four above it */
#include <cmocka.h>

static double uniform(guint32 *state) { return ldexp((double)((*state = *state * 1664525u + 1013904223u) >> 8), -24); }

/* n rows whose neighbouring columns correlate; column 2 is far from zero. numpy made the same numbers for test_numpy. */
static float *sample(gsize n, gsize p, guint32 seed, double offset)
{
    float *x = g_new(float, n * p + 1);
    for (gsize i = 0; i < n; i++) {
        double before = 0;
        for (gsize j = 0; j < p; j++) {
            double u = uniform(&seed);
            x[i * p + j] = (float)(u + 0.5 * before + (j == 2 ? offset : 0));
            before = u;
        }
    }
    return x;
}

static void two_pass(const float *x, gsize n, gsize p, double *mean, double *m2)
{
    memset(mean, 0, p * sizeof *mean);
    memset(m2, 0, p * p * sizeof *m2);
    for (gsize i = 0; i < n; i++)
        for (gsize j = 0; j < p; j++)
            mean[j] += (double)x[i * p + j] / (double)n;
    for (gsize i = 0; i < n; i++)
        for (gsize j = 0; j < p; j++)
            for (gsize k = 0; k < p; k++)
                m2[j * p + k] += ((double)x[i * p + j] - mean[j]) * ((double)x[i * p + k] - mean[k]);
}

/* Largest |a - b| over largest |b|. */
static double difference(const double *a, const double *b, gsize n)
{
    double largest = 0, scale = 0;
    for (gsize k = 0; k < n; k++) {
        largest = fmax(largest, isfinite(a[k]) ? fabs(a[k] - b[k]) : INFINITY);
        scale = fmax(scale, fabs(b[k]));
    }
    return scale > 0 ? largest / scale : largest;
}

static void check_against_two_pass(gsize n, gsize p, double offset, double tolerance)
{
    g_autofree float *x = sample(n, p, 7, offset);
    g_autofree double *mean = g_new(double, p), *m2 = g_new(double, p * p);
    g_autoptr(GlintMoments) moments = glint_moments_new(p);
    two_pass(x, n, p, mean, m2);
    for (gsize i = 0, step = 1; i < n; i += step, step = step * 2 + 1) /* calls of every length */
        glint_moments_add(moments, x + i * p, MIN(step, n - i), p);
    assert_int_equal(glint_moments_n(moments), n);
    assert_true(difference(glint_moments_mean(moments), mean, p) < 1e-13);
    assert_true(difference(glint_moments_m2(moments), m2, p * p) < tolerance);
    const double *full = glint_moments_m2(moments);
    for (gsize j = 0; j < p; j++)
        for (gsize k = 0; k < p; k++)
            assert_true(full[j * p + k] == full[k * p + j]);
}

static void test_two_pass(void **state)
{
    (void)state;
    check_against_two_pass(1, 5, 0, 1e-300);
    check_against_two_pass(2, 5, 0, 1e-14);
    check_against_two_pass(511, 3, 0, 1e-12);
    check_against_two_pass(GLINT_MOMENTS_BLOCK, 3, 0, 1e-12);
    check_against_two_pass(513, 3, 0, 1e-12);
    check_against_two_pass(1500, 1, 0, 1e-12);
    check_against_two_pass(1100, 300, 0, 1e-12);  /* several tiles, the last ones ragged */
    check_against_two_pass(600, 257, 0, 1e-12);
    check_against_two_pass(2000, 6, 1e6, 1e-10);  /* mean^2 / variance = 1e13: raw sums of squares would keep 3 digits */
}

static void test_numpy(void **state)
{
    (void)state;
    enum { N = 1300, P = 4 };
    static const double mean[P] = {0.48938655307659734, 0.733357720214587, 1000.7467756535457, 0.7638079268427995};
    static const double covariance[P * P] = { /* numpy.cov(x.astype(float64), rowvar=False), numpy 2.4 */
        0.08438489200828397, 0.037617332585191975, -0.007354616334957432, 0.0005180861232097017,
        0.037617332585191975, 0.09959351712504774, 0.03880221241479054, 0.0015498330482806313,
        -0.007354616334957432, 0.03880221241479054, 0.09950973646253015, 0.03691215903372312,
        0.0005180861232097017, 0.0015498330482806313, 0.03691215903372312, 0.0993990416023868};
    g_autofree float *x = sample(N, P, 12345, 1000);
    assert_true(x[0] == 0.02040266990661621f && x[N * P - 1] == 0.6422979831695557f);
    g_autoptr(GlintMoments) moments = glint_moments_new(P);
    glint_moments_add(moments, x, N, P);
    double ours[P * P];
    glint_moments_covariance(moments, ours);
    assert_true(difference(glint_moments_mean(moments), mean, P) < 1e-14);
    assert_true(difference(ours, covariance, P * P) < 1e-12);
}

static void test_none_and_one(void **state)
{
    (void)state;
    g_autoptr(GlintMoments) moments = glint_moments_new(3);
    const double none[9] = {0};
    double covariance[9];
    assert_int_equal(glint_moments_n(moments), 0);
    assert_memory_equal(glint_moments_mean(moments), none, 3 * sizeof(double));
    glint_moments_covariance(moments, covariance);
    assert_memory_equal(covariance, none, sizeof none);
    const float row[3] = {1.5f, -2, 1e30f};
    glint_moments_add(moments, row, 1, 3);
    assert_int_equal(glint_moments_n(moments), 1);
    assert_true(glint_moments_mean(moments)[0] == 1.5 && glint_moments_mean(moments)[2] == (double)1e30f);
    assert_true(difference(glint_moments_m2(moments), none, 9) == 0);
    glint_moments_covariance(moments, covariance);
    assert_memory_equal(covariance, none, sizeof none);
    assert_null(glint_moments_new(0));
    assert_null(glint_moments_new(G_MAXSIZE / 2));
}

static void test_stride_and_f64(void **state)
{
    (void)state;
    enum { N = 700, P = 9, STRIDE = 13 };
    g_autofree float *x = sample(N, P, 3, 10), *wide = g_new0(float, N * STRIDE);
    g_autofree double *wide64 = g_new0(double, N * STRIDE);
    for (gsize i = 0; i < N; i++)
        for (gsize j = 0; j < STRIDE; j++)
            wide64[i * STRIDE + j] = wide[i * STRIDE + j] = j < P ? x[i * P + j] : 1e9f;
    g_autoptr(GlintMoments) a = glint_moments_new(P), b = glint_moments_new(P), c = glint_moments_new(P);
    glint_moments_add(a, x, N, P);
    glint_moments_add(b, wide, N, STRIDE);
    glint_moments_add_f64(c, wide64, N, STRIDE);
    assert_memory_equal(glint_moments_m2(a), glint_moments_m2(b), P * P * sizeof(double));
    assert_memory_equal(glint_moments_m2(a), glint_moments_m2(c), P * P * sizeof(double));
}

static void test_merge(void **state)
{
    (void)state;
    enum { N = 3000, P = 70 };
    static const gsize cuts[] = {0, 1, 400, GLINT_MOMENTS_BLOCK, 1500, 2999, 3000}; /* pending rows on either side, or none */
    g_autofree float *x = sample(N, P, 11, 50);
    g_autoptr(GlintMoments) whole = glint_moments_new(P);
    glint_moments_add(whole, x, N, P);
    for (gsize k = 0; k < G_N_ELEMENTS(cuts); k++) {
        g_autoptr(GlintMoments) a = glint_moments_new(P), b = glint_moments_new(P);
        g_autoptr(GError) error = NULL;
        glint_moments_add(a, x, cuts[k], P);
        glint_moments_add(b, x + cuts[k] * P, N - cuts[k], P);
        assert_true(glint_moments_merge(a, b, &error));
        assert_int_equal(glint_moments_n(a), N);
        assert_int_equal(glint_moments_n(b), N - cuts[k]);
        assert_true(difference(glint_moments_mean(a), glint_moments_mean(whole), P) < 1e-12);
        assert_true(difference(glint_moments_m2(a), glint_moments_m2(whole), P * P) < 1e-12);
    }
    g_autoptr(GlintMoments) other = glint_moments_new(P + 1);
    g_autoptr(GError) error = NULL;
    assert_false(glint_moments_merge(whole, other, &error));
    assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_DATA));
}

static void test_threads_do_not_change_a_bit(void **state)
{
    (void)state;
    static const gsize widths[] = {5, 256, 700};
    int before = omp_get_max_threads();
    for (gsize k = 0; k < G_N_ELEMENTS(widths); k++) {
        gsize p = widths[k], n = 1700;
        g_autofree float *x = sample(n, p, 5, 3);
        g_autofree double *first = NULL;
        for (int threads = 1; threads <= 4; threads++) {
            g_autoptr(GlintMoments) a = glint_moments_new(p), b = glint_moments_new(p);
            omp_set_num_threads(threads);
            glint_moments_add(a, x, n / 2, p);
            glint_moments_add(b, x + n / 2 * p, n - n / 2, p);
            assert_true(glint_moments_merge(a, b, NULL));
            if (!first)
                first = g_memdup2(glint_moments_m2(a), p * p * sizeof(double));
            assert_true(memcmp(first, glint_moments_m2(a), p * p * sizeof(double)) == 0);
            assert_int_equal(omp_get_max_threads(), threads);
        }
    }
    omp_set_num_threads(before);
}

static char *scratch_file(const char *name)
{
    g_autofree char *file = g_strdup_printf("glint-moments-%d-%s", (int)getpid(), name);
    return g_build_filename(g_get_tmp_dir(), file, NULL);
}

static void test_save_load_continue(void **state)
{
    (void)state;
    enum { N = 1800, P = 33 };
    static const gsize cuts[] = {0, 1, 300, GLINT_MOMENTS_BLOCK, 777, 4 * GLINT_MOMENTS_BLOCK, 1800};
    g_autofree float *x = sample(N, P, 13, 20);
    g_autofree char *path = scratch_file("state.safetensors"), *end_path = scratch_file("end.safetensors"), *end_bytes = NULL;
    gsize end_length;
    g_autoptr(GHashTable) notes = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_insert(notes, g_strdup("class"), g_strdup("a \"quoted\" \xC3\xA9 class"));
    g_hash_table_insert(notes, g_strdup("site"), g_strdup("blocks.0.mlp.hook_post"));
    g_autoptr(GlintMoments) whole = glint_moments_new(P);
    glint_moments_add(whole, x, N, P);
    assert_true(glint_moments_save(whole, end_path, notes, NULL));
    assert_true(g_file_get_contents(end_path, &end_bytes, &end_length, NULL));
    for (gsize k = 0; k < G_N_ELEMENTS(cuts); k++) {
        g_autoptr(GlintMoments) a = glint_moments_new(P);
        g_autoptr(GHashTable) read = NULL;
        g_autoptr(GError) error = NULL;
        g_autofree char *bytes = NULL;
        gsize length;
        glint_moments_add(a, x, cuts[k], P);
        assert_true(glint_moments_save(a, path, notes, &error));
        g_autoptr(GlintMoments) b = glint_moments_load(path, &read, &error);
        assert_non_null(b);
        assert_int_equal(glint_moments_n(b), cuts[k]);
        assert_int_equal(g_hash_table_size(read), 2);
        assert_string_equal(g_hash_table_lookup(read, "class"), "a \"quoted\" \xC3\xA9 class");
        glint_moments_add(b, x + cuts[k] * P, N - cuts[k], P);
        assert_true(glint_moments_save(b, path, notes, &error));
        assert_true(g_file_get_contents(path, &bytes, &length, NULL));
        assert_int_equal(length, end_length);
        assert_memory_equal(bytes, end_bytes, length); /* the whole file, pending rows too */
    }
    g_remove(path);
    g_remove(end_path);
}

static void test_load_refuses(void **state)
{
    (void)state;
    g_autofree char *path = scratch_file("bad.safetensors"), *bytes = NULL;
    gsize length;
    g_autoptr(GlintMoments) moments = glint_moments_new(4);
    const float rows[8] = {1, 2, 3, 4, 5, 6, 7, 9};
    glint_moments_add(moments, rows, 2, 4);
    assert_true(glint_moments_save(moments, path, NULL, NULL));
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    for (gsize cut = 0; cut < length; cut += 7) { /* cut off anywhere: an error, no crash */
        g_autoptr(GError) error = NULL;
        assert_true(g_file_set_contents(path, bytes, (gssize)cut, NULL));
        assert_null(glint_moments_load(path, NULL, &error));
        assert_non_null(error);
        assert_non_null(strstr(error->message, path));
    }
    char *n = memmem(bytes, length, "\"n\"", 3);
    assert_non_null(n);
    char *digit = strchr(n, '2');
    *digit = '1'; /* fewer rows than are pending */
    g_autoptr(GError) error = NULL;
    assert_true(g_file_set_contents(path, bytes, (gssize)length, NULL));
    assert_null(glint_moments_load(path, NULL, &error));
    assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_FORMAT));
    g_remove(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_pass),   cmocka_unit_test(test_numpy),
        cmocka_unit_test(test_none_and_one), cmocka_unit_test(test_stride_and_f64),
        cmocka_unit_test(test_merge),      cmocka_unit_test(test_threads_do_not_change_a_bit),
        cmocka_unit_test(test_save_load_continue), cmocka_unit_test(test_load_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
