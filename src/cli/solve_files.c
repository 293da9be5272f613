/* The files a solve leaves: neurons.csv, precision.npz, dense matrices when they are small, edges.csv, certificate.json. See results.h. */
#include "base/error.h"
#include "base/files.h"
#include "base/npy.h"
#include "cli/solve_private.h"
#include "cli/sparse_file.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { DENSE_LIMIT = 4096 }; /* beyond this many neurons dense matrices are written on request only (DESIGN 5) */

static gboolean write_neurons(const GlintSample *sample, const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "neurons.csv", NULL);
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    FILE *out = glint_file_stream(file);
    fprintf(out, "row,neuron,column,mean,sd\n");
    for (gsize i = 0; i < sample->p; i++) {
        char mean[G_ASCII_DTOSTR_BUF_SIZE] = "", sd[G_ASCII_DTOSTR_BUF_SIZE] = "";
        if (sample->mean) {
            g_ascii_dtostr(mean, sizeof mean, sample->mean[i]);
            g_ascii_dtostr(sd, sizeof sd, sample->sd[i]);
        }
        fprintf(out, "%zu,%s,%zu,%s,%s\n", i, sample->neurons[i], sample->column[i], mean, sd);
    }
    return glint_file_commit(g_steal_pointer(&file), error);
}

static gboolean writes_dense(const GlintSample *sample, const GlintSolveArgs *args) { return sample->p <= DENSE_LIMIT || args->dense; }

gboolean glint_has_solution(const char *folder, const GlintSample *sample, const GlintSolveArgs *args)
{
    const gboolean dense = writes_dense(sample, args);
    const char *names[8] = {"neurons.csv", "precision.npz"};
    gsize n = 2;
    if (dense) {
        names[n++] = "covariance.npy";
        names[n++] = "precision.npy";
    }
    if (args->path)
        names[n++] = "path.json";
    if (args->stability > 0 || args->null > 0 || args->bootstrap > 0 || args->debias)
        names[n++] = "uncertainty.npz";
    g_autofree char *npz = g_build_filename(folder, "precision.npz", NULL);
    g_autoptr(GlintCsr) precision = glint_has_files(folder, names) ? glint_csr_read(npz, NULL) : NULL;
    return precision && precision->rows == sample->p && precision->cols == sample->p;
}

static gboolean write_dense(const GlintSample *sample, const ggm_sparse *precision, const char *folder, GError **error)
{
    gsize p = sample->p, shape[2] = {p, p};
    g_autofree char *covariance_path = g_build_filename(folder, "covariance.npy", NULL);
    g_autofree char *precision_path = g_build_filename(folder, "precision.npy", NULL);
    g_autofree double *dense = g_try_malloc_n(p * p, sizeof *dense);
    if (!dense)
        return glint_fail(error, GLINT_ERROR_FAILED, "no memory for the dense precision matrix (%.1f GB); leave --dense out", (double)p * (double)p * 8e-9);
    ggm_sparse_to_dense(precision, dense);
    return glint_npy_write(covariance_path, GLINT_F64, 2, shape, sample->covariance, error) &&
           glint_npy_write(precision_path, GLINT_F64, 2, shape, dense, error);
}

/* i, j and a number of each edge for every column, for glint graph to take into edges.csv. */
static gboolean write_columns(const ggm_sparse *precision, const GPtrArray *columns, const char *folder, GError **error)
{
    if (columns->len == 0)
        return TRUE;
    const gsize n_edges = (precision->nnz - precision->p) / 2, shape[1] = {n_edges};
    g_autofree gint32 *i = g_new(gint32, n_edges + 1), *j = g_new(gint32, n_edges + 1);
    gsize n = 0;
    for (gsize row = 0; row < precision->p; row++)
        for (gsize k = precision->start[row]; k < precision->start[row + 1]; k++)
            if ((gsize)precision->index[k] > row) {
                i[n] = (gint32)row;
                j[n++] = precision->index[k];
            }
    g_autofree char *path = g_build_filename(folder, GLINT_UNCERTAINTY_FILE, NULL);
    g_autoptr(GlintNpz) npz = glint_npz_new(path);
    if (!glint_npz_add(npz, "i", GLINT_I32, 1, shape, i, error) || !glint_npz_add(npz, "j", GLINT_I32, 1, shape, j, error))
        return FALSE;
    g_autoptr(GString) names = g_string_new(NULL);
    for (guint k = 0; k < columns->len; k++) {
        const GlintSolveColumn *column = g_ptr_array_index(columns, k);
        g_string_append_printf(names, "%s%s", k ? "," : "", column->name);
        if (!glint_npz_add(npz, column->name, GLINT_F64, 1, shape, column->values, error))
            return FALSE;
    }
    return glint_npz_add(npz, "columns", GLINT_BYTES, 0, NULL, names->str, error) && glint_npz_close(g_steal_pointer(&npz), error);
}

