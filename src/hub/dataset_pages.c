/* Pages of a split into a cache file. See dataset_pages.h.
 *
 * How many pages a sample takes: the texts are drawn evenly from the classes later (text/dataset.c), so pages are taken, in an
 * order whose every beginning is spread over the split (page_order.h), until each class has its share. Where the classes are not
 * known beforehand (plain strings), those seen so far count, and at least MIN_BLIND pages are taken. A class so rare that it has
 * not got its share after MAX_TIMES times the rows wanted (and four pages a class) is given up on, and that is said.
 *
 * The part file needs no notes beside it: the order of pages is known, every page but the last has the same number of lines, so
 * its lines say where to go on. A line that a kill cut short is dropped together with its page. */
#include "hub/dataset_pages.h"
#include "base/error.h"
#include "base/files.h"
#include "base/talk.h"
#include "hub/page_order.h"
#include "hub/part_file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIN_BLIND = 8, MAX_TIMES = 4, PAGES_A_CLASS = 4 };

typedef struct {
    const GlintPagePlan *plan;
    GlintPageOrder order;
    gboolean whole;
    guint64 n_pages, next;  /* next: of a whole split */
    GArray *pages;          /* guint64: pages in the part file, in the order they lie there */
    GHashTable *counts;     /* label -> number of rows (GUINT) */
    guint64 n_rows, n_cut;
} Fetch;

gboolean glint_page_plan_whole(const GlintPagePlan *self) { return self->max_samples == 0 || 2 * (guint64)self->max_samples >= self->split->n_rows; }

static void fetch_init(Fetch *self, const GlintPagePlan *plan)
{
    *self = (Fetch){.plan = plan, .whole = glint_page_plan_whole(plan)};
    self->n_pages = (plan->split->n_rows + GLINT_ROWS_PER_PAGE - 1) / GLINT_ROWS_PER_PAGE;
    glint_page_order_init(&self->order, MAX(self->n_pages, 1), plan->seed);
    self->pages = g_array_new(FALSE, FALSE, sizeof(guint64));
    self->counts = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, NULL);
}

static void fetch_clear(Fetch *self)
{
    glint_page_order_clear(&self->order);
    g_array_unref(self->pages);
    g_hash_table_unref(self->counts);
}

static guint64 page_rows(const Fetch *self, guint64 page) { return MIN(GLINT_ROWS_PER_PAGE, self->plan->split->n_rows - page * GLINT_ROWS_PER_PAGE); }

/* ---- how much is enough ---- */

static gboolean class_short(const Fetch *self, const char *name, guint64 share)
{
    return GPOINTER_TO_UINT(g_hash_table_lookup(self->counts, name)) < share;
}

/* Number of classes that have less than their share of the sample; their names are appended to `names` unless NULL. */
static guint classes_short(const Fetch *self, GString *names)
{
    const GPtrArray *known = self->plan->label->classes;
    guint n_classes = known ? known->len : MAX(g_hash_table_size(self->counts), 1), n_short = 0;
    guint64 share = (self->plan->max_samples + n_classes - 1) / n_classes;
    g_autoptr(GList) seen = known ? NULL : g_list_sort(g_hash_table_get_keys(self->counts), (GCompareFunc)strcmp);
    for (guint c = 0; known && c < known->len; c++)
        if (class_short(self, g_ptr_array_index(known, c), share)) {
            n_short++;
            if (names)
                g_string_append_printf(names, "%s%s", names->len ? ", " : "", (const char *)g_ptr_array_index(known, c));
        }
    for (GList *link = seen; link; link = link->next)
        if (class_short(self, link->data, share)) {
            n_short++;
            if (names)
                g_string_append_printf(names, "%s%s", names->len ? ", " : "", (const char *)link->data);
        }
    return n_short;
}

