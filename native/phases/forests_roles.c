/* Phase 1, first part: what each forest must hold by itself (P1A, GL1, GL3, 5.1). */
#include "phases/forests.h"

#include <string.h>

#include "base/text.h"

enum {
    ROLE_CAFE = 1,
    ROLE_MAILBOX = 2,
    ROLE_CLIENT_ACCESS = 4,
    ROLE_UM = 16,
    ROLE_TRANSPORT = 32,
    ROLE_FRONTEND_TRANSPORT = 16384,
    LYNC_VERSION_FLOOR = 0x30000,
};

/* Bits of msExchCurrentServerRoles (4.6), their word, and their key in the setup registry (6.6). */
static const struct {
    int bit;
    const char *word;
    const char *key;
} roles[] = {
    {ROLE_CAFE, "Client Access (2013)", "CafeRole"},
    {ROLE_MAILBOX, "Mailbox", "MailboxRole"},
    {ROLE_CLIENT_ACCESS, "Client Access", "ClientAccessRole"},
    {ROLE_UM, "Unified Messaging", "UnifiedMessagingRole"},
    {ROLE_TRANSPORT, "Hub Transport", "HubTransportRole"},
    {ROLE_FRONTEND_TRANSPORT, "Frontend Transport", "FrontendTransportRole"},
};

enum { ROLE_COUNT = sizeof roles / sizeof roles[0] };

static const char *role_words(struct umx_findings *out, int bits)
{
    const char *text = "";

    for (size_t i = 0; i < ROLE_COUNT; i++)
        if ((bits & roles[i].bit) != 0)
            text = umx_say(out, "%s%s%s", text, *text != '\0' ? ", " : "", roles[i].word);
    return *text != '\0' ? text : "none";
}

static const char *server_name(const Umx__ExchangeServer *server)
{
    return server->server != NULL ? server->server : umx_or_empty(server->name);
}

/* Servers of the Exchange forest, one after another. */
static const Umx__ExchangeServer *next_server(const struct umx_view *view, size_t *i)
{
    while (*i < view->world->n_exchange_server) {
        const Umx__ExchangeServer *server = view->world->exchange_server[(*i)++];
        if (umx_text_equal(server->forest, view->pair->exchange))
            return server;
    }
    return NULL;
}

static bool legacy(const Umx__ExchangeServer *server)
{
    return server->version_major == 8 || server->version_major == 14;
}

void umx_forests_organization(const struct umx_view *view, const struct umx_phase_check *check,
                              struct umx_findings *out)
{
    const Umx__Forest *forest = view->exchange;
    int count = forest->has_organization_count                  ? forest->organization_count
                : umx_or_empty(forest->organization)[0] != '\0' ? 1
                                                                : 0;
    struct umx_answer answer = {
        .status = umx_verdict(count == 1),
        .forest = forest->forest,
        .target = forest->organization_dn != NULL ? forest->organization_dn : forest->forest,
        .expected = "exactly one Exchange organisation",
        .actual = count == 1 ? umx_say(out, "organisation %s", umx_or_empty(forest->organization))
                             : umx_say(out, "%d organisations", count),
    };
    umx_findings_add(out, view, check, &answer);
}

void umx_forests_servers(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count = 0;

    for (size_t i = 0; next_server(view, &i) != NULL;)
        count++;
    struct umx_answer answer = {
        .status = umx_verdict(count > 0),
        .forest = view->pair->exchange,
        .target = umx_say(out, "CN=Administrative Groups,%s", umx_or_empty(view->exchange->organization_dn)),
        .expected = "at least one Exchange server",
        .actual = umx_say(out, "%zu Exchange servers", count),
    };
    umx_findings_add(out, view, check, &answer);
}

/* The first row whose version matches decides; build is not looked at. */
static const struct {
    int major;
    int minor; /* -1: any */
    Umx__Finding__Status status;
    const char *product;
} versions[] = {
    {8, 0, UMX__FINDING__STATUS__FAIL, "Exchange 2007 without Service Pack 1: install Service Pack 3"},
    {8, 1, UMX__FINDING__STATUS__WARN, "Exchange 2007 Service Pack 1: the table asks for Service Pack 2 in one place"},
    {8, -1, UMX__FINDING__STATUS__PASS, "Exchange 2007"},
    {14, -1, UMX__FINDING__STATUS__PASS, "Exchange 2010"},
    {15, 0, UMX__FINDING__STATUS__PASS, "Exchange 2013"},
    {15, 1, UMX__FINDING__STATUS__PASS, "Exchange 2016"},
    {15, -1, UMX__FINDING__STATUS__FAIL, "Exchange 2019 or later: it has no Unified Messaging"},
};

