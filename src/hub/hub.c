/* Fetching models: what is asked of the server, which files are taken, and how each gets into the cache. See hub.h.
 *
 * The order makes a kill harmless at any moment: blobs first, each under a temporary name until its hash is right, then the snapshot's
 * link to it, and the ref (main -> commit) last, so that what worked offline before goes on working offline. */
#include "hub/hub.h"

#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "hub/cache.h"
#include "hub/env.h"
#include "hub/http.h"
#include "hub/repo.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define MEGABYTE 1e6
#define INDEX "model.safetensors.index.json"
#define SINGLE "model.safetensors"

/* What glint reads beside the weights; where the repository has it. */
static const char *const small_files[] = {"config.json",           "generation_config.json",  "tokenizer.json",      "tokenizer.model",
                                          "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",      "chat_template.jinja", "chat_template.json", NULL};

/* One call of glint_hub_fetch. */
typedef struct {
    const GlintHubOptions *options;
    GlintRepoAddress address;
    char *cache, *endpoint, *token;
    GlintHubName name;
    GPtrArray *wanted; /* of GlintRepoFile, borrowed from the listing */
} Fetch;

static void fetch_clear(Fetch *self)
{
    g_free(self->cache);
    g_free(self->endpoint);
    g_free(self->token);
    glint_hub_name_clear(&self->name);
    g_clear_pointer(&self->wanted, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Fetch, fetch_clear)

/* ---- results -------------------------------------------------------------------------------------------------------- */

static void hub_file_free(gpointer data)
{
    GlintHubFile *self = data;
    g_free(self->name);
    g_free(self);
}

void glint_hub_snapshot_free(GlintHubSnapshot *self)
{
    if (self == NULL)
        return;
    g_free(self->id);
    g_free(self->revision);
    g_free(self->commit);
    g_free(self->path);
    g_ptr_array_unref(self->files);
    g_free(self);
}

static void add_file(GlintHubSnapshot *self, const char *name, gint64 size, gboolean cached)
{
    GlintHubFile *file = g_new0(GlintHubFile, 1);
    *file = (GlintHubFile){g_strdup(name), size, cached};
    g_ptr_array_add(self->files, file);
}

static int by_name(gconstpointer a, gconstpointer b)
{
    return strcmp((*(GlintHubFile *const *)a)->name, (*(GlintHubFile *const *)b)->name);
}

static GlintHubSnapshot *snapshot_new(const Fetch *fetch, const char *commit)
{
    GlintHubSnapshot *self = g_new0(GlintHubSnapshot, 1);
    self->id = g_strdup(fetch->name.id);
    self->revision = g_strdup(fetch->name.revision);
    self->commit = g_strdup(commit);
    self->path = glint_cache_snapshot_path(fetch->cache, fetch->name.id, commit);
    self->files = g_ptr_array_new_with_free_func(hub_file_free);
    return self;
}

gboolean glint_hub_is_name(const char *name)
{
    g_auto(GlintHubName) parts;
    return glint_hub_name_parse(&parts, name);
}

/* ---- from the cache alone ------------------------------------------------------------------------------------------- */

/* The snapshot as the cache has it; NULL and the reason in *missing (the first file missing, NULL: there is no snapshot at all). */
static GlintHubSnapshot *from_cache(const Fetch *fetch, gboolean strict, char **missing)
{
    *missing = NULL;
    g_autofree char *commit = glint_cache_ref(fetch->cache, fetch->name.id, fetch->name.revision);
    if (commit == NULL)
        return NULL;
    g_autoptr(GlintHubSnapshot) self = snapshot_new(fetch, commit);
    g_autoptr(GDir) dir = g_dir_open(self->path, 0, NULL);
    if (dir == NULL || (*missing = glint_cache_missing(self->path, fetch->options->tokenizer_only, strict)) != NULL)
        return NULL;
    const char *name;
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *path = g_build_filename(self->path, name, NULL);
        struct stat info;
        if (stat(path, &info) == 0 && S_ISREG(info.st_mode))
            add_file(self, name, info.st_size, TRUE);
    }
    g_ptr_array_sort(self->files, by_name);
    self->offline = TRUE;
    return g_steal_pointer(&self);
}

static GlintHubSnapshot *offline(const Fetch *fetch, GError **error)
{
    g_autofree char *missing = NULL;
    GlintHubSnapshot *self = from_cache(fetch, FALSE, &missing);
    if (self == NULL && missing != NULL)
        glint_fail(error, GLINT_ERROR_IO, "'%s' (revision %s) is in the Hugging Face cache %s only in part, %s is missing, and HF_HUB_OFFLINE is "
                   "set; unset it to fetch the rest",
                   fetch->name.id, fetch->name.revision, fetch->cache, missing);
    else if (self == NULL)
        glint_fail(error, GLINT_ERROR_IO, "'%s' is neither a folder nor in the Hugging Face cache %s (revision %s), and HF_HUB_OFFLINE is set; "
                   "unset it to fetch the model, or give the path of a model folder",
                   fetch->name.id, fetch->cache, fetch->name.revision);
    return self;
}

