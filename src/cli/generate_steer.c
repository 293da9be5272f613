/* Steering while texts are generated. See generate_steer.h. */
#include "cli/generate_steer.h"
#include "base/error.h"
#include "base/talk.h"
#include "cli/options.h"

#include <string.h>

struct GlintGenerateSteer {
    GlintSteerFile *file;
    GlintSteering steering;
};

void glint_generate_steer_free(GlintGenerateSteer *self)
{
    if (!self)
        return;
    glint_steer_file_free(self->file);
    g_free(self);
}

static gboolean check_model(const GlintSteerFile *file, const char *path, const GlintModel *model, GError **error)
{
    const GlintModelInfo *info = glint_model_info(model);
    const GlintSteerOperator *operator = file->operator;
    g_autofree char *site = glint_site_name(&operator->site);
    if (operator->site.layer >= info->n_layers)
        return glint_fail(error, GLINT_ERROR_DATA, "%s steers %s, and the model has %zu layers; give the model that it was measured on", path, site, info->n_layers);
    const gsize width = glint_model_site_width(model, operator->site.kind);
    for (gsize k = 0; k < operator->n; k++)
        if (operator->column[k] >= width)
            return glint_fail(error, GLINT_ERROR_DATA, "%s steers column %zu of %s, which has %zu in this model; give the model that it was "
                                                       "measured on", path, operator->column[k], site, width);
    if (*file->model_sha256 && strcmp(file->model_sha256, info->sha256) != 0)
        glint_warn("%s was measured on another model (or other weights of it): what it does here is not known", path);
    return TRUE;
}

GlintGenerateSteer *glint_generate_steer_new(const GlintSteerArgs *args, const GlintModel *model, gsize n_prefix, GError **error)
{
    g_autoptr(GlintGenerateSteer) self = g_new0(GlintGenerateSteer, 1);
    self->file = glint_steer_file_read(args->file, error);
    if (!self->file || !check_model(self->file, args->file, model, error))
        return NULL;
    const double limit = glint_steer_kind_limit(self->file->operator->kind);
    double strength = self->file->strength;
    if (args->strength && !glint_args_real("--strength", args->strength, -MIN(limit, 1e9), MIN(limit, 1e9), &strength, error))
        return NULL;
    self->steering = (GlintSteering){.operator = self->file->operator, .strength = strength, .skip = args->from >= 0 ? (gsize)args->from : n_prefix};
    g_autofree char *site = glint_site_name(&self->file->operator->site);
    glint_say("steering: %s of %zu neurons of %s, strength %.4g%s, towards '%s', from token %zu on",
              glint_steer_kind_name(self->file->operator->kind), self->file->operator->n, site, strength,
              args->strength ? "" : " (that of the verdict)", self->file->towards, self->steering.skip);
    return g_steal_pointer(&self);
}

GlintTap glint_generate_steer_tap(GlintGenerateSteer *self) { return glint_steering_tap(&self->steering); }

void glint_generate_steer_step(GlintGenerateSteer *self, const GlintGenerateStep *step) { self->steering.past = step->past; }

json_t *glint_generate_steer_json(const GlintGenerateSteer *self)
{
    g_autofree char *site = glint_site_name(&self->file->operator->site);
    return json_pack("{s:s, s:s, s:I, s:f, s:s, s:I}", "operator", glint_steer_kind_name(self->file->operator->kind), "site", site, "neurons",
                     (json_int_t)self->file->operator->n, "strength",
                     self->steering.strength, "towards", self->file->towards, "from", (json_int_t)self->steering.skip);
}
