/* Text through cairo's own font selection, without Pango: every label is short, single-line and left to right, and the
 * program saves a dependency. DejaVu Sans has the Greek, the signs and the arrows that captions need; where it is not
 * installed fontconfig gives the nearest sans serif. A font that lacks a script (a class named in Chinese, say) shows
 * boxes; nothing fails.
 *
 * Hinting is off (see canvas.c), so widths measured here hold for every format. */
#include "draw/lettering.h"
#include <math.h>
#include <string.h>

static const double line_spacing = 1.42;

char *glint_text_clean(const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1);
    GString *out = g_string_new(NULL);
    for (const char *at = valid; *at; at = g_utf8_next_char(at)) {
        const gunichar c = g_utf8_get_char(at);
        g_string_append_unichar(out, g_unichar_iscntrl(c) ? ' ' : c);
    }
    return g_string_free(out, FALSE);
}

static void select_font(cairo_t *cr, GlintFont font)
{
    cairo_select_font_face(cr, "DejaVu Sans", CAIRO_FONT_SLANT_NORMAL, font.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, font.size);
}

double glint_text_width(cairo_t *cr, GlintFont font, const char *text)
{
    g_autofree char *clean = glint_text_clean(text);
    cairo_text_extents_t extents;
    select_font(cr, font);
    cairo_text_extents(cr, clean, &extents);
    return extents.x_advance;
}

static double anchor(cairo_t *cr, GlintFont font, const char *text)
{
    if (font.align == GLINT_LEFT)
        return 0;
    const double width = glint_text_width(cr, font, text);
    return font.align == GLINT_CENTRE ? width / 2 : width;
}

void glint_text(cairo_t *cr, GlintFont font, double x, double y, const char *text)
{
    g_autofree char *clean = glint_text_clean(text);
    const double shift = anchor(cr, font, clean);
    select_font(cr, font);
    glint_colour_set(cr, font.colour, 1);
    cairo_move_to(cr, x - shift, y);
    cairo_show_text(cr, clean);
    cairo_new_path(cr);
}

void glint_text_halo(cairo_t *cr, GlintFont font, double x, double y, const char *text)
{
    g_autofree char *clean = glint_text_clean(text);
    select_font(cr, font);
    cairo_move_to(cr, x - anchor(cr, font, clean), y);
    cairo_text_path(cr, clean);
    glint_colour_set(cr, GLINT_WHITE, 0.88);
    cairo_set_line_width(cr, font.size * 0.32);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_stroke(cr);
    glint_text(cr, font, x, y, clean);
}

void glint_text_up(cairo_t *cr, GlintFont font, double x, double y, const char *text)
{
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_rotate(cr, -G_PI / 2);
    glint_text(cr, font, 0, 0, text);
    cairo_restore(cr);
}

void glint_text_within(cairo_t *cr, GlintFont font, double x, double y, double width, const char *text)
{
    g_autofree char *clean = glint_text_clean(text);
    glong n = g_utf8_strlen(clean, -1);
    g_autofree char *shown = g_strdup(clean);
    while (n > 1 && glint_text_width(cr, font, shown) > width) {
        g_autofree char *start = g_utf8_substring(clean, 0, --n);
        g_free(shown);
        shown = g_strconcat(g_strchomp(start), "…", NULL);
    }
    glint_text(cr, font, x, y, shown);
}

/* The next piece that stays on one line: a word, with a "·" after it and with both sides of a "=". */
static char *next_piece(char ***words)
{
    GString *piece = g_string_new(*(*words)++);
    while (**words && (strcmp(**words, "=") == 0 || strcmp(**words, "·") == 0)) {
        const gboolean equals = strcmp(**words, "=") == 0;
        g_string_append_printf(piece, " %s", *(*words)++);
        if (!equals)
            break;
        if (**words)
            g_string_append_printf(piece, " %s", *(*words)++);
    }
    return g_string_free(piece, FALSE);
}

double glint_text_paragraph(cairo_t *cr, GlintFont font, double x, double y, double width, int n_lines_max, const char *text)
{
    g_auto(GStrv) words = g_strsplit(text, " ", -1);
    g_autoptr(GString) line = g_string_new(NULL);
    int n_lines = 1;
    for (char **word = words; *word;) {
        g_autofree char *piece = next_piece(&word);
        const gsize before = line->len;
        g_string_append_printf(line, "%s%s", before ? " " : "", piece);
        if (before && n_lines < n_lines_max && glint_text_width(cr, font, line->str) > width) {
            g_string_truncate(line, before);
            glint_text_within(cr, font, x, y, width, line->str);
            y += font.size * line_spacing;
            n_lines++;
            g_string_assign(line, piece);
        }
    }
    glint_text_within(cr, font, x, y, width, line->str);
    return y;
}

char *glint_format_count(gsize n)
{
    g_autofree char *digits = g_strdup_printf("%" G_GSIZE_FORMAT, n);
    const gsize length = strlen(digits);
    GString *out = g_string_new(NULL);
    for (gsize k = 0; k < length; k++) {
        if (k > 0 && (length - k) % 3 == 0)
            g_string_append_c(out, ',');
        g_string_append_c(out, digits[k]);
    }
    return g_string_free(out, FALSE);
}

char *glint_format_counted(gsize n, const char *one, const char *many)
{
    g_autofree char *count = glint_format_count(n);
    return g_strdup_printf("%s %s", count, n == 1 ? one : many);
}

char *glint_format_real(double value, int digits)
{
    char text[400], form[16]; /* "%.12f" of the largest double has 322 characters */
    g_snprintf(form, sizeof form, "%%.%df", CLAMP(digits, 0, 12));
    g_ascii_formatd(text, sizeof text, form, fabs(value));
    const gboolean zero = strspn(text, "0.") == strlen(text);
    return g_strdup_printf("%s%s", value < 0 && !zero ? "−" : "", text);
}

char *glint_format_short(double value, int digits)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE], form[16];
    g_snprintf(form, sizeof form, "%%.%dg", CLAMP(digits, 1, 15));
    return g_strdup(g_ascii_formatd(text, sizeof text, form, value));
}
