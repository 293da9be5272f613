/* .npz through libarchive. The writer streams each member straight into the zip, so nothing is held in memory; the reader finds
 * one member by the zip's directory, reads its .npy header, and only then allocates, exactly, and reads into place.
 *
 * Integers (indices) are deflated, they shrink several times; reals are stored, they hardly shrink and deflate costs seconds a
 * gigabyte. Entries carry no time, owner or mode of the machine, so equal members give equal bytes. */
#include "base/error.h"
#include "base/files.h"
#include "base/npy_header.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

enum { READ_BLOCK_BYTES = 1 << 20, WRITE_BYTES = 1 << 20 };

typedef struct archive Archive;
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Archive, archive_free)

/* ---- writing -------------------------------------------------------------------------------------------------------- */

struct GlintNpz {
    char *path;
    GHashTable *members; /* names written: a zip would take a name twice */
    GlintFile *file;     /* NULL until the first member */
    Archive *archive;
};

GlintNpz *glint_npz_new(const char *path)
{
    GlintNpz *self = g_new0(GlintNpz, 1);
    self->path = g_strdup(path);
    self->members = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    return self;
}

void glint_npz_free(GlintNpz *self)
{
    if (self == NULL)
        return;
    if (self->archive != NULL)
        archive_write_free(self->archive); /* flushes into the stream, hence before the file */
    glint_file_free(self->file);
    g_hash_table_unref(self->members);
    g_free(self->path);
    g_free(self);
}

static gboolean archive_fail(GlintNpz *self, GError **error)
{
    int reason = archive_errno(self->archive);
    if (reason > 0) /* from the system; libarchive's own are negative */
        return glint_fail_errno(error, reason, "cannot write '%s'", self->path);
    const char *text = archive_error_string(self->archive);
    return glint_fail(error, GLINT_ERROR_IO, "cannot write '%s': %s", self->path, text != NULL ? text : "libarchive gives no reason");
}

static la_ssize_t write_block(struct archive *archive, void *data, const void *bytes, size_t length)
{
    GlintNpz *self = data;
    if (fwrite(bytes, 1, length, glint_file_stream(self->file)) == length)
        return (la_ssize_t)length;
    archive_set_error(archive, errno, "%s", g_strerror(errno));
    return -1;
}

static gboolean open_archive(GlintNpz *self, GError **error)
{
    if (self->archive != NULL)
        return TRUE;
    self->file = glint_file_new(self->path, error);
    if (self->file == NULL)
        return FALSE;
    self->archive = archive_write_new();
    if (self->archive == NULL)
        return glint_fail(error, GLINT_ERROR_FAILED, "cannot write '%s': not enough memory", self->path);
    if (archive_write_set_format_zip(self->archive) != ARCHIVE_OK ||
        archive_write_set_bytes_per_block(self->archive, 0) != ARCHIVE_OK || /* no padding to tape blocks */
        archive_write_open(self->archive, self, NULL, write_block, NULL) != ARCHIVE_OK)
        return archive_fail(self, error);
    return TRUE;
}

static gboolean write_bytes(GlintNpz *self, const void *bytes, gsize length, GError **error)
{
    for (gsize done = 0; done < length;) {
        la_ssize_t put = archive_write_data(self->archive, (const guint8 *)bytes + done, MIN((gsize)WRITE_BYTES, length - done));
        if (put <= 0)
            return archive_fail(self, error);
        done += (gsize)put;
    }
    return TRUE;
}

static gboolean write_member(GlintNpz *self, const char *member, gboolean deflate, const GString *header, const void *data, gsize n_bytes,
                             GError **error)
{
    g_autofree char *entry_name = g_strconcat(member, ".npy", NULL);
    int ok = deflate ? archive_write_zip_set_compression_deflate(self->archive) : archive_write_zip_set_compression_store(self->archive);
    struct archive_entry *entry = archive_entry_new();
    archive_entry_set_pathname(entry, entry_name);
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, (la_int64_t)(header->len + n_bytes));
    gboolean written = ok == ARCHIVE_OK && archive_write_header(self->archive, entry) == ARCHIVE_OK;
    if (!written)
        archive_fail(self, error);
    archive_entry_free(entry);
    if (!written || !write_bytes(self, header->str, header->len, error) || !write_bytes(self, data, n_bytes, error))
        return FALSE;
    return archive_write_finish_entry(self->archive) == ARCHIVE_OK || archive_fail(self, error);
}

