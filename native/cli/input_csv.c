/* CSV by libcsv, fed line by line so that each row knows its line. */
#include <csv.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli/csv.h"
#include "cli/input.h"
#include "cli/value.h"

#define LIST_SEPARATOR ";"

struct reading {
    struct umx_input *input;
    const char *name;
    const char *wanted; /* --table */
    json_t *cells;      /* of the row that is being read */
    size_t line;        /* where it began */
    bool ended;         /* a row ended since the last line began */
    const char *table;  /* NULL: the header has not come */
    json_t *rows;
    json_t *columns[UMX_INPUT_COLUMNS_MAX]; /* name of each column, "" where the header has none */
    size_t column_count;
    int status;
    struct umx_error *err;
};

static void place_of(const struct reading *reading, struct umx_text *out)
{
    umx_text_addf(out, "%s:%zu", reading->name, reading->line);
}

/* ---- the header */

static bool has_column(const char *table, const char *column)
{
    for (size_t i = 0; umx_input_column(table, i) != NULL; i++)
        if (strcasecmp(umx_input_column(table, i), column) == 0)
            return true;
    return false;
}

static size_t known_columns(const struct reading *reading, const char *table)
{
    size_t known = 0;

    for (size_t i = 0; i < reading->column_count; i++)
        known +=
            json_string_length(reading->columns[i]) == 0 || has_column(table, json_string_value(reading->columns[i]));
    return known;
}

/* Names what the table that fits best does not have. */
static int refuse_columns(struct reading *reading, const char *table)
{
    struct umx_text unknown = {0}, known = {0};

    for (size_t i = 0; i < reading->column_count; i++) {
        const char *column = json_string_value(reading->columns[i]);
        if (column[0] != '\0' && !has_column(table, column))
            umx_text_addf(&unknown, "%s%s", unknown.length > 0 ? ", " : "", column);
    }
    for (size_t i = 0; umx_input_column(table, i) != NULL; i++)
        umx_text_addf(&known, "%s%s", i > 0 ? ", " : "", umx_input_column(table, i));
    int status = umx_fail(reading->err, UMX_ERR_INPUT_INVALID, reading->name,
                          "line %zu: table %s has no column %s; its columns are %s", reading->line, table,
                          umx_text_string(&unknown), umx_text_string(&known));
    umx_text_free(&unknown);
    umx_text_free(&known);
    return status;
}

/* The table whose columns these are: the one named, or the only one that has them all. */
static int choose_table(struct reading *reading)
{
    const char *best = NULL, *fits = NULL;
    size_t fitting = 0, most = 0;
    struct umx_text several = {0};

    for (size_t i = 0; umx_input_table(i) != NULL; i++) {
        const char *table = umx_input_table(i);
        size_t known = known_columns(reading, table);
        bool wanted = reading->wanted != NULL && strcmp(table, reading->wanted) == 0;
        if (known == reading->column_count) {
            umx_text_addf(&several, "%s%s", fitting++ > 0 ? ", " : "", table);
            fits = fitting == 1 || wanted ? table : fits;
        }
        if (best == NULL || known > most || wanted) {
            best = table;
            most = wanted ? SIZE_MAX : known;
        }
    }
    int status = 0;
    if (fitting == 0)
        status = refuse_columns(reading, best);
    else if (fitting > 1 && (reading->wanted == NULL || strcmp(fits, reading->wanted) != 0))
        status = umx_fail(reading->err, UMX_ERR_INPUT_INVALID, reading->name,
                          "line %zu: the columns fit the tables %s; add --table NAME", reading->line,
                          umx_text_string(&several));
    umx_text_free(&several);
    reading->table = status == 0 ? fits : NULL;
    return status;
}

static json_t *trimmed(const char *text, size_t length)
{
    while (length > 0 && strchr(" \t", text[0]) != NULL)
        text++, length--;
    while (length > 0 && strchr(" \t", text[length - 1]) != NULL)
        length--;
    return json_stringn(text, length);
}