void umx_forests_version(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__ExchangeServer *server;

    for (size_t i = 0; (server = next_server(view, &i)) != NULL;) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = server_name(server),
            .expected = "Exchange 2007 SP1 or later, 2010, 2013 or 2016",
        };
        const char *product = "not a version with Unified Messaging";
        for (size_t k = 0; k < sizeof versions / sizeof versions[0]; k++) {
            if (versions[k].major != server->version_major ||
                (versions[k].minor >= 0 && versions[k].minor != server->version_minor))
                continue;
            answer.status = versions[k].status;
            product = versions[k].product;
            break;
        }
        if (!server->has_version_major) {
            answer.status = UMX__FINDING__STATUS__UNKNOWN;
            product = "versionNumber could not be read";
        }
        answer.actual =
            umx_say(out, "%d.%d.%d: %s", server->version_major, server->version_minor, server->version_build, product);
        umx_findings_add(out, view, check, &answer);
    }
}

/* A generation of Exchange and the roles that it needs for Unified Messaging (V1A.4). */
static const struct {
    const char *name;
    int first_major, last_major, minor; /* minor -1: any */
    int needed;
    const char *install; /* setup's words */
} generations[] = {
    {"2007/2010", 8, 14, -1, ROLE_MAILBOX | ROLE_CLIENT_ACCESS | ROLE_UM | ROLE_TRANSPORT,
     "setup.com /mode:Install /roles:Mailbox,ClientAccess,HubTransport,UnifiedMessaging"},
    {"2013", 15, 15, 0, ROLE_MAILBOX | ROLE_CAFE,
     "Setup.exe /mode:Install /roles:Mailbox,ClientAccess /IAcceptExchangeServerLicenseTerms"},
    {"2016", 15, 15, 1, ROLE_MAILBOX, "Setup.exe /mode:Install /roles:Mailbox /IAcceptExchangeServerLicenseTerms"},
};

enum { GENERATION_COUNT = sizeof generations / sizeof generations[0] };

void umx_forests_roles(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    int bits[GENERATION_COUNT] = {0};
    size_t count[GENERATION_COUNT] = {0};
    bool complete = false;
    const Umx__ExchangeServer *server;

    for (size_t i = 0; (server = next_server(view, &i)) != NULL;)
        for (size_t g = 0; g < GENERATION_COUNT; g++)
            if (server->version_major >= generations[g].first_major &&
                server->version_major <= generations[g].last_major &&
                (generations[g].minor < 0 || generations[g].minor == server->version_minor)) {
                bits[g] |= server->roles;
                count[g]++;
            }
    for (size_t g = 0; g < GENERATION_COUNT; g++)
        complete = complete || (count[g] > 0 && (bits[g] & generations[g].needed) == generations[g].needed);
    for (size_t g = 0; g < GENERATION_COUNT; g++) {
        int missing = generations[g].needed & ~bits[g];
        if (count[g] == 0)
            continue;
        struct umx_answer answer = {
            .status = missing == 0 ? UMX__FINDING__STATUS__PASS
                      : complete   ? UMX__FINDING__STATUS__WARN
                                   : UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = umx_say(out, "Exchange %s servers", generations[g].name),
            .expected = umx_say(out, "roles %s across the servers", role_words(out, generations[g].needed)),
            .actual = missing == 0 ? "all there" : umx_say(out, "missing: %s", role_words(out, missing)),
            .remedy = missing == 0 ? NULL : umx_say(out, "install the missing roles: `%s`", generations[g].install),
        };
        umx_findings_add(out, view, check, &answer);
    }
    if (count[0] + count[1] + count[2] == 0) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__FAIL,
            .forest = view->pair->exchange,
            .target = view->pair->exchange,
            .expected = "servers of a version with Unified Messaging",
            .actual = "none",
            .remedy = umx_say(out, "install Exchange: `%s`", generations[1].install),
        };
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_forests_mailbox_role(const struct umx_view *view, const struct umx_phase_check *check,
                              struct umx_findings *out)
{
    const Umx__ExchangeServer *server;
    const Umx__ExchangeServer *found = NULL;

