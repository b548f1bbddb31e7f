/* Phase 9: rows of an input file, as the tool's Add, Edit and Remove (3.2). */
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/ocsumutil.h"

#define SLUG "ocsumutil"

struct row {
    struct umx_oc_work *work;
    const Umx__InputContact *in;
    bool bad;
};

#define REJECT(r, ...)                                                                                                 \
    do {                                                                                                               \
        umx_steps_reject((r)->work->out, "contact", (r)->in->row, __VA_ARGS__);                                        \
        (r)->bad = true;                                                                                               \
    } while (0)

static bool given(const char *text)
{
    return umx_or_empty(text)[0] != '\0';
}

static const char *or_null(const char *text)
{
    return given(text) ? text : NULL;
}

static bool same_pair(const struct umx_pair *a, const struct umx_pair *b)
{
    return umx_text_equal(a->exchange, b->exchange) && umx_text_equal(a->lync, b->lync);
}

/* Whether the pair is the plan's first with its Lync forest. */
static bool is_first(const struct umx_pair *pairs, size_t count, const struct umx_pair *pair)
{
    for (size_t i = 0; i < count; i++)
        if (umx_text_equal(pairs[i].lync, pair->lync))
            return same_pair(&pairs[i], pair);
    return true;
}

/* The first pair of a Lync forest answers for rows whose phone context is nobody's. */
static bool is_of(const Umx__World *world, const struct umx_pair *pairs, size_t count, const struct umx_pair *pair,
                  const Umx__InputContact *in)
{
    const Umx__DialPlan *plan = given(in->phone_context) ? umx_oc_plan(world, in->phone_context) : NULL;

    if (given(in->forest) && !umx_text_equal(in->forest, pair->lync))
        return false;
    return plan != NULL ? umx_text_equal(plan->forest, pair->exchange) : is_first(pairs, count, pair);
}

/* Removals are carried out by the first pair of their Lync forest, whichever pair's rows they are: what they free can
 * be given to others by the rows of any. */
static bool is_ours(const struct umx_view *view, const Umx__InputContact *in, bool removal)
{
    const struct umx_pair *pairs = view->options->pairs;
    size_t count = view->options->pair_count;

    if (!removal || count == 0)
        return is_of(view->world, pairs, count, view->pair, in);
    for (size_t i = 0; i < count && is_first(pairs, count, view->pair); i++)
        if (umx_text_equal(pairs[i].lync, view->pair->lync) && is_of(view->world, pairs, count, &pairs[i], in))
            return true;
    return false;
}

static const Umx__LyncPool *pool_of(struct row *r)
{
    const Umx__World *world = r->work->view->world;

    if (!given(r->in->pool))
        return r->work->pool;
    for (size_t i = 0; i < world->n_lync_pool; i++)
        if (umx_text_equal(world->lync_pool[i]->forest, r->work->view->pair->lync) &&
            umx_text_equal(world->lync_pool[i]->pool, r->in->pool))
            return world->lync_pool[i];
    REJECT(r, "%s has no pool %s", r->work->view->pair->lync, r->in->pool);
    return NULL;
}

static void check_sip(struct row *r, const char *sip)
{
    const char *at = strrchr(sip, '@');
    const Umx__Forest *forest = r->work->view->lync;
    bool known = forest->n_sip_domain == 0;

    if (strncasecmp(sip, "sip:", 4) != 0 || at == NULL || at == sip + 4 || at[1] == '\0' ||
        strpbrk(sip, " ;,<>\"\t") != NULL) {
        REJECT(r, "%s is no SIP address of the form sip:user@domain", sip);
        return;
    }
    for (size_t i = 0; i < forest->n_sip_domain; i++)
        known = known || umx_text_equal(forest->sip_domain[i], at + 1);
    if (!known)
        REJECT(r, "%s is no SIP domain of %s", at + 1, forest->forest);
}

static bool has_address(const Umx__Contact *contact, const char *sip)
{
    return sip != NULL && umx_text_equal(contact->sip_address, sip);
}

