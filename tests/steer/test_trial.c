/* Strength by KL against plain loops; a planted causal module wins against all controls, a planted useless one does not; seeds. */
#include "base/error.h"
#include "fake_network.h"
#include "steer/trial.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static const double kls[] = {0.02, 0.1, 0.3};
enum { N_KL = 3 };

typedef struct {
    GlintSteerLayer *layer;
    GlintSteerTexts *neutral, *prompts, *choosing, *training[2];
    GlintVerbalisers words;
    GlintSteerLab *lab;
} Case;

static int setup(void **state)
{
    Case *self = g_new0(Case, 1);
    GError *error = NULL;
    self->layer = network_layer();
    self->neutral = network_texts(12, 20, 1);
    self->prompts = network_texts(30, 8, 2);
    self->choosing = network_texts(20, 8, 3);
    self->training[0] = network_texts(10, 8, 4);
    self->training[1] = network_texts(10, 8, 5);
    self->words = network_verbalisers();
    self->lab = glint_steer_lab_new(network_model(), self->neutral, &self->words, 1, 0, &error);
    assert_non_null(self->lab);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    Case *self = *state;
    glint_steer_layer_free(self->layer);
    glint_steer_texts_free(self->neutral);
    glint_steer_texts_free(self->prompts);
    glint_steer_texts_free(self->choosing);
    for (int side = 0; side < 2; side++) {
        glint_steer_texts_free(self->training[side]);
        g_array_unref(self->words.tokens[side]);
    }
    glint_steer_lab_free(self->lab);
    g_free(self);
    return 0;
}

/* ---- the network by plain loops: module `m` shifted by a times its difference of means, 0.2 each ---- */

static void plain_distribution(guint32 token, int module, double a, double *p)
{
    double sum = 0;
    for (gsize v = 0; v < NET_VOCAB; v++) {
        double logit = network_bias(v);
        for (gsize j = 0; j < NET_NEURONS; j++)
            logit += network_effect(v, j) * (network_activation(token, j) + ((int)(j / NET_MODULE) == module ? 0.2 * a : 0));
        p[v] = exp(logit);
        sum += p[v];
    }
    for (gsize v = 0; v < NET_VOCAB; v++)
        p[v] /= sum;
}

static guint32 token_at(const GlintSteerTexts *texts, gsize text, gsize t) { return g_array_index(texts->tokens, guint32, g_array_index(texts->start, gsize, text) + t); }

/* Mean KL and the rest over the neutral text, BOS left alone and left out. */
static GlintSteerCost plain_cost(const Case *self, int module, double a)
{
    GlintSteerCost cost = {0};
    gsize positions = 0, predicted = 0;
    for (gsize text = 0; text < glint_steer_texts_count(self->neutral); text++)
        for (gsize t = 1; t < glint_steer_texts_length(self->neutral, text); t++) {
            double p[NET_VOCAB], q[NET_VOCAB];
            gsize top_p = 0, top_q = 0;
            plain_distribution(token_at(self->neutral, text, t), module, 0, p);
            plain_distribution(token_at(self->neutral, text, t), module, a, q);
            for (gsize v = 0; v < NET_VOCAB; v++) {
                cost.kl += p[v] * log(p[v] / q[v]);
                top_p = p[v] > p[top_p] ? v : top_p;
                top_q = q[v] > q[top_q] ? v : top_q;
            }
            cost.same_top += top_p == top_q;
            positions++;
            if (t + 1 < glint_steer_texts_length(self->neutral, text)) {
                const guint32 next = token_at(self->neutral, text, t + 1);
                cost.nll_change += log(p[next]) - log(q[next]);
                predicted++;
            }
        }
    return (GlintSteerCost){.kl = cost.kl / (double)positions, .nll_change = cost.nll_change / (double)predicted, .same_top = cost.same_top / (double)positions};
}

static GlintSteerOperator *shift_of(const Case *self, int module)
{
    GError *error = NULL;
    g_autoptr(GArray) rows = glint_steer_module(self->layer, module);
    GlintSteerOperator *operator = glint_steer_operator_new(GLINT_STEER_SHIFT, self->layer, (const gsize *)(void *)rows->data, rows->len, 0, &error);
    assert_non_null(operator);
    return operator;
}

