#include <stdlib.h>
#include <windows.h>

#include <shellapi.h>

#include "base/command_line.h"

static char *narrow(const wchar_t *word)
{
    int length = WideCharToMultiByte(CP_UTF8, 0, word, -1, NULL, 0, NULL, NULL);
    char *made = length > 0 ? malloc((size_t)length) : NULL;

    if (made != NULL)
        WideCharToMultiByte(CP_UTF8, 0, word, -1, made, length, NULL, NULL);
    return made;
}

char **umx_command_line(int *argc, char **argv)
{
    int count = 0;
    wchar_t **words = CommandLineToArgvW(GetCommandLineW(), &count);
    char **made = words != NULL ? calloc((size_t)count + 1, sizeof *made) : NULL;

    (void)argv;
    for (int i = 0; made != NULL && i < count; i++) {
        if ((made[i] = narrow(words[i])) == NULL) {
            while (i-- > 0)
                free(made[i]);
            free(made);
            made = NULL;
        }
    }
    LocalFree(words);
    *argc = count;
    return made;
}
