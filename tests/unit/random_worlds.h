/*
 * Worlds made up from a seed, with what a lab cannot have: child domains, several Exchange and two Lync forests, one
 * forest for both, attributes missing anywhere, localized group names, names with dots, spaces, commas and umlauts,
 * every version side by side. Names of objects are as the directory would write them; nothing else is promised.
 */
#ifndef UMX_TESTS_RANDOM_WORLDS_H
#define UMX_TESTS_RANDOM_WORLDS_H

#include "random_objects.h"

/* ---- an Exchange forest */

static inline void rw_exchange_objects(struct rw *rw, const char *forest, const char *org)
{
    static const char *const numbers[] = {"+493012345600", "+498912345600", "030 12345", "+49", "12345", "+4930123456"};
    static const struct {
        int major, minor;
    } versions[] = {{8, 0}, {8, 1}, {8, 3}, {14, 0}, {14, 1}, {14, 3}, {15, 0}, {15, 0}, {15, 1}, {15, 2}};
    static const int roles[] = {54, 16, 16385, 16439, 2, 38, 0, 64};
    char *plans[5];
    size_t plan_count = rw_below(rw, 5), gateways = rw_below(rw, 4), servers = rw_below(rw, 5);

    for (size_t i = 0; i < plan_count; i++) {
        Umx__DialPlan p = UMX__DIAL_PLAN__INIT;
        const char *name = rw_say(rw, "%s%s", RW_PICK(rw, rw_odd_names), i > 0 ? rw_say(rw, "%zu", i) : "");
        char *number = w_s(RW_PICK(rw, numbers));
        p.forest = w_s(forest);
        p.name = w_s(name);
        p.dn = plans[i] = rw_dn(rw, name, rw_say(rw, "CN=UM DialPlan Container,%s", org));
        p.phone_context = rw_say(rw, "%s.%s%s", name, rw_chance(rw, 10) ? "emea." : "", forest);
        p.has_uri_type = 1;
        p.uri_type = rw_chance(rw, 75) ? UMX__DIAL_PLAN__URI_TYPE__SIP_NAME : (Umx__DialPlan__UriType)rw_below(rw, 4);
        p.has_voip_security = rw_chance(rw, 80);
        p.voip_security = (Umx__DialPlan__VoipSecurity)(1 + rw_below(rw, 3));
        p.has_digits = rw_chance(rw, 90);
        p.digits = (int32_t)rw_below(rw, 22);
        p.access_number = rw_list(rw, &p.n_access_number, &number, rw_below(rw, 2));
        p.country_code = w_s(rw_chance(rw, 70) ? "49" : NULL);
        p.has_changed_at = rw_chance(rw, 70);
        p.changed_at = W_NOW - UMX_HOUR;
        w_add(rw->world, &p.base);
        if (rw_chance(rw, 60)) {
            Umx__MailboxPolicy m = UMX__MAILBOX_POLICY__INIT;
            m.forest = w_s(forest);
            m.name = rw_say(rw, "%s Default Policy", name);
            m.dn = rw_dn(rw, m.name, rw_say(rw, "CN=UM Mailbox Policies,%s", org));
            m.dial_plan_dn = plans[rw_below(rw, i + 1)];
            w_add(rw->world, &m.base);
        }
        if (rw_chance(rw, 40)) {
            Umx__AutoAttendant a = UMX__AUTO_ATTENDANT__INIT;
            char *pilot = rw_say(rw, "+49301234%zu%zu", i, rw_below(rw, 100));
            a.forest = w_s(forest);
            a.name = rw_say(rw, "AA%zu %s", i, rw_chance(rw, 20) ? "desk" : "");
            a.dn = rw_dn(rw, a.name, rw_say(rw, "CN=UM AutoAttendant Container,%s", org));
            a.dial_plan_dn = plans[rw_below(rw, i + 1)];
            a.number = rw_list(rw, &a.n_number, &pilot, rw_below(rw, 2));
            a.has_enabled = 1;
            a.enabled = rw_chance(rw, 60);
            w_add(rw->world, &a.base);
        }
    }
    for (size_t i = 0; i < servers; i++) {
        Umx__ExchangeServer s = UMX__EXCHANGE_SERVER__INIT;
        size_t version = rw_below(rw, sizeof versions / sizeof versions[0]);
        s.forest = w_s(forest);
        s.name = rw_say(rw, "ex%zu", i);
        s.server = rw_say(rw, "ex%zu.%s", i, forest);
        s.dn = rw_dn(rw, s.name, rw_say(rw, "CN=Servers,CN=Administrative Groups,%s", org));
        s.has_version_major = s.has_version_minor = s.has_version_build = s.has_roles = 1;
        s.version_major = versions[version].major;
        s.version_minor = versions[version].minor;
        s.version_build = 516;
        s.roles = RW_PICK(rw, roles);
        s.site_dn = rw_say(rw, "CN=Site%zu,CN=Sites,CN=Configuration", rw_below(rw, 2));
        s.dial_plan_dn = rw_list(rw, &s.n_dial_plan_dn, plans, rw_below(rw, plan_count + 1));
        s.has_um_startup_mode = rw_chance(rw, 60);
        s.um_startup_mode = (int32_t)rw_below(rw, 3);
        s.has_um_status = rw_chance(rw, 80);
        s.um_status = rw_chance(rw, 20);
        if (rw_chance(rw, 50)) {
            s.call_router_dn = rw_say(rw, "CN=SIP,CN=Protocols,%s", s.dn);
            s.call_router_dial_plan_dn =
                rw_list(rw, &s.n_call_router_dial_plan_dn, plans, rw_below(rw, plan_count + 1));
            s.has_call_router_startup_mode = rw_chance(rw, 60);
            s.call_router_startup_mode = (int32_t)rw_below(rw, 3);
        }
        w_add(rw->world, &s.base);
        if (!rw_chance(rw, 60))
            continue;
        w_agent(rw->world, forest, s.server, rw_chance(rw, 80) ? "connected" : "silent");
        if (rw_chance(rw, 90))
            rw_machine(rw, forest, s.server, UMX__SERVER__PRODUCT__EXCHANGE, s.version_major, s.version_minor);
        rw_tls(rw, s.server, s.server, "pool0.l0.test:5061");
        for (int k = 0; k < 2; k++) {
            const char *service = k == 0 ? "MSExchangeUM" : "MSExchangeUMCR";
            if (!rw_chance(rw, 70))
                continue;
            w_service(rw->world, s.server, service,
                      rw_chance(rw, 80) ? UMX__SERVICE__STATE__RUNNING : UMX__SERVICE__STATE__STOPPED,
                      W_NOW - (int64_t)rw_below(rw, 100) * UMX_HOUR);
            if (rw_chance(rw, 80))
                rw_um_setting(rw, s.server, service);
        }
    }
    for (size_t i = 0; i < gateways; i++) {
        Umx__IpGateway g = UMX__IP_GATEWAY__INIT;
        g.forest = w_s(forest);
        g.name = rw_say(rw, "%s gw%zu", RW_PICK(rw, rw_odd_names), i);
        g.dn = rw_dn(rw, g.name, rw_say(rw, "CN=UM IPGateway Container,%s", org));
        g.address = rw_chance(rw, 50) ? rw_say(rw, "pool%zu.l%zu.test", rw_below(rw, 3), rw_below(rw, 2))
                                      : rw_say(rw, "192.0.2.%zu", i);
        g.has_port = g.has_status = g.has_outcalls_allowed = g.has_flags2 = 1;
        g.port = rw_chance(rw, 70) ? 0 : 5060;
        g.outcalls_allowed = rw_chance(rw, 50);
        g.flags2 = rw_chance(rw, 50) ? -1 : 0;
        w_add(rw->world, &g.base);
        for (size_t k = 0; k < plan_count && rw_chance(rw, 50); k++) {
            Umx__HuntGroup h = UMX__HUNT_GROUP__INIT;
            h.forest = w_s(forest);
            h.name = rw_say(rw, "hunt %zu", k);
            h.dn = rw_dn(rw, h.name, g.dn);
            h.gateway_dn = g.dn;
            h.dial_plan_dn = plans[k];
            h.pilot_identifier = w_s(rw_chance(rw, 50) ? RW_PICK(rw, rw_odd_names) : NULL);
            w_add(rw->world, &h.base);
        }
    }
}

