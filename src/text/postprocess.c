/* Post-processors for one text (pairs of texts are not glint's business). Whatever the kind, all that it does to the ids of
 * one text is to put some before and some behind; ByteLevel only moves offsets. */
#include "text/postprocess.h"

#include "base/error.h"
#include "text/normalize.h"

#include <string.h>

static const char known_kinds[] = "Sequence, TemplateProcessing, ByteLevel, BertProcessing, RobertaProcessing";

void glint_postprocessor_init(GlintPostprocessor *self)
{
    self->prefix = g_array_new(FALSE, FALSE, sizeof(guint32));
    self->suffix = g_array_new(FALSE, FALSE, sizeof(guint32));
}

void glint_postprocessor_clear(GlintPostprocessor *self)
{
    g_clear_pointer(&self->prefix, g_array_unref);
    g_clear_pointer(&self->suffix, g_array_unref);
}

static gboolean add_id(GArray *ids, const json_t *value, const char *where, GError **error)
{
    json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
    if (id < 0 || id >= G_MAXUINT32)
        return glint_fail(error, GLINT_ERROR_FORMAT, "post-processor %s: a token id was expected", where);
    guint32 small = (guint32)id;
    g_array_append_val(ids, small);
    return TRUE;
}

/* The ids of the special token that a template names. */
static gboolean add_special(GArray *ids, const json_t *piece, const json_t *specials, GError **error)
{
    const char *name = json_string_value(json_object_get(piece, "id"));
    const json_t *list = name ? json_object_get(json_object_get(specials, name), "ids") : NULL;
    if (!json_is_array(list))
        return glint_fail(error, GLINT_ERROR_FORMAT, "post-processor TemplateProcessing: \"special_tokens\" has no \"ids\" for \"%s\"", name ? name : "(no id)");
    for (gsize i = 0; i < json_array_size(list); i++)
        if (!add_id(ids, json_array_get(list, i), "TemplateProcessing", error))
            return FALSE;
    return TRUE;
}

static gboolean read_template(const json_t *spec, GArray *before, GArray *behind, GError **error)
{
    const json_t *single = json_object_get(spec, "single"), *specials = json_object_get(spec, "special_tokens");
    gboolean seen = FALSE;
    for (gsize i = 0; i < json_array_size(single); i++) {
        const json_t *item = json_array_get(single, i);
        const json_t *special = json_object_get(item, "SpecialToken"), *text = json_object_get(item, "Sequence");
        const char *name = json_string_value(json_object_get(text, "id"));
        if (special && !text) {
            if (!add_special(seen ? behind : before, special, specials, error))
                return FALSE;
        } else if (special || seen || g_strcmp0(name, "A") != 0) {
            return glint_fail(error, GLINT_ERROR_FORMAT, "post-processor TemplateProcessing: \"single\" must be a list of SpecialToken and one Sequence A");
        } else {
            seen = TRUE;
        }
    }
    return seen || glint_fail(error, GLINT_ERROR_FORMAT, "post-processor TemplateProcessing: \"single\" must be a list with one Sequence A");
}

/* ["</s>", 2] */
static gboolean add_named(GArray *ids, const json_t *spec, const char *key, const char *type, GError **error)
{
    const json_t *pair = json_object_get(spec, key);
    if (json_array_size(pair) != 2)
        return glint_fail(error, GLINT_ERROR_FORMAT, "post-processor %s: \"%s\" must be [token, id]", type, key);
    return add_id(ids, json_array_get(pair, 1), type, error);
}

gboolean glint_postprocessor_read(GlintPostprocessor *self, const json_t *spec, GError **error)
{
    if (!spec || json_is_null(spec))
        return TRUE;
    const char *type = glint_component_type(spec, "post-processor", error);
    if (!type)
        return FALSE;
    if (g_str_equal(type, "Sequence")) {
        const json_t *list = json_object_get(spec, "processors");
        if (!json_is_array(list))
            return glint_fail(error, GLINT_ERROR_FORMAT, "post-processor Sequence: \"processors\" must be a list");
        for (gsize i = 0; i < json_array_size(list); i++)
            if (!glint_postprocessor_read(self, json_array_get(list, i), error))
                return FALSE;
        return TRUE;
    }
    if (g_str_equal(type, "ByteLevel"))
        return TRUE;
    g_autoptr(GArray) before = g_array_new(FALSE, FALSE, sizeof(guint32));
    g_autoptr(GArray) behind = g_array_new(FALSE, FALSE, sizeof(guint32));
    gboolean ok;
    if (g_str_equal(type, "TemplateProcessing"))
        ok = read_template(spec, before, behind, error);
    else if (g_str_equal(type, "BertProcessing") || g_str_equal(type, "RobertaProcessing"))
        ok = add_named(before, spec, "cls", type, error) && add_named(behind, spec, "sep", type, error);
    else
        ok = glint_component_refuse(type, "post-processor", known_kinds, error);
    if (!ok)
        return FALSE;
    if (before->len > 0) /* a later processor works around what the earlier ones made */
        g_array_prepend_vals(self->prefix, before->data, before->len);
    if (behind->len > 0)
        g_array_append_vals(self->suffix, behind->data, behind->len);
    return TRUE;
}
