/* The Windows host layer against a real registry, service manager, certificate stores and sockets: Wine's in the tests.
 * What the test makes below HKEY_LOCAL_MACHINE and in the stores it takes away again. */
#include <winsock2.h>
#include <ws2tcpip.h>

#include <windows.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <wincrypt.h>

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <cmocka.h>

#include "agent/collect/collect.h"
#include "agent/host/host.h"
#include "agent/host/windows_text.h"
#include "base/clock.h"
#include "local_host.h"
#include "windows_manager.h"

#define EXCHANGE L"SOFTWARE\\Microsoft\\ExchangeServer\\v15"
#define SERVICE L"MSExchangeUM"
#define EXCHANGE_2007 L"SOFTWARE\\Microsoft\\Exchange\\v8.0"

static void set_value(const wchar_t *key, const wchar_t *name, DWORD type, const void *data, DWORD size)
{
    HKEY handle;

    assert_int_equal(
        RegCreateKeyExW(HKEY_LOCAL_MACHINE, key, 0, NULL, 0, KEY_WRITE | KEY_WOW64_64KEY, NULL, &handle, NULL),
        ERROR_SUCCESS);
    assert_int_equal(RegSetValueExW(handle, name, 0, type, data, size), ERROR_SUCCESS);
    RegCloseKey(handle);
}

static void set_text(const wchar_t *key, const wchar_t *name, const wchar_t *text)
{
    set_value(key, name, REG_SZ, text, (DWORD)((wcslen(text) + 1) * sizeof *text));
}

static void set_number(const wchar_t *key, const wchar_t *name, DWORD number)
{
    set_value(key, name, REG_DWORD, &number, sizeof number);
}

static int forget_keys(void **state)
{
    (void)state;
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, EXCHANGE);
    RegDeleteTreeW(HKEY_LOCAL_MACHINE, EXCHANGE_2007);
    return 0;
}

static struct umx_rows collect(const char *table)
{
    struct umx_collect collect = {.host = host};
    struct umx_rows rows = {0};
    struct umx_error err = {0};

    if (umx_collect_table(umx_collector_find(table), &collect, &rows, &err) != 0)
        fail_msg("%s: %s", err.what, err.why);
    return rows;
}

static void roles_are_read_from_the_registry(void **state)
{
    (void)state;
    set_number(EXCHANGE L"\\Setup", L"MsiProductMajor", 15);
    set_number(EXCHANGE L"\\Setup", L"MsiProductMinor", 0);
    set_text(EXCHANGE L"\\Setup", L"MsiInstallPath", L"C:\\Program Files\\Exch\u00e4nge\\");
    set_text(EXCHANGE L"\\UnifiedMessagingRole", L"UnpackedVersion", L"15.0.851.0");
    set_text(EXCHANGE L"\\UnifiedMessagingRole", L"ConfiguredVersion", L"15.0.851.0");
    /* A setup that was interrupted, and garbage where a version should be. */
    set_text(EXCHANGE L"\\CafeRole", L"UnpackedVersion", L"15.0.851.0");
    set_text(EXCHANGE L"\\CafeRole", L"Action", L"BuildToBuildUpgrade");
    set_value(EXCHANGE L"\\CafeRole", L"ConfiguredVersion", REG_BINARY, "\xff\x00\x01", 3);

    struct umx_rows rows = collect("role");
    int found = 0;
    for (size_t i = 0; i < rows.count; i++) {
        const Umx__Role *role = (const Umx__Role *)rows.items[i];
        if (strcmp(role->role, "UnifiedMessagingRole") == 0) {
            assert_int_equal(role->state, UMX__ROLE__STATE__COMPLETE);
            assert_string_equal(role->configured_version, "15.0.851.0");
            found++;
        } else if (strcmp(role->role, "CafeRole") == 0) {
            assert_int_equal(role->state, UMX__ROLE__STATE__UNFINISHED);
            assert_string_equal(role->action, "BuildToBuildUpgrade");
            assert_null(role->configured_version);
            found++;
        }
    }
    assert_int_equal(found, 2);
    umx_rows_end(&rows);

    rows = collect("server");
    assert_int_equal(rows.count, 1);
    const Umx__Server *server = (const Umx__Server *)rows.items[0];
    assert_int_equal(server->product, UMX__SERVER__PRODUCT__EXCHANGE);
    assert_int_equal(server->version_major, 15);
    assert_true(strlen(server->server) > 0);
    assert_false(server->recorded);
    umx_rows_end(&rows);
}