/* ---- certificate.json ---- */

static void set(json_t *root, const char *key, json_t *value) { json_object_set_new(root, key, value); }
static void set_count(json_t *root, const char *key, gsize value) { set(root, key, json_integer((json_int_t)value)); }

/* Whose matrix it is and where it comes from. */
static void describe_sample(json_t *root, const GlintSample *sample)
{
    if (sample->site)
        set(root, "site", json_string(sample->site));
    if (sample->class_name)
        set(root, "class", json_string(sample->class_name));
    if (sample->n)
        set_count(root, "n", sample->n);
    if (sample->n_texts && sample->n_texts != sample->n)
        set_count(root, "independent", sample->n_texts);
    set_count(root, "p", sample->p);
    set_count(root, "columns", sample->width);
    set_count(root, "constant_columns", sample->n_constant);
}

static void describe_covariance(json_t *root, const GlintSample *sample, const GlintSolveArgs *args)
{
    if (args->transform)
        set(root, "transform", json_string(args->transform));
    if (sample->forming.transform == GGM_TRANSFORM_WINSOR)
        set(root, "winsor", json_real(sample->forming.winsor));
    if (args->shrinkage)
        set(root, "shrinkage", json_real(sample->formed.shrinkage));
    if (sample->formed.repaired) {
        set(root, "repaired", json_true());
        set(root, "repair_distance", json_real(sample->formed.repair_distance));
    }
}

static void describe_answer(json_t *root, gsize p, gsize nonzeros)
{
    const gsize edges = (nonzeros - p) / 2;
    set_count(root, "nonzeros", nonzeros);
    set_count(root, "edges", edges);
    set(root, "density", json_real(p > 1 ? 2.0 * (double)edges / ((double)p * (double)(p - 1)) : 0));
    set(root, "average_degree", json_real(2.0 * (double)edges / (double)p));
}

/* What the certificate proves of the optimum itself, when it was had from the matrix alone. */
static void describe_proof(json_t *root, const ggm_certificate *proof)
{
    set(root, "smallest_eigenvalue", glint_number_or_null(proof->smallest_eigenvalue));
    set_count(root, "proven_edges", proof->proven_edges);
    set_count(root, "proven_zeros", proof->proven_zeros);
    set_count(root, "undecided_pairs", proof->undecided_pairs);
    set_count(root, "wrong_edges", proof->wrong_edges);
}

static void describe_solve(json_t *root, double objective, double gap, double relative_gap, double residual, const char *basis, double tolerance)
{
    set(root, "objective", glint_number_or_null(objective));
    set(root, "duality_gap", glint_number_or_null(gap));
    set(root, "relative_duality_gap", glint_number_or_null(relative_gap));
    set(root, "kkt_residual", glint_number_or_null(residual));
    set(root, "certified_from", json_string(basis));
    set(root, "tolerance", glint_number_or_null(tolerance));
}

static const char *outcome_text(ggm_outcome outcome, gboolean converged)
{
    return converged || outcome != GGM_CONVERGED ? ggm_outcome_text(outcome) : "not certified";
}

