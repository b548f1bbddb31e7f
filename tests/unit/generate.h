/*
 * Messages of any type of the schema, made up from a seed: unset fields, extreme numbers, umlauts, empty and odd text,
 * unknown enum values. What is generated survives every representation (JSON, packed bytes), since times stay within
 * the years of RFC 3339 and text is valid UTF-8.
 */
#ifndef UMX_TESTS_UNIT_GENERATE_H
#define UMX_TESTS_UNIT_GENERATE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/reflect.h"
#include "base/reflect_field.h"
#include "umx/v1/agent.pb-c.h"
#include "umx/v1/operator.pb-c.h"
#include "umx/v1/plan.pb-c.h"
#include "umx/v1/worker.pb-c.h"
#include "umx/v1/world.pb-c.h"

/* splitmix64 */
static inline uint64_t generate_next(uint64_t *seed)
{
    uint64_t z = (*seed += UINT64_C(0x9E3779B97F4A7C15));

    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return z ^ (z >> 31);
}

static inline size_t generate_below(uint64_t *seed, size_t limit)
{
    return (size_t)(generate_next(seed) % limit);
}

static inline int64_t generate_integer(uint64_t *seed, enum umx_kind kind)
{
    static const int64_t narrow[] = {0, 1, -1, INT32_MAX, INT32_MIN, 65536, -131072};
    static const int64_t wide[] = {0, 1, -1, INT64_MAX, INT64_MIN, INT64_C(9007199254740993), INT32_MIN};
    static const int64_t times[] = {0,
                                    -1,
                                    INT64_C(-62167219200000000),
                                    INT64_C(253402300799999999),
                                    INT64_C(1769896800000000),
                                    INT64_C(1709164800000001)};
    bool plain = generate_below(seed, 2) == 0;
    int64_t random = (int64_t)(generate_next(seed) >> 1);

    if (kind == UMX_KIND_TIME)
        return plain ? random % INT64_C(253402300799999999) : times[generate_below(seed, 6)];
    if (kind == UMX_KIND_INT64)
        return plain ? random : wide[generate_below(seed, 7)];
    return plain ? random % INT32_MAX : narrow[generate_below(seed, 7)];
}

static inline char *generate_string(uint64_t *seed, struct umx_arena *arena)
{
    static const char *const pieces[] = {"",
                                         "a",
                                         "Größe",
                                         "\"quoted\"",
                                         "back\\slash",
                                         "tab\tand\nline",
                                         "\x01\x1f",
                                         "CN=x,DC=exchange,DC=test",
                                         "\xEF\xBF\xBD",
                                         "\xF0\x9F\x93\x9E",
                                         "'; DROP TABLE agent; --",
                                         "\x7f",
                                         "null",
                                         "</script>",
                                         "%s%n"};
    struct umx_text text = {0};

    for (size_t i = generate_below(seed, 4); i > 0; i--)
        umx_text_adds(&text, pieces[generate_below(seed, sizeof pieces / sizeof pieces[0])]);
    char *copy = umx_arena_copy(arena, umx_text_string(&text), text.length);
    umx_text_free(&text);
    return copy;
}

static inline ProtobufCMessage *generate_message(uint64_t *seed, const ProtobufCMessageDescriptor *type,
                                                 struct umx_arena *arena);

static inline void generate_value(uint64_t *seed, const ProtobufCFieldDescriptor *field, void *to,
                                  struct umx_arena *arena)
{
    enum umx_kind kind = umx_field_kind(field);
    int64_t wide = generate_integer(seed, kind);
    int32_t narrow = (int32_t)wide;
    ProtobufCBinaryData bytes = {0};
    void *pointer;

    switch (kind) {
    case UMX_KIND_INT64:
    case UMX_KIND_TIME:
        memcpy(to, &wide, sizeof wide);
        break;
    case UMX_KIND_BOOL:
        narrow &= 1;
        memcpy(to, &narrow, sizeof narrow);
        break;
    case UMX_KIND_ENUM:
        if (generate_below(seed, 4) != 0) {
            const ProtobufCEnumDescriptor *words = field->descriptor;
            narrow = words->values[generate_below(seed, words->n_values)].value;
        }
        memcpy(to, &narrow, sizeof narrow);
        break;
    case UMX_KIND_STRING:
        pointer = generate_string(seed, arena);
        memcpy(to, &pointer, sizeof pointer);
        break;
    case UMX_KIND_BYTES:
        bytes.len = generate_below(seed, 20);
        bytes.data = umx_arena_alloc(arena, bytes.len + 1);
        for (size_t i = 0; i < bytes.len; i++)
            bytes.data[i] = (uint8_t)generate_next(seed);
        memcpy(to, &bytes, sizeof bytes);
        break;
    case UMX_KIND_MESSAGE:
        pointer = generate_message(seed, field->descriptor, arena);
        memcpy(to, &pointer, sizeof pointer);
        break;
    default:
        memcpy(to, &narrow, sizeof narrow);
        break;
    }
}