static void exchange_2007_is_found_at_its_own_place(void **state)
{
    (void)state;
    set_text(EXCHANGE_2007 L"\\UnifiedMessagingRole", L"UnpackedVersion", L"8.1.240.6");
    set_text(EXCHANGE_2007 L"\\UnifiedMessagingRole", L"ConfiguredVersion", L"8.1.240.6");
    struct umx_rows rows = collect("role");
    assert_int_equal(rows.count, 1);
    assert_int_equal(((const Umx__Role *)rows.items[0])->state, UMX__ROLE__STATE__COMPLETE);
    umx_rows_end(&rows);
}

/* Every type of value, sizes that lie, text that is not UTF-16: read or passed over, never an error. */
static void garbage_in_the_registry_is_no_error(void **state)
{
    static const wchar_t unpaired[] = {0xD800, L'x', 0xDC00};
    static BYTE large[20000];

    (void)state;
    memset(large, 0xA5, sizeof large);
    for (DWORD type = 0; type < 12; type++) {
        wchar_t name[8] = {L'v', (wchar_t)(L'a' + type)};
        set_value(EXCHANGE L"\\Setup", name, type, large, type + 1);
    }
    set_value(EXCHANGE L"\\Setup", L"MsiProductMajor", REG_SZ, unpaired, sizeof unpaired);
    set_value(EXCHANGE L"\\Setup", L"MsiInstallPath", REG_BINARY, large, sizeof large);
    set_value(EXCHANGE L"\\UnifiedMessagingRole", L"UnpackedVersion", REG_SZ, large, 3);
    set_value(EXCHANGE L"\\UnifiedMessagingRole", L"ConfiguredVersion", REG_DWORD, large, 3);
    set_value(EXCHANGE L"\\UnifiedMessagingRole", L"Watermark", REG_SZ, large, sizeof large);
    struct umx_rows rows = collect("role");
    assert_int_equal(rows.count, 1);
    assert_int_equal(((const Umx__Role *)rows.items[0])->state, UMX__ROLE__STATE__UNFINISHED);
    umx_rows_end(&rows);
    rows = collect("server");
    assert_int_equal(rows.count, 1);
    umx_rows_end(&rows);
}

/* ---- services: this program is one of them when it is started with the word "service-" and a letter */

#define NEEDS_IT L"umx-test-dependent"

/* The letter. */
enum behaviour { ORDINARY = 'e', SLOW_TO_START = 's', STUBBORN = 'x' };

static SERVICE_STATUS_HANDLE served;
static HANDLE asked_to_stop;
static enum behaviour behaviour = ORDINARY;

static void tell(DWORD state)
{
    SERVICE_STATUS status = {.dwServiceType = SERVICE_WIN32_OWN_PROCESS,
                             .dwCurrentState = state,
                             .dwControlsAccepted = state == SERVICE_RUNNING ? SERVICE_ACCEPT_STOP : 0};

    SetServiceStatus(served, &status);
}

static void WINAPI control(DWORD code)
{
    if (code == SERVICE_CONTROL_STOP && behaviour != STUBBORN)
        SetEvent(asked_to_stop);
}

/* What a service that is slow or stubborn waits for. */
static HANDLE released(void)
{
    return CreateEventW(NULL, TRUE, FALSE, L"umx-test-service-released");
}

