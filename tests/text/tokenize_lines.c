/* Tokenizes many texts with one tokenizer, for tools/reference/tokenizers_compare.py:
 *   tokenize_lines TOKENIZER < LINES
 * Each line is the bytes of a text in hexadecimal. For each it prints the ids without and with the special tokens around them, and
 * in hexadecimal the ids of the latter decoded with special tokens and without, separated by tabs; or "error" and the message. */
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static GString *from_hex(const char *line)
{
    GString *text = g_string_new(NULL);
    for (const char *p = line; g_ascii_isxdigit(p[0]) && g_ascii_isxdigit(p[1]); p += 2)
        g_string_append_c(text, (char)(g_ascii_xdigit_value(p[0]) * 16 + g_ascii_xdigit_value(p[1])));
    return text;
}

static void print_ids(const GArray *ids)
{
    for (guint i = 0; i < ids->len; i++)
        printf(i ? " %u" : "%u", g_array_index(ids, guint32, i));
}

static void print_decoded(const GlintTokenizer *tokenizer, const GArray *ids, gboolean skip_special)
{
    gsize length;
    g_autofree char *text = glint_tokenizer_decode_length(tokenizer, (const guint32 *)(const void *)ids->data, ids->len, skip_special, &length);
    for (gsize i = 0; i < length; i++)
        printf("%02x", (guint8)text[i]);
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintTokenizer) tokenizer = argc == 2 ? glint_tokenizer_open(argv[1], &error) : NULL;
    if (!tokenizer) {
        fprintf(stderr, "%s\n", error ? error->message : "usage: tokenize_lines TOKENIZER < LINES");
        return 1;
    }
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, stdin) > 0) {
        GString *text = from_hex(line);
        GArray *ids[2] = {NULL, NULL};
        for (int special = 0; special < 2; special++) {
            ids[special] = g_array_new(FALSE, FALSE, sizeof(guint32));
            if (!glint_tokenizer_encode(tokenizer, text->str, (gssize)text->len, special, ids[special], &error))
                break;
        }
        if (error) {
            printf("error\t%s\n", error->message);
            g_clear_error(&error);
        } else {
            print_ids(ids[0]);
            putchar('\t');
            print_ids(ids[1]);
            putchar('\t');
            print_decoded(tokenizer, ids[1], FALSE);
            putchar('\t');
            print_decoded(tokenizer, ids[1], TRUE);
            putchar('\n');
        }
        g_string_free(text, TRUE);
        g_clear_pointer(&ids[0], g_array_unref);
        g_clear_pointer(&ids[1], g_array_unref);
    }
    free(line);
    return 0;
}
