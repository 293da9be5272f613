/* glint generate: texts continued, and what the model's neurons did meanwhile. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/command.h"
#include "cli/generate_steer.h"
#include "cli/options.h"
#include "cli/recorder.h"
#include "cli/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    char **texts, **files, **stops;
    char *temperature, *top_p, *min_p, *save_site;
    int top_k, max_new_tokens, n;
    gboolean lines, no_special, ignore_eos;
    GlintSteerArgs steer;
} Options;

/* What one command works with. */
typedef struct {
    const GlintArgs *args;
    const Options *options;
    char *folder;
    GlintTokenizer *tokenizer;
    GlintChat *chat;
    GlintModel *model;
    GPtrArray *texts;     /* of GString */
    GPtrArray *ids;       /* of GArray of guint32, one per text */
    GArray *prompts;      /* of GlintPrompt, n per text: text t's samples are prompts t n .. t n + n - 1 */
    GlintRecorder *recorder;
    GlintGenerateSteer *steer;
    GArray *taps;         /* of GlintTap: steering first, for what is recorded is what the model goes on with */
    gboolean streams;
} Job;

static void string_free(gpointer data) { g_string_free(data, TRUE); }
static void array_free(gpointer data) { g_array_unref(data); }

static void job_clear(Job *job)
{
    g_free(job->folder);
    glint_chat_free(job->chat);
    glint_tokenizer_free(job->tokenizer);
    glint_recorder_free(job->recorder);
    glint_generate_steer_free(job->steer);
    g_array_unref(job->taps);
    glint_model_free(job->model);
    g_ptr_array_unref(job->texts);
    g_ptr_array_unref(job->ids);
    g_array_unref(job->prompts);
}

/* ---- prompts ---- */

static gboolean read_stream(FILE *from, const char *name, GString *text, GError **error)
{
    char block[65536];
    for (gsize n; (n = fread(block, 1, sizeof block, from)) > 0;)
        g_string_append_len(text, block, (gssize)n);
    return ferror(from) ? glint_fail_errno(error, errno, "cannot read %s", name) : TRUE;
}

static gboolean read_prompt_file(const char *path, GString *text, GError **error)
{
    if (strcmp(path, "-") == 0)
        return read_stream(stdin, "standard input", text, error);
    FILE *file = fopen(path, "rb");
    if (!file)
        return glint_fail_errno(error, errno, "cannot open %s", path);
    const gboolean good = read_stream(file, path, text, error);
    fclose(file);
    return good;
}

/* A file is one prompt, without the line break at its end; with --lines each line that is not empty is one. */
static void add_texts(Job *job, const GString *text)
{
    const char *at = text->str, *end = text->str + text->len;
    if (!job->options->lines) {
        gsize length = text->len;
        length -= length > 0 && at[length - 1] == '\n';
        g_ptr_array_add(job->texts, g_string_new_len(at, (gssize)length));
        return;
    }
    while (at < end) {
        const char *stop = memchr(at, '\n', (gsize)(end - at));
        gsize length = (gsize)((stop ? stop : end) - at);
        if (length > 0 && at[length - 1] == '\r')
            length--;
        if (length > 0)
            g_ptr_array_add(job->texts, g_string_new_len(at, (gssize)length));
        at = stop ? stop + 1 : end;
    }
}

static gboolean gather_texts(Job *job, GError **error)
{
    static const char *const standard[] = {"-", NULL};
    char **texts = job->options->texts;
    const char *const *files = (const char *const *)job->options->files;
    for (gsize i = 0; texts && texts[i]; i++)
        g_ptr_array_add(job->texts, g_string_new(texts[i]));
    for (files = !texts && !files ? standard : files; files && *files; files++) {
        g_autoptr(GString) text = g_string_new(NULL);
        if (!read_prompt_file(*files, text, error))
            return FALSE;
        add_texts(job, text);
    }
    return job->texts->len > 0 || glint_fail(error, GLINT_ERROR_DATA, "no prompt: the input is empty");
}

static gboolean encode_texts(Job *job, GError **error)
{
    for (guint t = 0; t < job->texts->len; t++) {
        const GString *text = g_ptr_array_index(job->texts, t);
        GArray *ids = g_array_new(FALSE, FALSE, sizeof(guint32));
        g_ptr_array_add(job->ids, ids);
        if (!glint_text_encode(job->tokenizer, job->chat, text->str, (gssize)text->len, !job->options->no_special, ids, error))
            return FALSE;
        const GlintPrompt prompt = {(const guint32 *)(void *)ids->data, ids->len};
        for (int k = 0; k < job->options->n; k++)
            g_array_append_val(job->prompts, prompt);
    }
    return TRUE;
}

