/* Labelled data: every layout and file kind, what is skipped and counted, and what the errors say. */
#include "base/error.h"
#include "base/files.h"
#include "text/dataset.h"
#include <archive.h>
#include <archive_entry.h>
#include <glib/gstdio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
/* cmocka needs the four above it */
#include <cmocka.h>

static char *scratch; /* a private folder, removed at the end */

static int make_scratch(void **state)
{
    (void)state;
    scratch = g_dir_make_tmp("glint-dataset-XXXXXX", NULL);
    return scratch ? 0 : -1;
}

static int drop_scratch(void **state)
{
    (void)state;
    assert_true(glint_remove_tree(scratch, NULL));
    g_clear_pointer(&scratch, g_free);
    return 0;
}

/* Writes scratch/name (with parent folders); returns its path. */
static char *put_bytes(const char *name, const char *bytes, gssize length)
{
    char *path = g_build_filename(scratch, name, NULL);
    g_autofree char *folder = g_path_get_dirname(path);
    assert_int_equal(g_mkdir_with_parents(folder, 0700), 0);
    assert_true(g_file_set_contents(path, bytes, length, NULL));
    return path;
}

static char *put(const char *name, const char *text) { return put_bytes(name, text, -1); }

static GlintDataset *open_good(const char *path, const GlintDatasetOptions *options)
{
    g_autoptr(GError) error = NULL;
    GlintDataset *dataset = glint_dataset_open(path, options, &error);
    if (!dataset)
        fail_msg("%s", error->message);
    assert_null(error);
    return dataset;
}

static void open_bad(const char *path, const GlintDatasetOptions *options, GlintErrorCode code, const char *part)
{
    g_autoptr(GError) error = NULL;
    assert_null(glint_dataset_open(path, options, &error));
    assert_non_null(error);
    if (!g_error_matches(error, GLINT_ERROR, (gint)code) || !strstr(error->message, part) || !strstr(error->message, path))
        fail_msg("code %d, message: %s", error->code, error->message);
}

static const char *class_at(const GlintDataset *d, guint k) { return g_ptr_array_index(d->classes, k); }
static const GlintText *text_at(const GlintDataset *d, guint k) { return &g_array_index(d->texts, GlintText, k); }

static void check_text(const GlintDataset *d, guint k, const char *id, const char *label, const char *text)
{
    assert_true(k < d->texts->len);
    assert_string_equal(text_at(d, k)->id, id);
    assert_string_equal(class_at(d, (guint)text_at(d, k)->label), label);
    assert_string_equal(text_at(d, k)->text, text);
}

static void check_counts(const GlintDataset *d, gsize read, gsize empty, gsize unlabelled, gsize invalid)
{
    assert_int_equal(d->n_read, read);
    assert_int_equal(d->n_empty, empty);
    assert_int_equal(d->n_unlabelled, unlabelled);
    assert_int_equal(d->n_invalid, invalid);
}

/* ---- folders and archives ---- */

static const struct { const char *path, *text; gssize length; } acl[] = {
    {"train/pos/1_9.txt", "good", -1},      {"train/pos/0_8.txt", "fine \xC3\xA9\n", -1}, {"train/neg/7_1.txt", "bad", -1},
    {"test/pos/3_7.txt", "  nice", -1},     {"test/neg/2_2.txt", "awful\r\n", -1},       {"train/neg/empty.txt", " \n\t\xC2\xA0", -1},
    {"train/neg/latin.txt", "caf\xE9", -1}, {"train/pos/nul.txt", "a\0b", 3},           {"train/urls_pos.txt", "http://x", -1},
    {"train/unsup/5_0.txt", "who knows", -1}, {"train/pos/notes.md", "not a text", -1}, {"train/pos/.hidden.txt", "hidden", -1},
    {"imdbEr.txt", "0.1", -1},
};

static void write_acl(const char *root, gboolean backwards)
{
    for (gsize k = 0; k < G_N_ELEMENTS(acl); k++) {
        gsize which = backwards ? G_N_ELEMENTS(acl) - 1 - k : k;
        g_autofree char *name = g_build_filename(root, acl[which].path, NULL);
        g_free(put_bytes(name, acl[which].text, acl[which].length));
    }
}

