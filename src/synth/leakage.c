/* How much of the label is surface. A graph of neurons that "differs between refusal and compliance" may only show that one class has longer
 * texts; so every set of made texts comes with a report:
 *
 *   bag_of_words      accuracy of a classifier that sees words only, five-fold, the texts of a pair in one fold
 *   telling_words     the words whose share of texts differs most between the classes, by class
 *   without_telling   accuracy once these words are taken out of all texts: is it the concept's own words, or everything?
 *   surface           words, characters and punctuation per text: means and standard deviations by class, and the largest
 *                     difference between two classes in units of their pooled standard deviation (Cohen's d)
 *   pair_overlap      words that the texts of a pair share, by all their words (Jaccard), averaged
 *   frames            different frames, where they are known
 *   verdict           the same in sentences
 *
 * For a topic, words are the concept, and an accuracy near 1 is no fault; for sentiment or refusal it is a warning. What must not differ
 * in either case is length and punctuation. */
#include "synth/synth.h"
#include "text/bag_of_words.h"

#include <math.h>
#include <string.h>

enum { FOLDS = 5, TELLING = 12 };

typedef struct {
    const GlintSynthData *data;
    gsize n;
    const char **texts;
    guint *labels;
    gsize *groups;
} Flat;

static Flat flatten(const GlintSynthData *data)
{
    gsize n = (gsize)data->sets->len * data->n_labels, at = 0;
    Flat self = {data, n, g_new(const char *, n + 1), g_new(guint, n + 1), g_new(gsize, n + 1)};
    for (guint k = 0; k < data->sets->len; k++)
        for (guint label = 0; label < data->n_labels; label++, at++) {
            self.texts[at] = ((GlintSynthSet *)g_ptr_array_index(data->sets, k))->texts[label];
            self.labels[at] = label;
            self.groups[at] = k;
        }
    return self;
}

static void flat_clear(Flat *self)
{
    g_free(self->texts);
    g_free(self->labels);
    g_free(self->groups);
}

/* ---- words ---- */

static void add_to_set(const char *word, gsize length, gpointer data) { g_hash_table_add(data, g_strndup(word, length)); }

static GHashTable *words_of(const char *text)
{
    GHashTable *words = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    glint_words_foreach(text, add_to_set, words);
    return words;
}

typedef struct {
    const char *word;
    guint *counts;   /* texts with it, per class */
    guint best;      /* class where it is most frequent */
    double contrast; /* its share there less its mean share elsewhere */
} Word;

static gint by_contrast(gconstpointer a, gconstpointer b)
{
    const Word *x = a, *y = b;
    return x->contrast > y->contrast ? -1 : x->contrast < y->contrast ? 1 : strcmp(x->word, y->word);
}

static GHashTable *count_words(const Flat *flat)
{
    GHashTable *counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
    for (gsize k = 0; k < flat->n; k++) {
        g_autoptr(GHashTable) words = words_of(flat->texts[k]);
        GHashTableIter iter;
        gpointer word;
        g_hash_table_iter_init(&iter, words);
        while (g_hash_table_iter_next(&iter, &word, NULL)) {
            guint *count = g_hash_table_lookup(counts, word);
            if (!count) {
                count = g_new0(guint, flat->data->n_labels);
                g_hash_table_insert(counts, g_strdup(word), count);
            }
            count[flat->labels[k]]++;
        }
    }
    return counts;
}

static GArray *rank_words(const Flat *flat, GHashTable *counts)
{
    GArray *ranked = g_array_new(FALSE, FALSE, sizeof(Word));
    guint n_labels = flat->data->n_labels;
    GHashTableIter iter;
    gpointer key, value;
    g_hash_table_iter_init(&iter, counts);
    while (g_hash_table_iter_next(&iter, &key, &value)) {
        Word word = {key, value, 0, 0};
        guint total = 0;
        for (guint c = 0; c < n_labels; c++) {
            total += word.counts[c];
            word.best = word.counts[c] > word.counts[word.best] ? c : word.best;
        }
        double per_class = (double)flat->data->sets->len;
        word.contrast = word.counts[word.best] / per_class - (total - word.counts[word.best]) / per_class / (n_labels - 1);
        g_array_append_val(ranked, word);
    }
    g_array_sort(ranked, by_contrast);
    return ranked;
}

