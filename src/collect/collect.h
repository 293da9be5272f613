/* dataset x model x targets -> per-class moments on disk, streaming and resumable. A target is one site of one layer.
 * Layout under `folder`:
 *   moments/settings.json                   what the moments depend on, and per class what was counted
 *   moments/<class>/<site>.safetensors      moments of one class at one layer, when done (moments.h; settings in the metadata)
 *   moments/<class>/examples/<site>.*       examples of its columns: .safetensors (examples.h) and .jsonl (examples_write.h); and what
 *                                           they are shown with, texts.jsonl and vocabulary.json (texts.h)
 *   activations/<class>/<site>/             with save_activations: the rows themselves (activations.h)
 *   moments/.features/<site>.json          which features of an SAE are kept, chosen once (features.c)
 *   moments/.partial/                       while under way: state as of the last checkpoint, replaced atomically between
 *                                           batches, every few seconds and on interrupt
 * The targets are not among the settings: more layers or sites of the same run may be added to a folder later.
 * Classes are run one after the other, so that only one class's moments are in memory. All targets of a class are fed by one
 * pass over its texts, or, when they do not fit into `memory_bytes`, by as few passes as they do. Neither changes a bit of the
 * result: a target's files are those of a run that collects nothing else. */
#pragma once
#include "collect/activations.h"
#include "collect/moments.h"
#include "collect/sae.h"
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
    GLINT_POOL_FIRST,  /* position 0, BOS included: the same row for every text that starts with BOS (DESIGN 3) */
    GLINT_POOL_PUNCT   /* mean over the tokens that are punctuation (texts.h); texts without one give no row */
} GlintPool;
gboolean glint_pool_parse(const char *text, GlintPool *pool, GError **error);
const char *glint_pool_name(GlintPool pool);

typedef struct {
    const GlintSite *sites; gsize n_sites; /* the targets, in any order; named twice is taken once */
    GlintSae *const *saes; gsize n_saes;   /* their features are targets too; the run packs them (glint_sae_keep) */
    gsize sae_features;       /* keep the N features that are active most often; 0 = all, unless listed */
    const gsize *sae_list; gsize n_sae_list; /* keep these (ascending), of the only SAE; NULL = not listed */
    GlintPool pool;
    gsize max_tokens;         /* a text's tokens (BOS counted) beyond this are cut; 0, or more than the model takes = the model's limit */
    gsize batch_size;         /* texts per batch, as the original's option; 0 = by tokens (default 4096 a batch) */
    const GlintChat *chat;    /* texts become one user turn each of this chat; NULL = texts as they are */
    guint64 seed;
    double checkpoint_seconds;/* default 20 (0 = default; negative = after every batch) */
    gsize examples;           /* top examples kept of each column (examples.h); 0 = no examples. Not among the settings: more may be added later */
    gsize shard, n_shards;    /* this run takes texts shard, shard + n_shards, ... of each class, counted from 1; n_shards 0 or 1 = all of them */
    gboolean (*stop)(gpointer user_data); /* asked between batches: TRUE saves the state and ends as a signal does; may be NULL */
    gpointer stop_data;
    gboolean save_activations;/* keep the rows too, under folder/activations (activations.h) */
    GlintTensorType save_type;/* F32, BF16 or F16 */
    gsize shard_bytes;        /* rows of one file of activations; 0 = 512 MB */
    const json_t *about;      /* what meta.json says of model and data beside their hashes; may be NULL */
    gsize memory_bytes;       /* for what one pass gathers, beside model and batch; 0 = half of the machine's memory */
} GlintCollectOptions;

typedef struct {
    gsize n_texts, n_tokens, n_truncated, n_no_tokens; /* n_no_tokens: texts that are empty after BOS is left out */
    gsize n_no_punctuation;   /* texts that GLINT_POOL_PUNCT leaves out */
    gsize n_tokens_run;       /* of this call: less than n_tokens when resumed, more when there were several passes */
    double seconds;           /* of this call */
    gboolean resumed, reused; /* continued a partial run; found everything done */
} GlintCollectStats;

/* Runs everything that is not there yet; says beforehand in how many passes. A target that does not fit into memory_bytes even by
 * itself is GLINT_ERROR_USAGE. A folder whose settings differ (model, data, pooling, ...) is an error that says which
 * setting differs and how to proceed. GLINT_ERROR_DATA: a class with fewer than 2 samples; activations that are not finite.
 * GLINT_ERROR_INTERRUPTED: stopped by a signal, the state is saved. */
gboolean glint_collect(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options,
                       const char *folder, GlintCollectStats *stats, GError **error);

/* What glint_collect would do, without doing it: an object with `passes`, each with its class, sites, bytes and tokens. NULL on error.
 * Writes nothing. */
json_t *glint_collect_plan(GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options, const char *folder, GError **error);

/* Moments from saved activations: of everything under `source` (glint_activations_find), or of the sites named (NULL-terminated names as
 * of glint_site_parse; NULL = all). From F32 rows they are byte for byte those of the run that saved them. What is there is kept; an
 * interrupted or killed call is continued by the same one. */
gboolean glint_collect_from(const char *source, const char *const *sites, const char *folder, GlintCollectStats *stats, GError **error);

/* Class names as folder names: bytes that a path cannot carry, a leading dot, and the names DESIGN 5 gives another meaning
 * ("moments", "compare", ...) are %XX-escaped. Different names give different folders. Free with g_free. */
char *glint_class_folder(const char *class_name);
char *glint_moments_path(const char *folder, const char *class_name, const GlintSite *site); /* free with g_free */
char *glint_examples_folder(const char *folder, const char *class_name);                     /* free with g_free */
char *glint_examples_path(const char *folder, const char *class_name, const char *site_name, const char *extension /* ".jsonl" */);

/* What lies in a folder: class names in dataset order (GPtrArray of char*, freed with the array). */
GPtrArray *glint_collect_classes(const char *folder, GError **error);
json_t *glint_collect_settings(const char *folder, GError **error); /* moments/settings.json */
GArray *glint_collect_sites(const char *folder, const char *class_name); /* GlintSite, with moments of the class, by kind and layer; free with g_array_unref */
/* The numbers of the columns of an SAE's moments, which may be some of its features only, from their metadata. NULL where the columns are all
 * there are. Free with g_array_unref (of gsize). */
GArray *glint_collect_features(GHashTable *metadata);
/* Moments of one class at one site; "all" is every class together, merged in dataset order. `metadata` may be NULL. */
GlintMoments *glint_collect_load(const char *folder, const char *class_name, const GlintSite *site, GHashTable **metadata, GError **error);

typedef struct {
    gsize n_texts, n_tokens, n_sites, n_shards, n_missing; /* n_missing: shards that are not there (only with `partial`) */
    gboolean reused;                                        /* everything was there already */
} GlintMergeStats;
/* Joins folders that runs with `shard` left into `folder`, which then is what one run over all the texts leaves: settings and
 * examples to the byte, moments to rounding. Shards are taken in their order, so the bytes do not depend on the order given. Called again, it adds what is
 * missing. Errors name the folder: no shard, unfinished, of other settings, other sites, given twice, or (without `partial`) missing. */
gboolean glint_collect_merge(char *const *shards, gsize n_shards, gboolean partial, const char *folder, GlintMergeStats *stats, GError **error);
