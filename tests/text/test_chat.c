/* Chat templates: what is rendered against transformers' own rendering (tools/reference/chat_golden.py), the places where a
 * template may stand, formats that are forced, and what is refused. */
#include "base/error.h"
#include "base/files.h"
#include "text/chat.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define GOLDEN GLINT_SOURCE_DIR "/tests/text/data/chat_golden.json"

static char *new_folder(void) { return g_dir_make_tmp("glint-chat-XXXXXX", NULL); }

static void put(const char *folder, const char *name, const json_t *value)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    assert_true(glint_json_write(path, value, NULL));
}

static void put_text(const char *folder, const char *name, const char *text)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    assert_true(g_file_set_contents(path, text, -1, NULL));
}

static json_t *text_or_null(const char *text) { return text ? json_string(text) : json_null(); }

/* tokenizer_config.json; the template as a string, or among several. */
static void put_config(const char *folder, const char *template, const char *bos, const char *eos, gboolean list)
{
    json_t *value = template ? json_string(template) : NULL;
    if (list)
        value = json_pack("[{s:s, s:s}, {s:s, s:o}]", "name", "tool_use", "template", "{{ tools }}", "name", "default", "template", value);
    g_autoptr(json_t) config = json_pack("{s:o, s:{s:s}}", "bos_token", text_or_null(bos), "eos_token", "content", eos ? eos : "");
    if (value)
        json_object_set_new(config, "chat_template", value);
    put(folder, "tokenizer_config.json", config);
}

static char *message_of(const char *folder, const GlintChatOptions *options)
{
    GError *error = NULL;
    GlintChat *chat = glint_chat_open(folder, options, &error);
    assert_null(chat);
    char *message = g_strdup(error->message);
    g_error_free(error);
    return message;
}

static void check_case(const char *folder, const char *name, const json_t *one, const char *forced)
{
    const json_t *rendered = json_object_get(one, "rendered");
    const GlintChatOptions options = {.format = forced, .system = json_string_value(json_object_get(one, "system")),
                                      .date = json_string_value(json_object_get(one, "date")), .no_thinking = json_is_false(json_object_get(one, "thinking"))};
    if (json_is_null(rendered)) {
        g_autofree char *message = message_of(folder, &options);
        assert_non_null(strstr(message, "no system message"));
        return;
    }
    GError *error = NULL;
    g_autoptr(GlintChat) chat = glint_chat_open(folder, &options, &error);
    if (!chat)
        fail_msg("%s: %s", name, error->message);
    assert_string_equal(glint_chat_format(chat), name);
    g_autoptr(GString) ours = glint_chat_render(chat, json_string_value(json_object_get(one, "text")), -1);
    assert_string_equal(ours->str, json_string_value(rendered));
}

static gboolean is_builtin(const json_t *groups, gsize index, const char *name)
{
    for (gsize i = 0; i < index; i++)
        if (g_strcmp0(json_string_value(json_object_get(json_array_get(groups, i), "format")), name) == 0)
            return FALSE; /* variants of a format come behind the format itself */
    return TRUE;
}

static void test_golden(void **state)
{
    (void)state;
    g_autoptr(json_t) root = glint_json_read(GOLDEN, NULL);
    const json_t *groups = json_object_get(root, "groups");
    assert_true(json_array_size(groups) > 20);
    for (gsize i = 0; i < json_array_size(groups); i++) {
        const json_t *group = json_array_get(groups, i), *cases = json_object_get(group, "cases");
        const char *name = json_string_value(json_object_get(group, "format")), *template = json_string_value(json_object_get(group, "template"));
        const char *bos = json_string_value(json_object_get(group, "bos")), *eos = json_string_value(json_object_get(group, "eos"));
        for (int place = 0; place < 4; place++) { /* string, list, file of its own, none but forced */
            if (place == 3 && (!name || !is_builtin(groups, i, name)))
                continue;
            g_autofree char *folder = new_folder();
            put_config(folder, place < 2 ? template : place == 2 ? "not this one" : NULL, bos, eos, place == 1);
            if (place == 2)
                put_text(folder, "chat_template.jinja", template);
            if (!name) {
                const GlintChatOptions none = {0};
                g_autofree char *message = message_of(folder, &none);
                assert_non_null(strstr(message, "--chat-format"));
            }
            for (gsize c = 0; name && c < json_array_size(cases); c++)
                check_case(folder, name, json_array_get(cases, c), place == 3 ? name : NULL);
            assert_true(glint_remove_tree(folder, NULL));
        }
    }
}