/* The report's part, and the words themselves into `telling`. */
static json_t *describe_telling(const Flat *flat, const GArray *ranked, GHashTable *telling)
{
    json_t *root = json_object();
    for (guint c = 0; c < flat->data->n_labels; c++) {
        json_t *list = json_array();
        for (guint k = 0; k < ranked->len && json_array_size(list) < TELLING; k++) {
            const Word *word = &g_array_index(ranked, Word, k);
            if (word->best != c || word->contrast <= 0)
                continue;
            json_t *shares = json_object();
            for (guint other = 0; other < flat->data->n_labels; other++)
                json_object_set_new(shares, flat->data->labels[other], json_real((double)word->counts[other] / (double)flat->data->sets->len));
            json_array_append_new(list, json_pack("{s:s, s:o}", "word", word->word, "share_of_texts", shares));
            g_hash_table_add(telling, (gpointer)word->word);
        }
        json_object_set_new(root, flat->data->labels[c], list);
    }
    return root;
}

typedef struct {
    GString *out;
    GHashTable *without;
} Filter;

static void keep_word(const char *word, gsize length, gpointer data)
{
    Filter *self = data;
    if (!g_hash_table_contains(self->without, word)) {
        g_string_append_len(self->out, word, (gssize)length);
        g_string_append_c(self->out, ' ');
    }
}

static double accuracy(const Flat *flat, GHashTable *without, guint64 seed)
{
    GlintBagOptions options = {.seed = seed};
    g_auto(GStrv) texts = g_new0(char *, flat->n + 1);
    for (gsize k = 0; k < flat->n; k++) {
        Filter filter = {g_string_new(NULL), without};
        glint_words_foreach(flat->texts[k], keep_word, &filter);
        texts[k] = g_string_free(filter.out, FALSE);
    }
    return glint_bag_cross_validate((const char *const *)texts, flat->labels, flat->groups, flat->n, flat->data->n_labels, FOLDS, &options);
}

static double pair_overlap(const GlintSynthData *data)
{
    double sum = 0;
    for (guint k = 0; k < data->sets->len; k++) {
        const GlintSynthSet *set = g_ptr_array_index(data->sets, k);
        g_autoptr(GHashTable) first = words_of(set->texts[0]);
        double part = 0;
        for (guint label = 1; label < data->n_labels; label++) {
            g_autoptr(GHashTable) other = words_of(set->texts[label]);
            guint common = 0;
            GHashTableIter iter;
            gpointer word;
            g_hash_table_iter_init(&iter, other);
            while (g_hash_table_iter_next(&iter, &word, NULL))
                common += g_hash_table_contains(first, word);
            part += common / (double)(g_hash_table_size(first) + g_hash_table_size(other) - common);
        }
        sum += part / (data->n_labels - 1);
    }
    return data->sets->len > 0 ? sum / data->sets->len : 0;
}

/* ---- surface ---- */

static void count_one(const char *word, gsize length, gpointer data)
{
    (void)word;
    (void)length;
    ++*(double *)data;
}

static double count_of(const char *text, const char *marks)
{
    double n = 0;
    for (const char *c = text; *c; c++)
        n += strchr(marks, *c) != NULL;
    return n;
}

