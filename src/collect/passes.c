/* Which targets are collected in which pass over a class's texts.
 *
 * A pass costs a forward run over the class, so there should be few: targets are packed into passes by first fit in order of
 * falling size, which for targets of one width is the best there is and is otherwise close to it. Targets of equal size go in by
 * layer: the first passes hold the low layers, and the model does not compute behind the last layer that anyone listens to. */
#include "base/error.h"
#include "base/talk.h"
#include "collect/collect_private.h"
#include <string.h>
#include <unistd.h>

/* ---- targets ---- */

static gint by_layer_and_site(gconstpointer a, gconstpointer b)
{
    const GlintSite *x = &((const GlintTarget *)a)->site, *y = &((const GlintTarget *)b)->site;
    if (x->layer != y->layer)
        return x->layer < y->layer ? -1 : 1;
    return x->kind < y->kind ? -1 : x->kind > y->kind;
}

static gboolean add_sae(GArray *targets, const GlintModel *model, GlintSae *sae, const GlintCollectOptions *options, GError **error)
{
    const gsize width = glint_sae_width(sae), model_width = glint_model_site_width(model, glint_sae_reads(sae)->kind);
    GlintTarget target = {glint_sae_site(sae), options->sae_list ? options->n_sae_list : options->sae_features ? MIN(options->sae_features, width) : width, sae};
    g_autofree char *reads = glint_site_name(glint_sae_reads(sae));
    if (target.site.layer >= glint_model_info(model)->n_layers || model_width != glint_sae_width_in(sae))
        return glint_fail(error, GLINT_ERROR_USAGE, "--sae: it reads %zu columns of %s, and the model has %zu there (and layers 0 to %zu); is it of this model?",
                          glint_sae_width_in(sae), reads, model_width, glint_model_info(model)->n_layers - 1);
    for (guint k = 0; k < targets->len; k++)
        if (by_layer_and_site(&g_array_index(targets, GlintTarget, k), &target) == 0)
            return glint_fail(error, GLINT_ERROR_USAGE, "two --sae read %s; collect them into different folders", reads);
    g_array_append_val(targets, target);
    return TRUE;
}

GArray *glint_targets_new(const GlintModel *model, const GlintCollectOptions *options, GError **error)
{
    const GlintModelInfo *info = glint_model_info(model);
    g_autoptr(GArray) targets = g_array_new(FALSE, FALSE, sizeof(GlintTarget));
    for (gsize k = 0; k < options->n_sites; k++) {
        GlintTarget target = {options->sites[k], glint_model_site_width(model, options->sites[k].kind), NULL};
        if (target.width == 0) {
            glint_fail(error, GLINT_ERROR_USAGE, "a %s model has no site %s%s", info->family, glint_site_suffix(target.site.kind),
                       glint_site_is_sae(target.site.kind) ? " by itself; give --sae instead of --site" : "");
            return NULL;
        }
        if (target.site.layer >= info->n_layers) {
            glint_fail(error, GLINT_ERROR_USAGE, "--layers %zu: the model has layers 0 to %zu", target.site.layer, info->n_layers - 1);
            return NULL;
        }
        g_array_append_val(targets, target);
    }
    for (gsize k = 0; k < options->n_saes; k++)
        if (!add_sae(targets, model, options->saes[k], options, error))
            return NULL;
    if (targets->len == 0) {
        glint_fail(error, GLINT_ERROR_USAGE, "no layer to collect; give --layers");
        return NULL;
    }
    g_array_sort(targets, by_layer_and_site);
    for (guint k = 1; k < targets->len;)
        if (by_layer_and_site(&g_array_index(targets, GlintTarget, k - 1), &g_array_index(targets, GlintTarget, k)) == 0)
            g_array_remove_index(targets, k);
        else
            k++;
    return g_steal_pointer(&targets);
}