static inline void rw_containers(struct rw *rw, const char *forest, const char *org)
{
    static const char *const names[] = {"",
                                        "CN=UM DialPlan Container,",
                                        "CN=UM AutoAttendant Container,",
                                        "CN=Administrative Groups,",
                                        "CN=UM IPGateway Container,",
                                        "CN=UM Mailbox Policies,"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        Umx__Container c = UMX__CONTAINER__INIT;
        c.forest = w_s(forest);
        c.dn = rw_say(rw, "%s%s", names[i], org);
        c.has_kind = c.has_dacl_canonical = 1;
        c.kind = (Umx__Container__Kind)(i + 1);
        c.dacl_canonical = !rw_chance(rw, 2);
        w_add(rw->world, &c.base);
        for (int k = 0; k < 3 && rw_chance(rw, 30); k++) {
            Umx__AccessEntry a = UMX__ACCESS_ENTRY__INIT;
            a.forest = w_s(forest);
            a.target_dn = c.dn;
            a.has_position = a.has_type = a.has_flags = a.has_mask = 1;
            a.position = k;
            a.type = 0;
            a.flags = rw_chance(rw, 50) ? 2 : 0;
            a.mask = rw_chance(rw, 50) ? 0x14 : 4;
            a.trustee_sid = rw_say(rw, "S-1-5-21-%zu-0-0-1105", rw_below(rw, 5));
            a.sddl = rw_say(rw, "(A;%s;%s;;;%s)", a.flags != 0 ? "CI" : "", a.mask == 4 ? "LC" : "LCRP", a.trustee_sid);
            w_add(rw->world, &a.base);
        }
    }
}

