/* Writing activations to disk while they come. See activations.h for what is left, collect_private.h for the functions.
 *
 * A shard is written in place, as `.unfinished`: room for a header, then the rows, one behind the other. What is known only at
 * its end, the numbers of texts and positions (kept in memory: 8 bytes a row) and the header, is written when it is full; then
 * it is synced and gets its name. A checkpoint needs no copy of the rows: it syncs the file and notes how many there are.
 * Resuming cuts the file back to that; a shard that was finished after the checkpoint is reopened under its old name, which
 * works because rows come first in it. So nothing is lost, and nothing is there twice. */
#include "base/error.h"
#include "base/files.h"
#include "collect/collect_private.h"
#include "model/ops.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HEADER_BYTES = 1024, SHA_LENGTH = 64, PIECE_ROWS = 64 };
#define SHARD_BYTES ((gsize)512 << 20)
#define UNFINISHED ".unfinished"

typedef struct { gsize rows; char sha256[SHA_LENGTH + 1]; } Shard;

struct GlintRowWriter {
    char *folder, *name;
    gsize width, row_bytes, shard_rows;
    GlintTensorType type;
    gboolean positions;
    GArray *text, *position; /* gint32, of the shard under way */
    GArray *shards;          /* Shard: those that are finished */
    FILE *file;              /* the shard under way, or NULL */
    guint16 *half;           /* scratch, PIECE_ROWS * width; NULL for F32 */
};

static gsize row_bytes_of(gsize width, GlintTensorType type) { return width * (type == GLINT_ST_F32 ? 4u : 2u); }

/* An even number: then every full shard's integers are aligned, whatever the width and type. */
static gsize shard_rows_of(gsize width, GlintTensorType type, gsize shard_bytes)
{
    gsize rows = (shard_bytes ? shard_bytes : SHARD_BYTES) / row_bytes_of(width, type) / 2 * 2;
    return MAX(rows, 2u);
}

double glint_row_writer_bytes(gsize width, GlintTensorType type, gsize shard_bytes)
{
    return (double)shard_rows_of(width, type, shard_bytes) * 2 * sizeof(gint32) + (double)(PIECE_ROWS * width * sizeof(guint16));
}

void glint_row_writer_free(GlintRowWriter *self)
{
    if (!self)
        return;
    if (self->file)
        fclose(self->file);
    g_array_unref(self->text);
    g_array_unref(self->position);
    g_array_unref(self->shards);
    g_free(self->half);
    g_free(self->folder);
    g_free(self->name);
    g_free(self);
}

static char *unfinished_path(const GlintRowWriter *self) { return g_build_filename(self->folder, UNFINISHED, NULL); }

static char *shard_path(const GlintRowWriter *self, gsize k)
{
    g_autofree char *file = g_strdup_printf("shard-%05zu.safetensors", k);
    return g_build_filename(self->folder, file, NULL);
}

/* ---- beginning and going on ---- */

/* Removes the shards from number `kept` on and, if wanted, the unfinished one. Nothing else: the folder may hold what is not ours. */
static gboolean remove_from(const GlintRowWriter *self, gsize kept, gboolean unfinished, GError **error)
{
    g_autofree char *part = unfinished_path(self);
    g_autoptr(GDir) dir = g_dir_open(self->folder, 0, NULL);
    g_autoptr(GPtrArray) old = g_ptr_array_new_with_free_func(g_free);
    for (const char *name; dir && (name = g_dir_read_name(dir));)
        if (g_str_has_prefix(name, "shard-") && g_ascii_strtoull(name + strlen("shard-"), NULL, 10) >= kept)
            g_ptr_array_add(old, g_build_filename(self->folder, name, NULL));
    for (guint k = 0; k < old->len; k++)
        if (!glint_remove_tree(g_ptr_array_index(old, k), error))
            return FALSE;
    return !unfinished || glint_remove_tree(part, error);
}

