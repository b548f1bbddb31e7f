/* Phase 9: the contacts that are missing, written as spec 3.4 says. */
#include <ctype.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/ocsumutil.h"

enum { REPLICATION_TIMEOUT = 1800, OPTION_VOICE = 128, OPTION_AUTO_ATTENDANT = 1024 };

#define SLUG "ocsumutil"
#define SPECIAL_ACCOUNTS "RTC Special Accounts"

/* ---- values */

const char *umx_oc_home(struct umx_oc_work *work, const Umx__LyncPool *pool)
{
    return umx_steps_say(work->out, "CN=Lc Services,CN=Microsoft,%s", umx_or_empty(pool->dn));
}

/* {context} and {name} of the form replaced. */
static const char *attendant_part(struct umx_oc_work *work, const struct umx_oc_contact *contact)
{
    const char *form = umx_option(work->view->options, SLUG, "auto-attendant-form");
    struct umx_text text = {0};

    for (const char *p = form != NULL ? form : "{context}:autoattendant:{name}"; *p != '\0';) {
        if (strncmp(p, "{context}", 9) == 0) {
            umx_text_adds(&text, contact->phone_context);
            p += 9;
        } else if (strncmp(p, "{name}", 6) == 0) {
            umx_text_adds(&text, umx_or_empty(contact->attendant));
            p += 6;
        } else {
            umx_text_add(&text, p++, 1);
        }
    }
    const char *part = umx_steps_copy(work->out, umx_text_string(&text));
    if (text.failed)
        work->out->failed = 1;
    umx_text_free(&text);
    return part;
}

const char *umx_oc_phone(struct umx_oc_work *work, const struct umx_oc_contact *contact)
{
    bool attendant = contact->type == UMX__CONTACT__TYPE__AUTO_ATTENDANT;

    return umx_steps_say(work->out, "%s;opaque=app:exum:%s", contact->sip,
                         attendant ? attendant_part(work, contact) : contact->phone_context);
}

/* A name for the object that a second plan of the same world gives again: nothing here is drawn by lot. */
static const char *object_name(struct umx_oc_work *work, const struct umx_oc_contact *contact, int attempt)
{
    uint8_t hash[EVP_MAX_MD_SIZE];
    size_t length = sizeof hash;
    const char *seed = umx_steps_say(work->out, "umx contact\n%s\n%s\n%s\n%s\n%d", work->view->pair->lync,
                                     contact->phone_context, umx_oc_type_word(contact->type), contact->number, attempt);

    if (EVP_Q_digest(NULL, "SHA256", NULL, seed, strlen(seed), hash, &length) != 1) {
        work->out->failed = 1;
        return "";
    }
    hash[6] = (uint8_t)((hash[6] & 0x0f) | 0x80); /* version 8, variant 1 of RFC 9562 */
    hash[8] = (uint8_t)((hash[8] & 0x3f) | 0x80);
    return umx_steps_say(work->out, "{%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x}", hash[0],
                         hash[1], hash[2], hash[3], hash[4], hash[5], hash[6], hash[7], hash[8], hash[9], hash[10],
                         hash[11], hash[12], hash[13], hash[14], hash[15]);
}

static const char *free_dn(struct umx_oc_work *work, const struct umx_oc_contact *contact, const char **cn)
{
    const Umx__World *world = work->view->world, *before = umx_oc_before(work->view);

    for (int attempt = 0;; attempt++) {
        *cn = object_name(work, contact, attempt);
        const char *dn = umx_step_child_dn(work->out, *cn, contact->ou);
        bool taken = false;
        for (size_t i = 0; i < world->n_contact; i++)
            taken = taken || umx_text_dn_equal(umx_or_empty(world->contact[i]->dn), umx_or_empty(dn));
        for (size_t i = 0; i < before->n_contact; i++) /* what another pair's row removes */
            taken = taken || umx_text_dn_equal(umx_or_empty(before->contact[i]->dn), umx_or_empty(dn));
        if (!taken || work->out->failed)
            return dn;
    }
}

/* ---- what is proposed where nobody says */

static bool sip_taken(const struct umx_oc_work *work, const char *sip)
{
    const Umx__World *world = work->view->world;

    for (size_t i = 0; i < world->n_contact; i++)
        if (umx_text_equal(world->contact[i]->forest, work->view->pair->lync) &&
            umx_text_equal(world->contact[i]->sip_address, sip))
            return true;
    for (size_t i = 0; i < world->n_voice_user; i++)
        if (umx_text_equal(world->voice_user[i]->forest, work->view->pair->lync) &&
            umx_text_equal(world->voice_user[i]->sip_address, sip))
            return true;
    return false;
}

