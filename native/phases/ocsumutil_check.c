/* Phase 9: what both directories show of contacts (V9.1 to V9.7, U1 to U7). */
#include <string.h>

#include "base/text.h"
#include "phases/ocsumutil.h"

static void say(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out,
                Umx__Finding__Status status, const char *forest, const char *target, const char *expected,
                const char *actual)
{
    const struct umx_answer answer = {
        .status = status, .forest = forest, .target = target, .expected = expected, .actual = actual};

    umx_findings_add(out, view, check, &answer);
}

static Umx__Finding__Status pass_or(bool good, Umx__Finding__Status otherwise)
{
    return good ? UMX__FINDING__STATUS__PASS : otherwise;
}

static void nothing_to_ask(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out,
                           const char *forest, const char *why)
{
    say(view, check, out, UMX__FINDING__STATUS__NOT_APPLICABLE, forest, forest, NULL, why);
}

static const char *name_of(const Umx__Contact *contact)
{
    return umx_or_empty(contact->sip_address)[0] != '\0' ? contact->sip_address : umx_or_empty(contact->dn);
}

static bool ours(const struct umx_view *view, const Umx__Contact *contact)
{
    return umx_text_equal(contact->forest, view->pair->lync);
}

/* ---- groups, forests, rights */

void umx_oc_check_admins(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    static const char *const groups[][2] = {{"rtc_server_admins", "RTCUniversalServerAdmins"},
                                            {"rtc_user_admins", "RTCUniversalUserAdmins"}};

    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        const Umx__AdminGroup *group = umx_find_group(view->world, view->pair->lync, groups[i][0]);
        bool good = group != NULL && umx_or_empty(group->sid)[0] != '\0';
        say(view, check, out, pass_or(good, UMX__FINDING__STATUS__FAIL), view->pair->lync, groups[i][1],
            "the group is there; the approver's membership in both is proven when the plan is approved",
            good ? umx_say(out, "%s, %s", umx_or_empty(group->name), group->sid) : "not found");
    }
}

void umx_oc_check_scan(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    enum { FOREST_TRANSITIVE = 8 };
    bool any = false;

    for (size_t i = 0; i < view->world->n_trust; i++) {
        const Umx__Trust *trust = view->world->trust[i];
        if (!umx_text_equal(trust->forest, view->pair->lync) || (trust->attributes & FOREST_TRANSITIVE) == 0)
            continue;
        any = true;
        const Umx__Forest *known = umx_find_forest(view->world, umx_or_empty(trust->partner));
        say(view, check, out, pass_or(known != NULL, UMX__FINDING__STATUS__WARN), view->pair->lync,
            umx_or_empty(trust->partner), "the forest is in the controller's configuration",
            known != NULL ? "it is read" : "it is trusted and not configured: its dial plans are not seen");
    }
    if (!any)
        nothing_to_ask(view, check, out, view->pair->lync, "no forest is trusted: only this one can hold dial plans");
}

void umx_oc_check_rights(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__AdminGroup *admins = umx_find_group(view->world, view->pair->lync, "rtc_user_admins");
    const char *wanted = umx_option(view->options, "ocsumutil", "ou");
    size_t asked = 0;

    for (size_t i = 0; i < view->world->n_organizational_unit; i++) {
        const Umx__OrganizationalUnit *unit = view->world->organizational_unit[i];
        static const char expected[] = "RTCUniversalUserAdmins may create contacts in it and write theirs";
        if (!umx_text_equal(unit->forest, view->pair->lync) ||
            !(unit->contacts > 0 || umx_text_equal(unit->name, "RTC Special Accounts") ||
              (wanted != NULL && umx_text_dn_equal(unit->dn, wanted))))
            continue;
        asked++;
        if (admins == NULL || umx_or_empty(unit->dacl_error)[0] != '\0') {
            say(view, check, out, UMX__FINDING__STATUS__UNKNOWN, view->pair->lync, unit->dn, expected,
                admins == NULL ? "RTCUniversalUserAdmins was not found"
                               : umx_say(out, "its access-control list could not be read: %s", unit->dacl_error));
            continue;
        }
        struct umx_oc_right right = umx_oc_right(view->world, unit, admins->sid);
        say(view, check, out, pass_or(right.create && right.write, UMX__FINDING__STATUS__FAIL), view->pair->lync,
            unit->dn, expected,
            right.denied != NULL ? umx_say(out, "denied by %s", umx_or_empty(right.denied->sddl))
            : right.create && right.write
                ? "both are granted"
                : umx_say(out, "%s%s%s%s", right.create ? "" : "no entry lets the group create contacts",
                          right.create || right.write ? "" : "; ", right.write ? "" : "no entry lets it write contacts",
                          unit->dacl_protected ? "; inheritance is blocked here" : ""));
    }
    if (asked == 0)
        nothing_to_ask(view, check, out, view->pair->lync, "no organizational unit holds contacts yet");
}

