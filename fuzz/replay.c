/* Runs a fuzz target over every file of a folder, in the order of their names: the seed corpus as an ordinary test, and the
 * way to look at a crash a fuzzer has found (give it the file itself). An empty folder fails, for it would prove nothing. */
#include <glib.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static gint by_name(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static gboolean list_inputs(const char *path, GPtrArray *inputs, GError **error)
{
    if (!g_file_test(path, G_FILE_TEST_IS_DIR)) {
        g_ptr_array_add(inputs, g_strdup(path));
        return TRUE;
    }
    g_autoptr(GDir) dir = g_dir_open(path, 0, error);
    if (dir == NULL)
        return FALSE;
    const char *name;
    while ((name = g_dir_read_name(dir)) != NULL)
        g_ptr_array_add(inputs, g_build_filename(path, name, NULL));
    g_ptr_array_sort(inputs, by_name);
    return TRUE;
}

static gboolean run_input(const char *path, GError **error)
{
    g_autofree char *text = NULL;
    gsize length;
    if (!g_file_get_contents(path, &text, &length, error))
        return FALSE;
    /* A copy of the exact size, without the NUL that GLib adds, so that sanitizers see a read past the end. */
    g_autofree uint8_t *exact = g_memdup2(text, length);
    LLVMFuzzerTestOneInput(exact, length);
    return TRUE;
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s FOLDER|FILE...\n", argv[0]);
        return 2;
    }
    g_autoptr(GPtrArray) inputs = g_ptr_array_new_with_free_func(g_free);
    g_autoptr(GError) error = NULL;
    for (int i = 1; i < argc; i++) {
        if (!list_inputs(argv[i], inputs, &error)) {
            fprintf(stderr, "%s\n", error->message);
            return 1;
        }
    }
    for (guint i = 0; i < inputs->len; i++) {
        if (!run_input(g_ptr_array_index(inputs, i), &error)) {
            fprintf(stderr, "%s\n", error->message);
            return 1;
        }
    }
    printf("%u inputs\n", inputs->len);
    return inputs->len > 0 ? 0 : 1;
}
