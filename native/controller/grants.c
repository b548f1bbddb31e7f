#include "controller/grants.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

enum { GRANTS_MAX = 512, COMMAND_MAX = 2048 };

/* Where a row's rights are given: once for each object of its kind. */
enum place {
    AT_ORGANIZATION,  /* below the Exchange organisation */
    AT_CONFIGURATION, /* below the configuration naming context */
    AT_DOMAINS,       /* each domain of the forest */
    AT_CONTACTS,      /* each organizational unit that holds contacts of phase 9 */
};

enum { EXCHANGE = 1, LYNC = 2, BOTH = EXCHANGE | LYNC }; /* bits of Forest.Side */

/* dsacls letters: GR read all, RC read the descriptor, WD write the DACL, CC and DC create and delete children, RP and
 * WP read and write properties, SD delete, DT delete with children, CA an extended right; /I:T for the object and
 * everything below, /I:S for what is below. Behind the letters: ;attribute or class;class of what is below. */
static const struct {
    int side;
    bool writer;
    enum place place;
    const char *prefix;
    const char *inherit; /* dsacls option, or NULL */
    const char *rights;  /* several are separated by blanks */
    const char *reason;
} rows[] = {
    {EXCHANGE, false, AT_ORGANIZATION, "", "/I:T", "GR", "reads dial plans, gateways, servers and access entries"},
    {LYNC, false, AT_CONFIGURATION, "CN=RTC Service,CN=Services,", "/I:T", "GR", "reads pools and trusted servers"},
    {BOTH, false, AT_DOMAINS, "", NULL, "CA;Replicating_Directory_Changes",
     "reads what changed among the users since the last time (DirSync), not all of them; without it they are read "
     "whole"},
    {EXCHANGE, true, AT_ORGANIZATION, "", NULL, "RCWD", "phase exchucutil adds and removes access entries (V7.1)"},
    {EXCHANGE, true, AT_ORGANIZATION, "CN=UM DialPlan Container,", "/I:T", "GR", "reads back what it wrote"},
    {EXCHANGE, true, AT_ORGANIZATION, "CN=UM DialPlan Container,", NULL, "RCWD",
     "phase exchucutil adds and removes access entries (V7.1)"},
    {EXCHANGE, true, AT_ORGANIZATION, "CN=UM DialPlan Container,", "/I:S",
     "RPWP;msExchUMDialPlanVoipSecurity;msExchUMDialPlan", "phase dial-plan-security sets the VoIP security (X4)"},
    {EXCHANGE, true, AT_ORGANIZATION, "CN=UM AutoAttendant Container,", NULL, "RCWD",
     "phase exchucutil adds and removes access entries (V7.1)"},
    {EXCHANGE, true, AT_ORGANIZATION, "CN=Administrative Groups,", NULL, "RCWD",
     "phase exchucutil adds and removes access entries (V7.1)"},
    {EXCHANGE, true, AT_ORGANIZATION, "CN=Administrative Groups,", "/I:S",
     "RPWP;msExchUMServerDialPlanLink;msExchExchangeServer RPWP;msExchUMStartupMode;msExchExchangeServer "
     "RPWP;msExchUMServerDialPlanLink;msExchProtocolCfgSIPFEServer "
     "RPWP;msExchUMStartupMode;msExchProtocolCfgSIPFEServer",
     "phases certificates and um-servers link servers and call routers to dial plans and set their startup mode (X5)"},
    {EXCHANGE, true, AT_ORGANIZATION, "CN=UM IPGateway Container,", "/I:T", "GRCCDCWPSDDT",
     "phase exchucutil creates, changes and deletes gateways and hunt groups (V7.2 to V7.5)"},
    {BOTH, true, AT_DOMAINS, "", "/I:S", "RPWP;proxyAddresses;user",
     "phases sip-addresses and um-mailboxes write sip: and eum: values (X6); accounts under AdminSDHolder do not "
     "inherit "
     "it"},
    {LYNC, true, AT_CONTACTS, "", NULL, "CCDC;contact", "phase ocsumutil creates and removes contacts (X9)"},
    {LYNC, true, AT_CONTACTS, "", "/I:S",
     "RP;;contact WP;displayName;contact WP;description;contact WP;telephoneNumber;contact WP;otherIpPhone;contact "
     "WP;proxyAddresses;contact WP;msRTCSIP-PrimaryUserAddress;contact WP;msRTCSIP-PrimaryHomeServer;contact "
     "WP;msRTCSIP-Line;contact WP;msRTCSIP-UserEnabled;contact WP;msRTCSIP-OptionFlags;contact "
     "WP;msRTCSIP-DeploymentLocator;contact",
     "phase ocsumutil edits contacts (X9); Grant-CsOUPermission gives the same to RTCUniversalUserAdmins"},
};