/* Taps of --steer and --save-site. */
static gboolean listen(Job *job, GError **error)
{
    if (job->options->steer.file) {
        const gsize n_prefix = job->options->no_special ? 0 : glint_text_n_prefix(job->tokenizer, job->chat);
        if (!(job->steer = glint_generate_steer_new(&job->options->steer, job->model, n_prefix, error)))
            return FALSE;
        const GlintTap tap = glint_generate_steer_tap(job->steer);
        g_array_append_val(job->taps, tap);
    }
    if (job->options->save_site) {
        gsize n;
        if (!(job->recorder = glint_recorder_new(job->model, job->options->save_site, job->args->collect.layers, error)))
            return FALSE;
        const GlintTap *taps = glint_recorder_taps(job->recorder, &n);
        g_array_append_vals(job->taps, taps, (guint)n);
    }
    return TRUE;
}

static gboolean open_job(Job *job, GError **error)
{
    GlintModelOptions options = {.threads = job->args->model.threads};
    if (!glint_args_compute_type(job->args->model.dtype, &options.dtype, error) || !(job->folder = glint_resolve_model(job->args->model.model, error)) ||
        !glint_args_chat(&job->args->chat, job->folder, &job->chat, error) || !(job->tokenizer = glint_tokenizer_open(job->folder, error)) ||
        !gather_texts(job, error) || !encode_texts(job, error) || !(job->model = glint_model_open(job->folder, &options, error)))
        return FALSE;
    return listen(job, error);
}

/* ---- settings ---- */

static gboolean read_settings(const Job *job, GlintGenerateSettings *settings, GArray **stop_tokens, GError **error)
{
    const Options *o = job->options;
    glint_generate_settings_init(settings);
    settings->max_new_tokens = (gsize)o->max_new_tokens;
    settings->top_k = (gsize)o->top_k;
    settings->seed = (guint64)job->args->common.seed;
    settings->batch_size = (gsize)job->args->collect.batch_size;
    settings->stop_strings = (const char *const *)o->stops;
    if ((o->temperature && !glint_args_real("--temperature", o->temperature, 0, 1000, &settings->temperature, error)) ||
        (o->top_p && !glint_args_real("--top-p", o->top_p, 0, 1, &settings->top_p, error)) ||
        (o->min_p && !glint_args_real("--min-p", o->min_p, 0, 1, &settings->min_p, error)) || !(*stop_tokens = glint_stop_tokens_read(job->folder, error)))
        return FALSE;
    const char *end = job->chat ? glint_chat_end(job->chat) : NULL;
    const gint64 id = end ? glint_tokenizer_id(job->tokenizer, end) : -1;
    if (id >= 0) {
        const guint32 token = (guint32)id;
        g_array_append_val(*stop_tokens, token);
    }
    settings->stop_tokens = (const guint32 *)(void *)(*stop_tokens)->data;
    settings->n_stop_tokens = o->ignore_eos ? 0 : (*stop_tokens)->len;
    if (settings->temperature == 0 && (o->top_k > 0 || o->top_p || o->min_p || o->n > 1))
        glint_warn("without --temperature the most likely token is taken: --top-k, --top-p and --min-p mean nothing, and --n gives the same text again");
    return TRUE;
}

static gboolean on_step(const GlintGenerateStep *step, gpointer user_data, GError **error)
{
    (void)error;
    Job *job = user_data;
    if (job->recorder)
        glint_recorder_step(job->recorder, step, (const GlintPrompt *)(void *)job->prompts->data);
    if (job->steer)
        glint_generate_steer_step(job->steer, step);
    return TRUE;
}

static gboolean on_token(gsize prompt, guint32 token, const char *text, gsize length, gboolean ended, gpointer user_data, GError **error)
{
    (void)prompt;
    (void)token;
    (void)ended;
    (void)error;
    const Job *job = user_data;
    if (job->streams) {
        fwrite(text, 1, length, stdout);
        fflush(stdout);
    }
    return TRUE;
}

/* ---- results ---- */

static json_t *ids_json(const GArray *ids)
{
    json_t *list = json_array();
    for (guint k = 0; k < ids->len; k++)
        json_array_append_new(list, json_integer(g_array_index(ids, guint32, k)));
    return list;
}

static double rate(gsize tokens, double seconds) { return seconds > 0 ? (double)tokens / seconds : 0; }

