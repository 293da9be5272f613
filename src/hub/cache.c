/* The hub's cache on disk. See cache.h. */
#include "hub/cache.h"

#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 20, LONGEST_NAME = 96, LONGEST_REVISION = 250, LOCK_POLL_US = 100000 };

/* ---- names ---------------------------------------------------------------------------------------------------------- */

static gboolean is_name_character(char c) { return g_ascii_isalnum(c) || c == '.' || c == '_' || c == '-'; }

gboolean glint_cache_is_plain_name(const char *name)
{
    if (*name == '\0' || *name == '.' || strlen(name) > 200)
        return FALSE;
    for (const char *p = name; *p != '\0'; p++) {
        if (!is_name_character(*p))
            return FALSE;
    }
    return TRUE;
}

/* The hub's own rule for either half of an id. */
static gboolean is_id_part(const char *part)
{
    gsize length = strlen(part);
    return length > 0 && length <= LONGEST_NAME && glint_cache_is_plain_name(part) && part[0] != '-' && part[length - 1] != '-' &&
           part[length - 1] != '.' && strstr(part, "..") == NULL && strstr(part, "--") == NULL;
}

/* A branch, tag or commit; it becomes a path below refs/. */
static gboolean is_revision(const char *revision)
{
    gsize length = strlen(revision);
    if (length == 0 || length > LONGEST_REVISION || strstr(revision, "..") != NULL)
        return FALSE;
    g_auto(GStrv) parts = g_strsplit(revision, "/", -1);
    for (gsize i = 0; parts[i] != NULL; i++) {
        if (!glint_cache_is_plain_name(parts[i]))
            return FALSE;
    }
    return TRUE;
}

gboolean glint_hub_name_parse(GlintHubName *self, const char *text)
{
    *self = (GlintHubName){NULL, NULL};
    g_auto(GStrv) halves = g_strsplit(text, "@", 2);
    const char *id = halves[0] != NULL ? halves[0] : "";
    g_auto(GStrv) parts = g_strsplit(id, "/", -1);
    if (g_strv_length(parts) != 2 || !is_id_part(parts[0]) || !is_id_part(parts[1]) || g_str_has_suffix(id, ".git"))
        return FALSE;
    if (halves[1] != NULL && !is_revision(halves[1]))
        return FALSE;
    self->id = g_strdup(id);
    self->revision = g_strdup(halves[1] != NULL ? halves[1] : "main");
    return TRUE;
}

void glint_hub_name_clear(GlintHubName *self)
{
    g_clear_pointer(&self->id, g_free);
    g_clear_pointer(&self->revision, g_free);
}

gboolean glint_cache_is_commit(const char *revision)
{
    return strlen(revision) == 40 && strspn(revision, "0123456789abcdef") == 40;
}

/* "models--org--name". */
static char *folder_name(const char *id)
{
    g_auto(GStrv) parts = g_strsplit(id, "/", -1);
    g_autofree char *joined = g_strjoinv("--", parts);
    return g_strconcat("models--", joined, NULL);
}

char *glint_cache_repo_path(const char *cache, const char *id)
{
    g_autofree char *folder = folder_name(id);
    return g_build_filename(cache, folder, NULL);
}

char *glint_cache_snapshot_path(const char *cache, const char *id, const char *commit)
{
    g_autofree char *folder = folder_name(id);
    return g_build_filename(cache, folder, "snapshots", commit, NULL);
}

char *glint_cache_blob_path(const char *cache, const char *id, const char *etag)
{
    g_autofree char *folder = folder_name(id);
    return g_build_filename(cache, folder, "blobs", etag, NULL);
}

/* ---- refs ----------------------------------------------------------------------------------------------------------- */

static char *ref_path(const char *cache, const char *id, const char *revision)
{
    g_autofree char *folder = folder_name(id);
    return g_build_filename(cache, folder, "refs", revision, NULL);
}

