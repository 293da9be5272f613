/* What a data set's name means. See dataset_name.h. Once data sets of the hub had names without an organisation; all were moved
 * below one, and people still type (and papers and the original's README still print) the old ones. The list has the labelled
 * text sets among them. */
#include "hub/dataset_name.h"

#include <string.h>

static const struct { const char *bare, *id; } aliases[] = {
    {"20_newsgroups", "SetFit/20_newsgroups"},
    {"ag_news", "fancyzhx/ag_news"},
    {"amazon_polarity", "fancyzhx/amazon_polarity"},
    {"app_reviews", "sealuzh/app_reviews"},
    {"banking77", "PolyAI/banking77"},
    {"dbpedia_14", "fancyzhx/dbpedia_14"},
    {"emotion", "dair-ai/emotion"},
    {"financial_phrasebank", "takala/financial_phrasebank"},
    {"glue", "nyu-mll/glue"},
    {"go_emotions", "google-research-datasets/go_emotions"},
    {"hate_speech_offensive", "tdavidson/hate_speech_offensive"},
    {"imdb", "stanfordnlp/imdb"},
    {"poem_sentiment", "google-research-datasets/poem_sentiment"},
    {"rotten_tomatoes", "cornell-movie-review-data/rotten_tomatoes"},
    {"sms_spam", "ucirvine/sms_spam"},
    {"snli", "stanfordnlp/snli"},
    {"sst", "stanfordnlp/sst"},
    {"sst2", "stanfordnlp/sst2"},
    {"super_glue", "aps/super_glue"},
    {"trec", "CogComp/trec"},
    {"tweet_eval", "cardiffnlp/tweet_eval"},
    {"yelp_polarity", "fancyzhx/yelp_polarity"},
    {"yelp_review_full", "Yelp/yelp_review_full"},
};

const char *glint_dataset_alias(const char *bare)
{
    for (gsize k = 0; k < G_N_ELEMENTS(aliases); k++)
        if (strcmp(bare, aliases[k].bare) == 0)
            return aliases[k].id;
    return NULL;
}

/* Levenshtein's distance; names are short, so one row of the table is enough room on the stack. */
static guint distance(const char *a, const char *b)
{
    guint row[64];
    gsize n = strlen(b);
    if (n >= G_N_ELEMENTS(row))
        return G_MAXUINT;
    for (gsize j = 0; j <= n; j++)
        row[j] = (guint)j;
    for (guint i = 1; *a; a++, i++) {
        guint diagonal = row[0];
        row[0] = i;
        for (gsize j = 1; j <= n; j++) {
            guint above = row[j], change = diagonal + (g_ascii_tolower(*a) != b[j - 1]);
            row[j] = MIN(MIN(above, row[j - 1]) + 1, change);
            diagonal = above;
        }
    }
    return row[n];
}

const char *glint_dataset_nearest(const char *bare)
{
    const char *best = NULL;
    guint least = strlen(bare) > 3 ? 3 : 2; /* of a shorter name, two letters are most of it */
    for (gsize k = 0; k < G_N_ELEMENTS(aliases); k++) {
        guint d = distance(bare, aliases[k].bare);
        if (d < least) {
            least = d;
            best = aliases[k].bare;
        }
    }
    return best;
}

/* One part of an id or one of what follows it: what the hub allows, and nothing that could leave a folder of the cache. */
static gboolean is_part(const char *text, const char *more)
{
    if (!*text || *text == '.' || strlen(text) > 128)
        return FALSE;
    for (const char *c = text; *c; c++)
        if (!g_ascii_isalnum(*c) && !strchr(more, *c))
            return FALSE;
    return strstr(text, "..") == NULL;
}

static gboolean looks_like_file(const char *name)
{
    static const char *const endings[] = {".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".txt", ".tar", ".gz", ".tgz", ".xz", ".txz", ".bz2", ".zst",
                                          ".zip", ".parquet", ".arrow"};
    g_autofree char *lower = g_ascii_strdown(name, -1);
    for (gsize k = 0; k < G_N_ELEMENTS(endings); k++)
        if (g_str_has_suffix(lower, endings[k]))
            return TRUE;
    return FALSE;
}

gboolean glint_dataset_name_parse(const char *name, GlintDatasetName *out)
{
    *out = (GlintDatasetName){0};
    g_auto(GStrv) words = g_strsplit(name, ":", -1);
    guint n = g_strv_length(words);
    if (n < 1 || n > 3 || looks_like_file(name))
        return FALSE;
    const char *alias = glint_dataset_alias(words[0]);
    g_auto(GStrv) halves = g_strsplit(alias ? alias : words[0], "/", -1);
    if (g_strv_length(halves) != 2 || !is_part(halves[0], "-_.") || !is_part(halves[1], "-_."))
        return FALSE;
    for (guint k = 1; k < n; k++)
        if (!is_part(words[k], "-_.+=@ ,"))
            return FALSE;
    out->id = g_strjoinv("/", halves);
    for (guint k = 1; k < n; k++)
        out->parts[k - 1] = g_strdup(words[k]);
    return TRUE;
}

void glint_dataset_name_clear(GlintDatasetName *self)
{
    g_free(self->id);
    g_free(self->parts[0]);
    g_free(self->parts[1]);
    *self = (GlintDatasetName){0};
}
