/* glint collect: labelled text through a model, moments of its activations per class. */
#include "base/error.h"
#include "base/files.h"
#include "cli/collect_job.h"
#include "cli/command.h"

#include <stdio.h>

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    if (!glint_args_parse(&args, GLINT_ARGS_MODEL | GLINT_ARGS_DATA | GLINT_ARGS_COLLECT | GLINT_ARGS_CHAT | GLINT_ARGS_OUT | GLINT_ARGS_SEED | GLINT_ARGS_THREADS | GLINT_ARGS_JSON,
                          NULL, NULL, "Runs labelled text through a model and keeps mean and second moment of the activations, per class and layer, in\nOUT/moments/<class>/<site>.safetensors. An interrupted run is continued by the same command.",
                          "glint collect --model data/demo/model --dataset data/demo/reviews.jsonl --out results", &argc, &argv, error))
        return 0;
    if (argc > 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "unexpected argument '%s'; see %s --help", argv[1], g_get_prgname());
    if (!glint_args_require("--model", args.model.model, error) || !glint_args_require("--dataset", args.data.dataset, error) ||
        !glint_args_require("--out", args.common.out, error))
        return 0;
    g_autoptr(json_t) report = json_object();
    if (!glint_job_collect(&args, args.common.out, report, error))
        return 0;
    if (args.common.json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else
        printf("%s\n", args.common.out);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_collect = {"collect", "labelled text through a model: moments of activations per class", run, TRUE};
