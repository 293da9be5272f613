/* Operators against plain formulas; the conditional mean against a direct Gaussian computation. */
#include "base/error.h"
#include "fake_network.h"
#include "steer/operator.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

typedef struct { GlintSteerLayer *layer; GArray *rows; } Case;

static int setup(void **state)
{
    Case *self = g_new0(Case, 1);
    self->layer = network_layer();
    self->rows = glint_steer_module(self->layer, 0);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    Case *self = *state;
    g_array_unref(self->rows);
    glint_steer_layer_free(self->layer);
    g_free(self);
    return 0;
}

static const gsize *rows_of(const Case *self) { return (const gsize *)(void *)self->rows->data; }
static gsize row_at(const Case *self, gsize k) { return g_array_index(self->rows, gsize, k); }
static double theta(const Case *self, gsize i, gsize j)
{
    const GlintCsr *t = self->layer->precision;
    for (gint64 e = t->indptr[i]; e < t->indptr[i + 1]; e++)
        if ((gsize)t->indices[e] == j)
            return t->data[e];
    return 0;
}

static void fill(float *row)
{
    for (gsize j = 0; j < NET_NEURONS; j++)
        row[j] = (float)network_activation(7, j);
}

/* Applies the operator to a known row and returns the module's values in the order of its rows. */
static void apply(const Case *self, GlintSteerKind kind, double strength, gsize hubs, double *before, double *after)
{
    GError *error = NULL;
    g_autoptr(GlintSteerOperator) operator = glint_steer_operator_new(kind, self->layer, rows_of(self), NET_MODULE, hubs, &error);
    assert_null(error);
    float row[NET_NEURONS], kept[NET_NEURONS];
    double scratch[2 * NET_MODULE];
    fill(row);
    fill(kept);
    glint_steer_apply(operator, strength, row, scratch);
    for (gsize k = 0; k < NET_MODULE; k++) {
        before[k] = (double)kept[row_at(self, k)];
        after[k] = (double)row[row_at(self, k)];
        kept[row_at(self, k)] = row[row_at(self, k)];
    }
    assert_memory_equal(row, kept, sizeof row); /* nobody else was touched */
}

static void assert_near(double a, double b) { assert_true(fabs(a - b) <= 1e-6 * (1 + fabs(b))); }

static void test_hubs_come_first(void **state)
{
    const Case *self = *state;
    assert_int_equal(self->rows->len, NET_MODULE);
    assert_int_equal(row_at(self, 0), 0); /* the chord joins 0 and 2 */
    assert_int_equal(row_at(self, 1), 2);
    assert_int_equal(row_at(self, 2), 1);
}

static void test_simple_operators(void **state)
{
    const Case *self = *state;
    double h[NET_MODULE], got[NET_MODULE];
    const double a = 0.7, up = 0.6, gap = 0.2, mean = 0.5;
    apply(self, GLINT_STEER_SCALE, a, 0, h, got);
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_near(got[k], (1 + a) * h[k]);
    apply(self, GLINT_STEER_CLAMP, a, 0, h, got);
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_near(got[k], (1 - a) * h[k] + a * up);
    apply(self, GLINT_STEER_SHIFT, a, 0, h, got);
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_near(got[k], h[k] + a * gap);
    apply(self, GLINT_STEER_ABLATE_MEAN, a, 0, h, got);
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_near(got[k], (1 - a) * h[k] + a * mean);
    apply(self, GLINT_STEER_CLAMP, 3, 0, h, got); /* beyond 1: the state itself, three times as far from the mean */
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_near(got[k], mean + 3 * (up - mean));
    apply(self, GLINT_STEER_CLAMP, -0.5, 0, h, got); /* half the way to the state on the other side of the mean */
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_near(got[k], 0.5 * h[k] + 0.5 * (mean - (up - mean)));
    apply(self, GLINT_STEER_ABLATE_ZERO, 1, 0, h, got);
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_true(got[k] == 0);
}

