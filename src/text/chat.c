/* Chat templates. See chat.h.
 *
 * With one user message every known template comes down to a text before and a text behind the user's, whose blanks at the ends
 * some of them strip. A format is data: how the system message is written, and where. In the strings \1 stands for EOS and
 * \2 for the date.
 *
 * Recognition looks for marks that are peculiar to a template and for marks of relatives that render something else. It errs
 * on the side of refusing: a wrong prompt gives plausible, wrong activations. */
#include "text/chat.h"
#include "base/error.h"
#include "base/files.h"
#include <string.h>
#include <time.h>

typedef struct {
    const char *name;
    gboolean bos;                            /* written before everything */
    const char *system_open, *system_close;  /* NULL: there is no system message */
    gboolean system_inside;                  /* it stands in the user's turn, behind user_open */
    const char *system;                      /* the one by default; NULL = none is written */
    const char *user_open, *user_close;      /* user_close opens the model's turn */
    gboolean trim;                           /* user and system messages, as Python's strip() does */
    const char *end, *date;
} Format;

#define TURN(role) "<|start_header_id|>" role "<|end_header_id|>\n\n"
#define LLAMA31(name, date)                                                                                                                     \
    {name, TRUE, TURN("system") "Cutting Knowledge Date: December 2023\nToday Date: \2\n\n", "<|eot_id|>", FALSE, "", TURN("user"), \
     "<|eot_id|>" TURN("assistant"), TRUE, "<|eot_id|>", date}
#define CHATML(name, system, prompt)                                                                                                            \
    {name, FALSE, "<|im_start|>system\n", "<|im_end|>\n", FALSE, system, "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n" prompt, FALSE, "<|im_end|>", NULL}
#define GEMMA_USER "<start_of_turn>user\n", "<end_of_turn>\n<start_of_turn>model\n", TRUE, "<end_of_turn>", NULL

/* In the order in which glint_chat_formats() lists them. */
static const Format formats[] = {
    {"gemma", TRUE, NULL, NULL, FALSE, NULL, GEMMA_USER},
    {"gemma3", TRUE, "", "\n\n", TRUE, NULL, GEMMA_USER},
    {"llama2", TRUE, "<<SYS>>\n", "\n<</SYS>>\n\n", TRUE, NULL, "[INST] ", " [/INST]", TRUE, NULL, NULL},
    {"llama3", TRUE, TURN("system"), "<|eot_id|>", FALSE, NULL, TURN("user"), "<|eot_id|>" TURN("assistant"), TRUE, "<|eot_id|>", NULL},
    LLAMA31("llama3.1", "26 Jul 2024"),
    LLAMA31("llama3.2", NULL),
    {"mistral-v1", TRUE, NULL, NULL, FALSE, NULL, "[INST] ", " [/INST]", FALSE, NULL, NULL},
    {"mistral-v1-system", TRUE, "", "\n\n", TRUE, NULL, " [INST] ", " [/INST]", FALSE, NULL, NULL},
    {"mistral-v3", TRUE, "", "\n\n", TRUE, NULL, "[INST] ", "[/INST]", FALSE, NULL, NULL},
    {"mistral-v3-tekken", TRUE, "", "\n\n", TRUE, NULL, "[INST]", "[/INST]", FALSE, NULL, NULL},
    {"mistral-v7", TRUE, "[SYSTEM_PROMPT] ", "[/SYSTEM_PROMPT]", FALSE, NULL, "[INST] ", "[/INST]", FALSE, NULL, NULL},
    CHATML("chatml", NULL, ""),
    CHATML("qwen2", "You are a helpful assistant.", ""),
    CHATML("qwen2.5", "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.", ""),
    CHATML("qwen3", NULL, ""),
    CHATML("qwen3-thinking", NULL, "<think>\n"),
    CHATML("smollm2", "You are a helpful AI assistant named SmolLM, trained by Hugging Face", ""),
    {"zephyr", FALSE, "<|system|>\n", "\1\n", FALSE, NULL, "<|user|>\n", "\1\n<|assistant|>\n", FALSE, NULL, NULL},
};

