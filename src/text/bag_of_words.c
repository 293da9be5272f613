/* Bag of words. See bag_of_words.h. Weights are learned by AdaGrad (Duchi, Hazan & Singer 2011) on the log loss, text by text in a
 * shuffled order, with a little L2 decay on the weights touched. A text's features count 1/sqrt(number of features) each, so that long
 * texts move the weights no further than short ones. */
#include "text/bag_of_words.h"
#include "base/random.h"
#include "base/talk.h"

#include <math.h>
#include <string.h>

enum { BITS = 17, DEFAULT_EPOCHS = 12 };
#define RATE 0.5
#define DECAY 1e-5

struct GlintBag {
    guint n_classes, n_gram;
    float *weights, *squares; /* [bucket][class]; the last bucket is the bias */
};

/* ---- words ---- */

static gboolean is_inner(gunichar c) { return c == '\'' || c == 0x2019; }

void glint_words_foreach(const char *text, GlintWordVisitor visit, gpointer data)
{
    g_autoptr(GString) word = g_string_new(NULL);
    for (const char *c = text;; c = g_utf8_next_char(c)) {
        gunichar u = *c ? g_utf8_get_char(c) : 0;
        if (u && g_unichar_isalnum(u)) {
            g_string_append_unichar(word, g_unichar_tolower(u));
        } else if (u && word->len > 0 && is_inner(u) && g_unichar_isalnum(g_utf8_get_char(g_utf8_next_char(c)))) {
            g_string_append_c(word, '\'');
        } else if (word->len > 0) {
            visit(word->str, word->len, data);
            g_string_truncate(word, 0);
        }
        if (!u)
            return;
    }
}

typedef struct {
    GArray *buckets; /* guint32, each once */
    GHashTable *seen;
    guint n_gram;
    guint64 previous;
} Features;

static guint64 hash_word(const char *word, gsize length)
{
    guint64 hash = G_GUINT64_CONSTANT(0xCBF29CE484222325); /* FNV-1a */
    for (gsize k = 0; k < length; k++)
        hash = (hash ^ (guchar)word[k]) * G_GUINT64_CONSTANT(0x100000001B3);
    return hash;
}

static void add_bucket(Features *self, guint64 hash)
{
    guint32 bucket = (guint32)(glint_random_next(&hash) >> (64 - BITS));
    if (g_hash_table_add(self->seen, GUINT_TO_POINTER(bucket + 1)))
        g_array_append_val(self->buckets, bucket);
}

static void add_word(const char *word, gsize length, gpointer data)
{
    Features *self = data;
    guint64 hash = hash_word(word, length);
    add_bucket(self, hash);
    if (self->n_gram > 1 && self->previous)
        add_bucket(self, self->previous * 31 + hash);
    self->previous = hash;
}

static GArray *features_of(const char *text, guint n_gram)
{
    Features self = {g_array_new(FALSE, FALSE, sizeof(guint32)), g_hash_table_new(NULL, NULL), n_gram, 0};
    glint_words_foreach(text, add_word, &self);
    g_hash_table_unref(self.seen);
    guint32 bias = 1u << BITS;
    g_array_append_val(self.buckets, bias);
    return self.buckets;
}

/* ---- the model ---- */

static void probabilities(const GlintBag *self, const GArray *features, double *p)
{
    double scale = 1 / sqrt((double)features->len), largest = -HUGE_VAL, sum = 0;
    for (guint c = 0; c < self->n_classes; c++) {
        p[c] = 0;
        for (guint k = 0; k < features->len; k++)
            p[c] += (double)self->weights[(gsize)g_array_index(features, guint32, k) * self->n_classes + c];
        p[c] *= scale;
        largest = MAX(largest, p[c]);
    }
    for (guint c = 0; c < self->n_classes; c++)
        sum += p[c] = exp(p[c] - largest);
    for (guint c = 0; c < self->n_classes; c++)
        p[c] /= sum;
}

static void learn(GlintBag *self, const GArray *features, guint label, double *p)
{
    double scale = 1 / sqrt((double)features->len);
    probabilities(self, features, p);
    for (guint k = 0; k < features->len; k++) {
        gsize at = (gsize)g_array_index(features, guint32, k) * self->n_classes;
        for (guint c = 0; c < self->n_classes; c++) {
            double gradient = (p[c] - (c == label)) * scale + DECAY * (double)self->weights[at + c];
            self->squares[at + c] += (float)(gradient * gradient);
            self->weights[at + c] -= (float)(RATE * gradient / (sqrt((double)self->squares[at + c]) + 1e-8));
        }
    }
}

