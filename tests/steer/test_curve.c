/* What a curve says of its readings, on a network whose log-odds are linear in the strength; the ranking of modules. */
#include "base/error.h"
#include "fake_network.h"
#include "steer/curve.h"
#include "steer/rank.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { PROMPTS = 40, LENGTH = 6, DOSES = 3 };
static const double doses[DOSES] = {0.5, 1, 4};

typedef struct {
    GlintSteerLayer *layer;
    GlintSteerTexts *neutral, *prompts;
    GlintSteerLab *lab;
    GlintSteerReading unsteered[PROMPTS];
} Case;

static void lab_new(Case *self, gboolean swapped)
{
    GError *error = NULL;
    GlintVerbalisers words = network_verbalisers(), other = {{words.tokens[1], words.tokens[0]}};
    self->lab = glint_steer_lab_new(network_model(), self->neutral, swapped ? &other : &words, 1, 0, &error);
    assert_non_null(self->lab);
    g_array_unref(words.tokens[0]);
    g_array_unref(words.tokens[1]);
    assert_true(glint_steer_lab_read(self->lab, self->prompts, NULL, 0, self->unsteered, &error));
}

static int setup(void **state)
{
    Case *self = g_new0(Case, 1);
    self->layer = network_layer();
    self->neutral = network_texts(8, 16, 1);
    self->prompts = network_texts(PROMPTS, LENGTH, 2);
    lab_new(self, FALSE);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    Case *self = *state;
    glint_steer_layer_free(self->layer);
    glint_steer_texts_free(self->neutral);
    glint_steer_texts_free(self->prompts);
    glint_steer_lab_free(self->lab);
    g_free(self);
    return 0;
}

static guint32 last_token(const Case *self, gsize text) { return g_array_index(self->prompts->tokens, guint32, (text + 1) * LENGTH - 1); }

static GlintSteerOperator *module_operator(const Case *self, GlintSteerKind kind)
{
    GError *error = NULL;
    g_autoptr(GArray) rows = glint_steer_module(self->layer, 0);
    GlintSteerOperator *operator = glint_steer_operator_new(kind, self->layer, (const gsize *)(void *)rows->data, rows->len, 0, &error);
    assert_non_null(operator);
    return operator;
}

static GlintSteerCurve *curve_at(Case *self, const GlintSteerOperator *operator, double sign, guint64 seed)
{
    GError *error = NULL;
    double strength[DOSES];
    for (gsize k = 0; k < DOSES; k++)
        strength[k] = sign * doses[k];
    GlintSteerCurve *curve = glint_steer_curve_at(self->lab, operator, strength, DOSES, self->prompts, self->unsteered, seed, &error);
    assert_non_null(curve);
    return curve;
}

/* Every text alike: 6 neurons moved by 0.2 a, each worth 1.2 of log-odds. */
static void test_a_shift_moves_every_text_alike(void **state)
{
    Case *self = *state;
    g_autoptr(GlintSteerOperator) operator = module_operator(self, GLINT_STEER_SHIFT);
    for (int sign = -1; sign <= 1; sign += 2) {
        g_autoptr(GlintSteerCurve) curve = curve_at(self, operator, sign, 1);
        assert_true(curve->n_doses == DOSES && curve->n_prompts == PROMPTS && curve->sign == sign);
        assert_true(fabs(curve->slope - sign * 1.44 * doses[DOSES - 1]) < 1e-4 && curve->slope_sd < 1e-4);
        assert_true(fabs(curve->against - (sign < 0 ? 1 : 0)) < 1e-12);
        assert_true(fabs(curve->monotone - sign) < 1e-12);
        for (gsize k = 0; k < DOSES; k++) {
            const GlintSteerDose *dose = &curve->doses[k];
            assert_true(dose->strength == sign * doses[k] && dose->reached && dose->kl == dose->cost.kl && dose->kl > 0);
            assert_true(fabs(dose->effect - sign * 1.44 * doses[k]) < 1e-4 && fabs(dose->low - dose->effect) < 1e-4 && fabs(dose->high - dose->effect) < 1e-4);
            assert_true(fabs(dose->wrong - (sign < 0 ? 1 : 0)) < 1e-12);
        }
    }
}

