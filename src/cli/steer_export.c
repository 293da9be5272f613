/* glint steer --export-gguf. See steer_export.h.
 *
 * A control vector is the same at every token and an operator need not be, so the vector is tried: added to the residual on the neutral text,
 * its KL stands in the file beside that of the operator. */
#include "cli/steer_export.h"
#include "base/error.h"
#include "base/talk.h"
#include "steer/gguf.h"

#define WELL_EXPLAINED 0.8

gboolean glint_steer_export_check(const GArray *layers, GError **error)
{
    if (layers->len != 1)
        return glint_fail(error, GLINT_ERROR_USAGE, "--export-gguf writes the direction of one layer, and %u layers would be steered; name one with --layers", layers->len);
    if (g_array_index(layers, gsize, 0) == 0)
        return glint_fail(error, GLINT_ERROR_USAGE, "--export-gguf: llama.cpp takes no control vector for layer 0; name another with --layers");
    return TRUE;
}

/* What the constant vector does on the neutral text. */
static gboolean try_vector(const GlintSteerPlan *plan, const GlintSteerDirection *direction, GlintSteerCost *cost, GError **error)
{
    const GlintSite site = {GLINT_SITE_RESID_POST, direction->layer};
    g_autofree gsize *columns = g_new(gsize, direction->n);
    for (gsize i = 0; i < direction->n; i++)
        columns[i] = i;
    g_autoptr(GlintSteerOperator) vector = glint_steer_operator_vector(&site, columns, direction->values, direction->n);
    return glint_steer_lab_cost(plan->lab, vector, 1, cost, error);
}

gboolean glint_steer_export(const GlintSteerPlan *plan, const GlintSteerOutcome *outcome, const char *path, GError **error)
{
    const GlintSteerTrial *trial = outcome->trial;
    const GlintSteerDose *dose = &trial->arms[0].curve->doses[trial->verdict_dose];
    const GlintSteerOperator *operator = trial->arms[0].operator;
    const GlintModelInfo *info = glint_model_info(plan->model);
    g_autofree char *site = glint_site_name(&operator->site), *module = g_strdup_printf("%d", outcome->module);
    g_autoptr(GlintSteerDirection) direction = glint_steer_direction(plan->model, operator, dose->strength, plan->split->neutral, plan->split->skip, error);
    GlintSteerCost cost;
    if (!direction || !try_vector(plan, direction, &cost, error))
        return FALSE;
    const GlintGgufNote notes[] = {
        {"method", "mean change of hook_resid_post, steered less unsteered, over the positions of neutral text", 0},
        {"operator", glint_steer_kind_name(operator->kind), 0}, {"site", site, 0}, {"module", module, 0}, {"towards", plan->towards, 0}, {"away", plan->away, 0},
        {"strength", NULL, direction->strength}, {"kl", NULL, dose->cost.kl}, {"vector_kl", NULL, cost.kl}, {"explained", NULL, direction->explained},
        {"positions", NULL, (double)direction->positions}, {"model_sha256", info->sha256, 0}, {NULL, NULL, 0}};
    if (!glint_steer_direction_write(direction, info->family, notes, path, error))
        return FALSE;
    glint_say("%s: control vector of layer %zu at strength %.4g; it is %.0f %% of what the operator does, and its KL on neutral text is %.3g "
              "(the operator's: %.3g)", path, direction->layer,
              direction->strength, 100 * direction->explained, cost.kl, dose->cost.kl);
    if (direction->explained < WELL_EXPLAINED)
        glint_warn("the operator %s changes every token differently: a constant vector stands for %.0f %% of that",
                   glint_steer_kind_name(operator->kind), 100 * direction->explained);
    return TRUE;
}
