/* Class folders of .txt files, on disk or inside an archive (tar with gzip, xz, bzip2 or zstd; zip): the aclImdb layout.
 *
 * The class of a text is the name of the folder it lies in; what stands above (train, test) is the first part of its id. A
 * folder that has class folders below it is none itself, so lists that lie beside them (train/urls_pos.txt) are not texts
 * of a class "train": they count as unlabelled, as does aclImdb's folder "unsup". Names that start with a dot are ignored.
 * When everything lies in one outer folder, its name is left out of the ids: a folder and its archive give the same data.
 *
 * Archives are streamed through libarchive and never extracted; paths that leave the archive's root are counted as
 * invalid, and readers that would open other files (mtree) or start programs are not enabled. Texts are kept until the
 * end, because only then is it known which folders are classes. A truncated archive is an error, never part of the data. */
#include "base/error.h"
#include "base/talk.h"
#include "text/dataset_records.h"
#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_TEXT_BYTES = 64 << 20 }; /* larger texts are no texts but a mistake, or a bomb */

typedef struct {
    char *path;    /* below the data set, "/" between parts */
    char *bytes;   /* archive: its content; folder: NULL, read when wanted */
    gsize length;
    guint sequence;/* order of appearance: of entries with one path the last counts, as tar has it */
} TreeText;

static void clear_tree_text(gpointer data)
{
    TreeText *text = data;
    g_free(text->path);
    g_free(text->bytes);
}

static GArray *tree_new(void)
{
    GArray *texts = g_array_new(FALSE, FALSE, sizeof(TreeText));
    g_array_set_clear_func(texts, clear_tree_text);
    return texts;
}

static void tree_add(GArray *texts, char *path, char *bytes, gsize length)
{
    TreeText text = {path, bytes, length, texts->len};
    g_array_append_val(texts, text);
}

static gboolean is_text_name(const char *name)
{
    gsize length = strlen(name);
    return name[0] != '.' && length > 4 && g_ascii_strcasecmp(name + length - 4, ".txt") == 0;
}

/* "train/pos" of "train/pos/0_9.txt"; "" when there is no folder. Free with g_free. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? g_strndup(path, (gsize)(slash - path)) : g_strdup("");
}

static const char *last_part(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static gint by_path(gconstpointer a, gconstpointer b)
{
    const TreeText *x = a, *y = b;
    int order = strcmp(x->path, y->path);
    return order ? order : x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

/* Folders that have text folders below them ("" is the root), and so are no classes. */
static GHashTable *inner_folders(const GArray *texts)
{
    GHashTable *inner = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
    g_hash_table_add(inner, g_strdup(""));
    for (guint i = 0; i < texts->len; i++) {
        g_autofree char *folder = folder_of(g_array_index(texts, TreeText, i).path);
        while (*folder) {
            char *above = folder_of(folder);
            g_free(folder);
            folder = above;
            if (!g_hash_table_contains(inner, folder))
                g_hash_table_add(inner, g_strdup(folder));
        }
    }
    return inner;
}

/* Length of the outer folder's name with its slash when every text lies below it and it is not itself a class; else 0. */
static gsize outer_length(const GArray *texts, GHashTable *inner)
{
    const char *first = g_array_index(texts, TreeText, 0).path, *slash = strchr(first, '/');
    gsize length = slash ? (gsize)(slash - first) + 1 : 0;
    g_autofree char *outer = g_strndup(first, length ? length - 1 : 0);
    if (length == 0 || !g_hash_table_contains(inner, outer))
        return 0;
    for (guint i = 1; i < texts->len; i++)
        if (strncmp(g_array_index(texts, TreeText, i).path, first, length) != 0)
            return 0;
    return length;
}

static gboolean read_file(const char *root, TreeText *text, GError **error)
{
    g_autofree char *path = g_build_filename(root, text->path, NULL);
    g_autoptr(GError) problem = NULL;
    if (g_file_get_contents(path, &text->bytes, &text->length, &problem))
        return TRUE;
    return glint_fail(error, GLINT_ERROR_IO, "cannot read %s: %s", path, problem->message);
}

