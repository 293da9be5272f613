/* steer.json: what is written is read back, bit for bit; what lies is refused with an error, whatever the bytes. */
#include "base/error.h"
#include "base/files.h"
#include "fake_network.h"
#include "steer/files.h"
#include <glib/gstdio.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

enum { PROMPTS = 3, DOSES = 2, MUTATIONS = 1500 };

/* A trial with one module and the residual, of hand-made numbers. */
static GlintSteerTrial *trial_new(GlintSteerKind kind, const GlintSteerLayer *layer)
{
    GError *error = NULL;
    GlintSteerTrial *self = g_new0(GlintSteerTrial, 1);
    *self = (GlintSteerTrial){.n_arms = 2, .n_doses = DOSES, .n_prompts = PROMPTS, .arms = g_new0(GlintSteerArm, 2), .unsteered = g_new0(GlintSteerReading, PROMPTS), .p_random = g_new0(double, DOSES),
                              .p_matched = g_new0(double, DOSES), .n_random = 20, .n_matched = 19, .verdict_dose = 1, .steers = TRUE, .verdict = g_strdup("It \"steers\"\n.")};
    self->arms[0].rows = glint_steer_module(layer, 1);
    self->arms[0].operator = glint_steer_operator_new(kind, layer, (const gsize *)(void *)self->arms[0].rows->data, self->arms[0].rows->len, 2, &error);
    assert_non_null(self->arms[0].operator);
    self->arms[1].role = GLINT_ROLE_RESIDUAL;
    for (gsize a = 0; a < 2; a++) {
        GlintSteerCurve *curve = self->arms[a].curve = g_new0(GlintSteerCurve, 1);
        *curve = (GlintSteerCurve){.n_prompts = PROMPTS, .n_doses = DOSES, .sign = 1, .doses = g_new0(GlintSteerDose, DOSES), .slope = 0.5, .against = a ? (double)NAN : 0.25};
        for (gsize k = 0; k < DOSES; k++) {
            curve->doses[k] = (GlintSteerDose){.kl = 0.1 * (double)(k + 1), .strength = 1.0 / 3 + (double)k, .reached = k == 0, .effect = 0.7,
                                               .reading = g_new0(GlintSteerReading, PROMPTS)};
            for (gsize i = 0; i < PROMPTS; i++)
                curve->doses[k].reading[i].log_odds = (double)i + 0.125 * (double)(k + 1);
        }
    }
    for (gsize i = 0; i < PROMPTS; i++)
        self->unsteered[i].log_odds = (double)i;
    return self;
}

static json_t *document(GlintSteerKind kind)
{
    g_autoptr(GlintSteerLayer) layer = network_layer();
    g_autoptr(GlintSteerTrial) trial = trial_new(kind, layer);
    json_t *root = glint_steer_trial_json(trial, layer);
    json_object_set_new(root, "model_sha256", json_string("abc"));
    return root;
}

static char *path_new(void) { return g_strdup_printf("%s/glint_steer_%d.json", g_get_tmp_dir(), (int)getpid()); }

static void write_bytes(const char *path, const char *bytes, gsize length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static gboolean same(const double *a, const double *b, gsize n) { return a && b ? memcmp(a, b, n * sizeof *a) == 0 : a == b; }

static void test_every_operator_comes_back(void **state)
{
    (void)state;
    g_autofree char *path = path_new();
    g_autoptr(GlintSteerLayer) layer = network_layer();
    for (int kind = 0; kind < GLINT_STEER_VECTOR; kind++) {
        GError *error = NULL;
        g_autoptr(json_t) root = document((GlintSteerKind)kind);
        g_autoptr(GlintSteerTrial) trial = trial_new((GlintSteerKind)kind, layer);
        const GlintSteerOperator *a = trial->arms[0].operator;
        assert_true(glint_json_write(path, root, &error));
        g_autoptr(GlintSteerFile) file = glint_steer_file_read(path, &error);
        assert_non_null(file);
        const GlintSteerOperator *b = file->operator;
        assert_true(b->kind == a->kind && b->site.kind == a->site.kind && b->site.layer == a->site.layer && b->n == a->n && b->factor == a->factor);
        assert_memory_equal(b->column, a->column, a->n * sizeof *a->column);
        assert_true(same(a->constant, b->constant, a->n) && same(a->centre, b->centre, a->n) && same(a->matrix, b->matrix, a->n * a->n));
        assert_true(file->strength == 1.0 / 3 + 1); /* of the verdict's dose */
        assert_string_equal(file->towards, "pos");
        assert_string_equal(file->model_sha256, "abc");
    }
    g_remove(path);
}

static void test_numbers_that_json_lacks_are_null(void **state)
{
    (void)state;
    g_autoptr(json_t) root = document(GLINT_STEER_SHIFT);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(root, "arms"), 1), "against")));
    assert_true(json_array_size(json_object_get(json_array_get(json_object_get(root, "arms"), 1), "neurons")) == 0);
    assert_true(json_is_true(json_object_get(root, "steers")));
}

