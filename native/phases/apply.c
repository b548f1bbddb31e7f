/* What a step predicts, done to the records of a world. */
#include <stdlib.h>
#include <string.h>

#include "base/exum.h"
#include "base/text.h"
#include "phases/finder.h"
#include "phases/phase.h"
#include "phases/records.h"
#include "phases/um_server.h"

/* Attributes of the classes that plans write, and the fields that show them. A list holds all values of its attribute
 * that the table keeps. */
enum kind { STRING, NUMBER, TRUTH, LIST };

struct mapped {
    const char *attribute;
    const char *field;
    enum kind kind;
};

static const struct mapped gateway_fields[] = {
    {"cn", "name", STRING},
    {"msExchUMIPGatewayAddress", "address", STRING},
    {"msExchUMIPGatewayPort", "port", NUMBER},
    {"msExchUMOutcallsAllowed", "outcalls_allowed", TRUTH},
    {"msExchUMIPGatewayStatus", "status", NUMBER},
    {"msExchUMIPGatewayFlags", "flags", NUMBER},
    {"msExchUMIPGatewayFlags2", "flags2", NUMBER},
    {NULL, NULL, STRING},
};

static const struct mapped hunt_group_fields[] = {
    {"cn", "name", STRING},
    {"msExchUMHuntGroupDialPlanLink", "dial_plan_dn", STRING},
    {"msExchUMPilotIdentifier", "pilot_identifier", STRING},
    {NULL, NULL, STRING},
};

static const struct mapped dial_plan_fields[] = {
    {"cn", "name", STRING},
    {"msExchUMPhoneContext", "phone_context", STRING},
    {"msExchUMDialPlanURIType", "uri_type", NUMBER},
    {"msExchUMDialPlanVoipSecurity", "voip_security", NUMBER},
    {"msExchUMNumberingPlanDigits", "digits", NUMBER},
    {"msExchUMVoiceMailPilotNumbers", "access_number", LIST},
    {"msExchUMCountryCode", "country_code", STRING},
    {NULL, NULL, STRING},
};

static const struct mapped server_fields[] = {
    {"msExchUMServerDialPlanLink", "dial_plan_dn", LIST},
    {"msExchUMStartupMode", "um_startup_mode", NUMBER},
    {"msExchUMServerStatus", "um_status", NUMBER},
    {"msExchUMCertificateThumbprint", "um_certificate_thumbprint", STRING},
    {NULL, NULL, STRING},
};

static const struct mapped router_fields[] = {
    {"msExchUMServerDialPlanLink", "call_router_dial_plan_dn", LIST},
    {"msExchUMStartupMode", "call_router_startup_mode", NUMBER},
    {"msExchUMCertificateThumbprint", "call_router_certificate_thumbprint", STRING},
    {NULL, NULL, STRING},
};

static const struct mapped contact_fields[] = {
    {"displayName", "display_name", STRING},
    {"msRTCSIP-PrimaryUserAddress", "sip_address", STRING},
    {"msRTCSIP-Line", "line", STRING},
    {"otherIpPhone", "other_ip_phone", STRING},
    {"msRTCSIP-PrimaryHomeServer", "home_server_dn", STRING},
    {"msRTCSIP-UserEnabled", "enabled", TRUTH},
    {"msRTCSIP-OptionFlags", "option_flags", NUMBER},
    {"telephoneNumber", "telephone_number", STRING},
    {"proxyAddresses", "proxy_address", LIST},
    {"description", "description", STRING},
    {NULL, NULL, STRING},
};

static const struct mapped mailbox_user_fields[] = {
    {"proxyAddresses", "proxy_address", LIST},
    {NULL, NULL, STRING},
};

static const struct mapped voice_user_fields[] = {
    {"proxyAddresses", "proxy_address", LIST},
    {NULL, NULL, STRING},
};

/* class: what an added object must be to become a record of the table; NULL: such objects are never added by plans. */
static const struct {
    const char *class;
    const char *table;
    const char *dn; /* the field that has the object's name */
    const struct mapped *fields;
} classes[] = {
    {"msExchUMIPGateway", "ip_gateway", "dn", gateway_fields},
    {"msExchUMHuntGroup", "hunt_group", "dn", hunt_group_fields},
    {"msExchUMDialPlan", "dial_plan", "dn", dial_plan_fields},
    {NULL, "exchange_server", "dn", server_fields},
    {NULL, "exchange_server", "call_router_dn", router_fields},
    {"contact", "contact", "dn", contact_fields},
    {NULL, "mailbox_user", "dn", mailbox_user_fields},
    {NULL, "voice_user", "dn", voice_user_fields},
};

