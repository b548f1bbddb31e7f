#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/reflect.h"
#include "directory/convert.h"
#include "directory/entry.h"
#include "directory/part.h"
#include "umx/v1/directory.pb-c.h"
#include "umx/v1/plan.pb-c.h"

static struct umx_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = umx_arena_new(1 << 20);
    return arena ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    umx_arena_free(arena);
    return 0;
}

#define VALUE(text)                                                                                                    \
    {                                                                                                                  \
        (const uint8_t *)(text), sizeof(text) - 1                                                                      \
    }

/* One-valued attributes: name, value, name, value... */
static struct umx_entry entry_of(struct umx_attribute *attributes, size_t count)
{
    return (struct umx_entry){.dn = "CN=x,DC=a,DC=b", .attributes = attributes, .count = count};
}

static void fields_are_filled_by_their_type(void **state)
{
    static const struct umx_convert table[] = {
        {"objectGUID", "object_guid"}, {"cn", "name"},       {"port", "port"},      {"out", "outcalls_allowed"},
        {"created", "created_at"},     {"flags2", "flags2"}, {"absent", "address"}, {NULL, NULL},
    };
    struct umx_value guid[] = {VALUE("0123456789abcdef")}, cn[] = {VALUE("Z\xfcrich")}, port[] = {VALUE("5060")},
                     out[] = {VALUE("FALSE")}, created[] = {VALUE("20260131220000.0Z")}, flags2[] = {VALUE("-1")};
    struct umx_attribute attributes[] = {{"objectguid", guid, 1}, {"CN", cn, 1},           {"port", port, 1},
                                         {"out", out, 1},         {"created", created, 1}, {"flags2", flags2, 1}};
    struct umx_entry entry = entry_of(attributes, 6);
    Umx__IpGateway gateway = UMX__IP_GATEWAY__INIT;
    (void)state;
    assert_int_equal(umx_convert_entry(&entry, table, &gateway.base, arena, NULL), 0);
    assert_string_equal(gateway.dn, "CN=x,DC=a,DC=b");
    assert_true(gateway.has_object_guid);
    assert_int_equal(gateway.object_guid.len, 16);
    assert_string_equal(gateway.name, "Z\xef\xbf\xbdrich"); /* not UTF-8: replaced where it enters */
    assert_true(gateway.has_port);
    assert_int_equal(gateway.port, 5060);
    assert_true(gateway.has_outcalls_allowed);
    assert_false(gateway.outcalls_allowed);
    assert_int_equal(gateway.created_at, INT64_C(1769896800000000));
    assert_int_equal(gateway.flags2, -1);
    assert_null(gateway.address);
    assert_false(gateway.has_status);
}

static void what_does_not_fit_stays_unset(void **state)
{
    static const struct umx_convert table[] = {
        {"a", "port"}, {"b", "status"}, {"c", "outcalls_allowed"}, {"d", "created_at"}, {NULL, NULL}};
    static const struct umx_convert unknown[] = {{"a", "no_such_field"}, {NULL, NULL}};
    struct umx_value a[] = {VALUE("4294967296")},
                     b[] = {VALUE("1\0"
                                  "2")},
                     c[] = {VALUE("yes")}, d[] = {VALUE("yesterday")};
    struct umx_attribute attributes[] = {{"a", a, 1}, {"b", b, 1}, {"c", c, 1}, {"d", d, 1}};
    struct umx_entry entry = entry_of(attributes, 4);
    Umx__IpGateway gateway = UMX__IP_GATEWAY__INIT;
    (void)state;
    assert_int_equal(umx_convert_entry(&entry, table, &gateway.base, arena, NULL), 0);
    assert_false(gateway.has_port || gateway.has_status || gateway.has_outcalls_allowed || gateway.has_created_at);
    assert_int_equal(umx_convert_entry(&entry, unknown, &gateway.base, arena, NULL), UMX_E_INTERNAL);
}

