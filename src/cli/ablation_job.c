/* The class x class ablation matrix of a results folder. See ablation_job.h. */
#include "cli/ablation_job.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "cli/steer_texts.h"
#include "draw/class_matrix.h"

#include <math.h>

/* What all layers share. */
typedef struct {
    const GlintAblationPlan *plan;
    gsize n_classes;
    GlintSteerTexts **texts; /* C */
    GlintSteerLab *lab;
} Job;

static void job_clear(Job *self)
{
    for (gsize c = 0; c < self->n_classes; c++)
        glint_steer_texts_free(self->texts[c]);
    g_free(self->texts);
    glint_steer_lab_free(self->lab);
}

static gboolean job_open(Job *self, GError **error)
{
    const GlintAblationPlan *plan = self->plan;
    for (gsize c = 0; c < self->n_classes; c++) {
        self->texts[c] = glint_steer_held_out(plan->tokenizer, plan->chat, plan->used, plan->all, plan->classes[c], plan->n_texts, plan->text_tokens, error);
        if (!self->texts[c])
            return FALSE;
    }
    GlintVerbalisers none = {{g_array_new(FALSE, FALSE, sizeof(guint32)), g_array_new(FALSE, FALSE, sizeof(guint32))}}; /* losses need no words */
    g_autoptr(GlintSteerTexts) one = glint_steer_texts_new(); /* nor a KL: the lab keeps the distributions of one text alone */
    glint_steer_texts_add(one, (const guint32 *)(void *)self->texts[0]->tokens->data, glint_steer_texts_length(self->texts[0], 0));
    self->lab = glint_steer_lab_new(plan->model, one, &none, glint_text_n_prefix(plan->tokenizer, plan->chat), 0, error);
    glint_steer_words_clear(&none);
    return self->lab != NULL;
}

/* One layer with the graph of each class in turn. */
static gboolean read_layers(const Job *self, const GlintSite *site, GlintSteerLayer **layers, GError **error)
{
    const GlintAblationPlan *plan = self->plan;
    const GlintModelInfo *info = glint_model_info(plan->model);
    for (gsize c = 0; c < self->n_classes; c++) {
        layers[c] = glint_steer_layer_read(plan->root, plan->classes, plan->folders, plan->folders[c], plan->classes[c],
                                           plan->classes[c == 0 ? 1 : 0], site, glint_model_site_width(plan->model, site->kind),
                                           info->head_size, error);
        if (!layers[c])
            return FALSE;
        glint_steer_against_others(layers[c]);
    }
    return TRUE;
}

/* ---- what is left ---- */

static json_t *real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *row_json(const Job *self, const GlintAblation *ablation, gsize m)
{
    const GlintAblationRow *row = &ablation->rows[m];
    json_t *cells = json_array();
    for (gsize c = 0; c < self->n_classes; c++) {
        const GlintAblationCell *cell = &row->cells[c];
        json_array_append_new(cells, json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:b}", "class", self->plan->classes[c], "change",
                                               real(cell->change), "error", real(cell->error), "random_mean",
                                               real(cell->random_mean), "random_high", real(cell->random_high), "p", real(cell->p), "exceeds", cell->exceeds));
    }
    return json_pack("{s:s, s:i, s:I, s:o, s:o}", "class", self->plan->classes[m], "module", row->module, "neurons", (json_int_t)row->n,
                     "separation", real(row->separation), "texts_of", cells);
}

static json_t *layer_json(const Job *self, const char *site, const GlintAblation *ablation)
{
    json_t *rows = json_array(), *losses = json_array();
    for (gsize c = 0; c < self->n_classes; c++) {
        json_array_append_new(rows, row_json(self, ablation, c));
        json_array_append_new(losses, json_pack("{s:s, s:I, s:o}", "class", self->plan->classes[c], "texts", (json_int_t)ablation->n_texts[c], "loss", real(ablation->loss[c])));
    }
    return json_pack("{s:s, s:o, s:o, s:o, s:o}", "site", site, "within", real(ablation->within), "across", real(ablation->across), "losses", losses, "ablated", rows);
}

static void print_number(FILE *out, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    fprintf(out, ",%s", isfinite(value) ? g_ascii_formatd(text, sizeof text, "%.9g", value) : "");
}

static void print_rows(const Job *self, const char *site, const GlintAblation *ablation, FILE *out)
{
    for (gsize m = 0; m < self->n_classes; m++)
        for (gsize c = 0; c < self->n_classes; c++) {
            const GlintAblationRow *row = &ablation->rows[m];
            const GlintAblationCell *cell = &row->cells[c];
            const double numbers[] = {ablation->loss[c], cell->change, cell->error, cell->random_mean, cell->random_high, cell->p};
            fprintf(out, "%s,", site);
            glint_csv_field(out, self->plan->classes[m]);
            fprintf(out, ",%d,%zu", row->module, row->n);
            print_number(out, row->separation);
            fputc(',', out);
            glint_csv_field(out, self->plan->classes[c]);
            for (gsize k = 0; k < G_N_ELEMENTS(numbers); k++)
                print_number(out, numbers[k]);
            fprintf(out, ",%d\n", cell->exceeds);
        }
}

