/* What the tests of collecting share: a scratch folder, small data sets, runs that must succeed or fail, folders compared. */
#pragma once
#include "base/error.h"
#include "collect/collect.h"
#include "fake_model.h"

extern const GlintSite three_layers[3]; /* mlp.hook_post of every layer of the fake model */
extern const GlintSite everything[6];   /* both of its sites at all layers, in no particular order */
#define TARGET_BYTES ((gsize)FAKE_WIDTH * (FAKE_WIDTH + GLINT_MOMENTS_BLOCK + 1) * sizeof(double)) /* of one target of the wider site */

int make_scratch(void **state); /* group setup and teardown */
int drop_scratch(void **state);
char *in_scratch(const char *name); /* free with g_free */

GlintDataset *dataset_new(const char *const *classes);
void dataset_add(GlintDataset *d, int label, const char *text);
void dataset_drop(GlintDataset *d);
/* n texts of changing length in two classes, "neg" and "pos/weird name"; every 10th is longer than the model takes. */
GlintDataset *texts_of(guint n);

/* Three layers, 7 texts a batch, a checkpoint after every batch. */
GlintCollectOptions options_of(GlintPool pool);
GlintCollectStats collect_good(const GlintDataset *d, const GlintCollectOptions *options, const char *folder);
void collect_bad(const GlintDataset *d, const GlintCollectOptions *options, const char *folder, GlintErrorCode code, const char *part);
void assert_same_tree(const char *a, const char *b); /* the same files with the same bytes */
