#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/text.h"
#include "directory/connection_internal.h"

enum { PAGE_SIZE = 500, ENTRY_ARENA = 64 * 1024 * 1024, RANGE_NAME = 256 };

#define OID_SD_FLAGS "1.2.840.113556.1.4.801"
#define OID_SHOW_DELETED "1.2.840.113556.1.4.417"
#define OID_DIRSYNC "1.2.840.113556.1.4.841"

/* What the end of a page says: where to go on. */
struct ending {
    struct berval cookie;  /* paged results; libldap's memory */
    struct umx_value sync; /* DirSync; in the arena */
    bool more;
    struct umx_arena *arena;
};

LDAPControl umx_connection_dacl_control(void)
{
    static char oid[] = OID_SD_FLAGS;
    static char flags[] = {0x30, 0x03, 0x02, 0x01, 0x04}; /* SEQUENCE { INTEGER 4 } */
    return (LDAPControl){
        .ldctl_oid = oid, .ldctl_value = {.bv_len = sizeof flags, .bv_val = flags}, .ldctl_iscritical = 1};
}

static const int scopes[] = {[UMX_SCOPE_BASE] = LDAP_SCOPE_BASE,
                             [UMX_SCOPE_ONE] = LDAP_SCOPE_ONELEVEL,
                             [UMX_SCOPE_SUBTREE] = LDAP_SCOPE_SUBTREE};

/* Values of one attribute, appended to those already there. */
static bool add_values(struct umx_attribute *attribute, struct berval **values, struct umx_arena *arena)
{
    size_t more = (size_t)ldap_count_values_len(values), total = attribute->count + more;
    struct umx_value *all = umx_arena_alloc(arena, (total ? total : 1) * sizeof *all);
    if (!all || total > UMX_CONNECTION_VALUES_MAX) {
        return false;
    }
    if (attribute->count) {
        memcpy(all, attribute->values, attribute->count * sizeof *all);
    }
    for (size_t i = 0; i < more; i++) {
        struct umx_value *value = &all[attribute->count + i];
        value->length = values[i]->bv_len;
        value->bytes = (const uint8_t *)umx_arena_copy(arena, values[i]->bv_val, values[i]->bv_len);
        if (!value->bytes) {
            return false;
        }
    }
    attribute->values = all;
    attribute->count = total;
    return true;
}

/* From name;range=0-1499: cuts the option off and gives the next start, 0 when there is no more. */
static unsigned long next_range(char *name)
{
    unsigned long next = 0;
    char *options = strchr(name, ';');
    char *range = options ? strcasestr(options, ";range=") : NULL;
    if (range) {
        char *end;
        strtoul(range + 7, &end, 10);
        if (*end == '-' && end[1] != '*') {
            unsigned long last = strtoul(end + 1, NULL, 10);
            next = last < UMX_CONNECTION_VALUES_MAX ? last + 1 : 0;
        }
    }
    if (options) {
        *options = '\0';
    }
    return next;
}

/* Fetches the rest of an attribute that came in part. */
static int complete(struct umx_connection *connection, const char *dn, struct umx_attribute *attribute,
                    unsigned long next, struct umx_arena *arena, struct umx_error *err)
{
    while (next) {
        char wanted[RANGE_NAME];
        snprintf(wanted, sizeof wanted, "%s;range=%lu-*", attribute->name, next);
        char *attributes[] = {wanted, NULL};
        struct timeval left;
        LDAPMessage *message = NULL;
        int id, type,
            code = umx_connection_time_left(connection, &left)
                       ? ldap_search_ext(connection->ld, dn, LDAP_SCOPE_BASE, "(objectClass=*)", attributes, 0, NULL,
                                         NULL, NULL, 1, &id)
                       : LDAP_TIMEOUT;
        if (code != LDAP_SUCCESS) {
            return umx_ldap_fail(err, connection->ld, code, dn, NULL);
        }
        bool grew = false;
        do {
            int status = umx_connection_result(connection, id, false, &message, &type, dn, err);
            if (status) {
                return status;
            }
            BerElement *ber = NULL;
            char *name = type == LDAP_RES_SEARCH_ENTRY ? ldap_first_attribute(connection->ld, message, &ber) : NULL;
            struct berval **values = name ? ldap_get_values_len(connection->ld, message, name) : NULL;
            if (values) {
                next = next_range(name);
                grew = ldap_count_values_len(values) > 0 && add_values(attribute, values, arena);
                ldap_value_free_len(values);
            }
            ldap_memfree(name);
            ber_free(ber, 0);
            ldap_msgfree(message);
        } while (type == LDAP_RES_SEARCH_ENTRY);
        if (!grew) {
            return umx_fail(err, UMX_ERR_DIRECTORY_LIMIT, dn, "the values of %s could not be read to the end",
                            attribute->name);
        }
    }
    return 0;
}

