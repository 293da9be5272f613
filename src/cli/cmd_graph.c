/* glint graph: precision matrices to graphs. */
#include "base/error.h"
#include "cli/command.h"
#include "cli/results.h"

static gboolean graph_of_folder(const char *folder, guint64 seed, GError **error) { return glint_job_graph(folder, NULL, seed, error); }

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    if (!glint_args_parse(&args, GLINT_ARGS_SEED, NULL, "RESULTS",
                          "Writes edges.csv, modules.csv, graph.dot and graph.graphml beside every precision.npz of a results folder\n"
                          "(or of one <class>/<site> folder).",
                          "glint graph results", &argc, &argv, error))
        return 0;
    if (argc != 2)
        return glint_fail(error, GLINT_ERROR_USAGE, "give one results folder; see %s --help", g_get_prgname());
    glint_results_each(argv[1], graph_of_folder, (guint64)args.common.seed, "graph written", error);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_graph = {"graph", "precision matrices to graphs: edges, modules, DOT, GraphML", run, FALSE};
