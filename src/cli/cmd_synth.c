/* glint synth: matched pairs of texts that differ in a concept, and a report of how much of the label is surface. */
#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/synth_job.h"

#include <stdio.h>

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    GlintSynthArgs *synth = &args.synth;
    const GOptionEntry extra[] = {
        {"recipe", 0, 0, G_OPTION_ARG_FILENAME, &synth->recipe, "sentiment, refusal, locations, language or golden-gate", "NAME"},
        {"topic", 0, 0, G_OPTION_ARG_FILENAME, &synth->topic, "make texts about this, and about something else", "TOPIC"},
        {"synthetic-topic", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_FILENAME, &synth->topic, NULL, "TOPIC"},
        {"n", 0, 0, G_OPTION_ARG_INT, &synth->n, "pairs, which is texts per class (default: 100)", "N"},
        {"model", 'm', 0, G_OPTION_ARG_FILENAME, &synth->model, "the server's model (no default)", "NAME"},
        {"dry-run", 0, 0, G_OPTION_ARG_NONE, &synth->dry_run, "print the prompts and send nothing (default: off)", NULL},
        {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_SYNTH | GLINT_ARGS_OUT | GLINT_ARGS_SEED | GLINT_ARGS_THREADS | GLINT_ARGS_JSON, extra, NULL,
                          "Makes labelled texts in matched pairs (same template, length and style, another concept) and reports how much of the\n"
                          "label is surface. A language model behind the OpenAI-compatible chat API writes them, with the key in\n"
                          "OPENAI_API_KEY; or, for the recipes, glint's own grammars (--local); or a model on this machine (--generator glint:MODEL).",
                          "glint synth --recipe refusal --local --n 500 --out refusal.jsonl", &argc, &argv, error))
        return 0;
    if (argc > 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "unexpected argument '%s'; see %s --help", argv[1], g_get_prgname());
    if (!synth->dry_run && !glint_args_require("--out", args.common.out, error))
        return 0;
    synth->model_option = "--model";
    g_autoptr(json_t) report = NULL;
    if (!glint_job_synth(synth, (guint64)args.common.seed, args.common.out, &report, error))
        return 0;
    if (synth->dry_run)
        return GLINT_EXIT_OK;
    if (args.common.json) {
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else
        printf("%s\n", args.common.out);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_synth = {"synth", "matched pairs of texts that differ in a concept", run, TRUE};