/* ---- which files ---------------------------------------------------------------------------------------------------- */

static gboolean want(Fetch *fetch, const GlintRepo *repo, const char *name)
{
    GlintRepoFile *file = glint_repo_find(repo, name);
    if (file != NULL && !g_ptr_array_find(fetch->wanted, file, NULL))
        g_ptr_array_add(fetch->wanted, file);
    return file != NULL;
}

/* The index: of the cache when it is there, else straight from the server (a dry run writes nothing); the copy that goes into the cache is
 * checked by its hash like every file. */
static json_t *read_index(const Fetch *fetch, const GlintRepo *repo, GError **error)
{
    GlintRepoFile *file = glint_repo_find(repo, INDEX);
    g_autofree char *snapshot = glint_cache_snapshot_path(fetch->cache, fetch->name.id, repo->commit);
    if (glint_cache_has_file(snapshot, INDEX, file->size)) {
        g_autofree char *path = g_build_filename(snapshot, INDEX, NULL);
        return glint_json_read(path, error);
    }
    g_autofree char *url = glint_repo_file_url(&fetch->address, repo->commit, INDEX);
    GlintHttpRequest request = {.token = fetch->token, .connect_timeout = glint_hub_etag_timeout(), .stall_timeout = glint_hub_download_timeout()};
    g_autoptr(GlintHttpReply) reply = glint_http(url, &request, error);
    if (reply == NULL)
        return NULL;
    if (reply->status != 200) {
        glint_repo_refused(&fetch->address, reply, error);
        return NULL;
    }
    json_error_t where;
    json_t *index = json_loadb(glint_http_reply_text(reply), reply->body->len, 0, &where);
    if (index == NULL)
        glint_fail(error, GLINT_ERROR_FORMAT, "%s of '%s': not valid JSON at line %d: %s", INDEX, fetch->name.id, where.line, where.text);
    return index;
}

static gboolean want_shards(Fetch *fetch, const GlintRepo *repo, GError **error)
{
    g_autoptr(json_t) index = read_index(fetch, repo, error);
    if (index == NULL)
        return FALSE;
    json_t *map = json_object_get(index, "weight_map"), *value;
    const char *tensor;
    if (!json_is_object(map) || json_object_size(map) == 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s of '%s': no \"weight_map\"", INDEX, fetch->name.id);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    json_object_foreach (map, tensor, value) {
        const char *shard = json_string_value(value);
        if (shard == NULL || !glint_cache_is_plain_name(shard) || !g_str_has_suffix(shard, ".safetensors"))
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s of '%s': the file of '%s' should be the name of a .safetensors file beside it",
                              INDEX, fetch->name.id, tensor);
        if (g_hash_table_add(seen, (gpointer)shard) && !want(fetch, repo, shard))
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s of '%s' names %s, which the repository does not have", INDEX, fetch->name.id, shard);
    }
    return TRUE;
}

/* What a repository without weights for us has instead. */
static gboolean fail_no_weights(const Fetch *fetch, const GlintRepo *repo, GError **error)
{
    static const char *const endings[] = {".safetensors", ".bin", ".gguf", ".pth", ".pt", ".h5", ".msgpack", ".onnx"};
    for (gsize k = 0; k < G_N_ELEMENTS(endings); k++) {
        for (guint i = 0; i < repo->files->len; i++) {
            const GlintRepoFile *file = g_ptr_array_index(repo->files, i);
            if (g_str_has_suffix(file->name, endings[k]))
                return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "'%s' (revision %s) has no model.safetensors, only the likes of %s, and glint "
                                  "reads the safetensors form of a whole model; look for a revision "
                                  "or another repository of this model that has it, or convert it with transformers' save_pretrained",
                                      fetch->name.id, fetch->name.revision, file->name);
        }
    }
    return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "'%s' (revision %s) has no model.safetensors and no weights of any other kind; is it a "
                      "model?", fetch->name.id, fetch->name.revision);
}

/* One file of weights goes before the index and its shards, as transformers and glint's own checkpoints choose. */
static gboolean choose_files(Fetch *fetch, const GlintRepo *repo, GError **error)
{
    for (gsize i = 0; small_files[i] != NULL; i++)
        want(fetch, repo, small_files[i]);
    if (fetch->options->tokenizer_only)
        return TRUE;
    if (want(fetch, repo, SINGLE))
        return TRUE;
    return want(fetch, repo, INDEX) ? want_shards(fetch, repo, error) : fail_no_weights(fetch, repo, error);
}

