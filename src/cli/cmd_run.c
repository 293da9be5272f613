/* glint run: the whole way, from a model folder and labelled text to graphs, pictures and what differs between the classes.
 * It only strings together the jobs that the single commands run; run.json records how it went. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/collect_job.h"
#include "cli/command.h"
#include "cli/mpi_job.h"
#include "cli/results.h"
#include "cli/summary.h"

#include <stdio.h>

static json_t *describe_settings(const GlintArgs *a)
{
    json_t *root = json_pack("{s:s?, s:s?, s:s?, s:s?, s:s?, s:s?, s:i, s:i, s:i, s:s?, s:s?, s:s?, s:s?, s:b, s:b, s:b, s:I, s:i, s:b}", "model", a->model.model, "dataset",
                             a->data.dataset, "dtype", a->model.dtype, "site", a->collect.site, "layers", a->collect.layers, "pool", a->collect.pool,
                             "max_tokens", a->collect.max_tokens, "max_samples", a->data.max_samples, "batch_size", a->collect.batch_size, "alpha", a->solve.alpha, "degree",
                             a->solve.degree, "tol", a->solve.tolerance, "neurons", a->solve.neurons, "penalize_diagonal", a->solve.penalize_diagonal, "no_scale",
                             a->solve.no_scale, "with_all", a->solve.with_all, "seed", (json_int_t)a->common.seed, "threads", a->model.threads, "skip_viz", a->skip_viz);
    const GlintSolveArgs *solve = &a->solve;
    const struct { const char *key, *value; } more[] = {
        {"density", solve->density}, {"lambda_select", solve->select}, {"gamma", solve->gamma}, {"path", solve->path}, {"shrinkage", solve->shrinkage}, {"solver", solve->solver},
        {"time_limit", solve->time_limit}, {"penalty", solve->penalty}, {"start", solve->start}, {"joint", solve->joint}, {"lambda2", solve->lambda2},
        {"text_column", a->data.text_column}, {"label_column", a->data.label_column}, {"chat_format", a->chat.format}, {"system", a->chat.system}, {"chat_date", a->chat.date}};
    for (gsize k = 0; k < G_N_ELEMENTS(more); k++) /* what was not asked for is not worth a line */
        if (more[k].value)
            json_object_set_new(root, more[k].key, json_string(more[k].value));
    const struct { const char *key; gboolean value; } switches[] = {{"debias", solve->debias}, {"chat", a->chat.chat}, {"no_thinking", a->chat.no_thinking}};
    for (gsize k = 0; k < G_N_ELEMENTS(switches); k++)
        if (switches[k].value)
            json_object_set_new(root, switches[k].key, json_true());
    return root;
}

static gboolean write_report(json_t *report, const char *folder, gint64 started, GError **error)
{
    json_t *warnings = json_array();
    g_auto(GStrv) list = glint_warnings();
    for (gsize k = 0; list && list[k]; k++)
        json_array_append_new(warnings, json_string(list[k]));
    json_object_set_new(report, "warnings", warnings);
    json_object_set_new(report, "seconds", json_real((double)(g_get_monotonic_time() - started) * 1e-6));
    g_autofree char *path = g_build_filename(folder, "run.json", NULL);
    return glint_json_write(path, report, error);
}

static int run_all(const GlintArgs *args, GError **error)
{
    gint64 started = g_get_monotonic_time();
    const char *folder = args->common.out;
    g_autoptr(json_t) report = glint_describe_program();
    json_object_set_new(report, "settings", describe_settings(args));
    if (!glint_job_collect(args, folder, report, error))
        return 0;
    json_t *results = json_array(), *comparisons = json_array();
    json_object_set_new(report, "results", results);
    json_object_set_new(report, "compare", comparisons);
    gboolean converged = TRUE;
    GlintJob last = args->skip_viz ? GLINT_JOB_GRAPH : GLINT_JOB_DRAW;
    if (!glint_job_solve_collected(folder, args, last, &converged, results, error) ||
        !glint_job_compare_collected(folder, NULL, !args->skip_viz, comparisons, error) || !write_report(report, folder, started, error))
        return 0;
    if (args->common.json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else
        glint_print_summary(report, folder, !args->skip_viz);
    return converged ? GLINT_EXIT_OK : GLINT_EXIT_NOT_CONVERGED;
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    if (!glint_args_parse(&args,
                          GLINT_ARGS_MODEL | GLINT_ARGS_DATA | GLINT_ARGS_SYNTH | GLINT_ARGS_COLLECT | GLINT_ARGS_CHAT |
                              GLINT_ARGS_SOLVE | GLINT_ARGS_OUT | GLINT_ARGS_SEED | GLINT_ARGS_VIZ | GLINT_ARGS_THREADS | GLINT_ARGS_JSON,
                          NULL, NULL,
                          "Runs labelled text through a model and, for every class and layer, estimates the graph of neurons that are dependent given\n"
                          "all others, finds its modules, draws it, and tells what differs between the classes. The same command continues an\n"
                          "interrupted run and keeps what is there already.",
                          "glint run --dataset demo --model demo --alpha 0.3 --output_dir results", &argc, &argv, error))
        return 0;
    if (argc > 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "unexpected argument '%s'; see %s --help", argv[1], g_get_prgname());
    if (!glint_mpi_refuse("run", error))
        return 0;
    if (!args.common.out)
        args.common.out = g_strdup("results");
    if (!glint_args_require("--model", args.model.model, error) || !glint_args_require("--dataset", args.data.dataset, error) ||
        !glint_solve_args_check(&args, FALSE, error))
        return 0;
    return run_all(&args, error);
}

const GlintCommand glint_command_run = {"run", "all of it: model folder and labelled text to graphs and pictures", run, TRUE};
