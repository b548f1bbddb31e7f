/* Phase 10: users of the rows get Enterprise Voice, a line, a dial plan, a voice policy; by cmdlet, never by writing
 * msRTCSIP attributes (X10B). */
#include <string.h>

#include "base/text.h"
#include "phases/batch.h"
#include "phases/enterprise_voice.h"
#include "phases/groups.h"

struct work {
    struct umx_people *people;
    struct umx_steps *out;
    const char *forest;
    struct umx_index lync_users;
    struct umx_index lines; /* of the rows before */
    const char *server;
    const char *groups;
};

static bool of_phase(const Umx__InputUser *row)
{
    return umx_or_empty(row->line)[0] != '\0' || umx_or_empty(row->lync_dial_plan)[0] != '\0' ||
           umx_or_empty(row->voice_policy)[0] != '\0';
}

#define REJECT(...) umx_steps_reject(work->out, "user", person->row->row, __VA_ARGS__)

/* The line that the person shall have, with tel:, or NULL: the row was rejected. */
static const char *wanted_line(struct work *work, const struct umx_user_row *person)
{
    const Umx__VoiceUser *voice = person->match->voice;
    const char *line = umx_or_empty(person->row->line);
    const ProtobufCMessage *other;
    size_t at = 0;

    if (*line == '\0' && umx_line_valid(voice->line))
        line = voice->line;
    if (*line == '\0') {
        REJECT("line is missing: %s has none yet", umx_voice_name(voice));
        return NULL;
    }
    if (!umx_line_valid(line)) {
        REJECT("line \"%s\" is not +E.164, with ;ext=N where there is one", line);
        return NULL;
    }
    line = umx_line_bare(line);
    while ((other = umx_index_next(&work->people->lines, line, &at)) != NULL)
        if (other != &voice->base) {
            REJECT("line %s of %s belongs to %s", line, umx_voice_name(voice),
                   other->descriptor == &umx__contact__descriptor
                       ? umx_or_empty(((const Umx__Contact *)(const void *)other)->dn)
                       : umx_voice_name((const Umx__VoiceUser *)(const void *)other));
            return NULL;
        }
    const struct umx_user_row *before = umx_index_find(&work->lines, line);
    if (before != NULL) {
        REJECT("line %s of %s is also that of %s in row %d", line, umx_voice_name(voice),
               umx_voice_name(before->match->voice), before->row->row);
        return NULL;
    }
    umx_index_add(&work->lines, line, person);
    return umx_steps_say(work->out, "tel:%s", line);
}

static bool usable(struct work *work, const struct umx_user_row *person)
{
    const Umx__VoiceUser *voice = person->match->voice;
    const Umx__World *world = work->people->view->world;
    const char *policy = umx_or_empty(person->row->voice_policy), *plan = umx_or_empty(person->row->lync_dial_plan);
    bool plans = false, there = false;

    for (size_t i = 0; *plan != '\0' && i < world->n_lync_dial_plan && !there; i++)
        if (umx_text_equal(world->lync_dial_plan[i]->forest, work->forest)) {
            plans = true;
            there = umx_ev_same_tag(world->lync_dial_plan[i]->identity, plan);
        }
    if (!umx_sip_valid(voice->sip_address))
        REJECT("the Lync user %s has no SIP address", umx_or_empty(voice->dn));
    else if (!voice->enabled || umx_or_empty(voice->home_server_dn)[0] == '\0')
        REJECT("%s is not enabled for Lync: `Enable-CsUser`", umx_voice_name(voice));
    else if ((voice->option_flags & (UMX_VOICE_REMOTE_CONTROL | UMX_VOICE_DUAL_MODE)) == UMX_VOICE_REMOTE_CONTROL)
        REJECT("%s has remote call control: `Set-CsUser -RemoteCallControlTelephonyEnabled $false` first",
               umx_voice_name(voice));
    else if (plans && !there)
        REJECT("Lync has no dial plan \"%s\"", plan);
    else if (*policy != '\0' && umx_ev_known(world, work->forest) &&
             umx_ev_find(world, work->forest, "voice_policy", policy) == NULL)
        REJECT("Lync has no voice policy \"%s\"", policy);
    else
        return true;
    return false;
}

