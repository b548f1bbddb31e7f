/* Whatever stands in the registry and in the certificate stores of a machine: the agent reads it or passes it over,
 * says so in valid text, and finds what is good beside it. In the real registry and stores: Wine's in the tests. */
#include <windows.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <wincrypt.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <cmocka.h>

#include "agent/collect/collect.h"
#include "agent/host/host.h"
#include "agent/host/registry.h"
#include "base/text.h"
#include "local_host.h"

#define EXCHANGE L"SOFTWARE\\Microsoft\\ExchangeServer\\v15"
#define LYNC L"SOFTWARE\\Microsoft\\Real-Time Communications\\{8D6164AA-D7B8-44A2-8125-E6C0DC7D4E9E}"
#define WINDOWS L"SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
#define STORE L"SOFTWARE\\Microsoft\\SystemCertificates\\MY\\Certificates\\"
#define GOOD "good.\xc3\xa4.test"
#define ODD "odd.test"

/* Of the list of properties that a store keeps of a certificate: the certificate itself. */
enum { CERTIFICATE_PROPERTY = 32 };

static int collect(const char *table, struct umx_rows *rows, struct umx_error *err)
{
    struct umx_collect collect = {.host = host};

    *rows = (struct umx_rows){0};
    return umx_collect_table(umx_collector_find(table), &collect, rows, err);
}

static struct umx_rows read_table(const char *table)
{
    struct umx_rows rows;
    struct umx_error err = {0};

    if (collect(table, &rows, &err) != 0)
        fail_msg("%s: %s", err.what, err.why);
    return rows;
}

static void assert_text(const char *text)
{
    assert_true(text == NULL || umx_text_valid(text, strlen(text)));
}

/* ---- registry */

static const struct {
    const wchar_t *key;
    const wchar_t *name;
} values[] = {
    {EXCHANGE L"\\Setup", L"MsiProductMajor"},
    {EXCHANGE L"\\Setup", L"MsiProductMinor"},
    {EXCHANGE L"\\Setup", L"MsiBuildMajor"},
    {EXCHANGE L"\\Setup", L"MsiInstallPath"},
    {EXCHANGE L"\\UnifiedMessagingRole", L"ConfiguredVersion"},
    {EXCHANGE L"\\UnifiedMessagingRole", L"UnpackedVersion"},
    {EXCHANGE L"\\UnifiedMessagingRole", L"Action"},
    {EXCHANGE L"\\UnifiedMessagingRole", L"Watermark"},
    {LYNC, L"InstallDir"},
    {LYNC, L"Version"},
};

static HKEY make_key(const wchar_t *path)
{
    HKEY key = NULL;

    assert_int_equal(
        RegCreateKeyExW(HKEY_LOCAL_MACHINE, path, 0, NULL, 0, KEY_ALL_ACCESS | KEY_WOW64_64KEY, NULL, &key, NULL),
        ERROR_SUCCESS);
    return key;
}

static LONG set_value(const wchar_t *path, const wchar_t *name, DWORD type, const void *data, DWORD size)
{
    HKEY key = make_key(path);
    LONG rc = RegSetValueExW(key, name, 0, type, data, size);

    RegCloseKey(key);
    return rc;
}

static int forget_keys(void **state)
{
    (void)state;
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, EXCHANGE);
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, LYNC);
    return 0;
}

/* The role is there, by its key, and is never taken for complete. */
static void assert_unfinished_role(void)
{
    struct umx_rows rows = read_table("role");

    assert_int_equal(rows.count, 1);
    const Umx__Role *role = (const Umx__Role *)rows.items[0];
    assert_int_equal(role->state, UMX__ROLE__STATE__UNFINISHED);
    assert_text(role->configured_version);
    assert_text(role->unpacked_version);
    assert_text(role->action);
    assert_text(role->watermark);
    umx_rows_end(&rows);
}

static void assert_one_server(Umx__Server__Product product)
{
    struct umx_rows rows = read_table("server");

    assert_int_equal(rows.count, 1);
    const Umx__Server *server = (const Umx__Server *)rows.items[0];
    assert_int_equal(server->product, product);
    assert_text(server->install_path);
    assert_text(server->version);
    umx_rows_end(&rows);
}

