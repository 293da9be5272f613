/* Options that several commands share, as data: each struct has its GOption entries, so a name, its help text and its
 * default stand in one place. Strings are taken as raw bytes (G_OPTION_ARG_FILENAME): text and paths need no locale. */
#pragma once
#include "collect/collect.h"
#include "ggm/ggm.h"
#include "model/model.h"
#include "text/chat.h"
#include "text/dataset.h"
#include <glib.h>

typedef struct {
    char *model, *dtype;
    int threads;
} GlintModelArgs;

typedef struct {
    char *dataset, *text_column, *label_column;
    int max_samples;
} GlintDataArgs;

typedef struct {
    char *site, *layers, *pool, *memory, *save_dtype, *from, *sae_features;
    char **sae;
    char *shard;            /* "i/n", of glint collect alone */
    int max_tokens, batch_size, examples;
    gboolean dry_run, save_activations;
} GlintCollectArgs;

/* As typed; glint_solve_plan_read() (solve_plan.h) says what they mean and refuses what does not go together. */
typedef struct {
    char *alpha, *degree, *density, *tolerance, *neurons, *time_limit, *solver;      /* one solve */
    char *select, *gamma, *instability, *path;                                       /* choosing lambda; path: "" = with the default grid */
    char *transform, *winsor, *shrinkage, *penalty, *start, *groups;                 /* what is solved */
    char *joint, *lambda2, *fdr;
    char *from_class, *from_site;                                                    /* which of a folder of saved activations */
    int max_iterations, folds, subsamples, n, stability, null, bootstrap;
    gboolean one_se, debias;
    gboolean penalize_diagonal, dense, no_scale, with_all;
} GlintSolveArgs;

/* Texts made on the spot; cli/synth_job.h says what they mean. */
typedef struct {
    char *recipe, *topic, *contrast, *generator, *model, *base_url, *api_key_file, *temperature, *price_in, *price_out;
    char **compare;           /* topics to compare, NULL-terminated */
    const char *model_option; /* which option names the model that writes, for messages: "--model" */
    int n, parallel, per_request;
    gboolean local, force, dry_run;
} GlintSynthArgs;

typedef struct {
    gboolean chat, no_thinking;
    char *format, *system, *date;
} GlintChatArgs;

typedef struct {
    char *out;
    gint64 seed;
    gboolean quiet, json;
} GlintCommonArgs;

typedef struct {
    GlintModelArgs model;
    GlintDataArgs data;
    GlintCollectArgs collect;
    GlintSolveArgs solve;
    GlintChatArgs chat;
    GlintSynthArgs synth;
    GlintCommonArgs common;
    gboolean skip_viz;
    GPtrArray *words; /* the command line as it was parsed, where it had to be rewritten */
} GlintArgs;

typedef enum {
    GLINT_ARGS_MODEL = 1 << 0,
    GLINT_ARGS_DATA = 1 << 1,
    GLINT_ARGS_COLLECT = 1 << 2,
    GLINT_ARGS_SOLVE = 1 << 3,
    GLINT_ARGS_OUT = 1 << 4,
    GLINT_ARGS_SEED = 1 << 5,
    GLINT_ARGS_VIZ = 1 << 6,
    GLINT_ARGS_JSON = 1 << 7,
    GLINT_ARGS_THREADS = 1 << 8,
    GLINT_ARGS_ROWS = 1 << 9, /* the command may have the samples themselves: help tells of what needs them */
    GLINT_ARGS_CHAT = 1 << 10,
    GLINT_ARGS_SYNTH = 1 << 12,
} GlintArgGroups;

void glint_args_init(GlintArgs *self);
void glint_args_clear(GlintArgs *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GlintArgs, glint_args_clear)

/* Parses argv with the groups named and the command's own `extra` entries (may be NULL). `usage` is what stands behind the
 * command's name, `example` a command line. What is left are positional arguments, counted in *argc. */
gboolean glint_args_parse(GlintArgs *self, GlintArgGroups groups, const GOptionEntry *extra, const char *usage, const char *about,
                          const char *example, int *argc, char ***argv, GError **error);

/* Strict readers of option values; the messages name the option. */
gboolean glint_args_real(const char *option, const char *text, double low, double high, double *value, GError **error);
gboolean glint_args_bytes(const char *option, const char *text, gsize *bytes, GError **error); /* "8G", "500M", "1.5G"; powers of 1024 */
gboolean glint_args_require(const char *option, const char *value, GError **error);
gboolean glint_args_compute_type(const char *text, GlintComputeType *dtype, GError **error);
/* The chat that the options ask for, as the model in `folder` was trained on; *chat NULL when they ask for none. */
gboolean glint_args_chat(const GlintChatArgs *args, const char *folder, GlintChat **chat, GError **error);
