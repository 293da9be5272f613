/* Examples against plain loops that keep and sort everything: top, bottom, spread, rows; any batching, any partition merged in any order,
 * saved and loaded, gives the same bytes. What the draws are good for: an unbiased total, an even sample. The lines of examples.jsonl. */
#include "base/error.h"
#include "base/files.h"
#include "base/safetensors.h"
#include "collect/examples.h"
#include "collect/examples_write.h"
#include "fake_model.h"
#include <glib/gstdio.h>
#include <math.h>
#include <omp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs the four above it */
#include <cmocka.h>

enum { TEXTS = 60, WIDTH = 2100, LONGEST = 90 };

static char *scratch;

static int make_scratch(void **state)
{
    (void)state;
    scratch = g_dir_make_tmp("glint-examples-XXXXXX", NULL);
    return scratch ? 0 : -1;
}

static int drop_scratch(void **state)
{
    (void)state;
    assert_true(glint_remove_tree(scratch, NULL));
    g_clear_pointer(&scratch, g_free);
    return 0;
}

/* ---- planted activations ---- */

typedef struct {
    gsize n[TEXTS], start[TEXTS + 1]; /* tokens of each text, first row of it */
    float *x;                         /* [tokens, WIDTH] */
} Data;

static guint64 lehmer(guint64 *state)
{
    *state = *state * G_GUINT64_CONSTANT(6364136223846793005) + G_GUINT64_CONSTANT(1442695040888963407);
    return *state >> 33;
}

/* Columns of kinds: 0 smooth and signed, 1 few values (ties), 2 mostly zero, 3 never negative, 4 all zero, 5 far from zero. */
static void data_init(Data *d)
{
    guint64 state = 7;
    d->start[0] = 0;
    for (gsize i = 0; i < TEXTS; i++) {
        d->n[i] = 1 + lehmer(&state) % LONGEST;
        d->start[i + 1] = d->start[i] + d->n[i];
    }
    d->x = g_new(float, d->start[TEXTS] * WIDTH);
    for (gsize t = 0; t < d->start[TEXTS]; t++)
        for (gsize j = 0; j < WIDTH; j++) {
            double u = (double)lehmer(&state) / 2147483648.0, v = -log(1 - u) * (lehmer(&state) % 2 ? 1 : -1);
            const double kinds[] = {v, floor(3 * v) / 2, u < 0.98 ? 0 : v, u < 0.5 ? 0 : v * v, 0, 100 + v};
            d->x[t * WIDTH + j] = (float)kinds[j % 6];
        }
}

static void data_clear(Data *d) { g_free(d->x); }

static guint64 key_of(gsize text)
{
    g_autofree char *id = g_strdup_printf("text %zu", text);
    return glint_examples_key(11, id);
}

/* Adds texts, `batch` of them a call. */
static void add_texts(GlintExamples *e, const Data *d, const gsize *texts, gsize n_texts, gsize batch)
{
    gsize part, column;
    for (gsize first = 0; first < n_texts; first += batch) {
        GlintExampleRows parts[TEXTS];
        gsize n = MIN(batch, n_texts - first);
        for (gsize i = 0; i < n; i++) {
            gsize text = texts[first + i];
            parts[i] = (GlintExampleRows){d->x + d->start[text] * WIDTH, d->n[text], (guint32)text, 1, key_of(text)};
        }
        assert_true(glint_examples_add(e, parts, n, WIDTH, &part, &column));
    }
}

static GlintExamples *examples_of(const Data *d, const gsize *texts, gsize n_texts, gsize batch, gsize k)
{
    GlintExamples *e = glint_examples_new(WIDTH, k, 11);
    assert_non_null(e);
    add_texts(e, d, texts, n_texts, batch);
    return e;
}

static void in_order(gsize *texts)
{
    for (gsize i = 0; i < TEXTS; i++)
        texts[i] = i;
}

static void shuffle(gsize *texts, guint64 *state)
{
    for (gsize i = TEXTS - 1; i > 0; i--) {
        gsize at = lehmer(state) % (i + 1), swap = texts[i];
        texts[i] = texts[at];
        texts[at] = swap;
    }
}

