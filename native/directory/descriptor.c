#include "directory/descriptor.h"

#include <string.h>

#include "directory/bytes.h"

enum {
    HEADER_SIZE = 20,
    ACL_HEADER = 8,
    ACE_HEADER = 4,
    CONTROL_DACL_PRESENT = 0x0004,
    CONTROL_SACL_PRESENT = 0x0010,
    CONTROL_DACL_PROTECTED = 0x1000,
    CONTROL_SELF_RELATIVE = 0x8000,
    OBJECT_TYPE_PRESENT = 1,
    INHERITED_OBJECT_TYPE_PRESENT = 2,
    ACL_REVISION = 2,
    ACL_REVISION_DS = 4,
};

/* How an entry is laid out and counted, by type. */
struct kind {
    bool known;
    bool deny;
    bool object;
    bool conditional;
};

static struct kind kind_of(uint8_t type)
{
    static const struct kind kinds[] = {
        [UMX_ACE_ALLOW] = {true, false, false, false},
        [UMX_ACE_DENY] = {true, true, false, false},
        [UMX_ACE_ALLOW_OBJECT] = {true, false, true, false},
        [UMX_ACE_DENY_OBJECT] = {true, true, true, false},
        [UMX_ACE_ALLOW_CALLBACK] = {true, false, false, true},
        [UMX_ACE_DENY_CALLBACK] = {true, true, false, true},
        [UMX_ACE_ALLOW_CALLBACK_OBJECT] = {true, false, true, true},
        [UMX_ACE_DENY_CALLBACK_OBJECT] = {true, true, true, true},
    };
    return type < sizeof kinds / sizeof *kinds ? kinds[type] : (struct kind){0};
}

static bool parse_ace(struct umx_bytes *acl, struct umx_ace *ace)
{
    const uint8_t *raw = acl->at;
    uint8_t type = umx_bytes_u8(acl), flags = umx_bytes_u8(acl);
    size_t size = umx_bytes_u16(acl);
    if (acl->failed || size < ACE_HEADER) {
        return false;
    }
    struct umx_bytes body = {.at = umx_bytes_take(acl, size - ACE_HEADER), .left = size - ACE_HEADER};
    if (acl->failed) {
        return false;
    }
    *ace = (struct umx_ace){.type = type, .flags = flags, .raw = raw, .raw_length = size};
    struct kind kind = kind_of(type);
    if (!kind.known) {
        ace->opaque = true;
        return true;
    }
    ace->mask = umx_bytes_u32(&body);
    uint32_t present = kind.object ? umx_bytes_u32(&body) : 0;
    const uint8_t *guid;
    if (present & OBJECT_TYPE_PRESENT && (guid = umx_bytes_take(&body, UMX_GUID_SIZE))) {
        ace->has_object_type = true;
        memcpy(ace->object_type, guid, UMX_GUID_SIZE);
    }
    if (present & INHERITED_OBJECT_TYPE_PRESENT && (guid = umx_bytes_take(&body, UMX_GUID_SIZE))) {
        ace->has_inherited_object_type = true;
        memcpy(ace->inherited_object_type, guid, UMX_GUID_SIZE);
    }
    if (body.failed) {
        return false;
    }
    ace->sid_length = umx_sid_length(body.at, body.left);
    if (!ace->sid_length) {
        return false;
    }
    memcpy(ace->sid, body.at, ace->sid_length);
    return true;
}

static bool parse_dacl(const uint8_t *bytes, size_t left, struct umx_arena *arena, struct umx_descriptor *out)
{
    struct umx_bytes acl = {.at = bytes, .left = left};
    out->dacl_revision = umx_bytes_u8(&acl);
    umx_bytes_u8(&acl);
    size_t size = umx_bytes_u16(&acl), count = umx_bytes_u16(&acl);
    umx_bytes_u16(&acl);
    if (acl.failed || size < ACL_HEADER || size > left || count > (size - ACL_HEADER) / ACE_HEADER) {
        return false;
    }
    acl.left = size - ACL_HEADER;
    out->aces = umx_arena_alloc(arena, (count ? count : 1) * sizeof *out->aces);
    if (!out->aces) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!parse_ace(&acl, &out->aces[i])) {
            return false;
        }
    }
    out->ace_count = count;
    return true;
}

static bool parse_sid_at(const uint8_t *bytes, size_t length, uint32_t offset, const uint8_t **sid, size_t *sid_length)
{
    if (!offset) {
        return true;
    }
    if (offset < HEADER_SIZE || offset >= length) {
        return false;
    }
    *sid = bytes + offset;
    *sid_length = umx_sid_length(*sid, length - offset);
    return *sid_length != 0;
}

