/* Encoding with sparse autoencoders. See sae.h for the formulas; the names of cfg.json are SAELens'.
 *
 * Products run on the same kernels as the model's, in f32. Unless a row's largest must be known (top-k), only the columns of the
 * kept features are packed and multiplied. */
#include "collect/sae.h"
#include "base/error.h"
#include "base/files.h"
#include "base/safetensors.h"
#include "model/dnn.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNK_ROWS = 1024 /* encoded at a time */ };

typedef enum { RELU, JUMPRELU, TOPK } Kind;
static const char *const kind_names[] = {"relu", "jumprelu", "topk"};

struct GlintSae {
    char *folder, *sha256;
    GlintSite reads;
    Kind kind;
    gsize width_in, width, k; /* k: of top-k */
    gboolean apply_b_dec, by_decoder_norm;
    GlintSafetensors *file;
    const GlintTensor *w_enc, *b_enc, *w_dec, *b_dec, *threshold; /* as needed, else NULL */
    /* after keep */
    gsize n_kept, n_packed;   /* features delivered; multiplied */
    gsize *kept;              /* which features those are; NULL = all */
    float *cut, *shift;       /* threshold of each packed feature; b_dec */
    GliDevice *device;
    GliLinear *linear;
    float *input, *all;       /* scratch: CHUNK_ROWS x width_in if shifted; CHUNK_ROWS x width of top-k */
};

static void drop_packed(GlintSae *self)
{
    if (self->linear)
        gli_dnn.release(self->linear);
    if (self->device)
        gli_dnn.close(self->device);
    self->linear = NULL;
    self->device = NULL;
    g_clear_pointer(&self->kept, g_free);
    g_clear_pointer(&self->cut, g_free);
    g_clear_pointer(&self->shift, g_free);
    g_clear_pointer(&self->input, g_free);
    g_clear_pointer(&self->all, g_free);
    self->n_kept = self->n_packed = 0;
}

void glint_sae_free(GlintSae *self)
{
    if (!self)
        return;
    drop_packed(self);
    glint_safetensors_free(self->file);
    g_free(self->folder);
    g_free(self->sha256);
    g_free(self);
}

const GlintSite *glint_sae_reads(const GlintSae *self) { return &self->reads; }
GlintSite glint_sae_site(const GlintSae *self) { return (GlintSite){GLINT_SITE_SAE(self->reads.kind), self->reads.layer}; }
gsize glint_sae_width_in(const GlintSae *self) { return self->width_in; }
gsize glint_sae_width(const GlintSae *self) { return self->width; }
gsize glint_sae_n_kept(const GlintSae *self) { return self->n_kept; }
const gsize *glint_sae_kept(const GlintSae *self, gsize *n)
{
    *n = self->n_kept;
    return self->kept;
}

const char *glint_sae_kind(const GlintSae *self) { return kind_names[self->kind]; }
const char *glint_sae_sha256(const GlintSae *self) { return self->sha256; }

/* ---- cfg.json ---- */

/* Of cfg.json itself, or of its "metadata", where newer versions keep what is not arithmetic. */
static const json_t *setting(const json_t *config, const char *key)
{
    const json_t *value = json_object_get(config, key);
    if (!value || json_is_null(value))
        value = json_object_get(json_object_get(config, "metadata"), key);
    return json_is_null(value) ? NULL : value;
}

static gboolean refuse(const GlintSae *self, GError **error, const char *what)
{
    return glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s/cfg.json: %s", self->folder, what);
}

/* What must have one of the values that mean "nothing". */
static gboolean check_neutral(const GlintSae *self, const json_t *config, GError **error)
{
    static const struct { const char *key, *neutral, *also, *cure; } keys[] = {
        {"normalize_activations", "none", "none", "fold the scaling factor into the weights first (SAELens: fold_activation_norm_scaling_factor)"},
        {"reshape_activations", "none", "hook_z", "only none and hook_z are supported"},
    };
    for (gsize k = 0; k < G_N_ELEMENTS(keys); k++) {
        const char *value = json_string_value(setting(config, keys[k].key));
        if (value && strcmp(value, keys[k].neutral) != 0 && strcmp(value, keys[k].also) != 0) {
            g_autofree char *what = g_strdup_printf("%s is \"%s\", which glint does not apply; %s", keys[k].key, value, keys[k].cure);
            return refuse(self, error, what);
        }
    }
    if (json_is_true(setting(config, "finetuning_scaling_factor")))
        return refuse(self, error, "finetuning_scaling_factor is set, and glint does not apply that factor; fold it into the weights first");
    if (setting(config, "hook_head_index"))
        return refuse(self, error, "hook_head_index is set: an SAE of a single head is not supported");
    return TRUE;
}

