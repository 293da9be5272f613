/* Words that stand for a class when nobody named any: the tokens that its texts use more than the other class's. */
#pragma once
#include "steer/lab.h"
#include "text/tokenizer.h"

/* The `most` tokens of the largest z-score on each side. The score is that of the log-odds between the two classes with an informative Dirichlet prior
 * (Monroe, Colaresi & Quinn 2008): with counts a_w, b_w of word w in the two, prior counts c_w = a_w + b_w scaled to 1,000 in all,
 *     z_w = [log((a_w + c_w) / (A + C - a_w - c_w)) - log((b_w + c_w) / (B + C - b_w - c_w))] / sqrt(1 / (a_w + c_w) + 1 / (b_w + c_w)).
 * Tokens that are special, or hold no letter, are left out. Fails when a side has no token with z > 2. */
gboolean glint_steer_words_learn(const GlintTokenizer *tokenizer, const GlintSteerTexts *towards, const GlintSteerTexts *away, gsize most, GlintVerbalisers *words, GError **error);

/* The tokens of the words in "good, great", each as it stands at the beginning of a text and behind a blank, where that is one token; a word that is more in
 * both is represented by the first token that it has behind a blank. Blanks that are tokens of their own do not count. Fails for words without a token. */
gboolean glint_steer_words_parse(const GlintTokenizer *tokenizer, const char *list, GArray *tokens, GError **error);
/* The blank, where a tokenizer makes it a token of its own in front of every word: prompts must end with it, or the next token would always be a
 * blank. -1 where words bring their blank along. */
gint64 glint_steer_words_lead(const GlintTokenizer *tokenizer);
/* Both sides must hold tokens, and none the same one: those that both have are removed from both, and an empty side is an error. */
gboolean glint_steer_words_check(const GlintTokenizer *tokenizer, GlintVerbalisers *words, GError **error);
void glint_steer_words_clear(GlintVerbalisers *words);
/* "good, great, ..." for messages; free with g_free. */
char *glint_steer_words_text(const GlintTokenizer *tokenizer, const GArray *tokens);