static void test_weight_uses_partial_correlations(void **state)
{
    const Case *self = *state;
    double h[NET_MODULE], got[NET_MODULE];
    apply(self, GLINT_STEER_WEIGHT, -1.3, 0, h, got);
    for (gsize k = 0; k < NET_MODULE; k++) {
        double wanted = h[k];
        for (gsize j = 0; j < NET_MODULE; j++)
            if (j != k)
                wanted += -1.3 * -theta(self, row_at(self, k), row_at(self, j)) / 1.5 * h[j];
        assert_near(got[k], wanted);
    }
}

/* E[h_B | h_A = v] = m_B + S_BA S_AA^-1 (v - m_A), S the covariance of the module given everything outside it, which is T_MM^-1: by Gauss-Jordan here. */
static void gaussian_expectation(const Case *self, gsize hubs, double *out)
{
    double a[NET_MODULE][2 * NET_MODULE] = {{0}}, s[NET_MODULE][NET_MODULE];
    for (gsize i = 0; i < NET_MODULE; i++) {
        for (gsize j = 0; j < NET_MODULE; j++)
            a[i][j] = theta(self, row_at(self, i), row_at(self, j));
        a[i][NET_MODULE + i] = 1;
    }
    for (gsize k = 0; k < NET_MODULE; k++)
        for (gsize i = 0; i < NET_MODULE; i++) {
            const double factor = i == k ? 1 - 1 / a[k][k] : a[i][k] / a[k][k];
            for (gsize j = 2 * NET_MODULE; j-- > 0;)
                a[i][j] -= factor * a[k][j];
        }
    for (gsize i = 0; i < NET_MODULE; i++)
        for (gsize j = 0; j < NET_MODULE; j++)
            s[i][j] = a[i][NET_MODULE + j];
    assert_int_equal(hubs, 2);
    const double det = s[0][0] * s[1][1] - s[0][1] * s[1][0], v = 0.6 - 0.5; /* both hubs move from 0.5 to 0.6 */
    const double w0 = (s[1][1] * v - s[0][1] * v) / det, w1 = (s[0][0] * v - s[1][0] * v) / det;
    for (gsize i = 0; i < NET_MODULE; i++)
        out[i] = i < hubs ? 0.6 : 0.5 + s[i][0] * w0 + s[i][1] * w1;
}

static void test_conditional_is_the_gaussian_expectation(void **state)
{
    const Case *self = *state;
    double h[NET_MODULE], got[NET_MODULE], wanted[NET_MODULE];
    gaussian_expectation(self, 2, wanted);
    assert_true(fabs(wanted[2] - 0.5) > 0.01); /* the rest does move */
    apply(self, GLINT_STEER_CONDITIONAL, 1, 2, h, got);
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_near(got[k], wanted[k]);
    apply(self, GLINT_STEER_CONDITIONAL, 0.25, 2, h, got);
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_near(got[k], 0.75 * h[k] + 0.25 * wanted[k]);
}

static void test_discriminant_has_the_length_of_the_difference(void **state)
{
    const Case *self = *state;
    double h[NET_MODULE], got[NET_MODULE], direction[NET_MODULE], length = 0;
    for (gsize k = 0; k < NET_MODULE; k++) {
        direction[k] = 0;
        for (gsize j = 0; j < NET_NEURONS; j++)
            direction[k] += theta(self, row_at(self, k), j) * (self->layer->mean[NET_NEURONS + j] - self->layer->mean[j]);
        length += direction[k] * direction[k];
    }
    apply(self, GLINT_STEER_DISCRIMINANT, 2, 0, h, got);
    for (gsize k = 0; k < NET_MODULE; k++)
        assert_near(got[k], h[k] + 2 * direction[k] * sqrt(NET_MODULE * 0.04 / length));
}

static void test_zero_strength_keeps_every_bit(void **state)
{
    const Case *self = *state;
    double h[NET_MODULE], got[NET_MODULE];
    for (int kind = 0; kind < GLINT_STEER_VECTOR; kind++) {
        apply(self, (GlintSteerKind)kind, 0, 0, h, got);
        assert_memory_equal(h, got, sizeof h);
    }
}

