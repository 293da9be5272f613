/* glint info: what a model folder holds; what this build is made of. */
#include "base/error.h"
#include "base/files.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/resolve.h"

#include <stdio.h>

static json_t *describe_sites(const GlintModel *model)
{
    json_t *sites = json_object();
    for (int kind = 0; kind < GLINT_SITE_COUNT; kind++) {
        gsize width = glint_model_site_width(model, (GlintSiteKind)kind);
        if (width > 0)
            json_object_set_new(sites, glint_site_suffix((GlintSiteKind)kind), json_integer((json_int_t)width));
    }
    return sites;
}

static json_t *describe(const GlintModel *model, const GlintTokenizer *tokenizer, const char *folder)
{
    const GlintModelInfo *info = glint_model_info(model);
    json_t *root = json_object(), *kinds = json_array();
    for (gsize layer = 0; layer < info->n_layers; layer++)
        json_array_append_new(kinds, json_string(glint_model_layer_kind(model, layer)));
    json_object_set_new(root, "folder", json_string(folder));
    json_object_set_new(root, "family", json_string(info->family));
    json_object_set_new(root, "parameters", json_integer((json_int_t)info->n_parameters));
    json_object_set_new(root, "layers", json_integer((json_int_t)info->n_layers));
    json_object_set_new(root, "layer_kinds", kinds);
    json_object_set_new(root, "hidden", json_integer((json_int_t)info->hidden));
    json_object_set_new(root, "mlp_width", json_integer((json_int_t)info->mlp_width));
    json_object_set_new(root, "heads", json_integer((json_int_t)info->n_heads));
    json_object_set_new(root, "kv_heads", json_integer((json_int_t)info->n_kv_heads));
    json_object_set_new(root, "head_size", json_integer((json_int_t)info->head_size));
    json_object_set_new(root, "vocabulary", json_integer((json_int_t)info->vocab));
    json_object_set_new(root, "max_tokens", json_integer((json_int_t)info->max_tokens));
    json_object_set_new(root, "weights", json_string(info->weight_type));
    json_object_set_new(root, "arithmetic", json_string(info->compute_type));
    if (tokenizer)
        json_object_set_new(root, "tokenizer_ids", json_integer((json_int_t)glint_tokenizer_size(tokenizer)));
    json_object_set_new(root, "sites", describe_sites(model));
    json_object_set_new(root, "sha256", json_string(info->sha256));
    return root;
}

/* One `key  value` a line; lists on one line, the sites one a line below. */
static void print_plain(json_t *root)
{
    const char *key;
    json_t *value;
    json_object_foreach(root, key, value) {
        printf("%-14s", key);
        if (json_is_object(value)) {
            const char *name;
            json_t *width;
            putchar('\n');
            json_object_foreach(value, name, width)
                printf("  blocks.{L}.%-22s %" JSON_INTEGER_FORMAT "\n", name, json_integer_value(width));
            continue;
        }
        if (json_is_array(value)) {
            for (gsize k = 0; k < json_array_size(value); k++)
                printf("%s%s", k ? " " : "", json_string_value(json_array_get(value, k)));
            putchar('\n');
        } else if (json_is_integer(value))
            printf("%" JSON_INTEGER_FORMAT "\n", json_integer_value(value));
        else
            printf("%s\n", json_string_value(value));
    }
}

static int run(int argc, char **argv, GError **error)
{
    g_auto(GlintArgs) args;
    glint_args_init(&args);
    gboolean build = FALSE;
    const GOptionEntry extra[] = {{"build", 0, 0, G_OPTION_ARG_NONE, &build, "print versions of libraries, CPU and threads instead", NULL},
                                  {NULL, 0, 0, G_OPTION_ARG_NONE, NULL, NULL, NULL}};
    if (!glint_args_parse(&args, GLINT_ARGS_MODEL | GLINT_ARGS_JSON, extra, "[MODEL]", "Prints what a model folder holds: family, shapes, layers, sites with their widths.",
                          "glint info data/demo/model", &argc, &argv, error))
        return 0;
    if (build) {
        g_autoptr(json_t) program = glint_describe_program();
        json_dumpf(program, stdout, JSON_INDENT(2));
        putchar('\n');
        return GLINT_EXIT_OK;
    }
    const char *name = argc == 2 ? argv[1] : args.model.model;
    if (argc > 2 || !name)
        return glint_fail(error, GLINT_ERROR_USAGE, "give one model folder; see %s --help", g_get_prgname());
    GlintModelOptions options = {0};
    g_autofree char *folder = NULL;
    if (!glint_args_compute_type(args.model.dtype, &options.dtype, error) || !(folder = glint_resolve_model(name, error)))
        return 0;
    g_autoptr(GlintModel) model = glint_model_open(folder, &options, error);
    if (!model)
        return 0;
    /* a model without a tokenizer can be described, though not fed with text */
    g_autoptr(GlintTokenizer) tokenizer = glint_tokenizer_open(folder, NULL);
    g_autoptr(json_t) root = describe(model, tokenizer, folder);
    if (args.common.json)
        json_dumpf(root, stdout, JSON_INDENT(2));
    else
        print_plain(root);
    if (args.common.json)
        putchar('\n');
    return GLINT_EXIT_OK;
}

const GlintCommand glint_command_info = {"info", "what a model folder holds", run, FALSE};
