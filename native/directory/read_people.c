/* What every domain of a forest may hold: users with a mailbox, Lync users, contacts of UM. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/exum.h"
#include "base/text.h"
#include "directory/discovery.h"
#include "directory/read_changes.h"
#include "directory/read_people.h"
#include "directory/read_row.h"

enum { ENTERPRISE_VOICE = 128, ACCOUNT_DISABLED = 2, UM_ENABLED = 1 };

static umx_read_finish finish_voice, finish_mailbox, finish_contact;

static const struct umx_read_row rows[] = {
    {"voice_user",
     &umx__voice_user__descriptor,
     UMX_IN_DOMAIN,
     "",
     UMX_SCOPE_SUBTREE,
     NULL,
     "(&(objectCategory=person)(objectClass=user)(msRTCSIP-UserEnabled=*))",
     {{"objectGUID", "object_guid"},
      {"sAMAccountName", "sam_account_name"},
      {"objectSid", "sid"},
      {"userPrincipalName", "user_principal_name"},
      {"displayName", "display_name"},
      {"msRTCSIP-PrimaryUserAddress", "sip_address"},
      {"msRTCSIP-UserEnabled", "enabled"},
      {"msRTCSIP-Line", "line"},
      {"msRTCSIP-PrimaryHomeServer", "home_server_dn"},
      {"msRTCSIP-OptionFlags", "option_flags"},
      {"msRTCSIP-OriginatorSid", "originator_sid"},
      {"proxyAddresses", "proxy_address"},
      {"msExchUCVoiceMailSettings", "voice_mail_setting"},
      {"whenChanged", "changed_at"}},
     finish_voice},
    {"mailbox_user",
     &umx__mailbox_user__descriptor,
     UMX_IN_DOMAIN,
     "",
     UMX_SCOPE_SUBTREE,
     NULL,
     "(&(objectCategory=person)(objectClass=user)(|(msExchMailboxGuid=*)(homeMDB=*)(msExchHomeServerName=*)))",
     {{"objectGUID", "object_guid"},
      {"sAMAccountName", "sam_account_name"},
      {"objectSid", "sid"},
      {"userPrincipalName", "user_principal_name"},
      {"displayName", "display_name"},
      {"msExchMasterAccountSid", "master_account_sid"},
      {"msExchHomeServerName", "home_server"},
      {"proxyAddresses", "proxy_address"},
      {"msExchUMTemplateLink", "um_policy_dn"},
      {"msExchUMRecipientDialPlanLink", "um_dial_plan_dn"},
      {"msExchUMAddresses", "um_address"},
      {"whenChanged", "changed_at"}},
     finish_mailbox},
    {"contact",
     &umx__contact__descriptor,
     UMX_IN_DOMAIN,
     "",
     UMX_SCOPE_SUBTREE,
     NULL,
     "(&(objectClass=contact)(msRTCSIP-SourceObjectType=-1879048192))",
     {{"objectGUID", "object_guid"},
      {"displayName", "display_name"},
      {"msRTCSIP-PrimaryUserAddress", "sip_address"},
      {"msRTCSIP-Line", "line"},
      {"otherIpPhone", "other_ip_phone"},
      {"msRTCSIP-PrimaryHomeServer", "home_server_dn"},
      {"msRTCSIP-UserEnabled", "enabled"},
      {"msRTCSIP-OptionFlags", "option_flags"},
      {"telephoneNumber", "telephone_number"},
      {"proxyAddresses", "proxy_address"},
      {"description", "description"},
      {"whenChanged", "changed_at"}},
     finish_contact},
};

enum { ROWS = sizeof rows / sizeof *rows };

/* ---- what a record needs beyond its attributes */

/* Mail addresses are nobody's business here, and there are many. */
static void keep_calls(char **addresses, size_t *count)
{
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        if (strncasecmp(addresses[i], "sip:", 4) == 0 || strncasecmp(addresses[i], "eum:", 4) == 0) {
            addresses[kept++] = addresses[i];
        }
    }
    *count = kept;
}

