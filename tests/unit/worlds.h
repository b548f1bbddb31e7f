/*
 * Small worlds for the unit tests of phases/: one Exchange forest, one Lync forest, a two-way forest trust, a SIP dial
 * plan, one pool that homes voice users. `world_pair` is a world in which phase 1 passes and phase 7 has nothing yet.
 */
#ifndef UMX_TESTS_WORLDS_H
#define UMX_TESTS_WORLDS_H

/* cmocka.h needs what comes before it. */
/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "base/world.h"
#include "phases/phases.h"

#define W_EX "exchange.test"
#define W_LY "lync.test"
#define W_ORG "CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=exchange,DC=test"
#define W_PLANS "CN=UM DialPlan Container," W_ORG
#define W_GATEWAYS "CN=UM IPGateway Container," W_ORG
#define W_POOLS "CN=Pools,CN=RTC Service,CN=Services,CN=Configuration,DC=lync,DC=test"
#define W_SID_EX "S-1-5-21-1-1-1"
#define W_SID_LY "S-1-5-21-2-2-2"
#define W_ADMINS W_SID_LY "-1105"
#define W_COMPONENTS W_SID_LY "-1106"

enum { W_NOW_SECONDS = 1800000000 };
#define W_NOW (W_NOW_SECONDS * UMX_SECOND)

