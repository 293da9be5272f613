/* See path_file.h. */
#include "cli/path_file.h"
#include "base/error.h"
#include "base/files.h"
#include "cli/sparse_file.h"
#include "draw/path_picture.h"

#include <errno.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

static void point_clear(gpointer data)
{
    GlintPathPoint *self = data;
    g_free(self->status);
    g_free(self->outcome);
    g_free(self->file);
}

GlintPath *glint_path_new(const char *folder, gsize p, json_t *head)
{
    GlintPath *self = g_new0(GlintPath, 1);
    self->folder = g_strdup(folder);
    self->head = head;
    self->p = p;
    self->selected = NAN;
    self->points = g_array_new(FALSE, FALSE, sizeof(GlintPathPoint));
    g_array_set_clear_func(self->points, point_clear);
    return self;
}

void glint_path_free(GlintPath *self)
{
    if (!self)
        return;
    g_free(self->folder);
    json_decref(self->head);
    g_array_unref(self->points);
    g_clear_error(&self->error);
    g_free(self);
}

GlintPathPoint *glint_path_find(const GlintPath *self, double lambda)
{
    for (guint k = 0; k < self->points->len; k++) {
        GlintPathPoint *point = &g_array_index(self->points, GlintPathPoint, k);
        if (fabs(point->lambda - lambda) <= 1e-9 * lambda)
            return point;
    }
    return NULL;
}

GlintPathPoint *glint_path_at(GlintPath *self, double lambda)
{
    GlintPathPoint *known = glint_path_find(self, lambda);
    if (known)
        return known;
    guint k = 0;
    while (k < self->points->len && g_array_index(self->points, GlintPathPoint, k).lambda > lambda)
        k++;
    const GlintPathPoint point = {.lambda = lambda, .edges = NAN, .components = NAN, .largest_component = NAN, .objective = NAN, .relative_duality_gap = NAN,
                                  .kkt_residual = NAN, .log_likelihood = NAN, .ebic = NAN, .cv_mean = NAN, .cv_se = NAN, .instability = NAN,
                                  .instability_raw = NAN, .mean_edges = NAN, .seconds = NAN};
    g_array_insert_val(self->points, k, point);
    return &g_array_index(self->points, GlintPathPoint, k);
}

/* ---- going on ---- */

static double real_or_nan(json_t *object, const char *key)
{
    json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : NAN;
}