static bool parse_sacl(const uint8_t *bytes, size_t length, uint32_t offset, struct umx_descriptor *out)
{
    if (!offset) {
        return true;
    }
    if (offset < HEADER_SIZE || offset > length || length - offset < ACL_HEADER) {
        return false;
    }
    out->sacl = bytes + offset;
    out->sacl_length = out->sacl[2] | (size_t)out->sacl[3] << 8;
    return out->sacl_length >= ACL_HEADER && out->sacl_length <= length - offset;
}

int umx_descriptor_parse(const uint8_t *bytes, size_t length, struct umx_arena *arena, struct umx_descriptor *out,
                         struct umx_error *err)
{
    struct umx_bytes header = {.at = bytes, .left = length};
    *out = (struct umx_descriptor){0};
    uint8_t revision = umx_bytes_u8(&header);
    umx_bytes_u8(&header);
    out->control = umx_bytes_u16(&header);
    uint32_t owner = umx_bytes_u32(&header), group = umx_bytes_u32(&header);
    uint32_t sacl = umx_bytes_u32(&header), dacl = umx_bytes_u32(&header);
    if (header.failed || revision != 1 || length > UMX_DESCRIPTOR_MAX || !(out->control & CONTROL_SELF_RELATIVE)) {
        return umx_fail(err, UMX_ERR_DESCRIPTOR_INVALID, "security descriptor", "its header is wrong");
    }
    if (!parse_sid_at(bytes, length, owner, &out->owner, &out->owner_length) ||
        !parse_sid_at(bytes, length, group, &out->group, &out->group_length)) {
        return umx_fail(err, UMX_ERR_DESCRIPTOR_INVALID, "security descriptor", "its owner or group is not a SID");
    }
    if (!parse_sacl(bytes, length, sacl, out)) {
        return umx_fail(err, UMX_ERR_DESCRIPTOR_INVALID, "security descriptor", "its SACL is cut short");
    }
    out->dacl_present = out->control & CONTROL_DACL_PRESENT;
    out->dacl_protected = out->control & CONTROL_DACL_PROTECTED;
    out->dacl_null = out->dacl_present && !dacl;
    if (out->dacl_present && dacl &&
        (dacl < HEADER_SIZE || dacl > length || !parse_dacl(bytes + dacl, length - dacl, arena, out))) {
        return umx_fail(err, UMX_ERR_DESCRIPTOR_INVALID, "security descriptor", "its DACL is damaged");
    }
    return 0;
}

static size_t ace_size(const struct umx_ace *ace)
{
    if (ace->raw) {
        return ace->raw_length;
    }
    size_t object = kind_of(ace->type).object ? 4U : 0U;
    return ACE_HEADER + 4U + object + (ace->has_object_type ? UMX_GUID_SIZE : 0U) +
           (ace->has_inherited_object_type ? UMX_GUID_SIZE : 0U) + ace->sid_length;
}

static size_t put_ace(uint8_t *to, const struct umx_ace *ace)
{
    size_t size = ace_size(ace), at = ACE_HEADER + 4;
    if (ace->raw) {
        memcpy(to, ace->raw, size);
        return size;
    }
    to[0] = ace->type;
    to[1] = ace->flags;
    umx_bytes_put(to + 2, size, 2);
    umx_bytes_put(to + ACE_HEADER, ace->mask, 4);
    if (kind_of(ace->type).object) {
        umx_bytes_put(to + at,
                      (ace->has_object_type ? OBJECT_TYPE_PRESENT : 0U) |
                          (ace->has_inherited_object_type ? INHERITED_OBJECT_TYPE_PRESENT : 0U),
                      4);
        at += 4;
    }
    if (ace->has_object_type) {
        memcpy(to + at, ace->object_type, UMX_GUID_SIZE);
        at += UMX_GUID_SIZE;
    }
    if (ace->has_inherited_object_type) {
        memcpy(to + at, ace->inherited_object_type, UMX_GUID_SIZE);
        at += UMX_GUID_SIZE;
    }
    memcpy(to + at, ace->sid, ace->sid_length);
    return size;
}

static size_t dacl_size(const struct umx_descriptor *descriptor)
{
    size_t size = ACL_HEADER;
    for (size_t i = 0; i < descriptor->ace_count; i++) {
        size += ace_size(&descriptor->aces[i]);
    }
    return size;
}

static uint8_t dacl_revision(const struct umx_descriptor *descriptor)
{
    uint8_t revision = descriptor->dacl_revision ? descriptor->dacl_revision : ACL_REVISION;
    for (size_t i = 0; i < descriptor->ace_count && revision < ACL_REVISION_DS; i++) {
        revision = kind_of(descriptor->aces[i].type).object ? ACL_REVISION_DS : revision;
    }
    return revision;
}