/* ---- one file ------------------------------------------------------------------------------------------------------- */

/* Downloads into `incomplete`, and checks it. A mismatch leaves nothing; *resumed tells whether older bytes were part of it. */
static gboolean download(const Fetch *fetch, const GlintRepo *repo, const GlintRepoFile *file, const char *incomplete, GlintProgress *progress,
                         double before, gboolean *resumed, gboolean *mismatch, GError **error)
{
    g_autofree char *url = glint_repo_file_url(&fetch->address, repo->commit, file->name);
    double timeout = glint_hub_download_timeout();
    GlintHttpRequest request = {.token = fetch->token, .connect_timeout = timeout, .stall_timeout = timeout,
                                .progress = progress, .progress_before = before};
    struct stat info;
    *resumed = stat(incomplete, &info) == 0 && info.st_size > 0;
    g_autoptr(GlintHttpReply) reply = glint_http_download(url, &request, incomplete, file->size, error);
    gboolean ok = reply != NULL && ((reply->status >= 200 && reply->status < 300) || glint_repo_refused(&fetch->address, reply, error));
    if (!ok) {
        if (stat(incomplete, &info) == 0 && info.st_size == 0)
            unlink(incomplete); /* nothing to continue */
        return FALSE;
    }
    g_autoptr(GError) problem = NULL;
    if (glint_cache_verify(incomplete, file->etag, file->name, &problem))
        return TRUE;
    *mismatch = problem == NULL;
    if (*mismatch)
        unlink(incomplete);
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return FALSE;
}

/* Holding the blob's lock. */
static gboolean make_blob(const Fetch *fetch, const GlintRepo *repo, const GlintRepoFile *file, const char *blob, GlintProgress *progress,
                          double before, GError **error)
{
    g_autofree char *incomplete = g_strconcat(blob, ".incomplete", NULL);
    gboolean resumed = TRUE;
    while (resumed) { /* a wrong hash may be the fault of the bytes that were there: once more, without them */
        gboolean mismatch = FALSE;
        if (download(fetch, repo, file, incomplete, progress, before, &resumed, &mismatch, error))
            return glint_cache_put_blob(incomplete, blob, error);
        if (!mismatch)
            return FALSE;
    }
    return glint_fail(error, GLINT_ERROR_IO, "'%s' of '%s': what the server sent does not have the hash %s that it should have; it was thrown "
                      "away; try again, or use another HF_ENDPOINT",
                      file->name, fetch->name.id, file->etag);
}

static gboolean is_blob_whole(const char *blob, const GlintRepoFile *file)
{
    struct stat info;
    return stat(blob, &info) == 0 && S_ISREG(info.st_mode) && (file->size < 0 || info.st_size == file->size);
}

static gboolean bring(const Fetch *fetch, const GlintRepo *repo, const char *snapshot, const GlintRepoFile *file, GlintProgress *progress,
                      double before, GError **error)
{
    g_autofree char *blob = glint_cache_blob_path(fetch->cache, fetch->name.id, file->etag);
    if (!is_blob_whole(blob, file)) {
        g_autoptr(GlintCacheLock) lock = glint_cache_lock(fetch->cache, fetch->name.id, file->etag, error);
        if (lock == NULL)
            return FALSE;
        if (!is_blob_whole(blob, file) && !make_blob(fetch, repo, file, blob, progress, before, error)) /* the other may have brought it meanwhile */
            return FALSE;
    }
    return glint_cache_link(snapshot, file->name, file->etag, error);
}

/* ---- all files ------------------------------------------------------------------------------------------------------ */

/* Bytes still to come for a file; 0: it is in the cache. */
static gint64 bytes_to_come(const Fetch *fetch, const char *snapshot, const GlintRepoFile *file)
{
    g_autofree char *blob = glint_cache_blob_path(fetch->cache, fetch->name.id, file->etag);
    return glint_cache_has_file(snapshot, file->name, file->size) || is_blob_whole(blob, file) ? 0 : MAX(file->size, 0);
}

static gboolean check_space(const char *folder, gint64 bytes, GError **error)
{
    struct statvfs disk;
    if (statvfs(folder, &disk) != 0)
        return TRUE; /* the download will tell */
    double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
    if (free_bytes >= (double)bytes)
        return TRUE;
    return glint_fail(error, GLINT_ERROR_IO, "the model needs %.1f MB more and the disk of '%s' has %.1f MB left; free some space, or set "
                      "HF_HUB_CACHE to a folder on another disk",
                      (double)bytes / MEGABYTE, folder, free_bytes / MEGABYTE);
}

