/* Phase 1: each check passes, fails and does not know; the plan is gates with commands filled in. */
#include "worlds.h"

static void test_good_pair(void **state)
{
    static const char *const pass[] = {
        "forests/organization",   "forests/servers",         "forests/roles",           "forests/mailbox-role",
        "forests/lync-users",     "forests/pools",           "forests/separate",        "forests/trust-direction",
        "forests/trust-inbound",  "forests/trust-agreement", "forests/trust-both-ways", "forests/clock",
        "forests/exchange-names", "forests/lync-names",
    };
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_check(&run, world, "forests", NULL);
    for (size_t i = 0; i < sizeof pass / sizeof pass[0]; i++)
        assert_int_equal(w_finding(&run, pass[i], NULL)->status, W_PASS);
    assert_int_equal(w_finding(&run, "forests/trust-live", "lync.test -> exchange.test")->status, W_PASS);
    assert_int_equal(w_finding(&run, "forests/trust-live", "exchange.test -> lync.test")->status, W_PASS);
    assert_int_equal(w_finding(&run, "forests/version", "exmbx1")->status, W_PASS);
    for (size_t i = 0; i < run.findings.count; i++) {
        assert_int_not_equal(run.findings.items[i]->status, W_FAIL);
        assert_non_null(run.findings.items[i]->spec);
    }
    const struct umx_pair pair = {W_EX, W_LY};
    Umx__PhaseState *result = umx_phase_state(umx_phase("forests"), &pair, &run.findings, run.arena);
    assert_int_equal(result->state, UMX__PHASE_STATE__STATE__DONE);
    assert_true(result->unknown > 0); /* no agents */
    w_end(&run);
    umx_world_free(world);
}

static void test_organization(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    W_EDIT(world)->forest[1]->organization_count = 2;
    w_status(world, "forests/organization", NULL, W_FAIL);
    W_EDIT(world)->forest[1]->organization_count = 0;
    w_status(world, "forests/organization", NULL, W_FAIL);
    umx_world_free(world);
}

static void test_versions(void **state)
{
    static const struct {
        int major, minor;
        Umx__Finding__Status status;
    } rows[] = {{8, 0, W_FAIL},  {8, 1, W_WARN},  {8, 3, W_PASS},  {14, 0, W_PASS}, {14, 3, W_PASS},
                {15, 0, W_PASS}, {15, 1, W_PASS}, {15, 2, W_FAIL}, {6, 5, W_FAIL}};
    struct umx_world *world = world_pair();

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        W_EDIT(world)->exchange_server[0]->version_major = rows[i].major;
        W_EDIT(world)->exchange_server[0]->version_minor = rows[i].minor;
        w_status(world, "forests/version", "exmbx1", rows[i].status);
    }
    W_EDIT(world)->exchange_server[0]->has_version_major = 0;
    w_status(world, "forests/version", "exmbx1", W_UNKNOWN);
    umx_world_free(world);
}

static void test_roles(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    W_EDIT(world)->exchange_server[1]->roles = 16384; /* no Client Access any more */
    const Umx__Finding *f = w_expect(world, NULL, "forests/roles", "2013", W_FAIL, &run);
    assert_non_null(strstr(f->actual, "Client Access"));
    assert_non_null(strstr(f->remedy, "/roles:Mailbox,ClientAccess"));
    w_end(&run);
    /* Another generation that is complete makes it a warning. */
    w_server(world, W_EX, "ex2016", 15, 1, 54);
    w_status(world, "forests/roles", "2013", W_WARN);
    w_status(world, "forests/roles", "2016", W_PASS);
    W_EDIT(world)->exchange_server[0]->roles = 16;
    W_EDIT(world)->exchange_server[2]->roles = 16;
    w_status(world, "forests/mailbox-role", NULL, W_FAIL);
    umx_world_free(world);
}

static void test_transport_in_site(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    w_status(world, "forests/transport-site", NULL, W_NOT_APPLICABLE);
    w_server(world, W_EX, "um2010", 14, 1, 16);
    w_status(world, "forests/transport-site", "um2010", W_FAIL);
    w_server(world, W_EX, "hub2010", 14, 1, 32);
    w_status(world, "forests/transport-site", "um2010", W_PASS);
    W_EDIT(world)->exchange_server[3]->site_dn = w_s("CN=Site2,CN=Sites,CN=Configuration,DC=exchange,DC=test");
    w_status(world, "forests/transport-site", "um2010", W_FAIL);
    W_EDIT(world)->exchange_server[2]->site_dn = NULL;
    w_status(world, "forests/transport-site", "um2010", W_UNKNOWN);
    umx_world_free(world);
}

