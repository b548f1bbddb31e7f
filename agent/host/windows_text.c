#include "agent/host/windows_text.h"

int umx_wide(const char *text, wchar_t *out, size_t size)
{
    return MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text, -1, out, (int)size) > 0 ? 0 : -1;
}

const char *umx_narrow(const wchar_t *text, struct umx_arena *arena)
{
    if (text == NULL)
        return "";
    int length = WideCharToMultiByte(CP_UTF8, 0, text, -1, NULL, 0, NULL, NULL);
    if (length <= 0)
        return "";
    char *out = umx_arena_alloc(arena, (size_t)length);
    if (out != NULL)
        WideCharToMultiByte(CP_UTF8, 0, text, -1, out, length, NULL, NULL);
    return out;
}

int64_t umx_windows_time(const FILETIME *time)
{
    int64_t ticks = (int64_t)((uint64_t)time->dwHighDateTime << 32 | time->dwLowDateTime);

    return ticks == 0 ? 0 : (ticks - INT64_C(116444736000000000)) / 10;
}

int umx_windows_fail(struct umx_error *err, enum umx_error_id id, const char *what, DWORD code)
{
    wchar_t wide[256] = L"";
    char text[512] = "";

    FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, NULL, code, 0, wide, 255, NULL);
    WideCharToMultiByte(CP_UTF8, 0, wide, -1, text, sizeof text, NULL, NULL);
    text[sizeof text - 1] = '\0';
    for (char *p = text; *p != '\0'; p++)
        if (*p == '\r' || *p == '\n')
            *p = ' ';
    return umx_fail_code(err, id, (long)code, what, "Windows error %lu: %s", code, text);
}
