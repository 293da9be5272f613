/* A reader of the three messages of sentencepiece_model.proto that matter, over protobuf's wire format: a field is a varint
 * (number << 3 | wire type) and a varint, 8 bytes, 4 bytes, or a length and so many bytes. Fields glint has no use for are passed
 * over, but must be well-formed. Field numbers are named where they are read. */
#include "text/spm_model.h"

#include "base/error.h"
#include "text/tokenizer_utf8.h"

#include <math.h>
#include <string.h>

typedef struct {
    const guint8 *p, *end;
} Reader;

typedef struct {
    guint32 number;
    guint64 value;       /* of a varint, or the bits of 4 or 8 bytes */
    GlintSpmBytes bytes; /* of a string or a message; data NULL: it is none of these */
    gboolean fixed32;
} Field;

static gboolean bad(const char *what, GError **error)
{
    return glint_fail(error, GLINT_ERROR_FORMAT,
                      "not a SentencePiece model: %s; is the file complete? (tiktoken's and tekken's files of this name are not supported: use tokenizer.json)", what);
}

static gboolean read_varint(Reader *r, guint64 *value)
{
    *value = 0;
    for (guint shift = 0; shift < 64 && r->p < r->end; shift += 7) {
        guint8 byte = *r->p++;
        *value |= (guint64)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return TRUE;
    }
    return FALSE;
}

static gboolean read_fixed(Reader *r, gsize n, guint64 *value)
{
    *value = 0;
    if ((gsize)(r->end - r->p) < n)
        return FALSE;
    for (gsize i = 0; i < n; i++)
        *value |= (guint64)*r->p++ << (8 * i);
    return TRUE;
}

/* The next field; FALSE with *error when the bytes are no fields. Call while r->p < r->end. */
static gboolean read_field(Reader *r, Field *field, GError **error)
{
    guint64 key, length;
    if (!read_varint(r, &key) || key >> 3 == 0 || key >> 3 > G_MAXINT32)
        return bad("a field's number is broken", error);
    *field = (Field){.number = (guint32)(key >> 3)};
    switch (key & 7) {
    case 0: return read_varint(r, &field->value) || bad("a number is broken off", error);
    case 1: return read_fixed(r, 8, &field->value) || bad("a number is broken off", error);
    case 2:
        if (!read_varint(r, &length) || length > (guint64)(r->end - r->p))
            return bad("a field is longer than what holds it", error);
        field->bytes = (GlintSpmBytes){(const char *)r->p, (gsize)length};
        r->p += length;
        return TRUE;
    case 5: field->fixed32 = TRUE; return read_fixed(r, 4, &field->value) || bad("a number is broken off", error);
    default: return bad("a field is of an unknown kind", error);
    }
}

static Reader reader(GlintSpmBytes bytes)
{
    const guint8 *start = (const guint8 *)bytes.data;
    return (Reader){start, start + bytes.length};
}

/* A string, bytes or message where one must stand. */
static gboolean take_bytes(const Field *field, GlintSpmBytes *to, GError **error)
{
    if (!field->bytes.data)
        return bad("a field that holds text is a number", error);
    *to = field->bytes;
    return TRUE;
}

/* ---- messages ------------------------------------------------------------------------------------------------------- */

static gboolean read_piece(GlintSpmModel *self, GlintSpmBytes message, GError **error)
{
    Reader r = reader(message);
    Field field;
    GlintSpmPiece piece = {.type = GLINT_SPM_NORMAL};
    while (r.p < r.end) {
        if (!read_field(&r, &field, error))
            return FALSE;
        if (field.number == 1 && !take_bytes(&field, &piece.text, error))
            return FALSE;
        if (field.number == 2) {
            guint32 bits = (guint32)field.value;
            if (!field.fixed32)
                return bad("a piece's score is no float", error);
            memcpy(&piece.score, &bits, sizeof bits);
        }
        if (field.number == 3) {
            if (field.value < GLINT_SPM_NORMAL || field.value > GLINT_SPM_BYTE)
                return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "piece %u has the type %" G_GUINT64_FORMAT ", which glint does not know", self->pieces->len, field.value);
            piece.type = (GlintSpmType)field.value;
        }
    }
    if (piece.text.length == 0 || !glint_utf8_valid(piece.text.data, piece.text.length))
        return glint_fail(error, GLINT_ERROR_FORMAT, "piece %u is empty or not UTF-8; the file is damaged", self->pieces->len);
    if (!isfinite(piece.score))
        return glint_fail(error, GLINT_ERROR_FORMAT, "piece %u (\"%.*s\") has the score %g; the file is damaged", self->pieces->len,
                          (int)MIN(piece.text.length, 100), piece.text.data, (double)piece.score);
    g_array_append_val(self->pieces, piece);
    return TRUE;
}

