/* Continuing many prompts at once. See generate.h.
 *
 * A slot is one sequence of the cache. Every pass gives each busy slot its prompt, when it has just begun, or its last
 * token; a slot whose text ended takes the next prompt before the next pass. Reading prompts and carrying texts on mix in
 * one pass, since a batch is packed. Prompts are taken up only as far as READ_AT_ONCE tokens a pass, which bounds memory. */
#include "model/generate.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "model/continuation.h"
#include "model/forward.h"
#include "model/sampling.h"
#include <omp.h>
#include <string.h>

enum { DEFAULT_BATCH = 32, READ_AT_ONCE = 2048 };

typedef struct {
    gsize prompt; /* G_MAXSIZE = idle */
    gboolean fresh;
    guint32 token; /* the last one generated */
    gsize room;    /* tokens that may still come */
    GliContinuation text;
    gsize shown; /* bytes of the text that on_token has had */
    GliRandom random;
} Slot;

typedef struct {
    GlintModel *model;
    const GlintTokenizer *tokenizer;
    const GlintPrompt *prompts;
    const GlintGenerateSettings *settings;
    GliFilter filter;
    GlintGeneration *result;
    gsize n_prompts, next, n_slots, busy, vocab;
    Slot *slots;
    GlintCache *cache;
    GliSampler *samplers; /* one per thread */
    float *logits;        /* [n_slots, V] */
    GArray *tokens;       /* of the pass */
    gsize *start, *prompt, *past;
} Run;

void glint_generate_settings_init(GlintGenerateSettings *self) { *self = (GlintGenerateSettings){.max_new_tokens = 128, .top_p = 1}; }

const char *glint_finish_name(GlintFinish finish)
{
    static const char *const names[] = {"length", "stop_token", "stop_string", "model_length", "interrupted"};
    return names[finish];
}

void glint_generation_free(GlintGeneration *self)
{
    if (!self)
        return;
    for (gsize i = 0; i < self->n; i++) {
        g_array_unref(self->texts[i].tokens);
        g_free(self->texts[i].text);
    }
    g_free(self->texts);
    g_free(self);
}

/* ---- before ---- */

static gboolean check(const Run *run, GError **error)
{
    const GlintGenerateSettings *s = run->settings;
    if (!(s->temperature == 0 || (s->temperature >= 1e-3 && s->temperature <= 1e3)))
        return glint_fail(error, GLINT_ERROR_USAGE, "a temperature is 0, for the most likely token, or from 0.001 to 1000, not %g", s->temperature);
    if (!(s->top_p > 0 && s->top_p <= 1))
        return glint_fail(error, GLINT_ERROR_USAGE, "top-p is above 0 and at most 1, not %g", s->top_p);
    if (!(s->min_p >= 0 && s->min_p <= 1))
        return glint_fail(error, GLINT_ERROR_USAGE, "min-p is from 0 to 1, not %g", s->min_p);
    if (s->stop_strings && s->stop_strings[0] && !run->tokenizer)
        return glint_fail(error, GLINT_ERROR_USAGE, "stop strings need a tokenizer");
    for (gsize i = 0; s->stop_strings && s->stop_strings[i]; i++)
        if (s->stop_strings[i][0] == '\0')
            return glint_fail(error, GLINT_ERROR_USAGE, "an empty stop string would end every text at once");
    for (gsize i = 0; i < run->n_prompts; i++) {
        if (run->prompts[i].n_tokens == 0)
            return glint_fail(error, GLINT_ERROR_DATA, "nothing to continue: prompt %zu has no tokens", i);
        if (run->prompts[i].n_tokens > run->model->arch.max_tokens)
            return glint_fail(error, GLINT_ERROR_DATA, "prompt %zu has %zu tokens, and the model takes %zu; shorten it", i, run->prompts[i].n_tokens,
                              run->model->arch.max_tokens);
    }
    return TRUE;
}

static gsize room_of(const Run *run, gsize prompt) { return MIN(run->settings->max_new_tokens, run->model->arch.max_tokens - run->prompts[prompt].n_tokens); }