static json_t *certificate_of(const GlintSolve *self, gboolean converged)
{
    const GlintSample *sample = self->sample;
    const GlintSolveArgs *args = &self->args->solve;
    const ggm_info *info = &self->result.info;
    g_autofree char *key = glint_solve_key(sample, self->args), *rule = glint_rule_text(&self->plan);
    json_t *root = json_object();
    describe_sample(root, sample);
    describe_covariance(root, sample, args);
    set(root, "lambda", json_real(info->lambda));
    set(root, "lambda_rule", json_string(rule));
    if (args->penalty)
        set(root, "penalty_weights", json_string(args->penalty));
    set(root, "penalize_diagonal", json_boolean(args->penalize_diagonal));
    set(root, "correlation_scaled", json_boolean(!args->no_scale));
    describe_solve(root, info->objective, info->duality_gap, info->relative_duality_gap, info->kkt_residual, self->basis, self->plan.tolerance);
    describe_answer(root, sample->p, info->nonzeros);
    if (self->proof.positive_definite)
        describe_proof(root, &self->proof);
    set_count(root, "components", info->components);
    set_count(root, "largest_component", info->largest_component);
    set(root, "iterations", json_integer(info->iterations));
    set(root, "seconds", json_real(info->seconds));
    set(root, "threads", json_integer(info->threads));
    set(root, "solver", json_string(info->solver));
    set(root, "outcome", json_string(outcome_text(info->outcome, converged)));
    json_object_update(root, self->sections);
    if (!self->interrupted)
        set(root, "key", json_string(key));
    return root;
}

/* ---- all of them ---- */

static gboolean write_matrices(const GlintSample *sample, const GlintSolveArgs *args, const ggm_sparse *precision, const char *folder, GError **error)
{
    g_autofree char *npz = g_build_filename(folder, "precision.npz", NULL);
    return write_neurons(sample, folder, error) && glint_sparse_write(npz, precision, error) &&
           (!writes_dense(sample, args) || write_dense(sample, precision, folder, error));
}

static gboolean write_certificate(json_t *root, const char *folder, GError **error)
{
    g_autoptr(json_t) certificate = root;
    g_autofree char *path = g_build_filename(folder, "certificate.json", NULL);
    return glint_json_write(path, certificate, error);
}

gboolean glint_solve_write(GlintSolve *self, gboolean converged, GError **error)
{
    const GlintSample *sample = self->sample;
    return write_matrices(sample, &self->args->solve, &self->result.precision, self->folder, error) &&
           write_columns(&self->result.precision, self->columns, self->folder, error) &&
           write_certificate(certificate_of(self, converged), self->folder, error) && glint_write_edges(self->folder, sample->covariance, error);
}

gboolean glint_solve_write_joint(const GlintSample *sample, const GlintArgs *args, const GlintSolvePlan *plan, const ggm_sparse *precision, const ggm_joint_info *info,
                                 json_t *joint, const char *basis, gboolean converged, const char *folder, GError **error)
{
    g_autofree char *key = glint_solve_key(sample, args), *rule = glint_rule_text(plan);
    json_t *root = json_object();
    describe_sample(root, sample);
    describe_covariance(root, sample, &args->solve);
    set(root, "lambda", json_real(info->lambda1));
    set(root, "lambda2", json_real(info->lambda2));
    set(root, "lambda_rule", json_string(rule));
    set(root, "joint", joint);
    set(root, "penalize_diagonal", json_boolean(args->solve.penalize_diagonal));
    set(root, "correlation_scaled", json_boolean(!args->solve.no_scale));
    describe_solve(root, info->objective, info->duality_gap, info->relative_duality_gap, info->kkt_residual, basis, plan->tolerance);
    describe_answer(root, sample->p, precision->nnz);
    set_count(root, "components", info->components);
    set_count(root, "largest_component", info->largest_component);
    set(root, "iterations", json_integer(info->iterations));
    set(root, "seconds", json_real(info->seconds));
    set(root, "threads", json_integer(info->threads));
    set(root, "solver", json_string(info->solver));
    set(root, "outcome", json_string(outcome_text(info->outcome, converged)));
    set(root, "key", json_string(key));
    return write_matrices(sample, &args->solve, precision, folder, error) && write_certificate(root, folder, error) &&
           glint_write_edges(folder, sample->covariance, error);
}
