/* Vocabulary: all token texts lie in one arena, found by id through an offset table and by text through an open-addressing
 * table of ids, which keeps the hashes so that texts that differ are rarely looked at. 262k tokens take about 12 MB. */
#include "text/vocabulary.h"

#include "base/error.h"
#include "text/tokenizer_utf8.h"

#include <string.h>

#define ABSENT G_MAXUINT32
#define MAX_ARENA (G_MAXUINT32 / 2)

typedef struct {
    guint32 offset, length; /* in the arena; offset ABSENT: no token of this id */
} Entry;

typedef struct {
    guint32 id, hash; /* id ABSENT: free */
} Slot;

struct GlintVocabulary {
    GString *arena;
    GArray *entries; /* Entry by id */
    Slot *slots;
    gsize n_tokens, mask;
};

guint64 glint_mix(guint64 x)
{
    x ^= x >> 32;
    x *= G_GUINT64_CONSTANT(0xD6E8FEB86659FD93);
    x ^= x >> 32;
    x *= G_GUINT64_CONSTANT(0xD6E8FEB86659FD93);
    return x ^ x >> 32;
}

guint32 glint_text_hash(const char *text, gsize length)
{
    guint64 h = length;
    for (; length >= 8; text += 8, length -= 8) {
        guint64 word;
        memcpy(&word, text, 8);
        h = glint_mix(h ^ word);
    }
    guint64 rest = 0;
    if (length > 0)
        memcpy(&rest, text, length);
    return (guint32)glint_mix(h ^ rest ^ (guint64)length << 56);
}

static Slot *new_slots(gsize n)
{
    Slot *slots = g_new(Slot, n);
    memset(slots, 0xFF, n * sizeof *slots);
    return slots;
}

GlintVocabulary *glint_vocabulary_new(void)
{
    GlintVocabulary *self = g_new0(GlintVocabulary, 1);
    self->arena = g_string_new(NULL);
    self->entries = g_array_new(FALSE, FALSE, sizeof(Entry));
    self->mask = 1023;
    self->slots = new_slots(self->mask + 1);
    return self;
}

void glint_vocabulary_free(GlintVocabulary *self)
{
    if (!self)
        return;
    g_free(self->slots);
    g_array_unref(self->entries);
    g_string_free(self->arena, TRUE);
    g_free(self);
}

/* Where `token` is in the table of ids, or the free place where it would go. */
static Slot *find_slot(const GlintVocabulary *self, const char *token, gsize length, guint32 hash)
{
    for (gsize i = hash & self->mask;; i = (i + 1) & self->mask) {
        Slot *slot = &self->slots[i];
        if (slot->id == ABSENT)
            return slot;
        if (slot->hash != hash)
            continue;
        Entry entry = g_array_index(self->entries, Entry, slot->id);
        if (entry.length == length && memcmp(self->arena->str + entry.offset, token, length) == 0)
            return slot;
    }
}

static void resize(GlintVocabulary *self, gsize n)
{
    g_autofree Slot *old = self->slots;
    gsize n_old = self->mask + 1;
    self->slots = new_slots(n);
    self->mask = n - 1;
    for (gsize k = 0; k < n_old; k++) {
        gsize i = old[k].hash & self->mask;
        while (old[k].id != ABSENT && self->slots[i].id != ABSENT)
            i = (i + 1) & self->mask;
        if (old[k].id != ABSENT)
            self->slots[i] = old[k];
    }
}

void glint_vocabulary_reserve(GlintVocabulary *self, gsize n)
{
    gsize size = self->mask + 1;
    while (size < MIN(n, GLINT_MAX_TOKEN_ID) * 2)
        size *= 2;
    if (size > self->mask + 1)
        resize(self, size);
}

