/* steer.json and its tables. See files.h. */
#include "steer/files.h"
#include "base/error.h"
#include "base/files.h"

#include <math.h>
#include <string.h>

/* ---- writing ---- */

/* A number JSON can hold: null for what is not finite. */
static json_t *real(double value) { return isfinite(value) ? json_real(value) : json_null(); }

static json_t *reals(const double *values, gsize n)
{
    json_t *list = json_array();
    for (gsize k = 0; k < n; k++)
        json_array_append_new(list, real(values[k]));
    return list;
}

static json_t *operator_json(const GlintSteerOperator *operator)
{
    g_autofree char *site = glint_site_name(&operator->site);
    json_t *root = json_object(), *columns = json_array();
    for (gsize k = 0; k < operator->n; k++)
        json_array_append_new(columns, json_integer((json_int_t)operator->column[k]));
    json_object_set_new(root, "kind", json_string(glint_steer_kind_name(operator->kind)));
    json_object_set_new(root, "site", json_string(site));
    json_object_set_new(root, "columns", columns);
    json_object_set_new(root, "factor", real(operator->factor));
    json_object_set_new(root, "constant", reals(operator->constant, operator->n));
    if (operator->centre)
        json_object_set_new(root, "centre", reals(operator->centre, operator->n));
    if (operator->matrix)
        json_object_set_new(root, "matrix", reals(operator->matrix, operator->n * operator->n));
    return root;
}

static json_t *dose_json(const GlintSteerDose *dose)
{
    return json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "kl_wanted", real(dose->kl), "kl", real(dose->cost.kl), "strength", real(dose->strength),
                     "reached", dose->reached, "effect", real(dose->effect), "low", real(dose->low), "high", real(dose->high), "class_probability", real(dose->probability), "mass",
                     real(dose->mass), "wrong_way", real(dose->wrong), "kl_p99", real(dose->cost.kl_p99), "nll_change", real(dose->cost.nll_change), "same_top",
                     real(dose->cost.same_top));
}

static json_t *neurons_json(const GlintSteerLayer *layer, const GArray *rows)
{
    json_t *list = json_array();
    for (guint k = 0; rows && k < rows->len; k++)
        json_array_append_new(list, json_string(layer->neurons[g_array_index(rows, gsize, k)]));
    return list;
}

static json_t *arm_json(const GlintSteerArm *arm, const GlintSteerLayer *layer)
{
    json_t *doses = json_array();
    for (gsize k = 0; k < arm->curve->n_doses; k++)
        json_array_append_new(doses, dose_json(&arm->curve->doses[k]));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o}", "role", glint_steer_role_name(arm->role), "neurons", neurons_json(layer, arm->rows),
                     "slope", real(arm->curve->slope), "slope_sd",
                     real(arm->curve->slope_sd), "against", real(arm->curve->against), "monotone", real(arm->curve->monotone), "doses", doses);
}

json_t *glint_steer_trial_json(const GlintSteerTrial *trial, const GlintSteerLayer *layer)
{
    json_t *root = json_object(), *arms = json_array();
    for (gsize a = 0; a < trial->n_arms; a++)
        json_array_append_new(arms, arm_json(&trial->arms[a], layer));
    json_object_set_new(root, "towards", json_string(layer->classes[layer->towards]));
    json_object_set_new(root, "away", json_string(layer->classes[layer->away]));
    json_object_set_new(root, "verdict", json_string(trial->verdict));
    json_object_set_new(root, "steers", json_boolean(trial->steers));
    json_object_set_new(root, "verdict_dose", json_integer((json_int_t)trial->verdict_dose));
    json_object_set_new(root, "strength", real(trial->arms[0].curve->doses[trial->verdict_dose].strength));
    json_object_set_new(root, "texts", json_integer((json_int_t)trial->n_prompts));
    json_object_set_new(root, "n_random", json_integer((json_int_t)trial->n_random));
    json_object_set_new(root, "n_matched", json_integer((json_int_t)trial->n_matched));
    json_object_set_new(root, "p_random", reals(trial->p_random, trial->n_doses));
    json_object_set_new(root, "p_matched", reals(trial->p_matched, trial->n_doses));
    json_object_set_new(root, "operator", operator_json(trial->arms[0].operator));
    json_object_set_new(root, "arms", arms);
    return root;
}

