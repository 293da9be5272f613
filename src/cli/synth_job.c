/* Making a data set. See synth_job.h. */
#include "cli/synth_job.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/resolve.h"
#include "hub/http.h"
#include "synth/api.h"
#include "synth/ask.h"
#include "synth/own_model.h"

#include <stdio.h>
#include <string.h>

enum { DEFAULT_PARALLEL = 4, PAIRS_PER_REQUEST = 10, TOKENS_PER_TEXT = 80 };

/* What is to be told apart, with the strings that were put together for it. */
typedef struct {
    GlintSynthTask task;
    const GlintRecipe *recipe; /* NULL: topics */
    char **labels, **concepts;
} Plan;

static void plan_clear(Plan *self)
{
    g_strfreev(self->labels);
    g_strfreev(self->concepts);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Plan, plan_clear)

static char *recipe_names(void)
{
    gsize n;
    const GlintRecipe *const *recipes = glint_recipes(&n);
    GString *list = g_string_new(NULL);
    for (gsize k = 0; k < n; k++)
        g_string_append_printf(list, "%s%s", k ? ", " : "", recipes[k]->name);
    return g_string_free(list, FALSE);
}

static gboolean plan_recipe(Plan *self, const char *name, GError **error)
{
    self->recipe = glint_recipe_find(name);
    if (self->recipe) {
        self->task = (GlintSynthTask){self->recipe->name, self->recipe->labels, self->recipe->concepts, 2};
        return TRUE;
    }
    g_autofree char *names = recipe_names();
    return glint_fail(error, GLINT_ERROR_USAGE, "there is no recipe '%s'; there are: %s", name, names);
}

static gboolean plan_topics(Plan *self, const char *const *topics, guint n, GError **error)
{
    self->labels = g_new0(char *, n + 1);
    self->concepts = g_new0(char *, n + 1);
    for (guint k = 0; k < n; k++) {
        self->labels[k] = g_strstrip(g_strdup(topics[k]));
        self->concepts[k] = g_strdup_printf("a text about %s", topics[k]);
        if (!*self->labels[k] || !g_utf8_validate(self->labels[k], -1, NULL))
            return glint_fail(error, GLINT_ERROR_USAGE, "a topic is empty or no UTF-8");
        for (guint other = 0; other < k; other++)
            if (g_ascii_strcasecmp(self->labels[k], self->labels[other]) == 0)
                return glint_fail(error, GLINT_ERROR_USAGE, "the topic '%s' is named twice", self->labels[k]);
    }
    self->task = (GlintSynthTask){n == 2 ? self->labels[0] : "topics", (const char *const *)self->labels, (const char *const *)self->concepts, n};
    return TRUE;
}

static gboolean make_plan(Plan *self, const GlintSynthArgs *args, GError **error)
{
    guint n_compare = args->compare ? g_strv_length(args->compare) : 0;
    if ((args->recipe != NULL) + (args->topic != NULL) + (n_compare > 0) > 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "--recipe, the topic and --compare-topics exclude each other");
    if (args->contrast && !args->topic)
        return glint_fail(error, GLINT_ERROR_USAGE, "--contrast needs a topic that it is the contrast to");
    if (n_compare == 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "--compare-topics needs two topics or more");
    if (n_compare > 1)
        return plan_topics(self, (const char *const *)args->compare, n_compare, error);
    if (args->recipe || (args->topic && !args->contrast && glint_recipe_find(args->topic)))
        return plan_recipe(self, args->recipe ? args->recipe : args->topic, error);
    if (!args->topic) {
        const gboolean for_run = g_strcmp0(args->model_option, "--model") != 0; /* run and collect, where the options have other names */
        g_autofree char *names = recipe_names();
        return glint_fail(error, GLINT_ERROR_USAGE, "say what to make: %s NAME, which is a recipe (%s)%s, or --compare-topics TOPIC TOPIC...", for_run ? "--synthetic-topic" : "--recipe", names,
                          for_run ? " or a topic" : ", --topic TOPIC");
    }
    const char *const topics[] = {args->topic, args->contrast ? args->contrast : "other"};
    if (!plan_topics(self, topics, 2, error))
        return FALSE;
    if (!args->contrast) {
        g_free(self->concepts[1]);
        self->concepts[1] = g_strdup_printf("a text about something else from everyday life that has nothing to do with %s", args->topic);
    }
    return TRUE;
}

