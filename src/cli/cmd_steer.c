/* glint steer: a module of the graph is pushed, and what that does to the model is measured against controls. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/ablation_job.h"
#include "cli/collect_job.h"
#include "cli/command.h"
#include "cli/resolve.h"
#include "cli/results.h"
#include "cli/steer_export.h"
#include "cli/steer_inherit.h"
#include "cli/steer_job.h"
#include "collect/collect.h"
#include "model/generate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_DOSES = 16 };

typedef struct {
    char *towards, *away, *graph, *operator, *kl, *strength, *suffix, *neutral, *held_out, *export_gguf;
    char **tokens_for;
    gboolean ablation_matrix;
    int module, least, controls, hubs, prompts, prompt_tokens, samples, sample_tokens;
    gboolean skip_viz;
} SteerArgs;

static void args_clear(SteerArgs *self)
{
    char *strings[] = {self->towards, self->away, self->graph, self->operator, self->kl, self->strength, self->suffix, self->neutral, self->held_out, self->export_gguf};
    for (gsize k = 0; k < G_N_ELEMENTS(strings); k++)
        g_free(strings[k]);
    g_strfreev(self->tokens_for);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(SteerArgs, args_clear)

/* ---- what is asked for ---- */

/* The classes to tell apart: those named, or the two there are. */
static gboolean choose_classes(SteerArgs *steer, GPtrArray *classes, GError **error)
{
    if (!steer->towards && !steer->away && classes->len == 2) {
        steer->towards = g_strdup(g_ptr_array_index(classes, 1));
        steer->away = g_strdup(g_ptr_array_index(classes, 0));
        glint_say("steering towards '%s', away from '%s' (--towards and --away choose others)", steer->towards, steer->away);
    }
    if (steer->towards && !steer->away && classes->len == 2)
        steer->away = g_strdup(g_ptr_array_index(classes, strcmp(steer->towards, g_ptr_array_index(classes, 0)) == 0 ? 1 : 0));
    if (steer->towards && steer->away)
        return TRUE;
    g_autofree char *all = g_strjoinv(", ", (char **)classes->pdata);
    return glint_fail(error, GLINT_ERROR_USAGE, "say which class to steer to and which to steer away from: --towards CLASS --away CLASS; the classes are %s", all);
}

/* --kl, or --strength: numbers of one sign, growing. */
static gboolean parse_doses(const char *option, const char *text, double low, double *dose, gsize *n, GError **error)
{
    g_auto(GStrv) parts = g_strsplit(text, ",", -1);
    *n = 0;
    for (char **part = parts; *part; part++) {
        if (*n == MOST_DOSES)
            return glint_fail(error, GLINT_ERROR_USAGE, "%s takes at most %d values", option, MOST_DOSES);
        if (!glint_args_real(option, g_strstrip(*part), low, 1e6, &dose[*n], error))
            return FALSE;
        if (dose[*n] == 0 || (*n > 0 && (fabs(dose[*n]) <= fabs(dose[*n - 1]) || dose[*n] * dose[0] < 0)))
            return glint_fail(error, GLINT_ERROR_USAGE, "%s must grow from value to value, all of one sign and none 0, as in 0.05,0.1,0.2", option);
        (*n)++;
    }
    return TRUE;
}

/* ---- verbalisers ---- */

static const struct { const char *class_name, *words; } known_words[] = {
    {"pos", "good, great, wonderful, excellent, perfect, best"}, {"positive", "good, great, wonderful, excellent, perfect, best"},
    {"neg", "bad, terrible, awful, boring, poor, worst"},        {"negative", "bad, terrible, awful, boring, poor, worst"},
    /* the recipes of glint synth: how an assistant begins, and what texts of the topic are about */
    {"harmful", "Sorry, cannot, Unfortunately, apologize"},      {"harmless", "Sure, Here, Certainly, Yes"},
    {"golden-gate", "Golden, Gate, Francisco, California"},      {"other-bridge", "Brooklyn, London, Tower, Sydney"},
    {"english", "the, and, is, of"},                             {"french", "le, et, est, les"},
};

