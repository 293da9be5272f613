/* Private to the collect stage: the pieces collect.c puts together.
 *   plan.c      texts -> tokens -> batches, and what was counted
 *   pool.c      the tap that turns a batch's activations into rows of moments
 *   partial.c   the state of an unfinished run on disk
 *   store.c     settings, names and finished files under moments/ */
#pragma once
#include "collect/collect.h"

/* ---- plan.c ---- */

typedef struct {
    guint32 *ids;      /* owned; NULL once dropped */
    gsize n;           /* after cutting */
    gboolean truncated;
} GlintTokenized;

typedef struct {
    gsize texts, tokens, truncated, no_tokens, samples; /* samples: rows the pooling will give; tokens: those that are run */
} GlintClassCount;

typedef struct {
    const GlintDataset *dataset;
    GlintTokenized *tokenized; /* one per text of the dataset */
    gsize prefix;              /* tokens of every text that pooling leaves out */
    gsize n_classes;
    guint **order;             /* [n_classes][texts to run]: text numbers, longest first */
    gsize *n_order;
    GArray **batch_start;      /* [n_classes] of gsize: batch b runs order[batch_start[b]] .. order[batch_start[b+1]-1] */
    GlintClassCount *count;    /* [n_classes] */
} GlintPlan;

GlintPlan *glint_plan_new(const GlintTokenizer *tokenizer, const GlintChat *chat, const GlintDataset *dataset, GlintPool pool, gsize max_tokens, gsize batch_size, GError **error);
void glint_plan_free(GlintPlan *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintPlan, glint_plan_free)
gsize glint_plan_batches(const GlintPlan *self, gsize c);

/* A batch of the plan as the model takes it; all arrays owned. */
typedef struct {
    GlintBatch batch;
    guint32 *tokens;
    gsize *start;
    const guint *texts; /* borrowed from the plan: text number of each sequence */
} GlintPacked;
void glint_plan_pack(const GlintPlan *self, gsize c, gsize b, GlintPacked *packed);
void glint_packed_release(GlintPacked *self);

/* ---- pool.c ---- */

typedef struct {
    GlintMoments *moments;      /* rows go here */
    GlintPool pool;
    gsize prefix;
    const GlintDataset *dataset;/* for messages */
    const guint *texts;         /* of the batch under way */
    double *rows;               /* scratch, GLINT_POOL_ROWS * width */
} GlintListener;
enum { GLINT_POOL_ROWS = 64 };
gboolean glint_pool_tap(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer listener, GError **error);

/* ---- store.c ---- */

/* What moments depend on, as key -> text, in a fixed order. */
enum { GLINT_N_SETTINGS = 11 };
typedef struct { char *value[GLINT_N_SETTINGS]; } GlintSettings;
void glint_settings_describe(GlintSettings *self, const GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options);
void glint_settings_release(GlintSettings *self);

char *glint_store_folder(const char *folder); /* folder/moments */
/* Compares with what is stored. *known: whether anything is. FALSE names the settings that differ. */
gboolean glint_store_check(const char *folder, const GlintSettings *settings, gboolean *known, GError **error);
gboolean glint_store_write(const char *folder, const GlintSettings *settings, const GlintDataset *dataset, const GlintClassCount *count, GError **error);
/* Sums the stored counts over the classes. */
gboolean glint_store_counts(const char *folder, GlintCollectStats *stats, GError **error);
/* Removes half-written files that a killed run left. Only under the lock: another run's would go too. */
gboolean glint_store_sweep(const char *folder, const GlintDataset *dataset, GError **error);
gboolean glint_store_has(const char *folder, const char *class_name, const GlintSite *site);
gboolean glint_store_save(const char *folder, const char *class_name, const GlintSite *site, const GlintSettings *settings, GlintMoments *moments, GError **error);

/* ---- partial.c ---- */

typedef struct {
    char *class_name;
    GlintSiteKind site;
    GArray *layers;     /* gsize */
    gsize next_batch, n_batches;
    guint generation;   /* folder .partial/<generation> holds the moments */
} GlintPartial;
void glint_partial_free(GlintPartial *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintPartial, glint_partial_free)

/* NULL without error when there is none. */
GlintPartial *glint_partial_open(const char *folder, GError **error);
GlintMoments *glint_partial_load(const GlintPartial *self, const char *folder, gsize layer, GError **error);
/* Writes a new generation, makes it the current one, removes the older. `moments`: one per layer. */
gboolean glint_partial_save(GlintPartial *self, const char *folder, GlintMoments *const *moments, GError **error);
gboolean glint_partial_remove(const char *folder, GError **error);
