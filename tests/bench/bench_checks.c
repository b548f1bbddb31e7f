/*
 * bench_checks [USERS] - all checks, a plan of phases 6, 10 and 11, and proposals over a made-up world of USERS (10000)
 * voice users in two forests, each with a mailbox in the Exchange forest and a Lync account in the other. Prints
 * seconds by the wall clock and of the processor; every tenth user has something wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/world.h"
#include "phases/phases.h"

#define EX "exchange.test"
#define LY "lync.test"
#define ORG "CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=exchange,DC=test"
#define CONTEXT "Berlin.exchange.test"

static const int64_t now = INT64_C(1800000000) * UMX_SECOND;

static void add(struct umx_world *world, const ProtobufCMessage *record)
{
    struct umx_error err = {0};

    if (umx_world_add(world, record, &err) == 0)
        return;
    fprintf(stderr, "bench_checks: %s\n", err.what);
    exit(1);
}

/* Fields of the schema are char *; these texts are not written to. */
static char *text(const char *literal)
{
    union {
        const char *in;
        char *out;
    } u = {.in = literal};

    return u.out;
}

static void add_forest(struct umx_world *world, const char *name, Umx__Forest__Side side)
{
    Umx__Forest forest = UMX__FOREST__INIT;
    char config[128], organization[192];

    snprintf(config, sizeof config, "CN=Configuration,DC=%.*s,DC=test", (int)strcspn(name, "."), name);
    snprintf(organization, sizeof organization, "%s", ORG);
    forest.forest = text(name);
    forest.has_side = 1;
    forest.side = side;
    forest.config_dn = config;
    forest.organization_dn = side == UMX__FOREST__SIDE__EXCHANGE ? organization : NULL;
    add(world, &forest.base);
}

static void add_objects(struct umx_world *world, int users)
{
    Umx__DialPlan plan = UMX__DIAL_PLAN__INIT;
    Umx__MailboxPolicy policy = UMX__MAILBOX_POLICY__INIT;
    Umx__LyncPool pool = UMX__LYNC_POOL__INIT;

    add_forest(world, EX, UMX__FOREST__SIDE__EXCHANGE);
    add_forest(world, LY, UMX__FOREST__SIDE__LYNC);
    plan.forest = policy.forest = text(EX);
    plan.dn = policy.dial_plan_dn = text("CN=Berlin,CN=UM DialPlan Container," ORG);
    plan.name = text("Berlin");
    plan.phone_context = text(CONTEXT);
    plan.has_uri_type = plan.has_digits = 1;
    plan.uri_type = UMX__DIAL_PLAN__URI_TYPE__SIP_NAME;
    plan.digits = 6;
    policy.dn = text("CN=Berlin Default Policy,CN=UM Mailbox Policies," ORG);
    policy.name = text("Berlin Default Policy");
    pool.forest = text(LY);
    pool.dn = text("CN=1:1,CN=Pools,CN=RTC Service,CN=Services,CN=Configuration,DC=lync,DC=test");
    pool.name = text("1:1");
    pool.pool = text("pool1.lync.test");
    pool.has_version = pool.has_voice_users = 1;
    pool.voice_users = users;
    pool.version = 0x60000;
    add(world, &plan.base);
    add(world, &policy.base);
    add(world, &pool.base);
}

/* Of ten people: seven finished, one without UM, one whose Lync user lacks the EUM address, one without Enterprise
 * Voice. */
static void add_person(struct umx_world *world, int i)
{
    Umx__MailboxUser mailbox = UMX__MAILBOX_USER__INIT;
    Umx__VoiceUser voice = UMX__VOICE_USER__INIT;
    char dn[2][96], upn[2][64], sam[2][16], sid[2][48], sip[64], line[48], primary[128], extension[96];
    char *addresses[] = {sip, primary, extension};
    bool um = i % 10 != 0;

    for (int k = 0; k < 2; k++) {
        snprintf(dn[k], sizeof dn[k], "CN=User %06d,OU=People,DC=%s,DC=test", i, k == 0 ? "exchange" : "lync");
        snprintf(upn[k], sizeof upn[k], "%c%06d@%s", k == 0 ? 'u' : 's', i, k == 0 ? EX : LY);
        snprintf(sam[k], sizeof sam[k], "%c%06d", k == 0 ? 'u' : 's', i);
        snprintf(sid[k], sizeof sid[k], "S-1-5-21-%d-1-1-%d", k + 1, 10000 + i);
    }
    snprintf(sip, sizeof sip, "sip:u%06d@lync.test", i);
    snprintf(line, sizeof line, "tel:+4930%06d", i);
    snprintf(primary, sizeof primary, "EUM:u%06d@lync.test;phone-context=" CONTEXT, i);
    snprintf(extension, sizeof extension, "eum:%06d;phone-context=" CONTEXT, i);
    mailbox.forest = text(EX);
    mailbox.dn = dn[0];
    mailbox.user_principal_name = upn[0];
    mailbox.sam_account_name = sam[0];
    mailbox.sid = voice.originator_sid = sid[0];
    mailbox.has_um_enabled = 1;
    mailbox.um_enabled = um;
    mailbox.um_policy_dn = um ? text("CN=Berlin Default Policy,CN=UM Mailbox Policies," ORG) : NULL;
    mailbox.um_dial_plan_dn = um ? text("CN=Berlin,CN=UM DialPlan Container," ORG) : NULL;
    mailbox.n_proxy_address = um ? 3 : 1;
    mailbox.proxy_address = addresses;
    voice.forest = text(LY);
    voice.dn = dn[1];
    voice.user_principal_name = upn[1];
    voice.sam_account_name = sam[1];
    voice.sid = sid[1];
    voice.sip_address = sip;
    voice.line = line;
    voice.home_server_dn = text("CN=LC Services,CN=Microsoft,CN=1:1,CN=Pools,CN=RTC Service,CN=Services,"
                                "CN=Configuration,DC=lync,DC=test");
    voice.has_enabled = voice.enabled = 1;
    voice.has_option_flags = 1;
    voice.option_flags = i % 10 == 2 ? 256 : 384;
    voice.n_proxy_address = um && i % 10 != 1 ? 3 : 1;
    voice.proxy_address = addresses;
    add(world, &mailbox.base);
    add(world, &voice.base);
}