/* Texts apart: neuron 0 moves by a (h_1 - h_2), which is positive in some texts and negative in others. */
static void test_texts_that_move_apart(void **state)
{
    Case *self = *state;
    g_autoptr(GlintSteerOperator) operator = module_operator(self, GLINT_STEER_WEIGHT);
    double mean = 0, squares = 0, against = 0;
    memset(operator->matrix, 0, operator->n * operator->n * sizeof *operator->matrix);
    operator->matrix[1] = 1;
    operator->matrix[2] = -1;
    g_autoptr(GlintSteerCurve) curve = curve_at(self, operator, 1, 3), again = curve_at(self, operator, 1, 3), other = curve_at(self, operator, 1, 4);
    for (gsize i = 0; i < PROMPTS; i++) {
        const double slope = 1.2 * (network_activation(last_token(self, i), operator->column[1]) - network_activation(last_token(self, i), operator->column[2]));
        mean += slope / PROMPTS;
        squares += slope * slope;
        against += slope < 0 ? 1.0 / PROMPTS : 0;
    }
    const double sd = sqrt((squares - PROMPTS * mean * mean) / (PROMPTS - 1)), largest = doses[DOSES - 1];
    assert_true(against > 0.1 && against < 0.9);
    assert_true(fabs(curve->slope - largest * mean) < 1e-4 && fabs(curve->slope_sd - largest * sd) < 1e-4);
    assert_true(fabs(curve->against - against) < 1e-9 && fabs(curve->monotone - (1 - 2 * against)) < 1e-9);
    for (gsize k = 0; k < DOSES; k++) {
        const GlintSteerDose *dose = &curve->doses[k];
        const double half = 1.96 * doses[k] * sd / sqrt(PROMPTS);
        assert_true(fabs(dose->effect - doses[k] * mean) < 1e-4 && fabs(dose->wrong - against) < 1e-9);
        assert_true(fabs(glint_steer_mean_change(dose->reading, self->unsteered, PROMPTS) - dose->effect) < 1e-12);
        assert_true(fabs((dose->effect - dose->low) / half - 1) < 0.2 && fabs((dose->high - dose->effect) / half - 1) < 0.2); /* 1,000 resamples */
        assert_true(dose->low == again->doses[k].low && dose->high == again->doses[k].high);
        assert_true(dose->low != other->doses[k].low || dose->high != other->doses[k].high);
    }
}

static void test_nothing_done_is_a_flat_line(void **state)
{
    Case *self = *state;
    g_autoptr(GlintSteerOperator) operator = module_operator(self, GLINT_STEER_WEIGHT);
    memset(operator->matrix, 0, operator->n * operator->n * sizeof *operator->matrix);
    g_autoptr(GlintSteerCurve) curve = curve_at(self, operator, 1, 1);
    assert_true(curve->slope == 0 && curve->slope_sd == 0 && curve->against == 0 && curve->monotone == 0);
    assert_true(curve->doses[0].effect == 0 && curve->doses[0].low == 0 && curve->doses[0].high == 0 && curve->doses[0].wrong == 0 && curve->doses[0].cost.kl < 1e-6);
    assert_true(glint_steer_mean_change(NULL, NULL, 0) == 0);
}

