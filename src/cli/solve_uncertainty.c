/* How far the edges can be trusted: stability selection, shuffle null, bootstrap and debiased estimates of libggm, at the chosen lambda.
 * Each leaves a section in certificate.json and numbers of every edge in uncertainty.npz, from where glint graph takes them into edges.csv. What is
 * known of other pairs goes to files of its own: stability.npz (every pair ever selected), debiased.csv (every pair discovered). */
#include "base/error.h"
#include "base/files.h"
#include "cli/solve_private.h"
#include "cli/sparse_file.h"
#include "ggm/uncertainty.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static double *add_column(GlintSolve *self, const char *name)
{
    GlintSolveColumn *column = g_new0(GlintSolveColumn, 1);
    column->name = g_strdup(name);
    column->values = g_new(double, glint_solve_edges(self) + 1);
    for (gsize k = 0; k < glint_solve_edges(self); k++)
        column->values[k] = NAN;
    g_ptr_array_add(self->columns, column);
    return column->values;
}

/* Calls `visit` with every edge in the order of the columns. */
typedef void (*VisitEdge)(gsize edge, gsize i, gsize j, double rho, void *user_data);
static void each_edge(const GlintSolve *self, VisitEdge visit, void *user_data)
{
    const ggm_sparse *t = &self->result.precision;
    g_autofree double *diagonal = g_new0(double, t->p + 1);
    for (gsize i = 0; i < t->p; i++)
        for (gsize k = t->start[i]; k < t->start[i + 1]; k++)
            if ((gsize)t->index[k] == i)
                diagonal[i] = t->value[k];
    gsize edge = 0;
    for (gsize i = 0; i < t->p; i++)
        for (gsize k = t->start[i]; k < t->start[i + 1]; k++) {
            const gsize j = (gsize)t->index[k];
            if (j > i)
                visit(edge++, i, j, -t->value[k] / sqrt(diagonal[i] * diagonal[j]), user_data);
        }
}

static void resample_progress(int finished, int count, void *user_data)
{
    GlintSolve *self = user_data;
    (void)count;
    glint_progress_update(self->bar, self->done = finished, NULL);
}

static ggm_resampling resampling_of(GlintSolve *self, int count, const char *title, const char *unit)
{
    ggm_resampling resampling;
    ggm_default_resampling(&resampling);
    resampling.count = count;
    resampling.seed = (guint64)self->args->common.seed;
    resampling.group = self->sample->group;
    resampling.memory_limit = glint_solve_memory();
    resampling.progress = resample_progress;
    resampling.user_data = self;
    glint_solve_stage(self, title, count, unit);
    return resampling;
}

/* What all resamplings say of themselves. Of one that the user stopped, what there is by then is kept. */
static void describe_resampling(GlintSolve *self, const char *title, const ggm_resampling_info *info, json_t *root)
{
    self->interrupted = self->interrupted || info->outcome == GGM_INTERRUPTED;
    json_object_set_new(root, "resamples", json_integer(info->planned));
    json_object_set_new(root, "completed", json_integer(info->completed));
    json_object_set_new(root, "failed", json_integer(info->failed));
    if (info->failed)
        json_object_set_new(root, "failure", json_string(ggm_status_text(info->failure)));
    json_object_set_new(root, "unconverged", json_integer(info->unconverged));
    json_object_set_new(root, "with_constant_columns", json_integer(info->constant));
    json_object_set_new(root, "independent", json_integer((json_int_t)info->independent));
    json_object_set_new(root, "seed", json_integer(self->args->common.seed));
    json_object_set_new(root, "outcome", json_string(ggm_outcome_text(info->outcome)));
    json_object_set_new(root, "seconds", json_real(info->seconds));
    if (info->failed)
        glint_warn("%s: %d of %d resamples gave no answer: %s", title, info->failed, info->planned, ggm_status_text(info->failure));
    if (info->completed < info->planned && info->outcome == GGM_TIME_LIMIT)
        glint_warn("%s: the time limit came after %d of %d resamples", title, info->completed, info->planned);
}

/* ---- stability selection ---- */

/* The value of a symmetric sparse matrix at (i, j); 0 where nothing is stored. */
static double entry_of(const ggm_sparse *matrix, gsize i, gsize j)
{
    gsize low = matrix->start[i], high = matrix->start[i + 1];
    while (low < high) {
        const gsize middle = low + (high - low) / 2;
        if ((gsize)matrix->index[middle] < j)
            low = middle + 1;
        else
            high = middle;
    }
    return low < matrix->start[i + 1] && (gsize)matrix->index[low] == j ? matrix->value[low] : 0;
}

typedef struct { const ggm_sparse *frequency; double *column; } FrequencyTo;

static void take_frequency(gsize edge, gsize i, gsize j, double rho, void *user_data)
{
    FrequencyTo *to = user_data;
    (void)rho;
    to->column[edge] = entry_of(to->frequency, i, j);
}

