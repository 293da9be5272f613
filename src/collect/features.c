/* Which features of a sparse autoencoder are kept.
 *
 * An SAE has tens of thousands of features and a second moment of all of them would be its square, while most are hardly ever
 * active. `--sae-features N` keeps the N that are active on the most tokens, of all classes together so that the classes' graphs have the
 * same nodes. That is found out by a run of its own before anything is collected: over all texts, or over every m-th batch where
 * those have more than COUNT_TOKENS tokens. The choice is written down with what it depends on (moments/.features/<site>.json); the same run
 * continued takes it from there. */
#include "base/error.h"
#include "base/files.h"
#include "base/safetensors.h"
#include "base/talk.h"
#include "collect/collect_private.h"
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_TOKENS = 262144, COUNT_ROWS = 256 /* encoded at a time */ };

char *glint_features_choice(const GlintCollectOptions *options)
{
    if (options->sae_list) {
        g_autofree char *hash = glint_sha256_bytes(options->sae_list, options->n_sae_list * sizeof *options->sae_list);
        return g_strdup_printf("list %.12s", hash);
    }
    return options->sae_features ? g_strdup_printf("%zu most frequent", options->sae_features) : g_strdup("all");
}

/* ---- counting ---- */

typedef struct {
    GlintSae *sae;
    gsize prefix, tokens;  /* tokens: counted so far */
    gsize *active;         /* per feature: tokens on which it is not 0 */
    float *features;       /* COUNT_ROWS * width */
} Counter;

/* Counts rows [first, first + n) of one text. */
static gboolean count_rows(Counter *self, const float *rows, gsize n, GError **error)
{
    const gsize width = glint_sae_width(self->sae);
    if (!glint_sae_encode(self->sae, rows, n, self->features, error))
        return FALSE;
#pragma omp parallel for schedule(static)
    for (gsize first = 0; first < width; first += COUNT_ROWS)
        for (gsize r = 0; r < n; r++)
            for (gsize j = first; j < MIN(first + COUNT_ROWS, width); j++)
                self->active[j] += self->features[r * width + j] != 0;
    self->tokens += n;
    return TRUE;
}

static gboolean count_tap(const GlintSite *site, const GlintBatch *batch, float *rows, gsize width, gpointer counter, GError **error)
{
    Counter *self = counter;
    (void)site;
    for (gsize s = 0; s < batch->n_sequences; s++)
        for (gsize t = batch->start[s] + self->prefix, n; t < batch->start[s + 1]; t += n) {
            n = MIN((gsize)COUNT_ROWS, batch->start[s + 1] - t);
            if (!count_rows(self, rows + t * width, n, error))
                return FALSE;
        }
    return TRUE;
}

/* Every `step`-th batch of every class, the first included. */
static gboolean count_batches(const GlintRun *run, Counter *counter, gsize step, double total, GError **error)
{
    double done = 0;
    const GlintTap tap = {.site = *glint_sae_reads(counter->sae), .function = count_tap, .user_data = counter, .only_reads = TRUE};
    g_autoptr(GlintProgress) bar = glint_progress_new("features", total / (double)step, "tokens");
    for (gsize c = 0; c < run->plan->n_classes; c++)
        for (gsize b = 0; b < glint_plan_batches(run->plan, c); b += step) {
            GlintPacked packed;
            glint_plan_pack(run->plan, c, b, &packed);
            gboolean ok = glint_model_forward(run->model, &packed.batch, &tap, 1, GLINT_LOGITS_NONE, NULL, error);
            done += (double)packed.start[packed.batch.n_sequences];
            glint_packed_release(&packed);
            glint_progress_update(bar, done, glint_run_class(run, c));
            if (!ok || !glint_check_interrupt(error))
                return FALSE;
        }
    return TRUE;
}

static gint by_falling_count(gconstpointer a, gconstpointer b, gpointer active)
{
    const gsize x = *(const gsize *)a, y = *(const gsize *)b, *counts = active;
    if (counts[x] != counts[y])
        return counts[x] > counts[y] ? -1 : 1;
    return x < y ? -1 : x > y;
}

