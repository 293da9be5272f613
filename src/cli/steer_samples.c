/* Continuations with and without steering, and how they read. See steer_samples.h. */
#include "cli/steer_samples.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "model/generate.h"
#include "text/bag_of_words.h"

#include <math.h>
#include <string.h>

enum { CLEAN_TEXTS = 400 };

void glint_steer_samples_free(GlintSteerSamples *self)
{
    if (!self)
        return;
    for (gsize a = 0; self->arms && a < self->n_arms; a++)
        g_strfreev(self->arms[a].texts);
    g_free(self->arms);
    g_strfreev(self->prompts);
    g_free(self);
}

/* ---- writing on ---- */

static gboolean note_past(const GlintGenerateStep *step, gpointer user_data, GError **error)
{
    GlintSteering *steering = user_data;
    (void)error;
    steering->past = step->past;
    return TRUE;
}

static const guint32 *prompt_of(const GlintSteerTexts *texts, gsize k, gsize *n)
{
    *n = glint_steer_texts_length(texts, k);
    return &g_array_index(texts->tokens, guint32, g_array_index(texts->start, gsize, k));
}

/* Mean loss of prompt and continuation under the unsteered model, over the continuations' tokens alone. */
static gboolean fluency(const GlintSteerPlan *plan, const GlintGeneration *generation, double *nll, GError **error)
{
    g_autoptr(GlintSteerTexts) whole = glint_steer_texts_new(), prompts = glint_steer_texts_new();
    const gsize n = generation->n;
    double with = 0, tokens = 0;
    for (gsize k = 0; k < n; k++) {
        gsize length;
        const guint32 *prompt = prompt_of(plan->split->prompts, k, &length);
        g_autoptr(GArray) joined = g_array_new(FALSE, FALSE, sizeof(guint32));
        g_array_append_vals(joined, prompt, (guint)length);
        glint_steer_texts_add(prompts, prompt, length);
        g_array_append_vals(joined, generation->texts[k].tokens->data, generation->texts[k].tokens->len);
        glint_steer_texts_add(whole, (const guint32 *)(void *)joined->data, joined->len);
    }
    g_autofree double *all = g_new0(double, n + 1), *before = g_new0(double, n + 1);
    if (!glint_steer_lab_loss(plan->lab, whole, NULL, 0, all, error) || !glint_steer_lab_loss(plan->lab, prompts, NULL, 0, before, error))
        return FALSE;
    for (gsize k = 0; k < n; k++) {
        const double length = (double)glint_steer_texts_length(prompts, k), total = (double)glint_steer_texts_length(whole, k);
        with += all[k] * (total - 1) - before[k] * (length - 1);
        tokens += total - length;
    }
    *nll = tokens > 0 ? with / tokens : NAN;
    return TRUE;
}

typedef struct { GHashTable *seen; char *last; gsize pair, n, distinct; } Counter;

static void count_word(const char *word, gsize length, gpointer data)
{
    Counter *counter = data;
    g_autofree char *now = g_strndup(word, length);
    char *key = counter->pair ? counter->last ? g_strconcat(counter->last, " ", now, NULL) : NULL : g_strdup(now);
    if (key) {
        counter->n++;
        counter->distinct += g_hash_table_add(counter->seen, key);
    }
    g_free(counter->last);
    counter->last = g_steal_pointer(&now);
}

static double distinct(char *const *texts, gsize pair)
{
    Counter counter = {.seen = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL), .pair = pair};
    for (gsize k = 0; texts[k]; k++) {
        glint_words_foreach(texts[k], count_word, &counter);
        g_clear_pointer(&counter.last, g_free);
    }
    g_hash_table_unref(counter.seen);
    return counter.n ? (double)counter.distinct / (double)counter.n : 0;
}

static gboolean write_on(const GlintSteerPlan *plan, const GlintSteerOperator *operator, GlintSampleArm *arm, gsize n, GError **error)
{
    GlintSteering steering = {.operator = operator, .strength = arm->strength, .skip = plan->split->skip};
    const GlintTap tap = operator ? glint_steering_tap(&steering) : (GlintTap){0};
    GlintGenerateSettings settings;
    glint_generate_settings_init(&settings);
    settings.max_new_tokens = plan->sample_tokens;
    settings.temperature = 0;
    settings.stop_tokens = (const guint32 *)(const void *)plan->stop_tokens->data;
    settings.n_stop_tokens = plan->stop_tokens->len;
    settings.taps = &tap;
    settings.n_taps = operator ? 1 : 0;
    settings.on_step = operator ? note_past : NULL;
    settings.user_data = &steering;
    g_autofree GlintPrompt *prompts = g_new0(GlintPrompt, n);
    for (gsize k = 0; k < n; k++)
        prompts[k].tokens = prompt_of(plan->split->prompts, k, &prompts[k].n_tokens);
    g_autoptr(GlintGeneration) generation = glint_generate(plan->model, plan->tokenizer, prompts, n, &settings, error);
    if (!generation || (error && *error))
        return FALSE;
    arm->texts = g_new0(char *, n + 1);
    for (gsize k = 0; k < n; k++)
        arm->texts[k] = g_utf8_make_valid(generation->texts[k].text, (gssize)strlen(generation->texts[k].text));
    arm->distinct[0] = distinct(arm->texts, 0);
    arm->distinct[1] = distinct(arm->texts, 1);
    return fluency(plan, generation, &arm->nll, error);
}

