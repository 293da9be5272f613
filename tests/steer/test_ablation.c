/* A class x class matrix on a network where each class's module is known: entries against plain loops, the diagonal found, seeds. */
#include "fake_network.h"
#include "steer/ablation.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

enum { CLASSES = 3, TEXTS = 12, LENGTH = 6 };

/* Texts of class 0 say GOOD, to which module 0 writes; those of class 1 say 3, to which module 1 does; those of class 2 neither. */
static GlintSteerTexts *class_texts(gsize class_number)
{
    static const guint32 word[2] = {NET_GOOD, 3};
    GlintSteerTexts *texts = network_texts(TEXTS, LENGTH, 10 + (guint32)class_number);
    for (gsize k = 0; class_number < 2 && k < TEXTS; k++)
        for (gsize t = 1; t < LENGTH; t += 2)
            g_array_index(texts->tokens, guint32, k * LENGTH + t) = word[class_number];
    return texts;
}

/* In class c the neurons of module c fire more. */
static GlintSteerLayer *class_layer(gsize c)
{
    GlintSteerLayer *layer = network_layer();
    const gsize p = layer->p;
    layer->n_classes = CLASSES;
    g_strfreev(layer->classes);
    layer->classes = g_strsplit("a,b,c", ",", -1);
    g_free(layer->mean);
    layer->mean = g_new(double, CLASSES * p);
    for (gsize k = 0; k < CLASSES; k++)
        for (gsize i = 0; i < p; i++)
            layer->mean[k * p + i] = 0.5 + (i / NET_MODULE == k ? 0.2 : 0);
    layer->towards = c;
    layer->away = c == 0 ? 1 : 0;
    glint_steer_against_others(layer);
    return layer;
}

typedef struct { GlintSteerLayer *layers[CLASSES]; GlintSteerTexts *texts[CLASSES]; GlintSteerLab *lab; } Case;

static int setup(void **state)
{
    Case *self = g_new0(Case, 1);
    GError *error = NULL;
    GlintVerbalisers words = network_verbalisers();
    for (gsize c = 0; c < CLASSES; c++) {
        self->layers[c] = class_layer(c);
        self->texts[c] = class_texts(c);
    }
    self->lab = glint_steer_lab_new(network_model(), self->texts[0], &words, 1, 0, &error);
    assert_non_null(self->lab);
    g_array_unref(words.tokens[0]);
    g_array_unref(words.tokens[1]);
    *state = self;
    return 0;
}

static int teardown(void **state)
{
    Case *self = *state;
    for (gsize c = 0; c < CLASSES; c++) {
        glint_steer_layer_free(self->layers[c]);
        glint_steer_texts_free(self->texts[c]);
    }
    glint_steer_lab_free(self->lab);
    g_free(self);
    return 0;
}

static GlintAblation *ablate(const Case *self, GlintSteerKind kind, guint64 seed)
{
    GError *error = NULL;
    const GlintAblationOptions options = {.kind = kind, .least = 3, .n_random = 20, .seed = seed};
    GlintAblation *ablation = glint_steer_ablation(self->lab, self->layers, self->texts, CLASSES, &options, &error);
    assert_non_null(ablation);
    return ablation;
}

/* Loss of token `next` behind `token` when a module is set to `state` (none: -1); BOS is left alone. */
static double plain_loss(guint32 token, guint32 next, int module, double state)
{
    double sum = 0, own = 0;
    for (gsize v = 0; v < NET_VOCAB; v++) {
        double logit = network_bias(v);
        for (gsize j = 0; j < NET_NEURONS; j++)
            logit += network_effect(v, j) * ((int)(j / NET_MODULE) == module && token != NET_BOS ? state : network_activation(token, j));
        sum += exp(logit);
        own = v == next ? logit : own;
    }
    return log(sum) - own;
}

