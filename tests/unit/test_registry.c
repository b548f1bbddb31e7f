/* The parser of registry exports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "agent/host/registry.h"
#include "base/text.h"

#define HEAD "Windows Registry Editor Version 5.00\r\n\r\n"
#define KEY "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Umx]\r\n"

static struct umx_arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = umx_arena_new(32 * 1024 * 1024);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    umx_arena_free(arena);
    return 0;
}

static struct umx_registry parse(const char *text, int expected)
{
    struct umx_registry registry = {.arena = arena};
    struct umx_error err = {0};

    int status = umx_registry_parse(&registry, text, strlen(text), &err);
    if (status != expected)
        print_error("%s\n", err.why);
    assert_int_equal(status, expected);
    return registry;
}

static const struct umx_registry_key *key_of(const struct umx_registry *registry)
{
    const struct umx_registry_key *key = umx_registry_find(registry, "software\\UMX");
    assert_non_null(key);
    return key;
}

static void strings_are_unescaped(void **state)
{
    (void)state;
    struct umx_registry registry =
        parse(HEAD KEY "\"Pa\\\"th\"=\"C:\\\\x \\\"y\\\"\"\r\n@=\"default\"\r\n\"two\"=\"a\r\nb\"\r\n", 0);
    const struct umx_registry_key *key = key_of(&registry);

    assert_string_equal(umx_registry_text(key, "pa\"TH"), "C:\\x \"y\"");
    assert_string_equal(umx_registry_text(key, ""), "default");
    assert_string_equal(umx_registry_text(key, "two"), "a\r\nb");
    assert_null(umx_registry_text(key, "none"));
    assert_null(umx_registry_text(NULL, "none"));
}

static void numbers_are_read(void **state)
{
    int64_t number = 0;

    (void)state;
    struct umx_registry registry = parse(HEAD KEY "\"a\"=dword:0000035f\r\n\"b\"=hex(b):01,00,00,00,00,00,00,80\r\n"
                                                  "\"c\"=hex(4):05,00,00,00\r\n\"d\"=\"7\"\r\n",
                                         0);
    const struct umx_registry_key *key = key_of(&registry);
    assert_true(umx_registry_number(key, "a", &number));
    assert_int_equal(number, 0x35f);
    assert_true(umx_registry_number(key, "b", &number));
    assert_true(number == INT64_MIN + 1);
    assert_true(umx_registry_number(key, "c", &number));
    assert_int_equal(number, 5);
    assert_false(umx_registry_number(key, "d", &number));
    assert_null(umx_registry_text(key, "a"));
    assert_string_equal(umx_registry_any(&registry, key, "a"), "863");
    assert_string_equal(umx_registry_any(&registry, key, "d"), "7");
}

static void hex_texts_go_over_lines(void **state)
{
    (void)state;
    struct umx_registry registry = parse(HEAD KEY "\"expand\"=hex(2):25,00,78,\\\r\n  00,3d,d8,00,de,00,00\r\n"
                                                  "\"multi\"=hex(7):61,00,00,00,62,00,00,00,00,00\r\n"
                                                  "\"binary\"=hex:00,01,ff\r\n\"nothing\"=hex(7):\r\n",
                                         0);
    const struct umx_registry_key *key = key_of(&registry);
    assert_string_equal(umx_registry_text(key, "expand"), "%x\xf0\x9f\x98\x80"); /* a surrogate pair */
    assert_string_equal(umx_registry_text(key, "multi"), "a\nb");
    assert_null(umx_registry_text(key, "binary"));
    assert_string_equal(umx_registry_text(key, "nothing"), "");
}

static void utf16_is_understood(void **state)
{
    static const char text[] = HEAD KEY "\"name\"=\"K\xc3\xb6ln\"\r\n";
    uint8_t wide[2 * sizeof text + 2] = {0xff, 0xfe};
    size_t length = 2;
    struct umx_registry registry = {.arena = arena};

    (void)state;
    for (size_t i = 0; text[i] != '\0'; i++) {
        uint8_t c = (uint8_t)text[i];
        wide[length++] = c == 0xc3 ? (uint8_t)((text[++i] & 0x3f) | 0xc0) : c;
        wide[length++] = 0;
    }
    assert_int_equal(umx_registry_parse(&registry, wide, length, NULL), 0);
    assert_string_equal(umx_registry_text(key_of(&registry), "name"), "K\xc3\xb6ln");
}