gboolean glint_vocabulary_add(GlintVocabulary *self, const char *token, gsize length, gint64 id, GError **error)
{
    if (id < 0 || id > GLINT_MAX_TOKEN_ID)
        return glint_fail(error, GLINT_ERROR_FORMAT, "token \"%.*s\" has the id %" G_GINT64_FORMAT "; ids from 0 to %d were expected",
                          (int)MIN(length, 100), token, id, GLINT_MAX_TOKEN_ID);
    if (length > MAX_ARENA || self->arena->len + length + 1 > MAX_ARENA)
        return glint_fail(error, GLINT_ERROR_FORMAT, "the vocabulary's texts take more than %u bytes", (guint)MAX_ARENA);
    const Entry absent = {ABSENT, 0};
    while (self->entries->len <= (gsize)id)
        g_array_append_val(self->entries, absent);
    Entry *entry = &g_array_index(self->entries, Entry, id);
    if (entry->offset != ABSENT)
        return glint_fail(error, GLINT_ERROR_FORMAT, "tokens \"%s\" and \"%.*s\" have the same id %" G_GINT64_FORMAT, self->arena->str + entry->offset,
                          (int)MIN(length, 100), token, id);
    guint32 hash = glint_text_hash(token, length);
    Slot *slot = find_slot(self, token, length, hash);
    if (slot->id != ABSENT)
        return glint_fail(error, GLINT_ERROR_FORMAT, "token \"%.*s\" occurs twice, with the ids %u and %" G_GINT64_FORMAT, (int)MIN(length, 100), token,
                          slot->id, id);
    *entry = (Entry){(guint32)self->arena->len, (guint32)length};
    g_string_append_len(self->arena, token, (gssize)length);
    g_string_append_c(self->arena, '\0');
    *slot = (Slot){(guint32)id, hash};
    if (++self->n_tokens * 2 > self->mask)
        resize(self, (self->mask + 1) * 2);
    return TRUE;
}

gsize glint_vocabulary_size(const GlintVocabulary *self) { return self->entries->len; }
gsize glint_vocabulary_n(const GlintVocabulary *self) { return self->n_tokens; }

const char *glint_vocabulary_token(const GlintVocabulary *self, guint32 id, gsize *length)
{
    if (id >= self->entries->len)
        return NULL;
    Entry entry = g_array_index(self->entries, Entry, id);
    if (entry.offset == ABSENT)
        return NULL;
    if (length)
        *length = entry.length;
    return self->arena->str + entry.offset;
}

gint64 glint_vocabulary_id(const GlintVocabulary *self, const char *token, gsize length)
{
    return glint_vocabulary_id_hashed(self, token, length, glint_text_hash(token, length));
}

void glint_vocabulary_prefetch(const GlintVocabulary *self, guint32 hash, int step)
{
    const Slot *slot = &self->slots[hash & self->mask];
    if (step == 0)
        __builtin_prefetch(slot);
    else if (slot->id != ABSENT && step == 1)
        __builtin_prefetch(&g_array_index(self->entries, Entry, slot->id));
    else if (slot->id != ABSENT)
        __builtin_prefetch(self->arena->str + g_array_index(self->entries, Entry, slot->id).offset);
}

gint64 glint_vocabulary_id_hashed(const GlintVocabulary *self, const char *token, gsize length, guint32 hash)
{
    guint32 id = find_slot(self, token, length, hash)->id;
    return id == ABSENT ? -1 : (gint64)id;
}

void glint_vocabulary_characters(const GlintVocabulary *self, guint32 *ids, gsize n)
{
    for (gsize c = 0; c < n; c++)
        ids[c] = ABSENT;
    for (guint32 id = 0; id < self->entries->len; id++) {
        Entry entry = g_array_index(self->entries, Entry, id);
        gunichar c = 0;
        if (entry.offset != ABSENT && entry.length > 0 && entry.length <= 4 &&
            glint_utf8_next(self->arena->str + entry.offset, entry.length, &c) == (int)entry.length && c < n)
            ids[c] = id;
    }
}

void glint_vocabulary_byte_tokens(const GlintVocabulary *self, guint32 ids[256])
{
    for (guint b = 0; b < 256; b++) {
        char name[8];
        g_snprintf(name, sizeof name, "<0x%02X>", b);
        gint64 id = glint_vocabulary_id(self, name, 6);
        ids[b] = id < 0 ? ABSENT : (guint32)id;
    }
}
