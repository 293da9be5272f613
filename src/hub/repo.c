/* The hub's API. See repo.h. One request tells all that is to know of a revision: /api/models/ID/revision/REV?blobs=true lists commit,
 * names, sizes and hashes. */
#include "hub/repo.h"

#include "base/error.h"
#include "base/files.h"
#include "hub/cache.h"
#include "hub/env.h"
#include "hub/hub.h"

#include <string.h>

enum { METADATA_TRIES = 3, MAX_FILES = 100000 };

static void file_free(gpointer data)
{
    GlintRepoFile *self = data;
    g_free(self->name);
    g_free(self->etag);
    g_free(self);
}

void glint_repo_free(GlintRepo *self)
{
    if (self == NULL)
        return;
    g_free(self->commit);
    g_ptr_array_unref(self->files);
    g_free(self);
}

GlintRepoFile *glint_repo_find(const GlintRepo *self, const char *name)
{
    for (guint i = 0; i < self->files->len; i++) {
        GlintRepoFile *file = g_ptr_array_index(self->files, i);
        if (strcmp(file->name, name) == 0)
            return file;
    }
    return NULL;
}

/* ---- refusals ------------------------------------------------------------------------------------------------------- */

/* The endpoint as messages may show it, without a slash at its end. */
static char *shown_endpoint(const GlintRepoAddress *address)
{
    char *endpoint = glint_http_plain_url(address->endpoint);
    if (g_str_has_suffix(endpoint, "/"))
        endpoint[strlen(endpoint) - 1] = '\0';
    return endpoint;
}

static gboolean fail_gated(const GlintRepoAddress *address, GError **error)
{
    g_autofree char *hub = shown_endpoint(address);
    if (address->token != NULL)
        return glint_fail(error, GLINT_ERROR_IO, "'%s' is gated, and the account of the token that was sent may not read it; "
                          "accept its licence at %s/%s with that account, or set HF_TOKEN to a token of an account that has access",
                          address->id, hub, address->id);
    return glint_fail(error, GLINT_ERROR_IO, "'%s' is gated: accept its licence at %s/%s, then set HF_TOKEN to a token of your account "
                      "(%s/settings/tokens) or put it into the file 'token' of HF_HOME", address->id, hub, address->id, hub);
}

static gboolean fail_no_model(const GlintRepoAddress *address, GError **error)
{
    g_autofree char *endpoint = shown_endpoint(address), *meant = glint_hub_suggest(address->id);
    return glint_fail(error, GLINT_ERROR_IO, "there is no model '%s' at %s (nor a folder of that name here), or it is private%s%s%s; %s",
                      address->id, endpoint, meant != NULL ? " (did you mean " : "", meant != NULL ? meant : "", meant != NULL ? "?)" : "",
                      address->token != NULL ? "the account of the token that was sent may not see it"
                                             : "if it is private, set HF_TOKEN to a token that may read it");
}

gboolean glint_repo_refused(const GlintRepoAddress *address, const GlintHttpReply *reply, GError **error)
{
    const char *code = glint_http_reply_header(reply, "x-error-code");
    if (g_strcmp0(code, "GatedRepo") == 0)
        return fail_gated(address, error);
    if (g_strcmp0(code, "RevisionNotFound") == 0)
        return glint_fail(error, GLINT_ERROR_IO, "'%s' has no revision '%s'; give a branch, a tag or a commit of it", address->id, address->revision);
    if (g_strcmp0(code, "EntryNotFound") == 0)
        return glint_http_check(reply, error);
    if (g_strcmp0(code, "RepoNotFound") == 0 || (code == NULL && reply->status == 404))
        return fail_no_model(address, error);
    if (reply->status == 401 && address->token != NULL) {
        g_autofree char *endpoint = shown_endpoint(address);
        return glint_fail(error, GLINT_ERROR_IO, "%s does not accept the token that was sent for '%s'; set HF_TOKEN to a valid one, or unset it "
                          "and remove the token file for public models",
                          endpoint, address->id);
    }
    if (reply->status == 401)
        return fail_no_model(address, error); /* how the hub answers strangers who ask for what is not there */
    return glint_http_check(reply, error);
}

/* ---- requests ------------------------------------------------------------------------------------------------------- */

static GlintHttpRequest metadata_request(const GlintRepoAddress *address)
{
    double timeout = glint_hub_etag_timeout();
    return (GlintHttpRequest){.token = address->token, .connect_timeout = timeout, .stall_timeout = timeout, .tries = METADATA_TRIES};
}

char *glint_repo_file_url(const GlintRepoAddress *address, const char *commit, const char *name)
{
    g_autofree char *file = g_uri_escape_string(name, "/", FALSE), *revision = glint_http_escape(commit);
    return g_strdup_printf("%s/%s/resolve/%s/%s", address->endpoint, address->id, revision, file);
}

