/* Surfaces, atomic files and text for all pictures.
 *
 * Every format is written through a stream into memory or a GlintFile, never by cairo to a name of its own, so that a
 * failure leaves nothing behind. Two things are done to make equal input give equal bytes: cairo numbers the groups and
 * images of an SVG with a counter of the process, which is renumbered here from 1, and the PDF's creation date is left
 * out. The text of an SVG becomes outlines, so the file looks the same everywhere; its title and description are added as
 * text for search and readers.
 *
 * A GlintCanvas owns its cairo context, surface and the memory stream. */
#include "draw/canvas.h"
#include "base/error.h"
#include "base/files.h"
#include "draw/lettering.h"
#include <cairo-pdf.h>
#include <cairo-svg.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef enum { FORMAT_NONE, FORMAT_PNG, FORMAT_SVG, FORMAT_PDF } Format;

struct GlintCanvasTarget {
    char *path, *title, *description;
    Format format;
    cairo_surface_t *surface;
    GByteArray *bytes; /* the file, growing */
};

static const double png_side_max = 9000; /* pixels; larger pages get fewer pixels per point */

static Format format_of(const char *path)
{
    g_autofree char *lower = g_ascii_strdown(path, -1);
    if (g_str_has_suffix(lower, ".png"))
        return FORMAT_PNG;
    if (g_str_has_suffix(lower, ".svg"))
        return FORMAT_SVG;
    return g_str_has_suffix(lower, ".pdf") ? FORMAT_PDF : FORMAT_NONE;
}

gboolean glint_canvas_check(const char *path, GError **error)
{
    if (format_of(path) == FORMAT_NONE)
        return glint_fail(error, GLINT_ERROR_USAGE,
                          "%s: cannot draw a picture of this kind; end the name in .png, .svg or .pdf", path);
    return TRUE;
}

static cairo_status_t collect_bytes(void *closure, const unsigned char *data, unsigned int length)
{
    g_byte_array_append(closure, data, length);
    return CAIRO_STATUS_SUCCESS;
}

static cairo_surface_t *surface_new(struct GlintCanvasTarget *target, double width, double height, double pixels)
{
    switch (target->format) {
    case FORMAT_SVG: return cairo_svg_surface_create_for_stream(collect_bytes, target->bytes, width, height);
    case FORMAT_PDF: {
        cairo_surface_t *surface = cairo_pdf_surface_create_for_stream(collect_bytes, target->bytes, width, height);
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_TITLE, target->title);
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_SUBJECT, target->description);
        cairo_pdf_surface_set_metadata(surface, CAIRO_PDF_METADATA_CREATE_DATE, NULL);
        return surface;
    }
    default: {
        cairo_surface_t *surface =
            cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)ceil(width * pixels), (int)ceil(height * pixels));
        cairo_surface_set_device_scale(surface, pixels, pixels);
        return surface;
    }
    }
}

GlintCanvas *glint_canvas_new(const char *path, double width, double height, const char *title, const char *description,
                              GError **error)
{
    if (!glint_canvas_check(path, error))
        return NULL;
    GlintCanvas *self = g_new0(GlintCanvas, 1);
    self->target = g_new0(struct GlintCanvasTarget, 1);
    self->target->path = g_strdup(path);
    self->target->title = glint_text_clean(title);
    self->target->description = glint_text_clean(description);
    self->target->format = format_of(path);
    self->target->bytes = g_byte_array_new();
    self->width = width;
    self->height = height;
    self->pixels = MIN(GLINT_CANVAS_PIXELS, png_side_max / MAX(width, height));
    self->target->surface = surface_new(self->target, width, height, self->pixels);
    self->cr = cairo_create(self->target->surface);
    if (cairo_status(self->cr) != CAIRO_STATUS_SUCCESS) {
        glint_fail(error, GLINT_ERROR_FAILED, "%s: cannot make a picture of %.0f x %.0f points: %s", path, width, height,
                   cairo_status_to_string(cairo_status(self->cr)));
        glint_canvas_free(self);
        return NULL;
    }
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(self->cr, options);
    cairo_font_options_destroy(options);
    glint_colour_set(self->cr, GLINT_WHITE, 1);
    cairo_paint(self->cr);
    return self;
}

