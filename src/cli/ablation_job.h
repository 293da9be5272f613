/* glint steer --ablation-matrix: what the module of each class means for the texts of every class. */
#pragma once
#include "collect/collect.h"
#include "steer/ablation.h"
#include "text/chat.h"
#include "text/dataset.h"
#include "text/tokenizer.h"

typedef struct {
    GlintModel *model;
    const GlintTokenizer *tokenizer;
    const GlintChat *chat;     /* texts are user turns of it, or NULL */
    const GlintDataset *used, *all;
    char *const *classes, *const *folders; /* of the results folder, NULL-terminated */
    const char *root, *out;    /* results; the matrices go to out/ablation/ */
    GlintAblationOptions options;
    gsize n_texts, text_tokens;/* of each class; of each text */
    gboolean pictures;
} GlintAblationPlan;

/* Every layer; leaves out/ablation/ (swapped in whole): ablation.csv, ablation.json and <site>.png. *report: what ablation.json says. */
gboolean glint_job_ablation(const GlintAblationPlan *plan, GlintSiteKind kind, const GArray *layers /* gsize */, json_t **report, GError **error);
