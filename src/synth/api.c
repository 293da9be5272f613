/* The chat client. See api.h. Threads take questions one by one; http.c retries and waits where the server asks for it.
 * What the server does not support is found out by asking: a refusal (400, 422 and their like) of a request that wants JSON by schema
 * makes us ask for JSON of any kind, and then for plain text. */
#include "synth/api.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "hub/env.h"
#include "hub/http.h"

#include <string.h>

enum { CONTENT_TRIES = 3, ANSWER_SECONDS = 600, REPLY_BYTES = 4 << 20, POLL_US = 100000 };
typedef enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_SCHEMA } Format;

struct GlintApi {
    char *url, *plain_url, *model, *key, *temperature, *folder;
    guint parallel;
    gboolean force;
    double price_in, price_out;
    GMutex lock; /* of what follows */
    Format format;
    gboolean stop;
    GlintApiUse use;
    char *refusal;
};

GlintApi *glint_api_new(const GlintApiOptions *options, GError **error)
{
    if (!g_str_has_prefix(options->base_url, "http://") && !g_str_has_prefix(options->base_url, "https://")) {
        glint_fail(error, GLINT_ERROR_USAGE, "--base-url must begin with https:// or http://, as in https://api.openai.com/v1");
        return NULL;
    }
    for (const char *c = options->key; c && *c; c++)
        if (*c <= ' ' || *c > '~') {
            glint_fail(error, GLINT_ERROR_USAGE, "the API key holds blanks, line breaks or other characters that no key has; check the file or "
                                                 "variable it comes from");
            return NULL;
        }
    GlintApi *self = g_new0(GlintApi, 1);
    gsize length = strlen(options->base_url);
    while (length > 0 && options->base_url[length - 1] == '/')
        length--;
    g_autofree char *base = g_strndup(options->base_url, length);
    self->url = g_strconcat(base, "/chat/completions", NULL);
    self->plain_url = glint_http_plain_url(self->url);
    self->model = g_strdup(options->model);
    self->key = g_strdup(options->key);
    self->temperature = g_strdup(options->temperature);
    self->folder = glint_own_cache_dir("synth");
    self->parallel = MAX(options->parallel, 1);
    self->force = options->force;
    self->price_in = options->price_in;
    self->price_out = options->price_out;
    self->format = FORMAT_SCHEMA;
    g_mutex_init(&self->lock);
    return self;
}

void glint_api_free(GlintApi *self)
{
    if (!self)
        return;
    g_free(self->url);
    g_free(self->plain_url);
    g_free(self->model);
    g_free(self->key);
    g_free(self->temperature);
    g_free(self->folder);
    g_free(self->refusal);
    g_mutex_clear(&self->lock);
    g_free(self);
}

const GlintApiUse *glint_api_use(const GlintApi *self) { return &self->use; }

/* ---- the cache ---- */

static char *cache_path(const GlintApi *self, const GlintQuestion *question)
{
    g_autofree char *all = g_strjoin("\n", self->plain_url, self->model, self->temperature ? self->temperature : "", question->system,
                                     question->user, NULL);
    g_autofree char *hash = glint_sha256_bytes(all, strlen(all)), *name = g_strconcat(hash, ".json", NULL);
    return g_build_filename(self->folder, name, NULL);
}

/* What an earlier run was answered; NULL when there is nothing of use. */
static char *cached_answer(const char *path)
{
    if (!g_file_test(path, G_FILE_TEST_EXISTS))
        return NULL;
    g_autoptr(json_t) kept = glint_json_read(path, NULL); /* damaged: asked again, and written over */
    return g_strdup(json_string_value(json_object_get(kept, "answer")));
}

/* ---- one request ---- */

static char *request_body(const GlintApi *self, const GlintQuestion *question, Format format)
{
    g_autoptr(json_t) root = json_pack("{s:s, s:[{s:s, s:s}, {s:s, s:s}]}", "model", self->model, "messages", "role", "system", "content",
                                       question->system, "role", "user", "content", question->user);
    if (self->temperature)
        json_object_set_new(root, "temperature", json_real(g_ascii_strtod(self->temperature, NULL)));
    if (format == FORMAT_SCHEMA)
        json_object_set_new(root, "response_format",
                            json_pack("{s:s, s:{s:s, s:b, s:O}}", "type", "json_schema", "json_schema", "name", "texts", "strict", 1, "schema", question->schema));
    if (format == FORMAT_JSON)
        json_object_set_new(root, "response_format", json_pack("{s:s}", "type", "json_object"));
    char *dump = json_dumps(root, JSON_COMPACT), *body = g_strdup(dump);
    free(dump);
    return body;
}

/* Takes the key out of a message, whoever put it there. A server's message may have been cut in the middle of it, so its beginning is
 * enough, and everything up to the next blank goes. */
static void silence(const GlintApi *self, GError *error)
{
    if (!self->key || !*self->key || !error)
        return;
    g_autofree char *start = g_strndup(self->key, 8);
    g_autoptr(GString) clean = g_string_new(NULL);
    const char *at = error->message;
    for (const char *found; (found = strstr(at, start)); at = found + strcspn(found, " \t\n\"',;")) {
        g_string_append_len(clean, at, found - at);
        g_string_append(clean, "(the API key)");
    }
    g_string_append(clean, at);
    g_free(error->message);
    error->message = g_strdup(clean->str);
}

