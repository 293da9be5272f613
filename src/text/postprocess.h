/* The "post_processor" of tokenizer.json: ids put around a text's own. */
#pragma once
#include <glib.h>
#include <jansson.h>

typedef struct {
    GArray *prefix, *suffix; /* guint32 */
} GlintPostprocessor;

void glint_postprocessor_init(GlintPostprocessor *self);
void glint_postprocessor_clear(GlintPostprocessor *self);
/* `spec` may be JSON null or NULL. */
gboolean glint_postprocessor_read(GlintPostprocessor *self, const json_t *spec, GError **error);