static int take_header(struct reading *reading)
{
    size_t named = 0;

    if (json_array_size(reading->cells) > UMX_INPUT_COLUMNS_MAX)
        return umx_fail(reading->err, UMX_ERR_INPUT_INVALID, reading->name, "line %zu: more than %d columns",
                        reading->line, UMX_INPUT_COLUMNS_MAX);
    for (size_t i = 0; i < json_array_size(reading->cells); i++) {
        const json_t *cell = json_array_get(reading->cells, i);
        json_t *column = trimmed(json_string_value(cell), json_string_length(cell));
        if (column == NULL)
            return umx_fail(reading->err, UMX_ERR_MEMORY, reading->name, NULL);
        for (size_t k = 0; k < reading->column_count; k++)
            if (json_string_length(column) > 0 &&
                strcasecmp(json_string_value(reading->columns[k]), json_string_value(column)) == 0) {
                int status =
                    umx_fail(reading->err, UMX_ERR_INPUT_INVALID, reading->name,
                             "line %zu: column %s stands there twice", reading->line, json_string_value(column));
                json_decref(column);
                return status;
            }
        named += json_string_length(column) > 0;
        reading->columns[reading->column_count++] = column;
    }
    if (named == 0)
        return umx_fail(reading->err, UMX_ERR_INPUT_INVALID, reading->name, "line %zu: there is no column name",
                        reading->line);
    int status = choose_table(reading);
    if (status == 0) {
        reading->rows = umx_input_rows(reading->input, reading->name, reading->table, reading->err);
        status = reading->rows != NULL ? 0 : reading->err != NULL ? reading->err->status : UMX_E_ARGUMENT;
    }
    return status;
}

/* ---- rows */

/* 4,93012E+11: what Excel makes of a telephone number in a cell that is not formatted as text. */
static bool is_rounded_number(const char *text)
{
    size_t digits = strspn(text, "0123456789.,");

    return digits > 0 && (text[digits] == 'E' || text[digits] == 'e') && text[digits + 1] == '+' &&
           text[digits + 2] != '\0' && text[digits + 2 + strspn(text + digits + 2, "0123456789")] == '\0';
}

static json_t *list_of(const char *text)
{
    json_t *list = json_array();

    while (list != NULL && *text != '\0') {
        size_t length = strcspn(text, LIST_SEPARATOR);
        json_t *item = trimmed(text, length);
        if (json_string_length(item) > 0)
            json_array_append(list, item);
        json_decref(item);
        text += length + (text[length] != '\0');
    }
    return list;
}

/* The cell as the schema wants it; NULL: it cannot be that, and why has been said. */
static json_t *value_of(struct reading *reading, const ProtobufCFieldDescriptor *field, const char *text)
{
    struct umx_text place = {0};
    json_t *value = NULL;
    char *end;

    if (text[0] == '\'' && text[1] != '\0' && strchr("=+-@", text[1]) != NULL)
        text++;
    place_of(reading, &place);
    errno = 0;
    if (is_rounded_number(text))
        umx_input_problem(reading->input, umx_text_string(&place),
                          "%s: `%s` is a number that the spreadsheet has rounded; format the column as text",
                          field->name, text);
    else if (field->label == PROTOBUF_C_LABEL_REPEATED)
        value = list_of(text);
    else if (field->type == PROTOBUF_C_TYPE_INT32) {
        long number = strtol(text, &end, 10);
        if (errno != 0 || end == text || *end != '\0' || number < INT32_MIN || number > INT32_MAX)
            umx_input_problem(reading->input, umx_text_string(&place), "%s: `%s` is not a number", field->name, text);
        else
            value = json_integer(number);
    } else
        value = json_string(text);
    umx_text_free(&place);
    return value;
}

static const ProtobufCFieldDescriptor *field_of(const char *table, const char *column)
{
    const ProtobufCMessageDescriptor *type = umx_input_type(table);

    for (unsigned i = 0; i < type->n_fields; i++)
        if (strcasecmp(type->fields[i].name, column) == 0)
            return &type->fields[i];
    return NULL;
}

