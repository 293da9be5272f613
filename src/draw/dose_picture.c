/* Dose and response. The question of a reader is: does the module do more than sets of neurons that nobody chose? So the controls are
 * bands (5 % to 95 % of the sets, and their median), everything that competes with the module is a line in the same panel, and the same colours say
 * below what the effect costs. See dose_picture.h. */
#include "draw/dose_picture.h"
#include "base/order.h"
#include "draw/caption.h"
#include "draw/frame.h"
#include "draw/lettering.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double page_width = 640, page_height = 660, page_margin = 24;
static const double top_left = 78, top_top = 84, top_width = 340, top_height = 250;
static const double low_top = 404, low_width = 228, low_height = 140, low_second = 388;
static const double legend_left = 440;

typedef struct { const char *role, *label; GlintColour colour; gboolean band, dash; } Style;

/* Bands are pale, their members not drawn one by one. */
static const Style styles[] = {
    {"random", "random sets", {0.55, 0.55, 0.58}, TRUE, FALSE},
    {"degree-matched", "sets of equal degrees", {0.80, 0.62, 0.25}, TRUE, FALSE},
    {"residual-difference", "difference in means, residual", {0.45, 0.33, 0.60}, FALSE, FALSE},
    {"correlation-module", "module of correlations", {0.16, 0.55, 0.45}, FALSE, FALSE},
    {"top-neurons", "neurons that differ most", {0.77, 0.24, 0.22}, FALSE, FALSE},
    {"module", "the module", {0.12, 0.36, 0.66}, FALSE, FALSE},
};

static gsize arms_of(const GlintDoseCurves *curves, const char *role, const GlintDoseArm **found)
{
    gsize n = 0;
    for (gsize a = 0; a < curves->n_arms; a++)
        if (strcmp(curves->arms[a].role, role) == 0)
            found[n++] = &curves->arms[a];
    return n;
}

/* A quantile over the arms, dose by dose, of one of their columns. */
static void quantile(const GlintDoseArm *const *arms, gsize n_arms, gsize column, gsize n_doses, double share, double *out)
{
    g_autofree double *values = g_new(double, n_arms + 1);
    for (gsize k = 0; k < n_doses; k++) {
        for (gsize a = 0; a < n_arms; a++) {
            const double *const columns[] = {arms[a]->kl, arms[a]->effect, arms[a]->nll_change, arms[a]->same_top};
            values[a] = columns[column][k];
        }
        qsort(values, n_arms, sizeof *values, glint_ascending);
        const double at = share * (double)(n_arms - 1);
        const gsize below = (gsize)at, above = MIN(below + 1, n_arms - 1);
        out[k] = values[below] + (at - (double)below) * (values[above] - values[below]);
    }
}

enum { KL, EFFECT, NLL, SAME };

/* ---- axes ---- */

static GlintAxis axis_over(const GlintDoseCurves *curves, GlintAxisKind kind, gsize column, gboolean intervals, double margin)
{
    g_autoptr(GArray) shown = g_array_new(FALSE, FALSE, sizeof(double));
    for (gsize a = 0; a < curves->n_arms; a++) {
        const GlintDoseArm *arm = &curves->arms[a];
        const double *const columns[] = {arm->kl, arm->effect, arm->nll_change, arm->same_top};
        g_array_append_vals(shown, columns[column], (guint)curves->n_doses);
        if (intervals && a == 0 && arm->low && arm->high) {
            g_array_append_vals(shown, arm->low, (guint)curves->n_doses);
            g_array_append_vals(shown, arm->high, (guint)curves->n_doses);
        }
    }
    const double zero = 0;
    if (column == EFFECT)
        g_array_append_val(shown, zero);
    return glint_axis_of(kind, (const double *)(void *)shown->data, shown->len, margin);
}

static void draw_zero(const GlintFrame *frame)
{
    if (frame->y.low < 0 && frame->y.high > 0)
        glint_canvas_line(frame->cr, frame->left, glint_axis_at(&frame->y, 0), frame->left + frame->width, glint_axis_at(&frame->y, 0), 0.8, GLINT_QUIET);
}

/* ---- the large panel ---- */