static void begin(struct work *work, struct umx_batch *batch, struct umx_text *names, const char *action,
                  const char *verb, const char *undo, const char *const *depends, size_t depend_count)
{
    *batch = (struct umx_batch){.out = work->out,
                                .world = work->people->view->world,
                                .slug = "enterprise-voice",
                                .side = UMX__FOREST__SIDE__LYNC,
                                .forest = work->forest,
                                .server = work->server,
                                .action = action,
                                .undo_action = action,
                                .verb = verb,
                                .undo = undo,
                                .groups = work->groups,
                                .depends = depends,
                                .depend_count = depend_count,
                                .names = names};
}

/* The shell has every Lync user, also one of whom no agent has told yet: the promise changes him, it does not make him.
 */
static void promise_told(struct work *work, Umx__PlanStep *step, const Umx__LyncUser *shell, const Umx__LyncUser *told)
{
    Umx__LyncUser known = UMX__LYNC_USER__INIT;

    known.forest = told->forest;
    known.sip_address = told->sip_address;
    umx_step_promise_known(work->out, step, shell != NULL ? &shell->base : &known.base, &told->base);
}

static void enable(struct work *work, struct umx_batch *batch, const struct umx_user_row *person, const char *line)
{
    const Umx__VoiceUser *voice = person->match->voice;
    const Umx__LyncUser *shell = umx_find_lync_user(&work->lync_users, voice);
    Umx__PlanStep *step = umx_batch_next(batch, umx_voice_name(voice));
    Umx__VoiceUser user = UMX__VOICE_USER__INIT;
    Umx__LyncUser told = UMX__LYNC_USER__INIT;

    user.forest = told.forest = voice->forest;
    user.dn = voice->dn;
    user.has_option_flags = 1;
    user.option_flags = voice->option_flags | UMX_VOICE_ENTERPRISE;
    user.line = told.line = umx_steps_copy(work->out, line);
    umx_step_promise_known(work->out, step, &voice->base, &user.base);
    told.sip_address = voice->sip_address;
    told.has_enterprise_voice = told.enterprise_voice = 1;
    /* By hand the directory shows it, and nobody asks the shell. */
    if (work->server != NULL)
        promise_told(work, step, shell, &told);
    umx_batch_item(
        batch, umx_item(work->out, "sip_address", voice->sip_address, "enterprise_voice", "true", "line", line, NULL),
        umx_item(work->out, "sip_address", voice->sip_address, "enterprise_voice", "@result.previous_enterprise_voice",
                 "line", "@result.previous_line", NULL),
        umx_steps_say(work->out, "Set-CsUser -Identity %s -EnterpriseVoiceEnabled $true -LineURI %s",
                      umx_shell_quote(work->out, voice->sip_address), umx_shell_quote(work->out, line)));
}

static void grant(struct work *work, struct umx_batch *batch, const struct umx_user_row *person, const char *policy,
                  bool dial_plan)
{
    const Umx__VoiceUser *voice = person->match->voice;
    const Umx__LyncUser *shell = umx_find_lync_user(&work->lync_users, voice);
    Umx__LyncUser told = UMX__LYNC_USER__INIT;

    if (*policy == '\0' ||
        (shell != NULL && umx_ev_same_tag(dial_plan ? shell->dial_plan : shell->voice_policy, policy)))
        return;
    Umx__PlanStep *step = umx_batch_next(batch, umx_voice_name(voice));
    told.forest = voice->forest;
    told.sip_address = voice->sip_address;
    *(dial_plan ? &told.dial_plan : &told.voice_policy) = umx_steps_copy(work->out, umx_ev_tag(policy));
    promise_told(work, step, shell, &told);
    umx_batch_item(batch, umx_item(work->out, "sip_address", voice->sip_address, "policy", umx_ev_tag(policy), NULL),
                   umx_item(work->out, "sip_address", voice->sip_address, "policy", "@result.previous_policy", NULL),
                   umx_steps_say(work->out, "%s -Identity %s -PolicyName %s",
                                 dial_plan ? "Grant-CsDialPlan" : "Grant-CsVoicePolicy",
                                 umx_shell_quote(work->out, voice->sip_address),
                                 umx_shell_quote(work->out, umx_ev_tag(policy))));
}

