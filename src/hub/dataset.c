/* A data set of the hub by name: which configuration, split and columns are meant, and its rows in the cache. See dataset.h.
 *
 *   <cache>/org--name/splits.json                        what /splits said
 *                    /<config>/<split>.json              columns and number of rows
 *                             /<split>.jsonl             every row
 *                             /<split>.N-SEED-LABEL.jsonl  the pages that a sample of N takes
 *
 * What the cache has is not asked for again; deleting the folder org--name makes glint look anew. Answers that are no JSON or hold
 * other rows than asked for are tried again twice (proxies and overloaded servers send such); dropped connections, 429 and 5xx
 * are http.c's business. */
#include "hub/dataset.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "hub/dataset_columns.h"
#include "hub/dataset_name.h"
#include "hub/dataset_pages.h"
#include "hub/env.h"
#include "hub/http.h"
#include "hub/part_file.h"

#include <string.h>
#include <unistd.h>

#define SERVER "https://datasets-server.huggingface.co"
enum { CONTENT_TRIES = 3, ANSWER_SECONDS = 60 };

void glint_hub_dataset_clear(GlintHubDataset *self)
{
    g_free(self->path);
    g_free(self->text_column);
    g_free(self->label_column);
    *self = (GlintHubDataset){0};
}

/* ---- places ---- */

/* A name out of a server's answer as one part of a path. */
static char *path_part(const char *name)
{
    g_autofree char *escaped = g_uri_escape_string(name, " +=@,", FALSE);
    return *escaped == '.' ? g_strconcat("%2E", escaped + 1, NULL) : g_steal_pointer(&escaped);
}

static char *dataset_folder(const char *id)
{
    g_autofree char *base = glint_own_cache_dir("datasets");
    g_auto(GStrv) halves = g_strsplit(id, "/", 2);
    g_autofree char *name = g_strjoin("--", halves[0], halves[1], NULL);
    return g_build_filename(base, name, NULL);
}

/* ---- asking ---- */

/* What a refusal means to somebody who typed a name. */
static gboolean fail_status(const GlintHttpReply *reply, const char *id, gboolean has_token, GError **error)
{
    g_autoptr(GError) said = NULL;
    glint_http_check(reply, &said);
    const char *detail = said ? said->message : "", *hint = "";
    if (reply->status == 401 || reply->status == 403 || reply->status == 404)
        hint = has_token ? "; check the spelling, and that your token may read it"
                         : "; check the spelling, and for a private or gated set accept its terms there and set HF_TOKEN";
    else if (reply->status == 500 || reply->status == 501 || reply->status == 422)
        hint = "; not every data set has rows to ask for (the hub makes them from Parquet, CSV or JSON files, not from scripts): "
               "else download its files and give one as .jsonl or .csv (a Parquet file: python -c \"import pandas; "
               "pandas.read_parquet('a.parquet').to_json('a.jsonl', orient='records', lines=True)\")";
    return glint_fail(error, GLINT_ERROR_IO, "cannot fetch the data set %s (https://huggingface.co/datasets/%s): %s%s", id, id, detail, hint);
}

/* The answer to `query` as JSON; NULL and *again when it was none. */
static json_t *ask_once(const char *id, const char *url, gboolean *again, GError **error)
{
    *again = FALSE;
    g_autofree char *token = NULL;
    if (!glint_hub_token(&token, error))
        return NULL;
    GlintHttpRequest request = {.token = token, .stall_timeout = ANSWER_SECONDS};
    g_autoptr(GlintHttpReply) reply = glint_http(url, &request, error);
    if (!reply)
        return NULL;
    if (reply->status < 200 || reply->status >= 300) {
        fail_status(reply, id, token != NULL, error);
        return NULL;
    }
    json_error_t where;
    json_t *answer = json_loadb((const char *)reply->body->data, reply->body->len, JSON_ALLOW_NUL, &where);
    if (!answer && json_error_code(&where) == json_error_numeric_overflow)
        answer = json_loadb((const char *)reply->body->data, reply->body->len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &where);
    if (json_is_object(answer))
        return answer;
    g_autofree char *plain = glint_http_plain_url(url);
    glint_fail(error, GLINT_ERROR_FORMAT, "%s: the answer is no JSON object: %s", plain, answer ? "it is of another kind" : where.text);
    json_decref(answer);
    *again = TRUE;
    return NULL;
}

typedef gboolean (*Taker)(const json_t *answer, const char *where, gpointer data, GError **error);

