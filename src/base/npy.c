/* Reading and writing .npy. A file that already lies as wanted (type, order, alignment) is mapped copy-on-write: a matrix of
 * gigabytes opens at once and takes no memory of its own. Everything else is converted in one pass, in pieces of PIECE
 * elements: decode into a small buffer, then store, in file order; for Fortran order the store is a scatter. */
#include "base/error.h"
#include "base/files.h"
#include "base/npy_header.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PIECE = 1024, MAP_FROM_BYTES = 1 << 16, WRITE_BYTES = 1 << 26 };

void glint_array_free(GlintArray *self)
{
    if (self == NULL)
        return;
    if (self->map != NULL)
        munmap(self->map, self->map_bytes);
    else
        g_free(self->data);
    g_free(self);
}

/* ---- conversion ----------------------------------------------------------------------------------------------------- */

/* Integers travel as gint64 plus, for uint64, the check that they fit; a uint64 on its way to a real travels as one. */
typedef union {
    double reals[PIECE];
    gint64 integers[PIECE];
} Piece;

static double half_to_double(guint16 h)
{
    int exponent = h >> 10 & 31, fraction = h & 1023;
    double magnitude = exponent == 31 ? (fraction == 0 ? (double)INFINITY : (double)NAN)
                       : exponent == 0 ? ldexp(fraction, -24)
                                       : ldexp(1024 + fraction, exponent - 25);
    return h & 0x8000 ? -magnitude : magnitude;
}

#define LOAD(ctype, swap, assign)                                \
    for (gsize i = 0; i < n; i++) {                              \
        ctype x;                                                 \
        memcpy(&x, raw + i * sizeof x, sizeof x);                \
        if (header->swapped)                                     \
            x = (ctype)swap(x);                                  \
        assign;                                                  \
    }                                                            \
    break

#define SAME(x) (x)

static void decode_reals(const NpyHeader *header, const guint8 *raw, gsize n, double *out)
{
    switch (header->item_bytes) {
    case 2: LOAD(guint16, GUINT16_SWAP_LE_BE, out[i] = half_to_double(x));
    case 4: LOAD(guint32, GUINT32_SWAP_LE_BE, float f; memcpy(&f, &x, 4); out[i] = (double)f);
    case 8: LOAD(guint64, GUINT64_SWAP_LE_BE, if (header->kind == 'u') out[i] = (double)x; else memcpy(&out[i], &x, 8));
    default: g_assert_not_reached();
    }
}

/* FALSE when a uint64 is beyond int64. */
static gboolean decode_integers(const NpyHeader *header, const guint8 *raw, gsize n, gint64 *out)
{
    gboolean is_signed = header->kind == 'i', fits = TRUE;
    switch (header->item_bytes) {
    case 1: LOAD(guint8, SAME, out[i] = is_signed ? (gint8)x : header->kind == 'b' ? x != 0 : x);
    case 2: LOAD(guint16, GUINT16_SWAP_LE_BE, out[i] = is_signed ? (gint16)x : x);
    case 4: LOAD(guint32, GUINT32_SWAP_LE_BE, out[i] = is_signed ? (gint32)x : (gint64)x);
    case 8: LOAD(guint64, GUINT64_SWAP_LE_BE, out[i] = (gint64)x; fits = fits && (is_signed || x <= (guint64)G_MAXINT64));
    default: g_assert_not_reached();
    }
    return fits;
}

static void store_real(GlintArray *array, gsize at, double x)
{
    if (array->dtype == GLINT_F64)
        ((double *)array->data)[at] = x;
    else
        ((float *)array->data)[at] = (float)x;
}

static gboolean store_integer(GlintArray *array, gsize at, gint64 x)
{
    switch (array->dtype) {
    case GLINT_F64: ((double *)array->data)[at] = (double)x; return TRUE;
    case GLINT_F32: ((float *)array->data)[at] = (float)x; return TRUE;
    case GLINT_I64: ((gint64 *)array->data)[at] = x; return TRUE;
    case GLINT_I32: ((gint32 *)array->data)[at] = (gint32)x; return x >= G_MININT32 && x <= G_MAXINT32;
    case GLINT_U8: ((guint8 *)array->data)[at] = (guint8)x; return x >= 0 && x <= G_MAXUINT8;
    case GLINT_BYTES: break;
    }
    g_assert_not_reached();
}

/* Walks the destination (C order) offsets in the order of a Fortran file: the first index runs fastest. */
typedef struct {
    int n_dims;
    gsize shape[4], stride[4], index[4];
    gsize at;
} Walk;

