/* glint solve --cov and --activations: one matrix into --out itself, several with --joint into --out/<class>/, a class being named after its
 * file. See results.h. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/results.h"
#include "collect/collect.h"

#include <stdio.h>
#include <string.h>

/* Rows of one text depend on each other, and these rules draw rows one by one. */
static gboolean check_rule(const GlintSample *sample, const GlintArgs *args, const GlintSolvePlan *plan, GError **error)
{
    const gboolean one_by_one = plan->rule == GLINT_RULE_CV || plan->rule == GLINT_RULE_STARS || plan->rule == GLINT_RULE_RIC;
    return !sample->group || args->solve.groups || !one_by_one ||
           glint_fail(error, GLINT_ERROR_USAGE, "--lambda-select %s draws rows one by one, and these are tokens, of which those of one text depend on each other; choose lambda by "
                      "degree, density, ebic or --alpha", args->solve.select);
}

static GlintSample *open_activations(const GlintArgs *args, const GlintSolvePlan *plan, const char *path, GError **error)
{
    const gboolean keep_rows = glint_solve_needs_rows(&args->solve) != NULL;
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        if (args->solve.from_class || args->solve.from_site) {
            glint_fail(error, GLINT_ERROR_USAGE, "%s is a file; --class and --site choose from a folder of saved activations", path);
            return NULL;
        }
        return glint_sample_from_activations(path, keep_rows, error);
    }
    g_autoptr(GlintSample) sample = glint_sample_from_saved(path, args->solve.from_class, args->solve.from_site, keep_rows, error);
    return sample && check_rule(sample, args, plan, error) ? g_steal_pointer(&sample) : NULL;
}

static GlintSample *open_sample(const GlintArgs *args, const GlintSolvePlan *plan, const char *covariance, const char *activations, GError **error)
{
    g_autoptr(GlintSample) sample = covariance ? glint_sample_from_covariance(covariance, error) : open_activations(args, plan, activations, error);
    if (!sample || !glint_sample_prepare(sample, &args->solve, plan, args->model.threads, NULL, error))
        return NULL;
    return g_steal_pointer(&sample);
}

/* Whether the time limit is what ended it. */
static gboolean say_outcome(const GlintArgs *args, const char *folder, gsize p)
{
    g_autoptr(json_t) certificate = glint_certificate_read(folder);
    const char *outcome = certificate ? json_string_value(json_object_get(certificate, "outcome")) : NULL;
    if (certificate && args->common.json) {
        json_dumpf(certificate, stdout, JSON_INDENT(2));
        putchar('\n');
    } else if (certificate)
        printf("%s: %zu neurons, %" JSON_INTEGER_FORMAT " edges at lambda %.6g, relative gap %.2g, %s\n", folder, p,
               json_integer_value(json_object_get(certificate, "edges")), json_number_value(json_object_get(certificate, "lambda")),
               json_number_value(json_object_get(certificate, "relative_duality_gap")), outcome);
    return g_strcmp0(outcome, ggm_outcome_text(GGM_TIME_LIMIT)) == 0;
}

static int exit_code_of(const GlintArgs *args, gboolean converged, gboolean limited)
{
    if (glint_interrupted()) {
        glint_warn("interrupted: the answer is written with what was found out about it by then");
        return GLINT_EXIT_INTERRUPTED;
    }
    if (!converged && limited)
        glint_warn("the time limit came first: the results are what there was by then, with their true gap%s (a longer --time-limit goes further)",
                   args->solve.alpha ? "" : ", at the best lambda of those tried so far");
    else if (!converged)
        glint_warn("the solver stopped before its tolerance; the results are written with their true gap (more --max-iterations, or a looser --tol)");
    return converged ? GLINT_EXIT_OK : GLINT_EXIT_NOT_CONVERGED;
}

int glint_job_solve_matrix(const GlintArgs *args, const char *covariance, const char *activations, GError **error)
{
    g_auto(GlintSolvePlan) plan = {0};
    if (!glint_solve_plan_read(&plan, &args->solve, error))
        return 0;
    g_autoptr(GlintSample) sample = open_sample(args, &plan, covariance, activations, error);
    g_autoptr(GlintFolder) folder = sample ? glint_folder_new(args->common.out, error) : NULL;
    g_autofree char *unfinished = glint_unfinished_path(args->common.out);
    gboolean converged = FALSE;
    if (!folder || !glint_job_solve(sample, args, glint_folder_path(folder), unfinished, &converged, error) ||
        !glint_folder_commit(g_steal_pointer(&folder), error))
        return 0;
    const gboolean limited = say_outcome(args, args->common.out, sample->p);
    return exit_code_of(args, converged, limited);
}

/* "pos" of "data/pos.npy" */
static char *stem_of(const char *path)
{
    char *name = g_path_get_basename(path), *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = '\0';
    return name;
}

static gboolean open_classes(const GlintArgs *args, const GlintSolvePlan *plan, char *const *covariances, char *const *activations, GPtrArray *samples, GError **error)
{
    for (gsize k = 0; covariances ? covariances[k] != NULL : activations[k] != NULL; k++) {
        GlintSample *sample = open_sample(args, plan, covariances ? covariances[k] : NULL, activations ? activations[k] : NULL, error);
        if (!sample)
            return FALSE;
        if (!sample->class_name) /* saved activations know theirs */
            sample->class_name = stem_of(covariances ? covariances[k] : activations[k]);
        g_ptr_array_add(samples, sample);
        for (gsize m = 0; m < k; m++)
            if (strcmp(((GlintSample *)g_ptr_array_index(samples, m))->class_name, sample->class_name) == 0)
                return glint_fail(error, GLINT_ERROR_USAGE, "two files are named '%s'; a class is named after its file, so give them different names", sample->class_name);
    }
    return TRUE;
}

int glint_job_solve_matrices(const GlintArgs *args, char *const *covariances, char *const *activations, GError **error)
{
    g_auto(GlintSolvePlan) plan = {0};
    g_autoptr(GPtrArray) samples = g_ptr_array_new_with_free_func((GDestroyNotify)glint_sample_free), folders = g_ptr_array_new_with_free_func(g_free);
    if (!glint_solve_plan_read(&plan, &args->solve, error) || !open_classes(args, &plan, covariances, activations, samples, error))
        return 0;
    g_autoptr(GlintFolder) folder = glint_folder_new(args->common.out, error);
    for (guint k = 0; folder && k < samples->len; k++) {
        g_autofree char *name = glint_class_folder(((GlintSample *)g_ptr_array_index(samples, k))->class_name);
        g_ptr_array_add(folders, g_build_filename(glint_folder_path(folder), name, NULL));
        if (!glint_mkdir(g_ptr_array_index(folders, k), error))
            return 0;
    }
    gboolean converged = FALSE, limited = FALSE;
    if (!folder || !glint_job_solve_joint((GlintSample *const *)samples->pdata, samples->len, args, (char *const *)folders->pdata, &converged, error) ||
        !glint_folder_commit(g_steal_pointer(&folder), error))
        return 0;
    for (guint k = 0; k < samples->len; k++) {
        const GlintSample *sample = g_ptr_array_index(samples, k);
        g_autofree char *name = glint_class_folder(sample->class_name), *path = g_build_filename(args->common.out, name, NULL);
        limited = say_outcome(args, path, sample->p) || limited;
    }
    return exit_code_of(args, converged, limited);
}
