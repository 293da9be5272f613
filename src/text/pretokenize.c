/* Pre-tokenizers, as a flat list of three kinds of step: split the pieces (by a pattern or a class of characters, with
 * one of five behaviours), put a prefix before them, rewrite their characters. ByteLevel, for one, is prefix + split by
 * GPT-2's pattern + bytes to characters. Steps that rewrite build a new text; splits only move offsets. */
#include "text/pretokenize.h"

#include "base/error.h"
#include "base/files.h"
#include "text/normalize.h"
#include "text/tokenizer_regex.h"
#include "text/tokenizer_utf8.h"

#include <string.h>

typedef enum { STEP_SPLIT, STEP_PREFIX, STEP_SPACES, STEP_BYTES } StepKind;
typedef enum { BEHAVIOR_REMOVED, BEHAVIOR_ISOLATED, BEHAVIOR_MERGED_WITH_PREVIOUS, BEHAVIOR_MERGED_WITH_NEXT, BEHAVIOR_CONTIGUOUS } Behavior;
typedef gboolean (*CharClass)(gunichar c);

typedef struct {
    StepKind kind;
    Behavior behavior;
    gboolean invert;
    GlintRegex *pattern;  /* a split is by this, */
    CharClass char_class; /* or by this, */
    gboolean words;       /* or into runs of \w and runs of other visible characters */
    GString *content;     /* the prefix (not put where the piece starts with it); what a space becomes */
    gboolean first_only;  /* prefix: only the piece that starts the text */
} Step;

struct GlintPretokenizer {
    GArray *steps;
    gboolean splits;
};

static const char known_kinds[] = "Sequence, ByteLevel, Split, Digits, Metaspace, Whitespace, WhitespaceSplit, Punctuation, CharDelimiterSplit, BertPreTokenizer";
static const char gpt2_pattern[] = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

