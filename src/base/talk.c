/* Talk: lines and warnings on stderr, the progress bar, and the interrupt flag.
 *
 * One mutex guards the only global state of the program: quiet flag, remembered warnings, and which bar is on the screen, so
 * that a line said while a bar is drawn first wipes it and the bar returns below. Output is one fwrite per line: lines
 * of several threads do not mix. The bar's rate is measured from its first update on, so that a resumed run, which starts
 * at a high count, does not report a wild speed. */
#include "base/talk.h"

#include "base/error.h"

#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { BAR_CELLS = 24, DEFAULT_COLUMNS = 80 };
#define SECONDS_BEFORE_FIRST 2.0
#define SECONDS_BETWEEN_REDRAWS 0.2
#define SECONDS_BETWEEN_LINES 10.0

struct GlintProgress {
    char *title, *unit, *note;
    double total, done;
    double done_first;                /* at the first update */
    gint64 started, first, last;      /* monotonic microseconds; first and last 0 = never */
    gboolean active;                  /* FALSE: another bar lives, stay silent */
    gboolean on_screen;
};

static GMutex lock;
static gboolean is_quiet;
static GPtrArray *warnings;     /* of char * */
static GlintProgress *current;  /* the bar that may draw */

static gboolean on_terminal(void)
{
    const char *term = g_getenv("TERM");
    return isatty(STDERR_FILENO) && g_strcmp0(term, "dumb") != 0;
}

static gboolean use_colour(void)
{
    const char *no = g_getenv("NO_COLOR");
    return (no == NULL || *no == '\0') && on_terminal();
}

void glint_talk_set_quiet(gboolean quiet)
{
    g_mutex_lock(&lock);
    is_quiet = quiet;
    g_mutex_unlock(&lock);
}

static void wipe_bar(void)
{
    if (current != NULL && current->on_screen) {
        fputs("\r\033[K", stderr);
        current->on_screen = FALSE;
    }
}

static void put_line(const char *prefix, const char *text)
{
    g_autofree char *clean = glint_printable(text);
    g_autofree char *line = g_strconcat(prefix, clean, "\n", NULL);
    wipe_bar();
    fwrite(line, 1, strlen(line), stderr);
    fflush(stderr);
}

void glint_say(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_mutex_lock(&lock);
    if (!is_quiet)
        put_line("", text);
    g_mutex_unlock(&lock);
}

void glint_warn(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = g_strdup_vprintf(format, args);
    va_end(args);
    g_mutex_lock(&lock);
    if (warnings == NULL)
        warnings = g_ptr_array_new_with_free_func(g_free);
    if (g_ptr_array_find_with_equal_func(warnings, text, g_str_equal, NULL)) {
        g_free(text);
    } else {
        put_line(use_colour() ? "\033[33mwarning:\033[0m " : "warning: ", text);
        g_ptr_array_add(warnings, text);
    }
    g_mutex_unlock(&lock);
}

char **glint_warnings(void)
{
    g_mutex_lock(&lock);
    guint n = warnings == NULL ? 0 : warnings->len;
    char **list = g_new0(char *, n + 1);
    for (guint i = 0; i < n; i++)
        list[i] = g_strdup(g_ptr_array_index(warnings, i));
    g_mutex_unlock(&lock);
    return list;
}

/* ---- progress ------------------------------------------------------------------------------------------------------- */

GlintProgress *glint_progress_new(const char *title, double total, const char *unit)
{
    GlintProgress *self = g_new0(GlintProgress, 1);
    self->title = g_strdup(title);
    self->unit = g_strdup(unit != NULL ? unit : "");
    self->total = total;
    self->started = g_get_monotonic_time();
    g_mutex_lock(&lock);
    self->active = current == NULL;
    if (self->active)
        current = self;
    g_mutex_unlock(&lock);
    return self;
}

