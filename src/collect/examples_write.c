/* examples.jsonl. See examples_write.h.
 *
 * The bands cut the range from 0 to the largest value (and from 0 to the smallest, when that is negative) into five equal parts, as Neuronpedia's
 * dashboards do; each shows what of `spread` lies in it. Lines are put together by all threads, some hundred neurons at a time, and written
 * in order. */
#include "collect/examples_write.h"
#include "base/error.h"
#include "base/files.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LINES_AT_ONCE = 256 };

static const double quantiles[] = {0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99};

typedef struct {
    const GlintExamples *examples;
    const GlintTexts *texts;
    const GlintSite *site;
    const gsize *numbers; /* or NULL */
    gsize head_size;
} Writer;

/* The fewest digits that read back as the same float. */
static void add_float(GString *line, float x)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    for (int digits = 6; digits <= 9; digits++) {
        char format[8];
        g_snprintf(format, sizeof format, "%%.%dg", digits);
        g_ascii_formatd(text, sizeof text, format, (double)x);
        if ((float)g_ascii_strtod(text, NULL) == x)
            break;
    }
    g_string_append(line, text);
}

/* FALSE when its text is missing. */
static gboolean add_example(const Writer *self, GString *line, const GlintExample *example)
{
    const GlintTextTokens *text = glint_texts_find(self->texts, example->text);
    if (!text || example->position >= text->n)
        return FALSE;
    gsize position = example->position, first = position > GLINT_EXAMPLES_BEFORE ? position - GLINT_EXAMPLES_BEFORE : 0, end = MIN(text->n, position + GLINT_EXAMPLES_AFTER + 1);
    g_autoptr(json_t) id = json_string(text->id);
    g_autofree char *quoted = id ? json_dumps(id, JSON_ENCODE_ANY) : g_strdup("\"\"");
    g_string_append_printf(line, "{\"text\":%s,\"position\":%zu,\"value\":", quoted, position);
    add_float(line, example->value);
    g_string_append(line, ",\"tokens\":[");
    for (gsize t = first; t < end; t++) {
        g_string_append(line, t > first ? "," : "");
        g_string_append(line, glint_texts_spelling(self->texts, text->tokens[t]));
    }
    g_string_append_printf(line, "],\"at\":%zu}", position - first);
    return TRUE;
}

static gboolean add_list(const Writer *self, GString *line, const char *name, const GlintExample *list, gsize n)
{
    g_string_append_printf(line, ",\"%s\":[", name);
    for (gsize i = 0; i < n; i++) {
        g_string_append(line, i > 0 ? "," : "");
        if (!add_example(self, line, &list[i]))
            return FALSE;
    }
    g_string_append_c(line, ']');
    return TRUE;
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* Of the rows drawn, interpolated as numpy.quantile does. */
static void add_quantiles(const Writer *self, GString *line, gsize column)
{
    float values[GLINT_EXAMPLES_ROWS];
    gsize m = glint_examples_n_rows(self->examples);
    for (gsize i = 0; i < m; i++)
        values[i] = glint_examples_row(self->examples, i, column, NULL, NULL);
    qsort(values, m, sizeof *values, ascending);
    g_string_append(line, "\"quantiles\":{");
    for (gsize q = 0; m > 0 && q < G_N_ELEMENTS(quantiles); q++) {
        double at = quantiles[q] * (double)(m - 1), below = floor(at);
        gsize i = (gsize)below, next = MIN(i + 1, m - 1);
        g_string_append_printf(line, "%s\"%g\":", q > 0 ? "," : "", quantiles[q]);
        add_float(line, (float)((double)values[i] + (at - below) * ((double)values[next] - (double)values[i])));
    }
    g_string_append_c(line, '}');
}

static gsize band_of(float value, float extreme)
{
    float part = value / extreme * GLINT_EXAMPLES_BANDS;
    return part >= GLINT_EXAMPLES_BANDS ? GLINT_EXAMPLES_BANDS - 1 : (gsize)part;
}

/* The bands between 0 and `extreme`, which is not 0. */
static gboolean add_bands(const Writer *self, GString *line, const GlintExample *list, gsize n, float extreme, gboolean *any)
{
    for (gsize b = 0; b < GLINT_EXAMPLES_BANDS; b++) {
        gboolean first = TRUE;
        g_string_append(line, *any ? ",{\"from\":" : "{\"from\":");
        add_float(line, extreme * (float)b / GLINT_EXAMPLES_BANDS);
        g_string_append(line, ",\"to\":");
        add_float(line, extreme * (float)(b + 1) / GLINT_EXAMPLES_BANDS);
        g_string_append(line, ",\"examples\":[");
        for (gsize i = 0; i < n; i++) {
            if ((list[i].value < 0) != (extreme < 0) || band_of(list[i].value, extreme) != b)
                continue;
            g_string_append(line, first ? "" : ",");
            if (!add_example(self, line, &list[i]))
                return FALSE;
            first = FALSE;
        }
        g_string_append(line, "]}");
        *any = TRUE;
    }
    return TRUE;
}

static gboolean add_line(const Writer *self, GString *line, gsize column)
{
    gsize n_top, n_bottom, n_spread, number = self->numbers ? self->numbers[column] : column;
    const GlintExample *top = glint_examples_top(self->examples, column, &n_top), *bottom = glint_examples_bottom(self->examples, column, &n_bottom);
    const GlintExample *spread = glint_examples_spread(self->examples, column, &n_spread);
    g_autofree char *id = glint_neuron_id(self->site, number, self->head_size);
    gboolean any = FALSE, negative = n_bottom > 0 && bottom[0].value < 0;
    g_string_append_printf(line, "{\"neuron\":%zu,\"id\":\"%s\",", number, id);
    add_quantiles(self, line, column);
    if (!add_list(self, line, "top", top, n_top) || (negative && !add_list(self, line, "bottom", bottom, n_bottom)))
        return FALSE;
    g_string_append(line, ",\"bands\":[");
    if ((n_top > 0 && top[0].value > 0 && !add_bands(self, line, spread, n_spread, top[0].value, &any)) ||
        (negative && !add_bands(self, line, spread, n_spread, bottom[0].value, &any)))
        return FALSE;
    g_string_append(line, "]}\n");
    return TRUE;
}

gboolean glint_examples_write(const GlintExamples *self, const GlintTexts *texts, const GlintSite *site, const gsize *numbers, gsize head_size, const char *path, GError **error)
{
    Writer writer = {self, texts, site, numbers, head_size};
    gsize width = glint_examples_width(self);
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    for (gsize first = 0; first < width; first += LINES_AT_ONCE) {
        gsize n = MIN((gsize)LINES_AT_ONCE, width - first), missing = 0;
        GString *lines[LINES_AT_ONCE];
#pragma omp parallel for schedule(dynamic, 8) reduction(+ : missing)
        for (gsize k = 0; k < n; k++) {
            lines[k] = g_string_new(NULL);
            missing += !add_line(&writer, lines[k], first + k);
        }
        for (gsize k = 0; k < n; k++) {
            fwrite(lines[k]->str, 1, lines[k]->len, glint_file_stream(file));
            g_string_free(lines[k], TRUE);
        }
        if (missing > 0)
            return glint_fail(error, GLINT_ERROR_DATA, "%s: an example's text is not among those in texts.jsonl beside it; collect the class again", path);
    }
    return glint_file_commit(g_steal_pointer(&file), error);
}
