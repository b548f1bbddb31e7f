#include <locale.h>
#include <stdlib.h>

#include "base/command_line.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/place.h"
#include "cli/terminal.h"

static const char *environment(const char *name, const char *otherwise)
{
    const char *value = getenv(name);

    return value != NULL && value[0] != '\0' ? value : otherwise;
}

int main(int argc, char **argv)
{
    struct umx_text identity = {0};

    /* Only for the widths of characters: numbers and times do not know any locale here. */
    if (setlocale(LC_CTYPE, "C.UTF-8") == NULL)
        setlocale(LC_CTYPE, "");
    umx_identity_place(&identity);
    umx_terminal_keep_pipes();
    struct umx_cli cli = {
        .controller = environment("UMX_CONTROLLER", "127.0.0.1:7444"),
        .identity = environment("UMX_IDENTITY", umx_text_string(&identity)),
        .out = stdout,
        .err = stderr,
        .style = umx_terminal_style(stdout),
        .err_terminal = umx_terminal_is(stderr),
    };
    char **words = umx_command_line(&argc, argv);
    if (words == NULL)
        return UMX_EXIT_NO;
    int result = umx_cli_run(&cli, (const char *const *)words + 1, argc > 0 ? (size_t)argc - 1 : 0);
    if (fflush(stdout) != 0 && result == UMX_EXIT_GOOD && !umx_terminal_gone(stdout))
        result = UMX_EXIT_NO;
    umx_text_free(&identity);
    return result;
}