static void test_cost_is_that_of_plain_loops(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    g_autoptr(GlintSteerOperator) operator = shift_of(self, 0);
    for (int k = -1; k <= 2; k++) {
        GlintSteerCost cost, wanted = plain_cost(self, 0, 3.0 * k);
        assert_true(glint_steer_lab_cost(self->lab, operator, 3.0 * k, &cost, &error));
        assert_true(fabs(cost.kl - wanted.kl) < 1e-5 && fabs(cost.nll_change - wanted.nll_change) < 1e-5 && cost.same_top == wanted.same_top);
        assert_true(cost.kl_p99 >= cost.kl);
    }
}

static void test_readings_are_those_of_plain_loops(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    GlintSteerReading reading[30];
    g_autoptr(GlintSteerOperator) operator = shift_of(self, 0);
    assert_true(glint_steer_lab_read(self->lab, self->prompts, operator, 1.5, reading, &error));
    for (gsize text = 0; text < 30; text++) {
        double q[NET_VOCAB];
        plain_distribution(token_at(self->prompts, text, 7), 0, 1.5, q);
        assert_true(fabs(reading[text].log_odds - log(q[NET_GOOD] / q[NET_BAD])) < 1e-5);
        assert_true(fabs(reading[text].mass - q[NET_GOOD] - q[NET_BAD]) < 1e-6);
        assert_true(fabs(reading[text].probability - q[NET_GOOD] / (q[NET_GOOD] + q[NET_BAD])) < 1e-6);
    }
}

static void test_calibration_reaches_its_kl(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    for (int sign = -1; sign <= 1; sign += 2) {
        double strength[N_KL];
        gboolean reached[N_KL];
        GlintSteerCost cost[N_KL];
        g_autoptr(GlintSteerOperator) operator = shift_of(self, 0);
        const int before = network_forwards;
        assert_true(glint_steer_calibrate(self->lab, operator, sign, kls, N_KL, strength, reached, cost, &error));
        for (gsize k = 0; k < N_KL; k++) {
            assert_true(reached[k] && fabs(cost[k].kl / kls[k] - 1) <= 0.02 && strength[k] * sign > 0);
            assert_true(fabs(plain_cost(self, 0, strength[k]).kl / kls[k] - 1) < 0.021);
        }
        assert_true(network_forwards - before <= 8 * N_KL); /* and does not wander */
    }
}

static void test_calibration_says_when_it_cannot(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    double strength, kl = 5;
    gboolean reached;
    GlintSteerCost cost;
    g_autoptr(GArray) rows = glint_steer_module(self->layer, 0);
    g_autoptr(GlintSteerOperator) operator = glint_steer_operator_new(GLINT_STEER_ABLATE_MEAN, self->layer, (const gsize *)(void *)rows->data, rows->len, 0, &error);
    assert_true(glint_steer_calibrate(self->lab, operator, 1, &kl, 1, &strength, &reached, &cost, &error));
    assert_false(reached);
    assert_true(strength == 1);
}

static GlintSteerTrial *trial_of(const Case *self, int module, GlintSteerKind kind, guint64 seed)
{
    GError *error = NULL;
    g_autoptr(GArray) rows = glint_steer_module(self->layer, module);
    const GlintSteerTrialOptions options = {.kind = kind, .dose = kls, .n_doses = N_KL, .n_random = 24, .n_matched = 24, .seed = seed, .prompts = self->prompts,
                                            .choosing = self->choosing, .training = {self->training[0], self->training[1]}};
    GlintSteerTrial *trial = glint_steer_trial(self->lab, self->layer, rows, &options, &error);
    if (!trial)
        print_error("%s\n", error->message);
    assert_non_null(trial);
    return trial;
}

static void test_the_causal_module_wins(void **state)
{
    const Case *self = *state;
    const GlintSteerKind kinds[] = {GLINT_STEER_SHIFT, GLINT_STEER_CLAMP, GLINT_STEER_SCALE, GLINT_STEER_CONDITIONAL, GLINT_STEER_DISCRIMINANT, GLINT_STEER_WEIGHT};
    for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++) {
        g_autoptr(GlintSteerTrial) trial = trial_of(self, 0, kinds[k], 1);
        const GlintSteerCurve *curve = trial->arms[0].curve;
        if (!trial->steers)
            print_error("%s: %s\n", glint_steer_kind_name(kinds[k]), trial->verdict);
        assert_true(trial->steers);
        assert_non_null(strstr(trial->verdict, "better than random sets"));
        assert_true(trial->p_random[trial->verdict_dose] == 1.0 / 25 && trial->p_matched[trial->verdict_dose] <= 0.05);
        assert_true(curve->doses[0].effect < curve->doses[2].effect && curve->slope > 0);
        if (kinds[k] == GLINT_STEER_SHIFT || kinds[k] == GLINT_STEER_DISCRIMINANT) /* clamping also lowers what lies above the class mean */
            assert_true(curve->against == 0 && curve->doses[2].wrong == 0 && curve->monotone > 0.999);
        assert_true(curve->doses[2].low <= curve->doses[2].effect && curve->doses[2].effect <= curve->doses[2].high);
    }
}

