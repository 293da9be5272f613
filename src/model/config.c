/* config.json of a Hugging Face folder: typed getters, refusals, rotary parameters. See config.h. */
#include "model/config.h"
#include "base/error.h"
#include "base/files.h"
#include <math.h>
#include <string.h>

/* Larger counts are damage, not models; the bound also keeps every product of two counts inside 64 bits. */
#define LARGEST_COUNT (1u << 28)

static GliConfig *config_of(json_t *document, const char *path, GError **error)
{
    g_autoptr(json_t) root = document;
    if (!root)
        return NULL;
    if (!json_is_object(root)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: expected a JSON object", path);
        return NULL;
    }
    const json_t *text = json_object_get(root, "text_config");
    const char *type = json_string_value(json_object_get(root, "model_type"));
    if (!type) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: no \"model_type\"; is this the config.json of a language model?", path);
        return NULL;
    }
    GliConfig *self = g_new0(GliConfig, 1);
    self->path = g_strdup(path);
    self->model_type = type;
    self->text = json_is_object(text) ? text : root;
    self->root = g_steal_pointer(&root);
    return self;
}

GliConfig *gli_config_read(const char *path, GError **error) { return config_of(glint_json_read(path, error), path, error); }

GliConfig *gli_config_parse(const char *text, gsize length, const char *name, GError **error)
{
    return config_of(glint_json_parse(text, length, name, error), name, error);
}

void gli_config_free(GliConfig *self)
{
    if (!self)
        return;
    g_free(self->path);
    json_decref(self->root);
    g_free(self);
}

/* The value of a key, NULL when absent or null. The wrapper's own keys (tie_word_embeddings) serve where the text part is silent. */
const json_t *gli_config_value(const GliConfig *self, const char *key)
{
    const json_t *value = json_object_get(self->text, key);
    if (!value && self->text != self->root)
        value = json_object_get(self->root, key);
    return json_is_null(value) ? NULL : value;
}

gboolean gli_config_has(const GliConfig *self, const char *key) { return gli_config_value(self, key) != NULL; }

gboolean gli_config_is_null(const GliConfig *self, const char *key)
{
    const json_t *value = json_object_get(self->text, key);
    return json_is_null(value ? value : json_object_get(self->root, key));
}

static void wrong(const GliConfig *self, const char *key, const char *expected, GError **error)
{
    if (error && !*error)
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: \"%s\" should be %s", self->path, key, expected);
}

gsize gli_config_size(const GliConfig *self, const char *key, gsize fallback, GError **error)
{
    const json_t *value = gli_config_value(self, key);
    if (!value) {
        if (fallback != GLI_REQUIRED)
            return fallback;
        if (error && !*error)
            glint_fail(error, GLINT_ERROR_FORMAT, "%s: \"%s\" is missing", self->path, key);
        return 1;
    }
    const double count = json_is_number(value) ? json_number_value(value) : 0; /* all numbers are reals where one is beyond 64 bits */
    if (!(count >= 1 && count <= LARGEST_COUNT && count == floor(count))) {
        wrong(self, key, "a positive integer up to 2^28", error);
        return 1;
    }
    return (gsize)count;
}

double gli_config_real(const GliConfig *self, const char *key, double fallback, GError **error)
{
    const json_t *value = gli_config_value(self, key);
    if (!value)
        return fallback;
    if (!json_is_number(value) || !isfinite(json_number_value(value))) {
        wrong(self, key, "a number", error);
        return fallback;
    }
    return json_number_value(value);
}

gboolean gli_config_bool(const GliConfig *self, const char *key, gboolean fallback, GError **error)
{
    const json_t *value = gli_config_value(self, key);
    if (!value)
        return fallback;
    if (!json_is_boolean(value))
        wrong(self, key, "true or false", error);
    return json_is_true(value);
}

const char *gli_config_string(const GliConfig *self, const char *key, const char *fallback, GError **error)
{
    const json_t *value = gli_config_value(self, key);
    if (!value)
        return fallback;
    if (!json_is_string(value)) {
        wrong(self, key, "a string", error);
        return fallback;
    }
    return json_string_value(value);
}

static gboolean says_nothing(const json_t *value)
{
    return !value || json_is_false(value) || (json_is_number(value) && json_number_value(value) == 0) ||
           (json_is_array(value) && json_array_size(value) == 0) || (json_is_object(value) && json_object_size(value) == 0) ||
           (json_is_string(value) && !*json_string_value(value));
}

gboolean gli_config_refuse(const GliConfig *self, const char *const *keys, GError **error)
{
    for (; *keys; keys++)
        if (!says_nothing(gli_config_value(self, *keys)))
            return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: \"%s\" is set, which changes the computation in a way glint does not know",
                              self->path, *keys);
    return TRUE;
}

