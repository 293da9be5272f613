/* The weight files of a Hugging Face folder, mapped, checked, and found by role. See checkpoint.h. */
#include "model/checkpoint.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "model/ops.h"
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct {
    const GlintTensor *tensor;
    const GlintSafetensors *file;
    gboolean used;
} Entry;

struct GliCheckpoint {
    char *folder, *index_path; /* index_path: what a missing tensor is reported against */
    GPtrArray *files;          /* of GlintSafetensors, owned */
    GHashTable *entries;       /* name -> Entry, names lie in the files */
    GHashTable *owners;        /* GlintTensor* -> Entry* */
    const char *prefix;        /* set by bind */
    char *head_name;           /* name of the output matrix, or NULL when it is the embedding */
    char *tokens_name;
    char *twin_name;           /* of a tied matrix that is stored a second time */
};

static gboolean add_file(GliCheckpoint *self, const char *path, GError **error)
{
    GlintSafetensors *file = glint_safetensors_open(path, error);
    if (!file)
        return FALSE;
    g_ptr_array_add(self->files, file);
    for (gsize i = 0; i < glint_safetensors_count(file); i++) {
        const GlintTensor *tensor = glint_safetensors_at(file, i);
        const Entry *other = g_hash_table_lookup(self->entries, tensor->name);
        if (other)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: tensor '%s' is also in %s", path, tensor->name, glint_safetensors_path(other->file));
        Entry *entry = g_new0(Entry, 1);
        *entry = (Entry){tensor, file, FALSE};
        g_hash_table_insert(self->entries, (gpointer)tensor->name, entry);
        g_hash_table_insert(self->owners, (gpointer)tensor, entry);
    }
    return TRUE;
}

/* Shards: every file the index names, once, and every tensor where the index says it is. */
static gboolean add_shards(GliCheckpoint *self, GError **error)
{
    g_autoptr(json_t) index = glint_json_read(self->index_path, error);
    if (!index)
        return FALSE;
    json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: no \"weight_map\"", self->index_path);
    g_autoptr(GHashTable) seen = g_hash_table_new(g_str_hash, g_str_equal);
    const char *tensor;
    json_t *value;
    json_object_foreach(map, tensor, value) {
        const char *name = json_string_value(value);
        if (!name || strchr(name, '/') || !g_str_has_suffix(name, ".safetensors"))
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: the file of '%s' should be the name of a .safetensors file beside it",
                              self->index_path, tensor);
        if (g_hash_table_add(seen, (gpointer)name)) {
            g_autofree char *path = g_build_filename(self->folder, name, NULL);
            if (!add_file(self, path, error))
                return FALSE;
        }
    }
    json_object_foreach(map, tensor, value) {
        const Entry *entry = g_hash_table_lookup(self->entries, tensor);
        g_autofree char *path = g_build_filename(self->folder, json_string_value(value), NULL);
        if (!entry || strcmp(glint_safetensors_path(entry->file), path) != 0)
            return glint_fail(error, GLINT_ERROR_FORMAT, "%s: tensor '%s' is not in this file, although %s says so", path, tensor, self->index_path);
    }
    return TRUE;
}

GliCheckpoint *gli_checkpoint_open(const char *folder, GError **error)
{
    g_autoptr(GliCheckpoint) self = g_new0(GliCheckpoint, 1);
    self->folder = g_strdup(folder);
    self->files = g_ptr_array_new_with_free_func((GDestroyNotify)glint_safetensors_free);
    self->entries = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    self->owners = g_hash_table_new(NULL, NULL);
    g_autofree char *single = g_build_filename(folder, "model.safetensors", NULL);
    if (g_file_test(single, G_FILE_TEST_EXISTS)) {
        self->index_path = g_strdup(single);
        return add_file(self, single, error) ? g_steal_pointer(&self) : NULL;
    }
    self->index_path = g_build_filename(folder, "model.safetensors.index.json", NULL);
    if (!g_file_test(self->index_path, G_FILE_TEST_EXISTS)) {
        glint_fail(error, GLINT_ERROR_IO, "%s: neither model.safetensors nor model.safetensors.index.json is there "
                   "(glint reads the safetensors form of a checkpoint)", folder);
        return NULL;
    }
    return add_shards(self, error) ? g_steal_pointer(&self) : NULL;
}

