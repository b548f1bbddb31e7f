#include "directory/preflight.h"

#include <string.h>

#include "base/reflect.h"
#include "base/text.h"
#include "directory/descriptor.h"
#include "directory/object.h"

enum { DACL_RIGHT = 4 }; /* of sDRightsEffective */

struct asking {
    struct umx_connection *connection;
    const Umx__Preflight *asked;
    size_t index; /* of the change that is looked at */
    struct umx_arena *arena;
    struct umx_error *err;
};

#define ALLOWED(asking) umx_arena_string((asking)->arena, "allowed")

/* Whether an earlier change makes the object. */
static bool made_before(const struct asking *asking, const char *dn)
{
    for (size_t i = 0; i < asking->index; i++) {
        const Umx__Change *change = asking->asked->change[i];
        if (change->kind == UMX__CHANGE__KIND__ADD && change->dn && umx_text_dn_equal(change->dn, dn)) {
            return true;
        }
    }
    return false;
}

/* The object, or NULL with the answer that its absence makes. An error is in asking->err. */
static const struct umx_entry *load(const struct asking *asking, const char *dn, ProtobufCBinaryData guid,
                                    const char *const *attributes, bool dacl, struct umx_object *object, char **answer)
{
    *answer = NULL;
    if (umx_object_load(asking->connection, dn, guid, attributes, dacl, asking->arena, object, asking->err)) {
        return NULL;
    }
    if (object->exists) {
        return &object->entry;
    }
    *answer = made_before(asking, dn)
                  ? umx_arena_format(asking->arena, "unknown: %s does not exist yet", dn)
                  : umx_arena_format(asking->arena, "unknown: %s is not there, or this account may not see it", dn);
    return NULL;
}

static char *judge_modify(const struct asking *asking, const Umx__Change *change)
{
    static const char *const wanted[] = {"allowedAttributesEffective", NULL};
    struct umx_object object;
    char *answer;
    const struct umx_entry *entry = load(asking, change->dn, change->object_guid, wanted, false, &object, &answer);
    if (!entry) {
        return answer;
    }
    for (size_t i = 0; i < change->n_modify; i++) {
        if (!umx_entry_has(entry, wanted[0], change->modify[i]->name)) {
            return umx_arena_format(asking->arena, "denied: %s of %s may not be written", change->modify[i]->name,
                                    change->dn);
        }
    }
    return ALLOWED(asking);
}

/* The class of an object to add: the last value of objectClass, which is the most special one. */
static const char *class_of(const Umx__Change *change)
{
    for (size_t i = 0; i < change->n_attribute; i++) {
        const Umx__AttributeValues *attribute = change->attribute[i];
        if (umx_text_equal(attribute->name, "objectClass") && attribute->n_value) {
            return attribute->value[attribute->n_value - 1];
        }
    }
    return NULL;
}

static char *judge_add(const struct asking *asking, const Umx__Change *change)
{
    static const char *const wanted[] = {"allowedChildClassesEffective", NULL};
    const char *parent = umx_text_dn_parent(change->dn), *class = class_of(change);
    struct umx_object object;
    char *answer;
    if (!parent || !class) {
        return umx_arena_format(asking->arena, "unknown: %s", parent ? "it has no class" : "it has no parent");
    }
    if (made_before(asking, parent)) {
        return umx_arena_format(asking->arena, "unknown: the parent does not exist yet: %s", parent);
    }
    const struct umx_entry *entry = load(asking, parent, (ProtobufCBinaryData){0}, wanted, false, &object, &answer);
    if (!entry) {
        return answer;
    }
    return umx_entry_has(entry, wanted[0], class)
               ? ALLOWED(asking)
               : umx_arena_format(asking->arena, "denied: no %s may be made in %s", class, parent);
}

/* What the permissions of an object say about a right: they may name classes, which is not followed. */
enum verdict { YES, NO, CANNOT_TELL };

static enum verdict has_right(const struct asking *asking, const struct umx_object *object, uint32_t right)
{
    size_t count;
    const char *const *token = umx_connection_token(asking->connection, &count);
    if (!object->has_dacl || !count) {
        return CANNOT_TELL;
    }
    if (umx_descriptor_allows(&object->dacl, token, count, right)) {
        return YES;
    }
    for (size_t i = 0; i < object->dacl.ace_count; i++) {
        const struct umx_ace *ace = &object->dacl.aces[i];
        char sid[UMX_SID_TEXT];
        bool narrowed = ace->type == UMX_ACE_ALLOW_OBJECT && !(ace->flags & UMX_ACE_INHERIT_ONLY) && ace->mask & right;
        for (size_t k = 0; narrowed && k < count; k++) {
            if (umx_sid_text(ace->sid, ace->sid_length, sid, NULL) == 0 && strcmp(sid, token[k]) == 0) {
                return CANNOT_TELL;
            }
        }
    }
    return NO;
}