static int by_number(const void *a, const void *b)
{
    const gsize x = *(const gsize *)a, y = *(const gsize *)b;
    return x < y ? -1 : x > y;
}

/* The most frequent, ascending by number. */
static GArray *rank(const GlintRun *run, const Counter *counter, const char *name, GError **error)
{
    const gsize width = glint_sae_width(counter->sae);
    g_autoptr(GArray) features = g_array_new(FALSE, FALSE, sizeof(gsize));
    for (gsize j = 0; j < width; j++)
        if (counter->active[j] > 0)
            g_array_append_val(features, j);
    const guint n_active = features->len;
    g_array_sort_with_data(features, by_falling_count, counter->active);
    g_array_set_size(features, (guint)MIN((gsize)n_active, run->options->sae_features));
    if (features->len == 0) {
        glint_fail(error, GLINT_ERROR_DATA, "%s: none of its %zu features is active on any of %zu tokens; is the SAE of this model and layer?", name, width, counter->tokens);
        return NULL;
    }
    const gsize rarest = counter->active[g_array_index(features, gsize, features->len - 1)];
    glint_say("%s: %u of %zu features are active on %zu tokens; %u are kept, active on at least %zu", name, n_active, width, counter->tokens, features->len, rarest);
    qsort(features->data, features->len, sizeof(gsize), by_number);
    return g_steal_pointer(&features);
}

static GArray *most_frequent(const GlintRun *run, GlintSae *sae, const char *name, GError **error)
{
    const gsize width = glint_sae_width(sae);
    double total = 0;
    g_autofree gsize *active = g_new0(gsize, width + 1);
    g_autofree float *features = g_try_malloc_n(width, COUNT_ROWS * sizeof *features);
    Counter counter = {.sae = sae, .prefix = run->plan->prefix, .active = active, .features = features};
    for (gsize c = 0; c < run->plan->n_classes; c++)
        total += (double)run->plan->count[c].tokens;
    if (!features) {
        glint_fail(error, GLINT_ERROR_FAILED, "%s: no memory for %d rows of %zu features", name, COUNT_ROWS, width);
        return NULL;
    }
    const gsize step = 1 + (gsize)(total / COUNT_TOKENS);
    return glint_sae_keep(sae, NULL, 0, omp_get_max_threads(), error) && count_batches(run, &counter, step, total, error) ? rank(run, &counter, name, error) : NULL;
}

/* ---- what was chosen before ---- */

static char *choice_path(const GlintRun *run, const char *name)
{
    g_autofree char *file = g_strconcat(name, ".json", NULL);
    return g_build_filename(run->folder, "moments", ".features", file, NULL);
}

static json_t *describe_choice(const GlintRun *run, GlintSae *sae)
{
    g_autofree char *choice = glint_features_choice(run->options);
    json_t *root = glint_store_describe(run->settings, run->dataset->classes, run->plan->count);
    json_object_set_new(root, "sae_sha256", json_string(glint_sae_sha256(sae)));
    json_object_set_new(root, "choice", json_string(choice));
    return root;
}

/* NULL when there is none of the same SAE, settings and number. */
static GArray *read_choice(const GlintRun *run, GlintSae *sae, const char *path)
{
    g_autoptr(json_t) stored = g_file_test(path, G_FILE_TEST_EXISTS) ? glint_json_read(path, NULL) : NULL;
    json_t *list = json_object_get(stored, "features"), *expected;
    g_autoptr(json_t) wanted = describe_choice(run, sae);
    g_autoptr(GArray) features = g_array_new(FALSE, FALSE, sizeof(gsize));
    const char *key;
    json_object_foreach(wanted, key, expected)
        if (!json_equal(expected, json_object_get(stored, key)))
            return NULL;
    for (size_t k = 0; k < json_array_size(list); k++) {
        const gsize feature = (gsize)json_integer_value(json_array_get(list, k));
        if (feature >= glint_sae_width(sae) || (k > 0 && feature <= g_array_index(features, gsize, k - 1)))
            return NULL;
        g_array_append_val(features, feature);
    }
    return features->len > 0 ? g_steal_pointer(&features) : NULL;
}

