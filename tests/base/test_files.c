/* Files and folders appear whole or not at all: on success, on failure half-way, with no space, no permission, over old
 * content, through links and devices. The tests may run as root, so "no permission" is made from paths that even root cannot
 * use (a file as a folder, /proc) and "no space" from /dev/full and a file size limit. */
#include "base/scratch.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char *inside(void **state, const char *name) { return g_build_filename(*state, name, NULL); }

static void write_text(const char *path, const char *text)
{
    g_autoptr(GError) error = NULL;
    GlintFile *file = glint_file_new(path, &error);
    assert_non_null(file);
    fputs(text, glint_file_stream(file));
    expect_ok(glint_file_commit(file, &error), error);
}

static void expect_text(const char *path, const char *expected)
{
    g_autofree char *text = NULL;
    assert_true(g_file_get_contents(path, &text, NULL, NULL));
    assert_string_equal(text, expected);
}

static void test_file_commit(void **state)
{
    g_autofree char *path = inside(state, "a/b/c.txt");
    mode_t old = umask(027);
    write_text(path, "one");
    umask(old);
    expect_text(path, "one");
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640); /* the user's umask rules, not mkstemp's 0600 */
    write_text(path, "two");
    expect_text(path, "two");
    g_autofree char *folder = inside(state, "a/b");
    assert_int_equal(count_files(folder), 1);
}

static void test_file_appears_only_at_commit(void **state)
{
    g_autofree char *path = inside(state, "a.txt");
    g_autoptr(GlintFile) file = glint_file_new(path, NULL);
    fputs("x", glint_file_stream(file));
    fflush(glint_file_stream(file));
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    assert_int_equal(count_files(*state), 1);
    glint_file_free(g_steal_pointer(&file));
    assert_int_equal(count_files(*state), 0);
    glint_file_free(NULL);
}

static void test_abandoned_file_keeps_old(void **state)
{
    g_autofree char *path = inside(state, "a.txt");
    write_text(path, "old");
    GlintFile *file = glint_file_new(path, NULL);
    fputs("new", glint_file_stream(file));
    glint_file_free(file);
    expect_text(path, "old");
    assert_int_equal(count_files(*state), 1);
}

static void test_relative_path(void **state)
{
    g_autofree char *before = g_get_current_dir();
    assert_int_equal(g_chdir(*state), 0);
    write_text("plain.txt", "here");
    assert_int_equal(g_chdir(before), 0);
    g_autofree char *path = inside(state, "plain.txt");
    expect_text(path, "here");
}

static void test_link_is_followed(void **state)
{
    g_autofree char *target = inside(state, "target.txt"), *link = inside(state, "link.txt");
    write_text(target, "old");
    assert_int_equal(symlink("target.txt", link), 0);
    write_text(link, "new");
    expect_text(target, "new");
    assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
}

static void test_device_is_written_in_place(void **state)
{
    (void)state;
    write_text("/dev/null", "gone");
    struct stat info;
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
}

static void test_no_space(void **state)
{
    (void)state;
    static const gsize lengths[] = {1, 100000, 10000000}; /* fails in commit, in commit, and before */
    for (gsize i = 0; i < G_N_ELEMENTS(lengths); i++) {
        GError *error = NULL;
        GlintFile *file = glint_file_new("/dev/full", &error);
        assert_non_null(file);
        g_autofree char *bytes = g_malloc0(lengths[i]);
        fwrite(bytes, 1, lengths[i], glint_file_stream(file));
        assert_false(glint_file_commit(file, &error));
        expect_error(&error, GLINT_ERROR_IO, "'/dev/full': No space left on device; free some space");
    }
}

/* In a child, for the limit cannot be undone safely: exit code 0 = all as expected. */
static int write_beyond_limit(const char *path)
{
    struct rlimit limit;
    signal(SIGXFSZ, SIG_IGN);
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 2;
    limit.rlim_cur = 300000;
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 3;
    g_autoptr(GError) error = NULL;
    GlintFile *file = glint_file_new(path, &error);
    if (file == NULL)
        return 4;
    char block[4096] = {0};
    for (int i = 0; i < 1000; i++)
        fwrite(block, 1, sizeof block, glint_file_stream(file));
    if (glint_file_commit(file, &error))
        return 5;
    return strstr(error->message, "File too large; the file size limit is reached") != NULL ? 0 : 6;
}

