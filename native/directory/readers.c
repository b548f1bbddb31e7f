#include "directory/readers.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/reflect.h"
#include "base/text.h"
#include "directory/convert.h"
#include "directory/read_changes.h"
#include "directory/read_people.h"

bool umx_reading_wants(const struct umx_reading *reading, const char *table)
{
    for (size_t i = 0; i < reading->table_count; i++) {
        if (strcmp(reading->tables[i], table) == 0) {
            return true;
        }
    }
    return reading->table_count == 0;
}

bool umx_reading_lync(const struct umx_reading *reading)
{
    return reading->record.side != UMX__FOREST__SIDE__EXCHANGE;
}

static struct umx_reading_gap *gap_of(struct umx_reading *reading, const char *table)
{
    struct umx_reading_gap *gap = reading->gaps, *last = gap + UMX_READING_KINDS_MAX - 1;
    while (gap < last && gap->table && strcmp(gap->table, table) != 0) {
        gap++;
    }
    gap->table = table;
    return gap;
}

/* A line of the table; without memory its name alone, which says as much. */
static void add_line(struct umx_reading *reading, const char *table, char *line)
{
    reading->record.incomplete = reading->incomplete;
    reading->incomplete[reading->record.n_incomplete++] = line ? line : (char *)(uintptr_t)table;
}

static void tell(struct umx_reading *reading, const char *table, const char *reason)
{
    enum { COUNTED_MAX = 128 };
    struct umx_reading_gap *gap = gap_of(reading, table);
    if (gap->lines < UMX_READING_GAP_LINES - 1) {
        struct umx_text valid = {0};
        umx_text_add_valid(&valid, reason, strlen(reason));
        add_line(reading, table, umx_arena_format(reading->arena, "%s: %s", table, umx_text_string(&valid)));
        umx_text_free(&valid);
        gap->lines++;
        return;
    }
    if (gap->more++ == 0) {
        gap->counted = umx_arena_alloc(reading->arena, COUNTED_MAX);
        add_line(reading, table, gap->counted);
    }
    if (gap->counted) {
        snprintf(gap->counted, COUNTED_MAX, "%s: and %zu more", table, gap->more);
    }
}

void umx_reading_incomplete(struct umx_reading *reading, const char *table, const char *format, ...)
{
    static const struct {
        const char *table, *counted_in, *what;
    } counts[] = {{"voice_user", "lync_pool", "Enterprise Voice users"},
                  {"contact", "organizational_unit", "contacts"}};
    char reason[1024], count[sizeof reason + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    tell(reading, table, reason);
    for (size_t i = 0; i < sizeof counts / sizeof *counts && umx_reading_lync(reading); i++) {
        if (strcmp(counts[i].table, table) == 0) {
            snprintf(count, sizeof count, "its %s are not all counted: %s", counts[i].what, reason);
            tell(reading, counts[i].counted_in, count);
        }
    }
}

bool umx_reading_fatal(const struct umx_reading *reading, const struct umx_error *why)
{
    return umx_connection_broken(reading->connection) || umx_part_failed(reading->part) ||
           why->status == UMX_E_TIMEOUT || why->status == UMX_E_MEMORY || why->status == UMX_E_INTERNAL ||
           why->id == UMX_ERR_ARENA_FULL;
}

bool umx_reading_fatal_on(const struct umx_reading *reading, const struct umx_connection *connection,
                          const struct umx_error *why)
{
    bool other = connection != reading->connection;
    return other ? umx_part_failed(reading->part) || why->status == UMX_E_MEMORY || why->id == UMX_ERR_ARENA_FULL
                 : umx_reading_fatal(reading, why);
}

int umx_reading_emit(struct umx_reading *reading, ProtobufCMessage *record, struct umx_error *err)
{
    umx_convert_set_text(record, "forest", reading->forest);
    umx_convert_set_text(record, "source", reading->source);
    umx_convert_set_integer(record, "collected_at", reading->collected_at);
    for (size_t i = 0; i < UMX_READING_KINDS_MAX; i++) {
        struct umx_sent *sent = &reading->sent[i];
        if (!sent->record || sent->record == record->descriptor) {
            sent->record = record->descriptor;
            sent->count++;
            break;
        }
    }
    return umx_part_add(reading->part, record, err);
}

size_t umx_reading_sent(const struct umx_reading *reading, const char *table)
{
    const struct umx_table *found = umx_reflect_table(table);
    for (size_t i = 0; found && i < UMX_READING_KINDS_MAX; i++) {
        if (reading->sent[i].record == found->record) {
            return reading->sent[i].count;
        }
    }
    return 0;
}

char *umx_reading_dn(struct umx_reading *reading, const char *relative, const char *anchor)
{
    return *relative ? umx_arena_format(reading->arena, "%s,%s", relative, anchor)
                     : umx_arena_string(reading->arena, anchor);
}

static int run(struct umx_reading *reading, struct umx_error *err)
{
    static int (*const steps[])(struct umx_reading *, struct umx_error *) = {
        umx_read_forest_begin, umx_read_topology,   umx_read_domains_open, umx_read_people,     umx_read_units,
        umx_read_tables,       umx_read_containers, umx_read_groups,       umx_read_forest_end,
    };
    int status = 0;
    for (size_t i = 0; i < sizeof steps / sizeof *steps && !status && !reading->changes->full; i++) {
        status = steps[i](reading, err);
    }
    umx_read_domains_close(reading);
    return status ? status : umx_part_flush(reading->part, err);
}

static int check_tables(const Umx__Read *read, struct umx_error *err)
{
    for (size_t i = 0; i < read->n_table; i++) {
        const struct umx_table *table = umx_reflect_table(read->table[i]);
        if (!table || table->derived) {
            return umx_fail(err, UMX_ERR_TABLE_UNKNOWN, read->table[i], NULL);
        }
    }
    return 0;
}

int umx_readers_read(const struct umx_readers_source *source, const Umx__Read *read, struct umx_part *part,
                     struct umx_changes *changes, struct umx_error *err)
{
    const Umx__Configure *configure = source->configure;
    int status = check_tables(read, err);
    struct umx_reading *reading = status ? NULL : calloc(1, sizeof *reading);
    if (!reading) {
        return status ? status : umx_fail(err, UMX_ERR_MEMORY, configure->forest, NULL);
    }
    reading->arena = umx_arena_new(UMX_READING_ARENA);
    reading->connection = source->connection;
    reading->asked = source;
    reading->changes = changes;
    reading->since = read->since;
    reading->since_count = read->n_since;
    reading->part = part;
    reading->forest = configure->forest;
    reading->source = umx_connection_root(source->connection)->host;
    reading->collected_at = umx_clock_now();
    reading->tables = read->table;
    reading->table_count = read->n_table;
    reading->groups = configure->group;
    reading->group_count = configure->n_group;
    umx__forest__init(&reading->record);
    reading->record.has_side = configure->has_side;
    reading->record.side = configure->side;
    status = reading->arena ? run(reading, err) : umx_fail(err, UMX_ERR_MEMORY, configure->forest, NULL);
    umx_arena_free(reading->arena);
    free(reading);
    return status;
}
