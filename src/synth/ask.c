/* Asking a language model for matched sets. See ask.h.
 *
 * A request wants ten sets or so: one set a request would pay for the instructions every time, a hundred make models repeat themselves. Batch k
 * is told which kinds of text and which settings to write about, drawn by seed and k, so that batches differ and the same command asks
 * the same questions (and finds their answers in the cache). Rounds go on until there are enough sets that passed glint_synth_add(). */
#include "synth/ask.h"
#include "base/error.h"
#include "base/random.h"
#include "base/talk.h"

#include <string.h>

enum { PER_REQUEST = 10, FORMS_A_BATCH = 3, SETTINGS_A_BATCH = 4, TIMES = 3, SPARE = 3, MOST_LABELS = 26 };

static const char system_prompt[] = "You write short texts for a study of how language models represent concepts. You follow the instructions to the "
                                    "letter and answer with JSON only.";

static const char *const forms[] = {
    "a diary entry", "a line of dialogue", "a short news item", "an instruction", "a question to a friend", "a product review", "a letter",
    "a forum post", "a scene from a story", "a travel note", "a piece of advice", "a complaint", "a textbook sentence", "a radio announcement",
    "a text message", "a museum label", "a joke told dryly", "a memory"};
static const char *const settings[] = {
    "a kitchen", "a train", "a school", "an office", "a hospital", "a garden", "a market", "a harbour", "a library", "a workshop",
    "a family dinner", "a rainy day", "a long walk", "a birthday", "a first day at work", "a lost object", "a repair", "a decision", "a surprise",
    "a plan for the weekend", "an old photograph", "a noisy neighbour", "a competition", "a quiet evening"};

static void append_draws(GString *out, const char *const *list, gsize n, gsize wanted, guint64 *state)
{
    g_autofree gsize *order = g_new(gsize, n);
    for (gsize k = 0; k < n; k++)
        order[k] = k;
    for (gsize k = 0; k < wanted; k++) {
        gsize other = k + glint_random_below(state, n - k), held = order[k];
        order[k] = order[other];
        order[other] = held;
        g_string_append_printf(out, "%s%s", k ? ", " : "", list[order[k]]);
    }
}

static char *user_prompt(const GlintSynthTask *task, const GlintAskOptions *options, guint per_request, guint64 batch)
{
    GString *out = g_string_new(NULL);
    guint64 state = options->seed + batch * G_GUINT64_CONSTANT(0x5851F42D4C957F2D);
    g_string_append_printf(out, "Write %u sets of %u texts each. In every set:\n", per_request, task->n_labels);
    for (guint k = 0; k < task->n_labels; k++)
        g_string_append_printf(out, "- \"%c\" is %s.\n", 'a' + (int)k, task->concepts[k]);
    if (options->translated)
        g_string_append(out, "The texts of a set say the same, sentence by sentence, with the same punctuation.\n");
    else
        g_string_append(out, "The texts of a set are matched: the same kind of text with the same sentence structure, the same number of sentences, "
                             "the same length to within two words, the same tone and the same "
                             "punctuation, word for word alike where that is possible. They differ in what is said above and in nothing else.\n");
    g_string_append(out, "Different sets differ from each other in content, wording and structure. A text has one to three sentences, no title, no "
                         "number and no quotation marks around it.\n");
    g_string_append_printf(out, "Kinds of text in this batch, in turn: ");
    append_draws(out, forms, G_N_ELEMENTS(forms), FORMS_A_BATCH, &state);
    g_string_append(out, ". Things that may come up: ");
    append_draws(out, settings, G_N_ELEMENTS(settings), SETTINGS_A_BATCH, &state);
    g_string_append_printf(out, ". (Batch %" G_GUINT64_FORMAT ".)\nAnswer with JSON of this form and nothing else: {\"sets\": [{", batch + 1);
    for (guint k = 0; k < task->n_labels; k++)
        g_string_append_printf(out, "%s\"%c\": \"...\"", k ? ", " : "", 'a' + (int)k);
    g_string_append(out, "}, ...]}");
    return g_string_free(out, FALSE);
}

static json_t *answer_schema(guint n_labels)
{
    json_t *properties = json_object(), *required = json_array();
    for (guint k = 0; k < n_labels; k++) {
        const char key[2] = {(char)('a' + (int)k), '\0'};
        json_object_set_new(properties, key, json_pack("{s:s}", "type", "string"));
        json_array_append_new(required, json_string(key));
    }
    json_t *set = json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties, "required", required, "additionalProperties", 0);
    return json_pack("{s:s, s:{s:{s:s, s:o}}, s:[s], s:b}", "type", "object", "properties", "sets", "type", "array", "items", set, "required",
                     "sets", "additionalProperties", 0);
}

static guint per_request_of(const GlintAskOptions *options)
{
    return (guint)MIN(options->per_request ? options->per_request : PER_REQUEST, MAX(options->n, 1));
}

char **glint_synth_prompts(const GlintSynthTask *task, const GlintAskOptions *options)
{
    guint per_request = per_request_of(options);
    gsize n = (options->n + per_request - 1) / per_request;
    char **prompts = g_new0(char *, n + 2);
    prompts[0] = g_strdup(system_prompt);
    for (gsize k = 0; k < n; k++)
        prompts[k + 1] = user_prompt(task, options, per_request, k);
    return prompts;
}