static inline ProtobufCMessage *generate_message(uint64_t *seed, const ProtobufCMessageDescriptor *type,
                                                 struct umx_arena *arena)
{
    ProtobufCMessage *message = umx_reflect_new(type, arena);

    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &type->fields[i];
        if (field->label == PROTOBUF_C_LABEL_REPEATED) {
            size_t count = generate_below(seed, 8) > 4 ? generate_below(seed, 3) : 0;
            if (count == 0)
                continue;
            umx_field_set_array(message, field, umx_arena_alloc(arena, count * umx_field_size(field)), count);
            for (size_t k = 0; k < count; k++)
                generate_value(seed, field, umx_field_edit(message, field, k), arena);
        } else if (generate_below(seed, 3) != 0) {
            generate_value(seed, field, umx_field_edit(message, field, 0), arena);
            umx_field_mark(message, field);
        }
    }
    return message;
}

/* ---- every type of the schema: those that are sent by themselves, and what they contain */

enum { GENERATE_TYPES_MAX = 256 };

struct generate_types {
    const ProtobufCMessageDescriptor *type[GENERATE_TYPES_MAX];
    size_t count;
};

static inline void generate_collect(struct generate_types *types, const ProtobufCMessageDescriptor *type)
{
    for (size_t i = 0; i < types->count; i++)
        if (types->type[i] == type)
            return;
    if (types->count == GENERATE_TYPES_MAX)
        abort();
    types->type[types->count++] = type;
    for (unsigned i = 0; i < type->n_fields; i++)
        if (type->fields[i].type == PROTOBUF_C_TYPE_MESSAGE)
            generate_collect(types, type->fields[i].descriptor);
}

static inline struct generate_types generate_all_types(void)
{
    static const ProtobufCMessageDescriptor *const roots[] = {
        &umx__world__descriptor,
        &umx__derived__descriptor,
        &umx__to_controller__descriptor,
        &umx__to_agent__descriptor,
        &umx__worker_request__descriptor,
        &umx__worker_reply__descriptor,
        &umx__plan__descriptor,
        &umx__call__descriptor,
        &umx__run_event__descriptor,
        &umx__error_body__descriptor,
        &umx__progress_body__descriptor,
        &umx__no_arguments__descriptor,
        &umx__query_arguments__descriptor,
        &umx__query_save_arguments__descriptor,
        &umx__query_name_arguments__descriptor,
        &umx__saved_query__descriptor,
        &umx__silent_agent__descriptor,
        &umx__token_create_arguments__descriptor,
        &umx__token_arguments__descriptor,
        &umx__agent_arguments__descriptor,
        &umx__agents_update_arguments__descriptor,
        &umx__agent_update__descriptor,
        &umx__package_part__descriptor,
        &umx__fleet_update__descriptor,
        &umx__update_state__descriptor,
        &umx__update_offer__descriptor,
        &umx__update_part__descriptor,
        &umx__update_confirm__descriptor,
        &umx__ca_rotate_begin_arguments__descriptor,
        &umx__ca_rotate_complete_arguments__descriptor,
        &umx__authority_certificate__descriptor,
        &umx__authority_laggard__descriptor,
        &umx__token__descriptor,
        &umx__held_enrolment__descriptor,
        &umx__check_arguments__descriptor,
        &umx__plan_create_arguments__descriptor,
        &umx__plan_template_arguments__descriptor,
        &umx__plan_export_arguments__descriptor,
        &umx__plan_arguments__descriptor,
        &umx__plan_decision_arguments__descriptor,
        &umx__plan_start_arguments__descriptor,
        &umx__plan_confirm_arguments__descriptor,
        &umx__plan_undo_arguments__descriptor,
        &umx__audit_arguments__descriptor,
        &umx__grants_arguments__descriptor,
        &umx__phase_info__descriptor,
        &umx__grant__descriptor,
        &umx__issue_request__descriptor,
        &umx__issue_reply__descriptor,
    };
    struct generate_types types = {.count = 0};

    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++)
        generate_collect(&types, roots[i]);
    return types;
}

#endif