static void test_carried_over(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    const gsize others[NET_MODULE] = {20, 21, 22, 30, 31, 40};
    g_autoptr(GlintSteerOperator) weight = glint_steer_operator_new(GLINT_STEER_WEIGHT, self->layer, rows_of(self), NET_MODULE, 0, &error);
    g_autoptr(GlintSteerOperator) same = glint_steer_operator_on(weight, self->layer, others, 0, &error);
    assert_non_null(same);
    assert_memory_equal(weight->matrix, same->matrix, NET_MODULE * NET_MODULE * sizeof(double));
    g_autoptr(GlintSteerOperator) clamp = glint_steer_operator_new(GLINT_STEER_CLAMP, self->layer, rows_of(self), NET_MODULE, 0, &error);
    g_autoptr(GlintSteerOperator) other = glint_steer_operator_on(clamp, self->layer, others, 0, &error);
    for (gsize k = 0; k < NET_MODULE; k++) {
        assert_int_equal(other->column[k], others[k]);
        assert_true(other->constant[k] == self->layer->mean[NET_NEURONS + others[k]]);
    }
}

static void test_equal_means_have_no_direction(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    memcpy(self->layer->mean, self->layer->mean + NET_NEURONS, NET_NEURONS * sizeof(double));
    assert_null(glint_steer_operator_new(GLINT_STEER_SHIFT, self->layer, rows_of(self), NET_MODULE, 0, &error));
    assert_int_equal(error->code, GLINT_ERROR_DATA);
    assert_non_null(strstr(error->message, "same mean"));
    g_clear_error(&error);
    assert_null(glint_steer_operator_new(GLINT_STEER_SCALE, self->layer, rows_of(self), 0, 0, &error));
    g_clear_error(&error);
}

static void test_the_tap_leaves_the_beginning_alone(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    g_autoptr(GlintSteerOperator) operator = glint_steer_operator_new(GLINT_STEER_ABLATE_ZERO, self->layer, rows_of(self), NET_MODULE, 0, &error);
    const gsize past[] = {0, 5, 1}, start[] = {0, 3, 5, 8};
    const GlintBatch batch = {NULL, start, 3};
    GlintSteering steering = {.operator = operator, .strength = 1, .skip = 2, .past = past};
    const GlintTap tap = glint_steering_tap(&steering);
    g_autofree float *rows = g_new(float, 8 * NET_NEURONS);
    for (gsize k = 0; k < 8 * NET_NEURONS; k++)
        rows[k] = 1;
    assert_true(tap.function(&tap.site, &batch, rows, NET_NEURONS, tap.user_data, &error));
    const gboolean steered[8] = {FALSE, FALSE, TRUE, TRUE, TRUE, FALSE, TRUE, TRUE};
    for (gsize t = 0; t < 8; t++)
        assert_true(rows[t * NET_NEURONS] == (steered[t] ? 0.0f : 1.0f));
    assert_false(tap.function(&tap.site, &batch, rows, 3, tap.user_data, &error));
    assert_non_null(strstr(error->message, "another model"));
    g_clear_error(&error);
}

static void test_names(void **state)
{
    (void)state;
    for (int kind = 0; kind < GLINT_STEER_VECTOR; kind++) {
        GlintSteerKind parsed;
        GError *error = NULL;
        assert_true(glint_steer_kind_parse(glint_steer_kind_name((GlintSteerKind)kind), &parsed, &error));
        assert_int_equal(parsed, kind);
    }
    GlintSteerKind parsed;
    GError *error = NULL;
    assert_false(glint_steer_kind_parse("push", &parsed, &error));
    assert_non_null(strstr(error->message, "conditional"));
    g_clear_error(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hubs_come_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_simple_operators, setup, teardown),
        cmocka_unit_test_setup_teardown(test_weight_uses_partial_correlations, setup, teardown),
        cmocka_unit_test_setup_teardown(test_conditional_is_the_gaussian_expectation, setup, teardown),
        cmocka_unit_test_setup_teardown(test_discriminant_has_the_length_of_the_difference, setup, teardown),
        cmocka_unit_test_setup_teardown(test_zero_strength_keeps_every_bit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_carried_over, setup, teardown),
        cmocka_unit_test_setup_teardown(test_equal_means_have_no_direction, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_tap_leaves_the_beginning_alone, setup, teardown),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