struct GlintChat {
    const Format *format;
    char *before, *behind;
    gboolean trim_left, trim_right;
    gboolean bos;
    char *identity;
};

const char *glint_chat_formats(void)
{
    static char *list;
    if (g_once_init_enter(&list)) {
        GString *names = g_string_new(NULL);
        for (gsize i = 0; i < G_N_ELEMENTS(formats); i++)
            g_string_append_printf(names, "%s%s", i ? ", " : "", formats[i].name);
        g_once_init_leave(&list, g_string_free(names, FALSE));
    }
    return list;
}

static const Format *find_format(const char *name)
{
    for (gsize i = 0; i < G_N_ELEMENTS(formats); i++)
        if (g_str_equal(formats[i].name, name))
            return &formats[i];
    return NULL;
}

/* ---- recognising ---- */

static gboolean has(const char *template, const char *mark) { return strstr(template, mark) != NULL; }

static gboolean has_any(const char *template, const char *const *marks)
{
    for (; *marks; marks++)
        if (has(template, *marks))
            return TRUE;
    return FALSE;
}

/* A line break in a string of a template is written \n, or stands there as it is. */
static const char *skip_break(const char *text) { return *text == '\n' ? text + 1 : g_str_has_prefix(text, "\\n") ? text + 2 : NULL; }

/* The system message that a ChatML template writes when there is none: text between the literal opening and end of a turn. NULL
 * if it writes none; *twice if it knows several. */
static char *default_system(const char *template, gboolean *twice)
{
    static const char open[] = "<|im_start|>system", close[] = "<|im_end|>";
    g_autoptr(GString) found = NULL;
    *twice = FALSE;
    for (const char *at = template; (at = strstr(at, open));) {
        at += sizeof open - 1;
        const char *text = skip_break(at), *end = text ? strstr(text, close) : NULL;
        if (!end || *text == '\'' || *text == '"')
            continue;
        g_autofree char *raw = g_strndup(text, (gsize)(end - text));
        if (strpbrk(raw, "{}"))
            continue;
        g_autoptr(GString) plain = g_string_new(NULL);
        for (const char *c = raw; *c; c++) { /* \n, \' and the like */
            const gboolean escaped = *c == '\\' && c[1];
            c += escaped;
            g_string_append_c(plain, escaped && *c == 'n' ? '\n' : escaped && *c == 't' ? '\t' : *c);
        }
        if (found && !g_string_equal(found, plain))
            *twice = TRUE;
        if (!found)
            found = g_steal_pointer(&plain);
    }
    return found ? g_string_free(g_steal_pointer(&found), FALSE) : NULL;
}

static const Format *recognise_chatml(const char *t, char **system)
{
    static const char *const foreign[] = {"image", "vision", "audio", "<|im_sep|>", "reasoning_mode", "/no_think", "xml_tools", "raise_exception", "capitalize", "title()", NULL};
    static const char *const trimming[] = {"| trim", "|trim", ".strip(", NULL};
    gboolean twice = FALSE;
    if (has_any(t, foreign) || !(has(t, "<|im_start|>assistant\\n") || has(t, "<|im_start|>assistant\n")))
        return NULL;
    *system = default_system(t, &twice);
    if (twice)
        return NULL;
    if (has(t, "<|im_start|>assistant\\n<think>\\n")) /* QwQ, and the thinking ones of Qwen 3 of July 2025 */
        return has(t, "enable_thinking") || *system ? NULL : find_format("qwen3-thinking");
    if (has(t, "enable_thinking is defined and enable_thinking is false"))
        return has(t, "enable_thinking is defined and enable_thinking is true") || *system ? NULL : find_format("qwen3");
    if (has(t, "enable_thinking") || (has_any(t, trimming) && !has(t, "</think>")))
        return NULL;
    for (gsize i = 0; *system && i < G_N_ELEMENTS(formats); i++)
        if (g_str_equal(formats[i].user_open, "<|im_start|>user\n") && g_strcmp0(formats[i].system, *system) == 0)
            return &formats[i];
    return find_format("chatml");
}

