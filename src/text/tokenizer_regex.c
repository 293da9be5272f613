/* Oniguruma's patterns on PCRE2. Hugging Face's tokenizers compile patterns with Oniguruma's Ruby syntax; PCRE2 reads nearly the
 * same language, so a pattern is rewritten where the two differ in meaning, and refused where they differ and no file
 * in use needs it (nested classes, class intersection, subexpression calls, verbs). What is rewritten:
 *   \s \S   White_Space; PCRE2's own also takes U+180E        \w \W   with marks and connectors, which PCRE2 10.42 leaves out
 *   \h \H   a hexadecimal digit, not horizontal space         \b \B   by that \w
 *   \uHHHH  a code point                                      {,n}    {0,n}
 *   (?m)    dot matches newline                               ^ $     always at lines (PCRE2_MULTILINE, newline is \n)
 * The Unicode version is PCRE2's (14 in Debian 12): characters assigned later count as unassigned. */
#include "text/tokenizer_regex.h"

#include "base/error.h"
#include "text/tokenizer_utf8.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#define SPACE_CLASS "\\p{Z}\\x09-\\x0d\\x{85}"
#define WORD_CLASS "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{24B6}-\\x{24E9}\\x{1F130}-\\x{1F149}\\x{1F150}-\\x{1F169}\\x{1F170}-\\x{1F189}"
#define HEX_CLASS "0-9a-fA-F"
enum { MAX_PATTERN = 20000 };

struct GlintRegex {
    GString *literal; /* NULL: a regular expression */
    pcre2_code *code;
    gboolean jit;
};

/* ---- rewriting ------------------------------------------------------------------------------------------------------ */

typedef struct {
    const char *p, *end, *pattern;
    GString *out;
    gboolean in_class;
} Rewriter;

static gboolean refuse(const Rewriter *r, const char *what, GError **error)
{
    return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "regular expression \"%s\" uses %s, which glint does not know; rewrite the pattern without it",
                      r->pattern, what);
}

/* Behind a backslash. */
static gboolean rewrite_escape(Rewriter *r, GError **error)
{
    if (r->p == r->end)
        return glint_fail(error, GLINT_ERROR_FORMAT, "regular expression \"%s\" ends in a backslash", r->pattern);
    char c = *r->p++;
    const char *class_text = strchr("sS", c) ? SPACE_CLASS : strchr("wW", c) ? WORD_CLASS : strchr("hH", c) ? HEX_CLASS : NULL;
    if (c == '\0')
        return refuse(r, "an escaped NUL", error);
    if (class_text) {
        gboolean negated = g_ascii_isupper(c);
        if (r->in_class && negated)
            return refuse(r, "\\S, \\W or \\H inside a class", error);
        g_string_append_printf(r->out, r->in_class ? "%s%s" : "[%s%s]", negated ? "^" : "", class_text);
    } else if (c == 'b' && !r->in_class) {
        g_string_append(r->out, "(?:(?<=[" WORD_CLASS "])(?![" WORD_CLASS "])|(?<![" WORD_CLASS "])(?=[" WORD_CLASS "]))");
    } else if (c == 'B' && !r->in_class) {
        g_string_append(r->out, "(?:(?<=[" WORD_CLASS "])(?=[" WORD_CLASS "])|(?<![" WORD_CLASS "])(?![" WORD_CLASS "]))");
    } else if (c == 'u') {
        if (r->end - r->p < 4 || !g_ascii_isxdigit(r->p[0]) || !g_ascii_isxdigit(r->p[1]) || !g_ascii_isxdigit(r->p[2]) || !g_ascii_isxdigit(r->p[3]))
            return refuse(r, "\\u without four hexadecimal digits", error);
        g_string_append_printf(r->out, "\\x{%.4s}", r->p);
        r->p += 4;
    } else if (g_ascii_isalnum(c) && strchr("dDpPrntfvaexAzZ", c) == NULL && !(g_ascii_isdigit(c) && !r->in_class)) {
        char name[3] = {'\\', c, '\0'};
        return refuse(r, name, error);
    } else {
        g_string_append_c(r->out, '\\');
        g_string_append_c(r->out, c);
    }
    return TRUE;
}

