/* glint collect: labelled text through a model, moments of its activations per class. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/collect_job.h"
#include "cli/command.h"
#include "cli/mpi_job.h"

#include <stdio.h>

static void print_plan(const json_t *plan)
{
    size_t k;
    json_t *pass;
    double most = 0;
    json_int_t tokens = 0;
    const size_t n_passes = json_array_size(json_object_get(plan, "passes"));
    json_array_foreach(json_object_get(plan, "passes"), k, pass) {
        const json_t *sites = json_object_get(pass, "sites");
        const char *first = json_string_value(json_array_get(sites, 0)), *last = json_string_value(json_array_get(sites, json_array_size(sites) - 1));
        const double bytes = (double)json_integer_value(json_object_get(pass, "bytes"));
        char size[16];
        most = MAX(most, bytes);
        tokens += json_integer_value(json_object_get(pass, "tokens"));
        printf("pass %zu: class %s, %zu target%s (%s%s%s), %s, %" JSON_INTEGER_FORMAT " tokens%s\n", k + 1, json_string_value(json_object_get(pass, "class")),
               json_array_size(sites), json_array_size(sites) == 1 ? "" : "s", first ? first : "", json_array_size(sites) > 1 ? " to " : "", json_array_size(sites) > 1 ? last : "",
               glint_size_text(bytes, size, sizeof size), json_integer_value(json_object_get(pass, "tokens")),
               json_is_true(json_object_get(pass, "continued")) ? ", continued" : "");
    }
    char needed[16], there[16];
    if (n_passes == 0)
        printf("nothing to do: everything is there\n");
    else
        printf("in all: %zu pass%s, %" JSON_INTEGER_FORMAT " tokens to run, at most %s of %s\n", n_passes, n_passes == 1 ? "" : "es", tokens,
               glint_size_text(most, needed, sizeof needed), glint_size_text((double)json_integer_value(json_object_get(plan, "memory")), there, sizeof there));
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    const GOptionEntry extra[] = {
        {"shard", 0, 0, G_OPTION_ARG_FILENAME, &args.collect.shard, "run the I-th of N shares of the texts; glint merge joins them (default: 1/1, all)", "I/N"},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &args.collect.dry_run, "print the plan, which passes collect what, and stop (default: off)", NULL},
        {"from", 0, 0, G_OPTION_ARG_FILENAME, &args.collect.from, "moments of saved activations: a folder with them, in place of --model and --dataset", "DIR"},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_MODEL | GLINT_ARGS_DATA | GLINT_ARGS_SYNTH | GLINT_ARGS_COLLECT | GLINT_ARGS_CHAT | GLINT_ARGS_OUT | GLINT_ARGS_SEED | GLINT_ARGS_THREADS | GLINT_ARGS_JSON,
                          extra, NULL, "Runs labelled text through a model and keeps mean and second moment of the activations, per class and layer, in\nOUT/moments/<class>/<site>.safetensors. An interrupted run is continued by the same command.",
                          "glint collect --model data/demo/model --dataset data/demo/reviews.jsonl --out results", &argc, &argv, error))
        return 0;
    if (argc > 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "unexpected argument '%s'; see %s --help", argv[1], g_get_prgname());
    const gboolean from = args.collect.from != NULL;
    if (!from && (!glint_args_require("--model", args.model.model, error) || !glint_args_require("--dataset", args.data.dataset, error)))
        return 0;
    g_autoptr(json_t) report = json_object();
    gboolean first = TRUE;
    if (!glint_args_require("--out", args.common.out, error))
        return 0;
    if (glint_mpi_launched()) {
        if (from || args.collect.dry_run || args.collect.shard)
            return glint_fail(error, GLINT_ERROR_USAGE, "--from, --dry-run and --shard do not go with mpirun, which shares the work out itself");
        if (args.collect.save_activations) /* the shards go once they are merged, and rows are not merged */
            return glint_fail(error, GLINT_ERROR_USAGE, "--save-activations does not go with mpirun, which removes the shards that the rows would lie in; run every share "
                              "by itself with --shard I/N, then glint merge");
        if (g_strcmp0(args.data.dataset, "synthetic") == 0) /* every process would ask a language model, and pay */
            return glint_fail(error, GLINT_ERROR_USAGE, "--dataset synthetic does not go with mpirun; make the texts first with glint synth, and give the file");
        int code = glint_job_collect_mpi(&args, report, &first, error);
        if (code != GLINT_EXIT_OK || !first)
            return code;
    } else if (!(from ? glint_job_collect_from : glint_job_collect)(&args, args.common.out, report, error))
        return 0;
    if (args.collect.dry_run && !args.common.json)
        print_plan(json_object_get(report, "plan"));
    else if (args.common.json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else
        printf("%s\n", args.common.out);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_collect = {"collect", "labelled text through a model: moments of activations per class", run, TRUE};