static void role(struct umx_world *world, const char *key, Umx__Role__State how, const char *watermark)
{
    Umx__Role r = UMX__ROLE__INIT;

    r.server = w_s("exmbx1.exchange.test");
    r.role = w_s(key);
    r.has_state = 1;
    r.state = how;
    r.watermark = w_s(watermark);
    w_add(world, &r.base);
}

static void test_agent_facts(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    const Umx__Finding *f = w_expect(world, NULL, "forests/setup", "exmbx1", W_UNKNOWN, &run);
    assert_string_equal(f->actual, "no agent on exmbx1.exchange.test");
    assert_non_null(strstr(f->remedy, "umx token create --fqdn exmbx1.exchange.test --forest"));
    w_end(&run);
    w_status(world, "forests/services", "exmbx1", W_UNKNOWN);
    w_status(world, "forests/setup-pending", "exmbx1", W_UNKNOWN);

    role(world, "MailboxRole", UMX__ROLE__STATE__COMPLETE, "");
    role(world, "ClientAccessRole", UMX__ROLE__STATE__COMPLETE, "");
    role(world, "UnifiedMessagingRole", UMX__ROLE__STATE__UNFINISHED, "Step 3");
    w_status(world, "forests/setup", "exmbx1", W_FAIL);
    w_status(world, "forests/setup-pending", "exmbx1", W_FAIL);
    role(world, "HubTransportRole", UMX__ROLE__STATE__COMPLETE, "");
    W_EDIT(world)->role[2]->state = UMX__ROLE__STATE__COMPLETE;
    W_EDIT(world)->role[2]->watermark = w_s("");
    w_status(world, "forests/setup", "exmbx1", W_PASS);
    w_status(world, "forests/setup-pending", "exmbx1", W_PASS);

    w_service(world, "exmbx1.exchange.test", "MSExchangeADTopology", UMX__SERVICE__STATE__RUNNING, W_NOW);
    w_service(world, "exmbx1.exchange.test", "MSExchangeTransport", UMX__SERVICE__STATE__RUNNING, W_NOW);
    w_status(world, "forests/services", "exmbx1", W_FAIL); /* MSExchangeUM is missing */
    w_service(world, "exmbx1.exchange.test", "MSExchangeUM", UMX__SERVICE__STATE__STOPPED, W_NOW);
    w_status(world, "forests/services", "exmbx1", W_PASS);
    W_EDIT(world)->service[2]->start_type = UMX__SERVICE__START__DISABLED;
    w_status(world, "forests/services", "exmbx1", W_FAIL);
    W_EDIT(world)->service[0]->has_collected_at = 1;
    W_EDIT(world)->service[0]->collected_at = W_NOW - 48 * UMX_HOUR;
    w_status(world, "forests/services", "exmbx1", W_UNKNOWN);
    umx_world_free(world);
}

static void test_lync_side(void **state)
{
    struct umx_world *world = world_pair();
    Umx__Server server = UMX__SERVER__INIT;

    (void)state;
    w_status(world, "forests/mediation", NULL, W_UNKNOWN);
    server.server = w_s("fe1.lync.test");
    server.forest = w_s(W_LY);
    server.has_product = 1;
    server.product = UMX__SERVER__PRODUCT__LYNC;
    w_add(world, &server.base);
    w_status(world, "forests/mediation", NULL, W_FAIL);
    w_service(world, "fe1.lync.test", "RTCMEDSRV", UMX__SERVICE__STATE__STOPPED, 0);
    w_status(world, "forests/mediation", NULL, W_FAIL);
    W_EDIT(world)->service[0]->state = UMX__SERVICE__STATE__RUNNING;
    w_status(world, "forests/mediation", NULL, W_PASS);
    W_EDIT(world)->forest[0]->lync_users = 0;
    w_status(world, "forests/lync-users", NULL, W_FAIL);
    W_EDIT(world)->forest[0]->has_lync_users = 0;
    w_status(world, "forests/lync-users", NULL, W_UNKNOWN);
    W_EDIT(world)->lync_pool[0]->version = 0x20000;
    w_status(world, "forests/pools", NULL, W_FAIL);
    umx_world_free(world);
}