static void every_value_takes_every_type_and_content(void **state)
{
    static const DWORD types[] = {REG_NONE,
                                  REG_SZ,
                                  REG_EXPAND_SZ,
                                  REG_BINARY,
                                  REG_DWORD,
                                  REG_LINK,
                                  REG_MULTI_SZ,
                                  REG_DWORD_BIG_ENDIAN,
                                  REG_RESOURCE_LIST,
                                  REG_QWORD,
                                  12,
                                  0xffff,
                                  0xffffffff};
    static const wchar_t unpaired[] = {0xD800, L'1', 0xDC00, 0xDBFF};
    static const wchar_t inner[] = L"15.0\0.847\0\0\0.1";
    static const wchar_t number[] = L"999999999999999999999999.99999.0";
    static BYTE large[UMX_REGISTRY_TEXT_MAX + 2], most[UMX_REGISTRY_TEXT_MAX];
    static const struct {
        const void *bytes;
        DWORD size;
    } contents[] = {{"", 0},
                    {"\xff", 1},
                    {"abc", 3},
                    {unpaired, sizeof unpaired},
                    {inner, sizeof inner},
                    {number, sizeof number},
                    {"\xff\xff\xff\xff\xff\xff\xff\xff", 8},
                    {most, sizeof most},
                    {large, sizeof large}};
    int set = 0;

    (void)state;
    memset(large, 0xA5, sizeof large);
    memset(most, 0xD8, sizeof most);
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        for (size_t c = 0; c < sizeof contents / sizeof *contents; c++) {
            for (size_t v = 0; v < sizeof values / sizeof *values; v++)
                set += set_value(values[v].key, values[v].name, types[t], contents[c].bytes, contents[c].size) ==
                       ERROR_SUCCESS;
            assert_unfinished_role();
            assert_one_server(UMX__SERVER__PRODUCT__EXCHANGE);
        }
    }
    /* A system may refuse a type; nearly all were tried. */
    assert_true(set > (int)(sizeof types / sizeof *types * sizeof contents / sizeof *contents * 8));
}

static void lync_s_values_may_be_anything(void **state)
{
    static const wchar_t version[] = L"5.0.8308.\xD800";

    (void)state;
    for (DWORD type = 0; type < 12; type++) {
        set_value(LYNC, L"Version", type, version, sizeof version - type % 3);
        set_value(LYNC, L"InstallDir", type, version, type);
        assert_one_server(UMX__SERVER__PRODUCT__LYNC);
    }
}

static void names_of_keys_may_be_anything(void **state)
{
    static const wchar_t *const names[] = {
        L"\u0434\u0430\u043d\u043d\u044b\u0435", L"\xD83D\xDE00", L"half \xD800 half", L"%s%n", L"a/b", L" "};
    wchar_t longest[256], path[1024];

    (void)state;
    for (size_t i = 0; i < 255; i++)
        longest[i] = L'\u00e4';
    longest[255] = L'\0';
    set_value(EXCHANGE L"\\UnifiedMessagingRole", L"ConfiguredVersion", REG_SZ, L"1", 4);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        swprintf(path, 1024, EXCHANGE L"\\%ls", names[i]);
        assert_int_equal(set_value(path, names[i], REG_SZ, names[i], (DWORD)(2 * wcslen(names[i]))), ERROR_SUCCESS);
    }
    /* Deeper and longer than anything that is read. */
    swprintf(path, 1024, EXCHANGE L"\\%ls\\%ls\\%ls", longest, longest, longest);
    assert_int_equal(set_value(path, longest, REG_DWORD, "abcd", 4), ERROR_SUCCESS);
    assert_unfinished_role();
    assert_one_server(UMX__SERVER__PRODUCT__EXCHANGE);
}

static void too_many_keys_are_an_error_that_says_so(void **state)
{
    struct umx_rows rows;
    struct umx_error err = {0};
    HKEY many = make_key(EXCHANGE L"\\Many"), one;
    wchar_t name[16];

    (void)state;
    for (int i = 0; i <= UMX_REGISTRY_KEYS_MAX; i++) {
        swprintf(name, 16, L"%d", i);
        assert_int_equal(RegCreateKeyExW(many, name, 0, NULL, 0, KEY_READ, NULL, &one, NULL), ERROR_SUCCESS);
        RegCloseKey(one);
    }
    RegCloseKey(many);
    assert_int_not_equal(collect("role", &rows, &err), 0);
    assert_int_equal(err.id, UMX_ERR_REGISTRY_INVALID);
    assert_non_null(strstr(err.why, "keys"));
    umx_rows_end(&rows);
}

