#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/text.h"

static void grows(void **state)
{
    struct umx_text text = {0};

    (void)state;
    assert_string_equal(umx_text_string(&text), "");
    for (int i = 0; i < 1000; i++)
        umx_text_addf(&text, "%d,", i);
    umx_text_adds(&text, "end");
    umx_text_add(&text, "\0x", 2);
    assert_false(text.failed);
    assert_int_equal(text.length, 10 * 2 + 90 * 3 + 900 * 4 + 3 + 2);
    assert_memory_equal(text.data, "0,1,2,3,", 8);
    assert_memory_equal(text.data + text.length - 5, "end\0x", 6);
    umx_text_free(&text);
    assert_null(text.data);
}

static void a_failed_allocation_stays(void **state)
{
    struct umx_text text = {0};

    (void)state;
    umx_text_adds(&text, "before");
    umx_text_add(&text, "x", SIZE_MAX / 2);
    assert_true(text.failed);
    umx_text_adds(&text, "after");
    assert_string_equal(umx_text_string(&text), "before");
    umx_text_free(&text);
}

static void copies_end_at_characters(void **state)
{
    char buf[6];

    (void)state;
    umx_text_copy(buf, sizeof buf, "short");
    assert_string_equal(buf, "short");
    umx_text_copy(buf, sizeof buf, "longer");
    assert_string_equal(buf, "longe");
    umx_text_copy(buf, sizeof buf, "abcd\xC3\xBC"); /* the last character does not fit whole */
    assert_string_equal(buf, "abcd");
    umx_text_copy(buf, sizeof buf, "a\xF0\x9F\x93\x9E");
    assert_string_equal(buf, "a\xF0\x9F\x93\x9E");
    umx_text_copy(buf, sizeof buf, "ab\xF0\x9F\x93\x9E");
    assert_string_equal(buf, "ab");
    umx_text_copy(buf, 1, "anything");
    assert_string_equal(buf, "");
}

