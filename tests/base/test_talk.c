/* Talk on stderr: each case runs in a child whose stderr is a pipe or a pseudo-terminal, and the parent reads what came. */
#include "base/scratch.h"

#include "base/talk.h"

#include <pty.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct {
    char *text; /* all that came on stderr */
    int status; /* of waitpid */
} Outcome;

static char *read_all(int fd)
{
    GString *text = g_string_new(NULL);
    char block[4096];
    ssize_t got;
    while ((got = read(fd, block, sizeof block)) > 0) /* a pseudo-terminal ends with EIO */
        g_string_append_len(text, block, got);
    return g_string_free(text, FALSE);
}

/* The clock of the program under test: linked with --wrap, so that a slow machine changes nothing. */
static gint64 clock_us = 1000000;
gint64 __wrap_g_get_monotonic_time(void);
gint64 __wrap_g_get_monotonic_time(void) { return clock_us; }

static Outcome run(void (*act)(void), gboolean terminal)
{
    int master, slave, ends[2];
    struct winsize size = {.ws_row = 24, .ws_col = 60};
    if (terminal) {
        assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    } else {
        assert_int_equal(pipe(ends), 0);
        master = ends[0];
        slave = ends[1];
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        g_setenv("TERM", "xterm", TRUE);
        dup2(slave, STDERR_FILENO);
        close(master);
        close(slave);
        act();
        _exit(0);
    }
    close(slave);
    Outcome outcome = {.text = read_all(master)};
    close(master);
    assert_int_equal(waitpid(child, &outcome.status, 0), child);
    return outcome;
}

static void expect_clean_exit(const Outcome *outcome)
{
    if (!WIFEXITED(outcome->status) || WEXITSTATUS(outcome->status) != 0)
        fail_msg("child ended with %d: %s", outcome->status, outcome->text);
}

/* ---- lines ---------------------------------------------------------------------------------------------------------- */

static void act_lines(void)
{
    glint_say("%d texts", 3);
    glint_warn("odd \033[31m thing");
    glint_warn("odd \033[31m thing");
    glint_warn("other thing");
    glint_talk_set_quiet(TRUE);
    glint_say("not heard");
    glint_warn("heard all the same");
    g_auto(GStrv) list = glint_warnings();
    if (g_strv_length(list) != 3 || strcmp(list[1], "other thing") != 0)
        _exit(1);
}

static void test_lines(void **state)
{
    (void)state;
    Outcome outcome = run(act_lines, FALSE);
    expect_clean_exit(&outcome);
    assert_string_equal(outcome.text, "3 texts\nwarning: odd \\x1b[31m thing\nwarning: other thing\nwarning: heard all the same\n");
    g_free(outcome.text);
}

static void act_warn(void) { glint_warn("look"); }

static void act_warn_no_colour(void)
{
    g_setenv("NO_COLOR", "1", TRUE);
    glint_warn("look");
}

static void test_colour(void **state)
{
    (void)state;
    g_unsetenv("NO_COLOR");
    Outcome coloured = run(act_warn, TRUE), plain = run(act_warn_no_colour, TRUE), piped = run(act_warn, FALSE);
    assert_string_equal(coloured.text, "\033[33mwarning:\033[0m look\r\n");
    assert_string_equal(plain.text, "warning: look\r\n");
    assert_string_equal(piped.text, "warning: look\n");
    g_free(coloured.text);
    g_free(plain.text);
    g_free(piped.text);
}

/* ---- progress ------------------------------------------------------------------------------------------------------- */

static void act_short_progress(void)
{
    g_autoptr(GlintProgress) bar = glint_progress_new("collect", 100, "texts");
    for (int i = 0; i <= 100; i++)
        glint_progress_update(bar, i, NULL);
}

/* Three seconds' work of 300 texts, resumed at 100; a line is said in the middle. */
static void act_long_progress(void)
{
    g_autoptr(GlintProgress) bar = glint_progress_new("collect", 300, "texts");
    g_autoptr(GlintProgress) inner = glint_progress_new("inner", 0, "items");
    for (int i = 100; i <= 250; i += 5) {
        glint_progress_update(bar, i, "a note that is far too long for any window of sixty columns");
        glint_progress_update(inner, i, NULL);
        if (i == 235)
            glint_say("halfway");
        clock_us += 100000;
    }
    glint_progress_free(NULL);
    glint_progress_update(NULL, 1, NULL);
}

static void act_quiet_progress(void)
{
    glint_talk_set_quiet(TRUE);
    act_long_progress();
}

static void test_progress(void **state)
{
    (void)state;
    Outcome brief = run(act_short_progress, TRUE);
    expect_clean_exit(&brief);
    assert_string_equal(brief.text, ""); /* nothing in the first two seconds */
    g_free(brief.text);

    Outcome drawn = run(act_long_progress, TRUE);
    expect_clean_exit(&drawn);
    assert_non_null(strstr(drawn.text, "\rcollect ["));
    assert_non_null(strstr(drawn.text, "\r\033[Khalfway\r\n\rcollect [")); /* wiped before the line, drawn again below */
    assert_true(g_str_has_suffix(drawn.text, "\r\033[K"));
    assert_null(strstr(drawn.text, "inner"));
    g_auto(GStrv) drawings = g_strsplit(drawn.text, "\r", -1);
    for (char **d = drawings; *d != NULL; d++)
        assert_true(strlen(*d) <= 59 + strlen("\033[K")); /* fits the window */
    g_free(drawn.text);

    Outcome piped = run(act_long_progress, FALSE);
    expect_clean_exit(&piped);
    assert_non_null(strstr(piped.text, "/300 texts, "));
    assert_non_null(strstr(piped.text, " texts/s, 0:0")); /* a few seconds left: measured from where it was resumed */
    assert_null(strchr(piped.text, '\r'));
    g_auto(GStrv) lines = g_strsplit(piped.text, "\n", -1);
    assert_int_equal(g_strv_length(lines), 3); /* one report in three seconds, "halfway", and the empty end */
    g_free(piped.text);

    Outcome quiet = run(act_quiet_progress, TRUE);
    assert_string_equal(quiet.text, "");
    g_free(quiet.text);
}

/* ---- interrupts ----------------------------------------------------------------------------------------------------- */

static void act_one_signal(void)
{
    g_autoptr(GError) error = NULL;
    glint_interrupt_install();
    if (glint_interrupted() || !glint_check_interrupt(&error))
        _exit(1);
    raise(SIGTERM);
    if (!glint_interrupted() || glint_check_interrupt(&error))
        _exit(2);
    _exit(glint_exit_code(error) == 130 ? 0 : 3);
}

static void act_two_signals(void)
{
    glint_interrupt_install();
    raise(SIGINT);
    raise(SIGINT);
    _exit(0); /* must not be reached */
}

static void test_interrupts(void **state)
{
    (void)state;
    Outcome one = run(act_one_signal, FALSE);
    expect_clean_exit(&one);
    assert_non_null(strstr(one.text, "a second signal stops at once"));
    g_free(one.text);
    Outcome two = run(act_two_signals, FALSE);
    assert_true(WIFSIGNALED(two.status));
    assert_int_equal(WTERMSIG(two.status), SIGINT);
    g_free(two.text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_colour),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_interrupts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