/* Seconds of the wall clock and of this process since the last call. */
struct taken {
    double wall;
    double cpu;
};

static double seconds(clockid_t clock)
{
    struct timespec at;

    clock_gettime(clock, &at);
    return (double)at.tv_sec + (double)at.tv_nsec / 1e9;
}

static struct taken since(struct taken *begin)
{
    struct taken at = {seconds(CLOCK_MONOTONIC), seconds(CLOCK_PROCESS_CPUTIME_ID)};
    struct taken passed = {at.wall - begin->wall, at.cpu - begin->cpu};

    *begin = at;
    return passed;
}

static int report(const char *what, int rc, size_t count, const char *things, struct taken *begin,
                  const struct umx_arena *arena, const struct umx_error *err)
{
    struct taken taken = since(begin);

    if (rc != 0) {
        fprintf(stderr, "bench_checks: %s: %s: %s\n", what, err->what, umx_error_why(err));
        return 1;
    }
    printf("%s: %.3f s (%.3f s of processor), %zu %s, %.1f MiB\n", what, taken.wall, taken.cpu, count, things,
           (double)umx_arena_used(arena) / 1048576);
    return 0;
}

int main(int argc, char **argv)
{
    int users = argc > 1 ? atoi(argv[1]) : 10000;
    struct umx_world *world = umx_world_new(now);
    const struct umx_options none = {0};
    const struct umx_phase *people[] = {umx_phase("sip-addresses"), umx_phase("enterprise-voice"),
                                        umx_phase("um-mailboxes")};
    struct umx_error err = {0};
    struct taken begin = {0};
    int bad = 0;

    if (world == NULL || users < 1)
        return 2;
    since(&begin);
    add_objects(world, users);
    for (int i = 0; i < users; i++)
        add_person(world, i);
    printf("world of %d voice users in 2 forests: %.3f s\n", users, since(&begin).wall);
    for (size_t p = 0; p < UMX_PHASE_COUNT && !bad; p++) {
        const struct umx_phase *phase = &umx_phases()[p];
        struct umx_findings findings = {.arena = umx_arena_new(UMX_WORLD_CAP)};
        char what[64];
        snprintf(what, sizeof what, "checks of phase %d %s", phase->number, phase->slug);
        int rc = umx_phases_check(umx_world_records(world), &phase, 1, NULL, 0, &none, &findings, &err);
        bad = report(what, rc, findings.count, "findings", &begin, findings.arena, &err);
        umx_arena_free(findings.arena);
    }
    struct umx_arena *arena = umx_arena_new(UMX_WORLD_CAP);
    struct umx_findings findings = {.arena = arena};
    int rc = umx_phases_check(umx_world_records(world), NULL, 0, NULL, 0, &none, &findings, &err);
    bad = bad || report("all checks", rc, findings.count, "findings", &begin, arena, &err);
    umx_arena_free(arena);

    arena = umx_arena_new(UMX_WORLD_CAP);
    struct umx_proposal proposal = {.arena = arena};
    rc = umx_phases_propose(umx_world_records(world), &people[2], 1, NULL, 0, &none, &proposal, &err);
    bad = bad ||
          report("rows proposed for phase 11", rc, rc == 0 ? proposal.input->n_user : 0, "rows", &begin, arena, &err);
    for (size_t i = 0; !bad && i < proposal.input->n_user; i++)
        proposal.input->user[i]->row = (int32_t)i + 2;
    struct umx_options rows = {.input = proposal.input};
    struct umx_steps steps = {.arena = arena};
    rc = umx_phases_plan(world, people, 3, NULL, 0, &rows, &steps, &err);
    bad = bad || report("plan of phases 6, 10 and 11 with these rows", rc, steps.count, "steps", &begin, arena, &err);
    umx_arena_free(arena);
    umx_world_free(world);
    return bad;
}