static char *bytes_of(const GlintExamples *e, gsize *length)
{
    g_autofree char *path = g_build_filename(scratch, "state.safetensors", NULL);
    char *bytes;
    assert_true(glint_examples_save(e, path, NULL, NULL));
    assert_true(g_file_get_contents(path, &bytes, length, NULL));
    return bytes;
}

static void assert_same(const GlintExamples *a, const GlintExamples *b)
{
    gsize n, m;
    g_autofree char *x = bytes_of(a, &n), *y = bytes_of(b, &m);
    assert_int_equal(n, m);
    assert_memory_equal(x, y, n);
}

/* ---- plain loops ---- */

/* The draw's hash, written a second time: SplitMix64 behind FNV-1a. */
static guint64 finalise(guint64 x)
{
    x = (x ^ (x >> 30)) * G_GUINT64_CONSTANT(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * G_GUINT64_CONSTANT(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

static guint64 plain_hash(gsize text, gsize position)
{
    guint64 h = G_GUINT64_CONSTANT(14695981039346656037), golden = G_GUINT64_CONSTANT(0x9e3779b97f4a7c15);
    g_autofree char *id = g_strdup_printf("text %zu", text);
    for (const char *c = id; *c; c++)
        h = (h ^ (guchar)*c) * G_GUINT64_CONSTANT(1099511628211);
    return finalise(finalise(h ^ finalise(11 + golden)) + (position + 1) * golden);
}

static int best_first(const void *a, const void *b)
{
    const GlintExample *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority > y->priority ? -1 : 1;
    if (x->text != y->text)
        return x->text < y->text ? -1 : 1;
    return x->position < y->position ? -1 : x->position > y->position;
}

typedef enum { TOP, BOTTOM, SPREAD } List;

static GArray *plain_list(const Data *d, gsize column, List list, const guint64 *hashes)
{
    GArray *all = g_array_new(FALSE, TRUE, sizeof(GlintExample));
    for (gsize text = 0; text < TEXTS; text++)
        for (gsize t = 0; t < d->n[text]; t++) {
            float x = d->x[(d->start[text] + t) * WIDTH + column], u = (float)((hashes[d->start[text] + t] >> 40) + 1) * 0x1p-24f;
            GlintExample e = {x, list == TOP ? x : list == BOTTOM ? -x : x * x * (1 / u), (guint32)text, (guint32)t + 1};
            if (x != 0)
                g_array_append_val(all, e);
        }
    if (all->len > 0)
        qsort(all->data, all->len, sizeof(GlintExample), best_first);
    return all;
}

static void test_against_plain(void **state)
{
    (void)state;
    Data d;
    gsize texts[TEXTS];
    data_init(&d);
    in_order(texts);
    g_autofree guint64 *hashes = g_new(guint64, d.start[TEXTS]);
    for (gsize text = 0; text < TEXTS; text++)
        for (gsize t = 0; t < d.n[text]; t++)
            hashes[d.start[text] + t] = plain_hash(text, t + 1);
    g_autoptr(GlintExamples) e = examples_of(&d, texts, TEXTS, 7, 5);
    assert_int_equal(glint_examples_n(e), d.start[TEXTS]);
    const GlintExample *(*const get[])(const GlintExamples *, gsize, gsize *) = {glint_examples_top, glint_examples_bottom, glint_examples_spread};
    for (gsize column = 0; column < WIDTH; column += column < 60 || column > WIDTH - 30 ? 1 : 97)
        for (List list = TOP; list <= SPREAD; list++) {
            g_autoptr(GArray) all = plain_list(&d, column, list, hashes);
            gsize n, want = MIN(all->len, list == SPREAD ? 10u : 5u);
            const GlintExample *got = get[list](e, column, &n);
            assert_int_equal(n, want);
            assert_true(n > 0 || column % 6 == 4);
            for (gsize i = 0; i < n; i++) {
                const GlintExample *wanted = &g_array_index(all, GlintExample, i);
                assert_true(got[i].value == wanted->value && got[i].text == wanted->text && got[i].position == wanted->position);
            }
        }
    data_clear(&d);
}

static int ascending_hash(const void *a, const void *b)
{
    guint64 x = *(const guint64 *)a, y = *(const guint64 *)b;
    return x < y ? -1 : x > y;
}

static void test_rows(void **state)
{
    (void)state;
    Data d;
    gsize texts[TEXTS], at = 0;
    data_init(&d);
    in_order(texts);
    assert_true(d.start[TEXTS] > GLINT_EXAMPLES_ROWS); /* some must go */
    g_autoptr(GlintExamples) e = examples_of(&d, texts, TEXTS, TEXTS, 1);
    g_autofree guint64 *hashes = g_new(guint64, d.start[TEXTS]);
    for (gsize text = 0; text < TEXTS; text++)
        for (gsize t = 0; t < d.n[text]; t++)
            hashes[at++] = plain_hash(text, t + 1);
    qsort(hashes, at, sizeof *hashes, ascending_hash);
    assert_int_equal(glint_examples_n_rows(e), GLINT_EXAMPLES_ROWS);
    for (gsize i = 0; i < GLINT_EXAMPLES_ROWS; i++) {
        guint32 text, position;
        for (gsize j = 0; j < WIDTH; j += 131) {
            float x = glint_examples_row(e, i, j, &text, &position);
            assert_true(x == d.x[(d.start[text] + position - 1) * WIDTH + j]);
        }
        assert_true(plain_hash(text, position) == hashes[i]);
    }
    data_clear(&d);
}

static void test_any_partition(void **state)
{
    (void)state;
    Data d;
    gsize texts[TEXTS];
    guint64 random = 3;
    data_init(&d);
    in_order(texts);
    g_autoptr(GlintExamples) whole = examples_of(&d, texts, TEXTS, 1, 10);
    for (int trial = 0; trial < 4; trial++) {
        GlintExamples *part[5];
        gsize n = 2 + lehmer(&random) % 4, threads = 1 + (gsize)trial % 3;
        omp_set_num_threads((int)threads);
        shuffle(texts, &random);
        for (gsize p = 0; p < n; p++) { /* part p: the texts from p TEXTS / n on; the first is empty once */
            gsize first = trial == 0 && p == 0 ? 0 : p * TEXTS / n, end = trial == 0 && p == 0 ? 0 : (p + 1) * TEXTS / n;
            if (trial == 0 && p == 1)
                first = 0;
            part[p] = examples_of(&d, texts + first, end - first, 1 + lehmer(&random) % 9, 10);
        }
        for (gsize left = n; left > 1; left--) { /* any two, in any grouping */
            gsize a = lehmer(&random) % left, b = (a + 1 + lehmer(&random) % (left - 1)) % left;
            g_autoptr(GError) error = NULL;
            assert_true(glint_examples_merge(part[a], part[b], &error));
            glint_examples_free(part[b]);
            part[b] = part[left - 1];
        }
        assert_same(part[0], whole);
        glint_examples_free(part[0]);
    }
    omp_set_num_threads(omp_get_num_procs());
    data_clear(&d);
}

static void test_saved_and_continued(void **state)
{
    (void)state;
    Data d;
    gsize texts[TEXTS];
    data_init(&d);
    in_order(texts);
    g_autofree char *path = g_build_filename(scratch, "half.safetensors", NULL);
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintExamples) whole = examples_of(&d, texts, TEXTS, 4, 10), half = examples_of(&d, texts, 23, 5, 10), empty = glint_examples_new(WIDTH, 10, 11);
    assert_true(glint_examples_save(half, path, NULL, &error));
    g_autoptr(GlintExamples) loaded = glint_examples_load(path, &error);
    assert_non_null(loaded);
    add_texts(loaded, &d, texts + 23, TEXTS - 23, 3);
    assert_same(loaded, whole);
    assert_true(glint_examples_save(empty, path, NULL, &error));
    g_autoptr(GlintExamples) nothing = glint_examples_load(path, &error);
    assert_non_null(nothing);
    assert_true(glint_examples_merge(nothing, whole, &error));
    assert_same(nothing, whole);
    g_autoptr(GlintExamples) other = glint_examples_new(WIDTH, 9, 11);
    assert_false(glint_examples_merge(other, whole, &error));
    assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_DATA));
    data_clear(&d);
}