GlintRowWriter *glint_row_writer_new(const char *folder, const char *name, gsize width, GlintTensorType type, gboolean positions, gsize shard_bytes, GError **error)
{
    if (width % 2 != 0 && type != GLINT_ST_F32) {
        glint_fail(error, GLINT_ERROR_USAGE, "%s has %zu columns, and activations of an odd number cannot be saved in 16 bits (the integers behind them would not be aligned); "
                   "use --save-dtype f32", name, width);
        return NULL;
    }
    GlintRowWriter *self = g_new0(GlintRowWriter, 1);
    self->folder = g_strdup(folder);
    self->name = g_strdup(name);
    self->width = width;
    self->type = type;
    self->row_bytes = row_bytes_of(width, type);
    self->shard_rows = shard_rows_of(width, type, shard_bytes);
    self->positions = positions;
    self->text = g_array_new(FALSE, FALSE, sizeof(gint32));
    self->position = g_array_new(FALSE, FALSE, sizeof(gint32));
    self->shards = g_array_new(FALSE, TRUE, sizeof(Shard));
    if (type != GLINT_ST_F32)
        self->half = g_new(guint16, PIECE_ROWS * width);
    if (!glint_mkdir(folder, error))
        g_clear_pointer(&self, glint_row_writer_free);
    return self;
}

static gboolean mark_unfinished(const GlintRowWriter *self, json_t *meta, GError **error)
{
    g_autofree char *path = g_build_filename(self->folder, "meta.json", NULL);
    json_object_set_new(meta, "complete", json_false());
    return glint_json_write(path, meta, error);
}

gboolean glint_row_writer_begin(GlintRowWriter *self, json_t *meta, GError **error)
{
    return remove_from(self, 0, TRUE, error) && mark_unfinished(self, meta, error);
}

static gboolean read_checkpoint(GlintRowWriter *self, const char *path, GError **error)
{
    g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, error);
    if (!file)
        return FALSE;
    const GlintTensor *text = glint_safetensors_find(file, "text"), *position = glint_safetensors_find(file, "position");
    const char *list = glint_safetensors_metadata(file, "shards");
    g_auto(GStrv) shards = g_strsplit(list ? list : "", ",", -1);
    gboolean good = list && text && text->type == GLINT_ST_I32 && text->n < self->shard_rows && (position != NULL) == self->positions &&
                    (!position || (position->type == GLINT_ST_I32 && position->n == text->n));
    for (char **item = shards; good && *item; item++) {
        Shard shard = {0};
        char *end = NULL;
        if (**item == '\0')
            continue;
        shard.rows = (gsize)g_ascii_strtoull(*item, &end, 10);
        good = *end == ':' && strlen(end + 1) == SHA_LENGTH;
        g_strlcpy(shard.sha256, good ? end + 1 : "", sizeof shard.sha256);
        g_array_append_val(self->shards, shard);
    }
    if (!good)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: not the state of activations under way", path);
    g_array_append_vals(self->text, text->data, (guint)text->n);
    if (position)
        g_array_append_vals(self->position, position->data, (guint)position->n);
    return TRUE;
}

gboolean glint_row_writer_resume(GlintRowWriter *self, json_t *meta, const char *checkpoint, GError **error)
{
    if (!mark_unfinished(self, meta, error) || !read_checkpoint(self, checkpoint, error))
        return FALSE;
    g_autofree char *part = unfinished_path(self), *finished = shard_path(self, self->shards->len);
    const gsize bytes = HEADER_BYTES + self->text->len * self->row_bytes;
    if (self->text->len > 0 && g_file_test(finished, G_FILE_TEST_EXISTS) && rename(finished, part) != 0)
        return glint_fail_errno(error, errno, "cannot rename '%s'", finished);
    if (!remove_from(self, self->shards->len, self->text->len == 0, error))
        return FALSE;
    if (self->text->len == 0)
        return TRUE;
    self->file = fopen(part, "r+b");
    if (!self->file)
        return glint_fail_errno(error, errno, "cannot go on with '%s'", part);
    if (fseeko(self->file, 0, SEEK_END) != 0 || ftello(self->file) < (off_t)bytes)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s is shorter than when the run stopped; delete it and the folder moments/.partial, and "
                                                     "what was finished before stays", part);
    if (ftruncate(fileno(self->file), (off_t)bytes) != 0 || fseeko(self->file, 0, SEEK_END) != 0)
        return glint_fail_errno(error, errno, "cannot go on with '%s'", part);
    return TRUE;
}

