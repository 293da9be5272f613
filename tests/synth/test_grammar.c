/* Grammars, matched sets and the leakage report. */
#include "base/scratch.h"
#include "synth/synth.h"
#include "text/bag_of_words.h"

#include <math.h>

static guint words(const char *text)
{
    g_auto(GStrv) parts = g_strsplit(text, " ", -1);
    return g_strv_length(parts);
}

/* Every recipe is sound, has hundreds of frames, writes clean sentences, and both sides of a pair have the same number of words. */
static void test_recipes(void **state)
{
    (void)state;
    gsize n_recipes;
    const GlintRecipe *const *recipes = glint_recipes(&n_recipes);
    assert_int_equal(n_recipes, 5);
    for (gsize r = 0; r < n_recipes; r++) {
        g_autoptr(GError) error = NULL;
        gboolean sound = glint_recipe_check(recipes[r], &error);
        expect_ok(sound, error);
        g_autoptr(GlintSynthData) data = glint_synth_local(recipes[r], 1000, 7, &error);
        expect_ok(data != NULL, error);
        assert_int_equal(data->sets->len, 1000);
        g_autoptr(GHashTable) frames = g_hash_table_new(g_str_hash, g_str_equal);
        for (guint k = 0; k < data->sets->len; k++) {
            const GlintSynthSet *set = g_ptr_array_index(data->sets, k);
            g_hash_table_add(frames, set->frame);
            for (guint side = 0; side < 2; side++) {
                const char *text = set->texts[side];
                assert_null(strpbrk(text, "{}[]/|~"));
                assert_null(strstr(text, "  "));
                assert_null(strstr(text, " ."));
                assert_true(g_unichar_isupper(g_utf8_get_char(text)));
                assert_non_null(strchr(".?!", text[strlen(text) - 1]));
            }
            if (!recipes[r]->translated && words(set->texts[0]) != words(set->texts[1]))
                fail_msg("%s: %s | %s", recipes[r]->name, set->texts[0], set->texts[1]);
        }
        print_message("%s: %u frames in 1000 pairs\n", recipes[r]->name, g_hash_table_size(frames));
        assert_true(g_hash_table_size(frames) >= 300);
    }
}

/* A grammar small enough to say what must come out. */
static const char *const tiny_plans[] = {"{Core}."};
static const char *const tiny_core[] = {"a {x} b {x~} {n}/c {x} d {x~} {n}"};
static const char *const tiny_x[] = {"one/two"};
static const char *const tiny_n[] = {"k", "l", "m"};
static const GlintPhrases tiny_phrases[] = {GLINT_PHRASES("Core", tiny_core), GLINT_PHRASES("x", tiny_x), GLINT_PHRASES("n", tiny_n)};
static const GlintRecipe tiny = {.name = "tiny", .labels = {"A", "B"}, .plans = tiny_plans, .n_plans = 1, .phrases = tiny_phrases, .n_phrases = 3};

static void test_walk(void **state)
{
    (void)state;
    guint64 seed = 3;
    for (guint k = 0; k < 20; k++) {
        GlintGrammarPair pair = glint_grammar_write(&tiny, &seed);
        char filling = pair.texts[0][strlen(pair.texts[0]) - 2];
        g_autofree char *first = g_strdup_printf("A one b two %c.", filling), *other = g_strdup_printf("C two d one %c.", filling);
        assert_non_null(strchr("klm", filling));
        assert_string_equal(pair.texts[0], first);
        assert_string_equal(pair.texts[1], other);
        assert_string_equal(pair.frame, "a {x} b {x~} {n}.");
        glint_grammar_pair_clear(&pair);
    }
    g_autoptr(GError) error = NULL;
    assert_null(glint_synth_local(&tiny, 4, 1, &error));
    expect_error(&error, GLINT_ERROR_DATA, "only 3 different pairs");
}

static void test_check_finds_faults(void **state)
{
    (void)state;
    static const struct { const char *option, *part; } cases[] = {
        {"{y}", "no phrases for {y}"}, {"{x", "not closed"}, {"a/b/c", "more than two halves"}, {"a b/c", "unequal numbers of words"}, {"{}", "no phrases for {}"}};
    for (gsize k = 0; k < G_N_ELEMENTS(cases); k++) {
        const char *const core[] = {cases[k].option};
        const GlintPhrases phrases[] = {GLINT_PHRASES("Core", core), GLINT_PHRASES("x", tiny_x)};
        const GlintRecipe faulty = {.name = "faulty", .plans = tiny_plans, .n_plans = 1, .phrases = phrases, .n_phrases = 2};
        g_autoptr(GError) error = NULL;
        assert_false(glint_recipe_check(&faulty, &error));
        expect_error(&error, GLINT_ERROR_FORMAT, cases[k].part);
    }
}

