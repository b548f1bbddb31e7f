/* Services under test: what the service manager says of them is waited for. */
#ifndef UMX_TESTS_WINDOWS_MANAGER_H
#define UMX_TESTS_WINDOWS_MANAGER_H

#include <stdbool.h>
#include <windows.h>

#include "base/clock.h"

static inline bool reaches(SC_HANDLE service, DWORD state)
{
    SERVICE_STATUS status;
    int64_t end = umx_clock_monotonic() + 2 * UMX_MINUTE;

    while (QueryServiceStatus(service, &status) && umx_clock_monotonic() < end) {
        if (status.dwCurrentState == state)
            return true;
        Sleep(50);
    }
    return false;
}

/* The service manager may tell that one has stopped before its process has ended. */
static inline bool starts(SC_HANDLE service)
{
    int64_t end = umx_clock_monotonic() + UMX_MINUTE;

    while (!StartServiceW(service, 0, NULL)) {
        if (umx_clock_monotonic() > end) {
            print_message("Windows error %lu\n", (unsigned long)GetLastError());
            return false;
        }
        Sleep(100);
    }
    return true;
}

#endif