/* ---- needs */

static void check_needs(const struct umx_view *view, const struct umx_phase_check *check, Umx__Contact__Type type,
                        const char *none, struct umx_findings *out)
{
    size_t count, asked = 0;
    const struct umx_oc_need *needs = umx_oc_needs(view, out->arena, &count);

    if (needs == NULL) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const struct umx_oc_need *need = &needs[i];
        if (need->type != type)
            continue;
        asked++;
        const char *target = need->attendant != NULL
                                 ? umx_say(out, "%s %s", umx_or_empty(need->attendant->name), need->number)
                                 : umx_say(out, "%s %s", need->plan->phone_context, need->number);
        const char *actual = need->contacts == 0   ? "none"
                             : need->contacts == 1 ? umx_say(out, "%s", name_of(need->contact))
                                                   : umx_say(out, "%zu contacts", need->contacts);
        say(view, check, out, pass_or(need->contacts == 1, UMX__FINDING__STATUS__FAIL), view->pair->lync, target,
            "one contact with this number", actual);
    }
    if (asked == 0)
        nothing_to_ask(view, check, out, view->pair->exchange, none);
}

void umx_oc_check_attendants(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    check_needs(view, check, UMX__CONTACT__TYPE__AUTO_ATTENDANT,
                "no SIP dial plan has an enabled auto attendant with a pilot number", out);
}

/* A plan without numbers is no reason to call the phase done: it is asked for, and warned about (U2). */
void umx_oc_check_access(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    bool any = false;

    for (size_t i = 0; i < view->world->n_dial_plan; i++) {
        const Umx__DialPlan *plan = view->world->dial_plan[i];
        if (!umx_text_equal(plan->forest, view->pair->exchange) || plan->uri_type != UMX__DIAL_PLAN__URI_TYPE__SIP_NAME)
            continue;
        any = true;
        if (plan->n_access_number == 0)
            say(view, check, out, UMX__FINDING__STATUS__WARN, view->pair->exchange, umx_or_empty(plan->phone_context),
                "an access number for callers from outside",
                "none: Outlook Voice Access cannot be reached by telephone");
    }
    if (any)
        check_needs(view, check, UMX__CONTACT__TYPE__SUBSCRIBER_ACCESS, "no SIP dial plan has an access number", out);
    else
        say(view, check, out, UMX__FINDING__STATUS__FAIL, view->pair->exchange, view->pair->exchange,
            "a SIP dial plan with access numbers", "there is no SIP dial plan");
}

void umx_oc_check_numbers(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t count;
    const struct umx_oc_need *needs = umx_oc_needs(view, out->arena, &count);

    for (size_t i = 0; needs != NULL && i < count; i++)
        say(view, check, out, pass_or(needs[i].e164, UMX__FINDING__STATUS__FAIL), view->pair->exchange,
            umx_say(out, "%s %s",
                    needs[i].attendant != NULL ? umx_or_empty(needs[i].attendant->name)
                                               : umx_or_empty(needs[i].plan->name),
                    needs[i].number),
            "+, then 2 to 15 digits, the first not 0", needs[i].number);
    if (needs == NULL)
        out->failed = 1;
    else if (count == 0)
        nothing_to_ask(view, check, out, view->pair->exchange, "no SIP dial plan or auto attendant has a number");
}

/* ---- contacts that are there */

void umx_oc_check_context(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t asked = 0;

    for (size_t i = 0; i < view->world->n_contact; i++) {
        const Umx__Contact *contact = view->world->contact[i];
        Umx__Contact__Type type;
        if (!ours(view, contact))
            continue;
        asked++;
        const char *context = umx_oc_context(contact, out->arena, &type);
        const Umx__DialPlan *plan = umx_oc_plan(view->world, context);
        const char *number = umx_oc_number(contact, out->arena);
        bool known =
            plan != NULL &&
            (type == UMX__CONTACT__TYPE__AUTO_ATTENDANT ? umx_oc_has_attendant(view->world, plan, number) : true);
        bool listed = known && type == UMX__CONTACT__TYPE__AUTO_ATTENDANT;
        for (size_t k = 0; known && type == UMX__CONTACT__TYPE__SUBSCRIBER_ACCESS && k < plan->n_access_number; k++)
            listed = listed || umx_oc_same_number(number, plan->access_number[k]);
        const char *actual = *context == '\0' ? "otherIpPhone names no dial plan: the contact is never routed"
                             : plan == NULL   ? umx_say(out, "no SIP dial plan has the phone context %s", context)
                             : !known  ? umx_say(out, "no auto attendant of %s has the number %s", context, number)
                             : !listed ? umx_say(out, "%s is no access number of %s", number, context)
                                       : umx_say(out, "%s %s", context, number);
        say(view, check, out,
            known && listed ? UMX__FINDING__STATUS__PASS
            : known         ? UMX__FINDING__STATUS__WARN
                            : UMX__FINDING__STATUS__FAIL,
            view->pair->lync, name_of(contact), "a dial plan that exists, and a number of it", actual);
    }
    if (asked == 0)
        nothing_to_ask(view, check, out, view->pair->lync, "there are no contacts");
}

