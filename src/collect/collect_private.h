/* Private to the collect stage: the pieces collect.c puts together.
 *   plan.c      texts -> tokens -> batches, and what was counted
 *   texts.c     the tokens of a class's texts, for showing examples
 *   examples*.c what makes each column respond
 *   merge.c     shards to one
 *   passes.c    which targets are collected in which pass over a class's texts, and the memory they take
 *   unit.c      runs one pass: batches, checkpoints, finished files
 *   listen.c    one target of a pass: the tap, what it feeds, and how that is saved, resumed and finished
 *   features.c  which features of an SAE are kept
 *   row_writer.c  a target's rows to disk, as they come
 *   from.c      moments from such rows instead of a model
 *   pool.c      a batch's activations to one row per text
 *   partial.c   the state of an unfinished pass on disk
 *   store.c     settings, names and finished files under moments/ */
#pragma once
#include "base/talk.h"
#include "collect/collect.h"
#include "collect/piece_pool.h"
#include "collect/examples.h"
#include "collect/texts.h"

/* ---- plan.c ---- */

typedef struct {
    guint32 *ids;      /* owned; NULL once dropped */
    gsize n;           /* after cutting */
    gboolean truncated;
} GlintTokenized;

typedef struct {
    gsize texts, tokens, truncated, no_tokens, no_punctuation, samples; /* samples: rows the pooling will give; tokens: those that are run */
} GlintClassCount;

typedef struct {
    const GlintDataset *dataset;
    GlintTokenized *tokenized; /* one per text of the dataset */
    guint8 *mine;              /* one per text: whether it is of this run's share (all, without shards) */
    guint8 *punctuation;       /* GLINT_POOL_PUNCT: one per token up to the largest that occurs; else NULL */
    gsize prefix;              /* tokens of every text that pooling leaves out */
    gsize n_classes;
    guint **order;             /* [n_classes][texts to run]: text numbers, longest first */
    gsize *n_order;
    GArray **batch_start;      /* [n_classes] of gsize: batch b runs order[batch_start[b]] .. order[batch_start[b+1]-1] */
    GlintClassCount *count;    /* [n_classes] */
} GlintPlan;

/* Of `options`: pool, batch_size, shard and n_shards. */
GlintPlan *glint_plan_new(const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options, gsize max_tokens, GError **error);
void glint_plan_free(GlintPlan *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintPlan, glint_plan_free)
gsize glint_plan_batches(const GlintPlan *self, gsize c);
/* The texts of a class that are run, with their spellings; borrows the plan's tokens. NULL on error. */
GlintTexts *glint_plan_texts(const GlintPlan *self, gsize c, const GlintTokenizer *tokenizer, GError **error);
double glint_plan_tokens(const GlintPlan *self, gsize c, gsize n_batches); /* of the first batches of a class */

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

enum { GLINT_POOL_ROWS = 64 }; /* most rows pooled at a time */
/* Pools sequences first .. first+n-1 of the batch into out [n, width]. bad[k]: first column of row k that is not finite, `width` when
 * all are. `punctuation`: the plan's, for GLINT_POOL_PUNCT. Not for GLINT_POOL_TOKENS. */
void glint_pool_rows(GlintPool pool, gsize prefix, const guint8 *punctuation, const GlintBatch *batch, const float *rows, gsize width,
                     gsize first, gsize n, float *out, gsize *bad);
/* The column of the first number of [n, width] that is not finite; width when all are. */
gsize glint_first_bad(const float *rows, gsize n, gsize width);

/* ---- store.c ---- */

/* What moments depend on, as key -> text, in a fixed order. */
enum { GLINT_N_SETTINGS = 12 };
typedef struct { char *value[GLINT_N_SETTINGS]; } GlintSettings;
void glint_settings_describe(GlintSettings *self, const GlintModel *model, const GlintTokenizer *tokenizer, const GlintDataset *dataset, const GlintCollectOptions *options);
void glint_settings_release(GlintSettings *self);

/* What differs, in words: "--pool (was mean, is now last); ...", empty when nothing does. `skip`: a key that may differ, or NULL. */
char *glint_settings_differ(const GlintSettings *was, const GlintSettings *now, const char *skip);
char **glint_settings_value(GlintSettings *self, const char *key); /* where the value of a key is */

