/* A few very strong edges must not bleach all others, so the scale ends at the 99th percentile of |rho| and says so on
 * the bar. The end is rounded up within 1, 1.2, 1.6, 2, ... so that it and its half are short numbers. */
#include "draw/scale.h"
#include "draw/lettering.h"
#include <math.h>
#include <stdlib.h>

static const double quantile = 0.99;
enum { N_FOR_QUANTILE = 100, N_STEPS = 60 };

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double round_up(double value)
{
    static const double steps[] = {1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10};
    const double power = pow(10, floor(log10(value)));
    for (gsize k = 0; k < G_N_ELEMENTS(steps); k++) {
        if (value <= steps[k] * power * (1 + 1e-9))
            return steps[k] * power;
    }
    return 10 * power;
}

/* max * share with as few digits as both max and max / 2 need. */
static char *number_of(const GlintScale *self, double share)
{
    const double value = self->max * share;
    if (self->max < 1e-3 || self->max >= 1e4) {
        g_autofree char *size = glint_format_short(fabs(value), 3);
        return g_strconcat(value < 0 ? "−" : "", size, NULL);
    }
    int digits = 0;
    double half = self->max / 2;
    while (digits < 6 && fabs(half - round(half)) > 1e-6) {
        half *= 10;
        digits++;
    }
    return glint_format_real(value, digits);
}

GlintScale glint_scale_of(const double *values, gsize n_values)
{
    g_autofree double *sizes = g_new(double, n_values + 1);
    gsize n = 0;
    for (gsize k = 0; k < n_values; k++) {
        if (isfinite(values[k]) && values[k] != 0)
            sizes[n++] = fabs(values[k]);
    }
    qsort(sizes, n, sizeof *sizes, by_size);
    const double end = n == 0 ? 1 : n < N_FOR_QUANTILE ? sizes[n - 1] : sizes[(gsize)(quantile * (double)(n - 1))];
    GlintScale self = {.max = round_up(end)};
    for (gsize k = n; k > 0 && sizes[k - 1] > self.max * (1 + 1e-9); k--)
        self.n_beyond++;
    return self;
}

GlintColour glint_scale_colour(const GlintScale *self, double value)
{
    return glint_colour_diverging(value / self->max);
}

static void draw_ramp(cairo_t *cr, double x, double y, double width, double height)
{
    const double step = height / (2 * N_STEPS + 1); /* the step in the middle is zero itself */
    for (int k = -N_STEPS; k <= N_STEPS; k++) {
        const GlintColour colour = glint_colour_diverging((double)k / N_STEPS);
        glint_colour_set(cr, colour, 1);
        /* Overlap the next step a little, or viewers show hairlines between them. */
        cairo_rectangle(cr, x, y + (N_STEPS - k) * step, width, k > -N_STEPS ? step * 1.5 : step);
        cairo_fill(cr);
    }
    glint_colour_set(cr, GLINT_INK, 1);
    cairo_set_line_width(cr, 0.6);
    cairo_rectangle(cr, x, y, width, height);
    cairo_stroke(cr);
}

void glint_scale_bar(const GlintScale *self, cairo_t *cr, double x, double y, double width, double height, const char *meaning)
{
    const GlintFont font = {.size = 9, .colour = GLINT_INK};
    draw_ramp(cr, x, y, width, height);
    double widest = 0;
    for (int k = -2; k <= 2; k++) {
        g_autofree char *number = k == 0 ? g_strdup("0") : number_of(self, k / 2.0);
        const char *sign = self->n_beyond == 0 || abs(k) < 2 ? "" : k > 0 ? "≥ " : "≤ ";
        g_autofree char *label = g_strconcat(sign, number, NULL);
        const double at = y + height * (2 - k) / 4;
        glint_canvas_line(cr, x + width, at, x + width + 3, at, 0.6, GLINT_INK);
        glint_text(cr, font, x + width + 6, at + 3.2, label);
        widest = MAX(widest, glint_text_width(cr, font, label));
    }
    const GlintFont upright = {.size = 10, .colour = GLINT_INK, .align = GLINT_CENTRE};
    glint_text_up(cr, upright, x + width + 6 + widest + 16, y + height / 2, meaning);
}

char *glint_scale_remark(const GlintScale *self)
{
    if (self->n_beyond == 0)
        return g_strdup("No colour: no edge.");
    g_autofree char *end = number_of(self, 1);
    g_autofree char *beyond = glint_format_counted(self->n_beyond, "stronger edge has", "stronger edges have");
    return g_strdup_printf("No colour: no edge. Colours end at |ρ| = %s, about the 99th percentile of the edges; %s the darkest colour.", end, beyond);
}