static char *judge_delete(const struct asking *asking, const Umx__Change *change)
{
    static const char *const wanted[] = {"objectClass", NULL};
    const char *dn = change->dn;
    struct umx_object object;
    char *answer;
    const struct umx_entry *entry = load(asking, dn, change->object_guid, wanted, true, &object, &answer);
    if (!entry) {
        return answer;
    }
    enum verdict own = has_right(asking, &object, UMX_RIGHT_DELETE), parents = CANNOT_TELL;
    const char *parent = umx_text_dn_parent(entry->dn);
    if (own == YES) {
        return ALLOWED(asking);
    }
    if (parent && load(asking, parent, (ProtobufCBinaryData){0}, wanted, true, &object, &answer)) {
        parents = has_right(asking, &object, UMX_RIGHT_DELETE_CHILD);
    } else if (!answer && parent) {
        return NULL;
    }
    if (parents == YES) {
        return ALLOWED(asking);
    }
    return own == NO && parents == NO
               ? umx_arena_format(asking->arena, "denied: %s may not be deleted, nor children of its parent", dn)
               : umx_arena_format(asking->arena, "unknown: the permissions of %s do not tell", dn);
}

static char *judge_access(const struct asking *asking, const Umx__Change *change)
{
    static const char *const wanted[] = {"sDRightsEffective", NULL};
    struct umx_object object;
    int64_t rights = 0;
    char *answer;
    const struct umx_entry *entry = load(asking, change->dn, change->object_guid, wanted, false, &object, &answer);
    if (!entry) {
        return answer;
    }
    if (!umx_entry_integer(entry, wanted[0], &rights)) {
        return umx_arena_string(asking->arena, "unknown: the domain controller does not tell");
    }
    return rights & DACL_RIGHT
               ? ALLOWED(asking)
               : umx_arena_format(asking->arena, "denied: the permissions of %s may not be changed", change->dn);
}

static char *judge(const struct asking *asking)
{
    static char *(*const judges[])(const struct asking *, const Umx__Change *) = {
        [UMX__CHANGE__KIND__ADD] = judge_add,
        [UMX__CHANGE__KIND__DELETE] = judge_delete,
        [UMX__CHANGE__KIND__MODIFY] = judge_modify,
        [UMX__CHANGE__KIND__ACCESS] = judge_access,
    };
    const Umx__Change *change = asking->asked->change[asking->index];
    size_t kind = (size_t)change->kind;
    if (kind >= sizeof judges / sizeof *judges || !judges[kind]) {
        return umx_arena_string(asking->arena, "unknown: it is no change of the directory");
    }
    return change->dn ? judges[kind](asking, change) : umx_arena_string(asking->arena, "unknown: it names no object");
}

int umx_preflight(struct umx_connection *connection, const Umx__Preflight *asked, struct umx_arena *arena,
                  Umx__PreflightResult **out, struct umx_error *err)
{
    struct umx_error why = {0};
    struct asking asking = {.connection = connection, .asked = asked, .arena = arena, .err = &why};
    Umx__PreflightResult *result = umx_reflect_new(&umx__preflight_result__descriptor, arena);
    *out = result;
    if (result) {
        result->answer = umx_arena_alloc(arena, (asked->n_change + 1) * sizeof *result->answer);
    }
    if (!result || !result->answer) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "preflight", NULL);
    }
    for (; asking.index < asked->n_change; asking.index++) {
        why = (struct umx_error){0};
        char *answer = judge(&asking);
        if (!answer && (!why.status || umx_connection_broken(connection) || why.status == UMX_E_MEMORY)) {
            *err = why;
            return why.status ? why.status : umx_fail(err, UMX_ERR_ARENA_FULL, "preflight", NULL);
        }
        if (!answer) {
            answer = umx_arena_format(arena, "unknown: %s: %s", why.what, umx_error_why(&why));
        }
        result->answer[result->n_answer++] = answer;
    }
    return 0;
}