static bool has_number(const struct row *r, const Umx__Contact *contact, const char *number)
{
    return number != NULL && umx_oc_same_number(umx_oc_number(contact, r->work->out->arena), number);
}

/* What takes over an address or number waits until the contact that has it now has lost it. Now is before the plan:
 * what another pair's steps delete is not in this pair's world any more. */
static void wait_for_freed(struct row *r, Umx__PlanStep *step, const char *sip, const char *number,
                           const Umx__Contact *self)
{
    const struct umx_view *view = r->work->view;
    const Umx__World *before = umx_oc_before(view);

    for (size_t i = 0; step != NULL && i < before->n_contact; i++) {
        const Umx__Contact *other = before->contact[i];
        const char *after = NULL;
        if (!umx_text_equal(other->forest, view->pair->lync) ||
            (self != NULL && umx_text_dn_equal(umx_or_empty(other->dn), umx_or_empty(self->dn))))
            continue;
        if (has_address(other, sip))
            after = umx_oc_freed(r->work, other, UMX_OC_ADDRESS);
        if (after == NULL && has_number(r, other, number))
            after = umx_oc_freed(r->work, other, UMX_OC_NUMBER);
        if (after != NULL)
            umx_steps_depend(r->work->out, step, after);
    }
}

/* U6: in the forest as the steps so far leave it, and among the rows. */
static void check_unique(struct row *r, const char *sip, const char *number, const Umx__Contact *self)
{
    const struct umx_view *view = r->work->view;
    const Umx__Input *input = view->options->input;

    for (size_t i = 0; i < view->world->n_contact; i++) {
        const Umx__Contact *other = view->world->contact[i];
        if (other == self || !umx_text_equal(other->forest, view->pair->lync))
            continue;
        if (has_address(other, sip) && umx_oc_freed(r->work, other, UMX_OC_ADDRESS) == NULL)
            REJECT(r, "%s is the address of %s", sip, umx_or_empty(other->dn));
        if (has_number(r, other, number) && umx_oc_freed(r->work, other, UMX_OC_NUMBER) == NULL)
            REJECT(r, "%s is the number of %s", number, umx_or_empty(other->sip_address));
    }
    for (size_t i = 0; i < view->world->n_voice_user; i++) {
        const Umx__VoiceUser *user = view->world->voice_user[i];
        const char *line = umx_or_empty(user->line);
        if (!umx_text_equal(user->forest, view->pair->lync))
            continue;
        if (sip != NULL && umx_text_equal(user->sip_address, sip))
            REJECT(r, "%s is the address of %s", sip, umx_or_empty(user->dn));
        if (number != NULL && strncasecmp(line, "tel:", 4) == 0 && umx_oc_same_number(line + 4, number))
            REJECT(r, "%s is the number of %s", number, umx_or_empty(user->dn));
    }
    for (size_t i = 0; i < input->n_contact; i++) {
        const Umx__InputContact *other = input->contact[i];
        if (other == r->in || umx_text_equal(other->action, "remove"))
            continue;
        if (sip != NULL && umx_text_equal(other->sip_address, sip))
            REJECT(r, "row %d has the same SIP address", other->row);
        if (number != NULL && given(other->number) && umx_oc_same_number(other->number, number))
            REJECT(r, "row %d has the same number", other->row);
    }
}

static bool type_of(struct row *r, Umx__Contact__Type *type)
{
    *type = UMX__CONTACT__TYPE__SUBSCRIBER_ACCESS;
    if (umx_text_equal(r->in->type, "auto_attendant"))
        *type = UMX__CONTACT__TYPE__AUTO_ATTENDANT;
    else if (given(r->in->type) && !umx_text_equal(r->in->type, "subscriber_access")) {
        REJECT(r, "type %s is neither subscriber_access nor auto_attendant", r->in->type);
        return false;
    }
    return true;
}