static int convert(struct umx_connection *connection, LDAPMessage *message, struct umx_arena *arena,
                   struct umx_entry *entry, struct umx_error *err)
{
    BerElement *ber = NULL;
    int status = 0;
    size_t capacity = 0;
    char *dn = ldap_get_dn(connection->ld, message);
    *entry = (struct umx_entry){0};
    if (dn) {
        struct umx_value raw = {.bytes = (const uint8_t *)dn, .length = strlen(dn)};
        entry->dn = umx_value_text(&raw, arena);
        ldap_memfree(dn);
    }
    char *name = ldap_first_attribute(connection->ld, message, &ber);
    for (; name && !status; name = ldap_next_attribute(connection->ld, message, ber)) {
        if (entry->count == capacity) {
            capacity = capacity ? capacity * 2 : 32;
            struct umx_attribute *more = umx_arena_alloc(arena, capacity * sizeof *more);
            if (more && entry->count) {
                memcpy(more, entry->attributes, entry->count * sizeof *more);
            }
            entry->attributes = more;
        }
        struct berval **values = ldap_get_values_len(connection->ld, message, name);
        struct umx_attribute attribute = {0};
        unsigned long next = next_range(name);
        struct umx_value raw = {.bytes = (const uint8_t *)name, .length = strlen(name)};
        attribute.name = umx_value_text(&raw, arena);
        if (!entry->attributes || !attribute.name || (values && !add_values(&attribute, values, arena))) {
            status = umx_fail(err, UMX_ERR_DIRECTORY_LIMIT, entry->dn, "the object is larger than the maximum");
        } else if (next && entry->dn) {
            status = complete(connection, entry->dn, &attribute, next, arena, err);
        }
        /* A range that was empty at first comes twice: as name and as name;range=... */
        if (!status && attribute.count) {
            entry->attributes[entry->count++] = attribute;
        }
        ldap_value_free_len(values);
        ldap_memfree(name);
    }
    ldap_memfree(name);
    ber_free(ber, 0);
    return !status && !entry->dn ? umx_fail(err, UMX_ERR_DIRECTORY_ERROR, connection->host, "an entry has no name")
                                 : status;
}

static int handle_entry(struct umx_connection *connection, LDAPMessage *message, umx_entry_handler *handler, void *user,
                        struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(ENTRY_ARENA);
    struct umx_entry entry;
    if (!arena) {
        return umx_fail(err, UMX_ERR_MEMORY, connection->host, NULL);
    }
    int status = convert(connection, message, arena, &entry, err);
    if (!status) {
        status = handler(user, &entry, arena, err);
    }
    umx_arena_free(arena);
    return status;
}

/* The end of a page: its result code and the cookie for the next one. */
static bool parse_sync(LDAPControl *control, struct ending *ending)
{
    ber_int_t more = 0, unused;
    struct berval cookie = {0};
    BerElement *ber = ber_init(&control->ldctl_value);
    bool good = ber && ending->arena && ber_scanf(ber, "{iim}", &more, &unused, &cookie) != LBER_ERROR;
    if (good) {
        ending->more = more != 0;
        ending->sync.bytes = (const uint8_t *)umx_arena_copy(ending->arena, cookie.bv_val, cookie.bv_len);
        ending->sync.length = cookie.bv_len;
        good = ending->sync.bytes != NULL;
    }
    ber_free(ber, 1);
    return good;
}