    for (size_t i = 0; found == NULL && (server = next_server(view, &i)) != NULL;)
        if ((server->roles & ROLE_MAILBOX) != 0)
            found = server;
    struct umx_answer answer = {
        .status = umx_verdict(found != NULL),
        .forest = view->pair->exchange,
        .target = view->pair->exchange,
        .expected = "the Mailbox role in each forest with UM users",
        .actual = found != NULL ? umx_say(out, "on %s", server_name(found)) : "no server holds it",
    };
    umx_findings_add(out, view, check, &answer);
}

void umx_forests_transport_site(const struct umx_view *view, const struct umx_phase_check *check,
                                struct umx_findings *out)
{
    const Umx__ExchangeServer *um;
    size_t seen = 0;

    for (size_t i = 0; (um = next_server(view, &i)) != NULL;) {
        if (!legacy(um) || (um->roles & ROLE_UM) == 0)
            continue;
        const Umx__ExchangeServer *transport = NULL;
        const Umx__ExchangeServer *other;
        for (size_t k = 0; transport == NULL && (other = next_server(view, &k)) != NULL;)
            if (legacy(other) && (other->roles & ROLE_TRANSPORT) != 0 && um->site_dn != NULL &&
                umx_text_dn_equal(other->site_dn, um->site_dn))
                transport = other;
        seen++;
        struct umx_answer answer = {
            .status = um->site_dn == NULL ? UMX__FINDING__STATUS__UNKNOWN : umx_verdict(transport != NULL),
            .forest = view->pair->exchange,
            .target = server_name(um),
            .expected = "a Hub Transport server in the same Active Directory site",
            .actual = um->site_dn == NULL ? "its site could not be read"
                      : transport != NULL ? umx_say(out, "%s", server_name(transport))
                                          : umx_say(out, "none in %s (event 1082: messages pile up)", um->site_dn),
        };
        umx_findings_add(out, view, check, &answer);
    }
    if (seen == 0) {
        struct umx_answer answer = {
            .status = UMX__FINDING__STATUS__NOT_APPLICABLE,
            .forest = view->pair->exchange,
            .target = view->pair->exchange,
            .actual = "no Exchange 2007 or 2010 Unified Messaging server",
        };
        umx_findings_add(out, view, check, &answer);
    }
}

/* ---- what only an agent on the server can see */

/* True when no agent's report stands behind the server; the unknown finding is then made. */
static bool no_agent(const struct umx_view *view, const struct umx_phase_check *check, const char *server,
                     bool reported, bool stale, struct umx_findings *out)
{
    const Umx__Agent *agent = umx_find_agent(view->world, server);

    if (reported && !stale)
        return false;
    struct umx_answer answer = {
        .status = UMX__FINDING__STATUS__UNKNOWN,
        .forest = view->pair->exchange,
        .target = server,
        .expected = check->question,
        .actual = stale ? umx_say(out, "the report of %s is older than %d hours", server, UMX_FACT_AGE_MAX_HOURS)
                  : agent == NULL
                      ? umx_say(out, "no agent on %s", server)
                      : umx_say(out, "the agent on %s has not reported this (%s)", server, umx_or_empty(agent->state)),
        .remedy = umx_say_agent(out, view->pair->exchange, server),
    };
    umx_findings_add(out, view, check, &answer);
    return true;
}

static const Umx__Role *find_role(const Umx__World *world, const char *server, const char *key)
{
    for (size_t i = 0; i < world->n_role; i++)
        if (umx_text_equal(world->role[i]->server, server) &&
            (key == NULL || umx_text_equal(world->role[i]->role, key)))
            return world->role[i];
    return NULL;
}

void umx_forests_setup(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__ExchangeServer *server;

    for (size_t i = 0; (server = next_server(view, &i)) != NULL;) {
        const char *name = server_name(server);
        const Umx__Role *any = find_role(view->world, name, NULL);
        bool stale = any != NULL && umx_stale(view->world, any->has_collected_at, any->collected_at);
        if (no_agent(view, check, name, any != NULL, stale, out))
            continue;
        const char *bad = "";
        for (size_t r = 0; r < ROLE_COUNT; r++) {
            if ((server->roles & roles[r].bit) == 0)
                continue;
            const Umx__Role *role = find_role(view->world, name, roles[r].key);
            const char *why = role == NULL                                  ? "not in the setup registry"
                              : role->state == UMX__ROLE__STATE__UNFINISHED ? "not completely installed"
                                                                            : NULL;
            if (why != NULL)
                bad = umx_say(out, "%s%s%s: %s", bad, *bad != '\0' ? "; " : "", roles[r].key, why);
        }
        struct umx_answer answer = {
            .status = umx_verdict(*bad == '\0'),
            .forest = view->pair->exchange,
            .target = name,
            .expected = umx_say(out, "%s installed completely", role_words(out, server->roles)),
            .actual = *bad == '\0' ? "ConfiguredVersion equals UnpackedVersion" : bad,
        };
        umx_findings_add(out, view, check, &answer);
    }
}

