/* A model folder as JSON and as a page for people. See model_info.h. The page is printed from the JSON, so the two agree.
 *
 * Layers are told by kind: "sliding (512)", "full", and "full without positions" where the family has such. Most models
 * repeat a short pattern, which the page shows as "5 sliding (512) : 1 full". */
#include "cli/model_info.h"
#include "base/files.h"
#include "base/talk.h"
#include "text/chat.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <string.h>

/* ---- JSON ------------------------------------------------------------------------------------------------------------ */

static char *kind_of(const GlintModelSummary *summary, gsize layer)
{
    const GlintLayerSummary *self = &summary->layers[layer];
    const char *nope = !summary->learned_positions && self->rope_base == 0 ? " without positions" : "";
    return self->window ? g_strdup_printf("sliding (%zu)%s", self->window, nope) : g_strdup_printf("full%s", nope);
}

static json_t *describe_layers(const GlintModelSummary *summary)
{
    json_t *kinds = json_array();
    for (gsize l = 0; l < summary->info.n_layers; l++) {
        g_autofree char *kind = kind_of(summary, l);
        json_array_append_new(kinds, json_string(kind));
    }
    return kinds;
}

/* The different rotary positions, each with the first kind of layer that has them. */
static json_t *describe_positions(const GlintModelSummary *summary)
{
    json_t *list = json_array();
    const GlintLayerSummary *layers = summary->layers;
    for (gsize l = 0; l < summary->info.n_layers; l++) {
        gboolean seen = layers[l].rope_base == 0;
        for (gsize k = 0; k < l && !seen; k++)
            seen = layers[k].rope_base == layers[l].rope_base && layers[k].rope_factor == layers[l].rope_factor;
        if (!seen)
            json_array_append_new(list, json_pack("{s:s, s:f, s:I, s:s, s:f}", "layers", layers[l].window ? "sliding" : "full", "base",
                                                  layers[l].rope_base, "width", (json_int_t)layers[l].rope_width, "scaling", layers[l].rope_scaling,
                                                  "factor", layers[l].rope_factor));
    }
    return list;
}

static json_t *describe_sites(const GlintModelSummary *summary)
{
    json_t *sites = json_object();
    for (int kind = 0; kind < GLINT_SITE_COUNT; kind++)
        if (summary->site_width[kind] > 0)
            json_object_set_new(sites, glint_site_suffix((GlintSiteKind)kind), json_integer((json_int_t)summary->site_width[kind]));
    return sites;
}

/* Bytes. The moments of a site are p x p doubles a layer, beside p means. */
static json_t *describe_memory(const GlintModelSummary *summary)
{
    json_t *memory = json_object(), *moments = json_object();
    for (int bf16 = 0; bf16 < 2; bf16++)
        json_object_set_new(memory, bf16 ? "bf16" : "f32",
                            json_pack("{s:I, s:I, s:I}", "weights", (json_int_t)summary->packed_bytes[bf16], "output_matrix",
                                      (json_int_t)summary->head_bytes[bf16], "batch", (json_int_t)summary->batch_bytes[bf16]));
    for (int kind = 0; kind < GLINT_SITE_COUNT; kind++) {
        const gsize p = summary->site_width[kind];
        if (p > 0)
            json_object_set_new(moments, glint_site_suffix((GlintSiteKind)kind), json_integer((json_int_t)((p * p + p) * sizeof(double))));
    }
    json_object_set_new(memory, "batch_tokens", json_integer(GLINT_SUMMARY_TOKENS));
    json_object_set_new(memory, "embedding_in_file", json_integer((json_int_t)summary->embedding_bytes));
    json_object_set_new(memory, "moments_of_a_layer", moments);
    return memory;
}

/* "gemma3", "none", or why the template is of no use. Free with g_free. */
static char *describe_chat(const char *folder)
{
    g_autofree char *settings = g_build_filename(folder, "tokenizer_config.json", NULL), *own = g_build_filename(folder, "chat_template.jinja", NULL);
    gboolean there = g_file_test(own, G_FILE_TEST_EXISTS);
    if (!there && g_file_test(settings, G_FILE_TEST_EXISTS)) {
        g_autoptr(json_t) root = glint_json_read(settings, NULL);
        there = root && json_object_get(root, "chat_template") && !json_is_null(json_object_get(root, "chat_template"));
    }
    if (!there)
        return g_strdup("none");
    g_autoptr(GError) error = NULL;
    const GlintChatOptions options = {.format = NULL};
    g_autoptr(GlintChat) chat = glint_chat_open(folder, &options, &error);
    return g_strdup(chat ? glint_chat_format(chat) : "not recognised (give --chat-format)");
}