enum { CLASS_COUNT = sizeof classes / sizeof classes[0] };

/* Writes through the descriptor: one row a field instead of a branch. */
static int set_field(struct umx_world *world, ProtobufCMessage *record, const struct mapped *mapped, const char *value)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, mapped->field);
    char *base = (char *)record;

    if (field == NULL)
        return -1;
    if (mapped->kind == STRING) {
        char *copy = umx_arena_string(umx_world_arena(world), value);
        if (copy == NULL && value != NULL)
            return -1;
        memcpy(base + field->offset, &copy, sizeof copy);
        return 0;
    }
    protobuf_c_boolean has = value != NULL;
    memcpy(base + field->quantifier_offset, &has, sizeof has);
    if (mapped->kind == TRUTH) {
        protobuf_c_boolean truth = umx_text_equal(value, "TRUE");
        memcpy(base + field->offset, &truth, sizeof truth);
    } else {
        int32_t number = value != NULL ? (int32_t)strtol(value, NULL, 10) : 0;
        memcpy(base + field->offset, &number, sizeof number);
    }
    return 0;
}

static bool listed(char *const *values, size_t count, const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (umx_text_equal(values[i], value))
            return true;
    return false;
}

/* Lists are added to and taken from value by value, as the directory does. */
static int change_list(struct umx_world *world, ProtobufCMessage *record, const struct mapped *mapped,
                       char *const *remove, size_t n_remove, char *const *add, size_t n_add)
{
    const ProtobufCFieldDescriptor *field =
        protobuf_c_message_descriptor_get_field_by_name(record->descriptor, mapped->field);
    char *base = (char *)record;
    size_t count, kept = 0;
    char **old;

    memcpy(&count, base + field->quantifier_offset, sizeof count);
    memcpy(&old, base + field->offset, sizeof old);
    char **made = umx_arena_alloc(umx_world_arena(world), (count + n_add + 1) * sizeof *made);
    if (made == NULL)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (!listed(remove, n_remove, old[i]))
            made[kept++] = old[i];
    for (size_t i = 0; i < n_add; i++) {
        if (listed(made, kept, add[i]))
            continue;
        made[kept] = umx_arena_string(umx_world_arena(world), add[i]);
        if (made[kept++] == NULL)
            return -1;
    }
    memcpy(base + field->quantifier_offset, &kept, sizeof kept);
    memcpy(base + field->offset, &made, sizeof made);
    return 0;
}

static const struct mapped *find_mapped(const struct mapped *fields, const char *attribute)
{
    for (; fields->attribute != NULL; fields++)
        if (umx_text_equal(fields->attribute, attribute))
            return fields;
    return NULL;
}

static const char *const *string_of(const ProtobufCMessage *record, const char *name)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(record->descriptor, name);

    return (const char *const *)(const void *)((const char *)record + field->offset);
}

/* Changed now, by the clock of the forest's domain controller. The object of a call router has a time of its own. */
static void touch(struct umx_world *world, ProtobufCMessage *record, const char *dn)
{
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field_by_name(
        record->descriptor, strcmp(dn, "dn") == 0 ? "changed_at" : "call_router_changed_at");
    protobuf_c_boolean has = 1;
    int64_t at =
        umx_world_records(world)->taken_at + umx_forest_clock(umx_world_records(world), *string_of(record, "forest"));

    memcpy((char *)record + field->quantifier_offset, &has, sizeof has);
    memcpy((char *)record + field->offset, &at, sizeof at);
}

/* What the reader makes of otherIpPhone. */
static int derive_contact(struct umx_world *world, ProtobufCMessage *record)
{
    Umx__Contact *contact = (Umx__Contact *)(void *)record;
    struct umx_exum exum;

    contact->has_type = umx_exum_parse(contact->other_ip_phone, &exum);
    contact->type = exum.more ? UMX__CONTACT__TYPE__AUTO_ATTENDANT : UMX__CONTACT__TYPE__SUBSCRIBER_ACCESS;
    contact->phone_context = umx_arena_copy(umx_world_arena(world), exum.length > 0 ? exum.context : "", exum.length);
    return contact->phone_context != NULL ? 0 : -1;
}

static int out_of_memory(const Umx__PlanStep *step, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_MEMORY, step->id, NULL);
}

static int apply_add(struct umx_world *world, struct umx_finder *finder, const Umx__PlanStep *step,
                     struct umx_error *err)
{
    const Umx__Change *change = step->change;
    size_t class = CLASS_COUNT;