double glint_target_bytes(const GlintTarget *target, const GlintCollectOptions *options)
{
    const double width = (double)target->width, moments = width * (width + GLINT_MOMENTS_BLOCK + 1) * sizeof(double);
    const gsize tokens = options->batch_size > 0 && options->max_tokens > 0 ? options->batch_size * options->max_tokens : 4096;
    const double examples = options->examples > 0 ? (double)glint_examples_bytes(target->width, options->examples) : 0;
    return moments + examples + (target->sae ? glint_sae_bytes(target->sae, target->width, tokens) : 0) +
           (options->save_activations ? glint_row_writer_bytes(target->width, options->save_type, options->shard_bytes) : 0);
}

char *glint_products(const GlintCollectOptions *options)
{
    g_autoptr(GString) products = g_string_new("moments");
    g_autofree char *choice = glint_features_choice(options);
    if (options->examples > 0)
        g_string_append_printf(products, ", examples (%zu)", options->examples);
    if (options->save_activations)
        g_string_append_printf(products, ", activations (%s)", glint_tensor_type_name(options->save_type));
    for (gsize k = 0; k < options->n_saes; k++)
        g_string_append_printf(products, ", features of SAE %.8s (%s)", glint_sae_sha256(options->saes[k]), choice);
    return g_strdup(products->str);
}

gboolean glint_target_has_rows(const GlintRun *run, gsize c, const GlintSite *site)
{
    g_autofree char *folder = glint_activations_path(run->folder, glint_run_class(run, c), site);
    g_autoptr(GlintActivations) saved = glint_activations_open(folder, NULL);
    GlintSettings settings = {0};
    gboolean same = saved && saved->type == run->options->save_type && glint_settings_parse(&settings, saved->meta);
    for (gsize k = 0; same && k < GLINT_N_SETTINGS; k++)
        same = strcmp(settings.value[k], run->settings->value[k]) == 0;
    glint_settings_release(&settings);
    return same;
}

gboolean glint_target_done(const GlintRun *run, gsize c, const GlintSite *site)
{
    const char *name = glint_run_class(run, c);
    return glint_store_has(run->folder, name, site) && (run->options->examples == 0 || glint_store_has_examples(run->folder, name, site, run->options->examples)) &&
           (!run->options->save_activations || glint_target_has_rows(run, c, site));
}

/* ---- passes ---- */

static void pass_free(gpointer pass)
{
    GlintPass *self = pass;
    g_clear_pointer(&self->targets, g_array_unref);
    glint_partial_free(self->state);
    g_free(self);
}

static GlintPass *pass_new(gsize c)
{
    GlintPass *self = g_new0(GlintPass, 1);
    self->c = c;
    self->targets = g_array_new(FALSE, FALSE, sizeof(GlintTarget));
    return self;
}

static void pass_add(GlintPass *self, const GlintTarget *target, const GlintCollectOptions *options)
{
    g_array_append_val(self->targets, *target);
    self->bytes += glint_target_bytes(target, options);
}

static double memory_of(const GlintCollectOptions *options)
{
    double pages = (double)sysconf(_SC_PHYS_PAGES), page = (double)sysconf(_SC_PAGE_SIZE);
    return options->memory_bytes > 0 ? (double)options->memory_bytes : pages > 0 && page > 0 ? 0.5 * pages * page : 0;
}

static gboolean fail_too_large(const GlintRun *run, const GlintTarget *target, double memory, GError **error)
{
    g_autofree char *name = glint_site_name(&target->site);
    double needed = glint_target_bytes(target, run->options);
    char takes[16], there[16];
    glint_size_text(needed, takes, sizeof takes);
    glint_size_text(memory, there, sizeof there);
    if (target->sae)
        return glint_fail(error, GLINT_ERROR_USAGE, "%s, of %zu features, takes %s while it is collected, and there are %s; keep %s, or give --memory %.0fM", name, target->width,
                          takes, there, target->width > 4096 ? "those that are active most often, with --sae-features 4096" : "fewer, with --sae-features", needed / 1048576 + 1);
    return glint_fail(error, GLINT_ERROR_USAGE, "%s, of %zu columns, takes %s while it is collected, and there are %s; give --memory %.0fM or more, or a narrower site",
                      name, target->width, takes, there, needed / 1048576 + 1);
}

