/* dataset x model x sites -> per-class moments on disk, streaming and resumable.
 * Layout under `folder`: moments/<class>/<site>.safetensors when done; moments/.partial/ while under way (state as of the
 * last checkpoint: swapped in atomically between batches, every few seconds and on interrupt). */
#pragma once
#include "collect/moments.h"
#include "model/model.h"
#include "text/dataset.h"
#include "text/tokenizer.h"
#include <jansson.h>

typedef enum { GLINT_POOL_MEAN, GLINT_POOL_LAST, GLINT_POOL_MAX, GLINT_POOL_TOKENS, GLINT_POOL_FIRST } GlintPool;
gboolean glint_pool_parse(const char *text, GlintPool *pool, GError **error);
const char *glint_pool_name(GlintPool pool);

typedef struct {
    GlintSiteKind site;
    const gsize *layers; gsize n_layers;
    GlintPool pool;
    gsize max_tokens;         /* a text's tokens beyond this are cut; 0 = the model's limit */
    gsize batch_size;         /* texts per batch, as the original's option; 0 = by tokens (default 4096 a batch) */
    guint64 seed;
    double checkpoint_seconds;/* default 20 */
} GlintCollectOptions;

typedef struct {
    gsize n_texts, n_tokens, n_truncated, n_no_tokens; /* n_no_tokens: texts that are empty after BOS is left out */
    double seconds;
    gboolean resumed, reused; /* continued a partial run; found everything done */
} GlintCollectStats;

/* Runs everything that is not there yet. A folder whose settings differ (model, data, pooling, ...) is an error that says which
 * setting differs and how to proceed. */
gboolean glint_collect(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options, const char *folder, GlintCollectStats *stats, GError **error);
char *glint_moments_path(const char *folder, const char *class_name, const GlintSite *site); /* free with g_free */
