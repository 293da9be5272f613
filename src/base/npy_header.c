/* The header of .npy files: a strict reader of the one Python literal numpy writes there, and its writer. Nothing is evaluated.
 * Format: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#include "base/npy_header.h"

#include "base/error.h"

#include <string.h>

static const char magic[] = "\x93NUMPY";
enum { MAGIC_BYTES = 6, MAX_DIMS = 4, ALIGNMENT = 64, MAX_DESCR = 31 };

gboolean npy_shape_bytes(int n_dims, const gsize *shape, gsize item_bytes, gsize *n, gsize *n_bytes)
{
    *n = 1;
    for (int d = 0; d < n_dims; d++)
        if (!g_size_checked_mul(n, *n, shape[d]))
            return FALSE;
    return g_size_checked_mul(n_bytes, *n, item_bytes) && *n_bytes <= G_MAXSSIZE;
}

/* ---- the dictionary ------------------------------------------------------------------------------------------------- */

typedef struct {
    const char *at, *end;
    const char *name; /* of the file */
    GError **error;
} Cursor;

static gboolean bad(const Cursor *self, const char *expected)
{
    if (self->error == NULL || *self->error == NULL)
        glint_fail(self->error, GLINT_ERROR_FORMAT, "'%s': bad .npy header near \"%.*s\", %s was expected", self->name,
                   (int)MIN(self->end - self->at, 20), self->at, expected);
    return FALSE;
}

static void skip_blanks(Cursor *self)
{
    while (self->at < self->end && (*self->at == ' ' || *self->at == '\n' || *self->at == '\t'))
        self->at++;
}

static gboolean take(Cursor *self, char c)
{
    skip_blanks(self);
    if (self->at == self->end || *self->at != c)
        return FALSE;
    self->at++;
    return TRUE;
}

static gboolean take_word(Cursor *self, const char *word)
{
    gsize length = strlen(word);
    skip_blanks(self);
    if ((gsize)(self->end - self->at) < length || memcmp(self->at, word, length) != 0)
        return FALSE;
    self->at += length;
    return TRUE;
}

static gboolean read_string(Cursor *self, char out[MAX_DESCR + 1])
{
    skip_blanks(self);
    char quote = self->at < self->end ? *self->at : '\0';
    if (quote != '\'' && quote != '"')
        return bad(self, "a string");
    const char *start = self->at + 1;
    const char *stop = memchr(start, quote, (gsize)(self->end - start));
    if (stop == NULL || stop - start > MAX_DESCR)
        return bad(self, "a short string");
    memcpy(out, start, (gsize)(stop - start));
    out[stop - start] = '\0';
    self->at = stop + 1;
    return TRUE;
}

static gboolean read_length(Cursor *self, gsize *out)
{
    skip_blanks(self);
    const char *start = self->at;
    gsize value = 0;
    for (; self->at < self->end && g_ascii_isdigit(*self->at); self->at++)
        if (!g_size_checked_mul(&value, value, 10) || !g_size_checked_add(&value, value, (gsize)(*self->at - '0')) || value > G_MAXSSIZE)
            return bad(self, "a length below 2^63");
    if (self->at == start)
        return bad(self, "a length");
    if (self->at < self->end && *self->at == 'L') /* Python 2 wrote long integers so */
        self->at++;
    *out = value;
    return TRUE;
}

static gboolean read_shape(Cursor *self, NpyHeader *header)
{
    if (!take(self, '('))
        return bad(self, "a shape such as (3, 4)");
    gboolean comma = TRUE;
    while (!take(self, ')')) {
        gsize length;
        if (!comma)
            return bad(self, "a comma");
        if (!read_length(self, &length))
            return FALSE;
        if (header->n_dims == MAX_DIMS)
            return glint_fail(self->error, GLINT_ERROR_UNSUPPORTED, "'%s': the array has more than %d dimensions", self->name, MAX_DIMS);
        header->shape[header->n_dims++] = length;
        comma = take(self, ',');
        if (!comma && header->n_dims == 1)
            return bad(self, "a comma (a shape of one dimension is written (3,))");
    }
    return TRUE;
}