static void check_acl(const GlintDataset *d)
{
    assert_int_equal(d->classes->len, 2);
    assert_string_equal(class_at(d, 0), "neg");
    assert_string_equal(class_at(d, 1), "pos");
    assert_int_equal(d->texts->len, 5);
    check_text(d, 0, "test/neg/2_2.txt", "neg", "awful");
    check_text(d, 1, "test/pos/3_7.txt", "pos", "  nice");
    check_text(d, 2, "train/neg/7_1.txt", "neg", "bad");
    check_text(d, 3, "train/pos/0_8.txt", "pos", "fine \xC3\xA9");
    check_text(d, 4, "train/pos/1_9.txt", "pos", "good");
}

static void test_folder_of_class_folders(void **state)
{
    (void)state;
    write_acl("acl", FALSE);
    write_acl("back", TRUE);
    g_autofree char *path = g_build_filename(scratch, "acl", NULL), *back = g_build_filename(scratch, "back", NULL);
    g_autofree char *loop = g_build_filename(scratch, "back", "train", "pos", "loop", NULL);
    assert_int_equal(symlink("../..", loop), 0); /* a folder that contains itself */
    g_autoptr(GlintDataset) d = open_good(path, NULL), b = open_good(back, NULL);
    check_acl(d);
    check_counts(d, 11, 1, 3, 2);
    assert_string_equal(d->format, "folder");
    assert_int_equal(strlen(d->sha256), 64);
    assert_string_equal(d->sha256, b->sha256); /* order of creation does not matter */
}

static void test_folder_errors(void **state)
{
    (void)state;
    g_autofree char *flat_file = put("flat/a.txt", "text"), *none = put("none/pos/a.md", "text");
    g_autofree char *flat = g_path_get_dirname(flat_file), *pos = g_path_get_dirname(none), *missing = g_build_filename(scratch, "missing", NULL);
    g_autofree char *blank_file = put("blank/pos/a.txt", "\n"), *pos_folder = g_path_get_dirname(blank_file), *blank = g_path_get_dirname(pos_folder);
    open_bad(flat, NULL, GLINT_ERROR_DATA, "one sub-folder per class");
    open_bad(pos, NULL, GLINT_ERROR_DATA, "no .txt files");
    open_bad(missing, NULL, GLINT_ERROR_IO, "No such file");
    open_bad(blank, NULL, GLINT_ERROR_DATA, "1 empty");
    g_autofree char *odd = put("odd.doc", "text"), *parquet = put("data.parquet", "PAR1");
    open_bad(odd, NULL, GLINT_ERROR_UNSUPPORTED, ".jsonl, .csv, .tsv");
    open_bad(parquet, NULL, GLINT_ERROR_UNSUPPORTED, "pandas.read_parquet");
}

typedef struct { const char *path, *text; gssize length; int type; const char *link; } Entry;

static char *pack(const char *name, int filter, const Entry *entries, gsize n)
{
    char *path = g_build_filename(scratch, name, NULL);
    struct archive *out = archive_write_new();
    archive_write_add_filter(out, filter);
    archive_write_set_format_ustar(out);
    assert_int_equal(archive_write_open_filename(out, path), ARCHIVE_OK);
    for (gsize k = 0; k < n; k++) {
        gsize length = entries[k].length >= 0 ? (gsize)entries[k].length : strlen(entries[k].text);
        struct archive_entry *entry = archive_entry_new();
        archive_entry_set_pathname(entry, entries[k].path);
        archive_entry_set_filetype(entry, (unsigned)entries[k].type);
        archive_entry_set_perm(entry, 0600);
        if (entries[k].type == AE_IFLNK)
            archive_entry_set_symlink(entry, entries[k].link);
        else if (entries[k].link)
            archive_entry_set_hardlink(entry, entries[k].link);
        archive_entry_set_size(entry, entries[k].type == AE_IFREG && !entries[k].link ? (la_int64_t)length : 0);
        assert_int_equal(archive_write_header(out, entry), ARCHIVE_OK);
        if (entries[k].type == AE_IFREG && !entries[k].link)
            assert_int_equal(archive_write_data(out, entries[k].text, length), length);
        archive_entry_free(entry);
    }
    assert_int_equal(archive_write_close(out), ARCHIVE_OK);
    archive_write_free(out);
    return path;
}