/* Duffield, Lund & Thorup: with tau the largest priority that was left out, the sum of max(x^2, tau) over the kept ones estimates the
 * sum of x^2. And rows are drawn evenly: the mean position of the kept ones is that of all. */
static void test_draws(void **state)
{
    (void)state;
    enum { N = 20000, COLUMNS = 32, K = 100 };
    g_autofree float *x = g_new(float, (gsize)N * COLUMNS);
    guint64 random = 5;
    for (gsize i = 0; i < (gsize)N * COLUMNS; i++)
        x[i] = (float)-log(1 - (double)lehmer(&random) / 2147483648.0);
    double truth = 0, estimate = 0, position_sum = 0;
    g_autoptr(GlintExamples) e = glint_examples_new(COLUMNS, K, 1);
    gsize part, column;
    assert_true(glint_examples_add(e, &(GlintExampleRows){x, N, 0, 0, glint_examples_key(1, "t")}, 1, COLUMNS, &part, &column));
    for (gsize j = 0; j < COLUMNS; j++) {
        gsize n;
        const GlintExample *spread = glint_examples_spread(e, j, &n);
        double tau = (double)spread[n - 1].priority; /* the last one kept serves as the first left out */
        for (gsize i = 0; i + 1 < n; i++)
            estimate += MAX((double)spread[i].value * (double)spread[i].value, tau);
        for (gsize i = 0; i < N; i++)
            truth += (double)x[i * COLUMNS + j] * (double)x[i * COLUMNS + j];
    }
    assert_true(fabs(estimate / truth - 1) < 0.1); /* draws are shared by the columns: 1/sqrt(200), not 1/sqrt(9600) */
    for (gsize i = 0; i < GLINT_EXAMPLES_ROWS; i++) {
        guint32 text, position;
        glint_examples_row(e, i, 0, &text, &position);
        position_sum += (double)position / N;
    }
    assert_true(fabs(position_sum / GLINT_EXAMPLES_ROWS - 0.5) < 4 * sqrt(1.0 / 12 / GLINT_EXAMPLES_ROWS));
}