static const Umx__LyncPool *home_of(const struct umx_view *view, const Umx__Contact *contact)
{
    for (size_t i = 0; i < view->world->n_lync_pool; i++) {
        const Umx__LyncPool *pool = view->world->lync_pool[i];
        if (umx_text_equal(pool->forest, view->pair->lync) &&
            umx_text_dn_within(umx_or_empty(contact->home_server_dn), umx_or_empty(pool->dn)))
            return pool;
    }
    return NULL;
}

static bool of_domain(const Umx__Forest *forest, const char *address)
{
    const char *at = strrchr(address, '@');

    for (size_t i = 0; at != NULL && i < forest->n_sip_domain; i++)
        if (umx_text_equal(forest->sip_domain[i], at + 1))
            return true;
    return false;
}

void umx_oc_check_home(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    size_t asked = 0;

    for (size_t i = 0; i < view->world->n_contact; i++) {
        const Umx__Contact *contact = view->world->contact[i];
        if (!ours(view, contact))
            continue;
        asked++;
        const Umx__LyncPool *pool = home_of(view, contact);
        bool domain = view->lync->n_sip_domain == 0 || of_domain(view->lync, umx_or_empty(contact->sip_address));
        bool enabled = contact->has_enabled && contact->enabled;
        say(view, check, out, pass_or(pool != NULL && domain && enabled, UMX__FINDING__STATUS__FAIL), view->pair->lync,
            name_of(contact), "enabled, homed on a pool, with a SIP domain of the forest",
            pool == NULL ? umx_say(out, "no pool has its home server %s", umx_or_empty(contact->home_server_dn))
            : !enabled   ? "msRTCSIP-UserEnabled is not TRUE"
            : !domain    ? umx_say(out, "%s is in no SIP domain of the forest", umx_or_empty(contact->sip_address))
                         : umx_say(out, "enabled on %s", umx_or_empty(pool->pool)));
    }
    if (asked == 0)
        nothing_to_ask(view, check, out, view->pair->lync, "there are no contacts");
}

static const char *line_number(const char *line, struct umx_findings *out)
{
    const char *number = umx_or_empty(line);

    if (strncasecmp(number, "tel:", 4) == 0)
        number += 4;
    return umx_say(out, "%.*s", (int)strcspn(number, ";"), number);
}

/* Who else has the value, among users and contacts of the Lync forest. */
static const char *other_with(const struct umx_view *view, const Umx__Contact *self, const char *value, bool address,
                              struct umx_findings *out)
{
    for (size_t i = 0; i < view->world->n_contact; i++) {
        const Umx__Contact *contact = view->world->contact[i];
        if (contact == self || !ours(view, contact))
            continue;
        if (address ? umx_text_equal(contact->sip_address, value)
                    : umx_oc_same_number(umx_oc_number(contact, out->arena), value))
            return umx_or_empty(contact->dn);
    }
    for (size_t i = 0; i < view->world->n_voice_user; i++) {
        const Umx__VoiceUser *user = view->world->voice_user[i];
        if (!umx_text_equal(user->forest, view->pair->lync))
            continue;
        if (address ? umx_text_equal(user->sip_address, value)
                    : user->line != NULL && strchr(user->line, ';') == NULL &&
                          umx_oc_same_number(line_number(user->line, out), value))
            return umx_or_empty(user->dn);
    }
    return NULL;
}

static void check_unique(const struct umx_view *view, const struct umx_phase_check *check, bool address,
                         struct umx_findings *out)
{
    size_t asked = 0;

