/*
 * Phase 2: the plan (X2.1 to X2.4). Mode first, since a certificate binds to a TLS mode only; a request for the
 * authority unless the store has a good certificate; import, binding; the restart is asked for and happens once a plan.
 */
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/certificates.h"
#include "phases/restart.h"

#define SLUG "certificates"

struct work {
    const struct umx_view *view;
    struct umx_steps *out;
    struct umx_findings scratch; /* the model says its texts there */
    const char *names;           /* of the request, a line each */
    const char *list;            /* the same for a shell, with commas */
};

static Umx__PlanStep *action(struct work *w, const struct umx_um_end *end, const char *name)
{
    return umx_step_action(w->out, SLUG, UMX__FOREST__SIDE__EXCHANGE, end->server->forest, end->fqdn, name, "shell");
}

static Umx__PlanStep *gate(struct work *w, const struct umx_um_end *end, const char *reason)
{
    Umx__PlanStep *step =
        umx_step_gate(w->out, SLUG, UMX__FOREST__SIDE__EXCHANGE, end->server->forest, end->fqdn, reason);

    if (step != NULL)
        step->undo = umx_steps_copy(w->out, "not undone: what an administrator did by hand stays");
    return step;
}

static void names_of(struct work *w, const struct umx_um_end *end)
{
    const char *more = umx_option(w->view->options, SLUG, "names");

    w->names = w->list = end->fqdn;
    for (const char *p = more; p != NULL && *p != '\0';) {
        size_t n = strcspn(p, ",");
        if (n != strlen(end->fqdn) || strncmp(p, end->fqdn, n) != 0) {
            w->names = umx_steps_say(w->out, "%s\n%.*s", w->names, (int)n, p);
            w->list = umx_steps_say(w->out, "%s,%.*s", w->list, (int)n, p);
        }
        p += n;
        p += *p == ',';
    }
}

/* The certificate as it will stand in the store: what the rules ask for, and nothing that the authority decides. */
static void promise_certificate(struct work *w, Umx__PlanStep *step, const struct umx_um_end *end,
                                const char *thumbprint)
{
    Umx__Certificate made = UMX__CERTIFICATE__INIT;
    char *names[64];

    made.server = umx_steps_copy(w->out, end->fqdn);
    made.store = umx_steps_copy(w->out, "My");
    made.thumbprint = umx_steps_copy(w->out, thumbprint);
    made.subject_cn = made.server;
    made.dns_name = names;
    for (const char *p = w->names; *p != '\0' && made.n_dns_name < sizeof names / sizeof names[0];) {
        size_t n = strcspn(p, "\n");
        names[made.n_dns_name] = umx_arena_copy(w->out->arena, p, n);
        if (names[made.n_dns_name++] == NULL)
            w->out->failed = 1;
        p += n;
        p += *p == '\n';
    }
    made.has_private_key = made.private_key = 1;
    made.has_self_signed = 1;
    made.chain = umx_steps_copy(w->out, "ok");
    if (!w->out->failed)
        umx_step_promise(w->out, step, w->view->world, &made.base);
}

static void promise_binding(struct work *w, Umx__PlanStep *step, const struct umx_um_end *end, const char *thumbprint)
{
    Umx__ExchangeServer server = UMX__EXCHANGE_SERVER__INIT;

    server.forest = end->server->forest;
    server.dn = end->server->dn;
    if (end->router)
        server.call_router_certificate_thumbprint = umx_steps_copy(w->out, thumbprint);
    else
        server.um_certificate_thumbprint = umx_steps_copy(w->out, thumbprint);
    umx_step_promise(w->out, step, w->view->world, &server.base);
}

/* ---- with an agent */