static void test_not_finite(void **state)
{
    (void)state;
    const float bad[] = {NAN, INFINITY, -INFINITY};
    for (gsize b = 0; b < G_N_ELEMENTS(bad); b++)
        for (gsize at = 0; at < 40; at += 13) {
            float x[3 * 40];
            gsize part, column;
            for (gsize i = 0; i < G_N_ELEMENTS(x); i++)
                x[i] = (float)i;
            x[40 + at] = bad[b];
            g_autoptr(GlintExamples) e = glint_examples_new(40, 1, 0);
            GlintExampleRows parts[] = {{x, 1, 0, 0, 1}, {x + 40, 2, 1, 0, 2}};
            assert_false(glint_examples_add(e, parts, 2, 40, &part, &column));
            assert_int_equal(part, 1);
            assert_int_equal(column, at);
        }
    assert_null(glint_examples_new(0, 1, 0));
    assert_null(glint_examples_new(1, 0, 0));
    assert_null(glint_examples_new(1, GLINT_EXAMPLES_MOST + 1, 0));
}

/* Without the fsync of g_file_set_contents, thousands of which take their time. */
static void write_plainly(const char *path, const char *bytes, gsize length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

/* Every byte of a small file changed, and every length cut: an error or a state that can be used, never a crash. */
static void test_hostile_files(void **state)
{
    (void)state;
    float x[20];
    gsize part, column, length;
    for (gsize i = 0; i < G_N_ELEMENTS(x); i++)
        x[i] = (float)i - 7;
    g_autoptr(GlintExamples) e = glint_examples_new(2, 2, 0);
    assert_true(glint_examples_add(e, &(GlintExampleRows){x, 10, 0, 0, 1}, 1, 2, &part, &column));
    g_autofree char *bytes = bytes_of(e, &length), *path = g_build_filename(scratch, "bad.safetensors", NULL);
    gsize refused = 0;
    for (gsize at = 0; at < length; at++) {
        char kept = bytes[at];
        bytes[at] = (char)(kept ^ 0x80);
        write_plainly(path, bytes, length);
        g_autoptr(GlintExamples) read = glint_examples_load(path, NULL);
        if (read)
            assert_true(glint_examples_merge(read, read, NULL) || glint_examples_k(read) > 0);
        refused += !read;
        bytes[at] = kept;
        if (at % 7 == 0) {
            g_autoptr(GError) error = NULL;
            write_plainly(path, bytes, at);
            assert_null(glint_examples_load(path, &error));
            assert_non_null(strstr(error->message, path));
        }
    }
    assert_true(refused > length / 3);
}

/* ---- examples.jsonl ---- */

static double number(const json_t *object, const char *key) { return json_number_value(json_object_get(object, key)); }

static void test_lines(void **state)
{
    (void)state;
    static const guint32 tokens[30] = {FAKE_BOS, 'o', 'n', 'e', ' ', '"', 'q', '"', ',', 'x', 'y', 'z', 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'};
    const GlintSite site = {GLINT_SITE_MLP_POST, 4};
    float x[20 * 3] = {0};
    gsize part, column;
    for (gsize t = 1; t < 20; t++) {
        x[t * 3] = (float)t;         /* 1 ... 19 */
        x[t * 3 + 1] = -0.5f * (float)t;
    }
    g_autoptr(GError) error = NULL;
    g_autoptr(GlintExamples) e = glint_examples_new(3, 2, 0);
    assert_true(glint_examples_add(e, &(GlintExampleRows){x + 3, 19, 6, 1, glint_examples_key(0, "a \"b\"")}, 1, 3, &part, &column));
    g_autoptr(GlintTexts) texts = glint_texts_new(), loaded = NULL;
    g_autofree char *path = g_build_filename(scratch, "x.jsonl", NULL);
    assert_false(glint_examples_write(e, texts, &site, NULL, 0, path, &error)); /* its text is not there */
    assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_DATA));
    g_clear_error(&error);
    assert_false(g_file_test(path, G_FILE_TEST_EXISTS));
    glint_texts_add(texts, 6, "a \"b\"", tokens, 20);
    assert_true(glint_texts_spell(texts, fake_tokenizer(), &error));
    assert_true(glint_texts_save(texts, scratch, &error) && glint_texts_exist(scratch));
    loaded = glint_texts_load(scratch, &error);
    assert_non_null(loaded);
    assert_true(glint_examples_write(e, loaded, &site, NULL, 0, path, &error));
    g_autofree char *content = NULL;
    assert_true(g_file_get_contents(path, &content, NULL, NULL));
    g_auto(GStrv) lines = g_strsplit(content, "\n", -1);
    assert_int_equal(g_strv_length(lines), 4); /* three, and nothing behind the last newline */
    g_autoptr(json_t) up = json_loads(lines[0], 0, NULL), down = json_loads(lines[1], 0, NULL), dead = json_loads(lines[2], 0, NULL);
    assert_true(up && down && dead);
    assert_string_equal(json_string_value(json_object_get(down, "id")), "L4.N1");
    const json_t *top = json_object_get(up, "top"), *first = json_array_get(top, 0), *around = json_object_get(first, "tokens");
    assert_int_equal(json_array_size(top), 2);
    assert_true(number(first, "value") == 19 && number(first, "position") == 19 && number(first, "at") == 8);
    assert_string_equal(json_string_value(json_object_get(first, "text")), "a \"b\"");
    assert_int_equal(json_array_size(around), 9);
    assert_string_equal(json_string_value(json_array_get(around, 0)), "z");
    assert_string_equal(json_string_value(json_array_get(around, 8)), "h");
    assert_true(number(json_object_get(up, "quantiles"), "0.5") == 10 && fabs(number(json_object_get(up, "quantiles"), "0.95") - 18.1) < 1e-6);
    assert_null(json_object_get(up, "bottom"));
    const json_t *bottom = json_object_get(down, "bottom"), *bands = json_object_get(down, "bands");
    assert_true(number(json_array_get(bottom, 0), "value") == -9.5 && json_array_size(bands) == GLINT_EXAMPLES_BANDS);
    gsize shown = 0;
    for (gsize b = 0; b < GLINT_EXAMPLES_BANDS; b++) {
        const json_t *band = json_array_get(bands, b), *list = json_object_get(band, "examples");
        for (gsize i = 0; i < json_array_size(list); i++, shown++) {
            double value = number(json_array_get(list, i), "value");
            assert_true(value <= number(band, "from") && value >= number(band, "to"));
        }
    }
    assert_int_equal(shown, 4); /* 2 k, each in one band */
    assert_true(json_array_size(json_object_get(dead, "top")) == 0 && json_array_size(json_object_get(dead, "bands")) == 0);
}

