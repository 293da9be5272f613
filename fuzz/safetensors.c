/* Fuzz target: bytes as a safetensors file. Beyond not crashing, what opens must keep the reader's promises: tensors cover the
 * data exactly and in order, every one is found by its name, and all of their bytes can be read and converted. */
#include "base/safetensors.h"

#include "base/error.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_tensor(const GlintSafetensors *file, const GlintTensor *tensor, const uint8_t *data, size_t size)
{
    const uint8_t *begin = tensor->data;
    g_assert_true(begin >= data + 8 && begin + tensor->n_bytes <= data + size);
    g_assert_true(glint_safetensors_find(file, tensor->name) == tensor);
    gsize n = 1;
    for (int d = 0; d < tensor->n_dims; d++)
        n *= tensor->shape[d];
    g_assert_cmpuint(n, ==, tensor->n);
    g_assert_true(n <= tensor->n_bytes);
    g_autofree float *single = g_new(float, n + 1);
    g_autofree double *real = g_new(double, n + 1);
    glint_tensor_to_f32(tensor, 0, n, single);
    glint_tensor_to_f64(tensor, n / 2, n - n / 2, real);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintSafetensors) file = glint_safetensors_parse(data, size, "input", &error);
    g_assert_true((file == NULL) == (error != NULL));
    if (file == NULL) {
        g_assert_true(error->domain == GLINT_ERROR && g_utf8_validate(error->message, -1, NULL));
        return 0;
    }
    const uint8_t *at = NULL;
    for (gsize i = 0; i < glint_safetensors_count(file); i++) {
        const GlintTensor *tensor = glint_safetensors_at(file, i);
        check_tensor(file, tensor, data, size);
        g_assert_true(at == NULL || at == (const uint8_t *)tensor->data);
        at = (const uint8_t *)tensor->data + tensor->n_bytes;
    }
    g_assert_true(at == NULL || at == data + size);
    glint_safetensors_metadata(file, "format");
    return 0;
}