    for (size_t i = 0; i < view->world->n_contact; i++) {
        const Umx__Contact *contact = view->world->contact[i];
        if (!ours(view, contact))
            continue;
        asked++;
        const char *value = address ? umx_or_empty(contact->sip_address) : umx_oc_number(contact, out->arena);
        const char *other = *value != '\0' ? other_with(view, contact, value, address, out) : NULL;
        say(view, check, out, pass_or(other == NULL && *value != '\0', UMX__FINDING__STATUS__FAIL), view->pair->lync,
            name_of(contact), address ? "a SIP address of its own" : "a number of its own",
            *value == '\0'  ? "it has none"
            : other != NULL ? umx_say(out, "%s is also used by %s", value, other)
                            : value);
    }
    if (asked == 0)
        nothing_to_ask(view, check, out, view->pair->lync, "there are no contacts");
}

void umx_oc_check_lines(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    check_unique(view, check, false, out);
}

void umx_oc_check_addresses(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    check_unique(view, check, true, out);
}

/* ---- auto attendants and plans */

/* Auto attendants of the Exchange forest's SIP plans, in order; NULL: no more. */
static const Umx__AutoAttendant *next_attendant(const struct umx_view *view, size_t *from)
{
    while (*from < view->world->n_auto_attendant) {
        const Umx__AutoAttendant *attendant = view->world->auto_attendant[(*from)++];
        if (!umx_text_equal(attendant->forest, view->pair->exchange))
            continue;
        for (size_t i = 0; i < view->world->n_dial_plan; i++)
            if (view->world->dial_plan[i]->uri_type == UMX__DIAL_PLAN__URI_TYPE__SIP_NAME &&
                umx_text_dn_equal(umx_or_empty(attendant->dial_plan_dn), view->world->dial_plan[i]->dn))
                return attendant;
    }
    return NULL;
}

void umx_oc_check_names(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__AutoAttendant *attendant;
    size_t from = 0, asked = 0;

    for (; (attendant = next_attendant(view, &from)) != NULL; asked++) {
        bool good = strchr(umx_or_empty(attendant->name), ' ') == NULL;
        say(view, check, out, pass_or(good, UMX__FINDING__STATUS__FAIL), view->pair->exchange,
            umx_or_empty(attendant->name), "no space in the name", good ? "none" : "the name has a space");
    }
    if (asked == 0)
        nothing_to_ask(view, check, out, view->pair->exchange, "no SIP dial plan has an auto attendant");
}

void umx_oc_check_enabled(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__AutoAttendant *attendant;
    size_t from = 0, asked = 0;

    while ((attendant = next_attendant(view, &from)) != NULL) {
        if (attendant->n_number == 0)
            continue;
        asked++;
        say(view, check, out, pass_or(attendant->enabled, UMX__FINDING__STATUS__WARN), view->pair->exchange,
            umx_or_empty(attendant->name), "enabled",
            attendant->enabled ? "enabled" : "disabled, as new ones are: a call to it fails (event 1164)");
    }
    if (asked == 0)
        nothing_to_ask(view, check, out, view->pair->exchange,
                       "no auto attendant of a SIP dial plan has a pilot number");
}

void umx_oc_check_plan_name(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    const Umx__World *world = view->world;
    bool told = false;

    for (size_t i = 0; i < world->n_lync_dial_plan; i++)
        told = told || umx_text_equal(world->lync_dial_plan[i]->forest, view->pair->lync);
    for (size_t p = 0; p < world->n_dial_plan; p++) {
        const Umx__DialPlan *plan = world->dial_plan[p];
        const char *context = umx_or_empty(plan->phone_context);
        bool found = false;
        if (!umx_text_equal(plan->forest, view->pair->exchange) || plan->uri_type != UMX__DIAL_PLAN__URI_TYPE__SIP_NAME)
            continue;
        if (!umx_oc_name_binding(world, plan)) {
            say(view, check, out, UMX__FINDING__STATUS__NOT_APPLICABLE, view->pair->exchange, context, NULL,
                "every server linked to it is 2010 SP1 or later: OcsUmUtil's warning about the name can be ignored");
            continue;
        }
        for (size_t i = 0; i < world->n_lync_dial_plan; i++)
            found = found || (umx_text_equal(world->lync_dial_plan[i]->forest, view->pair->lync) &&
                              umx_text_equal(world->lync_dial_plan[i]->simple_name, context));
        say(view, check, out,
            found  ? UMX__FINDING__STATUS__PASS
            : told ? UMX__FINDING__STATUS__FAIL
                   : UMX__FINDING__STATUS__UNKNOWN,
            view->pair->lync, context, umx_say(out, "a Lync dial plan named %s", context),
            found  ? "there"
            : told ? "none has this name"
                   : "no agent on a Lync server has told of its dial plans");
    }
}