/* ---- asking ---- */

/* The key, from a file or the environment; NULL where there is none, which a server on this machine may not mind. */
static gboolean find_key(const GlintSynthArgs *args, char **key, GError **error)
{
    *key = NULL;
    if (!args->api_key_file) {
        const char *value = g_getenv("OPENAI_API_KEY");
        *key = value && *value ? g_strstrip(g_strdup(value)) : NULL;
        return TRUE;
    }
    g_autoptr(GError) problem = NULL;
    if (!g_file_get_contents(args->api_key_file, key, NULL, &problem))
        return glint_fail(error, GLINT_ERROR_IO, "cannot read the API key: %s", problem->message);
    g_strstrip(*key);
    if (**key)
        return TRUE;
    g_clear_pointer(key, g_free);
    return glint_fail(error, GLINT_ERROR_USAGE, "'%s' holds no API key", args->api_key_file);
}

static gboolean read_price(const char *option, const char *text, double *price, GError **error)
{
    *price = 0;
    return !text || glint_args_real(option, text, 0, 1e6, price, error);
}

static json_t *describe_use(const GlintApiUse *use, const GlintApiOptions *options)
{
    g_autofree char *url = glint_http_plain_url(options->base_url);
    json_t *root = json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I}", "generator", "chat", "base_url", url, "model", options->model,
                             "requests", (json_int_t)use->n_asked, "from_cache",
                             (json_int_t)use->n_cached, "declined", (json_int_t)use->n_refused, "cut_off", (json_int_t)use->n_cut, "tokens_in",
                                 (json_int_t)use->tokens_in, "tokens_out",
                             (json_int_t)use->tokens_out);
    if (options->price_in > 0 || options->price_out > 0)
        json_object_set_new(root, "cost", json_real(use->cost));
    return root;
}

static void say_use(const GlintApiUse *use, const GlintApiOptions *options)
{
    g_autofree char *cost = options->price_in > 0 || options->price_out > 0 ? g_strdup_printf(", cost %.4f", use->cost) : g_strdup("");
    glint_say("synth: %" G_GUINT64_FORMAT " requests, %" G_GUINT64_FORMAT " answers from the cache; %" G_GUINT64_FORMAT " tokens in, "
              "%" G_GUINT64_FORMAT " out%s", use->n_asked, use->n_cached,
              use->tokens_in, use->tokens_out, cost);
    if (use->n_cut > 0)
        glint_warn("%" G_GUINT64_FORMAT " answers were cut at the server's token limit; whole sets in them were used", use->n_cut);
}

/* A model on this machine writes. */
static GlintSynthData *ask_own_model(const Plan *plan, const GlintSynthArgs *args, const GlintAskOptions *wanted, GError **error)
{
    const char *name = args->generator + strlen("glint:");
    g_autofree char *folder = NULL;
    GlintOwnModelOptions options = {.temperature = 0.8, .seed = wanted->seed};
    gsize pairs = args->per_request ? (gsize)args->per_request : PAIRS_PER_REQUEST;
    options.max_new_tokens = MIN(pairs, wanted->n) * plan->task.n_labels * TOKENS_PER_TEXT;
    if ((args->temperature && !glint_args_real("--temperature", args->temperature, 0, 10, &options.temperature, error)) ||
        !(folder = glint_resolve_model(name, error)))
        return NULL;
    g_autoptr(GlintOwnModel) model = glint_own_model_open(folder, &options, error);
    if (!model)
        return NULL;
    GlintAnswerer answerer = glint_own_model_answerer(model);
    g_autoptr(GlintSynthData) data = glint_synth_ask(&plan->task, wanted, &answerer, error);
    if (data) {
        json_object_set_new(data->origin, "generator", json_string("glint"));
        json_object_set_new(data->origin, "model", json_string(name));
        json_object_set_new(data->origin, "temperature", json_real(options.temperature));
        json_object_set_new(data->origin, "seed", json_integer((json_int_t)wanted->seed));
    }
    return g_steal_pointer(&data);
}