static gboolean parse_kind(GlintSae *self, const json_t *config, GError **error)
{
    const char *architecture = json_string_value(setting(config, "architecture")), *function = json_string_value(setting(config, "activation_fn_str"));
    const json_t *k = setting(config, "k");
    architecture = architecture ? architecture : "standard";
    function = function ? function : json_string_value(setting(config, "activation_fn"));
    if (strcmp(architecture, "jumprelu") == 0)
        self->kind = JUMPRELU;
    else if (strcmp(architecture, "topk") == 0 || (strcmp(architecture, "standard") == 0 && g_strcmp0(function, "topk") == 0))
        self->kind = TOPK;
    else if (strcmp(architecture, "standard") == 0 && (!function || strcmp(function, "relu") == 0))
        self->kind = RELU;
    else {
        g_autofree char *what = g_strdup_printf("architecture \"%s\"%s%s is not supported (standard with ReLU, jumprelu and topk are; SAELens saves batch top-k as jumprelu)",
                                                architecture, function ? " with activation " : "", function ? function : "");
        return refuse(self, error, what);
    }
    if (!k)
        k = json_object_get(setting(config, "activation_fn_kwargs"), "k");
    if (self->kind == TOPK && (!json_is_integer(k) || json_integer_value(k) < 1))
        return refuse(self, error, "top-k needs \"k\", a whole number of at least 1");
    self->k = self->kind == TOPK ? (gsize)json_integer_value(k) : 0;
    self->by_decoder_norm = self->kind == TOPK && json_is_true(setting(config, "rescale_acts_by_decoder_norm"));
    self->apply_b_dec = !json_is_false(setting(config, "apply_b_dec_to_input")); /* SAELens: true where it is not said */
    return TRUE;
}

static gboolean parse_site(GlintSae *self, const json_t *config, GError **error)
{
    const char *hook = json_string_value(setting(config, "hook_name"));
    gint64 layer = -1;
    if (!hook)
        return refuse(self, error, "hook_name is missing: it is not known which site the SAE reads");
    if (!glint_site_parse(hook, &self->reads.kind, &layer, error) || layer < 0 || glint_site_is_sae(self->reads.kind)) {
        if (error && *error)
            g_prefix_error(error, "%s/cfg.json, hook_name: ", self->folder);
        else
            glint_fail(error, GLINT_ERROR_UNSUPPORTED, "%s/cfg.json: hook_name \"%s\" names no layer of a site; blocks.5.hook_resid_post is how it is written", self->folder, hook);
        return FALSE;
    }
    self->reads.layer = (gsize)layer;
    return TRUE;
}

/* ---- weights ---- */

static gboolean take_tensor(GlintSae *self, const char *name, gsize rows, gsize columns, const GlintTensor **out, GError **error)
{
    const GlintTensor *tensor = glint_safetensors_find(self->file, name);
    const int n_dims = rows > 0 ? 2 : 1;
    gboolean fits = tensor && tensor->n_dims == n_dims && tensor->shape[n_dims - 1] == columns && (rows == 0 || tensor->shape[0] == rows) &&
                    (tensor->type == GLINT_ST_F32 || tensor->type == GLINT_ST_BF16 || tensor->type == GLINT_ST_F16 || tensor->type == GLINT_ST_F64);
    if (!fits && rows > 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: a tensor %s [%zu, %zu] of floats is expected", glint_safetensors_path(self->file), name, rows, columns);
    if (!fits)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: a tensor %s [%zu] of floats is expected", glint_safetensors_path(self->file), name, columns);
    *out = tensor;
    return TRUE;
}

static gboolean take_tensors(GlintSae *self, GError **error)
{
    const GlintTensor *encoder = glint_safetensors_find(self->file, "W_enc");
    if (!encoder || encoder->n_dims != 2 || encoder->n == 0)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: no matrix W_enc in it; an SAE that SAELens saved is expected", glint_safetensors_path(self->file));
    self->width_in = encoder->shape[0];
    self->width = encoder->shape[1];
    if (self->k > self->width)
        return refuse(self, error, "k is more than there are features");
    return take_tensor(self, "W_enc", self->width_in, self->width, &self->w_enc, error) && take_tensor(self, "b_enc", 0, self->width, &self->b_enc, error) &&
           (!self->apply_b_dec || take_tensor(self, "b_dec", 0, self->width_in, &self->b_dec, error)) &&
           (!self->by_decoder_norm || take_tensor(self, "W_dec", self->width, self->width_in, &self->w_dec, error)) &&
           (self->kind != JUMPRELU || take_tensor(self, "threshold", 0, self->width, &self->threshold, error));
}

static gboolean check_widths(const GlintSae *self, const json_t *config, GError **error)
{
    const json_t *in = setting(config, "d_in"), *out = setting(config, "d_sae");
    if ((in && json_integer_value(in) != (json_int_t)self->width_in) || (out && json_integer_value(out) != (json_int_t)self->width))
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: cfg.json says d_in %" JSON_INTEGER_FORMAT " and d_sae %" JSON_INTEGER_FORMAT ", but W_enc is %zu x %zu", self->folder,
                          json_integer_value(in), json_integer_value(out), self->width_in, self->width);
    return TRUE;
}

