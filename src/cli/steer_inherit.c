/* See steer_inherit.h. */
#include "cli/steer_inherit.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"

#include <stdlib.h>
#include <string.h>

static gboolean inherit_run(GlintArgs *args, const char *root, GError **error)
{
    g_autofree char *path = g_build_filename(root, "run.json", NULL);
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return TRUE;
    g_autoptr(json_t) run = glint_json_read(path, error);
    if (!run)
        return FALSE;
    GError *problem = NULL;
    const json_t *settings = json_object_get(run, "settings");
    const struct { const char *key; char **value; } strings[] = {
        {"model", &args->model.model},           {"dataset", &args->data.dataset},           {"dtype", &args->model.dtype}, {"site", &args->collect.site},
        {"text_column", &args->data.text_column}, {"label_column", &args->data.label_column}, {"chat_format", &args->chat.format}, {"system", &args->chat.system},
        {"chat_date", &args->chat.date}};
    for (gsize k = 0; settings && k < G_N_ELEMENTS(strings); k++)
        if (!*strings[k].value)
            *strings[k].value = g_strdup(glint_json_string(settings, strings[k].key, NULL, &problem));
    if (settings && args->data.max_samples == 0)
        args->data.max_samples = (int)glint_json_int(settings, "max_samples", 0, &problem);
    args->chat.chat = args->chat.chat || (settings && glint_json_bool(settings, "chat", FALSE, &problem));
    args->chat.no_thinking = args->chat.no_thinking || (settings && glint_json_bool(settings, "no_thinking", FALSE, &problem));
    if (!problem)
        return TRUE;
    glint_fail(error, GLINT_ERROR_FORMAT, "%s: %s", path, problem->message);
    g_error_free(problem);
    return FALSE;
}

/* A value of moments/settings.json's "settings", or NULL. */
static json_t *read_moments(const char *root, GError **error)
{
    json_t *settings = glint_collect_settings(root, error);
    if (settings && !json_is_object(json_object_get(settings, "settings"))) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s/moments/settings.json has no \"settings\"; run glint run again", root);
        g_clear_pointer(&settings, json_decref);
    }
    return settings;
}

static const char *value_of(const json_t *moments, const char *key) { return json_string_value(json_object_get(json_object_get(moments, "settings"), key)); }

/* A chat that dates itself (Llama 3.2) keeps the day of the run. */
static void inherit_date(GlintArgs *args, const char *identity)
{
    static const char mark[] = ", dated "; /* glint_chat_identity() */
    const char *date = identity ? strstr(identity, mark) : NULL;
    if (date && !args->chat.date && (args->chat.chat || args->chat.format))
        args->chat.date = g_strdup(date + strlen(mark));
}

gboolean glint_steer_inherit(GlintArgs *args, const char *root, gint64 *draw_seed, GError **error)
{
    g_autoptr(json_t) moments = read_moments(root, error);
    if (!moments || !inherit_run(args, root, error))
        return FALSE;
    if (g_strcmp0(args->data.dataset, "synthetic") == 0) { /* made by the run, which kept them */
        g_free(args->data.dataset);
        args->data.dataset = g_build_filename(root, "synthetic.jsonl", NULL);
    }
    inherit_date(args, value_of(moments, "chat"));
    const char *seed = value_of(moments, "seed");
    *draw_seed = seed ? g_ascii_strtoll(seed, NULL, 10) : 0;
    return TRUE;
}

gboolean glint_steer_check_run(const char *root, const GlintDataset *used, const GlintModel *model, const GlintTokenizer *tokenizer, const GlintChat *chat, GError **error)
{
    g_autoptr(json_t) moments = read_moments(root, error);
    if (!moments)
        return FALSE;
    if (g_strcmp0(value_of(moments, "dataset_sha256"), used->sha256) != 0)
        return glint_fail(error, GLINT_ERROR_DATA, "the texts are not those that the graphs in %s were made from, so it is not known which "
                                                   "others are held out; give the run's own --dataset, "
                          "--max-samples, --text-column and --label-column", root);
    if (g_strcmp0(value_of(moments, "model_sha256"), glint_model_info(model)->sha256) != 0)
        glint_warn("the model is not the one that the graphs in %s were made from", root);
    if (g_strcmp0(value_of(moments, "tokenizer_sha256"), glint_tokenizer_sha256(tokenizer)) != 0)
        glint_warn("the tokenizer is not the one that the graphs in %s were made with", root);
    const char *had = value_of(moments, "chat"), *now = chat ? glint_chat_identity(chat) : "none";
    if (strcmp(had ? had : "none", now) != 0)
        glint_warn("the texts of the graphs in %s were read as chat %s, here it is %s; --chat, --chat-format, --system, --chat-date and --no-thinking make it the same", root,
                   had ? had : "none", now);
    return TRUE;
}
