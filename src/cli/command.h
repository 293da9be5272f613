/* Commands of the program. One file per command (cmd_<name>.c) ends in a GlintCommand, listed below. */
#pragma once
#include <glib.h>
#include <jansson.h>

typedef struct {
    const char *name;
    const char *summary; /* one line for `glint --help` */
    /* argv[0] is the command's name, dashes normalised. Returns an exit code; on failure sets *error instead. */
    int (*run)(int argc, char **argv, GError **error);
    gboolean threaded;   /* computes with OpenMP: main() sees to it that waiting threads do not spin for long */
} GlintCommand;

#define GLINT_COMMAND_LIST(X) X(run) X(fetch) X(synth) X(collect) X(merge) X(solve) X(graph) X(draw) X(compare) X(tokens) X(trace) X(generate) X(steer) X(info)
#define X(name) extern const GlintCommand glint_command_##name;
GLINT_COMMAND_LIST(X)
#undef X

/* What run.json and `glint info --build` say of this program: command line as typed, machine, threads, library versions. */
json_t *glint_describe_program(void);
