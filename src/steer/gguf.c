/* Control vectors. See gguf.h. */
#include "steer/gguf.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define BATCH_TOKENS 2048

enum { VERSION = 3, ALIGNMENT = 32, TENSOR_F32 = 0 };
enum { VALUE_I32 = 5, VALUE_STRING = 8, VALUE_F64 = 12 }; /* types of metadata */

void glint_steer_direction_free(GlintSteerDirection *self)
{
    if (!self)
        return;
    g_free(self->values);
    g_free(self);
}

/* ---- measuring ---- */

typedef struct { GArray *rows; } Recorder; /* of float */

static gboolean record(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer user_data, GError **error)
{
    Recorder *self = user_data;
    (void)site;
    (void)error;
    g_array_set_size(self->rows, 0);
    g_array_append_vals(self->rows, rows, (guint)(batch->start[batch->n_sequences] * width));
    return TRUE;
}

typedef struct {
    GlintModel *model;
    GlintSteering steering;
    GlintSite site;      /* where the change is read */
    gsize n, positions;
    double *sum, squares; /* of the change, over positions */
} Change;

/* Adds the change at every position of a batch. */
static gboolean add_change(Change *self, const GlintBatch *batch, GError **error)
{
    g_autoptr(GArray) before = g_array_new(FALSE, FALSE, sizeof(float)), after = g_array_new(FALSE, FALSE, sizeof(float));
    Recorder unsteered = {before}, steered = {after};
    const GlintTap watch = {.site = self->site, .function = record, .user_data = &unsteered, .only_reads = TRUE};
    const GlintTap taps[] = {glint_steering_tap(&self->steering), {.site = self->site, .function = record, .user_data = &steered, .only_reads = TRUE}};
    if (!glint_check_interrupt(error) || !glint_model_forward(self->model, batch, &watch, 1, GLINT_LOGITS_NONE, NULL, error) ||
        !glint_model_forward(self->model, batch, taps, 2, GLINT_LOGITS_NONE, NULL, error))
        return FALSE;
    for (gsize s = 0; s < batch->n_sequences; s++)
        for (gsize t = batch->start[s] + self->steering.skip; t < batch->start[s + 1]; t++, self->positions++)
            for (gsize i = 0; i < self->n; i++) {
                const double change = (double)g_array_index(after, float, t * self->n + i) - (double)g_array_index(before, float, t * self->n + i);
                self->sum[i] += change;
                self->squares += change * change;
            }
    return TRUE;
}

static gboolean add_texts(Change *self, const GlintSteerTexts *texts, GError **error)
{
    const gsize n = glint_steer_texts_count(texts);
    for (gsize first = 0, last; first < n; first = last) {
        const gsize from = g_array_index(texts->start, gsize, first);
        g_autoptr(GArray) start = g_array_new(FALSE, FALSE, sizeof(gsize));
        const gsize zero = 0;
        g_array_append_val(start, zero);
        for (last = first; last < n && (last == first || g_array_index(texts->start, gsize, last + 1) - from <= BATCH_TOKENS); last++) {
            const gsize end = g_array_index(texts->start, gsize, last + 1) - from;
            g_array_append_val(start, end);
        }
        const GlintBatch batch = {&g_array_index(texts->tokens, guint32, from), (const gsize *)(void *)start->data, last - first};
        if (!add_change(self, &batch, error))
            return FALSE;
    }
    return TRUE;
}