/* Behind an opening parenthesis: verbs are refused, option letters translated. */
static gboolean rewrite_group(Rewriter *r, GError **error)
{
    g_string_append_c(r->out, '(');
    if (r->p < r->end && *r->p == '*')
        return refuse(r, "(*", error);
    if (r->end - r->p < 2 || *r->p != '?')
        return TRUE;
    if (strchr("R&P|(C+0123456789", r->p[1]) != NULL)
        return refuse(r, "a group of this kind: (?…", error);
    g_string_append_c(r->out, *r->p++);
    for (; r->p < r->end && (g_ascii_isalpha(*r->p) || *r->p == '-'); r->p++) {
        if (strchr("imx-", *r->p) == NULL)
            return refuse(r, "an option other than i, m and x", error);
        g_string_append_c(r->out, *r->p == 'm' ? 's' : *r->p); /* Ruby's m is PCRE2's s */
    }
    return TRUE;
}

static gboolean rewrite_class_char(Rewriter *r, char c, GError **error)
{
    if (c == '[')
        return refuse(r, "a class inside a class", error);
    if (c == '&' && r->p < r->end && *r->p == '&')
        return refuse(r, "class intersection (&&)", error);
    r->in_class = c != ']';
    g_string_append_c(r->out, c);
    return TRUE;
}

static gboolean rewrite_interval(Rewriter *r, GError **error)
{
    const char *close = r->p;
    while (close < r->end && (g_ascii_isdigit(*close) || *close == ','))
        close++;
    gboolean interval = close > r->p && close < r->end && *close == '}';
    g_string_append(r->out, interval && *r->p == ',' ? "{0" : "{");
    if (!interval)
        return TRUE;
    g_string_append_len(r->out, r->p, close - r->p + 1);
    r->p = close + 1;
    if (r->p < r->end && *r->p == '+')
        return refuse(r, "{n,m}+, which is possessive in one syntax and not in the other", error);
    return TRUE;
}

static char *rewrite(const char *pattern, gsize length, GError **error)
{
    g_autoptr(GString) out = g_string_sized_new(length + 64);
    Rewriter r = {pattern, pattern + length, pattern, out, FALSE};
    while (r.p < r.end) {
        char c = *r.p++;
        gboolean ok = TRUE;
        if (c == '\0')
            ok = refuse(&r, "a NUL character", error);
        else if (c == '\\')
            ok = rewrite_escape(&r, error);
        else if (r.in_class)
            ok = rewrite_class_char(&r, c, error);
        else if (c == '(')
            ok = rewrite_group(&r, error);
        else if (c == '{')
            ok = rewrite_interval(&r, error);
        else {
            g_string_append_c(out, c);
            r.in_class = c == '[';
            if (r.in_class && r.p < r.end && *r.p == '^')
                g_string_append_c(out, *r.p++);
            if (r.in_class && r.p < r.end && *r.p == ']')
                ok = refuse(&r, "an unescaped ] at the start of a class", error);
        }
        if (!ok)
            return NULL;
    }
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* ---- construction --------------------------------------------------------------------------------------------------- */

GlintRegex *glint_regex_new(const char *pattern, gsize length, GError **error)
{
    if (length == 0 || length > MAX_PATTERN) {
        glint_fail(error, GLINT_ERROR_FORMAT, "a regular expression of %" G_GSIZE_FORMAT " bytes; 1 to %d were expected", length, MAX_PATTERN);
        return NULL;
    }
    g_autofree char *rewritten = rewrite(pattern, length, error);
    if (!rewritten)
        return NULL;
    int code;
    PCRE2_SIZE at;
    pcre2_compile_context *context = pcre2_compile_context_create(NULL);
    pcre2_set_newline(context, PCRE2_NEWLINE_LF);
    pcre2_set_parens_nest_limit(context, 50);
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)rewritten, PCRE2_ZERO_TERMINATED,
                                         PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &code, &at, context);
    pcre2_compile_context_free(context);
    if (!compiled) {
        PCRE2_UCHAR reason[128];
        pcre2_get_error_message(code, reason, sizeof reason);
        glint_fail(error, GLINT_ERROR_FORMAT, "regular expression \"%s\" does not compile: %s", pattern, (char *)reason);
        return NULL;
    }
    GlintRegex *self = g_new0(GlintRegex, 1);
    self->code = compiled;
    self->jit = pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE) == 0; /* where there is no JIT, the interpreter gives the same */
    return self;
}

GlintRegex *glint_regex_new_literal(const char *text, gsize length, GError **error)
{
    if (length == 0) {
        glint_fail(error, GLINT_ERROR_FORMAT, "a pattern is an empty string; at least one character was expected");
        return NULL;
    }
    GlintRegex *self = g_new0(GlintRegex, 1);
    self->literal = g_string_new_len(text, (gssize)length);
    return self;
}

