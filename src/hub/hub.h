/* Models of the Hugging Face hub: org/name[@revision] to a folder of files, fetched when they are not in the cache (cache.h), which is
 * shared with the Python client. Only what glint reads is downloaded, every file is checked by size and hash before it gets its name, and what
 * an interruption leaves is continued. The environment's part is in env.h. */
#pragma once
#include <glib.h>

typedef struct {
    const char *cache_dir;    /* NULL: the environment's */
    gboolean dry_run;         /* only find out what there is; nothing is written */
    gboolean tokenizer_only;  /* leave the weights away */
} GlintHubOptions;

typedef struct {
    char *name;
    gint64 size;     /* bytes */
    gboolean cached; /* it was here already */
} GlintHubFile;

typedef struct {
    char *id, *revision, *commit;
    char *path;        /* the snapshot's folder; with dry_run where it will be */
    GPtrArray *files;  /* of GlintHubFile, in order of name */
    gboolean offline;  /* the server was not asked, or could not be: the files are those the cache had */
} GlintHubSnapshot;

void glint_hub_snapshot_free(GlintHubSnapshot *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintHubSnapshot, glint_hub_snapshot_free)

/* Could `name` be a name on the hub? Says nothing of whether it is one. */
gboolean glint_hub_is_name(const char *name);

/* Makes the model be there. A whole snapshot of a commit, and everything with HF_HUB_OFFLINE, comes without HTTP; a branch or tag is
 * looked up again each time, and when the server cannot be reached the cached one is used with a warning. */
GlintHubSnapshot *glint_hub_fetch(const char *name, const GlintHubOptions *options, GError **error);

/* What was perhaps meant by a name that does not exist: "'google/gemma-3-1b-pt'" or several joined by "or"; NULL: no idea. */
char *glint_hub_suggest(const char *name);
