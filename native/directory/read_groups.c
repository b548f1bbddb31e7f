/* Administrative groups by their meaning, whatever they are called here (spec 0.5). */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "directory/convert.h"
#include "directory/reading.h"
#include "directory/sid.h"

/* How a group is found when the configuration does not name it: a RID of the root domain, a GUID of
 * otherWellKnownObjects of CN=Microsoft Exchange, or a logon name. Where several are given, the first that leads
 * somewhere counts. */
static const struct {
    const char *meaning;
    unsigned rid;
    const char *well_known;
    const char *name;
} groups[] = {
    {"enterprise_admins", 519, NULL, NULL},
    {"domain_admins", 512, NULL, NULL},
    {"organization_management", 0, "C262A929D691B74A9E068728F8F842EA", "Organization Management"},
    {"recipient_management", 0, "DB72C41D49580A4DB304FE6981E56297", "Recipient Management"},
    {"um_management", 0, "E80CDFB75697934981C898B4DBC5A0C6", "UM Management"},
    {"server_management", 0, "4DB8E7754EB6C1439565612E69A80A4F", "Server Management"},
    {"organization_administrators", 0, NULL, "Exchange Organization Administrators"},
    {"recipient_administrators", 0, NULL, "Exchange Recipient Administrators"},
    {"rtc_server_admins", 0, NULL, "RTCUniversalServerAdmins"},
    {"rtc_user_admins", 0, NULL, "RTCUniversalUserAdmins"},
    {"rtc_component_services", 0, NULL, "RTCComponentUniversalServices"},
};

static const char *const attributes[] = {"objectSid", "sAMAccountName", NULL};

struct finding {
    struct umx_reading *reading;
    const char *meaning;
    const char *found_by;
    bool found;
};

static int found_group(void *user, const struct umx_entry *entry, struct umx_arena *arena, struct umx_error *err)
{
    struct finding *finding = user;
    Umx__AdminGroup record = UMX__ADMIN_GROUP__INIT;
    record.sid = umx_entry_sid(entry, "objectSid", arena);
    if (!record.sid || finding->found) {
        return 0;
    }
    finding->found = true;
    record.meaning = umx_arena_string(arena, finding->meaning);
    record.found_by = umx_arena_string(arena, finding->found_by);
    record.dn = umx_arena_string(arena, entry->dn);
    record.name = umx_entry_text(entry, "sAMAccountName", arena);
    return umx_reading_emit(finding->reading, &record.base, err);
}

/* A group that is not there is normal; one that cannot be looked for is not. */
static int look(struct finding *finding, struct umx_connection *connection, const struct umx_search *search,
                struct umx_error *err)
{
    struct umx_error why = {0};
    if (!search->base) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, finding->meaning, NULL);
    }
    if (!umx_connection_search(connection, search, found_group, finding, &why)) {
        return 0;
    }
    if (umx_reading_fatal_on(finding->reading, connection, &why)) {
        *err = why;
        return why.status;
    }
    if (why.id != UMX_ERR_OBJECT_NOT_FOUND) {
        umx_reading_incomplete(finding->reading, "admin_group", "%s: %s", finding->meaning, umx_error_why(&why));
    }
    return 0;
}

static int look_by_sid(struct finding *finding, const char *sid, struct umx_error *err)
{
    return look(finding, finding->reading->connection,
                &(struct umx_search){.base = umx_arena_format(finding->reading->arena, "<SID=%s>", sid),
                                     .attributes = attributes},
                err);
}

static int look_by_name(struct finding *finding, const char *name, struct umx_error *err)
{
    struct umx_text filter = {0};
    umx_text_adds(&filter, "(&(objectCategory=group)(sAMAccountName=");
    for (const char *at = name; *at; at++) {
        if (strchr("*()\\", *at)) {
            umx_text_addf(&filter, "\\%02x", (unsigned)(unsigned char)*at);
        } else {
            umx_text_add(&filter, at, 1);
        }
    }
    umx_text_adds(&filter, "))");
    int status = filter.failed ? umx_fail(err, UMX_ERR_MEMORY, name, NULL) : 0;
    /* The root domain first: there they are, unless somebody chose another. */
    for (size_t i = 0; i < finding->reading->open_count && !finding->found && !status; i++) {
        const struct umx_read_domain *domain = &finding->reading->open[i];
        status = look(finding, domain->connection,
                      &(struct umx_search){.base = domain->dn,
                                           .scope = UMX_SCOPE_SUBTREE,
                                           .filter = umx_text_string(&filter),
                                           .attributes = attributes},
                      err);
    }
    umx_text_free(&filter);
    return status;
}

