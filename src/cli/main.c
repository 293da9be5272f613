/* The program: finds the command, runs it, turns errors into messages and exit codes (DESIGN 4). */
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/command.h"

#include <errno.h>
#include <locale.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define X(name) &glint_command_##name,
static const GlintCommand *const commands[] = {GLINT_COMMAND_LIST(X)};
#undef X

static int line_argc;
static char **line_argv;

json_t *glint_describe_program(void)
{
    json_t *root = glint_provenance(line_argc, line_argv);
    json_object_set_new(root, "threads", json_integer(omp_get_max_threads()));
    json_t *libraries = json_object_get(root, "libraries");
    g_auto(GStrv) built_with = g_strsplit(GLINT_BUILT_WITH, " ", -1); /* the rest cannot be asked at run time, or only behind its stage */
    for (gsize k = 0; built_with[k] && built_with[k + 1]; k += 2)
        json_object_set_new(libraries, built_with[k], json_string(built_with[k + 1]));
    return root;
}

static void print_help(FILE *out)
{
    fprintf(out, "Usage: glint COMMAND [OPTIONS]\n\n"
                 "Which neurons of a transformer talk to each other directly? glint runs labelled text through a model,\n"
                 "estimates the sparse conditional-independence graph of its neurons per class, and draws it.\n\nCommands:\n");
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        fprintf(out, "  %-10s %s\n", commands[i]->name, commands[i]->summary);
    fprintf(out, "\n  glint COMMAND --help   options of a command, with their defaults\n"
                 "  glint --version        the version\n\n"
                 "Example:\n  glint run --model data/demo/model --dataset data/demo/reviews.jsonl --out results\n\n"
                 "Exit codes: 0 done, 1 failed, 2 usage, 3 done but not converged, 130 interrupted.\n");
}

/* Option names may be written with underscores, as the original's were: --batch_size is --batch-size. */
static void normalise_dashes(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strncmp(argv[i], "--", 2) != 0)
            continue;
        for (char *c = argv[i]; *c && *c != '='; c++)
            if (*c == '_')
                *c = '-';
    }
}

static const GlintCommand *find_command(const char *name, GError **error)
{
    for (gsize i = 0; i < G_N_ELEMENTS(commands); i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    glint_fail(error, GLINT_ERROR_USAGE, "there is no command '%s'; see glint --help", name);
    return NULL;
}

/* Output that never reached its file (no space, closed pipe) must not look like success. */
static int check_stdout(int code)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "glint: cannot write to standard output: %s\n", g_strerror(errno));
    return code == GLINT_EXIT_OK ? GLINT_EXIT_FAILED : code;
}

/* By default libgomp's threads spin for milliseconds at every barrier, which is free on an idle machine and, measured, makes two
 * threads 3 to 12 times slower than one as soon as another process wants a core. A short spin costs nothing on either.
 * libgomp reads its environment before main() begins, so the program has to start itself once more; if that fails, it goes on. */
static void limit_spinning(char **argv)
{
    if (g_getenv("OMP_WAIT_POLICY") || g_getenv("GOMP_SPINCOUNT"))
        return;
    g_autofree char *self = g_file_read_link("/proc/self/exe", NULL);
    if (self && g_setenv("GOMP_SPINCOUNT", "1000", TRUE))
        execv(self, argv);
}

int main(int argc, char **argv)
{
    setlocale(LC_CTYPE, "");
    g_set_prgname("glint");
    if (argc < 2) {
        print_help(stderr);
        return GLINT_EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return check_stdout(GLINT_EXIT_OK);
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("glint %s\n", GLINT_VERSION);
        return check_stdout(GLINT_EXIT_OK);
    }
    g_auto(GStrv) as_typed = g_new0(char *, argc + 1);
    for (int i = 0; i < argc; i++)
        as_typed[i] = g_strdup(argv[i]);
    line_argc = argc;
    line_argv = as_typed;
    glint_interrupt_install();

    g_autoptr(GError) error = NULL;
    int code = GLINT_EXIT_FAILED;
    const GlintCommand *command = find_command(argv[1], &error);
    if (command) {
        if (command->threaded)
            limit_spinning(argv);
        normalise_dashes(argc - 1, argv + 1);
        code = command->run(argc - 1, argv + 1, &error);
    }
    if (error) {
        fprintf(stderr, "glint: %s\n", error->message);
        code = glint_exit_code(error);
    }
    return check_stdout(code);
}
