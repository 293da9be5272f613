/* Names of data sets, and which columns are text and label. */
#include "base/scratch.h"
#include "hub/dataset_columns.h"
#include "hub/dataset_name.h"
#include "hub/page_order.h"

static void check_name(const char *name, const char *id, const char *first, const char *second)
{
    g_auto(GlintDatasetName) parsed;
    assert_true(glint_dataset_name_parse(name, &parsed));
    assert_string_equal(parsed.id, id);
    assert_true(g_strcmp0(parsed.parts[0], first) == 0 && g_strcmp0(parsed.parts[1], second) == 0);
}

static void test_names(void **state)
{
    (void)state;
    check_name("stanfordnlp/imdb", "stanfordnlp/imdb", NULL, NULL);
    check_name("imdb", "stanfordnlp/imdb", NULL, NULL);
    check_name("ag_news:test", "fancyzhx/ag_news", "test", NULL);
    check_name("nyu-mll/glue:sst2:validation", "nyu-mll/glue", "sst2", "validation");
    const char *const wrong[] = {"nowhere", "a/b/c", "a/..", "../b", "/b", "a/", "a/b:", "a/b::c", "a/b:c:d:e", "a/b.jsonl", "data/x.tar.gz",
                                 "a/b:../c", "", ":train", "a b/c", ".a/b"};
    for (gsize k = 0; k < G_N_ELEMENTS(wrong); k++) {
        g_auto(GlintDatasetName) parsed;
        if (glint_dataset_name_parse(wrong[k], &parsed))
            fail_msg("'%s' was taken for the name of a data set", wrong[k]);
    }
    assert_string_equal(glint_dataset_nearest("imbd"), "imdb");
    assert_string_equal(glint_dataset_nearest("rotten_tomatos"), "rotten_tomatoes");
    assert_null(glint_dataset_nearest("nowhere"));
    assert_null(glint_dataset_nearest("x"));
}

/* Columns as "name:type,..." with type s(tring), i(nteger), c(lasses), l(ist). */
static GlintSplit *make_split(const char *columns)
{
    g_autoptr(json_t) answer = json_pack("{s:[], s:i}", "features", "num_rows_total", 1);
    g_auto(GStrv) words = g_strsplit(columns, ",", -1);
    for (char **word = words; *word; word++) {
        char kind = (*word)[strlen(*word) - 1];
        g_autofree char *name = g_strndup(*word, strlen(*word) - 2);
        json_t *type = kind == 'c'   ? json_pack("{s:[s,s], s:s}", "names", "neg", "pos", "_type", "ClassLabel")
                       : kind == 'l' ? json_pack("{s:{s:s,s:s}, s:s}", "feature", "dtype", "string", "_type", "Value", "_type", "List")
                                     : json_pack("{s:s, s:s}", "dtype", kind == 's' ? "string" : "int64", "_type", "Value");
        json_array_append_new(json_object_get(answer, "features"), json_pack("{s:s, s:o}", "name", name, "type", type));
    }
    GlintSplit *split = glint_split_parse(answer, "org/name", "default", "train", "test", NULL);
    assert_non_null(split);
    return split;
}

/* want: "text/label", or NULL when the error must say `part`. */
static void check_columns(const char *columns, const char *ask_text, const char *ask_label, const char *want, const char *part)
{
    g_autoptr(GlintSplit) split = make_split(columns);
    const GlintColumn *text, *label;
    g_autoptr(GError) error = NULL;
    gboolean ok = glint_dataset_columns_choose(split, ask_text, ask_label, &text, &label, &error);
    if (!want) {
        assert_false(ok);
        expect_error(&error, GLINT_ERROR_DATA, part);
        return;
    }
    expect_ok(ok, error);
    g_autofree char *got = g_strdup_printf("%s/%s", text->name, label->name);
    assert_string_equal(got, want);
}

static void test_columns(void **state)
{
    (void)state;
    check_columns("text:s,label:c", NULL, NULL, "text/label", NULL);
    check_columns("idx:i,sentence:s,label:c", NULL, NULL, "sentence/label", NULL);
    check_columns("label:c,title:s,content:s", NULL, NULL, "content/label", NULL);
    check_columns("id:s,Headline:s,kind:c", NULL, NULL, "Headline/kind", NULL);
    check_columns("review:s,stars:i", NULL, NULL, "review/stars", NULL);
    check_columns("text:s,label:i,label_text:s", NULL, NULL, "text/label", NULL);
    check_columns("sentiment:s,review:s", NULL, NULL, "review/sentiment", NULL);
    check_columns("premise:s,hypothesis:s,label:c", NULL, NULL, NULL, "both \"premise\" and \"hypothesis\" could be the text; its columns: premise "
                                                                      "(string), hypothesis (string), label (classes)");
    check_columns("premise:s,hypothesis:s,label:c", "hypothesis", NULL, "hypothesis/label", NULL);
    check_columns("text:s,coarse:c,fine:c", NULL, NULL, NULL, "could be the label");
    check_columns("text:s,coarse:c,fine:c", NULL, "fine", "text/fine", NULL);
    check_columns("sentence:s,comment:s,label:c", NULL, NULL, NULL, "could be the text");
    check_columns("text:s,labels:l", NULL, NULL, NULL, "looks like a label");
    check_columns("text:s,labels:l", NULL, "labels", NULL, "cannot be the label, it is of type List");
    check_columns("text:l,label:c", NULL, NULL, NULL, "looks like a text");
    check_columns("text:s,label:c", "body", NULL, NULL, "no column \"body\"");
    check_columns("text:s,label:c", "label", NULL, NULL, "cannot be the text");
    check_columns("label:s,kind:c", NULL, NULL, NULL, "looks like a text");
}

/* Every page comes once; the gaps of the first k pages, round the circle, are at most twice and a page what even spacing gives. */
static void test_page_order(void **state)
{
    (void)state;
    const guint64 sizes[] = {1, 2, 3, 7, 64, 100, 250, 1000};
    for (gsize s = 0; s < G_N_ELEMENTS(sizes); s++) {
        GlintPageOrder order;
        guint64 n = sizes[s], page, count = 0;
        g_autofree gboolean *seen = g_new0(gboolean, n);
        glint_page_order_init(&order, n, 17 + s);
        while (glint_page_order_next(&order, &page)) {
            assert_true(page < n && !seen[page]);
            seen[page] = TRUE;
            count++;
            guint64 longest = 0, run = 0;
            for (guint64 k = 0; k < 2 * n; k++) {
                run = seen[k % n] ? 0 : run + 1;
                longest = MAX(longest, run);
            }
            assert_true(longest <= 2 * n / count + 1);
        }
        assert_int_equal(count, n);
        glint_page_order_clear(&order);
    }
    GlintPageOrder a, b;
    guint64 x = 0, y = 0;
    guint differ = 0;
    for (guint seed = 0; seed < 20; seed++) {
        glint_page_order_init(&a, 1000, seed);
        glint_page_order_init(&b, 1000, seed + 1);
        assert_true(glint_page_order_next(&a, &x) && glint_page_order_next(&b, &y));
        differ += x != y;
        glint_page_order_clear(&a);
        glint_page_order_clear(&b);
    }
    assert_true(differ >= 19);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_columns), cmocka_unit_test(test_page_order)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
