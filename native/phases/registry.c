/* The table of the eleven phases (design 5). Groups are spec 0.6, documentation is spec 0.7. */
#include <stddef.h>
#include <string.h>

#include "base/text.h"
#include "phases/groups.h"
#include "phases/phase.h"

enum { ROWS_MAX = 4 }; /* tables of Input */

#define LINK(number) "https://go.microsoft.com/fwlink/p/?LinkId=" #number

#define UM_2013 "2013: Unified Messaging " LINK(266579)

static const char *const forests_documentation[] = {
    "2007: Deployment " LINK(268694),
    "2010: Deployment " LINK(268695),
    "2013: Planning and Deployment " LINK(266569),
    NULL,
};
static const char *const certificates_documentation[] = {
    "lync: Configure Certificates on the Server Running Microsoft Exchange Server Unified Messaging",
    NULL,
};
static const char *const dial_plans_documentation[] = {
    "2007: How to Create a Unified Messaging SIP URI Dial Plan " LINK(268632),
    "2010: Create a UM Dial Plan " LINK(268674),
    UM_2013,
    NULL,
};
static const char *const security_documentation[] = {
    "2007: How to Configure Security on a Unified Messaging Dial Plan " LINK(268696),
    "2010: Configure VoIP Security on a UM Dial Plan " LINK(268697),
    UM_2013,
    "lync: Configure Unified Messaging on Microsoft Exchange for Lync Server 2013",
    NULL,
};
static const char *const um_servers_documentation[] = {
    "2007: How to Add a Unified Messaging Server to a Dial Plan " LINK(268681),
    "2010: View or Configure the Properties of a UM Server " LINK(268682),
    UM_2013,
    NULL,
};
static const char *const sip_addresses_documentation[] = {
    "2007: How to Add, Remove, or Modify a SIP Address for a UM-Enabled User " LINK(268698),
    "2010: Modify a SIP Address for a UM-Enabled User " LINK(268699),
    UM_2013,
    NULL,
};
static const char *const exchucutil_documentation[] = {
    "lync: Configure Unified Messaging on Microsoft Exchange for Lync Server 2013",
    NULL,
};
static const char *const lync_dial_plans_documentation[] = {
    "lync: Configuring dial plans in Lync Server 2013",
    NULL,
};
static const char *const ocsumutil_documentation[] = {
    "lync: Configure Lync Server 2013 to work with Unified Messaging on Microsoft Exchange Server",
    NULL,
};
static const char *const enterprise_voice_documentation[] = {
    "lync: Configuring voice policies, PSTN usage records, and voice routes in Lync Server 2013",
    "lync: Deploying Enterprise Voice in Lync Server 2013",
    NULL,
};
static const char *const um_mailboxes_documentation[] = {
    "2007: How to Enable a User for Unified Messaging " LINK(268700),
    "2010: Enable a User for Unified Messaging " LINK(268701),
    UM_2013,
    NULL,
};

/* Spec 0.6: where a row names nobody on a side, that side's administrator agrees to the plan. */
#define NONE "rtc_server_admins"