/* Reads kind and parameters from one rope object, which is `rope_scaling` (v4) or `rope_parameters` (v5). */
static void read_scaling(const GliConfig *self, const json_t *object, GliRope *rope, GError **error)
{
    const json_t *type = json_object_get(object, "rope_type");
    if (!type)
        type = json_object_get(object, "type");
    const char *name = type ? json_string_value(type) : "default";
    if (!name) {
        wrong(self, "rope_type", "a string", error);
        return;
    }
    const GliConfig inner = {.path = self->path, .root = (json_t *)object, .text = object};
    if (strcmp(name, "linear") == 0) {
        rope->kind = GLI_ROPE_LINEAR;
        rope->factor = gli_config_real(&inner, "factor", 0, error);
    } else if (strcmp(name, "llama3") == 0) {
        rope->kind = GLI_ROPE_LLAMA3;
        rope->factor = gli_config_real(&inner, "factor", 0, error);
        rope->low = gli_config_real(&inner, "low_freq_factor", 0, error);
        rope->high = gli_config_real(&inner, "high_freq_factor", 0, error);
        rope->original = gli_config_real(&inner, "original_max_position_embeddings", 0, error);
        if (!(rope->low > 0 && rope->high > rope->low && rope->original > 0))
            wrong(self, "rope llama3", "given with 0 < low_freq_factor < high_freq_factor and original_max_position_embeddings", error);
    } else if (strcmp(name, "default") != 0) {
        if (error && !*error)
            glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: rotary scaling \"%s\" is not supported (glint knows default, linear and llama3)",
                       self->path, name);
        return;
    }
    if (json_object_get(object, "mrope_section") && error && !*error)
        glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: \"mrope_section\": positions in several dimensions are not supported", self->path);
    if (rope->kind != GLI_ROPE_PLAIN && !(rope->factor > 0))
        wrong(self, "factor", "a positive number in the rotary scaling", error);
}

/* The object that describes the rotary positions: an entry of a `rope_parameters` split by kind of layer, or the whole of it,
 * or `rope_scaling`; NULL where none applies. */
static const json_t *rope_object(const GliConfig *self, const char *layer_type, gboolean scaled, GError **error)
{
    const json_t *parameters = gli_config_value(self, "rope_parameters"), *scaling = gli_config_value(self, "rope_scaling");
    const json_t *part = layer_type ? json_object_get(parameters, layer_type) : NULL;
    const gboolean split = json_is_object(json_object_get(parameters, "full_attention")) ||
                           json_is_object(json_object_get(parameters, "sliding_attention"));
    if (parameters && !json_is_object(parameters))
        wrong(self, "rope_parameters", "an object", error);
    if (scaling && !json_is_object(scaling))
        wrong(self, "rope_scaling", "an object", error);
    if (*error)
        return NULL;
    if (!parameters)
        return scaled ? scaling : NULL;
    if (json_object_size(scaling)) /* versions of transformers disagree on which of them counts */
        glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: both \"rope_scaling\" and \"rope_parameters\" are given; leave one of them out", self->path);
    else if (layer_type && json_object_size(parameters) && (!split || (part && !json_is_null(part) && !json_is_object(part))))
        wrong(self, "rope_parameters", "an object with an object for each kind of layer", error);
    else if (!layer_type && split)
        glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: \"rope_parameters\" differ by kind of layer, which a %s model does not do", self->path,
                   self->model_type);
    if (*error)
        return NULL;
    return !layer_type ? parameters : json_is_object(part) ? part : NULL;
}

/* How much of a head turns. `family`: GPT-NeoX's default; 1 where heads turn whole, and then nothing else may be asked for. */
static double rotary_part(const GliConfig *self, const GliConfig *inner, double family, GError **error)
{
    double part = gli_config_real(self, "rotary_pct" /* GPT-NeoX */, family, error);
    part = gli_config_real(self, "partial_rotary_factor", part, error);
    if (inner)
        part = gli_config_real(inner, "partial_rotary_factor", part, error);
    if (!*error && !(part > 0 && part <= 1))
        wrong(self, "partial_rotary_factor", "in (0, 1]", error);
    if (!*error && family == 1 && part != 1)
        glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: \"partial_rotary_factor\" is %g, but the heads of a %s model turn whole", self->path, part,
                   self->model_type);
    return part;
}

gboolean gli_config_rope(const GliConfig *self, const GliRopeKeys *keys, gsize head_size, GliRope *rope, GError **error)
{
    GError *problem = NULL;
    *rope = (GliRope){.kind = GLI_ROPE_PLAIN};
    const json_t *object = rope_object(self, keys->layer_type, !keys->unscaled, &problem);
    const GliConfig inner = {.path = self->path, .root = (json_t *)object, .text = object, .model_type = self->model_type};
    rope->theta = gli_config_real(self, keys->theta, keys->default_theta, &problem);
    if (object) {
        rope->theta = gli_config_real(&inner, "rope_theta", rope->theta, &problem);
        read_scaling(self, object, rope, &problem);
    }
    const double part = rotary_part(self, object ? &inner : NULL, keys->part > 0 ? keys->part : 1, &problem);
    if (!problem && !(rope->theta > 0))
        wrong(self, keys->theta, "a positive number", &problem);
    rope->rotary = problem ? 0 : (gsize)((double)head_size * part);
    if (!problem && (rope->rotary < 2 || rope->rotary % 2))
        glint_fail(&problem, GLINT_ERROR_FORMAT, "%s: %zu rotary dimensions; expected an even number", self->path, rope->rotary);
    if (!problem)
        return TRUE;
    rope->rotary = 0;
    g_propagate_error(error, problem);
    return FALSE;
}

gboolean gli_config_layer_types(const GliConfig *self, gsize n_layers, gboolean *sliding, GError **error)
{
    const json_t *types = gli_config_value(self, "layer_types");
    if (!types)
        return FALSE;
    if (!json_is_array(types) || json_array_size(types) != n_layers)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: \"layer_types\" should be a list of %zu strings", self->path, n_layers);
    for (gsize l = 0; l < n_layers; l++) {
        const char *name = json_string_value(json_array_get(types, l));
        if (g_strcmp0(name, "full_attention") != 0 && g_strcmp0(name, "sliding_attention") != 0)
            return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: layer_types[%zu] is \"%s\" (glint knows full_attention and sliding_attention)",
                              self->path, l, name ? name : "not a string");
        sliding[l] = strcmp(name, "sliding_attention") == 0;
    }
    return TRUE;
}
