/*
 * The forests of a world as directories that take the changes of a plan, compare-and-set, and the engine's ports to
 * them: what carries a plan out in a unit test, and what the engine's own inverse is made from. Objects show the
 * attributes that their records have, and those that steps speak of.
 */
#ifndef UMX_TESTS_WORLD_DIRECTORY_H
#define UMX_TESTS_WORLD_DIRECTORY_H

#include <stdlib.h>

#include "controller/inverse.h"
#include "phases/records.h"
#include "worlds.h"

enum { WD_ARENA = 256 * 1024 * 1024 };

struct wd_object {
    const char *forest;
    Umx__ObjectState *state;
    const struct umx_table *table; /* of its record; NULL: the world keeps none */
};

struct wd {
    struct umx_arena *arena;
    struct umx_world *world;
    struct wd_object *objects;
    size_t count, capacity;
    uint32_t guids, thumbprints;
    Umx__World **before;        /* by step: the records that an action or a gate promises, as they were */
    Umx__PlanStep **resolved;   /* by step */
    const char *what;           /* for messages: seed and phases */
    const Umx__World *original; /* of the step that is carried out */
    Umx__World *revealed;       /* records that were there, and that nobody had told of */
    struct umx_engine engine;
    struct umx_plan_state plan;
};

#define WD_FAIL(wd, step, ...)                                                                                         \
    do {                                                                                                               \
        print_message("%s, %s (%s): ", (wd)->what, (step)->id, (step)->summary);                                       \
        print_message(__VA_ARGS__);                                                                                    \
        fail_msg("\n%s", (wd)->what);                                                                                  \
    } while (0)

/* ---- records as attributes: the reader's side of phases/apply.c */

struct wd_map {
    const char *table, *dn, *class, *attribute, *field;
};

static const struct wd_map wd_maps[] = {
    {"ip_gateway", "dn", "msExchUMIPGateway", "cn", "name"},
    {"ip_gateway", "dn", "msExchUMIPGateway", "msExchUMIPGatewayAddress", "address"},
    {"ip_gateway", "dn", "msExchUMIPGateway", "msExchUMIPGatewayPort", "port"},
    {"ip_gateway", "dn", "msExchUMIPGateway", "msExchUMOutcallsAllowed", "outcalls_allowed"},
    {"ip_gateway", "dn", "msExchUMIPGateway", "msExchUMIPGatewayStatus", "status"},
    {"ip_gateway", "dn", "msExchUMIPGateway", "msExchUMIPGatewayFlags", "flags"},
    {"ip_gateway", "dn", "msExchUMIPGateway", "msExchUMIPGatewayFlags2", "flags2"},
    {"hunt_group", "dn", "msExchUMHuntGroup", "cn", "name"},
    {"hunt_group", "dn", "msExchUMHuntGroup", "msExchUMHuntGroupDialPlanLink", "dial_plan_dn"},
    {"hunt_group", "dn", "msExchUMHuntGroup", "msExchUMPilotIdentifier", "pilot_identifier"},
    {"dial_plan", "dn", "msExchUMDialPlan", "cn", "name"},
    {"dial_plan", "dn", "msExchUMDialPlan", "msExchUMPhoneContext", "phone_context"},
    {"dial_plan", "dn", "msExchUMDialPlan", "msExchUMDialPlanURIType", "uri_type"},
    {"dial_plan", "dn", "msExchUMDialPlan", "msExchUMDialPlanVoipSecurity", "voip_security"},
    {"dial_plan", "dn", "msExchUMDialPlan", "msExchUMNumberingPlanDigits", "digits"},
    {"dial_plan", "dn", "msExchUMDialPlan", "msExchUMVoiceMailPilotNumbers", "access_number"},
    {"dial_plan", "dn", "msExchUMDialPlan", "msExchUMCountryCode", "country_code"},
    {"exchange_server", "dn", "msExchExchangeServer", "msExchUMServerDialPlanLink", "dial_plan_dn"},
    {"exchange_server", "dn", "msExchExchangeServer", "msExchUMStartupMode", "um_startup_mode"},
    {"exchange_server", "dn", "msExchExchangeServer", "msExchUMServerStatus", "um_status"},
    {"exchange_server", "dn", "msExchExchangeServer", "msExchUMCertificateThumbprint", "um_certificate_thumbprint"},
    {"exchange_server", "call_router_dn", "msExchProtocolCfgSIPContainer", "msExchUMServerDialPlanLink",
     "call_router_dial_plan_dn"},
    {"exchange_server", "call_router_dn", "msExchProtocolCfgSIPContainer", "msExchUMStartupMode",
     "call_router_startup_mode"},
    {"exchange_server", "call_router_dn", "msExchProtocolCfgSIPContainer", "msExchUMCertificateThumbprint",
     "call_router_certificate_thumbprint"},
    {"contact", "dn", "contact", "displayName", "display_name"},
    {"contact", "dn", "contact", "msRTCSIP-PrimaryUserAddress", "sip_address"},
    {"contact", "dn", "contact", "msRTCSIP-Line", "line"},
    {"contact", "dn", "contact", "otherIpPhone", "other_ip_phone"},
    {"contact", "dn", "contact", "msRTCSIP-PrimaryHomeServer", "home_server_dn"},
    {"contact", "dn", "contact", "msRTCSIP-UserEnabled", "enabled"},
    {"contact", "dn", "contact", "msRTCSIP-OptionFlags", "option_flags"},
    {"contact", "dn", "contact", "telephoneNumber", "telephone_number"},
    {"contact", "dn", "contact", "proxyAddresses", "proxy_address"},
    {"contact", "dn", "contact", "description", "description"},
    {"mailbox_user", "dn", "user", "proxyAddresses", "proxy_address"},
    {"voice_user", "dn", "user", "proxyAddresses", "proxy_address"},
};

