/* What identifies a checkpoint: a hash over config.json and the weight files, which resumed runs compare.
 *
 * Small files are hashed whole. Above LARGE_BYTES the hash covers the size and blocks spread evenly over the file, first and
 * last included: two checkpoints of one shape that differ by training differ in nearly every block, and reading 2 GB to
 * learn that would take longer than the first batches. What it cannot see is a hand-made change of a few bytes. */
#include "base/error.h"
#include "base/files.h"
#include "model/identity.h"

static const gsize LARGE_BYTES = (gsize)256 << 20, BLOCK_BYTES = (gsize)1 << 20;
enum { BLOCKS = 64 };

static char *sampled_sha256(const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
    if (!file)
        return NULL;
    const gsize length = g_mapped_file_get_length(file);
    const char *bytes = g_mapped_file_get_contents(file);
    GString *text = g_string_new(NULL);
    for (gsize b = 0; b < BLOCKS; b++) {
        const gsize at = (length - BLOCK_BYTES) / (BLOCKS - 1) * b;
        g_autofree char *hash = glint_sha256_bytes(bytes + (b == BLOCKS - 1 ? length - BLOCK_BYTES : at), BLOCK_BYTES);
        g_string_append(text, hash);
    }
    char *hash = glint_sha256_bytes(text->str, text->len);
    g_string_free(text, TRUE);
    return hash;
}

static gboolean append(GString *text, const char *path, GError **error)
{
    g_autoptr(GMappedFile) file = g_mapped_file_new(path, FALSE, error);
    if (!file)
        return FALSE;
    const gsize length = g_mapped_file_get_length(file);
    g_autofree char *hash = length > LARGE_BYTES ? sampled_sha256(path, error) : glint_sha256_file(path, error);
    if (!hash)
        return FALSE;
    g_autofree char *name = g_path_get_basename(path);
    g_string_append_printf(text, "%s %zu %s\n", name, length, hash);
    return TRUE;
}

char *gli_identity(const char *const *paths, GError **error)
{
    GString *text = g_string_new(NULL);
    gboolean good = TRUE;
    for (; good && *paths; paths++)
        good = append(text, *paths, error);
    char *hash = good ? glint_sha256_bytes(text->str, text->len) : NULL;
    g_string_free(text, TRUE);
    return hash;
}