/* ---- a Lync forest */

static inline void rw_lync_objects(struct rw *rw, const char *forest, size_t number)
{
    static const char *const levels[] = {"RequireEncryption", "SupportEncryption", "DoNotSupportEncryption", "Odd", ""};
    static const char *const rules[] = {"^(\\d{4})$\t+49301234$1", "^(\\d+)$\t$1", "(\t",
                                        "^(1+)+$\t+1$1",           "\t",           "^(\\d{5})$\t+4930$1"};
    static const int versions[] = {0x60000, 0x60000, 0x50000, 0x40000, 0x20000};
    static const int products[] = {4, 5, 5, 6};
    size_t pools = rw_below(rw, 4);
    bool agents = rw_chance(rw, 60);

    for (size_t i = 0; i < pools; i++) {
        Umx__LyncPool p = UMX__LYNC_POOL__INIT;
        p.forest = w_s(forest);
        p.name = rw_say(rw, "1:%zu", i + 1);
        p.pool = rw_say(rw, "pool%zu.l%zu.test", i, number);
        p.dn = rw_dn(rw, p.name,
                     rw_say(rw, "CN=Pools,CN=RTC Service,CN=Services,CN=Configuration,DC=l%zu,DC=test", number));
        p.has_version = p.has_branch = p.has_voice_users = 1;
        p.version = RW_PICK(rw, versions);
        p.branch = rw_chance(rw, 15);
        p.voice_users = rw_chance(rw, 60) ? (int32_t)rw_below(rw, 200) : 0;
        w_add(rw->world, &p.base);
        for (size_t k = 0; agents && k < 2; k++) {
            Umx__LyncPoolMember m = UMX__LYNC_POOL_MEMBER__INIT;
            m.member = rw_say(rw, "fe%zu%zu.l%zu.test", i, k, number);
            m.server = m.member;
            m.forest = w_s(forest);
            m.pool = p.pool;
            m.backup_pool = w_s(rw_chance(rw, 30) ? "pool0.l0.test" : "");
            m.site = w_s(rw_chance(rw, 60) ? "Berlin" : NULL);
            m.has_ready = 1;
            m.ready = rw_chance(rw, 70);
            w_add(rw->world, &m.base);
            w_agent(rw->world, forest, m.member, rw_chance(rw, 80) ? "connected" : "silent");
            if (rw_chance(rw, 80))
                rw_machine(rw, forest, m.member, UMX__SERVER__PRODUCT__LYNC, RW_PICK(rw, products), 0);
            rw_tls(rw, m.member, p.pool, "ex0.e0.test:5061");
            if (rw_chance(rw, 70))
                w_service(rw->world, m.member, "RTCSRV", UMX__SERVICE__STATE__RUNNING, W_NOW - UMX_DAY);
        }
    }
    for (size_t i = 0; agents && i < rw_below(rw, 4); i++) {
        Umx__LyncDialPlan d = UMX__LYNC_DIAL_PLAN__INIT;
        char *rule = w_s(RW_PICK(rw, rules));
        d.server = rw_say(rw, "fe00.l%zu.test", number);
        d.forest = w_s(forest);
        d.identity = i == 0   ? w_s("Global")
                     : i == 1 ? w_s("Site:Berlin")
                              : rw_say(rw, "Tag:%s", RW_PICK(rw, rw_odd_names));
        d.simple_name = rw_say(rw, "%s.e%zu.test", RW_PICK(rw, rw_odd_names), rw_below(rw, 3));
        d.rule = rw_list(rw, &d.n_rule, &rule, rw_below(rw, 2));
        w_add(rw->world, &d.base);
    }
    if (agents && rw_chance(rw, 70)) {
        Umx__LyncPolicy p = UMX__LYNC_POLICY__INIT;
        char *level = w_s(RW_PICK(rw, levels));
        p.forest = w_s(forest);
        p.kind = w_s("media");
        p.identity = w_s("Global");
        p.value = rw_list(rw, &p.n_value, &level, 1);
        w_add(rw->world, &p.base);
    }
}