static void shuffle(gsize *order, gsize n, guint64 *state)
{
    for (gsize k = n; k > 1; k--) {
        gsize other = glint_random_below(state, k), held = order[k - 1];
        order[k - 1] = order[other];
        order[other] = held;
    }
}

/* Trains on the texts `order` lists; their features have been found before. */
static GlintBag *train(GArray *const *features, const guint *labels, gsize *order, gsize n, guint n_classes, const GlintBagOptions *options)
{
    GlintBag *self = g_new0(GlintBag, 1);
    gsize n_weights = (((gsize)1 << BITS) + 1) * n_classes;
    guint64 state = options->seed;
    g_autofree double *p = g_new(double, n_classes);
    self->n_classes = n_classes;
    self->n_gram = MAX(options->n_gram, 1);
    self->weights = g_new0(float, n_weights);
    self->squares = g_new0(float, n_weights);
    for (guint epoch = 0; epoch < (options->epochs ? options->epochs : DEFAULT_EPOCHS); epoch++) {
        shuffle(order, n, &state);
        for (gsize k = 0; k < n; k++)
            learn(self, features[order[k]], labels[order[k]], p);
    }
    return self;
}

static GArray **all_features(const char *const *texts, gsize n, guint n_gram)
{
    GArray **features = g_new(GArray *, n + 1);
    for (gsize k = 0; k < n; k++)
        features[k] = features_of(texts[k], MAX(n_gram, 1));
    return features;
}

static void free_features(GArray **features, gsize n)
{
    for (gsize k = 0; k < n; k++)
        g_array_unref(features[k]);
    g_free(features);
}

GlintBag *glint_bag_train(const char *const *texts, const guint *labels, gsize n, guint n_classes, const GlintBagOptions *options)
{
    GArray **features = all_features(texts, n, options->n_gram);
    g_autofree gsize *order = g_new(gsize, n + 1);
    for (gsize k = 0; k < n; k++)
        order[k] = k;
    GlintBag *self = train(features, labels, order, n, n_classes, options);
    free_features(features, n);
    return self;
}

void glint_bag_free(GlintBag *self)
{
    if (!self)
        return;
    g_free(self->weights);
    g_free(self->squares);
    g_free(self);
}

void glint_bag_probabilities(const GlintBag *self, const char *text, double *p)
{
    g_autoptr(GArray) features = features_of(text, self->n_gram);
    probabilities(self, features, p);
}

/* ---- cross-validation ---- */

/* fold[i] of every text: groups in a shuffled order are dealt out in turn. */
static guint *deal(const gsize *groups, gsize n, guint folds, guint64 seed)
{
    g_autoptr(GHashTable) place = g_hash_table_new(NULL, NULL); /* group -> number of appearance + 1 */
    g_autofree gsize *order = g_new(gsize, n + 1), *number = g_new(gsize, n + 1);
    gsize n_groups = 0;
    for (gsize k = 0; k < n; k++) {
        gpointer group = GSIZE_TO_POINTER(groups ? groups[k] : k);
        gsize found = GPOINTER_TO_SIZE(g_hash_table_lookup(place, group));
        if (!found) {
            order[n_groups] = n_groups;
            found = ++n_groups;
            g_hash_table_insert(place, group, GSIZE_TO_POINTER(found));
        }
        number[k] = found - 1;
    }
    guint64 state = seed;
    shuffle(order, n_groups, &state);
    guint *fold = g_new(guint, n + 1);
    for (gsize k = 0; k < n; k++)
        fold[k] = (guint)(order[number[k]] % folds);
    return fold;
}

double glint_bag_cross_validate(const char *const *texts, const guint *labels, const gsize *groups, gsize n, guint n_classes, guint folds,
                                const GlintBagOptions *options)
{
    GArray **features = all_features(texts, n, options->n_gram);
    g_autofree guint *fold = deal(groups, n, folds, options->seed);
    g_autofree gsize *order = g_new(gsize, n + 1);
    g_autofree double *p = g_new(double, n_classes);
    gsize right = 0;
    for (guint f = 0; f < folds && !glint_interrupted(); f++) {
        gsize n_train = 0;
        for (gsize k = 0; k < n; k++)
            if (fold[k] != f)
                order[n_train++] = k;
        g_autoptr(GlintBag) model = train(features, labels, order, n_train, n_classes, options);
        for (gsize k = 0; k < n; k++) {
            if (fold[k] != f)
                continue;
            probabilities(model, features[k], p);
            guint best = 0;
            for (guint c = 1; c < n_classes; c++)
                best = p[c] > p[best] ? c : best;
            right += best == labels[k];
        }
    }
    free_features(features, n);
    return n > 0 ? (double)right / (double)n : 0;
}