static gboolean take_stability(GlintSolve *self, const ggm_stability_result *result, GError **error)
{
    const gboolean known = result->info.completed > 0;
    json_t *root = json_pack("{s:f, s:I, s:o, s:o}", "threshold", result->threshold, "stable_pairs", (json_int_t)result->stable, "average_edges",
                             glint_number_or_null(known ? result->average_edges : NAN), "expected_false_at_most", glint_number_or_null(known ? result->false_bound : NAN));
    json_object_set_new(self->sections, "stability", root);
    describe_resampling(self, "stability", &result->info, root);
    FrequencyTo to = {&result->frequency, add_column(self, "stability")};
    if (result->info.completed > 0)
        each_edge(self, take_frequency, &to);
    g_autofree char *path = g_build_filename(self->folder, "stability.npz", NULL);
    return glint_sparse_write(path, &result->frequency, error);
}

static gboolean find_stability(GlintSolve *self, GError **error)
{
    const ggm_resampling resampling = resampling_of(self, self->plan.stability, "stability", "half-samples");
    const ggm_problem problem = glint_solve_problem_of_rows(self, self->result.info.lambda);
    const ggm_settings settings = glint_solve_settings(self);
    ggm_stability_result result = {0};
    ggm_status status = ggm_stability(&problem, &settings, &resampling, &result);
    gboolean ok = status == GGM_OK ? take_stability(self, &result, error) : glint_solve_fail(self, "--stability", status, error);
    ggm_stability_result_release(&result);
    return ok;
}

/* ---- shuffle null ---- */

typedef struct { const ggm_null_result *null; double *pair, *family; } NullTo;

static void take_null_p(gsize edge, gsize i, gsize j, double rho, void *user_data)
{
    NullTo *to = user_data;
    (void)i;
    (void)j;
    to->pair[edge] = ggm_null_pair_p(to->null, rho);
    to->family[edge] = ggm_null_family_p(to->null, rho);
}

static void take_null(GlintSolve *self, const ggm_null_result *result)
{
    json_t *edges = json_array(), *largest = json_array();
    for (int k = 0; k < result->info.completed; k++) {
        json_array_append_new(edges, json_integer((json_int_t)result->null_edges[k]));
        json_array_append_new(largest, json_real(result->null_largest[k]));
    }
    const gboolean known = result->info.completed > 0;
    json_t *root = json_pack("{s:o, s:o, s:o, s:o}", "mean_edges", glint_number_or_null(known ? result->mean_null_edges : NAN), "false_share",
                             glint_number_or_null(known ? result->false_share : NAN), "edges", edges, "largest_partial_correlation", largest);
    json_object_set_new(self->sections, "null", root);
    describe_resampling(self, "null", &result->info, root);
    NullTo to = {result, add_column(self, "null_p"), add_column(self, "null_family_p")};
    if (result->info.completed > 0)
        each_edge(self, take_null_p, &to);
}

static gboolean find_null(GlintSolve *self, GError **error)
{
    const ggm_resampling resampling = resampling_of(self, self->plan.null, "null", "shuffles");
    const ggm_problem problem = glint_solve_problem_of_rows(self, self->result.info.lambda);
    const ggm_settings settings = glint_solve_settings(self);
    ggm_null_result result = {0};
    ggm_status status = ggm_shuffle_null(&problem, &settings, &resampling, &result);
    if (status == GGM_OK)
        take_null(self, &result);
    ggm_null_result_release(&result);
    return status == GGM_OK || glint_solve_fail(self, "--null", status, error);
}

/* ---- bootstrap ---- */

typedef struct { const ggm_bootstrap_result *bootstrap; gsize at; double *lower, *upper, *deviation, *presence; } BootstrapTo;

/* Both lists are ordered by i, then j; the bootstrap's edges are those of its own solve of all samples, which may differ in a weak edge. */
static void take_interval(gsize edge, gsize i, gsize j, double rho, void *user_data)
{
    BootstrapTo *to = user_data;
    (void)rho;
    const ggm_bootstrap_edge *edges = to->bootstrap->edges;
    while (to->at < to->bootstrap->count && ((gsize)edges[to->at].i < i || ((gsize)edges[to->at].i == i && (gsize)edges[to->at].j < j)))
        to->at++;
    if (to->at == to->bootstrap->count || (gsize)edges[to->at].i != i || (gsize)edges[to->at].j != j)
        return;
    to->lower[edge] = edges[to->at].lower;
    to->upper[edge] = edges[to->at].upper;
    to->deviation[edge] = edges[to->at].deviation;
    to->presence[edge] = edges[to->at].presence;
}

static void take_bootstrap(GlintSolve *self, const ggm_bootstrap_result *result)
{
    json_t *root = json_pack("{s:f}", "level", result->level);
    json_object_set_new(self->sections, "bootstrap", root);
    describe_resampling(self, "bootstrap", &result->info, root);
    BootstrapTo to = {result, 0, add_column(self, "bootstrap_lower"), add_column(self, "bootstrap_upper"), add_column(self, "bootstrap_sd"),
                      add_column(self, "bootstrap_presence")};
    each_edge(self, take_interval, &to);
}