    for (size_t i = 0; i < change->n_attribute; i++)
        for (size_t v = 0;
             umx_text_equal(change->attribute[i]->name, "objectClass") && v < change->attribute[i]->n_value; v++)
            for (size_t c = 0; c < CLASS_COUNT; c++)
                if (classes[c].class != NULL && umx_text_equal(change->attribute[i]->value[v], classes[c].class))
                    class = c;
    if (class == CLASS_COUNT)
        return 0; /* a class of which the world keeps no record */
    const struct umx_table *table = umx_reflect_table(classes[class].table);
    ProtobufCMessage *record = table != NULL ? umx_reflect_new(table->record, umx_world_arena(world)) : NULL;
    if (record == NULL)
        return out_of_memory(step, err);
    const struct mapped dn = {NULL, "dn", STRING};
    const struct mapped forest = {NULL, "forest", STRING};
    const struct mapped parent = {NULL, "gateway_dn", STRING};
    int rc = set_field(world, record, &dn, change->dn) | set_field(world, record, &forest, step->forest);
    if (classes[class].fields == hunt_group_fields)
        rc |= set_field(world, record, &parent, umx_text_dn_parent(change->dn));
    for (size_t i = 0; rc == 0 && i < change->n_attribute; i++) {
        const struct mapped *mapped = find_mapped(classes[class].fields, change->attribute[i]->name);
        if (mapped == NULL)
            continue;
        if (mapped->kind == LIST)
            rc =
                change_list(world, record, mapped, NULL, 0, change->attribute[i]->value, change->attribute[i]->n_value);
        else if (change->attribute[i]->n_value > 0)
            rc = set_field(world, record, mapped, change->attribute[i]->value[0]);
    }
    if (rc == 0 && classes[class].fields == contact_fields)
        rc = derive_contact(world, record);
    if (rc != 0)
        return out_of_memory(step, err);
    touch(world, record, "dn");
    rc = umx_world_add(world, record, err);
    if (rc == 0)
        umx_finder_added(finder, table);
    return rc;
}

static int apply_delete(struct umx_world *world, struct umx_finder *finder, const Umx__PlanStep *step)
{
    for (size_t c = 0; c < CLASS_COUNT; c++) {
        const struct umx_table *table = umx_reflect_table(classes[c].table);
        size_t count;
        if (classes[c].class == NULL)
            continue;
        ProtobufCMessage **records = umx_world_table(umx_world_records(world), table, &count);
        for (size_t i = count; i-- > 0;)
            if (umx_text_equal(*string_of(records[i], "forest"), step->forest) &&
                umx_text_dn_within(umx_or_empty(*string_of(records[i], "dn")), step->change->dn)) {
                umx_world_remove(world, table, i);
                umx_finder_removed(finder, table);
            }
    }
    return 0;
}

/* What a modify does to one record that shows its object. */
static int modify_record(struct umx_world *world, const Umx__PlanStep *step, size_t class, ProtobufCMessage *record,
                         struct umx_error *err)
{
    const Umx__Change *change = step->change;

    for (size_t m = 0; m < change->n_modify; m++) {
        const Umx__AttributeChange *one = change->modify[m];
        const struct mapped *mapped = find_mapped(classes[class].fields, one->name);
        if (mapped == NULL)
            continue;
        int rc = mapped->kind == LIST
                     ? change_list(world, record, mapped, one->remove, one->n_remove, one->add, one->n_add)
                     : set_field(world, record, mapped, one->n_add > 0 ? one->add[0] : NULL);
        if (rc != 0)
            return out_of_memory(step, err);
    }
    if (classes[class].fields == contact_fields && derive_contact(world, record) != 0)
        return out_of_memory(step, err);
    touch(world, record, classes[class].dn);
    return 0;
}

/* The records that show the object, through the finder where it is their key. */
static int modify_class(struct umx_world *world, struct umx_finder *finder, const Umx__PlanStep *step, size_t class,
                        struct umx_error *err)
{
    const struct umx_table *table = umx_reflect_table(classes[class].table);
    bool failed = false;
    size_t count, at = 0;
    int rc = 0;