enum { WD_MAPS = sizeof wd_maps / sizeof wd_maps[0] };

static inline const ProtobufCFieldDescriptor *wd_field(const ProtobufCMessage *record, const char *name)
{
    return protobuf_c_message_descriptor_get_field_by_name(record->descriptor, name);
}

static inline const char *wd_text(const ProtobufCMessage *record, const char *name)
{
    const ProtobufCFieldDescriptor *field = wd_field(record, name);
    const char *text = NULL;

    if (field != NULL && field->type == PROTOBUF_C_TYPE_STRING && field->label != PROTOBUF_C_LABEL_REPEATED)
        memcpy(&text, (const char *)record + field->offset, sizeof text);
    return text != NULL ? text : "";
}

/* The record's field as the values of an attribute. */
static inline Umx__AttributeValues *wd_values(struct wd *wd, const ProtobufCMessage *record, const struct wd_map *map)
{
    const ProtobufCFieldDescriptor *field = wd_field(record, map->field);
    Umx__AttributeValues *values = umx_reflect_new(&umx__attribute_values__descriptor, wd->arena);
    const char *at = (const char *)record + field->offset, *has = (const char *)record + field->quantifier_offset;
    char **list = NULL;
    size_t count = 0;
    int32_t number = 0;
    protobuf_c_boolean set = 0;

    values->name = w_s(map->attribute);
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memcpy(&count, has, sizeof count);
        memcpy(&list, at, sizeof list);
    } else if (field->type == PROTOBUF_C_TYPE_STRING) {
        count = *wd_text(record, map->field) != '\0';
    } else {
        memcpy(&set, has, sizeof set);
        memcpy(&number, at, sizeof number);
        count = set != 0;
    }
    values->value = umx_arena_alloc(wd->arena, (count + 1) * sizeof(char *));
    for (size_t i = 0; i < count; i++)
        values->value[values->n_value++] = umx_arena_string(
            wd->arena, list != NULL                            ? list[i]
                       : field->type == PROTOBUF_C_TYPE_STRING ? wd_text(record, map->field)
                       : field->type == PROTOBUF_C_TYPE_BOOL   ? number != 0 ? "TRUE" : "FALSE"
                                                               : umx_arena_format(wd->arena, "%d", number));
    return values;
}

/* The record that shows the object; *map is its first row. */
static inline const ProtobufCMessage *wd_record(struct wd *wd, const char *forest, const char *dn, size_t *map)
{
    for (size_t m = 0; m < WD_MAPS; m++) {
        size_t count;
        if (m > 0 && strcmp(wd_maps[m].table, wd_maps[m - 1].table) == 0 &&
            strcmp(wd_maps[m].dn, wd_maps[m - 1].dn) == 0)
            continue;
        ProtobufCMessage **records =
            umx_world_table(umx_world_records(wd->world), umx_reflect_table(wd_maps[m].table), &count);
        for (size_t i = 0; i < count; i++)
            if (umx_text_equal(wd_text(records[i], "forest"), forest) &&
                umx_text_dn_equal(wd_text(records[i], wd_maps[m].dn), dn)) {
                *map = m;
                return records[i];
            }
    }
    return NULL;
}

