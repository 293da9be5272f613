/* The map is a little-endian u32 (bytes of the trie), a double-array trie as darts-clone lays it out (Yata 2012), and the
 * replacements, each ended by a NUL. A unit of the trie is 32 bits: label in bits 0-7, bit 8 set when a string ends at its
 * children, offset to them in bits 10-30 (times 256 when bit 9 is set); a unit with bit 31 set is no child but the value of the
 * string. Every index is checked, for the trie comes out of a file. */
#include "text/charsmap.h"

#include "base/error.h"
#include "text/tokenizer_utf8.h"

#include <string.h>

struct GlintCharsmap {
    guint32 *units;
    gsize n_units;
    GString *replacements;
};

GlintCharsmap *glint_charsmap_new(const void *bytes, gsize length, GError **error)
{
    guint32 size = 0;
    if (length >= 4)
        memcpy(&size, bytes, 4);
    size = GUINT32_FROM_LE(size);
    if (length < 8 || size < 4 || size % 4 != 0 || size > length - 4) {
        glint_fail(error, GLINT_ERROR_FORMAT, "precompiled_charsmap: %" G_GSIZE_FORMAT " bytes that claim a trie of %u; the file is damaged",
                   length, size);
        return NULL;
    }
    const char *rest = (const char *)bytes + 4 + size;
    gsize n_rest = length - 4 - size;
    if (!glint_utf8_valid(rest, n_rest)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "precompiled_charsmap: the replacements are not UTF-8; the file is damaged");
        return NULL;
    }
    GlintCharsmap *self = g_new0(GlintCharsmap, 1);
    self->n_units = size / 4;
    self->units = g_new(guint32, self->n_units);
    memcpy(self->units, (const char *)bytes + 4, size);
    for (gsize i = 0; i < self->n_units; i++)
        self->units[i] = GUINT32_FROM_LE(self->units[i]);
    self->replacements = g_string_new_len(rest, (gssize)n_rest); /* its final NUL ends the last one in any case */
    return self;
}

void glint_charsmap_free(GlintCharsmap *self)
{
    if (!self)
        return;
    g_free(self->units);
    g_string_free(self->replacements, TRUE);
    g_free(self);
}

static gboolean boundary(const char *text, gsize length, gsize at) { return at >= length || ((guint8)text[at] & 0xC0) != 0x80; }

gboolean glint_charsmap_match(const GlintCharsmap *self, const char *text, gsize length, gboolean longest, gsize *consumed,
                              const char **replacement, GError **error)
{
    const guint32 *units = self->units;
    gsize value = 0;
    *consumed = 0;
    guint32 unit = units[0], position = (unit >> 10) << ((unit & 1u << 9) >> 6);
    for (gsize i = 0; i < length && text[i] != '\0'; i++) {
        position ^= (guint8)text[i];
        if (position >= self->n_units)
            break;
        unit = units[position];
        if ((unit & (1u << 31 | 0xFF)) != (guint8)text[i])
            break;
        position ^= (unit >> 10) << ((unit & 1u << 9) >> 6);
        if (unit >> 8 & 1) {
            if (position >= self->n_units)
                break;
            value = units[position] & ~(1u << 31);
            *consumed = i + 1;
            if (!longest)
                break;
        }
    }
    if (*consumed == 0)
        return TRUE;
    const GString *all = self->replacements;
    if (value >= all->len || !boundary(all->str, all->len, value) || !boundary(text, length, *consumed))
        return glint_fail(error, GLINT_ERROR_FORMAT,
                          "precompiled_charsmap: an entry points outside the table of replacements; the tokenizer's file is damaged");
    *replacement = all->str + value;
    return TRUE;
}
