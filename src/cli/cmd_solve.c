/* glint solve: the graphical lasso on a covariance, on activations, or on everything a `glint collect` left. */
#include "base/error.h"
#include "base/talk.h"
#include "cli/command.h"
#include "cli/results.h"

static gsize count_of(char *const *files) { return files ? g_strv_length((char **)(gsize)files) : 0; }

/* What goes together, before anything is read. */
static gboolean check_input(const GlintArgs *args, char *const *covariances, char *const *activations, int n_folders, const char *folder, GError **error)
{
    if (folder && g_file_test(folder, G_FILE_TEST_IS_REGULAR))
        return glint_fail(error, GLINT_ERROR_USAGE, "'%s' is a file; say what it holds, with --activations %s (samples x neurons) or --cov %s", folder, folder, folder);
    const gsize n_files = count_of(covariances) + count_of(activations);
    if ((covariances != NULL) + (activations != NULL) + (n_folders == 1) != 1 || n_folders > 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "give one of --cov FILE, --activations FILE, or a folder of glint collect; see %s --help", g_get_prgname());
    if ((args->solve.from_class || args->solve.from_site) && !activations)
        return glint_fail(error, GLINT_ERROR_USAGE, "--class and --site choose from a folder of saved --activations; give that");
    if (n_folders == 1)
        return !(args->common.out || args->common.json) || glint_fail(error, GLINT_ERROR_USAGE, "--out and --json belong to --cov and --activations; a results "
                                                                      "folder is solved in place, leave them out");
    if (args->solve.neurons || args->solve.with_all)
        return glint_fail(error, GLINT_ERROR_USAGE, "%s is for what glint collect left; a matrix is solved whole", args->solve.neurons ? "--neurons" : "--with-all");
    if (!args->solve.joint && n_files > 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "%zu matrices were given; solve them one by one, or together with --joint group or --joint fused", n_files);
    if (args->solve.joint && n_files < 2)
        return glint_fail(error, GLINT_ERROR_USAGE, "--joint needs a matrix for each of at least two classes, as --cov a.npy --cov b.npy");
    if (args->solve.joint && args->solve.groups)
        return glint_fail(error, GLINT_ERROR_USAGE, "--groups cannot be had with --joint, which draws no resamples");
    return glint_args_require("--out", args->common.out, error);
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    g_auto(GStrv) covariances = NULL, activations = NULL;
    const GOptionEntry extra[] = {
        {"cov", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &covariances, "covariance or correlation matrix, p x p .npy; with --joint once for each class", "FILE"},
        {"activations", 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &activations,
         "samples x neurons: n x p .npy, or a folder of glint collect --save-activations; with --joint once for each class", "PATH"},
        {"class", 0, 0, G_OPTION_ARG_FILENAME, &args.solve.from_class, "class to take from such a folder (default: the only one)", "NAME"},
        {"site", 0, 0, G_OPTION_ARG_FILENAME, &args.solve.from_site, "site to take from such a folder, as in blocks.3.mlp.hook_post (default: the only one)", "SITE"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_SOLVE | GLINT_ARGS_ROWS | GLINT_ARGS_OUT | GLINT_ARGS_SEED | GLINT_ARGS_THREADS | GLINT_ARGS_JSON, extra, "[RESULTS]",
                          "Estimates the sparse precision matrix with the graphical lasso and certifies it: of one matrix (--cov, --activations)\n"
                          "into --out, or of every class and site that glint collect left in RESULTS.",
                          "glint solve --activations x.npy --lambda-select ebic --stability 100 --debias --out solved", &argc, &argv, error) ||
        !check_input(&args, covariances, activations, argc - 1, argc > 1 ? argv[1] : NULL, error) || !glint_solve_args_check(&args, activations != NULL, error))
        return 0;
    if (argc == 1)
        return args.solve.joint ? glint_job_solve_matrices(&args, covariances, activations, error)
                                : glint_job_solve_matrix(&args, covariances ? covariances[0] : NULL, activations ? activations[0] : NULL, error);
    gboolean all_converged = TRUE;
    if (!glint_job_solve_collected(argv[1], &args, GLINT_JOB_SOLVE, &all_converged, NULL, error))
        return 0;
    return glint_interrupted() ? GLINT_EXIT_INTERRUPTED : all_converged ? GLINT_EXIT_OK : GLINT_EXIT_NOT_CONVERGED;
}

const GlintCommand glint_command_solve = {"solve", "covariance or activations to a sparse precision matrix, certified", run, TRUE};
