/* What a language model wrote: whatever it is, looking for sets in it ends, and every text handed over is a string. */
#include "synth/ask.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const char *const *texts, gpointer data)
{
    for (guint k = 0; k < 3; k++)
        *(gsize *)data += strlen(texts[k]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autofree char *answer = g_strndup((const char *)data, size);
    gsize bytes = 0, found = glint_sets_find(answer, 3, look, &bytes);
    g_assert_true(bytes <= size * 3 && found <= size);
    return 0;
}