GlintSae *glint_sae_open(const char *folder, GError **error)
{
    g_autoptr(GlintSae) self = g_new0(GlintSae, 1);
    g_autofree char *config_path = g_build_filename(folder, "cfg.json", NULL), *weights_path = g_build_filename(folder, "sae_weights.safetensors", NULL);
    self->folder = g_strdup(folder);
    g_autoptr(json_t) config = glint_json_read(config_path, error);
    if (!config || !check_neutral(self, config, error) || !parse_kind(self, config, error) || !parse_site(self, config, error))
        return NULL;
    self->file = glint_safetensors_open(weights_path, error);
    if (!self->file || !take_tensors(self, error) || !check_widths(self, config, error))
        return NULL;
    if (glint_safetensors_find(self->file, "scaling_factor")) {
        refuse(self, error, "sae_weights.safetensors holds a scaling_factor, which glint does not apply; fold it into the weights first");
        return NULL;
    }
    g_autofree char *of_config = glint_sha256_file(config_path, error), *of_weights = of_config ? glint_sha256_file(weights_path, error) : NULL;
    if (!of_weights)
        return NULL;
    g_autofree char *both = g_strconcat(of_config, of_weights, NULL);
    self->sha256 = glint_sha256_bytes(both, strlen(both));
    return g_steal_pointer(&self);
}

/* ---- packing ---- */

static float *floats_of(const GlintTensor *tensor)
{
    float *values = g_try_new(float, tensor->n);
    if (values)
        glint_tensor_to_f32(tensor, 0, tensor->n, values);
    return values;
}

/* The length of each row of W_dec. */
static void scale_by_decoder(const GlintSae *self, float *scale)
{
    g_autofree float *row = g_new(float, self->width_in);
    for (gsize j = 0; j < self->width; j++) {
        double sum = 0;
        glint_tensor_to_f32(self->w_dec, j * self->width_in, self->width_in, row);
        for (gsize i = 0; i < self->width_in; i++)
            sum += (double)row[i] * (double)row[i];
        scale[j] = (float)sqrt(sum);
    }
}

/* W [width_in, n_packed] and b [n_packed] of the packed columns. */
static gboolean gather(GlintSae *self, const gsize *column, float *weight, float *bias, GError **error)
{
    g_autofree float *row = g_new(float, self->width), *scale = self->by_decoder_norm ? g_new(float, self->width) : NULL;
    gboolean finite = TRUE;
    if (scale)
        scale_by_decoder(self, scale);
    for (gsize i = 0; i <= self->width_in; i++) { /* the bias is one more row */
        float *to = i < self->width_in ? weight + i * self->n_packed : bias;
        glint_tensor_to_f32(i < self->width_in ? self->w_enc : self->b_enc, i < self->width_in ? i * self->width : 0, self->width, row);
        for (gsize j = 0; j < self->n_packed; j++) {
            to[j] = row[column[j]] * (scale ? scale[column[j]] : 1);
            finite = finite && isfinite(to[j]);
        }
    }
    return finite || glint_fail(error, GLINT_ERROR_FORMAT, "%s: W_enc or b_enc holds values that are not finite", glint_safetensors_path(self->file));
}

static gboolean fail_memory(const GlintSae *self, GError **error)
{
    return glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory for the encoder of %zu x %zu", self->folder, self->width_in, self->n_packed);
}

static gboolean pack(GlintSae *self, const gsize *column, int threads, GError **error)
{
    g_autofree float *weight = g_try_malloc_n(self->width_in, self->n_packed * sizeof *weight), *bias = g_try_new(float, self->n_packed);
    if (!weight || !bias)
        return fail_memory(self, error);
    if (!gather(self, column, weight, bias, error))
        return FALSE;
    self->device = gli_dnn.open(FALSE, threads, error);
    self->linear = self->device ? gli_dnn.pack(self->device, self->n_packed, self->width_in, TRUE, weight, bias, error) : NULL;
    return self->linear != NULL;
}

