/* Phase 9: its options, the table of its checks, and what a pair needs. */
#include "phases/ocsumutil.h"

#include <ctype.h>
#include <string.h>

#include "base/text.h"

static int valid_text(const char *value, struct umx_error *err)
{
    return *value != '\0' ? 0 : umx_fail(err, UMX_ERR_OPTION_INVALID, "ocsumutil", "the value is empty");
}

static int valid_form(const char *value, struct umx_error *err)
{
    if (strstr(value, "{context}") != NULL)
        return 0;
    return umx_fail(err, UMX_ERR_OPTION_INVALID, "ocsumutil.auto-attendant-form", "\"%s\" has no {context}", value);
}

const struct umx_phase_option umx_ocsumutil_options[] = {
    {"ou", "DN",
     "organizational unit of new contacts (default: the one named RTC Special Accounts); made when it is "
     "missing and its parent is there",
     valid_text},
    {"pool", "POOL", "pool that homes new contacts (default: the one with most Enterprise Voice users)", valid_text},
    {"sip-domain", "DOMAIN", "domain of new contacts' SIP addresses (default: the forest's first SIP domain)",
     valid_text},
    {"auto-attendant-form", "TEXT",
     "experimental: what follows opaque=app:exum: for an auto attendant, with {context} and {name}; no public source "
     "shows it, compare with a contact that OcsUmUtil made",
     valid_form},
    {NULL, NULL, NULL, NULL},
};

#define PLAN_AGAIN "`umx plan create NAME --phase ocsumutil --pair EXCHANGE:LYNC`"
#define NEEDS_TABLES "dial_plan auto_attendant contact"

const struct umx_phase_check umx_ocsumutil_checks[] = {
    {"ocsumutil/admins", "V9.1", "Are both groups there that whoever approves must be in?",
     "prepare the Lync forest: `Enable-CsAdForest`", UMX_NEEDS_LYNC, "admin_group", false, umx_oc_check_admins},
    {"ocsumutil/scan", "O1", "Is every forest that the Lync forest trusts, and Load Data would scan, configured?",
     "add a [forest NAME] section to the controller's configuration", UMX_NEEDS_LYNC, "trust", false,
     umx_oc_check_scan},
    {"ocsumutil/ou-rights", "V9.2", "May RTCUniversalUserAdmins create and write contacts in the units that hold them?",
     "`Grant-CsOUPermission -OU DN -ObjectType \"Contact\",\"Device\"` as a domain administrator", UMX_NEEDS_LYNC,
     "organizational_unit access_entry admin_group", false, umx_oc_check_rights},
    {"ocsumutil/auto-attendants", "V9.3", "Has each enabled auto attendant with a pilot number one contact for it?",
     PLAN_AGAIN, UMX_NEEDS_BOTH, NEEDS_TABLES, true, umx_oc_check_attendants},
    {"ocsumutil/subscriber-access", "V9.4", "Has each access number of each SIP dial plan one contact?", PLAN_AGAIN,
     UMX_NEEDS_BOTH, NEEDS_TABLES, true, umx_oc_check_access},
    {"ocsumutil/numbers", "U3", "Are the numbers that callers dial in E.164 form?",
     "`Set-UMDialPlan NAME -AccessTelephoneNumbers +...`, `Set-UMAutoAttendant NAME -PilotIdentifierList +...`",
     UMX_NEEDS_EXCHANGE, "dial_plan auto_attendant", false, umx_oc_check_numbers},
    {"ocsumutil/phone-context", "V9.5", "Does each contact name a dial plan, and a number of it, that exist?",
     "remove it with a row `remove` of `umx plan template --phase ocsumutil`, or correct it with `edit`",
     UMX_NEEDS_BOTH, NEEDS_TABLES, false, umx_oc_check_context},
    {"ocsumutil/home", "V9.6", "Is each contact enabled, on a pool that exists, with a SIP domain of the forest?",
     "correct it with a row `edit` of `umx plan create --phase ocsumutil --input FILE`", UMX_NEEDS_LYNC,
     "contact lync_pool", false, umx_oc_check_home},
    {"ocsumutil/line-unique", "V9.7", "Is each contact's number used by nobody else among users and contacts?",
     "give one of them another number; response groups and conferencing numbers are looked at with `Get-CsRgsWorkflow` "
     "and `Get-CsDialInConferencingAccessNumber`",
     UMX_NEEDS_LYNC, "contact voice_user", false, umx_oc_check_lines},
    {"ocsumutil/address-unique", "U6", "Is each contact's SIP address used by nobody else?",
     "correct it with a row `edit`", UMX_NEEDS_LYNC, "contact voice_user", false, umx_oc_check_addresses},
    {"ocsumutil/attendant-names", "U4", "Do auto attendants have names without spaces?",
     "make a new auto attendant whose name has none", UMX_NEEDS_EXCHANGE, "auto_attendant dial_plan", false,
     umx_oc_check_names},
    {"ocsumutil/attendant-enabled", "U7", "Is each auto attendant that callers can reach enabled?",
     "`Enable-UMAutoAttendant NAME`", UMX_NEEDS_EXCHANGE, "auto_attendant dial_plan", false, umx_oc_check_enabled},
    {"ocsumutil/dial-plan-name", "U5",
     "Where a server below 2010 SP1 serves the plan: is there a Lync dial plan with its phone context as name?",
     "`umx check --phase lync-dial-plans`", UMX_NEEDS_BOTH, "dial_plan exchange_server", false, umx_oc_check_plan_name},
    {.id = NULL},
};