/* ---- people, of one Exchange forest in each Lync forest */

static inline const Umx__MailboxPolicy *rw_policy(struct rw *rw, const char *forest, const Umx__DialPlan **plan)
{
    const Umx__World *records = umx_world_records(rw->world);

    for (size_t tries = 0; records->n_mailbox_policy > 0 && tries < 4; tries++) {
        const Umx__MailboxPolicy *policy = records->mailbox_policy[rw_below(rw, records->n_mailbox_policy)];
        for (size_t i = 0; i < records->n_dial_plan; i++)
            if (umx_text_equal(policy->forest, forest) &&
                umx_text_equal(records->dial_plan[i]->dn, policy->dial_plan_dn)) {
                *plan = records->dial_plan[i];
                return policy;
            }
    }
    *plan = NULL;
    return NULL;
}

static inline Umx__MailboxUser *rw_mailbox(struct rw *rw, const char *exchange, size_t number, size_t i)
{
    Umx__MailboxUser m = UMX__MAILBOX_USER__INIT;
    const Umx__DialPlan *plan = NULL;
    char *addresses[4];
    uint8_t guid[16] = {(uint8_t)number, (uint8_t)i, 0x77};
    size_t n = 0;

    m.forest = w_s(exchange);
    m.sam_account_name = rw_say(rw, "user%zu", i);
    m.user_principal_name = rw_chance(rw, 95) ? rw_say(rw, "user%zu@%s", i, exchange) : NULL;
    m.display_name = rw_say(rw, "%s %zu", RW_PICK(rw, rw_odd_names), i);
    m.dn = rw_dn(rw, rw_chance(rw, 30) ? rw_say(rw, "%s %zu", RW_PICK(rw, rw_odd_names), i) : m.sam_account_name,
                 rw_say(rw, "CN=Users,%sDC=%.*s,DC=test", rw_chance(rw, 15) ? "DC=emea," : "",
                        (int)strcspn(exchange, "."), exchange));
    m.sid = rw_say(rw, "S-1-5-21-9-%zu-9-%zu", number, 1000 + i);
    m.has_object_guid = rw_chance(rw, 90);
    m.object_guid.data = guid;
    m.object_guid.len = sizeof guid;
    addresses[n++] = rw_say(rw, "SMTP:user%zu@%s", i, exchange);
    if (rw_chance(rw, 60))
        addresses[n++] = rw_say(rw, "%s:user%zu@%s", rw_chance(rw, 90) ? "sip" : "SIP", i, exchange);
    m.has_um_enabled = 1;
    if (rw_chance(rw, 25)) { /* as Enable-UMMailbox leaves him */
        const Umx__MailboxPolicy *policy = rw_policy(rw, exchange, &plan);
        m.um_enabled = 1;
        m.um_policy_dn = policy != NULL ? policy->dn : NULL;
        m.um_dial_plan_dn = plan != NULL ? plan->dn : NULL;
    }
    const char *context = plan != NULL ? plan->phone_context : rw_say(rw, "Berlin.%s", exchange);
    if (rw_chance(rw, m.um_enabled ? 90 : 5))
        addresses[n++] = rw_say(rw, "eum:%zu;phone-context=%s", 1000 + i, context);
    if (rw_chance(rw, m.um_enabled ? 90 : 5))
        addresses[n++] = rw_say(rw, "EUM:user%zu@%s;phone-context=%s", i, exchange, context);
    m.proxy_address = rw_list(rw, &m.n_proxy_address, addresses, n);
    w_add(rw->world, &m.base);
    Umx__World *records = umx_world_edit(rw->world);
    return records->mailbox_user[records->n_mailbox_user - 1];
}

