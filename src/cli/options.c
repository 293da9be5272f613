/* Shared option tables and their parsing. See options.h. */
#include "cli/options.h"
#include "base/cores.h"
#include "base/error.h"
#include "base/talk.h"

#include <errno.h>
#include <math.h>
#include <omp.h>
#include <string.h>

enum { MOST_THREADS = 1024 }; /* OpenMP crashes when the system refuses it threads */

void glint_args_init(GlintArgs *self)
{
    memset(self, 0, sizeof *self);
    self->collect.max_tokens = 512;
    self->collect.examples = 10;
    self->synth.n = 100;
}

static void clear_synth(GlintSynthArgs *self)
{
    char *strings[] = {self->recipe, self->topic, self->contrast, self->generator, self->model, self->base_url, self->api_key_file, self->temperature, self->price_in, self->price_out};
    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
        g_free(strings[i]);
    g_strfreev(self->compare);
}

void glint_args_clear(GlintArgs *self)
{
    GlintSolveArgs *solve = &self->solve;
    char *strings[] = {self->model.model,  self->model.dtype, self->data.dataset, self->data.text_column, self->data.label_column, self->collect.site,
                       self->collect.layers, self->collect.pool, self->collect.memory, self->collect.save_dtype, self->collect.from, self->collect.sae_features, self->collect.shard,
                       self->chat.format, self->chat.system, self->chat.date, self->common.out, solve->alpha, solve->degree, solve->density, solve->tolerance,
                       solve->neurons, solve->time_limit, solve->solver, solve->select, solve->gamma, solve->instability, solve->path, solve->transform,
                       solve->winsor, solve->shrinkage, solve->penalty, solve->start, solve->groups, solve->joint, solve->lambda2, solve->fdr,
                       solve->from_class, solve->from_site};
    for (gsize i = 0; i < G_N_ELEMENTS(strings); i++)
        g_free(strings[i]);
    g_strfreev(self->collect.sae);
    clear_synth(&self->synth);
    g_clear_pointer(&self->words, g_ptr_array_unref);
    memset(self, 0, sizeof *self);
}

#define ENTRY(name, letter, kind, field, help, value) {name, letter, 0, kind, field, help, value}
#define END_OF_ENTRIES {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}

