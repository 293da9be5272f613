/* Files and folders that appear whole or not at all. Each is built under a random name ".glint-XXXXXX" beside its final one
 * (so the same file system, and rename is atomic), synced, renamed, and the parent folder synced, after which a power cut
 * loses nothing. Freed without commit, they are removed. A killed program leaves one behind; it held a lock (flock) on what it was
 * building, so the next folder made beside it can tell the dead from the living and clears up.
 *
 * Names are made here and not by mkstemp, which forces mode 0600 on files that users want to share; O_EXCL guards them. */
#include "base/files.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define TEMPORARY ".glint-" /* start of temporary names */
#define MARKER ".glint" /* in every folder that glint made */
enum { NAME_TRIES = 100, STREAM_BUFFER_BYTES = 1 << 18, STALE_SECONDS = 3600 };

/* ---- names ---------------------------------------------------------------------------------------------------------- */

/* A device, pipe or socket: written in place. */
static gboolean is_special(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISREG(info.st_mode) && !S_ISDIR(info.st_mode);
}

/* Where `path` really lies, so that rename replaces the target of a symbolic link and not the link. */
static char *resolve_link(const char *path)
{
    if (g_file_test(path, G_FILE_TEST_IS_SYMLINK)) {
        char *target = realpath(path, NULL);
        if (target != NULL) {
            char *copy = g_strdup(target);
            free(target);
            return copy;
        }
    }
    return g_strdup(path);
}

static char *temporary_beside(const char *path)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    g_autofree char *folder = g_path_get_dirname(path);
    char random[9];
    for (int i = 0; i < 8; i++)
        random[i] = letters[g_random_int_range(0, (gint32)sizeof letters - 1)];
    random[8] = '\0';
    g_autofree char *name = g_strconcat(TEMPORARY, random, NULL);
    return strcmp(folder, ".") == 0 ? g_steal_pointer(&name) : g_build_filename(folder, name, NULL);
}

static gboolean make_parents(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    return glint_mkdir(folder, error);
}

/* Creates an empty file of a fresh name beside `path`; NULL and error when the folder does not take one. */
static char *create_beside(const char *path, int *fd, GError **error)
{
    for (int i = 0; i < NAME_TRIES; i++) {
        g_autofree char *name = temporary_beside(path);
        *fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (*fd >= 0)
            return g_steal_pointer(&name);
        if (errno != EEXIST)
            break;
    }
    glint_fail_errno(error, errno, "cannot create a file for '%s'", path);
    return NULL;
}

/* Marks what is being built as alive. A file system without locks loses only the clearing up. */
static void hold(int fd)
{
    int ignored = flock(fd, LOCK_EX | LOCK_NB);
    (void)ignored;
}

/* Removes what killed runs left beside `path`: temporary names that nobody holds and nobody has touched for an hour (a file
 * system without locks lets nobody hold anything). */
static void remove_stale(const char *path)
{
    g_autofree char *folder = g_path_get_dirname(path);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    while (dir != NULL && (name = g_dir_read_name(dir)) != NULL) {
        struct stat info;
        g_autofree char *child = g_build_filename(folder, name, NULL);
        if (!g_str_has_prefix(name, TEMPORARY) || lstat(child, &info) != 0 || time(NULL) - info.st_mtime < STALE_SECONDS)
            continue;
        int fd = open(child, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            glint_remove_tree(child, NULL);
        if (fd >= 0)
            close(fd);
    }
}

gboolean glint_mkdir(const char *path, GError **error)
{
    if (g_mkdir_with_parents(path, 0777) == 0)
        return TRUE;
    return glint_fail_errno(error, errno, "cannot create the folder '%s'", path);
}

/* ---- syncing -------------------------------------------------------------------------------------------------------- */

static gboolean sync_fd(int fd)
{
    /* Pipes and some network file systems cannot sync and say EINVAL or ENOTSUP: nothing is lost by their answer. */
    return fsync(fd) == 0 || errno == EINVAL || errno == ENOTSUP || errno == EROFS;
}

static gboolean sync_path(const char *path, int flags)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0)
        return FALSE;
    gboolean ok = sync_fd(fd);
    int saved = errno;
    close(fd);
    errno = saved;
    return ok;
}

