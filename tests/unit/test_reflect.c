#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <jansson.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/clock.h"
#include "generate.h"

enum { ROUNDS = 60, BIG = 64 * 1024 * 1024 };

static struct umx_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = umx_arena_new(BIG);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    umx_arena_free(arena);
    return 0;
}

static void renew(void)
{
    umx_arena_free(arena);
    arena = umx_arena_new(BIG);
    assert_non_null(arena);
}

static bool in_types(const struct generate_types *types, const char *name)
{
    for (size_t i = 0; i < types->count; i++)
        if (strcmp(types->type[i]->short_name, name) == 0)
            return true;
    return false;
}

/* The list in generate.h is complete: every `message NAME` of the .proto files is in it. */
static void every_type_is_tested(void **state)
{
    static const char *const files[] = {"agent", "directory", "facts", "operator", "plan", "worker", "world"};
    struct generate_types types = generate_all_types();
    size_t seen = 0;

    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char path[512];
        char line[512];
        snprintf(path, sizeof path, "%s/proto/umx/v1/%s.proto", UMX_SOURCE_DIR, files[i]);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        while (fgets(line, sizeof line, file) != NULL) {
            char name[128];
            if (sscanf(line, "message %127[A-Za-z0-9]", name) != 1)
                continue;
            seen++;
            if (!in_types(&types, name))
                fail_msg("%s is not tested", name);
        }
        fclose(file);
    }
    assert_int_equal(seen, types.count);
}

/* Field types that reflection does not know would be null everywhere; words must fit their buffer; names need no quotes
 * (state.db's test makes a table of each). */
static void schema_keeps_to_what_reflection_knows(void **state)
{
    struct generate_types types = generate_all_types();

    (void)state;
    for (size_t t = 0; t < types.count; t++) {
        for (unsigned i = 0; i < types.type[t]->n_fields; i++) {
            const ProtobufCFieldDescriptor *field = &types.type[t]->fields[i];
            if (umx_field_kind(field) == UMX_KIND_UNSUPPORTED)
                fail_msg("%s.%s has a type without JSON", types.type[t]->short_name, field->name);
            assert_int_not_equal(field->label, PROTOBUF_C_LABEL_REQUIRED);
            assert_null(field->default_value);
            assert_int_equal(strspn(field->name, "abcdefghijklmnopqrstuvwxyz0123456789_"), strlen(field->name));
            if (field->type != PROTOBUF_C_TYPE_ENUM)
                continue;
            const ProtobufCEnumDescriptor *words = field->descriptor;
            for (unsigned k = 0; k < words->n_values; k++) {
                char buf[24];
                int value;
                assert_true(strlen(words->values[k].name) < sizeof buf);
                assert_true(umx_reflect_value_of(words, umx_reflect_word(words, words->values[k].value, buf), &value));
                assert_int_equal(value, words->values[k].value);
            }
        }
    }
}

static void json_round_trip(void **state)
{
    struct generate_types types = generate_all_types();
    uint64_t seed = 1;

    (void)state;
    for (size_t t = 0; t < types.count; t++) {
        for (int round = 0; round < ROUNDS; round++) {
            struct umx_text first = {0};
            struct umx_text second = {0};
            struct umx_error err = {0};
            ProtobufCMessage *back;
            renew();
            ProtobufCMessage *message = generate_message(&seed, types.type[t], arena);
            umx_reflect_json(message, &first);
            assert_false(first.failed);
            assert_true(umx_text_valid(first.data, first.length));
            assert_null(strchr(first.data, '\n'));
            if (umx_reflect_from_json(types.type[t], first.data, first.length, arena, &back, &err) != UMX_OK)
                fail_msg("%s: %s: %s in %s", types.type[t]->short_name, err.what, umx_error_why(&err), first.data);
            assert_true(umx_reflect_equal(message, back));
            umx_reflect_json(back, &second);
            assert_string_equal(first.data, second.data);
            umx_text_free(&first);
            umx_text_free(&second);
        }
    }
}

