/*
 * What random worlds hold beside Exchange's and Lync's own objects: what agents report of their machines, and
 * organizational units with their rights and contacts.
 */
#ifndef UMX_TESTS_RANDOM_OBJECTS_H
#define UMX_TESTS_RANDOM_OBJECTS_H

#include "base/exum.h"
#include "random.h"

/* ---- what agents tell of a machine */

static inline void rw_machine(struct rw *rw, const char *forest, const char *server, Umx__Server__Product product,
                              int major, int minor)
{
    Umx__Server s = UMX__SERVER__INIT;

    s.server = w_s(server);
    s.forest = w_s(forest);
    s.has_product = s.has_version_major = s.has_version_minor = 1;
    s.product = product;
    s.version_major = major;
    s.version_minor = minor;
    w_add(rw->world, &s.base);
}

static inline void rw_certificate(struct rw *rw, const char *server, const char *name, const char *root)
{
    Umx__Certificate c = UMX__CERTIFICATE__INIT;
    char *names[] = {w_s(name), w_s(rw_chance(rw, 10) ? "*.lync.test" : server)};
    char *usages[] = {w_s("1.3.6.1.5.5.7.3.1"), w_s("1.3.6.1.5.5.7.3.2")};

    c.server = w_s(server);
    c.store = w_s("My");
    c.thumbprint = rw_say(rw, "%040llX", (unsigned long long)rw_next(rw));
    c.subject_cn = w_s(rw_chance(rw, 80) ? name : "*.example.test");
    c.issuer = w_s("CN=Contoso CA");
    c.dns_name = names;
    c.n_dns_name = rw_below(rw, 3);
    c.eku = usages;
    c.n_eku = rw_chance(rw, 80) ? 2 : rw_below(rw, 2);
    c.has_self_signed = c.has_private_key = c.has_key_bits = c.has_not_before_at = c.has_not_after_at = 1;
    c.self_signed = rw_chance(rw, 15);
    c.private_key = rw_chance(rw, 90);
    c.key_bits = rw_chance(rw, 85) ? 2048 : 1024;
    c.key_algorithm = w_s("RSA");
    c.signature_algorithm = w_s(rw_chance(rw, 80) ? "sha256WithRSAEncryption" : "sha1WithRSAEncryption");
    c.not_before_at = W_NOW - 30 * UMX_DAY;
    c.not_after_at = W_NOW + ((int64_t)rw_below(rw, 120) - 10) * UMX_DAY;
    c.chain = w_s(rw_chance(rw, 85) ? "ok" : "unable to get local issuer certificate");
    c.root_thumbprint = w_s(root);
    w_add(rw->world, &c.base);
}

/* Roots, certificates, listeners and handshakes of a UM server or a Front End. */
static inline void rw_tls(struct rw *rw, const char *server, const char *name, const char *peer)
{
    static const char *const roots[] = {"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
                                        "BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB"};
    static const int ports[] = {5060, 5061, 5062, 5063};

    for (size_t i = 0; i < 2 && rw_chance(rw, 85); i++) {
        Umx__Certificate c = UMX__CERTIFICATE__INIT;
        c.server = w_s(server);
        c.store = w_s("Root");
        c.thumbprint = w_s(roots[i]);
        c.subject = w_s("CN=Root");
        w_add(rw->world, &c.base);
    }
    if (rw_chance(rw, 60))
        rw_certificate(rw, server, name, RW_PICK(rw, roots));
    for (size_t i = 0; i < 4 && rw_chance(rw, 70); i++) {
        Umx__Listener l = UMX__LISTENER__INIT;
        l.server = w_s(server);
        l.protocol = w_s("tcp");
        l.has_port = 1;
        l.port = ports[i];
        w_add(rw->world, &l.base);
    }
    if (rw_chance(rw, 40)) {
        Umx__Proof p = UMX__PROOF__INIT;
        p.server = w_s(server);
        p.has_kind = p.has_status = 1;
        p.kind = UMX__PROOF__KIND__TLS;
        p.target = w_s(peer);
        p.status = rw_chance(rw, 60) ? UMX__PROOF__STATUS__PASS : UMX__PROOF__STATUS__FAIL;
        p.detail = w_s("unknown ca");
        w_add(rw->world, &p.base);
    }
}

static inline void rw_um_setting(struct rw *rw, const char *server, const char *service)
{
    Umx__UmSetting s = UMX__UM_SETTING__INIT;

    s.server = w_s(server);
    s.service = w_s(service);
    s.has_tls_port = s.has_active_calls = 1;
    s.tls_port = rw_chance(rw, 80) ? 5061 : 5063;
    s.active_calls = (int32_t)rw_below(rw, 3);
    s.sip_access_service = w_s(rw_chance(rw, 40) ? "pool0.l0.test:5061" : NULL);
    w_add(rw->world, &s.base);
}

/* ---- organizational units and what may be made in them */

#define RW_CONTACT_CLASS "5cb41ed0-0e4c-11d0-a286-00aa003049e2"

