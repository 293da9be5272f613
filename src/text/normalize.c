/* Normalizers: every kind becomes one or more steps of a flat list, so a Sequence costs nothing. Unicode's normal forms are
 * utf8proc's; text whose characters all lie below U+0300 is its own NFC and is not touched. Lower-casing is per character,
 * as upstream (no final-sigma rule). */
#include "text/normalize.h"

#include "base/error.h"
#include "base/files.h"
#include "text/charsmap.h"
#include "text/spm_normalize.h"
#include "text/tokenizer_regex.h"
#include "text/tokenizer_utf8.h"
#include "text/unicode_versions.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

typedef enum { STEP_FORM, STEP_PREPEND, STEP_REPLACE, STEP_STRIP, STEP_LOWERCASE, STEP_STRIP_ACCENTS, STEP_NMT, STEP_BYTES, STEP_CHARSMAP, STEP_SPM } StepKind;

typedef struct {
    StepKind kind;
    utf8proc_option_t form;
    gboolean left, right;
    GString *content; /* of Prepend, Replace */
    GlintRegex *pattern;
    GlintCharsmap *charsmap; /* of Precompiled */
    GlintSpmNormalizer *spm;
} Step;

struct GlintNormalizer {
    GArray *steps;
};

static const char known_kinds[] = "Sequence, NFC, NFD, NFKC, NFKD, Prepend, Replace, Strip, StripAccents, Lowercase, Nmt, Precompiled, ByteLevel";

const char *glint_component_type(const json_t *spec, const char *what, GError **error)
{
    const char *type = json_string_value(json_object_get(spec, "type"));
    if (!type)
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: an object with a \"type\" was expected", what);
    return type;
}

gboolean glint_component_refuse(const char *type, const char *what, const char *known, GError **error)
{
    return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s of type \"%s\" is not supported; glint knows %s", what, type, known);
}