static void add_input_options(GOptionGroup *group, GlintArgs *a, GlintArgGroups groups)
{
    const GOptionEntry model[] = {
        ENTRY("model", 'm', G_OPTION_ARG_FILENAME, &a->model.model, "Hugging Face model folder, org/name[@revision] of the hub, or 'demo'", "DIR"),
        ENTRY("dtype", 0, G_OPTION_ARG_FILENAME, &a->model.dtype, "arithmetic: f32, bf16 or auto (default: auto, bf16 for bf16 weights where the CPU has it)", "TYPE"),
        END_OF_ENTRIES};
    const GOptionEntry data[] = {
        ENTRY("dataset", 'd', G_OPTION_ARG_FILENAME, &a->data.dataset, "labelled text: folder of class folders, .tar.gz/.tar.xz of that, .jsonl, .csv, .tsv, .txt, org/name[:config][:split] or imdb of the hub, 'synthetic' (see --help-synth), or 'demo'", "DATA"),
        ENTRY("text-column", 0, G_OPTION_ARG_FILENAME, &a->data.text_column, "column or key of the text (default: text; of the hub's data sets: guessed)", "NAME"),
        ENTRY("label-column", 0, G_OPTION_ARG_FILENAME, &a->data.label_column, "column or key of the label (default: label; of the hub's data sets: guessed)", "NAME"),
        ENTRY("max-samples", 0, G_OPTION_ARG_INT, &a->data.max_samples, "texts to use, drawn evenly from the classes with the seed (default: 0 = all)", "N"),
        END_OF_ENTRIES};
    const GOptionEntry collect[] = {
        ENTRY("site", 0, G_OPTION_ARG_FILENAME, &a->collect.site, "places in the model: mlp.hook_post (the neurons), mlp.hook_pre, hook_mlp_out, attn.hook_z, hook_resid_post, ..., a list of these, or all (default: mlp.hook_post)", "SITE,..."),
        ENTRY("layers", 0, G_OPTION_ARG_FILENAME, &a->collect.layers, "layers, as in 0,5-8 or -1 for the last (default: all)", "LIST"),
        ENTRY("pool", 0, G_OPTION_ARG_FILENAME, &a->collect.pool, "one row per text: mean, last, max, first, punct; or tokens, one row per token (default: mean)", "KIND"),
        ENTRY("max-tokens", 0, G_OPTION_ARG_INT, &a->collect.max_tokens, "tokens of a text that are read (default: 512; 0 = all the model takes)", "N"),
        ENTRY("batch-size", 0, G_OPTION_ARG_INT, &a->collect.batch_size, "texts run at once (default: 0 = as many as make 4096 tokens)", "N"),
        ENTRY("examples", 0, G_OPTION_ARG_INT, &a->collect.examples, "tokens of highest and of lowest activation to keep of each neuron, and twice as many over its range (default: 10; 0 = none)", "K"),
        ENTRY("memory", 0, G_OPTION_ARG_FILENAME, &a->collect.memory, "for what is gathered, beside the model: 500M, 8G; more sites than fit take several passes (default: half of the machine)", "SIZE"),
        ENTRY("sae", 0, G_OPTION_ARG_FILENAME_ARRAY, &a->collect.sae, "sparse autoencoder as SAELens saves it, whose features are collected; once for each (default: none)", "DIR"),
        ENTRY("sae-features", 0, G_OPTION_ARG_FILENAME, &a->collect.sae_features, "the N that are active most often, a list as in 3,17,256, or a file with one a line (default: all)", "N|LIST|FILE"),
        ENTRY("save-activations", 0, G_OPTION_ARG_NONE, &a->collect.save_activations, "keep the rows too, as safetensors in OUT/activations (default: off)", NULL),
        ENTRY("save-dtype", 0, G_OPTION_ARG_FILENAME, &a->collect.save_dtype, "of saved activations: f32, bf16 or f16 (default: f32)", "TYPE"),
        END_OF_ENTRIES};
    const GOptionEntry chat[] = {
        ENTRY("chat", 0, G_OPTION_ARG_NONE, &a->chat.chat, "put a text as the user's turn of the chat that the model was trained on (default: off)", NULL),
        ENTRY("chat-format", 0, G_OPTION_ARG_FILENAME, &a->chat.format, "of --chat, whatever template the model has: gemma3, llama3.1, qwen2.5, chatml, ... (default: the model's)", "NAME"),
        ENTRY("system", 0, G_OPTION_ARG_FILENAME, &a->chat.system, "system message of --chat (default: the template's own, or none)", "TEXT"),
        ENTRY("chat-date", 0, G_OPTION_ARG_FILENAME, &a->chat.date, "date in the chats of Llama 3.1 and 3.2 (default: \"26 Jul 2024\", of Llama 3.2 today)", "DATE"),
        ENTRY("no-thinking", 0, G_OPTION_ARG_NONE, &a->chat.no_thinking, "begin Qwen 3's answer behind an empty thinking block (default: off)", NULL),
        END_OF_ENTRIES};
    if (groups & GLINT_ARGS_MODEL)
        g_option_group_add_entries(group, model);
    if (groups & GLINT_ARGS_DATA)
        g_option_group_add_entries(group, data);
    if (groups & GLINT_ARGS_COLLECT)
        g_option_group_add_entries(group, collect);
    if (groups & GLINT_ARGS_CHAT)
        g_option_group_add_entries(group, chat);
}