static void WINAPI serve(DWORD argc, wchar_t **argv)
{
    (void)argc;
    (void)argv;
    asked_to_stop = behaviour == STUBBORN ? released() : CreateEventW(NULL, TRUE, FALSE, NULL);
    served = RegisterServiceCtrlHandlerW(SERVICE, control);
    tell(SERVICE_START_PENDING);
    if (behaviour == SLOW_TO_START)
        WaitForSingleObject(released(), INFINITE);
    tell(SERVICE_RUNNING);
    WaitForSingleObject(asked_to_stop, INFINITE);
    tell(SERVICE_STOPPED);
}

static int be_a_service(void)
{
    static wchar_t name[] = SERVICE;
    SERVICE_TABLE_ENTRYW table[] = {{name, serve}, {NULL, NULL}};

    return StartServiceCtrlDispatcherW(table) ? 0 : 1;
}

static SC_HANDLE open_named(const wchar_t *name, enum behaviour how)
{
    SC_HANDLE manager = OpenSCManagerW(NULL, NULL, SC_MANAGER_ALL_ACCESS);
    SC_HANDLE service = OpenServiceW(manager, name, SERVICE_ALL_ACCESS);
    wchar_t program[1024];
    wchar_t line[1100];

    assert_non_null(manager);
    if (service == NULL) {
        assert_in_range(GetModuleFileNameW(NULL, program, 1024), 1, 1023);
        swprintf(line, 1100, L"\"%ls\" service-%c", program, how);
        const wchar_t *shown = wcscmp(name, SERVICE) == 0 ? L"Microsoft Exchange Unified Messaging \u00e9" : name;
        service = CreateServiceW(manager, name, shown, SERVICE_ALL_ACCESS, SERVICE_WIN32_OWN_PROCESS,
                                 SERVICE_DEMAND_START, SERVICE_ERROR_NORMAL, line, NULL, NULL, NULL, NULL, NULL);
    }
    assert_non_null(service);
    CloseServiceHandle(manager);
    return service;
}

static SC_HANDLE open_service(void)
{
    return open_named(SERVICE, ORDINARY);
}

static int forget_named(const wchar_t *name)
{
    SERVICE_STATUS status;
    SC_HANDLE service = open_named(name, ORDINARY);

    ControlService(service, SERVICE_CONTROL_STOP, &status);
    bool stopped = reaches(service, SERVICE_STOPPED);
    DeleteService(service);
    CloseServiceHandle(service);
    return stopped ? 0 : 1;
}

static int forget_service(void **state)
{
    (void)state;
    return forget_named(SERVICE);
}

static int forget_services(void **state)
{
    HANDLE event = released();

    (void)state;
    SetEvent(event);
    CloseHandle(event);
    forget_named(NEEDS_IT);
    return forget_named(SERVICE);
}

static DWORD process_of(SC_HANDLE service)
{
    SERVICE_STATUS_PROCESS status = {0};
    DWORD size = 0;

    QueryServiceStatusEx(service, SC_STATUS_PROCESS_INFO, (BYTE *)&status, sizeof status, &size);
    return status.dwProcessId;
}

/* In the place of the system's calls, for the whole program: the linker puts them there. */
typedef HANDLE WINAPI open_process(DWORD rights, BOOL inherit, DWORD id);
extern open_process *const __real___imp_OpenProcess;
static bool may_not_open;

static HANDLE WINAPI open_if_allowed(DWORD rights, BOOL inherit, DWORD id)
{
    if (!may_not_open)
        return __real___imp_OpenProcess(rights, inherit, id);
    SetLastError(ERROR_ACCESS_DENIED);
    return NULL;
}

open_process *const __wrap___imp_OpenProcess = open_if_allowed;

typedef BOOL WINAPI enumerate(SC_HANDLE service, DWORD state, ENUM_SERVICE_STATUSW *list, DWORD size, DWORD *needed,
                              DWORD *count);
static bool has_dependent;

static BOOL WINAPI tell_of_it(SC_HANDLE service, DWORD state, ENUM_SERVICE_STATUSW *list, DWORD size, DWORD *needed,
                              DWORD *count)
{
    static wchar_t name[] = NEEDS_IT;

    (void)service;
    (void)state;
    *needed = sizeof *list;
    *count = has_dependent && size >= sizeof *list ? 1 : 0;
    if (*count == 1)
        *list = (ENUM_SERVICE_STATUSW){.lpServiceName = name, .lpDisplayName = name};
    SetLastError(ERROR_MORE_DATA);
    return *count == 1 || !has_dependent;
}