    if (finder != NULL && strcmp(classes[class].dn, "dn") == 0) {
        struct umx_arena *arena = umx_world_arena(world);
        ProtobufCMessage *key = umx_reflect_new(table->record, arena), *record;
        const struct mapped dn = {NULL, "dn", STRING}, forest = {NULL, "forest", STRING};
        if (key == NULL || set_field(world, key, &dn, step->change->dn) != 0 ||
            set_field(world, key, &forest, step->forest) != 0)
            return out_of_memory(step, err);
        while (rc == 0 && (record = umx_finder_next(finder, table, key, &at, &failed)) != NULL)
            rc = modify_record(world, step, class, record, err);
        return failed ? out_of_memory(step, err) : rc;
    }
    ProtobufCMessage **records = umx_world_table(umx_world_records(world), table, &count);
    for (size_t i = 0; rc == 0 && i < count; i++)
        if (umx_text_equal(*string_of(records[i], "forest"), step->forest) &&
            umx_text_dn_equal(*string_of(records[i], classes[class].dn), step->change->dn))
            rc = modify_record(world, step, class, records[i], err);
    return rc;
}

static int apply_modify(struct umx_world *world, struct umx_finder *finder, const Umx__PlanStep *step,
                        struct umx_error *err)
{
    int rc = 0;

    for (size_t c = 0; rc == 0 && c < CLASS_COUNT; c++)
        rc = modify_class(world, finder, step, c, err);
    return rc;
}

static bool of_target(const Umx__AccessEntry *entry, const Umx__PlanStep *step)
{
    return umx_text_equal(entry->forest, step->forest) && umx_text_dn_equal(entry->target_dn, step->change->dn);
}

static bool same_entry(const Umx__AccessEntry *entry, const Umx__AccessChange *access)
{
    return entry->type == access->type && entry->flags == access->flags && entry->mask == access->mask &&
           umx_or_empty(entry->object_type)[0] == '\0' && umx_or_empty(entry->inherited_object_type)[0] == '\0' &&
           umx_text_equal(entry->trustee_sid, access->trustee_sid);
}

/* Canonical order: explicit denies, explicit allows, inherited denies, inherited allows. */
static int rank(int type, int flags)
{
    enum { INHERITED = 16 };
    bool deny = type == 1 || type == 6;

    return ((flags & INHERITED) != 0 ? 2 : 0) + (deny ? 0 : 1);
}

static int apply_access(struct umx_world *world, const Umx__PlanStep *step, struct umx_error *err)
{
    const Umx__AccessChange *access = step->change->access;
    Umx__World *records = umx_world_edit(world);
    const struct umx_table *table = umx_reflect_table("access_entry");
    int32_t place = 0;

    for (size_t i = records->n_container; i-- > 0;)
        if (umx_text_equal(records->container[i]->forest, step->forest) &&
            umx_text_dn_equal(records->container[i]->dn, step->change->dn))
            touch(world, &records->container[i]->base, "dn");
    if (!access->add) {
        for (size_t i = records->n_access_entry; i-- > 0;)
            if (of_target(records->access_entry[i], step) && same_entry(records->access_entry[i], access))
                umx_world_remove(world, table, i);
        return 0;
    }
    for (size_t i = 0; i < records->n_access_entry; i++) {
        const Umx__AccessEntry *entry = records->access_entry[i];
        if (of_target(entry, step) && rank(entry->type, entry->flags) <= rank(access->type, access->flags) &&
            entry->position >= place)
            place = entry->position + 1;
    }
    for (size_t i = 0; i < records->n_access_entry; i++)
        if (of_target(records->access_entry[i], step) && records->access_entry[i]->position >= place)
            records->access_entry[i]->position++;
    Umx__AccessEntry entry = UMX__ACCESS_ENTRY__INIT;
    entry.forest = step->forest;
    entry.target_dn = step->change->dn;
    entry.has_position = entry.has_type = entry.has_flags = entry.has_mask = 1;
    entry.position = place;
    entry.type = access->type;
    entry.flags = access->flags;
    entry.mask = access->mask;
    entry.trustee_sid = access->trustee_sid;
    entry.sddl = access->sddl;
    return umx_world_add(world, &entry.base, err);
}

/* A service that an action starts again runs since now. */
static int apply_action(struct umx_world *world, const Umx__PlanStep *step)
{
    Umx__World *records = umx_world_edit(world);
    const Umx__ActionChange *action = step->change->action;

    bool drain = action != NULL && umx_text_equal(action->action, "restart-front-end");
    if (action == NULL || (!drain && !umx_text_equal(action->action, "restart-service")))
        return 0;
    for (size_t i = 0; i < records->n_service; i++) {
        Umx__Service *service = records->service[i];
        bool named = drain && umx_text_equal(service->name, "RTCSRV");
        for (size_t k = 0; !drain && k < action->n_item; k++)
            named = named || umx_text_equal(service->name, action->item[k]);
        if (!named || !umx_text_equal(service->server, action->server))
            continue;
        service->has_started_at = service->has_state = 1;
        service->started_at = records->taken_at + umx_server_clock(records, service->server);
        service->state = UMX__SERVICE__STATE__RUNNING;
    }
    return 0;
}