static int handle_done(struct umx_connection *connection, LDAPMessage *message, const char *what, struct ending *ending,
                       struct umx_error *err)
{
    LDAPControl **controls = NULL;
    char *text = NULL;
    int code = LDAP_PROTOCOL_ERROR;
    if (ldap_parse_result(connection->ld, message, &code, NULL, &text, NULL, &controls, 0) != LDAP_SUCCESS) {
        code = LDAP_PROTOCOL_ERROR;
    }
    LDAPControl *page = ldap_control_find(LDAP_CONTROL_PAGEDRESULTS, controls, NULL);
    ber_int_t estimate;
    if (page && ldap_parse_pageresponse_control(connection->ld, page, &estimate, &ending->cookie) != LDAP_SUCCESS) {
        code = code == LDAP_SUCCESS ? LDAP_PROTOCOL_ERROR : code;
    }
    LDAPControl *sync = ldap_control_find(OID_DIRSYNC, controls, NULL);
    if (sync && code == LDAP_SUCCESS && !parse_sync(sync, ending)) {
        code = LDAP_PROTOCOL_ERROR;
    }
    int status = code == LDAP_SUCCESS ? 0 : umx_ldap_fail(err, connection->ld, code, what, text);
    ldap_memfree(text);
    ldap_controls_free(controls);
    return status;
}

static int search_page(struct umx_connection *connection, const struct umx_search *search, LDAPControl **controls,
                       size_t *total, struct ending *ending, umx_entry_handler *handler, void *user,
                       struct umx_error *err)
{
    struct timeval left;
    int id;
    const char *what = *search->base ? search->base : connection->host;
    union {
        const char *const *given;
        char **wanted; /* libldap does not write to them */
    } attributes = {.given = search->attributes};
    int code = umx_connection_time_left(connection, &left)
                   ? ldap_search_ext(connection->ld, search->base, scopes[search->scope],
                                     search->filter ? search->filter : "(objectClass=*)", attributes.wanted, 0,
                                     controls, NULL, NULL, 0, &id)
                   : LDAP_TIMEOUT;
    if (code != LDAP_SUCCESS) {
        connection->broken |= code == LDAP_SERVER_DOWN;
        return umx_ldap_fail(err, connection->ld, code, what, NULL);
    }
    for (;;) {
        LDAPMessage *message;
        int type, status = umx_connection_result(connection, id, search->scope == UMX_SCOPE_SUBTREE, &message, &type,
                                                 what, err);
        if (status) {
            return status;
        }
        bool last = false;
        if (type == LDAP_RES_SEARCH_ENTRY) {
            status = ++*total > UMX_CONNECTION_ENTRIES_MAX
                         ? umx_fail(err, UMX_ERR_DIRECTORY_LIMIT, what, "more than %d", UMX_CONNECTION_ENTRIES_MAX)
                         : handle_entry(connection, message, handler, user, err);
            if (status) {
                ldap_abandon_ext(connection->ld, id, NULL, NULL);
            }
        } else if (type != LDAP_RES_SEARCH_REFERENCE && type != LDAP_RES_INTERMEDIATE) {
            /* Samba answers an unknown critical control by an error in another kind of message: that is final too. */
            status = handle_done(connection, message, what, ending, err);
            last = true;
        }
        ldap_msgfree(message);
        if (status || last) {
            return status;
        }
    }
}

int umx_connection_search(struct umx_connection *connection, const struct umx_search *search,
                          umx_entry_handler *handler, void *user, struct umx_error *err)
{
    LDAPControl dacl = umx_connection_dacl_control();
    LDAPControl deleted = {.ldctl_oid = (char[]){OID_SHOW_DELETED}, .ldctl_iscritical = 1};
    struct ending ending = {0};
    size_t total = 0;
    int status = 0;
    do {
        LDAPControl *page = NULL, *controls[4];
        size_t count = 0;
        if (connection->pages && search->scope != UMX_SCOPE_BASE) {
            int code = ldap_create_page_control(connection->ld, PAGE_SIZE, &ending.cookie, 1, &page);
            if (code != LDAP_SUCCESS) {
                status = umx_ldap_fail(err, connection->ld, code, search->base, NULL);
                break;
            }
            controls[count++] = page;
        }
        if (search->dacl) {
            controls[count++] = &dacl;
        }
        if (search->deleted) {
            controls[count++] = &deleted;
        }
        controls[count] = NULL;
        ber_memfree(ending.cookie.bv_val);
        ending.cookie = (struct berval){0};
        status = search_page(connection, search, controls, &total, &ending, handler, user, err);
        ldap_control_free(page);
    } while (!status && ending.cookie.bv_len);
    ber_memfree(ending.cookie.bv_val);
    return status;
}