enumerate *const __wrap___imp_EnumDependentServicesW = tell_of_it;

/* The one row of the table. */
static Umx__Service the_service(void)
{
    struct umx_rows rows = collect("service");
    Umx__Service service = {0};

    for (size_t i = 0; i < rows.count; i++)
        if (strcmp(((const Umx__Service *)rows.items[i])->name, "MSExchangeUM") == 0)
            service = *(const Umx__Service *)rows.items[i];
    assert_true(service.has_state);
    assert_string_equal(service.display_name, "Microsoft Exchange Unified Messaging \xc3\xa9");
    service.name = service.display_name = NULL; /* they go with the rows */
    umx_rows_end(&rows);
    return service;
}

static void a_service_starts_and_restarts(void **state)
{
    SC_HANDLE handle = open_service();
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(the_service().state, UMX__SERVICE__STATE__STOPPED);
    assert_int_equal(the_service().start_type, UMX__SERVICE__START__MANUAL);
    assert_int_equal(the_service().started_at, 0);
    assert_true(starts(handle));
    assert_true(reaches(handle, SERVICE_RUNNING));
    Umx__Service first = the_service();
    assert_int_equal(first.state, UMX__SERVICE__STATE__RUNNING);
    assert_in_range(first.started_at, umx_clock_now() - 5 * UMX_MINUTE, umx_clock_now() + UMX_SECOND);
    if (umx_host_restart(host, "MSExchangeUM", 2 * UMX_MINUTE, &err) != 0)
        fail_msg("%s", err.why);
    Umx__Service second = the_service();
    assert_int_equal(second.state, UMX__SERVICE__STATE__RUNNING);
    assert_true(second.started_at > first.started_at);
    CloseServiceHandle(handle);
}

static void CALLBACK release(void *event, BOOLEAN fired)
{
    (void)fired;
    SetEvent(event);
}

/* It takes no control while it comes up: the stop is repeated, not forgotten. */
static void a_service_that_is_just_starting_is_restarted(void **state)
{
    SC_HANDLE handle = open_named(SERVICE, SLOW_TO_START);
    HANDLE event = released(), timer;
    struct umx_error err = {0};

    (void)state;
    assert_true(starts(handle));
    assert_true(reaches(handle, SERVICE_START_PENDING));
    DWORD first = process_of(handle);
    assert_true(CreateTimerQueueTimer(&timer, NULL, release, event, 1000, 0, WT_EXECUTEONLYONCE));
    int status = umx_host_restart(host, "MSExchangeUM", 2 * UMX_MINUTE, &err);
    DWORD second = process_of(handle);
    DeleteTimerQueueTimer(NULL, timer, INVALID_HANDLE_VALUE);
    CloseHandle(event);
    CloseServiceHandle(handle);
    if (status != 0)
        fail_msg("%s", err.why);
    assert_true(first != 0 && second != 0 && second != first);
}

/* What was stopped for its sake does not stay so. (Wine's manager knows no dependents: it is told of this one.) */
static void what_a_service_that_does_not_stop_was_stopped_for_runs_again(void **state)
{
    SC_HANDLE handle = open_named(SERVICE, STUBBORN);
    SC_HANDLE other = open_named(NEEDS_IT, ORDINARY);
    struct umx_error err = {0};

    (void)state;
    assert_true(starts(handle));
    assert_true(starts(other));
    assert_true(reaches(handle, SERVICE_RUNNING) && reaches(other, SERVICE_RUNNING));
    DWORD first = process_of(other);
    has_dependent = true;
    assert_int_not_equal(umx_host_restart(host, "MSExchangeUM", 5 * UMX_SECOND, &err), 0);
    has_dependent = false;
    assert_int_equal(err.id, UMX_ERR_SERVICE_RESTART);
    assert_non_null(strstr(err.why, "not stopped in time"));
    assert_true(reaches(handle, SERVICE_RUNNING) && reaches(other, SERVICE_RUNNING));
    assert_int_not_equal(process_of(other), first); /* it was stopped */
    CloseServiceHandle(other);
    CloseServiceHandle(handle);
}

