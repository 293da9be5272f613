/* libggm's sparse matrices as scipy's .npz files. */
#pragma once
#include "ggm/ggm.h"
#include <glib.h>

gboolean glint_sparse_write(const char *path, const ggm_sparse *matrix, GError **error);
/* Owned by the caller: glint_sparse_clear(), for libggm's own release frees what libggm allocated. Square and finite, or an error. */
gboolean glint_sparse_read(const char *path, ggm_sparse *matrix, GError **error);
void glint_sparse_clear(ggm_sparse *matrix);