int umx_descriptor_build(const struct umx_descriptor *descriptor, struct umx_arena *arena, uint8_t **bytes,
                         size_t *length, struct umx_error *err)
{
    bool dacl = descriptor->dacl_present && !descriptor->dacl_null;
    size_t acl = dacl ? dacl_size(descriptor) : 0;
    if (acl > UMX_ACL_MAX) {
        return umx_fail(err, UMX_ERR_DESCRIPTOR_INVALID, "security descriptor", "its DACL is larger than 64 KiB");
    }
    size_t total = HEADER_SIZE + descriptor->owner_length + descriptor->group_length + descriptor->sacl_length + acl;
    uint8_t *to = umx_arena_alloc(arena, total);
    if (!to) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "security descriptor", NULL);
    }
    size_t at = HEADER_SIZE;
    const struct {
        const uint8_t *from;
        size_t length;
        size_t field;
    } parts[] = {{descriptor->owner, descriptor->owner_length, 4},
                 {descriptor->group, descriptor->group_length, 8},
                 {descriptor->sacl, descriptor->sacl_length, 12}};
    to[0] = 1;
    umx_bytes_put(to + 2, descriptor->control | CONTROL_SELF_RELATIVE, 2);
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].length) {
            umx_bytes_put(to + parts[i].field, at, 4);
            memcpy(to + at, parts[i].from, parts[i].length);
            at += parts[i].length;
        }
    }
    if (dacl) {
        umx_bytes_put(to + 16, at, 4);
        to[at] = dacl_revision(descriptor);
        umx_bytes_put(to + at + 2, acl, 2);
        umx_bytes_put(to + at + 4, descriptor->ace_count, 2);
        at += ACL_HEADER;
        for (size_t i = 0; i < descriptor->ace_count; i++) {
            at += put_ace(to + at, &descriptor->aces[i]);
        }
    }
    *bytes = to;
    *length = total;
    return 0;
}

/* 0 deny, 1 deny object, 2 allow, 3 allow object, 4 inherited; -1 for entries that have no place of their own. */
static int rank_of(const struct umx_ace *ace)
{
    if (ace->flags & UMX_ACE_INHERITED) {
        return 4;
    }
    struct kind kind = kind_of(ace->type);
    return kind.known ? (kind.deny ? 0 : 2) + kind.object : -1;
}

bool umx_descriptor_canonical(const struct umx_descriptor *descriptor)
{
    int reached = 0;
    for (size_t i = 0; i < descriptor->ace_count; i++) {
        int rank = rank_of(&descriptor->aces[i]);
        if (rank < 0 && reached == 4) {
            return false;
        }
        if (rank >= 0 && rank / 2 < reached / 2) {
            return false;
        }
        reached = rank > reached ? rank : reached;
    }
    return true;
}

bool umx_ace_equal(const struct umx_ace *a, const struct umx_ace *b)
{
    if (a->type != b->type || a->flags != b->flags || a->opaque || b->opaque || kind_of(a->type).conditional) {
        return false;
    }
    return a->mask == b->mask && a->sid_length == b->sid_length && memcmp(a->sid, b->sid, a->sid_length) == 0 &&
           a->has_object_type == b->has_object_type && a->has_inherited_object_type == b->has_inherited_object_type &&
           memcmp(a->object_type, b->object_type, UMX_GUID_SIZE) == 0 &&
           memcmp(a->inherited_object_type, b->inherited_object_type, UMX_GUID_SIZE) == 0;
}

long umx_descriptor_find(const struct umx_descriptor *descriptor, const struct umx_ace *wanted)
{
    for (size_t i = 0; i < descriptor->ace_count; i++) {
        const struct umx_ace *ace = &descriptor->aces[i];
        if (!(ace->flags & UMX_ACE_INHERITED) && umx_ace_equal(ace, wanted)) {
            return (long)i;
        }
    }
    return -1;
}

static int check_changeable(const struct umx_descriptor *descriptor, struct umx_error *err)
{
    if (!descriptor->dacl_present || descriptor->dacl_null) {
        return umx_fail(err, UMX_ERR_DESCRIPTOR_INVALID, "security descriptor",
                        "it has no DACL, so everything is allowed; one entry would take that away from everybody else");
    }
    if (!umx_descriptor_canonical(descriptor)) {
        return umx_fail(err, UMX_ERR_DACL_NOT_CANONICAL, "security descriptor", NULL);
    }
    return 0;
}