static void test_direction(void **state)
{
    struct umx_world *world = world_pair();
    static const char *const strict[] = {"forests.trust=strict", NULL};
    struct w_run run;

    (void)state;
    /* What the table asks for: a warning in one direction, a failure when the policy is strict. */
    W_EDIT(world)->trust[0]->direction = 2;
    W_EDIT(world)->trust[1]->direction = 1;
    w_status(world, "forests/trust-direction", NULL, W_PASS);
    w_status(world, "forests/trust-inbound", NULL, W_PASS);
    w_status(world, "forests/trust-agreement", NULL, W_PASS);
    w_status(world, "forests/trust-both-ways", NULL, W_WARN);
    w_expect(world, strict, "forests/trust-both-ways", NULL, W_FAIL, &run);
    w_end(&run);
    /* The wrong direction. */
    W_EDIT(world)->trust[0]->direction = 1;
    W_EDIT(world)->trust[1]->direction = 2;
    w_status(world, "forests/trust-direction", NULL, W_FAIL);
    w_status(world, "forests/trust-inbound", NULL, W_FAIL);
    w_status(world, "forests/trust-agreement", NULL, W_PASS);
    /* Two halves that disagree. */
    W_EDIT(world)->trust[0]->direction = 3;
    w_status(world, "forests/trust-agreement", NULL, W_FAIL);
    W_EDIT(world)->trust[1]->direction = 3;
    W_EDIT(world)->trust[1]->attributes = 0;
    w_status(world, "forests/trust-agreement", NULL, W_FAIL);
    umx_world_free(world);
}

static void test_missing_trust(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_remove_trusts(world, W_LY);
    w_status(world, "forests/trust-direction", NULL, W_PASS);
    w_status(world, "forests/trust-inbound", NULL, W_FAIL);
    w_status(world, "forests/trust-agreement", NULL, W_FAIL);
    w_remove_trusts(world, W_EX);
    const Umx__Finding *f = w_expect(world, NULL, "forests/trust-direction", NULL, W_FAIL, &run);
    assert_non_null(strstr(f->remedy, "netdom trust exchange.test /domain:lync.test /add /twoway /foresttransitive:yes "
                                      "/userO:EXCHANGE\\Administrator /passwordO:* /userD:LYNC\\Administrator"));
    assert_string_equal(f->target, "CN=lync.test,CN=System,DC=exchange,DC=test");
    assert_string_equal(f->exchange, W_EX);
    w_end(&run);
    w_status(world, "forests/trust-agreement", NULL, W_NOT_APPLICABLE);
    w_status(world, "forests/trust-kind", NULL, W_NOT_APPLICABLE);
    umx_world_free(world);
}

static void test_kind_and_filters(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    w_status(world, "forests/trust-kind", "CN=lync.test", W_PASS);
    w_status(world, "forests/trust-quarantine", "CN=lync.test", W_PASS);
    w_status(world, "forests/trust-selective", "CN=lync.test", W_PASS);
    W_EDIT(world)->trust[0]->attributes = 8 | 4;
    w_status(world, "forests/trust-quarantine", "CN=lync.test", W_FAIL);
    W_EDIT(world)->trust[0]->attributes = 8 | 0x40;
    w_status(world, "forests/trust-quarantine", "CN=lync.test", W_WARN);
    W_EDIT(world)->trust[0]->attributes = 4;
    w_status(world, "forests/trust-quarantine", "CN=lync.test", W_PASS);
    w_status(world, "forests/trust-kind", "CN=lync.test", W_WARN);
    w_status(world, "forests/trust-suffixes", "CN=lync.test", W_NOT_APPLICABLE);
    W_EDIT(world)->trust[0]->type = 3;
    w_status(world, "forests/trust-kind", "CN=lync.test", W_FAIL);
    umx_world_free(world);
}

