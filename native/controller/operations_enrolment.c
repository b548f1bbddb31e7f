/* Operations on tokens and on identities of agents. */
#include <openssl/crypto.h>
#include <string.h>
#include <strings.h>

#include "controller/enrolment.h"
#include "controller/operations.h"

static const char *given(const char *text)
{
    return text != NULL ? text : "";
}

/* Whoever lets a server in vouches for it. Another team could put one of its own making in its place, whose request for a
 * certificate the forest would sign at a gate. */
static int vouch(const struct umx_operation *operation, const char *forest, struct umx_error *err)
{
    if (forest == NULL || strcasecmp(forest, operation->caller->forest) == 0)
        return 0;
    return umx_fail(err, UMX_ERR_ADMISSION_FOREST, forest, "you are vouched for by %s", operation->caller->forest);
}

int umx_operation_token_create(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__TokenCreateArguments *arguments = (const Umx__TokenCreateArguments *)operation->arguments;
    Umx__Token *token = NULL;
    int status = vouch(operation, arguments->forest, err);

    if (status == 0)
        status = umx_enrolment_create_token(operation->controller->enrolment, arguments, operation->caller->uri,
                                            operation->arena, &token, err);
    if (status == 0)
        status = umx_operation_item(operation, "tokens", &token->base, err);
    if (token != NULL && token->token != NULL)
        OPENSSL_cleanse(token->token, strlen(token->token));
    return status;
}

int umx_operation_token_list(struct umx_operation *operation, struct umx_error *err)
{
    Umx__Token **tokens = NULL;
    size_t count = 0;
    int status = umx_enrolment_tokens(operation->controller->enrolment, operation->arena, &tokens, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++)
        status = umx_operation_item(operation, "tokens", &tokens[i]->base, err);
    return status;
}

int umx_operation_token_revoke(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__TokenArguments *arguments = (const Umx__TokenArguments *)operation->arguments;
    int status =
        umx_enrolment_revoke_token(operation->controller->enrolment, given(arguments->id), operation->caller->uri, err);

    if (status == 0)
        umx_operation_end_string(operation, "revoked", arguments->id);
    return status;
}

int umx_operation_agents_held(struct umx_operation *operation, struct umx_error *err)
{
    Umx__HeldEnrolment **held = NULL;
    size_t count = 0;
    int status = umx_enrolment_held(operation->controller->enrolment, operation->arena, &held, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++)
        status = umx_operation_item(operation, "held", &held[i]->base, err);
    return status;
}

static int decide(struct umx_operation *operation, bool accept, const char *word, struct umx_error *err)
{
    const Umx__AgentArguments *arguments = (const Umx__AgentArguments *)operation->arguments;
    struct umx_enrolment *enrolment = operation->controller->enrolment;
    Umx__HeldEnrolment **held = NULL;
    size_t count = 0;
    int status = umx_enrolment_held(enrolment, operation->arena, &held, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++)
        if (strcasecmp(held[i]->server, given(arguments->agent)) == 0)
            status = vouch(operation, held[i]->forest, err);
    if (status == 0)
        status = umx_enrolment_decide(enrolment, given(arguments->agent), given(arguments->key), accept,
                                      operation->caller->uri, err);
    if (status == 0)
        umx_operation_end_string(operation, word, arguments->agent);
    return status;
}

int umx_operation_agents_accept(struct umx_operation *operation, struct umx_error *err)
{
    return decide(operation, true, "accepted", err);
}

int umx_operation_agents_reject(struct umx_operation *operation, struct umx_error *err)
{
    return decide(operation, false, "rejected", err);
}

int umx_operation_agents_revoke(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__AgentArguments *arguments = (const Umx__AgentArguments *)operation->arguments;
    int status =
        umx_enrolment_revoke(operation->controller->enrolment, given(arguments->agent), operation->caller->uri, err);

    if (status == 0)
        umx_operation_end_string(operation, "revoked", arguments->agent);
    return status;
}

int umx_operation_agents_forget(struct umx_operation *operation, struct umx_error *err)
{
    const Umx__AgentArguments *arguments = (const Umx__AgentArguments *)operation->arguments;
    int status =
        umx_enrolment_forget(operation->controller->enrolment, given(arguments->agent), operation->caller->uri, err);

    if (status == 0)
        umx_operation_end_string(operation, "forgotten", arguments->agent);
    return status;
}
