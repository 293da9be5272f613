/* Decoders: a flat list of steps over the list of tokens, whose results are then joined. Some work on each token by
 * itself (Replace, Strip), some across tokens (ByteLevel and ByteFallback gather bytes that only together are characters). */
#include "text/decode.h"

#include "base/error.h"
#include "base/files.h"
#include "text/normalize.h"
#include "text/tokenizer_regex.h"
#include "text/tokenizer_utf8.h"

#include <string.h>

typedef enum { STEP_BYTE_LEVEL, STEP_BYTE_FALLBACK, STEP_FUSE, STEP_REPLACE, STEP_STRIP, STEP_METASPACE, STEP_SUFFIX } StepKind;

typedef struct {
    StepKind kind;
    GlintRegex *pattern;
    GString *content;    /* Replace, Strip, Metaspace's character, BPEDecoder's suffix */
    gsize start, stop;   /* Strip */
    gboolean drop_first; /* Metaspace: the first token's replacement stood for the added prefix */
} Step;

struct GlintDecoder {
    GArray *steps;
    gboolean none; /* the file names no decoder */
};

static const char known_kinds[] = "Sequence, ByteLevel, ByteFallback, Fuse, Replace, Strip, Metaspace, BPEDecoder";

static void step_clear(gpointer data)
{
    Step *step = data;
    glint_regex_free(step->pattern);
    if (step->content)
        g_string_free(step->content, TRUE);
}

static void string_free(gpointer data) { g_string_free(data, TRUE); }

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static gboolean read_string(Step *step, const json_t *spec, const char *key, const char *fallback, gboolean one_char, GError **error)
{
    const json_t *value = json_object_get(spec, key);
    if (value ? !json_is_string(value) : fallback == NULL)
        return glint_fail(error, GLINT_ERROR_FORMAT, "decoder: \"%s\" must be a string", key);
    step->content = value ? g_string_new_len(json_string_value(value), (gssize)json_string_length(value)) : g_string_new(fallback);
    if (one_char && g_utf8_strlen(step->content->str, (gssize)step->content->len) != 1)
        return glint_fail(error, GLINT_ERROR_FORMAT, "decoder: \"%s\" must be one character", key);
    return TRUE;
}

static gboolean read_counts(Step *step, const json_t *spec, GError **error)
{
    GError *local = NULL;
    gint64 start = glint_json_int(spec, "start", 0, &local), stop = glint_json_int(spec, "stop", 0, &local);
    if (local) {
        g_propagate_error(error, local);
        return FALSE;
    }
    if (start < 0 || stop < 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "decoder Strip: \"start\" and \"stop\" must not be negative");
    step->start = (gsize)start;
    step->stop = (gsize)stop;
    return TRUE;
}

static gboolean read_metaspace(Step *step, const json_t *spec, GError **error)
{
    GError *local = NULL;
    gboolean add_prefix = glint_json_bool(spec, "add_prefix_space", TRUE, &local);
    const char *scheme = glint_json_string(spec, "prepend_scheme", add_prefix ? "always" : "never", &local);
    if (local) {
        g_propagate_error(error, local);
        return FALSE;
    }
    step->drop_first = !g_str_equal(scheme, "never");
    return read_string(step, spec, "replacement", "\xE2\x96\x81", TRUE, error);
}

