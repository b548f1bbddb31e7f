/*
 * One object as it is now, with the metadata that tells one write from another. Used before, during and after a change,
 * always on the domain controller of the change.
 */
#ifndef UMX_DIRECTORY_OBJECT_H
#define UMX_DIRECTORY_OBJECT_H

#include "directory/connection.h"
#include "directory/descriptor.h"
#include "directory/metadata.h"
#include "directory/schema.h"
#include "umx/v1/worker.pb-c.h"

enum { UMX_OBJECT_ARENA = 64 * 1024 * 1024, UMX_OBJECT_LINKS_MAX = 10000 };

struct umx_object {
    bool exists; /* false: nothing below is set */
    struct umx_entry entry;
    uint8_t guid[UMX_GUID_SIZE];
    struct umx_metadata *metadata;
    size_t metadata_count;
    bool has_dacl;
    struct umx_descriptor dacl;
    const struct umx_value *dacl_bytes;
};

/* By guid when it has 16 bytes, else by dn. attributes: NULL-terminated, NULL for all. An object that is not there is
 * no error. */
int umx_object_load(struct umx_connection *connection, const char *dn, ProtobufCBinaryData guid,
                    const char *const *attributes, bool dacl, struct umx_arena *arena, struct umx_object *object,
                    struct umx_error *err);

/* Version of an attribute; 0 when it was never written, -1 when its number is not known. The schema is asked. */
int64_t umx_object_version(const struct umx_object *object, struct umx_schema *schema,
                           struct umx_connection *connection, const char *name);

/* Metadata of a version's name: an lDAPDisplayName or attid:0xNUMBER. False when the name leads to no number. */
bool umx_object_attid(struct umx_schema *schema, struct umx_connection *connection, const char *name, uint32_t *attid);

enum umx_object_parts {
    UMX_OBJECT_DESCRIPTOR = 1, /* loaded with its DACL: descriptor and access */
    UMX_OBJECT_LINKS = 2,      /* incoming links */
    UMX_OBJECT_WRITABLE = 4,   /* only attributes that an add may write */
};

/* The message of it, in the arena. */
int umx_object_state(struct umx_connection *connection, struct umx_schema *schema, const struct umx_object *object,
                     unsigned parts, struct umx_arena *arena, Umx__ObjectState **state, struct umx_error *err);

#endif
