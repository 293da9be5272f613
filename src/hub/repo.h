/* A model repository on the hub's server: which files a revision has, and how a refusal is put to the user. Only hub.c uses it. */
#pragma once
#include "hub/http.h"

typedef struct {
    char *name;   /* as in the repository: "config.json", "onnx/model.onnx" */
    char *etag;   /* SHA-256 of large files, git blob id of small ones; NULL: the listing does not tell */
    gint64 size;  /* -1: the listing does not tell */
} GlintRepoFile;

typedef struct {
    char *commit;
    GPtrArray *files; /* of GlintRepoFile */
} GlintRepo;

void glint_repo_free(GlintRepo *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintRepo, glint_repo_free)
GlintRepoFile *glint_repo_find(const GlintRepo *self, const char *name); /* NULL if absent */

/* Where and as whom to ask. */
typedef struct {
    const char *endpoint, *id, *revision;
    const char *token; /* NULL: nobody */
} GlintRepoAddress;

/* Asks the server. `unreachable` tells why there is none: TRUE when the server could not be reached, is out of order or does not let us in,
 * so that what is in the cache may do; FALSE when it says that there is no such model or revision. */
GlintRepo *glint_repo_list(const GlintRepoAddress *address, gboolean *unreachable, GError **error);

/* Fills a file's etag and size from the headers of the file itself, for servers whose listing lacks them. */
gboolean glint_repo_ask_file(const GlintRepoAddress *address, const char *commit, GlintRepoFile *file, GError **error);

/* The URL of a file's content at a commit. */
char *glint_repo_file_url(const GlintRepoAddress *address, const char *commit, const char *name);

/* Turns a reply that is no success into an error: gated (with the page of the licence), private or no model (with what was
 * perhaps meant), no such revision or file, a bad token. Returns FALSE. */
gboolean glint_repo_refused(const GlintRepoAddress *address, const GlintHttpReply *reply, GError **error);