/* Feeds the texts in order of their paths. `root`: the folder to read them from, NULL when they hold their content. */
static gboolean feed(GlintRecords *records, GArray *texts, const char *name, const char *root, GError **error)
{
    if (texts->len == 0)
        return records->n_read > 0 || /* everything was skipped: the caller says what */
               glint_fail(error, GLINT_ERROR_DATA, "%s: no .txt files in it; one sub-folder of .txt files per class is expected, for example pos/ and neg/", name);
    g_array_sort(texts, by_path);
    g_autoptr(GHashTable) inner = inner_folders(texts);
    gsize outer = outer_length(texts, inner);
    gboolean classes = FALSE;
    for (guint i = 0; i < texts->len; i++) {
        TreeText *text = &g_array_index(texts, TreeText, i);
        g_autofree char *folder = folder_of(text->path);
        const char *label = last_part(folder);
        if (i + 1 < texts->len && strcmp(text->path, g_array_index(texts, TreeText, i + 1).path) == 0)
            continue;
        if (g_hash_table_contains(inner, folder) || strcmp(label, "unsup") == 0) {
            glint_records_skip_unlabelled(records);
            continue;
        }
        classes = TRUE;
        if (i % 256 == 0 && !glint_check_interrupt(error))
            return FALSE;
        if (root && !read_file(root, text, error))
            return FALSE;
        gsize length = text->length;
        const char *start = glint_skip_bom(text->bytes, &length);
        while (length > 0 && (start[length - 1] == '\n' || start[length - 1] == '\r')) /* an editor's, not the text's */
            length--;
        glint_records_add(records, g_strdup(text->path + outer), label, start, length);
        g_clear_pointer(&text->bytes, g_free);
    }
    return classes || glint_fail(error, GLINT_ERROR_DATA, "%s: its .txt files lie in no class folder; put them into one sub-folder per class, for example pos/ and neg/", name);
}

/* ---- on disk ---- */

typedef struct Above {
    const struct Above *above;
    dev_t device;
    ino_t inode;
} Above;

/* Collects the texts below root/below. `above`: the folders we are in, so that a link to one of them is no endless loop. */
static gboolean walk(GlintRecords *records, GArray *texts, const char *root, const char *below, const Above *above, GError **error)
{
    g_autofree char *folder = g_build_filename(root, below, NULL);
    struct stat status;
    g_autoptr(GError) problem = NULL;
    g_autoptr(GDir) dir = g_dir_open(folder, 0, &problem);
    if (!dir || stat(folder, &status) != 0)
        return glint_fail(error, GLINT_ERROR_IO, "cannot read folder %s: %s", folder, problem ? problem->message : g_strerror(errno));
    for (const Above *a = above; a; a = a->above)
        if (a->device == status.st_dev && a->inode == status.st_ino)
            return TRUE;
    Above here = {above, status.st_dev, status.st_ino};
    for (const char *name; (name = g_dir_read_name(dir));) {
        if (name[0] == '.')
            continue;
        g_autofree char *path = *below ? g_strconcat(below, "/", name, NULL) : g_strdup(name);
        g_autofree char *full = g_build_filename(root, path, NULL);
        if (stat(full, &status) != 0) {
            if (is_text_name(name))
                return glint_fail(error, GLINT_ERROR_IO, "cannot read %s: %s", full, g_strerror(errno));
            continue;
        }
        if (S_ISDIR(status.st_mode)) {
            if (!walk(records, texts, root, path, &here, error))
                return FALSE;
        } else if (S_ISREG(status.st_mode) && is_text_name(name)) {
            if (status.st_size > MAX_TEXT_BYTES)
                glint_records_skip_invalid(records, "%s is larger than 64 MiB", path);
            else
                tree_add(texts, g_steal_pointer(&path), NULL, 0);
        }
    }
    return TRUE;
}

gboolean glint_read_folder(GlintRecords *records, const char *path, GError **error)
{
    g_autoptr(GArray) texts = tree_new();
    return walk(records, texts, path, "", NULL, error) && feed(records, texts, path, path, error);
}

/* ---- in an archive ---- */

typedef struct archive ArchiveReader;
static void archive_reader_free(ArchiveReader *self) { archive_read_free(self); }
G_DEFINE_AUTOPTR_CLEANUP_FUNC(ArchiveReader, archive_reader_free)

static ArchiveReader *open_archive(const char *path, GError **error)
{
    g_autoptr(ArchiveReader) reader = archive_read_new();
    if (!reader) {
        glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory to open the archive", path);
        return NULL;
    }
    archive_read_support_filter_gzip(reader);
    archive_read_support_filter_xz(reader);
    archive_read_support_filter_bzip2(reader);
    archive_read_support_filter_zstd(reader);
    archive_read_support_format_tar(reader);
    archive_read_support_format_zip(reader);
    if (archive_read_open_filename(reader, path, 1 << 16) == ARCHIVE_OK)
        return g_steal_pointer(&reader);
    const char *reason = archive_error_string(reader);
    glint_fail(error, GLINT_ERROR_FORMAT, "%s: damaged, not fully downloaded, or not an archive that glint reads (tar with gzip, xz, bzip2 or "
                                          "zstd, or zip): %s", path, reason ? reason : "unknown reason");
    return NULL;
}