/* Every field is there, in the schema's order, also when it is unset. */
static void json_names_every_field(void **state)
{
    struct generate_types types = generate_all_types();

    (void)state;
    for (size_t t = 0; t < types.count; t++) {
        struct umx_text json = {0};
        umx_reflect_json(umx_reflect_new(types.type[t], arena), &json);
        json_t *tree = json_loads(json.data, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(tree);
        assert_int_equal(json_object_size(tree), types.type[t]->n_fields);
        for (unsigned i = 0; i < types.type[t]->n_fields; i++) {
            json_t *value = json_object_get(tree, types.type[t]->fields[i].name);
            bool repeated = types.type[t]->fields[i].label == PROTOBUF_C_LABEL_REPEATED;
            assert_true(repeated ? json_is_array(value) : json_is_null(value));
        }
        json_decref(tree);
        umx_text_free(&json);
    }
}

static void packed_round_trip_and_copy(void **state)
{
    struct generate_types types = generate_all_types();
    uint64_t seed = 2;

    (void)state;
    for (size_t t = 0; t < types.count; t++) {
        for (int round = 0; round < ROUNDS; round++) {
            uint8_t *bytes;
            size_t length;
            ProtobufCMessage *back;
            renew();
            ProtobufCMessage *message = generate_message(&seed, types.type[t], arena);
            assert_int_equal(umx_reflect_pack(message, &bytes, &length, NULL), UMX_OK);
            assert_int_equal(umx_reflect_unpack(types.type[t], bytes, length, arena, &back, NULL), UMX_OK);
            assert_true(umx_reflect_equal(message, back));
            ProtobufCMessage *copy = umx_reflect_copy(message, arena);
            assert_non_null(copy);
            assert_true(umx_reflect_equal(message, copy));
            free(bytes);
        }
    }
}

/* A change of any one field is a difference. */
static void equal_sees_each_field(void **state)
{
    struct generate_types types = generate_all_types();
    uint64_t seed = 3;

    (void)state;
    for (size_t t = 0; t < types.count; t++) {
        for (unsigned i = 0; i < types.type[t]->n_fields; i++) {
            const ProtobufCFieldDescriptor *field = &types.type[t]->fields[i];
            ProtobufCMessage *empty = umx_reflect_new(types.type[t], arena);
            ProtobufCMessage *set = umx_reflect_new(types.type[t], arena);
            if (field->label == PROTOBUF_C_LABEL_REPEATED)
                umx_field_set_array(set, field, umx_arena_alloc(arena, umx_field_size(field)), 1);
            else
                umx_field_mark(set, field);
            generate_value(&seed, field, umx_field_edit(set, field, 0), arena);
            assert_false(umx_reflect_equal(empty, set));
            assert_true(umx_reflect_equal(set, set));
        }
    }
    assert_false(umx_reflect_equal(umx_reflect_new(types.type[0], arena), umx_reflect_new(types.type[1], arena)));
}

/* Whatever comes, it is a valid message within the arena, or an error that says so. */
static void try_bytes(const ProtobufCMessageDescriptor *type, const uint8_t *bytes, size_t length)
{
    struct umx_arena *own = umx_arena_new(length * UMX_ARENA_FACTOR + UMX_ARENA_FLOOR);
    struct umx_error err = {0};
    struct umx_text json = {0};
    ProtobufCMessage *message;

    assert_non_null(own);
    int status = umx_reflect_unpack(type, bytes, length, own, &message, &err);
    assert_true(umx_arena_used(own) <= length * UMX_ARENA_FACTOR + UMX_ARENA_FLOOR);
    if (status == UMX_OK) {
        umx_reflect_json(message, &json);
        assert_true(umx_text_valid(json.data, json.length));
        json_t *tree = json_loadb(json.data, json.length, JSON_REJECT_DUPLICATES, NULL);
        assert_non_null(tree);
        json_decref(tree);
        umx_text_free(&json);
    } else {
        assert_null(message);
        assert_true(err.id == UMX_ERR_MESSAGE_INVALID || err.id == UMX_ERR_ARENA_FULL);
        assert_int_equal(err.status, status);
    }
    umx_arena_free(own);
}

static void truncated_and_mutated_bytes(void **state)
{
    struct generate_types types = generate_all_types();
    uint64_t seed = 4;

    (void)state;
    for (size_t t = 0; t < types.count; t++) {
        for (int round = 0; round < 4; round++) {
            uint8_t *bytes;
            size_t length;
            renew();
            ProtobufCMessage *message = generate_message(&seed, types.type[t], arena);
            assert_int_equal(umx_reflect_pack(message, &bytes, &length, NULL), UMX_OK);
            for (size_t cut = 0; cut<length; cut += length> 512 ? 13 : 1) {
                /* An exact copy, so that a read past its end is one past an allocation. */
                uint8_t *exact = malloc(cut + (cut == 0));
                assert_non_null(exact);
                memcpy(exact, bytes, cut);
                try_bytes(types.type[t], exact, cut);
                free(exact);
            }
            for (int change = 0; change < 60 && length > 0; change++) {
                size_t at = generate_below(&seed, length);
                uint8_t before = bytes[at];
                bytes[at] = (uint8_t)generate_next(&seed);
                try_bytes(types.type[t], bytes, length);
                if (generate_below(&seed, 3) != 0)
                    bytes[at] = before;
            }
            free(bytes);
        }
    }
}

/* 4 MB of empty records would become hundreds: refused, and the arena says why. */
static void amplification_is_refused(void **state)
{
    enum { BYTES = 4 * 1024 * 1024 };
    uint8_t *bytes = malloc(BYTES);
    struct umx_arena *own = umx_arena_new((size_t)BYTES * UMX_ARENA_FACTOR + UMX_ARENA_FLOOR);
    struct umx_error err = {0};
    ProtobufCMessage *message;

    (void)state;
    assert_non_null(bytes);
    assert_non_null(own);
    for (size_t i = 0; i < BYTES; i += 2) {
        bytes[i] = 10 << 3 | 2; /* World.agent, length 0 */
        bytes[i + 1] = 0;
    }
    assert_int_equal(umx_reflect_unpack(&umx__world__descriptor, bytes, BYTES, own, &message, &err), UMX_E_LIMIT);
    assert_int_equal(err.id, UMX_ERR_ARENA_FULL);
    assert_null(message);
    umx_arena_free(own);
    free(bytes);
}

/* The arena refuses at every place in turn; nothing crashes and every refusal is reported. */
static void every_allocation_can_fail(void **state)
{
    uint64_t seed = 5;
    struct umx_text json = {0};
    uint8_t *bytes;
    size_t length;
    bool worked = false;

    (void)state;
    ProtobufCMessage *message = generate_message(&seed, &umx__plan_step__descriptor, arena);
    umx_reflect_json(message, &json);
    assert_int_equal(umx_reflect_pack(message, &bytes, &length, NULL), UMX_OK);
    for (size_t cap = 0; !worked; cap += 16) {
        struct umx_error err = {0};
        ProtobufCMessage *back;
        struct umx_arena *small[3] = {umx_arena_new(cap), umx_arena_new(cap), umx_arena_new(cap)};
        int unpacked = umx_reflect_unpack(message->descriptor, bytes, length, small[0], &back, &err);
        assert_true(unpacked == UMX_OK || err.id == UMX_ERR_ARENA_FULL);
        int parsed = umx_reflect_from_json(message->descriptor, json.data, json.length, small[1], &back, &err);
        assert_true(parsed == UMX_OK || err.id == UMX_ERR_ARENA_FULL);
        void *copy = umx_reflect_copy(message, small[2]);
        worked = unpacked == UMX_OK && parsed == UMX_OK && copy != NULL;
        for (int i = 0; i < 3; i++)
            umx_arena_free(small[i]);
        assert_true(cap < BIG);
    }
    umx_text_free(&json);
    free(bytes);
}

static void invalid_text_is_replaced(void **state)
{
    static char bad[] = "M\xFCller";
    static char half[] = "x\xE2\x82";
    char *suffixes[] = {half};
    Umx__Forest forest = UMX__FOREST__INIT;
    uint8_t *bytes;
    size_t length;
    ProtobufCMessage *message;

    (void)state;
    forest.forest = bad;
    forest.upn_suffix = suffixes;
    forest.n_upn_suffix = 1;
    assert_int_equal(umx_reflect_pack(&forest.base, &bytes, &length, NULL), UMX_OK);
    assert_int_equal(umx_reflect_unpack(&umx__forest__descriptor, bytes, length, arena, &message, NULL), UMX_OK);
    assert_string_equal(((Umx__Forest *)message)->forest, "M\xEF\xBF\xBDller");
    assert_string_equal(((Umx__Forest *)message)->upn_suffix[0], "x\xEF\xBF\xBD\xEF\xBF\xBD");
    free(bytes);
}

static void unknown_fields_are_dropped(void **state)
{
    static const uint8_t bytes[] = {0xFA, 0x3F, 3, 'n', 'e', 'w', 0x0A, 1, 'f'}; /* field 1023, then Forest.forest */
    ProtobufCMessage *message;

    (void)state;
    assert_int_equal(umx_reflect_unpack(&umx__forest__descriptor, bytes, sizeof bytes, arena, &message, NULL), UMX_OK);
    assert_string_equal(((Umx__Forest *)message)->forest, "f");
    assert_int_equal(message->n_unknown_fields, 0);
    assert_int_equal(protobuf_c_message_get_packed_size(message), 3);
}

static void json_refusals(void **state)
{
    static const struct {
        const char *json;
        int id;
        const char *what;
    } cases[] = {
        {"", UMX_ERR_JSON_INVALID, "Forest"},
        {"{", UMX_ERR_JSON_INVALID, "Forest"},
        {"{} {}", UMX_ERR_JSON_INVALID, "Forest"},
        {"{}x", UMX_ERR_JSON_INVALID, "Forest"},
        {"[]", UMX_ERR_JSON_VALUE_INVALID, "Forest"},
        {"null", UMX_ERR_JSON_INVALID, "Forest"},
        {"{\"nothing\":1}", UMX_ERR_JSON_KEY_UNKNOWN, "nothing"},
        {"{\"Forest\":\"x\"}", UMX_ERR_JSON_KEY_UNKNOWN, "Forest"},
        {"{\"forest\":\"a\",\"forest\":\"b\"}", UMX_ERR_JSON_INVALID, "Forest"},
        {"{\"forest\":1}", UMX_ERR_JSON_VALUE_INVALID, "forest"},
        {"{\"forest\":\"\\u0000\"}", UMX_ERR_JSON_INVALID, "Forest"},
        {"{\"forest\":\"\xFC\"}", UMX_ERR_JSON_INVALID, "Forest"},
        {"{\"functional_level\":2147483648}", UMX_ERR_JSON_VALUE_INVALID, "functional_level"},
        {"{\"functional_level\":-2147483649}", UMX_ERR_JSON_VALUE_INVALID, "functional_level"},
        {"{\"functional_level\":1.0}", UMX_ERR_JSON_VALUE_INVALID, "functional_level"},
        {"{\"functional_level\":\"7\"}", UMX_ERR_JSON_VALUE_INVALID, "functional_level"},
        {"{\"functional_level\":true}", UMX_ERR_JSON_VALUE_INVALID, "functional_level"},
        {"{\"highest_usn\":9223372036854775808}", UMX_ERR_JSON_INVALID, "Forest"},
        {"{\"side\":\"EXCHANGE\"}", UMX_ERR_JSON_VALUE_INVALID, "side"},
        {"{\"side\":\"unknown_\"}", UMX_ERR_JSON_VALUE_INVALID, "side"},
        {"{\"side\":\"unknown_+9\"}", UMX_ERR_JSON_VALUE_INVALID, "side"},
        {"{\"side\":\"unknown_99999999999\"}", UMX_ERR_JSON_VALUE_INVALID, "side"},
        {"{\"collected_at\":0}", UMX_ERR_JSON_VALUE_INVALID, "collected_at"},
        {"{\"collected_at\":\"yesterday\"}", UMX_ERR_TIME_INVALID, "collected_at"},
        {"{\"invocation_id\":\"abc\"}", UMX_ERR_JSON_VALUE_INVALID, "invocation_id"},
        {"{\"invocation_id\":\"zz\"}", UMX_ERR_JSON_VALUE_INVALID, "invocation_id"},
        {"{\"upn_suffix\":\"a\"}", UMX_ERR_JSON_VALUE_INVALID, "upn_suffix"},
        {"{\"upn_suffix\":[\"a\",null]}", UMX_ERR_JSON_VALUE_INVALID, "upn_suffix[1]"},
        {"{\"upn_suffix\":[{}]}", UMX_ERR_JSON_VALUE_INVALID, "upn_suffix[0]"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct umx_error err = {0};
        ProtobufCMessage *message;
        int status = umx_reflect_from_json(&umx__forest__descriptor, cases[i].json, strlen(cases[i].json), arena,
                                           &message, &err);
        if (status == UMX_OK || err.id != cases[i].id || strcmp(err.what, cases[i].what) != 0)
            fail_msg("%s: UMX-%d %s", cases[i].json, err.id, err.what);
        assert_null(message);
    }
}

static void json_of_oneofs(void **state)
{
    static const char one[] = "{\"hello\":{\"server\":\"a\"},\"report\":null}";
    static const char both[] = "{\"hello\":{},\"report\":{}}";
    struct umx_error err = {0};
    ProtobufCMessage *message;

    (void)state;
    assert_int_equal(umx_reflect_from_json(&umx__to_controller__descriptor, one, strlen(one), arena, &message, &err),
                     0);
    assert_int_equal(((Umx__ToController *)message)->message_case, UMX__TO_CONTROLLER__MESSAGE_HELLO);
    assert_string_equal(((Umx__ToController *)message)->hello->server, "a");
    assert_int_equal(umx_reflect_from_json(&umx__to_controller__descriptor, both, strlen(both), arena, &message, &err),
                     UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_JSON_VALUE_INVALID);
    assert_string_equal(err.what, "report");
}

static void json_depth_and_density_are_capped(void **state)
{
    enum { MANY = 2 * 1024 * 1024 };
    struct umx_text json = {0};
    struct umx_error err = {0};
    ProtobufCMessage *message;

    (void)state;
    for (int i = 0; i < UMX_MAX_JSON_DEPTH + 1; i++)
        umx_text_adds(&json, "[");
    assert_int_equal(umx_reflect_from_json(&umx__forest__descriptor, json.data, json.length, arena, &message, &err),
                     UMX_E_ARGUMENT);
    assert_int_equal(err.id, UMX_ERR_JSON_INVALID);
    json.length = 0;
    umx_text_adds(&json, "{\"upn_suffix\":[");
    for (int i = 0; i < MANY / 3; i++)
        umx_text_adds(&json, "[],");
    umx_text_adds(&json, "[]]}");
    assert_int_equal(umx_reflect_from_json(&umx__forest__descriptor, json.data, json.length, arena, &message, &err),
                     UMX_E_LIMIT);
    assert_int_equal(err.id, UMX_ERR_ARENA_FULL);
    /* Brackets inside of strings are text. */
    json.length = 0;
    umx_text_adds(&json, "{\"forest\":\"");
    for (int i = 0; i < 1000; i++)
        umx_text_adds(&json, "[{\\\"");
    umx_text_adds(&json, "\"}");
    assert_int_equal(umx_reflect_from_json(&umx__forest__descriptor, json.data, json.length, arena, &message, &err), 0);
    umx_text_free(&json);
}

static void words(void **state)
{
    char buf[24];
    int value;

    (void)state;
    assert_string_equal(umx_reflect_word(&umx__finding__status__descriptor, 5, buf), "not_applicable");
    assert_string_equal(umx_reflect_word(&umx__finding__status__descriptor, INT32_MIN, buf), "unknown_-2147483648");
    assert_true(umx_reflect_value_of(&umx__finding__status__descriptor, "unknown_-2147483648", &value));
    assert_int_equal(value, INT32_MIN);
    assert_true(umx_reflect_value_of(&umx__finding__status__descriptor, "unknown", &value));
    assert_int_equal(value, UMX__FINDING__STATUS__UNKNOWN);
    assert_false(umx_reflect_value_of(&umx__finding__status__descriptor, "", &value));
    assert_false(umx_reflect_value_of(&umx__finding__status__descriptor, "unknown_007", &value));
}

static void tables_follow_the_schema(void **state)
{
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    size_t derived = 0;

    (void)state;
    assert_true(count > 30);
    for (size_t t = 0; t < count; t++) {
        assert_ptr_equal(umx_reflect_table(tables[t].name), &tables[t]);
        assert_ptr_equal(umx_reflect_table_of(tables[t].record), &tables[t]);
        assert_string_equal(tables[t].field->name, tables[t].name);
        assert_true(tables[t].derived || derived == 0); /* World first */
        derived += tables[t].derived;
    }
    assert_int_equal(derived, umx__derived__descriptor.n_fields);
    assert_string_equal(tables[0].name, "agent");
    assert_null(umx_reflect_table("sqlite_schema"));
    assert_null(umx_reflect_table_of(&umx__world__descriptor));
}

static void comments(void **state)
{
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);

    (void)state;
    for (size_t t = 0; t < count; t++)
        if (umx_reflect_comment(tables[t].record->short_name, NULL)[0] == '\0')
            fail_msg("%s has no comment", tables[t].record->short_name);
    assert_string_equal(umx_reflect_comment("Agent", "version"), "Version of the agent program.");
    assert_string_equal(umx_reflect_comment("Agent", "nothing"), "");
    assert_string_equal(umx_reflect_comment("Nothing", NULL), "");
}

static struct umx_cell cell_of(const ProtobufCMessage *record, const char *name, struct umx_text *scratch)
{
    return umx_reflect_cell(record, protobuf_c_message_descriptor_get_field_by_name(record->descriptor, name), scratch);
}

static void cells(void **state)
{
    static const char json[] =
        "{\"thumbprint\":\"AB\",\"dns_name\":[\"a\",\"b\"],\"key_bits\":2048,\"self_signed\":true,"
        "\"not_before_at\":\"2026-01-31T22:00:00Z\"}";
    ProtobufCMessage *record;
    struct umx_text scratch = {0};

    (void)state;
    assert_int_equal(umx_reflect_from_json(&umx__certificate__descriptor, json, strlen(json), arena, &record, NULL), 0);
    struct umx_cell cell = cell_of(record, "thumbprint", &scratch);
    assert_int_equal(cell.type, UMX_CELL_TEXT);
    assert_memory_equal(cell.text, "AB", 3);
    cell = cell_of(record, "dns_name", &scratch);
    assert_int_equal(cell.type, UMX_CELL_TEXT);
    assert_string_equal(cell.text, "[\"a\",\"b\"]");
    assert_int_equal(cell.length, 9);
    cell = cell_of(record, "eku", &scratch);
    assert_string_equal(cell.text, "[]");
    cell = cell_of(record, "key_bits", &scratch);
    assert_int_equal(cell.type, UMX_CELL_INTEGER);
    assert_int_equal(cell.integer, 2048);
    cell = cell_of(record, "self_signed", &scratch);
    assert_int_equal(cell.integer, 1);
    cell = cell_of(record, "not_before_at", &scratch);
    assert_string_equal(cell.text, "2026-01-31T22:00:00Z");
    cell = cell_of(record, "private_key", &scratch);
    assert_int_equal(cell.type, UMX_CELL_NULL);
    umx_text_free(&scratch);
}

/* The cell of a field has the type of its column, for every table. */
static void cells_fit_their_columns(void **state)
{
    static const char *const names[] = {
        [UMX_CELL_INTEGER] = "INTEGER", [UMX_CELL_REAL] = "REAL", [UMX_CELL_TEXT] = "TEXT"};
    size_t count;
    const struct umx_table *tables = umx_reflect_tables(&count);
    struct umx_text scratch = {0};
    uint64_t seed = 6;

    (void)state;
    for (size_t t = 0; t < count; t++) {
        for (int round = 0; round < 20; round++) {
            renew();
            ProtobufCMessage *record = generate_message(&seed, tables[t].record, arena);
            for (unsigned i = 0; i < record->descriptor->n_fields; i++) {
                const ProtobufCFieldDescriptor *field = &record->descriptor->fields[i];
                struct umx_cell cell = umx_reflect_cell(record, field, &scratch);
                bool set = umx_field_count(record, field) > 0 || field->label == PROTOBUF_C_LABEL_REPEATED;
                assert_int_equal(set, cell.type != UMX_CELL_NULL);
                if (set)
                    assert_string_equal(names[cell.type], umx_reflect_column_type(field));
                if (cell.type == UMX_CELL_TEXT)
                    assert_int_equal(strlen(cell.text), cell.length);
            }
        }
    }
    umx_text_free(&scratch);
}

/* What SQL's types do not tell; the PowerShell module makes its values by it. */
static void kinds_of_columns(void **state)
{
    static const struct {
        const char *table, *field, *kind;
    } rows[] = {{"agent", "server", "text"},           {"agent", "connected_at", "time"},
                {"agent", "recorded", "truth"},        {"service", "state", "word"},
                {"service", "process_id", "integer"},  {"certificate", "dns_name", "list"},
                {"dial_plan", "object_guid", "bytes"}, {"plan_step", "change", "record"}};

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct umx_table *table = umx_reflect_table(rows[i].table);
        const ProtobufCFieldDescriptor *field =
            protobuf_c_message_descriptor_get_field_by_name(table->record, rows[i].field);
        assert_non_null(field);
        assert_string_equal(umx_reflect_column_kind(field), rows[i].kind);
    }
}

