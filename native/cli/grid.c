#include "cli/grid.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli/width.h"

enum { GAP = 2, NARROWEST = 8 };

struct umx_grid {
    struct umx_grid_column *columns;
    size_t count;
    char **cells; /* rows * count */
    size_t rows;
    size_t capacity;
    bool failed;
};

/* Words of findings, phases, plans, steps, agents. Colour repeats what the word says, it never says it alone. */
static const struct {
    const char *word;
    const char *color;
} colors[] = {
    {"pass", "32"},    {"done", "32"},     {"verified", "32"},  {"completed", "32"}, {"connected", "32"},
    {"fail", "31"},    {"failed", "31"},   {"drifted", "31"},   {"missing", "31"},   {"uncertain", "31"},
    {"warn", "33"},    {"partial", "33"},  {"suspended", "33"}, {"silent", "33"},    {"unknown", "35"},
    {"never", "33"},   {"running", "36"},  {"intended", "36"},  {"error", "31"},     {"cancelled", "33"},
    {"skipped", "33"}, {"approved", "32"}, {"deny", "31"},      {"approve", "32"},   {"break_glass", "31"},
    {"added", "32"},   {"removed", "31"},  {"changed", "33"},
};

const char *umx_grid_color(const char *word)
{
    for (size_t i = 0; i < sizeof colors / sizeof colors[0]; i++)
        if (strcmp(colors[i].word, word) == 0)
            return colors[i].color;
    return NULL;
}

struct umx_grid *umx_grid_new(const struct umx_grid_column *columns, size_t count)
{
    struct umx_grid *grid = calloc(1, sizeof *grid);

    if (grid == NULL)
        return NULL;
    grid->columns = calloc(count > 0 ? count : 1, sizeof *grid->columns);
    if (grid->columns == NULL) {
        free(grid);
        return NULL;
    }
    if (count > 0)
        memcpy(grid->columns, columns, count * sizeof *columns);
    grid->count = count;
    return grid;
}

void umx_grid_free(struct umx_grid *grid)
{
    if (grid == NULL)
        return;
    for (size_t i = 0; i < grid->rows * grid->count; i++)
        free(grid->cells[i]);
    free(grid->cells);
    free(grid->columns);
    free(grid);
}

static char *printable(const char *text)
{
    struct umx_text out = {0};

    umx_width_add_printable(&out, text != NULL ? text : "");
    if (out.failed) {
        umx_text_free(&out);
        return NULL;
    }
    return out.data != NULL ? out.data : calloc(1, 1);
}

void umx_grid_add(struct umx_grid *grid, const char *const *cells)
{
    if (grid->failed)
        return;
    if (grid->rows == grid->capacity) {
        size_t capacity = grid->capacity == 0 ? 32 : grid->capacity * 2;
        char **grown = realloc(grid->cells, capacity * (grid->count > 0 ? grid->count : 1) * sizeof *grown);
        if (grown == NULL) {
            grid->failed = true;
            return;
        }
        grid->cells = grown;
        grid->capacity = capacity;
    }
    char **row = grid->cells + grid->rows * grid->count;
    for (size_t c = 0; c < grid->count; c++) {
        row[c] = printable(cells[c]);
        if (row[c] == NULL) {
            while (c-- > 0)
                free(row[c]);
            grid->failed = true;
            return;
        }
    }
    grid->rows++;
}

size_t umx_grid_rows(const struct umx_grid *grid)
{
    return grid->rows;
}

/* Bytes of the next line of a cell that is at most `width` columns wide; *skip is what separates it from the rest. */
static size_t next_line(const char *text, size_t width, size_t *skip)
{
    size_t line = strcspn(text, "\n");
    size_t fits = umx_width_prefix(text, line, width);

    *skip = 0;
    if (fits == line) {
        *skip = text[line] == '\n';
        return line;
    }
    if (fits == 0) /* a character wider than the column: it has to go somewhere */
        fits = umx_width_prefix(text, line, 2) > 0 ? umx_width_prefix(text, line, 2) : 1;
    if (text[fits] == ' ') {
        *skip = 1;
        return fits;
    }
    for (size_t i = fits; i > 0; i--) {
        if (text[i - 1] == ' ') {
            *skip = 1;
            return i - 1;
        }
        /* DNs and lists may break after a separator when there is no space in the second half of the line. */
        if ((text[i - 1] == ',' || text[i - 1] == '/') && i * 2 > fits)
            return i;
    }
    return fits;
}

static size_t widest_line(const char *text)
{
    size_t widest = 0;

    for (;;) {
        size_t line = strcspn(text, "\n");
        size_t width = umx_width(text, line);
        widest = width > widest ? width : widest;
        if (text[line] == '\0')
            return widest;
        text += line + 1;
    }
}

/* Takes columns from the widest until the sum fits; false when the narrowest allowed do not. */
static bool fit(const struct umx_grid *grid, size_t *widths, size_t width)
{
    size_t sum = grid->count > 0 ? (grid->count - 1) * GAP : 0;

    for (size_t c = 0; c < grid->count; c++)
        sum += widths[c];
    while (width > 0 && sum > width) {
        size_t widest = grid->count;
        for (size_t c = 0; c < grid->count; c++)
            if (!(grid->columns[c].flags & UMX_GRID_FIXED) && widths[c] > NARROWEST &&
                (widest == grid->count || widths[c] > widths[widest]))
                widest = c;
        if (widest == grid->count)
            return false;
        widths[widest]--;
        sum--;
    }
    return true;
}

static void pad(FILE *out, size_t count)
{
    while (count-- > 0)
        fputc(' ', out);
}