char *glint_store_folder(const char *folder); /* folder/moments */
/* Two runs into one folder would overwrite each other's state: -1 when another has it. The lock goes with the process, killed or not. */
int glint_store_lock(const char *folder, GError **error);
void glint_store_unlock(const char *folder, int lock);
/* Compares with what is stored. *known: whether anything is. FALSE names the settings that differ. */
gboolean glint_store_check(const char *folder, const GlintSettings *settings, gboolean *known, GError **error);
/* What settings.json says of a class; FALSE when it is not as written. */
gboolean glint_store_read_count(const json_t *class_entry, GlintClassCount *count);
/* Settings and counts as settings.json has them. */
json_t *glint_store_describe(const GlintSettings *settings, const GPtrArray *classes, const GlintClassCount *count);
/* The settings of what describe() gave; FALSE when one is missing. Release them in every case. */
gboolean glint_settings_parse(GlintSettings *self, const json_t *description);
gboolean glint_store_write(const char *folder, const json_t *description, GError **error);
/* Sums the stored counts over the classes. */
gboolean glint_store_counts(const char *folder, GlintCollectStats *stats, GError **error);
/* Removes half-written files that a killed run left. Only under the lock: another run's would go too. */
gboolean glint_store_sweep(const char *folder, GError **error);
gboolean glint_store_has(const char *folder, const char *class_name, const GlintSite *site);
/* `extra`: metadata beside the settings (char* -> char*), or NULL. */
gboolean glint_store_save(const char *folder, const char *class_name, const GlintSite *site, const GlintSettings *settings, GHashTable *extra,
                          GlintMoments *moments, GError **error);
/* Whether there are examples, `k` of a column. */
gboolean glint_store_has_examples(const char *folder, const char *class_name, const GlintSite *site, gsize k);
/* Both files of a site. `texts` are those of the class. */
gboolean glint_store_save_examples(const char *folder, const char *class_name, const GlintSite *site, const GlintSettings *settings, GHashTable *extra,
                                   const GlintExamples *examples, const GlintTexts *texts, GError **error);
/* What metadata of a file says beside class, site and settings; free with g_hash_table_unref. */
GHashTable *glint_store_extra(GHashTable *metadata);

/* ---- row_writer.c ---- */

typedef struct GlintRowWriter GlintRowWriter;
/* `folder` is made; `name` is the tensor's. `positions`: rows are tokens and have one. Nothing is written before begin or resume. */
GlintRowWriter *glint_row_writer_new(const char *folder, const char *name, gsize width, GlintTensorType type, gboolean positions, gsize shard_bytes, GError **error);
void glint_row_writer_free(GlintRowWriter *self);
double glint_row_writer_bytes(gsize width, GlintTensorType type, gsize shard_bytes); /* of memory, at most */
/* `meta` is what meta.json says beside the shards; until finish, it says "complete": false. */
gboolean glint_row_writer_begin(GlintRowWriter *self, json_t *meta, GError **error);                           /* removes older shards */
gboolean glint_row_writer_resume(GlintRowWriter *self, json_t *meta, const char *checkpoint, GError **error);  /* as save left it */
gboolean glint_row_writer_add(GlintRowWriter *self, const float *rows, gsize n, const gint32 *text, const gint32 *position, GError **error);
gboolean glint_row_writer_save(GlintRowWriter *self, const char *checkpoint, GError **error); /* the state, into the file `checkpoint` */
gboolean glint_row_writer_finish(GlintRowWriter *self, json_t *meta, GError **error);

/* ---- partial.c ---- */

/* One pass over a class's texts, as far as it got. */
typedef struct {
    char *class_name;
    char *products;     /* glint_products(): what is kept of each target */
    GArray *sites;      /* GlintSite */
    gsize next_batch, n_batches;
    guint generation;   /* folder .partial/<generation> holds what was gathered; 0 = nothing is saved yet */
} GlintPartial;
void glint_partial_free(GlintPartial *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintPartial, glint_partial_free)

/* NULL without error when there is none. */
GlintPartial *glint_partial_open(const char *folder, GError **error);
/* Where the current generation's files are; free with g_free. */
char *glint_partial_folder(const GlintPartial *self, const char *folder);
/* A checkpoint: begin gives an empty folder for the next generation (NULL on error), the caller fills it, and commit makes it the
 * current one and removes the older. */
char *glint_partial_begin(const GlintPartial *self, const char *folder, GError **error);
gboolean glint_partial_commit(GlintPartial *self, const char *folder, GError **error);
gboolean glint_partial_remove(const char *folder, GError **error);

/* ---- a run ---- */

typedef struct {
    GlintModel *model;
    const GlintTokenizer *tokenizer;
    const GlintDataset *dataset;
    const GlintCollectOptions *options;
    const char *folder;
    const GlintSettings *settings;
    GlintPlan *plan;
    GlintCollectStats *stats;
    GArray *targets;    /* of GlintTarget: all that was asked for */
    GlintProgress *bar;
    double done;        /* tokens, for the bar */
} GlintRun;