char *glint_cache_ref(const char *cache, const char *id, const char *revision)
{
    g_autofree char *path = ref_path(cache, id, revision), *commit = NULL;
    if (g_file_get_contents(path, &commit, NULL, NULL) && glint_cache_is_plain_name(g_strstrip(commit)))
        return g_steal_pointer(&commit);
    return glint_cache_is_commit(revision) ? g_strdup(revision) : NULL; /* a commit names its snapshot itself */
}

gboolean glint_cache_set_ref(const char *cache, const char *id, const char *revision, const char *commit, GError **error)
{
    if (strcmp(revision, commit) == 0)
        return TRUE;
    g_autofree char *path = ref_path(cache, id, revision), *known = glint_cache_ref(cache, id, revision);
    if (g_strcmp0(known, commit) == 0)
        return TRUE; /* a cache that may only be read stays in use */
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (file == NULL)
        return FALSE;
    fputs(commit, glint_file_stream(file));
    return glint_file_commit(g_steal_pointer(&file), error);
}

/* ---- snapshots ------------------------------------------------------------------------------------------------------ */

gboolean glint_cache_has_file(const char *snapshot, const char *name, gint64 size)
{
    g_autofree char *path = g_build_filename(snapshot, name, NULL);
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) && (size < 0 || info.st_size == size);
}

/* The first shard of the index that is not there; the index itself when it cannot be read. */
static char *missing_shard(const char *snapshot)
{
    static const char index_name[] = "model.safetensors.index.json";
    g_autofree char *path = g_build_filename(snapshot, index_name, NULL);
    g_autoptr(json_t) index = glint_json_read(path, NULL);
    json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map))
        return g_strdup(index_name);
    const char *tensor;
    json_t *value;
    json_object_foreach (map, tensor, value) {
        const char *shard = json_string_value(value);
        if (shard == NULL || !glint_cache_is_plain_name(shard))
            return g_strdup(index_name);
        if (!glint_cache_has_file(snapshot, shard, -1))
            return g_strdup(shard);
    }
    return NULL;
}

char *glint_cache_missing(const char *snapshot, gboolean tokenizer_only, gboolean strict)
{
    gboolean tokenizer = glint_cache_has_file(snapshot, "tokenizer.json", -1) || glint_cache_has_file(snapshot, "tokenizer.model", -1);
    if (!glint_cache_has_file(snapshot, "config.json", -1))
        return g_strdup("config.json");
    if (!tokenizer && (strict || tokenizer_only))
        return g_strdup("tokenizer.json");
    if (tokenizer_only || glint_cache_has_file(snapshot, "model.safetensors", -1))
        return NULL;
    if (glint_cache_has_file(snapshot, "model.safetensors.index.json", -1))
        return missing_shard(snapshot);
    return g_strdup("model.safetensors");
}

gboolean glint_cache_prepare(const char *cache, const char *id, const char *commit, GError **error)
{
    static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                              "# This file is a cache directory tag (https://bford.info/cachedir/): backup programs may leave this folder out.\n";
    g_autofree char *snapshot = glint_cache_snapshot_path(cache, id, commit), *repo = glint_cache_repo_path(cache, id);
    g_autofree char *blobs = g_build_filename(repo, "blobs", NULL), *tag_path = g_build_filename(cache, "CACHEDIR.TAG", NULL);
    if (!glint_mkdir(blobs, error) || !glint_mkdir(snapshot, error))
        return FALSE;
    int fd = open(tag_path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) { /* else it is there, or may not be: the cache works without it */
        ssize_t ignored = write(fd, tag, sizeof tag - 1);
        (void)ignored;
        close(fd);
    }
    return TRUE;
}

gboolean glint_cache_link(const char *snapshot, const char *name, const char *etag, GError **error)
{
    g_autofree char *path = g_build_filename(snapshot, name, NULL);
    g_autofree char *target = g_build_filename("..", "..", "blobs", etag, NULL);
    g_autofree char *there = g_file_read_link(path, NULL);
    if (g_strcmp0(there, target) == 0)
        return TRUE;
    g_autofree char *temporary = g_strdup_printf("%s.%08x.tmp", path, g_random_int());
    if (symlink(target, temporary) != 0)
        return glint_fail_errno(error, errno, "cannot make the link '%s'", path);
    if (rename(temporary, path) == 0)
        return TRUE;
    glint_fail_errno(error, errno, "cannot make the link '%s'", path);
    unlink(temporary);
    return FALSE;
}