void gli_checkpoint_free(GliCheckpoint *self)
{
    if (!self)
        return;
    g_hash_table_unref(self->owners);
    g_hash_table_unref(self->entries);
    g_ptr_array_unref(self->files);
    g_free(self->folder);
    g_free(self->index_path);
    g_free(self->head_name);
    g_free(self->tokens_name);
    g_free(self->twin_name);
    g_free(self);
}

static gboolean exists(const GliCheckpoint *self, const char *name) { return g_hash_table_contains(self->entries, name); }

static char *tensor_name(const GliCheckpoint *self, const GliArch *arch, GliRole role, gsize layer, const char *ending)
{
    if (role == GLI_LM_HEAD && strcmp(ending, "weight") == 0)
        return g_strdup(self->head_name ? self->head_name : self->tokens_name);
    if (role == GLI_TOKENS)
        return g_strdup(self->tokens_name);
    if (role < GLI_FIRST_LAYER_ROLE)
        return g_strdup_printf("%s%s.%s", self->prefix, arch->name[role], ending);
    return g_strdup_printf("%s%s%zu.%s.%s", self->prefix, arch->layer_stem, layer, arch->name[role], ending);
}

/* The output matrix is stored beside the model part, sometimes under the wrapper's name. */
static char *find_head(const GliCheckpoint *self, const GliArch *arch)
{
    static const char *const fronts[] = {"", "language_model.", "model."};
    for (gsize i = 0; i < G_N_ELEMENTS(fronts); i++) {
        g_autofree char *name = g_strdup_printf("%s%s.weight", fronts[i], arch->name[GLI_LM_HEAD]);
        if (exists(self, name))
            return g_steal_pointer(&name);
    }
    return NULL;
}

/* The prefix under which the final norm is stored: every model has one, and never under another name. */
static gboolean find_prefix(GliCheckpoint *self, const GliArch *arch, GError **error)
{
    for (const char *const *prefix = arch->prefixes; *prefix; prefix++) {
        g_autofree char *name = g_strdup_printf("%s%s.weight", *prefix, arch->name[GLI_FINAL_NORM]);
        if (exists(self, name)) {
            self->prefix = *prefix;
            return TRUE;
        }
    }
    return glint_fail(error, GLINT_ERROR_FORMAT, "%s: tensor '%s%s.weight' is missing, which every %s model has", self->index_path,
                      arch->prefixes[0], arch->name[GLI_FINAL_NORM], arch->family);
}

/* A checkpoint without any bias is a way of training; one that lacks some of them is worth a word. */
static void settle_biases(const GliCheckpoint *self, GliArch *arch)
{
    g_autofree char *missing = NULL;
    gsize n_present = 0;
    for (int role = 0; role < GLI_ROLE_COUNT; role++) {
        if (arch->bias[role] != GLI_BIAS_IF_PRESENT)
            continue;
        g_autofree char *name = tensor_name(self, arch, (GliRole)role, 0, "bias");
        arch->bias[role] = exists(self, name) ? GLI_BIAS_REQUIRED : GLI_BIAS_NONE;
        n_present += arch->bias[role] == GLI_BIAS_REQUIRED;
        if (arch->bias[role] == GLI_BIAS_NONE && !missing)
            missing = g_steal_pointer(&name);
    }
    if (missing && n_present)
        glint_warn("%s: tensor '%s' is missing although others of its kind are there; taken as zero, as transformers does", self->index_path, missing);
}

/* GPT-2's linears lie [in, out]; those of minGPT and nanoGPT have the same names and lie [out, in]. The joined projection,
 * three times as wide as high, tells which. */