static inline char *w_text(char *text, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
static inline char *w_text(char *text, size_t size, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(text, size, format, args);
    va_end(args);
    return text;
}

/* Schema strings are char *; the tests' are literals that nobody writes to. */
static inline char *w_s(const char *literal)
{
    union {
        const char *in;
        char *out;
    } u = {.in = literal};

    return u.out;
}

static inline void w_add(struct umx_world *world, const ProtobufCMessage *record)
{
    struct umx_error err = {0};

    assert_int_equal(umx_world_add(world, record, &err), 0);
}

static inline void w_forest(struct umx_world *world, const char *name, Umx__Forest__Side side, const char *root,
                            const char *sid, const char *netbios)
{
    Umx__Forest f = UMX__FOREST__INIT;
    char config[256];
    char organization[256];
    char controller[64];

    f.forest = w_s(name);
    f.has_side = 1;
    f.side = side;
    f.root_dn = w_s(root);
    f.config_dn = w_text(config, sizeof config, "CN=Configuration,%s", root);
    f.root_sid = w_s(sid);
    f.netbios = w_s(netbios);
    f.domain_controller = w_text(controller, sizeof controller, "dc1.%s", name);
    f.has_clock_offset = 1;
    f.has_organization_count = 1;
    if (side != UMX__FOREST__SIDE__LYNC) {
        f.organization_count = 1;
        f.organization = w_s("Contoso");
        f.organization_dn =
            w_text(organization, sizeof organization, "CN=Contoso,CN=Microsoft Exchange,CN=Services,%s", config);
    }
    if (side != UMX__FOREST__SIDE__EXCHANGE) {
        f.has_lync_users = 1;
        f.lync_users = 20;
    }
    w_add(world, &f.base);
}

static inline void w_trust(struct umx_world *world, const char *forest, const char *partner, const char *sid,
                           int direction, int attributes)
{
    Umx__Trust t = UMX__TRUST__INIT;
    char dn[128];
    char *suffix[] = {w_s(partner)};

    t.forest = w_s(forest);
    t.dn = w_text(dn, sizeof dn, "CN=%s,CN=System,DC=%.*s,DC=test", partner, (int)strcspn(forest, "."), forest);
    t.partner = w_s(partner);
    t.partner_sid = w_s(sid);
    t.has_direction = t.has_type = t.has_attributes = 1;
    t.direction = direction;
    t.type = 2;
    t.attributes = attributes;
    t.n_suffix_enabled = 1;
    t.suffix_enabled = suffix;
    w_add(world, &t.base);
}

static inline void w_proof(struct umx_world *world, Umx__Proof__Kind kind, const char *from, const char *to,
                           Umx__Proof__Status status, const char *detail)
{
    Umx__Proof p = UMX__PROOF__INIT;
    char target[64];

    p.server = w_s("controller");
    p.has_kind = p.has_status = 1;
    p.kind = kind;
    p.forest = w_s(from);
    p.target_forest = w_s(to);
    p.target = w_text(target, sizeof target, "dc1.%s", to);
    p.identity = w_s("umx-reader");
    p.status = status;
    p.detail = w_s(detail);
    p.has_collected_at = 1;
    p.collected_at = W_NOW - UMX_MINUTE;
    w_add(world, &p.base);
}

static inline void w_server(struct umx_world *world, const char *forest, const char *name, int major, int minor,
                            int roles)
{
    Umx__ExchangeServer s = UMX__EXCHANGE_SERVER__INIT;
    char fqdn[64];

    s.forest = w_s(forest);
    s.name = w_s(name);
    s.server = w_text(fqdn, sizeof fqdn, "%s.%s", name, forest);
    s.has_version_major = s.has_version_minor = s.has_version_build = s.has_roles = 1;
    s.version_major = major;
    s.version_minor = minor;
    s.version_build = 516;
    s.roles = roles;
    s.site_dn = w_s("CN=Site1,CN=Sites,CN=Configuration,DC=exchange,DC=test");
    w_add(world, &s.base);
}

/* A SIP dial plan: dn and phone context follow from the name. */
static inline void w_plan_named(struct umx_world *world, const char *forest, const char *name, const char *context)
{
    Umx__DialPlan p = UMX__DIAL_PLAN__INIT;
    struct umx_text dn = {0};

    umx_text_adds(&dn, "CN=");
    umx_text_add_rdn(&dn, name);
    umx_text_addf(
        &dn, ",CN=UM DialPlan Container,CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=%.*s,DC=test",
        (int)strcspn(forest, "."), forest);
    p.forest = w_s(forest);
    p.name = w_s(name);
    p.dn = w_s(umx_text_string(&dn));
    p.phone_context = w_s(context);
    p.has_uri_type = 1;
    p.uri_type = UMX__DIAL_PLAN__URI_TYPE__SIP_NAME;
    w_add(world, &p.base);
    umx_text_free(&dn);
}

static inline void w_plan(struct umx_world *world, const char *forest, const char *name)
{
    char context[128];

    w_plan_named(world, forest, name, w_text(context, sizeof context, "%s.%s", name, forest));
}

static inline void w_pool(struct umx_world *world, const char *forest, const char *cn, const char *fqdn, int version,
                          bool branch, int users)
{
    Umx__LyncPool p = UMX__LYNC_POOL__INIT;
    char dn[256];

    p.forest = w_s(forest);
    p.dn = w_text(dn, sizeof dn, "CN=%s,%s", cn, W_POOLS);
    p.name = w_s(cn);
    p.pool = w_s(fqdn);
    p.has_version = p.has_branch = p.has_voice_users = 1;
    p.version = version;
    p.branch = branch;
    p.voice_users = users;
    w_add(world, &p.base);
}

static inline void w_member(struct umx_world *world, const char *pool, const char *member, const char *backup)
{
    Umx__LyncPoolMember m = UMX__LYNC_POOL_MEMBER__INIT;

    m.server = m.member = w_s(member);
    m.forest = w_s(W_LY);
    m.pool = w_s(pool);
    m.backup_pool = w_s(backup);
    w_add(world, &m.base);
}

static inline void w_agent(struct umx_world *world, const char *forest, const char *server, const char *state)
{
    Umx__Agent a = UMX__AGENT__INIT;

    a.server = w_s(server);
    a.forest = w_s(forest);
    a.state = w_s(state);
    w_add(world, &a.base);
}

static inline void w_service(struct umx_world *world, const char *server, const char *name, Umx__Service__State state,
                             int64_t started_at)
{
    Umx__Service s = UMX__SERVICE__INIT;

    s.server = w_s(server);
    s.name = w_s(name);
    s.has_state = s.has_start_type = s.has_started_at = 1;
    s.state = state;
    s.start_type = UMX__SERVICE__START__AUTOMATIC;
    s.started_at = started_at;
    w_add(world, &s.base);
}

static inline void w_gateway(struct umx_world *world, const char *forest, const char *cn, const char *address,
                             bool outcalls, int flags2)
{
    Umx__IpGateway g = UMX__IP_GATEWAY__INIT;
    char dn[256];

    g.forest = w_s(forest);
    g.dn = w_text(dn, sizeof dn,
                  "CN=%s,CN=UM IPGateway Container,CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,"
                  "DC=%.*s,DC=test",
                  cn, (int)strcspn(forest, "."), forest);
    g.name = w_s(cn);
    g.address = w_s(address);
    g.has_port = g.has_outcalls_allowed = g.has_status = g.has_flags2 = g.has_changed_at = 1;
    g.outcalls_allowed = outcalls;
    g.flags2 = flags2;
    g.changed_at = W_NOW - UMX_HOUR;
    w_add(world, &g.base);
}

static inline void w_hunt_group(struct umx_world *world, const char *forest, const char *gateway_cn, const char *cn,
                                const char *plan_dn, const char *pilot)
{
    Umx__HuntGroup h = UMX__HUNT_GROUP__INIT;
    char gateway[256];
    char dn[400];

    h.forest = w_s(forest);
    h.gateway_dn =
        w_text(gateway, sizeof gateway,
               "CN=%s,CN=UM IPGateway Container,CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,"
               "DC=%.*s,DC=test",
               gateway_cn, (int)strcspn(forest, "."), forest);
    h.dn = w_text(dn, sizeof dn, "CN=%s,%s", cn, gateway);
    h.name = w_s(cn);
    h.dial_plan_dn = w_s(plan_dn);
    h.pilot_identifier = w_s(pilot);
    w_add(world, &h.base);
}

static inline void w_container(struct umx_world *world, const char *forest, Umx__Container__Kind kind, const char *dn)
{
    Umx__Container c = UMX__CONTAINER__INIT;

    c.forest = w_s(forest);
    c.dn = w_s(dn);
    c.has_kind = c.has_dacl_canonical = c.has_changed_at = 1;
    c.kind = kind;
    c.dacl_canonical = 1;
    c.changed_at = W_NOW - 2 * UMX_HOUR;
    w_add(world, &c.base);
}

static inline void w_containers(struct umx_world *world, const char *forest)
{
    static const struct {
        Umx__Container__Kind kind;
        const char *rdn;
    } rows[] = {
        {UMX__CONTAINER__KIND__ORGANIZATION, ""},
        {UMX__CONTAINER__KIND__DIAL_PLANS, "CN=UM DialPlan Container,"},
        {UMX__CONTAINER__KIND__AUTO_ATTENDANTS, "CN=UM AutoAttendant Container,"},
        {UMX__CONTAINER__KIND__ADMIN_GROUPS, "CN=Administrative Groups,"},
        {UMX__CONTAINER__KIND__IP_GATEWAYS, "CN=UM IPGateway Container,"},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char dn[256];
        w_container(world, forest, rows[i].kind,
                    w_text(dn, sizeof dn,
                           "%sCN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=%.*s,DC=test",
                           rows[i].rdn, (int)strcspn(forest, "."), forest));
    }
}

static inline void w_ace(struct umx_world *world, const char *dn, int position, int type, int flags, int mask,
                         const char *sid, const char *sddl)
{
    Umx__AccessEntry a = UMX__ACCESS_ENTRY__INIT;

    a.forest = w_s(W_EX);
    a.target_dn = w_s(dn);
    a.has_position = a.has_type = a.has_flags = a.has_mask = 1;
    a.position = position;
    a.type = type;
    a.flags = flags;
    a.mask = mask;
    a.trustee_sid = w_s(sid);
    a.sddl = w_s(sddl);
    w_add(world, &a.base);
}

static inline void w_group(struct umx_world *world, const char *forest, const char *meaning, const char *name,
                           const char *sid)
{
    Umx__AdminGroup g = UMX__ADMIN_GROUP__INIT;

    g.forest = w_s(forest);
    g.meaning = w_s(meaning);
    g.name = w_s(name);
    g.sid = w_s(sid);
    w_add(world, &g.base);
}

static inline struct umx_world *world_empty(void)
{
    struct umx_world *world = umx_world_new(W_NOW);

    assert_non_null(world);
    return world;
}

static inline void world_lync(struct umx_world *world)
{
    w_forest(world, W_LY, UMX__FOREST__SIDE__LYNC, "DC=lync,DC=test", W_SID_LY, "LYNC");
    w_group(world, W_LY, "rtc_server_admins", "RTCUniversalServerAdmins", W_ADMINS);
    w_group(world, W_LY, "rtc_component_services", "RTCComponentUniversalServices", W_COMPONENTS);
}

static inline void world_exchange(struct umx_world *world, const char *forest, const char *root, const char *sid,
                                  const char *netbios)
{
    w_forest(world, forest, UMX__FOREST__SIDE__EXCHANGE, root, sid, netbios);
    w_server(world, forest, "exmbx1", 15, 0, 54);
    w_server(world, forest, "excas1", 15, 0, 16385);
    w_containers(world, forest);
    w_trust(world, forest, W_LY, W_SID_LY, 3, 8);
    w_trust(world, W_LY, forest, sid, 3, 8);
    w_proof(world, UMX__PROOF__KIND__TRUST, W_LY, forest, UMX__PROOF__STATUS__PASS, "");
    w_proof(world, UMX__PROOF__KIND__TRUST, forest, W_LY, UMX__PROOF__STATUS__PASS, "");
}

static inline struct umx_world *world_pair(void)
{
    struct umx_world *world = world_empty();

    world_lync(world);
    world_exchange(world, W_EX, "DC=exchange,DC=test", W_SID_EX, "EXCHANGE");
    w_plan(world, W_EX, "Berlin");
    w_pool(world, W_LY, "1:1", "pool1.lync.test", 0x60000, false, 120);
    return world;
}

/* The records of a world, for changes in place. */
#define W_EDIT(world) umx_world_edit(world)

static inline void w_remove_trusts(struct umx_world *world, const char *forest)
{
    const struct umx_table *table = umx_reflect_table("trust");

    for (size_t i = umx_world_records(world)->n_trust; i-- > 0;)
        if (strcmp(umx_world_records(world)->trust[i]->forest, forest) == 0)
            umx_world_remove(world, table, i);
}

static inline void w_remove_proofs(struct umx_world *world, Umx__Proof__Kind kind)
{
    const struct umx_table *table = umx_reflect_table("proof");

    for (size_t i = umx_world_records(world)->n_proof; i-- > 0;)
        if (umx_world_records(world)->proof[i]->kind == kind)
            umx_world_remove(world, table, i);
}

/* ---- running */

struct w_run {
    struct umx_arena *arena;
    struct umx_findings findings;
    struct umx_steps steps;
    struct umx_error err;
    const char *texts[8];
    struct umx_options options;
};

static inline struct w_run *w_begin(struct w_run *run, const char *const *options)
{
    memset(run, 0, sizeof *run);
    run->arena = umx_arena_new(64 * 1024 * 1024);
    assert_non_null(run->arena);
    run->findings.arena = run->steps.arena = run->arena;
    for (size_t i = 0; options != NULL && options[i] != NULL; i++)
        run->texts[run->options.count++] = options[i];
    run->options.texts = run->texts;
    return run;
}

static inline void w_end(struct w_run *run)
{
    umx_arena_free(run->arena);
}

/* Findings of one phase for all pairs. */
static inline void w_check(struct w_run *run, struct umx_world *world, const char *slug, const char *const *options)
{
    const struct umx_phase *phase = umx_phase(slug);

    w_begin(run, options);
    assert_non_null(phase);
    int rc = umx_phases_check(umx_world_records(world), &phase, 1, NULL, 0, &run->options, &run->findings, &run->err);
    if (rc != 0)
        print_message("%s: %s\n", run->err.what, umx_error_why(&run->err));
    assert_int_equal(rc, 0);
}

/* The only finding of a check whose target contains the text (NULL: any). */
static inline const Umx__Finding *w_finding(const struct w_run *run, const char *id, const char *target)
{
    const Umx__Finding *found = NULL;

    for (size_t i = 0; i < run->findings.count; i++) {
        const Umx__Finding *f = run->findings.items[i];
        if (strcmp(f->id, id) != 0 || (target != NULL && strstr(f->target, target) == NULL))
            continue;
        if (found != NULL)
            fail_msg("%s has more than one finding for %s", id, target != NULL ? target : "any target");
        found = f;
    }
    if (found == NULL)
        fail_msg("%s has no finding for %s", id, target != NULL ? target : "any target");
    return found;
}

#define W_PASS UMX__FINDING__STATUS__PASS
#define W_WARN UMX__FINDING__STATUS__WARN
#define W_FAIL UMX__FINDING__STATUS__FAIL
#define W_UNKNOWN UMX__FINDING__STATUS__UNKNOWN
#define W_NOT_APPLICABLE UMX__FINDING__STATUS__NOT_APPLICABLE

static inline const Umx__Finding *w_expect(struct umx_world *world, const char *const *options, const char *id,
                                           const char *target, Umx__Finding__Status status, struct w_run *run)
{
    char slug[32];

    w_text(slug, sizeof slug, "%.*s", (int)strcspn(id, "/"), id);
    w_check(run, world, slug, options);
    const Umx__Finding *finding = w_finding(run, id, target);
    if (finding->status != status)
        print_message("%s %s: expected \"%s\", actual \"%s\"\n", id, finding->target, finding->expected,
                      finding->actual);
    assert_int_equal(finding->status, status);
    return finding;
}

/* Status of one finding; the texts must be there, and a remedy where something is to be done. */
static inline void w_status(struct umx_world *world, const char *id, const char *target, Umx__Finding__Status status)
{
    struct w_run run;
    const Umx__Finding *finding = w_expect(world, NULL, id, target, status, &run);

    assert_non_null(finding->actual);
    assert_true(finding->actual[0] != '\0');
    if (status == W_FAIL || status == W_WARN || status == W_UNKNOWN) {
        assert_non_null(finding->remedy);
        assert_true(finding->remedy[0] != '\0');
    }
    w_end(&run);
}

/* The steps of phases (NULL-terminated slugs) for all pairs; the status is returned. */
static inline int w_plan_phases(struct w_run *run, struct umx_world *world, const char *const *slugs,
                                const char *const *options)
{
    const struct umx_phase *phases[UMX_PHASE_COUNT];
    size_t count = 0;

    w_begin(run, options);
    for (; slugs[count] != NULL; count++)
        phases[count] = umx_phase(slugs[count]);
    return umx_phases_plan(world, phases, count, NULL, 0, &run->options, &run->steps, &run->err);
}

#endif