/* Exchange's services run as LocalSystem, and the agent's account may open none of their processes. */
static void processes_that_may_not_be_opened_are_known(void **state)
{
    SC_HANDLE handle = open_service();

    (void)state;
    assert_true(starts(handle));
    assert_true(reaches(handle, SERVICE_RUNNING));
    may_not_open = true;
    Umx__Service service = the_service();
    may_not_open = false;
    assert_int_equal(service.state, UMX__SERVICE__STATE__RUNNING);
    assert_true(service.has_started_at);
    assert_in_range(service.started_at, umx_clock_now() - 5 * UMX_MINUTE, umx_clock_now() + UMX_SECOND);
    CloseServiceHandle(handle);
}

static void a_service_that_is_not_there_cannot_be_restarted(void **state)
{
    struct umx_error err = {0};

    (void)state;
    assert_int_equal(umx_host_restart(host, "umx-nothing-of-this-name", UMX_SECOND, &err), UMX_E_NOT_FOUND);
    assert_int_equal(err.id, UMX_ERR_SERVICE_UNKNOWN);
}

static int make_certificate(uint8_t **der)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *certificate = X509_new();
    X509_NAME *name = X509_NAME_new();

    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)"um2.\xc3\xa4.test", -1, -1, 0);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate), 4711);
    X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
    X509_set_subject_name(certificate, name);
    X509_set_issuer_name(certificate, name);
    X509_set_pubkey(certificate, key);
    assert_true(X509_sign(certificate, key, EVP_sha256()) > 0);
    int length = i2d_X509(certificate, der);
    X509_NAME_free(name);
    X509_free(certificate);
    EVP_PKEY_free(key);
    assert_true(length > 0);
    return length;
}

static void put(const uint8_t *der, int length)
{
    HCERTSTORE store = CertOpenStore(CERT_STORE_PROV_SYSTEM_W, 0, 0, CERT_SYSTEM_STORE_LOCAL_MACHINE, L"MY");
    const CERT_CONTEXT *context = NULL;

    assert_non_null(store);
    assert_true(CertAddEncodedCertificateToStore(store, X509_ASN_ENCODING, der, (DWORD)length,
                                                 CERT_STORE_ADD_REPLACE_EXISTING, &context));
    CertFreeCertificateContext(context);
    assert_true(CertCloseStore(store, 0));
}

/* By the registry, where the store is kept: Wine's call for it does not. */
static void take_away(const uint8_t *der, int length)
{
    wchar_t key[128];
    BYTE hash[20];
    DWORD size = sizeof hash;
    int end = swprintf(key, 128, L"SOFTWARE\\Microsoft\\SystemCertificates\\MY\\Certificates\\");

    assert_true(CryptHashCertificate(0, CALG_SHA1, 0, der, (DWORD)length, hash, &size));
    for (size_t i = 0; i < sizeof hash; i++)
        end += swprintf(key + end, 128 - (size_t)end, L"%02X", hash[i]);
    assert_int_equal(RegDeleteTreeW(HKEY_LOCAL_MACHINE, key), ERROR_SUCCESS);
}

static size_t count_certificates(const char *store, const char *subject)
{
    struct umx_rows rows = collect("certificate");
    size_t count = 0;

    for (size_t i = 0; i < rows.count; i++) {
        const Umx__Certificate *row = (const Umx__Certificate *)rows.items[i];
        if (row->subject_cn == NULL || strcmp(row->subject_cn, subject) != 0 || strcmp(row->store, store) != 0)
            continue;
        assert_true(row->self_signed);
        assert_false(row->private_key);
        count++;
    }
    umx_rows_end(&rows);
    return count;
}