static void add_synth_options(GOptionGroup *group, GlintSynthArgs *a, gboolean of_dataset)
{
    const GOptionEntry entries[] = {
        ENTRY("contrast", 0, G_OPTION_ARG_FILENAME, &a->contrast, "what the other class is about (default: anything but the topic)", "TOPIC"),
        ENTRY("compare-topics", 0, G_OPTION_ARG_FILENAME_ARRAY, &a->compare, "one class for each of these topics: --compare-topics jazz chess opera", "TOPIC ..."),
        ENTRY("num-examples", 0, G_OPTION_ARG_INT, &a->n, "texts per class (default: 100)", "N"),
        ENTRY("local", 0, G_OPTION_ARG_NONE, &a->local, "write them with glint's own grammars: recipes only (default: off)", NULL),
        ENTRY("generator", 0, G_OPTION_ARG_FILENAME, &a->generator, "who writes: chat (a server), local (as --local), or glint:MODEL, a model that this program runs (default: chat)", "WHO"),
        ENTRY("base-url", 0, G_OPTION_ARG_FILENAME, &a->base_url, "chat API (default: OPENAI_BASE_URL, else https://api.openai.com/v1)", "URL"),
        ENTRY("api-key-file", 0, G_OPTION_ARG_FILENAME, &a->api_key_file, "file with the API's key (default: the variable OPENAI_API_KEY)", "FILE"),
        ENTRY("temperature", 0, G_OPTION_ARG_FILENAME, &a->temperature, "of the model that writes (default: the server's)", "T"),
        ENTRY("parallel", 0, G_OPTION_ARG_INT, &a->parallel, "requests under way at once (default: 4)", "N"),
        ENTRY("per-request", 0, G_OPTION_ARG_INT, &a->per_request, "pairs asked for in one request (default: 10)", "N"),
        ENTRY("price-in", 0, G_OPTION_ARG_FILENAME, &a->price_in, "of a million tokens sent, to show the cost (default: 0)", "PRICE"),
        ENTRY("price-out", 0, G_OPTION_ARG_FILENAME, &a->price_out, "of a million tokens written (default: 0)", "PRICE"),
        ENTRY("force-regenerate", 0, G_OPTION_ARG_NONE, &a->force, "ask again what was answered before (default: off)", NULL),
        END_OF_ENTRIES};
    const GOptionEntry own[] = {
        ENTRY("synthetic-topic", 0, G_OPTION_ARG_FILENAME, &a->topic, "topic, or recipe: sentiment, refusal, locations, language, golden-gate (no default)", "TOPIC"),
        ENTRY("synth-model", 0, G_OPTION_ARG_FILENAME, &a->model, "the chat API's model that writes the texts (no default)", "NAME"),
        END_OF_ENTRIES};
    a->model_option = "--synth-model";
    if (of_dataset)
        g_option_group_add_entries(group, own);
    g_option_group_add_entries(group, entries);
}

/* `--compare-topics A B C`, as the original takes it, becomes --compare-topics A --compare-topics B --compare-topics C. */
static void spread_topics(GlintArgs *self, int *argc, char ***argv)
{
    gboolean found = FALSE;
    for (int i = 1; i < *argc; i++)
        found = found || strcmp((*argv)[i], "--compare-topics") == 0;
    if (!found)
        return;
    g_autoptr(GPtrArray) words = g_ptr_array_new();
    gboolean inside = FALSE;
    for (int i = 0; i < *argc; i++) {
        gboolean option = (*argv)[i][0] == '-';
        if (inside && !option && strcmp((*argv)[i - 1], "--compare-topics") != 0)
            g_ptr_array_add(words, (gpointer) "--compare-topics");
        g_ptr_array_add(words, (*argv)[i]);
        inside = option ? strcmp((*argv)[i], "--compare-topics") == 0 : inside;
    }
    *argc = (int)words->len;
    g_ptr_array_add(words, NULL);
    self->words = g_steal_pointer(&words);
    *argv = (char **)self->words->pdata;
}

/* --path, --path=COUNT or --path=LIST. GLib takes the next word for the value unless it starts with a dash. */
static gboolean take_path(const gchar *name, const gchar *value, gpointer data, GError **error)
{
    GlintArgs *self = data;
    if (value && !g_ascii_isdigit(*value) && *value != '.' && *value != '\0')
        return glint_fail(error, GLINT_ERROR_USAGE, "%s takes a number of lambdas or a list of them, not '%s'; write --path=20, or put the folder before it", name, value);
    g_free(self->solve.path);
    self->solve.path = g_strdup(value ? value : "");
    return TRUE;
}

