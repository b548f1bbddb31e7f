#include "controller/issue.h"

#include <stdlib.h>

#include "base/log.h"
#include "base/reflect.h"
#include "controller/authority.h"
#include "controller/enrolment.h"
#include "controller/fleet.h"
#include "controller/login.h"
#include "controller/refusals.h"
#include "store/journal_file.h"

static int answer(struct umx_rpc_call *call, const struct umx_issued *issued, struct umx_error *err)
{
    Umx__IssueReply reply = UMX__ISSUE_REPLY__INIT;
    uint8_t *bytes = NULL;
    size_t length;
    char identity[sizeof issued->identity];

    umx_text_copy(identity, sizeof identity, issued->identity);
    reply.chain = issued->chain;
    reply.identity = identity;
    reply.has_expires_at = 1;
    reply.expires_at = issued->expires_at;
    int status = umx_reflect_pack(&reply.base, &bytes, &length, err);
    if (status == 0)
        status = umx_rpc_answer(call, bytes, length, err);
    free(bytes);
    return status;
}

static int enrol(struct umx_controller *controller, struct umx_rpc_call *call, const Umx__IssueRequest *request,
                 struct umx_error *err)
{
    struct umx_issued issued = {0};
    int status = umx_enrolment_enrol(controller->enrolment, request, umx_rpc_call_peer(call), &issued, err);

    if (status == 0)
        status = answer(call, &issued, err);
    umx_issued_free(&issued);
    return status;
}

/* Who came in, and by which proof. That it could not be written keeps nobody out: the journal says so itself. */
static void note_login(struct umx_controller *controller, const struct umx_rpc_call *call,
                       const struct umx_forest_person *person, const struct umx_forest_config *forest, bool kerberos,
                       const struct umx_issued *issued)
{
    Umx__Journal entry = UMX__JOURNAL__INIT;
    struct umx_text detail = {0};
    struct umx_error err = {0};
    char actor[sizeof issued->identity], peer[128], end[UMX_CLOCK_TEXT];

    umx_text_copy(actor, sizeof actor, issued->identity);
    umx_text_copy(peer, sizeof peer, umx_rpc_call_peer(call));
    umx_text_addf(&detail, "%s of %s by %s, until %s", person->name, forest->name,
                  kerberos ? "a Kerberos ticket" : "a certificate of operator_ca",
                  umx_clock_format(issued->expires_at, end));
    entry.has_kind = 1;
    entry.kind = UMX__JOURNAL__KIND__LOGIN;
    entry.actor = actor;
    entry.peer = peer;
    entry.detail = detail.data;
    if (umx_journal_append(controller->journal, &entry, &err) != 0)
        umx_log_error("issue", &err);
    umx_fleet_journal_grown(controller->fleet);
    umx_text_free(&detail);
}

static int issue(struct umx_controller *controller, struct umx_rpc_call *call, const Umx__IssueRequest *request,
                 struct umx_error *err)
{
    const char *name = request->forest != NULL ? request->forest : "";
    const struct umx_forest_config *forest = umx_config_forest(controller->config, name);
    struct umx_forest_person person;
    struct umx_issued issued = {0};
    int64_t life = UMX_OPERATOR_LIFE;
    bool kerberos = request->has_kerberos_token;
    int status;

    if (forest == NULL)
        return umx_fail(err, UMX_ERR_FOREST_UNKNOWN, name, NULL);
    if (kerberos && request->has_certificate)
        return umx_fail(err, UMX_ERR_PROOF_REFUSED, name, "there are two proofs in it");
    if (!kerberos && forest->operator_ca == NULL)
        return umx_fail(err, UMX_ERR_PROOF_REFUSED, name, "the configuration names no operator_ca for this forest");
    if (kerberos)
        status = umx_login_prove(controller, forest, request, &person, &life, err);
    else
        status = umx_authority_prove_forest(request, forest->name, forest->operator_ca, &person, err);
    if (status == 0)
        status = umx_authority_issue_operator(controller->authority, request->request.data, request->request.len,
                                              person.sid, person.name, forest->name, life, &issued, err);
    if (status == 0) {
        umx_log(UMX_LOG_INFO, "issue", "%s (%s) of %s from %s", issued.identity, person.name, forest->name,
                umx_rpc_call_peer(call));
        note_login(controller, call, &person, forest, kerberos, &issued);
        status = answer(call, &issued, err);
    }
    umx_issued_free(&issued);
    return status;
}

int umx_issue_serve(void *user, struct umx_rpc_call *call, const struct umx_identity *peer, const uint8_t *request,
                    size_t length, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_ARENA_FLOOR + UMX_MAX_AGENT_MESSAGE);
    ProtobufCMessage *message = NULL;

    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "issue", NULL);
    int status = umx_reflect_unpack(&umx__issue_request__descriptor, request, length, arena, &message, err);
    if (status == 0)
        status = ((const Umx__IssueRequest *)message)->token != NULL
                     ? enrol(user, call, (const Umx__IssueRequest *)message, err)
                     : issue(user, call, (const Umx__IssueRequest *)message, err);
    if (status != 0 && err != NULL) {
        umx_refusals_note(((struct umx_controller *)user)->refusals, peer, umx_rpc_call_peer(call), "Operators/Issue",
                          err);
        umx_log(UMX_LOG_WARNING, "issue", "refused to %s: %s: %s", umx_rpc_call_peer(call), err->what,
                umx_error_why(err));
    }
    umx_arena_free(arena);
    return status;
}
