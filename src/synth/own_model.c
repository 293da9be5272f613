/* Questions answered by glint's own engine. See own_model.h. All questions of a round run as one batch. The seed moves on with each
 * round, or a model that came short would write the same again. */
#include "synth/own_model.h"
#include "base/error.h"
#include "base/talk.h"
#include "model/generate.h"
#include "text/chat.h"

struct GlintOwnModel {
    GlintTokenizer *tokenizer;
    GlintChat *chat; /* NULL: no instruction model */
    GlintModel *model;
    GArray *stop_tokens;
    GlintOwnModelOptions options;
    guint64 n_rounds;
};

static const char opening[] = "{\"sets\": [{\"a\": \""; /* where a model without chat template begins */

static gboolean open_chat(GlintOwnModel *self, const char *folder, GError **error)
{
    GError *problem = NULL;
    const GlintChatOptions options = {0};
    self->chat = glint_chat_open(folder, &options, &problem);
    if (self->chat)
        return TRUE;
    if (g_error_matches(problem, GLINT_ERROR, GLINT_ERROR_DATA)) {
        glint_warn("%s has no chat template, so it is no instruction model; few such models write what they are asked for", folder);
        g_error_free(problem);
        return TRUE;
    }
    g_propagate_error(error, problem);
    return FALSE;
}

static void add_chat_end(GlintOwnModel *self)
{
    const char *end = self->chat ? glint_chat_end(self->chat) : NULL;
    gint64 id = end ? glint_tokenizer_id(self->tokenizer, end) : -1;
    if (id >= 0) {
        guint32 token = (guint32)id;
        g_array_append_val(self->stop_tokens, token);
    }
}

GlintOwnModel *glint_own_model_open(const char *folder, const GlintOwnModelOptions *options, GError **error)
{
    g_autoptr(GlintOwnModel) self = g_new0(GlintOwnModel, 1);
    const GlintModelOptions how = {.dtype = options->dtype, .threads = options->threads};
    self->options = *options;
    if (!open_chat(self, folder, error) || !(self->tokenizer = glint_tokenizer_open(folder, error)) ||
        !(self->stop_tokens = glint_stop_tokens_read(folder, error)) ||
        !(self->model = glint_model_open(folder, &how, error)))
        return NULL;
    add_chat_end(self);
    return g_steal_pointer(&self);
}

void glint_own_model_free(GlintOwnModel *self)
{
    if (!self)
        return;
    glint_chat_free(self->chat);
    glint_tokenizer_free(self->tokenizer);
    glint_model_free(self->model);
    g_clear_pointer(&self->stop_tokens, g_array_unref);
    g_free(self);
}

static gboolean encode(const GlintOwnModel *self, const GlintQuestion *question, GArray *ids, GError **error)
{
    g_autofree char *text = g_strdup_printf("%s\n\n%s%s%s", question->system, question->user, self->chat ? "" : "\n\n", self->chat ? "" : opening);
    return glint_text_encode(self->tokenizer, self->chat, text, -1, TRUE, ids, error);
}

typedef struct {
    GlintProgress *bar;
    gsize n_ended;
} Watch;

static gboolean on_token(gsize prompt, guint32 token, const char *text, gsize length, gboolean ended, gpointer user_data, GError **error)
{
    (void)prompt, (void)token, (void)text, (void)length, (void)error;
    Watch *watch = user_data;
    watch->n_ended += ended;
    glint_progress_update(watch->bar, (double)watch->n_ended, NULL);
    return TRUE;
}

static gboolean write_answers(GlintOwnModel *self, const GlintPrompt *prompts, gsize n, char **answers, GError **error)
{
    GlintGenerateSettings settings;
    glint_generate_settings_init(&settings);
    g_autoptr(GlintProgress) bar = glint_progress_new("writing", (double)n, "answers");
    Watch watch = {bar, 0};
    settings.max_new_tokens = self->options.max_new_tokens;
    settings.temperature = self->options.temperature;
    settings.seed = self->options.seed + self->n_rounds++;
    settings.stop_tokens = (const guint32 *)(void *)self->stop_tokens->data;
    settings.n_stop_tokens = self->stop_tokens->len;
    settings.on_token = on_token;
    settings.user_data = &watch;
    GError *problem = NULL;
    g_autoptr(GlintGeneration) generation = glint_generate(self->model, self->tokenizer, prompts, n, &settings, &problem);
    if (problem) {
        g_propagate_error(error, problem);
        return FALSE;
    }
    for (gsize k = 0; k < n; k++)
        answers[k] = g_strconcat(self->chat ? "" : opening, generation->texts[k].text, NULL);
    return TRUE;
}

static gboolean ask_all(gpointer model, const GlintQuestion *questions, gsize n, char **answers, GError **error)
{
    GlintOwnModel *self = model;
    g_autofree GlintPrompt *prompts = g_new0(GlintPrompt, n + 1);
    g_autoptr(GPtrArray) ids = g_ptr_array_new_with_free_func((GDestroyNotify)g_array_unref);
    for (gsize k = 0; k < n; k++) {
        GArray *one = g_array_new(FALSE, FALSE, sizeof(guint32));
        g_ptr_array_add(ids, one);
        if (!encode(self, &questions[k], one, error))
            return FALSE;
        prompts[k] = (GlintPrompt){(const guint32 *)(void *)one->data, one->len};
    }
    return write_answers(self, prompts, n, answers, error);
}

static const char *refusal(gpointer model)
{
    (void)model;
    return NULL; /* what it declines it declines in words */
}

GlintAnswerer glint_own_model_answerer(GlintOwnModel *self)
{
    return (GlintAnswerer){ask_all, refusal, self, "it takes an instruction model of a billion parameters or more to write such sets; --per-request 2 "
                                                   "asks for fewer at once"};
}