static void plan_users(struct work *work, struct umx_user_row *rows, size_t count, const char *const *gates,
                       size_t gate_count)
{
    struct umx_text names = {0};
    struct umx_batch batch;
    bool *good = umx_arena_alloc(work->people->arena, (count + 1) * sizeof *good);

    if (good == NULL) {
        work->out->failed = 1;
        return;
    }
    begin(work, &batch, &names, "set-cs-user", "enable for Enterprise Voice",
          "gives back Enterprise Voice and line as they were", gates, gate_count);
    for (size_t i = 0; i < count; i++) {
        const Umx__VoiceUser *voice = rows[i].match->voice;
        if (!usable(work, &rows[i]))
            continue;
        const char *line = wanted_line(work, &rows[i]);
        good[i] = line != NULL;
        if (line != NULL && (!umx_voice_enabled(voice) || !umx_text_equal(voice->line, line)))
            enable(work, &batch, &rows[i], line);
    }
    umx_batch_end(&batch);
    const char *const *before = batch.id_count > 0 ? batch.ids : gates;
    size_t before_count = batch.id_count > 0 ? batch.id_count : gate_count;
    for (int dial_plan = 1; dial_plan >= 0; dial_plan--) {
        begin(work, &batch, &names, dial_plan ? "grant-cs-dial-plan" : "grant-cs-voice-policy",
              dial_plan ? "grant a dial plan" : "grant a voice policy", "grants what was granted before", before,
              before_count);
        for (size_t i = 0; i < count; i++)
            if (good[i])
                grant(work, &batch, &rows[i],
                      umx_or_empty(dial_plan ? rows[i].row->lync_dial_plan : rows[i].row->voice_policy), dial_plan);
        umx_batch_end(&batch);
    }
}

/* Rows that other phases take, of people who would need this one. */
static void note_others(struct work *work)
{
    struct umx_user_row *rows;
    size_t count, without = 0;

    if (umx_people_rows(work->people, NULL, false, NULL, &rows, &count) != 0) {
        work->out->failed = 1;
        return;
    }
    for (size_t i = 0; i < count; i++)
        without += !of_phase(rows[i].row) && !umx_voice_enabled(rows[i].match->voice);
    if (without > 0)
        umx_steps_note(
            work->out,
            "enterprise-voice: %zu rows name people without Enterprise Voice and no line: they do not get it", without);
}

int umx_enterprise_voice_plan(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                              struct umx_steps *out, struct umx_error *err)
{
    static const char *const condition[] = {"user_steps"};
    const struct umx_view view = umx_view_of(world, pair, options);
    struct umx_people *people = umx_people_open(&view);
    struct work work = {.people = people, .out = out, .forest = pair->lync};
    struct umx_user_row *rows;
    size_t count, gate_count;

    if (people == NULL || umx_people_rows(people, out, false, of_phase, &rows, &count) != 0) {
        umx_people_close(people);
        return umx_fail(err, UMX_ERR_MEMORY, "enterprise-voice", NULL);
    }
    umx_index_lync_users(people, &work.lync_users);
    umx_index_begin(&work.lines, people->arena);
    work.server = umx_shell_agent(world, pair->lync, UMX__SERVER__PRODUCT__LYNC);
    work.groups = umx_groups_resolve(umx_phase("enterprise-voice")->groups_lync, condition, 1, out->arena);
    const char *const *gates = umx_ev_plan_servers(&view, out, &gate_count);
    plan_users(&work, rows, count, gates, gate_count);
    if (umx_rows_given(&view))
        note_others(&work);
    else
        umx_steps_note(out, "enterprise-voice: without rows nobody is enabled: `umx plan template --phase "
                            "enterprise-voice` proposes them");
    out->failed = out->failed || work.lync_users.failed || work.lines.failed || work.groups == NULL;
    umx_people_close(people);
    return out->failed ? umx_fail(err, UMX_ERR_MEMORY, "enterprise-voice", NULL) : 0;
}