static void take_cell(struct reading *reading, json_t *row, size_t column, const json_t *cell)
{
    const char *name = column < reading->column_count ? json_string_value(reading->columns[column]) : "";
    json_t *text = trimmed(json_string_value(cell), json_string_length(cell));

    if (json_string_length(text) > 0 && name[0] == '\0') {
        struct umx_text place = {0};
        place_of(reading, &place);
        umx_input_problem(reading->input, umx_text_string(&place), "`%s` stands in a column without a name",
                          json_string_value(text));
        umx_text_free(&place);
    } else if (json_string_length(text) > 0) {
        const ProtobufCFieldDescriptor *field = field_of(reading->table, name);
        json_t *value = value_of(reading, field, json_string_value(text));
        if (value != NULL)
            json_object_set_new(row, field->name, value);
    }
    json_decref(text);
}

static int take_row(struct reading *reading)
{
    json_t *row = json_object();

    for (size_t i = 0; row != NULL && i < json_array_size(reading->cells); i++)
        take_cell(reading, row, i, json_array_get(reading->cells, i));
    int status = 0;
    if (row == NULL)
        status = umx_fail(reading->err, UMX_ERR_MEMORY, reading->name, NULL);
    else if (json_array_size(reading->rows) >= UMX_INPUT_ROWS_MAX)
        status = umx_fail(reading->err, UMX_ERR_INPUT_INVALID, reading->name, "more than %d rows", UMX_INPUT_ROWS_MAX);
    else if (json_object_size(row) > 0) { /* what Excel leaves below a table has no text at all */
        json_object_set_new(row, "row", json_integer((json_int_t)reading->line));
        status = json_array_append(reading->rows, row);
        if (status != 0)
            status = umx_fail(reading->err, UMX_ERR_MEMORY, reading->name, NULL);
    }
    json_decref(row);
    return status;
}

/* ---- libcsv's callbacks */

static void on_cell(void *bytes, size_t length, void *user)
{
    struct reading *reading = user;

    if (reading->status == 0 && json_array_append_new(reading->cells, json_stringn(bytes, length)) != 0)
        reading->status = umx_fail(reading->err, UMX_ERR_MEMORY, reading->name, NULL);
    if (reading->status == 0 && json_array_size(reading->cells) > 4 * UMX_INPUT_COLUMNS_MAX)
        reading->status = umx_fail(reading->err, UMX_ERR_INPUT_INVALID, reading->name,
                                   "line %zu: it has too many cells", reading->line);
}

static void on_row(int end, void *user)
{
    struct reading *reading = user;

    (void)end;
    if (reading->status == 0)
        reading->status = reading->table == NULL ? take_header(reading) : take_row(reading);
    json_array_clear(reading->cells);
    reading->ended = true;
}

/* The first separator outside of quotes in the header; a file of one column has none. */
static unsigned char separator_of(const char *bytes, size_t length)
{
    bool quoted = false;

    for (size_t i = 0; i < length && (quoted || (bytes[i] != '\n' && bytes[i] != '\r') || i == 0); i++) {
        if (bytes[i] == '"')
            quoted = !quoted;
        else if (!quoted && (bytes[i] == ';' || bytes[i] == ',' || bytes[i] == '\t'))
            return (unsigned char)bytes[i];
    }
    return ',';
}

/* Bytes of the line with its end: LF, CR LF, or CR alone. */
static size_t line_length(const char *bytes, size_t length)
{
    size_t i = 0;

    while (i < length && bytes[i] != '\n' && bytes[i] != '\r')
        i++;
    if (i < length && bytes[i] == '\r' && i + 1 < length && bytes[i + 1] == '\n')
        i++;
    return i < length ? i + 1 : length;
}

static int broken(struct reading *reading, struct csv_parser *parser)
{
    if (csv_error(parser) == CSV_ENOMEM || csv_error(parser) == CSV_ETOOBIG)
        return umx_fail(reading->err, UMX_ERR_MEMORY, reading->name, NULL);
    return umx_fail(reading->err, UMX_ERR_INPUT_INVALID, reading->name,
                    "line %zu: a quotation mark that does not enclose a whole cell", reading->line);
}

