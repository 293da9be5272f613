/* Choosing tokens: the filters' sets against transformers' (tools/reference/generate_golden.py) and against a plain sort, how often
 * tokens are drawn against the softmax computed here, the generator's numbers against published ones, logits that are no numbers. */
#include "base/error.h"
#include "base/files.h"
#include "model/sampling.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN GLINT_SOURCE_DIR "/tests/model/data/generate_golden.json"

/* SplitMix64 from state 0 and from 1234567: the values of Vigna's reference code, as in Rosetta Code and Java's SplittableRandom. */
static void test_random(void **state)
{
    (void)state;
    static const guint64 zero[] = {0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F};
    static const guint64 other[] = {6457827717110365317u, 3203168211198807973u, 9817491932198370423u};
    GliRandom a = {0}, b = {1234567};
    for (int i = 0; i < 3; i++) {
        assert_true(gli_random_next(&a) == zero[i]);
        assert_true(gli_random_next(&b) == other[i]);
    }
    GliRandom first = gli_random_new(1, 0), second = gli_random_new(1, 1), again = gli_random_new(1, 0);
    assert_true(first.state != second.state && first.state == again.state);
    for (int i = 0; i < 1000; i++) {
        const double unit = gli_random_unit(&first);
        assert_true(unit >= 0 && unit < 1);
    }
}

static int by_id(const void *a, const void *b)
{
    const guint32 x = ((const GliCandidate *)a)->id, y = ((const GliCandidate *)b)->id;
    return x < y ? -1 : x > y;
}

static void test_golden_sets(void **state)
{
    (void)state;
    g_autoptr(json_t) root = glint_json_read(GOLDEN, NULL);
    const gsize V = (gsize)json_integer_value(json_object_get(root, "vocab"));
    const json_t *cases = json_object_get(root, "filters");
    assert_int_equal(json_array_size(cases), 10);
    GliSampler sampler;
    assert_true(gli_sampler_init(&sampler, V, NULL));
    g_autofree float *logits = g_new(float, V);
    for (gsize c = 0; c < json_array_size(cases); c++) {
        const json_t *one = json_array_get(cases, c), *kept = json_object_get(one, "kept");
        for (gsize i = 0; i < V; i++)
            logits[i] = (float)((double)((i * 7919 + 13 * c) % V) * json_number_value(json_object_get(one, "step")));
        const GliFilter filter = {json_number_value(json_object_get(one, "temperature")), (gsize)json_integer_value(json_object_get(one, "top_k")),
                                  json_number_value(json_object_get(one, "top_p")), json_number_value(json_object_get(one, "min_p"))};
        const gsize n = gli_sampler_filter(&sampler, &filter, logits);
        assert_int_equal(n, json_array_size(kept));
        qsort(sampler.candidates, n, sizeof *sampler.candidates, by_id);
        for (gsize i = 0; i < n; i++)
            assert_int_equal(sampler.candidates[i].id, json_integer_value(json_array_get(kept, i)));
    }
    gli_sampler_clear(&sampler);
}

typedef struct { guint32 id; double p; } Token;

static int likelier(const void *a, const void *b)
{
    const Token *x = a, *y = b;
    return x->p > y->p ? -1 : x->p < y->p ? 1 : x->id < y->id ? -1 : 1;
}

/* The definition, in f64, with a full sort; returns how many tokens stay, their p adding up to 1. */
static gsize plain_filter(const float *logits, gsize V, const GliFilter *filter, Token *tokens)
{
    double top = -INFINITY, total = 0, sum = 0;
    for (gsize i = 0; i < V; i++)
        top = fmax(top, (double)logits[i]);
    for (gsize i = 0; i < V; i++)
        tokens[i] = (Token){(guint32)i, exp(((double)logits[i] - top) / filter->temperature)};
    qsort(tokens, V, sizeof *tokens, likelier);
    gsize n = filter->top_k ? MIN(filter->top_k, V) : V, kept = 0;
    for (gsize i = 0; i < n; i++)
        total += tokens[i].p;
    while (kept < n && (kept == 0 || sum < filter->top_p * total))
        sum += tokens[kept++].p;
    n = filter->top_p < 1 ? kept : n;
    while (n > 1 && tokens[n - 1].p < filter->min_p)
        n--;
    sum = 0;
    for (gsize i = 0; i < n; i++)
        sum += tokens[i].p;
    for (gsize i = 0; i < n; i++)
        tokens[i].p /= sum;
    return n;
}

static const GliFilter filters[] = {{1, 0, 1, 0},    {0.7, 0, 1, 0},  {2, 0, 1, 0},      {1, 7, 1, 0},     {1, 0, 0.83, 0}, {1, 0, 1, 0.11},
                                    {0.6, 30, 0.9, 0.02}, {1, 1, 1, 0}, {1, 5000, 1, 0}, {1.3, 12, 0.999, 0}};

static void fill(float *logits, gsize V, guint32 seed, double spread)
{
    g_autoptr(GRand) random = g_rand_new_with_seed(seed);
    for (gsize i = 0; i < V; i++)
        logits[i] = (float)g_rand_double_range(random, -spread, spread);
}