gboolean glint_sae_keep(GlintSae *self, const gsize *features, gsize n, int threads, GError **error)
{
    drop_packed(self);
    const gsize n_kept = features ? n : self->width;
    g_autofree gsize *column = g_new(gsize, MAX(self->width, n_kept) + 1);
    for (gsize j = 0; j < self->width; j++)
        column[j] = j;
    self->kept = features ? g_memdup2(features, n * sizeof *features) : NULL;
    const gboolean rank_all = features && self->kind == TOPK;
    if (features && !rank_all)
        memcpy(column, features, n * sizeof *features);
    self->n_packed = rank_all ? self->width : n_kept;
    if (!pack(self, column, threads, error))
        return FALSE;
    if (self->threshold) {
        g_autofree float *all = floats_of(self->threshold);
        self->cut = g_new(float, self->n_packed);
        if (!all)
            return fail_memory(self, error);
        for (gsize j = 0; j < self->n_packed; j++)
            self->cut[j] = all[column[j]];
    }
    self->shift = self->b_dec ? floats_of(self->b_dec) : NULL;
    self->input = self->shift ? g_try_malloc_n(self->width_in, CHUNK_ROWS * sizeof(float)) : NULL;
    self->all = rank_all ? g_try_malloc_n(self->width, CHUNK_ROWS * sizeof(float)) : NULL;
    if ((self->b_dec && !self->input) || (rank_all && !self->all))
        return fail_memory(self, error);
    self->n_kept = n_kept;
    return TRUE;
}

double glint_sae_bytes(const GlintSae *self, gsize kept, gsize tokens)
{
    const double packed = self->kind == TOPK ? (double)self->width : (double)kept;
    return sizeof(float) * ((double)self->width_in * packed + (double)tokens * (double)kept + CHUNK_ROWS * ((double)self->width_in + (self->kind == TOPK ? packed : 0)));
}

/* ---- encoding ---- */

/* Puts x in place of the root of a heap whose root is its smallest. */
static void replace_root(float *heap, gsize k, float x)
{
    gsize at = 0;
    for (gsize child = 1; child < k; at = child, child = 2 * at + 1) {
        child += child + 1 < k && heap[child + 1] < heap[child];
        if (x <= heap[child])
            break;
        heap[at] = heap[child];
    }
    heap[at] = x;
}

static gint by_value(gconstpointer a, gconstpointer b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* The k largest keep their value if it is positive; of equal ones at the border, those that come first. `heap` is scratch of k. */
static void top_k(float *row, gsize width, gsize k, float *heap)
{
    gsize above = 0;
    memcpy(heap, row, k * sizeof *heap);
    qsort(heap, k, sizeof *heap, by_value);
    for (gsize j = k; j < width; j++)
        if (row[j] > heap[0])
            replace_root(heap, k, row[j]);
    const float border = heap[0];
    for (gsize j = 0; j < width; j++)
        above += row[j] > border;
    gsize ties = k - above;
    for (gsize j = 0; j < width; j++) {
        gboolean chosen = row[j] > border || (row[j] == border && ties > 0);
        ties -= row[j] == border && ties > 0;
        row[j] = chosen && row[j] > 0 ? row[j] : 0;
    }
}

static void activate_row(const GlintSae *self, float *row, float *heap)
{
    switch (self->kind) {
    case RELU:
        for (gsize j = 0; j < self->n_packed; j++)
            row[j] = row[j] > 0 ? row[j] : 0;
        break;
    case JUMPRELU:
        for (gsize j = 0; j < self->n_packed; j++)
            row[j] = row[j] > 0 && row[j] > self->cut[j] ? row[j] : 0;
        break;
    case TOPK:
        top_k(row, self->n_packed, self->k, heap);
        break;
    }
}

static gboolean encode_chunk(GlintSae *self, const float *rows, gsize n, float *out, GError **error)
{
    float *to = self->all ? self->all : out;
    if (self->shift) {
#pragma omp parallel for schedule(static)
        for (gsize r = 0; r < n; r++)
            for (gsize i = 0; i < self->width_in; i++)
                self->input[r * self->width_in + i] = rows[r * self->width_in + i] - self->shift[i];
        rows = self->input;
    }
    if (!gli_dnn.run(self->linear, n, rows, to, error))
        return FALSE;
#pragma omp parallel
    {
        g_autofree float *heap = self->k ? g_new(float, self->k) : NULL;
#pragma omp for schedule(static)
        for (gsize r = 0; r < n; r++) {
            activate_row(self, to + r * self->n_packed, heap);
            for (gsize j = 0; self->all && j < self->n_kept; j++)
                out[r * self->n_kept + j] = to[r * self->n_packed + self->kept[j]];
        }
    }
    return TRUE;
}

gboolean glint_sae_encode(GlintSae *self, const float *rows, gsize n, float *out, GError **error)
{
    g_return_val_if_fail(self->n_kept > 0, FALSE);
    for (gsize first = 0; first < n; first += CHUNK_ROWS)
        if (!encode_chunk(self, rows + first * self->width_in, MIN((gsize)CHUNK_ROWS, n - first), out + first * self->n_kept, error))
            return FALSE;
    return TRUE;
}