static inline bool wd_same_class(size_t a, size_t b)
{
    return b < WD_MAPS && strcmp(wd_maps[a].table, wd_maps[b].table) == 0 && strcmp(wd_maps[a].dn, wd_maps[b].dn) == 0;
}

/* ---- objects */

static inline void wd_put(struct wd *wd, Umx__ObjectState *state, Umx__AttributeValues *values)
{
    Umx__AttributeValues **list = umx_arena_alloc(wd->arena, (state->n_attribute + 1) * sizeof *list);

    for (size_t i = 0; i < state->n_attribute; i++) {
        if (umx_text_equal(state->attribute[i]->name, values->name)) {
            state->attribute[i] = values;
            return;
        }
        list[i] = state->attribute[i];
    }
    list[state->n_attribute++] = values;
    state->attribute = list;
}

static inline void wd_new_guid(struct wd *wd, Umx__ObjectState *state)
{
    uint8_t guid[16] = {0xd1, 0x9e};
    uint32_t number = ++wd->guids;

    memcpy(guid + 4, &number, sizeof number);
    state->has_object_guid = 1;
    state->object_guid.len = sizeof guid;
    state->object_guid.data = (uint8_t *)umx_arena_copy(wd->arena, guid, sizeof guid);
}

static inline struct wd_object *wd_look(struct wd *wd, const char *forest, const char *dn,
                                        const ProtobufCBinaryData *guid)
{
    for (size_t i = 0; i < wd->count; i++) {
        struct wd_object *object = &wd->objects[i];
        bool same = guid != NULL && guid->len > 0
                        ? object->state->object_guid.len == guid->len &&
                              memcmp(object->state->object_guid.data, guid->data, guid->len) == 0
                        : umx_text_dn_equal(object->state->dn, dn);
        if (same && umx_text_equal(object->forest, forest) && object->state->exists)
            return object;
    }
    return NULL;
}

static inline struct wd_object *wd_make(struct wd *wd, const char *forest, const char *dn)
{
    if (wd->count == wd->capacity) {
        wd->capacity = wd->capacity == 0 ? 64 : 2 * wd->capacity;
        wd->objects = realloc(wd->objects, wd->capacity * sizeof *wd->objects);
        assert_non_null(wd->objects);
    }
    struct wd_object *object = &wd->objects[wd->count++];
    *object = (struct wd_object){umx_arena_string(wd->arena, forest),
                                 umx_reflect_new(&umx__object_state__descriptor, wd->arena), NULL};
    object->state->has_exists = object->state->exists = 1;
    object->state->dn = umx_arena_string(wd->arena, dn);
    return object;
}

static inline void wd_entries(struct wd *wd, struct wd_object *object)
{
    const Umx__World *records = umx_world_records(wd->world);

    for (size_t i = 0; i < records->n_access_entry; i++)
        if (umx_text_equal(records->access_entry[i]->forest, object->forest) &&
            umx_text_dn_equal(records->access_entry[i]->target_dn, object->state->dn)) {
            char **list = umx_arena_alloc(wd->arena, (object->state->n_access + 1) * sizeof *list);
            for (size_t k = 0; k < object->state->n_access; k++)
                list[k] = object->state->access[k];
            list[object->state->n_access++] = umx_arena_string(wd->arena, records->access_entry[i]->sddl);
            object->state->access = list;
        }
}

/* The object of a step that does not add it: from its record the first time. */
static inline struct wd_object *wd_find(struct wd *wd, const Umx__PlanStep *step)
{
    const Umx__Change *change = step->change;
    struct wd_object *object =
        wd_look(wd, step->forest, change->dn, change->has_object_guid ? &change->object_guid : NULL);
    size_t map = WD_MAPS;

    if (object == NULL && change->has_object_guid)
        object = wd_look(wd, step->forest, change->dn, NULL);
    if (object == NULL) {
        const ProtobufCMessage *record = wd_record(wd, step->forest, change->dn, &map);
        bool removed = false;
        for (size_t i = 0; i < wd->count; i++)
            removed =
                removed || (!wd->objects[i].state->exists && umx_text_dn_equal(wd->objects[i].state->dn, change->dn));
        if (removed || !step->before->exists)
            return NULL;
        object = wd_make(wd, step->forest, change->dn);
        if (change->has_object_guid) {
            object->state->has_object_guid = 1;
            object->state->object_guid = change->object_guid;
        } else {
            wd_new_guid(wd, object->state);
        }
        for (size_t m = map; record != NULL && wd_same_class(map, m); m++)
            wd_put(wd, object->state, wd_values(wd, record, &wd_maps[m]));
        if (record != NULL) {
            Umx__AttributeValues *class = umx_reflect_new(&umx__attribute_values__descriptor, wd->arena);
            class->name = w_s("objectClass");
            class->value = umx_arena_alloc(wd->arena, sizeof(char *));
            class->value[class->n_value++] = w_s(wd_maps[map].class);
            wd_put(wd, object->state, class);
            object->table = umx_reflect_table(wd_maps[map].table);
        }
        wd_entries(wd, object);
    }
    /* Attributes that no record shows are as the step says. */
    for (size_t i = 0; i < step->before->n_attribute; i++)
        if (umx_image_find(object->state->attribute, object->state->n_attribute, step->before->attribute[i]->name) ==
            NULL)
            wd_put(wd, object->state, umx_reflect_copy(&step->before->attribute[i]->base, wd->arena));
    return object;
}

