/* Tokenizer: loading and encoding speed, after decode(encode(text)) gave the text back.
 *   bench_tokenizer TOKENIZER.json TEXT */
#include "bench.h"
#include "text/tokenizer.h"

#include <string.h>

int main(int argc, char **argv)
{
    bench_require(argc == 3, "usage: bench_tokenizer TOKENIZER.json TEXT");
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    gsize length;
    GlintTokenizer *tokenizer = NULL;
    if (!g_file_get_contents(argv[2], &text, &length, &error))
        g_error("%s", error->message);
    double load, encode;
    BENCH(load, 2, {
        glint_tokenizer_free(tokenizer);
        tokenizer = glint_tokenizer_open(argv[1], &error);
        bench_require(tokenizer != NULL, error ? error->message : "");
    });
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    BENCH(encode, 3, {
        g_array_set_size(ids, 0);
        bench_require(glint_tokenizer_encode(tokenizer, text, (gssize)length, FALSE, ids, &error), "encode");
    });
    g_autofree char *back = glint_tokenizer_decode(tokenizer, (guint32 *)(void *)ids->data, ids->len, FALSE);
    bench_require(strcmp(back, text) == 0, "the text does not come back");
    printf("tokenizer %s: loaded in %.2f s; %zu bytes, %u tokens, %.1f MB/s on one core\n", argv[1], load, length, ids->len, (double)length / encode * 1e-6);
    glint_tokenizer_free(tokenizer);
    return 0;
}
