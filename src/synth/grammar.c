/* The walk through a grammar. See grammar.h. Both texts and the frame grow at once, in out[0..2]; a bit mask says which of them a piece
 * is meant for. Where the texts part ("one/other"), the halves are walked one after the other from the same state of the
 * generator and of what has been used, so that what is alike in them gets the same filling. */
#include "synth/grammar.h"
#include "base/error.h"
#include "base/random.h"

#include <string.h>

enum { FIRST = 1, OTHER = 2, FRAME = 4, BOTH = 3, DEPTH = 12 };

typedef struct {
    const GlintRecipe *recipe;
    const GlintSubject *subject;
    guint64 state;
    GHashTable *used; /* options taken (const char*) */
    GString *out[3];
} Walk;

static const GlintPhrases *look_up(const GlintPhrases *list, gsize n, const char *name, gsize length)
{
    for (gsize k = 0; k < n; k++)
        if (strlen(list[k].name) == length && strncmp(list[k].name, name, length) == 0)
            return &list[k];
    return NULL;
}

static const GlintPhrases *find_phrases(const GlintRecipe *recipe, const GlintSubject *subject, const char *name, gsize length)
{
    const GlintPhrases *own = subject ? look_up(subject->phrases, subject->n, name, length) : NULL;
    return own ? own : look_up(recipe->phrases, recipe->n_phrases, name, length);
}

static void emit(Walk *self, guint mask, const char *text, gsize length)
{
    for (guint k = 0; k < 3; k++)
        if (mask & (1u << k))
            g_string_append_len(self->out[k], text, (gssize)length);
}

static const char *pick(Walk *self, const GlintPhrases *phrases)
{
    gsize start = glint_random_below(&self->state, phrases->n);
    for (gsize k = 0; k < phrases->n; k++) {
        const char *option = phrases->options[(start + k) % phrases->n];
        if (g_hash_table_add(self->used, (gpointer)option))
            return option;
    }
    return phrases->options[start];
}

/* Exchanges the two texts' bits. */
static guint swapped(guint mask) { return (mask & FRAME) | (mask & FIRST ? OTHER : 0) | (mask & OTHER ? FIRST : 0); }

static void walk(Walk *self, const char *text, gsize length, guint mask, gboolean turned, guint depth);

/* Half of "one/other" for each text; a text that is not in `mask` gets nothing. */
static void walk_halves(Walk *self, const char *option, const char *slash, guint mask, gboolean turned, guint depth)
{
    guint first = turned ? OTHER : FIRST;
    g_autoptr(GHashTable) before = g_hash_table_new(NULL, NULL);
    GHashTableIter iter;
    gpointer key;
    g_hash_table_iter_init(&iter, self->used);
    while (g_hash_table_iter_next(&iter, &key, NULL))
        g_hash_table_add(before, key);
    guint64 state = self->state;
    walk(self, option, (gsize)(slash - option), mask & (first | FRAME), turned, depth);
    GHashTable *after = self->used;
    self->used = before;
    self->state = state;
    walk(self, slash + 1, strlen(slash + 1), mask & swapped(first), turned, depth);
    self->used = after;
}

static const char *close_of(const char *open, const char *end, char mark)
{
    const char *close = memchr(open, mark, (gsize)(end - open));
    g_assert(close != NULL); /* glint_recipe_check() */
    return close;
}

/* "{name}" or "{name~}" between the braces. */
static void walk_slot(Walk *self, const char *name, gsize length, guint mask, gboolean turned, guint depth)
{
    gboolean turn = name[length - 1] == '~';
    const GlintPhrases *phrases = find_phrases(self->recipe, self->subject, name, length - turn);
    g_assert(phrases != NULL && depth < DEPTH);
    const char *option = pick(self, phrases), *slash = strchr(option, '/');
    gboolean frame = g_ascii_isupper(*name);
    if (!frame && (mask & FRAME)) { /* filling */
        emit(self, FRAME, "{", 1);
        emit(self, FRAME, name, length);
        emit(self, FRAME, "}", 1);
    }
    mask = frame ? mask : mask & BOTH;
    if (slash)
        walk_halves(self, option, slash, mask, turned != turn, depth + 1);
    else
        walk(self, option, strlen(option), mask, turned != turn, depth + 1);
}

static void walk_choice(Walk *self, const char *text, gsize length, guint mask)
{
    gsize n = 1;
    for (gsize k = 0; k < length; k++)
        n += text[k] == '|';
    gsize chosen = glint_random_below(&self->state, n);
    for (; chosen > 0; chosen--) {
        const char *bar = memchr(text, '|', length);
        length -= (gsize)(bar + 1 - text);
        text = bar + 1;
    }
    const char *bar = memchr(text, '|', length);
    emit(self, mask & BOTH, text, bar ? (gsize)(bar - text) : length);
    emit(self, mask & FRAME, "[]", 2);
}

static void walk(Walk *self, const char *text, gsize length, guint mask, gboolean turned, guint depth)
{
    const char *end = text + length;
    while (text < end) {
        const char *close;
        if (*text == '{') {
            close = close_of(text, end, '}');
            walk_slot(self, text + 1, (gsize)(close - text - 1), mask, turned, depth);
            text = close + 1;
        } else if (*text == '[') {
            close = close_of(text, end, ']');
            walk_choice(self, text + 1, (gsize)(close - text - 1), mask);
            text = close + 1;
        } else {
            gsize plain = 0;
            while (text + plain < end && text[plain] != '{' && text[plain] != '[')
                plain++;
            emit(self, mask, text, plain);
            text += plain;
        }
    }
}

