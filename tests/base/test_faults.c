/* System calls that fail at the worst moment. Each case runs in a child in which a seccomp filter makes one system call fail with
 * a chosen error (a disk that is full or breaks at fsync, a rename that is refused, a file system without atomic exchange); then
 * the older content must still be there, nothing half-written may remain, and the message must name the reason. */
#include "base/scratch.h"

#include "base/npy.h"
#include "base/safetensors.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NO_SECCOMP = 77 };

/* From now on `number` fails with `errnum` in this process. */
static gboolean break_call(int number, int errnum)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)errnum),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = G_N_ELEMENTS(code), .filter = code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
}

/* ---- what is tried: each writes "new" over `path` --------------------------------------------------------------------- */

static gboolean try_file(const char *path, GError **error)
{
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (file == NULL)
        return FALSE;
    fputs("new", glint_file_stream(file));
    return glint_file_commit(g_steal_pointer(&file), error);
}

static gboolean try_npy(const char *path, GError **error)
{
    gsize n = 100000;
    g_autofree double *zeros = g_new0(double, n);
    return glint_npy_write(path, GLINT_F64, 1, &n, zeros, error);
}

static gboolean try_npz(const char *path, GError **error)
{
    gsize n = 100000;
    g_autofree double *zeros = g_new0(double, n);
    g_autoptr(GlintNpz) npz = glint_npz_new(path);
    return glint_npz_add(npz, "a", GLINT_F64, 1, &n, zeros, error) && glint_npz_close(g_steal_pointer(&npz), error);
}

static gboolean try_safetensors(const char *path, GError **error)
{
    gsize n = 100000;
    g_autofree double *zeros = g_new0(double, n);
    GlintSafetensorsWriter *writer = glint_safetensors_writer_new(path);
    glint_safetensors_writer_add(writer, "a", GLINT_ST_F64, 1, &n, zeros);
    return glint_safetensors_writer_close(writer, error);
}

static gboolean try_folder(const char *path, GError **error)
{
    g_autoptr(GlintFolder) folder = glint_folder_new(path, error);
    if (folder == NULL)
        return FALSE;
    g_autofree char *file = g_build_filename(glint_folder_path(folder), "content", NULL);
    FILE *stream = fopen(file, "w");
    fputs("new", stream);
    fclose(stream);
    return glint_folder_commit(g_steal_pointer(&folder), error);
}

typedef gboolean (*Attempt)(const char *path, GError **error);

/* Runs `attempt` with the broken call; exit codes: 0 failed with `part` in the message, 1 succeeded, 2 failed otherwise. */
static int run_broken(Attempt attempt, const char *path, int number, int errnum, const char *part)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        g_autoptr(GError) error = NULL;
        if (!break_call(number, errnum))
            _exit(NO_SECCOMP);
        if (attempt(path, &error))
            _exit(1);
        _exit(error != NULL && part != NULL && strstr(error->message, part) != NULL ? 0 : 2);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_SECCOMP) {
        print_message("this system lets programs install no seccomp filter: skipped\n");
        skip();
    }
    return WEXITSTATUS(status);
}

static void expect_text(const char *path, const char *expected)
{
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, expected);
}

#ifdef __NR_rename
#define RENAME_CALL __NR_rename
#else
#define RENAME_CALL __NR_renameat /* arm64 */
#endif

static void test_files_survive(void **state)
{
    static const struct {
        int number, errnum;
        const char *part;
    } faults[] = {
        {__NR_fsync, EIO, "Input/output error"},
        {__NR_fsync, ENOSPC, "No space left on device; free some space"},
        {RENAME_CALL, EACCES, "Permission denied; check the permissions"},
        {RENAME_CALL, EROFS, "the file system is read-only"},
        {__NR_write, ENOSPC, "No space left on device; free some space"},
        {__NR_write, EDQUOT, "Disk quota exceeded; free some space"},
    };
    static const Attempt attempts[] = {try_file, try_npy, try_npz, try_safetensors};
    g_autofree char *path = g_build_filename(*state, "a.bin", NULL);
    put_file(path, "old", 3);
    for (gsize a = 0; a < G_N_ELEMENTS(attempts); a++) {
        for (gsize f = 0; f < G_N_ELEMENTS(faults); f++) {
            int code = run_broken(attempts[a], path, faults[f].number, faults[f].errnum, faults[f].part);
            if (code != 0)
                fail_msg("attempt %d, fault %d: child says %d", (int)a, (int)f, code);
            expect_text(path, "old");
            assert_int_equal(count_files(*state), 1);
        }
    }
}

static void test_folders_survive(void **state)
{
    static const struct {
        int number, errnum;
        const char *part;
    } faults[] = {
        {__NR_fsync, EIO, "Input/output error"},
        {__NR_renameat2, EACCES, "Permission denied"},
    };
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "results", NULL), *content = g_build_filename(path, "content", NULL);
    expect_ok(try_folder(path, &error), error);
    put_file(content, "old", 3);
    for (gsize f = 0; f < G_N_ELEMENTS(faults); f++) {
        assert_int_equal(run_broken(try_folder, path, faults[f].number, faults[f].errnum, faults[f].part), 0);
        expect_text(content, "old");
        assert_int_equal(count_files(*state), 1);
    }
}

/* NFS, for one, cannot exchange two folders: then two renames do it. */
static void test_folder_without_exchange(void **state)
{
    GError *error = NULL;
    g_autofree char *path = g_build_filename(*state, "results", NULL), *content = g_build_filename(path, "content", NULL);
    expect_ok(try_folder(path, &error), error);
    put_file(content, "old", 3);
    assert_int_equal(run_broken(try_folder, path, __NR_renameat2, EINVAL, NULL), 1);
    expect_text(content, "new");
    assert_int_equal(count_files(*state), 1);
    put_file(content, "old", 3);
    assert_int_equal(run_broken(try_folder, path, __NR_renameat2, ENOSYS, NULL), 1);
    expect_text(content, "new");
    assert_int_equal(count_files(*state), 1);
}

/* File systems that cannot sync or lock say so; that is no failure. */
static void test_missing_features_are_tolerated(void **state)
{
    g_autofree char *path = g_build_filename(*state, "a.bin", NULL), *folder = g_build_filename(*state, "results", NULL);
    assert_int_equal(run_broken(try_file, path, __NR_fsync, EINVAL, NULL), 1);
    expect_text(path, "new");
    assert_int_equal(run_broken(try_npy, path, __NR_flock, ENOLCK, NULL), 1);
    assert_int_equal(run_broken(try_folder, folder, __NR_flock, ENOLCK, NULL), 1);
    assert_int_equal(run_broken(try_folder, folder, __NR_fsync, EINVAL, NULL), 1);
    assert_int_equal(count_files(*state), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_files_survive),
        scratch_test(test_folders_survive),
        scratch_test(test_folder_without_exchange),
        scratch_test(test_missing_features_are_tolerated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