static void draw_band(const GlintFrame *frame, const GlintDoseCurves *curves, const Style *style, const GlintDoseArm *const *arms, gsize n_arms)
{
    const gsize n = curves->n_doses;
    g_autofree double *kl = g_new(double, n), *low = g_new(double, n), *middle = g_new(double, n), *high = g_new(double, n);
    quantile(arms, n_arms, KL, n, 0.5, kl);
    quantile(arms, n_arms, EFFECT, n, 0.05, low);
    quantile(arms, n_arms, EFFECT, n, 0.5, middle);
    quantile(arms, n_arms, EFFECT, n, 0.95, high);
    glint_frame_band(frame, kl, low, high, n, style->colour, 0.28);
    glint_frame_curve(frame, kl, middle, n, 1, style->colour);
}

static void draw_line(const GlintFrame *frame, const GlintDoseCurves *curves, const Style *style, const GlintDoseArm *arm)
{
    const gboolean module = strcmp(style->role, "module") == 0;
    if (module && arm->low && arm->high)
        glint_frame_band(frame, arm->kl, arm->low, arm->high, curves->n_doses, style->colour, 0.18);
    glint_frame_curve(frame, arm->kl, arm->effect, curves->n_doses, module ? 2.4 : 1.3, style->colour);
    for (gsize k = 0; k < curves->n_doses; k++)
        glint_frame_dot(frame, arm->kl[k], arm->effect[k], module ? 3 : 2, FALSE, style->colour);
}

static void draw_effect(cairo_t *cr, const GlintDoseCurves *curves)
{
    g_autofree const GlintDoseArm **arms = g_new0(const GlintDoseArm *, curves->n_arms + 1);
    GlintFrame frame = {.cr = cr, .x = axis_over(curves, GLINT_AXIS_LOG, KL, FALSE, 0.05), .y = axis_over(curves, GLINT_AXIS_LINEAR, EFFECT, TRUE, 0.06)};
    glint_frame_place(&frame, top_left, top_top, top_width, top_height);
    glint_frame_grid(&frame);
    draw_zero(&frame);
    for (gsize s = 0; s < G_N_ELEMENTS(styles); s++) {
        const gsize n = arms_of(curves, styles[s].role, arms);
        if (n > 0 && styles[s].band)
            draw_band(&frame, curves, &styles[s], arms, n);
        else if (n > 0)
            draw_line(&frame, curves, &styles[s], arms[0]);
    }
    glint_frame_outline(&frame);
    glint_frame_values(&frame, page_margin + 10, "change of the log-odds");
    glint_frame_bottom(&frame, "dose: mean KL of the next token on neutral text, nats (logarithmic)");
}

static void draw_legend(cairo_t *cr, const GlintDoseCurves *curves)
{
    g_autofree const GlintDoseArm **arms = g_new0(const GlintDoseArm *, curves->n_arms + 1);
    const GlintFont font = {.size = 9, .colour = GLINT_INK};
    double y = top_top + 12;
    for (gsize s = G_N_ELEMENTS(styles); s-- > 0;) {
        const gsize n = arms_of(curves, styles[s].role, arms);
        if (n == 0)
            continue;
        g_autofree char *label = styles[s].band ? g_strdup_printf("%s, 5–95 %%", styles[s].label) : g_strdup(styles[s].label);
        glint_colour_set(cr, styles[s].colour, styles[s].band ? 0.28 : 1);
        cairo_rectangle(cr, legend_left, y - (styles[s].band ? 8 : 4.5), 20, styles[s].band ? 9 : 2.2);
        cairo_fill(cr);
        if (styles[s].band)
            glint_canvas_line(cr, legend_left, y - 3.5, legend_left + 20, y - 3.5, 1, styles[s].colour);
        glint_text_within(cr, font, legend_left + 27, y, page_width - page_margin - legend_left - 27, label);
        y += 19;
    }
    y += 12;
    glint_text(cr, (GlintFont){.size = 9, .bold = TRUE, .colour = GLINT_INK}, legend_left, y, "share of sets that do as much");
    glint_text(cr, (GlintFont){.size = 8.5, .colour = GLINT_QUIET, .align = GLINT_RIGHT}, legend_left + 100, y + 16, "random");
    glint_text(cr, (GlintFont){.size = 8.5, .colour = GLINT_QUIET, .align = GLINT_RIGHT}, legend_left + 170, y + 16, "equal degrees");
    double at = y + 18;
    for (gsize k = 0; k < curves->n_doses && at + 14 < top_top + top_height; k++) {
        const double *reached = curves->arms[0].kl;
        if (k > 0 && fabs(reached[k] - reached[k - 1]) < 1e-9 * fabs(reached[k])) /* the limit of the operator: the same dose again */
            continue;
        at += 14;
        g_autofree char *kl = glint_format_short(curves->arms[0].kl[k], 2), *dose = g_strdup_printf("KL %s", kl), *random = g_strdup_printf("p = %.3f", curves->p_random[k]),
                        *matched = g_strdup_printf("p = %.3f", curves->p_matched[k]);
        glint_text(cr, font, legend_left, at, dose);
        glint_text(cr, (GlintFont){.size = 9, .colour = GLINT_INK, .align = GLINT_RIGHT}, legend_left + 100, at, random);
        glint_text(cr, (GlintFont){.size = 9, .colour = GLINT_INK, .align = GLINT_RIGHT}, legend_left + 170, at, matched);
    }
}