static gboolean sync_parent(const char *path, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(path);
    /* A folder may be writable and yet not readable; then the rename stands, only its syncing is left to the system. */
    return sync_path(folder, O_DIRECTORY) || errno == EACCES || glint_fail_errno(error, errno, "cannot sync the folder '%s'", folder);
}

static gboolean sync_tree(const char *path, GError **error)
{
    g_autoptr(GDir) dir = g_dir_open(path, 0, error);
    if (dir == NULL)
        return FALSE;
    const char *name;
    while ((name = g_dir_read_name(dir)) != NULL) {
        g_autofree char *child = g_build_filename(path, name, NULL);
        struct stat info;
        if (lstat(child, &info) != 0)
            return glint_fail_errno(error, errno, "cannot read '%s'", child);
        if (S_ISDIR(info.st_mode) && !sync_tree(child, error))
            return FALSE;
        if (S_ISREG(info.st_mode) && !sync_path(child, 0))
            return glint_fail_errno(error, errno, "cannot sync '%s'", child);
    }
    return sync_path(path, O_DIRECTORY) || glint_fail_errno(error, errno, "cannot sync the folder '%s'", path);
}

static gboolean rename_over(const char *from, const char *path, GError **error)
{
    if (rename(from, path) == 0)
        return sync_parent(path, error);
    glint_fail_errno(error, errno, "cannot put the finished file at '%s'", path);
    unlink(from);
    return FALSE;
}

/* ---- files ---------------------------------------------------------------------------------------------------------- */

struct GlintFile {
    char *path;      /* final, links resolved */
    char *temp_name; /* NULL: special file, written in place */
    FILE *stream;
};

GlintFile *glint_file_new(const char *path, GError **error)
{
    g_autoptr(GlintFile) self = g_new0(GlintFile, 1);
    self->path = resolve_link(path);
    int fd;
    if (is_special(path)) {
        fd = open(path, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
            glint_fail_errno(error, errno, "cannot write to '%s'", path);
    } else if (g_file_test(self->path, G_FILE_TEST_IS_DIR)) {
        glint_fail(error, GLINT_ERROR_IO, "cannot write the file '%s': a folder of that name exists; choose another name", path);
        return NULL;
    } else {
        if (!make_parents(self->path, error))
            return NULL;
        self->temp_name = create_beside(self->path, &fd, error);
    }
    if (fd < 0)
        return NULL;
    if (self->temp_name != NULL)
        hold(fd);
    self->stream = fdopen(fd, "w");
    if (self->stream == NULL) {
        glint_fail_errno(error, errno, "cannot write '%s'", path);
        close(fd);
        return NULL;
    }
    setvbuf(self->stream, NULL, _IOFBF, STREAM_BUFFER_BYTES);
    return g_steal_pointer(&self);
}

FILE *glint_file_stream(GlintFile *self) { return self->stream; }

gboolean glint_file_commit(GlintFile *file, GError **error)
{
    g_autoptr(GlintFile) self = file;
    /* An earlier failed write leaves only the stream's error flag, its errno is gone. The file is thrown away anyhow, so
     * one byte more asks the system for the reason again (full disk, size limit). */
    if (ferror(self->stream)) {
        int reason = write(fileno(self->stream), "", 1) < 0 ? errno : EIO;
        return glint_fail_errno(error, reason, "cannot write '%s'", self->path);
    }
    if (fflush(self->stream) != 0 || (self->temp_name != NULL && !sync_fd(fileno(self->stream))))
        return glint_fail_errno(error, errno, "cannot write '%s'", self->path);
    int closed = fclose(g_steal_pointer(&self->stream));
    if (closed != 0)
        return glint_fail_errno(error, errno, "cannot write '%s'", self->path);
    if (self->temp_name == NULL)
        return TRUE;
    g_autofree char *temp_name = g_steal_pointer(&self->temp_name);
    return rename_over(temp_name, self->path, error);
}

void glint_file_free(GlintFile *self)
{
    if (self == NULL)
        return;
    if (self->stream != NULL)
        fclose(self->stream);
    if (self->temp_name != NULL)
        unlink(self->temp_name);
    g_free(self->temp_name);
    g_free(self->path);
    g_free(self);
}

/* ---- folders -------------------------------------------------------------------------------------------------------- */

struct GlintFolder {
    char *path;
    char *temp_name; /* NULL once committed */
    int lock;        /* see hold(); -1: none */
};

gboolean glint_remove_tree(const char *path, GError **error)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT || glint_fail_errno(error, errno, "cannot remove '%s'", path);
    if (S_ISDIR(info.st_mode)) {
        g_autoptr(GDir) dir = g_dir_open(path, 0, error);
        if (dir == NULL)
            return FALSE;
        const char *name;
        while ((name = g_dir_read_name(dir)) != NULL) {
            g_autofree char *child = g_build_filename(path, name, NULL);
            if (!glint_remove_tree(child, error))
                return FALSE;
        }
    }
    return remove(path) == 0 || glint_fail_errno(error, errno, "cannot remove '%s'", path);
}