/* ---- changes, as a directory makes them */

static inline bool wd_has(const Umx__AttributeValues *values, const char *value)
{
    for (size_t i = 0; values != NULL && i < values->n_value; i++)
        if (umx_image_value_equal(values->value[i], value))
            return true;
    return false;
}

static inline void wd_modify(struct wd *wd, const Umx__PlanStep *step, Umx__ObjectState *state)
{
    for (size_t m = 0; m < step->change->n_modify; m++) {
        const Umx__AttributeChange *change = step->change->modify[m];
        const Umx__AttributeValues *now = umx_image_find(state->attribute, state->n_attribute, change->name);
        Umx__AttributeValues *next = umx_reflect_new(&umx__attribute_values__descriptor, wd->arena);
        size_t count = now != NULL ? now->n_value : 0;
        next->name = change->name;
        next->value = umx_arena_alloc(wd->arena, (count + change->n_add + 1) * sizeof(char *));
        for (size_t i = 0; i < change->n_remove; i++)
            if (!wd_has(now, change->remove[i]))
                WD_FAIL(wd, step, "%s has no value %s to remove", change->name, change->remove[i]);
        for (size_t i = 0; i < count; i++) {
            bool goes = false;
            for (size_t k = 0; k < change->n_remove; k++)
                goes = goes || umx_image_value_equal(now->value[i], change->remove[k]);
            if (!goes)
                next->value[next->n_value++] = now->value[i];
        }
        for (size_t i = 0; i < change->n_add; i++) {
            if (wd_has(next, change->add[i]))
                WD_FAIL(wd, step, "%s has the value %s already", change->name, change->add[i]);
            next->value[next->n_value++] = change->add[i];
        }
        wd_put(wd, state, next);
    }
}

static inline void wd_access(struct wd *wd, const Umx__PlanStep *step, Umx__ObjectState *state)
{
    const Umx__AccessChange *change = step->change->access;
    char **list = umx_arena_alloc(wd->arena, (state->n_access + 1) * sizeof *list);
    size_t kept = 0;

    if (umx_image_has_entry(state, change) == change->add)
        WD_FAIL(wd, step, "the entry %s is %s", change->sddl, change->add ? "there already" : "not there");
    for (size_t i = 0; i < state->n_access; i++) {
        Umx__ObjectState one = UMX__OBJECT_STATE__INIT;
        one.access = &state->access[i];
        one.n_access = 1;
        if (change->add || !umx_image_has_entry(&one, change))
            list[kept++] = state->access[i];
    }
    if (change->add)
        list[kept++] = change->sddl;
    state->access = list;
    state->n_access = kept;
}

static inline void wd_compare(struct wd *wd, const Umx__PlanStep *step, bool after, const Umx__ObjectState *state)
{
    struct umx_text lines = {0};

    if (umx_image_differences(step, after, UMX_GRAIN_VALUE, state, NULL, NULL, &lines) > 0)
        WD_FAIL(wd, step, "%s image: %s", after ? "after-" : "before-", umx_text_string(&lines));
    umx_text_free(&lines);
}

