/* Phase 6: options, checks, proposed rows. */
#include "phases/sip_addresses.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "phases/build.h"

static int valid_replace(const char *value, struct umx_error *err)
{
    if (strcmp(value, "yes") == 0 || strcmp(value, "no") == 0)
        return 0;
    return umx_fail(err, UMX_ERR_OPTION_INVALID, "sip-addresses.replace", "\"%s\" is neither yes nor no", value);
}

const struct umx_phase_option umx_sip_addresses_options[] = {
    {"replace", "yes | no",
     "no (default): who has another sip: address than the one in Lync is left alone, and named; yes: it is replaced",
     valid_replace},
    {NULL, NULL, NULL, NULL},
};

/* ---- judging one person */

const char *umx_sip_refusal(struct umx_people *people, const struct umx_match *match)
{
    const char *own = match->voice->sip_address;
    const ProtobufCMessage *other;
    size_t at = 0;

    if (umx_or_empty(own)[0] == '\0')
        return "msRTCSIP-PrimaryUserAddress is not set";
    if (!umx_sip_valid(own))
        return umx_arena_format(people->arena, "\"%s\" is not of the form sip:user@domain", own);
    while ((other = umx_index_next(&people->lync_sip, own, &at)) != NULL)
        if (other != &match->voice->base)
            return umx_arena_format(people->arena, "%s has the address %s too",
                                    other->descriptor == &umx__contact__descriptor
                                        ? umx_or_empty(((const Umx__Contact *)(const void *)other)->dn)
                                        : umx_or_empty(((const Umx__VoiceUser *)(const void *)other)->dn),
                                    own);
    at = 0;
    while (match->mailbox != NULL && (other = umx_index_next(&people->mailbox_sip, own, &at)) != NULL)
        if (other != &match->mailbox->base)
            return umx_arena_format(people->arena, "the mailbox of %s has the address %s",
                                    umx_mailbox_name((const Umx__MailboxUser *)(const void *)other), own);
    return NULL;
}

const char *umx_sip_other(char *const *values, size_t count, const char *own)
{
    for (size_t i = 0; i < count; i++)
        if (strncasecmp(values[i], "sip:", 4) == 0 && !umx_text_equal(values[i], own))
            return values[i];
    return NULL;
}

const char *umx_eum_holder(const struct umx_people *people, const struct umx_match *match, const char *value)
{
    const ProtobufCMessage *holder;
    size_t at = 0;

    while ((holder = umx_index_next(&people->eum, value, &at)) != NULL) {
        if (holder == &match->voice->base || (match->mailbox != NULL && holder == &match->mailbox->base))
            continue;
        return holder->descriptor == &umx__mailbox_user__descriptor
                   ? umx_mailbox_name((const Umx__MailboxUser *)(const void *)holder)
                   : umx_voice_name((const Umx__VoiceUser *)(const void *)holder);
    }
    return NULL;
}

bool umx_eum_judge(struct umx_people *people, const struct umx_match *match, struct umx_eum_state *out)
{
    const Umx__MailboxUser *mailbox = match->mailbox;
    size_t primaries = 0;
    bool exact = false;

    *out = (struct umx_eum_state){.found = ""};
    out->plan = umx_find_dial_plan(people->view->world, mailbox->forest, mailbox->um_dial_plan_dn);
    if (!umx_is_sip_plan(out->plan) || umx_or_empty(out->plan->phone_context)[0] == '\0') {
        out->plan = NULL;
        return true;
    }
    out->wanted = umx_arena_format(people->arena, "EUM:%s;phone-context=%s",
                                   umx_or_empty(umx_sip_bare(match->voice->sip_address)), out->plan->phone_context);
    if (out->wanted == NULL)
        return false;
    for (size_t i = 0; i < mailbox->n_proxy_address; i++) {
        struct umx_eum eum;
        if (!umx_eum_parse(mailbox->proxy_address[i], &eum))
            continue;
        if (eum.primary) {
            primaries++;
            out->found = mailbox->proxy_address[i];
            exact = exact || umx_text_equal(mailbox->proxy_address[i], out->wanted);
        } else if (umx_eum_is_extension(&eum) && umx_text_equal(eum.context, out->plan->phone_context)) {
            out->extension = true;
        }
    }
    out->primary = exact && primaries == 1;
    out->holder = umx_eum_holder(people, match, out->wanted + 4);
    return true;
}

/* ---- checks */

static const char nobody[] = "there is no Enterprise Voice user yet";
static const char no_mailboxes[] = "no Enterprise Voice user has a mailbox in the Exchange forest";

static void judge_known(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    const char *why = umx_sip_refusal(people, match);

    if (why == NULL)
        umx_tally_good(tally);
    else
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_or_empty(match->voice->dn), why,
                      "correct it: `Set-CsUser -Identity USER -SipAddress sip:USER@DOMAIN`, or take the address away "
                      "from the other one");
}

static void run_known(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_PAIR, "sip:user@domain, of nobody else in both forests", nobody,
                    judge_known);
}

static void judge_match(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    (void)people;
    if (match->undecided)
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_voice_name(match->voice),
                      umx_say(tally->out, "%s names more than one", umx_match_words[match->rule]), NULL);
    else if (match->mailbox != NULL)
        umx_tally_good(tally);
}

static void run_match(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_PAIR,
                    "one mailbox user for each Lync user, and the other way round", no_mailboxes, judge_match);
}

