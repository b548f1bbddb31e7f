/* Phase 10: options, the table of its checks, those about users, proposed rows. */
#include "phases/enterprise_voice.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"
#include "phases/build.h"

static int valid_fqdn(const char *value, struct umx_error *err)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_";

    if (*value != '\0' && strspn(value, letters) == strlen(value) && strlen(value) < 256)
        return 0;
    return umx_fail(err, UMX_ERR_OPTION_INVALID, "enterprise-voice", "\"%s\" is not the FQDN of a server", value);
}

static int valid_usage(const char *value, struct umx_error *err)
{
    if (*value != '\0' && strlen(value) <= 256)
        return 0;
    return umx_fail(err, UMX_ERR_OPTION_INVALID, "enterprise-voice.usage", "the name of a PSTN usage is missing");
}

const struct umx_phase_option umx_enterprise_voice_options[] = {
    {"pstn-gateway", "FQDN", "the PSTN gateway to define where the topology has none; routes lead to it", valid_fqdn},
    {"mediation", "FQDN", "the server that shall run RTCMEDSRV where none does (default: a Front End with an agent)",
     valid_fqdn},
    {"usage", "NAME", "the PSTN usage to make where there is none (default: Long Distance)", valid_usage},
    {NULL, NULL, NULL, NULL},
};

/* ---- V10B.1, V10B.2 */

static const char nobody[] = "there is no Enterprise Voice user yet";

/* What is not as the row says; NULL: it is. */
static const char *row_difference(struct umx_findings *out, const struct umx_user_row *person,
                                  const struct umx_index *lync_users)
{
    const Umx__VoiceUser *voice = person->match->voice;
    const Umx__LyncUser *shell = umx_find_lync_user(lync_users, voice);
    const char *line = umx_or_empty(person->row->line);
    const char *plan = umx_or_empty(person->row->lync_dial_plan), *policy = umx_or_empty(person->row->voice_policy);

    if (!umx_voice_enabled(voice))
        return "not enabled for Enterprise Voice";
    if (*line != '\0' && !umx_text_equal(umx_line_bare(line), umx_or_empty(umx_line_bare(voice->line))))
        return umx_say(out, "line %s", voice->line != NULL ? voice->line : "not set");
    if (*plan != '\0' && (shell == NULL || !umx_ev_same_tag(shell->dial_plan, plan)))
        return umx_say(out, "dial plan %s is not granted", plan);
    if (*policy != '\0' && (shell == NULL || !umx_ev_same_tag(shell->voice_policy, policy)))
        return umx_say(out, "voice policy %s is not granted", policy);
    return NULL;
}

static bool of_phase(const Umx__InputUser *row)
{
    return umx_or_empty(row->line)[0] != '\0' || umx_or_empty(row->lync_dial_plan)[0] != '\0' ||
           umx_or_empty(row->voice_policy)[0] != '\0';
}

static void check_rows(struct umx_people *people, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_tally tally = {.view = people->view,
                              .check = check,
                              .out = out,
                              .forest = people->view->pair->lync,
                              .expected = "enabled for Enterprise Voice, with what the row says"};
    struct umx_user_row *rows;
    struct umx_index lync_users;
    size_t count;

    umx_index_lync_users(people, &lync_users);
    if (lync_users.failed || umx_people_rows(people, NULL, false, of_phase, &rows, &count) != 0) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < count; i++) {
        const char *why = row_difference(out, &rows[i], &lync_users);
        if (why == NULL)
            umx_tally_good(&tally);
        else
            umx_tally_bad(&tally, UMX__FINDING__STATUS__FAIL, umx_voice_name(rows[i].match->voice), why, NULL);
    }
    umx_tally_end(&tally, "no row is about this phase");
}

static void run_users(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    struct umx_people *people = umx_people_open(view);
    size_t enabled = 0, others = 0;

    if (people == NULL) {
        out->failed = 1;
        return;
    }
    for (size_t i = 0; i < people->count; i++) {
        if (!umx_people_here(people, &people->matches[i]))
            continue;
        if (umx_voice_enabled(people->matches[i].voice))
            enabled++;
        else
            others++;
    }
    if (umx_rows_given(view)) {
        check_rows(people, check, out);
    } else {
        struct umx_answer answer = {
            .status = umx_verdict(enabled > 0),
            .forest = view->pair->lync,
            .target = view->pair->lync,
            .expected = "users with msRTCSIP-UserEnabled TRUE and bit 128 of msRTCSIP-OptionFlags",
            .actual = umx_say(out, "%zu, and %zu other users with Lync", enabled, others),
        };
        umx_findings_add(out, view, check, &answer);
    }
    umx_people_close(people);
}