static void test_entries_are_those_of_plain_loops(void **state)
{
    const Case *self = *state;
    for (int k = 0; k < 2; k++) {
        g_autoptr(GlintAblation) ablation = ablate(self, k ? GLINT_STEER_ABLATE_MEAN : GLINT_STEER_ABLATE_ZERO, 1);
        for (gsize m = 0; m < CLASSES; m++) {
            assert_int_equal(ablation->rows[m].module, m);
            assert_int_equal(ablation->rows[m].n, NET_MODULE);
            for (gsize c = 0; c < CLASSES; c++) {
                double mean = 0, squares = 0, loss = 0, change[TEXTS];
                for (gsize text = 0; text < TEXTS; text++) {
                    const guint32 *tokens = &g_array_index(self->texts[c]->tokens, guint32, text * LENGTH);
                    change[text] = 0;
                    for (gsize t = 0; t + 1 < LENGTH; t++) {
                        const double before = plain_loss(tokens[t], tokens[t + 1], -1, 0);
                        loss += before / (LENGTH - 1) / TEXTS;
                        change[text] += (plain_loss(tokens[t], tokens[t + 1], (int)m, k ? 0.5 : 0) - before) / (LENGTH - 1);
                    }
                    mean += change[text] / TEXTS;
                }
                for (gsize text = 0; text < TEXTS; text++)
                    squares += (change[text] - mean) * (change[text] - mean);
                assert_true(fabs(ablation->rows[m].cells[c].change - mean) < 1e-5);
                assert_true(fabs(ablation->rows[m].cells[c].error - sqrt(squares / (TEXTS - 1) / TEXTS)) < 1e-5);
                assert_true(fabs(ablation->loss[c] - loss) < 1e-5 && ablation->n_texts[c] == TEXTS);
            }
        }
    }
}

static void test_planted_modules_stand_on_the_diagonal(void **state)
{
    g_autoptr(GlintAblation) ablation = ablate(*state, GLINT_STEER_ABLATE_ZERO, 1);
    for (gsize m = 0; m < 2; m++)
        for (gsize c = 0; c < CLASSES; c++) {
            const GlintAblationCell *cell = &ablation->rows[m].cells[c];
            assert_true(cell->exceeds == (m == c));
            assert_true(cell->exceeds == (cell->p <= 0.05) && cell->p >= 1.0 / 21 - 1e-12 && cell->p <= 1);
            assert_true(!cell->exceeds || cell->change > cell->random_high);
            assert_true(cell->random_high >= cell->random_mean);
        }
    double within = 0, across = 0;
    for (gsize m = 0; m < CLASSES; m++)
        for (gsize c = 0; c < CLASSES; c++)
            *(m == c ? &within : &across) += ablation->rows[m].cells[c].change;
    assert_true(fabs(ablation->within - within / 3) < 1e-12 && fabs(ablation->across - across / 6) < 1e-12);
    assert_true(ablation->within > ablation->across);
}

static void test_seeds_repeat(void **state)
{
    g_autoptr(GlintAblation) a = ablate(*state, GLINT_STEER_ABLATE_MEAN, 5), b = ablate(*state, GLINT_STEER_ABLATE_MEAN, 5), c = ablate(*state, GLINT_STEER_ABLATE_MEAN, 6);
    gboolean differs = FALSE;
    for (gsize m = 0; m < CLASSES; m++) {
        assert_memory_equal(a->rows[m].cells, b->rows[m].cells, CLASSES * sizeof *a->rows[m].cells);
        for (gsize k = 0; k < CLASSES; k++)
            differs |= a->rows[m].cells[k].random_mean != c->rows[m].cells[k].random_mean;
    }
    assert_true(differs);
}

static void test_the_contrast_is_with_the_mean_of_the_others(void **state)
{
    const Case *self = *state;
    const GlintSteerLayer *layer = self->layers[2];
    for (gsize i = 0; i < layer->p; i++) {
        const double expected = i / NET_MODULE < 2 ? 0.6 : 0.5; /* of a, b: one of them fires more */
        assert_true(fabs(layer->mean[layer->away * layer->p + i] - expected) < 1e-12);
        assert_true(fabs(layer->effect[i] - (layer->mean[2 * layer->p + i] - expected) / layer->sd[i]) < 1e-12);
    }
}

static void test_no_module_is_an_error(void **state)
{
    const Case *self = *state;
    GError *error = NULL;
    const GlintAblationOptions options = {.kind = GLINT_STEER_ABLATE_MEAN, .least = 100, .n_random = 2};
    assert_null(glint_steer_ablation(self->lab, self->layers, self->texts, CLASSES, &options, &error));
    assert_non_null(strstr(error->message, "no module of 100 neurons"));
    g_clear_error(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_entries_are_those_of_plain_loops, setup, teardown),
        cmocka_unit_test_setup_teardown(test_planted_modules_stand_on_the_diagonal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_seeds_repeat, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_contrast_is_with_the_mean_of_the_others, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_module_is_an_error, setup, teardown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