/* Scaling points nowhere: up raises GOOD. Where BAD is wanted, it is down. */
static void test_the_sign_is_chosen_by_effect(void **state)
{
    Case *self = *state;
    GError *error = NULL;
    const double kl[] = {0.01, 0.05};
    g_autoptr(GlintSteerOperator) scale = module_operator(self, GLINT_STEER_SCALE), shift = module_operator(self, GLINT_STEER_SHIFT);
    for (int swapped = 0; swapped < 2; swapped++) {
        glint_steer_lab_free(self->lab);
        lab_new(self, swapped);
        g_autoptr(GlintSteerCurve) chosen = glint_steer_curve(self->lab, scale, kl, 2, self->prompts, self->unsteered, self->prompts, self->unsteered, 1, &error);
        g_autoptr(GlintSteerCurve) fixed = glint_steer_curve(self->lab, shift, kl, 2, self->prompts, self->unsteered, self->prompts, self->unsteered, 1, &error);
        assert_true(chosen && fixed);
        assert_int_equal(chosen->sign, swapped ? -1 : 1);
        assert_int_equal(fixed->sign, 1); /* a shift points to its class, and is not turned round */
        assert_true(chosen->doses[1].effect > 0 && (fixed->doses[1].effect > 0) == !swapped);
        for (gsize k = 0; k < 2; k++) {
            assert_true(chosen->doses[k].kl == kl[k] && chosen->doses[k].reached && fabs(chosen->doses[k].cost.kl / kl[k] - 1) <= 0.02);
            assert_true(chosen->doses[k].strength * chosen->sign > 0);
        }
    }
}

/* ---- ranks ---- */

/* w' difference / sqrt(w' C w) with w = Theta difference, over a module, from the definition. */
static double plain_separation(const GlintSteerLayer *layer, int module)
{
    double w[NET_MODULE] = {0}, between = 0, within = 0;
    const gsize first = (gsize)module * NET_MODULE;
    for (gsize a = 0; a < NET_MODULE; a++)
        for (gint64 e = layer->precision->indptr[first + a]; e < layer->precision->indptr[first + a + 1]; e++) {
            const gsize j = (gsize)layer->precision->indices[e];
            if (j >= first && j < first + NET_MODULE)
                w[a] += layer->precision->data[e] * (layer->mean[layer->p + j] - layer->mean[j]);
        }
    for (gsize a = 0; a < NET_MODULE; a++) {
        between += w[a] * (layer->mean[layer->p + first + a] - layer->mean[first + a]);
        for (gsize b = 0; b < NET_MODULE; b++)
            within += w[a] * w[b] * layer->covariance[(first + a) * layer->p + first + b];
    }
    return between / sqrt(within);
}

static void test_modules_are_ranked_by_separation(void **state)
{
    Case *self = *state;
    GError *error = NULL;
    for (gsize i = 0; i < NET_MODULE; i++) /* module 1 told apart better than module 0 */
        self->layer->mean[self->layer->p + NET_MODULE + i] += 0.1;
    g_autoptr(GArray) ranked = glint_steer_rank(self->layer, NET_MODULE, &error);
    assert_non_null(ranked);
    assert_int_equal(ranked->len, NET_NEURONS / NET_MODULE);
    for (guint k = 0; k < ranked->len; k++) {
        const GlintRankedModule *next = &g_array_index(ranked, GlintRankedModule, k);
        assert_true(next->n == NET_MODULE && fabs(next->separation - plain_separation(self->layer, next->module)) < 1e-9);
        assert_true(k == 0 || next->separation <= g_array_index(ranked, GlintRankedModule, k - 1).separation);
    }
    assert_int_equal(g_array_index(ranked, GlintRankedModule, 0).module, 1);
    assert_int_equal(g_array_index(ranked, GlintRankedModule, 1).module, 0);
    assert_true(fabs(g_array_index(ranked, GlintRankedModule, 1).effect - 1) < 1e-9); /* 0.2 / 0.2 */
    assert_null(glint_steer_rank(self->layer, NET_MODULE + 1, &error));
    assert_non_null(strstr(error->message, "no module of 7 neurons"));
    g_clear_error(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_shift_moves_every_text_alike, setup, teardown), cmocka_unit_test_setup_teardown(test_texts_that_move_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nothing_done_is_a_flat_line, setup, teardown),    cmocka_unit_test_setup_teardown(test_the_sign_is_chosen_by_effect, setup, teardown),
        cmocka_unit_test_setup_teardown(test_modules_are_ranked_by_separation, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
