/* glint trace: one text through the model; logits and one site of every layer as safetensors. */
#include "base/error.h"
#include "base/safetensors.h"
#include "base/talk.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/resolve.h"

#include <stdio.h>
#include <string.h>

typedef struct { float *rows; gsize n_rows, width; char *name; } Recording;

static void recording_free(gpointer data)
{
    Recording *recording = data;
    g_free(recording->rows);
    g_free(recording->name);
    g_free(recording);
}

static gboolean record(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    (void)site;
    Recording *recording = user_data;
    recording->n_rows = batch->start[batch->n_sequences];
    recording->width = width;
    recording->rows = g_try_malloc_n(recording->n_rows * width, sizeof *rows);
    if (!recording->rows)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory for the activations of %s", recording->name);
    memcpy(recording->rows, rows, recording->n_rows * width * sizeof *rows);
    return TRUE;
}

/* One tap a layer, each with its recording. */
static gboolean make_taps(const GlintModel *model, const GlintArgs *args, GArray *taps, GPtrArray *recordings, GError **error)
{
    GlintSiteKind kind = GLINT_SITE_MLP_POST;
    gint64 named_layer = -1;
    if (args->collect.site && !glint_site_parse(args->collect.site, &kind, &named_layer, error))
        return FALSE;
    const GlintModelInfo *info = glint_model_info(model);
    if (glint_model_site_width(model, kind) == 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "a %s model has no site %s", info->family, glint_site_suffix(kind));
    g_autofree char *one = named_layer >= 0 ? g_strdup_printf("%" G_GINT64_FORMAT, named_layer) : NULL;
    const char *list = one ? one : args->collect.layers ? args->collect.layers : "all";
    g_autoptr(GArray) layers = glint_layers_parse(list, info->n_layers, error);
    for (guint k = 0; layers && k < layers->len; k++) {
        Recording *recording = g_new0(Recording, 1);
        g_ptr_array_add(recordings, recording);
        GlintTap tap = {.site = {kind, g_array_index(layers, gsize, k)}, .function = record, .user_data = recording};
        recording->name = glint_site_name(&tap.site);
        g_array_append_val(taps, tap);
    }
    return layers != NULL;
}

static gboolean write_trace(const char *path, const GlintModelInfo *info, const GArray *ids, const float *logits, const GPtrArray *recordings, GError **error)
{
    GlintSafetensorsWriter *writer = glint_safetensors_writer_new(path);
    glint_safetensors_writer_metadata(writer, "format", "pt");
    glint_safetensors_writer_metadata(writer, "family", info->family);
    glint_safetensors_writer_metadata(writer, "dtype", info->compute_type);
    gsize n = ids->len;
    g_autofree gint64 *tokens = g_new(gint64, n);
    for (gsize k = 0; k < n; k++)
        tokens[k] = g_array_index(ids, guint32, k);
    glint_safetensors_writer_add(writer, "tokens", GLINT_ST_I64, 1, &n, tokens);
    glint_safetensors_writer_add(writer, "logits", GLINT_ST_F32, 2, (gsize[]){n, info->vocab}, logits);
    for (guint k = 0; k < recordings->len; k++) {
        const Recording *recording = g_ptr_array_index(recordings, k);
        glint_safetensors_writer_add(writer, recording->name, GLINT_ST_F32, 2, (gsize[]){recording->n_rows, recording->width}, recording->rows);
    }
    return glint_safetensors_writer_close(writer, error);
}

static gboolean trace(const GlintArgs *args, const char *text, gboolean no_special, GError **error)
{
    GlintModelOptions options = {.threads = args->model.threads};
    g_autofree char *folder = NULL;
    if (!glint_args_compute_type(args->model.dtype, &options.dtype, error) || !(folder = glint_resolve_model(args->model.model, error)))
        return FALSE;
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_open(folder, error);
    g_autoptr(GlintModel) model = tokenizer ? glint_model_open(folder, &options, error) : NULL;
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!model || !glint_tokenizer_encode(tokenizer, text, -1, !no_special, ids, error))
        return FALSE;
    if (ids->len == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "the text has no tokens; give a text that is not empty");
    g_autoptr(GArray) taps = g_array_new(FALSE, FALSE, sizeof(GlintTap));
    g_autoptr(GPtrArray) recordings = g_ptr_array_new_with_free_func(recording_free);
    if (!make_taps(model, args, taps, recordings, error))
        return FALSE;
    const GlintModelInfo *info = glint_model_info(model);
    g_autofree float *logits = g_try_malloc_n(ids->len * info->vocab, sizeof *logits);
    if (!logits)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory for the logits of %u tokens", ids->len);
    const gsize start[2] = {0, ids->len};
    GlintBatch batch = {.tokens = (const guint32 *)(void *)ids->data, .start = start, .n_sequences = 1};
    if (!glint_model_forward(model, &batch, (const GlintTap *)(void *)taps->data, taps->len, GLINT_LOGITS_ALL, logits, error) ||
        !write_trace(args->common.out, info, ids, logits, recordings, error))
        return FALSE;
    glint_say("%s: %u tokens, %u tensors of %s (%s, %s)", args->common.out, ids->len, recordings->len + 2, info->family, info->compute_type, folder);
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
    if (!glint_args_parse(&args, GLINT_ARGS_MODEL | GLINT_ARGS_OUT | GLINT_ARGS_THREADS, extra, NULL,
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