static void print_number(FILE *out, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    fputc(',', out);
    if (isfinite(value))
        fputs(g_ascii_formatd(text, sizeof text, "%.9g", value), out);
}

static void print_doses(const GlintSteerTrial *trial, const GlintSteerLayer *layer, FILE *out)
{
    (void)layer;
    fputs("arm,role,dose,kl_wanted,kl,strength,reached,effect,low,high,probability,mass,wrong,kl_p99,nll_change,same_top\n", out);
    for (gsize a = 0; a < trial->n_arms; a++)
        for (gsize k = 0; k < trial->n_doses; k++) {
            const GlintSteerDose *dose = &trial->arms[a].curve->doses[k];
            const double numbers[] = {dose->kl, dose->cost.kl, dose->strength, dose->reached, dose->effect, dose->low, dose->high, dose->probability, dose->mass,
                                      dose->wrong, dose->cost.kl_p99, dose->cost.nll_change, dose->cost.same_top};
            fprintf(out, "%zu,%s,%zu", a, glint_steer_role_name(trial->arms[a].role), k + 1);
            for (gsize c = 0; c < G_N_ELEMENTS(numbers); c++)
                print_number(out, numbers[c]);
            fputc('\n', out);
        }
}

static void print_controls(const GlintSteerTrial *trial, const GlintSteerLayer *layer, FILE *out)
{
    fputs("arm,role,neurons,slope,slope_sd,against,monotone\n", out);
    for (gsize a = 0; a < trial->n_arms; a++) {
        const GlintSteerArm *arm = &trial->arms[a];
        const double numbers[] = {arm->curve->slope, arm->curve->slope_sd, arm->curve->against, arm->curve->monotone};
        fprintf(out, "%zu,%s,", a, glint_steer_role_name(arm->role));
        for (guint k = 0; arm->rows && k < arm->rows->len; k++)
            fprintf(out, "%s%s", k ? " " : "", layer->neurons[g_array_index(arm->rows, gsize, k)]);
        for (gsize c = 0; c < G_N_ELEMENTS(numbers); c++)
            print_number(out, numbers[c]);
        fputc('\n', out);
    }
}

static void print_texts(const GlintSteerTrial *trial, const GlintSteerLayer *layer, FILE *out)
{
    (void)layer;
    fputs("text,dose,log_odds,change\n", out);
    for (gsize i = 0; i < trial->n_prompts; i++)
        for (gsize k = 0; k <= trial->n_doses; k++) {
            const double base = trial->unsteered[i].log_odds, now = k ? trial->arms[0].curve->doses[k - 1].reading[i].log_odds : base;
            fprintf(out, "%zu,%zu", i, k);
            print_number(out, now);
            print_number(out, now - base);
            fputc('\n', out);
        }
}