/* The proofs from one forest to another succeed; one of the controller's is there when none was. */
static int prove_trust(struct umx_world *world, char *from, char *to, struct umx_error *err)
{
    Umx__World *records = umx_world_edit(world);
    const Umx__Forest *target = umx_find_forest(records, to);
    bool found = false;

    for (size_t i = 0; i < records->n_proof; i++) {
        Umx__Proof *proof = records->proof[i];
        if (proof->kind != UMX__PROOF__KIND__TRUST || !umx_text_equal(proof->forest, from) ||
            !umx_text_equal(proof->target_forest, to))
            continue;
        found = true;
        proof->has_status = 1;
        proof->status = UMX__PROOF__STATUS__PASS;
        proof->has_collected_at = 1;
        proof->collected_at = records->taken_at;
    }
    if (found || target == NULL)
        return 0;
    char controller[] = "controller";
    Umx__Proof proof = UMX__PROOF__INIT;
    proof.server = controller;
    proof.has_kind = proof.has_status = proof.has_collected_at = 1;
    proof.kind = UMX__PROOF__KIND__TRUST;
    proof.forest = from;
    proof.target_forest = to;
    proof.target = target->domain_controller;
    proof.status = UMX__PROOF__STATUS__PASS;
    proof.collected_at = records->taken_at;
    return umx_world_add(world, &proof.base, err);
}

/* A gate is confirmed when its checks pass: what was tried for real then works, and clocks are right. */
static int apply_gate(struct umx_world *world, const Umx__PlanStep *step, struct umx_error *err)
{
    const Umx__GateChange *gate = step->change->gate;
    Umx__World *records = umx_world_edit(world);
    int rc = 0;

    for (size_t i = 0; rc == 0 && gate != NULL && i < gate->n_check; i++) {
        bool live = umx_text_equal(gate->check[i], "forests/trust-live");
        for (size_t k = 0; rc == 0 && live && step->predicted != NULL && k < step->predicted->n_trust; k++) {
            Umx__Trust *trust = step->predicted->trust[k];
            /* An account of the trusted partner gets through to the trusting forest. */
            if ((trust->direction & 2) != 0)
                rc = prove_trust(world, trust->partner, trust->forest, err);
        }
        for (size_t k = 0; umx_text_equal(gate->check[i], "forests/clock") && k < records->n_forest; k++)
            records->forest[k]->clock_offset = 0;
    }
    return rc;
}

static int apply_step(struct umx_world *world, struct umx_finder *finder, const Umx__PlanStep *step,
                      struct umx_error *err)
{
    if (step->change == NULL)
        return umx_fail(err, UMX_ERR_INTERNAL, step->id, "the step has no change");
    int rc = umx_records_apply(world, finder, step->predicted, step->removed, err);
    if (rc != 0)
        return rc;
    switch (step->change->kind) {
    case UMX__CHANGE__KIND__ADD:
        return apply_add(world, finder, step, err);
    case UMX__CHANGE__KIND__DELETE:
        return apply_delete(world, finder, step);
    case UMX__CHANGE__KIND__MODIFY:
        return apply_modify(world, finder, step, err);
    case UMX__CHANGE__KIND__ACCESS:
        return apply_access(world, step, err);
    case UMX__CHANGE__KIND__ACTION:
        return apply_action(world, step);
    case UMX__CHANGE__KIND__GATE:
        return apply_gate(world, step, err);
    case UMX__CHANGE__KIND__WAIT:
    default:
        return 0; /* what a person does is what the step promises */
    }
}

int umx_phase_apply(struct umx_world *world, const Umx__PlanStep *step, struct umx_error *err)
{
    return apply_step(world, NULL, step, err);
}

int umx_phase_apply_all(struct umx_world *world, Umx__PlanStep *const *steps, size_t count, struct umx_error *err)
{
    enum { FEW = 8 }; /* fewer steps than this are done sooner without an index */
    size_t promised = 0;
    int rc = 0;

    for (size_t i = 0; i < count; i++)
        promised +=
            steps[i]->predicted != NULL ? steps[i]->predicted->n_mailbox_user + steps[i]->predicted->n_voice_user : 0;
    struct umx_finder *finder = count + promised >= FEW ? umx_finder_new(umx_world_records(world)) : NULL;
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = apply_step(world, finder, steps[i], err);
    umx_finder_free(finder);
    return rc;
}
