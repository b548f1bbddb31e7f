/* Decisions about a plan: fetched, shown, signed with the operator's own key, sent. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/statement.h"
#include "cli/commands.h"
#include "cli/plan_view.h"
#include "cli/session.h"
#include "cli/value.h"
#include "cli/when.h"
#include "cli/width.h"

enum { EXPIRY_HOURS = 8 };

struct decision {
    const char *operation;
    Umx__Approval__Decision decision;
};

/* The plan as the controller has it now; what was reviewed must be the same. */
static int fetch(struct umx_cli *cli, const struct umx_args *args, struct umx_document *plan, struct umx_error *err)
{
    const char *name = umx_args_operand(args, 0), *wanted = umx_args_value(args, "--hash");
    int status = umx_call(cli, "plan.show", json_pack("{s:s}", "name", name), NULL, plan, err);

    if (status != 0)
        return status;
    const char *hash = umx_value_string(plan->root, "hash");
    if (strlen(hash) != 64 || strspn(hash, "0123456789abcdef") != 64)
        return umx_fail(err, UMX_ERR_ANSWER_INVALID, name, "the plan has no hash");
    if (wanted != NULL && strcmp(wanted, hash) != 0)
        return umx_fail(err, UMX_ERR_PLAN_HASH_MISMATCH, name, "it is %s, not %s", hash, wanted);
    return 0;
}

/* Whoever decides sees what about, before the signature goes out. */
static void show(struct umx_cli *cli, const char *operation, const struct umx_statement *statement, const char *name)
{
    struct umx_text line = {0}, clean = {0};

    umx_text_addf(&line, "umx: %s of %s for %s: hash %s", operation, name, statement->forest, statement->plan_hash);
    umx_width_add_printable(&clean, umx_text_string(&line));
    fprintf(cli->err, "%s\n", umx_text_string(&clean));
    umx_text_free(&line);
    umx_text_free(&clean);
}

static int send(struct umx_cli *cli, const char *operation, const struct umx_statement *statement, const char *name,
                const struct umx_text *signature, struct umx_error *err)
{
    char expires[UMX_CLOCK_TEXT];
    json_t *arguments = json_pack("{s:s,s:s,s:s,s:s}", "name", name, "plan_hash", statement->plan_hash, "forest",
                                  statement->forest, "signature", umx_text_string(signature));

    umx_json_text(arguments, "ticket", statement->ticket);
    umx_json_text(arguments, "comment", statement->comment);
    if (statement->expires_at != 0)
        umx_json_text(arguments, "expires_at", umx_clock_format(statement->expires_at, expires));
    if (statement->decision == UMX__APPROVAL__DECISION__BREAK_GLASS)
        json_object_set_new(arguments, "break_glass", json_true());
    return umx_output_call(cli, operation, arguments, umx_plan_view_state, err);
}

/* The signature names the deployment of the operator's own certificate: a plan of another one is nobody's to decide. */
static int check_deployment(const struct umx_cli *cli, const struct umx_document *plan, struct umx_text *deployment,
                            struct umx_error *err)
{
    int status = umx_cli_session_deployment(cli, deployment, err);

    if (status == 0 && strcmp(umx_text_string(deployment), umx_value_string(plan->root, "deployment")) != 0)
        status = umx_fail(err, UMX_ERR_ANSWER_INVALID, umx_value_string(plan->root, "name"),
                          "the plan is of deployment %s, the identity of %s",
                          umx_value_string(plan->root, "deployment"), umx_text_string(deployment));
    return status;
}

static int decide(struct umx_cli *cli, const struct umx_args *args, const struct decision *decision,
                  struct umx_error *err)
{
    const char *name = umx_args_operand(args, 0), *expires = umx_args_value(args, "--expires");
    struct umx_document plan = {0};
    struct umx_text text = {0}, signature = {0}, deployment = {0};
    struct umx_statement statement = {.forest = umx_args_value(args, "--forest"),
                                      .decision = decision->decision,
                                      .ticket = umx_args_value(args, "--ticket"),
                                      .comment = umx_args_value(args, "--comment")};
    int status = 0;

    if (umx_args_flag(args, "--break-glass")) {
        statement.decision = UMX__APPROVAL__DECISION__BREAK_GLASS;
        if (statement.comment == NULL || statement.comment[0] == '\0')
            return umx_fail(err, UMX_ERR_REASON_MISSING, "--break-glass", NULL);
    }
    if (decision->decision == UMX__APPROVAL__DECISION__APPROVE)
        statement.expires_at = umx_clock_now() + EXPIRY_HOURS * UMX_HOUR;
    if (expires != NULL)
        status = umx_when_parse(expires, umx_clock_now(), "--expires", &statement.expires_at, err);
    if (status == 0)
        status = fetch(cli, args, &plan, err);
    if (status == 0)
        status = check_deployment(cli, &plan, &deployment, err);
    if (status != 0)
        goto out;
    statement.deployment = umx_text_string(&deployment);
    statement.plan_hash = umx_value_string(plan.root, "hash");
    status = umx_statement_write(&statement, &text, err);
    if (status != 0)
        goto out;
    show(cli, decision->operation, &statement, name);
    status = umx_cli_session_sign(cli, &text, &signature, err);
    if (status == 0)
        status = send(cli, decision->operation, &statement, name, &signature, err);
out:
    umx_document_close(&plan);
    umx_text_free(&text);
    umx_text_free(&signature);
    umx_text_free(&deployment);
    return status;
}

UMX_COMMAND(plan_approve)
{
    return decide(cli, args, &(struct decision){"plan.approve", UMX__APPROVAL__DECISION__APPROVE}, err);
}

UMX_COMMAND(plan_deny)
{
    return decide(cli, args, &(struct decision){"plan.deny", UMX__APPROVAL__DECISION__DENY}, err);
}

UMX_COMMAND(plan_withdraw)
{
    return decide(cli, args, &(struct decision){"plan.withdraw", UMX__APPROVAL__DECISION__WITHDRAW}, err);
}
