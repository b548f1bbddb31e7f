/*
 * Changes of a Windows host, as the system tells them: the products' registry keys, the machine's certificate stores,
 * the event logs. Services, listening sockets and the local administrators have no notification that one wait could
 * take beside these: they are looked at every few seconds.
 */
#include <windows.h>

#include <stdlib.h>
#include <wincrypt.h>
#include <winevt.h>

#include "agent/host/watch.h"
#include "agent/host/windows_text.h"
#include "base/clock.h"

enum { SOURCES_MAX = 12, SETTLE_MS = 200, EVENTS_AT_ONCE = 64 };

enum kind { KIND_KEY, KIND_STORE, KIND_LOG };

static const struct {
    enum kind kind;
    const wchar_t *name;
    unsigned area;
} wanted[] = {
    {KIND_KEY, L"SOFTWARE\\Microsoft\\ExchangeServer", UMX_HOST_REGISTRY},
    {KIND_KEY, L"SOFTWARE\\Microsoft\\Exchange", UMX_HOST_REGISTRY},
    {KIND_KEY, L"SOFTWARE\\Microsoft\\Real-Time Communications", UMX_HOST_REGISTRY},
    {KIND_STORE, L"MY", UMX_HOST_CERTIFICATES},
    {KIND_STORE, L"ROOT", UMX_HOST_CERTIFICATES},
    {KIND_STORE, L"CA", UMX_HOST_CERTIFICATES},
    {KIND_LOG, L"Application", UMX_HOST_EVENTS},
    {KIND_LOG, L"System", UMX_HOST_EVENTS},
    {KIND_LOG, L"Lync Server", UMX_HOST_EVENTS},
};

struct source {
    enum kind kind;
    unsigned area;
    HKEY key;
    HCERTSTORE store;
    EVT_HANDLE log; /* a subscription that is only asked whether something came */
};

struct windows_watch {
    struct umx_host_watch watch; /* first */
    struct source sources[SOURCES_MAX];
    HANDLE events[SOURCES_MAX + 1]; /* of the sources; the last one wakes */
    DWORD count;
};

static bool arm(struct source *source, HANDLE event)
{
    const DWORD filter = REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET;

    switch (source->kind) {
    case KIND_KEY:
        return RegNotifyChangeKeyValue(source->key, TRUE, filter, event, TRUE) == ERROR_SUCCESS;
    case KIND_STORE:
        return CertControlStore(source->store, 0, CERT_STORE_CTRL_NOTIFY_CHANGE, &event) != FALSE;
    case KIND_LOG:
        return ResetEvent(event) != FALSE; /* the subscription goes on */
    }
    return false;
}

static bool open_source(struct source *source, const wchar_t *name, HANDLE event)
{
    switch (source->kind) {
    case KIND_KEY:
        return RegOpenKeyExW(HKEY_LOCAL_MACHINE, name, 0, KEY_NOTIFY | KEY_WOW64_64KEY, &source->key) == ERROR_SUCCESS;
    case KIND_STORE:
        source->store = CertOpenStore(
            CERT_STORE_PROV_SYSTEM_W, 0, 0,
            CERT_SYSTEM_STORE_LOCAL_MACHINE | CERT_STORE_READONLY_FLAG | CERT_STORE_OPEN_EXISTING_FLAG, name);
        return source->store != NULL;
    case KIND_LOG:
        source->log = EvtSubscribe(NULL, event, name, L"*", NULL, NULL, NULL, EvtSubscribeToFutureEvents);
        return source->log != NULL;
    }
    return false;
}

static void close_source(struct source *source)
{
    if (source->key != NULL)
        RegCloseKey(source->key);
    if (source->store != NULL)
        CertCloseStore(source->store, 0);
    if (source->log != NULL)
        EvtClose(source->log);
}

/* A key or store that is not there (a product that is not installed) is left out: what it would hold is read again at
 * every full report. */
