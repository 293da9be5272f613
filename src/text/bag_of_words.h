/* A plain text classifier: softmax regression on which words (or pairs of words) a text holds, hashed. It serves as a measure of what the
 * words alone give away, not to be the best classifier there is. The same texts and seed give the same model. */
#pragma once
#include <glib.h>

typedef struct {
    guint n_gram;  /* 1: words; 2: pairs of neighbours as well. 0 means 1 */
    guint epochs;  /* 0 means 12 */
    guint64 seed;  /* of the order in which texts are seen, and of the folds */
} GlintBagOptions;

typedef struct GlintBag GlintBag;
/* labels[i] < n_classes; n and n_classes at least 1. */
GlintBag *glint_bag_train(const char *const *texts, const guint *labels, gsize n, guint n_classes, const GlintBagOptions *options);
void glint_bag_free(GlintBag *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintBag, glint_bag_free)
void glint_bag_probabilities(const GlintBag *self, const char *text, double *p); /* n_classes of them */

/* Share of texts whose class is found by a model that was trained on the other folds. Texts of one group (NULL: each is its own) stay
 * in one fold, for a text whose twin was trained on is no new text. Ends early, with a share that means nothing, once glint_interrupted(). */
double glint_bag_cross_validate(const char *const *texts, const guint *labels, const gsize *groups, gsize n, guint n_classes, guint folds,
                                const GlintBagOptions *options);

/* Calls `visit` with every word of the text, in lower case: a run of letters and digits with apostrophes inside. */
typedef void (*GlintWordVisitor)(const char *word, gsize length, gpointer data);
void glint_words_foreach(const char *text, GlintWordVisitor visit, gpointer data);