/* What the cmdlets of the agents' `shell` account need: membership, since Exchange and Lync decide by groups. */
static const struct {
    int side;
    bool exchange_2007; /* for organisations that have servers of 2007; else for those of later versions */
    const char *meaning;
    const char *group; /* when the forest was not read, or does not have it */
    const char *command;
    const char *reason;
} memberships[] = {
    {EXCHANGE, false, "um_management", "UM Management", "Add-RoleGroupMember \"%s\" -Member \"%s\"",
     "phases dial-plans, um-servers and um-mailboxes: dial plans, policies, auto attendants, UM mailboxes"},
    {EXCHANGE, false, "recipient_management", "Recipient Management", "Add-RoleGroupMember \"%s\" -Member \"%s\"",
     "phases sip-addresses and um-mailboxes: EUM addresses of mailboxes"},
    {EXCHANGE, false, "server_management", "Server Management", "Add-RoleGroupMember \"%s\" -Member \"%s\"",
     "phase certificates: requests, imports and bindings of certificates, startup mode"},
    {EXCHANGE, true, "organization_administrators", "Exchange Organization Administrators",
     "Add-ADGroupMember -Identity \"%s\" -Members \"%s\"",
     "Exchange 2007, phases certificates, dial-plans and um-servers"},
    {EXCHANGE, true, "recipient_administrators", "Exchange Recipient Administrators",
     "Add-ADGroupMember -Identity \"%s\" -Members \"%s\"", "Exchange 2007, phases sip-addresses and um-mailboxes"},
    {EXCHANGE, false, NULL, "Administrators", "net localgroup %s \"%s\" /add",
     "phase certificates: private keys in the machine's store; run it on each server with an agent"},
    {LYNC, false, "rtc_server_admins", "RTCUniversalServerAdmins", "Add-ADGroupMember -Identity \"%s\" -Members \"%s\"",
     "phases lync-dial-plans and enterprise-voice, drained restarts of Front Ends"},
    {LYNC, false, "rtc_user_admins", "RTCUniversalUserAdmins", "Add-ADGroupMember -Identity \"%s\" -Members \"%s\"",
     "phases enterprise-voice and ocsumutil: users, their dial plans and policies"},
};

struct granting {
    const struct umx_forest_config *forest;
    const Umx__World *records;
    struct umx_arena *arena;
    const Umx__Forest *known; /* NULL: not read yet */
    const char *netbios;
    Umx__Grant **grants;
    size_t count;
    bool failed;
};

static void add(struct granting *g, const char *account, const char *reason, const char *command)
{
    Umx__Grant *grant = umx_reflect_new(&umx__grant__descriptor, g->arena);

    if (grant == NULL || command == NULL || account == NULL || g->count == GRANTS_MAX) {
        g->failed = true;
        return;
    }
    grant->forest = umx_arena_string(g->arena, g->forest->name);
    grant->account = umx_arena_string(g->arena, account);
    grant->reason = umx_arena_string(g->arena, reason);
    grant->command = umx_arena_string(g->arena, command);
    g->failed = g->failed || grant->command == NULL;
    g->grants[g->count++] = grant;
}

/* DOMAIN\name of an account given as principal name. */
static char *account_name(struct umx_arena *arena, const char *principal, const char *netbios)
{
    const char *at = strchr(principal, '@');
    int length = at != NULL ? (int)(at - principal) : (int)strlen(principal);

    return umx_arena_format(arena, "%s\\%.*s", netbios, length, principal);
}

/* A name of the directory within double quotes of a command. Whoever may name an organizational unit must not have
 * words run by the administrator who copies the command: such a name is to be filled in by hand. */
static const char *quotable(const char *name, const char *placeholder)
{
    return umx_text_quotable(name) ? name : placeholder;
}

/* One command for one object: all rights of the row behind one /G. */
static void add_rights(struct granting *g, size_t row, const char *account, const char *dn)
{
    struct umx_text command = {0};

    umx_text_addf(&command, "dsacls \"%s%s\"%s%s /G", rows[row].prefix, quotable(dn, "<DN>"),
                  rows[row].inherit != NULL ? " " : "", rows[row].inherit != NULL ? rows[row].inherit : "");
    for (const char *at = rows[row].rights; *at != '\0';) {
        size_t length = strcspn(at, " ");
        umx_text_addf(&command, " \"%s:", account);
        for (size_t i = 0; i < length; i++) /* names of extended rights have blanks */
            umx_text_add(&command, at[i] == '_' ? " " : at + i, 1);
        umx_text_adds(&command, "\"");
        at += length + strspn(at + length, " ");
    }
    g->failed = g->failed || command.failed;
    add(g, account, rows[row].reason, umx_text_string(&command));
    umx_text_free(&command);
}

static void add_at_domains(struct granting *g, size_t row, const char *account)
{
    bool any = false;

    for (size_t i = 0; i < g->records->n_domain; i++) {
        const Umx__Domain *domain = g->records->domain[i];
        if (!umx_text_equal(domain->forest, g->forest->name) || domain->dn == NULL)
            continue;
        add_rights(g, row, account, domain->dn);
        any = true;
    }
    if (!any)
        add_rights(g, row, account, g->known != NULL && g->known->root_dn != NULL ? g->known->root_dn : "<DOMAIN DN>");
}