static void add(struct windows_watch *watch, enum kind kind, const wchar_t *name, unsigned area)
{
    struct source *source = &watch->sources[watch->count];
    /* Subscriptions want an event that stays set; the others reset themselves. */
    HANDLE event = CreateEventW(NULL, kind == KIND_LOG, FALSE, NULL);

    *source = (struct source){.kind = kind, .area = area};
    if (event != NULL && open_source(source, name, event) && arm(source, event)) {
        watch->events[watch->count++] = event;
        return;
    }
    close_source(source);
    if (event != NULL)
        CloseHandle(event);
}

/* What came is only counted: the collector reads the log itself. */
static void drain(EVT_HANDLE log)
{
    EVT_HANDLE events[EVENTS_AT_ONCE];
    DWORD got = 0;

    while (EvtNext(log, EVENTS_AT_ONCE, events, 0, 0, &got))
        for (DWORD i = 0; i < got; i++)
            EvtClose(events[i]);
}

/* Takes what was signalled, and arms it again before anything is read. */
static unsigned take(struct windows_watch *watch, DWORD index)
{
    struct source *source = &watch->sources[index];

    if (source->kind == KIND_STORE) /* what was signalled is not signalled again until the store is read anew */
        CertControlStore(source->store, 0, CERT_STORE_CTRL_RESYNC, &watch->events[index]);
    arm(source, watch->events[index]);
    if (source->kind == KIND_LOG)
        drain(source->log);
    return source->area;
}

static unsigned wait_change(struct umx_host_watch *base, int64_t timeout)
{
    struct windows_watch *watch = (struct windows_watch *)base;
    unsigned areas = 0;
    DWORD milliseconds = timeout <= 0 ? 0 : (DWORD)(timeout / UMX_MILLISECOND);
    ULONGLONG end = GetTickCount64() + milliseconds + SETTLE_MS;

    for (;;) {
        DWORD signalled = WaitForMultipleObjects(watch->count + 1, watch->events, FALSE, milliseconds);
        if (signalled >= WAIT_OBJECT_0 + watch->count) /* woken, the time is over, or a handle is bad */
            return areas;
        areas |= take(watch, signalled - WAIT_OBJECT_0);
        if (GetTickCount64() >= end)
            return areas;
        milliseconds = SETTLE_MS;
    }
}

static void wake(struct umx_host_watch *base)
{
    const struct windows_watch *watch = (const struct windows_watch *)base;

    SetEvent(watch->events[watch->count]);
}

static void close_watch(struct umx_host_watch *base)
{
    struct windows_watch *watch = (struct windows_watch *)base;

    for (DWORD i = 0; i < watch->count; i++)
        close_source(&watch->sources[i]);
    for (DWORD i = 0; i <= watch->count; i++)
        if (watch->events[i] != NULL)
            CloseHandle(watch->events[i]);
    free(watch);
}

int umx_windows_watch(struct umx_host *host, struct umx_host_watch **out, struct umx_error *err)
{
    static const struct umx_host_watch_platform platform = {wait_change, wake, close_watch};
    struct windows_watch *watch = calloc(1, sizeof *watch);
    unsigned seen = 0;

    (void)host;
    *out = NULL;
    if (watch == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "watch", NULL);
    watch->watch.platform = &platform;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        add(watch, wanted[i].kind, wanted[i].name, wanted[i].area);
    for (DWORD i = 0; i < watch->count; i++)
        seen |= watch->sources[i].area;
    watch->watch.blind = UMX_HOST_ALL & ~seen & ~(unsigned)UMX_HOST_SHELL;
    watch->events[watch->count] = CreateEventW(NULL, TRUE, FALSE, NULL);
    if (watch->events[watch->count] == NULL) {
        DWORD cause = GetLastError();
        close_watch(&watch->watch);
        return umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, "watch", cause);
    }
    *out = &watch->watch;
    return 0;
}