int umx_connection_dirsync(struct umx_connection *connection, const char *base, const char *filter, bool own_rights,
                           struct umx_value *cookie, struct umx_arena *arena, umx_entry_handler *handler, void *user,
                           struct umx_error *err)
{
    enum { OBJECT_SECURITY = 1, BYTES_MAX = 1024 * 1024, ROUNDS_MAX = 10000 };
    const struct umx_search search = {.base = base, .scope = UMX_SCOPE_SUBTREE, .filter = filter};
    struct ending ending = {.sync = *cookie, .more = true, .arena = arena};
    size_t total = 0;
    int status = 0;
    for (int round = 0; !status && ending.more; round++) {
        BerElement *ber = ber_alloc_t(LBER_USE_DER);
        struct berval *value = NULL;
        const char *bytes = ending.sync.length ? (const char *)ending.sync.bytes : "";
        if (!ber || round == ROUNDS_MAX ||
            ber_printf(ber, "{iio}", own_rights ? OBJECT_SECURITY : 0, BYTES_MAX, bytes,
                       (ber_len_t)ending.sync.length) < 0 ||
            ber_flatten(ber, &value) < 0) {
            ber_free(ber, 1);
            return umx_fail(err, UMX_ERR_DIRECTORY_LIMIT, base, "its changes could not be asked for");
        }
        LDAPControl sync = {.ldctl_oid = (char[]){OID_DIRSYNC}, .ldctl_value = *value, .ldctl_iscritical = 1};
        LDAPControl *controls[] = {&sync, NULL};
        ending.more = false;
        ending.sync.length = 0;
        status = search_page(connection, &search, controls, &total, &ending, handler, user, err);
        ber_bvfree(value);
        ber_free(ber, 1);
    }
    if (!status && !ending.sync.length) {
        return umx_fail(err, UMX_ERR_DIRECTORY_ERROR, base, "it gives no place to go on from");
    }
    *cookie = ending.sync;
    return status;
}

struct read_one {
    struct umx_arena *arena;
    struct umx_entry *entry;
    bool found;
};

/* The search's own arena goes; what is kept is copied. */
static int keep(void *user, const struct umx_entry *entry, struct umx_arena *from, struct umx_error *err)
{
    struct read_one *read = user;
    struct umx_arena *arena = read->arena;
    struct umx_attribute *attributes = umx_arena_alloc(arena, (entry->count + 1) * sizeof *attributes);
    (void)from;
    read->entry->dn = umx_arena_string(arena, entry->dn);
    bool full = !attributes || !read->entry->dn;
    for (size_t i = 0; i < entry->count && !full; i++) {
        const struct umx_attribute *source = &entry->attributes[i];
        attributes[i].name = umx_arena_string(arena, source->name);
        attributes[i].values = umx_arena_alloc(arena, source->count * sizeof *source->values);
        attributes[i].count = source->count;
        full = !attributes[i].name || !attributes[i].values;
        for (size_t k = 0; k < source->count && !full; k++) {
            struct umx_value *value = &attributes[i].values[k];
            value->length = source->values[k].length;
            value->bytes = (const uint8_t *)umx_arena_copy(arena, source->values[k].bytes, value->length);
            full = !value->bytes;
        }
    }
    read->entry->attributes = attributes;
    read->entry->count = entry->count;
    read->found = true;
    return full ? umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL) : 0;
}

int umx_connection_read(struct umx_connection *connection, const struct umx_search *search, struct umx_arena *arena,
                        struct umx_entry *entry, struct umx_error *err)
{
    struct read_one read = {.arena = arena, .entry = entry};
    struct umx_search base = *search;
    base.scope = UMX_SCOPE_BASE;
    *entry = (struct umx_entry){0};
    int status = umx_connection_search(connection, &base, keep, &read, err);
    if (!status && !read.found) {
        return umx_fail(err, UMX_ERR_OBJECT_NOT_FOUND, search->base, "the directory shows nothing there");
    }
    return status;
}