static void only_wanted_keys_are_kept(void **state)
{
    static const char *const roots[] = {"SOFTWARE\\Microsoft\\Exchange", NULL};
    static const char text[] = HEAD "[HKEY_LOCAL_MACHINE\\Software\\Microsoft\\Exchange\\v8.0]\r\n\"a\"=\"1\"\r\n"
                                    "[HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\ExchangeServer]\r\n\"a\"=\"2\"\r\n"
                                    "[HKEY_CURRENT_USER\\SOFTWARE\\Microsoft\\Exchange]\r\n\"a\"=\"3\"\r\n"
                                    "[-HKEY_LOCAL_MACHINE\\SOFTWARE\\Microsoft\\Exchange\\gone]\r\n";
    struct umx_registry registry = {.arena = arena, .roots = roots};

    (void)state;
    assert_int_equal(umx_registry_parse(&registry, text, sizeof text - 1, NULL), 0);
    assert_int_equal(registry.count, 1);
    assert_int_equal(registry.values, 1);
    assert_string_equal(registry.keys[0].path, "Software\\Microsoft\\Exchange\\v8.0");
}

static void damage_is_refused_with_its_line(void **state)
{
    static const struct {
        const char *text;
        const char *why;
    } bad[] = {
        {"REGEDIT4\r\n", "line 1"},
        {"", "line 1"},
        {HEAD KEY "\"a\"=\"open", "line 4: the string does not end"},
        {HEAD KEY "\"a\"=\"x\\n\"\r\n", "line 4: a backslash"},
        {HEAD KEY "\"a\" \"x\"\r\n", "line 4: a value without"},
        {HEAD KEY "\"a\"=dword:123456789\r\n", "at most 8 digits"},
        {HEAD KEY "\"a\"=dword:\r\n", "without digits"},
        {HEAD KEY "\"a\"=hex:0\r\n", "not a byte"},
        {HEAD KEY "\"a\"=hex:01 02\r\n", "separated by commas"},
        {HEAD KEY "\"a\"=hex(:01\r\n", "not a value type"},
        {HEAD KEY "\"a\"=\"x\" y\r\n", "something follows"},
        {HEAD KEY "\"a\"=1\r\n", "not a value"},
        {HEAD "[HKEY_LOCAL_MACHINE\\x\r\n", "bracket"},
        {HEAD "words\r\n", "neither a key nor a value"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct umx_registry registry = {.arena = arena};
        struct umx_error err = {0};
        assert_int_equal(umx_registry_parse(&registry, bad[i].text, strlen(bad[i].text), &err), UMX_E_FORMAT);
        assert_int_equal(err.id, UMX_ERR_REGISTRY_INVALID);
        if (strstr(err.why, bad[i].why) == NULL)
            fail_msg("case %zu: %s", i, err.why);
    }
}

static void maxima_hold(void **state)
{
    struct umx_text text = {0};
    struct umx_registry registry = {.arena = arena};
    struct umx_error err = {0};

    (void)state;
    umx_text_adds(&text, HEAD KEY "\"a\"=\"");
    for (int i = 0; i <= UMX_REGISTRY_TEXT_MAX; i++)
        umx_text_adds(&text, "x");
    umx_text_adds(&text, "\"\r\n");
    assert_int_equal(umx_registry_parse(&registry, text.data, text.length, &err), UMX_E_FORMAT);
    assert_non_null(strstr(err.why, "too long"));
    text.length = 0;
    umx_text_adds(&text, HEAD);
    for (int i = 0; i <= UMX_REGISTRY_KEYS_MAX; i++)
        umx_text_addf(&text, "[HKEY_LOCAL_MACHINE\\k%d]\r\n", i);
    assert_int_equal(umx_registry_parse(&registry, text.data, text.length, &err), UMX_E_FORMAT);
    assert_non_null(strstr(err.why, "keys"));
    umx_text_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(strings_are_unescaped, set_up, tear_down),
        cmocka_unit_test_setup_teardown(numbers_are_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hex_texts_go_over_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(utf16_is_understood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_wanted_keys_are_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_refused_with_its_line, set_up, tear_down),
        cmocka_unit_test_setup_teardown(maxima_hold, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
