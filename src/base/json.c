/* JSON in and out. jansson parses (strictly, checked UTF-8); writing is our own walk over its values, for one reason: jansson
 * prints 0.1 as 0.10000000000000001, and people read run.json and certificate.json. */
#include "base/error.h"
#include "base/files.h"

#include <math.h>
#include <string.h>

/* ---- reading -------------------------------------------------------------------------------------------------------- */

json_t *glint_json_parse(const char *text, gsize length, const char *name, GError **error)
{
    json_error_t where;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    json_t *value = json_loadb(text, length, flags, &where);
    if (value == NULL && json_error_code(&where) == json_error_numeric_overflow)
        value = json_loadb(text, length, flags | JSON_DECODE_INT_AS_REAL, &where);
    if (value == NULL)
        glint_fail(error, GLINT_ERROR_FORMAT, "%s:%d:%d: not valid JSON: %s", name, where.line, where.column, where.text);
    return value;
}

json_t *glint_json_read(const char *path, GError **error)
{
    GMappedFile *map = glint_map_file(path, error);
    if (map == NULL)
        return NULL;
    json_t *value = glint_json_parse(g_mapped_file_get_contents(map), g_mapped_file_get_length(map), path, error);
    g_mapped_file_unref(map);
    return value;
}

static const char *kind_name(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_OBJECT: return "an object";
    case JSON_ARRAY: return "an array";
    case JSON_STRING: return "a string";
    case JSON_INTEGER: return "an integer";
    case JSON_REAL: return "a real number";
    case JSON_TRUE:
    case JSON_FALSE: return "true or false";
    case JSON_NULL: return "null";
    }
    return "unknown";
}

/* The value of `key`, NULL when it is absent or null (or `object` is no object, which is an error). */
static const json_t *look_up(const json_t *object, const char *key, GError **error)
{
    if (!json_is_object(object)) {
        if (error != NULL && *error == NULL)
            glint_fail(error, GLINT_ERROR_FORMAT, "key \"%s\" is wanted from %s, an object was expected", key,
                       object == NULL ? "nothing" : kind_name(object));
        return NULL;
    }
    const json_t *value = json_object_get(object, key);
    return value == NULL || json_is_null(value) ? NULL : value;
}

static void wrong_kind(const char *key, const char *wanted, const json_t *value, GError **error)
{
    if (error != NULL && *error == NULL)
        glint_fail(error, GLINT_ERROR_FORMAT, "key \"%s\" holds %s, %s was expected", key, kind_name(value), wanted);
}

gint64 glint_json_int(const json_t *object, const char *key, gint64 fallback, GError **error)
{
    const json_t *value = look_up(object, key, error);
    if (value == NULL)
        return fallback;
    if (json_is_integer(value))
        return json_integer_value(value);
    if (json_is_real(value)) {
        double real = json_real_value(value);
        if (real == floor(real) && fabs(real) <= 9007199254740992.0) /* 2^53: exact */
            return (gint64)real;
    }
    wrong_kind(key, "an integer", value, error);
    return fallback;
}

double glint_json_real(const json_t *object, const char *key, double fallback, GError **error)
{
    const json_t *value = look_up(object, key, error);
    if (value == NULL)
        return fallback;
    if (json_is_number(value))
        return json_number_value(value);
    wrong_kind(key, "a number", value, error);
    return fallback;
}

gboolean glint_json_bool(const json_t *object, const char *key, gboolean fallback, GError **error)
{
    const json_t *value = look_up(object, key, error);
    if (value == NULL)
        return fallback;
    if (json_is_boolean(value))
        return json_is_true(value);
    wrong_kind(key, "true or false", value, error);
    return fallback;
}

const char *glint_json_string(const json_t *object, const char *key, const char *fallback, GError **error)
{
    const json_t *value = look_up(object, key, error);
    if (value == NULL)
        return fallback;
    if (json_is_string(value))
        return json_string_value(value);
    wrong_kind(key, "a string", value, error);
    return fallback;
}

/* ---- writing -------------------------------------------------------------------------------------------------------- */

static void write_indent(FILE *out, int depth) { fprintf(out, "\n%*s", 2 * depth, ""); }

static void write_real(FILE *out, double value)
{
    char text[G_ASCII_DTOSTR_BUF_SIZE];
    for (int digits = 15; digits <= 17; digits++) {
        char format[8];
        g_snprintf(format, sizeof format, "%%.%dg", digits);
        g_ascii_formatd(text, sizeof text, format, value); /* not printf: the decimal point must not follow the locale */
        if (g_ascii_strtod(text, NULL) == value)
            break;
    }
    fputs(text, out);
    if (strpbrk(text, ".e") == NULL)
        fputs(".0", out); /* so that it reads back as a real */
}

static void write_value(FILE *out, const json_t *value, int depth);

static void write_object(FILE *out, const json_t *object, int depth)
{
    json_t *mutable_object = (json_t *)object; /* jansson's iterator wants it so; nothing is changed */
    const char *separator = "";
    const char *key;
    json_t *item;
    fputc('{', out);
    json_object_foreach (mutable_object, key, item) {
        fputs(separator, out);
        write_indent(out, depth + 1);
        json_t *name = json_string(key);
        write_value(out, name, depth + 1);
        json_decref(name);
        fputs(": ", out);
        write_value(out, item, depth + 1);
        separator = ",";
    }
    if (*separator != '\0')
        write_indent(out, depth);
    fputc('}', out);
}

/* Arrays of scalars stay on one line. */
static void write_array(FILE *out, const json_t *array, int depth)
{
    gsize n = json_array_size(array);
    gboolean nested = FALSE;
    for (gsize i = 0; i < n; i++) {
        const json_t *item = json_array_get(array, i);
        nested = nested || json_is_object(item) || json_is_array(item);
    }
    fputc('[', out);
    for (gsize i = 0; i < n; i++) {
        fputs(i == 0 ? "" : nested ? "," : ", ", out);
        if (nested)
            write_indent(out, depth + 1);
        write_value(out, json_array_get(array, i), depth + 1);
    }
    if (nested)
        write_indent(out, depth);
    fputc(']', out);
}

static void write_value(FILE *out, const json_t *value, int depth)
{
    if (json_is_object(value))
        write_object(out, value, depth);
    else if (json_is_array(value))
        write_array(out, value, depth);
    else if (json_is_real(value))
        write_real(out, json_real_value(value));
    else
        json_dumpf(value, out, JSON_ENCODE_ANY); /* a failure sets the stream's error flag, which commit checks */
}

gboolean glint_json_write(const char *path, const json_t *value, GError **error)
{
    g_autoptr(GlintFile) file = glint_file_new(path, error);
    if (file == NULL)
        return FALSE;
    write_value(glint_file_stream(file), value, 0);
    fputc('\n', glint_file_stream(file));
    return glint_file_commit(g_steal_pointer(&file), error);
}