/* Letters and digits of the plan's name, a word for the type, and the number: what an administrator recognises. */
static const char *proposed_sip(struct umx_oc_work *work, const struct umx_oc_need *need)
{
    char name[41];
    size_t length = 0;

    for (const char *p = need->attendant != NULL ? umx_or_empty(need->attendant->name) : umx_or_empty(need->plan->name);
         *p != '\0' && length + 1 < sizeof name; p++)
        if (isalnum((unsigned char)*p))
            name[length++] = (char)tolower((unsigned char)*p);
    name[length] = '\0';
    for (int attempt = 0;; attempt++) {
        const char *more = attempt > 0 ? umx_steps_say(work->out, "-%d", attempt + 1) : "";
        const char *sip = umx_steps_say(work->out, "sip:%s-%s-%s%s@%s", length > 0 ? name : "um",
                                        need->attendant != NULL ? "aa" : "sa", need->number + (*need->number == '+'),
                                        more, work->domain);
        if (work->out->failed || !sip_taken(work, sip))
            return sip;
    }
}

struct umx_oc_contact umx_oc_proposed(struct umx_oc_work *work, const struct umx_oc_need *need)
{
    return (struct umx_oc_contact){
        .type = need->type,
        .phone_context = need->plan->phone_context,
        .attendant = need->attendant != NULL ? need->attendant->name : NULL,
        .number = need->number,
        .ou = work->ou,
        .name = need->attendant != NULL ? umx_or_empty(need->attendant->name) : umx_or_empty(need->plan->name),
        .sip = work->domain != NULL ? proposed_sip(work, need) : NULL,
        .pool = work->pool,
    };
}

static const Umx__LyncPool *default_pool(const struct umx_view *view)
{
    const char *named = umx_option(view->options, SLUG, "pool");
    const Umx__LyncPool *best = NULL;

    for (size_t i = 0; i < view->world->n_lync_pool; i++) {
        const Umx__LyncPool *pool = view->world->lync_pool[i];
        if (!umx_text_equal(pool->forest, view->pair->lync) || umx_or_empty(pool->pool)[0] == '\0')
            continue;
        if (named != NULL ? umx_text_equal(pool->pool, named)
                          : !pool->branch && (best == NULL || pool->voice_users > best->voice_users))
            best = pool;
    }
    return best;
}

int umx_oc_begin(struct umx_oc_work *work, const struct umx_view *view, struct umx_steps *out, struct umx_error *err)
{
    const char *pool = umx_option(view->options, SLUG, "pool");
    size_t most = view->world->n_organizational_unit + view->world->n_contact + 1;

    *work = (struct umx_oc_work){.view = view, .out = out, .err = err};
    if (view->options != NULL && view->options->input != NULL)
        most += view->options->input->n_contact;
    work->units = umx_arena_alloc(out->arena, most * sizeof *work->units);
    work->unit_steps = umx_arena_alloc(out->arena, most * sizeof *work->unit_steps);
    if (work->units == NULL || work->unit_steps == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL);
    work->ou = umx_option(view->options, SLUG, "ou");
    for (size_t i = 0; work->ou == NULL && i < view->world->n_organizational_unit; i++)
        if (umx_text_equal(view->world->organizational_unit[i]->forest, view->pair->lync) &&
            umx_text_equal(view->world->organizational_unit[i]->name, SPECIAL_ACCOUNTS))
            work->ou = view->world->organizational_unit[i]->dn;
    work->domain = umx_option(view->options, SLUG, "sip-domain");
    if (work->domain == NULL && view->lync->n_sip_domain > 0)
        work->domain = view->lync->sip_domain[0];
    work->pool = default_pool(view);
    if (work->pool == NULL && pool != NULL)
        return umx_fail(err, UMX_ERR_OPTION_INVALID, "ocsumutil.pool", "%s has no pool %s", view->pair->lync, pool);
    return 0;
}

/* ---- organizational units: made, or opened to the group */

/* The step that makes the unit or opens it, of this pair or of one before it: the world does not show rights granted.
 */
static const char *remembered(const struct umx_oc_work *work, const char *ou)
{
    for (size_t i = 0; i < work->unit_count; i++)
        if (umx_text_dn_equal(work->units[i], ou))
            return work->unit_steps[i];
    for (size_t i = 0; i < work->out->count; i++) {
        const Umx__PlanStep *step = work->out->items[i];
        if (strcmp(step->phase, SLUG) == 0 && umx_text_equal(step->forest, work->view->pair->lync) &&
            step->kind != UMX__CHANGE__KIND__WAIT && umx_text_dn_equal(umx_or_empty(step->target), ou))
            return step->id;
    }
    return NULL;
}

