/* SentencePiece's normalizer: from left to right, a user-defined piece stays as it is; else the longest string of the charsmap is
 * replaced; else a character is copied. Of what comes out, spaces at the start, at the end and after another space are
 * dropped when remove_extra_whitespaces is set, the others become U+2581, and one U+2581 is put in front (dummy prefix). Only U+0020
 * counts as a space here: it is the charsmap that turns other white space into it. */
#include "text/spm_normalize.h"

#include "text/charsmap.h"
#include "text/tokenizer_utf8.h"
#include "text/trie.h"

#include <string.h>

static const char space_symbol[] = "\xE2\x96\x81";

struct GlintSpmNormalizer {
    GlintCharsmap *charsmap; /* NULL: identity */
    GlintTrie *user_defined;
    gboolean dummy_prefix, every_stretch, remove_extra, escape;
};

GlintSpmNormalizer *glint_spm_normalizer_new(const GlintSpmModel *model, gboolean every_stretch, GError **error)
{
    GlintCharsmap *charsmap = NULL;
    if (model->charsmap.length > 0 && !(charsmap = glint_charsmap_new(model->charsmap.data, model->charsmap.length, error)))
        return NULL;
    GlintSpmNormalizer *self = g_new0(GlintSpmNormalizer, 1);
    *self = (GlintSpmNormalizer){charsmap,      glint_trie_new(), model->add_dummy_prefix,
                                 every_stretch, model->remove_extra_whitespaces, model->escape_whitespaces};
    for (guint i = 0; i < model->pieces->len; i++) {
        const GlintSpmPiece *piece = &g_array_index(model->pieces, GlintSpmPiece, i);
        if (piece->type == GLINT_SPM_USER_DEFINED)
            glint_trie_add(self->user_defined, piece->text.data, piece->text.length, (gint32)i);
    }
    return self;
}

void glint_spm_normalizer_free(GlintSpmNormalizer *self)
{
    if (!self)
        return;
    glint_charsmap_free(self->charsmap);
    glint_trie_free(self->user_defined);
    g_free(self);
}

/* The next stretch of `text`, and what becomes of it. */
static gboolean next_prefix(const GlintSpmNormalizer *self, const char *text, gsize length, gsize *consumed, GlintSpmBytes *becomes, GError **error)
{
    gint32 piece;
    gunichar c;
    const char *replacement;
    *consumed = glint_trie_longest(self->user_defined, text, length, &piece);
    if (*consumed == 0 && self->charsmap) {
        if (!glint_charsmap_match(self->charsmap, text, length, TRUE, consumed, &replacement, error))
            return FALSE;
        if (*consumed > 0) {
            *becomes = (GlintSpmBytes){replacement, strlen(replacement)};
            return TRUE;
        }
    }
    if (*consumed == 0)
        *consumed = (gsize)ABS(glint_utf8_next(text, length, &c));
    *becomes = (GlintSpmBytes){text, *consumed};
    return TRUE;
}

static void append_space(const GlintSpmNormalizer *self, GString *out) { g_string_append(out, self->escape ? space_symbol : " "); }

static void append(const GlintSpmNormalizer *self, GlintSpmBytes bytes, GString *out)
{
    for (gsize i = 0; i < bytes.length; i++)
        if (bytes.data[i] == ' ')
            append_space(self, out);
        else
            g_string_append_c(out, bytes.data[i]);
}

static gsize leading_spaces(GlintSpmBytes bytes)
{
    gsize n = 0;
    while (n < bytes.length && bytes.data[n] == ' ')
        n++;
    return n;
}

/* The newer way with the prefix (not every_stretch) is transformers': it is left out where the stretch starts with a space anyway. */
gboolean glint_spm_normalizer_apply(const GlintSpmNormalizer *self, const char *text, gsize length, gboolean first, GString *out, GError **error)
{
    gsize at = 0, n = 0, start = out->len;
    GlintSpmBytes becomes = {"", 0};
    for (; self->remove_extra && at < length; at += n) {
        if (!next_prefix(self, text + at, length - at, &n, &becomes, error))
            return FALSE;
        if (becomes.length != 1 || *becomes.data != ' ')
            break;
    }
    if (at == length)
        return TRUE;
    if (self->dummy_prefix && self->every_stretch)
        append_space(self, out);
    gboolean after_space = self->remove_extra;
    for (; at < length; at += n) {
        if (!next_prefix(self, text + at, length - at, &n, &becomes, error))
            return FALSE;
        gsize skip = after_space ? leading_spaces(becomes) : 0;
        becomes = (GlintSpmBytes){becomes.data + skip, becomes.length - skip};
        append(self, becomes, out);
        if (becomes.length > 0)
            after_space = self->remove_extra && becomes.data[becomes.length - 1] == ' ';
    }
    const char *space = self->escape ? space_symbol : " ";
    gsize n_space = strlen(space);
    while (self->remove_extra && out->len >= start + n_space && memcmp(out->str + out->len - n_space, space, n_space) == 0)
        g_string_truncate(out, out->len - n_space);
    if (self->dummy_prefix && !self->every_stretch && first && out->len > start && !g_str_has_prefix(out->str + start, space))
        g_string_insert(out, (gssize)start, space);
    return TRUE;
}
