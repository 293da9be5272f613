/* Files and folders that are never half-written: everything goes to a temporary name beside the final one, is synced,
 * and renamed. Errors say which file, why, and (no space, no permission) what to do. */
#pragma once
#include <glib.h>
#include <jansson.h>
#include <stdio.h>

/* A file under construction: write to the stream, then commit; freeing without commit removes it. A symbolic link is
 * followed; a device or pipe (/dev/stdout) is written directly, for there is nothing to rename. */
typedef struct GlintFile GlintFile;
GlintFile *glint_file_new(const char *path, GError **error); /* creates parent folders */
FILE *glint_file_stream(GlintFile *self);
gboolean glint_file_commit(GlintFile *self, GError **error); /* checks write errors, fsync, rename; frees self in every case */
void glint_file_free(GlintFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintFile, glint_file_free)

/* A folder under construction: fill glint_folder_path(), then commit swaps it into place. An older folder of that name
 * is replaced and everything in it deleted, but only when it is empty or glint made it (commit leaves a file ".glint" in each
 * folder to tell): new and commit refuse anything else, so that `--out .` cannot cost anybody his files. */
typedef struct GlintFolder GlintFolder;
GlintFolder *glint_folder_new(const char *path, GError **error);
const char *glint_folder_path(const GlintFolder *self);
gboolean glint_folder_commit(GlintFolder *self, GError **error); /* frees self in every case */
void glint_folder_free(GlintFolder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(GlintFolder, glint_folder_free)

gboolean glint_mkdir(const char *path, GError **error); /* with parents */
gboolean glint_remove_tree(const char *path, GError **error); /* a file or folder with all in it; absent is fine */

/* The file's bytes, mapped read-only; refuses folders and empty files by name. Free with g_mapped_file_unref. */
GMappedFile *glint_map_file(const char *path, GError **error);

/* JSON through jansson. Reading names file, line and column on errors and refuses duplicate keys. A document holding an
 * integer beyond 64 bits (Hugging Face's model_max_length) is read with all its numbers as reals; glint_json_int() takes
 * reals of integer value, so code that uses the getters sees no difference. Getters return `fallback` when the key is absent
 * or null, and set *error (if not already set) when it has the wrong type: check once after a series. */
json_t *glint_json_read(const char *path, GError **error);
json_t *glint_json_parse(const char *text, gsize length, const char *name /* for messages */, GError **error);
gboolean glint_json_write(const char *path, const json_t *value, GError **error); /* indented, in order of insertion; reals in the fewest digits that read back the same */
gint64 glint_json_int(const json_t *object, const char *key, gint64 fallback, GError **error);
double glint_json_real(const json_t *object, const char *key, double fallback, GError **error);
gboolean glint_json_bool(const json_t *object, const char *key, gboolean fallback, GError **error);
const char *glint_json_string(const json_t *object, const char *key, const char *fallback, GError **error);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(json_t, json_decref)

/* One CSV field, quoted when needed (RFC 4180). */
void glint_csv_field(FILE *out, const char *text);

/* SHA-256 in lower-case hex; free with g_free. */
char *glint_sha256_file(const char *path, GError **error);
char *glint_sha256_bytes(const void *bytes, gsize length);

/* Provenance for run.json: glint's version, command line, host, CPU, processors, memory, versions of base's libraries, UTC
 * time of the call. Stages above add theirs (BLAS, oneDNN, igraph). */
json_t *glint_provenance(int argc, char **argv);