static gboolean write_choice(const GlintRun *run, GlintSae *sae, const GArray *features, const char *path, GError **error)
{
    g_autoptr(json_t) root = describe_choice(run, sae);
    json_t *list = json_array();
    for (guint k = 0; k < features->len; k++)
        json_array_append_new(list, json_integer((json_int_t)g_array_index(features, gsize, k)));
    json_object_set_new(root, "features", list);
    return glint_json_write(path, root, error);
}

/* ---- choosing ---- */

static gboolean choose_one(GlintRun *run, GlintTarget *target, GError **error)
{
    const GlintCollectOptions *options = run->options;
    g_autofree char *name = glint_site_name(&target->site), *path = choice_path(run, name);
    g_autoptr(GArray) features = NULL;
    if (options->sae_list) {
        const gsize last = options->n_sae_list ? options->sae_list[options->n_sae_list - 1] : G_MAXSIZE;
        if (last >= glint_sae_width(target->sae))
            return glint_fail(error, GLINT_ERROR_USAGE, "--sae-features: the SAE has features 0 to %zu", glint_sae_width(target->sae) - 1);
    } else if (options->sae_features) {
        features = read_choice(run, target->sae, path);
        if (!features) {
            features = most_frequent(run, target->sae, name, error);
            if (!features || !write_choice(run, target->sae, features, path, error))
                return FALSE;
        }
    }
    const gsize *list = features ? (const gsize *)(void *)features->data : options->sae_list, n = features ? features->len : options->n_sae_list;
    if (!glint_sae_keep(target->sae, list, n, omp_get_max_threads(), error))
        return FALSE;
    target->width = glint_sae_n_kept(target->sae);
    return TRUE;
}

gboolean glint_features_choose(GlintRun *run, GError **error)
{
    for (guint k = 0; k < run->targets->len; k++) {
        GlintTarget *target = &g_array_index(run->targets, GlintTarget, k);
        if (target->sae && !choose_one(run, target, error))
            return FALSE;
    }
    return TRUE;
}

gboolean glint_features_check(const GlintRun *run, GError **error)
{
    g_autofree char *choice = glint_features_choice(run->options);
    for (guint k = 0; k < run->targets->len; k++)
        for (gsize c = 0; c < run->dataset->classes->len; c++) {
            const GlintTarget *target = &g_array_index(run->targets, GlintTarget, k);
            if (!target->sae || !glint_store_has(run->folder, glint_run_class(run, c), &target->site))
                continue;
            g_autofree char *path = glint_moments_path(run->folder, glint_run_class(run, c), &target->site);
            g_autoptr(GlintSafetensors) file = glint_safetensors_open(path, error);
            if (!file)
                return FALSE;
            if (g_strcmp0(glint_safetensors_metadata(file, "sae_sha256"), glint_sae_sha256(target->sae)) != 0)
                return glint_fail(error, GLINT_ERROR_DATA, "%s is of another SAE; choose another --out, or delete it", path);
            if (g_strcmp0(glint_safetensors_metadata(file, "sae_choice"), choice) != 0)
                return glint_fail(error, GLINT_ERROR_DATA, "%s holds other features (%s, now wanted: %s); choose another --out, or delete it", path,
                                  glint_safetensors_metadata(file, "sae_choice"), choice);
        }
    return TRUE;
}

GHashTable *glint_features_metadata(const GlintRun *run, const GlintTarget *target)
{
    if (!target->sae)
        return NULL;
    GHashTable *table = g_hash_table_new_full(g_str_hash, g_str_equal, NULL, g_free);
    gsize n = 0;
    const gsize *kept = glint_sae_kept(target->sae, &n);
    g_hash_table_insert(table, (char *)(gsize)"sae_sha256", g_strdup(glint_sae_sha256(target->sae)));
    g_hash_table_insert(table, (char *)(gsize)"sae_choice", glint_features_choice(run->options));
    if (kept) {
        g_autoptr(GString) list = g_string_new(NULL);
        for (gsize k = 0; k < n; k++)
            g_string_append_printf(list, "%s%zu", k ? "," : "", kept[k]);
        g_hash_table_insert(table, (char *)(gsize)"features", g_strdup(list->str));
    }
    return table;
}