/* Request, signature, import: the id of the importing step. */
static const char *plan_request(struct work *w, const struct umx_um_end *end)
{
    struct umx_steps *out = w->out;
    Umx__PlanStep *request = action(w, end, "new-certificate-request");

    if (request == NULL)
        return NULL;
    umx_step_item(out, request,
                  umx_item(out, "server", end->fqdn, "subject", umx_steps_say(out, "CN=%s", end->fqdn), "names",
                           w->names, "friendly_name", umx_steps_say(out, "umx UM %s", end->fqdn), NULL),
                  umx_item(out, "server", end->fqdn, "thumbprint", "@result.thumbprint", NULL));
    request->change->action->undo_action = umx_steps_copy(out, "remove-certificate-request");
    request->summary =
        umx_steps_copy(out, umx_steps_say(out, "request a certificate for %s (names: %s)", end->fqdn, w->list));
    request->undo = umx_steps_copy(out, "removes the pending request");

    Umx__PlanStep *sign =
        gate(w, end,
             umx_steps_say(
                 out,
                 "an authority that both forests trust signs the request that step %s made: save it as %s.req, submit "
                 "it, and confirm with the certificate",
                 request->id, end->fqdn));
    if (sign == NULL)
        return NULL;
    umx_step_command(out, sign, umx_steps_say(out, "umx plan result PLAN %s request > %s.req", request->id, end->fqdn));
    umx_step_command(out, sign,
                     umx_steps_say(out, "certreq -submit -attrib \"CertificateTemplate:WebServer\" %s.req %s.cer",
                                   end->fqdn, end->fqdn));
    umx_step_command(out, sign,
                     umx_steps_say(out, "umx plan confirm PLAN %s --file certificate=%s.cer", sign->id, end->fqdn));
    umx_steps_depend(out, sign, request->id);
    sign->summary = umx_steps_copy(out, umx_steps_say(out, "the authority issues the certificate for %s", end->fqdn));

    Umx__PlanStep *import = action(w, end, "import-certificate");
    if (import == NULL)
        return NULL;
    umx_step_item(
        out, import,
        umx_item(out, "server", end->fqdn, "certificate", umx_steps_say(out, "@%s.certificate", sign->id), NULL),
        umx_item(out, "server", end->fqdn, "thumbprint", "@result.thumbprint", NULL));
    import->change->action->undo_action = umx_steps_copy(out, "remove-certificate");
    umx_steps_depend(out, import, sign->id);
    import->summary = umx_steps_copy(out, umx_steps_say(out, "import the certificate on %s", end->fqdn));
    import->undo = umx_steps_copy(out, "removes the certificate from the store, after the old one is bound again");
    /* Promised by the step that brings it: the undo of the binding must not wait for it to be gone. */
    promise_certificate(w, import, end, umx_steps_say(out, "@%s.thumbprint", import->id));
    return import->id;
}

static void plan_binding(struct work *w, const struct umx_cert_use *use, const char *thumbprint, const char *import,
                         const char *mode)
{
    const struct umx_um_end *end = use->end;
    struct umx_steps *out = w->out;
    bool had = *use->thumbprint != '\0';
    Umx__PlanStep *step = action(w, end, "enable-certificate");

    if (step == NULL)
        return;
    umx_step_item(
        out, step,
        umx_item(out, "server", end->fqdn, "service", end->certificate_service, "thumbprint", thumbprint, NULL),
        had ? umx_item(out, "server", end->fqdn, "service", end->certificate_service, "thumbprint",
                       "@result.previous_thumbprint", NULL)
            : NULL);
    umx_steps_depend(out, step, mode);
    umx_steps_depend(out, step, import);
    if (had) {
        step->change->action->undo_action = umx_steps_copy(out, "enable-certificate");
        step->undo =
            umx_steps_copy(out, umx_steps_say(out, "assigns the old certificate again (%s); then restart the service",
                                              use->thumbprint));
    } else {
        step->undo = umx_steps_copy(out, "not undone: there was no certificate before");
        step->has_irreversible = step->irreversible = 1;
    }
    step->summary =
        umx_steps_copy(out, umx_steps_say(out, "assign %s to %s on %s%s%s",
                                          import != NULL ? "the new certificate" : thumbprint, end->certificate_service,
                                          end->fqdn, had ? ", instead of " : "", had ? use->thumbprint : ""));
    promise_binding(w, step, end, thumbprint);
    umx_restart_ask_um(out, SLUG, end->server->forest, end->fqdn, end->service, end->port, step->id);
}

/* ---- by hand: Exchange 2007, or nobody there who could do it */

static void plan_by_hand(struct work *w, const struct umx_cert_use *use, const char *why, const char *mode)
{
    const struct umx_um_end *end = use->end;
    struct umx_steps *out = w->out;
    const char *fqdn = end->fqdn;
    Umx__PlanStep *step = gate(w, end, why);

    if (step == NULL)
        return;
    const char *thumbprint = umx_steps_say(out, "@%s.thumbprint", step->id);
    umx_step_command(
        out, step,
        end->has_mode
            ? umx_steps_say(out,
                            "Set-Content %s.req (New-ExchangeCertificate -GenerateRequest -SubjectName 'CN=%s' "
                            "-DomainName %s -PrivateKeyExportable $true)",
                            fqdn, fqdn, w->list)
            : umx_steps_say(out,
                            "New-ExchangeCertificate -GenerateRequest -Path %s.req -SubjectName 'CN=%s' -DomainName %s "
                            "-PrivateKeyExportable $true",
                            fqdn, fqdn, w->list));
    umx_step_command(
        out, step,
        umx_steps_say(out, "certreq -submit -attrib \"CertificateTemplate:WebServer\" %s.req %s.cer", fqdn, fqdn));
    umx_step_command(
        out, step,
        end->has_mode
            ? umx_steps_say(
                  out, "Import-ExchangeCertificate -FileData (Get-Content %s.cer -Encoding Byte -ReadCount 0)", fqdn)
            : umx_steps_say(out, "Import-ExchangeCertificate -Path %s.cer", fqdn));
    if (end->has_mode)
        umx_step_command(out, step,
                         umx_steps_say(out, "Enable-ExchangeCertificate -Thumbprint THUMBPRINT -Services %s",
                                       end->certificate_service));
    umx_step_command(out, step, umx_steps_say(out, "umx plan confirm PLAN %s --value thumbprint=THUMBPRINT", step->id));
    umx_steps_depend(out, step, mode);
    step->summary =
        umx_steps_copy(out, umx_steps_say(out, "an administrator gives %s on %s a certificate of a trusted authority",
                                          end->service, fqdn));

    /* What the person did shows in the store and in the directory. */
    bool seen = use->unseen == NULL;
    if (seen || end->has_mode) {
        Umx__PlanStep *wait = umx_step_wait(out, SLUG, UMX__FOREST__SIDE__EXCHANGE, end->server->forest, "visible",
                                            seen ? fqdn : NULL, 3600);
        if (wait == NULL)
            return;
        umx_steps_depend(out, wait, step->id);
        wait->summary = umx_steps_copy(
            out, umx_steps_say(out, "wait until the certificate shows %s",
                               seen ? umx_steps_say(out, "in the store of %s", fqdn) : "in the directory"));
        if (seen)
            promise_certificate(w, wait, end, thumbprint);
        if (end->has_mode)
            promise_binding(w, wait, end, thumbprint);
        step = wait;
    }
    umx_restart_ask_um(out, SLUG, end->server->forest, fqdn, end->service, end->port, step->id);
}

