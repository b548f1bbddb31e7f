#include "cli/input.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/open.h"
#include "base/reflect.h"
#include "umx/v1/plan.pb-c.h"

enum { TABLES_MAX = 8, PROBLEM_MAX = 512, ROW_ARENA = 4 * 1024 * 1024 };

static const ProtobufCFieldDescriptor *table_field(size_t index)
{
    const ProtobufCMessageDescriptor *input = &umx__input__descriptor;

    return index < input->n_fields && index < TABLES_MAX ? &input->fields[index] : NULL;
}

const char *umx_input_table(size_t index)
{
    const ProtobufCFieldDescriptor *field = table_field(index);

    return field != NULL ? field->name : NULL;
}

static size_t table_number(const char *table)
{
    size_t i = 0;

    while (umx_input_table(i) != NULL && strcmp(umx_input_table(i), table) != 0)
        i++;
    return i;
}

const ProtobufCMessageDescriptor *umx_input_type(const char *table)
{
    const ProtobufCFieldDescriptor *field = table_field(table_number(table));

    return field != NULL ? field->descriptor : NULL;
}

const char *umx_input_column(const char *table, size_t index)
{
    const ProtobufCMessageDescriptor *type = umx_input_type(table);

    for (unsigned i = 0; type != NULL && i < type->n_fields; i++)
        if (strcmp(type->fields[i].name, "row") != 0 && index-- == 0)
            return type->fields[i].name;
    return NULL;
}

void umx_input_close(struct umx_input *input)
{
    json_decref(input->root);
    json_decref(input->problems);
    *input = (struct umx_input){0};
}

void umx_input_problem(struct umx_input *input, const char *place, const char *format, ...)
{
    char why[PROBLEM_MAX];
    struct umx_text valid = {0};
    va_list list;

    input->problem_count++;
    if (input->problems == NULL)
        input->problems = json_array();
    if (json_array_size(input->problems) >= UMX_INPUT_PROBLEMS_MAX)
        return;
    va_start(list, format);
    vsnprintf(why, sizeof why, format, list);
    va_end(list);
    umx_text_add_valid(&valid, why, strlen(why)); /* a quoted cell may be cut within a letter */
    json_array_append_new(input->problems, json_pack("{s:s,s:s}", "place", place, "why", umx_text_string(&valid)));
    umx_text_free(&valid);
}

json_t *umx_input_rows(struct umx_input *input, const char *name, const char *table, struct umx_error *err)
{
    size_t number = table_number(table);
    json_t *rows = json_array();

    if (input->files[number] != NULL) {
        json_decref(rows);
        umx_fail(err, UMX_ERR_INPUT_INVALID, name, "%s has rows of table %s already: one file a table",
                 input->files[number], table);
        return NULL;
    }
    if (input->root == NULL)
        input->root = json_object();
    if (rows == NULL || json_object_set_new(input->root, table, rows) != 0) {
        umx_fail(err, UMX_ERR_MEMORY, name, NULL);
        return NULL;
    }
    input->files[number] = name;
    return rows;
}

/* ---- JSON: an object of lists named as the tables, as `plan template -o json` writes it */

/* A row as the schema has it, or a problem. Unset fields (null) are left out. */
static void add_json_row(struct umx_input *input, const char *place, const ProtobufCMessageDescriptor *type,
                         const json_t *value, size_t row, json_t *rows)
{
    struct umx_arena *arena = umx_arena_new(ROW_ARENA);
    json_t *copy = json_is_object(value) ? json_object() : NULL;
    ProtobufCMessage *message = NULL;
    struct umx_error why = {0};
    const char *key;
    json_t *cell;

    json_object_foreach((json_t *)(uintptr_t)value, key, cell) if (!json_is_null(cell) && strcmp(key, "row") != 0)
        json_object_set(copy, key, cell);
    char *text = copy != NULL ? json_dumps(copy, JSON_COMPACT) : NULL;
    if (copy == NULL)
        umx_input_problem(input, place, "a row is an object with the columns as keys");
    else if (arena == NULL || text == NULL)
        umx_input_problem(input, place, "out of memory");
    else if (umx_reflect_from_json(type, text, strlen(text), arena, &message, &why) != 0)
        umx_input_problem(input, place, "%s: %s", why.what, umx_error_why(&why));
    else if (json_object_size(copy) > 0) {
        json_object_set_new(copy, "row", json_integer((json_int_t)row));
        json_array_append(rows, copy);
    }
    free(text);
    json_decref(copy);
    umx_arena_free(arena);
}

