/* The journal's newest entry as an agent keeps it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "agent/head.h"

static Umx__JournalHead told_of(int64_t sequence, uint8_t *hash, uint8_t fill)
{
    Umx__JournalHead told = UMX__JOURNAL_HEAD__INIT;

    memset(hash, fill, UMX_AGENT_HEAD_HASH);
    told.has_sequence = told.has_hash = 1;
    told.sequence = sequence;
    told.hash = (ProtobufCBinaryData){.len = UMX_AGENT_HEAD_HASH, .data = hash};
    return told;
}

static void test_head(void **state)
{
    char folder[] = "/tmp/umx-head-XXXXXX", path[64];
    uint8_t hash[UMX_AGENT_HEAD_HASH];
    struct umx_agent_head head;
    (void)state;

    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/journal-head", folder);
    assert_int_equal(umx_agent_head_load(folder, &head, NULL), 0);
    assert_int_equal(head.sequence, 0);
    Umx__JournalHead told = told_of(7, hash, 0xab);
    assert_int_equal(umx_agent_head_keep(folder, &head, &told, NULL), 0);
    told = told_of(6, hash, 0xcd); /* a controller whose journal is shorter */
    assert_int_equal(umx_agent_head_keep(folder, &head, &told, NULL), 0);
    told = told_of(9, hash, 0xcd);
    told.hash.len = 3;
    assert_int_equal(umx_agent_head_keep(folder, &head, &told, NULL), 0);
    assert_int_equal(umx_agent_head_keep(folder, &head, NULL, NULL), 0);
    memset(&head, 0, sizeof head);
    assert_int_equal(umx_agent_head_load(folder, &head, NULL), 0);
    assert_int_equal(head.sequence, 7);
    assert_int_equal(head.hash[31], 0xab);

    static const char *const damaged[] = {"", "7", "7 ab\n", "-1 ", "x\n"};
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(damaged[i], file);
        fclose(file);
        assert_int_not_equal(umx_agent_head_load(folder, &head, NULL), 0);
        assert_int_equal(head.sequence, 0);
    }
    unlink(path);
    rmdir(folder);
    /* Without a state directory it is remembered as long as the agent lives. */
    told = told_of(3, hash, 1);
    assert_int_equal(umx_agent_head_keep("", &head, &told, NULL), 0);
    assert_int_equal(head.sequence, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_head)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