static int count_home(struct umx_reading *reading, const char *home_dn, struct umx_error *err)
{
    size_t i = 0;
    while (i < reading->home_count && !umx_text_dn_equal(reading->homes[i].home_dn, home_dn)) {
        i++;
    }
    if (i == UMX_READING_POOLS_MAX) {
        return umx_fail(err, UMX_ERR_DIRECTORY_LIMIT, home_dn, "users have more than %d home servers",
                        UMX_READING_POOLS_MAX);
    }
    if (i == reading->home_count) {
        reading->homes[i].home_dn = umx_arena_string(reading->arena, home_dn);
        if (!reading->homes[i].home_dn) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, home_dn, NULL);
        }
        reading->home_count++;
    }
    reading->homes[i].users++;
    return 0;
}

static int finish_voice(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                        enum umx_read_fate *fate, struct umx_error *err)
{
    Umx__VoiceUser *user = (Umx__VoiceUser *)(void *)record;
    int64_t control;
    user->has_account_disabled = umx_entry_integer(entry, "userAccountControl", &control);
    user->account_disabled = user->has_account_disabled && control & ACCOUNT_DISABLED;
    keep_calls(user->proxy_address, &user->n_proxy_address);
    *fate = umx_reading_wants(reading, "voice_user") ? UMX_READ_EMIT : UMX_READ_DROP;
    reading->record.lync_users += user->enabled;
    return umx_read_voice(user) && user->home_server_dn ? count_home(reading, user->home_server_dn, err) : 0;
}

static int finish_mailbox(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                          enum umx_read_fate *fate, struct umx_error *err)
{
    Umx__MailboxUser *user = (Umx__MailboxUser *)(void *)record;
    int64_t flags = 0;
    (void)reading;
    (void)fate;
    (void)err;
    /* Absent is as good as 0: an account that may read the mailbox may read this. */
    umx_entry_integer(entry, "msExchUMEnabledFlags", &flags);
    user->has_um_enabled = 1;
    user->um_enabled = (flags & UM_ENABLED) != 0;
    keep_calls(user->proxy_address, &user->n_proxy_address);
    return 0;
}

static int finish_contact(struct umx_reading *reading, const struct umx_entry *entry, ProtobufCMessage *record,
                          enum umx_read_fate *fate, struct umx_error *err)
{
    Umx__Contact *contact = (Umx__Contact *)(void *)record;
    const char *parent = umx_text_dn_parent(entry->dn);
    size_t i = 0;
    keep_calls(contact->proxy_address, &contact->n_proxy_address);
    *fate = umx_reading_wants(reading, "contact") ? UMX_READ_EMIT : UMX_READ_DROP;
    struct umx_exum exum;
    contact->has_type = umx_exum_parse(contact->other_ip_phone, &exum);
    contact->type = exum.more ? UMX__CONTACT__TYPE__AUTO_ATTENDANT : UMX__CONTACT__TYPE__SUBSCRIBER_ACCESS;
    contact->phone_context = umx_arena_copy(reading->arena, exum.length ? exum.context : "", exum.length);
    if (!contact->phone_context) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
    }
    while (i < reading->counted_count && parent && !umx_text_dn_equal(reading->counted[i].dn, parent)) {
        i++;
    }
    if (!parent || i == UMX_READING_UNITS_COUNTED_MAX) {
        return 0;
    }
    if (i == reading->counted_count) {
        reading->counted[i].dn = umx_arena_string(reading->arena, parent);
        if (!reading->counted[i].dn) {
            return umx_fail(err, UMX_ERR_ARENA_FULL, entry->dn, NULL);
        }
        reading->counted_count++;
    }
    reading->counted[i].contacts++;
    return 0;
}

bool umx_read_voice(const Umx__VoiceUser *user)
{
    return user->enabled && user->has_option_flags && user->option_flags & ENTERPRISE_VOICE;
}

/* ---- domains */

/* The domain controllers of a child domain: those configured in it, else what DNS says. */
int umx_read_domain_connect(const struct umx_readers_source *asked, const char *name, struct umx_arena *arena,
                            struct umx_connection **connection, struct umx_error *err)
{
    const char *hosts[UMX_DISCOVERY_MAX];
    size_t count = 0, length = strlen(name);
    for (size_t i = 0; i < asked->configure->n_domain_controller && count < UMX_DISCOVERY_MAX; i++) {
        const char *host = asked->configure->domain_controller[i], *dot = strchr(host, '.');
        if (dot && strncasecmp(dot + 1, name, length) == 0 && (!dot[1 + length] || dot[1 + length] == ':')) {
            hosts[count++] = host;
        }
    }
    int status = count ? 0 : umx_discovery_controllers(name, arena, hosts, &count, err);
    return status ? status
                  : umx_connection_open(asked->account, asked->ticket, hosts, count, NULL, asked->deadline, connection,
                                        err);
}