static gboolean read_dictionary(Cursor *self, NpyHeader *header, char descr[MAX_DESCR + 1])
{
    gboolean has_descr = FALSE, has_order = FALSE, has_shape = FALSE;
    if (!take(self, '{'))
        return bad(self, "'{'");
    while (!take(self, '}')) {
        char key[MAX_DESCR + 1];
        if (!read_string(self, key))
            return FALSE;
        if (!take(self, ':'))
            return bad(self, "':'");
        if (strcmp(key, "descr") == 0 && !has_descr) {
            has_descr = TRUE;
            skip_blanks(self);
            if (self->at < self->end && *self->at == '[')
                return glint_fail(self->error, GLINT_ERROR_UNSUPPORTED,
                                  "'%s': a structured array; save one field of it: np.save(file, a['field'])", self->name);
            if (!read_string(self, descr))
                return FALSE;
        } else if (strcmp(key, "fortran_order") == 0 && !has_order) {
            has_order = TRUE;
            header->fortran = take_word(self, "True");
            if (!header->fortran && !take_word(self, "False"))
                return bad(self, "True or False");
        } else if (strcmp(key, "shape") == 0 && !has_shape) {
            has_shape = TRUE;
            if (!read_shape(self, header))
                return FALSE;
        } else {
            return bad(self, "each of the keys descr, fortran_order and shape once");
        }
        if (!take(self, ',') && !(self->at < self->end && *self->at == '}'))
            return bad(self, "',' or '}'");
    }
    skip_blanks(self);
    if (self->at != self->end)
        return bad(self, "the end of the header");
    return (has_descr && has_order && has_shape) || bad(self, "descr, fortran_order and shape");
}

/* "<f8" and its like. Sizes that numpy has but we do not read (f16, c8) are named as unsupported, not as broken. */
static gboolean read_descr(NpyHeader *header, const char *descr, const char *name, GError **error)
{
    const char *p = descr;
    header->swapped = *p == '>';
    if (*p != '\0' && strchr("<>|=", *p) != NULL)
        p++;
    header->kind = *p == '?' ? 'b' : *p;
    if (header->kind == 'O')
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED,
                          "'%s': holds pickled Python objects (dtype %s), which can run code when read and are refused; save plain "
                          "numbers: np.save(file, a.astype(np.float64))",
                          name, descr);
    guint64 size = 1;
    if (*p != '?' && !(*p != '\0' && g_ascii_string_to_unsigned(p + 1, 10, 0, G_MAXINT32 / 4, &size, NULL)))
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': '%s' is no numpy dtype", name, descr);
    header->item_bytes = header->kind == 'U' ? 4 * (gsize)size : (gsize)size;
    gboolean ok;
    switch (header->kind) {
    case 'b': ok = size == 1; break;
    case 'i':
    case 'u': ok = size == 1 || size == 2 || size == 4 || size == 8; break;
    case 'f': ok = size == 2 || size == 4 || size == 8; break;
    case 'S':
    case 'U': ok = TRUE; break;
    default: ok = FALSE;
    }
    return ok || glint_fail(error, GLINT_ERROR_UNSUPPORTED,
                            "'%s': numpy dtype '%s' is not supported; save as float64: np.save(file, a.astype(np.float64))", name, descr);
}