static const Umx__AutoAttendant *attendant_of(struct row *r, const Umx__DialPlan *plan)
{
    const Umx__World *world = r->work->view->world;

    for (size_t i = 0; i < world->n_auto_attendant; i++)
        if (umx_text_equal(world->auto_attendant[i]->forest, plan->forest) &&
            umx_text_dn_equal(umx_or_empty(world->auto_attendant[i]->dial_plan_dn), plan->dn) &&
            umx_text_equal(world->auto_attendant[i]->name, r->in->auto_attendant))
            return world->auto_attendant[i];
    REJECT(r, "%s has no auto attendant %s", plan->phone_context,
           given(r->in->auto_attendant) ? r->in->auto_attendant : "(auto_attendant is empty)");
    return NULL;
}

/* A contact of this phone context, type and number is there, with the row's address where it names one: the row was
 * carried out before. */
static bool made_before(const struct row *r, const struct umx_oc_need *need)
{
    const struct umx_view *view = r->work->view;
    struct umx_arena *arena = r->work->out->arena;

    for (size_t i = 0; i < view->world->n_contact; i++) {
        const Umx__Contact *contact = view->world->contact[i];
        Umx__Contact__Type type;
        if (umx_text_equal(contact->forest, view->pair->lync) && umx_oc_touched(r->work, contact) != UMX_OC_REMOVED &&
            (!given(r->in->sip_address) || umx_text_equal(contact->sip_address, r->in->sip_address)) &&
            umx_text_equal(umx_oc_context(contact, arena, &type), need->plan->phone_context) && type == need->type &&
            umx_oc_same_number(umx_oc_number(contact, arena), need->number))
            return true;
    }
    return false;
}

static void create(struct row *r)
{
    const struct umx_view *view = r->work->view;
    const Umx__DialPlan *plan = umx_oc_plan(view->world, umx_or_empty(r->in->phone_context));
    struct umx_oc_need need = {.plan = plan, .number = umx_or_empty(r->in->number)};

    if (plan == NULL) {
        REJECT(r, "no SIP dial plan has the phone context %s",
               given(r->in->phone_context) ? r->in->phone_context : "(phone_context is empty)");
        return;
    }
    if (umx_oc_unspeakable(plan)) {
        REJECT(r, "no contact can name the phone context %s: it has a colon or a semicolon", plan->phone_context);
        return;
    }
    if (!type_of(r, &need.type))
        return;
    if (need.type == UMX__CONTACT__TYPE__AUTO_ATTENDANT && (need.attendant = attendant_of(r, plan)) == NULL)
        return;
    if (!umx_is_e164(need.number)) {
        REJECT(r, "number %s is not in E.164 form (+ and 2 to 15 digits)", need.number);
        return;
    }
    if (made_before(r, &need))
        return;
    struct umx_oc_contact contact = umx_oc_proposed(r->work, &need);
    contact.ou = given(r->in->ou) ? r->in->ou : contact.ou;
    contact.name = given(r->in->name) ? r->in->name : contact.name;
    contact.sip = given(r->in->sip_address) ? r->in->sip_address : contact.sip;
    contact.pool = pool_of(r);
    if (contact.ou == NULL)
        REJECT(r, "ou is empty, and %s has no unit named RTC Special Accounts", view->pair->lync);
    else if (!umx_oc_unit_possible(r->work, contact.ou))
        REJECT(r, "neither %s nor its parent is there", contact.ou);
    if (contact.sip == NULL)
        REJECT(r, "sip_address is empty, and %s has no SIP domain to propose one", view->pair->lync);
    else
        check_sip(r, contact.sip);
    if (contact.pool == NULL && !r->bad)
        REJECT(r, "pool is empty, and %s has no pool", view->pair->lync);
    if (!r->bad)
        check_unique(r, contact.sip, contact.number, NULL);
    if (!r->bad)
        wait_for_freed(r, umx_oc_create(r->work, &contact), contact.sip, contact.number, NULL);
}

