/* Gemma 3's tokenizer.json has 262,144 tokens and 514,906 merges in 33 MB. A JSON tree of that would be two million
 * allocations and some 250 MB, only to be read once; so the two tables are cut out, jansson reads what is left (with
 * empty tables in their place and the line breaks kept, so that its error messages name the right line), and a small strict
 * reader goes over the tables without building anything. Strict means: JSON's own grammar, valid UTF-8, whole
 * numbers for ids. Unlike jansson it takes NUL characters in tokens. */
#include "text/tokenizer_json.h"

#include "base/error.h"
#include "text/tokenizer_utf8.h"

#include <math.h>
#include <string.h>

typedef struct {
    const char *start, *p, *end;
    const char *table; /* for messages */
    GError **error;
} Reader;

static gboolean bad(Reader *r, const char *expected)
{
    gsize line = 1;
    for (const char *c = r->start; c < r->p; c++)
        line += *c == '\n';
    return glint_fail(r->error, GLINT_ERROR_FORMAT, "model.%s, line %" G_GSIZE_FORMAT " of the table: %s was expected", r->table, line, expected);
}

static void skip_space(Reader *r)
{
    while (r->p < r->end && (*r->p == ' ' || *r->p == '\n' || *r->p == '\t' || *r->p == '\r'))
        r->p++;
}

static gboolean take(Reader *r, char c)
{
    skip_space(r);
    if (r->p == r->end || *r->p != c)
        return FALSE;
    r->p++;
    return TRUE;
}

/* ---- finding the tables --------------------------------------------------------------------------------------------- */

/* Behind the opening quote: moves behind the closing one. */
static gboolean skip_string(Reader *r)
{
    while (r->p < r->end && *r->p != '"')
        r->p += *r->p == '\\' && r->end - r->p > 1 ? 2 : 1;
    if (r->p >= r->end)
        return FALSE;
    r->p++;
    return TRUE;
}

/* Any value, by counting brackets; jansson or the table reader checks it properly. */
static gboolean skip_value(Reader *r)
{
    gsize depth = 0;
    skip_space(r);
    while (r->p < r->end) {
        char c = *r->p;
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            return TRUE;
        r->p++;
        if (c == '"' && !skip_string(r))
            return FALSE;
        depth += c == '{' || c == '[';
        depth -= depth > 0 && (c == '}' || c == ']');
        if (depth == 0 && (c == '}' || c == ']' || c == '"'))
            return TRUE;
    }
    return FALSE;
}

/* Walks the members of an object; calls itself once, for "model". FALSE: the text is not JSON, let jansson say why. */
static gboolean find_tables(Reader *r, GlintTokenizerJson *self, gboolean in_model)
{
    if (!take(r, '{'))
        return FALSE;
    while (!take(r, '}')) {
        if (!take(r, '"'))
            return FALSE;
        const char *key = r->p;
        if (!skip_string(r))
            return FALSE;
        gsize n = (gsize)(r->p - key) - 1;
        if (!take(r, ':'))
            return FALSE;
        skip_space(r);
        const char *value = r->p;
        gboolean model = !in_model && n == 5 && memcmp(key, "model", 5) == 0 && value < r->end && *value == '{';
        if (model ? !find_tables(r, self, TRUE) : !skip_value(r))
            return FALSE;
        if (in_model && n == 5 && memcmp(key, "vocab", 5) == 0 && (*value == '{' || *value == '[') && !self->vocab) {
            self->vocab = value;
            self->vocab_end = r->p;
        } else if (in_model && n == 6 && memcmp(key, "merges", 6) == 0 && *value == '[' && !self->merges) {
            self->merges = value;
            self->merges_end = r->p;
        }
        take(r, ',');
    }
    return TRUE;
}

static void append_empty(GString *out, const char *start, const char *end)
{
    g_string_append_c(out, *start);
    for (const char *c = start; (c = memchr(c, '\n', (gsize)(end - c))) != NULL; c++)
        g_string_append_c(out, '\n');
    g_string_append_c(out, *start == '{' ? '}' : ']');
}

gboolean glint_tokenizer_json_parse(GlintTokenizerJson *self, const char *json, gsize length, GError **error)
{
    *self = (GlintTokenizerJson){0};
    Reader reader = {json, json, json + length, "", NULL};
    if (!find_tables(&reader, self, FALSE))
        *self = (GlintTokenizerJson){0};
    const char *cut[2][2] = {{self->vocab, self->vocab_end}, {self->merges, self->merges_end}};
    if (cut[1][0] && (!cut[0][0] || cut[1][0] < cut[0][0])) {
        const char *swap[2] = {cut[0][0], cut[0][1]};
        memcpy(cut[0], cut[1], sizeof swap);
        memcpy(cut[1], swap, sizeof swap);
    }
    g_autoptr(GString) rest = g_string_new(NULL);
    const char *done = json;
    for (int i = 0; i < 2; i++)
        if (cut[i][0]) {
            g_string_append_len(rest, done, cut[i][0] - done);
            append_empty(rest, cut[i][0], cut[i][1]);
            done = cut[i][1];
        }
    g_string_append_len(rest, done, json + length - done);
    json_error_t where;
    self->root = json_loadb(rest->str, rest->len, JSON_REJECT_DUPLICATES, &where);
    if (!self->root)
        return glint_fail(error, GLINT_ERROR_FORMAT, "line %d: not valid JSON: %s", where.line, where.text);
    return TRUE;
}