/* Asks until `take` accepts the answer, CONTENT_TRIES times at most. */
static gboolean ask(const char *id, const char *path, const char *query, Taker take, gpointer data, GError **error)
{
    if (glint_hub_offline())
        return glint_fail(error, GLINT_ERROR_IO, "the data set %s is not (wholly) in the cache, and HF_HUB_OFFLINE forbids fetching it; unset it", id);
    const char *chosen = g_getenv("GLINT_DATASETS_SERVER");
    g_autofree char *escaped = glint_http_escape(id);
    g_autofree char *url = g_strdup_printf("%s%s?dataset=%s%s", chosen && *chosen ? chosen : SERVER, path, escaped, query);
    g_autofree char *where = glint_http_plain_url(url);
    for (int k = 1;; k++) {
        g_autoptr(GError) problem = NULL;
        gboolean again;
        g_autoptr(json_t) answer = ask_once(id, url, &again, &problem);
        if (answer && take(answer, where, data, &problem))
            return TRUE;
        again = again || (answer && g_error_matches(problem, GLINT_ERROR, GLINT_ERROR_FORMAT));
        if (!again || k == CONTENT_TRIES || glint_interrupted()) {
            g_propagate_error(error, g_steal_pointer(&problem));
            return FALSE;
        }
    }
}

/* ---- which split ---- */

static gboolean take_splits(const json_t *answer, const char *where, gpointer data, GError **error)
{
    if (!json_is_array(json_object_get(answer, "splits")))
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: an answer with a list \"splits\" was expected", where);
    *(json_t **)data = json_incref((json_t *)answer);
    return TRUE;
}

static gboolean choose_split(const GlintDatasetName *name, const char *folder, char **config, char **split, GError **error)
{
    g_autofree char *path = g_build_filename(folder, "splits.json", NULL);
    g_autoptr(json_t) answer = NULL;
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        answer = glint_json_read(path, error);
    else if (ask(name->id, "/splits", "", take_splits, &answer, error) && !glint_json_write(path, answer, error))
        return FALSE;
    return answer && glint_splits_choose(answer, name->id, name->parts, config, split, error);
}

/* ---- rows ---- */

static char *rows_query(const char *config, const char *split, guint64 offset, guint64 length)
{
    g_autofree char *c = glint_http_escape(config), *s = glint_http_escape(split);
    return g_strdup_printf("&config=%s&split=%s&offset=%" G_GUINT64_FORMAT "&length=%" G_GUINT64_FORMAT, c, s, offset, length);
}

typedef struct {
    const char *id, *config, *split;
    GlintSplit *found;
    json_t *kept;
} Describing;

static gboolean take_description(const json_t *answer, const char *where, gpointer data, GError **error)
{
    Describing *self = data;
    self->found = glint_split_parse(answer, self->id, self->config, self->split, where, error);
    if (self->found)
        self->kept = glint_split_json(self->found, answer);
    return self->found != NULL;
}

static GlintSplit *describe_split(const char *id, const char *config, const char *split, const char *path, GError **error)
{
    if (g_file_test(path, G_FILE_TEST_EXISTS)) {
        g_autoptr(json_t) kept = glint_json_read(path, error);
        return kept ? glint_split_parse(kept, id, config, split, path, error) : NULL;
    }
    Describing self = {id, config, split, NULL, NULL};
    g_autofree char *query = rows_query(config, split, 0, 1);
    if (!ask(id, "/rows", query, take_description, &self, error))
        return NULL;
    g_autoptr(GlintSplit) found = self.found;
    g_autoptr(json_t) kept = self.kept;
    return glint_json_write(path, kept, error) ? g_steal_pointer(&found) : NULL;
}

typedef struct {
    const GlintSplit *split;
    guint64 offset, length, n_cut;
    GPtrArray *lines;
} Paging;

static gboolean take_rows(const json_t *answer, const char *where, gpointer data, GError **error)
{
    Paging *self = data;
    g_ptr_array_set_size(self->lines, 0);
    return glint_rows_parse(self->split, answer, self->offset, self->length, where, self->lines, &self->n_cut, error);
}

static gboolean fetch_rows(gpointer data, const GlintSplit *split, guint64 offset, guint64 length, GPtrArray *lines, GError **error)
{
    (void)data;
    Paging self = {split, offset, length, 0, lines};
    g_autofree char *query = rows_query(split->config, split->split, offset, length);
    return ask(split->dataset, "/rows", query, take_rows, &self, error);
}