static inline void rw_voice(struct rw *rw, const char *exchange, const char *lync, size_t number, size_t i, bool agents)
{
    Umx__VoiceUser v = UMX__VOICE_USER__INIT;
    Umx__LyncUser u = UMX__LYNC_USER__INIT;
    const Umx__MailboxUser *mailbox = rw_mailbox(rw, exchange, number, i);
    char *addresses[1];

    if (!rw_chance(rw, 80))
        return;
    v.forest = u.forest = w_s(lync);
    v.sam_account_name = mailbox->sam_account_name;
    v.dn = rw_dn(rw, v.sam_account_name, rw_say(rw, "OU=Shadow,DC=%.*s,DC=test", (int)strcspn(lync, "."), lync));
    v.sid = rw_say(rw, "S-1-5-21-8-%zu-8-%zu", number, 1000 + i);
    v.originator_sid = w_s(rw_chance(rw, 80) ? mailbox->sid : NULL);
    v.sip_address = u.sip_address = rw_say(rw, "sip:user%zu@%s", i, exchange);
    v.line = rw_chance(rw, 90)
                 ? rw_say(rw, "tel:+49301234%zu%s", 1000 + i, rw_chance(rw, 50) ? rw_say(rw, ";ext=%zu", 1000 + i) : "")
                 : NULL;
    v.home_server_dn = rw_say(rw,
                              "CN=LC Services,CN=Microsoft,CN=1:1,CN=Pools,CN=RTC Service,CN=Services,"
                              "CN=Configuration,DC=l%zu,DC=test",
                              number);
    v.has_option_flags = v.has_enabled = v.has_account_disabled = 1;
    v.option_flags = rw_chance(rw, 70) ? 384 : 256;
    v.enabled = rw_chance(rw, 90);
    v.account_disabled = rw_chance(rw, 80);
    addresses[0] = v.sip_address;
    v.proxy_address = rw_list(rw, &v.n_proxy_address, addresses, rw_below(rw, 2));
    w_add(rw->world, &v.base);
    if (!agents || !rw_chance(rw, 80))
        return;
    u.server = rw_say(rw, "fe00.l%zu.test", number);
    u.has_enterprise_voice = 1;
    u.enterprise_voice = v.option_flags == 384;
    u.line = v.line;
    u.dial_plan = w_s(rw_chance(rw, 20) ? "Berlin" : "");
    u.voice_policy = w_s(rw_chance(rw, 20) ? "Inland" : "");
    w_add(rw->world, &u.base);
}

static inline void rw_people(struct rw *rw, const char *exchange, const char *lync, size_t number)
{
    size_t count = rw_below(rw, 12);
    bool agents = rw_chance(rw, 70);

    for (size_t i = 0; i < count; i++)
        rw_voice(rw, exchange, lync, number, 100 * number + i, agents);
}

/* ---- attributes that are missing anywhere */