void glint_tokenizer_json_clear(GlintTokenizerJson *self) { g_clear_pointer(&self->root, json_decref); }

/* ---- reading the tables --------------------------------------------------------------------------------------------- */

static gboolean read_hex4(Reader *r, gunichar *c)
{
    *c = 0;
    if (r->end - r->p < 4)
        return FALSE;
    for (int i = 0; i < 4; i++) {
        int digit = g_ascii_xdigit_value(*r->p++);
        if (digit < 0)
            return FALSE;
        *c = *c << 4 | (gunichar)digit;
    }
    return TRUE;
}

static gboolean read_escape(Reader *r, GString *out)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    if (r->p == r->end)
        return FALSE;
    char e = *r->p++;
    const char *known = e != '\0' ? strchr(names, e) : NULL;
    if (known) {
        g_string_append_c(out, values[known - names]);
        return TRUE;
    }
    gunichar c, low;
    if (e != 'u' || !read_hex4(r, &c))
        return FALSE;
    if (c >= 0xD800 && c <= 0xDBFF) {
        if (r->end - r->p < 6 || r->p[0] != '\\' || r->p[1] != 'u')
            return FALSE;
        r->p += 2;
        if (!read_hex4(r, &low) || low < 0xDC00 || low > 0xDFFF)
            return FALSE;
        c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
    } else if (c >= 0xDC00 && c <= 0xDFFF) {
        return FALSE;
    }
    g_string_append_unichar(out, c);
    return TRUE;
}

typedef struct {
    const char *data;
    gsize length;
} Text;

/* A string: where it lies in the file when it has no escapes, else decoded into `buffer`. */
static gboolean read_string(Reader *r, GString *buffer, Text *out)
{
    if (!take(r, '"'))
        return bad(r, "a string");
    const char *run = r->p;
    gboolean decoded = FALSE;
    for (;;) {
        while (r->p < r->end && *r->p != '"' && *r->p != '\\' && (guint8)*r->p >= 0x20)
            r->p++;
        if (r->p == r->end || (guint8)*r->p < 0x20)
            return bad(r, "the end of a string");
        if (*r->p == '"' && !decoded) {
            *out = (Text){run, (gsize)(r->p++ - run)};
            return TRUE;
        }
        if (!decoded)
            g_string_truncate(buffer, 0);
        decoded = TRUE;
        g_string_append_len(buffer, run, r->p - run);
        if (*r->p++ == '"')
            break;
        if (!read_escape(r, buffer))
            return bad(r, "a valid escape in a string");
        run = r->p;
    }
    *out = (Text){buffer->str, buffer->len};
    return TRUE;
}

/* A string that may be a token no one has seen before: checked. */
static gboolean read_token(Reader *r, GString *buffer, Text *out)
{
    return read_string(r, buffer, out) && (glint_utf8_valid(out->data, out->length) || bad(r, "valid UTF-8"));
}

static gboolean read_id(Reader *r, gint64 *id)
{
    skip_space(r);
    gboolean negative = r->p < r->end && *r->p == '-';
    r->p += negative;
    const char *digits = r->p;
    *id = 0;
    for (; r->p < r->end && g_ascii_isdigit(*r->p); r->p++)
        *id = MIN(*id * 10 + (*r->p - '0'), G_MAXINT32);
    gboolean whole = r->p > digits && (r->p == r->end || strchr(".eE", *r->p) == NULL) && (*digits != '0' || r->p == digits + 1);
    *id = negative ? -*id : *id;
    return whole || bad(r, "a whole number as id");
}

/* A number of JSON's grammar, as near as strtod's differs only in what it accepts besides. */
static gboolean read_number(Reader *r, double *value)
{
    char text[64];
    gsize n = 0;
    skip_space(r);
    while (r->p < r->end && n < sizeof text - 1 && *r->p != '\0' && strchr("+-.0123456789eE", *r->p) != NULL)
        text[n++] = *r->p++;
    text[n] = '\0';
    char *end;
    *value = g_ascii_strtod(text, &end);
    const char *digits = text + (text[0] == '-');
    gboolean whole = n > 0 && *end == '\0' && g_ascii_isdigit(*digits) && (*digits != '0' || !g_ascii_isdigit(digits[1])) && isfinite(*value);
    return whole || bad(r, "a number");
}