static void take_point(GlintPath *self, json_t *from)
{
    const char *status = json_string_value(json_object_get(from, "status")), *outcome = json_string_value(json_object_get(from, "outcome"));
    const char *file = json_string_value(json_object_get(from, "file"));
    const double lambda = real_or_nan(from, "lambda");
    g_autofree char *path = file ? g_build_filename(self->folder, file, NULL) : NULL;
    if (!(lambda > 0) || !status || !outcome || !path || !g_str_has_prefix(file, "path/lambda_") || strstr(file, "..") || !g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return;
    GlintPathPoint *to = glint_path_at(self, lambda);
    to->status = g_strdup(status);
    to->outcome = g_strdup(outcome);
    to->file = g_strdup(file);
    const struct { const char *key; double *value; } reals[] = {
        {"edges", &to->edges}, {"components", &to->components}, {"largest_component", &to->largest_component}, {"objective", &to->objective},
        {"relative_duality_gap", &to->relative_duality_gap}, {"kkt_residual", &to->kkt_residual}, {"log_likelihood", &to->log_likelihood},
        {"ebic", &to->ebic}, {"seconds", &to->seconds}};
    for (gsize k = 0; k < G_N_ELEMENTS(reals); k++)
        *reals[k].value = real_or_nan(from, reals[k].key);
}

gboolean glint_path_resume(GlintPath *self)
{
    g_autofree char *path = g_build_filename(self->folder, "path.json", NULL);
    g_autoptr(json_t) old = g_file_test(path, G_FILE_TEST_IS_REGULAR) ? glint_json_read(path, NULL) : NULL;
    const char *key = old ? json_string_value(json_object_get(old, "key")) : NULL;
    json_t *points = old ? json_object_get(old, "points") : NULL, *point;
    if (!key || g_strcmp0(key, json_string_value(json_object_get(self->head, "key"))) != 0)
        return FALSE;
    size_t k;
    json_array_foreach(points, k, point)
        take_point(self, point);
    return self->points->len > 0;
}

void glint_path_load(const GlintPath *self, const GlintPathPoint *point, ggm_sparse *matrix)
{
    g_autofree char *path = point->file ? g_build_filename(self->folder, point->file, NULL) : NULL;
    glint_sparse_clear(matrix);
    if (path && !glint_sparse_read(path, matrix, NULL))
        glint_sparse_clear(matrix);
}

/* ---- writing ---- */

/* Numbers that are not known are left out of a point. */
static void add_real(json_t *object, const char *key, double value)
{
    if (isfinite(value))
        json_object_set_new(object, key, json_real(value));
}

static void add_count(json_t *object, const char *key, double value)
{
    if (isfinite(value))
        json_object_set_new(object, key, json_integer((json_int_t)value));
}

static json_t *describe_point(const GlintPath *self, const GlintPathPoint *point)
{
    json_t *root = json_pack("{s:f, s:b, s:s}", "lambda", point->lambda, "selected", isfinite(self->selected) && fabs(point->lambda - self->selected) <= 1e-9 * self->selected,
                             "status", point->status ? point->status : "not solved");
    const double pairs = (double)self->p * (double)(self->p - 1) / 2;
    if (point->outcome)
        json_object_set_new(root, "outcome", json_string(point->outcome));
    add_count(root, "edges", point->edges);
    add_real(root, "density", self->p > 1 ? point->edges / pairs : point->edges);
    add_count(root, "components", point->components);
    add_count(root, "largest_component", point->largest_component);
    const struct { const char *key; double value; } reals[] = {
        {"objective", point->objective}, {"relative_duality_gap", point->relative_duality_gap}, {"kkt_residual", point->kkt_residual},
        {"log_likelihood", point->log_likelihood}, {"ebic", point->ebic}, {"cv_mean", point->cv_mean}, {"cv_se", point->cv_se},
        {"instability", point->instability}, {"instability_raw", point->instability_raw}, {"mean_edges", point->mean_edges}, {"seconds", point->seconds}};
    for (gsize k = 0; k < G_N_ELEMENTS(reals); k++)
        add_real(root, reals[k].key, reals[k].value);
    if (point->solves > 0)
        json_object_set_new(root, "solves", json_integer(point->solves));
    if (point->file)
        json_object_set_new(root, "file", json_string(point->file));
    return root;
}

static gboolean write_json(GlintPath *self, const char *outcome, GError **error)
{
    g_autoptr(json_t) root = json_copy(self->head);
    json_object_set_new(root, "outcome", json_string(outcome));
    json_object_set_new(root, "lambda", isfinite(self->selected) ? json_real(self->selected) : json_null());
    json_t *points = json_array();
    for (guint k = 0; k < self->points->len; k++)
        json_array_append_new(points, describe_point(self, &g_array_index(self->points, GlintPathPoint, k)));
    json_object_set_new(root, "points", points);
    g_autofree char *path = g_build_filename(self->folder, "path.json", NULL);
    return glint_json_write(path, root, error);
}

gboolean glint_path_write(GlintPath *self, const char *outcome, GError **error)
{
    if (!self->error)
        return write_json(self, outcome, error);
    g_propagate_error(error, g_error_copy(self->error));
    return FALSE;
}

/* Names sort as the lambdas do not, but say them: "path/lambda_0.1432.npz"; two that read alike get all their digits. */
static char *name_of(const GlintPath *self, double lambda)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    g_autofree char *name = g_strdup_printf("path/lambda_%s.npz", g_ascii_formatd(text, sizeof text, "%.6g", lambda));
    for (guint k = 0; k < self->points->len; k++)
        if (g_strcmp0(g_array_index(self->points, GlintPathPoint, k).file, name) == 0)
            return g_strdup_printf("path/lambda_%s.npz", g_ascii_dtostr(text, sizeof text, lambda));
    return g_steal_pointer(&name);
}

void glint_path_arrived(GlintPath *self, const ggm_path_point *found, gboolean keep)
{
    GlintPathPoint *point = glint_path_at(self, found->lambda);
    g_free(point->status);
    g_clear_pointer(&point->outcome, g_free);
    point->status = g_strdup(found->status == GGM_OK ? "ok" : ggm_status_text(found->status));
    if (found->status == GGM_OK) {
        point->outcome = g_strdup(ggm_outcome_text(found->info.outcome));
        point->edges = (double)found->edges;
        point->components = (double)found->info.components;
        point->largest_component = (double)found->info.largest_component;
        point->objective = found->info.objective;
        point->relative_duality_gap = found->info.relative_duality_gap;
        point->kkt_residual = found->info.kkt_residual;
        point->log_likelihood = found->log_likelihood;
        point->ebic = found->ebic;
        point->seconds = found->info.seconds;
    }
    if (self->error)
        return;
    if (keep && found->status == GGM_OK && found->precision.start) {
        if (!point->file)
            point->file = name_of(self, found->lambda);
        g_autofree char *path = g_build_filename(self->folder, point->file, NULL);
        if (!glint_sparse_write(path, &found->precision, &self->error))
            return;
    }
    write_json(self, "running", &self->error);
}