static void step_clear(gpointer data)
{
    Step *step = data;
    glint_regex_free(step->pattern);
    if (step->content)
        g_string_free(step->content, TRUE);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static gboolean read_behavior(const json_t *spec, const char *fallback, Behavior *behavior, GError **error)
{
    static const char *const names[] = {"removed", "isolated", "mergedwithprevious", "mergedwithnext", "contiguous"};
    const json_t *value = json_object_get(spec, "behavior");
    const char *name = value ? json_string_value(value) : fallback;
    g_autofree char *lower = name ? g_ascii_strdown(name, -1) : NULL;
    for (guint i = 0; lower && i < G_N_ELEMENTS(names); i++)
        if (g_str_equal(lower, names[i])) {
            *behavior = (Behavior)i;
            return TRUE;
        }
    return glint_fail(error, GLINT_ERROR_FORMAT, "pre-tokenizer: \"behavior\" is \"%s\"; Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous was expected",
                      name ? name : "missing");
}

static void add_class(GArray *steps, CharClass char_class, Behavior behavior)
{
    Step step = {.kind = STEP_SPLIT, .behavior = behavior, .char_class = char_class};
    g_array_append_val(steps, step);
}

static gboolean add_pattern(GArray *steps, GlintRegex *pattern, Behavior behavior, gboolean invert)
{
    Step step = {.kind = STEP_SPLIT, .behavior = behavior, .invert = invert, .pattern = pattern};
    if (pattern)
        g_array_append_val(steps, step);
    return pattern != NULL;
}

static gboolean add_byte_level(GArray *steps, const json_t *spec, GError **error)
{
    GError *local = NULL;
    gboolean prefix = glint_json_bool(spec, "add_prefix_space", TRUE, &local);
    gboolean use_regex = glint_json_bool(spec, "use_regex", TRUE, &local);
    if (local) {
        g_propagate_error(error, local);
        return FALSE;
    }
    if (prefix) {
        Step step = {.kind = STEP_PREFIX, .content = g_string_new(" ")};
        g_array_append_val(steps, step);
    }
    if (use_regex && !add_pattern(steps, glint_regex_new(gpt2_pattern, strlen(gpt2_pattern), error), BEHAVIOR_ISOLATED, FALSE))
        return FALSE;
    Step bytes = {.kind = STEP_BYTES};
    g_array_append_val(steps, bytes);
    return TRUE;
}

static gboolean add_metaspace(GArray *steps, const json_t *spec, GError **error)
{
    GError *local = NULL;
    const char *replacement = glint_json_string(spec, "replacement", "\xE2\x96\x81", &local);
    gboolean add_prefix = glint_json_bool(spec, "add_prefix_space", TRUE, &local); /* the old form */
    const char *scheme = glint_json_string(spec, "prepend_scheme", add_prefix ? "always" : "never", &local);
    gboolean split = glint_json_bool(spec, "split", TRUE, &local);
    if (local) {
        g_propagate_error(error, local);
        return FALSE;
    }
    if (g_utf8_strlen(replacement, -1) != 1)
        return glint_fail(error, GLINT_ERROR_FORMAT, "pre-tokenizer Metaspace: \"replacement\" must be one character");
    gboolean first = g_str_equal(scheme, "first"), always = g_str_equal(scheme, "always");
    if (!first && !always && !g_str_equal(scheme, "never"))
        return glint_fail(error, GLINT_ERROR_FORMAT, "pre-tokenizer Metaspace: \"prepend_scheme\" is \"%s\"; always, first or never was expected", scheme);
    Step spaces = {.kind = STEP_SPACES, .content = g_string_new(replacement)};
    g_array_append_val(steps, spaces);
    if (first || always) {
        Step prefix = {.kind = STEP_PREFIX, .content = g_string_new(replacement), .first_only = first};
        g_array_append_val(steps, prefix);
    }
    return !split || add_pattern(steps, glint_regex_new_literal(replacement, strlen(replacement), error), BEHAVIOR_MERGED_WITH_NEXT, FALSE);
}

static gboolean add_split(GArray *steps, const json_t *spec, GError **error)
{
    GError *local = NULL;
    Behavior behavior;
    gboolean invert = glint_json_bool(spec, "invert", FALSE, &local);
    if (local) {
        g_propagate_error(error, local);
        return FALSE;
    }
    return read_behavior(spec, NULL, &behavior, error) && add_pattern(steps, glint_regex_from_json(spec, error), behavior, invert);
}

static gboolean add_simple(GArray *steps, const char *type, const json_t *spec, GError **error)
{
    Behavior behavior;
    if (g_str_equal(type, "Whitespace")) {
        Step step = {.kind = STEP_SPLIT, .behavior = BEHAVIOR_REMOVED, .invert = TRUE, .words = TRUE};
        g_array_append_val(steps, step);
    } else if (g_str_equal(type, "WhitespaceSplit")) {
        add_class(steps, glint_char_is_space, BEHAVIOR_REMOVED);
    } else if (g_str_equal(type, "BertPreTokenizer")) {
        add_class(steps, glint_char_is_space, BEHAVIOR_REMOVED);
        add_class(steps, glint_char_is_punctuation, BEHAVIOR_ISOLATED);
    } else if (g_str_equal(type, "Punctuation")) {
        if (!read_behavior(spec, "Isolated", &behavior, error))
            return FALSE;
        add_class(steps, glint_char_is_punctuation, behavior);
    } else if (g_str_equal(type, "Digits")) {
        GError *local = NULL;
        gboolean single = glint_json_bool(spec, "individual_digits", FALSE, &local);
        if (local) {
            g_propagate_error(error, local);
            return FALSE;
        }
        add_class(steps, glint_char_is_numeric, single ? BEHAVIOR_ISOLATED : BEHAVIOR_CONTIGUOUS);
    } else if (g_str_equal(type, "CharDelimiterSplit")) {
        const char *delimiter = json_string_value(json_object_get(spec, "delimiter"));
        if (!delimiter || g_utf8_strlen(delimiter, -1) != 1)
            return glint_fail(error, GLINT_ERROR_FORMAT, "pre-tokenizer CharDelimiterSplit: \"delimiter\" must be one character");
        return add_pattern(steps, glint_regex_new_literal(delimiter, strlen(delimiter), error), BEHAVIOR_REMOVED, FALSE);
    } else {
        return glint_component_refuse(type, "pre-tokenizer", known_kinds, error);
    }
    return TRUE;
}

static gboolean add_steps(GArray *steps, const json_t *spec, GError **error)
{
    const char *type = glint_component_type(spec, "pre-tokenizer", error);
    if (!type)
        return FALSE;
    if (g_str_equal(type, "Sequence")) {
        const json_t *list = json_object_get(spec, "pretokenizers");
        if (!json_is_array(list))
            return glint_fail(error, GLINT_ERROR_FORMAT, "pre-tokenizer Sequence: \"pretokenizers\" must be a list");
        for (gsize i = 0; i < json_array_size(list); i++)
            if (!add_steps(steps, json_array_get(list, i), error))
                return FALSE;
        return TRUE;
    }
    if (g_str_equal(type, "ByteLevel"))
        return add_byte_level(steps, spec, error);
    if (g_str_equal(type, "Metaspace"))
        return add_metaspace(steps, spec, error);
    if (g_str_equal(type, "Split"))
        return add_split(steps, spec, error);
    return add_simple(steps, type, spec, error);
}

GlintPretokenizer *glint_pretokenizer_new(const json_t *spec, GError **error)
{
    g_autoptr(GlintPretokenizer) self = g_new0(GlintPretokenizer, 1);
    self->steps = g_array_new(FALSE, TRUE, sizeof(Step));
    g_array_set_clear_func(self->steps, step_clear);
    if (spec && !json_is_null(spec) && !add_steps(self->steps, spec, error))
        return NULL;
    for (guint i = 0; i < self->steps->len; i++)
        self->splits |= g_array_index(self->steps, Step, i).kind == STEP_SPLIT;
    return g_steal_pointer(&self);
}

void glint_pretokenizer_free(GlintPretokenizer *self)
{
    if (!self)
        return;
    g_array_unref(self->steps);
    g_free(self);
}

gboolean glint_pretokenizer_splits(const GlintPretokenizer *self) { return self->splits; }

/* ---- splitting ------------------------------------------------------------------------------------------------------ */

static void add_span(GArray *spans, gsize start, gsize end, gboolean match)
{
    GlintSpan span = {start, end, match};
    g_array_append_val(spans, span);
}

/* Every character of the class is a match of its own. */
static void class_spans(CharClass char_class, const char *text, gsize length, GArray *spans)
{
    gsize done = 0;
    gunichar c = 0;
    for (gsize i = 0; i < length;) {
        gsize n = (gsize)ABS(glint_utf8_next(text + i, length - i, &c));
        if (char_class(c)) {
            if (i > done)
                add_span(spans, done, i, FALSE);
            add_span(spans, i, i + n, TRUE);
            done = i + n;
        }
        i += n;
    }
    if (done < length)
        add_span(spans, done, length, FALSE);
}

/* \w+|[^\w\s]+ : each maximal run is a match, white space lies between. */
static void word_spans(const char *text, gsize length, GArray *spans)
{
    gsize start = 0;
    int run = -1; /* 0 space, 1 word, 2 other */
    gunichar c = 0;
    for (gsize i = 0; i < length;) {
        gsize n = (gsize)ABS(glint_utf8_next(text + i, length - i, &c));
        int kind = glint_char_is_word(c) ? 1 : glint_char_is_space(c) ? 0 : 2;
        if (kind != run && run >= 0) {
            add_span(spans, start, i, run != 0);
            start = i;
        }
        run = kind;
        i += n;
    }
    if (start < length)
        add_span(spans, start, length, run != 0);
}

/* Joins or drops spans in place; afterwards all that is left is a piece. Ends are moved as upstream does it. */
static void apply_behavior(GArray *spans, Behavior behavior, gboolean invert)
{
    GlintSpan *span = (GlintSpan *)(void *)spans->data;
    guint n = 0;
    gboolean previous = FALSE;
    if (behavior == BEHAVIOR_MERGED_WITH_NEXT) { /* as with previous, seen from the end */
        guint low = spans->len;
        for (guint i = spans->len; i-- > 0;) {
            gboolean match = span[i].match != invert;
            if (match && !previous && low < spans->len)
                span[low].start = span[i].start;
            else
                span[--low] = span[i];
            previous = match;
        }
        g_array_remove_range(spans, 0, low);
        return;
    }
    for (guint i = 0; i < spans->len; i++) {
        gboolean match = span[i].match != invert, join = FALSE;
        if (behavior == BEHAVIOR_MERGED_WITH_PREVIOUS)
            join = match && !previous && n > 0;
        else if (behavior == BEHAVIOR_CONTIGUOUS)
            join = match == previous && n > 0;
        previous = match;
        if (join)
            span[n - 1].end = span[i].end;
        else if (behavior != BEHAVIOR_REMOVED || !match)
            span[n++] = span[i];
    }
    g_array_set_size(spans, n);
}

static gboolean split_pieces(const Step *step, GlintPieces *pieces, GError **error)
{
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(GlintSpan));
    GArray *out = g_array_sized_new(FALSE, FALSE, sizeof(GlintPiece), pieces->pieces->len * 2);
    for (guint i = 0; i < pieces->pieces->len; i++) {
        const GlintPiece piece = g_array_index(pieces->pieces, GlintPiece, i);
        if (piece.id != GLINT_NO_TOKEN) {
            g_array_append_val(out, piece);
            continue;
        }
        const char *text = pieces->text->str + piece.start;
        gsize length = piece.end - piece.start;
        g_array_set_size(spans, 0);
        if (step->char_class)
            class_spans(step->char_class, text, length, spans);
        else if (step->words)
            word_spans(text, length, spans);
        else if (!glint_regex_spans(step->pattern, text, length, spans, error)) {
            g_array_unref(out);
            return FALSE;
        }
        apply_behavior(spans, step->behavior, step->invert);
        for (guint k = 0; k < spans->len; k++) {
            const GlintSpan *span = &g_array_index(spans, GlintSpan, k);
            GlintPiece part = {piece.start + span->start, piece.start + span->end, GLINT_NO_TOKEN, piece.first && span->start == 0};
            if (span->end > span->start)
                g_array_append_val(out, part);
        }
    }
    g_array_unref(pieces->pieces);
    pieces->pieces = out;
    return TRUE;
}