static const char *remember(struct umx_oc_work *work, const char *ou, const char *step)
{
    work->units[work->unit_count] = ou;
    work->unit_steps[work->unit_count++] = step;
    return step;
}

/* The value of the first RDN, without its escapes (RFC 4514). */
static const char *rdn_value(struct umx_steps *out, const char *dn)
{
    struct umx_text text = {0};

    for (const char *p = dn + strcspn(dn, "=") + 1; *p != '\0' && *p != ','; p++) {
        char hex[3] = {0};
        uint8_t byte;
        if (*p == '\\' && p[1] != '\0') {
            p++;
            memcpy(hex, p, p[1] != '\0' ? 2 : 1);
        }
        if (umx_text_from_hex(hex, &byte, 1) == 1) {
            umx_text_add(&text, &byte, 1);
            p++;
        } else {
            umx_text_add(&text, p, 1);
        }
    }
    const char *value = umx_steps_copy(out, umx_text_string(&text));
    if (text.failed)
        out->failed = 1;
    umx_text_free(&text);
    return value;
}

static const char *make_unit(struct umx_oc_work *work, const char *ou)
{
    struct umx_steps *out = work->out;
    const char *name = rdn_value(out, ou);
    Umx__PlanStep *step =
        umx_step_write(out, SLUG, UMX__FOREST__SIDE__LYNC, work->view->pair->lync, UMX__CHANGE__KIND__ADD, ou, NULL);
    Umx__OrganizationalUnit unit = UMX__ORGANIZATIONAL_UNIT__INIT;

    umx_step_attribute(out, step, "objectClass", "top");
    umx_step_attribute(out, step, "objectClass", "organizationalUnit");
    umx_step_attribute(out, step, "ou", name);
    unit.forest = umx_steps_copy(out, work->view->pair->lync);
    unit.dn = umx_steps_copy(out, ou);
    unit.name = umx_steps_copy(out, name);
    umx_step_promise(out, step, work->view->world, &unit.base);
    if (step == NULL)
        return NULL;
    step->summary = umx_steps_copy(out, umx_steps_say(out, "add organizational unit %s for contacts", name));
    step->undo = umx_steps_copy(out, "deletes it when it is empty");
    return step->id;
}

/* Contact grants the writes, Device the right to create children: the cmdlet lists it there (3.6). */
static const char *grant(struct umx_oc_work *work, const char *ou)
{
    static const char *const types[] = {"Contact", "Device"};
    struct umx_steps *out = work->out;
    const char *server = umx_shell_agent(work->view->world, work->view->pair->lync, UMX__SERVER__PRODUCT__LYNC);
    Umx__PlanStep *step;

    if (server == NULL) {
        step = umx_step_gate(out, SLUG, UMX__FOREST__SIDE__LYNC, work->view->pair->lync, ou,
                             "RTCUniversalUserAdmins may not create contacts here, and no agent on a Lync server is "
                             "connected to grant it");
        umx_step_command(out, step,
                         umx_steps_say(out, "Grant-CsOUPermission -OU \"%s\" -ObjectType \"Contact\",\"Device\"", ou));
    } else {
        step = umx_step_action(out, SLUG, UMX__FOREST__SIDE__LYNC, work->view->pair->lync, server,
                               "grant-cs-ou-permission", "shell");
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
            const char *item = umx_item(out, "ou", ou, "object_type", types[i], NULL);
            umx_step_item(out, step, item, item);
        }
        if (step != NULL) {
            step->target = umx_steps_copy(out, ou);
            step->change->action->undo_action = umx_steps_copy(out, "revoke-cs-ou-permission");
        }
    }
    if (step == NULL)
        return NULL;
    step->summary =
        umx_steps_copy(out, umx_steps_say(out, "let RTCUniversalUserAdmins create and write contacts in %s", ou));
    step->undo = umx_steps_copy(out, "Revoke-CsOUPermission with the same object types");
    return step->id;
}

static bool parent_known(const struct umx_oc_work *work, const char *parent)
{
    const Umx__World *world = work->view->world;

    if (parent == NULL)
        return false;
    for (size_t i = 0; i < world->n_domain; i++)
        if (umx_text_equal(world->domain[i]->forest, work->view->pair->lync) &&
            umx_text_dn_equal(umx_or_empty(world->domain[i]->dn), parent))
            return true;
    return umx_text_dn_equal(umx_or_empty(work->view->lync->root_dn), parent) ||
           umx_oc_unit(world, work->view->pair->lync, parent) != NULL;
}

