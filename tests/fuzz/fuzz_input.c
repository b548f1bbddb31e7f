/* Rows of --input, JSON and CSV: whatever the bytes are, every row that is kept fits the schema and knows its line. */
#include <stdlib.h>
#include <string.h>

#include "cli/input.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct umx_input input = {0};
    const char *table;
    json_t *rows;
    char *copy = malloc(size + 1);
    if (!copy) {
        return 0;
    }
    memcpy(copy, data, size);
    copy[size] = '\0';
    umx_input_add(&input, "rows", copy, size, size % 3 == 0 ? "user" : NULL, NULL);
    json_object_foreach(input.root, table, rows) {
        for (size_t i = 0; i < json_array_size(rows); i++) {
            json_int_t line = json_integer_value(json_object_get(json_array_get(rows, i), "row"));
            if (!umx_input_type(table) || line < 1 || (size_t)line > size + 1) {
                abort();
            }
        }
    }
    umx_input_close(&input);
    free(copy);
    return 0;
}