static char *format_duration(double seconds)
{
    gint64 s = (gint64)(seconds + 0.5);
    if (s < 3600)
        return g_strdup_printf("%d:%02d", (int)(s / 60), (int)(s % 60));
    return g_strdup_printf("%" G_GINT64_FORMAT ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
}

static char *format_count(double count)
{
    return g_strdup_printf(count < 1e15 && count == (double)(gint64)count ? "%.0f" : "%.4g", count);
}

/* "collect [=====>    ] 52% 520/1000 texts, 12.3 texts/s, 0:39 left, note"; the bar itself on terminals only. */
static char *format_progress(const GlintProgress *self, gint64 now, gboolean with_bar)
{
    GString *line = g_string_new(self->title);
    g_autofree char *done = format_count(self->done);
    if (self->total > 0) {
        double part = CLAMP(self->done / self->total, 0.0, 1.0);
        if (with_bar) {
            int cells = (int)(part * BAR_CELLS);
            g_string_append(line, " [");
            for (int i = 0; i < BAR_CELLS; i++)
                g_string_append_c(line, i < cells ? '=' : i == cells ? '>' : ' ');
            g_string_append_c(line, ']');
        }
        g_autofree char *total = format_count(self->total);
        g_string_append_printf(line, " %3.0f%% %s/%s %s", floor(100 * part), done, total, self->unit);
    } else {
        g_string_append_printf(line, " %s %s", done, self->unit);
    }
    double seconds = (double)(now - self->first) * 1e-6;
    double rate = self->first > 0 && seconds > 0.5 ? (self->done - self->done_first) / seconds : 0;
    if (rate > 0) {
        g_string_append_printf(line, rate >= 100 ? ", %.0f %s/s" : ", %.3g %s/s", rate, self->unit);
        if (self->total > self->done) {
            g_autofree char *left = format_duration(MIN((self->total - self->done) / rate, 1e12));
            g_string_append_printf(line, ", %s left", left);
        }
    }
    if (self->note != NULL)
        g_string_append_printf(line, ", %s", self->note);
    return g_string_free(line, FALSE);
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20)
        return size.ws_col;
    return DEFAULT_COLUMNS;
}

static void draw_progress(GlintProgress *self, gint64 now)
{
    gboolean terminal = on_terminal();
    double wait = self->last == 0 ? 0 : terminal ? SECONDS_BETWEEN_REDRAWS : SECONDS_BETWEEN_LINES;
    if ((double)(now - self->started) * 1e-6 < SECONDS_BEFORE_FIRST || (double)(now - self->last) * 1e-6 < wait)
        return;
    self->last = now;
    g_autofree char *raw = format_progress(self, now, terminal);
    g_autofree char *line = glint_printable(raw);
    if (terminal) {
        /* Cut to the window, or the terminal would wrap the line and \r could not return to its start. */
        glong columns = terminal_columns() - 1;
        if (g_utf8_strlen(line, -1) > columns)
            *g_utf8_offset_to_pointer(line, columns) = '\0';
        fprintf(stderr, "\r%s\033[K", line);
        self->on_screen = TRUE;
    } else {
        fprintf(stderr, "%s\n", line);
    }
    fflush(stderr);
}

void glint_progress_update(GlintProgress *self, double done, const char *note)
{
    if (self == NULL)
        return;
    gint64 now = g_get_monotonic_time();
    g_mutex_lock(&lock);
    self->done = done;
    if (self->first == 0) {
        self->first = now;
        self->done_first = done;
    }
    if (g_strcmp0(note, self->note) != 0) {
        g_free(self->note);
        self->note = g_strdup(note);
    }
    if (self->active && !is_quiet)
        draw_progress(self, now);
    g_mutex_unlock(&lock);
}

void glint_progress_total(GlintProgress *self, double total)
{
    if (self == NULL)
        return;
    g_mutex_lock(&lock);
    self->total = total;
    g_mutex_unlock(&lock);
}

void glint_progress_free(GlintProgress *self)
{
    if (self == NULL)
        return;
    g_mutex_lock(&lock);
    if (current == self) {
        wipe_bar();
        fflush(stderr);
        current = NULL;
    }
    g_mutex_unlock(&lock);
    g_free(self->title);
    g_free(self->unit);
    g_free(self->note);
    g_free(self);
}

/* ---- interrupts ----------------------------------------------------------------------------------------------------- */

static atomic_int interrupts; /* lock-free, so a signal handler may touch it */

static void on_signal(int number)
{
    if (atomic_fetch_add(&interrupts, 1) > 0) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    static const char text[] = "\nstopping at the next safe point; a second signal stops at once\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1); /* nothing can be done about a failure here */
    (void)ignored;
}

const char *glint_size_text(double bytes, char *out, gsize room)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB"};
    gsize u = 0;
    for (; bytes >= 1000 && u + 1 < G_N_ELEMENTS(units); u++)
        bytes /= 1000;
    g_snprintf(out, (gulong)room, bytes < 10 && u ? "%.2f %s" : bytes < 100 && u ? "%.1f %s" : "%.0f %s", bytes, units[u]);
    return out;
}

void glint_interrupt_install(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    signal(SIGXFSZ, SIG_IGN);
}

gboolean glint_interrupted(void) { return atomic_load(&interrupts) > 0; }

gboolean glint_check_interrupt(GError **error)
{
    return !glint_interrupted() || glint_fail(error, GLINT_ERROR_INTERRUPTED, "interrupted");
}