static bool wants_people(const struct umx_reading *reading)
{
    static const char *const tables[] = {"voice_user", "mailbox_user", "contact",    "organizational_unit",
                                         "lync_pool",  "forest",       "admin_group"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) {
        if (umx_reading_wants(reading, tables[i])) {
            return true;
        }
    }
    return umx_reading_lync(reading) && umx_reading_wants(reading, "access_entry"); /* of the units */
}

int umx_read_domains_open(struct umx_reading *reading, struct umx_error *err)
{
    /* What a domain holds; the last only where there may be Lync. Groups are looked for in all domains until found. */
    enum { IN_ALL_DOMAINS = 3, IN_DOMAINS = 5 };
    static const char *const in_domains[IN_DOMAINS] = {"voice_user", "mailbox_user", "contact", "organizational_unit",
                                                       "access_entry"};
    const struct umx_root_dse *root = umx_connection_root(reading->connection);
    reading->open[reading->open_count++] =
        (struct umx_read_domain){.name = reading->forest, .dn = root->root_dn, .connection = reading->connection};
    for (size_t i = 0; i < reading->domain_count && wants_people(reading); i++) {
        const Umx__Domain *domain = reading->domains[i];
        struct umx_read_domain *open = &reading->open[reading->open_count];
        struct umx_error why = {0};
        if (!domain->dn || !domain->domain || umx_text_dn_equal(domain->dn, root->root_dn)) {
            continue;
        }
        *open = (struct umx_read_domain){.name = domain->domain, .dn = domain->dn};
        if (!umx_read_domain_connect(reading->asked, domain->domain, reading->arena, &open->connection, &why)) {
            reading->open_count++;
        } else if (why.status == UMX_E_MEMORY) {
            *err = why;
            return why.status;
        } else {
            reading->closed = domain->domain;
            for (size_t k = 0; k < (umx_reading_lync(reading) ? IN_DOMAINS : IN_ALL_DOMAINS); k++) {
                umx_reading_incomplete(reading, in_domains[k], "the domain %s cannot be read: %s", domain->domain,
                                       umx_error_why(&why));
            }
        }
    }
    return 0;
}

void umx_read_domains_close(struct umx_reading *reading)
{
    for (size_t i = 1; i < reading->open_count; i++) {
        umx_connection_close(reading->open[i].connection);
    }
    reading->open_count = 0;
}

/* Whether a row is wanted: users and contacts also when only their numbers are. */
static bool wanted(const struct umx_reading *reading, const struct umx_read_row *row)
{
    bool counts = row->record == &umx__voice_user__descriptor
                      ? umx_reading_wants(reading, "lync_pool") || umx_reading_wants(reading, "forest")
                      : row->record == &umx__contact__descriptor && umx_reading_wants(reading, "organizational_unit");
    return counts || umx_reading_wants(reading, row->table);
}

int umx_read_people_in(struct umx_reading *reading, const struct umx_read_domain *domain, const char *base,
                       const char *narrow, struct umx_error *err)
{
    int status = 0;
    for (size_t i = 0; i < ROWS && !status; i++) {
        /* What is no more there is gone, not missing. */
        status = umx_read_row(reading, domain->connection, &rows[i], base, narrow, true, err);
    }
    return status;
}

const char *umx_read_people_filter(size_t index)
{
    return index < ROWS ? rows[index].filter : NULL;
}

int umx_read_people(struct umx_reading *reading, struct umx_error *err)
{
    int status = 0;
    if (reading->since_count) {
        reading->record.has_lync_users = 1;
        return umx_read_changes(reading, err);
    }
    if (reading->changes && !reading->table_count) {
        status = umx_read_sync_begin(reading, err);
    }
    for (size_t i = 0; i < ROWS && !status; i++) {
        if (!wanted(reading, &rows[i])) {
            continue;
        }
        for (size_t k = 0; k < reading->open_count && !status; k++) {
            const struct umx_read_domain *domain = &reading->open[k];
            status = umx_read_row(reading, domain->connection, &rows[i], domain->dn, NULL, false, err);
        }
        if (rows[i].record == &umx__voice_user__descriptor) {
            reading->record.has_lync_users = 1;
        }
    }
    return status;
}