static gboolean enough(const Fetch *self)
{
    const GlintPagePlan *plan = self->plan;
    if (self->whole)
        return FALSE;
    guint n_classes = plan->label->classes ? plan->label->classes->len : g_hash_table_size(self->counts);
    guint64 wanted = (plan->max_samples + GLINT_ROWS_PER_PAGE - 1) / GLINT_ROWS_PER_PAGE, most =
        MAX(MAX_TIMES * wanted, PAGES_A_CLASS * (guint64)n_classes);
    if (self->n_rows < plan->max_samples || (!plan->label->classes && self->pages->len < MIN_BLIND))
        return FALSE;
    return self->pages->len >= most || classes_short(self, NULL) == 0;
}

static gboolean next_page(Fetch *self, guint64 *page)
{
    if (!self->whole)
        return !enough(self) && glint_page_order_next(&self->order, page);
    *page = self->next++;
    return *page < self->n_pages;
}

/* Counts a row of the part file; FALSE when it is no JSON object. */
static gboolean count_line(Fetch *self, const char *line, gsize length)
{
    g_autoptr(json_t) row = json_loadb(line, length, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    if (!json_is_object(row))
        return FALSE;
    const json_t *label = json_object_get(row, self->plan->label->name);
    self->n_rows++;
    self->n_cut += json_object_size(row) == 1;
    if (!label || json_is_null(label) || self->whole)
        return TRUE;
    char *text = json_is_string(label) ? g_strdup(json_string_value(label)) : NULL;
    char *dump = text ? NULL : json_dumps(label, JSON_ENCODE_ANY);
    text = text ? text : g_strdup(dump);
    free(dump);
    guint count = GPOINTER_TO_UINT(g_hash_table_lookup(self->counts, text));
    g_hash_table_replace(self->counts, text, GUINT_TO_POINTER(count + 1));
    return TRUE;
}

/* ---- the part file ---- */

/* The end of `n` lines that begin at `text`, NULL when there are fewer or one of them is no row. */
static const char *take_lines(Fetch *self, const char *text, const char *end, guint64 n)
{
    for (guint64 k = 0; k < n; k++) {
        const char *stop = text < end ? memchr(text, '\n', (gsize)(end - text)) : NULL;
        if (!stop || !count_line(self, text, (gsize)(stop - text)))
            return NULL;
        text = stop + 1;
    }
    return text;
}

/* Reads what an earlier call left and cuts the file behind its last whole page. `*page` is the one to go on with, when TRUE came back
 * in *more. */
static gboolean resume(Fetch *self, int fd, const char *part, guint64 *page, gboolean *more, GError **error)
{
    struct stat info;
    if (fstat(fd, &info) != 0)
        return glint_fail_errno(error, errno, "cannot read '%s'", part);
    g_autoptr(GError) problem = NULL;
    GMappedFile *map = info.st_size > 0 ? g_mapped_file_new_from_fd(fd, FALSE, &problem) : NULL;
    if (problem)
        return glint_fail(error, GLINT_ERROR_IO, "cannot map '%s': %s", part, problem->message);
    const char *start = map ? g_mapped_file_get_contents(map) : "", *at = start, *end = start + (map ? g_mapped_file_get_length(map) : 0);
    while ((*more = next_page(self, page))) {
        guint64 rows = self->n_rows, cut = self->n_cut;
        const char *behind = take_lines(self, at, end, page_rows(self, *page));
        if (!behind) {
            self->n_rows = rows;
            self->n_cut = cut;
            break;
        }
        g_array_append_val(self->pages, *page);
        at = behind;
    }
    off_t kept = (off_t)(at - start);
    g_clear_pointer(&map, g_mapped_file_unref);
    if (ftruncate(fd, kept) != 0 || lseek(fd, kept, SEEK_SET) < 0)
        return glint_fail_errno(error, errno, "cannot write '%s'", part);
    return TRUE;
}

static gboolean write_all(int fd, const char *bytes, gsize length)
{
    while (length > 0) {
        ssize_t put = write(fd, bytes, length);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return FALSE;
        bytes += put;
        length -= (gsize)put;
    }
    return TRUE;
}

static gboolean append_page(Fetch *self, int fd, const char *part, guint64 page, GError **error)
{
    const GlintPagePlan *plan = self->plan;
    g_autoptr(GPtrArray) lines = g_ptr_array_new_with_free_func(g_free);
    if (!plan->source(plan->source_data, plan->split, page * GLINT_ROWS_PER_PAGE, page_rows(self, page), lines, error))
        return FALSE;
    g_autoptr(GString) text = g_string_new(NULL);
    for (guint k = 0; k < lines->len; k++) {
        const char *line = g_ptr_array_index(lines, k);
        count_line(self, line, strlen(line));
        g_string_append(text, line);
        g_string_append_c(text, '\n');
    }
    g_array_append_val(self->pages, page);
    return write_all(fd, text->str, text->len) || glint_fail_errno(error, errno, "cannot write '%s'", part);
}

/* ---- the finished file ---- */

typedef struct {
    guint64 page;
    const char *start, *end;
} Piece;

static gint by_page(gconstpointer a, gconstpointer b)
{
    const Piece *x = a, *y = b;
    return x->page < y->page ? -1 : x->page > y->page;
}

/* The pages of the part file in order of their numbers, as `path`. */
static gboolean finish(const Fetch *self, const char *part, const char *path, GError **error)
{
    g_autoptr(GMappedFile) map = glint_map_file(part, error);
    if (!map)
        return FALSE;
    const char *at = g_mapped_file_get_contents(map), *end = at + g_mapped_file_get_length(map);
    g_autoptr(GArray) pieces = g_array_new(FALSE, FALSE, sizeof(Piece));
    guint64 n_lines = 0, want = 0;
    for (guint k = 0; k < self->pages->len; k++) {
        Piece piece = {.page = g_array_index(self->pages, guint64, k), .start = at};
        guint64 rows = page_rows(self, piece.page);
        want += rows;
        for (const char *stop; rows > 0 && at < end && (stop = memchr(at, '\n', (gsize)(end - at))); rows--, n_lines++)
            at = stop + 1;
        piece.end = at;
        g_array_append_val(pieces, piece);
    }
    if (n_lines != want || at != end || (self->whole && n_lines != self->plan->split->n_rows))
        return glint_fail(error, GLINT_ERROR_IO, "'%s' holds %" G_GUINT64_FORMAT " rows of %" G_GUINT64_FORMAT "; something else wrote to it, delete "
                          "it and fetch again", part, n_lines, want);
    g_array_sort(pieces, by_page);
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (!file)
        return FALSE;
    for (guint k = 0; k < pieces->len; k++) {
        const Piece *piece = &g_array_index(pieces, Piece, k);
        fwrite(piece->start, 1, (gsize)(piece->end - piece->start), glint_file_stream(file));
    }
    return glint_file_commit(g_steal_pointer(&file), error);
}

static void tell(const Fetch *self)
{
    const GlintSplit *split = self->plan->split;
    if (self->n_cut > 0)
        glint_warn("%s: the server cut off the text of %" G_GUINT64_FORMAT " rows; they are left out (counted as without a label)", split->dataset,
                   self->n_cut);
    g_autoptr(GString) names = g_string_new(NULL);
    if (!self->whole && classes_short(self, names) > 0)
        glint_warn("%s: in the %" G_GUINT64_FORMAT " rows that were fetched, spread over the split, these classes have less than an even share: %s; "
                                                   "leave --max-samples out to fetch all %"
                   G_GUINT64_FORMAT " rows", split->dataset, self->n_rows, names->str, split->n_rows);
}

static gboolean fetch_pages(Fetch *self, int fd, const char *part, GError **error)
{
    guint64 page = 0;
    gboolean more = FALSE;
    if (!resume(self, fd, part, &page, &more, error))
        return FALSE;
    if (self->pages->len > 0 && more)
        glint_say("data: going on behind the %" G_GUINT64_FORMAT " rows fetched before", self->n_rows);
    const GlintPagePlan *plan = self->plan;
    double total = self->whole ? (double)plan->split->n_rows : (double)MIN(plan->max_samples, plan->split->n_rows);
    g_autoptr(GlintProgress) bar = glint_progress_new("rows", total, "rows");
    for (; more; more = next_page(self, &page)) {
        if (!glint_check_interrupt(error) || !append_page(self, fd, part, page, error))
            return FALSE;
        if ((double)self->n_rows > total)
            glint_progress_total(bar, (double)self->n_rows); /* a class has not got its share yet */
        glint_progress_update(bar, (double)self->n_rows, NULL);
    }
    return TRUE;
}

gboolean glint_pages_fetch(const GlintPagePlan *plan, const char *path, GError **error)
{
    g_autofree char *part = g_strconcat(path, ".part", NULL);
    int fd = glint_part_open(part, error);
    if (fd < 0)
        return FALSE;
    Fetch fetch;
    fetch_init(&fetch, plan);
    gboolean ok = TRUE;
    if (!g_file_test(path, G_FILE_TEST_EXISTS)) /* the process waited for may have made it */
        ok = fetch_pages(&fetch, fd, part, error) && finish(&fetch, part, path, error);
    if (ok) {
        unlink(part);
        tell(&fetch);
    }
    close(fd);
    fetch_clear(&fetch);
    return ok;
}

/* ---- pages out of the file of a whole split ---- */

struct GlintPageFile {
    GMappedFile *map;
    GArray *starts; /* const char*: start of each page, and the end */
};

GlintPageFile *glint_page_file_open(const char *path, const GlintSplit *split, GError **error)
{
    g_autoptr(GlintPageFile) self = g_new0(GlintPageFile, 1);
    self->starts = g_array_new(FALSE, FALSE, sizeof(char *));
    self->map = glint_map_file(path, error);
    if (!self->map)
        return NULL;
    const char *at = g_mapped_file_get_contents(self->map), *end = at + g_mapped_file_get_length(self->map);
    guint64 n_lines = 0;
    for (; at < end; n_lines++) {
        if (n_lines % GLINT_ROWS_PER_PAGE == 0)
            g_array_append_val(self->starts, at);
        const char *stop = memchr(at, '\n', (gsize)(end - at));
        at = stop ? stop + 1 : end;
    }
    g_array_append_val(self->starts, at);
    if (n_lines == split->n_rows)
        return g_steal_pointer(&self);
    glint_fail(error, GLINT_ERROR_FORMAT, "'%s' has %" G_GUINT64_FORMAT " lines where %" G_GUINT64_FORMAT " rows were cached; delete it and fetch "
               "again", path, n_lines, split->n_rows);
    return NULL;
}

gboolean glint_page_file_read(gpointer data, const GlintSplit *split, guint64 offset, guint64 length, GPtrArray *lines, GError **error)
{
    (void)split;
    (void)error;
    const GlintPageFile *self = data;
    const char *at = g_array_index(self->starts, const char *, offset / GLINT_ROWS_PER_PAGE), *end =
        g_array_index(self->starts, const char *, offset / GLINT_ROWS_PER_PAGE + 1);
    for (guint64 k = 0; k < length && at < end; k++) {
        const char *stop = memchr(at, '\n', (gsize)(end - at));
        g_ptr_array_add(lines, g_strndup(at, (gsize)((stop ? stop : end) - at)));
        at = stop ? stop + 1 : end;
    }
    return TRUE;
}

void glint_page_file_free(GlintPageFile *self)
{
    if (!self)
        return;
    g_clear_pointer(&self->map, g_mapped_file_unref);
    g_clear_pointer(&self->starts, g_array_unref);
    g_free(self);
}
