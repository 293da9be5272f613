/* Errors: domain, exit codes, and messages that are safe to print. Messages often quote names out of files (tensors,
 * dictionary keys, paths), which may hold terminal escapes or broken UTF-8; they are cleaned here, once, at their birth. */
#include "base/error.h"

#include <errno.h>
#include <string.h>

/* Longer messages than this come from hostile names, not from us. */
enum { MAX_MESSAGE_BYTES = 4000 };

GQuark glint_error_quark(void) { return g_quark_from_static_string("glint-error"); }

int glint_exit_code(const GError *error)
{
    if (error == NULL)
        return GLINT_EXIT_OK;
    if (error->domain == G_OPTION_ERROR || g_error_matches(error, GLINT_ERROR, GLINT_ERROR_USAGE))
        return GLINT_EXIT_USAGE;
    if (g_error_matches(error, GLINT_ERROR, GLINT_ERROR_INTERRUPTED))
        return GLINT_EXIT_INTERRUPTED;
    return GLINT_EXIT_FAILED;
}

char *glint_printable(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_sized_new(strlen(valid) + 1);
    for (const char *p = valid; *p != '\0'; p = g_utf8_next_char(p)) {
        gunichar c = g_utf8_get_char(p);
        if (c == '\n' || c == '\t' || !g_unichar_iscntrl(c))
            g_string_append_len(out, p, g_utf8_next_char(p) - p);
        else
            g_string_append_printf(out, "\\x%02x", (unsigned)c);
    }
    return g_string_free(out, FALSE);
}

static gboolean fail_take(GError **error, GlintErrorCode code, char *message)
{
    g_autofree char *owned = message;
    if (error != NULL) {
        if (strlen(owned) > MAX_MESSAGE_BYTES)
            strcpy(owned + MAX_MESSAGE_BYTES - 3, "..."); /* a character cut in two is mended below */
        g_autofree char *clean = glint_printable(owned);
        g_set_error_literal(error, GLINT_ERROR, (int)code, clean);
    }
    return FALSE;
}

gboolean glint_fail(GError **error, GlintErrorCode code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *message = g_strdup_vprintf(format, args);
    va_end(args);
    return fail_take(error, code, message);
}

/* What a user can do about it; "" when the reason says it all. */
static const char *cure(int errnum)
{
    switch (errnum) {
    case ENOSPC:
    case EDQUOT: return "; free some space or write to another disk";
    case EACCES:
    case EPERM: return "; check the permissions, or use a folder you may write to";
    case EROFS: return "; the file system is read-only, use another folder";
    case EFBIG: return "; the file size limit is reached (see ulimit -f)";
    case EMFILE: return "; raise the limit of open files (see ulimit -n)";
    case ENOTDIR: return "; a part of the path is a file, not a folder";
    case ENOENT: return "; check the spelling of the path";
    case ENOMEM: return "; close other programs or use a smaller problem";
    default: return "";
    }
}

gboolean glint_fail_errno(GError **error, int errnum, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    return fail_take(error, GLINT_ERROR_IO, g_strdup_printf("%s: %s%s", what, g_strerror(errnum), cure(errnum)));
}
