/* Grammars that write matched pairs: one walk makes both texts, so that they share every choice and differ in the concept only.
 *
 * In a template, `{name}` stands for an option of the phrases of that name, `[a|b]` for one of the alternatives (which hold no braces).
 * An option "one/other" gives its first half to the first text and its second half to the other; `{name~}` the other way round.
 * Options are templates themselves. Names that begin with a capital letter are frames: what they stand for is part of the
 * pair's frame, while the options of other names are its filling. In one text no option comes twice as long as there are others. */
#pragma once
#include <glib.h>

typedef struct {
    const char *name;
    const char *const *options;
    gsize n;
} GlintPhrases;

/* A subject: phrases that go together. They are looked up before the recipe's own. */
typedef struct {
    const char *name;
    const GlintPhrases *phrases;
    gsize n;
} GlintSubject;

typedef struct {
    const char *name, *summary;  /* summary: one line */
    const char *labels[2];       /* of the two texts */
    const char *concepts[2];     /* what the texts of each label are, put so that a language model can be asked for them */
    const char *const *plans;    /* templates of whole texts */
    gsize n_plans;
    const GlintSubject *subjects;
    gsize n_subjects;
    const GlintPhrases *phrases; /* common to all subjects */
    gsize n_phrases;
    gboolean translated;         /* the texts are in two languages, so their words cannot be as many */
} GlintRecipe;

/* The recipes; NULL when there is none of that name. */
const GlintRecipe *glint_recipe_find(const char *name);
const GlintRecipe *const *glint_recipes(gsize *n);

typedef struct {
    char *texts[2];
    char *frame;  /* the pair with its filling left as {name} */
    const char *subject;
} GlintGrammarPair;

/* Writes pair after pair; the same seed gives the same pairs everywhere. Free the parts with glint_grammar_pair_clear. */
GlintGrammarPair glint_grammar_write(const GlintRecipe *recipe, guint64 *state);
void glint_grammar_pair_clear(GlintGrammarPair *self);

/* Is everything that the recipe's templates name there, are brackets closed, and do both halves of every "one/other" have the same
 * number of words (unless translated)? A recipe that comes with glint must pass; the tests see to it. */
gboolean glint_recipe_check(const GlintRecipe *recipe, GError **error);

#define GLINT_PHRASES(name, list) {name, list, G_N_ELEMENTS(list)}
extern const GlintRecipe glint_recipe_sentiment, glint_recipe_refusal, glint_recipe_locations, glint_recipe_language, glint_recipe_golden_gate;