/* The file is the same on every machine: this hash was computed once and must stay. */
static void test_same_everywhere(void **state)
{
    static const struct { const char *recipe, *sha256; } golden[] = {
        {"sentiment", "78077cefb3811ec8ccfb9750412c42a4f58be74156ffc1272303205111756296"},
            {"refusal", "f6bd53654827dc70e798924d18b7535d45ffd3df03423cd09bd9d4217aedb762"},
                {"locations", "3ceeefa8a4e302c24709d50beee4e1406093e00180558500ea261d62892b0281"},
                    {"language", "9dd9e82c6232c10ac1f2e4d85773dfba951b89087ba505326b71365e412a39eb"},
                        {"golden-gate", "b352221dc076ae36e6a341f1864d02aee64c224a300f385496c8b0ba0c59f81e"}};
    for (gsize k = 0; k < G_N_ELEMENTS(golden); k++) {
        g_autoptr(GlintSynthData) data = glint_synth_local(glint_recipe_find(golden[k].recipe), 200, 42, NULL);
        g_autofree char *path = g_build_filename(*state, "out.jsonl", NULL);
        g_autoptr(GError) error = NULL;
        gboolean written = glint_synth_write(data, path, &error);
        expect_ok(written, error);
        g_autofree char *hash = glint_sha256_file(path, NULL);
        if (strcmp(hash, golden[k].sha256) != 0)
            fail_msg("recipe %s has hash %s; if its grammar was changed on purpose, write that here", golden[k].recipe, hash);
    }
}

static GlintSynthData *empty_data(guint n_labels)
{
    static const char *const labels[] = {"a", "b", "c"};
    GlintSynthTask task = {"test", labels, labels, n_labels};
    return glint_synth_data_new(&task, FALSE);
}

static GlintSynthVerdict add(GlintSynthData *data, const char *first, const char *other)
{
    const char *const texts[] = {first, other, NULL};
    return glint_synth_add(data, texts, "", "");
}

static void test_what_is_taken(void **state)
{
    (void)state;
    g_autoptr(GlintSynthData) data = empty_data(2);
    assert_int_equal(add(data, "The cat sleeps.", "The dog sleeps."), GLINT_SYNTH_TAKEN);
    assert_int_equal(add(data, "the CAT  sleeps!", "A bird sings."), GLINT_SYNTH_DUPLICATE);
    assert_int_equal(add(data, "A fish swims.", "The cat sleeps"), GLINT_SYNTH_DUPLICATE); /* in the other class as well */
    assert_int_equal(add(data, "One thing.", "one thing"), GLINT_SYNTH_ALIKE);
    assert_int_equal(add(data, "", "Something."), GLINT_SYNTH_EMPTY);
    assert_int_equal(add(data, "Something.", " ?! "), GLINT_SYNTH_EMPTY);
    assert_int_equal(add(data, "I'm sorry, but I can't write that.", "Here is a text."), GLINT_SYNTH_REFUSED);
    assert_int_equal(add(data, "Two words.", "These are by far more words than the other text of the pair has."), GLINT_SYNTH_UNMATCHED);
    assert_int_equal(add(data, "  Two words. ", "Three good words."), GLINT_SYNTH_TAKEN);
    assert_int_equal(data->sets->len, 2);
    assert_string_equal(((GlintSynthSet *)g_ptr_array_index(data->sets, 1))->texts[0], "Two words.");
    assert_int_equal(data->counts[GLINT_SYNTH_DUPLICATE], 2);
}

static double accuracy_of(json_t *report, const char *key) { return json_real_value(json_object_get(json_object_get(report, "bag_of_words"), key)); }

static double largest_d(json_t *report, const char *feature)
{
    gsize k;
    json_t *item;
    json_array_foreach(json_object_get(report, "surface"), k, item)
        if (strcmp(json_string_value(json_object_get(item, "feature")), feature) == 0)
            return json_real_value(json_object_get(item, "largest_d"));
    return -1;
}

