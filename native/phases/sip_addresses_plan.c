/* Phase 6: sip: values by directory, EUM values of enabled users by cmdlet. */
#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "phases/batch.h"
#include "phases/sip_addresses.h"

struct work {
    struct umx_people *people;
    struct umx_steps *out;
    bool replace;
    const char **written; /* by match: the step that writes sip: on the mailbox user; NULL: none */
    struct umx_left left;
    struct umx_batch batch;
};

/* One of the person's two objects. */
struct side {
    const char *words;
    Umx__Forest__Side side;
    const Umx__Forest *of;
    const char *forest;
    const char *dn;
    const ProtobufCBinaryData *guid;
    char *const *values;
    size_t count;
};

/* The SIP address beside what is there; another one goes when that was asked for. The step's id. */
static const char *write_sip(struct work *work, const struct side *side, const char *own)
{
    Umx__PlanStep *step = umx_step_write(work->out, "sip-addresses", side->side, side->forest,
                                         UMX__CHANGE__KIND__MODIFY, side->dn, side->guid);
    const char *old = NULL;

    for (size_t i = 0; work->replace && i < side->count; i++)
        if (strncasecmp(side->values[i], "sip:", 4) == 0 && !umx_text_equal(side->values[i], own)) {
            umx_step_remove_value(work->out, step, "proxyAddresses", side->values[i], false);
            old = side->values[i];
        }
    umx_step_add_value(work->out, step, "proxyAddresses", own, false);
    if (step == NULL)
        return NULL;
    step->summary = umx_steps_copy(
        work->out, old != NULL ? umx_steps_say(work->out, "replace %s with %s in proxyAddresses", old, own)
                               : umx_steps_say(work->out, "add %s to proxyAddresses", own));
    step->undo = umx_steps_copy(work->out, old != NULL ? "takes the value away again and puts the old one back"
                                                       : "takes this value away again; the others stay");
    return step->id;
}

static bool lacks(struct work *work, const struct umx_user_row *person, const struct side *side, const char *own)
{
    const char *other = umx_sip_other(side->values, side->count, own), *why = NULL;

    if (umx_proxy_has(side->values, side->count, own))
        return false;
    if (other != NULL && !work->replace)
        why = umx_steps_say(work->out, "%s has %s, and Lync %s: `--set sip-addresses.replace=yes` replaces it",
                            side->words, other, own);
    else if (!umx_people_writable(side->of, side->dn))
        why = umx_steps_say(work->out, "%s lacks %s and is in a child domain, where umx does not write: %s",
                            side->words, own, umx_or_empty(side->dn));
    if (why != NULL)
        umx_people_leave(&work->left, person, umx_voice_name(person->match->voice), why);
    return why == NULL;
}

static void plan_sip(struct work *work, const struct umx_user_row *person)
{
    const struct umx_view *view = work->people->view;
    const Umx__VoiceUser *voice = person->match->voice;
    const Umx__MailboxUser *mailbox = person->match->mailbox;
    const struct side sides[] = {
        {"the mailbox user", UMX__FOREST__SIDE__EXCHANGE, view->exchange, mailbox->forest, mailbox->dn,
         mailbox->has_object_guid ? &mailbox->object_guid : NULL, mailbox->proxy_address, mailbox->n_proxy_address},
        {"the Lync user", UMX__FOREST__SIDE__LYNC, view->lync, voice->forest, voice->dn,
         voice->has_object_guid ? &voice->object_guid : NULL, voice->proxy_address, voice->n_proxy_address},
    };

    if (lacks(work, person, &sides[0], voice->sip_address))
        work->written[person->match - work->people->matches] = write_sip(work, &sides[0], voice->sip_address);
    if (person->match->rule != UMX_MATCH_SAME && lacks(work, person, &sides[1], voice->sip_address))
        write_sip(work, &sides[1], voice->sip_address);
}

/* ---- EUM values of users who are enabled for UM already */

static void line(struct umx_text *text, const char *value)
{
    umx_text_addf(text, "%s%s", text->length > 0 ? "\n" : "", value);
}

void umx_eum_keep(struct umx_steps *out, struct umx_eum_values *values, const char *value, bool added)
{
    umx_steps_push(out, &values->list, &values->count, value);
    if (added)
        line(&values->add, value);
}