int umx_ocsumutil_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                        struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("ocsumutil"), world, pair, options, out, err);
}

/* ---- contacts */

const char *umx_oc_context(const Umx__Contact *contact, struct umx_arena *arena, Umx__Contact__Type *type)
{
    static const char mark[] = "opaque=app:exum:";
    const char *at = strstr(umx_or_empty(contact->other_ip_phone), mark);

    *type = UMX__CONTACT__TYPE__SUBSCRIBER_ACCESS;
    if (at == NULL)
        return "";
    at += sizeof mark - 1;
    size_t length = strcspn(at, ":;");
    if (at[length] != '\0')
        *type = UMX__CONTACT__TYPE__AUTO_ATTENDANT;
    const char *copy = umx_arena_copy(arena, at, length);
    return copy != NULL ? copy : "";
}

const char *umx_oc_number(const Umx__Contact *contact, struct umx_arena *arena)
{
    const char *line = umx_or_empty(contact->line);

    if (strncasecmp(line, "tel:", 4) == 0)
        line += 4;
    if (*line == '\0')
        line = umx_or_empty(contact->telephone_number);
    const char *copy = umx_arena_copy(arena, line, strcspn(line, ";"));
    return copy != NULL ? copy : "";
}

bool umx_oc_same_number(const char *a, const char *b)
{
    return *a != '\0' && strcmp(a + (*a == '+'), b + (*b == '+')) == 0;
}

const char *umx_oc_type_word(Umx__Contact__Type type)
{
    return type == UMX__CONTACT__TYPE__AUTO_ATTENDANT ? "auto_attendant" : "subscriber_access";
}

/* ---- what is needed */

const Umx__DialPlan *umx_oc_plan(const Umx__World *world, const char *phone_context)
{
    for (size_t i = 0; i < world->n_dial_plan; i++)
        if (world->dial_plan[i]->uri_type == UMX__DIAL_PLAN__URI_TYPE__SIP_NAME &&
            umx_text_equal(world->dial_plan[i]->phone_context, phone_context))
            return world->dial_plan[i];
    return NULL;
}

bool umx_oc_unspeakable(const Umx__DialPlan *plan)
{
    return strpbrk(umx_or_empty(plan->phone_context), ":;") != NULL;
}

bool umx_oc_has_attendant(const Umx__World *world, const Umx__DialPlan *plan, const char *number)
{
    for (size_t i = 0; i < world->n_auto_attendant; i++) {
        const Umx__AutoAttendant *attendant = world->auto_attendant[i];
        if (!umx_text_equal(attendant->forest, plan->forest) ||
            !umx_text_dn_equal(umx_or_empty(attendant->dial_plan_dn), plan->dn))
            continue;
        for (size_t k = 0; k < attendant->n_number; k++)
            if (umx_oc_same_number(number, attendant->number[k]))
                return true;
    }
    return false;
}

bool umx_oc_name_binding(const Umx__World *world, const Umx__DialPlan *plan)
{
    for (size_t i = 0; i < world->n_exchange_server; i++) {
        const Umx__ExchangeServer *server = world->exchange_server[i];
        bool old = server->version_major < 14 || (server->version_major == 14 && server->version_minor < 1);
        if (!old || !server->has_version_major || !umx_text_equal(server->forest, plan->forest))
            continue;
        for (size_t k = 0; k < server->n_dial_plan_dn; k++)
            if (umx_text_dn_equal(server->dial_plan_dn[k], plan->dn))
                return true;
    }
    return false;
}

