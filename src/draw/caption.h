/* Titles and the sentences under pictures. */
#pragma once
#include "draw/draw.h"
#include "draw/canvas.h"

/* "blocks.1.mlp.hook_post · class pos · λ = 0.32 · 1,204 edges · 384 neurons · n = 1,000"; what is not known is left out. */
char *glint_caption_line(const GlintGraph *graph, const GlintCaption *caption);
/* Title and, under it, the line; returns the base line of its last line. */
double glint_caption_head(cairo_t *cr, double x, double y, double width, const char *title, const char *line);
/* Sentences in small print. Returns the base line of the last line. */
double glint_caption_foot(cairo_t *cr, double x, double y, double width, const char *text);
/* A message in the middle of an empty picture. */
void glint_caption_empty(cairo_t *cr, double x, double y, double width, double height, const char *message);
/* Edges whose partial correlation is a finite number: those that can be drawn. */
gsize glint_edges_finite(const GlintGraph *graph);