int umx_descriptor_merge(const struct umx_descriptor *descriptor, const struct umx_ace *ace, struct umx_arena *arena,
                         struct umx_descriptor *out, bool *changed, struct umx_error *err)
{
    int status = check_changeable(descriptor, err);
    if (status) {
        return status;
    }
    *out = *descriptor;
    *changed = umx_descriptor_find(descriptor, ace) < 0;
    if (!*changed) {
        return 0;
    }
    struct umx_ace *aces = umx_arena_alloc(arena, (descriptor->ace_count + 1) * sizeof *aces);
    if (!aces) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "security descriptor", NULL);
    }
    int rank = rank_of(ace);
    size_t place = 0;
    while (place < descriptor->ace_count && rank_of(&descriptor->aces[place]) <= rank) {
        place++;
    }
    memcpy(aces, descriptor->aces, place * sizeof *aces);
    aces[place] = *ace;
    memcpy(aces + place + 1, descriptor->aces + place, (descriptor->ace_count - place) * sizeof *aces);
    out->aces = aces;
    out->ace_count++;
    if (dacl_size(out) > UMX_ACL_MAX) {
        return umx_fail(err, UMX_ERR_DESCRIPTOR_INVALID, "security descriptor",
                        "with this entry its DACL would be larger than 64 KiB");
    }
    return 0;
}

int umx_descriptor_remove(const struct umx_descriptor *descriptor, const struct umx_ace *ace, struct umx_arena *arena,
                          struct umx_descriptor *out, struct umx_error *err)
{
    int status = check_changeable(descriptor, err);
    if (status) {
        return status;
    }
    long found = umx_descriptor_find(descriptor, ace);
    if (found < 0) {
        return umx_fail(err, UMX_ERR_OBJECT_NOT_FOUND, "security descriptor", "the access entry is not in its DACL");
    }
    size_t place = (size_t)found;
    *out = *descriptor;
    out->aces = umx_arena_alloc(arena, descriptor->ace_count * sizeof *out->aces);
    if (!out->aces) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "security descriptor", NULL);
    }
    memcpy(out->aces, descriptor->aces, place * sizeof *out->aces);
    memcpy(out->aces + place, descriptor->aces + place + 1, (descriptor->ace_count - place - 1) * sizeof *out->aces);
    out->ace_count--;
    return 0;
}

static const struct umx_ace *next_explicit(const struct umx_descriptor *descriptor, size_t *at)
{
    while (*at < descriptor->ace_count) {
        const struct umx_ace *ace = &descriptor->aces[(*at)++];
        if (!(ace->flags & UMX_ACE_INHERITED)) {
            return ace;
        }
    }
    return NULL;
}

bool umx_descriptor_same_explicit(const struct umx_descriptor *a, const struct umx_descriptor *b)
{
    if (a->dacl_present != b->dacl_present || a->dacl_null != b->dacl_null || a->dacl_protected != b->dacl_protected) {
        return false;
    }
    size_t at_a = 0, at_b = 0;
    for (;;) {
        const struct umx_ace *ace_a = next_explicit(a, &at_a), *ace_b = next_explicit(b, &at_b);
        if (!ace_a || !ace_b) {
            return ace_a == ace_b;
        }
        bool raw = ace_a->raw && ace_b->raw;
        bool same =
            raw ? ace_a->raw_length == ace_b->raw_length && memcmp(ace_a->raw, ace_b->raw, ace_a->raw_length) == 0
                : umx_ace_equal(ace_a, ace_b);
        if (!same) {
            return false;
        }
    }
}

/* Generic rights as a domain controller maps them for its objects. */
static uint32_t map_generic(uint32_t mask)
{
    static const struct {
        uint32_t generic, specific;
    } map[] = {{0x80000000, 0x20094}, {0x40000000, 0x20028}, {0x20000000, 0x20004}, {0x10000000, 0xF01FF}};
    uint32_t mapped = mask & 0x0FFFFFFF;
    for (size_t i = 0; i < sizeof map / sizeof *map; i++) {
        mapped |= mask & map[i].generic ? map[i].specific : 0;
    }
    return mapped;
}

static bool in_token(const struct umx_ace *ace, const char *const *sids, size_t sid_count)
{
    char text[UMX_SID_TEXT];
    if (umx_sid_text(ace->sid, ace->sid_length, text, NULL)) {
        return false;
    }
    for (size_t i = 0; i < sid_count; i++) {
        if (strcmp(text, sids[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool umx_descriptor_allows(const struct umx_descriptor *descriptor, const char *const *sids, size_t sid_count,
                           uint32_t mask)
{
    uint32_t wanted = map_generic(mask);
    if (!descriptor->dacl_present || descriptor->dacl_null) {
        return true;
    }
    for (size_t i = 0; i < descriptor->ace_count && wanted; i++) {
        const struct umx_ace *ace = &descriptor->aces[i];
        struct kind kind = kind_of(ace->type);
        if (ace->opaque || ace->flags & UMX_ACE_INHERIT_ONLY || ace->has_object_type ||
            ace->has_inherited_object_type || kind.conditional || !in_token(ace, sids, sid_count)) {
            continue;
        }
        uint32_t rights = map_generic(ace->mask);
        if (kind.deny && rights & wanted) {
            return false;
        }
        if (!kind.deny) {
            wanted &= ~rights;
        }
    }
    return wanted == 0;
}