static void lists_and_sids(void **state)
{
    static const struct umx_convert plan_table[] = {{"numbers", "access_number"}, {NULL, NULL}};
    static const struct umx_convert user_table[] = {{"objectSid", "sid"}, {"bad", "originator_sid"}, {NULL, NULL}};
    struct umx_value numbers[] = {VALUE("+4930"), VALUE("+4989")}, sid[] = {VALUE("\1\1\0\0\0\0\0\5\13\0\0\0")},
                     bad[] = {VALUE("\1\2")};
    struct umx_attribute plan_attributes[] = {{"numbers", numbers, 2}};
    struct umx_attribute user_attributes[] = {{"objectSid", sid, 1}, {"bad", bad, 1}};
    struct umx_entry plan_entry = entry_of(plan_attributes, 1), user_entry = entry_of(user_attributes, 2);
    Umx__DialPlan plan = UMX__DIAL_PLAN__INIT;
    Umx__VoiceUser user = UMX__VOICE_USER__INIT;
    (void)state;
    assert_int_equal(umx_convert_entry(&plan_entry, plan_table, &plan.base, arena, NULL), 0);
    assert_int_equal(plan.n_access_number, 2);
    assert_string_equal(plan.access_number[1], "+4989");
    assert_int_equal(umx_convert_entry(&user_entry, user_table, &user.base, arena, NULL), 0);
    assert_string_equal(user.sid, "S-1-5-11");
    assert_null(user.originator_sid);
}

static void names_of_domains(void **state)
{
    (void)state;
    assert_string_equal(umx_convert_dns_name("DC=a,DC=b", arena), "a.b");
    assert_string_equal(umx_convert_dns_name("dc=exchange,dc=test", arena), "exchange.test");
    assert_null(umx_convert_dns_name("CN=x,DC=a", arena));
    assert_null(umx_convert_dns_name("", arena));
}

struct sent {
    size_t parts, records, largest;
    int answer;
};

static int count_part(void *user, const Umx__World *part, struct umx_error *err)
{
    struct sent *sent = user;
    size_t size = umx__world__get_packed_size(part);
    (void)err;
    sent->parts++;
    sent->records += part->n_contact + part->n_domain;
    sent->largest = size > sent->largest ? size : sent->largest;
    return sent->answer;
}

static void parts_are_bounded_and_complete(void **state)
{
    enum { RECORDS = 5000 };
    struct sent sent = {0};
    struct umx_part *part = umx_part_new(count_part, &sent);
    char name[] = "a name that is somewhat longer than it would have to be, to fill the parts more quickly";
    Umx__Contact contact = UMX__CONTACT__INIT;
    Umx__Domain domain = UMX__DOMAIN__INIT;
    Umx__Finding derived = UMX__FINDING__INIT;
    (void)state;
    contact.display_name = contact.line = name;
    domain.domain = name;
    assert_int_equal(umx_part_flush(part, NULL), 0);
    assert_int_equal(sent.parts, 0);
    for (int i = 0; i < RECORDS; i++) {
        assert_int_equal(umx_part_add(part, i % 3 ? &contact.base : &domain.base, NULL), 0);
    }
    assert_int_equal(umx_part_flush(part, NULL), 0);
    assert_int_equal(sent.records, RECORDS);
    assert_true(sent.parts > 2 && sent.largest <= 256 * 1024);
    assert_int_equal(umx_part_add(part, &derived.base, NULL), UMX_E_NOT_FOUND);
    assert_false(umx_part_failed(part));
    sent.answer = UMX_E_IO;
    assert_int_equal(umx_part_add(part, &domain.base, NULL), 0);
    assert_int_equal(umx_part_flush(part, NULL), UMX_E_IO);
    assert_true(umx_part_failed(part));
    umx_part_free(part);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_filled_by_their_type),
        cmocka_unit_test(what_does_not_fit_stays_unset),
        cmocka_unit_test(lists_and_sids),
        cmocka_unit_test(names_of_domains),
        cmocka_unit_test(parts_are_bounded_and_complete),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