static void test_archive_equals_folder(void **state)
{
    (void)state;
    enum { N = G_N_ELEMENTS(acl) };
    Entry entries[N + 1] = {{"aclImdb/", "", 0, AE_IFDIR, NULL}};
    g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
    for (gsize k = 0; k < N; k++) {
        g_ptr_array_add(names, g_strconcat("./aclImdb/", acl[k].path, NULL));
        entries[k + 1] = (Entry){g_ptr_array_index(names, k), acl[k].text, acl[k].length, AE_IFREG, NULL};
    }
    g_autofree char *gz = pack("acl.tar.gz", ARCHIVE_FILTER_GZIP, entries, N + 1), *xz = pack("acl.TAR.XZ", ARCHIVE_FILTER_XZ, entries, N + 1);
    g_autofree char *folder = g_build_filename(scratch, "acl2", NULL);
    write_acl("acl2", FALSE);
    g_autoptr(GlintDataset) a = open_good(gz, NULL), b = open_good(xz, NULL), c = open_good(folder, NULL);
    check_acl(a);
    check_counts(a, 11, 1, 3, 2);
    assert_string_equal(a->format, "archive");
    assert_string_equal(a->sha256, b->sha256);
    assert_string_equal(a->sha256, c->sha256);
}

static void test_archive_hostile(void **state)
{
    (void)state;
    const Entry entries[] = {
        {"/pos/../../../../tmp/glint-evil.txt", "evil", -1, AE_IFREG, NULL},
        {"../neg/up.txt", "up", -1, AE_IFREG, NULL},
        {"pos/link.txt", "", 0, AE_IFLNK, "/etc/passwd"},
        {"/pos/absolute.txt", "kept as pos/absolute.txt", -1, AE_IFREG, NULL},
        {"pos/b.txt", "first", -1, AE_IFREG, NULL},
        {"neg/hard.txt", "", 0, AE_IFREG, "pos/b.txt"},
        {"pos/b.txt", "second", -1, AE_IFREG, NULL},
        {"neg/\xFF.txt", "name is not UTF-8", -1, AE_IFREG, NULL},
        {"neg/a.txt", "plain", -1, AE_IFREG, NULL},
    };
    g_autofree char *path = pack("hostile.tgz", ARCHIVE_FILTER_GZIP, entries, G_N_ELEMENTS(entries));
    g_autoptr(GlintDataset) d = open_good(path, NULL);
    assert_int_equal(d->texts->len, 3);
    check_text(d, 0, "neg/a.txt", "neg", "plain");
    check_text(d, 1, "pos/absolute.txt", "pos", "kept as pos/absolute.txt");
    check_text(d, 2, "pos/b.txt", "pos", "second"); /* the later entry counts, as tar has it */
    check_counts(d, 8, 0, 0, 5);
    assert_false(g_file_test("/tmp/glint-evil.txt", G_FILE_TEST_EXISTS));
}

static void test_archive_damaged(void **state)
{
    (void)state;
    g_autoptr(GString) noise = g_string_new(NULL);
    guint32 x = 1;
    while (noise->len < 400000)
        g_string_append_c(noise, (char)('a' + (x = x * 1664525u + 1013904223u) % 23));
    const Entry entries[] = {{"pos/a.txt", noise->str, -1, AE_IFREG, NULL}, {"neg/b.txt", noise->str, -1, AE_IFREG, NULL}};
    g_autofree char *path = pack("whole.tar.gz", ARCHIVE_FILTER_GZIP, entries, 2), *bytes = NULL;
    gsize length;
    assert_true(g_file_get_contents(path, &bytes, &length, NULL));
    g_autofree char *cut = put_bytes("cut.tar.gz", bytes, (gssize)(length / 2)), *none = put("text.tar.gz", "this is no archive");
    open_bad(cut, NULL, GLINT_ERROR_FORMAT, "damaged or cut off");
    open_bad(none, NULL, GLINT_ERROR_FORMAT, "archive");
}

