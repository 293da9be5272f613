/* SHA-256 of files and bytes, for provenance. Files are read in pieces, so that hashing a 20 GB checkpoint needs 1 MiB. */
#include "base/error.h"
#include "base/files.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

enum { PIECE_BYTES = 1 << 20 };

static char *hex(const unsigned char *digest, unsigned length)
{
    char *text = g_malloc(2 * (gsize)length + 1);
    for (unsigned i = 0; i < length; i++)
        g_snprintf(text + 2 * i, 3, "%02x", digest[i]);
    return text;
}

static gboolean digest_stream(int fd, EVP_MD_CTX *context, const char *path, GError **error)
{
    g_autofree unsigned char *piece = g_malloc(PIECE_BYTES);
    for (;;) {
        ssize_t got = read(fd, piece, PIECE_BYTES);
        if (got == 0)
            return TRUE;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return glint_fail_errno(error, errno, "cannot read '%s'", path);
        if (EVP_DigestUpdate(context, piece, (size_t)got) != 1)
            return glint_fail(error, GLINT_ERROR_FAILED, "'%s': libcrypto cannot compute SHA-256", path);
    }
}

char *glint_sha256_file(const char *path, GError **error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        glint_fail_errno(error, errno, "cannot open '%s'", path);
        return NULL;
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    gboolean ok = context != NULL && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1;
    if (!ok)
        glint_fail(error, GLINT_ERROR_FAILED, "libcrypto offers no SHA-256");
    ok = ok && digest_stream(fd, context, path, error);
    if (ok && EVP_DigestFinal_ex(context, digest, &length) != 1)
        ok = glint_fail(error, GLINT_ERROR_FAILED, "'%s': libcrypto cannot compute SHA-256", path);
    EVP_MD_CTX_free(context);
    close(fd);
    return ok ? hex(digest, length) : NULL;
}

char *glint_sha256_bytes(const void *bytes, gsize length) { return g_compute_checksum_for_data(G_CHECKSUM_SHA256, bytes, length); }