/* NULL without a tokenizer: such a model can be described, though not fed with text. One that cannot be read says why. */
static json_t *describe_tokenizer(const char *folder)
{
    g_autoptr(GError) error = NULL;
    g_autofree char *json = g_build_filename(folder, "tokenizer.json", NULL), *model = g_build_filename(folder, "tokenizer.model", NULL);
    const gboolean is_json = g_file_test(json, G_FILE_TEST_EXISTS);
    if (!is_json && !g_file_test(model, G_FILE_TEST_EXISTS))
        return json_null();
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_open(folder, &error);
    if (!tokenizer)
        return json_pack("{s:s, s:s}", "file", is_json ? "tokenizer.json" : "tokenizer.model", "problem", error->message);
    g_autoptr(GArray) ids = g_array_new(FALSE, FALSE, sizeof(guint32));
    const gboolean begins = glint_tokenizer_n_prefix(tokenizer) > 0 && glint_tokenizer_encode(tokenizer, "a", 1, TRUE, ids, NULL) && ids->len > 0;
    const char *bos = begins ? glint_tokenizer_token(tokenizer, g_array_index(ids, guint32, 0)) : NULL;
    const char *kind = glint_tokenizer_id(tokenizer, "\xC4\xA0" /* the byte-level alphabet's space */) >= 0 ? "byte-level"
                       : glint_tokenizer_id(tokenizer, "<0x0A>") >= 0                                       ? "pieces with byte fallback"
                                                                                                            : "pieces";
    g_autofree char *chat = describe_chat(folder);
    return json_pack("{s:s, s:s, s:I, s:s?, s:s}", "file", is_json ? "tokenizer.json" : "tokenizer.model", "kind", kind, "tokens",
                     (json_int_t)glint_tokenizer_size(tokenizer), "begins_texts_with", bos, "chat_format", chat);
}

json_t *glint_model_describe(const char *folder, const GlintModelSummary *summary)
{
    const GlintModelInfo *info = &summary->info;
    json_t *root = json_pack("{s:s, s:s, s:I, s:I}", "folder", folder, "family", info->family, "parameters", (json_int_t)info->n_parameters, "layers",
                             (json_int_t)info->n_layers);
    const struct { const char *key; gsize value; } numbers[] = {
        {"hidden", info->hidden}, {"mlp_width", info->mlp_width}, {"heads", info->n_heads}, {"kv_heads", info->n_kv_heads}, {"head_size", info->head_size},
        {"vocabulary", info->vocab}, {"max_tokens", info->max_tokens}, {"files", summary->n_files}, {"file_bytes", summary->file_bytes},
    };
    for (gsize i = 0; i < G_N_ELEMENTS(numbers); i++)
        json_object_set_new(root, numbers[i].key, json_integer((json_int_t)numbers[i].value));
    json_object_set_new(root, "layer_kinds", describe_layers(summary));
    json_object_set_new(root, "positions", summary->learned_positions ? json_string("learned") : describe_positions(summary));
    json_object_set_new(root, "weights", json_string(info->weight_type));
    json_object_set_new(root, "tied", json_boolean(summary->tied));
    json_object_set_new(root, "arithmetic", json_string(info->compute_type));
    json_object_set_new(root, "tokenizer", describe_tokenizer(folder));
    json_object_set_new(root, "sites", describe_sites(summary));
    json_object_set_new(root, "memory", describe_memory(summary));
    return root;
}

/* ---- for people ------------------------------------------------------------------------------------------------------ */

static long long count_of(json_t *object, const char *key) { return (long long)json_integer_value(json_object_get(object, key)); }
static const char *text_of(json_t *object, const char *key) { return json_string_value(json_object_get(object, key)); }
static const char *kind_at(json_t *kinds, gsize layer) { return json_string_value(json_array_get(kinds, layer)); }

/* The shortest beginning of the list that, repeated, gives the list. */
static gsize period(json_t *kinds)
{
    const gsize n = json_array_size(kinds);
    gsize p = 1;
    for (gsize l = 1; l < n; l++)
        if (strcmp(kind_at(kinds, l), kind_at(kinds, l % p)) != 0)
            p = l + 1;
    return p;
}

/* "12 sliding (512), 8 full", for layers in no short pattern. */
static void print_kind_counts(json_t *kinds)
{
    const gsize n = json_array_size(kinds);
    g_autoptr(GHashTable) told = g_hash_table_new(g_str_hash, g_str_equal);
    for (gsize l = 0; l < n; l++) {
        const char *kind = kind_at(kinds, l);
        gsize count = 0;
        for (gsize k = l; k < n; k++)
            count += strcmp(kind_at(kinds, k), kind) == 0;
        if (g_hash_table_add(told, (gpointer)kind))
            printf("%s%zu %s", l == 0 ? "" : ", ", count, kind);
    }
    putchar('\n');
}

