/* config.json of a Hugging Face folder, in the forms that transformers 4 and 5 write.
 *
 * Getters work in series: each returns its fallback (or 0) and sets *error once when something is wrong; check after the
 * last. A key that is absent or null counts as absent. Messages name the file and the key. */
#pragma once
#include <glib.h>
#include <jansson.h>

typedef struct {
    char *path;
    json_t *root;          /* owned */
    const json_t *text;    /* the language model's part: `text_config` of a multimodal wrapper, else root */
    const char *model_type;
} GliConfig;

GliConfig *gli_config_read(const char *path, GError **error);
GliConfig *gli_config_parse(const char *text, gsize length, const char *name /* for messages */, GError **error);
void gli_config_free(GliConfig *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GliConfig, gli_config_free)

#define GLI_REQUIRED G_MAXSIZE
gsize gli_config_size(const GliConfig *self, const char *key, gsize fallback, GError **error); /* positive; GLI_REQUIRED as fallback */
double gli_config_real(const GliConfig *self, const char *key, double fallback, GError **error);
gboolean gli_config_bool(const GliConfig *self, const char *key, gboolean fallback, GError **error);
const char *gli_config_string(const GliConfig *self, const char *key, const char *fallback, GError **error);
gboolean gli_config_has(const GliConfig *self, const char *key);
const json_t *gli_config_value(const GliConfig *self, const char *key); /* of any type, for lists; NULL when absent or null */

/* The key is there and null, for the few that mean "none" by null and a default by absence (sliding_window, soft-caps). */
gboolean gli_config_is_null(const GliConfig *self, const char *key);

/* Refuses keys that change the mathematics in a way glint does not compute, when they are set to anything but null,
 * false, 0, or empty. `keys` is NULL-terminated. */
gboolean gli_config_refuse(const GliConfig *self, const char *const *keys, GError **error);

typedef enum { GLI_ROPE_PLAIN, GLI_ROPE_LINEAR, GLI_ROPE_LLAMA3 } GliRopeKind;
typedef struct {
    GliRopeKind kind;
    double theta;
    gsize rotary; /* dimensions of a head that turn, from the first; even */
    double factor, low, high, original; /* original context length: llama3 */
} GliRope;

/* Where a family's rotary positions are described, and what is assumed where they are not. */
typedef struct {
    const char *theta;      /* v4 key of the base */
    double default_theta;
    const char *layer_type; /* the entry of a v5 `rope_parameters` that must be split by kind of layer; NULL: must not be */
    gboolean unscaled;      /* v4 `rope_scaling` is not for this base */
    double part;            /* of a head that turns by default, where the family lets a config say; 0: heads turn whole */
} GliRopeKeys;
gboolean gli_config_rope(const GliConfig *self, const GliRopeKeys *keys, gsize head_size, GliRope *rope, GError **error);

/* `layer_types` ("full_attention", "sliding_attention"): TRUE in sliding[l] for sliding layers. Returns FALSE when the key is
 * absent, or (with *error set) wrong. */
gboolean gli_config_layer_types(const GliConfig *self, gsize n_layers, gboolean *sliding, GError **error);