/* One change of a directory; done gets the intent and the GUID that the journal would have. */
static inline void wd_write(struct wd *wd, const Umx__PlanStep *step, struct umx_step_state *done)
{
    const Umx__Change *change = step->change;
    struct wd_object *object =
        change->kind == UMX__CHANGE__KIND__ADD ? wd_look(wd, step->forest, change->dn, NULL) : wd_find(wd, step);
    Umx__Intent *intent = umx_reflect_new(&umx__intent__descriptor, wd->arena);

    if (change->kind == UMX__CHANGE__KIND__ADD) {
        size_t map;
        if (object != NULL || wd_record(wd, step->forest, change->dn, &map) != NULL)
            WD_FAIL(wd, step, "%s is there already", change->dn);
        object = wd_make(wd, step->forest, change->dn);
        wd_new_guid(wd, object->state);
        for (size_t i = 0; i < change->n_attribute; i++)
            wd_put(wd, object->state, change->attribute[i]);
    } else {
        if (object == NULL)
            WD_FAIL(wd, step, "%s is not there", change->dn);
        wd_compare(wd, step, false, object->state);
        intent->before = umx_image_of(object->state, step, wd->arena);
        intent->has_object_guid = 1;
        intent->object_guid = object->state->object_guid;
        intent->saved = object->state->attribute;
        intent->n_saved = change->kind == UMX__CHANGE__KIND__DELETE ? object->state->n_attribute : 0;
    }
    if (change->kind == UMX__CHANGE__KIND__DELETE) {
        for (size_t i = 0; i < wd->count; i++)
            if (wd->objects[i].state->exists && umx_text_equal(wd->objects[i].forest, step->forest) &&
                umx_text_dn_equal(umx_text_dn_parent(wd->objects[i].state->dn), change->dn))
                WD_FAIL(wd, step, "%s is below it", wd->objects[i].state->dn);
        Umx__ObjectState *gone = umx_reflect_copy(&object->state->base, wd->arena);
        gone->exists = 0;
        object->state = gone;
    } else if (change->kind == UMX__CHANGE__KIND__MODIFY) {
        wd_modify(wd, step, object->state);
    } else if (change->kind == UMX__CHANGE__KIND__ACCESS) {
        wd_access(wd, step, object->state);
    }
    wd_compare(wd, step, true, object->state);
    if (done != NULL) {
        done->object_guid = object->state->object_guid;
        done->intent = intent;
    }
}

/* What the world shows of an object is what its attributes are. */
static inline void wd_agree(struct wd *wd, const char *when)
{
    for (size_t i = 0; i < wd->count; i++) {
        const Umx__ObjectState *state = wd->objects[i].state;
        size_t map;
        const ProtobufCMessage *record = wd_record(wd, wd->objects[i].forest, state->dn, &map);
        if (!state->exists) {
            if (record != NULL && wd_look(wd, wd->objects[i].forest, state->dn, NULL) == NULL)
                fail_msg("%s, %s: %s is gone and the world has it", wd->what, when, state->dn);
            continue;
        }
        for (size_t m = map; record != NULL && wd_same_class(map, m); m++) {
            const Umx__AttributeValues *shown = wd_values(wd, record, &wd_maps[m]);
            const Umx__AttributeValues *real =
                umx_image_find(state->attribute, state->n_attribute, wd_maps[m].attribute);
            bool same = (real != NULL ? real->n_value : 0) == shown->n_value;
            for (size_t k = 0; same && k < shown->n_value; k++)
                same = wd_has(real, shown->value[k]);
            if (!same)
                fail_msg("%s, %s: %s: %s has %zu values (%s), the world shows %zu (%s)", wd->what, when, state->dn,
                         wd_maps[m].attribute, real != NULL ? real->n_value : 0,
                         real != NULL && real->n_value > 0 ? real->value[0] : "", shown->n_value,
                         shown->n_value > 0 ? shown->value[0] : "");
        }
    }
}

/* Servers write to the objects too: those show what the world says then. */
static inline void wd_follow(struct wd *wd)
{
    for (size_t i = 0; i < wd->count; i++) {
        struct wd_object *object = &wd->objects[i];
        size_t map = WD_MAPS;
        const ProtobufCMessage *record =
            object->state->exists ? wd_record(wd, object->forest, object->state->dn, &map) : NULL;
        for (size_t m = map; record != NULL && wd_same_class(map, m); m++)
            wd_put(wd, object->state, wd_values(wd, record, &wd_maps[m]));
    }
}

/* ---- ports */

static inline bool wd_listed(const char *const *names, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (umx_text_equal(names[i], name))
            return true;
    return false;
}

static inline int wd_part(struct wd *wd, struct umx_world *into, const char *field, const char *const *values,
                          size_t value_count, const char *const *tables, struct umx_error *err)
{
    int rc = 0;

    for (; rc == 0 && *tables != NULL; tables++) {
        size_t count;
        ProtobufCMessage **records = umx_world_table(umx_world_records(wd->world), umx_reflect_table(*tables), &count);
        for (size_t i = 0; rc == 0 && i < count; i++)
            if (value_count == 0 || wd_listed(values, value_count, wd_text(records[i], field)))
                rc = umx_world_add(into, records[i], err);
    }
    return rc;
}

