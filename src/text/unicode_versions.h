/* Characters that this machine's utf8proc and the Rust libraries behind Hugging Face's tokenizers judge differently, because their
 * tables are of different versions of Unicode. */
#pragma once
#include <glib.h>

gboolean glint_char_is_new_word(gunichar c);     /* word characters of Unicode 15.1 and 16, unknown to utf8proc 2.8 */
gboolean glint_char_is_new_to_forms(gunichar c); /* neither decomposed, composed, reordered nor a mark upstream, where the tables are of Unicode 9 */
gunichar glint_char_new_lower(gunichar c);       /* lower case of letters of Unicode 14 to 17; c itself for all others */
