/* glint trace: one text through the model; logits and one site of every layer as safetensors. */
#include "base/error.h"
#include "base/safetensors.h"
#include "base/talk.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/recorder.h"
#include "cli/resolve.h"

static gboolean write_trace(const char *path, const GlintModelInfo *info, const GArray *ids, const float *logits, GlintRecorder *recorder, GError **error)
{
    g_autoptr(GlintSafetensorsWriter) writer = glint_safetensors_writer_new(path);
    glint_safetensors_writer_metadata(writer, "format", "pt");
    glint_safetensors_writer_metadata(writer, "family", info->family);
    glint_safetensors_writer_metadata(writer, "dtype", info->compute_type);
    gsize n = ids->len;
    g_autofree gint64 *tokens = g_new(gint64, n);
    for (gsize k = 0; k < n; k++)
        tokens[k] = g_array_index(ids, guint32, k);
    glint_safetensors_writer_add(writer, "tokens", GLINT_ST_I64, 1, &n, tokens);
    glint_safetensors_writer_add(writer, "logits", GLINT_ST_F32, 2, (gsize[]){n, info->vocab}, logits);
    return glint_recorder_write(recorder, writer, FALSE, error) && glint_safetensors_writer_close(g_steal_pointer(&writer), error);
}

static gboolean trace(const GlintArgs *args, const char *text, gboolean no_special, GError **error)
{
    GlintModelOptions options = {.threads = args->model.threads};
    g_autofree char *folder = NULL;
    if (!glint_args_compute_type(args->model.dtype, &options.dtype, error) || !(folder = glint_resolve_model(args->model.model, error)))
        return FALSE;
    g_autoptr(GlintChat) chat = NULL;
    if (!glint_args_chat(&args->chat, folder, &chat, error))
        return FALSE;
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_open(folder, error);
    g_autoptr(GlintModel) model = tokenizer ? glint_model_open(folder, &options, error) : NULL;
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!model || !glint_text_encode(tokenizer, chat, text, -1, !no_special, ids, error))
        return FALSE;
    if (ids->len == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "the text has no tokens; give a text that is not empty");
    g_autoptr(GlintRecorder) recorder = glint_recorder_new(model, args->collect.site, args->collect.layers, error);
    if (!recorder)
        return FALSE;
    gsize n_taps;
    const GlintTap *taps = glint_recorder_taps(recorder, &n_taps);
    const GlintModelInfo *info = glint_model_info(model);
    g_autofree float *logits = g_try_malloc_n(ids->len * info->vocab, sizeof *logits);
    if (!logits)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory for the logits of %u tokens", ids->len);
    const gsize start[2] = {0, ids->len};
    GlintBatch batch = {.tokens = (const guint32 *)(void *)ids->data, .start = start, .n_sequences = 1};
    if (!glint_model_forward(model, &batch, taps, n_taps, GLINT_LOGITS_ALL, logits, error) ||
        !write_trace(args->common.out, info, ids, logits, recorder, error))
        return FALSE;
    glint_say("%s: %u tokens, %zu tensors of %s (%s, %s)", args->common.out, ids->len, n_taps + 2, info->family, info->compute_type, folder);
    return TRUE;
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    g_autofree char *text = NULL;
    gboolean no_special = FALSE;
    const GOptionEntry extra[] = {
        {"text", 0, 0, G_OPTION_ARG_FILENAME, &text, "the text", "TEXT"},
        {"site", 0, 0, G_OPTION_ARG_FILENAME, &args.collect.site, "place in the model, of every layer or as blocks.3.mlp.hook_post of one (default: mlp.hook_post)", "SITE"},
        {"layers", 0, 0, G_OPTION_ARG_FILENAME, &args.collect.layers, "layers, as in 0,5-8 or -1 for the last (default: all)", "LIST"},
        {"no-special", 0, 0, G_OPTION_ARG_NONE, &no_special, "leave out BOS and the like (default: off)", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_MODEL | GLINT_ARGS_CHAT | GLINT_ARGS_OUT | GLINT_ARGS_THREADS, extra, NULL,
                          "Runs one text through the model and writes the tensors `tokens`, `logits` [tokens, vocabulary] and, for each layer,\n"
                          "the site under its full name [tokens, width] to a safetensors file.",
                          "glint trace --model data/demo/model --text 'A fine film.' --dtype f32 --out trace.safetensors", &argc, &argv, error) ||
        !glint_args_require("--model", args.model.model, error) || !glint_args_require("--text", text, error) ||
        !glint_args_require("--out", args.common.out, error))
        return 0;
    trace(&args, text, no_special, error);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_trace = {"trace", "one text through the model, its activations to a file", run, TRUE};