/* ---- JSON lines ---- */

static void test_jsonl(void **state)
{
    (void)state;
    g_autofree char *path = put("a.jsonl", "\xEF\xBB\xBF{\"text\": \"one\", \"label\": 10, \"id\": \"r1\"}\r\n"
                                           "{\"text\": \"two\", \"label\": \"2\", \"id\": 7}\n"
                                           "\n"
                                           "{\"text\": \"three\", \"label\": 2.0}\n"
                                           "{\"text\": \"  \", \"label\": 1}\n"
                                           "{\"text\": null, \"label\": 1}\n"
                                           "{\"label\": 1}\n"
                                           "{\"text\": \"x\", \"label\": null}\n"
                                           "{\"text\": \"x\"}\n"
                                           "{\"text\": \"x\", \"label\": \" \"}\n"
                                           "{\"text\": 5, \"label\": 1}\n"
                                           "{\"text\": \"x\", \"label\": [1]}\n"
                                           "{\"text\": \"bro\n"
                                           "[1]\n"
                                           "{\"text\": \"caf\xE9\", \"label\": 1}\n"
                                           "{\"text\": \"nul \\u0000\", \"label\": 1}\n"
                                           "{\"text\": \"last\", \"label\": -3}");
    g_autoptr(GlintDataset) d = open_good(path, NULL);
    assert_string_equal(d->format, "jsonl");
    assert_int_equal(d->classes->len, 3); /* integers by value, and no class that kept no text */
    assert_string_equal(class_at(d, 0), "-3");
    assert_string_equal(class_at(d, 1), "2");
    assert_string_equal(class_at(d, 2), "10");
    assert_int_equal(d->texts->len, 4);
    check_text(d, 0, "r1", "10", "one");
    check_text(d, 1, "7", "2", "two");
    check_text(d, 2, "line 4", "2", "three");
    check_text(d, 3, "line 17", "-3", "last");
    check_counts(d, 16, 3, 3, 6);
}

static void test_jsonl_columns(void **state)
{
    (void)state;
    g_autofree char *path = put("b.jsonl", "{\"review\": \"one\", \"stars\": true}\n{\"review\": \"two\", \"stars\": false, \"extra\": 1}\n");
    GlintDatasetOptions options = {.text_column = "review", .label_column = "stars"};
    g_autoptr(GlintDataset) d = open_good(path, &options);
    check_text(d, 0, "line 1", "true", "one");
    check_text(d, 1, "line 2", "false", "two");
    open_bad(path, NULL, GLINT_ERROR_DATA, "no column \"text\" for the text; the file has: review, stars, extra; choose one with --text-column");
    options.label_column = "label";
    open_bad(path, &options, GLINT_ERROR_DATA, "no column \"label\" for the label; the file has: review, stars, extra; choose one with --label-column");
    g_autofree char *broken = put("c.jsonl", "{\"text\": \n{]\n"), *empty = put("d.jsonl", "");
    open_bad(broken, NULL, GLINT_ERROR_DATA, "2 invalid); the first invalid one: line 1:");
    open_bad(empty, NULL, GLINT_ERROR_DATA, "the file is empty");
    g_autofree char *wide = put_bytes("e.jsonl", "\xFF\xFE{\0", 4);
    open_bad(wide, NULL, GLINT_ERROR_FORMAT, "iconv");
}

/* ---- CSV, TSV, lines ---- */