/* ---- rewriting ------------------------------------------------------------------------------------------------------ */

static void rewrite_piece(const Step *step, const GlintPiece *piece, const char *text, gsize length, GString *out)
{
    switch (step->kind) {
    case STEP_PREFIX:
        if ((!step->first_only || piece->first) && (length < step->content->len || memcmp(text, step->content->str, step->content->len) != 0))
            g_string_append_len(out, step->content->str, (gssize)step->content->len);
        g_string_append_len(out, text, (gssize)length);
        return;
    case STEP_SPACES:
        for (gsize i = 0; i < length; i++)
            if (text[i] == ' ')
                g_string_append_len(out, step->content->str, (gssize)step->content->len);
            else
                g_string_append_c(out, text[i]);
        return;
    case STEP_BYTES: glint_append_byte_chars(out, text, length); return;
    case STEP_SPLIT: return; /* done elsewhere */
    }
}

static void rewrite_pieces(const Step *step, GlintPieces *pieces)
{
    GString *out = g_string_sized_new(pieces->text->len * 2 + 16);
    for (guint i = 0; i < pieces->pieces->len; i++) {
        GlintPiece *piece = &g_array_index(pieces->pieces, GlintPiece, i);
        if (piece->id != GLINT_NO_TOKEN)
            continue;
        gsize start = out->len;
        rewrite_piece(step, piece, pieces->text->str + piece->start, piece->end - piece->start, out);
        piece->start = start;
        piece->end = out->len;
    }
    g_string_free(pieces->text, TRUE);
    pieces->text = out;
}

gboolean glint_pretokenizer_apply(const GlintPretokenizer *self, GlintPieces *pieces, GError **error)
{
    for (guint i = 0; i < self->steps->len; i++) {
        const Step *step = &g_array_index(self->steps, Step, i);
        if (step->kind != STEP_SPLIT)
            rewrite_pieces(step, pieces);
        else if (!split_pieces(step, pieces, error))
            return FALSE;
    }
    return TRUE;
}
