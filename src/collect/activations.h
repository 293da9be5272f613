/* Saved activations: the rows that moments are of, for whoever wants them. `glint collect --save-activations` leaves
 *   activations/texts.csv                          number, class, id and tokens of every text
 *   activations/<class>/<site>/shard-00000.safetensors, ...   the rows, in the order they were run: longest text first
 *   activations/<class>/<site>/meta.json           what they come from; written last with "complete": true
 * A shard holds `<site>` [n, width] (F32, BF16 or F16), `text` [n] I32 (a number of texts.csv) and, with --pool tokens, `position` [n]
 * I32 (in the text's tokens, the special ones in front counted). numpy and torch read it with the safetensors package. */
#pragma once
#include "base/safetensors.h"
#include "model/site.h"
#include <jansson.h>

#define GLINT_ACTIVATIONS_FORMAT "glint activations 1"

/* F32, BF16, F16 from "f32", "bf16", "f16" (or numpy's names); FALSE names --save-dtype. */
gboolean glint_activations_type_parse(const char *text, GlintTensorType *type, GError **error);

typedef struct {
    char *folder;           /* where meta.json lies */
    char *class_name, *pool;
    GlintSite site;
    gsize n, width;         /* of all shards together; n is 0 where a share of the data (--shard) has no text of the class */
    GlintTensorType type;
    json_t *meta;           /* meta.json, owned */
    /* private: where reading stands */
    GlintSafetensors *shard;
    const GlintTensor *rows, *text;
    gsize next_shard, next_row;
} GlintActivations;

char *glint_activations_path(const char *folder, const char *class_name, const GlintSite *site); /* folder/activations/<class>/<site>; free with g_free */

/* `folder` is one that has meta.json. Refuses what is not complete. Shards are checked as they are read, but their hash only by verify. */
GlintActivations *glint_activations_open(const char *folder, GError **error);
void glint_activations_free(GlintActivations *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintActivations, glint_activations_free)

/* The next rows, at most `most` of them: into rows [most, width] and, if not NULL, the number of each row's text. *n is 0 at the end.
 * Values that are not finite are an error. */
gboolean glint_activations_next(GlintActivations *self, gsize most, float *rows, gint32 *text, gsize *n, GError **error);
gboolean glint_activations_skip(GlintActivations *self, gsize n, GError **error); /* the next n rows; past the end is an error */
gboolean glint_activations_verify(const GlintActivations *self, GError **error); /* sha256 of every shard */

/* The folders with a meta.json at, one, or two levels below `folder`, or below its "activations": sorted, freed with the array. An error
 * when there is none. `class_name` and `site` narrow it down (NULL: any). */
GPtrArray *glint_activations_find(const char *folder, const char *class_name, const char *site, GError **error);