static gboolean add_steps(GArray *steps, const json_t *spec, GError **error)
{
    const char *type = glint_component_type(spec, "decoder", error);
    if (!type)
        return FALSE;
    if (g_str_equal(type, "Sequence")) {
        const json_t *list = json_object_get(spec, "decoders");
        if (!json_is_array(list))
            return glint_fail(error, GLINT_ERROR_FORMAT, "decoder Sequence: \"decoders\" must be a list");
        for (gsize i = 0; i < json_array_size(list); i++)
            if (!add_steps(steps, json_array_get(list, i), error))
                return FALSE;
        return TRUE;
    }
    Step step = {.kind = STEP_FUSE};
    gboolean ok = TRUE;
    if (g_str_equal(type, "ByteLevel")) {
        step.kind = STEP_BYTE_LEVEL;
    } else if (g_str_equal(type, "ByteFallback")) {
        step.kind = STEP_BYTE_FALLBACK;
    } else if (g_str_equal(type, "Replace")) {
        step.kind = STEP_REPLACE;
        ok = read_string(&step, spec, "content", NULL, FALSE, error) && (step.pattern = glint_regex_from_json(spec, error)) != NULL;
    } else if (g_str_equal(type, "Strip")) {
        step.kind = STEP_STRIP;
        ok = read_string(&step, spec, "content", NULL, TRUE, error) && read_counts(&step, spec, error);
    } else if (g_str_equal(type, "Metaspace")) {
        step.kind = STEP_METASPACE;
        ok = read_metaspace(&step, spec, error);
    } else if (g_str_equal(type, "BPEDecoder")) {
        step.kind = STEP_SUFFIX;
        ok = read_string(&step, spec, "suffix", "</w>", FALSE, error);
    } else if (!g_str_equal(type, "Fuse")) {
        return glint_component_refuse(type, "decoder", known_kinds, error);
    }
    g_array_append_val(steps, step); /* even when half-read: the array frees it */
    return ok;
}

GlintDecoder *glint_decoder_new(const json_t *spec, GError **error)
{
    g_autoptr(GlintDecoder) self = g_new0(GlintDecoder, 1);
    self->steps = g_array_new(FALSE, TRUE, sizeof(Step));
    g_array_set_clear_func(self->steps, step_clear);
    self->none = !spec || json_is_null(spec);
    if (!self->none && !add_steps(self->steps, spec, error))
        return NULL;
    return g_steal_pointer(&self);
}

void glint_decoder_free(GlintDecoder *self)
{
    if (!self)
        return;
    g_array_unref(self->steps);
    g_free(self);
}

/* ---- applying ------------------------------------------------------------------------------------------------------- */

/* Characters back to bytes, all tokens in one. A token with a character outside the table stands for its own UTF-8. */
static void byte_level(GPtrArray *tokens)
{
    g_autoptr(GString) bytes = g_string_new(NULL);
    gunichar c = 0;
    for (guint k = 0; k < tokens->len; k++) {
        const GString *token = g_ptr_array_index(tokens, k);
        gsize before = bytes->len;
        for (gsize i = 0; i < token->len;) {
            i += (gsize)ABS(glint_utf8_next(token->str + i, token->len - i, &c));
            int byte = glint_char_to_byte(c);
            if (byte < 0) {
                g_string_truncate(bytes, before);
                g_string_append_len(bytes, token->str, (gssize)token->len);
                break;
            }
            g_string_append_c(bytes, (char)byte);
        }
    }
    GString *text = g_string_sized_new(bytes->len);
    glint_utf8_append_lossy(text, bytes->str, bytes->len);
    g_ptr_array_set_size(tokens, 0);
    g_ptr_array_add(tokens, text);
}

/* <0x0A> is byte 10; -1: no byte token. */
static int byte_of(const GString *token)
{
    if (token->len != 6 || memcmp(token->str, "<0x", 3) != 0 || token->str[5] != '>')
        return -1;
    int high = token->str[3] == '+' ? 0 : g_ascii_xdigit_value(token->str[3]); /* Rust's number parser takes a sign */
    int low = g_ascii_xdigit_value(token->str[4]);
    return high < 0 || low < 0 ? -1 : high * 16 + low;
}

/* Ends a run of byte tokens: its text, or one U+FFFD for each byte when it is not UTF-8. */
static void flush_bytes(GString *run, GPtrArray *out)
{
    if (run->len == 0)
        return;
    GString *text = g_string_sized_new(run->len);
    if (glint_utf8_valid(run->str, run->len))
        g_string_append_len(text, run->str, (gssize)run->len);
    else
        for (gsize i = 0; i < run->len; i++)
            g_string_append(text, "\xEF\xBF\xBD");
    g_ptr_array_add(out, text);
    g_string_truncate(run, 0);
}

