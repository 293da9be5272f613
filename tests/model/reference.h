/* The forward pass once more, as plain loops in f64: slow, obvious, and sharing nothing with the fast one but the descriptor
 * and the checkpoint reader. Every site of every layer can be compared with it. */
#pragma once
#include "model/checkpoint.h"
#include "model/model.h"

typedef struct {
    gsize n, n_layers;
    double **rows;  /* [n_layers * GLINT_SITE_COUNT], NULL where the family has no such site */
    double *logits; /* [n, V] */
} Reference;

/* One sequence. `arch` may differ from what the checkpoint's own config says, as long as its tensors fit. */
Reference *reference_run(GliCheckpoint *checkpoint, const GliArch *arch, const guint32 *ids, gsize n);
void reference_free(Reference *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Reference, reference_free)