/* ---- what it costs ---- */

static void draw_cost(cairo_t *cr, const GlintDoseCurves *curves, double left, gsize column, const char *title)
{
    g_autofree const GlintDoseArm **arms = g_new0(const GlintDoseArm *, curves->n_arms + 1);
    g_autofree double *x = g_new(double, curves->n_doses), *y = g_new(double, curves->n_doses);
    GlintFrame frame = {.cr = cr, .x = axis_over(curves, GLINT_AXIS_LINEAR, column, FALSE, 0.05), .y = axis_over(curves, GLINT_AXIS_LINEAR, EFFECT, FALSE, 0.06)};
    glint_frame_place(&frame, left, low_top, low_width, low_height);
    glint_frame_grid(&frame);
    draw_zero(&frame);
    for (gsize s = 0; s < G_N_ELEMENTS(styles); s++) {
        const gsize n = arms_of(curves, styles[s].role, arms);
        if (n == 0)
            continue;
        quantile(arms, n, column, curves->n_doses, 0.5, x);
        quantile(arms, n, EFFECT, curves->n_doses, 0.5, y);
        glint_frame_curve(&frame, x, y, curves->n_doses, strcmp(styles[s].role, "module") == 0 ? 2.2 : 1.2, styles[s].colour);
        for (gsize k = 0; k < curves->n_doses; k++)
            glint_frame_dot(&frame, x[k], y[k], 2, FALSE, styles[s].colour);
    }
    glint_frame_outline(&frame);
    glint_frame_values(&frame, left - 44, "change of the log-odds");
    glint_frame_bottom(&frame, title);
}

static gsize count_sets(const GlintDoseCurves *curves)
{
    gsize n = 0;
    for (gsize a = 0; a < curves->n_arms; a++)
        n += strcmp(curves->arms[a].role, "random") == 0 || strcmp(curves->arms[a].role, "degree-matched") == 0;
    return n;
}

gboolean glint_draw_dose(const GlintDoseCurves *curves, const char *path, GError **error)
{
    g_autofree char *texts = glint_format_count(curves->n_texts),
        *line = g_strdup_printf("Mean over %s held-out texts, with its 95 %% interval. Every set is steered by the same operator to the same KL. "
                                "%zu control sets.", texts, count_sets(curves));
    g_autoptr(GlintCanvas) canvas = glint_canvas_new(path, page_width, page_height, curves->title, curves->verdict, error);
    if (!canvas)
        return FALSE;
    glint_caption_head(canvas->cr, page_margin, 32, page_width - 2 * page_margin, curves->title, line);
    draw_effect(canvas->cr, curves);
    draw_legend(canvas->cr, curves);
    draw_cost(canvas->cr, curves, top_left, NLL, "cost: loss on neutral text, nats a token");
    draw_cost(canvas->cr, curves, low_second, SAME, "share of most likely tokens unchanged");
    glint_text_paragraph(canvas->cr, (GlintFont){.size = 9.5, .colour = GLINT_INK}, page_margin, low_top + low_height + 54, page_width - 2 * page_margin, 5, curves->verdict);
    return glint_canvas_finish(g_steal_pointer(&canvas), error);
}