/* Planted: classes that differ in one word, in nothing but the order of words, or in length. */
static void test_leakage(void **state)
{
    (void)state;
    g_autoptr(GlintSynthData) one_word = empty_data(2), order = empty_data(2), length = empty_data(2);
    for (guint k = 0; k < 300; k++) {
        char *first[3], *other[3];
        first[0] = g_strdup_printf("Item w%u and w%u is red today.", k, k % 17);
        other[0] = g_strdup_printf("Item w%u and w%u is blue today.", k, k % 17);
        first[1] = g_strdup_printf("Alpha v%u came before beta u%u.", k % 7, k);
        other[1] = g_strdup_printf("Beta u%u came before alpha v%u.", k, k % 7);
        first[2] = g_strdup_printf("A text x%u of some length, with commas, y%u.", k, k % 5);
        other[2] = g_strdup_printf("A text x%u of some length with commas y%u %s.", k, k % 5, k % 2 ? "more more" : "more");
        GlintSynthData *all[] = {one_word, order, length};
        for (guint d = 0; d < 3; d++) {
            assert_int_equal(add(all[d], first[d], other[d]), GLINT_SYNTH_TAKEN);
            g_free(first[d]);
            g_free(other[d]);
        }
    }
    g_autoptr(json_t) a = glint_synth_leakage(one_word, 1), b = glint_synth_leakage(order, 1), c = glint_synth_leakage(length, 1);
    assert_true(accuracy_of(a, "accuracy") > 0.99);
    assert_true(accuracy_of(a, "without_telling_words") < 0.6);
    assert_true(largest_d(a, "words") == 0 && largest_d(a, "commas") == 0);
    assert_true(accuracy_of(b, "accuracy") > 0.35 && accuracy_of(b, "accuracy") < 0.65);
    assert_true(fabs(json_real_value(json_object_get(b, "pair_overlap")) - 1) < 1e-12);
    assert_true(largest_d(c, "words") > 2);
    assert_true(largest_d(c, "commas") > 50);
    const char *first_word = json_string_value(json_object_get(json_array_get(json_object_get(json_object_get(a, "telling_words"), "a"), 0), "word"));
    assert_string_equal(first_word, "red");
    const char *said = json_string_value(json_array_get(json_object_get(c, "verdict"), 3));
    assert_non_null(strstr(said, "the classes differ in commas"));
}

/* Twins must not be split between folds: with random labels on pairs of equal texts a split would show as accuracy. */
static void test_folds_keep_groups(void **state)
{
    (void)state;
    enum { N = 400 };
    g_auto(GStrv) texts = g_new0(char *, N + 1);
    guint labels[N];
    gsize groups[N];
    for (guint k = 0; k < N; k++) {
        texts[k] = g_strdup_printf("word%u", k / 2);
        labels[k] = (k / 2 * 2654435761u >> 16) & 1;
        groups[k] = k / 2;
    }
    GlintBagOptions options = {.seed = 5};
    double grouped = glint_bag_cross_validate((const char *const *)texts, labels, groups, N, 2, 5, &options);
    double split = glint_bag_cross_validate((const char *const *)texts, labels, NULL, N, 2, 5, &options);
    assert_true(grouped < 0.65);
    assert_true(split > 0.8);
}

static void test_three_classes(void **state)
{
    (void)state;
    g_autoptr(GlintSynthData) data = empty_data(3);
    for (guint k = 0; k < 60; k++) {
        g_autofree char *x = g_strdup_printf("Apples and n%u.", k), *y = g_strdup_printf("Pears and n%u.", k), *z =
            g_strdup_printf("Plums and n%u.", k);
        const char *const texts[] = {x, y, z, NULL};
        assert_int_equal(glint_synth_add(data, texts, "", ""), GLINT_SYNTH_TAKEN);
    }
    g_autoptr(json_t) report = glint_synth_leakage(data, 0);
    assert_true(accuracy_of(report, "accuracy") > 0.99);
    assert_true(fabs(accuracy_of(report, "chance") - 1.0 / 3) < 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_recipes),      cmocka_unit_test(test_walk),    cmocka_unit_test(test_check_finds_faults),
            scratch_test(test_same_everywhere),
        cmocka_unit_test(test_what_is_taken), cmocka_unit_test(test_leakage), cmocka_unit_test(test_folds_keep_groups),
            cmocka_unit_test(test_three_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