/* What this Windows calls itself is shown to people. */
static void the_system_s_name_may_be_anything(void **state)
{
    static BYTE before[2048], large[4096];
    DWORD size = sizeof before, type = 0;
    HKEY key = make_key(WINDOWS);

    (void)state;
    memset(large, 0xDC, sizeof large);
    assert_int_equal(RegQueryValueExW(key, L"ProductName", NULL, &type, before, &size), ERROR_SUCCESS);
    for (DWORD kind = 0; kind < 12; kind++) {
        for (DWORD length = 0; length <= sizeof large; length = 3 * length + 1) {
            struct umx_host *named = NULL;
            RegSetValueExW(key, L"ProductName", 0, kind, large, length);
            int status = umx_host_open("local", &named, NULL);
            bool valid = status == 0 && umx_text_valid(named->identity.os, strlen(named->identity.os));
            umx_host_close(named);
            if (!valid)
                RegSetValueExW(key, L"ProductName", 0, type, before, size);
            assert_true(valid);
        }
    }
    assert_int_equal(RegSetValueExW(key, L"ProductName", 0, type, before, size), ERROR_SUCCESS);
    RegCloseKey(key);
}

/* ---- certificates */

struct der {
    uint8_t *bytes;
    int length;
};

static X509 *certificate_of(const char *cn, int type, int length)
{
    X509 *made = X509_new();
    X509_NAME *name = X509_NAME_new();

    if (cn != NULL)
        assert_int_equal(X509_NAME_add_entry_by_txt(name, "CN", type, (const unsigned char *)cn, length, -1, 0), 1);
    ASN1_INTEGER_set(X509_get_serialNumber(made), 4711);
    X509_set_version(made, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(made), 0);
    X509_gmtime_adj(X509_getm_notAfter(made), 86400);
    X509_set_subject_name(made, name);
    X509_set_issuer_name(made, name);
    X509_NAME_free(name);
    return made;
}

static struct der sign(X509 *certificate)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    struct der der = {0};

    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    der.length = i2d_X509(certificate, &der.bytes);
    assert_true(der.length > 0);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return der;
}

static void add_extension(X509 *certificate, int nid, const void *bytes, size_t length)
{
    ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();

    assert_int_equal(ASN1_OCTET_STRING_set(octets, bytes, (int)length), 1);
    X509_EXTENSION *extension = X509_EXTENSION_create_by_NID(NULL, nid, 0, octets);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
    ASN1_OCTET_STRING_free(octets);
}

static void names_that_are_none(X509 *certificate)
{
    add_extension(certificate, NID_subject_alt_name, "\x30\x84\xff\xff\xff\xff\x82", 7);
    add_extension(certificate, NID_ext_key_usage, "\x30\x80\x06\x00", 4);
}

static void names_with_anything_in_them(X509 *certificate)
{
    add_extension(certificate, NID_subject_alt_name, "\x30\x0b\x82\x09\x00\xff\x80\nx\r\x1b[2J", 13);
}

static void more_names_than_are_told(X509 *certificate)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();

    for (int i = 0; i < 400; i++) {
        GENERAL_NAME *name = GENERAL_NAME_new();
        ASN1_IA5STRING *text = ASN1_IA5STRING_new();
        ASN1_STRING_set(text, "many.test", -1);
        GENERAL_NAME_set0_value(name, GEN_DNS, text);
        sk_GENERAL_NAME_push(names, name);
    }
    assert_int_equal(X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0), 1);
    GENERAL_NAMES_free(names);
}

static void the_end_of_time(X509 *certificate)
{
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notBefore(certificate), "19500101000000Z"), 1);
    assert_int_equal(ASN1_TIME_set_string(X509_getm_notAfter(certificate), "99991231235959Z"), 1);
}

static void a_number_beyond_all_bounds(X509 *certificate)
{
    static unsigned char bytes[400];
    ASN1_INTEGER *number = ASN1_INTEGER_new();

    memset(bytes, 0xA5, sizeof bytes);
    ASN1_STRING_set(number, bytes, sizeof bytes);
    number->type = V_ASN1_NEG_INTEGER;
    X509_set_serialNumber(certificate, number);
    ASN1_INTEGER_free(number);
}

static void more_bytes_than_are_read(X509 *certificate)
{
    static unsigned char bytes[UMX_HOST_CERTIFICATE_MAX];

    add_extension(certificate, NID_netscape_comment, bytes, sizeof bytes);
}

/* By the registry, where the store is kept: Wine's calls for it do not. */
static void store_path(const struct der *der, wchar_t path[256])
{
    BYTE hash[20];
    DWORD size = sizeof hash;
    int end = swprintf(path, 256, STORE);

    assert_true(CryptHashCertificate(0, CALG_SHA1, 0, der->bytes, (DWORD)der->length, hash, &size));
    for (size_t i = 0; i < sizeof hash; i++)
        end += swprintf(path + end, 256 - (size_t)end, L"%02X", hash[i]);
}

