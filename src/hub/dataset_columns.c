/* Guessing the text and the label column. Labelled sets of the hub call them by a few names; a set with several candidates (the
 * two sentences of an inference task, coarse and fine classes) is for the user to decide, so no order among equals is made up. */
#include "hub/dataset_columns.h"
#include "base/error.h"

#include <string.h>

static const char *const text_names[] = {
    "text", "sentence", "content", "review", "review_text", "review_body", "comment", "comment_text", "body", "document", "tweet", "message",
    "utterance", "query"};
static const char *const label_names[] = {
    "label", "labels", "sentiment", "class", "category", "target", "topic", "emotion", "intent", "stars", "rating"};

static gboolean may_be_label(const GlintColumn *column) { return column->kind != GLINT_COLUMN_OTHER; }
static gboolean may_be_text(const GlintColumn *column) { return column->kind == GLINT_COLUMN_TEXT; }

static gboolean fail_listing(const GlintSplit *split, GError **error, const char *format, ...) G_GNUC_PRINTF(3, 4);
static gboolean fail_listing(const GlintSplit *split, GError **error, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    g_autofree char *what = g_strdup_vprintf(format, args);
    va_end(args);
    g_autoptr(GString) list = g_string_new(NULL);
    for (guint k = 0; k < split->columns->len; k++) {
        const GlintColumn *column = g_ptr_array_index(split->columns, k);
        g_string_append_printf(list, "%s%s (%s)", k ? ", " : "", column->name, column->kind == GLINT_COLUMN_CLASS ? "classes" : column->type);
    }
    return glint_fail(error, GLINT_ERROR_DATA, "%s, split %s: %s; its columns: %s; choose with --text-column and --label-column", split->dataset,
                      split->split, what,
                      list->len ? list->str : "none");
}

static const GlintColumn *find(const GlintSplit *split, const char *name)
{
    for (guint k = 0; k < split->columns->len; k++) {
        const GlintColumn *column = g_ptr_array_index(split->columns, k);
        if (g_ascii_strcasecmp(column->name, name) == 0)
            return column;
    }
    return NULL;
}

static gboolean take_asked(const GlintSplit *split, const char *name, const char *what, gboolean (*fits)(const GlintColumn *),
                           const GlintColumn **out, GError **error)
{
    for (guint k = 0; k < split->columns->len; k++) {
        const GlintColumn *column = g_ptr_array_index(split->columns, k);
        if (strcmp(column->name, name) == 0) {
            *out = column;
            return fits(column) || fail_listing(split, error, "the column \"%s\" cannot be the %s, it is of type %s", name, what, column->type);
        }
    }
    return fail_listing(split, error, "there is no column \"%s\" for the %s", name, what);
}

/* The first name by itself decides; of the others exactly one must be there. */
static gboolean guess(const GlintSplit *split, const char *what, const char *const *names, gsize n_names, gboolean (*fits)(const GlintColumn *),
                      const GlintColumn **out, GError **error)
{
    for (gsize k = 0; k < n_names; k++) {
        const GlintColumn *column = find(split, names[k]);
        if (!column || !fits(column) || column == *out)
            continue;
        if (*out)
            return fail_listing(split, error, "both \"%s\" and \"%s\" could be the %s", (*out)->name, column->name, what);
        *out = column;
        if (k == 0)
            return TRUE;
    }
    return TRUE;
}

static gboolean only_of_kind(const GlintSplit *split, GlintColumnKind kind, const GlintColumn *but, const char *what, const GlintColumn **out,
                             GError **error)
{
    for (guint k = 0; k < split->columns->len; k++) {
        const GlintColumn *column = g_ptr_array_index(split->columns, k);
        gboolean is_id = g_ascii_strcasecmp(column->name, "id") == 0 || g_ascii_strcasecmp(column->name, "idx") == 0;
        if (column->kind != kind || column == but || is_id)
            continue;
        if (*out)
            return fail_listing(split, error, "both \"%s\" and \"%s\" could be the %s", (*out)->name, column->name, what);
        *out = column;
    }
    return TRUE;
}

/* A column of classes is a better label than one whose name only sounds like it. */
static gboolean guess_label(const GlintSplit *split, const GlintColumn **label, GError **error)
{
    const GlintColumn *plain = find(split, "label");
    if (plain && may_be_label(plain)) {
        *label = plain;
        return TRUE;
    }
    return only_of_kind(split, GLINT_COLUMN_CLASS, NULL, "label", label, error) &&
           (*label || guess(split, "label", label_names, G_N_ELEMENTS(label_names), may_be_label, label, error));
}

gboolean glint_dataset_columns_choose(const GlintSplit *split, const char *text_column, const char *label_column, const GlintColumn **text,
                              const GlintColumn **label, GError **error)
{
    *text = *label = NULL;
    if (label_column ? !take_asked(split, label_column, "label", may_be_label, label, error) : !guess_label(split, label, error))
        return FALSE;
    if (!*label)
        return fail_listing(split, error, "none of its columns looks like a label");
    if (text_column)
        return take_asked(split, text_column, "text", may_be_text, text, error);
    if (!guess(split, "text", text_names, G_N_ELEMENTS(text_names), may_be_text, text, error) ||
        (!*text && !only_of_kind(split, GLINT_COLUMN_TEXT, *label, "text", text, error)))
        return FALSE;
    if (*text && *text == *label)
        *text = NULL;
    return *text != NULL || fail_listing(split, error, "none of its columns looks like a text");
}
