/*
 * Worlds with people, for phases 6, 10 and 11: each has a mailbox in the Exchange forest and a Lync account of the same
 * number in the Lync forest, connected by msRTCSIP-OriginatorSid. The dial plan Berlin has five digits and a policy.
 */
#ifndef UMX_TESTS_PEOPLE_WORLDS_H
#define UMX_TESTS_PEOPLE_WORLDS_H

#include "worlds.h"

#define P_CONTEXT "Berlin.exchange.test"
#define P_PLAN "CN=Berlin," W_PLANS
#define P_POLICY "CN=Berlin Default Policy,CN=UM Mailbox Policies," W_ORG

/* What a person is made of; 0 and NULL are what is not there. */
struct p_person {
    int number;
    bool sip_proxy;      /* the mailbox user has the sip: address */
    bool lync_sip_proxy; /* and the Lync user */
    bool voice;          /* enabled for Enterprise Voice, with a line */
    bool um;             /* enabled for UM, EUM values on the mailbox user */
    bool lync_eum;       /* the same EUM values on the Lync user */
    bool no_mailbox;
};

static inline void p_mailbox(struct umx_world *world, const struct p_person *p)
{
    Umx__MailboxUser m = UMX__MAILBOX_USER__INIT;
    char dn[96], sam[24], upn[64], sid[48], sip[64], primary[128], extension[96];
    char *proxies[3];
    uint8_t guid[16] = {0};

    guid[0] = (uint8_t)(p->number & 255);
    guid[1] = (uint8_t)(p->number >> 8 & 255);
    m.forest = w_s(W_EX);
    m.dn = w_text(dn, sizeof dn, "CN=User %05d,OU=People,DC=exchange,DC=test", p->number);
    m.sam_account_name = w_text(sam, sizeof sam, "u%05d", p->number);
    m.user_principal_name = w_text(upn, sizeof upn, "u%05d@exchange.test", p->number);
    m.sid = w_text(sid, sizeof sid, W_SID_EX "-%d", 10000 + p->number);
    m.has_object_guid = 1;
    m.object_guid.len = sizeof guid;
    m.object_guid.data = guid;
    m.has_um_enabled = 1;
    m.um_enabled = p->um;
    m.proxy_address = proxies;
    if (p->sip_proxy)
        proxies[m.n_proxy_address++] = w_text(sip, sizeof sip, "sip:u%05d@lync.test", p->number);
    if (p->um) {
        m.um_policy_dn = w_s(P_POLICY);
        m.um_dial_plan_dn = w_s(P_PLAN);
        proxies[m.n_proxy_address++] =
            w_text(primary, sizeof primary, "EUM:u%05d@lync.test;phone-context=" P_CONTEXT, p->number);
        proxies[m.n_proxy_address++] =
            w_text(extension, sizeof extension, "eum:%05d;phone-context=" P_CONTEXT, p->number);
    }
    w_add(world, &m.base);
}

static inline void p_voice(struct umx_world *world, const struct p_person *p)
{
    Umx__VoiceUser v = UMX__VOICE_USER__INIT;
    char dn[96], sam[24], upn[64], sid[48], originator[48], sip[64], line[48], primary[128], extension[96];
    char *proxies[3];

    v.forest = w_s(W_LY);
    v.dn = w_text(dn, sizeof dn, "CN=User %05d,OU=Shadows,DC=lync,DC=test", p->number);
    v.sam_account_name = w_text(sam, sizeof sam, "s%05d", p->number);
    v.user_principal_name = w_text(upn, sizeof upn, "s%05d@lync.test", p->number);
    v.sid = w_text(sid, sizeof sid, W_SID_LY "-%d", 10000 + p->number);
    v.originator_sid = p->no_mailbox ? NULL : w_text(originator, sizeof originator, W_SID_EX "-%d", 10000 + p->number);
    v.sip_address = w_text(sip, sizeof sip, "sip:u%05d@lync.test", p->number);
    v.has_enabled = v.enabled = 1;
    v.home_server_dn = w_s("CN=LC Services,CN=Microsoft,CN=1:1," W_POOLS);
    v.has_option_flags = 1;
    v.option_flags = p->voice ? 256 | 128 : 256;
    if (p->voice)
        v.line = w_text(line, sizeof line, "tel:+4930%05d;ext=%05d", p->number, p->number);
    v.has_account_disabled = v.account_disabled = 1;
    v.proxy_address = proxies;
    if (p->lync_sip_proxy)
        proxies[v.n_proxy_address++] = v.sip_address;
    if (p->lync_eum) {
        proxies[v.n_proxy_address++] =
            w_text(primary, sizeof primary, "EUM:u%05d@lync.test;phone-context=" P_CONTEXT, p->number);
        proxies[v.n_proxy_address++] =
            w_text(extension, sizeof extension, "eum:%05d;phone-context=" P_CONTEXT, p->number);
    }
    w_add(world, &v.base);
}

static inline void p_add(struct umx_world *world, struct p_person p)
{
    if (!p.no_mailbox)
        p_mailbox(world, &p);
    p_voice(world, &p);
}

static inline void p_policy(struct umx_world *world, const char *dn, const char *name, const char *plan_dn)
{
    Umx__MailboxPolicy policy = UMX__MAILBOX_POLICY__INIT;

    policy.forest = w_s(W_EX);
    policy.dn = w_s(dn);
    policy.name = w_s(name);
    policy.dial_plan_dn = w_s(plan_dn);
    w_add(world, &policy.base);
}

