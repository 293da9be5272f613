/* Answers of the rows API: whatever JSON comes, it is refused or becomes lines. */
#include "base/files.h"
#include "hub/rows.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(json_t) answer = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
    if (!answer)
        return 0;
    char *const parts[2] = {NULL, NULL};
    g_autofree char *config = NULL, *chosen = NULL;
    glint_splits_choose(answer, "org/name", parts, &config, &chosen, NULL);
    g_autoptr(GlintSplit) split = glint_split_parse(answer, "org/name", "default", "train", "fuzz", NULL);
    if (!split)
        return 0;
    guint64 cut = 0;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    glint_rows_parse(split, answer, 0, GLINT_ROWS_PER_PAGE, "fuzz", lines, &cut, NULL);
    g_autoptr(json_t) kept = glint_split_json(split, answer);
    g_autoptr(GlintSplit) again = glint_split_parse(kept, "org/name", "default", "train", "fuzz", NULL);
    g_assert(again && again->n_rows == split->n_rows && again->columns->len == split->columns->len);
    return 0;
}