static gboolean prepare(Run *run, GError **error)
{
    gsize longest = 0;
    run->result->n = run->n_prompts;
    run->result->texts = g_new0(GlintContinuation, run->n_prompts);
    for (gsize i = 0; i < run->n_prompts; i++) {
        longest = MAX(longest, run->prompts[i].n_tokens + room_of(run, i));
        run->result->texts[i] = (GlintContinuation){.tokens = g_array_new(FALSE, FALSE, sizeof(guint32)), .finish = GLINT_FINISH_INTERRUPTED,
                                                    .text = run->tokenizer ? g_strdup("") : NULL};
    }
    run->vocab = run->model->arch.vocab;
    run->n_slots = MIN(run->n_prompts, run->settings->batch_size ? run->settings->batch_size : (gsize)DEFAULT_BATCH);
    run->slots = g_new0(Slot, run->n_slots);
    for (gsize s = 0; s < run->n_slots; s++)
        run->slots[s].prompt = G_MAXSIZE;
    run->start = g_new0(gsize, run->n_slots + 1);
    run->prompt = g_new0(gsize, run->n_slots);
    run->past = g_new0(gsize, run->n_slots);
    run->tokens = g_array_new(FALSE, FALSE, sizeof(guint32));
    run->samplers = g_new0(GliSampler, run->model->threads);
    for (int t = 0; t < run->model->threads; t++)
        if (!gli_sampler_init(&run->samplers[t], run->vocab, error))
            return FALSE;
    run->logits = g_try_new(float, run->n_slots * run->vocab);
    if (!run->logits)
        return glint_fail(error, GLINT_ERROR_FAILED, "not enough memory for the logits of %zu texts; run fewer at once", run->n_slots);
    run->cache = glint_cache_new(run->model, run->n_slots, longest, error);
    return run->cache != NULL;
}

static void release(Run *run)
{
    for (gsize s = 0; run->slots && s < run->n_slots; s++)
        gli_continuation_clear(&run->slots[s].text);
    for (int t = 0; run->samplers && t < run->model->threads; t++)
        gli_sampler_clear(&run->samplers[t]);
    g_clear_pointer(&run->tokens, g_array_unref);
    glint_cache_free(run->cache);
    g_free(run->samplers);
    g_free(run->logits);
    g_free(run->slots);
    g_free(run->start);
    g_free(run->prompt);
    g_free(run->past);
}

/* ---- one pass ---- */

/* Idle slots take up prompts. What has no room for a token ends before it begins. */
static void take_up(Run *run)
{
    gsize reading = 0;
    for (gsize s = 0; s < run->n_slots; s++) {
        Slot *slot = &run->slots[s];
        for (; slot->prompt == G_MAXSIZE && run->next < run->n_prompts; run->next++) {
            const GlintPrompt *prompt = &run->prompts[run->next];
            const gsize room = room_of(run, run->next);
            if (room == 0) {
                run->result->texts[run->next].finish = run->settings->max_new_tokens == 0 ? GLINT_FINISH_LENGTH : GLINT_FINISH_MODEL_LENGTH;
                continue;
            }
            if (reading > 0 && reading + prompt->n_tokens > READ_AT_ONCE)
                return;
            reading += prompt->n_tokens;
            *slot = (Slot){.prompt = run->next, .fresh = TRUE, .room = room, .random = gli_random_new(run->settings->seed, run->next)};
            if (run->tokenizer)
                gli_continuation_init(&slot->text, run->tokenizer, run->settings->stop_strings, prompt->tokens, prompt->n_tokens);
            glint_cache_forget(run->cache, s);
            run->result->n_prompt_tokens += prompt->n_tokens;
            run->busy++;
        }
    }
}