static inline void p_server(struct umx_world *world, const char *forest, const char *name, Umx__Server__Product product,
                            int major)
{
    Umx__Server server = UMX__SERVER__INIT;

    server.server = w_s(name);
    server.forest = w_s(forest);
    server.has_product = server.has_version_major = 1;
    server.product = product;
    server.version_major = major;
    w_add(world, &server.base);
    w_agent(world, forest, name, "connected");
}

/* No people yet; agents on two Exchange servers and one Lync server. */
static inline struct umx_world *world_people(void)
{
    struct umx_world *world = world_pair();

    W_EDIT(world)->dial_plan[0]->has_digits = 1;
    W_EDIT(world)->dial_plan[0]->digits = 5;
    p_policy(world, P_POLICY, "Berlin Default Policy", P_PLAN);
    p_server(world, W_EX, "exold.exchange.test", UMX__SERVER__PRODUCT__EXCHANGE, 14);
    p_server(world, W_EX, "exmbx1.exchange.test", UMX__SERVER__PRODUCT__EXCHANGE, 15);
    p_server(world, W_LY, "fe1.lync.test", UMX__SERVER__PRODUCT__LYNC, 5);
    return world;
}

static inline void p_remove_agents(struct umx_world *world)
{
    for (size_t i = 0; i < W_EDIT(world)->n_agent; i++)
        W_EDIT(world)->agent[i]->state = w_s("silent");
}

/* ---- rows */

struct p_rows {
    Umx__Input input;
    Umx__InputUser users[8];
    Umx__InputUser *list[8];
};

static inline Umx__InputUser *p_row(struct p_rows *rows, const char *user)
{
    if (rows->input.base.descriptor == NULL) {
        umx__input__init(&rows->input);
        rows->input.user = rows->list;
    }
    size_t i = rows->input.n_user++;
    umx__input_user__init(&rows->users[i]);
    rows->users[i].has_row = 1;
    rows->users[i].row = (int32_t)i + 2;
    rows->users[i].forest = w_s(W_EX);
    rows->users[i].user = w_s(user);
    rows->list[i] = &rows->users[i];
    return &rows->users[i];
}

/* ---- running */

/* The plan of phases with rows (NULL: none). */
static inline int p_plan(struct w_run *run, struct umx_world *world, const char *const *slugs,
                         const char *const *options, struct p_rows *rows)
{
    const struct umx_phase *phases[UMX_PHASE_COUNT];
    size_t count = 0;

    w_begin(run, options);
    run->options.input = rows != NULL ? &rows->input : NULL;
    for (; slugs[count] != NULL; count++)
        phases[count] = umx_phase(slugs[count]);
    return umx_phases_plan(world, phases, count, NULL, 0, &run->options, &run->steps, &run->err);
}

static inline void p_planned(struct w_run *run, struct umx_world *world, const char *const *slugs,
                             const char *const *options, struct p_rows *rows)
{
    int rc = p_plan(run, world, slugs, options, rows);

    if (rc != 0)
        print_message("%s: %s\n", run->err.what, umx_error_why(&run->err));
    assert_int_equal(rc, 0);
}

static inline void p_apply(struct w_run *run, struct umx_world *world)
{
    for (size_t i = 0; i < run->steps.count; i++)
        assert_int_equal(umx_phase_apply(world, run->steps.items[i], &run->err), 0);
}

/* A second plan is empty, and no core check of the phase fails or cannot be answered; rows count for both. */
static inline void p_finished(struct umx_world *world, const char *slug, const char *const *options,
                              struct p_rows *rows)
{
    const struct umx_phase *phase = umx_phase(slug);
    const char *const slugs[] = {slug, NULL};
    struct w_run run;

    p_planned(&run, world, slugs, options, rows);
    for (size_t i = 0; i < run.steps.count; i++)
        print_message("second plan: %s %s\n", run.steps.items[i]->target, run.steps.items[i]->summary);
    assert_int_equal(run.steps.count, 0);
    assert_int_equal(
        umx_phases_check(umx_world_records(world), &phase, 1, NULL, 0, &run.options, &run.findings, &run.err), 0);
    for (size_t i = 0; i < run.findings.count; i++) {
        const Umx__Finding *f = run.findings.items[i];
        for (const struct umx_phase_check *check = phase->checks; check->id != NULL; check++)
            if (check->core && strcmp(check->id, f->id) == 0 && f->status != W_PASS && f->status != W_NOT_APPLICABLE)
                fail_msg("%s %s: %s", f->id, f->target, f->actual);
    }
    w_end(&run);
}

/* The plan is refused, naming the row. */
static inline void p_refused(struct umx_world *world, const char *slug, struct p_rows *rows, const char *text)
{
    const char *const slugs[] = {slug, NULL};
    struct w_run run;

    assert_int_not_equal(p_plan(&run, world, slugs, NULL, rows), 0);
    assert_int_equal(run.err.id, UMX_ERR_INPUT_ROWS);
    if (strstr(umx_error_why(&run.err), text) == NULL)
        fail_msg("\"%s\" is not in: %s", text, umx_error_why(&run.err));
    w_end(&run);
}

static inline const Umx__PlanStep *p_step(const struct w_run *run, Umx__Change__Kind kind, const char *target)
{
    const Umx__PlanStep *found = NULL;

    for (size_t i = 0; i < run->steps.count; i++)
        if (run->steps.items[i]->kind == kind &&
            (target == NULL || strstr(run->steps.items[i]->target, target) != NULL)) {
            if (found != NULL)
                fail_msg("several steps of that kind for %s", target != NULL ? target : "anything");
            found = run->steps.items[i];
        }
    if (found == NULL)
        fail_msg("no step of that kind for %s", target != NULL ? target : "anything");
    return found;
}

#endif
