/* How many cores are worth using, from made-up files of a system: hyper-threads, affinity, quotas of both kinds of control groups. */
#include "base/cores.h"
#include "base/files.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sched.h>
#include <unistd.h>

enum { N = 8 };
static char *root;

static void write_text(const char *path, const char *text)
{
    g_autofree char *name = g_strconcat(root, path, NULL), *folder = g_path_get_dirname(name);
    assert_true(glint_mkdir(folder, NULL) && g_file_set_contents(name, text, -1, NULL));
}

static int set_up(void **state)
{
    (void)state;
    root = g_dir_make_tmp("glint-cores-XXXXXX", NULL);
    return root ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    const gboolean gone = glint_remove_tree(root, NULL);
    g_free(root);
    return gone ? 0 : -1;
}

/* 8 processors, of which c and c + 4 (or 2 k and 2 k + 1) are one core. */
static void write_siblings(gboolean neighbours)
{
    for (int c = 0; c < N; c++) {
        g_autofree char *path = g_strdup_printf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", c);
        g_autofree char *list = neighbours ? g_strdup_printf("%d-%d\n", c / 2 * 2, c / 2 * 2 + 1) : g_strdup_printf("%d,%d\n", c % 4, c % 4 + 4);
        write_text(path, list);
    }
}

static int cores_of(const char *allowed)
{
    gboolean set[N];
    for (int c = 0; c < N; c++)
        set[c] = allowed[c] == 'x';
    return glint_usable_cores_at(root, set, N);
}

static void test_siblings(void **state)
{
    (void)state;
    assert_int_equal(cores_of("xxxxxxxx"), 8); /* nothing is known */
    assert_int_equal(cores_of("--------"), 1);
    write_siblings(FALSE);
    assert_int_equal(cores_of("xxxxxxxx"), 4);
    assert_int_equal(cores_of("-x---x--"), 1); /* both halves of core 1 */
    assert_int_equal(cores_of("-x----x-"), 2);
    assert_int_equal(cores_of("----xxxx"), 4); /* only second halves */
    write_siblings(TRUE);
    assert_int_equal(cores_of("xxxxxxxx"), 4);
    assert_int_equal(cores_of("xx--x---"), 2);
    write_text("/sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "garbage");
    assert_int_equal(cores_of("xx------"), 2);
}

static void test_quota_v2(void **state)
{
    (void)state;
    write_text("/proc/self/cgroup", "0::/pod/one\n");
    write_text("/sys/fs/cgroup/pod/one/cpu.max", "max 100000\n");
    assert_int_equal(cores_of("xxxxxxxx"), 8);
    write_text("/sys/fs/cgroup/pod/cpu.max", "250000 100000\n"); /* of the group above; two and a half */
    assert_int_equal(cores_of("xxxxxxxx"), 3);
    assert_int_equal(cores_of("xx------"), 2);
    write_text("/sys/fs/cgroup/pod/one/cpu.max", "50000 100000\n");
    assert_int_equal(cores_of("xxxxxxxx"), 1);
    write_text("/proc/self/cgroup", "0::/\n"); /* as a container sees itself */
    write_text("/sys/fs/cgroup/cpu.max", "600000 100000\n");
    assert_int_equal(cores_of("xxxxxxxx"), 6);
}

static void test_quota_v1(void **state)
{
    (void)state;
    write_text("/proc/self/cgroup", "9:memory:/a\n4:cpu,cpuacct:/docker/abc\n0::/\n");
    write_text("/sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    write_text("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
    assert_int_equal(cores_of("xxxxxxxx"), 8);
    write_text("/sys/fs/cgroup/cpu/cpu.cfs_quota_us", "400000\n"); /* the container's own group is mounted at the top */
    assert_int_equal(cores_of("xxxxxxxx"), 4);
}

/* On this machine: what the scheduler says is an upper bound, and a smaller affinity is seen. */
static void test_here(void **state)
{
    (void)state;
    cpu_set_t before, one;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    assert_in_range(glint_usable_cores(), 1, CPU_COUNT(&before));
    CPU_ZERO(&one);
    for (int c = 0; CPU_COUNT(&one) == 0; c++)
        if (CPU_ISSET(c, &before))
            CPU_SET(c, &one);
    assert_int_equal(sched_setaffinity(0, sizeof one, &one), 0);
    assert_int_equal(glint_usable_cores(), 1);
    assert_int_equal(sched_setaffinity(0, sizeof before, &before), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_siblings, set_up, tear_down), cmocka_unit_test_setup_teardown(test_quota_v2, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quota_v1, set_up, tear_down), cmocka_unit_test(test_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