static void print_json(const Job *job, const GlintGeneration *generation)
{
    g_autoptr(json_t) root = json_object();
    json_t *texts = json_array();
    for (gsize i = 0; i < generation->n; i++) {
        const gsize t = i / (gsize)job->options->n;
        const GString *text = g_ptr_array_index(job->texts, t);
        const GlintContinuation *one = &generation->texts[i];
        g_autofree char *prompt = g_utf8_make_valid(text->str, (gssize)text->len);
        json_array_append_new(texts, json_pack("{s:I, s:I, s:s, s:o, s:o, s:o, s:s}", "prompt_index", (json_int_t)t, "sample", (json_int_t)(i % (gsize)job->options->n),
                                               "prompt", prompt, "prompt_tokens", ids_json(g_ptr_array_index(job->ids, t)), "tokens", ids_json(one->tokens), "text",
                                               json_stringn(one->text, one->length), "finish", glint_finish_name(one->finish)));
    }
    json_object_set_new(root, "texts", texts);
    json_object_set_new(root, "chat", job->chat ? json_string(glint_chat_format(job->chat)) : json_null());
    json_object_set_new(root, "steer", job->steer ? glint_generate_steer_json(job->steer) : json_null());
    json_object_set_new(root, "prompt_tokens", json_integer((json_int_t)generation->n_prompt_tokens));
    json_object_set_new(root, "new_tokens", json_integer((json_int_t)generation->n_new_tokens));
    json_object_set_new(root, "prefill_tokens_per_second", json_real(rate(generation->n_prefill, generation->prefill_seconds)));
    json_object_set_new(root, "decode_tokens_per_second", json_real(rate(generation->n_decode, generation->decode_seconds)));
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
}

static void print_texts(const Job *job, const GlintGeneration *generation)
{
    for (gsize i = 0; i < generation->n; i++) {
        if (generation->n > 1)
            printf("%s==> prompt %zu, sample %zu <==\n", i ? "\n" : "", i / (gsize)job->options->n, i % (gsize)job->options->n);
        if (!job->streams)
            fwrite(generation->texts[i].text, 1, generation->texts[i].length, stdout);
        putchar('\n');
    }
}

static gboolean save_rows(const Job *job, GError **error)
{
    const char *path = job->args->common.out;
    const GlintModelInfo *info = glint_model_info(job->model);
    g_autoptr(GlintSafetensorsWriter) writer = glint_safetensors_writer_new(path);
    glint_safetensors_writer_metadata(writer, "format", "pt");
    glint_safetensors_writer_metadata(writer, "family", info->family);
    glint_safetensors_writer_metadata(writer, "dtype", info->compute_type);
    if (!glint_recorder_write(job->recorder, writer, TRUE, error) || !glint_safetensors_writer_close(g_steal_pointer(&writer), error))
        return FALSE;
    glint_say("%s: activations of %zu generated tokens", path, glint_recorder_n_rows(job->recorder));
    return TRUE;
}

static void generate(Job *job, GError **error)
{
    GlintGenerateSettings settings;
    g_autoptr(GArray) stop_tokens = NULL;
    if (!open_job(job, error) || !read_settings(job, &settings, &stop_tokens, error))
        return;
    job->streams = job->prompts->len == 1 && !job->args->common.json && isatty(STDOUT_FILENO);
    settings.on_step = on_step;
    settings.on_token = on_token;
    settings.user_data = job;
    settings.taps = (const GlintTap *)(void *)job->taps->data;
    settings.n_taps = job->taps->len;
    GError *problem = NULL;
    g_autoptr(GlintGeneration) generation = glint_generate(job->model, job->tokenizer, (const GlintPrompt *)(void *)job->prompts->data, job->prompts->len, &settings, &problem);
    if (generation) { /* interrupted, too: what there is is kept */
        if (job->args->common.json)
            print_json(job, generation);
        else
            print_texts(job, generation);
        glint_say("prompts: %zu tokens, %.1f tokens/s; generated: %zu tokens, %.1f tokens/s", generation->n_prompt_tokens,
                  rate(generation->n_prefill, generation->prefill_seconds), generation->n_new_tokens, rate(generation->n_decode, generation->decode_seconds));
        if (job->recorder && !save_rows(job, problem ? NULL : &problem))
            glint_warn("no activations were written to %s", job->args->common.out);
    }
    if (problem)
        g_propagate_error(error, problem);
}