static void test_selective(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    W_EDIT(world)->trust[0]->attributes = 8 | 0x10;
    w_status(world, "forests/trust-selective", "CN=lync.test", W_WARN);
    W_EDIT(world)->proof[0]->status = UMX__PROOF__STATUS__FAIL;
    const Umx__Finding *f = w_expect(world, NULL, "forests/trust-selective", "CN=lync.test", W_FAIL, &run);
    assert_non_null(strstr(f->remedy, "dsacls \"CN=dc1,OU=Domain Controllers,DC=exchange,DC=test\""));
    w_end(&run);
    w_remove_proofs(world, UMX__PROOF__KIND__TRUST);
    w_status(world, "forests/trust-selective", "CN=lync.test", W_UNKNOWN);
    umx_world_free(world);
}

static void test_sid(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    w_status(world, "forests/trust-sid", "CN=lync.test", W_PASS);
    W_EDIT(world)->trust[0]->partner_sid = w_s("S-1-5-21-9-9-9");
    w_status(world, "forests/trust-sid", "CN=lync.test", W_FAIL);
    W_EDIT(world)->trust[0]->partner_sid = NULL;
    w_status(world, "forests/trust-sid", "CN=lync.test", W_UNKNOWN);
    umx_world_free(world);
}

static void test_suffixes(void **state)
{
    struct umx_world *world = world_pair();
    char *names[] = {w_s("LYNC.test")};
    char *upn[] = {w_s("voice.example")};

    (void)state;
    w_status(world, "forests/trust-suffixes", "CN=lync.test", W_PASS);
    Umx__Trust *trust = W_EDIT(world)->trust[0];
    /* A UPN suffix that nobody routes is a warning, and a failure when it is a SIP domain. */
    W_EDIT(world)->forest[0]->n_upn_suffix = 1;
    W_EDIT(world)->forest[0]->upn_suffix = upn;
    w_status(world, "forests/trust-suffixes", "CN=lync.test", W_WARN);
    W_EDIT(world)->forest[0]->n_sip_domain = 1;
    W_EDIT(world)->forest[0]->sip_domain = upn;
    w_status(world, "forests/trust-suffixes", "CN=lync.test", W_FAIL);
    W_EDIT(world)->forest[0]->n_upn_suffix = 0;
    trust->n_suffix_enabled = 0;
    trust->n_suffix_disabled = 1;
    trust->suffix_disabled = names;
    w_status(world, "forests/trust-suffixes", "CN=lync.test", W_FAIL);
    trust->n_suffix_disabled = 0;
    trust->n_suffix_conflict = 1;
    trust->suffix_conflict = names;
    w_status(world, "forests/trust-suffixes", "CN=lync.test", W_FAIL);
    trust->n_suffix_conflict = 0;
    trust->n_suffix_enabled = 1;
    trust->n_domain_disabled = 1;
    trust->domain_disabled = names;
    w_status(world, "forests/trust-suffixes", "CN=lync.test", W_FAIL);
    trust->n_domain_disabled = 0;
    trust->trust_info_error = w_s("missing");
    w_status(world, "forests/trust-suffixes", "CN=lync.test", W_FAIL);
    trust->direction = 1; /* the trusted side of a one-way trust often has none */
    w_status(world, "forests/trust-suffixes", "CN=lync.test", W_WARN);
    umx_world_free(world);
}

static void test_broken_secret(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    /* Everything in LDAP is right; only the attempt shows it. */
    W_EDIT(world)->proof[0]->status = UMX__PROOF__STATUS__FAIL;
    W_EDIT(world)->proof[0]->detail = w_s("the ticket isn't for us");
    const Umx__Finding *f = w_expect(world, NULL, "forests/trust-live", "lync.test -> exchange.test", W_FAIL, &run);
    assert_non_null(strstr(f->remedy, "netdom trust exchange.test /domain:lync.test /reset"));
    assert_non_null(strstr(f->remedy, "nltest /sc_verify:lync.test"));
    assert_non_null(strstr(f->actual, "the ticket isn't for us"));
    assert_string_equal(f->forest, W_EX);
    const struct umx_pair pair = {W_EX, W_LY};
    assert_int_equal(umx_phase_state(umx_phase("forests"), &pair, &run.findings, run.arena)->state,
                     UMX__PHASE_STATE__STATE__PARTIAL);
    w_end(&run);
    /* One controller that answers shows that the trust holds. */
    w_proof(world, UMX__PROOF__KIND__TRUST, W_LY, W_EX, UMX__PROOF__STATUS__PASS, "");
    w_status(world, "forests/trust-live", "lync.test -> exchange.test", W_WARN);
    w_remove_proofs(world, UMX__PROOF__KIND__TRUST);
    w_status(world, "forests/trust-live", "lync.test -> exchange.test", W_UNKNOWN);
    w_proof(world, UMX__PROOF__KIND__TRUST, W_LY, W_EX, UMX__PROOF__STATUS__UNKNOWN, "no answer in time");
    w_status(world, "forests/trust-live", "lync.test -> exchange.test", W_UNKNOWN);
    W_EDIT(world)->proof[0]->status = UMX__PROOF__STATUS__PASS;
    W_EDIT(world)->proof[0]->collected_at = W_NOW - 30 * UMX_HOUR;
    w_status(world, "forests/trust-live", "lync.test -> exchange.test", W_UNKNOWN);
    umx_world_free(world);
}

