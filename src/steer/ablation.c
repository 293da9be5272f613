/* Ablation, class by class. See ablation.h. */
#include "steer/ablation.h"
#include "base/order.h"
#include "base/talk.h"
#include "steer/controls.h"
#include "steer/rank.h"

#include <math.h>
#include <stdlib.h>

#define LEVEL 0.05

void glint_steer_ablation_free(GlintAblation *self)
{
    if (!self)
        return;
    for (gsize c = 0; self->rows && c < self->n_classes; c++)
        g_free(self->rows[c].cells);
    g_free(self->rows);
    g_free(self->loss);
    g_free(self->n_texts);
    g_free(self);
}

void glint_steer_against_others(GlintSteerLayer *self)
{
    for (gsize i = 0; i < self->p; i++) {
        double others = 0;
        for (gsize c = 0; c < self->n_classes; c++)
            others += c == self->towards ? 0 : self->mean[c * self->p + i] / (double)(self->n_classes - 1);
        self->mean[self->away * self->p + i] = others;
        self->effect[i] = self->sd[i] > 0 ? (self->mean[self->towards * self->p + i] - others) / self->sd[i] : 0;
    }
}

typedef struct {
    GlintSteerLab *lab;
    GlintSteerTexts *const *texts;
    gsize n_classes;
    double **base;   /* C x texts */
    double *scratch; /* as many as the largest class has texts */
} Bench;

/* Change of the loss on every class's texts: means, and their standard errors. */
static gboolean measure(const Bench *self, const GlintSteerOperator *operator, double *change, double *error_of, GError **error)
{
    for (gsize c = 0; c < self->n_classes; c++) {
        const gsize n = glint_steer_texts_count(self->texts[c]);
        double sum = 0, squares = 0;
        if (!glint_steer_lab_loss(self->lab, self->texts[c], operator, 1, self->scratch, error))
            return FALSE;
        for (gsize i = 0; i < n; i++)
            sum += self->scratch[i] - self->base[c][i];
        change[c] = sum / (double)n;
        for (gsize i = 0; i < n; i++)
            squares += pow(self->scratch[i] - self->base[c][i] - change[c], 2);
        error_of[c] = n > 1 ? sqrt(squares / (double)(n - 1) / (double)n) : 0;
    }
    return TRUE;
}

/* `random`: changes by the random sets on one class's texts; sorted here. */
static void compare(GlintAblationCell *cell, double *random, gsize n)
{
    gsize as_much = 0;
    for (gsize r = 0; r < n; r++) {
        cell->random_mean += random[r] / (double)n;
        as_much += !(random[r] < cell->change); /* not-a-number is never better */
    }
    qsort(random, n, sizeof *random, glint_ascending);
    cell->random_high = n ? random[(gsize)ceil(0.95 * (double)(n - 1))] : NAN;
    cell->p = (1 + (double)as_much) / (1 + (double)n);
    cell->exceeds = cell->p <= LEVEL;
}

static const gsize *rows_of(const GArray *rows) { return (const gsize *)(const void *)rows->data; }

static gboolean ablate_class(const Bench *bench, const GlintSteerLayer *layer, const GlintAblationOptions *options, guint64 seed,
                             GlintProgress *bar, double *done, GlintAblationRow *row,
                             GError **error)
{
    const gsize C = bench->n_classes;
    g_autoptr(GArray) ranked = glint_steer_rank(layer, options->least, error);
    if (!ranked)
        return FALSE;
    const GlintRankedModule *best = &g_array_index(ranked, GlintRankedModule, 0);
    g_autoptr(GArray) rows = glint_steer_module(layer, best->module);
    g_autofree double *change = g_new(double, C), *error_of = g_new(double, C), *unused = g_new(double, C), *random = g_new(double, C * options->n_random + 1);
    *row = (GlintAblationRow){.module = best->module, .n = best->n, .separation = best->separation, .cells = g_new0(GlintAblationCell, C)};
    for (gsize r = 0; r <= options->n_random; r++) { /* the module, then the random sets */
        g_autoptr(GArray) set = r ? glint_steer_random_rows(layer, rows, seed + r) : g_array_copy(rows);
        g_autoptr(GlintSteerOperator) operator = glint_steer_operator_new(options->kind, layer, rows_of(set), set->len, 0, error);
        if (!operator || !measure(bench, operator, change, r ? unused : error_of, error))
            return FALSE;
        for (gsize c = 0; c < C; c++)
            if (r)
                random[c * options->n_random + r - 1] = change[c];
            else
                row->cells[c] = (GlintAblationCell){.change = change[c], .error = error_of[c]};
        glint_progress_update(bar, ++*done, layer->classes[layer->towards]);
    }
    for (gsize c = 0; c < C; c++)
        compare(&row->cells[c], random + c * options->n_random, options->n_random);
    return TRUE;
}

static gboolean measure_base(GlintAblation *self, Bench *bench, GError **error)
{
    gsize most = 0;
    for (gsize c = 0; c < self->n_classes; c++) {
        const gsize n = self->n_texts[c] = glint_steer_texts_count(bench->texts[c]);
        most = MAX(most, n);
        bench->base[c] = g_new(double, n + 1);
        if (!glint_steer_lab_loss(bench->lab, bench->texts[c], NULL, 0, bench->base[c], error))
            return FALSE;
        for (gsize i = 0; i < n; i++)
            self->loss[c] += bench->base[c][i] / (double)n;
    }
    bench->scratch = g_new(double, most + 1);
    return TRUE;
}

static void average(GlintAblation *self)
{
    const gsize C = self->n_classes;
    for (gsize m = 0; m < C; m++)
        for (gsize c = 0; c < C; c++)
            *(m == c ? &self->within : &self->across) += self->rows[m].cells[c].change / (double)(m == c ? C : C * (C - 1));
}

GlintAblation *glint_steer_ablation(GlintSteerLab *lab, GlintSteerLayer *const *layers, GlintSteerTexts *const *texts, gsize n_classes,
                                    const GlintAblationOptions *options, GError **error)
{
    g_autoptr(GlintAblation) self = g_new0(GlintAblation, 1);
    *self = (GlintAblation){.n_classes = n_classes, .n_random = options->n_random, .rows = g_new0(GlintAblationRow, n_classes), .loss = g_new0(double, n_classes),
                            .n_texts = g_new0(gsize, n_classes)};
    Bench bench = {.lab = lab, .texts = texts, .n_classes = n_classes, .base = g_new0(double *, n_classes)};
    g_autoptr(GlintProgress) bar = glint_progress_new("ablation", (double)(n_classes * (1 + options->n_random)), "sets");
    double done = 0;
    gboolean ok = measure_base(self, &bench, error);
    for (gsize c = 0; ok && c < n_classes; c++)
        ok = ablate_class(&bench, layers[c], options, options->seed + c * (options->n_random + 1), bar, &done, &self->rows[c], error);
    for (gsize c = 0; c < n_classes; c++)
        g_free(bench.base[c]);
    g_free(bench.base);
    g_free(bench.scratch);
    if (!ok)
        return NULL;
    average(self);
    return g_steal_pointer(&self);
}