static void property(struct umx_text *blob, uint32_t id, uint32_t claimed, const void *bytes, size_t length)
{
    const uint32_t head[] = {id, 1, claimed};

    umx_text_add(blob, (const char *)head, sizeof head);
    umx_text_add(blob, bytes, length);
}

/* What a test has put into the store; a failed one's is taken away too. */
static wchar_t made[16][256];
static size_t made_count;

static int empty_store(void **state)
{
    (void)state;
    while (made_count > 0)
        RegDeleteTreeW(HKEY_LOCAL_MACHINE, made[--made_count]);
    return 0;
}

static void put_blob(const struct der *der, DWORD type, const struct umx_text *blob)
{
    wchar_t path[256];

    store_path(der, path);
    assert_true(made_count < sizeof made / sizeof *made);
    wcscpy(made[made_count++], path);
    assert_int_equal(set_value(path, L"Blob", type, blob->data, (DWORD)blob->length), ERROR_SUCCESS);
}

static void put(const struct der *der)
{
    struct umx_text blob = {0};

    property(&blob, CERTIFICATE_PROPERTY, (uint32_t)der->length, der->bytes, (size_t)der->length);
    put_blob(der, REG_BINARY, &blob);
    umx_text_free(&blob);
}

/* The newest. */
static void take_away(struct der *der)
{
    assert_int_equal(RegDeleteTreeW(HKEY_LOCAL_MACHINE, made[--made_count]), ERROR_SUCCESS);
    OPENSSL_free(der->bytes);
}

/* Reads the stores: everything told is text. How many of My have this name. */
static size_t count_named(const char *cn)
{
    struct umx_rows rows = read_table("certificate");
    size_t count = 0;

    for (size_t i = 0; i < rows.count; i++) {
        const Umx__Certificate *row = (const Umx__Certificate *)rows.items[i];
        assert_text(row->subject);
        assert_text(row->subject_cn);
        assert_text(row->issuer);
        assert_text(row->serial);
        assert_text(row->error);
        assert_in_range(row->n_dns_name, 0, 256);
        for (size_t n = 0; n < row->n_dns_name; n++)
            assert_text(row->dns_name[n]);
        count += strcmp(row->store, "My") == 0 && row->subject_cn != NULL && strcmp(row->subject_cn, cn) == 0;
    }
    umx_rows_end(&rows);
    return count;
}

static size_t count_errors(const char *why)
{
    struct umx_rows rows = read_table("certificate");
    size_t count = 0;

    for (size_t i = 0; i < rows.count; i++) {
        const char *error = ((const Umx__Certificate *)rows.items[i])->error;
        count += error != NULL && strstr(error, why) != NULL;
    }
    umx_rows_end(&rows);
    return count;
}

static void odd_certificates_are_told_beside_good_ones(void **state)
{
    static void (*const spoil[])(X509 *) = {names_that_are_none, names_with_anything_in_them, more_names_than_are_told,
                                            the_end_of_time, a_number_beyond_all_bounds};
    struct der good = sign(certificate_of(GOOD, MBSTRING_UTF8, -1));

    (void)state;
    put(&good);
    for (size_t i = 0; i < sizeof spoil / sizeof *spoil; i++) {
        X509 *certificate = certificate_of(ODD, MBSTRING_ASC, -1);
        spoil[i](certificate);
        struct der der = sign(certificate);
        put(&der);
        size_t odd = count_named(ODD), named = count_named(GOOD);
        take_away(&der);
        if (odd != 1 || named != 1)
            fail_msg("%zu: %zu odd, %zu good", i, odd, named);
    }
    take_away(&good);
}

static void a_large_certificate_is_told_as_such(void **state)
{
    X509 *certificate = certificate_of(ODD, MBSTRING_ASC, -1);

    (void)state;
    more_bytes_than_are_read(certificate);
    struct der der = sign(certificate);
    put(&der);
    size_t told = count_errors("too large");
    take_away(&der);
    assert_int_equal(told, 1);
}