static void test_size_limit_leaves_old_file(void **state)
{
    g_autofree char *path = inside(state, "a.bin");
    write_text(path, "old");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(write_beyond_limit(path));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    expect_text(path, "old");
    assert_int_equal(count_files(*state), 1);
}

static void test_unusable_places(void **state)
{
    GError *error = NULL;
    g_autofree char *file = inside(state, "file"), *below = inside(state, "file/a.txt"), *deep = inside(state, "file/x/a.txt");
    put_file(file, "x", 1);
    assert_null(glint_file_new(below, &error));
    expect_error(&error, GLINT_ERROR_IO, "file, not a folder");
    assert_null(glint_file_new(deep, &error));
    expect_error(&error, GLINT_ERROR_IO, "file, not a folder");
    assert_null(glint_folder_new(below, &error));
    expect_error(&error, GLINT_ERROR_IO, "file, not a folder");
    assert_null(glint_file_new(*state, &error));
    expect_error(&error, GLINT_ERROR_IO, "a folder of that name exists");
    assert_null(glint_file_new("/proc/glint/a.txt", &error));
    expect_error(&error, GLINT_ERROR_IO, "cannot create the folder '/proc/glint'");
    assert_null(glint_folder_new("/proc/glint", &error));
    expect_error(&error, GLINT_ERROR_IO, "'/proc/glint'");
    assert_int_equal(count_files(*state), 1);
}

static void test_long_name(void **state)
{
    g_autofree char *stem = g_strnfill(250, 'n'), *base = g_strconcat(stem, ".txt", NULL), *path = inside(state, base);
    write_text(path, "fits"); /* 254 bytes: a temporary name longer than the final one would not */
    expect_text(path, "fits");
}

static void fill_folder(const char *path, const char *name, const char *text)
{
    GError *error = NULL;
    GlintFolder *folder = glint_folder_new(path, &error);
    expect_ok(folder != NULL, error);
    g_autofree char *file = g_build_filename(glint_folder_path(folder), "sub", name, NULL);
    write_text(file, text);
    expect_ok(glint_folder_commit(folder, &error), error);
}

static void test_folder_commit_and_replace(void **state)
{
    g_autofree char *path = inside(state, "out/results/"), *first = inside(state, "out/results/sub/first"),
                    *second = inside(state, "out/results/sub/second"), *parent = inside(state, "out");
    fill_folder(path, "first", "1");
    expect_text(first, "1");
    fill_folder(path, "second", "2");
    expect_text(second, "2");
    assert_false(g_file_test(first, G_FILE_TEST_EXISTS));
    assert_int_equal(count_files(parent), 1);
}

static void test_abandoned_folder(void **state)
{
    g_autofree char *path = inside(state, "results"), *kept = inside(state, "results/sub/kept");
    fill_folder(path, "kept", "1");
    GlintFolder *folder = glint_folder_new(path, NULL);
    g_autofree char *file = g_build_filename(glint_folder_path(folder), "a", "b", NULL);
    write_text(file, "x");
    glint_folder_free(folder);
    glint_folder_free(NULL);
    expect_text(kept, "1");
    assert_int_equal(count_files(*state), 1);
}

static void test_foreign_folder_is_kept(void **state)
{
    GError *error = NULL;
    g_autofree char *path = inside(state, "home"), *thesis = inside(state, "home/thesis.tex");
    g_mkdir(path, 0777);
    GlintFolder *folder = glint_folder_new(path, &error); /* empty: may go */
    expect_ok(folder != NULL, error);
    put_file(thesis, "years", 5); /* appears while we work */
    assert_false(glint_folder_commit(folder, &error));
    expect_error(&error, GLINT_ERROR_IO, "was not made by glint");
    assert_null(glint_folder_new(path, &error));
    expect_error(&error, GLINT_ERROR_IO, "it holds 'thesis.tex'");
    expect_text(thesis, "years");
    assert_null(glint_folder_new(thesis, &error));
    expect_error(&error, GLINT_ERROR_IO, "a file of that name exists");
    assert_int_equal(count_files(*state), 1);
}