/* The contact that a row means: by SIP address, else by phone context, type and number (3.7 O4). */
static const Umx__Contact *find(struct row *r)
{
    const struct umx_view *view = r->work->view;
    const Umx__Contact *by_key = NULL;
    size_t keys = 0;
    Umx__Contact__Type wanted;

    if (!type_of(r, &wanted))
        return NULL;
    for (size_t i = 0; i < view->world->n_contact; i++) {
        const Umx__Contact *contact = view->world->contact[i];
        Umx__Contact__Type type;
        if (!umx_text_equal(contact->forest, view->pair->lync))
            continue;
        if (given(r->in->sip_address) && umx_text_equal(contact->sip_address, r->in->sip_address))
            return contact;
        if (given(r->in->number) && given(r->in->phone_context) &&
            umx_text_equal(umx_oc_context(contact, r->work->out->arena, &type), r->in->phone_context) &&
            type == wanted && umx_oc_same_number(umx_oc_number(contact, r->work->out->arena), r->in->number)) {
            by_key = contact;
            keys++;
        }
    }
    if (keys == 1)
        return by_key;
    REJECT(r,
           keys == 0 ? "no contact has this SIP address, or this phone context, type and number (%s)"
                     : "several contacts have this phone context, type and number: name the SIP address (%s)",
           umx_or_empty(r->in->number));
    return NULL;
}

/* The same; a contact that another row has is refused, since what it is after that is not looked at here. */
static const Umx__Contact *find_untouched(struct row *r)
{
    const Umx__Contact *contact = find(r);
    enum umx_oc_touched touched = contact != NULL ? umx_oc_touched(r->work, contact) : UMX_OC_UNTOUCHED;

    if (touched == UMX_OC_UNTOUCHED)
        return contact;
    REJECT(r, "%s is %s by another row already", umx_or_empty(contact->sip_address),
           touched == UMX_OC_REMOVED ? "removed" : "changed");
    return NULL;
}

static const ProtobufCBinaryData *guid_of(const Umx__Contact *contact)
{
    return contact->has_object_guid ? &contact->object_guid : NULL;
}

static void replace(struct umx_oc_work *work, Umx__PlanStep *step, const char *attribute, const char *old,
                    const char *value)
{
    if (value != NULL && !umx_text_equal(old, value))
        umx_step_replace(work->out, step, attribute, or_null(old), value);
}

/* Set-CsExUmContact rewrites otherIpPhone with the address (3.4): so does this. */
static void replace_address(struct umx_oc_work *work, Umx__PlanStep *step, const Umx__Contact *contact, const char *sip)
{
    const char *rest = strchr(umx_or_empty(contact->other_ip_phone), ';');

    if (umx_text_equal(contact->sip_address, sip))
        return;
    umx_step_replace(work->out, step, "msRTCSIP-PrimaryUserAddress", or_null(contact->sip_address), sip);
    if (rest != NULL)
        umx_step_replace(work->out, step, "otherIpPhone", contact->other_ip_phone,
                         umx_steps_say(work->out, "%s%s", sip, rest));
    for (size_t i = 0; i < contact->n_proxy_address; i++)
        if (umx_text_equal(contact->proxy_address[i], contact->sip_address))
            umx_step_remove_value(work->out, step, "proxyAddresses", contact->proxy_address[i], false);
    umx_step_add_value(work->out, step, "proxyAddresses", sip, false);
}