static gint by_falling_bytes(gconstpointer a, gconstpointer b, gpointer options)
{
    double x = glint_target_bytes(a, options), y = glint_target_bytes(b, options);
    return x != y ? (x > y ? -1 : 1) : by_layer_and_site(a, b);
}

static gboolean holds_site(const GArray *sites, const GlintSite *site)
{
    for (guint k = 0; k < sites->len; k++) {
        const GlintSite *other = &g_array_index(sites, GlintSite, k);
        if (other->kind == site->kind && other->layer == site->layer)
            return TRUE;
    }
    return FALSE;
}

/* Adds the passes of one class to `passes`, without the targets of `continued`. */
static gboolean plan_class(const GlintRun *run, gsize c, const GlintPass *continued, GPtrArray *passes, GError **error)
{
    g_autoptr(GArray) missing = g_array_new(FALSE, FALSE, sizeof(GlintTarget));
    const guint first = passes->len;
    const double memory = memory_of(run->options);
    for (guint k = 0; k < run->targets->len; k++) {
        const GlintTarget *target = &g_array_index(run->targets, GlintTarget, k);
        if (!glint_target_done(run, c, &target->site) && !(continued && continued->c == c && holds_site(continued->state->sites, &target->site)))
            g_array_append_val(missing, *target);
    }
    g_array_sort_with_data(missing, by_falling_bytes, (gpointer)(gsize)run->options);
    for (guint k = 0; k < missing->len; k++) {
        const GlintTarget *target = &g_array_index(missing, GlintTarget, k);
        double bytes = glint_target_bytes(target, run->options);
        if (bytes > memory)
            return fail_too_large(run, target, memory, error);
        guint at = first;
        while (at < passes->len && ((GlintPass *)g_ptr_array_index(passes, at))->bytes + bytes > memory)
            at++;
        if (at == passes->len)
            g_ptr_array_add(passes, pass_new(c));
        pass_add(g_ptr_array_index(passes, at), target, run->options);
    }
    for (guint k = first; k < passes->len; k++)
        g_array_sort(((GlintPass *)g_ptr_array_index(passes, k))->targets, by_layer_and_site);
    return TRUE;
}

/* ---- the pass that is continued ---- */

static const GlintTarget *find_target(const GlintRun *run, const GlintSite *site)
{
    for (guint k = 0; k < run->targets->len; k++) {
        const GlintTarget *target = &g_array_index(run->targets, GlintTarget, k);
        if (target->site.kind == site->kind && target->site.layer == site->layer)
            return target;
    }
    return NULL;
}

static gboolean check_partial(const GlintRun *run, const GlintPartial *partial, gsize c, GError **error)
{
    g_autoptr(GString) sites = g_string_new(NULL);
    g_autofree char *products = glint_products(run->options);
    gboolean included = TRUE;
    for (guint k = 0; k < partial->sites->len; k++) {
        const GlintSite *site = &g_array_index(partial->sites, GlintSite, k);
        g_autofree char *name = glint_site_name(site);
        if (k < 4)
            g_string_append_printf(sites, "%s%s", k ? ", " : "", name);
        else if (k == 4)
            g_string_append(sites, ", ...");
        included = included && find_target(run, site);
    }
    if (!included)
        return glint_fail(error, GLINT_ERROR_DATA, "%s/moments/.partial holds an unfinished run of %u targets (%s), which this run does not include; "
                          "finish it with its --site and --layers, or delete that folder", run->folder, partial->sites->len, sites->str);
    if (strcmp(partial->products, products) != 0)
        return glint_fail(error, GLINT_ERROR_DATA, "%s/moments/.partial holds an unfinished run that keeps %s, this one keeps %s; "
                          "finish it with its options, or delete that folder", run->folder, partial->products, products);
    if (c >= run->dataset->classes->len || partial->n_batches != glint_plan_batches(run->plan, c))
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s/moments/.partial does not belong to the settings beside it; delete that folder", run->folder);
    return TRUE;
}