static gboolean read_trainer(GlintSpmModel *self, GlintSpmBytes message, GError **error)
{
    Reader r = reader(message);
    Field field;
    while (r.p < r.end) {
        if (!read_field(&r, &field, error))
            return FALSE;
        switch (field.number) {
        case 3:
            if (field.value != GLINT_SPM_UNIGRAM && field.value != GLINT_SPM_BPE)
                return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "the SentencePiece model is of type %s; glint knows unigram and BPE",
                                  field.value == GLINT_SPM_WORD ? "word" : field.value == GLINT_SPM_CHAR ? "char" : "unknown");
            self->model_type = (GlintSpmModelType)field.value;
            break;
        case 24: self->whitespace_as_suffix = field.value != 0; break;
        case 35: self->byte_fallback = field.value != 0; break;
        case 46:
            if (!take_bytes(&field, &self->bos, error))
                return FALSE;
            break;
        case 47:
            if (!take_bytes(&field, &self->eos, error))
                return FALSE;
            break;
        default: break;
        }
    }
    return TRUE;
}

static gboolean read_normalizer(GlintSpmModel *self, GlintSpmBytes message, GError **error)
{
    Reader r = reader(message);
    Field field;
    while (r.p < r.end) {
        if (!read_field(&r, &field, error))
            return FALSE;
        switch (field.number) {
        case 2:
            if (!take_bytes(&field, &self->charsmap, error))
                return FALSE;
            break;
        case 3: self->add_dummy_prefix = field.value != 0; break;
        case 4: self->remove_extra_whitespaces = field.value != 0; break;
        case 5: self->escape_whitespaces = field.value != 0; break;
        default: break;
        }
    }
    return TRUE;
}

static gboolean check_denormalizer(GlintSpmBytes message, GError **error)
{
    Reader r = reader(message);
    Field field;
    while (r.p < r.end) {
        if (!read_field(&r, &field, error))
            return FALSE;
        if (field.number == 2 && field.bytes.length > 0)
            return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "the SentencePiece model has a denormalizer_spec with a precompiled_charsmap, which is not supported");
    }
    return TRUE;
}

/* ---- the model ------------------------------------------------------------------------------------------------------ */

/* What SentencePiece itself demands of a model. */
static gboolean check_pieces(GlintSpmModel *self, GError **error)
{
    guint n_unknown = 0, n_bytes = 0;
    if (self->pieces->len == 0)
        return bad("it holds no pieces", error);
    for (guint i = 0; i < self->pieces->len; i++) {
        GlintSpmType type = g_array_index(self->pieces, GlintSpmPiece, i).type;
        if (type == GLINT_SPM_UNKNOWN) {
            self->unk = i;
            n_unknown++;
        }
        n_bytes += type == GLINT_SPM_BYTE;
    }
    if (n_unknown != 1)
        return glint_fail(error, GLINT_ERROR_FORMAT, "the SentencePiece model has %u unknown pieces among %u; one was expected", n_unknown, self->pieces->len);
    if (n_bytes != (self->byte_fallback ? 256 : 0))
        return glint_fail(error, GLINT_ERROR_FORMAT, "the SentencePiece model has %u byte pieces, but byte_fallback is %s", n_bytes,
                          self->byte_fallback ? "on (256 were expected)" : "off");
    if (self->whitespace_as_suffix)
        return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "the SentencePiece model has treat_whitespace_as_suffix, which is not supported");
    return TRUE;
}

gboolean glint_spm_model_read(GlintSpmModel *self, const char *bytes, gsize length, GError **error)
{
    *self = (GlintSpmModel){.pieces = g_array_new(FALSE, FALSE, sizeof(GlintSpmPiece)),
                            .model_type = GLINT_SPM_UNIGRAM,
                            .bos = {"<s>", 3},
                            .eos = {"</s>", 4},
                            .add_dummy_prefix = TRUE,
                            .remove_extra_whitespaces = TRUE,
                            .escape_whitespaces = TRUE};
    Reader r = reader((GlintSpmBytes){bytes, length});
    Field field;
    while (r.p < r.end) {
        GlintSpmBytes message = {NULL, 0};
        if (!read_field(&r, &field, error) || (field.number <= 5 && field.number != 4 && !take_bytes(&field, &message, error)))
            return FALSE;
        gboolean ok = TRUE;
        switch (field.number) {
        case 1: ok = read_piece(self, message, error); break;
        case 2: ok = read_trainer(self, message, error); break;
        case 3: ok = read_normalizer(self, message, error); break;
        case 5: ok = check_denormalizer(message, error); break;
        default: break;
        }
        if (!ok)
            return FALSE;
    }
    return check_pieces(self, error);
}

void glint_spm_model_clear(GlintSpmModel *self) { g_clear_pointer(&self->pieces, g_array_unref); }