static Format current_format(GlintApi *self)
{
    g_mutex_lock(&self->lock);
    Format format = self->format;
    g_mutex_unlock(&self->lock);
    return format;
}

/* After a refusal of `format`: is there a simpler one to try? */
static gboolean ask_for_less(GlintApi *self, Format format)
{
    g_mutex_lock(&self->lock);
    if (self->format >= format && format > FORMAT_TEXT)
        self->format = format - 1;
    g_mutex_unlock(&self->lock);
    return format > FORMAT_TEXT;
}

typedef enum { ANSWERED, DECLINED, GARBAGE, HOPELESS } Outcome;

static gboolean fail_reply(const GlintApi *self, const GlintHttpReply *reply, GError **error)
{
    g_autoptr(GError) said = NULL;
    glint_http_check(reply, &said);
    const char *hint = "";
    if (reply->status == 401 || reply->status == 403)
        hint = self->key ? "; is the API key right?" : "; set OPENAI_API_KEY, or give --api-key-file";
    else if (reply->status == 404)
        hint = "; check the base URL (it usually ends in /v1) and the model's name";
    else if (reply->status == 402 || reply->status == 429)
        hint = "; the account's limits stay exceeded; what was answered is kept, run the same command again later, or lower --parallel";
    return glint_fail(error, GLINT_ERROR_IO, "%s%s", said->message, hint);
}

/* The text in an answer's message: a string, or a list of parts. NULL: there is none. */
static char *message_text(const json_t *message)
{
    const json_t *content = json_object_get(message, "content");
    if (json_is_string(content))
        return g_strdup(json_string_value(content));
    if (!json_is_array(content))
        return NULL;
    GString *text = g_string_new(NULL);
    for (gsize k = 0; k < json_array_size(content); k++) {
        const char *part = json_string_value(json_object_get(json_array_get(content, k), "text"));
        g_string_append(text, part ? part : "");
    }
    return g_string_free(text, FALSE);
}

static guint64 token_count(const json_t *answer, const char *key)
{
    const json_t *value = json_object_get(json_object_get(answer, "usage"), key);
    return json_is_integer(value) && json_integer_value(value) > 0 ? (guint64)json_integer_value(value) : 0;
}

static void add_use(GlintApi *self, const json_t *answer, gboolean cut)
{
    guint64 in = token_count(answer, "prompt_tokens"), out = token_count(answer, "completion_tokens");
    g_mutex_lock(&self->lock);
    self->use.n_asked++;
    self->use.n_cut += cut;
    self->use.tokens_in += in;
    self->use.tokens_out += out;
    self->use.cost += ((double)in * self->price_in + (double)out * self->price_out) * 1e-6;
    g_mutex_unlock(&self->lock);
}

static Outcome read_reply(GlintApi *self, const GlintHttpReply *reply, const char *path, char **text, GError **error)
{
    json_error_t where;
    g_autoptr(json_t) answer = json_loadb((const char *)reply->body->data, reply->body->len, 0, &where);
    const json_t *choice = json_array_get(json_object_get(answer, "choices"), 0), *message = json_object_get(choice, "message");
    if (!json_is_object(message)) {
        glint_fail(error, GLINT_ERROR_FORMAT, "%s: the answer is none of the chat API%s%s", self->plain_url, answer ? "" : ": ",
                   answer ? "" : where.text);
        return GARBAGE;
    }
    const char *ending = json_string_value(json_object_get(choice, "finish_reason"));
    add_use(self, answer, ending && strcmp(ending, "length") == 0);
    *text = message_text(message);
    if (!*text || !**text) {
        const char *why = json_string_value(json_object_get(message, "refusal"));
        glint_fail(error, GLINT_ERROR_DATA, "%s: the model wrote nothing%s%s", self->plain_url, why ? ": " : "", why ? why : "");
        g_clear_pointer(text, g_free);
        return DECLINED;
    }
    g_autoptr(json_t) kept = json_pack("{s:s, s:s, s:s, s:I, s:I}", "url", self->plain_url, "model", self->model, "answer", *text, "prompt_tokens",
                                       (json_int_t)token_count(answer, "prompt_tokens"), "completion_tokens",
                                           (json_int_t)token_count(answer, "completion_tokens"));
    return glint_json_write(path, kept, error) ? ANSWERED : HOPELESS;
}

static Outcome ask_once(GlintApi *self, const GlintQuestion *question, const char *path, char **text, GError **error)
{
    for (;;) {
        Format format = current_format(self);
        g_autofree char *body = request_body(self, question, format);
        GlintHttpRequest request = {.token = self->key, .body = body, .body_bytes = strlen(body), .max_bytes = REPLY_BYTES,
                                    .stall_timeout = ANSWER_SECONDS};
        g_autoptr(GlintHttpReply) reply = glint_http(self->url, &request, error);
        if (!reply)
            return HOPELESS;
        if (reply->status >= 200 && reply->status < 300)
            return read_reply(self, reply, path, text, error);
        gboolean refused = reply->status == 400 || reply->status == 415 || reply->status == 422 || reply->status == 501;
        if (refused && ask_for_less(self, format))
            continue;
        fail_reply(self, reply, error);
        return refused ? DECLINED : HOPELESS;
    }
}