static int add_json(struct umx_input *input, const char *name, const char *bytes, size_t length, struct umx_error *err)
{
    json_error_t fault;
    json_t *root = json_loadb(bytes, length, JSON_REJECT_DUPLICATES, &fault);
    const char *table;
    json_t *list;
    int status = 0;

    if (root == NULL)
        return umx_fail(err, UMX_ERR_INPUT_INVALID, name, "line %d, column %d: %s", fault.line, fault.column,
                        fault.text);
    if (!json_is_object(root))
        status = umx_fail(err, UMX_ERR_INPUT_INVALID, name, "it is not an object with lists of rows");
    json_object_foreach(root, table, list)
    {
        const ProtobufCMessageDescriptor *type = umx_input_type(table);
        if (status != 0)
            break;
        if (type == NULL || !json_is_array(list) || json_array_size(list) > UMX_INPUT_ROWS_MAX) {
            status = umx_fail(err, UMX_ERR_INPUT_INVALID, name,
                              type == NULL           ? "%s: there is no such table of rows"
                              : !json_is_array(list) ? "%s: it is not a list of rows"
                                                     : "%s: too many rows",
                              table);
            break;
        }
        json_t *rows = json_array_size(list) > 0 ? umx_input_rows(input, name, table, err) : NULL;
        if (rows == NULL && json_array_size(list) > 0)
            status = err != NULL ? err->status : UMX_E_ARGUMENT;
        for (size_t i = 0; rows != NULL && i < json_array_size(list); i++) {
            struct umx_text place = {0};
            umx_text_addf(&place, "%s: %s row %zu", name, table, i + 1);
            add_json_row(input, umx_text_string(&place), type, json_array_get(list, i), i + 1, rows);
            umx_text_free(&place);
        }
    }
    json_decref(root);
    return status;
}

/* ---- a file */

/* Line of the first byte that is no UTF-8 (or is NUL); 0: all is well. */
static size_t invalid_line(const char *bytes, size_t length)
{
    size_t line = 1;

    while (length > 0) {
        const char *end = memchr(bytes, '\n', length);
        size_t part = end != NULL ? (size_t)(end - bytes) + 1 : length;
        if (!umx_text_valid(bytes, part))
            return line;
        bytes += part;
        length -= part;
        line++;
    }
    return 0;
}

int umx_input_add(struct umx_input *input, const char *name, const char *bytes, size_t length, const char *table,
                  struct umx_error *err)
{
    if (length >= 2 && (memcmp(bytes, "\xff\xfe", 2) == 0 || memcmp(bytes, "\xfe\xff", 2) == 0))
        return umx_fail(err, UMX_ERR_INPUT_INVALID, name, "it is UTF-16; save it as \"CSV UTF-8\"");
    size_t bad = invalid_line(bytes, length);
    if (bad > 0)
        return umx_fail(err, UMX_ERR_INPUT_INVALID, name, "line %zu is not UTF-8; save it as \"CSV UTF-8\"", bad);
    if (length >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        bytes += 3;
        length -= 3;
    }
    size_t blank = strspn(bytes, " \t\r\n"); /* valid text has no NUL within, and one behind it */
    if (blank < length && (bytes[blank] == '{' || bytes[blank] == '['))
        return add_json(input, name, bytes, length, err);
    return umx_input_csv(input, name, bytes, length, table, err);
}

int umx_input_file(const char *path, size_t most, struct umx_text *out, struct umx_error *err)
{
    FILE *file = umx_open(path, "rb");
    char block[16384];
    size_t count;

    if (file == NULL)
        return umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, errno, path, "%s", strerror(errno));
    while ((count = fread(block, 1, sizeof block, file)) > 0 && out->length + count <= most)
        umx_text_add(out, block, count);
    bool failed = ferror(file) != 0;
    int why = errno;
    fclose(file);
    if (failed)
        return umx_fail_code(err, UMX_ERR_FILE_UNREADABLE, why, path, "%s", strerror(why));
    if (count > 0)
        return umx_fail(err, UMX_ERR_INPUT_INVALID, path, "it is larger than %zu bytes", most);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, path, NULL) : 0;
}

int umx_input_read(struct umx_input *input, const char *path, const char *table, struct umx_error *err)
{
    struct umx_text bytes = {0};
    int status = umx_input_file(path, UMX_INPUT_FILE_MAX, &bytes, err);

    if (status == 0)
        status = umx_input_add(input, path, umx_text_string(&bytes), bytes.length, table, err);
    umx_text_free(&bytes);
    return status;
}
