/* "Did you mean": the models of the families glint supports that people study most, and the nearest of them by edit distance. Names are
 * compared without case, dashes and underscores, which is what people leave out or mix up; what a name lacks at its end
 * (-pt, -hf, -Instruct) costs less than a wrong letter. Only ever a suggestion: nothing is fetched under another name than the one
 * that was given. */
#include "hub/hub.h"

#include <string.h>

enum { MOST_SUGGESTIONS = 3, LONGEST = 128 };

static const char *const known[] = {
    "google/gemma-2b", "google/gemma-2b-it", "google/gemma-7b", "google/gemma-7b-it", "google/gemma-1.1-2b-it", "google/gemma-1.1-7b-it",
    "google/gemma-2-2b", "google/gemma-2-2b-it", "google/gemma-2-9b", "google/gemma-2-9b-it", "google/gemma-2-27b", "google/gemma-2-27b-it",
    "google/gemma-3-270m", "google/gemma-3-270m-it", "google/gemma-3-1b-pt", "google/gemma-3-1b-it", "google/gemma-3-4b-pt", "google/gemma-3-4b-it",
    "google/gemma-3-12b-pt", "google/gemma-3-12b-it", "google/gemma-3-27b-pt", "google/gemma-3-27b-it",
    "meta-llama/Llama-2-7b-hf", "meta-llama/Llama-2-7b-chat-hf", "meta-llama/Llama-2-13b-hf", "meta-llama/Llama-2-13b-chat-hf",
    "meta-llama/Meta-Llama-3-8B", "meta-llama/Meta-Llama-3-8B-Instruct", "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-8B-Instruct",
    "meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-1B-Instruct", "meta-llama/Llama-3.2-3B", "meta-llama/Llama-3.2-3B-Instruct",
    "mistralai/Mistral-7B-v0.1", "mistralai/Mistral-7B-v0.3", "mistralai/Mistral-7B-Instruct-v0.1", "mistralai/Mistral-7B-Instruct-v0.2",
    "mistralai/Mistral-7B-Instruct-v0.3",
    "Qwen/Qwen2-0.5B", "Qwen/Qwen2-0.5B-Instruct", "Qwen/Qwen2-1.5B", "Qwen/Qwen2-1.5B-Instruct", "Qwen/Qwen2-7B", "Qwen/Qwen2-7B-Instruct",
    "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-0.5B-Instruct", "Qwen/Qwen2.5-1.5B", "Qwen/Qwen2.5-1.5B-Instruct", "Qwen/Qwen2.5-3B",
    "Qwen/Qwen2.5-3B-Instruct",
    "Qwen/Qwen2.5-7B", "Qwen/Qwen2.5-7B-Instruct", "Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B-Base", "Qwen/Qwen3-1.7B", "Qwen/Qwen3-1.7B-Base",
    "Qwen/Qwen3-4B", "Qwen/Qwen3-4B-Base", "Qwen/Qwen3-8B", "Qwen/Qwen3-8B-Base",
    "openai-community/gpt2", "openai-community/gpt2-medium", "openai-community/gpt2-large", "openai-community/gpt2-xl", "distilbert/distilgpt2",
    "EleutherAI/pythia-14m", "EleutherAI/pythia-31m", "EleutherAI/pythia-70m", "EleutherAI/pythia-160m", "EleutherAI/pythia-410m",
    "EleutherAI/pythia-1b", "EleutherAI/pythia-1.4b", "EleutherAI/pythia-2.8b", "EleutherAI/pythia-6.9b", "EleutherAI/pythia-12b",
    "EleutherAI/pythia-70m-deduped", "EleutherAI/pythia-160m-deduped", "EleutherAI/pythia-410m-deduped", "EleutherAI/pythia-1b-deduped",
    "EleutherAI/pythia-1.4b-deduped", "EleutherAI/pythia-2.8b-deduped", "EleutherAI/pythia-6.9b-deduped", "EleutherAI/gpt-neox-20b",
    "HuggingFaceTB/SmolLM-135M", "HuggingFaceTB/SmolLM-135M-Instruct", "HuggingFaceTB/SmolLM-360M", "HuggingFaceTB/SmolLM-1.7B",
    "HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-135M-Instruct", "HuggingFaceTB/SmolLM2-360M", "HuggingFaceTB/SmolLM2-360M-Instruct",
    "HuggingFaceTB/SmolLM2-1.7B", "HuggingFaceTB/SmolLM2-1.7B-Instruct",
    "TinyLlama/TinyLlama-1.1B-Chat-v1.0", "TinyLlama/TinyLlama_v1.1"};

