/* The ABI as it was frozen: what is exported, how structures lie in memory, what constants are. A change here breaks
 * programs that were built before: it needs a new UMX_ABI. */
#include "library.h"

#include <limits.h>

/* ---- signatures */

#define IS(function, type) _Static_assert(_Generic(&function, type : 1, default : 0), #function " has another type")

IS(umx_abi_version, int32_t (*)(umx_info *));
IS(umx_session_open, int32_t (*)(const uint8_t *, size_t, umx_session **, umx_buf *));
IS(umx_session_close, void (*)(umx_session *));
IS(umx_session_identity, int32_t (*)(umx_session *, umx_buf *, umx_buf *));
IS(umx_session_sign, int32_t (*)(umx_session *, const uint8_t *, size_t, umx_buf *, umx_buf *));
IS(umx_op_start, int32_t (*)(umx_session *, const uint8_t *, size_t, umx_op **, umx_buf *));
IS(umx_op_next, int32_t (*)(umx_op *, uint32_t, umx_buf *));
IS(umx_op_cancel, int32_t (*)(umx_op *));
IS(umx_op_close, void (*)(umx_op *));
IS(umx_login, int32_t (*)(const uint8_t *, size_t, umx_buf *, umx_buf *));
IS(umx_buf_free, void (*)(umx_buf *));
IS(umx_status_name, const char *(*)(int32_t));

/* ---- layout */

_Static_assert(sizeof(umx_info) == 40, "umx_info");
_Static_assert(offsetof(umx_info, size) == 0 && sizeof(((umx_info *)0)->size) == 4, "umx_info.size");
_Static_assert(offsetof(umx_info, abi) == 4 && sizeof(((umx_info *)0)->abi) == 4, "umx_info.abi");
_Static_assert(offsetof(umx_info, version) == 8 && sizeof(((umx_info *)0)->version) == 32, "umx_info.version");
_Static_assert(sizeof(umx_buf) == 2 * sizeof(void *), "umx_buf");
_Static_assert(offsetof(umx_buf, data) == 0, "umx_buf.data");
_Static_assert(offsetof(umx_buf, length) == sizeof(void *) && sizeof(size_t) == sizeof(void *), "umx_buf.length");

static void test_constants(void **state)
{
    static const int frozen[][2] = {{UMX_ABI, 1},          {UMX_REC_TIMEOUT, 0}, {UMX_REC_ITEM, 1},
                                    {UMX_REC_PROGRESS, 2}, {UMX_REC_VERBOSE, 3}, {UMX_REC_WARNING, 4},
                                    {UMX_REC_ERROR, 5},    {UMX_REC_END, 6}};

    (void)state;
    for (size_t i = 0; i < sizeof frozen / sizeof frozen[0]; i++)
        assert_int_equal(frozen[i][0], frozen[i][1]);
}

static void test_statuses(void **state)
{
    static const char *const words[] = {"ok",          "argument",  "memory",   "limit",           "format",
                                        "not_found",   "exists",    "denied",   "unauthenticated", "unreachable",
                                        "timeout",     "cancelled", "conflict", "stale",           "uncertain",
                                        "unsupported", "io",        "internal", "partial"};
    struct library umx = library_load();

    (void)state;
    for (int i = 0; i < (int)(sizeof words / sizeof words[0]); i++)
        assert_string_equal(umx.status_name(-i), words[i]);
    assert_string_equal(umx.status_name(-99), "internal");
    assert_string_equal(umx.status_name(INT_MIN), "internal");
    assert_string_equal(umx.status_name(INT_MAX), "internal");
}