/* Where contacts are now; an administrator who puts them elsewhere fills it in. */
static void add_at_contacts(struct granting *g, size_t row, const char *account)
{
    bool any = false;

    for (size_t i = 0; i < g->records->n_organizational_unit; i++) {
        const Umx__OrganizationalUnit *unit = g->records->organizational_unit[i];
        if (!umx_text_equal(unit->forest, g->forest->name) || unit->dn == NULL || unit->contacts <= 0)
            continue;
        add_rights(g, row, account, unit->dn);
        any = true;
    }
    if (!any)
        add_rights(g, row, account, "<OU OF THE CONTACTS>");
}

static void add_row(struct granting *g, size_t row)
{
    const char *principal = rows[row].writer ? g->forest->writer : g->forest->reader;
    const char *organization =
        g->known != NULL && g->known->organization_dn != NULL ? g->known->organization_dn : "<ORG>";
    const char *configuration = g->known != NULL && g->known->config_dn != NULL ? g->known->config_dn : "<CFG>";

    if (((int)g->forest->side & rows[row].side) == 0 || principal == NULL)
        return;
    const char *account = account_name(g->arena, principal, g->netbios);
    if (account == NULL)
        g->failed = true;
    else if (rows[row].place == AT_DOMAINS)
        add_at_domains(g, row, account);
    else if (rows[row].place == AT_CONTACTS)
        add_at_contacts(g, row, account);
    else
        add_rights(g, row, account, rows[row].place == AT_ORGANIZATION ? organization : configuration);
}

static const char *group_name(const struct granting *g, size_t row)
{
    for (size_t i = 0; memberships[row].meaning != NULL && i < g->records->n_admin_group; i++) {
        const Umx__AdminGroup *group = g->records->admin_group[i];
        if (umx_text_equal(group->forest, g->forest->name) &&
            umx_text_equal(group->meaning, memberships[row].meaning) && group->name != NULL)
            return group->name;
    }
    return memberships[row].group;
}

/* Which generations of Exchange the forest has; later ones are meant when that is not known. */
static void versions_of(const struct granting *g, bool *has_2007, bool *has_later)
{
    *has_2007 = *has_later = false;
    for (size_t i = 0; i < g->records->n_exchange_server; i++) {
        const Umx__ExchangeServer *server = g->records->exchange_server[i];
        if (!umx_text_equal(server->forest, g->forest->name) || !server->has_version_major)
            continue;
        *has_2007 = *has_2007 || server->version_major == 8;
        *has_later = *has_later || server->version_major > 8;
    }
    *has_later = *has_later || !*has_2007;
}

static void add_memberships(struct granting *g)
{
    char account[256], command[COMMAND_MAX];
    bool has_2007, has_later;

    versions_of(g, &has_2007, &has_later);
    snprintf(account, sizeof account, "%s\\<SHELL ACCOUNT>", g->netbios);
    for (size_t i = 0; i < sizeof memberships / sizeof memberships[0]; i++) {
        if (((int)g->forest->side & memberships[i].side) == 0)
            continue;
        if (memberships[i].side == EXCHANGE && !(memberships[i].exchange_2007 ? has_2007 : has_later))
            continue;
        const char *member = strstr(memberships[i].command, "ADGroup") != NULL ? "<SHELL ACCOUNT>" : account;
        struct umx_text text = {0};
        const char *format = memberships[i].command;
        for (size_t given = 0; *format != '\0'; format++) { /* the two %s of the table */
            if (format[0] == '%' && format[1] == 's') {
                umx_text_adds(&text, given++ == 0 ? quotable(group_name(g, i), memberships[i].group) : member);
                format++;
            } else {
                umx_text_add(&text, format, 1);
            }
        }
        umx_text_copy(command, sizeof command, umx_text_string(&text));
        g->failed = g->failed || text.failed;
        umx_text_free(&text);
        add(g, account, memberships[i].reason, command);
    }
}

int umx_grants(const struct umx_forest_config *forest, const Umx__World *records, struct umx_arena *arena,
               Umx__Grant ***grants, size_t *count, struct umx_error *err)
{
    struct granting g = {.forest = forest, .records = records, .arena = arena, .netbios = "<DOMAIN>"};

    g.grants = umx_arena_alloc(arena, GRANTS_MAX * sizeof *g.grants);
    if (g.grants == NULL)
        return umx_fail(err, UMX_ERR_ARENA_FULL, forest->name, NULL);
    for (size_t i = 0; i < records->n_forest; i++)
        if (umx_text_equal(records->forest[i]->forest, forest->name))
            g.known = records->forest[i];
    if (g.known != NULL && g.known->netbios != NULL)
        g.netbios = g.known->netbios;
    for (int writer = 0; writer <= 1; writer++)
        for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
            if (rows[i].writer == (writer == 1))
                add_row(&g, i);
    add_memberships(&g);
    *grants = g.grants;
    *count = g.count;
    return g.failed ? umx_fail(err, UMX_ERR_ARENA_FULL, forest->name, NULL) : 0;
}