static const struct umx_phase phases[UMX_PHASE_COUNT] = {
    {
        .number = 1,
        .slug = "forests",
        .title = "Exchange roles deployed; trust between forests",
        .sides = "both",
        .writes = "nothing: gates that say what to run (netdom, setup), then verifies",
        .groups_exchange = UMX_GROUPS_FORESTS " and ((" UMX_GROUPS_TRUST ") if trust_steps)",
        .groups_lync = "(" UMX_GROUPS_TRUST ") if trust_steps else rtc_server_admins",
        .documentation = forests_documentation,
        .options = umx_forests_options,
        .checks = umx_forests_checks,
        .check = umx_forests_check,
        .plan = umx_forests_plan,
        .exchange_tables = "trust exchange_server",
        .lync_tables = "trust lync_pool",
    },
    {
        .number = 2,
        .slug = "certificates",
        .title = "certificates on UM servers",
        .sides = "exchange",
        .writes = "agent: startup mode on 2010+, request, import, bind, restart",
        .groups_exchange = "local_administrators",
        .groups_lync = NONE,
        .documentation = certificates_documentation,
        .options = umx_certificates_options,
        .checks = umx_certificates_checks,
        .check = umx_certificates_check,
        .plan = umx_certificates_plan,
        .exchange_tables = "exchange_server dial_plan",
        .lync_tables = "",
    },
    {
        .number = 3,
        .slug = "dial-plans",
        .title = "SIP URI dial plan",
        .rows = "dial_plan auto_attendant",
        .sides = "exchange",
        .writes = "Exchange shell through an agent",
        .groups_exchange =
            UMX_GROUPS_ORGANIZATION " or (um_management if exchange_2010 else organization_administrators)",
        .groups_lync = NONE,
        .documentation = dial_plans_documentation,
        .checks = umx_dial_plans_checks,
        .check = umx_dial_plans_check,
        .plan = umx_dial_plans_plan,
        .finish = umx_dial_plans_finish,
        .propose = umx_dial_plans_propose,
        .exchange_tables = "dial_plan mailbox_policy auto_attendant exchange_server",
    },
    {
        .number = 4,
        .slug = "dial-plan-security",
        .title = "VoIP security",
        .sides = "exchange",
        .writes = "directory; restart of the UM service",
        .groups_exchange =
            UMX_GROUPS_ORGANIZATION " or (um_management if exchange_2010 else organization_administrators)",
        .groups_lync = NONE,
        .documentation = security_documentation,
        .options = umx_dial_plan_security_options,
        .checks = umx_dial_plan_security_checks,
        .check = umx_dial_plan_security_check,
        .plan = umx_dial_plan_security_plan,
        .finish = umx_dial_plan_security_finish,
        .exchange_tables = "dial_plan exchange_server",
    },
    {
        .number = 5,
        .slug = "um-servers",
        .title = "servers joined to the dial plan, startup mode verified",
        .sides = "exchange",
        .writes = "directory; restart of the UM service",
        .groups_exchange = "local_administrators and " UMX_GROUPS_SERVER,
        .groups_lync = NONE,
        .documentation = um_servers_documentation,
        .options = umx_um_servers_options,
        .checks = umx_um_servers_checks,
        .check = umx_um_servers_check,
        .plan = umx_um_servers_plan,
        .finish = umx_um_servers_finish,
        .exchange_tables = "exchange_server dial_plan ip_gateway",
        .lync_tables = "lync_pool",
    },
    {
        .number = 6,
        .slug = "sip-addresses",
        .title = "SIP addresses on mailboxes",
        .rows = "user",
        .sides = "both",
        .writes = "sip: values by directory; EUM values by Exchange shell",
        .groups_exchange = UMX_GROUPS_RECIPIENT,
        .groups_lync = "rtc_server_admins",
        .documentation = sip_addresses_documentation,
        .options = umx_sip_addresses_options,
        .checks = umx_sip_addresses_checks,
        .check = umx_sip_addresses_check,
        .plan = umx_sip_addresses_plan,
        .propose = umx_sip_addresses_propose,
        .exchange_tables = "mailbox_user dial_plan",
        .lync_tables = "voice_user contact",
    },
    {
        .number = 7,
        .slug = "exchucutil",
        .title = "exchucutil.ps1",
        .sides = "exchange",
        .writes = "directory: access entries, IP gateways, hunt groups; then Front End restarts",
        .groups_exchange = UMX_GROUPS_ORGANIZATION " and " UMX_GROUPS_RECIPIENT,
        .groups_lync = "rtc_server_admins",
        .documentation = exchucutil_documentation,
        .options = umx_exchucutil_options,
        .checks = umx_exchucutil_checks,
        .check = umx_exchucutil_check,
        .plan = umx_exchucutil_plan,
        .finish = umx_exchucutil_finish,
        .exchange_tables = "dial_plan ip_gateway hunt_group container access_entry",
        .lync_tables = "lync_pool admin_group",
    },
    {
        .number = 8,
        .slug = "lync-dial-plans",
        .title = "Lync dial plans",
        .sides = "lync",
        .writes = "Lync shell through an agent",
        .groups_exchange = UMX_GROUPS_ORGANIZATION,
        .groups_lync = "rtc_server_admins",
        .documentation = lync_dial_plans_documentation,
        .options = umx_lync_dial_plans_options,
        .checks = umx_lync_dial_plans_checks,
        .check = umx_lync_dial_plans_check,
        .plan = umx_lync_dial_plans_plan,
        .exchange_tables = "dial_plan exchange_server",
        .lync_tables = "lync_pool",
    },
    {
        .number = 9,
        .slug = "ocsumutil",
        .title = "ocsumutil.exe",
        .rows = "contact",
        .sides = "lync",
        .writes = "directory: Subscriber Access and Auto Attendant contacts",
        .groups_exchange = UMX_GROUPS_ORGANIZATION,
        .groups_lync = "same(rtc_server_admins and rtc_user_admins)",
        .documentation = ocsumutil_documentation,
        .options = umx_ocsumutil_options,
        .checks = umx_ocsumutil_checks,
        .check = umx_ocsumutil_check,
        .plan = umx_ocsumutil_plan,
        .finish = umx_ocsumutil_finish,
        .propose = umx_ocsumutil_propose,
        .exchange_tables = "dial_plan auto_attendant exchange_server",
        .lync_tables = "contact lync_pool organizational_unit access_entry admin_group voice_user",
    },
    {
        .number = 10,
        .slug = "enterprise-voice",
        .title = "PSTN, policies, users",
        .rows = "user",
        .sides = "lync",
        .writes = "Lync shell for users; gates for the rest",
        .groups_exchange = UMX_GROUPS_ORGANIZATION,
        .groups_lync = "(rtc_server_admins if server_steps) and (rtc_user_admins if user_steps)",
        .documentation = enterprise_voice_documentation,
        .options = umx_enterprise_voice_options,
        .checks = umx_enterprise_voice_checks,
        .check = umx_enterprise_voice_check,
        .plan = umx_enterprise_voice_plan,
        .propose = umx_enterprise_voice_propose,
        .exchange_tables = "mailbox_user",
        .lync_tables = "voice_user contact",
    },
    {
        .number = 11,
        .slug = "um-mailboxes",
        .title = "enable users for UM",
        .rows = "user",
        .sides = "both",
        .writes = "Exchange shell; then a directory-synchronisation gate",
        .groups_exchange = UMX_GROUPS_RECIPIENT,
        .groups_lync = NONE,
        .documentation = um_mailboxes_documentation,
        .options = umx_um_mailboxes_options,
        .checks = umx_um_mailboxes_checks,
        .check = umx_um_mailboxes_check,
        .plan = umx_um_mailboxes_plan,
        .propose = umx_um_mailboxes_propose,
        .exchange_tables = "mailbox_user dial_plan mailbox_policy",
        .lync_tables = "voice_user contact",
    },
};

