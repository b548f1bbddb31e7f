/* What the Lync shell shows: dial plans, policies and pool members. */
#include <strings.h>

#include "agent/collect/shell_script.h"
#include "base/text.h"

int umx_collect_lync_dial_plan(struct umx_collect *collect, struct umx_error *err)
{
    struct umx_rows *rows = collect->rows;
    struct umx_shell_record *records = NULL;
    size_t count = 0;
    int status = umx_shell_read(collect->host, collect->scratch, "Get-CsDialPlan", &records, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++) {
        Umx__LyncDialPlan *row = umx_rows_add(rows, &umx__lync_dial_plan__descriptor);
        if (row == NULL)
            break;
        row->server = umx_rows_text(rows, collect->host->identity.fqdn);
        row->forest = umx_rows_text(rows, collect->host->identity.forest);
        row->identity = umx_rows_text(rows, umx_shell_value(&records[i], "Identity", 0));
        row->simple_name = umx_rows_text(rows, umx_shell_value(&records[i], "SimpleName", 0));
        row->rule = umx_shell_list(rows, &records[i], "NormalizationRules", &row->n_rule);
    }
    return status;
}

/* Values of a policy, in the order of the names. */
static const struct policy {
    const char *command;
    const char *kind;
    const char *names[3];
} policies[] = {
    {"Get-CsMediaConfiguration", "media", {"EncryptionLevel"}},
    {"Get-CsVoicePolicy", "voice_policy", {"PstnUsages"}},
    {"Get-CsVoiceRoute", "voice_route", {"NumberPattern", "PstnUsages", "PstnGatewayList"}},
    {"Get-CsPstnUsage", "pstn_usage", {"Usage"}},
    {"Get-CsService", "pstn_gateway", {"PoolFqdn"}},
};

static void add_policy(struct umx_collect *collect, const struct umx_shell_record *record, const struct policy *policy)
{
    struct umx_rows *rows = collect->rows;
    Umx__LyncPolicy *row = umx_rows_add(rows, &umx__lync_policy__descriptor);

    if (row == NULL)
        return;
    row->server = umx_rows_text(rows, collect->host->identity.fqdn);
    row->forest = umx_rows_text(rows, collect->host->identity.forest);
    row->kind = umx_rows_text(rows, policy->kind);
    row->identity = umx_rows_text(rows, umx_shell_value(record, "Identity", 0));
    row->value = umx_arena_alloc(rows->arena, (record->count + 1) * sizeof *row->value);
    for (size_t i = 0; row->value != NULL && i < 3 && policy->names[i] != NULL; i++) {
        size_t count = 0;
        char **values = umx_shell_list(rows, record, policy->names[i], &count);
        for (size_t j = 0; values != NULL && j < count; j++)
            row->value[row->n_value++] = values[j];
    }
}

int umx_collect_lync_policy(struct umx_collect *collect, struct umx_error *err)
{
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        struct umx_shell_record *records = NULL;
        size_t count = 0;
        int status = umx_shell_read(collect->host, collect->scratch, policies[i].command, &records, &count, err);
        if (status != 0)
            return status;
        for (size_t j = 0; j < count; j++) {
            const char *role = umx_shell_value(&records[j], "Role", 0);
            /* A record of Get-CsService may hold every kind of service. */
            if (role == NULL || umx_text_equal(role, "PstnGateway"))
                add_policy(collect, &records[j], &policies[i]);
        }
    }
    return 0;
}

/* Pools whose backup this one is. */
static void add_backup_of(struct umx_rows *rows, const struct umx_shell_record *records, size_t count,
                          Umx__LyncPoolMember *row)
{
    row->backup_of = umx_arena_alloc(rows->arena, (count + 1) * sizeof *row->backup_of);
    for (size_t i = 0; row->backup_of != NULL && i < count; i++)
        if (umx_text_equal(umx_shell_value(&records[i], "BackupPool", 0), row->pool) &&
            (row->backup_of[row->n_backup_of] = umx_rows_text(rows, umx_shell_value(&records[i], "Fqdn", 0))) != NULL)
            row->n_backup_of++;
}

int umx_collect_lync_pool_member(struct umx_collect *collect, struct umx_error *err)
{
    struct umx_rows *rows = collect->rows;
    struct umx_shell_record *records = NULL;
    size_t count = 0;
    int status = umx_shell_read(collect->host, collect->scratch, "Get-CsPool", &records, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++) {
        const char *state = umx_shell_value(&records[i], "State", 0);
        size_t members = 0;
        char **names = umx_shell_list(rows, &records[i], "Computers", &members);
        for (size_t j = 0; names != NULL && j < members; j++) {
            Umx__LyncPoolMember *row = umx_rows_add(rows, &umx__lync_pool_member__descriptor);
            if (row == NULL)
                break;
            row->server = umx_rows_text(rows, collect->host->identity.fqdn);
            row->forest = umx_rows_text(rows, collect->host->identity.forest);
            row->pool = umx_rows_text(rows, umx_shell_value(&records[i], "Fqdn", 0));
            row->member = names[j];
            row->site = umx_rows_text(rows, umx_shell_value(&records[i], "Site", 0));
            row->backup_pool = umx_rows_text(rows, umx_shell_value(&records[i], "BackupPool", 0));
            row->has_ready = state != NULL;
            row->ready = umx_text_equal(state, "Ready");
            if (row->pool != NULL)
                add_backup_of(rows, records, count, row);
        }
    }
    return status;
}

/* A policy as it is granted: without the "Tag:" of its identity. */
static const char *tag(const char *name)
{
    return name != NULL && strncasecmp(name, "Tag:", 4) == 0 ? name + 4 : name;
}

int umx_collect_lync_user(struct umx_collect *collect, struct umx_error *err)
{
    struct umx_rows *rows = collect->rows;
    struct umx_shell_record *records = NULL;
    size_t count = 0;
    int status = umx_shell_read(collect->host, collect->scratch, "Get-CsUser", &records, &count, err);

    for (size_t i = 0; status == 0 && i < count; i++) {
        const char *voice = umx_shell_value(&records[i], "EnterpriseVoiceEnabled", 0);
        Umx__LyncUser *row = umx_rows_add(rows, &umx__lync_user__descriptor);
        if (row == NULL)
            break;
        row->server = umx_rows_text(rows, collect->host->identity.fqdn);
        row->forest = umx_rows_text(rows, collect->host->identity.forest);
        row->sip_address = umx_rows_text(rows, umx_shell_value(&records[i], "SipAddress", 0));
        row->dial_plan = umx_rows_text(rows, tag(umx_shell_value(&records[i], "DialPlan", 0)));
        row->voice_policy = umx_rows_text(rows, tag(umx_shell_value(&records[i], "VoicePolicy", 0)));
        row->has_enterprise_voice = voice != NULL;
        row->enterprise_voice = umx_text_equal(voice, "True");
        row->line = umx_rows_text(rows, umx_shell_value(&records[i], "LineURI", 0));
    }
    return status;
}
