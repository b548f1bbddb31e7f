/*
 * What a forest's schema says about attributes, asked for by name as needed and kept.
 */
#ifndef UMX_DIRECTORY_SCHEMA_H
#define UMX_DIRECTORY_SCHEMA_H

#include "directory/connection.h"

enum { UMX_SCHEMA_MAX = 8192 }; /* attributes kept */

struct umx_schema_attribute {
    const char *name; /* lDAPDisplayName */
    bool has_attid;   /* its number in replPropertyMetaData is known */
    uint32_t attid;
    int64_t link_id; /* 0: not linked; even: forward, odd: back link */
    bool single;
    bool constructed; /* computed when it is read */
    bool system_only; /* written by the domain controller alone */
    bool binary;      /* octets, SIDs, descriptors */
    bool dn;
};

struct umx_schema;

struct umx_schema *umx_schema_new(void); /* NULL: out of memory */
void umx_schema_free(struct umx_schema *schema);

/* Asks for those of the names that are not known yet. Names that no attribute can have are passed over. */
int umx_schema_load(struct umx_schema *schema, struct umx_connection *connection, const char *const *names,
                    size_t count, struct umx_error *err);

/* NULL: not loaded, or there is no such attribute. */
const struct umx_schema_attribute *umx_schema_find(const struct umx_schema *schema, const char *name);
const struct umx_schema_attribute *umx_schema_find_attid(const struct umx_schema *schema, uint32_t attid);
/* The other end of a link, which umx_schema_load_link fetches. */
const struct umx_schema_attribute *umx_schema_find_link(const struct umx_schema *schema, int64_t link_id);
int umx_schema_load_link(struct umx_schema *schema, struct umx_connection *connection, int64_t link_id,
                         struct umx_error *err);

#endif