static int parse(struct reading *reading, struct csv_parser *parser, const char *bytes, size_t length)
{
    size_t line = 1;
    bool open = false; /* a quoted cell goes on from the line before */

    while (length > 0) {
        size_t part = line_length(bytes, length);
        bool blank = strspn(bytes, " \t\r\n") >= part;
        if (!open)
            reading->line = line;
        reading->ended = false;
        if (csv_parse(parser, bytes, part, on_cell, on_row, reading) != part)
            return broken(reading, parser);
        if (reading->status != 0)
            return reading->status;
        open = !reading->ended && (open || !blank);
        bytes += part;
        length -= part;
        line++;
    }
    if (csv_fini(parser, on_cell, on_row, reading) != 0)
        return broken(reading, parser);
    if (reading->status == 0 && reading->table == NULL)
        return umx_fail(reading->err, UMX_ERR_INPUT_INVALID, reading->name, "it is empty");
    return reading->status;
}

int umx_input_csv(struct umx_input *input, const char *name, const char *bytes, size_t length, const char *table,
                  struct umx_error *err)
{
    struct umx_error ignored = {0};
    struct reading reading = {
        .input = input, .name = name, .wanted = table, .err = err != NULL ? err : &ignored, .cells = json_array()};
    struct csv_parser parser;

    if (reading.cells == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, name, NULL);
    int status = csv_init(&parser, CSV_STRICT | CSV_STRICT_FINI) == 0 ? 0 : umx_fail(err, UMX_ERR_MEMORY, name, NULL);
    if (status == 0) {
        csv_set_delim(&parser, separator_of(bytes, length));
        status = parse(&reading, &parser, bytes, length);
        csv_free(&parser);
    }
    json_decref(reading.cells);
    for (size_t i = 0; i < reading.column_count; i++)
        json_decref(reading.columns[i]);
    return status;
}

/* ---- writing */

/* Excel runs a cell that begins like a formula; names in a directory may begin like anything. A telephone number does
 * not run, but loses its plus: it gets the apostrophe only where a spreadsheet would take it for a formula. */
static bool runs(const char *text)
{
    if (text[0] == '=' || text[0] == '@')
        return true;
    return (text[0] == '+' || text[0] == '-') && text[1 + strspn(text + 1, "0123456789 ;+extn=")] != '\0';
}

static void add_cell(struct umx_text *line, const json_t *value)
{
    struct umx_text cell = {0};

    if (json_is_array(value))
        for (size_t i = 0; i < json_array_size(value); i++) {
            umx_text_adds(&cell, i > 0 ? LIST_SEPARATOR : "");
            umx_value_add_exact(&cell, json_array_get(value, i));
        }
    else
        umx_value_add_exact(&cell, value);
    const char *text = umx_text_string(&cell);
    struct umx_text safe = {0};
    umx_text_addf(&safe, "%s%s", runs(text) ? "'" : "", text);
    if (strchr(text, ';') != NULL && strpbrk(text, "\",\r\n") == NULL)
        umx_text_addf(line, "\"%s\"", umx_text_string(&safe));
    else
        umx_text_add_csv(line, umx_text_string(&safe));
    line->failed = line->failed || cell.failed || safe.failed;
    umx_text_free(&safe);
    umx_text_free(&cell);
}

void umx_input_write_csv(struct umx_text *out, const char *table, char separator, const json_t *rows)
{
    const char *column;

    umx_text_adds(out, "\xef\xbb\xbf");
    for (size_t i = 0; (column = umx_input_column(table, i)) != NULL; i++)
        umx_text_addf(out, "%.*s%s", i > 0, &separator, column);
    umx_text_adds(out, "\r\n");
    for (size_t r = 0; r < json_array_size(rows); r++) {
        for (size_t i = 0; (column = umx_input_column(table, i)) != NULL; i++) {
            umx_text_add(out, &separator, i > 0);
            add_cell(out, json_object_get(json_array_get(rows, r), column));
        }
        umx_text_adds(out, "\r\n");
    }
}