/* ---- one server: one or two services */

static void plan_server(struct work *w, const struct umx_um_end *ends, size_t count)
{
    const Umx__World *world = w->view->world;
    struct umx_steps *out = w->out;
    const char *new_thumbprint = NULL;
    const char *import = NULL;

    names_of(w, &ends[0]);
    for (size_t i = 0; i < count; i++) {
        const struct umx_um_end *end = &ends[i];
        struct umx_cert_use use = umx_cert_use_of(w->view, end, &w->scratch);
        const char *ignored;
        if (end->dn == NULL) {
            umx_steps_note(out,
                           "%s has no call-router object: its setup did not finish, and nothing can be bound there",
                           end->fqdn);
            continue;
        }
        const char *mode = umx_um_plan_mode(w->view, SLUG, end, out);
        if (mode != NULL)
            umx_restart_ask_um(out, SLUG, end->server->forest, end->fqdn, end->service, end->port, mode);
        const char *fault = use.bound != NULL ? umx_cert_fault(w->view, end, use.bound, &w->scratch) : "none is in use";
        const Umx__Certificate *good =
            use.unseen == NULL && fault != NULL ? umx_cert_candidate(w->view, end, &w->scratch) : NULL;
        if (use.unseen != NULL && (*use.thumbprint != '\0' || !end->has_mode)) {
            umx_steps_note(out, "the certificate of %s on %s is left alone: %s, so nobody can judge it", end->service,
                           end->fqdn, use.unseen);
        } else if (fault == NULL) {
            enum umx_um_fresh fresh = umx_um_fresh(w->view, end, &w->scratch, &ignored);
            if ((fresh == UMX_UM_STALE || fresh == UMX_UM_STOPPED) && umx_agent_connected(world, end->fqdn))
                umx_restart_ask_um(out, SLUG, end->server->forest, end->fqdn, end->service, end->port, NULL);
        } else if (!end->has_mode && good != NULL) {
            /* 2007 takes a certificate of an authority by itself, at its next start. */
            umx_restart_ask_um(out, SLUG, end->server->forest, end->fqdn, end->service, end->port, NULL);
        } else if (!end->has_mode || use.unseen != NULL || !umx_agent_connected(world, end->fqdn)) {
            plan_by_hand(w, &use,
                         !end->has_mode ? "Exchange 2007 is left to its administrators: it has no assignment, the "
                                          "service takes a certificate of an authority at its next start"
                                        : umx_steps_say(out, "no agent is connected on %s that could do it", end->fqdn),
                         mode);
        } else {
            if (good == NULL && import == NULL) {
                import = plan_request(w, end);
                new_thumbprint = umx_steps_say(out, "@%s.thumbprint", umx_or_empty(import));
            }
            plan_binding(w, &use, good != NULL ? good->thumbprint : new_thumbprint, good != NULL ? NULL : import, mode);
        }
    }
}

int umx_certificates_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                          struct umx_steps *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct work w = {.view = &view, .out = out, .scratch = {.arena = out->arena}};
    size_t count;
    const struct umx_um_end *ends = umx_um_ends(world, pair->exchange, out->arena, &count);

    if (ends == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL);
    for (size_t i = 0; i < count;) {
        size_t n = 1;
        while (i + n < count && ends[i + n].server == ends[i].server)
            n++;
        plan_server(&w, &ends[i], n);
        i += n;
    }
    return out->failed || w.scratch.failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}