static void test_guideline_direction_is_not_demanded(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    W_EDIT(world)->trust[0]->direction = 2;
    W_EDIT(world)->trust[1]->direction = 1;
    W_EDIT(world)->proof[1]->status = UMX__PROOF__STATUS__FAIL; /* Exchange has no way into the Lync forest */
    w_status(world, "forests/trust-live", "exchange.test -> lync.test", W_NOT_APPLICABLE);
    w_status(world, "forests/trust-live", "lync.test -> exchange.test", W_PASS);
    umx_world_free(world);
}

static void test_dns_and_lookup(void **state)
{
    struct umx_world *world = world_pair();

    (void)state;
    w_status(world, "forests/dns", "seen from exchange.test", W_UNKNOWN);
    w_status(world, "forests/sid-lookup", NULL, W_UNKNOWN);
    w_proof(world, UMX__PROOF__KIND__DNS, W_EX, W_LY, UMX__PROOF__STATUS__PASS, "");
    w_status(world, "forests/dns", "seen from exchange.test", W_PASS);
    w_proof(world, UMX__PROOF__KIND__DNS, W_EX, W_LY, UMX__PROOF__STATUS__FAIL, "NXDOMAIN");
    w_status(world, "forests/dns", "seen from exchange.test", W_FAIL);
    w_status(world, "forests/dns", "seen from lync.test", W_UNKNOWN);
    w_proof(world, UMX__PROOF__KIND__SID, W_EX, W_LY, UMX__PROOF__STATUS__PASS, "");
    w_status(world, "forests/sid-lookup", NULL, W_PASS);
    umx_world_free(world);
}

static void test_clock(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    W_EDIT(world)->forest[0]->clock_offset = 5 * UMX_MINUTE;
    w_status(world, "forests/clock", NULL, W_PASS);
    W_EDIT(world)->forest[0]->clock_offset = 5 * UMX_MINUTE + UMX_SECOND;
    const Umx__Finding *f = w_expect(world, NULL, "forests/clock", NULL, W_FAIL, &run);
    assert_non_null(strstr(f->remedy, "dc1.exchange.test"));
    w_end(&run);
    W_EDIT(world)->forest[0]->has_clock_offset = 0;
    w_status(world, "forests/clock", NULL, W_UNKNOWN);
    umx_world_free(world);
}

static void test_single_label(void **state)
{
    struct umx_world *world = world_pair();
    Umx__Domain domain = UMX__DOMAIN__INIT;

    (void)state;
    domain.forest = w_s(W_LY);
    domain.domain = w_s("voice");
    w_add(world, &domain.base);
    w_status(world, "forests/lync-names", NULL, W_FAIL);
    w_status(world, "forests/exchange-names", NULL, W_PASS);
    umx_world_free(world);
}

static void test_unreachable_forest(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    W_EDIT(world)->forest[0]->error = w_s("UMX-1201: no domain controller answers");
    w_check(&run, world, "forests", NULL);
    const Umx__Finding *f = w_finding(&run, "forests/trust-direction", NULL);
    assert_int_equal(f->status, W_UNKNOWN);
    assert_string_equal(f->forest, W_LY);
    assert_non_null(strstr(f->actual, "UMX-1201"));
    assert_int_equal(w_finding(&run, "forests/lync-users", NULL)->status, W_UNKNOWN);
    /* The other forest is still answered. */
    assert_int_equal(w_finding(&run, "forests/organization", NULL)->status, W_PASS);
    const struct umx_pair pair = {W_EX, W_LY};
    assert_int_equal(umx_phase_state(umx_phase("forests"), &pair, &run.findings, run.arena)->state,
                     UMX__PHASE_STATE__STATE__UNKNOWN);
    w_end(&run);
    umx_world_free(world);
}