static void test_the_useless_module_does_not(void **state)
{
    const Case *self = *state;
    g_autoptr(GlintSteerTrial) trial = trial_of(self, 1, GLINT_STEER_SHIFT, 1);
    assert_false(trial->steers);
    assert_true(trial->p_random[trial->verdict_dose] > 0.05);
    assert_true(strstr(trial->verdict, "no better than") || strstr(trial->verdict, "not an effect"));
}

static void test_controls_are_what_they_are_called(void **state)
{
    const Case *self = *state;
    g_autoptr(GlintSteerTrial) trial = trial_of(self, 0, GLINT_STEER_SHIFT, 9);
    gsize seen[GLINT_ROLES] = {0};
    for (gsize a = 0; a < trial->n_arms; a++) {
        const GlintSteerArm *arm = &trial->arms[a];
        seen[arm->role]++;
        for (gsize k = 0; k < N_KL; k++)
            assert_true(!arm->curve->doses[k].reached || fabs(arm->curve->doses[k].cost.kl / kls[k] - 1) <= 0.02);
        if (!arm->rows)
            continue;
        assert_int_equal(arm->rows->len, NET_MODULE);
        for (gsize k = 0; k < NET_MODULE; k++) {
            const gsize row = g_array_index(arm->rows, gsize, k);
            for (gsize j = 0; j < k; j++)
                assert_true(g_array_index(arm->rows, gsize, j) != row);
            if (arm->role == GLINT_ROLE_RANDOM || arm->role == GLINT_ROLE_MATCHED)
                assert_true(row >= NET_MODULE);
            if (arm->role == GLINT_ROLE_TOP)
                assert_true(row < 2 * NET_MODULE);
            if (arm->role == GLINT_ROLE_MATCHED) /* every module is wired alike: an equal degree can always be had, or one off */
                assert_true(labs((long)self->layer->graph->nodes[row].degree - (long)self->layer->graph->nodes[g_array_index(trial->arms[0].rows, gsize, k)].degree) <= 1);
        }
    }
    assert_int_equal(seen[GLINT_ROLE_MODULE], 1);
    assert_int_equal(seen[GLINT_ROLE_RANDOM], 24);
    assert_int_equal(seen[GLINT_ROLE_MATCHED], 24);
    assert_int_equal(seen[GLINT_ROLE_TOP], 1);
    assert_int_equal(seen[GLINT_ROLE_CORRELATION], 1);
    assert_int_equal(seen[GLINT_ROLE_RESIDUAL], 1);
}

static void test_equal_seeds_equal_results(void **state)
{
    const Case *self = *state;
    g_autoptr(GlintSteerTrial) one = trial_of(self, 0, GLINT_STEER_SCALE, 5), two = trial_of(self, 0, GLINT_STEER_SCALE, 5), other = trial_of(self, 0, GLINT_STEER_SCALE, 6);
    gboolean differs = FALSE;
    assert_string_equal(one->verdict, two->verdict);
    for (gsize a = 0; a < one->n_arms; a++)
        for (gsize k = 0; k < N_KL; k++) {
            assert_true(one->arms[a].curve->doses[k].effect == two->arms[a].curve->doses[k].effect);
            differs = differs || one->arms[a].curve->doses[k].effect != other->arms[a].curve->doses[k].effect;
        }
    assert_true(differs);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_cost_is_that_of_plain_loops), T(test_readings_are_those_of_plain_loops), T(test_calibration_reaches_its_kl), T(test_calibration_says_when_it_cannot),
        T(test_the_causal_module_wins), T(test_the_useless_module_does_not), T(test_controls_are_what_they_are_called), T(test_equal_seeds_equal_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