gboolean glint_npz_add(GlintNpz *self, const char *member, GlintDtype dtype, int n_dims, const gsize *shape, const void *data,
                       GError **error)
{
    gsize n, n_bytes;
    g_assert(n_dims >= 0 && n_dims <= 4 && (dtype != GLINT_BYTES || n_dims == 0));
    if (!g_hash_table_add(self->members, g_strdup(member)))
        return glint_fail(error, GLINT_ERROR_FAILED, "cannot write '%s': member '%s' is added twice", self->path, member);
    if (!npy_shape_bytes(n_dims, shape, npy_item_bytes(dtype), &n, &n_bytes))
        return glint_fail(error, GLINT_ERROR_FAILED, "cannot write '%s': the shape of '%s' overflows", self->path, member);
    if (dtype == GLINT_BYTES)
        n_bytes = strlen(data);
    GString *header = npy_header_format(dtype, n_dims, shape, n_bytes);
    gboolean deflate = dtype != GLINT_F64 && dtype != GLINT_F32;
    gboolean ok = open_archive(self, error) && write_member(self, member, deflate, header, data, n_bytes, error);
    g_string_free(header, TRUE);
    return ok;
}

gboolean glint_npz_close(GlintNpz *npz, GError **error)
{
    g_autoptr(GlintNpz) self = npz;
    if (!open_archive(self, error))
        return FALSE;
    if (archive_write_close(self->archive) != ARCHIVE_OK)
        return archive_fail(self, error);
    archive_write_free(g_steal_pointer(&self->archive));
    return glint_file_commit(g_steal_pointer(&self->file), error);
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static gboolean read_fail(Archive *archive, const char *name, GError **error)
{
    const char *text = archive_error_string(archive);
    return glint_fail(error, GLINT_ERROR_FORMAT, "cannot read '%s': %s", name, text != NULL ? text : "the zip is damaged");
}

/* As many of `length` bytes as the entry still has; -1 on error. */
static gssize read_bytes(Archive *archive, guint8 *out, gsize length, const char *name, GError **error)
{
    gsize done = 0;
    while (done < length) {
        la_ssize_t got = archive_read_data(archive, out + done, MIN(length - done, (gsize)1 << 30));
        if (got == 0)
            break;
        if (got < 0) {
            read_fail(archive, name, error);
            return -1;
        }
        done += (gsize)got;
    }
    return (gssize)done;
}

static gboolean find_member(Archive *archive, struct archive_entry **entry, const char *name, const char *member, GError **error)
{
    g_autofree char *entry_name = g_strconcat(member, ".npy", NULL);
    g_autoptr(GString) seen = g_string_new(NULL);
    int status;
    while ((status = archive_read_next_header(archive, entry)) == ARCHIVE_OK) {
        const char *at = archive_entry_pathname(*entry);
        if (g_strcmp0(at, entry_name) == 0)
            return TRUE;
        if (at != NULL && seen->len < 200)
            g_string_append_printf(seen, "%s%s", seen->len > 0 ? ", " : "", at);
    }
    if (status != ARCHIVE_EOF)
        return read_fail(archive, name, error);
    return glint_fail(error, GLINT_ERROR_FORMAT, "'%s' has no member '%s' (it has: %s)", name, entry_name, seen->len > 0 ? seen->str : "none");
}

/* Reads the rest of the array: `have` bytes of it already lie in `head` behind the header. */
static GlintArray *read_array(Archive *archive, const NpyHeader *header, const guint8 *head, gsize have, const char *name, GlintDtype dtype,
                              GError **error)
{
    g_autoptr(GlintArray) self = npy_array_new(header, dtype, name, error);
    if (self == NULL)
        return NULL;
    g_autofree guint8 *raw = NULL;
    guint8 *to = self->data; /* plain data is read into place, the rest by way of a buffer */
    if (!npy_is_plain(header, dtype)) {
        to = raw = g_try_malloc(MAX(header->data_bytes, 1));
        if (raw == NULL) {
            glint_fail(error, GLINT_ERROR_IO, "'%s': not enough memory for %" G_GSIZE_FORMAT " bytes", name, header->data_bytes);
            return NULL;
        }
    }
    memcpy(to, head, have);
    gssize got = read_bytes(archive, to + have, header->data_bytes - have, name, error);
    if (got < 0)
        return NULL;
    guint8 extra;
    gssize more = have + (gsize)got == header->data_bytes ? read_bytes(archive, &extra, 1, name, error) : 0;
    if (more < 0)
        return NULL;
    if (more > 0 || have + (gsize)got != header->data_bytes) {
        glint_fail(error, GLINT_ERROR_FORMAT, "'%s': holds %s data than its header promises (%" G_GSIZE_FORMAT " bytes)", name,
                   more > 0 ? "more" : "less", header->data_bytes);
        return NULL;
    }
    if (!npy_convert(header, to, self, name, error))
        return NULL;
    return g_steal_pointer(&self);
}

static GlintArray *read_member(Archive *archive, const char *file, const char *member, GlintDtype dtype, GError **error)
{
    struct archive_entry *entry;
    if (!find_member(archive, &entry, file, member, error))
        return NULL;
    g_autofree char *name = g_strdup_printf("%s[%s]", file, member);
    gsize head_room = NPY_PREFIX_BYTES + NPY_MAX_HEADER_BYTES;
    g_autofree guint8 *head = g_malloc(head_room);
    gssize got = read_bytes(archive, head, head_room, name, error);
    NpyHeader header;
    if (got < 0 || !npy_header_parse(&header, head, (gsize)got, name, error))
        return NULL;
    gsize have = (gsize)got - header.data_offset;
    /* Known before anything of that size is allocated, unless the zip keeps sizes to itself. */
    gsize expected = header.data_offset + header.data_bytes;
    gboolean size_is_wrong = archive_entry_size_is_set(entry) && (guint64)archive_entry_size(entry) != expected;
    if (have > header.data_bytes || size_is_wrong) {
        glint_fail(error, GLINT_ERROR_FORMAT, "'%s': its size differs from what its header promises (%" G_GSIZE_FORMAT " bytes of data)", name,
                   header.data_bytes);
        return NULL;
    }
    return read_array(archive, &header, head + header.data_offset, have, name, dtype, error);
}

static Archive *reader_new(const char *name, GError **error)
{
    Archive *self = archive_read_new();
    if (self != NULL && archive_read_support_format_zip(self) == ARCHIVE_OK)
        return self;
    glint_fail(error, GLINT_ERROR_FAILED, "cannot read '%s': libarchive cannot read zip files", name);
    if (self != NULL)
        archive_read_free(self);
    return NULL;
}

GlintArray *glint_npz_parse(const void *bytes, gsize length, const char *name, const char *member, GlintDtype dtype, GError **error)
{
    g_autoptr(Archive) archive = reader_new(name, error);
    if (archive == NULL)
        return NULL;
    /* In blocks: given all at once, libarchive computes a wrong CRC for stored members beyond 4 GiB. */
    if (archive_read_open_memory2(archive, bytes, length, READ_BLOCK_BYTES) != ARCHIVE_OK) {
        read_fail(archive, name, error);
        return NULL;
    }
    return read_member(archive, name, member, dtype, error);
}

GlintArray *glint_npz_read(const char *path, const char *member, GlintDtype dtype, GError **error)
{
    GMappedFile *map = glint_map_file(path, error);
    if (map == NULL)
        return NULL;
    GlintArray *self =
        glint_npz_parse(g_mapped_file_get_contents(map), g_mapped_file_get_length(map), path, member, dtype, error);
    g_mapped_file_unref(map);
    return self;
}