static inline int wd_read_world(void *user, const char *const *forests, size_t count, const char *const *tables,
                                struct umx_world **out, struct umx_error *err)
{
    struct wd *wd = user;

    *out = umx_world_new(umx_world_records(wd->world)->taken_at);
    assert_non_null(*out);
    return wd_part(wd, *out, "forest", forests, count, tables, err);
}

/* Every shell of a forest sees its configuration; a machine tells of itself. */
static inline int wd_collect(void *user, const char *forest, const char *server, const char *const *tables,
                             int64_t deadline, struct umx_world *world, struct umx_error *err)
{
    int rc = 0;

    (void)deadline;
    for (; rc == 0 && *tables != NULL; tables++) {
        const char *const one[] = {*tables, NULL};
        const char *key = umx_record_key(umx_reflect_table(*tables));
        bool own = key == NULL || strncmp(key, "server", 6) == 0;
        rc = own ? wd_part(user, world, "server", &server, server != NULL, one, err)
                 : wd_part(user, world, "forest", &forest, 1, one, err);
    }
    return rc;
}

static inline int wd_call(void *user, const char *forest, bool writer, Umx__WorkerRequest *request, int64_t deadline,
                          struct umx_arena *arena, Umx__WorkerReply **reply, struct umx_error *err)
{
    struct wd *wd = user;
    const Umx__ReadObject *read = request->read_object;
    struct wd_object *object =
        read == NULL ? NULL : wd_look(wd, forest, read->dn, read->has_object_guid ? &read->object_guid : NULL);

    (void)writer;
    (void)deadline;
    if (request->request_case != UMX__WORKER_REQUEST__REQUEST_READ_OBJECT)
        return umx_fail(err, UMX_ERR_PROTOCOL, forest, "only reads are asked for here");
    if (object == NULL)
        return umx_fail(err, UMX_ERR_OBJECT_NOT_FOUND, read->dn, NULL);
    *reply = umx_reflect_new(&umx__worker_reply__descriptor, arena);
    (*reply)->reply_case = UMX__WORKER_REPLY__REPLY_OBJECT;
    (*reply)->object = umx_reflect_copy(&object->state->base, arena);
    return (*reply)->object != NULL ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, forest, NULL);
}

/* ---- a plan carried out */

static inline void wd_begin(struct wd *wd, const struct umx_world *world, const char *what)
{
    memset(wd, 0, sizeof *wd);
    wd->arena = umx_arena_new(WD_ARENA);
    wd->world = umx_world_copy(world);
    assert_non_null(wd->arena);
    assert_non_null(wd->world);
    wd->what = what;
    wd->revealed = umx_reflect_new(&umx__world__descriptor, wd->arena);
    pthread_mutex_init(&wd->engine.mutex, NULL);
    wd->engine.ports =
        (struct umx_engine_ports){.user = wd, .read_world = wd_read_world, .call = wd_call, .collect = wd_collect};
}

static inline void wd_end(struct wd *wd)
{
    pthread_mutex_destroy(&wd->engine.mutex);
    umx_world_free(wd->world);
    umx_arena_free(wd->arena);
    free(wd->objects);
}

/* What each item of an action, or a gate, answers: every field that steps and undo items refer to. */
static inline char *wd_result(struct wd *wd, const Umx__PlanStep *step)
{
    static const char *const before[] = {"thumbprint", "access_numbers", "country_code", "enterprise_voice",
                                         "line",       "policy",         "simple_name"};
    struct umx_text text = {0};
    size_t items = step->change->action != NULL ? step->change->action->n_item : 1;

    if (step->change->action != NULL)
        umx_text_adds(&text, "[");
    for (size_t i = 0; i < items; i++) {
        struct umx_text detail = {0};
        umx_text_addf(&detail, "{\"thumbprint\":\"%040X\",\"request\":\"R\",\"certificate\":\"C\",\"dn\":\"CN=X\"",
                      (unsigned)(0x10000 + ++wd->thumbprints));
        for (size_t k = 0; k < sizeof before / sizeof before[0]; k++)
            umx_text_addf(&detail, ",\"previous_%s\":\"before %u\"", before[k], wd->thumbprints);
        umx_text_adds(&detail, "}");
        if (step->change->action != NULL) {
            umx_text_addf(&text, "%s{\"item\":%zu,\"ok\":true,\"detail\":", i > 0 ? "," : "", i);
            umx_reflect_json_string(&text, umx_text_string(&detail));
            umx_text_adds(&text, "}");
        } else {
            umx_text_adds(&text, umx_text_string(&detail));
        }
        umx_text_free(&detail);
    }
    if (step->change->action != NULL)
        umx_text_adds(&text, "]");
    char *copy = umx_arena_string(wd->arena, umx_text_string(&text));
    umx_text_free(&text);
    return copy;
}