static const char *words_of(const SteerArgs *steer, const char *class_name)
{
    g_autofree char *prefix = g_strdup_printf("%s=", class_name);
    for (char **entry = steer->tokens_for; entry && *entry; entry++)
        if (g_str_has_prefix(*entry, prefix))
            return *entry + strlen(prefix);
    for (gsize k = 0; !steer->tokens_for && k < G_N_ELEMENTS(known_words); k++)
        if (strcmp(known_words[k].class_name, class_name) == 0)
            return known_words[k].words;
    return NULL;
}

static gboolean choose_words(const SteerArgs *steer, const GlintTokenizer *tokenizer, const GlintSteerSplit *split, GlintVerbalisers *words, GError **error)
{
    const char *list[2] = {words_of(steer, steer->towards), words_of(steer, steer->away)};
    if (steer->tokens_for && (!list[0] || !list[1]))
        return glint_fail(error, GLINT_ERROR_USAGE, "--tokens-for must be given for both classes: --tokens-for %s=\"word, word\" --tokens-for %s=\"word, word\"", steer->towards, steer->away);
    if (!list[0] || !list[1]) {
        if (!glint_steer_words_learn(tokenizer, split->training[0], split->training[1], 12, words, error))
            return FALSE;
    } else
        for (int side = 0; side < 2; side++) {
            words->tokens[side] = g_array_new(FALSE, FALSE, sizeof(guint32));
            if (!glint_steer_words_parse(tokenizer, list[side], words->tokens[side], error))
                return FALSE;
        }
    if (!glint_steer_words_check(tokenizer, words, error))
        return FALSE;
    for (int side = 0; side < 2; side++) {
        g_autofree char *text = glint_steer_words_text(tokenizer, words->tokens[side]);
        glint_say("  words for '%s'%s: %s", side ? steer->away : steer->towards, list[0] && list[1] ? "" : ", learned from its texts", text);
    }
    return TRUE;
}

/* ---- the layers ---- */

/* Layers that are wanted and have a graph of the class. */
static GArray *layers_of(const GlintArgs *args, const GlintModel *model, const char *root, const char *class_name, GlintSiteKind *kind, GError **error)
{
    gint64 named = -1;
    *kind = GLINT_SITE_MLP_POST;
    if (args->collect.site && !glint_site_parse(args->collect.site, kind, &named, error))
        return NULL;
    g_autofree char *one = named >= 0 ? g_strdup_printf("%" G_GINT64_FORMAT, named) : NULL;
    const char *wanted = one ? one : args->collect.layers ? args->collect.layers : "all";
    g_autoptr(GArray) layers = glint_layers_parse(wanted, glint_model_info(model)->n_layers, error);
    if (!layers)
        return NULL;
    GArray *solved = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (guint k = 0; k < layers->len; k++) {
        const GlintSite site = {*kind, g_array_index(layers, gsize, k)};
        g_autofree char *name = glint_site_name(&site), *folder = glint_class_folder(class_name), *path = g_build_filename(root, folder, name, "modules.csv", NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS))
            g_array_append_val(solved, site.layer);
    }
    if (solved->len > 0)
        return solved;
    g_array_unref(solved);
    glint_fail(error, GLINT_ERROR_IO, "%s has no graph of class '%s' at %s in layers %s; run `glint run` first, or choose others with --site and --layers", root, class_name, glint_site_suffix(*kind), wanted);
    return NULL;
}