/* ---- reading answers ---- */

typedef struct {
    guint n_labels;
    GlintSetVisitor visit;
    gpointer data;
    gsize found;
} Finder;

static gboolean take_set(Finder *self, const json_t *object)
{
    const char *texts[MOST_LABELS + 1] = {NULL};
    for (guint k = 0; k < self->n_labels; k++) {
        const char key[2] = {(char)('a' + (int)k), '\0'}, upper[2] = {(char)('A' + (int)k), '\0'};
        texts[k] = json_string_value(json_object_get(object, key));
        texts[k] = texts[k] ? texts[k] : json_string_value(json_object_get(object, upper));
        if (!texts[k])
            return FALSE;
    }
    self->found++;
    self->visit(texts, self->data);
    return TRUE;
}

static void search_value(Finder *self, json_t *value)
{
    const char *key;
    json_t *item;
    gsize k;
    if (json_is_object(value) && !take_set(self, value)) {
        json_object_foreach(value, key, item)
            search_value(self, item);
    } else if (json_is_array(value)) {
        json_array_foreach(value, k, item)
            search_value(self, item);
    }
}

gsize glint_sets_find(const char *answer, guint n_labels, GlintSetVisitor visit, gpointer data)
{
    Finder self = {MIN(n_labels, MOST_LABELS), visit, data, 0};
    for (const char *at = strchr(answer, '{'); at; at = strchr(at, '{')) {
        json_error_t where;
        json_t *value = json_loadb(at, strlen(at), JSON_DISABLE_EOF_CHECK, &where);
        if (value)
            search_value(&self, value);
        at += value ? MAX(where.position, 1) : 1; /* cut off or no JSON: what is inside may still be whole */
        json_decref(value);
    }
    return self.found;
}

/* ---- rounds ---- */

typedef struct {
    GlintSynthData *data;
    gsize wanted;
} Taking;

static void take(const char *const *texts, gpointer data)
{
    Taking *self = data;
    if (self->data->sets->len < self->wanted)
        glint_synth_add(self->data, texts, "", "");
}

static gboolean ask_round(const GlintSynthTask *task, const GlintAskOptions *options, const GlintAnswerer *answerer, json_t *schema, guint64 first,
                          gsize n, GlintSynthData *data, GError **error)
{
    g_autofree GlintQuestion *questions = g_new0(GlintQuestion, n + 1);
    g_auto(GStrv) prompts = g_new0(char *, n + 1);
    g_autofree char **answers = g_new0(char *, n + 1);
    for (gsize k = 0; k < n; k++) {
        prompts[k] = user_prompt(task, options, per_request_of(options), first + k);
        questions[k] = (GlintQuestion){system_prompt, prompts[k], schema};
    }
    gboolean ok = answerer->ask(answerer->self, questions, n, answers, error);
    Taking taking = {data, options->n};
    for (gsize k = 0; k < n; k++) {
        if (ok && answers[k])
            glint_sets_find(answers[k], task->n_labels, take, &taking);
        g_free(answers[k]);
    }
    return ok;
}

static gboolean fail_short(const GlintSynthData *data, const GlintAskOptions *options, const GlintAnswerer *answerer, guint64 n_requests,
                           GError **error)
{
    g_autoptr(GString) why = g_string_new(NULL);
    for (guint v = GLINT_SYNTH_TAKEN + 1; v < GLINT_SYNTH_N_VERDICTS; v++)
        if (data->counts[v] > 0)
            g_string_append_printf(why, "%s%zu %s", why->len ? ", " : "", data->counts[v], glint_synth_verdict_name(v));
    const char *refusal = answerer->refusal(answerer->self);
    return glint_fail(error, GLINT_ERROR_DATA, "after %" G_GUINT64_FORMAT " requests there are %u of %zu sets (left out: %s)%s%s; %s", n_requests,
                      data->sets->len, options->n, why->len ? why->str : "nothing, the answers held no sets", refusal ? "; the server declined: "
                          : "", refusal ? refusal : "", answerer->advice);
}

GlintSynthData *glint_synth_ask(const GlintSynthTask *task, const GlintAskOptions *options, const GlintAnswerer *answerer, GError **error)
{
    if (task->n_labels > MOST_LABELS) {
        glint_fail(error, GLINT_ERROR_USAGE, "at most %d topics can be compared, not %u", (int)MOST_LABELS, task->n_labels);
        return NULL;
    }
    g_autoptr(GlintSynthData) data = glint_synth_data_new(task, options->translated);
    g_autoptr(json_t) schema = answer_schema(task->n_labels);
    guint per_request = per_request_of(options);
    guint64 asked = 0, most = TIMES * ((options->n + per_request - 1) / per_request) + SPARE;
    while (data->sets->len < options->n) {
        gsize missing = options->n - data->sets->len, n = MIN((missing + per_request - 1) / per_request, most - asked);
        if (n == 0) {
            fail_short(data, options, answerer, asked, error);
            return NULL;
        }
        if (!ask_round(task, options, answerer, schema, asked, n, data, error))
            return NULL;
        asked += n;
    }
    return g_steal_pointer(&data);
}
