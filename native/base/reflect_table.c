/* Tables, and the comments of the schema. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "umx/v1/plan.pb-c.h"
#include "umx/v1/world.pb-c.h"

enum { TABLE_MAX = 128 };

/* Filled before main, so that it is constant for every thread. */
static struct umx_table tables[TABLE_MAX];
static size_t table_count;

static void add_tables(const ProtobufCMessageDescriptor *of, bool derived)
{
    for (unsigned i = 0; i < of->n_fields && table_count < TABLE_MAX; i++) {
        const ProtobufCFieldDescriptor *field = &of->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REPEATED && field->type == PROTOBUF_C_TYPE_MESSAGE)
            tables[table_count++] = (struct umx_table){field->name, field->descriptor, field, derived};
    }
}

__attribute__((constructor)) static void fill_tables(void)
{
    add_tables(&umx__world__descriptor, false);
    add_tables(&umx__derived__descriptor, true);
}

const struct umx_table *umx_reflect_tables(size_t *count)
{
    *count = table_count;
    return tables;
}

const struct umx_table *umx_reflect_table(const char *name)
{
    for (size_t i = 0; i < table_count; i++)
        if (strcmp(tables[i].name, name) == 0)
            return &tables[i];
    return NULL;
}

const struct umx_table *umx_reflect_table_of(const ProtobufCMessageDescriptor *record)
{
    for (size_t i = 0; i < table_count; i++)
        if (tables[i].record == record)
            return &tables[i];
    return NULL;
}

/* Generated from the schema by comments.py, sorted by name. */
struct umx_comment {
    const char *name;
    const char *text;
};

extern const struct umx_comment umx_comments[];
extern const size_t umx_comment_count;

static int by_name(const void *key, const void *row)
{
    return strcmp(key, ((const struct umx_comment *)row)->name);
}

const char *umx_reflect_comment(const char *message, const char *field)
{
    char name[160];

    snprintf(name, sizeof name, "%s%s%s", message, field != NULL ? "." : "", field != NULL ? field : "");
    const struct umx_comment *row = bsearch(name, umx_comments, umx_comment_count, sizeof *umx_comments, by_name);
    return row != NULL ? row->text : "";
}