static GlintSynthData *ask(const Plan *plan, const GlintSynthArgs *args, const GlintAskOptions *wanted, GError **error)
{
    const char *base = args->base_url ? args->base_url : g_getenv("OPENAI_BASE_URL");
    g_autofree char *key = NULL;
    GlintApiOptions options = {.base_url = base && *base ? base : "https://api.openai.com/v1", .model = args->model,
                               .temperature = args->temperature, .force = args->force,
                                .parallel = args->parallel ? (guint)args->parallel : DEFAULT_PARALLEL};
    double temperature;
    if (!args->model) {
        glint_fail(error, GLINT_ERROR_USAGE, "name the model that is to write the texts (%s), or use the grammars that come with glint (--local), or "
                                             "a model on this machine (--generator glint:MODEL)", args->model_option);
        return NULL;
    }
    if ((args->temperature && !glint_args_real("--temperature", args->temperature, 0, 10, &temperature, error)) ||
        !read_price("--price-in", args->price_in, &options.price_in, error) ||
        !read_price("--price-out", args->price_out, &options.price_out, error) || !find_key(args, &key, error))
        return NULL;
    options.key = key;
    g_autoptr(GlintApi) chat = glint_api_new(&options, error);
    if (!chat)
        return NULL;
    GlintAnswerer answerer = glint_api_answerer(chat);
    g_autoptr(GlintSynthData) data = glint_synth_ask(&plan->task, wanted, &answerer, error);
    const GlintApiUse *use = glint_api_use(chat);
    if (use->n_asked + use->n_cached > 0)
        say_use(use, &options);
    if (data) {
        g_autoptr(json_t) described = describe_use(use, &options);
        json_object_update(data->origin, described);
        json_object_set_new(data->origin, "seed", json_integer((json_int_t)wanted->seed));
    }
    return g_steal_pointer(&data);
}

static void print_prompts(const Plan *plan, const GlintAskOptions *wanted)
{
    g_auto(GStrv) prompts = glint_synth_prompts(&plan->task, wanted);
    printf("# system\n%s\n", prompts[0]);
    for (gsize k = 1; prompts[k]; k++)
        printf("\n# request %zu\n%s\n", k, prompts[k]);
}

/* ---- the job ---- */

static gboolean is_local(const GlintSynthArgs *args) { return args->local || g_strcmp0(args->generator, "local") == 0; }
static gboolean is_own_model(const GlintSynthArgs *args) { return args->generator && g_str_has_prefix(args->generator, "glint:"); }

static gboolean check(const GlintSynthArgs *args, const Plan *plan, GError **error)
{
    const struct { const char *option; int value; } counts[] = {{"--parallel", args->parallel}, {"--per-request", args->per_request}};
    for (gsize k = 0; k < G_N_ELEMENTS(counts); k++)
        if (counts[k].value < 0)
            return glint_fail(error, GLINT_ERROR_USAGE, "%s must not be negative", counts[k].option);
    if (args->n < 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "--num-examples (--n of glint synth) is %d; at least 1 text of each class is made", args->n);
    if (args->parallel > 64)
        return glint_fail(error, GLINT_ERROR_USAGE, "--parallel is %d; at most 64 requests are sent at once", args->parallel);
    if (args->generator && strcmp(args->generator, "chat") != 0 && strcmp(args->generator, "local") != 0 && !is_own_model(args))
        return glint_fail(error, GLINT_ERROR_USAGE, "--generator is chat, local or glint:MODEL, not '%s'", args->generator);
    if (is_local(args) && !plan->recipe) {
        g_autofree char *names = recipe_names();
        return glint_fail(error, GLINT_ERROR_USAGE, "--local knows the recipes %s only; a topic of your own needs a language model", names);
    }
    if (is_local(args) && args->dry_run)
        return glint_fail(error, GLINT_ERROR_USAGE, "--dry-run prints prompts, and --local sends none");
    return TRUE;
}