static void judge_sip(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    const Umx__MailboxUser *mailbox = match->mailbox;
    const Umx__VoiceUser *voice = match->voice;
    const char *own = voice->sip_address, *other;

    (void)people;
    if (mailbox == NULL)
        return;
    if (!umx_sip_valid(own)) {
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_mailbox_name(mailbox),
                      umx_say(tally->out, "the Lync user %s has no SIP address", umx_voice_name(voice)),
                      "give him one: `Set-CsUser -Identity USER -SipAddress sip:USER@DOMAIN`");
        return;
    }
    bool here = umx_proxy_has(mailbox->proxy_address, mailbox->n_proxy_address, own);
    bool there = match->rule == UMX_MATCH_SAME || umx_proxy_has(voice->proxy_address, voice->n_proxy_address, own);
    if (here && there) {
        umx_tally_good(tally);
        return;
    }
    other = !here ? umx_sip_other(mailbox->proxy_address, mailbox->n_proxy_address, own)
                  : umx_sip_other(voice->proxy_address, voice->n_proxy_address, own);
    umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_mailbox_name(mailbox),
                  umx_say(tally->out, "%s %s %s", !here ? "the mailbox user" : "the Lync user",
                          other != NULL ? "has another one:" : "has no sip: address;",
                          other != NULL ? other : umx_say(tally->out, "%s is missing", own)),
                  other != NULL ? "`umx plan create NAME --phase sip-addresses --pair EXCHANGE:LYNC --set "
                                  "sip-addresses.replace=yes`"
                                : NULL);
}

static void run_sip(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_PAIR,
                    "proxyAddresses has the SIP address that Lync has, on the objects of both forests", no_mailboxes,
                    judge_sip);
}

static void judge_form(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    struct umx_eum_state state;

    if (match->mailbox == NULL || !match->mailbox->um_enabled)
        return;
    if (!umx_eum_judge(people, match, &state)) {
        tally->out->failed = 1;
        return;
    }
    if (state.plan == NULL)
        return;
    if (*state.found != '\0' && state.extension)
        umx_tally_good(tally);
    else
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_mailbox_name(match->mailbox),
                      *state.found == '\0' ? "no primary EUM address"
                                           : umx_say(tally->out, "no extension in %s", state.plan->phone_context),
                      *state.found == '\0' ? NULL
                                           : "name the extension in a row: `umx plan template --phase sip-addresses`");
}

static void run_form(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(
        view, check, out, UMX_PEOPLE_OF_PAIR,
        "a primary EUM:SIP-ADDRESS;phone-context=CONTEXT and an eum:EXTENSION;phone-context=CONTEXT at least",
        "nobody is enabled for UM in a SIP dial plan", judge_form);
}

static void judge_primary(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    struct umx_eum_state state;

    if (match->mailbox == NULL || !match->mailbox->um_enabled)
        return;
    if (!umx_eum_judge(people, match, &state)) {
        tally->out->failed = 1;
        return;
    }
    if (state.plan == NULL)
        return;
    if (state.holder != NULL)
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_mailbox_name(match->mailbox),
                      umx_say(tally->out, "%s has %s too (events 1406, 1444)", state.holder, state.wanted),
                      "take it away from one of them: `Set-Mailbox NAME -EmailAddresses @{Remove='EUM:...'}`");
    else if (state.primary)
        umx_tally_good(tally);
    else
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_mailbox_name(match->mailbox),
                      umx_say(tally->out, "%s, expected %s alone (event 1444: not provisioned)",
                              *state.found != '\0' ? state.found : "none", state.wanted),
                      NULL);
}

static void run_primary(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_PAIR,
                    "the SIP part of the primary EUM address is the SIP address that Lync has",
                    "nobody is enabled for UM in a SIP dial plan", judge_primary);
}

#define PLAN_AGAIN "`umx plan create NAME --phase sip-addresses --pair EXCHANGE:LYNC`"

const struct umx_phase_check umx_sip_addresses_checks[] = {
    {"sip-addresses/known", "V6.1", "Has each Enterprise Voice user a SIP address that nobody else has?",
     "correct the address in Lync", UMX_NEEDS_BOTH, "voice_user mailbox_user contact", false, run_known},
    {"sip-addresses/match", "P6", "Which mailbox is whose?",
     "name the person in a row with his sip_address: `umx plan template --phase sip-addresses`", UMX_NEEDS_BOTH,
     "voice_user mailbox_user", false, run_match},
    {"sip-addresses/proxy", "V6.2",
     "Has the mailbox user the SIP address among his proxy addresses, and in separate forests the Lync user too?",
     PLAN_AGAIN, UMX_NEEDS_BOTH, "voice_user mailbox_user", true, run_sip},
    {"sip-addresses/eum", "V6.3", "Has each user who is enabled for UM a primary EUM address and an extension?",
     PLAN_AGAIN, UMX_NEEDS_BOTH, "voice_user mailbox_user dial_plan", true, run_form},
    {"sip-addresses/eum-primary", "V6.4", "Is the primary EUM address the one that Lync calls?", PLAN_AGAIN,
     UMX_NEEDS_BOTH, "voice_user mailbox_user dial_plan", true, run_primary},
    {.id = NULL},
};

int umx_sip_addresses_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                            struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("sip-addresses"), world, pair, options, out, err);
}

int umx_sip_addresses_propose(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                              struct umx_proposal *out, struct umx_error *err)
{
    const struct umx_view view = umx_view_of(world, pair, options);
    struct umx_people *people = umx_people_open(&view);

    if (people == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "sip-addresses", NULL);
    for (size_t i = 0; i < people->count; i++) {
        Umx__InputUser row = UMX__INPUT_USER__INIT;
        if (!umx_people_here(people, &people->matches[i]) || people->matches[i].mailbox == NULL)
            continue;
        umx_people_propose(people, &people->matches[i], &row);
        umx_propose_user(out, &row);
    }
    umx_people_close(people);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "sip-addresses", NULL) : 0;
}
