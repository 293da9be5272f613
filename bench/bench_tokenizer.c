/* Tokenizer: loading and encoding speed, after decode(encode(text)) gave the text back. Encoding is timed for the file as one text,
 * and line by line, as texts come in practice. Times are processor time: encoding is one thread's work.
 *   bench_tokenizer TOKENIZER TEXT */
#include "bench.h"
#include "text/tokenizer.h"

#include <string.h>

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void encode_lines(const GlintTokenizer *tokenizer, const char *text, gsize length, GArray *ids, GError **error)
{
    for (const char *line = text, *end; line < text + length; line = end + 1) {
        end = memchr(line, '\n', (gsize)(text + length - line));
        end = end ? end : text + length;
        g_array_set_size(ids, 0);
        bench_require(glint_tokenizer_encode(tokenizer, line, end - line, FALSE, ids, error), "encode");
    }
}

int main(int argc, char **argv)
{
    bench_require(argc == 3, "usage: bench_tokenizer TOKENIZER TEXT");
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    gsize length;
    GlintTokenizer *tokenizer = NULL;
    if (!g_file_get_contents(argv[2], &text, &length, &error))
        g_error("%s", error->message);
    double load = 1e300, whole = 1e300, lines = 1e300;
    for (int k = 0; k < 2; k++) {
        double start = cpu_seconds();
        glint_tokenizer_free(tokenizer);
        tokenizer = glint_tokenizer_open(argv[1], &error);
        bench_require(tokenizer != NULL, error ? error->message : "");
        load = MIN(load, cpu_seconds() - start);
    }
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (int k = 0; k < 3; k++) {
        double start = cpu_seconds();
        encode_lines(tokenizer, text, length, ids, &error);
        lines = MIN(lines, cpu_seconds() - start);
        start = cpu_seconds();
        g_array_set_size(ids, 0);
        bench_require(glint_tokenizer_encode(tokenizer, text, (gssize)length, FALSE, ids, &error), "encode");
        whole = MIN(whole, cpu_seconds() - start);
    }
    g_autofree char *back = glint_tokenizer_decode(tokenizer, (guint32 *)(void *)ids->data, ids->len, FALSE);
    bench_require(strcmp(back, text) == 0, "the text does not come back");
    printf("tokenizer %s: loaded in %.2f s; %zu bytes, %u tokens; as one text %.1f MB/s, line by line %.1f MB/s on one core\n", argv[1], load, length,
           ids->len, (double)length / whole * 1e-6, (double)length / lines * 1e-6);
    glint_tokenizer_free(tokenizer);
    return 0;
}