static void add_choice_options(GOptionGroup *group, GlintSolveArgs *a)
{
    const GOptionEntry entries[] = {
        ENTRY("alpha", 'a', G_OPTION_ARG_FILENAME, &a->alpha, "penalty lambda on the correlation scale, 0 or more (default: chosen by --degree)", "L"),
        ENTRY("degree", 0, G_OPTION_ARG_FILENAME, &a->degree, "choose lambda so that a neuron has this many neighbours on average (default: 6)", "K"),
        ENTRY("density", 0, G_OPTION_ARG_FILENAME, &a->density, "choose lambda so that this share of the pairs are edges (default: by --degree)", "D"),
        ENTRY("lambda-select", 0, G_OPTION_ARG_FILENAME, &a->select, "choose lambda by degree, density, ebic or, from --activations, cv, stars or ric (default: degree)", "RULE"),
        ENTRY("gamma", 0, G_OPTION_ARG_FILENAME, &a->gamma, "of the EBIC, 0 or more; 0 is the BIC (default: 0.5)", "G"),
        {"path", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK, (gpointer)(gsize)take_path, "solve on a grid of COUNT lambdas, or on those listed, and keep every answer (default: off; COUNT 20)", "COUNT|L,L,..."},
        ENTRY("n", 0, G_OPTION_ARG_INT, &a->n, "independent texts behind a covariance, for ebic and --debias (default: what the input says)", "N"),
        END_OF_ENTRIES};
    g_option_group_add_entries(group, entries);
}

static void add_estimate_options(GOptionGroup *group, GlintSolveArgs *a)
{
    const GOptionEntry entries[] = {
        ENTRY("shrinkage", 0, G_OPTION_ARG_FILENAME, &a->shrinkage, "of the correlations towards 0, from 0 to 1, or auto (default: 0)", "A|auto"),
        ENTRY("penalty", 0, G_OPTION_ARG_FILENAME, &a->penalty, "weights of the penalty, a neurons x neurons .npy: 0 free, inf no edge (default: 1 everywhere)", "FILE"),
        ENTRY("joint", 0, G_OPTION_ARG_FILENAME, &a->joint, "solve the classes together: group (common edges) or fused (common values) (default: each by itself)", "KIND"),
        ENTRY("lambda2", 0, G_OPTION_ARG_FILENAME, &a->lambda2, "penalty of --joint on what differs between classes (no default)", "L"),
        ENTRY("debias", 0, G_OPTION_ARG_NONE, &a->debias, "p-values and false discovery rates from debiased estimates (default: off)", NULL),
        ENTRY("fdr", 0, G_OPTION_ARG_FILENAME, &a->fdr, "false discovery rate up to which --debias lists pairs (default: 0.05)", "Q"),
        END_OF_ENTRIES};
    g_option_group_add_entries(group, entries);
}

/* What needs the samples themselves. Commands that never have them know the options all the same, to say so. */
static void add_row_options(GOptionGroup *group, GlintSolveArgs *a, gboolean shown)
{
    GOptionEntry entries[] = {
        ENTRY("transform", 0, G_OPTION_ARG_FILENAME, &a->transform, "of the samples: none, winsor, npn, npn-truncated, spearman, skeptic, kendall (default: none)", "KIND"),
        ENTRY("winsor", 0, G_OPTION_ARG_FILENAME, &a->winsor, "share of each tail that --transform winsor cuts (default: 0.01)", "SHARE"),
        ENTRY("groups", 0, G_OPTION_ARG_FILENAME, &a->groups, "text of each row of --activations, .npy or one a line; resampling draws whole texts; not with cv, stars, ric (default: every row is one)", "FILE"),
        ENTRY("stability", 0, G_OPTION_ARG_INT, &a->stability, "half-samples for each edge's selection probability, an even number (default: 0 = none)", "B"),
        ENTRY("null", 0, G_OPTION_ARG_INT, &a->null, "solves of shuffled samples, where every edge is false (default: 0 = none)", "B"),
        ENTRY("bootstrap", 0, G_OPTION_ARG_INT, &a->bootstrap, "resamples for each edge's interval (default: 0 = none)", "B"),
        ENTRY("folds", 0, G_OPTION_ARG_INT, &a->folds, "parts of the cross-validation (default: 5)", "K"),
        ENTRY("one-se", 0, G_OPTION_ARG_NONE, &a->one_se, "of cross-validation, take the largest lambda within one standard error (default: off)", NULL),
        ENTRY("subsamples", 0, G_OPTION_ARG_INT, &a->subsamples, "of stars (default: 20)", "N"),
        ENTRY("instability", 0, G_OPTION_ARG_FILENAME, &a->instability, "that stars tolerates (default: 0.05)", "B"),
        END_OF_ENTRIES};
    for (GOptionEntry *entry = entries; entry->long_name && !shown; entry++)
        entry->flags |= G_OPTION_FLAG_HIDDEN;
    g_option_group_add_entries(group, entries);
}