static inline void rw_unset(ProtobufCMessage *record, const ProtobufCFieldDescriptor *field)
{
    char *base = (char *)record;

    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
        memset(base + field->quantifier_offset, 0, sizeof(size_t));
    } else if (field->type == PROTOBUF_C_TYPE_STRING || field->type == PROTOBUF_C_TYPE_MESSAGE) {
        memset(base + field->offset, 0, sizeof(void *));
    } else {
        bool wide = field->type == PROTOBUF_C_TYPE_INT64, bytes = field->type == PROTOBUF_C_TYPE_BYTES;
        memset(base + field->quantifier_offset, 0, sizeof(protobuf_c_boolean));
        memset(base + field->offset, 0,
               bytes  ? sizeof(ProtobufCBinaryData)
               : wide ? sizeof(int64_t)
                      : sizeof(int32_t)); /* enums and booleans are int too */
    }
}

/* What every record has, because readers write it or a file without it is refused. */
static inline bool rw_is_place(const ProtobufCMessage *record, const char *name)
{
    if (record->descriptor == &umx__exchange_server__descriptor)
        return strcmp(name, "forest") == 0 || strcmp(name, "dn") == 0;
    if (record->descriptor == &umx__admin_group__descriptor)
        return strcmp(name, "forest") == 0;
    return strcmp(name, "forest") == 0 || strcmp(name, "dn") == 0 || strcmp(name, "server") == 0;
}

static inline void rw_lose_any(struct rw *rw, ProtobufCMessage *record, unsigned percent)
{
    for (unsigned i = 0; i < record->descriptor->n_fields; i++)
        if (rw_chance(rw, percent) && !rw_is_place(record, record->descriptor->fields[i].name))
            rw_unset(record, &record->descriptor->fields[i]);
}

static inline void rw_lose(struct rw *rw, ProtobufCMessage *record, unsigned percent)
{
    static const char *const kept[] = {"forest", "dn",       "server", "pool",      "member",  "kind",
                                       "state",  "identity", "name",   "target_dn", "meaning", "partner"};

    for (unsigned i = 0; i < record->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *field = &record->descriptor->fields[i];
        bool keep = !rw_chance(rw, percent);
        /* What the reader makes of otherIpPhone is there with it. */
        keep = keep || (record->descriptor == &umx__contact__descriptor &&
                        (strcmp(field->name, "type") == 0 || strcmp(field->name, "phone_context") == 0 ||
                         strcmp(field->name, "other_ip_phone") == 0));
        for (size_t k = 0; k < sizeof kept / sizeof kept[0]; k++)
            keep = keep || strcmp(field->name, kept[k]) == 0;
        if (!keep)
            rw_unset(record, field);
    }
}

static inline void rw_lose_some(struct rw *rw)
{
    static const char *const tables[] = {"dial_plan",    "exchange_server", "ip_gateway",     "hunt_group",
                                         "lync_pool",    "auto_attendant",  "mailbox_policy", "voice_user",
                                         "mailbox_user", "lync_dial_plan",  "lync_policy",    "lync_pool_member",
                                         "trust",        "contact",         "service",        "organizational_unit",
                                         "certificate",  "um_setting",      "lync_user",      "server"};

    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++) {
        size_t count;
        ProtobufCMessage **records = umx_world_table(umx_world_edit(rw->world), umx_reflect_table(tables[t]), &count);
        for (size_t i = 0; i < count; i++)
            rw_lose(rw, records[i], 4);
    }
}

/* Whole tables gone, and any field of any record but where it is from. */
static inline void rw_damage(uint64_t seed, struct umx_world *world)
{
    struct rw rw = {.seed = seed ^ 0xda3a6e, .world = world};
    size_t table_count;
    const struct umx_table *tables = umx_reflect_tables(&table_count);

    for (size_t t = 0; t < table_count; t++) {
        size_t count;
        if (tables[t].derived)
            continue;
        ProtobufCMessage **records = umx_world_table(umx_world_edit(world), &tables[t], &count);
        bool gone = rw_chance(&rw, 15);
        unsigned percent = (unsigned)rw_below(&rw, 40);
        for (size_t i = count; i-- > 0;) {
            if (gone)
                umx_world_remove(world, &tables[t], i);
            else
                rw_lose_any(&rw, records[i], percent);
        }
    }
}

/* ---- the world */

