/*
 * Self-relative security descriptors: parse, look, change one entry, build.
 *
 * Parsed entries point into the parsed bytes, which must outlive them. Entries of unknown type are kept as the bytes
 * they are. A descriptor is never put in order here: one that is not canonical is refused (UMX_ERR_DACL_NOT_CANONICAL),
 * since putting it in order would change what it grants.
 *
 * Canonical: explicit denies, explicit allows, then everything inherited. The order among inherited entries is the
 * server's own (a grandparent's denies come after a parent's allows), so it is not judged.
 */
#ifndef UMX_DIRECTORY_DESCRIPTOR_H
#define UMX_DIRECTORY_DESCRIPTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "directory/guid.h"
#include "directory/sid.h"

enum {
    UMX_DESCRIPTOR_MAX = 256 * 1024, /* bytes; an ACL has 16-bit lengths, so 2 * 64 KiB and two SIDs */
    UMX_ACL_MAX = 65535,
    UMX_ACE_MAX = 65535,
};

enum umx_ace_type {
    UMX_ACE_ALLOW = 0,
    UMX_ACE_DENY = 1,
    UMX_ACE_ALLOW_OBJECT = 5,
    UMX_ACE_DENY_OBJECT = 6,
    UMX_ACE_ALLOW_CALLBACK = 9,
    UMX_ACE_DENY_CALLBACK = 10,
    UMX_ACE_ALLOW_CALLBACK_OBJECT = 11,
    UMX_ACE_DENY_CALLBACK_OBJECT = 12,
};

enum umx_ace_flag {
    UMX_ACE_OBJECT_INHERIT = 0x01,
    UMX_ACE_CONTAINER_INHERIT = 0x02,
    UMX_ACE_NO_PROPAGATE = 0x04,
    UMX_ACE_INHERIT_ONLY = 0x08,
    UMX_ACE_INHERITED = 0x10,
};

/* Rights of a directory object. */
enum umx_right {
    UMX_RIGHT_CREATE_CHILD = 0x1,
    UMX_RIGHT_DELETE_CHILD = 0x2,
    UMX_RIGHT_LIST_CHILDREN = 0x4,
    UMX_RIGHT_SELF = 0x8,
    UMX_RIGHT_READ_PROPERTY = 0x10,
    UMX_RIGHT_WRITE_PROPERTY = 0x20,
    UMX_RIGHT_DELETE_TREE = 0x40,
    UMX_RIGHT_LIST_OBJECT = 0x80,
    UMX_RIGHT_CONTROL_ACCESS = 0x100,
    UMX_RIGHT_DELETE = 0x10000,
    UMX_RIGHT_READ_CONTROL = 0x20000,
    UMX_RIGHT_WRITE_DACL = 0x40000,
    UMX_RIGHT_WRITE_OWNER = 0x80000,
};

struct umx_ace {
    uint8_t type;
    uint8_t flags;
    bool opaque; /* unknown type: only type, flags and raw mean something */
    uint32_t mask;
    uint8_t sid[UMX_SID_MAX];
    size_t sid_length;
    bool has_object_type;
    bool has_inherited_object_type;
    uint8_t object_type[UMX_GUID_SIZE];
    uint8_t inherited_object_type[UMX_GUID_SIZE];
    const uint8_t *raw; /* the whole entry, header included; NULL for one that is to be built */
    size_t raw_length;
};

struct umx_descriptor {
    uint16_t control;
    const uint8_t *owner, *group; /* SIDs, NULL when absent */
    size_t owner_length, group_length;
    const uint8_t *sacl;
    size_t sacl_length;
    bool dacl_present; /* false, or present and NULL: everything is allowed */
    bool dacl_null;
    bool dacl_protected;
    uint8_t dacl_revision;
    struct umx_ace *aces; /* in order, in the arena */
    size_t ace_count;
};

/* UMX_ERR_DESCRIPTOR_INVALID when any length or offset is wrong. */
int umx_descriptor_parse(const uint8_t *bytes, size_t length, struct umx_arena *arena, struct umx_descriptor *out,
                         struct umx_error *err);

/* Self-relative bytes in the arena. */
int umx_descriptor_build(const struct umx_descriptor *descriptor, struct umx_arena *arena, uint8_t **bytes,
                         size_t *length, struct umx_error *err);

bool umx_descriptor_canonical(const struct umx_descriptor *descriptor);

/* Same type, flags, mask, trustee and object types. */
bool umx_ace_equal(const struct umx_ace *a, const struct umx_ace *b);

/* Position of the explicit entry that equals wanted, or -1. */
long umx_descriptor_find(const struct umx_descriptor *descriptor, const struct umx_ace *wanted);

/* out: descriptor with ace in its canonical place; *changed is false when an equal explicit entry is there already.
 * What is not canonical, has no DACL or grows over 64 KiB is refused. */
int umx_descriptor_merge(const struct umx_descriptor *descriptor, const struct umx_ace *ace, struct umx_arena *arena,
                         struct umx_descriptor *out, bool *changed, struct umx_error *err);

/* out: descriptor without that one explicit entry; UMX_ERR_OBJECT_NOT_FOUND when it is not there. */
int umx_descriptor_remove(const struct umx_descriptor *descriptor, const struct umx_ace *ace, struct umx_arena *arena,
                          struct umx_descriptor *out, struct umx_error *err);

/* Same explicit entries in the same order. Inherited ones follow the parent and do not belong to the object. */
bool umx_descriptor_same_explicit(const struct umx_descriptor *a, const struct umx_descriptor *b);

/* Whether a token of these SIDs gets all of mask on the object itself: entries in order, denies and inherit-only
 * taken into account. Entries for one property or one class, or with a condition, are passed over. */
bool umx_descriptor_allows(const struct umx_descriptor *descriptor, const char *const *sids, size_t sid_count,
                           uint32_t mask);

#endif