/* Single blanks, none before a punctuation mark, and capitals where sentences begin. */
static char *polish(const char *text)
{
    GString *out = g_string_new(NULL);
    gboolean begin = TRUE, blank = FALSE;
    for (const char *c = text; *c; c = g_utf8_next_char(c)) {
        gunichar u = g_utf8_get_char(c);
        if (u == ' ') {
            blank = out->len > 0;
            continue;
        }
        if (blank && !strchr(",.;:!?", u < 128 ? (int)u : 'x'))
            g_string_append_c(out, ' ');
        gboolean mark = u == '.' || u == '!' || u == '?';
        g_string_append_unichar(out, begin && g_unichar_isalpha(u) ? g_unichar_toupper(u) : u);
        begin = mark || (begin && !g_unichar_isalnum(u)); /* a quotation mark does not begin the sentence */
        blank = FALSE;
    }
    return g_string_free(out, FALSE);
}

GlintGrammarPair glint_grammar_write(const GlintRecipe *recipe, guint64 *state)
{
    Walk self = {.recipe = recipe, .state = glint_random_next(state), .used = g_hash_table_new(NULL, NULL)};
    for (guint k = 0; k < 3; k++)
        self.out[k] = g_string_new(NULL);
    if (recipe->n_subjects > 0)
        self.subject = &recipe->subjects[glint_random_below(&self.state, recipe->n_subjects)];
    const char *plan = recipe->plans[glint_random_below(&self.state, recipe->n_plans)];
    walk(&self, plan, strlen(plan), BOTH | FRAME, FALSE, 0);
    GlintGrammarPair pair = {.texts = {polish(self.out[0]->str), polish(self.out[1]->str)}, .frame = g_string_free(self.out[2], FALSE),
                             .subject = self.subject ? self.subject->name : ""};
    g_string_free(self.out[0], TRUE);
    g_string_free(self.out[1], TRUE);
    g_hash_table_unref(self.used);
    return pair;
}

void glint_grammar_pair_clear(GlintGrammarPair *self)
{
    g_free(self->texts[0]);
    g_free(self->texts[1]);
    g_free(self->frame);
    *self = (GlintGrammarPair){0};
}

/* ---- checking ---- */

static guint count_words(const char *text, gsize length)
{
    guint n = 0;
    for (gsize k = 0; k < length; k++)
        n += text[k] != ' ' && (k == 0 || text[k - 1] == ' ');
    return n;
}

static gboolean check_template(const GlintRecipe *recipe, const GlintSubject *subject, const char *text, GError **error)
{
    for (const char *c = text; *c; c++) {
        if (*c != '{' && *c != '[')
            continue;
        const char *close = strchr(c, *c == '{' ? '}' : ']');
        if (!close)
            return glint_fail(error, GLINT_ERROR_FORMAT, "recipe %s: a bracket is not closed in \"%s\"", recipe->name, text);
        gsize length = (gsize)(close - c - 1), turn = length > 0 && close[-1] == '~';
        if (*c == '{' && (length == 0 || !find_phrases(recipe, subject, c + 1, length - turn)))
            return glint_fail(error, GLINT_ERROR_FORMAT, "recipe %s, subject %s: no phrases for %.*s in \"%s\"", recipe->name,
                              subject ? subject->name : "-", (int)length + 2, c, text);
        c = close;
    }
    const char *slash = strchr(text, '/');
    if (slash && strchr(slash + 1, '/'))
        return glint_fail(error, GLINT_ERROR_FORMAT, "recipe %s: more than two halves in \"%s\"", recipe->name, text);
    if (slash && !recipe->translated && count_words(text, (gsize)(slash - text)) != count_words(slash + 1, strlen(slash + 1)))
        return glint_fail(error, GLINT_ERROR_FORMAT, "recipe %s: the halves of \"%s\" have unequal numbers of words", recipe->name, text);
    return TRUE;
}

static gboolean check_phrases(const GlintRecipe *recipe, const GlintSubject *subject, const GlintPhrases *phrases, gsize n, GError **error)
{
    for (gsize k = 0; k < n; k++)
        for (gsize o = 0; o < phrases[k].n; o++)
            if (!check_template(recipe, subject, phrases[k].options[o], error))
                return FALSE;
    return TRUE;
}

gboolean glint_recipe_check(const GlintRecipe *recipe, GError **error)
{
    for (gsize s = 0; s < MAX(recipe->n_subjects, 1); s++) {
        const GlintSubject *subject = recipe->n_subjects > 0 ? &recipe->subjects[s] : NULL;
        if (!check_phrases(recipe, subject, recipe->phrases, recipe->n_phrases, error) ||
            (subject && !check_phrases(recipe, subject, subject->phrases, subject->n, error)))
            return FALSE;
        for (gsize p = 0; p < recipe->n_plans; p++)
            if (!check_template(recipe, subject, recipe->plans[p], error))
                return FALSE;
    }
    return TRUE;
}

/* ---- the list ---- */

static const GlintRecipe *const recipes[] = {&glint_recipe_sentiment, &glint_recipe_refusal, &glint_recipe_locations, &glint_recipe_language,
                                             &glint_recipe_golden_gate};

const GlintRecipe *const *glint_recipes(gsize *n)
{
    *n = G_N_ELEMENTS(recipes);
    return recipes;
}

const GlintRecipe *glint_recipe_find(const char *name)
{
    for (gsize k = 0; k < G_N_ELEMENTS(recipes); k++)
        if (strcmp(recipes[k]->name, name) == 0)
            return recipes[k];
    return NULL;
}