static void byte_fallback(GPtrArray *tokens)
{
    g_autoptr(GPtrArray) old = g_ptr_array_new_with_free_func(string_free);
    g_autoptr(GString) run = g_string_new(NULL);
    for (guint k = 0; k < tokens->len; k++) {
        g_ptr_array_add(old, g_ptr_array_index(tokens, k));
        tokens->pdata[k] = g_string_new(NULL); /* so that `tokens` owns something wherever this stops */
    }
    g_ptr_array_set_size(tokens, 0);
    for (guint k = 0; k < old->len; k++) {
        const GString *token = g_ptr_array_index(old, k);
        int byte = byte_of(token);
        if (byte >= 0) {
            g_string_append_c(run, (char)byte);
            continue;
        }
        flush_bytes(run, tokens);
        g_ptr_array_add(tokens, g_string_new_len(token->str, (gssize)token->len));
    }
    flush_bytes(run, tokens);
}

static GString *join(const GPtrArray *tokens, const char *separator)
{
    GString *out = g_string_new(NULL);
    for (guint k = 0; k < tokens->len; k++) {
        const GString *token = g_ptr_array_index(tokens, k);
        g_string_append(out, k > 0 ? separator : "");
        g_string_append_len(out, token->str, (gssize)token->len);
    }
    return out;
}

static void strip(const Step *step, GString *token)
{
    gsize n = step->content->len, left = 0, right = 0;
    for (gsize i = 0; i < step->start && left + n <= token->len && memcmp(token->str + left, step->content->str, n) == 0; i++)
        left += n;
    for (gsize i = 0; i < step->stop && left + right + n <= token->len && memcmp(token->str + token->len - right - n, step->content->str, n) == 0; i++)
        right += n;
    g_string_truncate(token, token->len - right);
    g_string_erase(token, 0, (gssize)left);
}

/* The step on one token by itself. */
static gboolean apply_to_token(const Step *step, GString *token, gboolean first, gboolean last, GError **error)
{
    if (step->kind == STEP_STRIP) {
        strip(step, token);
        return TRUE;
    }
    const char *content = step->content->str;
    gsize length = step->content->len;
    g_autoptr(GString) out = g_string_new(NULL);
    if (step->kind == STEP_REPLACE) {
        if (!glint_regex_replace(step->pattern, token->str, token->len, content, length, out, error))
            return FALSE;
    } else {
        const char *instead = step->kind == STEP_METASPACE ? (first && step->drop_first ? "" : " ") : last ? "" : " ";
        for (gsize i = 0; i < token->len;) {
            gboolean hit = length > 0 && i + length <= token->len && memcmp(token->str + i, content, length) == 0;
            if (hit)
                g_string_append(out, instead);
            else
                g_string_append_c(out, token->str[i]);
            i += hit ? length : 1;
        }
    }
    g_string_truncate(token, 0);
    g_string_append_len(token, out->str, (gssize)out->len);
    return TRUE;
}

static gboolean apply_step(const Step *step, GPtrArray *tokens, GError **error)
{
    if (step->kind == STEP_BYTE_LEVEL) {
        byte_level(tokens);
    } else if (step->kind == STEP_BYTE_FALLBACK) {
        byte_fallback(tokens);
    } else if (step->kind == STEP_FUSE) {
        GString *all = join(tokens, "");
        g_ptr_array_set_size(tokens, 0);
        g_ptr_array_add(tokens, all);
    } else {
        for (guint k = 0; k < tokens->len; k++)
            if (!apply_to_token(step, g_ptr_array_index(tokens, k), k == 0, k + 1 == tokens->len, error))
                return FALSE;
    }
    return TRUE;
}

GString *glint_decoder_apply(const GlintDecoder *self, GPtrArray *tokens, GError **error)
{
    for (guint i = 0; i < self->steps->len; i++)
        if (!apply_step(&g_array_index(self->steps, Step, i), tokens, error))
            return NULL;
    return join(tokens, self->none ? " " : "");
}