/* The DN behind a GUID in B:32:GUID:DN values. */
static const char *well_known_dn(const struct umx_entry *exchange, const char *guid, struct umx_arena *arena)
{
    const struct umx_attribute *objects = umx_entry_find(exchange, "otherWellKnownObjects");
    for (size_t i = 0; objects && i < objects->count; i++) {
        const char *text = umx_value_text(&objects->values[i], arena);
        if (text && strncmp(text, "B:32:", 5) == 0 && strlen(text) > 38 && strncasecmp(text + 5, guid, 32) == 0 &&
            text[37] == ':') {
            return text + 38;
        }
    }
    return NULL;
}

static const char *override_of(const struct umx_reading *reading, const char *meaning)
{
    size_t length = strlen(meaning);
    for (size_t i = 0; i < reading->group_count; i++) {
        if (strncmp(reading->groups[i], meaning, length) == 0 && reading->groups[i][length] == '=') {
            return reading->groups[i] + length + 1;
        }
    }
    return NULL;
}

static int find_group(struct umx_reading *reading, size_t index, const struct umx_entry *exchange,
                      struct umx_error *err)
{
    struct finding finding = {.reading = reading, .meaning = groups[index].meaning, .found_by = "well_known"};
    const char *override = override_of(reading, groups[index].meaning);
    int status = 0;
    if (override) {
        finding.found_by = "configured";
        status = umx_sid_is(override) ? look_by_sid(&finding, override, err) : look_by_name(&finding, override, err);
        if (!status && !finding.found) {
            umx_reading_incomplete(reading, "admin_group", "%s: the configured group %s is not there",
                                   groups[index].meaning, override);
        }
        return status;
    }
    if (groups[index].rid && reading->record.root_sid) {
        char sid[UMX_SID_TEXT];
        snprintf(sid, sizeof sid, "%s-%u", reading->record.root_sid, groups[index].rid);
        status = look_by_sid(&finding, sid, err);
    }
    const char *dn =
        groups[index].well_known ? well_known_dn(exchange, groups[index].well_known, reading->arena) : NULL;
    if (dn && !status) {
        status = look(&finding, reading->connection, &(struct umx_search){.base = dn, .attributes = attributes}, err);
    }
    if (groups[index].name && !finding.found && !status) {
        finding.found_by = "name";
        status = look_by_name(&finding, groups[index].name, err);
    }
    /* Exchange makes its groups in the root domain; Lync's may be in any. */
    if (!status && !finding.found && reading->closed && umx_reading_lync(reading) &&
        strncmp(finding.meaning, "rtc_", 4) == 0) {
        umx_reading_incomplete(reading, "admin_group", "%s: not found, and the domain %s cannot be read",
                               finding.meaning, reading->closed);
    }
    return status;
}

/* Meanings of the configuration that are not in the table: roles of operators, for example. */
static int find_configured(struct umx_reading *reading, const char *text, struct umx_error *err)
{
    char meaning[64];
    const char *value = strchr(text, '=');
    if (!value || (size_t)(value - text) >= sizeof meaning) {
        return 0;
    }
    memcpy(meaning, text, (size_t)(value - text));
    meaning[value - text] = '\0';
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) {
        if (strcmp(groups[i].meaning, meaning) == 0) {
            return 0;
        }
    }
    struct finding finding = {.reading = reading, .meaning = meaning, .found_by = "configured"};
    value++;
    int status = umx_sid_is(value) ? look_by_sid(&finding, value, err) : look_by_name(&finding, value, err);
    if (!status && !finding.found) {
        umx_reading_incomplete(reading, "admin_group", "%s: the configured group %s is not there", meaning, value);
    }
    return status;
}

int umx_read_groups(struct umx_reading *reading, struct umx_error *err)
{
    static const char *const well_known[] = {"otherWellKnownObjects", NULL};
    struct umx_entry exchange = {0};
    struct umx_error why = {0};
    if (!umx_reading_wants(reading, "admin_group")) {
        return 0;
    }
    const char *base = umx_reading_dn(reading, "CN=Microsoft Exchange,CN=Services",
                                      umx_connection_root(reading->connection)->config_dn);
    if (!base) {
        return umx_fail(err, UMX_ERR_ARENA_FULL, "admin_group", NULL);
    }
    if (umx_connection_read(reading->connection, &(struct umx_search){.base = base, .attributes = well_known},
                            reading->arena, &exchange, &why) &&
        umx_reading_fatal(reading, &why)) {
        *err = why;
        return why.status;
    }
    int status = 0;
    for (size_t i = 0; i < sizeof groups / sizeof *groups && !status; i++) {
        status = find_group(reading, i, &exchange, err);
    }
    for (size_t i = 0; i < reading->group_count && !status; i++) {
        status = find_configured(reading, reading->groups[i], err);
    }
    return status;
}
