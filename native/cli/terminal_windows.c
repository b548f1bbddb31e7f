#include <io.h>
#include <stdlib.h>
#include <windows.h>

#include "cli/terminal.h"

static volatile LONG interrupted;

static HANDLE handle_of(FILE *stream)
{
    return (HANDLE)_get_osfhandle(_fileno(stream));
}

/* Columns and lines of the console's window. */
static bool window(FILE *stream, int *columns, int *lines)
{
    CONSOLE_SCREEN_BUFFER_INFO info;

    if (!GetConsoleScreenBufferInfo(handle_of(stream), &info))
        return false;
    *columns = info.srWindow.Right - info.srWindow.Left + 1;
    *lines = info.srWindow.Bottom - info.srWindow.Top + 1;
    return true;
}

bool umx_terminal_is(FILE *stream)
{
    DWORD mode;

    return GetConsoleMode(handle_of(stream), &mode) != 0;
}

int umx_terminal_height(FILE *stream)
{
    int columns, lines;

    return umx_terminal_is(stream) && window(stream, &columns, &lines) && lines > 0 ? lines : 0;
}

/* Colours are escape sequences, which consoles since Windows 10 take when they are asked to. */
static bool takes_colour(FILE *stream)
{
    DWORD mode;
    const char *no_color = getenv("NO_COLOR");

    return (no_color == NULL || no_color[0] == '\0') && GetConsoleMode(handle_of(stream), &mode) &&
           SetConsoleMode(handle_of(stream), mode | 0x0004 /* ENABLE_VIRTUAL_TERMINAL_PROCESSING */);
}

struct umx_style umx_terminal_style(FILE *stream)
{
    const char *given = getenv("COLUMNS");
    struct umx_style style = {.width = 80, .terminal = umx_terminal_is(stream)};
    long number = given != NULL ? strtol(given, NULL, 10) : 0;
    int columns, lines;

    SetConsoleOutputCP(CP_UTF8); /* what umx writes */
    style.color = style.terminal && takes_colour(stream);
    if (number >= 20 && number <= 10000)
        style.width = (size_t)number;
    else if (style.terminal && window(stream, &columns, &lines) && columns >= 20)
        style.width = (size_t)columns;
    return style;
}

static BOOL WINAPI remember(DWORD event)
{
    (void)event;
    return InterlockedExchange(&interrupted, 1) == 0; /* the second one ends us */
}

void umx_terminal_catch_interrupt(void)
{
    SetConsoleCtrlHandler(remember, TRUE);
}

bool umx_terminal_interrupted(void)
{
    return interrupted != 0;
}

/* There is no signal for it here. */
void umx_terminal_keep_pipes(void)
{
}

bool umx_terminal_gone(FILE *stream)
{
    DWORD ignored;

    return GetFileType(handle_of(stream)) == FILE_TYPE_PIPE && !WriteFile(handle_of(stream), "", 0, &ignored, NULL) &&
           (GetLastError() == ERROR_NO_DATA || GetLastError() == ERROR_BROKEN_PIPE);
}
