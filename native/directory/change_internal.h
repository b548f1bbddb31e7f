/*
 * What applying and probing share.
 */
#ifndef UMX_DIRECTORY_CHANGE_INTERNAL_H
#define UMX_DIRECTORY_CHANGE_INTERNAL_H

#include "directory/change.h"
#include "directory/object.h"

/* One change being worked on. */
struct umx_change {
    struct umx_connection *connection;
    struct umx_schema *schema;
    const Umx__Change *change;
    const Umx__Intent *intent;
    struct umx_arena *arena;
    struct umx_change_result *result;
};

/* The object of the change: by the GUID of the change or the intent, else by DN. */
int umx_change_load(const struct umx_change *work, bool dacl, struct umx_object *object, struct umx_error *err);

/* Puts the object into the result. */
int umx_change_report(const struct umx_change *work, const struct umx_object *object, struct umx_error *err);

/* Version in the intent of an attribute; -1 when the intent does not have it. Compared by number, so that names that
 * were unknown then do not matter. */
int64_t umx_change_intended_version(const struct umx_change *work, const char *name);

/* The entry of an access change. */
int umx_change_ace(const Umx__AccessChange *access, struct umx_ace *ace, struct umx_error *err);

/* Whether an attribute of the object has a value; DNs are compared as DNs. */
bool umx_change_has_value(const struct umx_object *object, const struct umx_schema_attribute *known, const char *name,
                          const void *bytes, size_t length);

extern const char umx_change_descriptor[]; /* nTSecurityDescriptor */

#endif
