/* Names of sites and neurons, lists of layers. */
#include "base/error.h"
#include "model/site.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static void test_names(void **state)
{
    (void)state;
    for (int k = 0; k < GLINT_SITE_COUNT; k++) {
        const GlintSite site = {(GlintSiteKind)k, 12};
        g_autofree char *name = glint_site_name(&site);
        GlintSiteKind kind = GLINT_SITE_COUNT;
        gint64 layer = 0;
        assert_true(glint_site_parse(name, &kind, &layer, NULL));
        assert_int_equal(kind, k);
        assert_int_equal(layer, 12);
        assert_true(glint_site_parse(glint_site_suffix((GlintSiteKind)k), &kind, &layer, NULL));
        assert_int_equal(kind, k);
        assert_int_equal(layer, -1);
    }
}

static void expect_kind(const char *text, GlintSiteKind expected)
{
    GlintSiteKind kind;
    gint64 layer;
    if (!glint_site_parse(text, &kind, &layer, NULL))
        fail_msg("'%s' was not understood", text);
    assert_int_equal(kind, expected);
}

static void test_short_names(void **state)
{
    (void)state;
    expect_kind("mlp.post", GLINT_SITE_MLP_POST);
    expect_kind("mlp_out", GLINT_SITE_MLP_OUT);
    expect_kind("resid_mid", GLINT_SITE_RESID_MID);
    expect_kind("attn.z", GLINT_SITE_ATTN_Z);
    expect_kind("z", GLINT_SITE_ATTN_Z);
    expect_kind("hook_z", GLINT_SITE_ATTN_Z);
    expect_kind("resid_post.sae", GLINT_SITE_SAE(GLINT_SITE_RESID_POST));
    expect_kind("blocks.3.attn.hook_z.sae", GLINT_SITE_SAE(GLINT_SITE_ATTN_Z));
}

static void test_unknown_site(void **state)
{
    (void)state;
    static const char *const wrong[] = {"", "mlp", "post", "blocks.mlp.hook_post", "blocks.3", "blocks.3.",
                                        "blocks.99999999999999999999.mlp.hook_post", "mlp.hook_post ", ".sae", "mlp.hook_post.sae.sae"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        GlintSiteKind kind;
        gint64 layer;
        GError *error = NULL;
        assert_false(glint_site_parse(wrong[i], &kind, &layer, &error));
        assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_USAGE));
        assert_non_null(strstr(error->message, "attn.hook_z")); /* says what exists */
        g_error_free(error);
    }
}

static void test_neuron_ids(void **state)
{
    (void)state;
    g_autofree char *neuron = glint_neuron_id(&(GlintSite){GLINT_SITE_MLP_POST, 5}, 1234, 64);
    g_autofree char *head = glint_neuron_id(&(GlintSite){GLINT_SITE_ATTN_Z, 5}, 3 * 64 + 17, 64);
    assert_string_equal(neuron, "L5.N1234");
    assert_string_equal(head, "L5.H3.17");
}

static void expect_layers(const char *text, const char *expected)
{
    GError *error = NULL;
    g_autoptr(GArray) layers = glint_layers_parse(text, 10, &error);
    if (!layers) {
        assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_USAGE));
        g_error_free(error);
        assert_null(expected);
        return;
    }
    g_autoptr(GString) found = g_string_new(NULL);
    for (guint i = 0; i < layers->len; i++)
        g_string_append_printf(found, "%s%zu", i ? " " : "", g_array_index(layers, gsize, i));
    if (!expected)
        fail_msg("'%s' was taken as %s", text, found->str);
    assert_string_equal(found->str, expected);
}

static void test_layers(void **state)
{
    (void)state;
    expect_layers("all", "0 1 2 3 4 5 6 7 8 9");
    expect_layers("0,5-8", "0 5 6 7 8");
    expect_layers("8, 5-6 ,6,0", "0 5 6 8");
    expect_layers("-1", "9");
    expect_layers("-10", "0");
    expect_layers("7--1", "7 8 9");
    expect_layers("-2--1", "8 9");
    static const char *const wrong[] = {"", "10", "-11", "5-4", "a", "1,", "1-", "1-2-3", "0x1", "18446744073709551616", "--1", "-0"};
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++)
        expect_layers(wrong[i], NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_short_names), cmocka_unit_test(test_unknown_site),
                                       cmocka_unit_test(test_neuron_ids), cmocka_unit_test(test_layers)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