static gboolean read_vocab(Reader *r, GlintVocabulary *vocabulary)
{
    g_autoptr(GString) buffer = g_string_new(NULL);
    Text token;
    gint64 id;
    if (!take(r, '{'))
        return bad(r, "an object");
    if (take(r, '}'))
        return TRUE;
    do {
        if (!read_token(r, buffer, &token))
            return FALSE;
        if (!take(r, ':'))
            return bad(r, "a colon");
        if (!read_id(r, &id) || !glint_vocabulary_add(vocabulary, token.data, token.length, id, r->error))
            return FALSE;
    } while (take(r, ','));
    return take(r, '}') || bad(r, "a comma or the end of the object");
}

/* [["<unk>", 0], ["▁the", -3.4], ...] */
static gboolean read_scores(Reader *r, GlintVocabulary *vocabulary, GArray *scores)
{
    g_autoptr(GString) buffer = g_string_new(NULL);
    Text token;
    double score;
    if (!take(r, '['))
        return bad(r, "a list");
    if (take(r, ']'))
        return TRUE;
    do {
        if (!take(r, '['))
            return bad(r, "a token and its score");
        if (!read_token(r, buffer, &token))
            return FALSE;
        if (!take(r, ','))
            return bad(r, "a token and its score");
        if (!read_number(r, &score) || !glint_vocabulary_add(vocabulary, token.data, token.length, scores->len, r->error))
            return FALSE;
        g_array_append_val(scores, score);
        if (!take(r, ']'))
            return bad(r, "a token and its score");
    } while (take(r, ','));
    return take(r, ']') || bad(r, "a comma or the end of the list");
}

/* "left right" of older files; a first line "#version: 0.2" is no merge. Tokens that hold spaces themselves (Llama 2 has some in
 * files converted from SentencePiece) leave several places to cut: the first counts where both sides and the whole
 * are tokens. */
static gboolean add_joined(Reader *r, GlintBpe *bpe, Text both)
{
    const char *end = both.data + both.length, *cut = NULL;
    gsize n_spaces = 0;
    if (both.length >= 8 && memcmp(both.data, "#version", 8) == 0)
        return TRUE;
    for (const char *space = both.data; (space = memchr(space, ' ', (gsize)(end - space))) != NULL; space++) {
        n_spaces++;
        if (cut == NULL || !glint_bpe_can_merge(bpe, both.data, (gsize)(cut - both.data), cut + 1, (gsize)(end - cut - 1)))
            cut = space;
    }
    if (n_spaces == 0)
        return bad(r, "a merge of two tokens with a space between");
    return glint_bpe_add_merge(bpe, both.data, (gsize)(cut - both.data), cut + 1, (gsize)(end - cut - 1), r->error);
}

static gboolean read_merges(Reader *r, GlintBpe *bpe)
{
    g_autoptr(GString) left_buffer = g_string_new(NULL);
    g_autoptr(GString) right_buffer = g_string_new(NULL);
    Text left, right;
    if (!take(r, '['))
        return bad(r, "a list");
    if (take(r, ']'))
        return TRUE;
    do {
        if (take(r, '[')) {
            if (!read_string(r, left_buffer, &left))
                return FALSE;
            if (!take(r, ','))
                return bad(r, "a pair of tokens");
            if (!read_string(r, right_buffer, &right))
                return FALSE;
            if (!take(r, ']'))
                return bad(r, "a pair of tokens");
            if (!glint_bpe_add_merge(bpe, left.data, left.length, right.data, right.length, r->error))
                return FALSE;
        } else if (!read_string(r, left_buffer, &left) || !add_joined(r, bpe, left)) {
            return FALSE;
        }
    } while (take(r, ','));
    return take(r, ']') || bad(r, "a comma or the end of the list");
}

gboolean glint_tokenizer_json_vocabulary(const GlintTokenizerJson *self, GlintVocabulary *vocabulary, GError **error)
{
    if (!self->vocab || *self->vocab != '{' || !self->merges)
        return glint_fail(error, GLINT_ERROR_FORMAT, "model: an object \"vocab\" and a list \"merges\" were expected");
    Reader reader = {self->vocab, self->vocab, self->vocab_end, "vocab", error};
    glint_vocabulary_reserve(vocabulary, (gsize)(self->vocab_end - self->vocab) / 48);
    return read_vocab(&reader, vocabulary);
}

gboolean glint_tokenizer_json_merges(const GlintTokenizerJson *self, GlintBpe *bpe, GError **error)
{
    Reader reader = {self->merges, self->merges, self->merges_end, "merges", error};
    glint_bpe_reserve(bpe, (gsize)(self->merges_end - self->merges) / 48);
    return read_merges(&reader, bpe);
}

gboolean glint_tokenizer_json_scores(const GlintTokenizerJson *self, GlintVocabulary *vocabulary, GArray *scores, GError **error)
{
    if (!self->vocab || *self->vocab != '[')
        return glint_fail(error, GLINT_ERROR_FORMAT, "model of type Unigram: a list \"vocab\" of tokens and scores was expected");
    Reader reader = {self->vocab, self->vocab, self->vocab_end, "vocab", error};
    return read_scores(&reader, vocabulary, scores);
}