/* The entry's path without empty and "." parts. NULL: not a text of ours (*hostile says whether it must be counted). */
static char *entry_path(struct archive_entry *entry, gboolean *hostile)
{
    const char *name = archive_entry_pathname_utf8(entry);
    name = name ? name : archive_entry_pathname(entry); /* raw bytes: the id's UTF-8 check will judge */
    *hostile = FALSE;
    if (!name || archive_entry_filetype(entry) == AE_IFDIR || !is_text_name(last_part(name)))
        return NULL;
    g_auto(GStrv) parts = g_strsplit(name, "/", -1);
    g_autoptr(GString) path = g_string_new(NULL);
    for (char **part = parts; *part; part++) {
        *hostile = *hostile || strcmp(*part, "..") == 0;
        if (!**part || strcmp(*part, ".") == 0)
            continue;
        if ((*part)[0] == '.')
            return NULL;
        g_string_append_printf(path, "%s%s", path->len ? "/" : "", *part);
    }
    *hostile = *hostile || archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry);
    return *hostile ? NULL : g_string_free(g_steal_pointer(&path), FALSE);
}

/* The entry's content; NULL when reading fails (*too_large FALSE) or it is too large. */
static char *entry_content(ArchiveReader *reader, gsize *length, gboolean *too_large)
{
    g_autoptr(GByteArray) bytes = g_byte_array_new();
    guchar chunk[1 << 14];
    la_ssize_t got;
    *too_large = FALSE;
    while ((got = archive_read_data(reader, chunk, sizeof chunk)) > 0) {
        g_byte_array_append(bytes, chunk, (guint)got);
        *too_large = bytes->len > MAX_TEXT_BYTES;
        if (*too_large)
            return NULL;
    }
    if (got < 0)
        return NULL;
    *length = bytes->len;
    g_byte_array_append(bytes, (const guchar *)"", 1);
    return (char *)g_byte_array_free(g_steal_pointer(&bytes), FALSE);
}

static void read_entry(GlintRecords *records, ArchiveReader *reader, struct archive_entry *entry, GArray *texts, gboolean *damaged)
{
    gboolean hostile, too_large;
    gsize length = 0;
    g_autofree char *path = entry_path(entry, &hostile);
    if (hostile) {
        glint_records_skip_invalid(records, "an entry is a link, or its path leaves the archive");
    } else if (path) {
        g_autofree char *folder = folder_of(path);
        if (strcmp(last_part(folder), "unsup") == 0) { /* aclImdb's 50,000 unlabelled texts need not be kept */
            tree_add(texts, g_steal_pointer(&path), NULL, 0);
            return;
        }
        char *bytes = entry_content(reader, &length, &too_large);
        if (bytes)
            tree_add(texts, g_steal_pointer(&path), bytes, length);
        else if (too_large)
            glint_records_skip_invalid(records, "%s is larger than 64 MiB", path);
        else
            *damaged = TRUE;
    }
}

gboolean glint_read_archive(GlintRecords *records, const char *path, GError **error)
{
    g_autoptr(ArchiveReader) reader = open_archive(path, error);
    if (!reader)
        return FALSE;
    g_autoptr(GArray) texts = tree_new();
    struct archive_entry *entry;
    gboolean damaged = FALSE;
    int status = ARCHIVE_OK;
    for (guint count = 0; !damaged; count++) {
        status = archive_read_next_header(reader, &entry);
        if (status == ARCHIVE_EOF)
            break;
        if (status == ARCHIVE_FATAL || status == ARCHIVE_FAILED) {
            damaged = TRUE;
        } else if (status != ARCHIVE_RETRY) {
            read_entry(records, reader, entry, texts, &damaged);
        }
        if (count % 256 == 0 && !glint_check_interrupt(error))
            return FALSE;
    }
    if (damaged) {
        const char *reason = archive_error_string(reader);
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: damaged or cut off behind %u texts: %s; fetch or pack it again", path, texts->len,
                          reason ? reason : "unknown reason");
    }
    return feed(records, texts, path, NULL, error);
}
