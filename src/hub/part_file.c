/* Part files and their lock. See part_file.h. GlintFile (base/files.h) throws away what is not finished; here that is what must be
 * kept, so the name is fixed and the lock (flock) keeps two processes from writing to it at once. */
#include "hub/part_file.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LOCK_POLL_US = 200000 };

/* TRUE when the lock is ours and the file still has its name: whoever held it before may have finished and renamed it. */
static gboolean try_lock(int fd, const char *part, gboolean *held)
{
    struct stat opened, named;
    *held = FALSE;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        *held = errno == EWOULDBLOCK;
        return !*held; /* else: a file system without locks */
    }
    return fstat(fd, &opened) == 0 && stat(part, &named) == 0 && opened.st_ino == named.st_ino;
}

int glint_part_open(const char *part, GError **error)
{
    g_autofree char *folder = g_path_get_dirname(part);
    if (!glint_mkdir(folder, error))
        return -1;
    gboolean held = FALSE, said = FALSE;
    for (;;) {
        int fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
        if (fd < 0) {
            glint_fail_errno(error, errno, "cannot write '%s'", part);
            return -1;
        }
        if (try_lock(fd, part, &held))
            return fd;
        close(fd);
        if (held && !said)
            glint_say("another glint is fetching '%s', waiting for it", part);
        said = said || held;
        if (!glint_check_interrupt(error))
            return -1;
        g_usleep(held ? LOCK_POLL_US : 0);
    }
}

gboolean glint_part_commit(int fd, const char *part, const char *path, GError **error)
{
    if (fsync(fd) != 0)
        return glint_fail_errno(error, errno, "cannot write '%s'", part);
    if (rename(part, path) != 0)
        return glint_fail_errno(error, errno, "cannot put the finished file at '%s'", path);
    return TRUE;
}
