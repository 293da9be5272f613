/* glint merge: the folders that glint collect --shard I/N left, joined to one. */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/command.h"
#include "cli/options.h"

#include <stdio.h>

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    gboolean partial = FALSE;
    GlintMergeStats stats;
    const GOptionEntry extra[] = {{"partial", 0, 0, G_OPTION_ARG_NONE, &partial, "merge what is given although shards are missing (default: off)", NULL},
                                  {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_THREADS | GLINT_ARGS_JSON, extra, "OUT SHARD...",
                          "Joins what glint collect --shard I/N left in the folders SHARD into OUT, which then is what one run over all the\n"
                          "texts leaves. The order of the folders makes no difference; a merge that was stopped is continued by the same command.",
                          "glint merge results part1 part2 part3", &argc, &argv, error))
        return 0;
    if (argc < 3)
        return glint_fail(error, GLINT_ERROR_USAGE, "the folder to write and the shards are expected: glint merge OUT SHARD...; see %s --help", g_get_prgname());
    if (!glint_collect_merge(argv + 2, (gsize)argc - 2, partial, argv[1], &stats, error))
        return 0;
    if (stats.n_missing > 0)
        glint_warn("%zu shard%s missing from %s: it holds a part of the texts", stats.n_missing, stats.n_missing == 1 ? " is" : "s are", argv[1]);
    glint_say("merged: %zu shard%s, %zu site%s, %zu texts, %zu tokens%s", stats.n_shards, stats.n_shards == 1 ? "" : "s", stats.n_sites,
              stats.n_sites == 1 ? "" : "s", stats.n_texts, stats.n_tokens, stats.reused ? ", all there already" : "");
    if (args.common.json) {
        g_autoptr(json_t) report = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:b}", "folder", argv[1], "shards", (json_int_t)stats.n_shards, "missing", (json_int_t)stats.n_missing,
                                             "sites", (json_int_t)stats.n_sites, "texts", (json_int_t)stats.n_texts, "tokens", (json_int_t)stats.n_tokens, "reused", stats.reused);
        json_dumpf(report, stdout, JSON_INDENT(2));
        putchar('\n');
    } else
        printf("%s\n", argv[1]);
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_merge = {"merge", "shares of a run, collected with --shard, to one", run, TRUE};