/* The contacts of the Lync forest for one number, by the key of 3.7 O4. */
static void find_contact(const struct umx_view *view, struct umx_oc_need *need, struct umx_arena *arena)
{
    for (size_t i = 0; i < view->world->n_contact; i++) {
        const Umx__Contact *contact = view->world->contact[i];
        Umx__Contact__Type type;
        if (!umx_text_equal(contact->forest, view->pair->lync) ||
            !umx_oc_same_number(umx_oc_number(contact, arena), need->number) ||
            !umx_text_equal(umx_oc_context(contact, arena, &type), need->plan->phone_context) || type != need->type)
            continue;
        if (need->contacts++ == 0)
            need->contact = contact;
    }
}

struct umx_oc_need *umx_oc_needs(const struct umx_view *view, struct umx_arena *arena, size_t *count)
{
    const Umx__World *world = view->world;
    size_t most = 1;

    *count = 0;
    for (size_t i = 0; i < world->n_dial_plan; i++)
        most += world->dial_plan[i]->n_access_number;
    for (size_t i = 0; i < world->n_auto_attendant; i++)
        most += world->auto_attendant[i]->n_number;
    struct umx_oc_need *needs = umx_arena_alloc(arena, most * sizeof *needs);
    for (size_t p = 0; needs != NULL && p < world->n_dial_plan; p++) {
        const Umx__DialPlan *plan = world->dial_plan[p];
        if (!umx_text_equal(plan->forest, view->pair->exchange) ||
            plan->uri_type != UMX__DIAL_PLAN__URI_TYPE__SIP_NAME || umx_or_empty(plan->phone_context)[0] == '\0')
            continue;
        for (size_t i = 0; i < plan->n_access_number; i++)
            needs[(*count)++] = (struct umx_oc_need){
                .type = UMX__CONTACT__TYPE__SUBSCRIBER_ACCESS, .plan = plan, .number = plan->access_number[i]};
        for (size_t a = 0; a < world->n_auto_attendant; a++) {
            const Umx__AutoAttendant *attendant = world->auto_attendant[a];
            if (!attendant->enabled || !umx_text_equal(attendant->forest, plan->forest) ||
                !umx_text_dn_equal(umx_or_empty(attendant->dial_plan_dn), plan->dn))
                continue;
            for (size_t i = 0; i < attendant->n_number; i++)
                needs[(*count)++] = (struct umx_oc_need){.type = UMX__CONTACT__TYPE__AUTO_ATTENDANT,
                                                         .plan = plan,
                                                         .attendant = attendant,
                                                         .number = attendant->number[i]};
        }
    }
    for (size_t i = 0; i < *count; i++) {
        needs[i].e164 = umx_is_e164(needs[i].number);
        find_contact(view, &needs[i], arena);
    }
    return needs;
}

/* ---- organizational units */

const Umx__OrganizationalUnit *umx_oc_unit(const Umx__World *world, const char *forest, const char *dn)
{
    for (size_t i = 0; i < world->n_organizational_unit; i++)
        if (umx_text_equal(world->organizational_unit[i]->forest, forest) &&
            umx_text_dn_equal(world->organizational_unit[i]->dn, dn))
            return world->organizational_unit[i];
    return NULL;
}

/* Schema GUID of class contact, in directory text form. */
#define CONTACT_CLASS "5cb41ed0-0e4c-11d0-a286-00aa003049e2"

enum { CREATE_CHILD = 0x1, WRITE_PROPERTY = 0x20, INHERIT_ONLY = 0x8, DENY = 1, OBJECT_DENY = 6 };

struct umx_oc_right umx_oc_right(const Umx__World *world, const Umx__OrganizationalUnit *unit, const char *sid)
{
    struct umx_oc_right right = {false, false, NULL};

    for (size_t i = 0; i < world->n_access_entry; i++) {
        const Umx__AccessEntry *entry = world->access_entry[i];
        if (!umx_text_equal(entry->forest, unit->forest) || !umx_text_dn_equal(entry->target_dn, unit->dn) ||
            !umx_text_equal(entry->trustee_sid, sid))
            continue;
        const char *type = umx_or_empty(entry->object_type);
        const char *below = umx_or_empty(entry->inherited_object_type);
        bool deny = entry->type == DENY || entry->type == OBJECT_DENY;
        bool here = (entry->flags & INHERIT_ONLY) == 0 && (*type == '\0' || umx_text_equal(type, CONTACT_CLASS));
        if ((entry->mask & CREATE_CHILD) != 0 && here) {
            if (deny && right.denied == NULL && !right.create)
                right.denied = entry;
            else if (!deny)
                right.create = true;
        }
        /* Property sets have many GUIDs: any write to contacts below says that Grant-CsOUPermission ran. */
        if ((entry->mask & WRITE_PROPERTY) != 0 && !deny && (*below == '\0' || umx_text_equal(below, CONTACT_CLASS)))
            right.write = true;
    }
    if (right.denied != NULL)
        right.create = false;
    return right;
}