static void settle_orientation(const GliCheckpoint *self, GliArch *arch)
{
    g_autofree char *name = tensor_name(self, arch, GLI_QKV, 0, "weight");
    const Entry *entry = g_hash_table_lookup(self->entries, name);
    gsize out, in;
    gli_arch_shape(arch, GLI_QKV, &out, &in);
    if (entry && entry->tensor->n_dims == 2 && entry->tensor->shape[0] == out && entry->tensor->shape[1] == in)
        arch->in_out = FALSE;
}

gboolean gli_checkpoint_bind(GliCheckpoint *self, GliArch *arch, GError **error)
{
    if (!find_prefix(self, arch, error))
        return FALSE;
    self->tokens_name = g_strdup_printf("%s%s.weight", self->prefix, arch->name[GLI_TOKENS]);
    self->head_name = find_head(self, arch);
    if (arch->tied && self->head_name) {
        if (exists(self, self->tokens_name)) {
            ((Entry *)g_hash_table_lookup(self->entries, self->head_name))->used = TRUE;
            self->twin_name = g_steal_pointer(&self->head_name);
        } else {
            g_free(self->tokens_name);
            self->tokens_name = g_steal_pointer(&self->head_name);
        }
    } else if (!arch->tied && !self->head_name)
        self->head_name = g_strdup_printf("%s.weight", arch->name[GLI_LM_HEAD]); /* missing: reported when asked for */
    settle_biases(self, arch);
    if (arch->in_out)
        settle_orientation(self, arch);
    return TRUE;
}

static char *shape_text(int n_dims, const gsize *shape)
{
    GString *text = g_string_new("[");
    for (int d = 0; d < n_dims; d++)
        g_string_append_printf(text, "%s%zu", d ? ", " : "", shape[d]);
    return g_string_free(g_string_append(text, "]"), FALSE);
}

static const GlintTensor *find(GliCheckpoint *self, const char *name, int n_dims, const gsize *shape, GError **error)
{
    g_autofree char *expected = shape_text(n_dims, shape);
    Entry *entry = g_hash_table_lookup(self->entries, name);
    if (!entry) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: tensor '%s' is missing (config.json calls for it, of shape %s)", self->index_path, name, expected);
        return NULL;
    }
    const GlintTensor *tensor = entry->tensor;
    const char *path = glint_safetensors_path(entry->file);
    if (tensor->n_dims != n_dims || memcmp(tensor->shape, shape, (gsize)n_dims * sizeof *shape) != 0) {
        g_autofree char *found = shape_text(tensor->n_dims, tensor->shape);
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: tensor '%s' has shape %s, but config.json calls for %s", path, name, found, expected);
        return NULL;
    }
    if (tensor->type != GLINT_ST_F32 && tensor->type != GLINT_ST_F16 && tensor->type != GLINT_ST_BF16 && tensor->type != GLINT_ST_F64) {
        glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: tensor '%s' is stored as %s, a quantized form or no weight at all "
                   "(glint runs F64, F32, F16 and BF16 weights)", path, name, tensor->dtype);
        return NULL;
    }
    entry->used = TRUE;
    return tensor;
}

const GlintTensor *gli_checkpoint_weight(GliCheckpoint *self, const GliArch *arch, GliRole role, gsize layer, GError **error)
{
    gsize out, in;
    gli_arch_shape(arch, role, &out, &in);
    const gboolean swapped = arch->in_out && gli_role_is_linear(role) && role != GLI_LM_HEAD;
    const gsize shape[2] = {swapped ? in : out, swapped ? out : in};
    g_autofree char *name = tensor_name(self, arch, role, layer, "weight");
    return find(self, name, in ? 2 : 1, shape, error);
}

const GlintTensor *gli_checkpoint_bias(GliCheckpoint *self, const GliArch *arch, GliRole role, gsize layer, GError **error)
{
    gsize shape[1], in;
    gli_arch_shape(arch, role, shape, &in);
    g_autofree char *name = tensor_name(self, arch, role, layer, "bias");
    return find(self, name, 1, shape, error);
}

const char *gli_checkpoint_file(const GliCheckpoint *self, const GlintTensor *tensor)
{
    const Entry *entry = g_hash_table_lookup(self->owners, tensor);
    return entry ? glint_safetensors_path(entry->file) : self->index_path;
}

