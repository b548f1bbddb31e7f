/*
 * A table of records as a search: where they are, what they look like, which attribute fills which field.
 */
#ifndef UMX_DIRECTORY_READ_ROW_H
#define UMX_DIRECTORY_READ_ROW_H

#include "directory/convert.h"
#include "directory/read_finish.h"
#include "directory/reading.h"

/* IN_DOMAIN: in every domain of the forest; the others once. */
enum umx_read_place { UMX_IN_ROOT, UMX_IN_CONFIG, UMX_IN_ORGANIZATION, UMX_IN_LYNC, UMX_IN_DOMAIN };

struct umx_read_row {
    const char *table;
    const ProtobufCMessageDescriptor *record;
    enum umx_read_place place;
    const char *relative; /* below the place; "" is the place itself */
    enum umx_scope scope;
    /* With class alone, everything listed is looked at and what shows no class is named as unreadable; large places
     * are filtered by the server instead. */
    const char *class;
    const char *filter;
    struct umx_convert fields[UMX_CONVERT_MAX];
    umx_read_finish *finish;
};

/* Runs a row below base on a connection of the forest and sends its records. narrow: a filter that must match too, NULL
 * for none. optional: a missing base is normal. What cannot be read makes the table incomplete; an error means that the
 * whole read is over. */
int umx_read_row(struct umx_reading *reading, struct umx_connection *connection, const struct umx_read_row *row,
                 const char *base, const char *narrow, bool optional, struct umx_error *err);

#endif