static double feature_of(const char *text, gsize which)
{
    double words = 0;
    switch (which) {
    case 0: glint_words_foreach(text, count_one, &words); return words;
    case 1: return (double)g_utf8_strlen(text, -1);
    case 2: return count_of(text, ".");
    case 3: return count_of(text, ",");
    case 4: return count_of(text, "?");
    case 5: return count_of(text, "!");
    case 6: return count_of(text, ":;");
    case 7: return count_of(text, "\"()'-");
    case 8: return count_of(text, "0123456789");
    default: return count_of(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    }
}

static const char *const feature_names[] = {
    "words", "characters", "full stops", "commas", "question marks", "exclamation marks", "colons and semicolons", "quotes, brackets, hyphens",
    "digits", "capitals"};

static json_t *describe_feature(const Flat *flat, gsize which, double *largest)
{
    guint n_labels = flat->data->n_labels;
    g_autofree double *sum = g_new0(double, n_labels), *square = g_new0(double, n_labels);
    double per_class = (double)flat->data->sets->len;
    for (gsize k = 0; k < flat->n; k++) {
        double x = feature_of(flat->texts[k], which);
        sum[flat->labels[k]] += x;
        square[flat->labels[k]] += x * x; /* counts are small whole numbers: nothing is lost */
    }
    json_t *means = json_object(), *deviations = json_object();
    for (guint c = 0; c < n_labels; c++) {
        sum[c] /= per_class;
        square[c] = MAX(square[c] / per_class - sum[c] * sum[c], 0);
        json_object_set_new(means, flat->data->labels[c], json_real(sum[c]));
        json_object_set_new(deviations, flat->data->labels[c], json_real(sqrt(square[c])));
    }
    *largest = 0;
    for (guint a = 0; a < n_labels; a++)
        for (guint b = 0; b < a; b++) {
            double pooled = sqrt((square[a] + square[b]) / 2), gap = fabs(sum[a] - sum[b]);
            *largest = MAX(*largest, pooled > 0 ? gap / pooled : gap > 0 ? 99 : 0); /* no spread at all, yet a gap: 99 stands for "always" */
        }
    return json_pack("{s:s, s:o, s:o, s:f}", "feature", feature_names[which], "mean", means, "sd", deviations, "largest_d", *largest);
}

/* ---- the report ---- */

static void add_verdict(json_t *list, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add_verdict(json_t *list, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    json_array_append_new(list, json_string(text));
}

static const char *reading(double share, double chance)
{
    double above = (share - chance) / (1 - chance);
    return above > 0.9 ? "the words alone give the label away" : above > 0.5 ? "much of the label is in single words"
        : above > 0.2 ? "some of the label is in single words" : "single words tell next to nothing";
}

static json_t *verdict_of(const GlintSynthData *data, double words, double without, double overlap, const char *worst, double d)
{
    json_t *list = json_array();
    double chance = 1.0 / data->n_labels;
    add_verdict(list, "a bag of words finds the label of %.0f %% of held-out texts (chance %.0f %%): %s", 100 * words, 100 * chance,
                reading(words, chance));
    add_verdict(list, "without the %d most telling words of each class it finds %.0f %%: %s", TELLING, 100 * without, reading(without, chance));
    add_verdict(list, "the texts of a pair share %.0f %% of their words", 100 * overlap);
    if (d < 0.2)
        add_verdict(list, "length and punctuation do not differ between the classes (largest difference %.2f standard deviations, %s)", d, worst);
    else
        add_verdict(list, "the classes differ in %s by %.2f standard deviations; a graph of this data shows that as well", worst, d);
    return list;
}

static gsize count_frames(const GlintSynthData *data)
{
    g_autoptr(GHashTable) frames = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint k = 0; k < data->sets->len; k++) {
        const GlintSynthSet *set = g_ptr_array_index(data->sets, k);
        if (*set->frame)
            g_hash_table_add(frames, set->frame);
    }
    return g_hash_table_size(frames);
}

json_t *glint_synth_leakage(const GlintSynthData *data, guint64 seed)
{
    Flat flat = flatten(data);
    g_autoptr(GHashTable) counts = count_words(&flat);
    g_autoptr(GHashTable) none = g_hash_table_new(g_str_hash, g_str_equal), telling = g_hash_table_new(g_str_hash, g_str_equal);
    g_autoptr(GArray) ranked = rank_words(&flat, counts);
    json_t *told = describe_telling(&flat, ranked, telling), *surface = json_array(), *dropped = json_object();
    double words = accuracy(&flat, none, seed), without = accuracy(&flat, telling, seed), overlap = pair_overlap(data), largest = -1;
    const char *worst = "";
    for (gsize k = 0; k < G_N_ELEMENTS(feature_names); k++) {
        double d;
        json_array_append_new(surface, describe_feature(&flat, k, &d));
        if (d > largest) {
            largest = d;
            worst = feature_names[k];
        }
    }
    for (guint v = GLINT_SYNTH_TAKEN + 1; v < GLINT_SYNTH_N_VERDICTS; v++)
        json_object_set_new(dropped, glint_synth_verdict_name(v), json_integer((json_int_t)data->counts[v]));
    json_t *root = json_pack("{s:s, s:i, s:i, s:o, s:o, s:{s:f, s:f, s:f, s:i}, s:o, s:f, s:o}", "recipe", data->name, "pairs", (int)data->sets->len,
                             "texts", (int)flat.n, "left_out", dropped,
                             "verdict", verdict_of(data, words, without, overlap, worst, largest), "bag_of_words", "accuracy", words,
                                 "without_telling_words", without, "chance", 1.0 / data->n_labels,
                             "folds", FOLDS, "telling_words", told, "pair_overlap", overlap, "surface", surface);
    gsize frames = count_frames(data);
    if (frames > 0)
        json_object_set_new(root, "frames", json_integer((json_int_t)frames));
    json_object_update(root, data->origin);
    flat_clear(&flat);
    return root;
}