static void certificates_come_from_the_machine_s_stores(void **state)
{
    const char *name = "um2.\xc3\xa4.test";
    uint8_t *der = NULL;
    int length = make_certificate(&der);

    (void)state;
    assert_int_equal(count_certificates("My", name), 0);
    put(der, length);
    size_t mine = count_certificates("My", name);
    size_t roots = count_certificates("Root", name);
    take_away(der, length);
    assert_int_equal(mine, 1);
    assert_int_equal(roots, 0);
    OPENSSL_free(der);
}

static void listeners_have_their_process(void **state)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int size = sizeof address;
    WSADATA data;
    size_t found = 0;

    (void)state;
    assert_int_equal(WSAStartup(MAKEWORD(2, 2), &data), 0);
    SOCKET listener = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    char byte;
    u_long at_once = 1;
    ioctlsocket(listener, (long)FIONBIO, &at_once);
    recv(listener, &byte, 1, 0); /* refused; Wine knows the process of a socket that it has used */
    may_not_open = true;
    struct umx_rows rows = collect("listener");
    may_not_open = false;
    for (size_t i = 0; i < rows.count; i++) {
        const Umx__Listener *row = (const Umx__Listener *)rows.items[i];
        if (row->port != ntohs(address.sin_port))
            continue;
        assert_string_equal(row->address, "127.0.0.1");
        assert_int_equal(row->process_id, GetCurrentProcessId());
        assert_non_null(row->process);
        assert_non_null(strstr(row->process, "test_windows_host"));
        found++;
    }
    assert_int_equal(found, 1);
    umx_rows_end(&rows);
    closesocket(listener);
}

static void the_machine_says_who_it_is(void **state)
{
    (void)state;
    assert_true(strlen(host->identity.fqdn) > 0);
    assert_true(strlen(host->identity.os) > 0);
    assert_false(host->identity.recorded);
    assert_in_range(host->identity.started_at, 1, umx_clock_now());
}

static void text_and_time_cross_without_loss(void **state)
{
    struct umx_arena *arena = umx_arena_new(4096);
    wchar_t wide[16];
    /* 2009-07-25 23:00:00 UTC */
    FILETIME time = {.dwLowDateTime = 0x2A7A4800, .dwHighDateTime = 0x01CA0D7E};

    (void)state;
    assert_int_equal(umx_wide("a\xc3\xa4\xf0\x9f\x98\x80", wide, 16), 0);
    assert_string_equal(umx_narrow(wide, arena), "a\xc3\xa4\xf0\x9f\x98\x80");
    assert_int_equal(umx_wide("\xff", wide, 16), -1);
    assert_int_equal(umx_wide("longer than the room", wide, 16), -1);
    assert_int_equal(umx_windows_time(&time) / UMX_SECOND * 10000000 + INT64_C(116444736000000000),
                     ((int64_t)time.dwHighDateTime << 32 | time.dwLowDateTime) / 10000000 * 10000000);
    umx_arena_free(arena);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strncmp(argv[1], "service-", 8) == 0) {
        behaviour = (enum behaviour)argv[1][8];
        return be_a_service();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(roles_are_read_from_the_registry, forget_keys),
        cmocka_unit_test_teardown(exchange_2007_is_found_at_its_own_place, forget_keys),
        cmocka_unit_test_teardown(garbage_in_the_registry_is_no_error, forget_keys),
        cmocka_unit_test_teardown(a_service_starts_and_restarts, forget_service),
        cmocka_unit_test_teardown(a_service_that_is_just_starting_is_restarted, forget_service),
        cmocka_unit_test_teardown(what_a_service_that_does_not_stop_was_stopped_for_runs_again, forget_services),
        cmocka_unit_test_teardown(processes_that_may_not_be_opened_are_known, forget_service),
        cmocka_unit_test(a_service_that_is_not_there_cannot_be_restarted),
        cmocka_unit_test(certificates_come_from_the_machine_s_stores),
        cmocka_unit_test(listeners_have_their_process),
        cmocka_unit_test(the_machine_says_who_it_is),
        cmocka_unit_test(text_and_time_cross_without_loss),
    };

    return cmocka_run_group_tests(tests, open_host, close_host);
}
