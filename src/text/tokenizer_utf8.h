/* UTF-8 and Unicode classes as the Rust libraries behind Hugging Face's tokenizers see them. */
#pragma once
#include <glib.h>

/* Reads one character. Returns its length in bytes; for an ill-formed sequence, minus the length of its maximal subpart
 * (Unicode 3.9, table 3-8), which is what one U+FFFD stands for. `length` > 0. */
int glint_utf8_next(const char *text, gsize length, gunichar *character);
gboolean glint_utf8_valid(const char *text, gsize length);
/* Appends `text` with every maximal ill-formed part replaced by U+FFFD, as Python's errors="replace" and Rust's lossy conversion do. */
void glint_utf8_append_lossy(GString *out, const char *text, gsize length);

gboolean glint_char_is_space(gunichar c);       /* White_Space */
gboolean glint_char_is_word(gunichar c);        /* \w of Rust's regex: alphabetic, marks, digits, connectors, joiners */
gboolean glint_char_is_numeric(gunichar c);     /* N* */
gboolean glint_char_is_punctuation(gunichar c); /* P*, and all ASCII punctuation (S* there) */
gboolean glint_char_is_mark(gunichar c);        /* M* */

/* Length of white space at the start or end of valid UTF-8. */
gsize glint_utf8_leading_space(const char *text, gsize length);
gsize glint_utf8_trailing_space(const char *text, gsize length);
/* The last character of valid, non-empty UTF-8; its length in bytes. */
gsize glint_utf8_last(const char *text, gsize length, gunichar *character);

/* GPT-2's table: every byte as a printable character. Bytes that are no character (-1) stay as they are on the way back. */
gunichar glint_byte_to_char(guint8 byte);
int glint_char_to_byte(gunichar c);
void glint_append_byte_chars(GString *out, const char *text, gsize length);