static gboolean move(const char *name, const char *from, const char *to, GError **error)
{
    g_autofree char *old = g_build_filename(from, name, NULL), *new = g_build_filename(to, name, NULL);
    if (g_rename(old, new) == 0 || errno == ENOENT)
        return TRUE;
    return glint_fail_errno(error, errno, "cannot move '%s' to '%s'", old, new);
}

void glint_path_forget(GlintPath *self)
{
    for (guint k = 0; k < self->points->len; k++)
        g_clear_pointer(&g_array_index(self->points, GlintPathPoint, k).file, g_free);
}

gboolean glint_path_move(GlintPath *self, const char *folder, gboolean with_matrices, GError **error)
{
    return move("path.json", self->folder, folder, error) && (!with_matrices || move("path", self->folder, folder, error));
}

/* ---- the picture ---- */

typedef struct { double *lambda, *edges, *components, *ebic, *cv, *cv_se, *instability; gboolean *converged; } Columns;

static void columns_clear(Columns *self)
{
    double *all[] = {self->lambda, self->edges, self->components, self->ebic, self->cv, self->cv_se, self->instability};
    for (gsize k = 0; k < G_N_ELEMENTS(all); k++)
        g_free(all[k]);
    g_free(self->converged);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Columns, columns_clear)

static double *column_of(json_t *points, const char *key)
{
    double *values = g_new(double, json_array_size(points) + 1);
    json_t *point;
    size_t k;
    json_array_foreach(points, k, point) {
        json_t *value = json_object_get(point, key);
        values[k] = json_is_number(value) ? json_number_value(value) : NAN;
    }
    return values;
}

static gboolean draw(const char *folder, json_t *root, GError **error)
{
    json_t *points = json_object_get(root, "points"), *point;
    g_auto(Columns) columns = {column_of(points, "lambda"), column_of(points, "edges"), column_of(points, "components"), column_of(points, "ebic"),
                               column_of(points, "cv_mean"), column_of(points, "cv_se"), column_of(points, "instability"), NULL};
    GlintPathCurves curves = {.n = json_array_size(points), .lambda = columns.lambda, .edges = columns.edges, .components = columns.components, .ebic = columns.ebic,
                              .cv = columns.cv, .cv_se = columns.cv_se, .instability = columns.instability};
    columns.converged = g_new0(gboolean, curves.n + 1);
    curves.converged = columns.converged;
    curves.selected = curves.n;
    size_t k;
    json_array_foreach(points, k, point) {
        const char *outcome = json_string_value(json_object_get(point, "outcome"));
        columns.converged[k] = !outcome || strcmp(outcome, ggm_outcome_text(GGM_CONVERGED)) == 0;
        if (json_is_true(json_object_get(point, "selected")))
            curves.selected = k;
    }
    GError *problem = NULL;
    curves.rule = glint_json_string(root, "rule_text", NULL, &problem);
    curves.threshold = glint_json_real(root, "instability_threshold", NAN, &problem);
    curves.p = (gsize)glint_json_int(root, "p", 0, &problem);
    GlintCaption caption = {.lambda = NAN, .site = glint_json_string(root, "site", NULL, &problem), .class_name = glint_json_string(root, "class", NULL, &problem),
                            .n_samples = (gsize)glint_json_int(root, "n", 0, &problem)};
    if (problem) {
        g_propagate_prefixed_error(error, problem, "%s/path.json: ", folder);
        return FALSE;
    }
    g_autofree char *png = g_build_filename(folder, "path.png", NULL);
    return glint_draw_path(&curves, &caption, png, error);
}

gboolean glint_path_draw(const char *folder, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "path.json", NULL);
    if (!g_file_test(path, G_FILE_TEST_IS_REGULAR))
        return TRUE;
    g_autoptr(json_t) root = glint_json_read(path, error);
    if (!root)
        return FALSE;
    if (!json_is_array(json_object_get(root, "points")))
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s has no list of points; run glint solve again", path);
    return draw(folder, root, error);
}