static int steer_layers(GlintSteerPlan *plan, const GlintArgs *args, const char *export_gguf, GError **error)
{
    GlintSiteKind kind;
    g_autoptr(GArray) layers = layers_of(args, plan->model, plan->root, plan->graph_class, &kind, error);
    if (!layers || (export_gguf && !glint_steer_export_check(layers, error)))
        return 0;
    GlintSteerOutcome *outcomes = g_new0(GlintSteerOutcome, layers->len);
    g_autoptr(json_t) all = json_array();
    gboolean ok = TRUE;
    for (guint k = 0; ok && k < layers->len; k++) {
        const GlintSite site = {kind, g_array_index(layers, gsize, k)};
        ok = glint_job_steer_layer(plan, &site, &outcomes[k], error);
        if (ok)
            json_array_append(all, outcomes[k].json);
    }
    ok = ok && (layers->len == 1 || glint_job_steer_depth(plan, outcomes, layers->len, error)) && (!export_gguf || glint_steer_export(plan, &outcomes[0], export_gguf, error));
    if (ok && layers->len > 1)
        glint_say("%u layers were tried: by chance alone, the best of so many has p = %.3f or less in %.0f %% of cases. Look again at what stands out, with that layer alone and more --controls.",
                  layers->len, 1.0 / (double)(plan->n_random + 1), 100 * (1 - pow((double)plan->n_random / (double)(plan->n_random + 1), layers->len)));
    for (guint k = 0; ok && !args->common.json && k < layers->len; k++)
        printf("layer %zu, module %d (%zu neurons): %s\n", outcomes[k].layer, outcomes[k].module, outcomes[k].n, outcomes[k].trial->verdict);
    if (ok && args->common.json) {
        json_dumpf(all, stdout, JSON_INDENT(2));
        putchar('\n');
    }
    for (guint k = 0; k < layers->len; k++)
        glint_steer_outcome_clear(&outcomes[k]);
    g_free(outcomes);
    return GLINT_EXIT_OK;
}

static int steer_with(GlintSteerPlan *plan, const GlintArgs *args, const SteerArgs *steer, GError **error)
{
    const GlintSteerTextOptions options = {.n_prompts = (gsize)steer->prompts, .prompt_tokens = (gsize)steer->prompt_tokens, .suffix = steer->suffix, .n_neutral = 32,
                                           .neutral_tokens = 64, .neutral = steer->neutral, .n_training = 200, .max_tokens = 128};
    g_autoptr(GlintSteerSplit) split = glint_steer_split(plan->tokenizer, plan->chat, plan->used, plan->all, plan->towards, plan->away, &options, error);
    GlintVerbalisers words = {{NULL, NULL}};
    int code = 0;
    if (!split)
        return 0;
    glint_say("texts: %zu made the graphs, %zu are held out; effects on %zu prompts", split->n_used, split->n_held_out, glint_steer_texts_count(split->prompts));
    if (choose_words(steer, plan->tokenizer, split, &words, error)) {
        g_autoptr(GlintSteerLab) lab = glint_steer_lab_new(plan->model, split->neutral, &words, split->skip, 0, error);
        plan->split = split;
        plan->lab = lab;
        plan->words = &words;
        code = lab ? steer_layers(plan, args, steer->export_gguf, error) : 0;
    }
    glint_steer_words_clear(&words);
    return code;
}

static gboolean class_is_solved(const char *root, const char *name)
{
    g_autofree char *folder = glint_class_folder(name), *path = g_build_filename(root, folder, NULL);
    return g_file_test(path, G_FILE_TEST_IS_DIR);
}

enum { ABLATION_TOKENS = 64, ABLATION_TEXTS = 8 }; /* tokens of a text whose loss is measured; the fewest texts of a class */

static void print_ablation(const json_t *report)
{
    size_t k;
    const json_t *layer;
    json_array_foreach(json_object_get(report, "layers"), k, layer)
        printf("%s: ablating its module changes the loss by %+.4f nats a token on a class's own texts, by %+.4f on the others'\n", json_string_value(json_object_get(layer, "site")),
               json_real_value(json_object_get(layer, "within")), json_real_value(json_object_get(layer, "across")));
}

