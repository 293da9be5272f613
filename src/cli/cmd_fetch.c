/* glint fetch: a model of the hub into the cache, and the path of its snapshot on standard output. */
#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/options.h"
#include "hub/hub.h"

#include <stdio.h>

static void print_json(const GlintHubSnapshot *snapshot)
{
    g_autoptr(json_t) root = json_object();
    json_t *files = json_array();
    gint64 total = 0, come = 0;
    for (guint i = 0; i < snapshot->files->len; i++) {
        const GlintHubFile *file = g_ptr_array_index(snapshot->files, i);
        json_array_append_new(files, json_pack("{s:s, s:I, s:b}", "name", file->name, "bytes", (json_int_t)file->size, "cached", (int)file->cached));
        total += file->size;
        come += file->cached ? 0 : file->size;
    }
    json_object_set_new(root, "id", json_string(snapshot->id));
    json_object_set_new(root, "revision", json_string(snapshot->revision));
    json_object_set_new(root, "commit", json_string(snapshot->commit));
    json_object_set_new(root, "path", json_string(snapshot->path));
    json_object_set_new(root, "offline", json_boolean(snapshot->offline));
    json_object_set_new(root, "bytes", json_integer(total));
    json_object_set_new(root, "bytes_not_cached", json_integer(come));
    json_object_set_new(root, "files", files);
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
}

/* One `bytes<TAB>cached|to fetch<TAB>name` a line. */
static void print_files(const GlintHubSnapshot *snapshot)
{
    for (guint i = 0; i < snapshot->files->len; i++) {
        const GlintHubFile *file = g_ptr_array_index(snapshot->files, i);
        printf("%" G_GINT64_FORMAT "\t%s\t%s\n", file->size, file->cached ? "cached" : "to fetch", file->name);
    }
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    g_autofree char *cache_dir = NULL;
    gboolean dry_run = FALSE, tokenizer_only = FALSE;
    const GOptionEntry extra[] = {
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &dry_run, "print the files and their sizes, fetch nothing (default: off)", NULL},
        {"tokenizer-only", 0, 0, G_OPTION_ARG_NONE, &tokenizer_only, "leave the weights away (default: off)", NULL},
        {"cache-dir", 0, 0, G_OPTION_ARG_FILENAME, &cache_dir,
         "cache folder (default: HF_HUB_CACHE, else HF_HOME/hub, else ~/.cache/huggingface/hub)", "DIR"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_JSON, extra, "ORG/NAME[@REVISION]",
                          "Fetches a model from the Hugging Face hub into its cache, which it shares with the Python client, and prints the folder.\n"
                          "Only what glint reads is fetched; a fetch that was cut is continued. Commands with --model do this by themselves.",
                          "glint fetch openai-community/gpt2", &argc, &argv, error))
        return 0;
    if (argc != 2)
        return glint_fail(error, GLINT_ERROR_USAGE, "give one model as org/name or org/name@revision; see %s --help", g_get_prgname());
    const GlintHubOptions options = {.cache_dir = cache_dir, .dry_run = dry_run, .tokenizer_only = tokenizer_only};
    g_autoptr(GlintHubSnapshot) snapshot = glint_hub_fetch(argv[1], &options, error);
    if (!snapshot)
        return 0;
    if (args.common.json)
        print_json(snapshot);
    else if (dry_run)
        print_files(snapshot);
    else
        printf("%s\n", snapshot->path);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_fetch = {"fetch", "a model from the Hugging Face hub into its cache", run, FALSE};
