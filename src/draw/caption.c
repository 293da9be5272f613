/* The words of a picture: a reader who finds it in a paper or a folder must know what it shows without the command. */
#include "draw/caption.h"
#include "draw/lettering.h"
#include <math.h>

static void add(GString *line, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void add(GString *line, const char *format, ...)
{
    va_list args;
    if (line->len)
        g_string_append(line, " · ");
    va_start(args, format);
    g_string_append_vprintf(line, format, args);
    va_end(args);
}

char *glint_caption_line(const GlintGraph *graph, const GlintCaption *caption)
{
    GString *line = g_string_new(NULL);
    if (caption && caption->site && *caption->site)
        add(line, "%s", caption->site);
    if (caption && caption->class_name && *caption->class_name)
        add(line, "class %s", caption->class_name);
    if (caption && isfinite(caption->lambda)) {
        g_autofree char *lambda = glint_format_short(caption->lambda, 3);
        add(line, "λ = %s", lambda);
    }
    g_autofree char *edges = glint_format_counted(graph->n_edges, "edge", "edges");
    add(line, "%s", edges);
    g_autofree char *neurons = glint_format_counted(graph->p, "neuron", "neurons");
    add(line, "%s", neurons);
    if (caption && caption->n_samples) {
        g_autofree char *n = glint_format_count(caption->n_samples);
        add(line, "n = %s", n);
    }
    return g_string_free(line, FALSE);
}

double glint_caption_head(cairo_t *cr, double x, double y, double width, const char *title, const char *line)
{
    const GlintFont large = {.size = 15, .bold = TRUE, .colour = GLINT_INK}, plain = {.size = 10.5, .colour = GLINT_QUIET};
    glint_text_within(cr, large, x, y, width, title);
    return glint_text_paragraph(cr, plain, x, y + 18, width, 2, line);
}

double glint_caption_foot(cairo_t *cr, double x, double y, double width, const char *text)
{
    const GlintFont font = {.size = 9, .colour = GLINT_QUIET};
    return glint_text_paragraph(cr, font, x, y, width, 3, text);
}

void glint_caption_empty(cairo_t *cr, double x, double y, double width, double height, const char *message)
{
    const GlintFont font = {.size = 12, .colour = GLINT_QUIET, .align = GLINT_CENTRE};
    glint_text_within(cr, font, x + width / 2, y + height / 2, width - 20, message);
}

gsize glint_edges_finite(const GlintGraph *graph)
{
    gsize n = 0;
    for (gsize k = 0; k < graph->n_edges; k++)
        n += isfinite(graph->edges[k].pcor) && graph->edges[k].pcor != 0;
    return n;
}