/* The file with one value of the operator changed (`value` is taken; NULL: removed), or of the root where `inside` is FALSE. */
static void refuses(gboolean inside, const char *key, json_t *value, GlintSteerKind kind, const char *says)
{
    GError *error = NULL;
    g_autofree char *path = path_new();
    g_autoptr(json_t) root = document(kind);
    json_t *object = inside ? json_object_get(root, "operator") : root;
    if (value)
        json_object_set_new(object, key, value);
    else
        json_object_del(object, key);
    assert_true(glint_json_write(path, root, &error));
    assert_null(glint_steer_file_read(path, &error));
    assert_non_null(error);
    if (!strstr(error->message, says) || !strstr(error->message, path))
        fail_msg("'%s' does not say '%s' and the file", error->message, says);
    g_clear_error(&error);
    g_remove(path);
}

static json_t *numbers(gsize n, double value)
{
    json_t *list = json_array();
    for (gsize k = 0; k < n; k++)
        json_array_append_new(list, json_real(value));
    return list;
}

static void test_lies_are_refused(void **state)
{
    (void)state;
    const GlintSteerKind shift = GLINT_STEER_SHIFT;
    json_t *many = json_array();
    for (int k = 0; k < 100000; k++)
        json_array_append_new(many, json_integer(k));
    refuses(FALSE, "operator", NULL, shift, "no steering operator");
    refuses(FALSE, "operator", json_string("shift"), shift, "no steering operator");
    refuses(FALSE, "strength", json_string("1"), shift, "strength");
    refuses(FALSE, "towards", json_integer(1), shift, "towards");
    refuses(FALSE, "model_sha256", json_array(), shift, "model_sha256");
    refuses(TRUE, "kind", json_string("vector"), shift, "no steering operator 'vector'");
    refuses(TRUE, "kind", json_integer(3), shift, "kind");
    refuses(TRUE, "kind", NULL, shift, "no steering operator ''");
    refuses(TRUE, "site", json_string("mlp.hook_post"), shift, "names no layer");
    refuses(TRUE, "site", json_string("nowhere"), shift, "nowhere");
    refuses(TRUE, "columns", NULL, shift, "missing or empty");
    refuses(TRUE, "columns", json_array(), shift, "missing or empty");
    refuses(TRUE, "columns", numbers(NET_MODULE, 1), shift, "column numbers");
    refuses(TRUE, "columns", json_pack("[i]", -1), shift, "column numbers");
    refuses(TRUE, "columns", json_pack("[I]", (json_int_t)1 << 40), shift, "column numbers");
    refuses(TRUE, "columns", json_pack("[i, i]", 1, 2), shift, "constant must be a list of 2");
    refuses(TRUE, "constant", json_pack("[n, n, n, n, n, n]"), shift, "constant must be a list of 6");
    refuses(TRUE, "constant", json_object(), shift, "constant");
    refuses(TRUE, "constant", NULL, shift, "constant");
    refuses(TRUE, "factor", json_true(), shift, "factor");
    refuses(TRUE, "centre", numbers(NET_MODULE, 0), shift, "not those of the operator 'shift'");
    refuses(TRUE, "matrix", numbers(NET_MODULE * NET_MODULE, 0), shift, "not those of the operator 'shift'");
    refuses(TRUE, "centre", NULL, GLINT_STEER_CLAMP, "not those of the operator 'clamp'");
    refuses(TRUE, "centre", numbers(2, 0), GLINT_STEER_CLAMP, "centre must be a list of 6");
    refuses(TRUE, "matrix", NULL, GLINT_STEER_WEIGHT, "not those of the operator 'weight'");
    refuses(TRUE, "matrix", numbers(5, 0), GLINT_STEER_WEIGHT, "matrix must be a list of 36");
    refuses(TRUE, "columns", many, GLINT_STEER_WEIGHT, "constant must be a list of 100000");
}

/* No memory for a matrix that the file only claims: 100,000 columns and as many constants would be 80 GB. */
static void test_a_claimed_matrix_takes_no_memory(void **state)
{
    (void)state;
    GError *error = NULL;
    const gsize n = 100000;
    g_autofree char *path = path_new();
    g_autoptr(json_t) root = document(GLINT_STEER_WEIGHT);
    json_t *operator = json_object_get(root, "operator"), *columns = json_array();
    for (gsize k = 0; k < n; k++)
        json_array_append_new(columns, json_integer((json_int_t)k));
    json_object_set_new(operator, "columns", columns);
    json_object_set_new(operator, "constant", numbers(n, 0));
    assert_true(glint_json_write(path, root, &error));
    assert_null(glint_steer_file_read(path, &error));
    assert_non_null(strstr(error->message, "matrix must be a list of 10000000000"));
    g_clear_error(&error);
    g_remove(path);
}

