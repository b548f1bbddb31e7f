#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "cli/terminal.h"

static volatile sig_atomic_t interrupted;

int umx_terminal_height(FILE *stream)
{
    struct winsize size;

    if (!umx_terminal_is(stream))
        return 0;
    return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_row > 0 ? size.ws_row : 24;
}

bool umx_terminal_is(FILE *stream)
{
    return isatty(fileno(stream)) == 1;
}

struct umx_style umx_terminal_style(FILE *stream)
{
    const char *columns = getenv("COLUMNS"), *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    struct umx_style style = {.width = 80, .terminal = umx_terminal_is(stream)};
    struct winsize size;

    style.color =
        style.terminal && (no_color == NULL || no_color[0] == '\0') && term != NULL && strcmp(term, "dumb") != 0;
    long given = columns != NULL ? strtol(columns, NULL, 10) : 0;
    if (given >= 20 && given <= 10000)
        style.width = (size_t)given;
    else if (style.terminal && ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col >= 20)
        style.width = size.ws_col;
    return style;
}

static void remember(int signal_number)
{
    (void)signal_number;
    interrupted = 1;
}

void umx_terminal_catch_interrupt(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = remember;
    action.sa_flags = (int)SA_RESETHAND; /* the second one ends us */
    sigaction(SIGINT, &action, NULL);
    action.sa_flags = 0;
    sigaction(SIGTERM, &action, NULL);
}

bool umx_terminal_interrupted(void)
{
    return interrupted != 0;
}

void umx_terminal_keep_pipes(void)
{
    signal(SIGPIPE, SIG_IGN);
}

bool umx_terminal_gone(FILE *stream)
{
    struct pollfd one = {.fd = fileno(stream)};

    return one.fd >= 0 && poll(&one, 1, 0) == 1 && (one.revents & POLLERR) != 0;
}