GlintRegex *glint_regex_from_json(const json_t *spec, GError **error)
{
    const json_t *pattern = json_object_get(spec, "pattern");
    const json_t *text = json_object_get(pattern, "String"), *regex = json_object_get(pattern, "Regex");
    if (json_is_string(text) && !regex)
        return glint_regex_new_literal(json_string_value(text), json_string_length(text), error);
    if (json_is_string(regex) && !text)
        return glint_regex_new(json_string_value(regex), json_string_length(regex), error);
    glint_fail(error, GLINT_ERROR_FORMAT, "\"pattern\" must be {\"String\": text} or {\"Regex\": text}");
    return NULL;
}

void glint_regex_free(GlintRegex *self)
{
    if (!self)
        return;
    if (self->literal)
        g_string_free(self->literal, TRUE);
    pcre2_code_free(self->code);
    g_free(self);
}

/* ---- matching ------------------------------------------------------------------------------------------------------- */

static void add_span(GArray *spans, gsize start, gsize end, gboolean match)
{
    GlintSpan span = {start, end, match};
    g_array_append_val(spans, span);
}

static void literal_spans(const GString *literal, const char *text, gsize length, GArray *spans)
{
    gsize done = 0;
    const char *hit;
    while (done < length && (hit = memmem(text + done, length - done, literal->str, literal->len)) != NULL) {
        gsize start = (gsize)(hit - text);
        if (start > done)
            add_span(spans, done, start, FALSE);
        done = start + literal->len;
        add_span(spans, start, done, TRUE);
    }
    if (done < length)
        add_span(spans, done, length, FALSE);
}

static int match_at(const GlintRegex *self, const char *text, gsize length, gsize at, pcre2_match_data *data)
{
    int rc = PCRE2_ERROR_JIT_STACKLIMIT;
    if (self->jit)
        rc = pcre2_jit_match(self->code, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK, data, NULL);
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT) /* deep backtracking: the interpreter has the heap */
        rc = pcre2_match(self->code, (PCRE2_SPTR)text, length, at, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, data, NULL);
    return rc;
}

gboolean glint_regex_spans(const GlintRegex *self, const char *text, gsize length, GArray *spans, GError **error)
{
    if (self->literal) {
        literal_spans(self->literal, text, length, spans);
        return TRUE;
    }
    pcre2_match_data *data = pcre2_match_data_create(1, NULL); /* the whole match only */
    const PCRE2_SIZE *pair = pcre2_get_ovector_pointer(data);
    gsize at = 0, done = 0;
    gboolean matched = FALSE;
    int rc;
    while (at <= length && (rc = match_at(self, text, length, at, data)) >= 0) {
        gsize start = pair[0], end = pair[1];
        if (end < start || start < done)
            break;
        if (start == end && matched && start == done) { /* no empty match right behind a match */
            gunichar c;
            at += at < length ? (gsize)ABS(glint_utf8_next(text + at, length - at, &c)) : 1;
            continue;
        }
        if (start > done)
            add_span(spans, done, start, FALSE);
        add_span(spans, start, end, TRUE);
        at = done = end;
        matched = TRUE;
    }
    pcre2_match_data_free(data);
    if (at <= length && rc != PCRE2_ERROR_NOMATCH) {
        PCRE2_UCHAR reason[128] = "\\K moves the start of a match";
        if (rc < 0)
            pcre2_get_error_message(rc, reason, sizeof reason);
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "a pattern of the tokenizer cannot be matched on this text: %s", (char *)reason);
    }
    if (done < length)
        add_span(spans, done, length, FALSE);
    return TRUE;
}

gboolean glint_regex_replace(const GlintRegex *self, const char *text, gsize length, const char *content, gsize content_length,
                             GString *out, GError **error)
{
    g_autoptr(GArray) spans = g_array_new(FALSE, FALSE, sizeof(GlintSpan));
    if (!glint_regex_spans(self, text, length, spans, error))
        return FALSE;
    for (guint i = 0; i < spans->len; i++) {
        const GlintSpan *span = &g_array_index(spans, GlintSpan, i);
        if (span->match)
            g_string_append_len(out, content, (gssize)content_length);
        else
            g_string_append_len(out, text + span->start, (gssize)(span->end - span->start));
    }
    return TRUE;
}