/* "26: 5 sliding (512) : 1 full, repeated", or how many of each. */
static void print_kinds(json_t *kinds)
{
    const gsize n = json_array_size(kinds), repeat = period(kinds), most_runs = 6;
    gsize runs = 0;
    for (gsize l = 0; l < repeat; l++)
        runs += l == 0 || strcmp(kind_at(kinds, l), kind_at(kinds, l - 1)) != 0;
    printf("layers      %zu: ", n);
    if (repeat == 1 || runs > most_runs) {
        print_kind_counts(kinds);
        return;
    }
    for (gsize l = 0, end; l < repeat; l = end) {
        for (end = l + 1; end < repeat && strcmp(kind_at(kinds, end), kind_at(kinds, l)) == 0; end++)
            ;
        printf("%s%zu %s", l == 0 ? "" : " : ", end - l, kind_at(kinds, l));
    }
    puts(repeat < n ? ", repeated" : "");
}

static void print_positions(json_t *positions)
{
    size_t k;
    json_t *one;
    printf("positions   %s", json_is_string(positions) ? json_string_value(positions) : json_array_size(positions) ? "rotary" : "none");
    json_array_foreach(positions, k, one) {
        printf("%s base %.0f on %lld dimensions", k ? ";" : ",", json_number_value(json_object_get(one, "base")), count_of(one, "width"));
        if (strcmp(text_of(one, "scaling"), "none") != 0)
            printf(", %s scaling x %g", text_of(one, "scaling"), json_number_value(json_object_get(one, "factor")));
        if (json_array_size(positions) > 1)
            printf(" (%s layers)", text_of(one, "layers"));
    }
    putchar('\n');
}

static void print_tokenizer(json_t *tokenizer)
{
    printf("tokenizer   ");
    if (json_is_null(tokenizer))
        puts("none in the folder");
    else if (text_of(tokenizer, "problem"))
        printf("%s cannot be used: %s\n", text_of(tokenizer, "file"), text_of(tokenizer, "problem"));
    else
        printf("%s, %s, %lld tokens; texts begin with %s; chat format: %s\n", text_of(tokenizer, "file"), text_of(tokenizer, "kind"),
               count_of(tokenizer, "tokens"), text_of(tokenizer, "begins_texts_with") ? text_of(tokenizer, "begins_texts_with") : "no special token",
               text_of(tokenizer, "chat_format"));
}

static void print_memory(json_t *root)
{
    static const char *const types[] = {"f32", "bf16"};
    json_t *memory = json_object_get(root, "memory"), *moments = json_object_get(memory, "moments_of_a_layer"), *width;
    char a[32], b[32], c[32];
    const char *name;
    for (gsize i = 0; i < G_N_ELEMENTS(types); i++) {
        json_t *one = json_object_get(memory, types[i]);
        glint_size_text((double)count_of(one, "weights"), a, sizeof a);
        glint_size_text((double)count_of(one, "batch"), b, sizeof b);
        glint_size_text((double)count_of(one, "output_matrix"), c, sizeof c);
        printf("%-11s %-4s %s of weights, %s for a batch of %lld tokens, %s more for logits\n", i ? "" : "memory", types[i], a, b,
               count_of(memory, "batch_tokens"), c);
    }
    printf("            the embedding (%s) stays in its file\n", glint_size_text((double)count_of(memory, "embedding_in_file"), a, sizeof a));
    puts("sites                                   width   moments of a layer");
    json_object_foreach(json_object_get(root, "sites"), name, width)
        printf("  blocks.{L}.%-22s %10lld   %s\n", name, (long long)json_integer_value(width),
               glint_size_text((double)count_of(moments, name), a, sizeof a));
}

void glint_model_print(json_t *model)
{
    char size[32];
    printf("model       %s\n", text_of(model, "folder"));
    printf("family      %s, %lld parameters\n", text_of(model, "family"), count_of(model, "parameters"));
    print_kinds(json_object_get(model, "layer_kinds"));
    printf("shapes      hidden %lld, MLP %lld, %lld heads of %lld (%lld key/value), vocabulary %lld, up to %lld tokens\n",
           count_of(model, "hidden"), count_of(model, "mlp_width"), count_of(model, "heads"), count_of(model, "head_size"), count_of(model, "kv_heads"),
           count_of(model, "vocabulary"), count_of(model, "max_tokens"));
    print_positions(json_object_get(model, "positions"));
    glint_size_text((double)count_of(model, "file_bytes"), size, sizeof size);
    printf("weights     %s, %s in %lld file%s; output matrix %s\n", text_of(model, "weights"), size, count_of(model, "files"),
           count_of(model, "files") == 1 ? "" : "s", json_is_true(json_object_get(model, "tied")) ? "tied to the embedding" : "of its own");
    printf("arithmetic  %s\n", text_of(model, "arithmetic"));
    print_tokenizer(json_object_get(model, "tokenizer"));
    print_memory(model);
}