static void test_refusals(void **state)
{
    (void)state;
    g_autofree char *folder = new_folder();
    const struct { GlintChatOptions options; const char *words; } wrong[] = {
        {{0}, "no chat template"}, {{.format = "vicuna"}, "no chat format 'vicuna'; known: gemma, gemma3,"}, {{.format = "chatml", .date = "1 Jan 2020"}, "writes no date"},
        {{.format = "chatml", .no_thinking = TRUE}, "no switch for thinking"},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(wrong); i++) {
        g_autofree char *message = message_of(folder, &wrong[i].options);
        assert_non_null(strstr(message, wrong[i].words));
    }
    put_text(folder, "tokenizer_config.json", "{\"chat_template\": ");
    g_autofree char *message = message_of(folder, &(GlintChatOptions){0});
    assert_non_null(strstr(message, "tokenizer_config.json"));
    assert_true(glint_remove_tree(folder, NULL));
}

/* Two chats have one identity only if they render alike. */
static void test_identity(void **state)
{
    (void)state;
    g_autofree char *folder = new_folder();
    put_config(folder, NULL, "<s>", "</s>", FALSE);
    static const GlintChatOptions options[] = {
        {.format = "gemma3"}, {.format = "gemma3", .system = ""}, {.format = "gemma3", .system = "x"}, {.format = "qwen3"}, {.format = "qwen3", .no_thinking = TRUE},
        {.format = "llama3.2", .date = "1 Jan 2020"}, {.format = "llama3.2", .date = "2 Jan 2020"}, {.format = "llama2"}, {.format = "mistral-v1"}};
    g_autoptr(GHashTable) seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    for (int round = 0; round < 2; round++)
        for (gsize i = 0; i < G_N_ELEMENTS(options); i++) {
            g_autoptr(GlintChat) chat = glint_chat_open(folder, &options[i], NULL);
            assert_non_null(chat);
            assert_int_equal(g_hash_table_add(seen, g_strdup(glint_chat_identity(chat))), round == 0);
        }
    assert_true(glint_remove_tree(folder, NULL));
}

/* The demo's tokenizer puts BOS before a text; a template that writes BOS must not get a second one, one without gets none. */
static void test_bos(void **state)
{
    (void)state;
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_open(GLINT_SOURCE_DIR "/data/demo/model", NULL);
    assert_non_null(tokenizer);
    static const struct { const char *format; guint n_bos; } cases[] = {{"gemma3", 1}, {"llama3", 1}, {"chatml", 0}, {NULL, 1}};
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        const GlintChatOptions options = {.format = cases[i].format};
        g_autoptr(GlintChat) chat = cases[i].format ? glint_chat_open(GLINT_SOURCE_DIR "/data/demo/model", &options, NULL) : NULL;
        g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
        assert_true(glint_text_encode(tokenizer, chat, "A fine film.", -1, TRUE, ids, NULL));
        guint n = 0;
        for (guint k = 0; k < ids->len; k++)
            n += g_array_index(ids, guint32, k) == 2;
        assert_int_equal(n, cases[i].n_bos);
        assert_int_equal(glint_text_n_prefix(tokenizer, chat), cases[i].n_bos);
        if (n)
            assert_int_equal(g_array_index(ids, guint32, 0), 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_golden), cmocka_unit_test(test_refusals), cmocka_unit_test(test_identity), cmocka_unit_test(test_bos)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