static gboolean check_used(const GliCheckpoint *self, const GliArch *arch, GError **error)
{
    for (guint f = 0; f < self->files->len; f++) {
        const GlintSafetensors *file = g_ptr_array_index(self->files, f);
        for (gsize i = 0; i < glint_safetensors_count(file); i++) {
            const char *name = glint_safetensors_at(file, i)->name;
            gboolean known = ((const Entry *)g_hash_table_lookup(self->entries, name))->used;
            for (const char *const *pattern = arch->ignore; !known && *pattern; pattern++)
                known = g_pattern_match_simple(*pattern, name);
            if (!known)
                return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s: tensor '%s' has no place in a %s model of %zu layers as config.json describes it",
                                  glint_safetensors_path(file), name, arch->family, arch->n_layers);
        }
    }
    return TRUE;
}

gboolean gli_checkpoint_check_tensors(GliCheckpoint *self, const GliArch *arch, GError **error)
{
    for (int r = 0; r < GLI_ROLE_COUNT; r++) {
        const GliRole role = (GliRole)r;
        for (gsize l = 0; arch->name[role] && l < (role < GLI_FIRST_LAYER_ROLE ? 1 : arch->n_layers); l++)
            if (!gli_checkpoint_weight(self, arch, role, l, error) ||
                (arch->bias[role] != GLI_BIAS_NONE && !gli_checkpoint_bias(self, arch, role, l, error)))
                return FALSE;
    }
    return check_used(self, arch, error);
}

/* Both matrices stored although config.json ties them: only when they are the same does "tied" say which one counts. */
gboolean gli_checkpoint_check_tied(const GliCheckpoint *self, GError **error)
{
    if (!self->twin_name)
        return TRUE;
    const Entry *twin = g_hash_table_lookup(self->entries, self->twin_name), *tokens = g_hash_table_lookup(self->entries, self->tokens_name);
    if (twin->tensor->n_bytes == tokens->tensor->n_bytes && memcmp(twin->tensor->data, tokens->tensor->data, twin->tensor->n_bytes) == 0)
        return TRUE;
    return glint_fail(error, GLINT_ERROR_FORMAT, "%s: '%s' and '%s' differ, but config.json says tie_word_embeddings; "
                      "set it to false if both are meant", glint_safetensors_path(twin->file), self->twin_name, self->tokens_name);
}

static gboolean not_finite(const GliCheckpoint *self, const GlintTensor *tensor, GError **error)
{
    return glint_fail(error, GLINT_ERROR_DATA, "%s: tensor '%s' contains NaN or infinite values; the checkpoint is damaged",
                      gli_checkpoint_file(self, tensor), tensor->name);
}

/* Pieces small enough to stay in the cache between conversion and the look at them. */
enum { PIECE = 16384 };

gboolean gli_checkpoint_f32(const GliCheckpoint *self, const GlintTensor *tensor, gsize first, gsize n, float *out, GError **error)
{
    const gsize pieces = (n + PIECE - 1) / PIECE;
    int bad = 0;
#pragma omp parallel for reduction(| : bad) schedule(static)
    for (gsize p = 0; p < pieces; p++) {
        const gsize at = p * PIECE, count = MIN((gsize)PIECE, n - at);
        glint_tensor_to_f32(tensor, first + at, count, out + at);
        bad |= !gli_all_finite(out + at, count);
    }
    return bad ? not_finite(self, tensor, error) : TRUE;
}

gboolean gli_checkpoint_bf16(const GliCheckpoint *self, const GlintTensor *tensor, gsize first, gsize n, guint16 *out, GError **error)
{
    const gsize pieces = (n + PIECE - 1) / PIECE;
    int bad = 0;
#pragma omp parallel for reduction(| : bad) schedule(static)
    for (gsize p = 0; p < pieces; p++) {
        float piece[PIECE];
        const gsize at = p * PIECE, count = MIN((gsize)PIECE, n - at);
        if (tensor->type == GLINT_ST_BF16) {
            memcpy(out + at, (const char *)tensor->data + 2 * (first + at), 2 * count);
            bad |= !gli_all_finite_bf16(out + at, count);
        } else {
            glint_tensor_to_f32(tensor, first + at, count, piece);
            bad |= !gli_all_finite(piece, count);
            gli_to_bf16(piece, count, out + at);
        }
    }
    return bad ? not_finite(self, tensor, error) : TRUE;
}