static void put_cell(FILE *out, const struct umx_style *style, const char *text, size_t length, const char *color)
{
    if (style->color && color != NULL)
        fprintf(out, "\033[%sm", color);
    fwrite(text, 1, length, out);
    if (style->color && color != NULL)
        fputs("\033[0m", out);
}

/* One row over as many lines as its tallest cell needs. */
static void print_row(const struct umx_grid *grid, FILE *out, const struct umx_style *style, const size_t *widths,
                      const char **rest, bool heading)
{
    bool more = true;

    while (more) {
        size_t pending = 0; /* blanks owed before the next cell: no line ends in blanks */
        more = false;
        for (size_t c = 0; c < grid->count; c++) {
            const struct umx_grid_column *column = &grid->columns[c];
            const char *text = rest[c];
            size_t skip, length = next_line(text, widths[c], &skip);
            bool cut = style->terminal && (column->flags & UMX_GRID_SHORTEN) && !heading && text[length] != '\0';
            if (cut)
                length = umx_width_prefix(text, strcspn(text, "\n"), widths[c] - 1);
            size_t shown = umx_width(text, length) + cut;
            size_t blank = shown < widths[c] ? widths[c] - shown : 0;
            bool right = (column->flags & UMX_GRID_RIGHT) != 0;
            if (length > 0 || cut) {
                pad(out, pending + (right ? blank : 0));
                pending = right ? 0 : blank;
                put_cell(out, style, text, length,
                         heading                             ? "1"
                         : (column->flags & UMX_GRID_STATUS) ? umx_grid_color(text)
                                                             : NULL);
                if (cut)
                    fputs("…", out);
            } else {
                pending += widths[c];
            }
            pending += GAP;
            rest[c] = cut ? "" : text + length + skip;
            if (rest[c][0] != '\0')
                more = true;
        }
        fputc('\n', out);
    }
}

static void print_block(const struct umx_grid *grid, FILE *out, const struct umx_style *style, size_t row)
{
    size_t widest = 0;

    for (size_t c = 0; c < grid->count; c++) {
        size_t width = umx_width(grid->columns[c].title, strlen(grid->columns[c].title));
        widest = width > widest ? width : widest;
    }
    for (size_t c = 0; c < grid->count; c++) {
        const char *title = grid->columns[c].title, *text = grid->cells[row * grid->count + c];
        size_t room = style->width > widest + 12 ? style->width - widest - 2 : 0, skip;
        fprintf(out, "%s: ", title);
        pad(out, widest - umx_width(title, strlen(title)));
        do {
            size_t length = room > 0 ? next_line(text, room, &skip) : strcspn(text, "\n");
            if (room == 0)
                skip = text[length] == '\n';
            fwrite(text, 1, length, out);
            fputc('\n', out);
            text += length + skip;
            if (*text != '\0')
                pad(out, widest + 2);
        } while (*text != '\0');
    }
}

int umx_grid_print(const struct umx_grid *grid, FILE *out, const struct umx_style *style)
{
    size_t *widths = calloc(grid->count + 1, sizeof *widths);
    const char **rest = calloc(grid->count + 1, sizeof *rest);
    int result = widths != NULL && rest != NULL && !grid->failed ? 0 : -1;

    if (result != 0 || grid->rows == 0 || grid->count == 0)
        goto out;
    for (size_t c = 0; c < grid->count; c++) {
        widths[c] = umx_width(grid->columns[c].title, strlen(grid->columns[c].title));
        for (size_t r = 0; r < grid->rows; r++) {
            size_t width = widest_line(grid->cells[r * grid->count + c]);
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    if (!fit(grid, widths, style->width)) {
        for (size_t r = 0; r < grid->rows; r++) {
            if (r > 0)
                fputc('\n', out);
            print_block(grid, out, style, r);
        }
        goto out;
    }
    for (size_t c = 0; c < grid->count; c++)
        rest[c] = grid->columns[c].title;
    print_row(grid, out, style, widths, rest, true);
    for (size_t r = 0; r < grid->rows; r++) {
        for (size_t c = 0; c < grid->count; c++)
            rest[c] = grid->cells[r * grid->count + c];
        print_row(grid, out, style, widths, rest, false);
    }
out:
    free(widths);
    free(rest);
    return result;
}

void umx_grid_labelled(FILE *out, const struct umx_style *style, const char *label, size_t indent, const char *text)
{
    char *clean = printable(text);
    const char *at = clean != NULL ? clean : "";
    size_t room = style->width > indent + NARROWEST ? style->width - indent : 0;

    fprintf(out, "%s", label);
    pad(out, indent > umx_width(label, strlen(label)) ? indent - umx_width(label, strlen(label)) : 1);
    do {
        size_t skip, length = next_line(at, room > 0 ? room : SIZE_MAX, &skip);
        fwrite(at, 1, length, out);
        fputc('\n', out);
        at += length + skip;
        if (*at != '\0')
            pad(out, indent);
    } while (*at != '\0');
    free(clean);
}

void umx_grid_paragraph(FILE *out, const struct umx_style *style, size_t indent, const char *text)
{
    char *clean = printable(text), *at = clean;
    size_t room = style->width > indent + 20 ? style->width - indent : 0;

    while (at != NULL && *at != '\0') {
        size_t skip, length = room > 0 ? next_line(at, room, &skip) : strcspn(at, "\n");
        if (room == 0)
            skip = at[length] == '\n';
        pad(out, indent);
        fwrite(at, 1, length, out);
        fputc('\n', out);
        at += length + skip;
    }
    free(clean);
}
