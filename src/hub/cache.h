/* The cache of the hub's Python client, on disk, without any network:
 *
 *     models--org--name/blobs/ETAG                     contents, by their hash: SHA-256 of large files, git's blob id of small ones
 *                       blobs/ETAG.incomplete          on its way
 *                       refs/REVISION                  the commit a branch or tag pointed to when last asked
 *                       snapshots/COMMIT/FILE          a relative link to its blob
 *     .locks/models--org--name/ETAG.lock               held (flock) by who downloads that blob
 *
 * Other programs fill and read it at the same time, so every step is a rename or a link, and what they may have done
 * differently (files instead of links, blobs that are links into a shared store) is read all the same. */
#pragma once
#include <glib.h>

/* "org/name" or "org/name@revision" taken apart. */
typedef struct {
    char *id, *revision; /* revision: "main" when none is given */
} GlintHubName;
/* FALSE for what cannot be a name on the hub (nothing is said: it may be a path). */
gboolean glint_hub_name_parse(GlintHubName *self, const char *text);
void glint_hub_name_clear(GlintHubName *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(GlintHubName, glint_hub_name_clear)

gboolean glint_cache_is_commit(const char *revision); /* 40 lower-case hexadecimal digits */
/* May this stand as a file name in the cache? Letters, digits, ". _ -", not beginning with a dot. */
gboolean glint_cache_is_plain_name(const char *name);

char *glint_cache_repo_path(const char *cache, const char *id);
char *glint_cache_snapshot_path(const char *cache, const char *id, const char *commit);
/* The commit that the cache knows for a revision; NULL when it knows none. */
char *glint_cache_ref(const char *cache, const char *id, const char *revision);
gboolean glint_cache_set_ref(const char *cache, const char *id, const char *revision, const char *commit, GError **error);

/* Is the file in the snapshot, with this size (-1: any)? */
gboolean glint_cache_has_file(const char *snapshot, const char *name, gint64 size);
/* What keeps the snapshot from being a whole model: the name of the first missing file, or NULL when nothing does.
 * `tokenizer_only`: the weights may be missing. `strict`: so must the tokenizer not be, which some models lack. */
char *glint_cache_missing(const char *snapshot, gboolean tokenizer_only, gboolean strict);

/* The lock of one blob. Waits, and says so, while another program downloads it; Ctrl-C ends the wait. */
typedef struct GlintCacheLock GlintCacheLock;
GlintCacheLock *glint_cache_lock(const char *cache, const char *id, const char *etag, GError **error);
void glint_cache_unlock(GlintCacheLock *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintCacheLock, glint_cache_unlock)

/* Makes the folders of a repository (and CACHEDIR.TAG, by which backup programs leave the cache out). */
gboolean glint_cache_prepare(const char *cache, const char *id, const char *commit, GError **error);
char *glint_cache_blob_path(const char *cache, const char *id, const char *etag);
/* Does the file hold what the entity tag says? 64 digits are its SHA-256, 40 its git blob id; another tag proves nothing and is
 * accepted with a warning. FALSE without *error: it holds something else. `name` is for messages. */
gboolean glint_cache_verify(const char *path, const char *etag, const char *name, GError **error);
/* Puts a verified download in its place, synced. */
gboolean glint_cache_put_blob(const char *incomplete, const char *blob, GError **error);
/* snapshots/COMMIT/NAME -> ../../blobs/ETAG; a link that is there is replaced, unless it is that one. */
gboolean glint_cache_link(const char *snapshot, const char *name, const char *etag, GError **error);