GlintSteerDirection *glint_steer_direction(GlintModel *model, const GlintSteerOperator *operator, double strength, const GlintSteerTexts *texts, gsize skip, GError **error)
{
    const gsize n = glint_model_info(model)->hidden;
    g_autoptr(GlintSteerDirection) self = g_new0(GlintSteerDirection, 1);
    g_autofree double *sum = g_new0(double, n + 1);
    Change change = {.model = model, .steering = {.operator = operator, .strength = strength, .skip = skip},
                     .site = {GLINT_SITE_RESID_POST, operator->site.layer}, .n = n, .sum = sum};
    double length = 0;
    if (!add_texts(&change, texts, error))
        return NULL;
    if (change.positions == 0 || !(change.squares > 0) || !isfinite(change.squares)) {
        glint_fail(error, GLINT_ERROR_DATA, "at strength %g the operator %s of layer %zu: there is no direction to write", strength,
                   change.squares > 0 ? "changes the residual by numbers that are not finite" : "changes nothing behind the layer", operator->site.layer);
        return NULL;
    }
    *self = (GlintSteerDirection){.layer = operator->site.layer, .n = n, .strength = strength, .values = g_new(double, n + 1), .positions = change.positions};
    for (gsize i = 0; i < n; i++) {
        self->values[i] = sum[i] / (double)change.positions;
        length += self->values[i] * self->values[i];
    }
    self->explained = (double)change.positions * length / change.squares; /* sum |c - m|^2 = sum |c|^2 - P |m|^2 */
    return g_steal_pointer(&self);
}

/* ---- the file ---- */

static void put_u32(GByteArray *out, guint32 value)
{
    value = GUINT32_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&value, sizeof value);
}

static void put_u64(GByteArray *out, guint64 value)
{
    value = GUINT64_TO_LE(value);
    g_byte_array_append(out, (const guint8 *)&value, sizeof value);
}

static void put_string(GByteArray *out, const char *text)
{
    put_u64(out, strlen(text));
    g_byte_array_append(out, (const guint8 *)text, (guint)strlen(text));
}

static void put_text(GByteArray *out, const char *key, const char *text)
{
    g_autofree char *valid = g_utf8_make_valid(text, -1); /* names of classes are what a file called them */
    put_string(out, key);
    put_u32(out, VALUE_STRING);
    put_string(out, valid);
}

static void put_note(GByteArray *out, const GlintGgufNote *note)
{
    g_autofree char *key = g_strconcat("glint.", note->key, NULL);
    if (note->text) {
        put_text(out, key, note->text);
        return;
    }
    guint64 bits;
    memcpy(&bits, &note->number, sizeof bits);
    put_string(out, key);
    put_u32(out, VALUE_F64);
    put_u64(out, bits);
}

static void pad(GByteArray *out)
{
    static const guint8 zeros[ALIGNMENT] = {0};
    g_byte_array_append(out, zeros, (ALIGNMENT - out->len % ALIGNMENT) % ALIGNMENT);
}

static GByteArray *control_vector(const GlintSteerDirection *self, const char *model_hint, const GlintGgufNote *notes)
{
    GByteArray *out = g_byte_array_new();
    g_autofree char *name = g_strdup_printf("direction.%zu", self->layer);
    gsize n_notes = 0;
    while (notes && notes[n_notes].key)
        n_notes++;
    g_byte_array_append(out, (const guint8 *)"GGUF", 4);
    put_u32(out, VERSION);
    put_u64(out, 1);           /* tensors */
    put_u64(out, 3 + n_notes); /* metadata */
    put_text(out, "general.architecture", "controlvector");
    put_text(out, "controlvector.model_hint", model_hint);
    put_string(out, "controlvector.layer_count");
    put_u32(out, VALUE_I32);
    put_u32(out, 1);
    for (gsize k = 0; k < n_notes; k++)
        put_note(out, &notes[k]);
    put_string(out, name);
    put_u32(out, 1); /* dimensions */
    put_u64(out, self->n);
    put_u32(out, TENSOR_F32);
    put_u64(out, 0); /* offset in the data */
    pad(out);
    for (gsize i = 0; i < self->n; i++) {
        const float value = (float)self->values[i];
        guint32 bits;
        memcpy(&bits, &value, sizeof bits);
        put_u32(out, bits);
    }
    pad(out); /* llama.cpp reads whole blocks of the alignment */
    return out;
}

gboolean glint_steer_direction_write(const GlintSteerDirection *self, const char *model_hint, const GlintGgufNote *notes, const char *path, GError **error)
{
    if (self->layer == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "%s: llama.cpp takes no control vector for the first layer (direction.0); steer a layer from 1 on", path);
    g_autoptr(GByteArray) bytes = control_vector(self, model_hint, notes);
    GlintFile *file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    fwrite(bytes->data, 1, bytes->len, glint_file_stream(file));
    return glint_file_commit(file, error);
}
