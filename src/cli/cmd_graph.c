/* glint graph: precision matrices to graphs. */
#include "base/error.h"
#include "base/talk.h"
#include "cli/command.h"
#include "cli/results.h"

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
    g_autoptr(GPtrArray) results = glint_results_find(argv[1], error);
    for (guint k = 0; results && k < results->len; k++) {
        const GlintResult *result = g_ptr_array_index(results, k);
        if (!glint_check_interrupt(error) || !glint_job_graph(result->path, NULL, (guint64)args.common.seed, error))
            return 0;
        glint_say("%s: graph written", result->path);
    }
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_graph = {"graph", "precision matrices to graphs: edges, modules, DOT, GraphML", run};