/* Lays the pass out; returns whether it reads a prompt. */
static gboolean lay_out(Run *run)
{
    gboolean reads = FALSE;
    g_array_set_size(run->tokens, 0);
    for (gsize s = 0; s < run->n_slots; s++) {
        const Slot *slot = &run->slots[s];
        run->start[s] = run->tokens->len;
        run->prompt[s] = slot->prompt;
        run->past[s] = glint_cache_length(run->cache, s);
        if (slot->prompt == G_MAXSIZE)
            continue;
        reads |= slot->fresh;
        if (slot->fresh)
            g_array_append_vals(run->tokens, run->prompts[slot->prompt].tokens, (guint)run->prompts[slot->prompt].n_tokens);
        else
            g_array_append_val(run->tokens, slot->token);
    }
    run->start[run->n_slots] = run->tokens->len;
    return reads;
}

static gboolean forward(Run *run, GError **error)
{
    const gboolean reads = lay_out(run);
    const GlintGenerateStep step = {run->n_slots, run->prompt, run->past};
    const GlintBatch batch = {(const guint32 *)(void *)run->tokens->data, run->start, run->n_slots};
    if (run->settings->on_step && !run->settings->on_step(&step, run->settings->user_data, error))
        return FALSE;
    const double begun = omp_get_wtime();
    if (!glint_model_forward_cached(run->model, run->cache, &batch, run->settings->taps, run->settings->n_taps, GLINT_LOGITS_LAST, run->logits, error))
        return FALSE;
    *(reads ? &run->result->prefill_seconds : &run->result->decode_seconds) += omp_get_wtime() - begun;
    *(reads ? &run->result->n_prefill : &run->result->n_decode) += run->tokens->len;
    return TRUE;
}

static gboolean draw(Run *run, GError **error)
{
    GError *problem = NULL;
#pragma omp parallel for schedule(dynamic) num_threads(run->model->threads) if (run->busy > 1)
    for (gsize s = 0; s < run->n_slots; s++) {
        Slot *slot = &run->slots[s];
        GError *mine = NULL;
        if (slot->prompt != G_MAXSIZE &&
            !gli_sampler_draw(&run->samplers[omp_get_thread_num()], &run->filter, run->logits + s * run->vocab, &slot->random, &slot->token, &mine)) {
#pragma omp critical(glint_draw)
            if (problem)
                g_error_free(mine);
            else
                problem = mine;
        }
    }
    if (problem)
        g_propagate_error(error, problem);
    return problem == NULL;
}

/* ---- texts that grow and end ---- */

static gboolean is_stop_token(const GlintGenerateSettings *settings, guint32 token)
{
    for (gsize i = 0; i < settings->n_stop_tokens; i++)
        if (settings->stop_tokens[i] == token)
            return TRUE;
    return FALSE;
}

static void keep_text(Run *run, Slot *slot)
{
    GlintContinuation *to = &run->result->texts[slot->prompt];
    if (!run->tokenizer)
        return;
    gli_continuation_end(&slot->text);
    g_free(to->text);
    to->length = slot->text.text->len;
    to->text = g_memdup2(slot->text.text->str, to->length + 1);
}

/* Takes the slot's new token in. */
static gboolean grow(Run *run, Slot *slot, GError **error)
{
    GlintContinuation *to = &run->result->texts[slot->prompt];
    const gboolean stop_token = is_stop_token(run->settings, slot->token);
    g_array_append_val(to->tokens, slot->token);
    run->result->n_new_tokens++;
    slot->fresh = FALSE;
    slot->room--;
    if (run->tokenizer && !stop_token)
        gli_continuation_add(&slot->text, slot->token);
    const gboolean ended = stop_token || slot->text.stopped || slot->room == 0;
    if (ended) {
        to->finish = stop_token ? GLINT_FINISH_STOP_TOKEN : slot->text.stopped ? GLINT_FINISH_STOP_STRING
                     : to->tokens->len == run->settings->max_new_tokens ? GLINT_FINISH_LENGTH : GLINT_FINISH_MODEL_LENGTH;
        keep_text(run, slot);
        if (run->tokenizer && slot->text.stopped && !stop_token) /* the last bytes may complete a stop string */
            to->finish = GLINT_FINISH_STOP_STRING;
    }
    if (run->settings->on_token) {
        const char *text = run->tokenizer ? slot->text.text->str + slot->shown : "";
        const gsize length = run->tokenizer ? slot->text.sure - slot->shown : 0;
        g_autoptr(GString) piece = g_string_new_len(text, (gssize)length); /* may hold NUL */
        slot->shown += length;
        if (!run->settings->on_token(slot->prompt, slot->token, piece->str, length, ended, run->settings->user_data, error))
            return FALSE;
    }
    if (ended) {
        gli_continuation_clear(&slot->text);
        slot->prompt = G_MAXSIZE;
        run->busy--;
    }
    return TRUE;
}