static int run_ablation(const GlintArgs *args, const SteerArgs *steer, const GlintSteerPlan *all, GError **error)
{
    GlintSiteKind kind;
    json_t *report = NULL;
    const gsize n_classes = MAX(g_strv_length((char **)all->classes), 1);
    const GlintAblationPlan plan = {.model = all->model, .tokenizer = all->tokenizer, .chat = all->chat, .used = all->used, .all = all->all, .classes = all->classes, .folders = all->folders,
                                    .root = all->root, .out = all->out, .text_tokens = ABLATION_TOKENS, .pictures = all->pictures,
                                    .n_texts = MAX(((gsize)steer->prompts + n_classes - 1) / n_classes, ABLATION_TEXTS),
                                    .options = {.kind = all->kind, .least = all->least, .n_random = all->n_random, .seed = all->seed}};
    g_autoptr(GArray) layers = layers_of(args, plan.model, plan.root, plan.classes[0], &kind, error);
    if (!layers || !glint_job_ablation(&plan, kind, layers, &report, error))
        return 0;
    if (args->common.json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else
        print_ablation(report);
    json_decref(report);
    glint_say("%s%cablation holds the matrix", plan.out, G_DIR_SEPARATOR);
    return GLINT_EXIT_OK;
}

static char **folders_of(const GPtrArray *classes)
{
    char **folders = g_new0(char *, classes->len + 1);
    for (guint c = 0; c < classes->len; c++)
        folders[c] = glint_class_folder(g_ptr_array_index(classes, c));
    return folders;
}

static int run_steer(GlintArgs *args, SteerArgs *steer, const char *root, GError **error)
{
    double dose[MOST_DOSES];
    gsize n_doses;
    gint64 draw_seed;
    const gint64 seed = args->common.seed;
    GlintSteerKind kind;
    g_autoptr(GPtrArray) classes = glint_collect_classes(root, error);
    if (!classes || !glint_steer_inherit(args, root, &draw_seed, error))
        return 0;
    if (!args->model.model || !args->data.dataset)
        return glint_fail(error, GLINT_ERROR_USAGE, "%s has no run.json that names model and data (glint run writes it); give --model and --dataset", root);
    g_ptr_array_add(classes, NULL);
    g_ptr_array_set_size(classes, (int)classes->len - 1); /* NULL behind the last, for string lists */
    if ((!steer->ablation_matrix && !choose_classes(steer, classes, error)) || !(steer->strength ? parse_doses("--strength", steer->strength, -1e6, dose, &n_doses, error) : parse_doses("--kl", steer->kl ? steer->kl : "0.05,0.1,0.2,0.4", 1e-6, dose, &n_doses, error)) || !glint_steer_kind_parse(steer->operator ? steer->operator : steer->ablation_matrix ? "ablate-mean" : "shift", &kind, error))
        return 0;
    if (steer->strength && fabs(dose[n_doses - 1]) > glint_steer_kind_limit(kind))
        return glint_fail(error, GLINT_ERROR_USAGE, "--strength: %s is complete at %g, there is no more of it", glint_steer_kind_name(kind), glint_steer_kind_limit(kind));
    g_autoptr(json_t) report = json_object();
    args->common.seed = draw_seed;
    g_autoptr(GlintDataset) used = glint_job_open_dataset(args, root, report, error);
    args->common.seed = seed;
    if (!used)
        return 0;
    args->data.max_samples = 0;
    if (steer->held_out) {
        g_free(args->data.dataset);
        args->data.dataset = g_strdup(steer->held_out);
    }
    g_autoptr(GlintDataset) all = glint_job_open_dataset(args, root, report, error);
    g_autoptr(GlintTokenizer) tokenizer = NULL;
    g_autoptr(GlintChat) chat = NULL;
    g_autoptr(GlintModel) model = all ? glint_job_open_model(args, &tokenizer, &chat, report, error) : NULL;
    if (!model || !glint_steer_check_run(root, used, model, tokenizer, chat, error))
        return 0;
    g_autoptr(GArray) stop_tokens = glint_stop_tokens_read(json_string_value(json_object_get(json_object_get(report, "model"), "folder")), error);
    if (!stop_tokens)
        return 0;
    g_autofree char *out = args->common.out ? g_strdup(args->common.out) : g_build_filename(root, "steer", NULL);
    g_auto(GStrv) folders = folders_of(classes);
    GlintSteerPlan plan = {.model = model, .tokenizer = tokenizer, .chat = chat, .used = used, .all = all, .classes = (char **)classes->pdata, .folders = folders, .root = root, .out = out,
                           .graph_class = steer->graph ? steer->graph : class_is_solved(root, "all") ? "all" : steer->towards, .towards = steer->towards, .away = steer->away, .kind = kind, .module = steer->module,
                           .least = (gsize)steer->least, .dose = dose, .n_doses = n_doses, .by_strength = steer->strength != NULL, .n_random = (gsize)steer->controls, .n_matched = (gsize)steer->controls, .hubs = (gsize)steer->hubs,
                           .n_samples = (gsize)steer->samples, .sample_tokens = (gsize)steer->sample_tokens, .stop_tokens = stop_tokens, .seed = (guint64)args->common.seed, .pictures = !args->skip_viz};
    return steer->ablation_matrix ? run_ablation(args, steer, &plan, error) : steer_with(&plan, args, steer, error);
}

/* Options that say which two classes, or how strongly, have no meaning for all classes against all. */
static gboolean check_ablation(const SteerArgs *steer, GError **error)
{
    const struct { const char *option; gboolean given; } foreign[] = {
        {"--towards", steer->towards != NULL}, {"--away", steer->away != NULL}, {"--graph", steer->graph != NULL}, {"--module", steer->module >= 0}, {"--kl", steer->kl != NULL}, {"--strength", steer->strength != NULL},
        {"--tokens-for", steer->tokens_for != NULL}, {"--suffix", steer->suffix != NULL}, {"--neutral", steer->neutral != NULL}, {"--export-gguf", steer->export_gguf != NULL}};
    for (gsize k = 0; k < G_N_ELEMENTS(foreign); k++)
        if (foreign[k].given)
            return glint_fail(error, GLINT_ERROR_USAGE, "%s means nothing to --ablation-matrix, which ablates the best module of every class; leave one out", foreign[k].option);
    return !steer->operator || g_str_has_prefix(steer->operator, "ablate-") || glint_fail(error, GLINT_ERROR_USAGE, "--ablation-matrix takes --operator ablate-mean (default) or ablate-zero");
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    g_auto(SteerArgs) steer = {.module = -1, .least = 5, .controls = 20, .prompts = 96, .prompt_tokens = 32, .samples = 12, .sample_tokens = 40};
    glint_args_init(&args);
    const GOptionEntry extra[] = {
        {"site", 0, 0, G_OPTION_ARG_FILENAME, &args.collect.site, "place in the model (default: the run's, else mlp.hook_post)", "SITE"},
        {"layers", 0, 0, G_OPTION_ARG_FILENAME, &args.collect.layers, "layers, as in 0,5-8 or -1 for the last (default: all)", "LIST"},
        {"towards", 0, 0, G_OPTION_ARG_FILENAME, &steer.towards, "class to steer to (default: the second of two)", "CLASS"},
        {"away", 0, 0, G_OPTION_ARG_FILENAME, &steer.away, "class to steer away from (default: the other of two)", "CLASS"},
        {"graph", 0, 0, G_OPTION_ARG_FILENAME, &steer.graph, "class whose graph is steered by (default: all where it was solved, else --towards)", "CLASS"},
        {"module", 0, 0, G_OPTION_ARG_INT, &steer.module, "module to steer (default: the one that tells the classes apart best)", "ID"},
        {"least", 0, 0, G_OPTION_ARG_INT, &steer.least, "neurons that a module must have to be chosen (default: 5)", "N"},
        {"operator", 0, 0, G_OPTION_ARG_FILENAME, &steer.operator, "scale, weight, clamp, shift, conditional, discriminant, ablate-mean, ablate-zero (default: shift)", "NAME"},
        {"hubs", 0, 0, G_OPTION_ARG_INT, &steer.hubs, "neurons that the conditional operator sets (default: 0 = a fifth)", "N"},
        {"kl", 0, 0, G_OPTION_ARG_FILENAME, &steer.kl, "doses, as the mean KL they cause on neutral text (default: 0.05,0.1,0.2,0.4)", "LIST"},
        {"strength", 0, 0, G_OPTION_ARG_FILENAME, &steer.strength, "doses as strengths of the operator instead; controls get the KL that the module has there", "LIST"},
        {"tokens-for", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &steer.tokens_for, "words that stand for a class; give it for both (default: known for pos and neg, else learned)", "CLASS=WORDS"},
        {"suffix", 0, 0, G_OPTION_ARG_FILENAME, &steer.suffix, "text put behind every prompt (default: none)", "TEXT"},
        {"prompts", 0, 0, G_OPTION_ARG_INT, &steer.prompts, "held-out texts that effects are measured on (default: 96)", "N"},
        {"prompt-tokens", 0, 0, G_OPTION_ARG_INT, &steer.prompt_tokens, "tokens of each (default: 32)", "N"},
        {"held-out", 0, 0, G_OPTION_ARG_FILENAME, &steer.held_out, "other texts of the same classes to measure on (default: what the run left out)", "PATH"},
        {"neutral", 0, 0, G_OPTION_ARG_FILENAME, &steer.neutral, "file of texts, one a line, on which side effects are measured (default: held-out texts)", "FILE"},
        {"export-gguf", 0, 0, G_OPTION_ARG_FILENAME, &steer.export_gguf, "write the module's direction at the verdict's strength as a llama.cpp control vector (one layer)", "FILE"},
        {"ablation-matrix", 0, 0, G_OPTION_ARG_NONE, &steer.ablation_matrix, "instead: ablate the best module of every class and measure the loss on the texts of every class (RESULTS/steer/ablation/)", NULL},
        {"controls", 0, 0, G_OPTION_ARG_INT, &steer.controls, "random sets, and sets of equal degrees, to compare with (default: 20 of each)", "N"},
        {"samples", 0, 0, G_OPTION_ARG_INT, &steer.samples, "continuations to write with each of five interventions (default: 12; 0 = none)", "N"},
        {"sample-tokens", 0, 0, G_OPTION_ARG_INT, &steer.sample_tokens, "tokens of each (default: 40)", "N"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_MODEL | GLINT_ARGS_DATA | GLINT_ARGS_CHAT | GLINT_ARGS_OUT | GLINT_ARGS_SEED | GLINT_ARGS_VIZ | GLINT_ARGS_THREADS | GLINT_ARGS_JSON, extra, "RESULTS",
                          "Pushes a module of the graph and measures, on texts that the graph does not know, what that does to the model: against\n"
                          "random sets of neurons, sets of equal degrees, the neurons that differ most, a module of the correlation graph and the\n"
                          "difference in means of the residual, all at the same KL. Leaves RESULTS/steer/<site>/.",
                          "glint steer results --layers 3 --operator shift", &argc, &argv, error))
        return 0;
    if (steer.ablation_matrix && !check_ablation(&steer, error))
        return 0;
    if (steer.kl && steer.strength)
        return glint_fail(error, GLINT_ERROR_USAGE, "--kl and --strength both say how strong; give one");
    if (argc != 2)
        return glint_fail(error, GLINT_ERROR_USAGE, "give one results folder of glint run; see %s --help", g_get_prgname());
    const struct { const char *option; int value, least; } counts[] = {{"--module", steer.module, -1}, {"--least", steer.least, 1}, {"--controls", steer.controls, 1}, {"--hubs", steer.hubs, 0},
                                                                        {"--prompts", steer.prompts, 2}, {"--prompt-tokens", steer.prompt_tokens, 2}, {"--samples", steer.samples, 0}, {"--sample-tokens", steer.sample_tokens, 1}};
    for (gsize k = 0; k < G_N_ELEMENTS(counts); k++)
        if (counts[k].value < counts[k].least)
            return glint_fail(error, GLINT_ERROR_USAGE, "%s must be at least %d", counts[k].option, counts[k].least);
    if (steer.controls < 20)
        glint_warn("with %d controls the smallest p is %.3f, so that nothing can be found better than chance; 20 are enough", steer.controls, 1.0 / (steer.controls + 1));
    return run_steer(&args, &steer, argv[1], error);
}

const GlintCommand glint_command_steer = {"steer", "push a module and measure what that does, against controls", run, TRUE};
