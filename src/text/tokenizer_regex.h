/* Patterns of tokenizer.json: literal strings, or regular expressions in Oniguruma's Ruby syntax, run by PCRE2. Immutable
 * after creation, safe to share between threads. */
#pragma once
#include <glib.h>
#include <jansson.h>

typedef struct GlintRegex GlintRegex;

/* Spans cover a text without gaps: matches and what lies between. */
typedef struct {
    gsize start, end;
    gboolean match;
} GlintSpan;

GlintRegex *glint_regex_new(const char *pattern, gsize length, GError **error);
GlintRegex *glint_regex_new_literal(const char *text, gsize length, GError **error);
/* {"String": …} or {"Regex": …} as found under "pattern" of `spec`. */
GlintRegex *glint_regex_from_json(const json_t *spec, GError **error);
void glint_regex_free(GlintRegex *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintRegex, glint_regex_free)

/* Appends the spans of `text` (valid UTF-8) to `spans` (GArray of GlintSpan), offsets counted from `text`. */
gboolean glint_regex_spans(const GlintRegex *self, const char *text, gsize length, GArray *spans, GError **error);
/* Appends `text` with every match replaced by `content`. */
gboolean glint_regex_replace(const GlintRegex *self, const char *text, gsize length, const char *content, gsize content_length,
                             GString *out, GError **error);