static void test_csv(void **state)
{
    (void)state;
    g_autofree char *path = put("a.csv", "\xEF\xBB\xBF" "label,text,id\r\n"
                                         "pos,\"two\nlines, \"\"quoted\"\"\",x1\r\n"
                                         "\r\n"
                                         " neg , kept blanks ,\n"
                                         "pos,,x\n"
                                         ",no label,x\n"
                                         "pos,too,many,fields\n"
                                         "pos,few\n"
                                         "neg,caf\xE9,x\n"
                                         "neg,5\" disk,x9");
    g_autoptr(GlintDataset) d = open_good(path, NULL);
    assert_string_equal(d->format, "csv");
    assert_int_equal(d->texts->len, 3);
    check_text(d, 0, "x1", "pos", "two\nlines, \"quoted\"");
    check_text(d, 1, "line 5", "neg", " kept blanks ");
    check_text(d, 2, "x9", "neg", "5\" disk");
    check_counts(d, 8, 1, 1, 3);
}

static void test_csv_errors(void **state)
{
    (void)state;
    g_autofree char *path = put("b.csv", "review,sentiment\na,b\n"), *open = put("c.csv", "text,label\na,pos\n\"never\nclosed,neg\nb,neg\n");
    open_bad(path, NULL, GLINT_ERROR_DATA, "no column \"text\" for the text; the file has: review, sentiment");
    GlintDatasetOptions options = {.text_column = "review", .label_column = "label"};
    open_bad(path, &options, GLINT_ERROR_DATA, "no column \"label\" for the label");
    open_bad(open, NULL, GLINT_ERROR_FORMAT, ":3: a field that starts with a double quote here is never closed");
    g_autofree char *header = put("d.csv", "text,label\n");
    open_bad(header, NULL, GLINT_ERROR_DATA, "no text to use among 0 records");
}

static void test_tsv_and_lines(void **state)
{
    (void)state;
    g_autofree char *tsv = put("a.tsv", "text\tlabel\na, b\t1\n\"c\td\"\t0\n"), *txt = put("a.txt", "first\r\n\nsecond\n \nthird");
    g_autoptr(GlintDataset) d = open_good(tsv, NULL), l = open_good(txt, NULL);
    assert_string_equal(d->format, "tsv");
    check_text(d, 0, "line 2", "1", "a, b");
    check_text(d, 1, "line 3", "0", "c\td");
    assert_string_equal(l->format, "txt");
    assert_int_equal(l->classes->len, 1);
    assert_int_equal(l->texts->len, 3);
    check_text(l, 0, "line 1", "all", "first");
    check_text(l, 1, "line 3", "all", "second");
    check_text(l, 2, "line 5", "all", "third");
    check_counts(l, 5, 2, 0, 0);
}

/* ---- the draw ---- */

static char *put_classes(const char *name, const guint *sizes, guint n)
{
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint c = 0; c < n; c++) /* sorted by class: the first N would all be of one */
        for (guint k = 0; k < sizes[c]; k++)
            g_string_append_printf(text, "{\"id\": \"%u/%u\", \"label\": \"c%u\", \"text\": \"t\"}\n", c, k, c);
    return put(name, text->str);
}

static void count_labels(const GlintDataset *d, guint *count)
{
    memset(count, 0, d->classes->len * sizeof *count);
    for (guint k = 0; k < d->texts->len; k++)
        count[text_at(d, k)->label]++;
}

static void test_draw_is_even(void **state)
{
    (void)state;
    const guint sizes[] = {100, 3, 50};
    g_autofree char *path = put_classes("draw.jsonl", sizes, 3);
    static const guint wanted[][4] = {{6, 2, 2, 2}, {7, 3, 2, 2}, {21, 9, 3, 9}, {22, 10, 3, 9}, {110, 57, 3, 50}, {153, 100, 3, 50}, {999, 100, 3, 50}, {2, 1, 1, 0}};
    for (gsize k = 0; k < G_N_ELEMENTS(wanted); k++) {
        GlintDatasetOptions options = {.max_samples = wanted[k][0], .seed = 5};
        g_autoptr(GlintDataset) d = open_good(path, &options);
        guint count[3];
        count_labels(d, count);
        assert_int_equal(d->classes->len, 3);
        for (guint c = 0; c < 3; c++)
            assert_int_equal(count[c], wanted[k][c + 1]);
        assert_int_equal(d->n_read, 153);
    }
}

