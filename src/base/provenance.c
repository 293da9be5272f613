/* What a reader of run.json needs to repeat the run or to explain a difference: program, command, machine, libraries, time. */
#include "base/files.h"

#include <archive.h>
#include <openssl/crypto.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* json_string refuses invalid UTF-8, and a command line may hold any bytes. */
static json_t *text(const char *bytes)
{
    g_autofree char *valid = g_utf8_make_valid(bytes, -1);
    return json_string(valid);
}

static json_t *command_line(int argc, char **argv)
{
    json_t *list = json_array();
    for (int i = 0; i < argc; i++)
        json_array_append_new(list, text(argv[i]));
    return list;
}

static char *cpu_name(void)
{
    g_autofree char *info = NULL;
    if (!g_file_get_contents("/proc/cpuinfo", &info, NULL, NULL))
        return g_strdup("unknown"); /* not Linux, or a closed /proc */
    const char *line = strstr(info, "model name");
    const char *colon = line != NULL ? strchr(line, ':') : NULL;
    if (colon == NULL)
        return g_strdup("unknown");
    return g_strstrip(g_strndup(colon + 1, strcspn(colon + 1, "\n")));
}

static json_t *libraries(void)
{
    json_t *versions = json_object();
    g_autofree char *glib = g_strdup_printf("%u.%u.%u", glib_major_version, glib_minor_version, glib_micro_version);
    json_object_set_new(versions, "glib", json_string(glib));
    json_object_set_new(versions, "jansson", json_string(jansson_version_str()));
    json_object_set_new(versions, "libarchive", json_string(archive_version_string()));
    json_object_set_new(versions, "libcrypto", json_string(OpenSSL_version(OPENSSL_VERSION)));
    return versions;
}

json_t *glint_provenance(int argc, char **argv)
{
#ifdef __clang__
    const char *compiler = __VERSION__; /* says so itself */
#else
    const char *compiler = "gcc " __VERSION__;
#endif
    json_t *self = json_object();
    json_object_set_new(self, "glint", json_string(GLINT_VERSION));
    json_object_set_new(self, "compiler", json_string(compiler));
    json_object_set_new(self, "command", command_line(argc, argv));
    g_autofree char *folder = g_get_current_dir();
    json_object_set_new(self, "working_folder", text(folder));
    g_autoptr(GDateTime) now = g_date_time_new_now_utc();
    g_autofree char *time = g_date_time_format(now, "%Y-%m-%dT%H:%M:%SZ");
    json_object_set_new(self, "started", json_string(time));
    json_object_set_new(self, "host", text(g_get_host_name()));
    struct utsname system;
    if (uname(&system) == 0) {
        g_autofree char *os = g_strdup_printf("%s %s %s", system.sysname, system.release, system.machine);
        json_object_set_new(self, "system", text(os));
    }
    g_autofree char *cpu = cpu_name();
    json_object_set_new(self, "cpu", text(cpu));
    json_object_set_new(self, "processors", json_integer((json_int_t)g_get_num_processors()));
    json_int_t pages = sysconf(_SC_PHYS_PAGES), page_bytes = sysconf(_SC_PAGESIZE);
    if (pages > 0 && page_bytes > 0)
        json_object_set_new(self, "memory_bytes", json_integer(pages * page_bytes));
    json_object_set_new(self, "libraries", libraries());
    return self;
}
