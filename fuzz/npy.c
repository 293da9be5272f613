/* Fuzz target: bytes as a .npy file, or, when they start as a zip does, as a .npz with a member "a". What parses must hold as
 * many elements as its shape says, and all types must agree on that. */
#include "base/npy.h"

#include "base/error.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_array(const GlintArray *array)
{
    static const gsize item_bytes[] = {8, 4, 8, 4, 1};
    gsize n = 1;
    for (int d = 0; d < array->n_dims; d++)
        n *= array->shape[d];
    g_assert_cmpuint(n, ==, array->n);
    if (array->dtype == GLINT_BYTES) {
        g_assert_true(strlen(array->data) < G_MAXINT);
        return;
    }
    /* Touch every byte, so that a sanitizer sees a short or unset array. */
    const uint8_t *bytes = array->data;
    unsigned sum = 0;
    for (gsize i = 0; i < n * item_bytes[array->dtype]; i++)
        sum += bytes[i];
    g_assert_true(sum < G_MAXUINT);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    gboolean zip = size > 2 && data[0] == 'P' && data[1] == 'K';
    for (int dtype = GLINT_F64; dtype <= GLINT_BYTES; dtype++) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GlintArray) array = zip ? glint_npz_parse(data, size, "input", "a", (GlintDtype)dtype, &error)
                                          : glint_npy_parse(data, size, "input", (GlintDtype)dtype, &error);
        g_assert_true((array == NULL) == (error != NULL));
        if (array != NULL)
            check_array(array);
        else
            g_assert_true(error->domain == GLINT_ERROR && g_utf8_validate(error->message, -1, NULL));
    }
    return 0;
}