static void test_draw_follows_the_seed(void **state)
{
    (void)state;
    const guint sizes[] = {400, 400};
    g_autofree char *path = put_classes("seed.jsonl", sizes, 2);
    GlintDatasetOptions options = {.max_samples = 100, .seed = 1}, more = {.max_samples = 102, .seed = 1}, other = {.max_samples = 100, .seed = 2};
    g_autoptr(GlintDataset) a = open_good(path, &options), again = open_good(path, &options), b = open_good(path, &other), c = open_good(path, &more);
    assert_string_equal(a->sha256, again->sha256);
    assert_string_not_equal(a->sha256, b->sha256);
    g_autoptr(GHashTable) ids = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint k = 0; k < c->texts->len; k++)
        g_hash_table_add(ids, text_at(c, k)->id);
    double sum = 0;
    guint last = 0;
    for (guint k = 0; k < a->texts->len; k++) {
        guint label, place;
        assert_true(g_hash_table_contains(ids, text_at(a, k)->id)); /* 100 are part of 102 */
        assert_int_equal(sscanf(text_at(a, k)->id, "%u/%u", &label, &place), 2);
        assert_true(k == 0 || label * 400 + place > last); /* file order is kept */
        last = label * 400 + place;
        sum += place;
    }
    assert_true(sum / 100 > 165 && sum / 100 < 234); /* uniform over 0..399: mean 199.5, standard error 11.5 */
}

/* ---- the real thing ---- */

static void test_imdb(void **state)
{
    (void)state;
    const char *tar = GLINT_SHARED_DIR "/data/imdb/aclImdb_labelled.tar.xz", *jsonl = GLINT_SHARED_DIR "/data/imdb/imdb_subset_4000.jsonl";
    if (!g_file_test(tar, G_FILE_TEST_EXISTS) || !g_file_test(jsonl, G_FILE_TEST_EXISTS)) {
        print_message("skipped: %s is not there\n", tar);
        skip();
    }
    g_autoptr(GlintDataset) d = open_good(tar, NULL), j = open_good(jsonl, NULL);
    guint count[2];
    assert_int_equal(d->classes->len, 2);
    count_labels(d, count);
    assert_int_equal(count[0], 25000);
    assert_int_equal(count[1], 25000);
    assert_string_equal(class_at(d, 0), "neg");
    assert_string_equal(text_at(d, 0)->id, "test/neg/0_2.txt");
    check_counts(d, 50000, 0, 0, 0);
    assert_int_equal(j->texts->len, 4000);
    g_autoptr(GHashTable) by_id = g_hash_table_new(g_str_hash, g_str_equal);
    for (guint k = 0; k < d->texts->len; k++)
        g_hash_table_insert(by_id, text_at(d, k)->id, text_at(d, k)->text);
    for (guint k = 0; k < j->texts->len; k++) { /* two readers, one text */
        g_autofree char *id = g_strconcat(text_at(j, k)->id, ".txt", NULL);
        const char *text = g_hash_table_lookup(by_id, id);
        assert_non_null(text);
        g_auto(GStrv) lines = g_strsplit(text, "<br />", -1); /* the .jsonl has them as line ends */
        g_autofree char *joined = g_strjoinv("\n", lines);
        assert_true(strcmp(joined, text_at(j, k)->text) == 0);
    }
    GlintDatasetOptions options = {.max_samples = 2000, .seed = 1};
    g_autoptr(GlintDataset) s = open_good(tar, &options);
    count_labels(s, count);
    assert_int_equal(count[0], 1000);
    assert_int_equal(count[1], 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_folder_of_class_folders), cmocka_unit_test(test_folder_errors),
        cmocka_unit_test(test_archive_equals_folder),   cmocka_unit_test(test_archive_hostile),
        cmocka_unit_test(test_archive_damaged),         cmocka_unit_test(test_jsonl),
        cmocka_unit_test(test_jsonl_columns),           cmocka_unit_test(test_csv),
        cmocka_unit_test(test_csv_errors),              cmocka_unit_test(test_tsv_and_lines),
        cmocka_unit_test(test_draw_is_even),            cmocka_unit_test(test_draw_follows_the_seed),
        cmocka_unit_test(test_imdb),
    };
    return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