static void test_folder_through_link(void **state)
{
    g_autofree char *real = inside(state, "real"), *link = inside(state, "link"), *file = inside(state, "real/sub/a");
    g_mkdir(real, 0777);
    assert_int_equal(symlink("real", link), 0);
    fill_folder(link, "a", "1");
    expect_text(file, "1");
    assert_true(g_file_test(link, G_FILE_TEST_IS_SYMLINK));
}

/* What a killed run left goes when the next folder is made beside it; what somebody holds, or made just now, stays. */
static void test_stale_leftovers_are_cleared(void **state)
{
    g_autofree char *dead_folder = inside(state, ".glint-deadfold"), *dead_file = inside(state, ".glint-deadfile.npy"),
                    *held = inside(state, ".glint-heldfold"), *fresh = inside(state, ".glint-newfolde"), *other = inside(state, ".other"),
                    *inner = inside(state, ".glint-deadfold/a"), *results = inside(state, "results");
    const struct timespec old[2] = {{.tv_sec = time(NULL) - 7200}, {.tv_sec = time(NULL) - 7200}};
    g_mkdir(dead_folder, 0777);
    g_mkdir(held, 0777);
    g_mkdir(fresh, 0777);
    put_file(inner, "x", 1);
    put_file(dead_file, "x", 1);
    put_file(other, "x", 1);
    const char *const aged[] = {dead_folder, dead_file, held, other};
    for (gsize i = 0; i < G_N_ELEMENTS(aged); i++)
        assert_int_equal(utimensat(AT_FDCWD, aged[i], old, 0), 0);
    int fd = open(held, O_RDONLY | O_DIRECTORY);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    GError *error = NULL;
    GlintFolder *folder = glint_folder_new(results, &error);
    expect_ok(folder != NULL, error);
    assert_false(g_file_test(dead_folder, G_FILE_TEST_EXISTS));
    assert_false(g_file_test(dead_file, G_FILE_TEST_EXISTS));
    assert_true(g_file_test(held, G_FILE_TEST_IS_DIR));
    assert_true(g_file_test(fresh, G_FILE_TEST_IS_DIR));
    assert_true(g_file_test(other, G_FILE_TEST_EXISTS));
    close(fd);
    /* A folder being built counts as held, however old it looks. */
    assert_int_equal(utimensat(AT_FDCWD, glint_folder_path(folder), old, 0), 0);
    g_autofree char *second_path = inside(state, "second");
    GlintFolder *second = glint_folder_new(second_path, &error);
    expect_ok(second != NULL, error);
    assert_true(g_file_test(glint_folder_path(folder), G_FILE_TEST_IS_DIR));
    assert_false(g_file_test(held, G_FILE_TEST_EXISTS)); /* nobody holds it any more */
    glint_folder_free(second);
    expect_ok(glint_folder_commit(folder, &error), error);
}

static void test_remove_tree_does_not_follow_links(void **state)
{
    g_autofree char *outside = inside(state, "outside"), *folder = inside(state, "folder"), *link = inside(state, "folder/link");
    write_text(outside, "stays");
    g_mkdir(folder, 0777);
    assert_int_equal(symlink("..", link), 0);
    assert_true(glint_remove_tree(folder, NULL));
    expect_text(outside, "stays");
    assert_true(glint_remove_tree(folder, NULL)); /* absent is fine */
}

static void test_map_file(void **state)
{
    GError *error = NULL;
    g_autofree char *path = inside(state, "a"), *none = inside(state, "none"), *pipe_path = inside(state, "pipe");
    assert_null(glint_map_file(none, &error));
    expect_error(&error, GLINT_ERROR_IO, "No such file or directory; check the spelling");
    assert_null(glint_map_file(*state, &error));
    expect_error(&error, GLINT_ERROR_IO, "it is a folder");
    assert_null(glint_map_file("/dev/null", &error));
    expect_error(&error, GLINT_ERROR_IO, "pipe or device");
    put_file(path, "", 0);
    assert_null(glint_map_file(path, &error));
    expect_error(&error, GLINT_ERROR_FORMAT, "is empty");
    put_file(path, "abc", 3);
    GMappedFile *map = glint_map_file(path, &error);
    expect_ok(map != NULL, error);
    assert_int_equal(g_mapped_file_get_length(map), 3);
    assert_memory_equal(g_mapped_file_get_contents(map), "abc", 3);
    g_mapped_file_unref(map);
    /* A pipe without a writer must be refused, not waited for: an alarm ends the test otherwise. */
    assert_int_equal(mkfifo(pipe_path, 0666), 0);
    alarm(10);
    assert_null(glint_map_file(pipe_path, &error));
    alarm(0);
    expect_error(&error, GLINT_ERROR_IO, "pipe or device");
}