/* Calls for each record of a part. */
static inline void wd_each(struct wd *wd, const Umx__World *part, const Umx__World *before,
                           void (*take)(struct wd *wd, const struct umx_table *table, const ProtobufCMessage *promise,
                                        const Umx__World *before))
{
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);

    for (size_t t = 0; part != NULL && t < table_count; t++) {
        size_t count;
        if (tables[t].derived)
            continue;
        ProtobufCMessage **records = umx_world_table(part, &tables[t], &count);
        for (size_t i = 0; i < count; i++)
            take(wd, &tables[t], records[i], before);
    }
}

static inline void wd_remember(struct wd *wd, const struct umx_table *table, const ProtobufCMessage *promise,
                               const Umx__World *before)
{
    Umx__World *kept = (Umx__World *)(uintptr_t)before;
    ProtobufCMessage *record;
    size_t from = 0, first = 0;

    while ((record = umx_record_find(umx_world_records(wd->world), table, promise, &from)) != NULL) {
        first++;
        assert_true(umx_records_push(wd->arena, kept, umx_reflect_copy(record, wd->arena)));
    }
    if (first > 0 || wd->original == NULL)
        return;
    record = umx_record_find(wd->original, table, promise, &first);
    if (record == NULL)
        return;
    assert_true(umx_records_push(wd->arena, kept, umx_reflect_copy(record, wd->arena)));
    assert_true(umx_records_push(wd->arena, wd->revealed, umx_reflect_copy(record, wd->arena)));
}

static inline size_t wd_width(const ProtobufCFieldDescriptor *field)
{
    if (field->label == PROTOBUF_C_LABEL_REPEATED || field->type == PROTOBUF_C_TYPE_STRING)
        return sizeof(void *);
    return field->type == PROTOBUF_C_TYPE_BYTES   ? sizeof(ProtobufCBinaryData)
           : field->type == PROTOBUF_C_TYPE_INT64 ? sizeof(int64_t)
                                                  : sizeof(int32_t);
}

/* A server puts back what its results said was there, and so do people: the promised fields, or nothing where nothing
 * was. */
static inline void wd_put_back(struct wd *wd, const struct umx_table *table, const ProtobufCMessage *promise,
                               const Umx__World *before)
{
    struct umx_error err = {0};
    size_t from = 0, first = 0;
    ProtobufCMessage *record, *was = umx_record_find(before, table, promise, &first);

    if (was == NULL) {
        while ((record = umx_record_find(umx_world_records(wd->world), table, promise, &from)) != NULL)
            umx_world_remove(wd->world, table, --from);
        return;
    }
    if (umx_record_find(umx_world_records(wd->world), table, promise, &from) == NULL) {
        assert_int_equal(umx_world_add(wd->world, was, &err), 0);
        return;
    }
    from = 0;
    while ((record = umx_record_find(umx_world_records(wd->world), table, promise, &from)) != NULL) {
        const ProtobufCMessage *old = umx_record_find(before, table, promise, &first);
        old = old != NULL ? old : was;
        for (unsigned f = 0; f < table->record->n_fields; f++) {
            const ProtobufCFieldDescriptor *field = &table->record->fields[f];
            struct umx_text scratch = {0};
            bool list = field->label == PROTOBUF_C_LABEL_REPEATED;
            bool set = umx_reflect_cell(promise, field, &scratch).type != UMX_CELL_NULL;
            if (list) {
                size_t count;
                memcpy(&count, (const char *)promise + field->quantifier_offset, sizeof count);
                set = count > 0;
            }
            umx_text_free(&scratch);
            if (!set)
                continue;
            memcpy((char *)record + field->offset, (const char *)old + field->offset, wd_width(field));
            if (list || field->type != PROTOBUF_C_TYPE_STRING)
                memcpy((char *)record + field->quantifier_offset, (const char *)old + field->quantifier_offset,
                       list ? sizeof(size_t) : sizeof(protobuf_c_boolean));
        }
    }
}