/* Targets that were finished before the run was stopped need no second finish; what is left of them is not loaded either. */
static GlintPass *continue_pass(const GlintRun *run, GlintPartial *taken, GError **error)
{
    g_autoptr(GlintPartial) partial = taken;
    gsize c = 0;
    while (c < run->dataset->classes->len && strcmp(glint_run_class(run, c), partial->class_name) != 0)
        c++;
    if (!check_partial(run, partial, c, error))
        return NULL;
    GlintPass *pass = pass_new(c);
    for (guint k = 0; k < partial->sites->len;) {
        const GlintSite *site = &g_array_index(partial->sites, GlintSite, k);
        if (glint_target_done(run, c, site)) {
            g_array_remove_index(partial->sites, k);
            continue;
        }
        pass_add(pass, find_target(run, site), run->options);
        k++;
    }
    pass->state = g_steal_pointer(&partial);
    return pass;
}

GPtrArray *glint_passes_new(const GlintRun *run, GlintPartial *partial, GError **error)
{
    g_autoptr(GPtrArray) passes = g_ptr_array_new_with_free_func(pass_free);
    GlintPass *continued = NULL;
    if (partial) {
        continued = continue_pass(run, partial, error);
        if (!continued)
            return NULL;
        g_ptr_array_add(passes, continued);
    }
    for (gsize c = 0; c < run->dataset->classes->len; c++)
        if (!plan_class(run, c, continued, passes, error))
            return NULL;
    return g_steal_pointer(&passes);
}

double glint_pass_tokens(const GlintRun *run, const GlintPass *pass)
{
    return (double)run->plan->count[pass->c].tokens - (pass->state ? glint_plan_tokens(run->plan, pass->c, pass->state->next_batch) : 0);
}

/* ---- what is said of them ---- */

void glint_passes_say(const GlintRun *run, const GPtrArray *passes)
{
    double most = 0, tokens = 0;
    for (guint k = 0; k < passes->len; k++) {
        const GlintPass *pass = g_ptr_array_index(passes, k);
        most = MAX(most, pass->bytes);
        tokens += glint_pass_tokens(run, pass);
    }
    char needed[16], there[16];
    g_autofree char *products = glint_products(run->options);
    glint_say("plan: %s of %u target%s, %u pass%s (%u class%s), %.0f tokens to run, at most %s of %s", products, run->targets->len, run->targets->len == 1 ? "" : "s",
              passes->len, passes->len == 1 ? "" : "es", run->dataset->classes->len, run->dataset->classes->len == 1 ? "" : "es", tokens, glint_size_text(most, needed, sizeof needed),
              glint_size_text(memory_of(run->options), there, sizeof there));
}

json_t *glint_passes_describe(const GlintRun *run, const GPtrArray *passes)
{
    json_t *list = json_array();
    g_autofree char *products = glint_products(run->options);
    for (guint k = 0; k < passes->len; k++) {
        const GlintPass *pass = g_ptr_array_index(passes, k);
        json_t *sites = json_array();
        for (guint t = 0; t < pass->targets->len; t++) {
            g_autofree char *name = glint_site_name(&g_array_index(pass->targets, GlintTarget, t).site);
            json_array_append_new(sites, json_string(name));
        }
        json_array_append_new(list, json_pack("{s:s, s:I, s:I, s:b, s:o}", "class", glint_run_class(run, pass->c), "bytes", (json_int_t)pass->bytes, "tokens",
                                              (json_int_t)glint_pass_tokens(run, pass), "continued", pass->state != NULL, "sites", sites));
    }
    return json_pack("{s:I, s:I, s:s, s:o}", "memory", (json_int_t)memory_of(run->options), "targets", (json_int_t)run->targets->len, "products", products, "passes", list);
}