static gboolean read_prefix(const guint8 *p, gsize length, const char *name, gsize *offset, gsize *header_bytes, GError **error)
{
    if (length < MAGIC_BYTES || memcmp(p, magic, MAGIC_BYTES) != 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s' is no .npy file (its first bytes are not \\x93NUMPY); numpy writes one from a table of numbers: np.save(file, np.loadtxt(table, delimiter=','))", name);
    if (length < MAGIC_BYTES + 4)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': truncated in the .npy header", name);
    guint8 major = p[6], minor = p[7];
    if (major < 1 || major > 3 || minor != 0)
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "'%s': .npy format version %u.%u is not known (1.0, 2.0 and 3.0 are)", name, major,
                          minor);
    *offset = major == 1 ? 10 : 12;
    if (length < *offset)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': truncated in the .npy header", name);
    *header_bytes = (gsize)p[8] | (gsize)p[9] << 8;
    if (major > 1)
        *header_bytes |= (gsize)p[10] << 16 | (gsize)p[11] << 24;
    if (*header_bytes > NPY_MAX_HEADER_BYTES)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': the .npy header claims %zu bytes, more than any plain array needs", name, *header_bytes);
    if (*header_bytes > length - *offset)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': truncated: the header claims %zu bytes, %zu are there", name, *header_bytes,
                          length - *offset);
    return TRUE;
}

gboolean npy_header_parse(NpyHeader *self, const void *bytes, gsize length, const char *name, GError **error)
{
    const guint8 *p = bytes;
    gsize offset = 0, header_bytes = 0;
    *self = (NpyHeader){0};
    if (!read_prefix(p, length, name, &offset, &header_bytes, error))
        return FALSE;
    g_autoptr(GError) reason = NULL; /* own, so that the first of several complaints wins even when error is NULL */
    Cursor cursor = {.at = (const char *)p + offset, .end = (const char *)p + offset + header_bytes, .name = name, .error = &reason};
    char descr[MAX_DESCR + 1];
    if (!read_dictionary(&cursor, self, descr) || !read_descr(self, descr, name, &reason)) {
        g_propagate_error(error, g_steal_pointer(&reason));
        return FALSE;
    }
    self->data_offset = offset + header_bytes;
    if (!npy_shape_bytes(self->n_dims, self->shape, self->item_bytes, &self->n, &self->data_bytes))
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s': the shape claims more bytes than any machine has", name);
    return TRUE;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

gsize npy_item_bytes(GlintDtype dtype)
{
    switch (dtype) {
    case GLINT_F64:
    case GLINT_I64: return 8;
    case GLINT_F32:
    case GLINT_I32: return 4;
    case GLINT_U8:
    case GLINT_BYTES: return 1;
    }
    g_assert_not_reached();
}

const char *npy_dtype_name(GlintDtype dtype)
{
    static const char *const names[] = {"float64", "float32", "int64", "int32", "uint8", "a string"};
    return names[dtype];
}

GString *npy_header_format(GlintDtype dtype, int n_dims, const gsize *shape, gsize text_bytes)
{
    static const char *const descrs[] = {"<f8", "<f4", "<i8", "<i4", "|u1"};
    GString *self = g_string_new(NULL);
    g_string_append_len(self, magic, MAGIC_BYTES);
    g_string_append_len(self, "\x01\x00\x00\x00", 4); /* version 1.0; length below */
    if (dtype == GLINT_BYTES)
        g_string_append_printf(self, "{'descr': '|S%" G_GSIZE_FORMAT "', 'fortran_order': False, 'shape': (", text_bytes);
    else
        g_string_append_printf(self, "{'descr': '%s', 'fortran_order': False, 'shape': (", descrs[dtype]);
    for (int d = 0; d < n_dims; d++)
        g_string_append_printf(self, d == 0 ? "%" G_GSIZE_FORMAT "%s" : " %" G_GSIZE_FORMAT "%s", shape[d], d + 1 < n_dims || n_dims == 1 ? "," : "");
    g_string_append(self, "), }");
    while ((self->len + 1) % ALIGNMENT != 0)
        g_string_append_c(self, ' ');
    g_string_append_c(self, '\n');
    gsize header_bytes = self->len - MAGIC_BYTES - 4;
    self->str[8] = (char)(header_bytes & 0xff);
    self->str[9] = (char)(header_bytes >> 8);
    return self;
}