gboolean gli_checkpoint_scan(const GliCheckpoint *self, const GlintTensor *tensor, GError **error)
{
    const gsize pieces = (tensor->n + PIECE - 1) / PIECE;
    int bad = 0;
#pragma omp parallel for reduction(| : bad) schedule(static)
    for (gsize p = 0; p < pieces; p++) {
        float piece[PIECE];
        const gsize at = p * PIECE, count = MIN((gsize)PIECE, tensor->n - at);
        if (tensor->type == GLINT_ST_BF16 && (gsize)tensor->data % 2 == 0) {
            bad |= !gli_all_finite_bf16((const guint16 *)tensor->data + at, count);
        } else {
            glint_tensor_to_f32(tensor, at, count, piece);
            bad |= !gli_all_finite(piece, count);
        }
    }
    return bad ? not_finite(self, tensor, error) : TRUE;
}

void gli_checkpoint_drop(const GlintTensor *tensor)
{
    const gsize page = (gsize)sysconf(_SC_PAGESIZE);
    const gsize begin = ((gsize)tensor->data + page - 1) / page * page, end = ((gsize)tensor->data + tensor->n_bytes) / page * page;
    if (end > begin)
        madvise((void *)begin, end - begin, MADV_DONTNEED); /* file-backed and unmodified: nothing can be lost */
}

gsize gli_checkpoint_parameters(const GliCheckpoint *self)
{
    gsize n = 0;
    GHashTableIter iter;
    gpointer entry;
    g_hash_table_iter_init(&iter, self->entries);
    while (g_hash_table_iter_next(&iter, NULL, &entry)) {
        const Entry *one = entry;
        if (one->used && g_strcmp0(one->tensor->name, self->twin_name) != 0)
            n += one->tensor->n;
    }
    return n;
}

GlintTensorType gli_checkpoint_type(const GliCheckpoint *self)
{
    gsize n[GLINT_ST_OTHER + 1] = {0};
    GHashTableIter iter;
    gpointer entry;
    g_hash_table_iter_init(&iter, self->entries);
    while (g_hash_table_iter_next(&iter, NULL, &entry))
        n[((const Entry *)entry)->tensor->type] += ((const Entry *)entry)->used ? ((const Entry *)entry)->tensor->n : 0;
    int most = GLINT_ST_F32;
    for (int type = 0; type <= GLINT_ST_OTHER; type++)
        if (n[type] > n[most])
            most = type;
    return (GlintTensorType)most;
}

gsize gli_checkpoint_file_bytes(const GliCheckpoint *self, gsize *n_files)
{
    gsize bytes = 0;
    for (guint f = 0; f < self->files->len; f++) {
        const GlintSafetensors *file = g_ptr_array_index(self->files, f);
        for (gsize i = 0; i < glint_safetensors_count(file); i++)
            bytes += glint_safetensors_at(file, i)->n_bytes;
    }
    *n_files = self->files->len;
    return bytes;
}

static int by_name(gconstpointer a, gconstpointer b) { return strcmp(*(char *const *)a, *(char *const *)b); }

char **gli_checkpoint_paths(const GliCheckpoint *self)
{
    GPtrArray *paths = g_ptr_array_new();
    g_ptr_array_add(paths, g_build_filename(self->folder, "config.json", NULL));
    for (guint f = 0; f < self->files->len; f++)
        g_ptr_array_add(paths, g_strdup(glint_safetensors_path(g_ptr_array_index(self->files, f))));
    g_ptr_array_sort(paths, by_name);
    g_ptr_array_add(paths, NULL);
    return (char **)g_ptr_array_free(paths, FALSE);
}
