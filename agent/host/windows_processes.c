#include "agent/host/windows_processes.h"

#include <stdlib.h>
#include <string.h>

#include <winternl.h>

#include "agent/host/windows_text.h"

enum { FIRST_SIZE = 256 * 1024, SIZE_MAX_BYTES = 64 * 1024 * 1024, NAME_MAX_CHARACTERS = 260 };

void *umx_windows_processes(void)
{
    /* It says how much it wants, and processes begin between two calls: doubled, it is soon enough. */
    for (ULONG size = FIRST_SIZE; size <= SIZE_MAX_BYTES; size *= 2) {
        void *table = malloc(size);
        ULONG got = 0;
        if (table != NULL && NtQuerySystemInformation(SystemProcessInformation, table, size, &got) >= 0)
            return table;
        free(table);
    }
    return NULL;
}

static const SYSTEM_PROCESS_INFORMATION *find(const void *table, DWORD id)
{
    const SYSTEM_PROCESS_INFORMATION *process = id != 0 ? table : NULL;

    while (process != NULL && (DWORD)(ULONG_PTR)process->UniqueProcessId != id)
        process =
            process->NextEntryOffset != 0 ? (const void *)((const BYTE *)process + process->NextEntryOffset) : NULL;
    return process;
}

int64_t umx_windows_process_start(const void *table, DWORD id)
{
    const SYSTEM_PROCESS_INFORMATION *process = find(table, id);

    if (process == NULL)
        return 0;
    FILETIME start = {process->CreateTime.LowPart, (DWORD)process->CreateTime.HighPart};
    return umx_windows_time(&start);
}

const char *umx_windows_process_name(const void *table, DWORD id, struct umx_arena *arena)
{
    const SYSTEM_PROCESS_INFORMATION *process = find(table, id);
    wchar_t name[NAME_MAX_CHARACTERS] = L"";

    if (process == NULL || process->ImageName.Buffer == NULL)
        return "";
    size_t length = process->ImageName.Length / sizeof *name;
    memcpy(name, process->ImageName.Buffer,
           (length < NAME_MAX_CHARACTERS ? length : NAME_MAX_CHARACTERS - 1) * sizeof *name);
    const wchar_t *slash = wcsrchr(name, L'\\');
    return umx_narrow(slash != NULL ? slash + 1 : name, arena);
}