bool umx_oc_unit_possible(const struct umx_oc_work *work, const char *ou)
{
    return umx_oc_unit(work->view->world, work->view->pair->lync, ou) != NULL || remembered(work, ou) != NULL ||
           (strncasecmp(ou, "OU=", 3) == 0 && parent_known(work, umx_text_dn_parent(ou)));
}

/* The step after which contacts can be made there; NULL: they can be now. */
static const char *ready_unit(struct umx_oc_work *work, const char *ou)
{
    const Umx__World *world = work->view->world;
    const Umx__OrganizationalUnit *unit = umx_oc_unit(world, work->view->pair->lync, ou);
    const Umx__AdminGroup *admins = umx_find_group(world, work->view->pair->lync, "rtc_user_admins");
    const char *known = remembered(work, ou);

    if (known != NULL)
        return known;
    if (unit == NULL)
        return remember(work, ou, make_unit(work, ou));
    if (admins == NULL || umx_or_empty(unit->dacl_error)[0] != '\0')
        return NULL; /* ocsumutil/ou-rights says so */
    struct umx_oc_right right = umx_oc_right(world, unit, admins->sid);
    if (right.denied != NULL)
        umx_steps_note(work->out, "%s: RTCUniversalUserAdmins stays denied by %s; an administrator has to remove it",
                       ou, umx_or_empty(right.denied->sddl));
    return right.create && right.write ? NULL : remember(work, ou, grant(work, ou));
}

/* ---- one contact */

Umx__PlanStep *umx_oc_create(struct umx_oc_work *work, const struct umx_oc_contact *contact)
{
    struct umx_steps *out = work->out;
    bool attendant = contact->type == UMX__CONTACT__TYPE__AUTO_ATTENDANT;
    const char *after = ready_unit(work, contact->ou);
    const char *cn = NULL;
    const char *dn = free_dn(work, contact, &cn);
    Umx__PlanStep *step =
        umx_step_write(out, SLUG, UMX__FOREST__SIDE__LYNC, work->view->pair->lync, UMX__CHANGE__KIND__ADD, dn, NULL);
    const char *const values[][2] = {
        {"objectClass", "top"},
        {"objectClass", "person"},
        {"objectClass", "organizationalPerson"},
        {"objectClass", "contact"},
        {"cn", cn},
        {"displayName", contact->name},
        {"msRTCSIP-PrimaryUserAddress", contact->sip},
        {"proxyAddresses", contact->sip},
        {"msRTCSIP-SourceObjectType", "-1879048192"},
        {"otherIpPhone", umx_oc_phone(work, contact)},
        {"msRTCSIP-Line", umx_steps_say(out, "tel:%s", contact->number)},
        {"telephoneNumber", contact->number},
        {"msRTCSIP-UserEnabled", "TRUE"},
        {"msRTCSIP-OptionFlags", umx_steps_say(out, "%d", OPTION_VOICE | (attendant ? OPTION_AUTO_ATTENDANT : 0))},
        {"msRTCSIP-PrimaryHomeServer", umx_oc_home(work, contact->pool)},
        {"msRTCSIP-DeploymentLocator", "SRV:"},
    };

    if (step == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        umx_step_attribute(out, step, values[i][0], values[i][1]);
    umx_steps_depend(out, step, after);
    step->summary = umx_steps_copy(
        out, umx_steps_say(out, "add %s contact %s for %s of %s on %s (experimental)",
                           attendant ? "Auto Attendant" : "Subscriber Access", contact->sip, contact->number,
                           attendant ? umx_or_empty(contact->attendant) : contact->phone_context,
                           umx_or_empty(contact->pool->pool)));
    step->undo = umx_steps_copy(out, "deletes the contact");
    work->experimental = true;
    return step;
}

/* ---- the plan */

static int create_missing(struct umx_oc_work *work)
{
    size_t count;
    const struct umx_oc_need *needs = umx_oc_needs(work->view, work->out->arena, &count);

    if (needs == NULL)
        return umx_fail(work->err, UMX_ERR_MEMORY, SLUG, NULL);
    for (size_t i = 0; i < count; i++) {
        const char *what =
            needs[i].attendant != NULL ? umx_or_empty(needs[i].attendant->name) : umx_or_empty(needs[i].plan->name);
        if (needs[i].contacts > 0)
            continue;
        if (!needs[i].e164) {
            umx_steps_note(work->out, "%s: %s is not in E.164 form: give it a contact by a row of --input", what,
                           needs[i].number);
            continue;
        }
        if (umx_oc_unspeakable(needs[i].plan)) {
            umx_steps_note(work->out, "%s: no contact can name the phone context %s: it has a colon or a semicolon",
                           what, umx_or_empty(needs[i].plan->phone_context));
            continue;
        }
        const char *missing = work->ou == NULL       ? "an organizational unit: --set ocsumutil.ou=DN"
                              : work->pool == NULL   ? "a pool: --set ocsumutil.pool=FQDN"
                              : work->domain == NULL ? "a SIP domain: --set ocsumutil.sip-domain=DOMAIN"
                              : !umx_oc_unit_possible(work, work->ou)
                                  ? "an organizational unit that exists, or whose parent does: --set ocsumutil.ou=DN"
                                  : NULL;
        if (missing != NULL)
            return umx_fail(work->err, UMX_ERR_PLAN_BLOCKED, work->view->pair->lync, "%s needs a contact: name %s",
                            what, missing);
        const struct umx_oc_contact contact = umx_oc_proposed(work, &needs[i]);
        umx_oc_create(work, &contact);
    }
    return 0;
}

/* Front Ends read contacts from the catalogue: the other domain controllers must have them. */
static void wait_for_replication(struct umx_oc_work *work, size_t first)
{
    size_t last = work->out->count;
    Umx__PlanStep *wait = NULL;

    for (size_t i = first; i < last; i++) {
        if (work->out->items[i]->kind == UMX__CHANGE__KIND__ACTION ||
            work->out->items[i]->kind == UMX__CHANGE__KIND__GATE)
            continue;
        if (wait == NULL)
            wait = umx_step_wait(work->out, SLUG, UMX__FOREST__SIDE__LYNC, work->view->pair->lync, "replication", NULL,
                                 REPLICATION_TIMEOUT);
        if (wait == NULL)
            return;
        umx_steps_depend(work->out, wait, work->out->items[i]->id);
    }
    if (wait != NULL)
        wait->summary = umx_steps_copy(
            work->out, umx_steps_say(work->out, "wait until the other domain controllers of %s have the contacts",
                                     work->view->pair->lync));
}

int umx_ocsumutil_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                       struct umx_steps *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct umx_oc_work work;
    size_t first = out->count;
    bool rows = options != NULL && options->input != NULL && options->input->n_contact > 0;

    int rc = umx_oc_begin(&work, &view, out, err);
    if (rc == 0)
        rc = rows ? umx_oc_rows(&work) : create_missing(&work);
    if (rc != 0)
        return rc;
    wait_for_replication(&work, first);
    if (work.experimental)
        umx_steps_note(out,
                       "contacts are experimental: msRTCSIP-OptionFlags, msRTCSIP-DeploymentLocator and the form of "
                       "otherIpPhone for auto attendants are not publicly documented (docs/limits.md)");
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : 0;
}

