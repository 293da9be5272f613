/* glint solve: the graphical lasso on a covariance, on activations, or on everything a `glint collect` left. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/command.h"
#include "cli/results.h"

#include <stdio.h>

/* One matrix: results go to --out itself. */
static int solve_matrix(const GlintArgs *args, const char *covariance, const char *activations, GError **error)
{
    if (!glint_args_require("--out", args->common.out, error))
        return 0;
    if (args->solve.neurons)
        return glint_fail(error, GLINT_ERROR_USAGE, "--neurons chooses among collected neurons; a matrix is solved whole");
    g_autoptr(GlintSample) sample = covariance ? glint_sample_from_covariance(covariance, error) : glint_sample_from_activations(activations, error);
    g_autoptr(GlintFolder) folder = sample ? glint_folder_new(args->common.out, error) : NULL;
    gboolean converged = FALSE;
    if (!folder || !glint_job_solve(sample, &args->solve, args->model.threads, glint_folder_path(folder), &converged, error) ||
        !glint_folder_commit(g_steal_pointer(&folder), error))
        return 0;
    g_autoptr(json_t) certificate = glint_certificate_read(args->common.out);
    if (certificate && args->common.json) {
        json_dumpf(certificate, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (certificate)
        printf("%s: %zu neurons, %" JSON_INTEGER_FORMAT " edges at lambda %.6g, relative gap %.2g, %s\n", args->common.out, sample->p,
               json_integer_value(json_object_get(certificate, "edges")), json_real_value(json_object_get(certificate, "lambda")),
               json_real_value(json_object_get(certificate, "relative_duality_gap")), json_string_value(json_object_get(certificate, "outcome")));
    if (!converged)
        glint_warn("the solver stopped before its tolerance; the results are written with their true gap (more --max-iterations, or a looser --tol)");
    return converged ? GLINT_EXIT_OK : GLINT_EXIT_NOT_CONVERGED;
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    g_autofree char *covariance = NULL, *activations = NULL;
    const GOptionEntry extra[] = {
        {"cov", 0, 0, G_OPTION_ARG_FILENAME, &covariance, "covariance or correlation matrix, p x p .npy", "FILE"},
        {"activations", 0, 0, G_OPTION_ARG_FILENAME, &activations, "samples x neurons, n x p .npy", "FILE"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_SOLVE | GLINT_ARGS_OUT | GLINT_ARGS_THREADS | GLINT_ARGS_JSON, extra, "[RESULTS]",
                          "Estimates the sparse precision matrix with the graphical lasso and certifies it: of one matrix (--cov, --activations)\n"
                          "into --out, or of every class and site that glint collect left in RESULTS.",
                          "glint solve --cov correlation.npy --alpha 0.3 --out solved", &argc, &argv, error) ||
        !glint_solve_args_check(&args.solve, error))
        return 0;
    if ((covariance != NULL) + (activations != NULL) + (argc == 2) != 1 || argc > 2)
        return glint_fail(error, GLINT_ERROR_USAGE, "give one of --cov FILE, --activations FILE, or a folder of glint collect; see %s --help", g_get_prgname());
    if (argc == 2 && (args.common.out || args.common.json))
        return glint_fail(error, GLINT_ERROR_USAGE, "--out and --json belong to --cov and --activations; a results folder is solved in place, leave them out");
    if (argc == 1)
        return solve_matrix(&args, covariance, activations, error);
    gboolean all_converged = TRUE;
    if (!glint_job_solve_collected(argv[1], &args, GLINT_JOB_SOLVE, &all_converged, NULL, error))
        return 0;
    return all_converged ? GLINT_EXIT_OK : GLINT_EXIT_NOT_CONVERGED;
}

const GlintCommand glint_command_solve = {"solve", "covariance or activations to a sparse precision matrix, certified", run, TRUE};
