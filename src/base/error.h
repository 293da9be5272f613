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

/* Shorthand: sets *error in GLINT_ERROR with a printf message, returns FALSE. */
gboolean glint_fail(GError **error, GlintErrorCode code, const char *format, ...) G_GNUC_PRINTF(3, 4);
