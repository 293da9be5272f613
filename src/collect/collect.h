/* dataset x model x sites -> per-class moments on disk, streaming and resumable.
 * Layout under `folder`:
 *   moments/settings.json                   what the moments depend on, and per class what was counted
 *   moments/<class>/<site>.safetensors      moments of one class at one layer, when done (moments.h; settings in the metadata)
 *   moments/.partial/                       while under way: state as of the last checkpoint, replaced atomically between
 *                                           batches, every few seconds and on interrupt
 * Site and layers are not among the settings: more layers or sites of the same run may be added to a folder later.
 * Classes are run one after the other, so that only one class's moments are in memory; when the layers do not fit
 * either, in several passes over its texts. Neither changes a bit of the result. */
#pragma once
#include "collect/moments.h"
#include "model/model.h"
#include "text/chat.h"
#include "text/dataset.h"
#include "text/tokenizer.h"
#include <jansson.h>

/* How a text's tokens become rows. All but FIRST leave out what the tokenizer puts in front (BOS). */
typedef enum {
    GLINT_POOL_MEAN,   /* mean over the tokens */
    GLINT_POOL_LAST,   /* the last token */
    GLINT_POOL_MAX,    /* largest value over the tokens, column by column */
    GLINT_POOL_TOKENS, /* every token is a row */
    GLINT_POOL_FIRST   /* position 0, BOS included: the same row for every text that starts with BOS (DESIGN 3) */
} GlintPool;
gboolean glint_pool_parse(const char *text, GlintPool *pool, GError **error);
const char *glint_pool_name(GlintPool pool);

typedef struct {
    GlintSiteKind site;
    const gsize *layers; gsize n_layers;
    GlintPool pool;
    gsize max_tokens;         /* a text's tokens (BOS counted) beyond this are cut; 0, or more than the model takes = the model's limit */
    gsize batch_size;         /* texts per batch, as the original's option; 0 = by tokens (default 4096 a batch) */
    const GlintChat *chat;    /* texts become one user turn each of this chat; NULL = texts as they are */
    guint64 seed;
    double checkpoint_seconds;/* default 20 (0 = default; negative = after every batch) */
    gsize memory_bytes;       /* for the moments of one pass, at least one layer's; 0 = half of the machine's memory */
} GlintCollectOptions;

typedef struct {
    gsize n_texts, n_tokens, n_truncated, n_no_tokens; /* n_no_tokens: texts that are empty after BOS is left out */
    gsize n_tokens_run;       /* of this call: less than n_tokens when resumed, more when the layers took several passes */
    double seconds;           /* of this call */
    gboolean resumed, reused; /* continued a partial run; found everything done */
} GlintCollectStats;

/* Runs everything that is not there yet. A folder whose settings differ (model, data, pooling, ...) is an error that says which
 * setting differs and how to proceed. GLINT_ERROR_DATA: a class with fewer than 2 samples; activations that are not finite.
 * GLINT_ERROR_INTERRUPTED: stopped by a signal, the state is saved. */
gboolean glint_collect(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options, const char *folder, GlintCollectStats *stats, GError **error);

/* Class names as folder names: bytes that a path cannot carry, a leading dot, and the names DESIGN 5 gives another meaning
 * ("moments", "compare", ...) are %XX-escaped. Different names give different folders. Free with g_free. */
char *glint_class_folder(const char *class_name);
char *glint_moments_path(const char *folder, const char *class_name, const GlintSite *site); /* free with g_free */

/* What lies in a folder: class names in dataset order (GPtrArray of char*, freed with the array). */
GPtrArray *glint_collect_classes(const char *folder, GError **error);
json_t *glint_collect_settings(const char *folder, GError **error); /* moments/settings.json */
/* Moments of one class at one site; "all" is every class together, merged in dataset order. `metadata` may be NULL. */
GlintMoments *glint_collect_load(const char *folder, const char *class_name, const GlintSite *site, GHashTable **metadata, GError **error);