/* ---- rows for `umx plan template` */

int umx_ocsumutil_propose(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                          struct umx_proposal *out, struct umx_error *err)
{
    struct umx_view view = umx_view_of(world, pair, options);
    struct umx_steps scratch = {.arena = out->arena};
    struct umx_oc_work work;
    size_t count = 0;

    if (view.lync == NULL)
        return 0;
    int rc = umx_oc_begin(&work, &view, &scratch, err);
    const struct umx_oc_need *needs = rc == 0 ? umx_oc_needs(&view, out->arena, &count) : NULL;
    if (rc == 0 && needs == NULL)
        rc = umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (needs[i].contacts > 0)
            continue;
        const struct umx_oc_contact contact = umx_oc_proposed(&work, &needs[i]);
        const char *texts[] = {"create",
                               pair->lync,
                               umx_oc_type_word(contact.type),
                               contact.phone_context,
                               contact.attendant,
                               contact.number,
                               contact.ou,
                               contact.name,
                               contact.sip,
                               contact.pool != NULL ? contact.pool->pool : NULL};
        Umx__InputContact row = UMX__INPUT_CONTACT__INIT;
        char **const fields[] = {&row.action, &row.forest, &row.type, &row.phone_context, &row.auto_attendant,
                                 &row.number, &row.ou,     &row.name, &row.sip_address,   &row.pool};
        for (size_t k = 0; k < sizeof fields / sizeof fields[0]; k++)
            *fields[k] = umx_steps_copy(&scratch, texts[k]);
        umx_propose_contact(out, &row);
    }
    return rc == 0 && (out->failed || scratch.failed) ? umx_fail(err, UMX_ERR_MEMORY, SLUG, NULL) : rc;
}