static gboolean draw(const Job *self, const char *site, const GlintAblation *ablation, const char *folder, GError **error)
{
    const gsize C = self->n_classes;
    g_autofree double *values = g_new(double, C * C);
    g_autofree gboolean *marked = g_new(gboolean, C * C);
    g_auto(GStrv) notes = g_new0(char *, C + 1);
    for (gsize m = 0; m < C; m++) {
        notes[m] = g_strdup_printf("module %d, %zu neurons", ablation->rows[m].module, ablation->rows[m].n);
        for (gsize c = 0; c < C; c++) {
            values[m * C + c] = ablation->rows[m].cells[c].change;
            marked[m * C + c] = ablation->rows[m].cells[c].exceeds;
        }
    }
    g_autofree char *file = g_strconcat(site, ".png", NULL), *path = g_build_filename(folder, file, NULL);
    g_autofree char *line = g_strdup_printf("%s · %s of each class's best module", site, glint_steer_kind_name(self->plan->options.kind));
    g_autofree char *remark = g_strdup_printf("A frame: more than random sets of as many neurons (p ≤ 0.05, %zu sets; by chance in %.2g of the "
                                              "%zu entries). Mean on the diagonal %+.4f, off it %+.4f nats a token.",
                                              ablation->n_random, 0.05 * (double)(C * C), C * C, ablation->within, ablation->across);
    const GlintClassMatrix matrix = {.n = C, .classes = self->plan->classes, .row_notes = notes, .values = values, .marked = marked,
                                     .row_title = "module of", .column_title = "texts of",
                                     .meaning = "change of the loss, nats", .title = "What ablating a class's module costs", .line = line, .remark = remark};
    return glint_draw_class_matrix(&matrix, path, error);
}

static gboolean ablate_layer(const Job *self, const GlintSite *site, const char *folder, FILE *table, json_t *all, GError **error)
{
    GlintSteerLayer **layers = g_new0(GlintSteerLayer *, self->n_classes);
    g_autofree char *name = glint_site_name(site);
    g_autoptr(GlintAblation) ablation = NULL;
    if (read_layers(self, site, layers, error))
        ablation = glint_steer_ablation(self->lab, layers, self->texts, self->n_classes, &self->plan->options, error);
    for (gsize c = 0; c < self->n_classes; c++)
        glint_steer_layer_free(layers[c]);
    g_free(layers);
    if (!ablation)
        return FALSE;
    print_rows(self, name, ablation, table);
    json_array_append_new(all, layer_json(self, name, ablation));
    return !self->plan->pictures || draw(self, name, ablation, folder, error);
}

static gboolean ablate_layers(const Job *self, GlintSiteKind kind, const GArray *layers, const char *folder, json_t *all, GError **error)
{
    g_autofree char *csv = g_build_filename(folder, "ablation.csv", NULL);
    g_autoptr(GlintFile) table = glint_file_new(csv, error);
    if (!table)
        return FALSE;
    fputs("site,ablated,module,neurons,separation,texts_of,loss,change,error,random_mean,random_high,p,exceeds\n", glint_file_stream(table));
    for (guint k = 0; k < layers->len; k++) {
        const GlintSite site = {kind, g_array_index(layers, gsize, k)};
        if (!ablate_layer(self, &site, folder, glint_file_stream(table), all, error))
            return FALSE;
    }
    return glint_file_commit(g_steal_pointer(&table), error);
}

gboolean glint_job_ablation(const GlintAblationPlan *plan, GlintSiteKind kind, const GArray *layers, json_t **report, GError **error)
{
    Job job = {.plan = plan, .n_classes = g_strv_length((char **)plan->classes)};
    g_autofree char *path = g_build_filename(plan->out, "ablation", NULL);
    if (job.n_classes < 2)
        return glint_fail(error, GLINT_ERROR_DATA, "%s has the graphs of one class; a matrix of classes needs two", plan->root);
    job.texts = g_new0(GlintSteerTexts *, job.n_classes);
    json_t *all = json_array();
    *report = json_pack("{s:s, s:s, s:I, s:I, s:I, s:o}", "operator", glint_steer_kind_name(plan->options.kind), "model_sha256", glint_model_info(plan->model)->sha256, "seed",
                        (json_int_t)plan->options.seed, "random_sets", (json_int_t)plan->options.n_random, "text_tokens", (json_int_t)plan->text_tokens, "layers", all);
    g_autoptr(GlintFolder) folder = job_open(&job, error) ? glint_folder_new(path, error) : NULL;
    gboolean ok = folder && ablate_layers(&job, kind, layers, glint_folder_path(folder), all, error);
    if (ok) {
        g_autofree char *json = g_build_filename(glint_folder_path(folder), "ablation.json", NULL);
        ok = glint_json_write(json, *report, error) && glint_folder_commit(g_steal_pointer(&folder), error);
    }
    job_clear(&job);
    if (!ok)
        g_clear_pointer(report, json_decref);
    return ok;
}