static gboolean run_all(Run *run, GError **error)
{
    for (take_up(run); run->busy > 0; take_up(run)) {
        if (!glint_check_interrupt(error) || !forward(run, error) || !draw(run, error))
            return FALSE;
        for (gsize s = 0; s < run->n_slots; s++)
            if (run->slots[s].prompt != G_MAXSIZE && !grow(run, &run->slots[s], error))
                return FALSE;
    }
    return TRUE;
}

GlintGeneration *glint_generate(GlintModel *model, const GlintTokenizer *tokenizer, const GlintPrompt *prompts, gsize n_prompts,
                                const GlintGenerateSettings *settings, GError **error)
{
    g_autoptr(GlintGeneration) result = g_new0(GlintGeneration, 1);
    Run run = {.model = model, .tokenizer = tokenizer, .prompts = prompts, .n_prompts = n_prompts, .settings = settings, .result = result,
               .filter = {settings->temperature, settings->top_k, settings->top_p, settings->min_p}};
    if (!check(&run, error))
        return NULL;
    GError *problem = NULL;
    const gboolean good = prepare(&run, &problem) && run_all(&run, &problem), interrupted = g_error_matches(problem, GLINT_ERROR, GLINT_ERROR_INTERRUPTED);
    for (gsize s = 0; interrupted && s < run.n_slots; s++)
        if (run.slots[s].prompt != G_MAXSIZE)
            keep_text(&run, &run.slots[s]);
    release(&run);
    if (problem)
        g_propagate_error(error, problem);
    return good || interrupted ? g_steal_pointer(&result) : NULL;
}

/* ---- where the model ends ---- */

static gboolean add_stop_token(GArray *tokens, const json_t *value, const char *path, GError **error)
{
    if (!json_is_integer(value) || json_integer_value(value) < 0 || json_integer_value(value) > G_MAXINT32)
        return glint_fail(error, GLINT_ERROR_FORMAT, "%s: \"eos_token_id\" must be a token id or a list of them", path);
    const guint32 token = (guint32)json_integer_value(value);
    g_array_append_val(tokens, token);
    return TRUE;
}

static gboolean read_stop_tokens(const char *path, GArray *tokens, GError **error)
{
    g_autoptr(json_t) root = glint_json_read(path, error);
    if (!root)
        return FALSE;
    const json_t *value = json_object_get(root, "eos_token_id"), *text = json_object_get(root, "text_config");
    if (!value || json_is_null(value))
        value = json_object_get(text, "eos_token_id");
    if (!value || json_is_null(value))
        return TRUE;
    if (!json_is_array(value))
        return add_stop_token(tokens, value, path, error);
    for (gsize i = 0; i < json_array_size(value); i++)
        if (!add_stop_token(tokens, json_array_get(value, i), path, error))
            return FALSE;
    return TRUE;
}

GArray *glint_stop_tokens_read(const char *folder, GError **error)
{
    static const char *const files[] = {"generation_config.json", "config.json"};
    g_autoptr(GArray) tokens = g_array_new(FALSE, FALSE, sizeof(guint32));
    for (gsize i = 0; i < G_N_ELEMENTS(files) && tokens->len == 0; i++) {
        g_autofree char *path = g_build_filename(folder, files[i], NULL);
        if (g_file_test(path, G_FILE_TEST_EXISTS) && !read_stop_tokens(path, tokens, error))
            return NULL;
    }
    return g_steal_pointer(&tokens);
}