void glint_canvas_free(GlintCanvas *self)
{
    if (!self)
        return;
    cairo_destroy(self->cr);
    cairo_surface_finish(self->target->surface); /* the stream must not be written to after the bytes are gone */
    cairo_surface_destroy(self->target->surface);
    g_byte_array_unref(self->target->bytes);
    g_free(self->target->path);
    g_free(self->target->title);
    g_free(self->target->description);
    g_free(self->target);
    g_free(self);
}

typedef struct { GHashTable *numbers; } Renumber;

static gboolean renumber_one(const GMatchInfo *match, GString *out, gpointer data)
{
    Renumber *self = data;
    g_autofree char *mark = g_match_info_fetch(match, 1);
    g_autofree char *name = g_match_info_fetch(match, 2);
    char *old = g_match_info_fetch(match, 3);
    gpointer number = g_hash_table_lookup(self->numbers, old);
    if (number)
        g_free(old);
    else
        g_hash_table_insert(self->numbers, old, number = GUINT_TO_POINTER(g_hash_table_size(self->numbers) + 1));
    g_string_append_printf(out, "%s%s%u", mark, name, GPOINTER_TO_UINT(number));
    return FALSE;
}

/* Names of groups and images count from 1 in order of appearance. Base64 data holds neither quote nor '#', so only
 * names can match. */
static char *svg_with_own_numbers(const char *svg, GError **error)
{
    g_autoptr(GRegex) names = g_regex_new("([\"#])(surface|image|source|mask|pattern|linear|radial|clip)([0-9]+)", G_REGEX_OPTIMIZE, 0, error);
    if (!names)
        return NULL;
    g_autoptr(GHashTable) numbers = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    Renumber renumber = {numbers};
    return g_regex_replace_eval(names, svg, -1, 0, 0, renumber_one, &renumber, error);
}

static gboolean finish_svg(struct GlintCanvasTarget *target, GError **error)
{
    g_byte_array_append(target->bytes, (const guint8 *)"", 1);
    g_autofree char *svg = svg_with_own_numbers((const char *)target->bytes->data, error);
    if (!svg)
        return FALSE;
    char *root = strstr(svg, "<svg"), *end = root ? strchr(root, '>') : NULL;
    if (!end)
        return glint_fail(error, GLINT_ERROR_FAILED, "%s: cairo wrote no <svg> element", target->path);
    g_autofree char *extra = g_markup_printf_escaped("\n<title>%s</title>\n<desc>%s</desc>", target->title, target->description);
    g_byte_array_set_size(target->bytes, 0);
    g_byte_array_append(target->bytes, (const guint8 *)svg, (guint)(end + 1 - svg));
    g_byte_array_append(target->bytes, (const guint8 *)extra, (guint)strlen(extra));
    g_byte_array_append(target->bytes, (const guint8 *)end + 1, (guint)strlen(end + 1));
    return TRUE;
}

static gboolean write_bytes(const char *path, const GByteArray *bytes, GError **error)
{
    GlintFile *file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    (void)!fwrite(bytes->data, 1, bytes->len, glint_file_stream(file)); /* commit reports a failed write */
    return glint_file_commit(file, error);
}

gboolean glint_canvas_finish(GlintCanvas *self, GError **error)
{
    g_autoptr(GlintCanvas) canvas = self;
    struct GlintCanvasTarget *target = canvas->target;
    cairo_show_page(canvas->cr);
    cairo_status_t status = cairo_status(canvas->cr);
    if (status == CAIRO_STATUS_SUCCESS && target->format == FORMAT_PNG)
        status = cairo_surface_write_to_png_stream(target->surface, collect_bytes, target->bytes);
    cairo_surface_finish(target->surface);
    if (status == CAIRO_STATUS_SUCCESS)
        status = cairo_surface_status(target->surface);
    if (status != CAIRO_STATUS_SUCCESS)
        return glint_fail(error, GLINT_ERROR_FAILED, "%s: drawing failed: %s", target->path, cairo_status_to_string(status));
    if (target->format == FORMAT_SVG && !finish_svg(target, error))
        return FALSE;
    return write_bytes(target->path, target->bytes, error);
}

void glint_canvas_line(cairo_t *cr, double x0, double y0, double x1, double y1, double width, GlintColour colour)
{
    glint_colour_set(cr, colour, 1);
    cairo_set_line_width(cr, width);
    cairo_move_to(cr, x0, y0);
    cairo_line_to(cr, x1, y1);
    cairo_stroke(cr);
}