static void test_lync_users_of_a_part_of_the_forest(void **state)
{
    struct umx_world *world = world_pair();
    char *incomplete[] = {w_s("voice_user: the domain child.lync.test cannot be read")};

    (void)state;
    W_EDIT(world)->forest[0]->lync_users = 0;
    w_status(world, "forests/lync-users", NULL, W_FAIL);
    W_EDIT(world)->forest[0]->n_incomplete = 1;
    W_EDIT(world)->forest[0]->incomplete = incomplete;
    w_status(world, "forests/lync-users", NULL, W_UNKNOWN);
    W_EDIT(world)->forest[0]->n_incomplete = 0;
    umx_world_free(world);
}

static void test_incomplete_table(void **state)
{
    struct umx_world *world = world_pair();
    char *incomplete[] = {w_s("trust: insufficient access rights")};

    (void)state;
    W_EDIT(world)->forest[1]->n_incomplete = 1;
    W_EDIT(world)->forest[1]->incomplete = incomplete;
    w_status(world, "forests/trust-direction", NULL, W_UNKNOWN);
    w_status(world, "forests/servers", NULL, W_PASS);
    umx_world_free(world);
}

static void test_one_forest(void **state)
{
    struct umx_world *world = world_empty();

    (void)state;
    w_forest(world, "one.test", UMX__FOREST__SIDE__BOTH, "DC=one,DC=test", W_SID_EX, "ONE");
    w_status(world, "forests/separate", NULL, W_NOT_APPLICABLE);
    w_status(world, "forests/trust-direction", NULL, W_NOT_APPLICABLE);
    w_status(world, "forests/trust-live", NULL, W_NOT_APPLICABLE);
    w_status(world, "forests/clock", NULL, W_NOT_APPLICABLE);
    umx_world_free(world);
}

static const char *const forests[] = {"forests", NULL};

static void test_plan_of_a_good_pair_is_empty(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    assert_int_equal(w_plan_phases(&run, world, forests, NULL), 0);
    assert_int_equal(run.steps.count, 0);
    w_end(&run);
    umx_world_free(world);
}

static void test_plan_of_a_missing_trust(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_remove_trusts(world, W_LY);
    w_remove_trusts(world, W_EX);
    w_remove_proofs(world, UMX__PROOF__KIND__TRUST);
    assert_int_equal(w_plan_phases(&run, world, forests, NULL), 0);
    assert_int_equal(run.steps.count, 2); /* one thing to do, one to look at from the other side */
    const Umx__PlanStep *make = run.steps.items[0];
    const Umx__PlanStep *look = run.steps.items[1];
    assert_string_equal(make->id, "s1");
    assert_int_equal(make->kind, UMX__CHANGE__KIND__GATE);
    assert_string_equal(make->forest, W_EX);
    assert_string_equal(make->groups, "enterprise_admins or domain_admins");
    assert_int_equal(make->change->gate->n_command, 1);
    assert_memory_equal(make->change->gate->command[0], "netdom trust exchange.test /domain:lync.test /add", 49);
    assert_int_equal(make->change->gate->n_check, 2);
    assert_string_equal(make->change->gate->check[0], "forests/trust-direction");
    assert_string_equal(make->after->attribute[0]->value[0], "pass");
    assert_string_equal(look->forest, W_LY);
    assert_int_equal(look->side, UMX__FOREST__SIDE__LYNC);
    assert_string_equal(look->depends[0], "s1");
    w_end(&run);
    umx_world_free(world);
}

/* What the gates predict: the other phases see a trust, the checks pass, and nothing is left to plan. */
static void plan_is_enough(struct umx_world *world)
{
    struct w_run run;
    struct umx_error err = {0};

    assert_int_equal(w_plan_phases(&run, world, forests, NULL), 0);
    assert_true(run.steps.count > 0);
    for (size_t i = 0; i < run.steps.count; i++)
        assert_int_equal(umx_phase_apply(world, run.steps.items[i], &err), 0);
    w_end(&run);
    assert_int_equal(w_plan_phases(&run, world, forests, NULL), 0);
    for (size_t i = 0; i < run.steps.count; i++)
        print_message("left over: %s\n", run.steps.items[i]->summary);
    assert_int_equal(run.steps.count, 0);
    w_end(&run);
    w_check(&run, world, "forests", NULL);
    for (const struct umx_phase_check *check = umx_phase("forests")->checks; check->id != NULL; check++)
        for (size_t i = 0; check->core && i < run.findings.count; i++)
            if (strcmp(run.findings.items[i]->id, check->id) == 0)
                assert_true(run.findings.items[i]->status == W_PASS || run.findings.items[i]->status == W_WARN);
    w_end(&run);
    umx_world_free(world);
}

