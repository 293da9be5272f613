/* What this program is made of, and which of the machine's instructions its parts chose. See build_info.h. What run.json says
 * about a run (glint_describe_program) is the base; the rest needs the stages' libraries or a look at the processor. */
#include "cli/build_info.h"
#include "base/files.h"
#include "base/simd.h"
#include "cli/command.h"
#include "model/summary.h"

#include <cblas.h>
#include <stdio.h>
#include <string.h>

static json_t *describe_products(json_t *libraries)
{
    GlintEngine engine;
    glint_engine_describe(&engine);
    json_object_set_new(libraries, "onednn", json_string(engine.version)); /* as loaded, which may be newer than as built */
    json_t *products = json_pack("{s:s, s:b, s:b, s:s*, s:s*}", "instructions", engine.instructions, "amx", strstr(engine.instructions, "AMX") != NULL,
                                 "fast_bf16", engine.fast_bf16, "f32_kernel", engine.kernel_f32, "bf16_kernel", engine.kernel_bf16);
    glint_engine_clear(&engine);
    return products;
}

json_t *glint_build_describe(void)
{
    json_t *root = glint_describe_program(), *libraries = json_object_get(root, "libraries");
    json_object_set_new(root, "matrix_products", describe_products(libraries));
    json_object_set_new(root, "blas_core", json_string(openblas_get_corename()));
    json_object_set_new(root, "blas_config", json_string(openblas_get_config()));
    json_object_set_new(root, "own_loops", json_string(glint_simd_level()));
    return root;
}

static const char *text_of(json_t *object, const char *key)
{
    const char *value = json_string_value(json_object_get(object, key));
    return value ? value : "none";
}

static const char *yes_no(json_t *object, const char *key) { return json_is_true(json_object_get(object, key)) ? "yes" : "no"; }

void glint_build_print(json_t *build)
{
    json_t *products = json_object_get(build, "matrix_products"), *libraries = json_object_get(build, "libraries"), *version;
    const char *name;
    printf("glint            %s, compiled by %s\n", text_of(build, "glint"), text_of(build, "compiler"));
    printf("machine          %s, %s, %.1f GB of memory\n", text_of(build, "cpu"), text_of(build, "system"),
           json_number_value(json_object_get(build, "memory_bytes")) * 1e-9);
    printf("threads          %lld of %lld processors\n", (long long)json_integer_value(json_object_get(build, "threads")),
           (long long)json_integer_value(json_object_get(build, "processors")));
    printf("matrix products  oneDNN with %s; AMX: %s; fast bf16: %s\n", text_of(products, "instructions"), yes_no(products, "amx"), yes_no(products, "fast_bf16"));
    printf("                 kernels: f32 %s, bf16 %s\n", text_of(products, "f32_kernel"), text_of(products, "bf16_kernel"));
    printf("linear algebra   OpenBLAS for %s (%s)\n", text_of(build, "blas_core"), text_of(build, "blas_config"));
    printf("glint's loops    %s\n", text_of(build, "own_loops"));
    printf("libraries       ");
    json_object_foreach(libraries, name, version)
        printf("%s %s %s", json_object_iter(libraries) == json_object_iter_at(libraries, name) ? "" : ",", name, json_string_value(version));
    putchar('\n');
}
