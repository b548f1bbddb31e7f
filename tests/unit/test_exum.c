#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/exum.h"

static void expect(const char *text, const char *context, bool more)
{
    struct umx_exum found;
    assert_true(umx_exum_parse(text, &found));
    assert_int_equal(found.length, strlen(context));
    assert_memory_equal(found.context, context, found.length);
    assert_int_equal(found.more, more);
}

static void kinds_are_told_apart(void **state)
{
    (void)state;
    expect("sip:ova@contoso.test;opaque=app:exum:Berlin.contoso.test", "Berlin.contoso.test", false);
    expect("sip:ova@contoso.test;OPAQUE=App:exum:Berlin.contoso.test;user=phone", "Berlin.contoso.test", false);
    expect("<sip:aa@contoso.test;opaque=app:exum:Berlin.contoso.test:autoattendant:+4930>", "Berlin.contoso.test",
           true);
    expect("sip:x;opaque=app:exum:", "", false);
}

static void other_texts_are_no_contacts(void **state)
{
    static const char *const others[] = {NULL, "", "sip:ova@contoso.test", "opaque=app:exum", "opaque=app:voicemail:x"};
    struct umx_exum found;
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(umx_exum_parse(others[i], &found));
        assert_null(found.context);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(other_texts_are_no_contacts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
