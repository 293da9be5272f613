/* UTF-8 decoding with Unicode's rule for ill-formed input, the character classes that pre-tokenizers ask for (by utf8proc's
 * general category), and the byte alphabet of GPT-2 (Radford et al. 2019): printable Latin-1 bytes stand for themselves,
 * the other 68 for U+0100 and up, so that any byte string is a string of visible characters. */
#include "text/tokenizer_utf8.h"

#include "text/unicode_versions.h"

#include <string.h>
#include <utf8proc.h>

int glint_utf8_next(const char *text, gsize length, gunichar *character)
{
    const guint8 *s = (const guint8 *)text;
    if (s[0] < 0x80) {
        *character = s[0];
        return 1;
    }
    guint8 low = 0x80, high = 0xBF; /* of the second byte: excludes overlong forms, surrogates, and beyond U+10FFFF */
    int n;
    gunichar c;
    if (s[0] >= 0xC2 && s[0] <= 0xDF) {
        n = 2;
        c = s[0] & 0x1F;
    } else if (s[0] >= 0xE0 && s[0] <= 0xEF) {
        n = 3;
        c = s[0] & 0x0F;
        low = s[0] == 0xE0 ? 0xA0 : low;
        high = s[0] == 0xED ? 0x9F : high;
    } else if (s[0] >= 0xF0 && s[0] <= 0xF4) {
        n = 4;
        c = s[0] & 0x07;
        low = s[0] == 0xF0 ? 0x90 : low;
        high = s[0] == 0xF4 ? 0x8F : high;
    } else {
        return -1;
    }
    for (int i = 1; i < n; i++) {
        if ((gsize)i >= length || s[i] < low || s[i] > high)
            return -i;
        c = c << 6 | (s[i] & 0x3F);
        low = 0x80;
        high = 0xBF;
    }
    *character = c;
    return n;
}

gboolean glint_utf8_valid(const char *text, gsize length)
{
    gunichar c;
    for (gsize i = 0; i < length;) {
        if ((guint8)text[i] < 0x80) {
            i++;
            continue;
        }
        int n = glint_utf8_next(text + i, length - i, &c);
        if (n < 0)
            return FALSE;
        i += (gsize)n;
    }
    return TRUE;
}

void glint_utf8_append_lossy(GString *out, const char *text, gsize length)
{
    gsize kept = 0; /* start of the valid run not yet appended */
    gunichar c;
    for (gsize i = 0; i < length;) {
        int n = glint_utf8_next(text + i, length - i, &c);
        if (n > 0) {
            i += (gsize)n;
            continue;
        }
        g_string_append_len(out, text + kept, (gssize)(i - kept));
        g_string_append(out, "\xEF\xBF\xBD");
        i += (gsize)-n;
        kept = i;
    }
    g_string_append_len(out, text + kept, (gssize)(length - kept));
}

gboolean glint_char_is_space(gunichar c)
{
    if (c < 0x80)
        return (c >= 0x09 && c <= 0x0D) || c == 0x20;
    return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F ||
           c == 0x205F || c == 0x3000;
}

static utf8proc_category_t category(gunichar c) { return utf8proc_category((utf8proc_int32_t)c); }

gboolean glint_char_is_word(gunichar c)
{
    switch (category(c)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC: return TRUE;
    default: break;
    }
    /* joiners, and the circled and squared letters: Alphabetic though their category is So */
    return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
           (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189) || glint_char_is_new_word(c);
}

gboolean glint_char_is_numeric(gunichar c)
{
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_NL || k == UTF8PROC_CATEGORY_NO;
}

gboolean glint_char_is_punctuation(gunichar c)
{
    if (c < 0x80)
        return g_ascii_ispunct((char)c);
    utf8proc_category_t k = category(c);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO; /* Pc Pd Ps Pe Pi Pf Po lie together */
}

gboolean glint_char_is_mark(gunichar c)
{
    utf8proc_category_t k = category(c);
    return k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ME;
}

gsize glint_utf8_leading_space(const char *text, gsize length)
{
    gsize i = 0;
    gunichar c = 0;
    while (i < length) {
        int n = glint_utf8_next(text + i, length - i, &c);
        if (n < 0 || !glint_char_is_space(c))
            break;
        i += (gsize)n;
    }
    return i;
}

gsize glint_utf8_last(const char *text, gsize length, gunichar *character)
{
    gsize i = length - 1;
    while (i > 0 && ((guint8)text[i] & 0xC0) == 0x80)
        i--;
    if (glint_utf8_next(text + i, length - i, character) < 0)
        *character = 0xFFFD;
    return length - i;
}

gsize glint_utf8_trailing_space(const char *text, gsize length)
{
    gsize kept = length;
    while (kept > 0) {
        gunichar c;
        gsize n = glint_utf8_last(text, kept, &c);
        if (!glint_char_is_space(c))
            break;
        kept -= n;
    }
    return length - kept;
}

static gboolean stands_for_itself(guint32 b) { return (b >= 0x21 && b <= 0x7E) || (b >= 0xA1 && b <= 0xAC) || (b >= 0xAE && b <= 0xFF); }

gunichar glint_byte_to_char(guint8 byte)
{
    if (stands_for_itself(byte))
        return byte;
    return byte <= 0x20 ? 0x100u + byte : byte == 0xAD ? 0x143u : 0x121u + (byte - 0x7Fu); /* 7F..A0 follow 00..20; AD is last */
}

int glint_char_to_byte(gunichar c)
{
    if (c < 0x100)
        return stands_for_itself(c) ? (int)c : -1;
    if (c <= 0x120)
        return (int)(c - 0x100);
    if (c <= 0x142)
        return (int)(c - 0x121 + 0x7F) == 0xA1 ? -1 : (int)(c - 0x121 + 0x7F);
    return c == 0x143 ? 0xAD : -1;
}

void glint_append_byte_chars(GString *out, const char *text, gsize length)
{
    for (gsize i = 0; i < length; i++) {
        gunichar c = glint_byte_to_char((guint8)text[i]);
        if (c < 0x80) {
            g_string_append_c(out, (char)c);
        } else {
            const char two[2] = {(char)(0xC0 | c >> 6), (char)(0x80 | (c & 0x3F))};
            g_string_append_len(out, two, 2);
        }
    }
}