/* Makes sure of `whole`, or of the sample beside it; returns the file to read. */
static char *fetch_file(const GlintSplit *split, const GlintColumn *label, const GlintHubDatasetOptions *options, const char *stem, GError **error)
{
    GlintPagePlan plan = {split, label, options->max_samples, options->seed, fetch_rows, NULL};
    g_autofree char *whole = g_strconcat(stem, ".jsonl", NULL), *label_part = path_part(label->name);
    gboolean have_whole = g_file_test(whole, G_FILE_TEST_EXISTS);
    g_autoptr(GlintPageFile) file = NULL;
    g_autofree char *path = NULL;
    if (glint_page_plan_whole(&plan))
        path = g_steal_pointer(&whole);
    else {
        path = g_strdup_printf("%s.%zu-%" G_GUINT64_FORMAT "-%s.jsonl", stem, options->max_samples, options->seed, label_part);
        if (have_whole && !(file = glint_page_file_open(whole, split, error)))
            return NULL;
        if (file)
            plan.source = glint_page_file_read;
        plan.source_data = file;
    }
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&path);
    glint_say("data: fetching %s, %s, split %s%s from the hub", split->dataset, split->config, split->split,
              glint_page_plan_whole(&plan) ? "" : " (a sample)");
    return glint_pages_fetch(&plan, path, error) ? g_steal_pointer(&path) : NULL;
}

static gboolean fetch_split(const GlintSplit *split, const GlintHubDatasetOptions *options, const char *stem, GlintHubDataset *out, GError **error)
{
    const GlintColumn *text, *label;
    if (split->n_rows == 0)
        return glint_fail(error, GLINT_ERROR_DATA, "%s: its split %s has no rows", split->dataset, split->split);
    if (!glint_dataset_columns_choose(split, options->text_column, options->label_column, &text, &label, error))
        return FALSE;
    if (split->partial)
        glint_warn("%s, split %s: the hub offers only its first %" G_GUINT64_FORMAT " rows", split->dataset, split->split, split->n_rows);
    g_autofree char *path = fetch_file(split, label, options, stem, error);
    if (!path)
        return FALSE;
    glint_say("data: %s, %s, split %s of %" G_GUINT64_FORMAT " rows; text is column \"%s\", label is column \"%s\"%s", split->dataset, split->config,
              split->split,
              split->n_rows, text->name, label->name, options->text_column && options->label_column ? ""
                  : " (guessed; --text-column, --label-column choose)");
    *out = (GlintHubDataset){g_steal_pointer(&path), g_strdup(text->name), g_strdup(label->name)};
    return TRUE;
}

gboolean glint_hub_dataset_fetch(const char *name, const GlintHubDatasetOptions *options, GlintHubDataset *out, GError **error)
{
    g_auto(GlintDatasetName) parsed;
    if (!glint_dataset_name_parse(name, &parsed))
        return glint_fail(error, GLINT_ERROR_USAGE, "'%s' is no name of a data set; names are org/name, org/name:split or org/name:config:split",
                          name);
    g_autofree char *folder = dataset_folder(parsed.id), *config = NULL, *split = NULL;
    if (!choose_split(&parsed, folder, &config, &split, error))
        return FALSE;
    g_autofree char *config_part = path_part(config), *split_part = path_part(split);
    g_autofree char *stem = g_build_filename(folder, config_part, split_part, NULL);
    g_autofree char *description = g_strconcat(stem, ".json", NULL);
    g_autoptr(GlintSplit) found = describe_split(parsed.id, config, split, description, error);
    return found && fetch_split(found, options, stem, out, error);
}

/* ---- files by address ---- */

static gboolean download(const char *url, const char *plain, const char *part, GError **error)
{
    glint_say("data: fetching %s", plain);
    g_autoptr(GlintProgress) bar = glint_progress_new("data", 0, "MB");
    GlintHttpRequest request = {.progress = bar, .stall_timeout = ANSWER_SECONDS};
    g_autoptr(GlintHttpReply) reply = glint_http_download(url, &request, part, -1, error);
    return reply && glint_http_check(reply, error);
}

char *glint_hub_download_url(const char *url, GError **error)
{
    g_autofree char *base = glint_own_cache_dir("datasets"), *plain = glint_http_plain_url(url), *hash = glint_sha256_bytes(url, strlen(url));
    g_autofree char *own_name = g_path_get_basename(plain), *name = path_part(own_name);
    hash[16] = '\0';
    g_autofree char *path = g_build_filename(base, "urls", hash, name, NULL), *part = g_strconcat(path, ".part", NULL);
    if (g_file_test(path, G_FILE_TEST_EXISTS))
        return g_steal_pointer(&path);
    if (glint_hub_offline()) {
        glint_fail(error, GLINT_ERROR_IO, "%s is not in the cache, and HF_HUB_OFFLINE forbids fetching it; unset it", plain);
        return NULL;
    }
    int fd = glint_part_open(part, error);
    if (fd < 0)
        return NULL;
    gboolean ok = g_file_test(path, G_FILE_TEST_EXISTS) || (download(url, plain, part, error) && glint_part_commit(fd, part, path, error));
    close(fd);
    return ok ? g_steal_pointer(&path) : NULL;
}