static void add_solver_options(GOptionGroup *group, GlintSolveArgs *a)
{
    const GOptionEntry entries[] = {
        ENTRY("solver", 0, G_OPTION_ARG_FILENAME, &a->solver, "auto, bcd, newton or sglasso (default: auto)", "NAME"),
        ENTRY("start", 0, G_OPTION_ARG_FILENAME, &a->start, "precision.npz, or a folder that has one, to start from (default: none)", "PATH"),
        ENTRY("time-limit", 0, G_OPTION_ARG_FILENAME, &a->time_limit, "seconds for the solves of one result; what is there then is written (default: none)", "S"),
        END_OF_ENTRIES};
    g_option_group_add_entries(group, entries);
}

static void add_result_options(GOptionGroup *group, GlintArgs *a, GlintArgGroups groups)
{
    const GOptionEntry solve[] = {
        ENTRY("penalize-diagonal", 0, G_OPTION_ARG_NONE, &a->solve.penalize_diagonal, "penalise the diagonal too (default: off)", NULL),
        ENTRY("no-scale", 0, G_OPTION_ARG_NONE, &a->solve.no_scale, "solve the matrix as it is, not as a correlation matrix (default: off)", NULL),
        ENTRY("tol", 0, G_OPTION_ARG_FILENAME, &a->solve.tolerance, "relative duality gap to reach (default: 1e-7)", "T"),
        ENTRY("max-iterations", 0, G_OPTION_ARG_INT, &a->solve.max_iterations, "sweeps of the solver (default: 0 = the solver's own)", "N"),
        ENTRY("neurons", 0, G_OPTION_ARG_FILENAME, &a->solve.neurons, "N of largest variance, or all (default: all)", "N|all"),
        ENTRY("with-all", 0, G_OPTION_ARG_NONE, &a->solve.with_all, "also solve all classes together, as class 'all' (default: off)", NULL),
        ENTRY("dense", 0, G_OPTION_ARG_NONE, &a->solve.dense, "write covariance.npy and precision.npy beyond 4,096 neurons too (default: off)", NULL),
        END_OF_ENTRIES};
    const GOptionEntry out[] = {
        ENTRY("out", 'o', G_OPTION_ARG_FILENAME, &a->common.out, "where results go (default: results for run, else none); --output_dir is the same option", "PATH"),
        {"output-dir", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &a->common.out, NULL, "PATH"},
        END_OF_ENTRIES};
    const GOptionEntry seed[] = {ENTRY("seed", 0, G_OPTION_ARG_INT64, &a->common.seed, "seed of every draw (default: 0)", "N"), END_OF_ENTRIES};
    const GOptionEntry viz[] = {ENTRY("skip-viz", 0, G_OPTION_ARG_NONE, &a->skip_viz, "write no pictures (default: off)", NULL), END_OF_ENTRIES};
    const GOptionEntry json[] = {ENTRY("json", 0, G_OPTION_ARG_NONE, &a->common.json, "print the result as JSON (default: off)", NULL), END_OF_ENTRIES};
    const GOptionEntry threads[] = {ENTRY("threads", 't', G_OPTION_ARG_INT, &a->model.threads, "threads (default: 0 = every core glint may use, hyper-threads counted once)", "N"), END_OF_ENTRIES};
    const GOptionEntry quiet[] = {ENTRY("quiet", 'q', G_OPTION_ARG_NONE, &a->common.quiet, "no progress and no talk, only warnings (default: off)", NULL), END_OF_ENTRIES};
    if (groups & GLINT_ARGS_SOLVE) {
        add_choice_options(group, &a->solve);
        g_option_group_add_entries(group, solve);
        add_solver_options(group, &a->solve);
        add_estimate_options(group, &a->solve);
        add_row_options(group, &a->solve, (groups & GLINT_ARGS_ROWS) != 0);
    }
    if (groups & GLINT_ARGS_OUT)
        g_option_group_add_entries(group, out);
    if (groups & GLINT_ARGS_SEED)
        g_option_group_add_entries(group, seed);
    if (groups & GLINT_ARGS_VIZ)
        g_option_group_add_entries(group, viz);
    if (groups & GLINT_ARGS_JSON)
        g_option_group_add_entries(group, json);
    if (groups & GLINT_ARGS_THREADS)
        g_option_group_add_entries(group, threads);
    g_option_group_add_entries(group, quiet);
}

