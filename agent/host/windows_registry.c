/* Keys below the wanted roots, three levels deep, from the 64-bit view. */
#include <stdlib.h>
#include <string.h>

#include "agent/host/utf16.h"
#include "agent/host/windows_host.h"

enum { DEPTH = 3, NAME_MAX_CHARACTERS = 256 };

/* One value as umx keeps it. text holds what its text points to. */
static void convert(DWORD type, const BYTE *data, DWORD size, struct umx_text *text, struct umx_registry_value *value)
{
    value->type = UMX_REGISTRY_OTHER;
    if (type == REG_DWORD && size == 4) {
        uint32_t number;
        memcpy(&number, data, sizeof number);
        value->type = UMX_REGISTRY_NUMBER;
        value->number = number;
    } else if (type == REG_QWORD && size == 8) {
        memcpy(&value->number, data, sizeof value->number);
        value->type = UMX_REGISTRY_NUMBER;
    } else if (type == REG_SZ || type == REG_EXPAND_SZ) {
        /* The terminator may be missing, or there may be several. */
        while (size >= 2 && data[size - 1] == 0 && data[size - 2] == 0)
            size -= 2;
        umx_text_add(text, "", 0);
        umx_utf16_add(text, data, size);
        value->type = UMX_REGISTRY_TEXT;
        value->text = umx_text_string(text);
    }
}

static int values(HKEY key, struct umx_registry *into, struct umx_registry_key *to, struct umx_error *err)
{
    BYTE *data = malloc(UMX_REGISTRY_TEXT_MAX);
    int status = data != NULL ? 0 : umx_fail(err, UMX_ERR_MEMORY, to->path, NULL);

    for (DWORD i = 0; status == 0; i++) {
        wchar_t name[NAME_MAX_CHARACTERS];
        DWORD length = NAME_MAX_CHARACTERS;
        DWORD size = UMX_REGISTRY_TEXT_MAX;
        DWORD type = 0;
        LONG rc = RegEnumValueW(key, i, name, &length, NULL, &type, data, &size);
        if (rc == ERROR_NO_MORE_ITEMS)
            break;
        if (rc != ERROR_SUCCESS)
            continue; /* a name or value beyond the maxima is none that umx reads */
        struct umx_text text = {0};
        struct umx_registry_value value = {.name = umx_narrow(name, into->arena)};
        convert(type, data, size, &text, &value);
        status = value.name == NULL || text.failed ? umx_fail(err, UMX_ERR_MEMORY, to->path, NULL)
                                                   : umx_registry_add_value(into, to, &value, err);
        umx_text_free(&text);
    }
    free(data);
    return status;
}

static int tree(HKEY parent, const char *path, int depth, struct umx_registry *into, struct umx_error *err)
{
    wchar_t wide[UMX_REGISTRY_PATH_MAX];
    struct umx_registry_key *to = NULL;
    HKEY key;

    if (umx_wide(path, wide, UMX_REGISTRY_PATH_MAX) != 0)
        return 0;
    LONG rc = RegOpenKeyExW(parent, wide, 0, KEY_READ | KEY_WOW64_64KEY, &key);
    if (rc == ERROR_FILE_NOT_FOUND)
        return 0;
    if (rc != ERROR_SUCCESS)
        return umx_windows_fail(err, UMX_ERR_HOST_UNREADABLE, path, (DWORD)rc);
    int status = umx_registry_add_key(into, path, &to, err);
    if (status == 0 && to != NULL)
        status = values(key, into, to, err);
    for (DWORD i = 0; status == 0 && depth > 0; i++) {
        wchar_t name[NAME_MAX_CHARACTERS];
        DWORD length = NAME_MAX_CHARACTERS;
        if (RegEnumKeyExW(key, i, name, &length, NULL, NULL, NULL, NULL) != ERROR_SUCCESS)
            break;
        const char *narrow = umx_narrow(name, into->arena);
        const char *below = narrow != NULL ? umx_arena_format(into->arena, "%s\\%s", path, narrow) : NULL;
        status = below == NULL                            ? umx_fail(err, UMX_ERR_ARENA_FULL, path, NULL)
                 : strlen(below) >= UMX_REGISTRY_PATH_MAX ? 0
                                                          : tree(parent, below, depth - 1, into, err);
    }
    RegCloseKey(key);
    return status;
}

int umx_windows_registry(struct umx_host *host, struct umx_registry *into, struct umx_error *err)
{
    int status = 0;

    (void)host;
    for (const char *const *root = into->roots; root != NULL && *root != NULL && status == 0; root++)
        status = tree(HKEY_LOCAL_MACHINE, *root, DEPTH, into, err);
    return status;
}