static const Format *recognise_inst(const char *t)
{
    if (has(t, "<<SYS>>"))
        return has(t, "'[INST] ' + content.strip() + ' [/INST]'") && has(t, "system_message = false") && !has(t, "system_message = '") ? find_format("llama2") : NULL;
    if (has(t, "[SYSTEM_PROMPT]"))
        return has(t, "'[SYSTEM_PROMPT] ' + message['content'] + '[/SYSTEM_PROMPT]'") && has(t, "'[INST] ' + message['content'] + '[/INST]'") ? find_format("mistral-v7") : NULL;
    if (has(t, "\"[INST] \" + system_message + \"\\n\\n\" + message[\"content\"] + \"[/INST]\""))
        return find_format("mistral-v3");
    if (has(t, "\"[INST]\" + system_message + \"\\n\\n\" + message[\"content\"] + \"[/INST]\""))
        return find_format("mistral-v3-tekken");
    if (has(t, "' [INST] ' + system_message + '\\n\\n' + message['content'] + ' [/INST]'") ||
        has(t, "\" [INST] \" + system_message + \"\\n\\n\" + message[\"content\"] + \" [/INST]\""))
        return find_format("mistral-v1-system");
    return has(t, "'[INST] ' + message['content'] + ' [/INST]'") && !has(t, "system") ? find_format("mistral-v1") : NULL;
}

static const Format *recognise(const char *t, char **system)
{
    *system = NULL;
    if (has(t, "<start_of_turn>") && has(t, "<end_of_turn>") && has(t, "| trim"))
        return has(t, "first_user_prefix") ? find_format("gemma3") : has(t, "System role not supported") && !has(t, "tool") ? find_format("gemma") : NULL;
    if (has(t, "<|start_header_id|>") && has(t, "| trim + '<|eot_id|>'")) {
        if (has(t, "Cutting Knowledge Date: December 2023") && has(t, "\"26 Jul 2024\""))
            return find_format(has(t, "strftime_now") ? "llama3.2" : "llama3.1");
        return has(t, "tool") || has(t, "Cutting Knowledge") ? NULL : find_format("llama3");
    }
    if (has(t, "<|im_start|>"))
        return recognise_chatml(t, system);
    if (has(t, "[INST]"))
        return recognise_inst(t);
    if (has(t, "<|user|>") && has(t, "<|system|>") && has(t, "message['content'] + eos_token") && has(t, "{{ '<|assistant|>' }}"))
        return find_format("zephyr");
    return NULL;
}

/* ---- the files ---- */

/* The string a value holds, or the "content" of an added token. */
static const char *token_text(const json_t *value)
{
    return json_string_value(json_is_object(value) ? json_object_get(value, "content") : value);
}

static json_t *read_json_if_there(const char *folder, const char *name, GError **error)
{
    g_autofree char *path = g_build_filename(folder, name, NULL);
    return g_file_test(path, G_FILE_TEST_EXISTS) ? glint_json_read(path, error) : json_object();
}

/* chat_template: a string, or a list of {name, template} of which "default" counts. */
static char *template_in(const json_t *root)
{
    const json_t *value = json_object_get(root, "chat_template");
    for (gsize i = 0; i < json_array_size(value); i++) {
        const json_t *entry = json_array_get(value, i);
        if (g_strcmp0(json_string_value(json_object_get(entry, "name")), "default") == 0)
            return g_strdup(json_string_value(json_object_get(entry, "template")));
    }
    return g_strdup(json_string_value(value));
}