static gboolean check_ranges(const GlintArgs *a, GError **error)
{
    const struct { const char *option; gint64 value; } counts[] = {
        {"--max-samples", a->data.max_samples}, {"--max-tokens", a->collect.max_tokens}, {"--batch-size", a->collect.batch_size}, {"--examples", a->collect.examples},
        {"--threads", a->model.threads},        {"--max-iterations", a->solve.max_iterations}, {"--seed", a->common.seed},
        {"--folds", a->solve.folds},            {"--subsamples", a->solve.subsamples},   {"--n", a->solve.n},
        {"--stability", a->solve.stability},    {"--null", a->solve.null},               {"--bootstrap", a->solve.bootstrap}};
    for (gsize i = 0; i < G_N_ELEMENTS(counts); i++)
        if (counts[i].value < 0)
            return glint_fail(error, GLINT_ERROR_USAGE, "%s must not be negative", counts[i].option);
    return TRUE;
}

gboolean glint_args_parse(GlintArgs *self, GlintArgGroups groups, const GOptionEntry *extra, const char *usage, const char *about,
                          const char *example, int *argc, char ***argv, GError **error)
{
    g_autofree char *name = g_strdup_printf("glint %s", (*argv)[0]);
    g_set_prgname(name);
    g_autoptr(GOptionContext) context = g_option_context_new(usage);
    g_autofree char *closing = g_strdup_printf("Example:\n  %s", example);
    g_option_context_set_summary(context, about);
    g_option_context_set_description(context, closing);
    GOptionGroup *group = g_option_group_new("main", "", "", self, NULL);
    add_input_options(group, self, groups);
    if (extra)
        g_option_group_add_entries(group, extra);
    add_result_options(group, self, groups);
    g_option_context_set_main_group(context, group);
    if ((groups & GLINT_ARGS_SYNTH) && (groups & GLINT_ARGS_DATA)) { /* a page of help of its own */
        GOptionGroup *synth = g_option_group_new("synth", "Options of --dataset synthetic:", "options of --dataset synthetic", self, NULL);
        add_synth_options(synth, &self->synth, TRUE);
        g_option_context_add_group(context, synth);
    } else if (groups & GLINT_ARGS_SYNTH)
        add_synth_options(group, &self->synth, FALSE);
    spread_topics(self, argc, argv);
    GError *problem = NULL;
    if (!g_option_context_parse(context, argc, argv, &problem)) {
        glint_fail(error, GLINT_ERROR_USAGE, "%s; see %s --help", problem->message, name);
        g_error_free(problem);
        return FALSE;
    }
    for (int i = 1; i < *argc; i++)
        if ((*argv)[i][0] == '-' && (*argv)[i][1] != '\0' && strcmp((*argv)[i], "--") != 0)
            return glint_fail(error, GLINT_ERROR_USAGE, "unknown option %s; see %s --help", (*argv)[i], name);
    if (!check_ranges(self, error))
        return FALSE;
    if (self->common.out && !*self->common.out)
        return glint_fail(error, GLINT_ERROR_USAGE, "--out is empty; name a folder or file ('.' is the current folder)");
    if (self->model.threads > MOST_THREADS)
        return glint_fail(error, GLINT_ERROR_USAGE, "--threads is %d; at most %d are started (0 takes every core glint may use)", self->model.threads, MOST_THREADS);
    glint_talk_set_quiet(self->common.quiet);
    if (self->model.threads > 0 || !g_getenv("OMP_NUM_THREADS"))
        omp_set_num_threads(self->model.threads > 0 ? self->model.threads : glint_usable_cores());
    return TRUE;
}