/* ---- many ---- */

typedef struct {
    GlintApi *api;
    const GlintQuestion *question;
    char *answer;
    Outcome outcome;
    GError *error;
    GAsyncQueue *done;
} Job;

static void work(Job *job)
{
    GlintApi *self = job->api;
    g_autofree char *path = cache_path(self, job->question);
    g_mutex_lock(&self->lock);
    gboolean stop = self->stop;
    g_mutex_unlock(&self->lock);
    job->outcome = ANSWERED;
    if (stop) {
        job->outcome = DECLINED; /* another request has failed for good: its error is told */
    } else if (self->force || !(job->answer = cached_answer(path))) {
        for (int k = 0; k < CONTENT_TRIES; k++) {
            g_clear_error(&job->error);
            job->outcome = ask_once(self, job->question, path, &job->answer, &job->error);
            if (job->outcome != GARBAGE || glint_interrupted())
                break;
        }
    } else {
        g_mutex_lock(&self->lock);
        self->use.n_cached++;
        g_mutex_unlock(&self->lock);
    }
    silence(self, job->error);
    if (job->outcome == HOPELESS) {
        g_mutex_lock(&self->lock);
        self->stop = TRUE;
        g_mutex_unlock(&self->lock);
    }
    g_async_queue_push(job->done, job);
}

typedef struct {
    Job *jobs;
    gint n, next; /* next: the first job nobody has taken */
} Jobs;

/* A thread's life. They are joined in the end (which GLib's pools do not do), so that what libcrypto keeps per thread is given back. */
static gpointer work_on(gpointer data)
{
    Jobs *self = data;
    for (gint k; (k = g_atomic_int_add(&self->next, 1)) < self->n;)
        work(&self->jobs[k]);
    return NULL;
}

static void note_progress(GlintApi *self, GlintProgress *bar, gsize n_done)
{
    g_mutex_lock(&self->lock);
    g_autofree char *cost = self->use.cost > 0 ? g_strdup_printf(", %.4f spent", self->use.cost) : g_strdup("");
    g_autofree char *note = g_strdup_printf("%" G_GUINT64_FORMAT " tokens%s", self->use.tokens_in + self->use.tokens_out, cost);
    g_mutex_unlock(&self->lock);
    glint_progress_update(bar, (double)n_done, note);
}

/* Takes over what the jobs brought; the error of the first hopeless one. */
static gboolean collect(GlintApi *self, Job *jobs, gsize n, char **answers, GError **error)
{
    gboolean ok = TRUE;
    for (gsize k = 0; k < n; k++) {
        answers[k] = jobs[k].answer;
        if (jobs[k].error && jobs[k].outcome == HOPELESS && ok) {
            g_propagate_error(error, g_steal_pointer(&jobs[k].error));
            ok = FALSE;
        } else if (jobs[k].error) {
            self->use.n_refused++;
            if (!self->refusal)
                self->refusal = g_strdup(jobs[k].error->message);
        }
        g_clear_error(&jobs[k].error);
    }
    return ok;
}

static gboolean ask_all(gpointer api, const GlintQuestion *questions, gsize n, char **answers, GError **error)
{
    GlintApi *self = api;
    g_autoptr(GAsyncQueue) done = g_async_queue_new();
    g_autofree Job *jobs = g_new0(Job, n + 1);
    g_autoptr(GlintProgress) bar = glint_progress_new("asking", (double)n, "requests");
    for (gsize k = 0; k < n; k++)
        jobs[k] = (Job){.api = self, .question = &questions[k], .done = done};
    Jobs all = {jobs, (gint)n, 0};
    g_autoptr(GPtrArray) threads = g_ptr_array_new();
    for (gsize k = 0; k < MIN(self->parallel, n); k++)
        g_ptr_array_add(threads, g_thread_new("ask", work_on, &all));
    for (gsize n_done = 0; n_done < n;) {
        if (g_async_queue_timeout_pop(done, POLL_US))
            n_done++;
        note_progress(self, bar, n_done);
        if (glint_interrupted()) { /* requests under way end by themselves, waiting ones must not begin */
            g_mutex_lock(&self->lock);
            self->stop = TRUE;
            g_mutex_unlock(&self->lock);
        }
    }
    for (guint k = 0; k < threads->len; k++)
        g_thread_join(g_ptr_array_index(threads, k));
    gboolean ok = collect(self, jobs, n, answers, error);
    return ok && glint_check_interrupt(error);
}

static const char *refusal(gpointer api) { return ((const GlintApi *)api)->refusal; }

GlintAnswerer glint_api_answerer(GlintApi *self)
{
    return (GlintAnswerer){ask_all, refusal, self, "the answers are kept: ask for fewer with --n, for another seed, or another model"};
}