static inline void rw_forest(struct rw *rw, const char *name, Umx__Forest__Side side, size_t number)
{
    static const char *const localized[] = {"Organization Management", "Organisationsverwaltung", "Gestion"};
    const char *sid = rw_say(rw, "S-1-5-21-%zu-0-0", number);

    w_forest(rw->world, name, side, rw_say(rw, "DC=%.*s,DC=test", (int)strcspn(name, "."), name), sid, "NB");
    for (size_t i = 0; i < rw_below(rw, 3); i++) {
        Umx__Domain d = UMX__DOMAIN__INIT;
        d.forest = w_s(name);
        d.domain = i == 0 ? w_s(name) : rw_say(rw, "emea.%s", name);
        d.dn = rw_say(rw, "%sDC=%.*s,DC=test", i == 0 ? "" : "DC=emea,", (int)strcspn(name, "."), name);
        w_add(rw->world, &d.base);
    }
    if (side != UMX__FOREST__SIDE__LYNC && rw_chance(rw, 80))
        w_group(rw->world, name, "organization_management", RW_PICK(rw, localized), rw_say(rw, "%s-1110", sid));
    Umx__World *records = umx_world_edit(rw->world);
    Umx__Forest *forest = records->forest[records->n_forest - 1];
    char *domains[] = {rw_say(rw, "l%zu.test", rw_below(rw, 2)), w_s(name)};
    forest->sip_domain = rw_list(rw, &forest->n_sip_domain, domains, rw_chance(rw, 90) ? 2 : rw_below(rw, 2));
    if (side == UMX__FOREST__SIDE__EXCHANGE || !rw_chance(rw, 92))
        return;
    w_group(rw->world, name, "rtc_server_admins", "RTCUniversalServerAdmins", rw_say(rw, "%s-1105", sid));
    w_group(rw->world, name, "rtc_user_admins", "RTC Benutzer", rw_say(rw, "%s-1107", sid));
    w_group(rw->world, name, "rtc_component_services", "RTCComponentUniversalServices", rw_say(rw, "%s-1106", sid));
}

static inline struct umx_world *random_world(uint64_t seed)
{
    struct rw rw = {.seed = seed, .world = world_empty()};
    size_t exchanges = 1 + rw_below(&rw, 3), lyncs = 1 + rw_below(&rw, 2);
    bool both = rw_chance(&rw, 15);
    char *names[2][3];

    for (size_t i = 0; i < exchanges; i++) {
        names[0][i] = rw_say(&rw, "e%zu.test", i);
        rw_forest(&rw, names[0][i], i == 0 && both ? UMX__FOREST__SIDE__BOTH : UMX__FOREST__SIDE__EXCHANGE, i);
    }
    for (size_t i = 0; i < lyncs; i++) {
        names[1][i] = rw_say(&rw, "l%zu.test", i);
        rw_forest(&rw, names[1][i], UMX__FOREST__SIDE__LYNC, 3 + i);
    }
    for (size_t e = 0; e < exchanges; e++) {
        char *org = rw_say(&rw, "CN=Contoso,CN=Microsoft Exchange,CN=Services,CN=Configuration,DC=e%zu,DC=test", e);
        rw_exchange_objects(&rw, names[0][e], org);
        rw_containers(&rw, names[0][e], org);
        for (size_t l = 0; l < lyncs; l++) {
            if (rw_chance(&rw, 85))
                w_trust(rw.world, names[0][e], names[1][l], rw_say(&rw, "S-1-5-21-%zu-0-0", 3 + l), 3, 8);
            if (rw_chance(&rw, 85))
                w_trust(rw.world, names[1][l], names[0][e], rw_say(&rw, "S-1-5-21-%zu-0-0", e), (int)rw_below(&rw, 4),
                        8);
        }
    }
    for (size_t l = 0; l < lyncs; l++) {
        rw_lync_objects(&rw, names[1][l], l);
        rw_units(&rw, names[1][l], l, rw_say(&rw, "S-1-5-21-%zu-0-0-1107", 3 + l));
        rw_people(&rw, names[0][rw_below(&rw, exchanges)], names[1][l], l);
    }
    if (rw_chance(&rw, 60))
        rw_lose_some(&rw);
    return rw.world;
}

#endif