static void step_clear(gpointer data)
{
    Step *step = data;
    if (step->content)
        g_string_free(step->content, TRUE);
    glint_regex_free(step->pattern);
    glint_charsmap_free(step->charsmap);
    glint_spm_normalizer_free(step->spm);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static gboolean read_content(Step *step, const json_t *spec, const char *key, GError **error)
{
    const json_t *value = json_object_get(spec, key);
    if (!json_is_string(value))
        return glint_fail(error, GLINT_ERROR_FORMAT, "normalizer: \"%s\" must be a string", key);
    step->content = g_string_new_len(json_string_value(value), (gssize)json_string_length(value));
    return TRUE;
}

static gboolean read_charsmap(Step *step, const json_t *spec, GError **error)
{
    const json_t *value = json_object_get(spec, "precompiled_charsmap");
    gsize length = 0;
    if (!json_is_string(value))
        return glint_fail(error, GLINT_ERROR_FORMAT, "normalizer Precompiled: \"precompiled_charsmap\" must be a string");
    g_autofree guchar *bytes = g_base64_decode(json_string_value(value), &length);
    step->charsmap = glint_charsmap_new(bytes, length, error);
    return step->charsmap != NULL;
}

static gboolean add_steps(GArray *steps, const json_t *spec, GError **error);

static gboolean add_sequence(GArray *steps, const json_t *spec, GError **error)
{
    const json_t *list = json_object_get(spec, "normalizers");
    if (!json_is_array(list))
        return glint_fail(error, GLINT_ERROR_FORMAT, "normalizer Sequence: \"normalizers\" must be a list");
    for (gsize i = 0; i < json_array_size(list); i++)
        if (!add_steps(steps, json_array_get(list, i), error))
            return FALSE;
    return TRUE;
}

static gboolean add_steps(GArray *steps, const json_t *spec, GError **error)
{
    static const struct {
        const char *name;
        StepKind kind;
        int form;
    } plain[] = {{"NFC", STEP_FORM, UTF8PROC_STABLE | UTF8PROC_COMPOSE},
                 {"NFD", STEP_FORM, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE},
                 {"NFKC", STEP_FORM, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT},
                 {"NFKD", STEP_FORM, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT},
                 {"Lowercase", STEP_LOWERCASE, 0},
                 {"StripAccents", STEP_STRIP_ACCENTS, 0},
                 {"Nmt", STEP_NMT, 0},
                 {"ByteLevel", STEP_BYTES, 0}};
    const char *type = glint_component_type(spec, "normalizer", error);
    if (!type)
        return FALSE;
    if (g_str_equal(type, "Sequence"))
        return add_sequence(steps, spec, error);
    Step step = {.kind = STEP_STRIP};
    gboolean ok = TRUE;
    if (g_str_equal(type, "Prepend")) {
        step.kind = STEP_PREPEND;
        ok = read_content(&step, spec, "prepend", error);
    } else if (g_str_equal(type, "Replace")) {
        step.kind = STEP_REPLACE;
        ok = read_content(&step, spec, "content", error) && (step.pattern = glint_regex_from_json(spec, error)) != NULL;
    } else if (g_str_equal(type, "Precompiled")) {
        step.kind = STEP_CHARSMAP;
        ok = read_charsmap(&step, spec, error);
    } else if (g_str_equal(type, "Strip")) {
        GError *local = NULL;
        step.left = glint_json_bool(spec, "strip_left", TRUE, &local);
        step.right = glint_json_bool(spec, "strip_right", TRUE, &local);
        ok = local == NULL;
        if (local)
            g_propagate_error(error, local);
    } else {
        gsize i = 0;
        while (i < G_N_ELEMENTS(plain) && !g_str_equal(type, plain[i].name))
            i++;
        if (i == G_N_ELEMENTS(plain))
            return glint_component_refuse(type, "normalizer", known_kinds, error);
        step.kind = plain[i].kind;
        step.form = (utf8proc_option_t)plain[i].form;
    }
    g_array_append_val(steps, step); /* even when half-read: the array frees it */
    return ok;
}

GlintNormalizer *glint_normalizer_new(const json_t *spec, GError **error)
{
    g_autoptr(GlintNormalizer) self = g_new0(GlintNormalizer, 1);
    self->steps = g_array_new(FALSE, TRUE, sizeof(Step));
    g_array_set_clear_func(self->steps, step_clear);
    if (spec && !json_is_null(spec) && !add_steps(self->steps, spec, error))
        return NULL;
    return g_steal_pointer(&self);
}

GlintNormalizer *glint_normalizer_new_spm(const GlintSpmModel *model, gboolean every_stretch, GError **error)
{
    GlintNormalizer *self = glint_normalizer_new(NULL, NULL);
    Step step = {.kind = STEP_SPM, .spm = glint_spm_normalizer_new(model, every_stretch, error)};
    g_array_append_val(self->steps, step);
    if (!step.spm)
        g_clear_pointer(&self, glint_normalizer_free);
    return self;
}

void glint_normalizer_free(GlintNormalizer *self)
{
    if (!self)
        return;
    g_array_unref(self->steps);
    g_free(self);
}

/* ---- applying ------------------------------------------------------------------------------------------------------- */

/* Appends the normal form of `text`. Characters that upstream's older tables lack stand for themselves, and nothing moves across. */
static gboolean append_form(GString *out, const char *text, gsize length, utf8proc_option_t form, GError **error)
{
    gunichar c = 0;
    for (gsize i = 0, start = 0, n; i <= length; i += n) {
        n = i < length ? (gsize)ABS(glint_utf8_next(text + i, length - i, &c)) : 1;
        if (i < length && !glint_char_is_new_to_forms(c))
            continue;
        utf8proc_uint8_t *result = NULL;
        utf8proc_ssize_t n_result = i > start ? utf8proc_map((const utf8proc_uint8_t *)text + start, (utf8proc_ssize_t)(i - start), &result, form) : 0;
        if (n_result < 0)
            return glint_fail(error, GLINT_ERROR_FAILED, "Unicode normalization failed: %s", utf8proc_errmsg(n_result));
        g_string_append_len(out, (const char *)result, n_result);
        free(result);
        if (i < length)
            g_string_append_len(out, text + i, (gssize)n);
        start = i + n;
    }
    return TRUE;
}

/* Only islands are normalized: from one character before the first that could change, or change what stands before it, up to the next
 * ASCII character, which composes with nothing on its left. */
static gboolean unicode_form(GString *text, utf8proc_option_t form, GError **error)
{
    /* lead bytes below 0xCC are characters below U+0300: their own NFC; the other forms only spare ASCII */
    guint8 limit = form == (utf8proc_option_t)(UTF8PROC_STABLE | UTF8PROC_COMPOSE) ? 0xCC : 0x80;
    g_autoptr(GString) out = NULL;
    gsize done = 0, previous = 0; /* all before `done` is in `out`; start of the character before i */
    for (gsize i = 0; i < text->len;) {
        if ((guint8)text->str[i] < limit) {
            previous = i++;
            while (i < text->len && ((guint8)text->str[i] & 0xC0) == 0x80)
                i++;
            continue;
        }
        gsize start = MAX(previous, done), end = i;
        while (end < text->len && (guint8)text->str[end] >= 0x80)
            end++;
        if (!out)
            out = g_string_sized_new(text->len + 16);
        g_string_append_len(out, text->str + done, (gssize)(start - done));
        if (!append_form(out, text->str + start, end - start, form, error))
            return FALSE;
        done = previous = i = end;
    }
    if (!out)
        return TRUE;
    g_string_append_len(out, text->str + done, (gssize)(text->len - done));
    g_string_truncate(text, 0);
    g_string_append_len(text, out->str, (gssize)out->len);
    return TRUE;
}

static void strip(GString *text, gboolean left, gboolean right)
{
    if (right)
        g_string_truncate(text, text->len - glint_utf8_trailing_space(text->str, text->len));
    if (left)
        g_string_erase(text, 0, (gssize)glint_utf8_leading_space(text->str, text->len));
}

/* What the NMT models' normalizer drops (0), or turns into a space. */
static gunichar nmt_char(gunichar c)
{
    if ((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F)
        return 0;
    if (c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 || c == 0x2029 ||
        c == 0x2581 || c == 0xFEFF || c == 0xFFFD)
        return ' ';
    return c;
}

/* A mark, by upstream's older tables, for which U+1CF2 and U+1CF3 are marks too. */
static gboolean is_accent(gunichar c)
{
    return (glint_char_is_mark(c) && !glint_char_is_new_to_forms(c)) || c == 0x1CF2 || c == 0x1CF3;
}

static void map_chars(GString *text, StepKind kind)
{
    g_autoptr(GString) out = g_string_sized_new(text->len + 8);
    gunichar c = 0;
    for (gsize i = 0; i < text->len;) {
        int n = glint_utf8_next(text->str + i, text->len - i, &c);
        const char *source = text->str + i;
        gsize length = (gsize)ABS(n);
        i += length;
        if (kind == STEP_LOWERCASE && c == 0x130)
            g_string_append(out, "i\xCC\x87"); /* the one character whose lower case is two */
        else if (kind == STEP_LOWERCASE)
            g_string_append_unichar(out, glint_char_new_lower((gunichar)utf8proc_tolower((utf8proc_int32_t)c)));
        else if (kind == STEP_STRIP_ACCENTS ? !is_accent(c) : nmt_char(c) == c)
            g_string_append_len(out, source, (gssize)length);
        else if (kind == STEP_NMT && nmt_char(c) == ' ')
            g_string_append_c(out, ' ');
    }
    g_string_truncate(text, 0);
    g_string_append_len(text, out->str, (gssize)out->len);
}

/* As upstream does it: a grapheme of less than six bytes is replaced whole by what stands for the shortest string of the map it
 * starts with; else each of its characters is. */
static gboolean map_grapheme(const GlintCharsmap *map, const char *text, gsize length, GString *out, GError **error)
{
    const char *replacement = NULL;
    gsize used = 0, n;
    gunichar c = 0;
    if (length < 6 && !glint_charsmap_match(map, text, length, FALSE, &used, &replacement, error))
        return FALSE;
    if (used > 0) {
        g_string_append(out, replacement);
        return TRUE;
    }
    for (gsize i = 0; i < length; i += n) {
        n = (gsize)ABS(glint_utf8_next(text + i, length - i, &c));
        if (!glint_charsmap_match(map, text + i, n, FALSE, &used, &replacement, error))
            return FALSE;
        if (used > 0)
            g_string_append(out, replacement);
        else
            g_string_append_len(out, text + i, (gssize)n);
    }
    return TRUE;
}

static gboolean map_graphemes(const GlintCharsmap *map, const GString *text, GString *out, GError **error)
{
    gsize start = 0;
    utf8proc_int32_t state = 0;
    gunichar before = 0, c = 0;
    for (gsize i = 0; i < text->len;) {
        gsize n = (gsize)ABS(glint_utf8_next(text->str + i, text->len - i, &c));
        if (i > 0 && utf8proc_grapheme_break_stateful((utf8proc_int32_t)before, (utf8proc_int32_t)c, &state)) {
            if (!map_grapheme(map, text->str + start, i - start, out, error))
                return FALSE;
            start = i;
        }
        before = c;
        i += n;
    }
    return start == text->len || map_grapheme(map, text->str + start, text->len - start, out, error);
}

static gboolean apply_step(const Step *step, GString *text, gboolean first, GError **error)
{
    g_autoptr(GString) out = NULL;
    switch (step->kind) {
    case STEP_FORM: return unicode_form(text, step->form, error);
    case STEP_PREPEND:
        if (text->len > 0)
            g_string_prepend_len(text, step->content->str, (gssize)step->content->len);
        return TRUE;
    case STEP_STRIP: strip(text, step->left, step->right); return TRUE;
    case STEP_LOWERCASE:
    case STEP_STRIP_ACCENTS:
    case STEP_NMT: map_chars(text, step->kind); return TRUE;
    case STEP_REPLACE:
        out = g_string_sized_new(text->len + text->len / 2 + 8);
        if (!glint_regex_replace(step->pattern, text->str, text->len, step->content->str, step->content->len, out, error))
            return FALSE;
        break;
    case STEP_CHARSMAP:
        out = g_string_sized_new(text->len + 8);
        if (!map_graphemes(step->charsmap, text, out, error))
            return FALSE;
        break;
    case STEP_SPM:
        out = g_string_sized_new(text->len + text->len / 2 + 8);
        if (!glint_spm_normalizer_apply(step->spm, text->str, text->len, first, out, error))
            return FALSE;
        break;
    case STEP_BYTES:
        out = g_string_sized_new(text->len * 2 + 8);
        glint_append_byte_chars(out, text->str, text->len);
        break;
    }
    g_string_truncate(text, 0);
    g_string_append_len(text, out->str, (gssize)out->len);
    return TRUE;
}

gboolean glint_normalizer_apply(const GlintNormalizer *self, GString *text, gboolean first, GError **error)
{
    for (guint i = 0; i < self->steps->len; i++)
        if (!apply_step(&g_array_index(self->steps, Step, i), text, first, error))
            return FALSE;
    return TRUE;
}