static gboolean check_options(const GlintArgs *args, const Options *o, GError **error)
{
    if (o->max_new_tokens < 0 || o->top_k < 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "%s must not be negative", o->top_k < 0 ? "--top-k" : "--max-new-tokens");
    if (o->n < 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "--n is the number of texts per prompt, 1 or more");
    if (!o->save_site != !args->common.out)
        return glint_fail(error, GLINT_ERROR_USAGE, "%s", o->save_site ?
                          "--save-site needs --out FILE, a safetensors file" : "--out is for the activations of --save-site; texts go to standard output");
    if (!o->steer.file && (o->steer.strength || o->steer.from >= 0))
        return glint_fail(error, GLINT_ERROR_USAGE, "%s belongs to --steer; give the steer.json of glint steer", o->steer.strength ? "--strength" : "--steer-from");
    if (o->steer.from < -1)
        return glint_fail(error, GLINT_ERROR_USAGE, "--steer-from is the number of a token, 0 or more");
    if (args->collect.layers && !o->save_site)
        return glint_fail(error, GLINT_ERROR_USAGE, "--layers belongs to --save-site");
    return glint_args_require("--model", args->model.model, error);
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    g_auto(GStrv) texts = NULL, files = NULL, stops = NULL;
    g_autofree char *temperature = NULL, *top_p = NULL, *min_p = NULL, *save_site = NULL;
    g_autofree char *steer = NULL, *strength = NULL;
    Options o = {.max_new_tokens = 128, .n = 1, .steer = {.from = -1}};
    const GOptionEntry extra[] = {
        {"prompt", 'p', 0, G_OPTION_ARG_FILENAME_ARRAY, &texts, "text to continue; may be given several times (default: standard input)", "TEXT"},
        {"prompt-file", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &files, "file that holds a text to continue, - is standard input; may be given several times", "FILE"},
        {"lines", 0, 0, G_OPTION_ARG_NONE, &o.lines, "every line of a file is a text of its own (default: off)", NULL},
        {"max-new-tokens", 0, 0, G_OPTION_ARG_INT, &o.max_new_tokens, "tokens to generate at most (default: 128)", "N"},
        {"temperature", 0, 0, G_OPTION_ARG_FILENAME, &temperature, "divides the logits before a token is drawn; 0 takes the most likely (default: 0)", "T"},
        {"top-k", 0, 0, G_OPTION_ARG_INT, &o.top_k, "draw from the K most likely tokens (default: 0 = all)", "K"},
        {"top-p", 0, 0, G_OPTION_ARG_FILENAME, &top_p, "draw from the fewest tokens whose probabilities reach P (default: 1 = all)", "P"},
        {"min-p", 0, 0, G_OPTION_ARG_FILENAME, &min_p, "draw from tokens at least P times as likely as the likeliest (default: 0 = all)", "P"},
        {"stop", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &stops, "end the text before this; may be given several times", "TEXT"},
        {"ignore-eos", 0, 0, G_OPTION_ARG_NONE, &o.ignore_eos, "go on behind the tokens at which the model ends (default: off)", NULL},
        {"n", 'n', 0, G_OPTION_ARG_INT, &o.n, "texts per prompt (default: 1)", "N"},
        {"batch-size", 0, 0, G_OPTION_ARG_INT, &args.collect.batch_size, "texts run at once (default: 0 = 32)", "N"},
        {"no-special", 0, 0, G_OPTION_ARG_NONE, &o.no_special, "leave out BOS and the like (default: off)", NULL},
        {"steer", 0, 0, G_OPTION_ARG_FILENAME, &steer, "steer.json of glint steer: its module is steered while the model writes (default: none)", "FILE"},
        {"strength", 0, 0, G_OPTION_ARG_FILENAME, &strength, "of --steer (default: that of its verdict)", "S"},
        {"steer-from", 0, 0, G_OPTION_ARG_INT, &o.steer.from, "token of every text, counted from 0, that --steer begins with (default: the first behind BOS)", "N"},
        {"save-site", 0, 0, G_OPTION_ARG_FILENAME, &save_site, "keep the activations of every generated token at this place, in --out (default: none)", "SITE"},
        {"layers", 0, 0, G_OPTION_ARG_FILENAME, &args.collect.layers, "of --save-site, as in 0,5-8 or -1 for the last (default: all)", "LIST"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_MODEL | GLINT_ARGS_CHAT | GLINT_ARGS_OUT | GLINT_ARGS_SEED | GLINT_ARGS_THREADS | GLINT_ARGS_JSON, extra, NULL,
                          "Continues texts and prints what comes. Tokens are chosen by the seed alone: the same command gives the same text.\n"
                          "--save-site keeps what the neurons did while the model wrote, --steer pushes a module of them.",
                          "glint generate --model data/demo/model --prompt 'This film' --max-new-tokens 40 --temperature 0.8 --seed 1", &argc, &argv, error))
        return 0;
    if (argc > 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "unexpected argument '%s'; a text to continue goes behind --prompt", argv[1]);
    o.texts = texts;
    o.files = files;
    o.stops = stops;
    o.temperature = temperature;
    o.top_p = top_p;
    o.min_p = min_p;
    o.save_site = save_site;
    o.steer.file = steer;
    o.steer.strength = strength;
    if (!check_options(&args, &o, error))
        return 0;
    Job job = {.args = &args, .options = &o, .texts = g_ptr_array_new_with_free_func(string_free), .ids = g_ptr_array_new_with_free_func(array_free),
               .prompts = g_array_new(FALSE, FALSE, sizeof(GlintPrompt)), .taps = g_array_new(FALSE, FALSE, sizeof(GlintTap))};
    generate(&job, error);
    job_clear(&job);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_generate = {"generate", "texts continued, their activations to a file if wanted", run, TRUE};