const struct umx_phase *umx_phases(void)
{
    return phases;
}

const struct umx_phase *umx_phase(const char *slug)
{
    for (size_t i = 0; i < UMX_PHASE_COUNT; i++)
        if (umx_text_equal(phases[i].slug, slug))
            return &phases[i];
    return NULL;
}

static bool push(struct umx_arena *arena, char ***list, size_t *count, size_t room, const char *text)
{
    char *copy = umx_arena_string(arena, text);

    if (*list == NULL)
        *list = umx_arena_alloc(arena, room * sizeof **list);
    if (*list == NULL || copy == NULL)
        return false;
    (*list)[(*count)++] = copy;
    return true;
}

void umx_phase_info(const struct umx_phase *phase, struct umx_arena *arena, Umx__PhaseInfo **out)
{
    Umx__PhaseInfo *info = umx_reflect_new(&umx__phase_info__descriptor, arena);
    size_t documents = 0;
    size_t options = 0;
    bool complete = true;

    *out = NULL;
    if (info == NULL)
        return;
    info->has_number = 1;
    info->number = phase->number;
    info->slug = umx_arena_string(arena, phase->slug);
    info->title = umx_arena_string(arena, phase->title);
    info->sides = umx_arena_string(arena, phase->sides);
    info->writes = umx_arena_string(arena, phase->writes);
    info->groups = umx_arena_format(arena, "exchange: %s; lync: %s", phase->groups_exchange, phase->groups_lync);
    while (phase->documentation[documents] != NULL)
        documents++;
    for (size_t i = 0; i < documents; i++)
        complete =
            push(arena, &info->documentation, &info->n_documentation, documents, phase->documentation[i]) && complete;
    for (const char *word = umx_or_empty(phase->rows); *word != '\0' && complete;) {
        size_t length = strcspn(word, " ");
        const char *table = umx_arena_format(arena, "%.*s", (int)length, word);
        complete = push(arena, &info->rows, &info->n_rows, ROWS_MAX, table);
        word += length + strspn(word + length, " ");
    }
    while (phase->options != NULL && phase->options[options].key != NULL)
        options++;
    for (size_t i = 0; i < options; i++) {
        const struct umx_phase_option *option = &phase->options[i];
        const char *line =
            umx_arena_format(arena, "%s.%s=%s: %s", phase->slug, option->key, option->values, option->help);
        complete = push(arena, &info->option, &info->n_option, options, line) && complete;
    }
    if (complete && info->slug != NULL && info->title != NULL && info->groups != NULL && info->writes != NULL)
        *out = info;
}