gboolean glint_steer_trial_tables(const GlintSteerTrial *trial, const GlintSteerLayer *layer, const char *folder, GError **error)
{
    static const struct { const char *name; void (*print)(const GlintSteerTrial *, const GlintSteerLayer *, FILE *); } tables[] = {
        {"doses.csv", print_doses}, {"controls.csv", print_controls}, {"texts.csv", print_texts}};
    for (gsize k = 0; k < G_N_ELEMENTS(tables); k++) {
        g_autofree char *path = g_build_filename(folder, tables[k].name, NULL);
        GlintFile *file = glint_file_new(path, error);
        if (!file)
            return FALSE;
        tables[k].print(trial, layer, glint_file_stream(file));
        if (!glint_file_commit(file, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- reading ---- */

void glint_steer_file_free(GlintSteerFile *self)
{
    if (!self)
        return;
    glint_steer_operator_free(self->operator);
    g_free(self->towards);
    g_free(self->model_sha256);
    g_free(self);
}

/* n finite numbers, or NULL: with *error, unless the key may be absent and is. */
static double *read_reals(const json_t *object, const char *key, gsize n, gboolean optional, const char *path, GError **error)
{
    const json_t *list = json_object_get(object, key);
    if (!list && optional)
        return NULL;
    gboolean good = json_is_array(list) && json_array_size(list) == n;
    g_autofree double *values = g_new0(double, good ? n + 1 : 1); /* the file says n: no memory for what it does not hold */
    for (gsize k = 0; good && k < n; k++) {
        const json_t *item = json_array_get(list, k);
        values[k] = json_number_value(item);
        good = json_is_number(item) && isfinite(values[k]);
    }
    if (good)
        return g_steal_pointer(&values);
    glint_fail(error, GLINT_ERROR_FORMAT, "%s: operator.%s must be a list of %zu numbers; run glint steer again", path, key, n);
    return NULL;
}

static gboolean read_columns(GlintSteerOperator *operator, const json_t *object, const char *path, GError **error)
{
    const json_t *list = json_object_get(object, "columns");
    operator->n = json_array_size(list);
    operator->column = g_new0(gsize, operator->n + 1);
    for (gsize k = 0; k < operator->n; k++) {
        const json_t *item = json_array_get(list, k);
        if (!json_is_integer(item) || json_integer_value(item) < 0 || json_integer_value(item) > G_MAXINT32)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: operator.columns must be a list of column numbers; run glint steer again", path);
        operator->column[k] = (gsize)json_integer_value(item);
    }
    return operator->n > 0 || glint_fail(error, GLINT_ERROR_FORMAT, "%s: operator.columns is missing or empty; run glint steer again", path);
}

static GlintSteerOperator *read_operator(const json_t *object, const char *path, GError **error)
{
    GError *problem = NULL;
    g_autoptr(GlintSteerOperator) operator = g_new0(GlintSteerOperator, 1);
    const char *kind = glint_json_string(object, "kind", "", &problem), *site = glint_json_string(object, "site", "", &problem);
    gint64 layer = -1;
    operator->factor = glint_json_real(object, "factor", 0, &problem);
    if (!problem)
        (void)(glint_steer_kind_parse(kind, &operator->kind, &problem) && glint_site_parse(site, &operator->site.kind, &layer, &problem));
    if (!problem && layer < 0)
        glint_fail(&problem, GLINT_ERROR_FORMAT, "operator.site '%s' names no layer", site);
    if (problem) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: %s", path, problem->message);
        g_error_free(problem);
        return NULL;
    }
    operator->site.layer = (gsize)layer;
    if (!read_columns(operator, object, path, &problem))
        goto failed;
    operator->constant = read_reals(object, "constant", operator->n, FALSE, path, &problem);
    if (!problem)
        operator->centre = read_reals(object, "centre", operator->n, TRUE, path, &problem);
    if (!problem)
        operator->matrix = read_reals(object, "matrix", operator->n * operator->n, TRUE, path, &problem);
    if (!problem && ((operator->centre != NULL) != glint_steer_kind_sets_state(operator->kind) || (operator->matrix != NULL) != (operator->kind == GLINT_STEER_WEIGHT)))
        glint_fail(&problem, GLINT_ERROR_FORMAT, "%s: operator.centre and operator.matrix are not those of the operator '%s'; run glint steer again", path, kind);
    if (!problem)
        return g_steal_pointer(&operator);
failed:
    g_propagate_error(error, problem);
    return NULL;
}

GlintSteerFile *glint_steer_file_read(const char *path, GError **error)
{
    g_autoptr(json_t) root = glint_json_read(path, error);
    if (!root)
        return NULL;
    const json_t *object = json_object_get(root, "operator");
    if (!json_is_object(object)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s holds no steering operator; give the steer.json that glint steer wrote", path);
        return NULL;
    }
    GError *problem = NULL;
    g_autoptr(GlintSteerFile) self = g_new0(GlintSteerFile, 1);
    self->operator = read_operator(object, path, error);
    if (!self->operator)
        return NULL;
    self->strength = glint_json_real(root, "strength", 0, &problem);
    self->towards = g_strdup(glint_json_string(root, "towards", "", &problem));
    self->model_sha256 = g_strdup(glint_json_string(root, "model_sha256", "", &problem));
    if (problem) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: %s", path, problem->message);
        g_error_free(problem);
        return NULL;
    }
    return g_steal_pointer(&self);
}
