/* The error domain and the exit codes of the program. Every fallible function of glint takes `GError **error` last.
 * Messages say what failed, name the file, and give the cure when it is known; they start in lower case, carry no
 * full stop, and are printed by main() behind "glint: ". */
#pragma once
#include <glib.h>

#define GLINT_ERROR (glint_error_quark())
GQuark glint_error_quark(void);

typedef enum {
    GLINT_ERROR_FAILED,      /* anything else: exit code 1 */
    GLINT_ERROR_USAGE,       /* the command line is wrong: exit code 2 */
    GLINT_ERROR_FORMAT,      /* a file's content is not what its format promises: 1 */
    GLINT_ERROR_IO,          /* reading or writing failed: 1 */
    GLINT_ERROR_UNSUPPORTED, /* well formed, but glint cannot do it: 1 */
    GLINT_ERROR_DATA,        /* the data admits no answer (one class, constant columns, too few samples): 1 */
    GLINT_ERROR_INTERRUPTED, /* stopped by SIGINT or SIGTERM, what was collected is kept: 130 */
} GlintErrorCode;

enum { GLINT_EXIT_OK = 0, GLINT_EXIT_FAILED = 1, GLINT_EXIT_USAGE = 2, GLINT_EXIT_NOT_CONVERGED = 3, GLINT_EXIT_INTERRUPTED = 130 };

/* Exit code for an error of any domain (G_OPTION_ERROR counts as usage). */
int glint_exit_code(const GError *error);

/* Shorthand: sets *error in GLINT_ERROR with a printf message, returns FALSE. Control characters and invalid UTF-8 that
 * names out of files may carry are made printable, and very long messages are cut, so the message is safe to print. */
gboolean glint_fail(GError **error, GlintErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* The same for a failed system call: GLINT_ERROR_IO, the message followed by the reason and, where one is known, the cure:
 * "cannot write 'a.npy': No space left on device; free some space or choose another --out". */
gboolean glint_fail_errno(GError **error, int errnum, const char *format, ...) G_GNUC_PRINTF(3, 4);

/* A copy of `text` fit for a terminal: control characters escaped, invalid UTF-8 replaced; newlines and tabs stay. */
char *glint_printable(const char *text);