gboolean glint_args_real(const char *option, const char *text, double low, double high, double *value, GError **error)
{
    char *end = NULL;
    errno = 0;
    double x = g_ascii_strtod(text, &end);
    if (end == text || *end != '\0' || !isfinite(x) || errno == ERANGE)
        return glint_fail(error, GLINT_ERROR_USAGE, "%s needs a number, not '%s'", option, text);
    if (x < low || x > high)
        return glint_fail(error, GLINT_ERROR_USAGE, "%s is %s; it must lie between %g and %g", option, text, low, high);
    *value = x;
    return TRUE;
}

gboolean glint_args_bytes(const char *option, const char *text, gsize *bytes, GError **error)
{
    static const char units[] = "BKMGT";
    char *end = NULL;
    double x = g_ascii_strtod(text, &end), scale = 1;
    const char *unit = *end ? strchr(units, g_ascii_toupper(*end)) : units;
    for (const char *u = units; unit && u < unit; u++)
        scale *= 1024;
    const char *rest = *end ? end + 1 : end;
    if (end == text || !unit || !(x * scale >= 1) || x * scale > 1e15 || (*rest && g_ascii_strcasecmp(rest, "B") != 0 && g_ascii_strcasecmp(rest, "iB") != 0))
        return glint_fail(error, GLINT_ERROR_USAGE, "%s needs a size such as 500M or 8G, not '%s'", option, text);
    *bytes = (gsize)(x * scale);
    return TRUE;
}

gboolean glint_args_require(const char *option, const char *value, GError **error)
{
    if (value)
        return TRUE;
    return glint_fail(error, GLINT_ERROR_USAGE, "%s is missing; see %s --help", option, g_get_prgname());
}

gboolean glint_args_compute_type(const char *text, GlintComputeType *dtype, GError **error)
{
    static const struct { const char *name; GlintComputeType type; } types[] = {
        {"auto", GLINT_DTYPE_AUTO},    {"f32", GLINT_DTYPE_F32},   {"float32", GLINT_DTYPE_F32},
        {"bf16", GLINT_DTYPE_BF16},    {"bfloat16", GLINT_DTYPE_BF16}};
    *dtype = GLINT_DTYPE_AUTO;
    for (gsize i = 0; text && i < G_N_ELEMENTS(types); i++)
        if (strcmp(text, types[i].name) == 0) {
            *dtype = types[i].type;
            return TRUE;
        }
    return text == NULL || glint_fail(error, GLINT_ERROR_USAGE, "--dtype must be f32, bf16 or auto, not '%s'", text);
}

gboolean glint_args_chat(const GlintChatArgs *args, const char *folder, GlintChat **chat, GError **error)
{
    *chat = NULL;
    if (!args->chat && !args->format) {
        if (args->system || args->date || args->no_thinking)
            return glint_fail(error, GLINT_ERROR_USAGE, "%s belongs to a chat; give --chat too", args->system ? "--system" : args->date ? "--chat-date" : "--no-thinking");
        return TRUE;
    }
    const GlintChatOptions options = {.format = args->format, .system = args->system, .date = args->date, .no_thinking = args->no_thinking};
    *chat = glint_chat_open(folder, &options, error);
    return *chat != NULL;
}