static void utf8(void **state)
{
    static const char *const good[] = {"",
                                       "plain",
                                       "\xC3\xBC",
                                       "\xE2\x82\xAC",
                                       "\xF0\x9F\x93\x9E",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "\x01\x7F"};
    static const char *const bad[] = {"\xFC",
                                      "\xC3",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xE0\x80\x80",
                                      "\xED\xA0\x80",
                                      "\xF0\x80\x80\x80",
                                      "\xF4\x90\x80\x80",
                                      "\xF8\x88\x80\x80\x80",
                                      "\x80",
                                      "\xE2\x82",
                                      "\xE2\x28\xA1"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(umx_text_valid(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct umx_text text = {0};
        assert_false(umx_text_valid(bad[i], strlen(bad[i])));
        umx_text_add_valid(&text, bad[i], strlen(bad[i]));
        assert_true(umx_text_valid(text.data, text.length));
        assert_non_null(strstr(text.data, "\xEF\xBF\xBD"));
        umx_text_free(&text);
    }
    assert_false(umx_text_valid("a\0b", 3));
    struct umx_text text = {0};
    umx_text_add_valid(&text, "a\0b\xC3\xBC\xFF", 6);
    assert_string_equal(text.data, "a\xEF\xBF\xBD"
                                   "b\xC3\xBC\xEF\xBF\xBD");
    umx_text_free(&text);
}

/* Every string of up to three bytes from the interesting ones: validity and repair agree. */
static void utf8_exhaustively(void **state)
{
    static const unsigned char bytes[] = {0x00, 0x41, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC2, 0xDF,
                                          0xE0, 0xE1, 0xEC, 0xED, 0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF};
    enum { N = sizeof bytes };

    (void)state;
    for (size_t i = 0; i < (size_t)N * N * N; i++) {
        /* On the heap, so that a sanitizer sees a read past the end. */
        unsigned char *sample = malloc(3);
        struct umx_text text = {0};
        sample[0] = bytes[i % N];
        sample[1] = bytes[i / N % N];
        sample[2] = bytes[i / N / N];
        bool valid = umx_text_valid(sample, 3);
        umx_text_add_valid(&text, sample, 3);
        assert_true(umx_text_valid(text.data, text.length));
        assert_int_equal(valid, text.length == 3 && memcmp(text.data, sample, 3) == 0);
        umx_text_free(&text);
        free(sample);
    }
}

static void names_without_case(void **state)
{
    (void)state;
    assert_true(umx_text_equal("DC1.Exchange.TEST", "dc1.exchange.test"));
    assert_false(umx_text_equal("dc1", "dc1."));
    assert_false(umx_text_equal("\xC3\x84", "\xC3\xA4")); /* ASCII only */
    assert_true(umx_text_equal(NULL, NULL));
    assert_false(umx_text_equal(NULL, ""));
    assert_false(umx_text_equal("", NULL));
}

static void words_are_found_without_case(void **state)
{
    const char *text = "a;HostedVoiceMail=1";

    (void)state;
    assert_ptr_equal(umx_text_find(text, "hostedvoicemail=1"), text + 2);
    assert_ptr_equal(umx_text_find(text, ""), text);
    assert_null(umx_text_find(text, "=12"));
    assert_null(umx_text_find("", "a"));
    assert_string_equal(umx_text_find("aab", "AB"), "ab");
}

static void distinguished_names(void **state)
{
    (void)state;
    assert_true(umx_text_dn_equal("CN=Plan,DC=a,DC=b", "cn=plan, dc=A , DC = b"));
    assert_false(umx_text_dn_equal("CN=a,DC=b", "CN=a\\,DC=b"));
    assert_false(umx_text_dn_equal("CN=a b,DC=c", "CN=ab,DC=c"));
    assert_true(umx_text_dn_equal("CN=a\\,b,DC=c", "CN=A\\,B,dc=c"));
    assert_false(umx_text_dn_equal("CN=a", "CN=a,DC=b"));
    assert_false(umx_text_dn_equal("CN=a", NULL));
    assert_string_equal(umx_text_dn_parent("CN=a\\,b, DC=c"), "DC=c");
    assert_string_equal(umx_text_dn_parent("CN=a\\\\,DC=c"), "DC=c");
    assert_null(umx_text_dn_parent("DC=c"));
    assert_null(umx_text_dn_parent("CN=a\\"));
    assert_true(umx_text_dn_within("CN=a,CN=b,DC=c", "cn=B,dc=c"));
    assert_true(umx_text_dn_within("DC=c", "dc=c"));
    assert_false(umx_text_dn_within("DC=c", "CN=b,DC=c"));
    assert_false(umx_text_dn_within("CN=a\\,CN=b,DC=c", "CN=b,DC=c"));
}

static void rdn_values(void **state)
{
    struct umx_text text = {0};

    (void)state;
    umx_text_add_rdn(&text, " a,b\\#+<>;\"=\n c ");
    assert_string_equal(text.data, "\\ a\\,b\\\\\\#\\+\\<\\>\\;\\\"\\=\\0A c\\ ");
    umx_text_free(&text);
}

static void hex(void **state)
{
    struct umx_text text = {0};
    uint8_t bytes[4];

    (void)state;
    umx_text_add_hex(&text, "\x00\xAB\xFF", 3);
    assert_string_equal(text.data, "00abff");
    assert_int_equal(umx_text_from_hex("00AbFF", bytes, sizeof bytes), 3);
    assert_memory_equal(bytes, "\x00\xAB\xFF", 3);
    assert_int_equal(umx_text_from_hex("", bytes, sizeof bytes), 0);
    assert_int_equal(umx_text_from_hex("0", bytes, sizeof bytes), -1);
    assert_int_equal(umx_text_from_hex("0g", bytes, sizeof bytes), -1);
    assert_int_equal(umx_text_from_hex("0011223344", bytes, sizeof bytes), -1);
    umx_text_free(&text);
}

static void names_of_hosts(void **state)
{
    static const char *const good[] = {"a", "mbx1.contoso.test", "M_1-x.test",
                                       "b\xC3\xBC"
                                       "ro.contoso.test"};
    static const char *const bad[] = {"",
                                      "a b",
                                      "a;b",
                                      "a&calc",
                                      "$(calc)",
                                      "a\"b",
                                      "a'b",
                                      "a\nb",
                                      "a/b",
                                      "a\\b",
                                      "a`b",
                                      "a%b",
                                      "a\xC3",
                                      "a\xE2\x80\x99"
                                      "b",
                                      "a\xE2\x80\x9D"
                                      "b"};
    char longest[257];

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
        assert_true(umx_text_host(good[i], strlen(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(umx_text_host(bad[i], strlen(bad[i])));
    assert_true(umx_text_host("a;b", 1));
    memset(longest, 'a', sizeof longest);
    assert_true(umx_text_host(longest, 255));
    assert_false(umx_text_host(longest, 256));
    assert_false(umx_text_host("a\0b", 3));
}

static void what_may_stand_between_quotes(void **state)
{
    static const char *const bad[] = {"a\"b",
                                      "100%",
                                      "$x",
                                      "a`b",
                                      "a\tb",
                                      "a\xE2\x80\x9C"
                                      "b"};

    (void)state;
    assert_true(umx_text_quotable("OU=B\xC3\xBC"
                                  "ro\\, M & S (x);'y',DC=x"));
    assert_true(umx_text_quotable(""));
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_false(umx_text_quotable(bad[i]));
}

static void lines_are_joined(void **state)
{
    static const struct {
        const char *lines;
        size_t lines_max, bytes_max;
        const char *joined;
    } cases[] = {
        {"", 5, 100, ""},
        {"one\n", 5, 100, "one"},
        {"one\ntwo\nthree\n", 5, 100, "one; two; three"},
        {"one\ntwo\nthree", 2, 100, "one; two; and 1 more"},
        {"one\ntwo\nthree\nfour\n", 9, 8, "one; two; and 2 more"},
        {"a long one\ntwo\n", 9, 3, "a long one; and 1 more"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct umx_text text = {0};
        umx_text_adds(&text, cases[i].lines);
        umx_text_join(&text, cases[i].lines_max, cases[i].bytes_max);
        assert_string_equal(umx_text_string(&text), cases[i].joined);
        umx_text_free(&text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows),
        cmocka_unit_test(a_failed_allocation_stays),
        cmocka_unit_test(copies_end_at_characters),
        cmocka_unit_test(utf8),
        cmocka_unit_test(utf8_exhaustively),
        cmocka_unit_test(names_without_case),
        cmocka_unit_test(words_are_found_without_case),
        cmocka_unit_test(distinguished_names),
        cmocka_unit_test(rdn_values),
        cmocka_unit_test(hex),
        cmocka_unit_test(names_of_hosts),
        cmocka_unit_test(what_may_stand_between_quotes),
        cmocka_unit_test(lines_are_joined),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