/* A row found by its key may change the address; one found by its address may change the number. */
static void edit(struct row *r)
{
    struct umx_oc_work *work = r->work;
    const Umx__Contact *contact = find_untouched(r);
    const char *sip = or_null(r->in->sip_address), *number = or_null(r->in->number);

    if (contact == NULL)
        return;
    const Umx__LyncPool *pool = given(r->in->pool) ? pool_of(r) : NULL;
    if (sip != NULL)
        check_sip(r, sip);
    if (number != NULL && !umx_is_e164(number))
        REJECT(r, "number %s is not in E.164 form (+ and 2 to 15 digits)", number);
    if (given(r->in->ou) && !umx_text_dn_equal(r->in->ou, umx_or_empty(umx_text_dn_parent(contact->dn))))
        REJECT(r, "a contact is not moved by edit: remove it, and create it in %s", r->in->ou);
    if (!r->bad)
        check_unique(r, sip, number, contact);
    if (r->bad)
        return;
    Umx__PlanStep *step = umx_step_write(work->out, SLUG, UMX__FOREST__SIDE__LYNC, work->view->pair->lync,
                                         UMX__CHANGE__KIND__MODIFY, contact->dn, guid_of(contact));
    if (step == NULL)
        return;
    replace(work, step, "displayName", contact->display_name, or_null(r->in->name));
    if (pool != NULL)
        replace(work, step, "msRTCSIP-PrimaryHomeServer", contact->home_server_dn, umx_oc_home(work, pool));
    if (number != NULL && !umx_oc_same_number(umx_oc_number(contact, work->out->arena), number)) {
        replace(work, step, "msRTCSIP-Line", contact->line, umx_steps_say(work->out, "tel:%s", number));
        replace(work, step, "telephoneNumber", contact->telephone_number, number);
    }
    if (sip != NULL)
        replace_address(work, step, contact, sip);
    if (step->change->n_modify == 0) {
        work->out->count--; /* it is so already */
        return;
    }
    wait_for_freed(r, step, sip, number, contact);
    step->summary =
        umx_steps_copy(work->out, umx_steps_say(work->out, "change contact %s", umx_or_empty(contact->sip_address)));
    step->undo = umx_steps_copy(work->out, "puts the old values back, where nobody has changed them since");
}

static void take_away(struct row *r)
{
    struct umx_oc_work *work = r->work;
    const Umx__Contact *contact = find_untouched(r);

    if (contact == NULL)
        return;
    Umx__PlanStep *step = umx_step_write(work->out, SLUG, UMX__FOREST__SIDE__LYNC, work->view->pair->lync,
                                         UMX__CHANGE__KIND__DELETE, contact->dn, guid_of(contact));
    if (step == NULL)
        return;
    step->summary =
        umx_steps_copy(work->out, umx_steps_say(work->out, "delete contact %s (%s)", umx_or_empty(contact->sip_address),
                                                umx_oc_number(contact, work->out->arena)));
    step->undo = umx_steps_copy(work->out, "makes it again with all its attributes, and a new GUID");
}

/* Rows that no pair of the plan answers for: left out without a word they would be believed done. */
int umx_ocsumutil_finish(const Umx__World *world, const struct umx_pair *pairs, size_t pair_count,
                         const struct umx_options *options, size_t first, struct umx_steps *out, struct umx_error *err)
{
    const Umx__Input *input = options != NULL ? options->input : NULL;

    (void)first;
    for (size_t i = 0; input != NULL && i < input->n_contact; i++) {
        bool found = false;
        for (size_t p = 0; !found && p < pair_count; p++)
            found = is_of(world, pairs, pair_count, &pairs[p], input->contact[i]);
        if (!found)
            umx_steps_note(out, "contact row %d is left out: this plan has no pair of its forest and phone context",
                           input->contact[i]->row);
    }
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}

/* Removals come first, whatever their place: what they free can be given to others by the same file. */
int umx_oc_rows(struct umx_oc_work *work)
{
    static const struct {
        const char *word;
        void (*run)(struct row *r);
        bool first;
    } actions[] = {{"remove", take_away, true}, {"create", create, false}, {"edit", edit, false}};
    const Umx__Input *input = work->view->options->input;

    for (int pass = 0; pass < 2; pass++) {
        for (size_t i = 0; i < input->n_contact; i++) {
            struct row r = {.work = work, .in = input->contact[i]};
            const char *action = given(r.in->action) ? r.in->action : "create";
            bool known = false;
            if (!is_ours(work->view, r.in, umx_text_equal(action, "remove")))
                continue;
            for (size_t k = 0; k < sizeof actions / sizeof actions[0]; k++) {
                if (!umx_text_equal(action, actions[k].word))
                    continue;
                known = true;
                if (actions[k].first == (pass == 0))
                    actions[k].run(&r);
            }
            if (!known && pass == 1)
                REJECT(&r, "action %s is none of create, edit, remove", action);
        }
    }
    return 0;
}