void umx_eum_remove(struct umx_eum_values *values, const char *value)
{
    line(&values->remove, value);
}

/* The row's extension, where the user has none and it can be his. */
static const char *missing_extension(struct work *work, const struct umx_user_row *person,
                                     const struct umx_eum_state *state)
{
    const char *extension = person->row != NULL ? umx_or_empty(person->row->extension) : "";

    if (state->extension || *extension == '\0')
        return NULL;
    const char *value = umx_steps_say(work->out, "eum:%s;phone-context=%s", extension, state->plan->phone_context);
    const char *holder = umx_eum_holder(work->people, person->match, value + 4);
    const char *why = NULL;
    if (strspn(extension, "0123456789") != strlen(extension) ||
        (state->plan->has_digits && strlen(extension) != (size_t)state->plan->digits))
        why = umx_steps_say(work->out, "extension \"%s\" has not %d digits as dial plan %s wants", extension,
                            state->plan->digits, umx_or_empty(state->plan->name));
    else if (holder != NULL)
        why = umx_steps_say(work->out, "extension %s belongs to %s", extension, holder);
    if (why == NULL)
        return value;
    umx_people_leave(&work->left, person, umx_mailbox_name(person->mailbox), why);
    return NULL;
}

static const char *in_quotes(struct umx_steps *out, const char *lines)
{
    struct umx_text text = {0};

    for (const char *p = lines; *p != '\0';) {
        size_t length = strcspn(p, "\n");
        const char *one = umx_arena_copy(out->arena, p, length);
        umx_text_addf(&text, "%s%s", text.length > 0 ? "," : "", umx_shell_quote(out, one));
        p += length;
        p += *p == '\n';
    }
    const char *copy = umx_steps_copy(out, umx_text_string(&text));
    umx_text_free(&text);
    return umx_or_empty(copy);
}

struct umx_batch umx_eum_batch(struct umx_steps *out, const Umx__World *world, const char *slug, const char *forest,
                               struct umx_text *names)
{
    return (struct umx_batch){
        .out = out,
        .world = world,
        .slug = slug,
        .side = UMX__FOREST__SIDE__EXCHANGE,
        .forest = forest,
        .server = umx_shell_agent(world, forest, UMX__SERVER__PRODUCT__EXCHANGE),
        .action = "set-eum-addresses",
        .undo_action = "set-eum-addresses",
        .verb = "set EUM addresses",
        .undo = "takes the added values away and puts the removed ones back",
        .names = names,
    };
}

Umx__PlanStep *umx_eum_write(struct umx_batch *batch, const Umx__MailboxUser *mailbox, struct umx_eum_values *values,
                             const char *before)
{
    struct umx_steps *out = batch->out;
    const char *identity = umx_mailbox_identity(out->arena, mailbox);
    const char *add = umx_text_string(&values->add), *remove = umx_text_string(&values->remove);
    Umx__PlanStep *step = umx_batch_next(batch, umx_mailbox_name(mailbox));
    Umx__MailboxUser promise = UMX__MAILBOX_USER__INIT;

    promise.forest = mailbox->forest;
    promise.dn = mailbox->dn;
    promise.n_proxy_address = values->count;
    promise.proxy_address = values->list;
    umx_step_promise_known(out, step, &mailbox->base, &promise.base);
    if (step != NULL && before != NULL)
        umx_steps_depend(out, step, before);
    umx_batch_item(batch, umx_item(out, "user", identity, "add", add, "remove", remove, NULL),
                   umx_item(out, "user", identity, "add", remove, "remove", add, NULL),
                   umx_steps_say(out, "Set-Mailbox -Identity %s -EmailAddresses @{%s%s%s%s%s}",
                                 umx_shell_quote(out, identity), *remove != '\0' ? "Remove=" : "",
                                 in_quotes(out, remove), *remove != '\0' && *add != '\0' ? "; " : "",
                                 *add != '\0' ? "Add=" : "", in_quotes(out, add)));
    if (values->add.failed || values->remove.failed)
        out->failed = 1;
    umx_text_free(&values->add);
    umx_text_free(&values->remove);
    return step;
}

