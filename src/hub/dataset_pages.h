/* Private to the hub's data sets: the pages of a split in a cache file, and which of them a sample needs. */
#pragma once
#include "hub/rows.h"

/* Fetches rows offset..offset+length-1 and appends them to `lines` as glint_rows_parse() does. */
typedef gboolean (*GlintPageSource)(gpointer data, const GlintSplit *split, guint64 offset, guint64 length, GPtrArray *lines, GError **error);

typedef struct {
    const GlintSplit *split;
    const GlintColumn *label;
    gsize max_samples; /* 0: every page */
    guint64 seed;
    GlintPageSource source;
    gpointer source_data;
} GlintPagePlan;

/* Is the whole split wanted, since the sample would take half of it or more? */
gboolean glint_page_plan_whole(const GlintPagePlan *self);

/* Makes `path`: fetched pages are appended to `path`.part, which a later call goes on from; once all are there they are put
 * in order, counted, and renamed. Another process that fetches the same is waited for. */
gboolean glint_pages_fetch(const GlintPagePlan *plan, const char *path, GError **error);

/* A source of pages that have been fetched before: lines of the file of a whole split. `data`: a GlintPageFile. */
typedef struct GlintPageFile GlintPageFile;
GlintPageFile *glint_page_file_open(const char *path, const GlintSplit *split, GError **error);
gboolean glint_page_file_read(gpointer data, const GlintSplit *split, guint64 offset, guint64 length, GPtrArray *lines, GError **error);
void glint_page_file_free(GlintPageFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintPageFile, glint_page_file_free)
