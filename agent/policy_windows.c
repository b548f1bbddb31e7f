#include "agent/policy.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#include "agent/file.h"
#include "agent/host/windows_text.h"

enum { NAME_MAX = 256, TEXT_MAX = UMX_AGENT_PATH_MAX + 16, NARROW_MAX = 3 * TEXT_MAX };

static int narrow(const wchar_t *wide, char *out, size_t size)
{
    return WideCharToMultiByte(CP_UTF8, 0, wide, -1, out, (int)size, NULL, NULL) > 0 ? 0 : -1;
}

static int take_value(const wchar_t *wide_name, DWORD type, wchar_t *data, DWORD size, umx_policy_take *take,
                      void *user, struct umx_error *err)
{
    char name[3 * NAME_MAX], value[NARROW_MAX];
    DWORD number;

    if (narrow(wide_name, name, sizeof name) != 0)
        snprintf(name, sizeof name, "a name that is no text");
    if (type == REG_DWORD && size == sizeof number) {
        memcpy(&number, data, sizeof number);
        snprintf(value, sizeof value, "%lu", number);
    } else if (type != REG_SZ || size / sizeof *data >= TEXT_MAX) {
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, UMX_POLICY_PLACE, "%s is neither a short REG_SZ nor a REG_DWORD",
                        name);
    } else {
        data[size / sizeof *data] = L'\0'; /* the registry keeps texts without one, too */
        if (narrow(data, value, sizeof value) != 0)
            return umx_fail(err, UMX_ERR_CONFIG_INVALID, UMX_POLICY_PLACE, "%s is no text", name);
    }
    return take(user, name, value, err);
}

int umx_policy_read(umx_policy_take *take, void *user, struct umx_error *err)
{
    wchar_t name[NAME_MAX], data[TEXT_MAX + 1];
    HKEY key = NULL;
    LSTATUS code =
        RegOpenKeyExW(HKEY_LOCAL_MACHINE, L"SOFTWARE\\Policies\\umx\\Agent", 0, KEY_READ | KEY_WOW64_64KEY, &key);
    int status = 0;

    if (code == ERROR_FILE_NOT_FOUND)
        return 0;
    for (DWORD i = 0; code == ERROR_SUCCESS && status == 0; i++) {
        DWORD length = NAME_MAX, type = 0, size = TEXT_MAX * sizeof *data;
        code = RegEnumValueW(key, i, name, &length, NULL, &type, (BYTE *)data, &size);
        if (code == ERROR_MORE_DATA) { /* refused there, by its name */
            size = (TEXT_MAX + 1) * sizeof *data;
            code = ERROR_SUCCESS;
        }
        if (code == ERROR_SUCCESS)
            status = take_value(name, type, data, size, take, user, err);
    }
    if (key != NULL)
        RegCloseKey(key);
    if (status == 0 && code != ERROR_NO_MORE_ITEMS)
        status = umx_windows_fail(err, UMX_ERR_CONFIG_INVALID, UMX_POLICY_PLACE, (DWORD)code);
    return status;
}
