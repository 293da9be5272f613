/* Talk goes to stderr, data to stdout. Warnings are also remembered, so that run.json can list them.
 * One progress bar at a time: redrawn in place on a terminal, a plain line every 10 s otherwise; nothing in the first
 * 2 s. NO_COLOR and --quiet are honoured; --quiet silences talk and bars, warnings still print. All may be called from any
 * thread. */
#pragma once
#include <glib.h>

void glint_talk_set_quiet(gboolean quiet);
void glint_say(const char *format, ...) G_GNUC_PRINTF(1, 2);  /* one line to stderr, newline added */
void glint_warn(const char *format, ...) G_GNUC_PRINTF(1, 2); /* "warning: ..." and remembered; identical ones once */
const char *glint_size_text(double bytes, char *out, gsize room); /* bytes for people into out: "6.90 KB", "1.23 GB" */
char **glint_warnings(void);                                  /* NULL-terminated copy; free with g_strfreev */

typedef struct GlintProgress GlintProgress;
GlintProgress *glint_progress_new(const char *title, double total, const char *unit); /* total 0 = unknown; silent while another bar lives */
void glint_progress_update(GlintProgress *self, double done, const char *note);       /* note may be NULL */
void glint_progress_total(GlintProgress *self, double total);                         /* when more work turns up on the way */
void glint_progress_free(GlintProgress *self);                                        /* clears the bar; NULL ok */
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintProgress, glint_progress_free)

/* SIGINT and SIGTERM set a flag that long loops ask for; a second signal ends the program at once.
 * Installing also ignores SIGXFSZ, so that a file size limit is an error with a name and not a death. */
void glint_interrupt_install(void);
gboolean glint_interrupted(void);
gboolean glint_check_interrupt(GError **error); /* FALSE and GLINT_ERROR_INTERRUPTED when the flag is set */
