/* glint tokens: text to token ids. */
#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/resolve.h"
#include "text/tokenizer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Reads standard input to its end, byte for byte. */
static GByteArray *read_stdin(GError **error)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guint8 block[65536];
    gsize n;
    while ((n = fread(block, 1, sizeof block, stdin)) > 0)
        g_byte_array_append(bytes, block, (guint)n);
    if (ferror(stdin)) {
        glint_fail(error, GLINT_ERROR_IO, "cannot read standard input: %s", g_strerror(errno));
        return NULL;
    }
    return g_steal_pointer(&bytes);
}

static void print_json(const GlintTokenizer *tokenizer, const GArray *ids)
{
    g_autoptr(json_t) root = json_object();
    json_t *id_list = json_array(), *token_list = json_array();
    for (guint k = 0; k < ids->len; k++) {
        guint32 id = g_array_index(ids, guint32, k);
        json_array_append_new(id_list, json_integer(id));
        json_array_append_new(token_list, json_string(glint_tokenizer_token(tokenizer, id)));
    }
    json_object_set_new(root, "ids", id_list);
    json_object_set_new(root, "tokens", token_list);
    json_dumpf(root, stdout, JSON_COMPACT);
    putchar('\n');
}

/* One line per token, also for tokens that hold line breaks or tabs. */
static void print_line(guint32 id, const char *token)
{
    printf("%u\t", id);
    for (; *token; token++)
        switch (*token) {
        case '\n': fputs("\\n", stdout); break;
        case '\r': fputs("\\r", stdout); break;
        case '\t': fputs("\\t", stdout); break;
        case '\\': fputs("\\\\", stdout); break;
        default: putchar(*token);
        }
    putchar('\n');
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    g_autofree char *tokenizer_path = NULL, *text = NULL;
    gboolean no_special = FALSE;
    const GOptionEntry extra[] = {
        {"tokenizer", 0, 0, G_OPTION_ARG_FILENAME, &tokenizer_path, "tokenizer.json or tokenizer.model to use instead of a model's", "FILE"},
        {"text", 0, 0, G_OPTION_ARG_FILENAME, &text, "the text (default: standard input, byte for byte)", "TEXT"},
        {"no-special", 0, 0, G_OPTION_ARG_NONE, &no_special, "leave out the tokens that the model wants around a text, such as BOS (default: off)", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_MODEL | GLINT_ARGS_CHAT | GLINT_ARGS_JSON, extra, NULL,
                          "Prints the token ids of a text, one `id<TAB>token` a line; line breaks, tabs and backslashes in a token\n"
                          "are written \\n, \\r, \\t and \\\\.",
                          "glint tokens --model data/demo/model --text 'A fine film.' --json", &argc, &argv, error))
        return 0;
    if (!tokenizer_path == !args.model.model)
        return glint_fail(error, GLINT_ERROR_USAGE, "give either --model DIR or --tokenizer FILE");
    g_autofree char *path = tokenizer_path ? g_strdup(tokenizer_path) : glint_resolve_tokenizer(args.model.model, error);
    g_autoptr(GlintTokenizer) tokenizer = path ? glint_tokenizer_open(path, error) : NULL;
    g_autoptr(GlintChat) chat = NULL;
    g_autofree char *folder = tokenizer_path ? g_path_get_dirname(tokenizer_path) : g_strdup(path);
    if (!tokenizer || !glint_args_chat(&args.chat, folder, &chat, error))
        return 0;
    g_autoptr(GByteArray) input = text ? g_byte_array_append(g_byte_array_new(), (guint8 *)text, (guint)strlen(text)) : read_stdin(error);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    if (!input || !glint_text_encode(tokenizer, chat, (char *)input->data, (gssize)input->len, !no_special, ids, error))
        return 0;
    if (args.common.json)
        print_json(tokenizer, ids);
    else
        for (guint k = 0; k < ids->len; k++)
            print_line(g_array_index(ids, guint32, k), glint_tokenizer_token(tokenizer, g_array_index(ids, guint32, k)));
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_tokens = {"tokens", "text to token ids", run, FALSE};