static inline const char *glint_run_class(const GlintRun *run, gsize c) { return (const char *)g_ptr_array_index(run->dataset->classes, c); }

/* ---- passes.c ---- */

typedef struct {
    GlintSite site;
    gsize width;   /* of an SAE: features that are kept, before they are chosen at most */
    GlintSae *sae; /* borrowed; NULL: the rows are the model's own */
} GlintTarget;

/* The targets that the options name, by layer and site. Errors: no target, a site or layer that the model lacks. */
GArray *glint_targets_new(const GlintModel *model, const GlintCollectOptions *options, GError **error);
/* Bytes that a target takes while it is collected. */
double glint_target_bytes(const GlintTarget *target, const GlintCollectOptions *options);
/* What is kept of every target, as text. A pass can only be continued by a run that keeps the same. */
char *glint_products(const GlintCollectOptions *options);
/* Whether its rows are there, whole, saved by a run with the same settings in the same type. */
gboolean glint_target_has_rows(const GlintRun *run, gsize c, const GlintSite *site);
/* Whether everything that is kept of a target is there. */
gboolean glint_target_done(const GlintRun *run, gsize c, const GlintSite *site);

typedef struct {
    gsize c;              /* class */
    GArray *targets;      /* of GlintTarget, by layer and site */
    double bytes;         /* of all of them together */
    GlintPartial *state;  /* of the pass that is continued; else NULL */
} GlintPass;

/* All passes that are left, in order (GPtrArray of GlintPass*, freed with the array). `partial` (may be NULL; taken) is the unfinished one: it
 * comes first, without the targets that are finished. */
GPtrArray *glint_passes_new(const GlintRun *run, GlintPartial *partial, GError **error);
double glint_pass_tokens(const GlintRun *run, const GlintPass *pass);
void glint_passes_say(const GlintRun *run, const GPtrArray *passes);
json_t *glint_passes_describe(const GlintRun *run, const GPtrArray *passes);

/* ---- features.c ---- */

/* Chooses the features of every SAE among the targets, packs it, and sets the targets' widths. What was chosen before in this folder is
 * taken again; otherwise, for the most frequent, part of the texts is run. */
gboolean glint_features_choose(GlintRun *run, GError **error);
/* A folder's files of an SAE must be of the same SAE and choice. */
gboolean glint_features_check(const GlintRun *run, GError **error);
/* What a target's files say beside the settings (char* -> char*); NULL for the model's own sites. */
GHashTable *glint_features_metadata(const GlintRun *run, const GlintTarget *target);
char *glint_features_choice(const GlintCollectOptions *options); /* "all", "4096 most frequent", "list <hash>" */

/* ---- listen.c ---- */

/* Shared by the listeners of a pass: taps run one after the other. */
typedef struct {
    float *rows;       /* GLINT_POOL_ROWS * widest: pooled rows */
    float *features;   /* of an SAE, for all tokens of a batch */
    gsize n_features;  /* floats there is room for */
    GlintPiecePool pieces;
} GlintScratch;

/* One target of a pass: what is gathered there. */
typedef struct {
    const GlintRun *run;
    GlintTarget target;
    gsize c;
    GlintMoments *moments;
    GlintExamples *examples; /* NULL without */
    GlintRowWriter *writer;  /* NULL: rows are not kept */
    const guint *texts;   /* borrowed: text number of each sequence of the batch under way */
    GlintScratch *scratch;/* borrowed */
} GlintListener;

/* `resume`: folder of the checkpoint to go on from, or NULL to begin. What was opened is released by clear, also after an error. */
gboolean glint_listener_open(GlintListener *self, const GlintRun *run, const GlintTarget *target, gsize c, const char *resume, GError **error);
void glint_listener_clear(GlintListener *self);
gboolean glint_listener_tap(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer listener, GError **error);
gboolean glint_listener_save(GlintListener *self, const char *checkpoint, GError **error);
/* Whether means are all that is wanted of the site: then they come from pieces, and no activation goes through memory. */
gboolean glint_listener_in_pieces(const GlintListener *self);
void glint_listener_piece(const GlintBatch *batch, gsize row, gsize n_rows, gsize column, gsize n_columns, const float *values, gpointer listener);
/* Writes the final files. `texts`: of the class, when there are examples. */
gboolean glint_listener_finish(GlintListener *self, const GlintTexts *texts, GError **error);

/* ---- unit.c ---- */

gboolean glint_run_pass(GlintRun *run, GlintPass *pass, GError **error);