void umx_forests_setup_pending(const struct umx_view *view, const struct umx_phase_check *check,
                               struct umx_findings *out)
{
    const Umx__ExchangeServer *server;

    for (size_t i = 0; (server = next_server(view, &i)) != NULL;) {
        const char *name = server_name(server);
        const char *pending = "";
        const Umx__Role *any = find_role(view->world, name, NULL);
        bool stale = any != NULL && umx_stale(view->world, any->has_collected_at, any->collected_at);
        if (no_agent(view, check, name, any != NULL, stale, out))
            continue;
        for (size_t r = 0; r < view->world->n_role; r++) {
            const Umx__Role *role = view->world->role[r];
            const char *action = umx_or_empty(role->action);
            const char *watermark = umx_or_empty(role->watermark);
            if (umx_text_equal(role->server, name) && (*action != '\0' || *watermark != '\0'))
                pending = umx_say(out, "%s%s%s: Action %s, Watermark %s", pending, *pending != '\0' ? "; " : "",
                                  umx_or_empty(role->role), *action != '\0' ? action : "-",
                                  *watermark != '\0' ? watermark : "-");
        }
        struct umx_answer answer = {
            .status = umx_verdict(*pending == '\0'),
            .forest = view->pair->exchange,
            .target = name,
            .expected = "no Action or Watermark below a role key",
            .actual = *pending == '\0' ? "none" : pending,
        };
        umx_findings_add(out, view, check, &answer);
    }
}

/* Services that a server must have (6.5): roles, any of which asks for it, and the versions. */
static const struct {
    const char *name;
    int roles; /* any of them; 0: every server */
    int first_major, last_major;
    int minor; /* -1: any */
} services[] = {
    {"MSExchangeADTopology", 0, 8, 15, -1},   {"MSExchangeTransport", ROLE_TRANSPORT, 8, 15, -1},
    {"MSExchangeUM", ROLE_UM, 8, 14, -1},     {"MSExchangeUM", ROLE_MAILBOX, 15, 15, -1},
    {"MSExchangeUMCR", ROLE_CAFE, 15, 15, 0}, {"MSExchangeUMCR", ROLE_MAILBOX, 15, 15, 1},
};

void umx_forests_services(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__ExchangeServer *server;

    for (size_t i = 0; (server = next_server(view, &i)) != NULL;) {
        const char *name = server_name(server);
        const Umx__Service *any = NULL;
        for (size_t k = 0; any == NULL && k < view->world->n_service; k++)
            if (umx_text_equal(view->world->service[k]->server, name))
                any = view->world->service[k];
        bool stale = any != NULL && umx_stale(view->world, any->has_collected_at, any->collected_at);
        if (no_agent(view, check, name, any != NULL, stale, out))
            continue;
        const char *needed = "";
        const char *bad = "";
        for (size_t s = 0; s < sizeof services / sizeof services[0]; s++) {
            if (server->version_major < services[s].first_major || server->version_major > services[s].last_major ||
                (services[s].minor >= 0 && services[s].minor != server->version_minor) ||
                (services[s].roles != 0 && (services[s].roles & server->roles) == 0))
                continue;
            const Umx__Service *service = umx_find_service(view->world, name, services[s].name);
            const char *why = service == NULL ? "not installed"
                              : service->has_start_type && service->start_type == UMX__SERVICE__START__DISABLED
                                  ? "disabled"
                                  : NULL;
            needed = umx_say(out, "%s%s%s", needed, *needed != '\0' ? ", " : "", services[s].name);
            if (why != NULL)
                bad = umx_say(out, "%s%s%s: %s", bad, *bad != '\0' ? "; " : "", services[s].name, why);
        }
        struct umx_answer answer = {
            .status = umx_verdict(*bad == '\0'),
            .forest = view->pair->exchange,
            .target = name,
            .expected = umx_say(out, "services %s", needed),
            .actual = *bad == '\0' ? "all installed" : bad,
        };
        umx_findings_add(out, view, check, &answer);
    }
}

