/* glint compare: what differs between the graphs of classes. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/command.h"
#include "cli/results.h"

#include <string.h>

/* Folders given one by one: the classes are named by --names, or by the certificates, or by the folders. */
static gboolean compare_folders(const GlintArgs *args, const char *names, int argc, char **argv, GError **error)
{
    gsize n = (gsize)argc - 1;
    g_auto(GStrv) classes = names ? g_strsplit(names, ",", -1) : g_new0(char *, n + 1);
    if (names && g_strv_length(classes) != n)
        return glint_fail(error, GLINT_ERROR_USAGE, "--names has %u names for %zu folders", g_strv_length(classes), n);
    for (gsize c = 0; c < n && !names; c++) {
        g_autoptr(json_t) certificate = glint_certificate_read(argv[c + 1]);
        const json_t *name = certificate ? json_object_get(certificate, "class") : NULL;
        classes[c] = g_strdup(json_is_string(name) ? json_string_value(name) : argv[c + 1]);
    }
    if (!glint_args_require("--out", args->common.out, error))
        return FALSE;
    g_autoptr(json_t) certificate = glint_certificate_read(argv[1]);
    const json_t *site = certificate ? json_object_get(certificate, "site") : NULL;
    return glint_job_compare(argv + 1, classes, n, json_is_string(site) ? json_string_value(site) : NULL, args->common.out, !args->skip_viz, NULL, error);
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    g_autofree char *names = NULL;
    const GOptionEntry extra[] = {{"names", 0, 0, G_OPTION_ARG_FILENAME, &names, "names of the folders' classes, comma between (default: from certificate.json)", "A,B"},
                                  {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_OUT | GLINT_ARGS_VIZ, extra, "RESULTS | FOLDER FOLDER...",
                          "Writes what the graphs of several classes share and what only one has: for every site of a results folder to\n"
                          "RESULTS/compare/<site>/, or for the graph folders given to --out.",
                          "glint compare results", &argc, &argv, error))
        return 0;
    if (argc < 2)
        return glint_fail(error, GLINT_ERROR_USAGE, "give a results folder, or two or more graph folders; see %s --help", g_get_prgname());
    if (argc == 2)
        glint_job_compare_collected(argv[1], args.common.out, !args.skip_viz, NULL, error);
    else
        compare_folders(&args, names, argc, argv, error);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_compare = {"compare", "what differs between the graphs of classes", run, FALSE};