static gboolean bring_all(const Fetch *fetch, const GlintRepo *repo, GlintHubSnapshot *snapshot, gint64 total, GError **error)
{
    g_autofree char *endpoint = glint_http_plain_url(fetch->endpoint);
    if (total > 0)
        glint_say("fetching %s (%.1f MB, commit %.12s) from %s", fetch->name.id, (double)total / MEGABYTE, repo->commit, endpoint);
    g_autoptr(GlintProgress) progress = total > 0 && glint_hub_progress_bars() ? glint_progress_new("fetch", (double)total / MEGABYTE, "MB") : NULL;
    double before = 0;
    for (guint i = 0; i < fetch->wanted->len; i++) {
        const GlintRepoFile *file = g_ptr_array_index(fetch->wanted, i);
        gint64 bytes = bytes_to_come(fetch, snapshot->path, file);
        if (!glint_check_interrupt(error))
            return FALSE;
        if (!glint_cache_has_file(snapshot->path, file->name, file->size) && !bring(fetch, repo, snapshot->path, file, progress, before, error))
            return FALSE;
        before += (double)bytes / MEGABYTE;
    }
    return TRUE;
}

static GlintHubSnapshot *from_server(Fetch *fetch, const GlintRepo *repo, GError **error)
{
    fetch->wanted = g_ptr_array_new();
    if (!choose_files(fetch, repo, error))
        return NULL;
    g_autoptr(GlintHubSnapshot) self = snapshot_new(fetch, repo->commit);
    gint64 total = 0;
    gboolean all_here = TRUE;
    for (guint i = 0; i < fetch->wanted->len; i++) {
        GlintRepoFile *file = g_ptr_array_index(fetch->wanted, i);
        if ((file->etag == NULL || file->size < 0) && !glint_repo_ask_file(&fetch->address, repo->commit, file, error))
            return NULL;
        gboolean linked = glint_cache_has_file(self->path, file->name, file->size);
        gint64 bytes = bytes_to_come(fetch, self->path, file);
        total += bytes;
        all_here = all_here && linked;
        add_file(self, file->name, file->size, linked || bytes == 0);
    }
    g_ptr_array_sort(self->files, by_name);
    if (fetch->options->dry_run)
        return g_steal_pointer(&self);
    if (!all_here && (!glint_cache_prepare(fetch->cache, fetch->name.id, repo->commit, error) || !check_space(fetch->cache, total, error) ||
                      !bring_all(fetch, repo, self, total, error)))
        return NULL;
    g_autoptr(GError) problem = NULL;
    if (!glint_cache_set_ref(fetch->cache, fetch->name.id, fetch->name.revision, repo->commit, &problem)) {
        if (!all_here) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return NULL;
        }
        glint_warn("%s", problem->message); /* a cache that may only be read: the files are there, which is what counts */
    }
    return g_steal_pointer(&self);
}

GlintHubSnapshot *glint_hub_fetch(const char *name, const GlintHubOptions *options, GError **error)
{
    g_auto(Fetch) fetch = {.options = options};
    if (!glint_hub_name_parse(&fetch.name, name)) {
        g_autofree char *meant = glint_hub_suggest(name);
        glint_fail(error, GLINT_ERROR_USAGE, "'%s' is no name on the hub: org/name or org/name@revision is%s%s%s", name, meant != NULL ? "; did "
                   "you mean " : "",
                   meant != NULL ? meant : "", meant != NULL ? "?" : "");
        return NULL;
    }
    fetch.cache = options->cache_dir != NULL ? g_strdup(options->cache_dir) : glint_hub_cache_dir();
    if (glint_hub_offline())
        return offline(&fetch, error);
    g_autofree char *missing = NULL;
    if (glint_cache_is_commit(fetch.name.revision)) {
        GlintHubSnapshot *whole = from_cache(&fetch, TRUE, &missing);
        if (whole != NULL)
            return whole;
    }
    fetch.endpoint = glint_hub_endpoint();
    if (!glint_hub_token(&fetch.token, error))
        return NULL;
    fetch.address = (GlintRepoAddress){fetch.endpoint, fetch.name.id, fetch.name.revision, fetch.token};
    gboolean unreachable = FALSE;
    g_autoptr(GError) problem = NULL;
    g_autoptr(GlintRepo) repo = glint_repo_list(&fetch.address, &unreachable, &problem);
    if (repo != NULL)
        return from_server(&fetch, repo, error);
    g_free(g_steal_pointer(&missing));
    GlintHubSnapshot *cached = unreachable ? from_cache(&fetch, FALSE, &missing) : NULL;
    if (cached != NULL)
        glint_warn("%s; going on with commit %.12s of the cache", problem->message, cached->commit);
    else
        g_propagate_error(error, g_steal_pointer(&problem));
    return cached;
}