/* Quotes and the mark of weak tags taken off, as the Python client names blobs. NULL: could not be a file's name. */
static char *clean_etag(const char *text)
{
    if (text == NULL)
        return NULL;
    text += g_str_has_prefix(text, "W/") ? 2 : 0;
    text += *text == '"';
    g_autofree char *etag = g_strndup(text, strcspn(text, "\""));
    return glint_cache_is_plain_name(etag) ? g_steal_pointer(&etag) : NULL;
}

static GlintRepoFile *read_file(json_t *entry)
{
    const char *name = json_string_value(json_object_get(entry, "rfilename"));
    if (name == NULL)
        return NULL;
    json_t *lfs = json_object_get(entry, "lfs"), *size = json_object_get(entry, "size");
    const char *etag = json_string_value(json_is_object(lfs) ? json_object_get(lfs, "sha256") : json_object_get(entry, "blobId"));
    if (json_is_object(lfs) && json_is_integer(json_object_get(lfs, "size")))
        size = json_object_get(lfs, "size");
    GlintRepoFile *file = g_new0(GlintRepoFile, 1);
    file->name = g_strdup(name);
    file->etag = clean_etag(etag);
    file->size = json_is_integer(size) && json_integer_value(size) >= 0 ? json_integer_value(size) : -1;
    return file;
}

static GlintRepo *read_listing(const GlintHttpReply *reply, GError **error)
{
    g_autofree char *url = glint_http_plain_url(reply->url);
    json_error_t where;
    g_autoptr(json_t) root = json_loadb(glint_http_reply_text(reply), reply->body->len, 0, &where);
    const char *commit = json_string_value(json_object_get(root, "sha"));
    json_t *siblings = json_object_get(root, "siblings");
    if (root == NULL)
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: the answer is no JSON (%s); is HF_ENDPOINT a Hugging Face hub, and no log-in page of a network "
                   "in between?", url, where.text);
    else if (commit == NULL || !glint_cache_is_plain_name(commit) || !json_is_array(siblings) || json_array_size(siblings) > MAX_FILES)
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: the answer is not what a Hugging Face hub says of a model (no \"sha\" or no \"siblings\"); is "
                   "HF_ENDPOINT right?", url);
    else {
        GlintRepo *self = g_new0(GlintRepo, 1);
        self->commit = g_strdup(commit);
        self->files = g_ptr_array_new_with_free_func(file_free);
        for (gsize i = 0; i < json_array_size(siblings); i++) {
            GlintRepoFile *file = read_file(json_array_get(siblings, i));
            if (file != NULL)
                g_ptr_array_add(self->files, file);
        }
        return self;
    }
    return NULL;
}

GlintRepo *glint_repo_list(const GlintRepoAddress *address, gboolean *unreachable, GError **error)
{
    g_autofree char *revision = glint_http_escape(address->revision);
    g_autofree char *url = g_strdup_printf("%s/api/models/%s/revision/%s?blobs=true", address->endpoint, address->id, revision);
    GlintHttpRequest request = metadata_request(address);
    *unreachable = FALSE;
    g_autoptr(GError) reason = NULL;
    g_autoptr(GlintHttpReply) reply = glint_http(url, &request, &reason);
    if (reply == NULL) {
        *unreachable = !g_error_matches(reason, GLINT_ERROR, GLINT_ERROR_INTERRUPTED);
        if (*unreachable)
            glint_fail(error, GLINT_ERROR_IO, "%s; HF_ENDPOINT names a mirror, HF_HUB_OFFLINE=1 keeps to what is in the cache, and a local model "
                       "folder needs no network", reason->message);
        else
            g_propagate_error(error, g_steal_pointer(&reason));
        return NULL;
    }
    if (reply->status == 200)
        return read_listing(reply, error);
    *unreachable = reply->status != 404 && reply->status != 400;
    glint_repo_refused(address, reply, error);
    return NULL;
}

gboolean glint_repo_ask_file(const GlintRepoAddress *address, const char *commit, GlintRepoFile *file, GError **error)
{
    g_autofree char *url = glint_repo_file_url(address, commit, file->name);
    GlintHttpRequest request = metadata_request(address);
    request.method = "HEAD";
    request.stay_at_origin = TRUE; /* the hub's headers stand in the redirect to its content network */
    g_autoptr(GlintHttpReply) reply = glint_http(url, &request, error);
    if (reply == NULL)
        return FALSE;
    if (reply->status >= 400)
        return glint_repo_refused(address, reply, error);
    const char *linked = glint_http_reply_header(reply, "x-linked-etag"), *size = glint_http_reply_header(reply, "x-linked-size");
    if (size == NULL && reply->status == 200)
        size = glint_http_reply_header(reply, "content-length");
    g_free(file->etag);
    file->etag = clean_etag(linked != NULL ? linked : glint_http_reply_header(reply, "etag"));
    file->size = size != NULL && g_ascii_isdigit(*size) ? g_ascii_strtoll(size, NULL, 10) : -1;
    if (file->etag == NULL)
        return glint_fail(error, GLINT_ERROR_FORMAT, "'%s' of '%s': the server gives no ETag, which names the file in the cache; is HF_ENDPOINT a "
                          "Hugging Face hub?", file->name, address->id);
    return TRUE;
}
