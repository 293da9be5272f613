/* glint info: what a model folder holds, from its headers alone (model_info.c); what this program is made of (build_info.c). */
#include "base/error.h"
#include "base/files.h"
#include "cli/build_info.h"
#include "cli/command.h"
#include "cli/model_info.h"
#include "cli/options.h"
#include "cli/resolve.h"

#include <stdio.h>

static void print(json_t *root, gboolean json, void (*plain)(json_t *))
{
    if (!json) {
        plain(root);
        return;
    }
    json_dumpf(root, stdout, JSON_INDENT(2));
    putchar('\n');
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    gboolean build = FALSE;
    const GOptionEntry extra[] = {{"build", 0, 0, G_OPTION_ARG_NONE, &build, "print versions of libraries, CPU features in use and threads instead", NULL},
                                  {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_MODEL | GLINT_ARGS_JSON, extra, "[MODEL]",
                          "Prints what a model folder holds: family, shapes, layers, tokenizer, sites with their widths, memory needed. No weight is read.",
                          "glint info data/demo/model", &argc, &argv, error))
        return 0;
    if (build) {
        g_autoptr(json_t) root = glint_build_describe();
        print(root, args.common.json, glint_build_print);
        return GLINT_EXIT_OK;
    }
    const char *name = argc == 2 ? argv[1] : args.model.model;
    if (argc > 2 || !name)
        return glint_fail(error, GLINT_ERROR_USAGE, "give one model folder; see %s --help", g_get_prgname());
    GlintModelOptions options = {.threads = args.model.threads};
    g_autofree char *folder = NULL;
    if (!glint_args_compute_type(args.model.dtype, &options.dtype, error) || !(folder = glint_resolve_model(name, error)))
        return 0;
    GlintModelSummary summary;
    if (!glint_model_summarize(folder, &options, &summary, error))
        return 0;
    g_autoptr(json_t) root = glint_model_describe(folder, &summary);
    glint_model_summary_clear(&summary);
    print(root, args.common.json, glint_model_print);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_info = {"info", "what a model folder holds", run, FALSE};