/* An older folder may go only when it is empty or carries our marker. */
static gboolean may_replace(const char *path, GError **error)
{
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT || glint_fail_errno(error, errno, "cannot look at '%s'", path);
    if (!S_ISDIR(info.st_mode))
        return glint_fail(error, GLINT_ERROR_IO, "cannot write the folder '%s': a file of that name exists; choose another name", path);
    g_autofree char *marker = g_build_filename(path, MARKER, NULL);
    if (g_file_test(marker, G_FILE_TEST_EXISTS))
        return TRUE;
    g_autoptr(GDir) dir = g_dir_open(path, 0, error);
    if (dir == NULL)
        return FALSE;
    const char *name = g_dir_read_name(dir);
    if (name == NULL)
        return TRUE;
    return glint_fail(error, GLINT_ERROR_IO,
                      "will not replace the folder '%s': it holds '%s' and was not made by glint; choose a new folder or empty it", path,
                      name);
}

/* "a/b/" and "a/b" are the same folder, but rename and dirname see them differently. */
static char *without_slashes(const char *path)
{
    gsize length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    return g_strndup(path, length);
}

GlintFolder *glint_folder_new(const char *path, GError **error)
{
    g_autoptr(GlintFolder) self = g_new0(GlintFolder, 1);
    g_autofree char *trimmed = without_slashes(path);
    self->path = resolve_link(trimmed);
    self->lock = -1;
    if (!may_replace(self->path, error) || !make_parents(self->path, error))
        return NULL;
    remove_stale(self->path);
    for (int i = 0; i < NAME_TRIES; i++) {
        g_autofree char *name = temporary_beside(self->path);
        if (mkdir(name, 0777) == 0) {
            self->lock = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
            if (self->lock >= 0)
                hold(self->lock);
            self->temp_name = g_steal_pointer(&name);
            return g_steal_pointer(&self);
        }
        if (errno != EEXIST)
            break;
    }
    glint_fail_errno(error, errno, "cannot create a folder for '%s'", path);
    return NULL;
}

const char *glint_folder_path(const GlintFolder *self) { return self->temp_name; }