/* Shorthand that is nearer to something else than to what it means. */
static const struct {
    const char *said, *meant;
} shorthand[] = {{"gemma31.1b", "google/gemma-3-1b-pt"}, /* the original's google/gemma3-1.1b */
                 {"gemma3", "google/gemma-3-1b-pt"},
                 {"tinyllama", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
                 {"tinyllama1.1b", "TinyLlama/TinyLlama-1.1B-Chat-v1.0"},
                 {"gpt2small", "openai-community/gpt2"},
                 {"llama2", "meta-llama/Llama-2-7b-hf"},
                 {"llama3", "meta-llama/Meta-Llama-3-8B"},
                 {"llama38b", "meta-llama/Meta-Llama-3-8B"}};

/* Lower case, letters, digits and dots only: the dot tells 1.4b from 14m. Returns the length. */
static gsize plain(const char *text, gsize bytes, char *out)
{
    gsize n = 0;
    for (gsize i = 0; i < bytes && n < LONGEST; i++) {
        if (g_ascii_isalnum(text[i]) || text[i] == '.')
            out[n++] = g_ascii_tolower(text[i]);
    }
    out[n] = '\0';
    return n;
}

static gsize edit_distance(const char *a, gsize n, const char *b, gsize m)
{
    gsize row[LONGEST + 1];
    for (gsize j = 0; j <= m; j++)
        row[j] = j;
    for (gsize i = 1; i <= n; i++) {
        gsize diagonal = row[0];
        row[0] = i;
        for (gsize j = 1; j <= m; j++) {
            gsize change = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = MIN(change, MIN(row[j - 1], row[j]) + 1);
        }
    }
    return row[m];
}

static const char *name_part(const char *id)
{
    const char *slash = strchr(id, '/');
    return slash != NULL ? slash + 1 : id;
}

/* How far what was said is from a known id: 0 the same. */
static double distance(const char *said, const char *id)
{
    char a[LONGEST + 1], b[LONGEST + 1], org_a[LONGEST + 1], org_b[LONGEST + 1];
    gsize n = plain(name_part(said), strlen(name_part(said)), a), m = plain(name_part(id), strlen(name_part(id)), b);
    double score = m > n && strncmp(a, b, n) == 0 ? 0.25 * (double)(m - n) : (double)edit_distance(a, n, b, m);
    if (strchr(said, '/') != NULL) {
        plain(said, (gsize)(name_part(said) - said), org_a);
        plain(id, (gsize)(name_part(id) - id), org_b);
        score += strcmp(org_a, org_b) != 0 ? 0.5 : 0;
    }
    return score;
}

char *glint_hub_suggest(const char *name)
{
    g_autofree char *said = g_strndup(name, strcspn(name, "@"));
    char a[LONGEST + 1];
    gsize length = plain(name_part(said), strlen(name_part(said)), a);
    for (gsize i = 0; i < G_N_ELEMENTS(shorthand); i++) {
        if (strcmp(a, shorthand[i].said) == 0)
            return g_strdup_printf("'%s'", shorthand[i].meant);
    }
    double best = G_MAXDOUBLE;
    for (gsize i = 0; length >= 3 && i < G_N_ELEMENTS(known); i++)
        best = strcmp(said, known[i]) != 0 ? MIN(best, distance(said, known[i])) : best;
    if (best > MAX(1.0, 0.25 * (double)length))
        return NULL;
    GString *list = g_string_new(NULL);
    for (gsize i = 0, n = 0; n < MOST_SUGGESTIONS && i < G_N_ELEMENTS(known); i++) {
        if (strcmp(said, known[i]) == 0 || distance(said, known[i]) > best)
            continue;
        g_string_append_printf(list, "%s'%s'", n > 0 ? " or " : "", known[i]);
        n++;
    }
    return g_string_free(list, FALSE);
}