static void test_texts(void **state)
{
    (void)state;
    static const guint32 tokens[] = {FAKE_BOS, 'h', '.', 200};
    g_autoptr(GlintTexts) a = glint_texts_new(), b = glint_texts_new(), c = glint_texts_new();
    g_autoptr(GError) error = NULL;
    glint_texts_add(a, 5, "five", tokens, 4);
    glint_texts_add(b, 2, "two", tokens, 2);
    glint_texts_add(c, 5, "five again", tokens, 1);
    assert_true(glint_texts_spell(a, fake_tokenizer(), &error) && glint_texts_merge(a, b, &error));
    assert_string_equal(glint_texts_find(a, 2)->id, "two");
    assert_null(glint_texts_find(a, 3));
    assert_string_equal(glint_texts_spelling(a, '.'), "\".\"");
    assert_false(glint_texts_merge(a, c, &error));
    assert_non_null(strstr(error->message, "five"));
    g_clear_error(&error);
    GlintSpeller speller;
    assert_true(glint_speller_init(&speller, fake_tokenizer(), &error));
    assert_true(glint_speller_is_punctuation(&speller, '.') && glint_speller_is_punctuation(&speller, '"'));
    assert_false(glint_speller_is_punctuation(&speller, 'h') || glint_speller_is_punctuation(&speller, ' ') || glint_speller_is_punctuation(&speller, FAKE_BOS));
    const char *const bad[] = {"{", "[1]\n", "{\"text\": -1, \"id\": \"a\", \"tokens\": []}\n", "{\"text\": 1, \"tokens\": []}\n",
                               "{\"text\": 1, \"id\": \"a\", \"tokens\": [-1]}\n", "{\"text\": 1, \"id\": \"a\", \"tokens\": [true]}\n",
                               "{\"text\": 1, \"id\": \"a\", \"tokens\": []}\n{\"text\": 1, \"id\": \"b\", \"tokens\": []}\n"};
    g_autofree char *path = g_build_filename(scratch, "texts.jsonl", NULL), *vocabulary = g_build_filename(scratch, "vocabulary.json", NULL);
    assert_true(g_file_set_contents(vocabulary, "{}", -1, NULL));
    for (gsize k = 0; k < G_N_ELEMENTS(bad); k++) {
        assert_true(g_file_set_contents(path, bad[k], -1, NULL));
        assert_null(glint_texts_load(scratch, &error));
        assert_true(g_error_matches(error, GLINT_ERROR, GLINT_ERROR_FORMAT) && strstr(error->message, path));
        g_clear_error(&error);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_against_plain), cmocka_unit_test(test_rows),       cmocka_unit_test(test_any_partition), cmocka_unit_test(test_saved_and_continued),
        cmocka_unit_test(test_draws),         cmocka_unit_test(test_not_finite), cmocka_unit_test(test_hostile_files), cmocka_unit_test(test_lines),
        cmocka_unit_test(test_texts),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
