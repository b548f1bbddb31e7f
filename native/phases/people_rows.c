/* Rows of the input that name people. */
#include <string.h>

#include "base/text.h"
#include "phases/build.h"
#include "phases/people.h"

bool umx_rows_given(const struct umx_view *view)
{
    return view->options != NULL && view->options->input != NULL && view->options->input->n_user > 0;
}

enum verdict { GOOD, BAD, OTHER };

/* What the row names; the reason is set when it is BAD. */
struct naming {
    struct umx_people *people;
    const Umx__InputUser *row;
    bool need_mailbox;
    struct umx_user_row made;
    const char *why;
};

static enum verdict bad(struct naming *naming, const char *why)
{
    naming->why = why != NULL ? why : "out of memory";
    return BAD;
}

#define SAY(...) umx_arena_format(naming->people->arena, __VA_ARGS__)

static struct umx_match *only_match(const struct umx_people *people, const char *key, bool *several)
{
    const struct umx_match *found = umx_index_only(&people->lync_name, key, several);

    return found != NULL ? &people->matches[found - people->matches] : NULL;
}

/* The person's Lync account in a Lync forest of another pair. */
static bool elsewhere(const struct umx_people *people, const Umx__MailboxUser *mailbox)
{
    const struct umx_match *match;
    size_t at = 0;

    while ((match = umx_index_next(&people->by_mailbox, mailbox->dn, &at)) != NULL)
        if (match->mailbox == mailbox)
            return true;
    return false;
}

static enum verdict name_mailbox(struct naming *naming)
{
    const struct umx_pair *pair = naming->people->view->pair;
    bool several;

    naming->made.mailbox = umx_index_only(&naming->people->by_name, naming->row->user, &several);
    if (several)
        return bad(naming, SAY("\"%s\" is the name of several mailbox users in %s", naming->row->user, pair->exchange));
    if (naming->made.mailbox != NULL || !naming->need_mailbox)
        return GOOD;
    return bad(naming, SAY("no user with a mailbox in %s is called \"%s\"", pair->exchange, naming->row->user));
}

static enum verdict name_voice(struct naming *naming)
{
    struct umx_people *people = naming->people;
    const Umx__InputUser *row = naming->row;
    const struct umx_pair *pair = people->view->pair;
    bool several = false;

    if (naming->made.mailbox != NULL)
        naming->made.match = umx_people_of(people, naming->made.mailbox);
    if (naming->made.match == NULL && naming->made.mailbox != NULL && umx_or_empty(row->lync_forest)[0] == '\0' &&
        elsewhere(people, naming->made.mailbox))
        return OTHER;
    if (naming->made.match == NULL) {
        naming->made.match = only_match(people, umx_or_empty(row->sip_address), &several);
        if (naming->made.match == NULL && naming->made.mailbox == NULL && !several)
            naming->made.match = only_match(people, row->user, &several);
        if (naming->made.match != NULL && naming->made.mailbox != NULL) {
            if (naming->made.match->mailbox != NULL)
                return bad(naming, SAY("the Lync user %s is %s", umx_voice_name(naming->made.match->voice),
                                       umx_mailbox_name(naming->made.match->mailbox)));
            naming->made.match->mailbox = naming->made.mailbox;
            naming->made.match->rule = UMX_MATCH_ROW;
        }
    }
    if (several)
        return bad(naming, SAY("several Lync users in %s have that name or address", pair->lync));
    if (naming->made.match == NULL)
        return bad(naming, SAY("no Lync user in %s is \"%s\"; sip_address names him where nothing else connects them",
                               pair->lync, row->user));
    const char *known = naming->made.match->voice->sip_address;
    if (umx_or_empty(row->sip_address)[0] != '\0' &&
        !umx_text_equal(umx_sip_bare(row->sip_address), umx_sip_bare(known)))
        return bad(naming, SAY("sip_address is %s, and the Lync user has %s", row->sip_address,
                               umx_or_empty(known)[0] != '\0' ? known : "none"));
    return GOOD;
}

static enum verdict resolve(struct naming *naming)
{
    const struct umx_pair *pair = naming->people->view->pair;
    const Umx__InputUser *row = naming->row;

    naming->made = (struct umx_user_row){.row = row};
    if ((umx_or_empty(row->forest)[0] != '\0' && !umx_text_equal(row->forest, pair->exchange)) ||
        (umx_or_empty(row->lync_forest)[0] != '\0' && !umx_text_equal(row->lync_forest, pair->lync)))
        return OTHER;
    if (umx_or_empty(row->user)[0] == '\0')
        return bad(naming, "user is missing");
    enum verdict verdict = name_mailbox(naming);
    return verdict == GOOD ? name_voice(naming) : verdict;
}