static void test_version(void **state)
{
    struct library umx = library_load();
    struct {
        umx_info info;
        uint8_t guard[16];
    } io;

    (void)state;
    /* As much is written as the caller has, and no more. */
    for (uint32_t size = 0; size <= sizeof io; size++) {
        memset(&io, 0x5a, sizeof io);
        io.info.size = size;
        int32_t status = umx.abi_version(&io.info);
        const uint8_t *bytes = (const uint8_t *)&io;
        uint32_t used = size > sizeof(umx_info) ? sizeof(umx_info) : size;
        if (size < 8) {
            assert_int_equal(status, -1);
            used = sizeof io.info.size;
        } else {
            assert_int_equal(status, 0);
            assert_int_equal(io.info.size, used);
            assert_int_equal(io.info.abi, UMX_ABI);
        }
        for (size_t i = used; i < sizeof io; i++)
            assert_int_equal(bytes[i], 0x5a);
    }
    io.info.size = UINT32_MAX;
    assert_int_equal(umx.abi_version(&io.info), 0);
    assert_string_equal(io.info.version, UMX_VERSION);
    assert_int_equal(umx.abi_version(NULL), -1);
}

/* ---- symbols */

/* Calls each with the name of a symbol of the library, without its version. */
static void each_symbol(const char *option, void (*each)(const char *name, void *user), void *user)
{
    char command[512], line[512], name[256];

    snprintf(command, sizeof command, "nm -D %s '%s'", option, UMX_LIBRARY);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof line, pipe) != NULL) {
        const char *last = strrchr(line, ' ');
        if (last != NULL && sscanf(last, " %255[^@\n]", name) == 1)
            each(name, user);
    }
    assert_int_equal(pclose(pipe), 0);
}

static void count_export(const char *name, void *user)
{
    int *counts = user;

    for (size_t i = 0; i < LIBRARY_NAMES; i++)
        if (strcmp(name, library_names[i]) == 0) {
            counts[i]++;
            return;
        }
    if (strcmp(name, "LIBUMX_1") != 0) /* the version itself */
        fail_msg("%s is exported", name);
}

static void test_exports(void **state)
{
    int counts[LIBRARY_NAMES] = {0};

    (void)state;
    each_symbol("--defined-only", count_export, counts);
    for (size_t i = 0; i < LIBRARY_NAMES; i++)
        assert_int_equal(counts[i], 1);
}

/* What a guest has no business with. */
static void refuse_import(const char *name, void *user)
{
    static const char *const forbidden[] = {
        "exit",    "_exit",     "_Exit",     "quick_exit",   "abort",         "atexit",        "on_exit",  "raise",
        "kill",    "setlocale", "signal",    "sigaction",    "alarm",         "setitimer",     "printf",   "puts",
        "putchar", "fprintf",   "vprintf",   "vfprintf",     "perror",        "stdout",        "stderr",   "stdin",
        "system",  "popen",     "fork",      "execve",       "setenv",        "putenv",        "unsetenv", "chdir",
        "umask",   "setuid",    "setrlimit", "__printf_chk", "__fprintf_chk", "__vfprintf_chk"};

    (*(int *)user)++;
    for (size_t i = 0; i < sizeof forbidden / sizeof forbidden[0]; i++)
        if (strcmp(name, forbidden[i]) == 0)
            fail_msg("the library uses %s", name);
}

static void test_imports(void **state)
{
    int count = 0;

    (void)state;
    each_symbol("--undefined-only", refuse_import, &count);
    assert_true(count > 50); /* the list was read */
}

static void test_soname(void **state)
{
    char line[512], soname[64];
    int found = 0;

    (void)state;
    snprintf(soname, sizeof soname, "soname: [libumx.so.%d]", UMX_ABI);
    FILE *pipe = popen("readelf -d '" UMX_LIBRARY "'", "r");
    assert_non_null(pipe);
    while (fgets(line, sizeof line, pipe) != NULL) {
        found += strstr(line, soname) != NULL;
        found += strstr(line, "NODELETE") != NULL; /* gRPC's threads outlive a dlclose */
    }
    pclose(pipe);
    assert_int_equal(found, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constants), cmocka_unit_test(test_statuses), cmocka_unit_test(test_version),
        cmocka_unit_test(test_exports),   cmocka_unit_test(test_imports),  cmocka_unit_test(test_soname),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