/* The template and the file it stands in; *template NULL when the folder has none. */
static gboolean read_template(const char *folder, const json_t *config, char **template, char **file, GError **error)
{
    g_autofree char *jinja = g_build_filename(folder, "chat_template.jinja", NULL);
    *template = NULL;
    *file = g_build_filename(folder, "tokenizer_config.json", NULL);
    if (g_file_test(jinja, G_FILE_TEST_EXISTS)) {
        g_free(*file);
        *file = g_steal_pointer(&jinja);
        GError *problem = NULL;
        if (!g_file_get_contents(*file, template, NULL, &problem)) {
            glint_fail(error, GLINT_ERROR_IO, "%s", problem->message);
            g_error_free(problem);
            return FALSE;
        }
        return TRUE;
    }
    if ((*template = template_in(config)))
        return TRUE;
    g_autoptr(json_t) processor = read_json_if_there(folder, "chat_template.json", error); /* multimodal models before 2025 */
    if (!processor)
        return FALSE;
    *template = template_in(processor);
    return TRUE;
}

static gboolean choose_format(const char *folder, const char *wanted, const json_t *config, const Format **format, char **system, gboolean *bos, GError **error)
{
    g_autofree char *template = NULL, *file = NULL;
    if (wanted) {
        if (!(*format = find_format(wanted)))
            return glint_fail(error, GLINT_ERROR_USAGE, "there is no chat format '%s'; known: %s", wanted, glint_chat_formats());
        *bos = (*format)->bos;
        return TRUE;
    }
    if (!read_template(folder, config, &template, &file, error))
        return FALSE;
    if (!template)
        return glint_fail(error, GLINT_ERROR_DATA, "%s: no chat template (chat_template.jinja, or chat_template in tokenizer_config.json); is this an instruction model? "
                          "--chat-format NAME forces one of %s", folder, glint_chat_formats());
    if (!(*format = recognise(template, system)))
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: this chat template is none of those glint knows; if the model reads one of them, name it with --chat-format: %s",
                          file, glint_chat_formats());
    *bos = has(template, "bos_token") || has(template, "'<bos>'");
    return TRUE;
}

/* ---- opening and rendering ---- */

static void append(GString *to, const char *pattern, const char *eos, const char *date)
{
    for (; *pattern; pattern++)
        if (*pattern == '\1')
            g_string_append(to, eos);
        else if (*pattern == '\2')
            g_string_append(to, date);
        else
            g_string_append_c(to, *pattern);
}

/* What str.strip() takes for white space. */
static gboolean is_blank(gunichar c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
           c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

/* The part of `text` that strip() keeps; bytes that are not UTF-8 are not blank. */
static void append_trimmed(GString *to, const char *text, gsize length, gboolean left, gboolean right)
{
    const char *end = text + length;
    while (left && text < end && is_blank(g_utf8_get_char_validated(text, end - text)))
        text = g_utf8_next_char(text);
    while (right && end > text) {
        const char *last = g_utf8_find_prev_char(text, end);
        if (!last || !is_blank(g_utf8_get_char_validated(last, end - last)) || g_utf8_next_char(last) != end)
            break;
        end = last;
    }
    g_string_append_len(to, text, end - text);
}

static char *today(void)
{
    static const char *const months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}; /* strftime follows the locale */
    const time_t now = time(NULL);
    struct tm parts;
    localtime_r(&now, &parts);
    return g_strdup_printf("%02d %s %d", parts.tm_mday, months[parts.tm_mon], parts.tm_year + 1900);
}

static void compose(GlintChat *self, const char *bos, const char *eos, const char *system, const char *date, gboolean no_thinking)
{
    const Format *format = self->format;
    GString *before = g_string_new(self->bos ? bos : ""), *behind = g_string_new(NULL);
    self->trim_left = self->trim_right = format->trim;
    if (format->system_inside)
        append(before, format->user_open, eos, date);
    if (system) {
        append(before, format->system_open, eos, date);
        append_trimmed(before, system, strlen(system), format->trim && !format->system_inside, format->trim && !format->system_inside);
        append(before, format->system_close, eos, date);
        if (g_str_equal(format->name, "llama2")) /* strips system and user message as one */
            self->trim_left = FALSE;
    }
    if (!format->system_inside)
        append(before, format->user_open, eos, date);
    append(behind, format->user_close, eos, date);
    if (no_thinking)
        g_string_append(behind, "<think>\n\n</think>\n\n");
    self->before = g_string_free(before, FALSE);
    self->behind = g_string_free(behind, FALSE);
    g_autofree char *all = g_strdup_printf("%d%d%s%c%s", self->trim_left, self->trim_right, self->before, 1, self->behind), *hash = glint_sha256_bytes(all, strlen(all));
    self->identity = g_strdup_printf("%s %.16s%s%s", format->name, hash, strstr(format->system_open ? format->system_open : "", "\2") ? ", dated " : "",
                                     strstr(format->system_open ? format->system_open : "", "\2") ? date : "");
}