int umx_people_rows(struct umx_people *people, struct umx_steps *out, bool need_mailbox,
                    bool (*wanted)(const Umx__InputUser *row), struct umx_user_row **rows, size_t *count)
{
    const Umx__Input *input = people->view->options != NULL ? people->view->options->input : NULL;
    size_t given = input != NULL ? input->n_user : 0;
    struct umx_user_row *made = umx_arena_alloc(people->arena, (given + 1) * sizeof *made);
    struct umx_index seen;

    *rows = made;
    *count = 0;
    if (made == NULL)
        return -1;
    umx_index_begin(&seen, people->arena);
    for (size_t i = 0; i < given; i++) {
        struct naming naming = {.people = people, .row = input->user[i], .need_mailbox = need_mailbox};
        if (wanted != NULL && !wanted(naming.row))
            continue;
        enum verdict verdict = resolve(&naming);
        const struct umx_user_row *before =
            verdict == GOOD ? umx_index_find(&seen, naming.made.match->voice->dn) : NULL;
        if (before != NULL) {
            naming.why = umx_arena_format(people->arena, "row %d names the same person", before->row->row);
            verdict = BAD;
        }
        if (verdict == BAD && out != NULL)
            umx_steps_reject(out, "user", naming.row->row, "%s", umx_or_empty(naming.why));
        if (verdict != GOOD)
            continue;
        made[*count] = naming.made;
        umx_index_add(&seen, naming.made.match->voice->dn, &made[(*count)++]);
    }
    return seen.failed ? -1 : 0;
}

/* ---- who is asked about */

bool *umx_people_subjects(struct umx_people *people)
{
    bool *marks = umx_arena_alloc(people->arena, (people->count + 1) * sizeof *marks);
    struct umx_user_row *rows;
    size_t count;

    if (marks == NULL || umx_people_rows(people, NULL, false, NULL, &rows, &count) != 0)
        return NULL;
    for (size_t i = 0; i < people->count; i++)
        marks[i] = umx_people_here(people, &people->matches[i]) && umx_voice_enabled(people->matches[i].voice);
    for (size_t i = 0; i < count; i++)
        marks[rows[i].match - people->matches] = true;
    return marks;
}

struct umx_user_row *umx_people_enabled(struct umx_people *people, size_t *count)
{
    struct umx_user_row *made = umx_arena_alloc(people->arena, (people->count + 1) * sizeof *made);

    *count = 0;
    for (size_t i = 0; made != NULL && i < people->count; i++) {
        struct umx_match *match = &people->matches[i];
        if (match->mailbox != NULL && umx_people_here(people, match) && umx_voice_enabled(match->voice))
            made[(*count)++] = (struct umx_user_row){.mailbox = match->mailbox, .match = match};
    }
    return made;
}

/* ---- what is left alone */

void umx_people_leave(struct umx_left *left, const struct umx_user_row *row, const char *who, const char *why)
{
    enum { NOTES_MAX = 20 };

    if (row != NULL && row->row != NULL) {
        umx_steps_reject(left->out, "user", row->row->row, "%s", why);
        return;
    }
    if (left->count++ < NOTES_MAX)
        umx_steps_note(left->out, "%s: %s is left alone: %s", left->slug, who, why);
    else
        left->more++;
}

void umx_people_left(struct umx_left *left)
{
    if (left->more > 0)
        umx_steps_note(left->out, "%s: %zu more people are left alone for such reasons: `umx check --phase %s`",
                       left->slug, left->more, left->slug);
}

/* ---- proposals */

const Umx__LyncUser *umx_find_lync_user(const struct umx_index *lync_users, const Umx__VoiceUser *voice)
{
    return umx_index_find(lync_users, voice->sip_address);
}

void umx_index_lync_users(struct umx_people *people, struct umx_index *index)
{
    const Umx__World *world = people->view->world;

    umx_index_begin(index, people->arena);
    for (size_t i = 0; i < world->n_lync_user; i++)
        if (umx_text_equal(world->lync_user[i]->forest, people->view->pair->lync))
            umx_index_add(index, world->lync_user[i]->sip_address, world->lync_user[i]);
}

/* Fields of the schema are not const; nobody writes through the row. */
static char *field(struct umx_people *people, const char *text)
{
    return umx_arena_string(people->arena, text);
}

void umx_people_propose(struct umx_people *people, const struct umx_match *match, Umx__InputUser *row)
{
    const Umx__MailboxUser *mailbox = match->mailbox;

    row->forest = field(people, people->view->pair->exchange);
    row->user = field(people, mailbox->user_principal_name != NULL ? mailbox->user_principal_name : mailbox->dn);
    row->lync_forest = field(people, people->view->pair->lync);
    row->sip_address = field(people, match->voice->sip_address);
}
