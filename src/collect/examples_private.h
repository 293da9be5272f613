/* What examples.c (streaming) and examples_file.c (safetensors) share: the inside of GlintExamples. */
#pragma once
#include "collect/examples.h"

/* One kind of list, for every column: sorted, best first. */
typedef struct {
    gsize capacity;
    guint32 *n;            /* width */
    GlintExample *entries; /* width * capacity */
    float *limit;          /* width: what a priority must reach to be looked at; -inf while there is room */
} GlintExampleList;

/* A token of `rows`. */
typedef struct {
    guint64 hash; /* smaller stays */
    guint32 text, position;
    gsize slot;   /* its row of row_values */
} GlintExampleRow;

struct GlintExamples {
    gsize width, k, n_tokens;
    guint64 seed;
    GlintExampleList top, bottom, spread;
    gsize n_rows;
    GlintExampleRow *rows; /* GLINT_EXAMPLES_ROWS, sorted */
    float *row_values;     /* [GLINT_EXAMPLES_ROWS, width] */
};

/* Sets `limit` from the entries. */
void glint_example_list_limit(GlintExampleList *self, gsize column);
/* Whether `a` comes before `b` in a list. */
static inline gboolean glint_example_before(const GlintExample *a, const GlintExample *b)
{
    if (a->priority != b->priority)
        return a->priority > b->priority;
    return a->text != b->text ? a->text < b->text : a->position < b->position;
}

static inline gboolean glint_example_row_before(const GlintExampleRow *a, const GlintExampleRow *b)
{
    if (a->hash != b->hash)
        return a->hash < b->hash;
    return a->text != b->text ? a->text < b->text : a->position < b->position;
}