GlintChat *glint_chat_open(const char *folder, const GlintChatOptions *options, GError **error)
{
    g_autoptr(GlintChat) self = g_new0(GlintChat, 1);
    g_autofree char *system = NULL, *now = today();
    g_autoptr(json_t) config = read_json_if_there(folder, "tokenizer_config.json", error);
    g_autoptr(json_t) map = config ? read_json_if_there(folder, "special_tokens_map.json", error) : NULL;
    if (!map || !choose_format(folder, options->format, config, &self->format, &system, &self->bos, error))
        return NULL;
    const Format *format = self->format;
    const char *dated = format->system_open && strchr(format->system_open, '\2') ? format->name : NULL;
    if (options->system && !format->system_open) {
        glint_fail(error, GLINT_ERROR_USAGE, "chat format %s has no system message; put it into the text", format->name);
        return NULL;
    }
    if (options->no_thinking && !g_str_equal(format->name, "qwen3")) {
        glint_fail(error, GLINT_ERROR_USAGE, "chat format %s has no switch for thinking, only qwen3 has", format->name);
        return NULL;
    }
    if (options->date && !dated) {
        glint_fail(error, GLINT_ERROR_USAGE, "chat format %s writes no date, only llama3.1 and llama3.2 do", format->name);
        return NULL;
    }
    const char *bos = token_text(json_object_get(config, "bos_token")), *eos = token_text(json_object_get(config, "eos_token"));
    bos = bos ? bos : token_text(json_object_get(map, "bos_token"));
    eos = eos ? eos : token_text(json_object_get(map, "eos_token"));
    self->bos = self->bos && bos && *bos;
    compose(self, bos, eos ? eos : "", options->system ? options->system : system ? system : format->system,
            options->date ? options->date : format->date ? format->date : now, options->no_thinking);
    return g_steal_pointer(&self);
}

void glint_chat_free(GlintChat *self)
{
    if (!self)
        return;
    g_free(self->before);
    g_free(self->behind);
    g_free(self->identity);
    g_free(self);
}

GString *glint_chat_render(const GlintChat *self, const char *text, gssize length)
{
    GString *all = g_string_new(self->before);
    append_trimmed(all, text, length < 0 ? strlen(text) : (gsize)length, self->trim_left, self->trim_right);
    return g_string_append(all, self->behind);
}

gboolean glint_text_encode(const GlintTokenizer *tokenizer, const GlintChat *chat, const char *text, gssize length, gboolean add_special, GArray *ids, GError **error)
{
    if (!chat)
        return glint_tokenizer_encode(tokenizer, text, length, add_special, ids, error);
    g_autoptr(GString) all = glint_chat_render(chat, text, length);
    return glint_tokenizer_encode(tokenizer, all->str, (gssize)all->len, FALSE, ids, error);
}

gsize glint_text_n_prefix(const GlintTokenizer *tokenizer, const GlintChat *chat) { return !chat ? glint_tokenizer_n_prefix(tokenizer) : chat->bos ? 1 : 0; }

const char *glint_chat_format(const GlintChat *self) { return self->format->name; }
const char *glint_chat_identity(const GlintChat *self) { return self->identity; }
const char *glint_chat_end(const GlintChat *self) { return self->format->end; }