static gboolean find_bootstrap(GlintSolve *self, GError **error)
{
    const ggm_resampling resampling = resampling_of(self, self->plan.bootstrap, "bootstrap", "resamples");
    const ggm_problem problem = glint_solve_problem_of_rows(self, self->result.info.lambda);
    const ggm_settings settings = glint_solve_settings(self);
    ggm_bootstrap_result result = {0};
    ggm_status status = ggm_bootstrap(&problem, &settings, &resampling, &result);
    if (status == GGM_OK)
        take_bootstrap(self, &result);
    ggm_bootstrap_result_release(&result);
    return status == GGM_OK || glint_solve_fail(self, "--bootstrap", status, error);
}

/* ---- debiased estimates ---- */

static gboolean write_discoveries(const GlintSolve *self, const ggm_debias_result *result, GError **error)
{
    g_autofree char *path = g_build_filename(self->folder, "debiased.csv", NULL);
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    fprintf(out, "i,j,neuron_i,neuron_j,precision,lower,upper,partial_correlation,z,p,q,edge\n");
    for (gsize k = 0; k < result->count; k++) {
        const ggm_debias_pair *pair = &result->pairs[k];
        const double numbers[] = {pair->estimate, pair->lower, pair->upper, pair->partial, pair->z, pair->p_value, pair->q_value};
        fprintf(out, "%d,%d,", pair->i, pair->j);
        glint_csv_field(out, self->sample->neurons[pair->i]);
        putc(',', out);
        glint_csv_field(out, self->sample->neurons[pair->j]);
        for (gsize m = 0; m < G_N_ELEMENTS(numbers); m++) {
            char text[G_ASCII_DTOSTR_BUF_SIZE];
            fprintf(out, ",%s", isfinite(numbers[m]) ? g_ascii_dtostr(text, sizeof text, numbers[m]) : "");
        }
        fprintf(out, ",%d\n", entry_of(&self->result.precision, (gsize)pair->i, (gsize)pair->j) != 0);
    }
    return glint_file_commit(g_steal_pointer(&file), error);
}

typedef struct { const ggm_debias_result *debias; double *z, *p, *q; } DebiasTo;

static void take_p(gsize edge, gsize i, gsize j, double rho, void *user_data)
{
    DebiasTo *to = user_data;
    (void)rho;
    const gsize at = i * to->debias->p + j;
    to->z[edge] = to->debias->z[at];
    to->p[edge] = to->debias->p_value[at];
    to->q[edge] = to->debias->q_value[at];
}

static gboolean take_debiased(GlintSolve *self, const ggm_debias_result *result, GError **error)
{
    self->interrupted = self->interrupted || result->outcome == GGM_INTERRUPTED;
    json_object_set_new(self->sections, "debiased", json_pack("{s:I, s:f, s:I, s:s, s:f}", "n", (json_int_t)self->sample->n_texts, "false_discovery_rate", self->plan.fdr,
                                                              "discoveries", (json_int_t)result->count, "outcome", ggm_outcome_text(result->outcome), "seconds", result->seconds));
    if (result->outcome == GGM_TIME_LIMIT)
        glint_warn("--debias: the time limit came before there were any p-values");
    if (result->outcome != GGM_CONVERGED)
        return TRUE;
    DebiasTo to = {result, add_column(self, "z"), add_column(self, "p"), add_column(self, "q")};
    each_edge(self, take_p, &to);
    return write_discoveries(self, result, error);
}

static gboolean find_debiased(GlintSolve *self, GError **error)
{
    ggm_debias_settings debias;
    ggm_default_debias_settings(&debias);
    debias.false_discovery = self->plan.fdr;
    debias.dense = true;
    const ggm_problem problem = glint_solve_problem(self, self->result.info.lambda);
    const ggm_settings settings = glint_solve_settings(self);
    ggm_debias_result result = {0};
    glint_solve_stage(self, "debias", 0, "pairs");
    ggm_status status = ggm_debias(&problem, &self->result.precision, (double)self->sample->n_texts, &settings, &debias, &result);
    gboolean ok = status == GGM_OK ? take_debiased(self, &result, error) : glint_solve_fail(self, "--debias", status, error);
    ggm_debias_result_release(&result);
    return ok;
}

gboolean glint_solve_uncertainty(GlintSolve *self, GError **error)
{
    const GlintSolvePlan *plan = &self->plan;
    const struct { gboolean wanted; gboolean (*find)(GlintSolve *, GError **); } parts[] = {
        {plan->debias, find_debiased}, {plan->stability > 0, find_stability}, {plan->null > 0, find_null}, {plan->bootstrap > 0, find_bootstrap}};
    for (gsize k = 0; k < G_N_ELEMENTS(parts) && !self->interrupted; k++)
        if (parts[k].wanted && !parts[k].find(self, error))
            return FALSE;
    return TRUE;
}