static Walk walk_start(const NpyHeader *header)
{
    Walk self = {.n_dims = header->n_dims};
    gsize stride = 1;
    for (int d = header->n_dims - 1; d >= 0; d--) {
        self.shape[d] = header->shape[d];
        self.stride[d] = stride;
        stride *= header->shape[d];
    }
    return self;
}

static void walk_next(Walk *self)
{
    for (int d = 0; d < self->n_dims; d++) {
        self->at += self->stride[d];
        if (++self->index[d] < self->shape[d])
            return;
        self->at -= self->stride[d] * self->shape[d];
        self->index[d] = 0;
    }
}

static gboolean convert_text(const NpyHeader *header, const guint8 *raw, GlintArray *array, const char *name, GError **error)
{
    char *out = array->data;
    gsize width = header->kind == 'U' ? 4 : 1, length = header->item_bytes / width;
    for (gsize i = 0; i < length; i++) {
        guint32 c = raw[i * width];
        if (width == 4) {
            memcpy(&c, raw + 4 * i, 4);
            c = header->swapped ? GUINT32_SWAP_LE_BE(c) : c;
        }
        if (c > 127)
            return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "'%s': holds text beyond ASCII", name);
        out[i] = (char)c;
    }
    out[length] = '\0';
    return TRUE;
}

gboolean npy_is_plain(const NpyHeader *header, GlintDtype dtype)
{
    static const char kinds[] = {'f', 'f', 'i', 'i', 'u'};
    return dtype != GLINT_BYTES && header->kind == kinds[dtype] && header->item_bytes == npy_item_bytes(dtype) &&
           (!header->swapped || header->item_bytes == 1) && (!header->fortran || header->n_dims < 2);
}

gboolean npy_convert(const NpyHeader *header, const void *bytes, GlintArray *array, const char *name, GError **error)
{
    const guint8 *raw = bytes;
    if (array->dtype == GLINT_BYTES)
        return convert_text(header, raw, array, name, error);
    if (npy_is_plain(header, array->dtype)) {
        if (bytes != array->data)
            memcpy(array->data, bytes, header->data_bytes);
        return TRUE;
    }
    Walk walk = walk_start(header);
    gboolean scatter = header->fortran && header->n_dims > 1, fits = TRUE;
    gboolean to_real = array->dtype == GLINT_F64 || array->dtype == GLINT_F32;
    gboolean as_real = header->kind == 'f' || (to_real && header->kind == 'u' && header->item_bytes == 8); /* beyond int64 */
    Piece piece;
    for (gsize done = 0; done < header->n; done += PIECE) {
        gsize n = MIN((gsize)PIECE, header->n - done);
        const guint8 *from = raw + done * header->item_bytes;
        if (as_real)
            decode_reals(header, from, n, piece.reals);
        else
            fits = decode_integers(header, from, n, piece.integers) && fits;
        for (gsize i = 0; i < n; i++) {
            gsize at = scatter ? walk.at : done + i;
            if (as_real)
                store_real(array, at, piece.reals[i]);
            else
                fits = store_integer(array, at, piece.integers[i]) && fits;
            if (scatter)
                walk_next(&walk);
        }
    }
    return fits || glint_fail(error, GLINT_ERROR_FORMAT, "'%s': holds integers too large for %s", name, npy_dtype_name(array->dtype));
}

/* Whether a header's type may become `dtype` at all. */
static gboolean check_dtype(const NpyHeader *header, GlintDtype dtype, const char *name, GError **error)
{
    gboolean is_text = header->kind == 'S' || header->kind == 'U';
    if (is_text != (dtype == GLINT_BYTES) || (is_text && header->n_dims != 0))
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': holds %s, %s was expected", name,
                          is_text ? header->n_dims == 0 ? "a string" : "an array of strings" : "numbers", npy_dtype_name(dtype));
    if (header->kind == 'f' && dtype != GLINT_F64 && dtype != GLINT_F32)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': holds floating-point numbers, integers were expected", name);
    return TRUE;
}

GlintArray *npy_array_new(const NpyHeader *header, GlintDtype dtype, const char *name, GError **error)
{
    if (!check_dtype(header, dtype, name, error))
        return NULL;
    gsize n = dtype == GLINT_BYTES ? header->item_bytes + 1 : header->n, n_bytes;
    GlintArray *self = g_new0(GlintArray, 1);
    self->n_dims = header->n_dims;
    memcpy(self->shape, header->shape, sizeof self->shape);
    self->n = header->n;
    self->dtype = dtype;
    /* One byte more than nothing: data is never NULL, so callers need no case for empty arrays. */
    if (g_size_checked_mul(&n_bytes, n, npy_item_bytes(dtype)))
        self->data = g_try_malloc(MAX(n_bytes, 1));
    if (self->data == NULL) {
        glint_fail(error, GLINT_ERROR_IO, "'%s': not enough memory for its %" G_GSIZE_FORMAT " elements", name, header->n);
        g_clear_pointer(&self, glint_array_free);
    }
    return self;
}