/* ---- the classifier: trained on the texts of the graphs, tried on held-out ones ---- */

static int side_of(const GlintDataset *data, const GlintText *text, const GlintSteerPlan *plan)
{
    const char *name = g_ptr_array_index(data->classes, text->label);
    return strcmp(name, plan->towards) == 0 ? 0 : strcmp(name, plan->away) == 0 ? 1 : -1;
}

static GlintBag *train(const GlintSteerPlan *plan)
{
    g_autoptr(GPtrArray) texts = g_ptr_array_new();
    g_autoptr(GArray) labels = g_array_new(FALSE, FALSE, sizeof(guint));
    for (guint k = 0; k < plan->used->texts->len; k++) {
        const GlintText *text = &g_array_index(plan->used->texts, GlintText, k);
        const int side = side_of(plan->used, text, plan);
        if (side >= 0) {
            const guint label = (guint)side;
            g_ptr_array_add(texts, text->text);
            g_array_append_val(labels, label);
        }
    }
    const GlintBagOptions options = {.n_gram = 2, .seed = plan->seed};
    return glint_bag_train((const char *const *)texts->pdata, (const guint *)(void *)labels->data, texts->len, 2, &options);
}

static double share_towards(const GlintBag *bag, char *const *texts, gsize n)
{
    double sum = 0;
    for (gsize k = 0; k < n; k++) {
        double p[2];
        glint_bag_probabilities(bag, texts[k], p);
        sum += p[0] > p[1] ? 1 : 0;
    }
    return n ? sum / (double)n : NAN;
}

static void try_clean(GlintSteerSamples *self, const GlintBag *bag, const GlintSteerPlan *plan)
{
    g_autoptr(GHashTable) known = g_hash_table_new(g_str_hash, g_str_equal);
    gsize right = 0;
    for (guint k = 0; k < plan->used->texts->len; k++)
        g_hash_table_add(known, g_array_index(plan->used->texts, GlintText, k).text);
    for (guint k = 0; k < plan->all->texts->len && self->n_clean < CLEAN_TEXTS; k++) {
        const GlintText *text = &g_array_index(plan->all->texts, GlintText, k);
        const int side = side_of(plan->all, text, plan);
        double p[2];
        if (side < 0 || g_hash_table_contains(known, text->text))
            continue;
        glint_bag_probabilities(bag, text->text, p);
        right += (p[0] > p[1]) == (side == 0);
        self->n_clean++;
    }
    self->clean_accuracy = self->n_clean ? (double)right / (double)self->n_clean : NAN;
}

/* ---- all of it ---- */

GlintSteerSamples *glint_steer_samples(const GlintSteerPlan *plan, const GlintSteerTrial *trial, GError **error)
{
    static const GlintSteerRole roles[] = {GLINT_ROLE_MODULE, GLINT_ROLE_RANDOM, GLINT_ROLE_TOP, GLINT_ROLE_RESIDUAL};
    g_autoptr(GlintSteerSamples) self = g_new0(GlintSteerSamples, 1);
    g_autoptr(GlintBag) bag = train(plan);
    self->n = MIN(plan->n_samples, glint_steer_texts_count(plan->split->prompts));
    self->prompts = g_new0(char *, self->n + 1);
    self->arms = g_new0(GlintSampleArm, 1 + G_N_ELEMENTS(roles));
    for (gsize k = 0; k < self->n; k++) {
        gsize n;
        const guint32 *tokens = prompt_of(plan->split->prompts, k, &n);
        self->prompts[k] = glint_tokenizer_decode(plan->tokenizer, tokens, n, TRUE);
    }
    try_clean(self, bag, plan);
    g_autoptr(GlintProgress) bar = glint_progress_new("continuations", 1 + G_N_ELEMENTS(roles), "sets");
    for (gsize r = 0; r <= G_N_ELEMENTS(roles); r++) {
        const GlintSteerArm *from = r ? glint_steer_trial_arm(trial, roles[r - 1]) : NULL;
        GlintSampleArm *arm = &self->arms[self->n_arms];
        if (r && !from)
            continue;
        self->n_arms++;
        arm->role = from ? glint_steer_role_name(from->role) : "unsteered";
        arm->strength = from ? from->curve->doses[trial->verdict_dose].strength : 0;
        arm->kl = from ? from->curve->doses[trial->verdict_dose].cost.kl : 0;
        if (!write_on(plan, from ? from->operator : NULL, arm, self->n, error))
            return NULL;
        arm->class_rate = share_towards(bag, arm->texts, self->n);
        glint_progress_update(bar, (double)self->n_arms, arm->role);
    }
    return g_steal_pointer(&self);
}

static json_t *real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

json_t *glint_steer_samples_json(const GlintSteerSamples *self)
{
    json_t *arms = json_array();
    for (gsize a = 0; a < self->n_arms; a++) {
        const GlintSampleArm *arm = &self->arms[a];
        json_array_append_new(arms, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "role", arm->role, "strength", real(arm->strength), "kl", real(arm->kl), "class_rate",
                                              real(arm->class_rate), "distinct_1", real(arm->distinct[0]), "distinct_2", real(arm->distinct[1]), "nll", real(arm->nll)));
    }
    return json_pack("{s:I, s:o, s:I, s:o}", "texts", (json_int_t)self->n, "classifier_accuracy", real(self->clean_accuracy), "classifier_texts", (json_int_t)self->n_clean, "arms", arms);
}
