#include "directory/read_row.h"

#include <string.h>

#include "base/reflect.h"

/* Attributes that only a finish function looks at. */
static const char *const more_attributes[] = {"objectClass", "networkAddress", "msDS-TrustForestTrustInfo",
                                              "msExchUMAutoAttendantFlags"};
static const char *const more_of_people[] = {"userAccountControl", "msExchUMEnabledFlags", "msRTCSIP-UserEnabled"};

enum {
    MORE = sizeof more_attributes / sizeof *more_attributes,
    PEOPLE = sizeof more_of_people / sizeof *more_of_people
};

struct running {
    struct umx_reading *reading;
    const struct umx_read_row *row;
};

static int convert_row(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    const struct running *running = user;
    const struct umx_read_row *row = running->row;
    if (row->class && !umx_entry_find(entry, "objectClass")) {
        umx_reading_incomplete(running->reading, row->table, "%s: listed, but its attributes are hidden", entry->dn);
        return 0;
    }
    if (row->class && !umx_entry_has(entry, "objectClass", row->class)) {
        return 0;
    }
    ProtobufCMessage *record = umx_reflect_new(row->record, arena);
    if (!record) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
    }
    enum umx_read_fate fate = UMX_READ_EMIT;
    int status = umx_convert_entry(entry, row->fields, record, arena, err);
    if (!status && row->finish) {
        status = row->finish(running->reading, entry, record, &fate, err);
    }
    return status || fate == UMX_READ_DROP ? status : umx_reading_emit(running->reading, record, err);
}

static void list_attributes(const struct umx_read_row *row, const char **attributes)
{
    bool people = row->place == UMX_IN_DOMAIN;
    const char *const *more = people ? more_of_people : more_attributes;
    size_t count = 0, more_count = people ? PEOPLE : MORE;
    for (const struct umx_convert *field = row->fields; field->attribute; field++) {
        attributes[count++] = field->attribute;
    }
    for (size_t i = 0; i < more_count; i++) {
        attributes[count++] = more[i];
    }
    attributes[count] = NULL;
}

int umx_read_row(struct umx_reading *reading, struct umx_connection *connection, const struct umx_read_row *row,
                 const char *base, const char *narrow, bool optional, struct umx_error *err)
{
    const char *attributes[UMX_CONVERT_MAX + MORE + PEOPLE + 1];
    struct running running = {reading, row};
    struct umx_error why = {0};
    struct umx_text filter = {0};
    list_attributes(row, attributes);
    if (narrow) {
        umx_text_addf(&filter, "(&%s%s)", row->filter, narrow);
    }
    const struct umx_search search = {.base = base,
                                      .scope = row->scope,
                                      .filter = narrow ? umx_text_string(&filter) : row->filter,
                                      .attributes = attributes};
    int status = filter.failed ? umx_fail(&why, UMX_ERR_MEMORY, row->table, NULL)
                               : umx_connection_search(connection, &search, convert_row, &running, &why);
    umx_text_free(&filter);
    if (!status) {
        return 0;
    }
    if (umx_reading_fatal_on(reading, connection, &why)) {
        *err = why;
        return why.status;
    }
    if (why.id == UMX_ERR_OBJECT_NOT_FOUND && !optional) {
        umx_reading_incomplete(reading, row->table, "%s is missing, or this account may not see it", base);
    } else if (why.id != UMX_ERR_OBJECT_NOT_FOUND) {
        umx_reading_incomplete(reading, row->table, "%s: %s", why.what, umx_error_why(&why));
    }
    return 0;
}