/* ---- rows ---- */

/* To nearest, ties to even. Numbers beyond 65504 become infinite. */
static guint16 half_of(float x)
{
    guint32 bits;
    memcpy(&bits, &x, sizeof bits);
    const guint32 sign = bits >> 16 & 0x8000u;
    const float size = fabsf(x);
    if (size >= 65520.0f)
        return (guint16)(sign | 0x7c00u);
    if (size < 0x1p-14f) /* subnormal: multiples of 2^-24; 2^-14 itself is what 1024 of them make */
        return (guint16)(sign | (guint32)lrintf(size * 0x1p24f));
    bits &= 0x7fffffffu;
    bits += 0xfffu + (bits >> 13 & 1u);
    return (guint16)(sign | ((bits - (112u << 23)) >> 13));
}

static gboolean narrow(GlintRowWriter *self, const float *rows, gsize n, GError **error)
{
    const gsize count = n * self->width;
    if (self->type == GLINT_ST_BF16) {
        gli_to_bf16(rows, count, self->half);
        return TRUE;
    }
    for (gsize k = 0; k < count; k++) {
        self->half[k] = half_of(rows[k]);
        if ((self->half[k] & 0x7fffu) == 0x7c00u)
            return glint_fail(error, GLINT_ERROR_DATA, "column %zu of %s reaches %g, more than f16 holds; use --save-dtype bf16", k % self->width, self->name, (double)rows[k]);
    }
    return TRUE;
}

static gboolean write_failed(const GlintRowWriter *self, int problem, GError **error)
{
    g_autofree char *part = unfinished_path(self);
    return glint_fail_errno(error, problem, "cannot write '%s'", part);
}

static gboolean need_file(GlintRowWriter *self, GError **error)
{
    static const char room[HEADER_BYTES];
    g_autofree char *part = unfinished_path(self);
    if (self->file)
        return TRUE;
    self->file = fopen(part, "w+b");
    return (self->file && fwrite(room, 1, HEADER_BYTES, self->file) == HEADER_BYTES) || write_failed(self, errno, error);
}

static gboolean sync_file(GlintRowWriter *self, GError **error)
{
    return !self->file || (fflush(self->file) == 0 && fsync(fileno(self->file)) == 0) || write_failed(self, errno, error);
}

static json_t *entry(const char *type, json_t *shape, gsize *at, gsize bytes)
{
    json_t *object = json_pack("{s:s, s:o, s:[I, I]}", "dtype", type, "shape", shape, "data_offsets", (json_int_t)*at, (json_int_t)(*at + bytes));
    *at += bytes;
    return object;
}

/* The header of a shard of n rows, HEADER_BYTES long. */
static gboolean write_header(GlintRowWriter *self, gsize n, GError **error)
{
    gsize at = 0;
    g_autoptr(json_t) root = json_pack("{s:{s:s}}", "__metadata__", "format", GLINT_ACTIVATIONS_FORMAT);
    json_object_set_new(root, self->name, entry(glint_tensor_type_name(self->type), json_pack("[I, I]", (json_int_t)n, (json_int_t)self->width), &at, n * self->row_bytes));
    json_object_set_new(root, "text", entry("I32", json_pack("[I]", (json_int_t)n), &at, n * sizeof(gint32)));
    if (self->positions)
        json_object_set_new(root, "position", entry("I32", json_pack("[I]", (json_int_t)n), &at, n * sizeof(gint32)));
    char *text = json_dumps(root, JSON_COMPACT), header[HEADER_BYTES];
    const gsize length = strlen(text);
    const guint64 announced = HEADER_BYTES - sizeof announced;
    g_assert(length <= announced); /* three short entries */
    memset(header, ' ', sizeof header);
    memcpy(header, &announced, sizeof announced);
    memcpy(header + sizeof announced, text, length);
    free(text);
    return (fseeko(self->file, 0, SEEK_SET) == 0 && fwrite(header, 1, HEADER_BYTES, self->file) == HEADER_BYTES) || write_failed(self, errno, error);
}

