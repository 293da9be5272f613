/* A SentencePiece model (tokenizer.model) as it lies in the file: a protobuf message of pieces, what the trainer noted, and how
 * texts are normalized. */
#pragma once
#include <glib.h>

typedef enum {
    GLINT_SPM_NORMAL = 1,
    GLINT_SPM_UNKNOWN,
    GLINT_SPM_CONTROL,
    GLINT_SPM_USER_DEFINED,
    GLINT_SPM_UNUSED,
    GLINT_SPM_BYTE,
} GlintSpmType;

typedef enum { GLINT_SPM_UNIGRAM = 1, GLINT_SPM_BPE, GLINT_SPM_WORD, GLINT_SPM_CHAR } GlintSpmModelType;

typedef struct {
    const char *data;
    gsize length;
} GlintSpmBytes;

typedef struct {
    GlintSpmBytes text; /* valid UTF-8, not empty */
    float score;
    GlintSpmType type;
} GlintSpmPiece;

typedef struct {
    GArray *pieces; /* GlintSpmPiece; the index is the id */
    guint32 unk;    /* id of the one unknown piece */
    /* trainer_spec */
    GlintSpmModelType model_type;
    gboolean byte_fallback, whitespace_as_suffix;
    GlintSpmBytes bos, eos; /* names of the pieces */
    /* normalizer_spec */
    gboolean add_dummy_prefix, remove_extra_whitespaces, escape_whitespaces;
    GlintSpmBytes charsmap; /* length 0: identity */
} GlintSpmModel;

/* Reads and checks a model; `bytes` must outlive the result, which points into it. What glint cannot do exactly (models by word or
 * character, white space as suffix, denormalizers) is refused by name. */
gboolean glint_spm_model_read(GlintSpmModel *self, const char *bytes, gsize length, GError **error);
void glint_spm_model_clear(GlintSpmModel *self);