/* ---- locks ---------------------------------------------------------------------------------------------------------- */

struct GlintCacheLock {
    int fd;
};

static gboolean wait_for_lock(int fd, const char *id, GError **error)
{
    gboolean said = FALSE;
    while (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        if (errno != EWOULDBLOCK)
            return TRUE; /* a file system without locks: two downloads of one file cost time, and the hash guards the result */
        if (!said)
            glint_say("waiting for another program that is downloading %s", id);
        said = TRUE;
        if (!glint_check_interrupt(error))
            return FALSE;
        g_usleep(LOCK_POLL_US);
    }
    return TRUE;
}

GlintCacheLock *glint_cache_lock(const char *cache, const char *id, const char *etag, GError **error)
{
    g_autofree char *folder = folder_name(id), *name = g_strconcat(etag, ".lock", NULL);
    g_autofree char *parent = g_build_filename(cache, ".locks", folder, NULL), *path = g_build_filename(parent, name, NULL);
    if (!glint_mkdir(parent, error))
        return NULL;
    g_autoptr(GlintCacheLock) self = g_new0(GlintCacheLock, 1);
    self->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0664);
    if (self->fd < 0) {
        glint_fail_errno(error, errno, "cannot open the lock '%s'", path);
        return NULL;
    }
    return wait_for_lock(self->fd, id, error) ? g_steal_pointer(&self) : NULL;
}

void glint_cache_unlock(GlintCacheLock *self)
{
    if (self == NULL)
        return;
    if (self->fd >= 0)
        close(self->fd); /* the file stays: removing it would let two programs hold two locks of one name */
    g_free(self);
}

/* ---- blobs ---------------------------------------------------------------------------------------------------------- */

/* SHA-1 of "blob LENGTH\0" and the content, which is what git calls the file. */
static char *git_blob_id(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        glint_fail_errno(error, errno, "cannot read '%s'", path);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA1);
    g_autofree char *head = g_strdup_printf("blob %" G_GINT64_FORMAT, (gint64)info.st_size);
    g_checksum_update(checksum, (const guchar *)head, (gssize)strlen(head) + 1);
    g_autofree guchar *piece = g_malloc(PIECE_BYTES);
    ssize_t got;
    while ((got = read(fd, piece, PIECE_BYTES)) > 0 || (got < 0 && errno == EINTR)) {
        if (got > 0)
            g_checksum_update(checksum, piece, got);
    }
    int reason = errno;
    close(fd);
    if (got < 0) {
        glint_fail_errno(error, reason, "cannot read '%s'", path);
        return NULL;
    }
    return g_strdup(g_checksum_get_string(checksum));
}

gboolean glint_cache_verify(const char *path, const char *etag, const char *name, GError **error)
{
    gboolean hex = strspn(etag, "0123456789abcdef") == strlen(etag);
    g_autofree char *found = NULL;
    if (hex && strlen(etag) == 64) {
        found = glint_sha256_file(path, error);
    } else if (hex && strlen(etag) == 40) {
        found = git_blob_id(path, error);
    } else {
        glint_warn("%s: the server gives no hash of the file, only its size could be checked", name);
        return TRUE;
    }
    return g_strcmp0(found, etag) == 0;
}

gboolean glint_cache_put_blob(const char *incomplete, const char *blob, GError **error)
{
    int fd = open(incomplete, O_RDONLY | O_CLOEXEC);
    gboolean synced = fd >= 0 && (fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP);
    int reason = errno;
    if (fd >= 0)
        close(fd);
    if (!synced)
        return glint_fail_errno(error, reason, "cannot write '%s'", incomplete);
    return rename(incomplete, blob) == 0 || glint_fail_errno(error, errno, "cannot put the finished file at '%s'", blob);
}