static char *report_path(const char *path)
{
    g_autofree char *stem = g_str_has_suffix(path, ".jsonl") ? g_strndup(path, strlen(path) - strlen(".jsonl")) : g_strdup(path);
    return g_strconcat(stem, ".leakage.json", NULL);
}

/* What the texts depend on. */
static json_t *describe_request(const GlintSynthArgs *args, guint64 seed)
{
    const char *base = args->base_url ? args->base_url : g_getenv("OPENAI_BASE_URL");
    g_autofree char *url = base && *base && !is_local(args) && !is_own_model(args) ? glint_http_plain_url(base) : NULL;
    json_t *compare = json_array();
    for (char **topic = args->compare; topic && *topic; topic++)
        json_array_append_new(compare, json_string(*topic));
    return json_pack("{s:s?, s:s?, s:s?, s:o, s:s, s:s?, s:s?, s:s?, s:i, s:i, s:I}", "recipe", args->recipe, "topic", args->topic, "contrast", args->contrast, "compare", compare,
                     "generator", is_local(args) ? "local" : args->generator ? args->generator : "chat", "base_url", url, "model", args->model, "temperature", args->temperature,
                     "n", args->n, "per_request", args->per_request, "seed", (json_int_t)seed);
}

gboolean glint_job_synth(const GlintSynthArgs *args, guint64 seed, const char *path, json_t **report, GError **error)
{
    g_auto(Plan) plan = {0};
    *report = NULL;
    if (!make_plan(&plan, args, error) || !check(args, &plan, error))
        return FALSE;
    GlintAskOptions wanted = {.n = (gsize)args->n, .per_request = (guint)args->per_request, .seed = seed,
                              .translated = plan.recipe && plan.recipe->translated};
    if (args->dry_run) {
        print_prompts(&plan, &wanted);
        return TRUE;
    }
    g_autoptr(GlintSynthData) data = is_local(args)       ? glint_synth_local(plan.recipe, wanted.n, seed, error)
                                     : is_own_model(args) ? ask_own_model(&plan, args, &wanted, error)
                                                          : ask(&plan, args, &wanted, error);
    g_autofree char *beside = report_path(path);
    if (!data || !glint_remove_tree(beside, error) || !glint_synth_write(data, path, error)) /* a report is never beside other texts */
        return FALSE;
    g_autoptr(json_t) leakage = glint_synth_leakage(data, seed);
    json_object_set_new(leakage, "request", describe_request(args, seed));
    if (!glint_check_interrupt(error) || !glint_json_write(beside, leakage, error))
        return FALSE;
    glint_say("synth: %u pairs of %u texts in %s", data->sets->len, data->n_labels, path);
    gsize k;
    json_t *sentence;
    json_array_foreach(json_object_get(leakage, "verdict"), k, sentence)
        glint_say("synth: %s", json_string_value(sentence));
    *report = g_steal_pointer(&leakage);
    return TRUE;
}

gboolean glint_job_synth_once(const GlintSynthArgs *args, guint64 seed, const char *folder, const char *path, json_t **report, GError **error)
{
    g_autofree char *beside = report_path(path), *moments = g_build_filename(folder, "moments", "settings.json", NULL);
    g_autoptr(json_t) there = g_file_test(path, G_FILE_TEST_EXISTS) && g_file_test(beside, G_FILE_TEST_EXISTS) ? glint_json_read(beside, NULL) : NULL;
    g_autoptr(json_t) request = describe_request(args, seed);
    const gboolean same = there && json_equal(json_object_get(there, "request"), request);
    if (same && !args->force) {
        glint_say("synth: %s was made by the same request, nothing to write", path);
        *report = g_steal_pointer(&there);
        return TRUE;
    }
    if (g_file_test(path, G_FILE_TEST_EXISTS) && g_file_test(moments, G_FILE_TEST_EXISTS))
        return glint_fail(error, GLINT_ERROR_DATA, "%s holds moments of the texts in %s, which %s; choose another --out, or delete that folder", folder, path,
                          same ? "--force-regenerate would replace" : "another topic, number, seed or generator made");
    return glint_job_synth(args, seed, path, report, error);
}