static gboolean write_numbers(GlintRowWriter *self, const GArray *numbers, GError **error)
{
    return fwrite(numbers->data, sizeof(gint32), numbers->len, self->file) == numbers->len || write_failed(self, errno, error);
}

static gboolean finish_shard(GlintRowWriter *self, GError **error)
{
    Shard shard = {.rows = self->text->len};
    g_autofree char *part = unfinished_path(self), *path = shard_path(self, self->shards->len);
    if (!write_numbers(self, self->text, error) || (self->positions && !write_numbers(self, self->position, error)) ||
        !write_header(self, shard.rows, error) || !sync_file(self, error))
        return FALSE;
    const int closed = fclose(self->file);
    self->file = NULL;
    if (closed != 0 || rename(part, path) != 0)
        return write_failed(self, errno, error);
    g_autofree char *hash = glint_sha256_file(path, error);
    if (!hash)
        return FALSE;
    g_strlcpy(shard.sha256, hash, sizeof shard.sha256);
    g_array_append_val(self->shards, shard);
    g_array_set_size(self->text, 0);
    g_array_set_size(self->position, 0);
    return TRUE;
}

gboolean glint_row_writer_add(GlintRowWriter *self, const float *rows, gsize n, const gint32 *text, const gint32 *position, GError **error)
{
    for (gsize done = 0, piece; done < n; done += piece) {
        piece = MIN(MIN(n - done, (gsize)PIECE_ROWS), self->shard_rows - self->text->len);
        const void *bytes = rows + done * self->width;
        if (!need_file(self, error) || (self->half && !narrow(self, bytes, piece, error)))
            return FALSE;
        if (fwrite(self->half ? self->half : bytes, self->row_bytes, piece, self->file) != piece)
            return write_failed(self, errno, error);
        g_array_append_vals(self->text, text + done, (guint)piece);
        if (self->positions)
            g_array_append_vals(self->position, position + done, (guint)piece);
        if (self->text->len == self->shard_rows && !finish_shard(self, error))
            return FALSE;
    }
    return TRUE;
}

/* ---- checkpoint and end ---- */

gboolean glint_row_writer_save(GlintRowWriter *self, const char *checkpoint, GError **error)
{
    g_autoptr(GString) shards = g_string_new(NULL);
    gsize n = self->text->len;
    if (!sync_file(self, error))
        return FALSE;
    for (guint k = 0; k < self->shards->len; k++) {
        const Shard *shard = &g_array_index(self->shards, Shard, k);
        g_string_append_printf(shards, "%s%zu:%s", k ? "," : "", shard->rows, shard->sha256);
    }
    GlintSafetensorsWriter *writer = glint_safetensors_writer_new(checkpoint);
    glint_safetensors_writer_metadata(writer, "shards", shards->str);
    glint_safetensors_writer_add(writer, "text", GLINT_ST_I32, 1, &n, self->text->data);
    if (self->positions)
        glint_safetensors_writer_add(writer, "position", GLINT_ST_I32, 1, &n, self->position->data);
    return glint_safetensors_writer_close(writer, error);
}

gboolean glint_row_writer_finish(GlintRowWriter *self, json_t *meta, GError **error)
{
    gsize rows = 0;
    json_t *shards = json_array();
    json_object_set_new(meta, "shards", shards);
    if (self->text->len > 0 && !finish_shard(self, error))
        return FALSE;
    for (guint k = 0; k < self->shards->len; k++) {
        const Shard *shard = &g_array_index(self->shards, Shard, k);
        g_autofree char *path = shard_path(self, k), *file = g_path_get_basename(path);
        json_array_append_new(shards, json_pack("{s:s, s:I, s:s}", "file", file, "rows", (json_int_t)shard->rows, "sha256", shard->sha256));
        rows += shard->rows;
    }
    json_object_set_new(meta, "width", json_integer((json_int_t)self->width));
    json_object_set_new(meta, "dtype", json_string(glint_tensor_type_name(self->type)));
    json_object_set_new(meta, "rows", json_integer((json_int_t)rows));
    json_object_set_new(meta, "complete", json_true());
    g_autofree char *path = g_build_filename(self->folder, "meta.json", NULL);
    return glint_json_write(path, meta, error);
}