/* ---- the Lync forest */

void umx_forests_lync_users(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__Forest *forest = view->lync;
    struct umx_answer answer = {
        .status = !forest->has_lync_users  ? UMX__FINDING__STATUS__UNKNOWN
                  : forest->lync_users > 0 ? UMX__FINDING__STATUS__PASS
                                           : UMX__FINDING__STATUS__FAIL,
        .forest = forest->forest,
        .target = forest->forest,
        .expected = "at least one user enabled for Lync",
        .actual = forest->has_lync_users ? umx_say(out, "%d users", forest->lync_users) : "the users were not counted",
    };
    umx_findings_add(out, view, check, &answer);
}

void umx_forests_pools(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count = 0;

    for (size_t i = 0; i < view->world->n_lync_pool; i++) {
        const Umx__LyncPool *pool = view->world->lync_pool[i];
        if (umx_text_equal(pool->forest, view->pair->lync) && umx_or_empty(pool->pool)[0] != '\0' &&
            pool->version >= LYNC_VERSION_FLOOR)
            count++;
    }
    struct umx_answer answer = {
        .status = umx_verdict(count > 0),
        .forest = view->pair->lync,
        .target = view->pair->lync,
        .expected = "a Front End pool or Standard Edition server",
        .actual = umx_say(out, "%zu pools", count),
    };
    umx_findings_add(out, view, check, &answer);
}

void umx_forests_mediation(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__Service *found = NULL;
    size_t lync_servers = 0;

    for (size_t i = 0; i < view->world->n_server; i++) {
        const Umx__Server *server = view->world->server[i];
        if (!umx_text_equal(server->forest, view->pair->lync) || !server->has_product ||
            server->product != UMX__SERVER__PRODUCT__LYNC)
            continue;
        const Umx__Service *service = umx_find_service(view->world, server->server, "RTCMEDSRV");
        lync_servers++;
        if (service != NULL && (found == NULL || service->state == UMX__SERVICE__STATE__RUNNING))
            found = service;
    }
    bool running = found != NULL && found->state == UMX__SERVICE__STATE__RUNNING;
    struct umx_answer answer = {
        .status = lync_servers == 0 ? UMX__FINDING__STATUS__UNKNOWN
                  : running         ? UMX__FINDING__STATUS__PASS
                                    : UMX__FINDING__STATUS__FAIL,
        .forest = view->pair->lync,
        .target = found != NULL ? found->server : view->pair->lync,
        .expected = "the Mediation service RTCMEDSRV runs on a Front End or a server of its own",
        .actual = lync_servers == 0 ? umx_say(out, "no agent on a Lync server of %s", view->pair->lync)
                  : running         ? umx_say(out, "runs on %s", found->server)
                  : found != NULL   ? umx_say(out, "does not run on %s", found->server)
                                    : umx_say(out, "on none of the %zu Lync servers with an agent", lync_servers),
    };
    umx_findings_add(out, view, check, &answer);
}

/* ---- either forest */

static void single_label(const struct umx_view *view, const struct umx_phase_check *check, const char *forest,
                         struct umx_findings *out)
{
    const char *bad = "";

    if (strchr(forest, '.') == NULL)
        bad = forest;
    for (size_t i = 0; i < view->world->n_domain; i++) {
        const Umx__Domain *domain = view->world->domain[i];
        if (umx_text_equal(domain->forest, forest) && domain->domain != NULL && strchr(domain->domain, '.') == NULL &&
            !umx_text_equal(domain->domain, bad))
            bad = umx_say(out, "%s%s%s", bad, *bad != '\0' ? ", " : "", domain->domain);
    }
    struct umx_answer answer = {
        .status = umx_verdict(*bad == '\0'),
        .forest = forest,
        .target = forest,
        .expected = "no single-label domain: Lync does not support them",
        .actual = *bad == '\0' ? "none" : umx_say(out, "single-label: %s", bad),
    };
    umx_findings_add(out, view, check, &answer);
}

void umx_forests_exchange_names(const struct umx_view *view, const struct umx_phase_check *check,
                                struct umx_findings *out)
{
    single_label(view, check, view->pair->exchange, out);
}

void umx_forests_lync_names(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    single_label(view, check, view->pair->lync, out);
}