static inline void wd_step(struct wd *wd, struct umx_step_state *state)
{
    Umx__PlanStep *step = NULL;
    struct umx_error err = {0};
    const size_t index = (size_t)(state - wd->plan.steps);
    const Umx__Change__Kind kind = state->step->change->kind;

    if (kind == UMX__CHANGE__KIND__ACTION || kind == UMX__CHANGE__KIND__GATE)
        state->result = wd_result(wd, state->step);
    int rc = umx_references_resolve(&wd->plan, state->step, wd->arena, &step, &err);
    if (rc == 0)
        rc = umx_references_promise(&wd->plan, step, wd->arena, &err);
    if (rc == 0 && kind < UMX__CHANGE__KIND__ACTION)
        wd_write(wd, step, state);
    if (rc == 0 && (kind == UMX__CHANGE__KIND__ACTION || kind == UMX__CHANGE__KIND__GATE)) {
        wd->before[index] = umx_reflect_new(&umx__world__descriptor, wd->arena);
        wd->original = step->original;
        wd_each(wd, step->predicted, wd->before[index], wd_remember);
        wd_each(wd, step->removed, wd->before[index], wd_remember);
    }
    wd->resolved[index] = step;
    if (rc == 0)
        rc = umx_phase_apply(wd->world, step, &err);
    if (rc != 0)
        WD_FAIL(wd, state->step, "%s: %s", err.what, umx_error_why(&err));
    if (kind >= UMX__CHANGE__KIND__ACTION)
        wd_follow(wd);
    state->effected = kind != UMX__CHANGE__KIND__WAIT;
    state->state = UMX__PLAN_STEP__STATE__VERIFIED;
}

static inline void wd_carry_out(struct wd *wd, const struct umx_steps *steps)
{
    wd->plan.name = "plan";
    wd->plan.arena = wd->arena;
    wd->plan.step_count = steps->count;
    wd->plan.steps = umx_arena_alloc(wd->arena, (steps->count + 1) * sizeof *wd->plan.steps);
    wd->before = umx_arena_alloc(wd->arena, (steps->count + 1) * sizeof *wd->before);
    wd->resolved = umx_arena_alloc(wd->arena, (steps->count + 1) * sizeof *wd->resolved);
    for (size_t i = 0; i < steps->count; i++)
        wd->plan.steps[i].step = steps->items[i];
    for (size_t i = 0; i < steps->count; i++)
        wd_step(wd, &wd->plan.steps[i]);
    wd_agree(wd, "after the plan");
}

/* A step of the inverse; a server's then keeps what the engine will demand of it. */
static inline int wd_undo_step(struct wd *wd, const Umx__PlanStep *step, struct umx_error *err)
{
    const struct umx_step_state *done = umx_states_step(&wd->plan, step->undoes);
    const size_t index = done != NULL ? (size_t)(done - wd->plan.steps) : 0;
    struct umx_text lines = {0};
    int rc = 0;

    if (step->change->kind < UMX__CHANGE__KIND__ACTION)
        wd_write(wd, step, NULL);
    if (done != NULL &&
        (step->change->kind == UMX__CHANGE__KIND__GATE ||
         (step->change->kind == UMX__CHANGE__KIND__ACTION && step->change->action->undo_action != NULL))) {
        wd_each(wd, wd->resolved[index]->predicted, wd->before[index], wd_put_back);
        wd_each(wd, wd->resolved[index]->removed, wd->before[index], wd_put_back);
        if (umx_records_differences(umx_world_records(wd->world), step->predicted, step->removed, &lines) > 0)
            WD_FAIL(wd, step, "promises: %s", umx_text_string(&lines));
    } else {
        rc = umx_phase_apply(wd->world, step, err);
    }
    umx_text_free(&lines);
    if (rc == 0 && step->change->kind >= UMX__CHANGE__KIND__ACTION)
        wd_follow(wd);
    return rc;
}

/* The engine's inverse, carried out; false: there is nothing to undo. */
static inline bool wd_undo(struct wd *wd, struct umx_inverse *inverse, struct umx_error *err)
{
    *inverse = (struct umx_inverse){.engine = &wd->engine, .original = &wd->plan, .arena = wd->arena, .err = err};
    int rc = umx_inverse_plan(inverse, NULL);

    if (rc != 0 && err->id == UMX_ERR_NOTHING_TO_UNDO)
        return false;
    if (rc != 0)
        fail_msg("%s, undo: %s: %s", wd->what, err->what, umx_error_why(err));
    for (size_t i = 0; i < inverse->step_count; i++) {
        if (wd_undo_step(wd, inverse->steps[i], err) != 0)
            WD_FAIL(wd, inverse->steps[i], "%s: %s", err->what, umx_error_why(err));
    }
    wd_agree(wd, "after the undo");
    return true;
}

#endif