static void plan_eum(struct work *work, const struct umx_user_row *person)
{
    const Umx__MailboxUser *mailbox = person->match->mailbox;
    struct umx_eum_state state;
    struct umx_eum_values values = {0};

    if (!mailbox->um_enabled)
        return;
    if (!umx_eum_judge(work->people, person->match, &state)) {
        work->out->failed = 1;
        return;
    }
    if (state.plan == NULL)
        return;
    if (state.holder != NULL) {
        umx_people_leave(&work->left, person, umx_mailbox_name(mailbox),
                         umx_steps_say(work->out, "%s belongs to %s", state.wanted, state.holder));
        return;
    }
    /* Exchange compares addresses without case: one that is there cannot become primary by being added. */
    if (!state.primary && umx_proxy_has(mailbox->proxy_address, mailbox->n_proxy_address, state.wanted) &&
        strcmp(state.found, state.wanted) != 0) {
        umx_people_leave(
            &work->left, person, umx_mailbox_name(mailbox),
            umx_steps_say(work->out, "%s is there and not primary: make it so in the Exchange console", state.wanted));
        return;
    }
    const char *extension = missing_extension(work, person, &state);
    if (state.primary && extension == NULL)
        return;
    bool there = false;
    bool sip = work->written[person->match - work->people->matches] != NULL;
    if (sip)
        umx_eum_keep(work->out, &values, person->match->voice->sip_address, false);
    for (size_t i = 0; i < mailbox->n_proxy_address; i++) {
        const char *value = mailbox->proxy_address[i];
        if (sip && work->replace && strncasecmp(value, "sip:", 4) == 0)
            continue;
        bool right = strcmp(umx_or_empty(value), state.wanted) == 0;
        struct umx_eum eum;
        if (!right && !state.primary && umx_eum_parse(value, &eum) && eum.primary) {
            umx_eum_remove(&values, value);
            continue;
        }
        there = there || right;
        umx_eum_keep(work->out, &values, value, false);
    }
    if (!there && !state.primary)
        umx_eum_keep(work->out, &values, state.wanted, true);
    if (extension != NULL)
        umx_eum_keep(work->out, &values, extension, true);
    umx_eum_write(&work->batch, mailbox, &values, work->written[person->match - work->people->matches]);
}

/* ---- everybody */

/* sip: values first: what is promised of EUM values beside them counts on them. */
static void plan_all(struct work *work, const struct umx_user_row *persons, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *why = umx_sip_refusal(work->people, persons[i].match);
        if (why != NULL)
            umx_people_leave(&work->left, &persons[i], umx_voice_name(persons[i].match->voice), why);
        else
            plan_sip(work, &persons[i]);
    }
    for (size_t i = 0; i < count; i++)
        if (umx_sip_refusal(work->people, persons[i].match) == NULL)
            plan_eum(work, &persons[i]);
}

int umx_sip_addresses_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                           struct umx_steps *out, struct umx_error *err)
{
    const struct umx_view view = umx_view_of(world, pair, options);
    const char *replace = umx_option(options, "sip-addresses", "replace");
    struct umx_text names = {0};
    struct umx_people *people = umx_people_open(&view);
    struct umx_user_row *persons;
    size_t count = 0;
    struct work work = {
        .people = people,
        .out = out,
        .replace = replace != NULL && strcmp(replace, "yes") == 0,
        .left = {.out = out, .slug = "sip-addresses"},
        .batch = umx_eum_batch(out, world, "sip-addresses", pair->exchange, &names),
    };

    if (people == NULL || umx_people_rows(people, out, true, NULL, &persons, &count) != 0) {
        umx_people_close(people);
        return umx_fail(err, UMX_ERR_MEMORY, "sip-addresses", NULL);
    }
    if (!umx_rows_given(&view))
        persons = umx_people_enabled(people, &count);
    work.written = umx_arena_alloc(people->arena, (people->count + 1) * sizeof *work.written);
    if (persons != NULL && work.written != NULL)
        plan_all(&work, persons, count);
    else
        out->failed = 1;
    umx_batch_end(&work.batch);
    umx_people_left(&work.left);
    umx_people_close(people);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "sip-addresses", NULL) : 0;
}