static gboolean put_marker(const char *folder, GError **error)
{
    g_autofree char *marker = g_build_filename(folder, MARKER, NULL);
    int fd = open(marker, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return glint_fail_errno(error, errno, "cannot write '%s'", marker);
    close(fd);
    return TRUE;
}

/* Puts self->temp_name at self->path; on success temp_name holds what was there before, if anything. */
static gboolean swap_in(GlintFolder *self, GError **error)
{
    struct stat info;
    gboolean old_exists = lstat(self->path, &info) == 0;
    if (!old_exists) {
        if (rename(self->temp_name, self->path) != 0)
            return glint_fail_errno(error, errno, "cannot put the finished folder at '%s'", self->path);
        g_clear_pointer(&self->temp_name, g_free);
        return TRUE;
    }
    if (renameat2(AT_FDCWD, self->temp_name, AT_FDCWD, self->path, RENAME_EXCHANGE) == 0)
        return TRUE;
    if (errno != EINVAL && errno != ENOSYS)
        return glint_fail_errno(error, errno, "cannot replace the folder '%s'", self->path);
    /* No exchange on this file system: two renames, the first undone when the second fails. */
    g_autofree char *aside = temporary_beside(self->path);
    if (rename(self->path, aside) != 0)
        return glint_fail_errno(error, errno, "cannot replace the folder '%s'", self->path);
    if (rename(self->temp_name, self->path) != 0) {
        glint_fail_errno(error, errno, "cannot put the finished folder at '%s'", self->path);
        if (rename(aside, self->path) != 0)
            g_prefix_error(error, "the older folder is now called '%s': ", aside);
        return FALSE;
    }
    g_free(self->temp_name);
    self->temp_name = g_steal_pointer(&aside);
    return TRUE;
}

gboolean glint_folder_commit(GlintFolder *folder, GError **error)
{
    g_autoptr(GlintFolder) self = folder; /* its free removes the new folder on failure, the older one on success */
    return may_replace(self->path, error) && put_marker(self->temp_name, error) && sync_tree(self->temp_name, error) &&
           swap_in(self, error) && sync_parent(self->path, error);
}

void glint_folder_free(GlintFolder *self)
{
    if (self == NULL)
        return;
    if (self->temp_name != NULL)
        glint_remove_tree(self->temp_name, NULL); /* best effort: nobody depends on it any more */
    if (self->lock >= 0)
        close(self->lock);
    g_free(self->temp_name);
    g_free(self->path);
    g_free(self);
}

/* ---- reading, CSV --------------------------------------------------------------------------------------------------- */

GMappedFile *glint_map_file(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe nobody writes to would be waited for */
    struct stat info;
    if (fd < 0 || fstat(fd, &info) != 0) {
        glint_fail_errno(error, errno, "cannot open '%s'", path);
        if (fd >= 0)
            close(fd);
        return NULL;
    }
    GMappedFile *map = NULL;
    g_autoptr(GError) reason = NULL;
    if (S_ISDIR(info.st_mode))
        glint_fail(error, GLINT_ERROR_IO, "cannot read '%s': it is a folder, a file was expected", path);
    else if (!S_ISREG(info.st_mode))
        glint_fail(error, GLINT_ERROR_IO, "cannot read '%s': it is a pipe or device; save it to a file first", path);
    else if (info.st_size == 0)
        glint_fail(error, GLINT_ERROR_FORMAT, "'%s' is empty; was it fully downloaded or written?", path);
    else if ((map = g_mapped_file_new_from_fd(fd, FALSE, &reason)) == NULL)
        glint_fail(error, GLINT_ERROR_IO, "cannot map '%s': %s", path, reason->message);
    close(fd);
    return map;
}

void glint_csv_field(FILE *out, const char *text)
{
    gsize length = strlen(text);
    gboolean outer_blank = length > 0 && (text[0] == ' ' || text[length - 1] == ' ');
    if (!outer_blank && strpbrk(text, ",\"\r\n") == NULL) {
        fwrite(text, 1, length, out);
        return;
    }
    fputc('"', out);
    for (const char *p = text; *p != '\0'; p++) {
        if (*p == '"')
            fputc('"', out);
        fputc(*p, out);
    }
    fputc('"', out);
}
