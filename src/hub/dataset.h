/* Data sets of the hub by name, through its rows API, kept as JSON lines in a cache: $HF_HOME/glint/datasets, or glint/datasets
 * in the user's cache folder (XDG_CACHE_HOME). What is fetched is cached page by page, so a killed fetch goes on where it was. */
#pragma once
#include <glib.h>

typedef struct {
    const char *text_column, *label_column; /* NULL: guessed, and said */
    gsize max_samples;                      /* 0: the whole split; else as many pages, spread over it, as that takes */
    guint64 seed;                           /* of the spread */
} GlintHubDatasetOptions;

typedef struct {
    char *path;                       /* a .jsonl file in the cache */
    char *text_column, *label_column; /* its keys to read */
} GlintHubDataset;

/* `name` is org/name[:config][:split] or a bare name of old (dataset_name.h). Nothing is fetched that the cache has. A sample
 * depends on the split, max_samples and seed alone, not on what the cache held before. */
gboolean glint_hub_dataset_fetch(const char *name, const GlintHubDatasetOptions *options, GlintHubDataset *out, GError **error);
void glint_hub_dataset_clear(GlintHubDataset *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GlintHubDataset, glint_hub_dataset_clear)

/* The file behind an http(s) address, downloaded into the cache under its own name; free with g_free. */
char *glint_hub_download_url(const char *url, GError **error);
