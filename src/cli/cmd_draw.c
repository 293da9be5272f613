/* glint draw: graphs to pictures. */
#include "base/error.h"
#include "cli/command.h"
#include "cli/results.h"

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    if (!glint_args_parse(&args, GLINT_ARGS_SEED, NULL, "RESULTS",
                          "Draws precision.png, graph.png and graph.svg beside every graph of a results folder (or of one <class>/<site> folder).",
                          "glint draw results", &argc, &argv, error))
        return 0;
    if (argc != 2)
        return glint_fail(error, GLINT_ERROR_USAGE, "give one results folder; see %s --help", g_get_prgname());
    glint_results_each(argv[1], glint_job_draw, (guint64)args.common.seed, "pictures drawn", error);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_draw = {"draw", "graphs to pictures", run, FALSE};
