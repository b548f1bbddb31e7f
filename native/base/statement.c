#include "base/statement.h"

#include <string.h>

#include "base/clock.h"

static const struct {
    Umx__Approval__Decision decision;
    const char *word;
} words[] = {
    {UMX__APPROVAL__DECISION__APPROVE, "approve"},
    {UMX__APPROVAL__DECISION__DENY, "deny"},
    {UMX__APPROVAL__DECISION__WITHDRAW, "withdraw"},
    {UMX__APPROVAL__DECISION__BREAK_GLASS, "break_glass"},
};

static const char *word_of(Umx__Approval__Decision decision)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (words[i].decision == decision)
            return words[i].word;
    return NULL;
}

static int add_line(struct umx_text *out, const char *name, const char *value, struct umx_error *err)
{
    if (value == NULL)
        value = "";
    const size_t length = strlen(value);
    if (!umx_text_valid(value, length))
        return umx_fail(err, UMX_ERR_STATEMENT_INVALID, name, "it is not UTF-8");
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)value[i] < 0x20 || (unsigned char)value[i] == 0x7f)
            return umx_fail(err, UMX_ERR_STATEMENT_INVALID, name, "it holds a control character");
    if (out->length + length + 1 > UMX_STATEMENT_MAX)
        return umx_fail(err, UMX_ERR_STATEMENT_INVALID, name, "the statement is longer than %d bytes",
                        UMX_STATEMENT_MAX);
    umx_text_add(out, value, length);
    umx_text_adds(out, "\n");
    return 0;
}

static int add_lines(struct umx_text *out, const char *const (*lines)[2], size_t count, struct umx_error *err)
{
    for (size_t i = 0; i < count; i++) {
        int status = add_line(out, lines[i][0], lines[i][1], err);
        if (status != 0)
            return status;
    }
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "statement", NULL) : 0;
}

int umx_login_statement_write(const struct umx_login_statement *statement, struct umx_text *out, struct umx_error *err)
{
    const char *const lines[][2] = {
        {"version", "umx-login-1"},
        {"forest", statement->forest},
        {"request", statement->request_hash},
        {"root", statement->root_hash},
    };

    return add_lines(out, lines, sizeof lines / sizeof *lines, err);
}

int umx_statement_write(const struct umx_statement *statement, struct umx_text *out, struct umx_error *err)
{
    char when[UMX_CLOCK_TEXT] = "";
    if (statement->expires_at != 0)
        umx_clock_format(statement->expires_at, when);
    const char *decision = word_of(statement->decision);
    if (decision == NULL)
        return umx_fail(err, UMX_ERR_STATEMENT_INVALID, "decision", "%d is none", (int)statement->decision);
    const char *const lines[][2] = {
        {"version", "umx-approval-1"},
        {"deployment", statement->deployment},
        {"plan hash", statement->plan_hash},
        {"forest", statement->forest},
        {"decision", decision},
        {"expiry", when},
        {"ticket", statement->ticket},
        {"comment", statement->comment},
    };
    return add_lines(out, lines, sizeof lines / sizeof *lines, err);
}