static inline void rw_unit_rights(struct rw *rw, const char *forest, const char *dn, const char *sid)
{
    static const struct {
        int type, mask;
        const char *object, *below;
    } entries[] = {{5, 0x1, RW_CONTACT_CLASS, ""},
                   {5, 0x20, "", RW_CONTACT_CLASS},
                   {6, 0x1, RW_CONTACT_CLASS, ""},
                   {1, 0x1, "", ""},
                   {0, 0xf01ff, "", ""}};

    for (int i = 0; i < 5; i++) {
        Umx__AccessEntry a = UMX__ACCESS_ENTRY__INIT;
        if (!rw_chance(rw, i < 2 ? 60 : 8))
            continue;
        a.forest = w_s(forest);
        a.target_dn = w_s(dn);
        a.has_position = a.has_type = a.has_mask = a.has_flags = 1;
        a.position = i;
        a.type = entries[i].type;
        a.mask = entries[i].mask;
        a.flags = rw_chance(rw, 10) ? 8 : 0;
        a.trustee_sid = w_s(sid);
        a.object_type = w_s(entries[i].object);
        a.inherited_object_type = w_s(entries[i].below);
        a.sddl = rw_say(rw, "(A;;CC;;;%s)", sid);
        w_add(rw->world, &a.base);
    }
}

static inline char *rw_unit(struct rw *rw, const char *forest, const char *name, const char *parent, const char *sid)
{
    Umx__OrganizationalUnit u = UMX__ORGANIZATIONAL_UNIT__INIT;
    struct umx_text rdn = {0};

    umx_text_add_rdn(&rdn, name);
    u.forest = w_s(forest);
    u.name = w_s(name);
    u.dn = rw_say(rw, "OU=%s,%s", umx_text_string(&rdn), parent);
    umx_text_free(&rdn);
    u.has_dacl_protected = 1;
    u.dacl_protected = rw_chance(rw, 30);
    u.dacl_error = w_s(rw_chance(rw, 5) ? "no right to read it" : NULL);
    w_add(rw->world, &u.base);
    rw_unit_rights(rw, forest, u.dn, sid);
    return u.dn;
}

/* ---- contacts: of plans that are there, of attendants, and of nobody */

static inline void rw_contact(struct rw *rw, const char *forest, size_t number, const char *ou, const char *context,
                              const char *attendant, const char *line)
{
    Umx__Contact c = UMX__CONTACT__INIT;
    struct umx_exum exum;
    char *proxies[1];

    c.forest = w_s(forest);
    c.display_name = rw_say(rw, "contact %zu", rw->serial);
    c.dn = rw_dn(rw, rw_say(rw, "{%s-%zu}", RW_PICK(rw, rw_odd_names), rw->serial++), ou);
    c.sip_address = rw_say(rw, "sip:contact%llx@l%zu.test", (unsigned long long)rw_next(rw) & 0xffffff, number);
    c.line = line != NULL && rw_chance(rw, 90) ? rw_say(rw, "tel:%s", line) : NULL;
    c.telephone_number = w_s(line);
    c.other_ip_phone = rw_say(rw, "%s;opaque=app:exum:%s%s%s", c.sip_address, context,
                              attendant != NULL ? ":autoattendant:" : "", attendant != NULL ? attendant : "");
    c.home_server_dn = rw_say(rw,
                              "CN=Lc Services,CN=Microsoft,CN=1:%zu,CN=Pools,CN=RTC Service,CN=Services,"
                              "CN=Configuration,DC=l%zu,DC=test",
                              1 + rw_below(rw, 3), number);
    c.has_enabled = c.has_option_flags = 1;
    c.enabled = rw_chance(rw, 90);
    c.option_flags = 128;
    c.has_type = umx_exum_parse(c.other_ip_phone, &exum);
    c.type = exum.more ? UMX__CONTACT__TYPE__AUTO_ATTENDANT : UMX__CONTACT__TYPE__SUBSCRIBER_ACCESS;
    c.phone_context = rw_say(rw, "%.*s", (int)exum.length, exum.length > 0 ? exum.context : "");
    proxies[0] = c.sip_address;
    c.proxy_address = proxies;
    c.n_proxy_address = rw_chance(rw, 85);
    w_add(rw->world, &c.base);
}

static inline void rw_contacts(struct rw *rw, const char *forest, size_t number, const char *ou)
{
    const Umx__World *records = umx_world_records(rw->world);

    for (size_t i = 0; i < records->n_dial_plan; i++) {
        const Umx__DialPlan *plan = records->dial_plan[i];
        for (size_t k = 0; k < plan->n_access_number; k++)
            if (rw_chance(rw, 35))
                rw_contact(rw, forest, number, ou, plan->phone_context, NULL, plan->access_number[k]);
    }
    for (size_t i = 0; i < records->n_auto_attendant; i++) {
        const Umx__AutoAttendant *attendant = records->auto_attendant[i];
        for (size_t k = 0; k < attendant->n_number; k++)
            if (rw_chance(rw, 25))
                rw_contact(rw, forest, number, ou, "Berlin.e0.test", attendant->name, attendant->number[k]);
    }
    for (size_t i = 0; i < 2; i++)
        if (rw_chance(rw, 30))
            rw_contact(rw, forest, number, ou, rw_chance(rw, 50) ? "Nobody.e0.test" : "", NULL,
                       rw_chance(rw, 70) ? "+499999" : NULL);
}

static inline void rw_units(struct rw *rw, const char *forest, size_t number, const char *sid)
{
    char *root = rw_say(rw, "DC=l%zu,DC=test", number);
    char *child = rw_say(rw, "DC=emea,%s", root);
    char *ou = NULL;

    if (rw_chance(rw, 85))
        ou = rw_unit(rw, forest, "RTC Special Accounts", rw_chance(rw, 20) ? child : root, sid);
    for (size_t i = 0; i < rw_below(rw, 3); i++) {
        char *other = rw_unit(rw, forest, RW_PICK(rw, rw_odd_names), rw_chance(rw, 30) ? child : root, sid);
        if (ou == NULL || rw_chance(rw, 20))
            ou = other;
    }
    if (ou != NULL)
        rw_contacts(rw, forest, number, ou);
}

#endif
