#include <string.h>

#include "cli/cli.h"
#include "cli/value.h"
#include "cli/width.h"

/* On a terminal progress is one line that is written over; elsewhere it is silent unless lines were asked for. */
void umx_progress_show(struct umx_cli *cli, const json_t *body)
{
    struct umx_text line = {0};
    long long done = umx_value_integer(body, "done"), total = umx_value_integer(body, "total");

    if (!cli->progress && !cli->err_terminal)
        return;
    umx_width_add_printable(&line, umx_value_string(body, "activity"));
    if (total > 0)
        umx_text_addf(&line, " (%lld of %lld)", done, total);
    const char *text = umx_text_string(&line);
    if (cli->progress) {
        fprintf(cli->err, "umx: %s\n", text);
    } else {
        fprintf(cli->err, "\r\033[K%.*s", (int)umx_width_prefix(text, strcspn(text, "\n"), 78), text);
        cli->progress_shown = true;
    }
    fflush(cli->err);
    umx_text_free(&line);
}

void umx_progress_clear(struct umx_cli *cli)
{
    if (!cli->progress_shown)
        return;
    fputs("\r\033[K", cli->err);
    fflush(cli->err);
    cli->progress_shown = false;
}

void umx_progress_problem(struct umx_cli *cli, const char *word, const json_t *body)
{
    struct umx_text text = {0}, clean = {0};

    umx_progress_clear(cli);
    if (cli->format == UMX_CLI_JSON || cli->format == UMX_CLI_JSONL) {
        json_t *whole = json_pack("{s:O}", word, body);
        if (whole != NULL && json_dumpf(whole, cli->err, JSON_COMPACT) == 0)
            fputc('\n', cli->err);
        json_decref(whole);
        return;
    }
    if (json_is_object(body) && umx_value_string(body, "id")[0] != '\0')
        umx_text_addf(&text, "umx: %s %s: %s%s%s; %s", word, umx_value_string(body, "id"),
                      umx_value_string(body, "what"), umx_value_string(body, "what")[0] != '\0' ? ": " : "",
                      umx_value_string(body, "why"), umx_value_string(body, "remedy"));
    else {
        umx_text_addf(&text, "umx: %s: ", word);
        umx_value_add_text(&text, body);
    }
    umx_width_add_printable(&clean, umx_text_string(&text));
    fprintf(cli->err, "%s\n", umx_text_string(&clean));
    umx_text_free(&text);
    umx_text_free(&clean);
}
