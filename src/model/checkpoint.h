/* The weight files of a Hugging Face folder: model.safetensors, or the shards of model.safetensors.index.json.
 *
 * All files are mapped; tensors are found by the descriptor's role, checked against its shape, and marked as used, so that
 * a tensor nobody asked for is noticed (it would be mathematics left out). */
#pragma once
#include "base/safetensors.h"
#include "model/arch.h"

typedef struct GliCheckpoint GliCheckpoint;
GliCheckpoint *gli_checkpoint_open(const char *folder, GError **error);
void gli_checkpoint_free(GliCheckpoint *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GliCheckpoint, gli_checkpoint_free)

/* Binds the descriptor: finds the name prefix, settles which name a tied embedding has, and which IF_PRESENT biases exist
 * (arch->bias becomes NONE or REQUIRED throughout). */
gboolean gli_checkpoint_bind(GliCheckpoint *self, GliArch *arch, GError **error);

/* The weight (or bias) of a role; layer is ignored for roles of the model. Never NULL without *error. */
const GlintTensor *gli_checkpoint_weight(GliCheckpoint *self, const GliArch *arch, GliRole role, gsize layer, GError **error);
const GlintTensor *gli_checkpoint_bias(GliCheckpoint *self, const GliArch *arch, GliRole role, gsize layer, GError **error);
/* The file a tensor lies in, for messages. */
const char *gli_checkpoint_file(const GliCheckpoint *self, const GlintTensor *tensor);

/* Asks for every tensor the descriptor names, so that absences and wrong shapes are reported before any work is done; then an
 * error if a tensor was not asked for and matches none of arch->ignore. Reads headers only. */
gboolean gli_checkpoint_check_tensors(GliCheckpoint *self, const GliArch *arch, GError **error);
/* Where a tied matrix is stored under both names: error if the two differ. Reads both. */
gboolean gli_checkpoint_check_tied(const GliCheckpoint *self, GError **error);

/* Elements [first, first+n) as f32 or bf16 bits; an error that names file and tensor when one is NaN or infinite. */
gboolean gli_checkpoint_f32(const GliCheckpoint *self, const GlintTensor *tensor, gsize first, gsize n, float *out, GError **error);
gboolean gli_checkpoint_bf16(const GliCheckpoint *self, const GlintTensor *tensor, gsize first, gsize n, guint16 *out, GError **error);
/* Looks at every element without keeping any. */
gboolean gli_checkpoint_scan(const GliCheckpoint *self, const GlintTensor *tensor, GError **error);

/* Gives the pages of a tensor back to the kernel once it has been packed; they come back from the file if read again. */
void gli_checkpoint_drop(const GlintTensor *tensor);

gsize gli_checkpoint_parameters(const GliCheckpoint *self); /* elements of the tensors used */
GlintTensorType gli_checkpoint_type(const GliCheckpoint *self); /* the type most elements have */

gsize gli_checkpoint_file_bytes(const GliCheckpoint *self, gsize *n_files); /* of all tensors in them */

/* config.json and the weight files in order of name, for gli_identity(); free with g_strfreev. */
char **gli_checkpoint_paths(const GliCheckpoint *self);