/* ---- reading -------------------------------------------------------------------------------------------------------- */

static gboolean check_length(const NpyHeader *header, gsize length, const char *name, GError **error)
{
    gsize rest = length - header->data_offset;
    if (rest < header->data_bytes)
        return glint_fail(error, GLINT_ERROR_FORMAT,
                          "'%s': truncated: the header promises %" G_GSIZE_FORMAT " bytes of data, %" G_GSIZE_FORMAT " are there", name,
                          header->data_bytes, rest);
    if (rest > header->data_bytes)
        return glint_fail(error, GLINT_ERROR_FORMAT,
                          "'%s': %" G_GSIZE_FORMAT " bytes follow the array its header describes; one array per file was expected", name,
                          rest - header->data_bytes);
    return TRUE;
}

GlintArray *glint_npy_parse(const void *bytes, gsize length, const char *name, GlintDtype dtype, GError **error)
{
    NpyHeader header;
    if (!npy_header_parse(&header, bytes, length, name, error) || !check_length(&header, length, name, error))
        return NULL;
    g_autoptr(GlintArray) self = npy_array_new(&header, dtype, name, error);
    if (self == NULL || !npy_convert(&header, (const guint8 *)bytes + header.data_offset, self, name, error))
        return NULL;
    return g_steal_pointer(&self);
}

/* The array as a private, writable mapping of the file: writes of the caller stay in memory. NULL without error when the
 * file cannot be used so (or mmap refuses): then it is read the plain way. */
static GlintArray *map_array(const char *path, const NpyHeader *header, gsize length, GlintDtype dtype)
{
    if (length < MAP_FROM_BYTES || !npy_is_plain(header, dtype) || header->data_offset % npy_item_bytes(dtype) != 0)
        return NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat info;
    if (fd < 0)
        return NULL;
    void *map = fstat(fd, &info) == 0 && info.st_size >= 0 && (gsize)info.st_size == length
                    ? mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0)
                    : MAP_FAILED;
    close(fd);
    if (map == MAP_FAILED)
        return NULL;
    GlintArray *self = g_new0(GlintArray, 1);
    self->n_dims = header->n_dims;
    memcpy(self->shape, header->shape, sizeof self->shape);
    self->n = header->n;
    self->dtype = dtype;
    self->map = map;
    self->map_bytes = length;
    self->data = (guint8 *)map + header->data_offset;
    return self;
}

GlintArray *glint_npy_read(const char *path, GlintDtype dtype, GError **error)
{
    GMappedFile *file = glint_map_file(path, error);
    if (file == NULL)
        return NULL;
    const void *bytes = g_mapped_file_get_contents(file);
    gsize length = g_mapped_file_get_length(file);
    NpyHeader header;
    GlintArray *self = NULL;
    if (npy_header_parse(&header, bytes, length, path, error) && check_length(&header, length, path, error)) {
        self = map_array(path, &header, length, dtype);
        if (self == NULL)
            self = glint_npy_parse(bytes, length, path, dtype, error);
    }
    g_mapped_file_unref(file);
    return self;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

gboolean glint_npy_write(const char *path, GlintDtype dtype, int n_dims, const gsize *shape, const void *data, GError **error)
{
    gsize n, n_bytes;
    g_assert(dtype != GLINT_BYTES && n_dims >= 0 && n_dims <= 4);
    if (!npy_shape_bytes(n_dims, shape, npy_item_bytes(dtype), &n, &n_bytes))
        return glint_fail(error, GLINT_ERROR_FAILED, "cannot write '%s': its shape overflows", path);
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (file == NULL)
        return FALSE;
    FILE *stream = glint_file_stream(file);
    GString *header = npy_header_format(dtype, n_dims, shape, 0);
    fwrite(header->str, 1, header->len, stream);
    g_string_free(header, TRUE);
    /* In pieces, so that a full disk is noticed early; the stream remembers its error for commit. */
    for (gsize done = 0; done < n_bytes && !ferror(stream); done += WRITE_BYTES)
        fwrite((const guint8 *)data + done, 1, MIN((gsize)WRITE_BYTES, n_bytes - done), stream);
    return glint_file_commit(g_steal_pointer(&file), error);
}