static void json_strings(void **state)
{
    struct umx_text out = {0};

    (void)state;
    umx_reflect_json_string(&out, "a\"\\\b\f\n\r\t\x01\x7fü\xFF");
    assert_string_equal(out.data, "\"a\\\"\\\\\\b\\f\\n\\r\\t\\u0001\x7fü\xEF\xBF\xBD\"");
    umx_text_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_is_tested),
        cmocka_unit_test(schema_keeps_to_what_reflection_knows),
        cmocka_unit_test(json_round_trip),
        cmocka_unit_test(json_names_every_field),
        cmocka_unit_test(packed_round_trip_and_copy),
        cmocka_unit_test(equal_sees_each_field),
        cmocka_unit_test(truncated_and_mutated_bytes),
        cmocka_unit_test(amplification_is_refused),
        cmocka_unit_test(every_allocation_can_fail),
        cmocka_unit_test(invalid_text_is_replaced),
        cmocka_unit_test(unknown_fields_are_dropped),
        cmocka_unit_test(json_refusals),
        cmocka_unit_test(json_of_oneofs),
        cmocka_unit_test(json_depth_and_density_are_capped),
        cmocka_unit_test(words),
        cmocka_unit_test(tables_follow_the_schema),
        cmocka_unit_test(comments),
        cmocka_unit_test(cells),
        cmocka_unit_test(cells_fit_their_columns),
        cmocka_unit_test(kinds_of_columns),
        cmocka_unit_test(json_strings),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