static void judge_attributes(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    const Umx__VoiceUser *voice = match->voice;
    const char *why = NULL;

    (void)people;
    if (umx_or_empty(voice->home_server_dn)[0] == '\0')
        why = "msRTCSIP-PrimaryHomeServer is not set";
    else if (umx_or_empty(voice->line)[0] == '\0')
        why = "msRTCSIP-Line is not set";
    else if (!umx_line_valid(voice->line) || umx_line_bare(voice->line) == voice->line)
        why = umx_say(tally->out, "msRTCSIP-Line is %s", voice->line);
    if (why == NULL)
        umx_tally_good(tally);
    else
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_voice_name(voice), why, NULL);
}

static void run_attributes(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_LYNC, "a home server, and a line tel:+E164[;ext=N]", nobody,
                    judge_attributes);
}

/* ---- F10B, V10B.3 to V10B.5 */

static void judge_line(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    const ProtobufCMessage *other;
    size_t at = 0;

    while ((other = umx_index_next(&people->lines, umx_line_bare(match->voice->line), &at)) != NULL)
        if (other != &match->voice->base) {
            const char *name = other->descriptor == &umx__contact__descriptor
                                   ? umx_or_empty(((const Umx__Contact *)(const void *)other)->dn)
                                   : umx_voice_name((const Umx__VoiceUser *)(const void *)other);
            umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_voice_name(match->voice),
                          umx_say(tally->out, "%s has %s too", name, match->voice->line), NULL);
            return;
        }
    if (umx_or_empty(match->voice->line)[0] != '\0')
        umx_tally_good(tally);
}

static void run_lines(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_LYNC, "nobody else, no contact either, has the line",
                    "nobody has a line yet", judge_line);
}

static void judge_modes(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    int32_t flags = match->voice->option_flags;

    (void)people;
    if ((flags & UMX_VOICE_REMOTE_CONTROL) == 0 || (flags & UMX_VOICE_DUAL_MODE) != 0)
        umx_tally_good(tally);
    else
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_voice_name(match->voice),
                      umx_say(tally->out, "msRTCSIP-OptionFlags %d: remote call control and Enterprise Voice", flags),
                      NULL);
}

static void run_modes(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_LYNC, "bits 16 and 128 together only with 512 (dual mode)", nobody,
                    judge_modes);
}

static void judge_owner(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    const Umx__VoiceUser *voice = match->voice;

    (void)people;
    if (umx_or_empty(voice->originator_sid)[0] != '\0') {
        if (match->rule == UMX_MATCH_ORIGINATOR || match->rule == UMX_MATCH_MASTER)
            umx_tally_good(tally);
        else
            umx_tally_bad(tally, match->mailbox != NULL ? UMX__FINDING__STATUS__FAIL : UMX__FINDING__STATUS__UNKNOWN,
                          umx_voice_name(voice),
                          match->mailbox != NULL
                              ? umx_say(tally->out, "msRTCSIP-OriginatorSid is %s, and %s, who has the address, is %s",
                                        voice->originator_sid, umx_mailbox_name(match->mailbox),
                                        umx_or_empty(match->mailbox->sid))
                              : umx_say(tally->out, "no mailbox user that was read is %s", voice->originator_sid),
                          match->mailbox != NULL ? NULL : "look whose SID it is, in the forest of the accounts");
    } else if (voice->account_disabled) {
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_voice_name(voice),
                      "the account is disabled, as a shadow account is, and msRTCSIP-OriginatorSid is not set", NULL);
    }
}

static void run_owner(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_PAIR,
                    "msRTCSIP-OriginatorSid of a resource forest's user is the objectSid of his account",
                    "no Enterprise Voice user is one of a resource forest", judge_owner);
}

static void judge_hosted(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally)
{
    const Umx__VoiceUser *voice = match->voice;

    (void)people;
    for (size_t i = 0; i < voice->n_voice_mail_setting; i++) {
        const char *setting = voice->voice_mail_setting[i];
        if (umx_text_find(setting, "HostedVoiceMail=1") == NULL)
            continue;
        umx_tally_bad(tally, UMX__FINDING__STATUS__FAIL, umx_voice_name(voice),
                      umx_say(tally->out, "msExchUCVoiceMailSettings has %s (event 44009 on the Front End)", setting),
                      NULL);
        return;
    }
    umx_tally_good(tally);
}