static void test_a_missing_file_is_named(void **state)
{
    (void)state;
    GError *error = NULL;
    assert_null(glint_steer_file_read("/nowhere/steer.json", &error));
    assert_non_null(strstr(error->message, "/nowhere/steer.json"));
    g_clear_error(&error);
}

/* Whatever the bytes: an operator that can be applied, or an error. */
static void try_bytes(const char *path, const char *bytes, gsize length)
{
    GError *error = NULL;
    write_bytes(path, bytes, length);
    g_autoptr(GlintSteerFile) file = glint_steer_file_read(path, &error);
    assert_true((file == NULL) == (error != NULL));
    if (error) {
        assert_true(*error->message != '\0');
        g_error_free(error);
        return;
    }
    const GlintSteerOperator *operator = file->operator;
    gsize width = 0;
    assert_true(operator->n > 0 && isfinite(file->strength) && file->towards && file->model_sha256);
    for (gsize k = 0; k < operator->n; k++)
        width = MAX(width, operator->column[k] + 1);
    if (width > 1000000)
        return;
    g_autofree float *row = g_new0(float, width);
    g_autofree double *scratch = g_new(double, 2 * operator->n);
    glint_steer_apply(operator, 0.5, row, scratch);
}

static void mutate(GString *text, GRand *rand)
{
    const gint at = g_rand_int_range(rand, 0, (gint)text->len), length = MIN(g_rand_int_range(rand, 1, 40), (gint)text->len - at);
    switch (g_rand_int_range(rand, 0, 6)) {
    case 0: g_string_truncate(text, (gsize)at); break;
    case 1: g_string_erase(text, at, length); break;
    case 2: text->str[at] = (char)g_rand_int_range(rand, 0, 256); break;
    case 3: text->str[at] = "0123456789-+.eE[]{},:\"n"[g_rand_int_range(rand, 0, 23)]; break;
    case 4: {
        g_autofree char *piece = g_strndup(text->str + at, (gsize)length);
        g_string_insert(text, g_rand_int_range(rand, 0, (gint)text->len), piece);
        break;
    }
    default: g_string_insert(text, at, g_rand_boolean(rand) ? "1e999" : "null"); break;
    }
}

static void test_mutated_files_never_crash(void **state)
{
    (void)state;
    static const GlintSteerKind kinds[] = {GLINT_STEER_SHIFT, GLINT_STEER_CLAMP, GLINT_STEER_WEIGHT};
    g_autofree char *path = path_new();
    GRand *rand = g_rand_new_with_seed(7);
    for (gsize k = 0; k < G_N_ELEMENTS(kinds); k++) {
        g_autoptr(json_t) root = document(kinds[k]);
        json_object_del(root, "arms"); /* nothing of it is read: mutations there would prove nothing */
        char *valid = json_dumps(root, JSON_COMPACT);
        for (int m = 0; m < MUTATIONS / (int)G_N_ELEMENTS(kinds); m++) {
            g_autoptr(GString) text = g_string_new(valid);
            for (int times = g_rand_int_range(rand, 1, 4); times > 0 && text->len > 0; times--)
                mutate(text, rand);
            try_bytes(path, text->str, text->len);
        }
        free(valid);
    }
    g_rand_free(rand);
    g_remove(path);
}

/* ---- the tables ---- */

static void has_line(const char *folder, const char *name, const char *line)
{
    g_autofree char *path = g_build_filename(folder, name, NULL), *text = NULL;
    g_autofree char *framed = g_strdup_printf("\n%s\n", line);
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_autofree char *all = g_strdup_printf("\n%s", text);
    if (!strstr(all, framed))
        fail_msg("%s has no line '%s':\n%s", name, line, text);
    g_remove(path);
}

static void test_tables(void **state)
{
    (void)state;
    GError *error = NULL;
    g_autoptr(GlintSteerLayer) layer = network_layer();
    g_autoptr(GlintSteerTrial) trial = trial_new(GLINT_STEER_SHIFT, layer);
    g_autofree char *folder = g_dir_make_tmp("glint_tables_XXXXXX", NULL);
    assert_true(glint_steer_trial_tables(trial, layer, folder, &error));
    has_line(folder, "doses.csv", "1,residual-difference,2,0.2,0,1.33333333,0,0.7,0,0,0,0,0,0,0,0");
    has_line(folder, "controls.csv", "1,residual-difference,,0.5,0,,0");
    has_line(folder, "texts.csv", "2,1,2.125,0.125");
    g_rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_operator_comes_back),
                                       cmocka_unit_test(test_numbers_that_json_lacks_are_null), cmocka_unit_test(test_lies_are_refused),
                                       cmocka_unit_test(test_a_claimed_matrix_takes_no_memory), cmocka_unit_test(test_a_missing_file_is_named),
                                       cmocka_unit_test(test_mutated_files_never_crash), cmocka_unit_test(test_tables)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