static void strange_subjects_become_text(void **state)
{
    static char longest[20000];
    static const struct {
        const char *bytes;
        int type;
        int length;
    } subjects[] = {{NULL, 0, 0},
                    {"a\0b", V_ASN1_PRINTABLESTRING, 3},
                    {"\xff\xfe\x80", V_ASN1_UTF8STRING, 3},
                    {"\xd8\x00\x00\x41", V_ASN1_BMPSTRING, 4},
                    {"\xff\xff\xff\xff", V_ASN1_UNIVERSALSTRING, 4},
                    {"\xe4\r\n\x1b]0;x\x07", V_ASN1_T61STRING, 9},
                    {longest, V_ASN1_UTF8STRING, sizeof longest}};
    struct der good = sign(certificate_of(GOOD, MBSTRING_UTF8, -1));

    (void)state;
    memset(longest, 'x', sizeof longest);
    put(&good);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++) {
        X509 *certificate = certificate_of(NULL, 0, 0);
        if (subjects[i].bytes != NULL) {
            /* By hand: the library would not make such a name. */
            X509_NAME *name = X509_NAME_new();
            ASN1_OBJECT *cn = OBJ_nid2obj(NID_commonName);
            X509_NAME_ENTRY *entry = X509_NAME_ENTRY_create_by_OBJ(
                NULL, cn, subjects[i].type, (const unsigned char *)subjects[i].bytes, subjects[i].length);
            assert_int_equal(X509_NAME_add_entry(name, entry, -1, 0), 1);
            X509_set_subject_name(certificate, name);
            X509_NAME_ENTRY_free(entry);
            X509_NAME_free(name);
        }
        struct der der = sign(certificate);
        put(&der);
        size_t named = count_named(GOOD);
        take_away(&der);
        assert_int_equal(named, 1);
    }
    take_away(&good);
}

static void damaged_entries_of_a_store_hide_no_other(void **state)
{
    static const uint8_t zeros[1 << 20];
    struct der good = sign(certificate_of(GOOD, MBSTRING_UTF8, -1)), odd = sign(certificate_of(ODD, MBSTRING_ASC, -1));
    const size_t length = (size_t)odd.length;
    struct umx_text blobs[12] = {{0}};
    size_t count = 0;

    (void)state;
    put(&good);
    umx_text_add(&blobs[count++], "", 0);
    umx_text_add(&blobs[count++], "\x20\x00\x00", 3);
    property(&blobs[count++], CERTIFICATE_PROPERTY, 0xffffffff, odd.bytes, length);
    property(&blobs[count++], CERTIFICATE_PROPERTY, (uint32_t)length + 1, odd.bytes, length);
    property(&blobs[count++], CERTIFICATE_PROPERTY, (uint32_t)length / 2, odd.bytes, length / 2);
    property(&blobs[count++], CERTIFICATE_PROPERTY, 4, "\x30\x82\xff\xff", 4);
    property(&blobs[count++], CERTIFICATE_PROPERTY, 0, "", 0);
    property(&blobs[count++], CERTIFICATE_PROPERTY, sizeof zeros, zeros, sizeof zeros);
    property(&blobs[count], 0xdeadbeef, 5, "abcde", 5);
    property(&blobs[count++], CERTIFICATE_PROPERTY, (uint32_t)length, odd.bytes, length);
    property(&blobs[count], CERT_SHA1_HASH_PROP_ID, 20, zeros, 20);
    property(&blobs[count++], CERTIFICATE_PROPERTY, (uint32_t)length, odd.bytes, length);
    for (size_t i = 0; i < count; i++) {
        for (DWORD type = REG_NONE; type <= REG_DWORD; type++) {
            put_blob(&odd, type, &blobs[i]);
            size_t named = count_named(GOOD);
            assert_int_equal(RegDeleteTreeW(HKEY_LOCAL_MACHINE, made[--made_count]), ERROR_SUCCESS);
            if (named != 1)
                fail_msg("blob %zu of type %lu: the good certificate is told %zu times", i, (unsigned long)type, named);
        }
        umx_text_free(&blobs[i]);
    }
    OPENSSL_free(odd.bytes);
    take_away(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(every_value_takes_every_type_and_content, forget_keys),
        cmocka_unit_test_teardown(lync_s_values_may_be_anything, forget_keys),
        cmocka_unit_test_teardown(names_of_keys_may_be_anything, forget_keys),
        cmocka_unit_test_teardown(too_many_keys_are_an_error_that_says_so, forget_keys),
        cmocka_unit_test(the_system_s_name_may_be_anything),
        cmocka_unit_test_teardown(odd_certificates_are_told_beside_good_ones, empty_store),
        cmocka_unit_test_teardown(a_large_certificate_is_told_as_such, empty_store),
        cmocka_unit_test_teardown(strange_subjects_become_text, empty_store),
        cmocka_unit_test_teardown(damaged_entries_of_a_store_hide_no_other, empty_store),
    };

    return cmocka_run_group_tests(tests, open_host, close_host);
}