static void test_gates_predict(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    w_remove_trusts(world, W_LY);
    w_remove_trusts(world, W_EX);
    w_remove_proofs(world, UMX__PROOF__KIND__TRUST);
    assert_int_equal(w_plan_phases(&run, world, forests, NULL), 0);
    const Umx__PlanStep *make = run.steps.items[0];
    assert_int_equal(make->predicted->n_trust, 2);
    assert_int_equal(make->predicted->trust[0]->direction, 3);
    assert_int_equal(make->predicted->trust[0]->attributes, 8);
    assert_string_equal(make->predicted->trust[0]->partner, W_LY);
    assert_string_equal(make->predicted->trust[0]->partner_sid, W_SID_LY);
    assert_string_equal(make->predicted->trust[1]->forest, W_LY);
    assert_null(make->original); /* there was none */
    w_end(&run);
    plan_is_enough(world);

    world = world_pair(); /* the forest was rebuilt */
    W_EDIT(world)->trust[0]->partner_sid = w_s("S-1-5-21-9-9-9");
    plan_is_enough(world);
    world = world_pair(); /* the secret is broken */
    for (size_t i = 0; i < umx_world_records(world)->n_proof; i++)
        W_EDIT(world)->proof[i]->status = UMX__PROOF__STATUS__FAIL;
    plan_is_enough(world);
    world = world_pair(); /* quarantine */
    W_EDIT(world)->trust[0]->attributes = 0xC;
    plan_is_enough(world);
    world = world_pair(); /* names that nobody routes */
    W_EDIT(world)->trust[1]->n_suffix_enabled = 0;
    plan_is_enough(world);
    world = world_pair(); /* clocks */
    W_EDIT(world)->forest[0]->clock_offset = 20 * UMX_MINUTE;
    plan_is_enough(world);
}

static void test_plan_needs_a_read_forest(void **state)
{
    struct umx_world *world = world_pair();
    struct w_run run;

    (void)state;
    W_EDIT(world)->forest[0]->error = w_s("UMX-1201: no domain controller answers");
    assert_int_equal(w_plan_phases(&run, world, forests, NULL), UMX_E_PARTIAL);
    assert_int_equal(run.err.id, UMX_ERR_PLAN_WORLD_INCOMPLETE);
    assert_string_equal(run.err.what, W_LY);
    w_end(&run);
    umx_world_free(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_pair),
        cmocka_unit_test(test_organization),
        cmocka_unit_test(test_versions),
        cmocka_unit_test(test_roles),
        cmocka_unit_test(test_transport_in_site),
        cmocka_unit_test(test_agent_facts),
        cmocka_unit_test(test_lync_side),
        cmocka_unit_test(test_direction),
        cmocka_unit_test(test_missing_trust),
        cmocka_unit_test(test_kind_and_filters),
        cmocka_unit_test(test_selective),
        cmocka_unit_test(test_sid),
        cmocka_unit_test(test_suffixes),
        cmocka_unit_test(test_broken_secret),
        cmocka_unit_test(test_guideline_direction_is_not_demanded),
        cmocka_unit_test(test_dns_and_lookup),
        cmocka_unit_test(test_clock),
        cmocka_unit_test(test_single_label),
        cmocka_unit_test(test_unreachable_forest),
        cmocka_unit_test(test_lync_users_of_a_part_of_the_forest),
        cmocka_unit_test(test_incomplete_table),
        cmocka_unit_test(test_one_forest),
        cmocka_unit_test(test_plan_of_a_good_pair_is_empty),
        cmocka_unit_test(test_plan_of_a_missing_trust),
        cmocka_unit_test(test_gates_predict),
        cmocka_unit_test(test_plan_needs_a_read_forest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
