/* See cores.h. Everything is read from the files of Linux; what is not there does not limit. */
#include "base/cores.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static char *read_text(const char *root, const char *path)
{
    g_autofree char *name = g_strconcat(root, path, NULL);
    char *text = NULL;
    return g_file_get_contents(name, &text, NULL, NULL) ? g_strchomp(text) : NULL;
}

/* Does a list like "0-1,64" name an allowed processor below `before`? */
static gboolean names_earlier(const char *list, const gboolean *allowed, int before)
{
    g_auto(GStrv) ranges = g_strsplit(list, ",", -1);
    for (gsize i = 0; ranges[i]; i++) {
        char *end = NULL;
        const long first = strtol(ranges[i], &end, 10), last = *end == '-' ? strtol(end + 1, NULL, 10) : first;
        for (long c = MAX(first, 0); end != ranges[i] && c <= last && c < before; c++)
            if (allowed[c])
                return TRUE;
    }
    return FALSE;
}

static int count_cores(const char *root, const gboolean *allowed, int n)
{
    int cores = 0;
    for (int c = 0; c < n; c++) {
        if (!allowed[c])
            continue;
        g_autofree char *path = g_strdup_printf("/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", c);
        g_autofree char *siblings = read_text(root, path);
        cores += !siblings || !names_earlier(siblings, allowed, c);
    }
    return cores;
}

/* Processors that quota microseconds in each period pay for, rounded up; 0 = no limit. */
static int paid(double quota, double period)
{
    return quota > 0 && period > 0 && quota / period < 1e6 ? (int)((quota + period - 1) / period) : 0;
}

static int quota_v2(const char *root, const char *group)
{
    g_autofree char *path = g_strconcat("/sys/fs/cgroup", group, "/cpu.max", NULL), *text = read_text(root, path);
    g_auto(GStrv) words = text ? g_strsplit(text, " ", -1) : NULL; /* "max 100000" */
    return words && words[0] && words[1] ? paid(g_ascii_strtod(words[0], NULL), g_ascii_strtod(words[1], NULL)) : 0;
}

static int quota_v1(const char *root, const char *group)
{
    g_autofree char *quota_path = g_strconcat("/sys/fs/cgroup/cpu", group, "/cpu.cfs_quota_us", NULL), *quota = read_text(root, quota_path);
    g_autofree char *period_path = g_strconcat("/sys/fs/cgroup/cpu", group, "/cpu.cfs_period_us", NULL), *period = read_text(root, period_path);
    return quota && period ? paid(g_ascii_strtod(quota, NULL), g_ascii_strtod(period, NULL)) : 0;
}

/* The tightest limit of a control group and those above it; 0 = none. In a container the name may be the host's, and only the topmost
 * folder be there: the way up ends in it. */
static int tightest(const char *root, const char *group, int (*quota)(const char *, const char *))
{
    g_autofree char *path = g_strdup(g_str_equal(group, "/") ? "" : group);
    int least = 0;
    for (;;) {
        const int limit = quota(root, path);
        least = limit && (!least || limit < least) ? limit : least;
        char *slash = strrchr(path, '/');
        if (!slash)
            return least;
        *slash = '\0';
    }
}

static int find_quota(const char *root)
{
    g_autofree char *text = read_text(root, "/proc/self/cgroup");
    g_auto(GStrv) lines = g_strsplit(text ? text : "", "\n", -1);
    int least = 0;
    for (gsize i = 0; lines[i]; i++) { /* "0::/path" (version 2) or "4:cpu,cpuacct:/path" */
        g_auto(GStrv) fields = g_strsplit(lines[i], ":", 3);
        if (g_strv_length(fields) != 3)
            continue;
        g_auto(GStrv) controllers = g_strsplit(fields[1], ",", -1);
        const gboolean v2 = *fields[1] == '\0', v1 = g_strv_contains((const char *const *)controllers, "cpu");
        const int limit = v2 ? tightest(root, fields[2], quota_v2) : v1 ? tightest(root, fields[2], quota_v1) : 0;
        least = limit && (!least || limit < least) ? limit : least;
    }
    return least;
}

int glint_usable_cores_at(const char *root, const gboolean *allowed, int n)
{
    const int cores = MAX(count_cores(root, allowed, n), 1), quota = find_quota(root);
    return quota ? MIN(cores, quota) : cores;
}

int glint_usable_cores(void)
{
    gboolean allowed[CPU_SETSIZE] = {FALSE};
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) /* more processors than the set has room for */
        return (int)g_get_num_processors();
    for (int c = 0; c < CPU_SETSIZE; c++)
        allowed[c] = CPU_ISSET(c, &set);
    return glint_usable_cores_at("", allowed, CPU_SETSIZE);
}