static void run_hosted(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out)
{
    umx_people_each(view, check, out, UMX_PEOPLE_OF_LYNC,
                    "no ExchangeHostedVoiceMail=1 or CsHostedVoiceMail=1: voice mail is here", nobody, judge_hosted);
}

/* ---- the table */

#define BY_ROW                                                                                                         \
    "fill in rows and plan them: `umx plan template --phase enterprise-voice --pair EXCHANGE:LYNC`, `umx plan create " \
    "NAME --phase enterprise-voice --input FILE`"

const struct umx_phase_check umx_enterprise_voice_checks[] = {
    {"enterprise-voice/mediation", "V10A.1", "Does a Mediation Server run?",
     "`umx plan create NAME --phase enterprise-voice --pair EXCHANGE:LYNC`", UMX_NEEDS_LYNC, NULL, false,
     umx_ev_check_mediation},
    {"enterprise-voice/pstn", "V10A.2", "Are there PSTN gateways, usages, voice policies and voice routes?",
     "`umx plan create NAME --phase enterprise-voice --pair EXCHANGE:LYNC`", UMX_NEEDS_LYNC, NULL, false,
     umx_ev_check_pstn},
    {"enterprise-voice/usages", "V10A.2", "Is there a voice route for each PSTN usage of each voice policy?",
     "`umx plan create NAME --phase enterprise-voice --pair EXCHANGE:LYNC`", UMX_NEEDS_LYNC, NULL, false,
     umx_ev_check_usages},
    {"enterprise-voice/media", "V10A.3", "Is Lync's media encryption known?", "`Get-CsMediaConfiguration`",
     UMX_NEEDS_LYNC, NULL, false, umx_ev_check_media},
    {"enterprise-voice/users", "V10B.2",
     "Are users enabled for Enterprise Voice; with rows, those of the rows and as they say?", BY_ROW, UMX_NEEDS_BOTH,
     "voice_user mailbox_user", true, run_users},
    {"enterprise-voice/attributes", "V10B.1", "Has each Enterprise Voice user a home server and an E.164 line?", BY_ROW,
     UMX_NEEDS_LYNC, "voice_user", true, run_attributes},
    {"enterprise-voice/lines", "F10B", "Has each Enterprise Voice user a line of his own?",
     "give one of them another line: `Set-CsUser -Identity USER -LineURI 'tel:+...'`", UMX_NEEDS_LYNC,
     "voice_user contact", false, run_lines},
    {"enterprise-voice/modes", "V10B.3", "Is remote call control off, or in dual mode, for Enterprise Voice users?",
     "`Set-CsUser -Identity USER -RemoteCallControlTelephonyEnabled $false`", UMX_NEEDS_LYNC, "voice_user", false,
     run_modes},
    {"enterprise-voice/owner", "V10B.4", "Is each shadow user of a resource forest tied to his account?",
     "set it as the account's SID: the tool that made the shadow accounts, or `sidmap.wsf`", UMX_NEEDS_BOTH,
     "voice_user mailbox_user", false, run_owner},
    {"enterprise-voice/hosted", "V10B.5", "Is nobody's voice mail said to be hosted elsewhere?",
     "`Set-CsUser -Identity USER -HostedVoiceMail $null`", UMX_NEEDS_LYNC, "voice_user", false, run_hosted},
    {"enterprise-voice/granted", "F10B", "Do the voice policies and dial plans that users were given exist?",
     "`Grant-CsVoicePolicy -Identity USER -PolicyName NAME`, `Grant-CsDialPlan`", UMX_NEEDS_LYNC, NULL, false,
     umx_ev_check_granted},
    {.id = NULL},
};

int umx_enterprise_voice_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                               struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("enterprise-voice"), world, pair, options, out, err);
}

int umx_enterprise_voice_propose(const Umx__World *world, const struct umx_pair *pair,
                                 const struct umx_options *options, struct umx_proposal *out, struct umx_error *err)
{
    const struct umx_view view = umx_view_of(world, pair, options);
    struct umx_people *people = umx_people_open(&view);

    if (people == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "enterprise-voice", NULL);
    for (size_t i = 0; i < people->count; i++) {
        const struct umx_match *match = &people->matches[i];
        Umx__InputUser row = UMX__INPUT_USER__INIT;
        if (!umx_people_here(people, match) || match->mailbox == NULL || umx_voice_enabled(match->voice))
            continue;
        umx_people_propose(people, match, &row);
        if (umx_line_valid(match->voice->line))
            row.line = match->voice->line;
        umx_propose_user(out, &row);
    }
    umx_people_close(people);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "enterprise-voice", NULL) : 0;
}