/* Large vocabularies, the order included: the shortcuts of sampling.c change nothing. */
static void test_plain_sets(void **state)
{
    (void)state;
    static const gsize sizes[] = {1, 2, 63, 5003, 40000};
    for (gsize v = 0; v < G_N_ELEMENTS(sizes); v++) {
        const gsize V = sizes[v];
        GliSampler sampler;
        assert_true(gli_sampler_init(&sampler, V, NULL));
        g_autofree float *logits = g_new(float, V);
        g_autofree Token *tokens = g_new(Token, V);
        for (gsize f = 0; f < G_N_ELEMENTS(filters); f++) {
            fill(logits, V, (guint32)(v * 100 + f), 8);
            const gsize n = gli_sampler_filter(&sampler, &filters[f], logits), expected = plain_filter(logits, V, &filters[f], tokens);
            assert_int_equal(n, expected);
            for (gsize i = 0; i < n; i++)
                if (sampler.candidates[i].id != tokens[i].id) /* two weights of f32 may round to one */
                    assert_true(fabs(tokens[i].p / tokens[i ? i - 1 : 0].p - 1) < 1e-5 || fabs(tokens[i].p / tokens[MIN(i + 1, n - 1)].p - 1) < 1e-5);
        }
        gli_sampler_clear(&sampler);
    }
}

/* Equal logits: the smaller ids come first. */
static void test_ties(void **state)
{
    (void)state;
    enum { V = 50 };
    float logits[V];
    for (gsize i = 0; i < V; i++)
        logits[i] = i % 5 == 3 ? 2.0f : 1.0f;
    GliSampler sampler;
    assert_true(gli_sampler_init(&sampler, V, NULL));
    assert_int_equal(gli_sampler_filter(&sampler, &(GliFilter){1, 4, 1, 0}, logits), 4);
    for (gsize i = 0; i < 4; i++)
        assert_int_equal(sampler.candidates[i].id, 3 + 5 * i);
    assert_int_equal(gli_sampler_filter(&sampler, &(GliFilter){1, 12, 1, 0}, logits), 12);
    assert_int_equal(sampler.candidates[10].id, 0);
    assert_int_equal(sampler.candidates[11].id, 1);
    GliRandom random = gli_random_new(1, 1);
    guint32 token;
    assert_true(gli_sampler_draw(&sampler, &(GliFilter){.temperature = 0}, logits, &random, &token, NULL));
    assert_int_equal(token, 3);
    gli_sampler_clear(&sampler);
}

/* Pearson's chi-squared over the tokens that may be drawn; the limit is 6 standard deviations above its mean. */
static void test_frequencies(void **state)
{
    (void)state;
    enum { V = 80, DRAWS = 200000 };
    float logits[V];
    Token tokens[V];
    GliSampler sampler;
    assert_true(gli_sampler_init(&sampler, V, NULL));
    for (gsize f = 0; f < G_N_ELEMENTS(filters); f++) {
        guint count[V] = {0};
        fill(logits, V, (guint32)f, 3);
        logits[17] = -INFINITY; /* never */
        GliRandom random = gli_random_new(42, f);
        for (int i = 0; i < DRAWS; i++) {
            guint32 token;
            assert_true(gli_sampler_draw(&sampler, &filters[f], logits, &random, &token, NULL));
            count[token]++;
        }
        const gsize n = plain_filter(logits, V, &filters[f], tokens);
        double chi = 0;
        guint drawn = 0;
        for (gsize i = 0; i < n; i++) {
            const double expected = tokens[i].p * DRAWS;
            chi += expected > 0 ? ((double)count[tokens[i].id] - expected) * ((double)count[tokens[i].id] - expected) / expected : 0;
            drawn += count[tokens[i].id];
        }
        assert_int_equal(drawn, DRAWS); /* nothing else was */
        const double freedom = (double)n - 1;
        if (chi > freedom + 6 * sqrt(2 * freedom) + 1e-9)
            fail_msg("filter %zu: chi-squared %g at %g degrees of freedom", f, chi, freedom);
    }
    gli_sampler_clear(&sampler);
}

static void test_unsound(void **state)
{
    (void)state;
    enum { V = 100 };
    static const float bad[] = {NAN, INFINITY};
    GliSampler sampler;
    assert_true(gli_sampler_init(&sampler, V, NULL));
    for (gsize b = 0; b < 3; b++)
        for (double temperature = 0; temperature < 2; temperature++) {
            float logits[V] = {0};
            for (gsize i = 0; b == 2 && i < V; i++)
                logits[i] = -INFINITY;
            if (b < 2)
                logits[61] = bad[b];
            GliRandom random = {0};
            guint32 token;
            GError *error = NULL;
            assert_false(gli_sampler_draw(&sampler, &(GliFilter){.temperature = temperature, .top_p = 1}, logits, &random, &token, &error));
            assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_DATA));
            g_error_free(error);
        }
    gli_sampler_clear(&sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_random), cmocka_unit_test(test_golden_sets), cmocka_unit_test(test_plain_sets), cmocka_unit_test(test_ties),
                                       cmocka_unit_test(test_frequencies), cmocka_unit_test(test_unsound)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