static void test_csv_fields(void **state)
{
    static const char *const cases[][2] = {{"plain", "plain"},    {"", ""},           {"a,b", "\"a,b\""},    {"say \"x\"", "\"say \"\"x\"\"\""},
                                           {"a\nb", "\"a\nb\""}, {"a\r", "\"a\r\""}, {" lead", "\" lead\""}, {"trail ", "\"trail \""}};
    g_autofree char *path = inside(state, "a.csv");
    for (gsize i = 0; i < G_N_ELEMENTS(cases); i++) {
        GlintFile *file = glint_file_new(path, NULL);
        glint_csv_field(glint_file_stream(file), cases[i][0]);
        assert_true(glint_file_commit(file, NULL));
        expect_text(path, cases[i][1]);
    }
}

static void test_hashes(void **state)
{
    static const char abc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; /* FIPS 180-2, example B.1 */
    static const char million_a[] = "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"; /* B.3 */
    g_autofree char *path = inside(state, "a"), *bytes = g_strnfill(1000000, 'a');
    GError *error = NULL;
    g_autofree char *of_bytes = glint_sha256_bytes("abc", 3);
    assert_string_equal(of_bytes, abc);
    put_file(path, bytes, 1000000);
    g_autofree char *of_file = glint_sha256_file(path, &error);
    assert_string_equal(of_file, million_a);
    assert_null(glint_sha256_file("/none", &error));
    expect_error(&error, GLINT_ERROR_IO, "cannot open '/none'");
    assert_null(glint_sha256_file(*state, &error));
    expect_error(&error, GLINT_ERROR_IO, "cannot read");
}

static void test_provenance(void **state)
{
    (void)state;
    char program[] = "glint", odd[] = "caf\xe9";
    char *argv[] = {program, odd};
    json_t *self = glint_provenance(2, argv);
    assert_string_equal(json_string_value(json_object_get(self, "glint")), GLINT_VERSION);
    assert_int_equal(json_array_size(json_object_get(self, "command")), 2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(self, "command"), 1)), "caf\xef\xbf\xbd");
    const char *started = json_string_value(json_object_get(self, "started"));
    g_autoptr(GDateTime) time = g_date_time_new_from_iso8601(started, NULL);
    assert_non_null(time);
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    gint64 age = g_date_time_difference(now, time) / G_TIME_SPAN_SECOND;
    assert_in_range(age, 0, 60);
    assert_true(json_integer_value(json_object_get(self, "processors")) >= 1);
    assert_true(json_object_size(json_object_get(self, "libraries")) >= 4);
    json_decref(self);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        scratch_test(test_file_commit),
        scratch_test(test_file_appears_only_at_commit),
        scratch_test(test_abandoned_file_keeps_old),
        scratch_test(test_relative_path),
        scratch_test(test_link_is_followed),
        scratch_test(test_device_is_written_in_place),
        scratch_test(test_no_space),
        scratch_test(test_size_limit_leaves_old_file),
        scratch_test(test_unusable_places),
        scratch_test(test_long_name),
        scratch_test(test_folder_commit_and_replace),
        scratch_test(test_abandoned_folder),
        scratch_test(test_foreign_folder_is_kept),
        scratch_test(test_folder_through_link),
        scratch_test(test_stale_leftovers_are_cleared),
        scratch_test(test_remove_tree_does_not_follow_links),
        scratch_test(test_map_file),
        scratch_test(test_csv_fields),
        scratch_test(test_hashes),
        scratch_test(test_provenance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
