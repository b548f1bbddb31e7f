/* Who is who: Lync users and mailbox users of a world, and what their addresses are in use for. */
#include "phases/people.h"

#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { PEOPLE_ARENA = 1024 * 1024 * 1024 };

const char *const umx_match_words[] = {
    [UMX_MATCH_SAME] = "the same object",
    [UMX_MATCH_ORIGINATOR] = "msRTCSIP-OriginatorSid",
    [UMX_MATCH_MASTER] = "msExchMasterAccountSid",
    [UMX_MATCH_SIP] = "the SIP address",
    [UMX_MATCH_UPN] = "the user principal name",
    [UMX_MATCH_ROW] = "a row of the input",
    [UMX_MATCH_NONE] = "nothing",
};

/* Self: the owner of a shared or resource mailbox is nobody's account. */
static const char self_sid[] = "S-1-5-10";

bool umx_voice_enabled(const Umx__VoiceUser *user)
{
    return user->enabled && user->has_option_flags && (user->option_flags & UMX_VOICE_ENTERPRISE) != 0;
}

bool umx_people_writable(const Umx__Forest *forest, const char *dn)
{
    const char *domain = dn;

    while (domain != NULL && strncasecmp(domain, "DC=", 3) != 0)
        domain = umx_text_dn_parent(domain);
    return domain == NULL || forest == NULL || forest->root_dn == NULL || umx_text_dn_equal(domain, forest->root_dn);
}

const char *umx_sip_bare(const char *address)
{
    return address != NULL && strncasecmp(address, "sip:", 4) == 0 ? address + 4 : address;
}

bool umx_sip_valid(const char *address)
{
    const char *bare = umx_sip_bare(address);
    const char *at = bare != NULL ? strchr(bare, '@') : NULL;

    return at != NULL && bare != address && at > bare && at[1] != '\0' && strpbrk(bare, " \t;<>\"") == NULL &&
           strchr(at + 1, '@') == NULL;
}

const char *umx_line_bare(const char *line)
{
    return line != NULL && strncasecmp(line, "tel:", 4) == 0 ? line + 4 : line;
}

bool umx_line_valid(const char *line)
{
    enum { E164_MAX = 15 };
    static const char digits[] = "0123456789", mark[] = ";ext=";
    const char *p = umx_line_bare(line);

    if (p == NULL || *p != '+' || p[1] == '0')
        return false;
    size_t length = strspn(++p, digits);
    if (length == 0 || length > E164_MAX)
        return false;
    p += length;
    if (*p == '\0')
        return true;
    if (strncmp(p, mark, sizeof mark - 1) != 0)
        return false;
    p += sizeof mark - 1;
    return *p != '\0' && strspn(p, digits) == strlen(p);
}

bool umx_proxy_has(char *const *values, size_t count, const char *value)
{
    for (size_t i = 0; i < count; i++)
        if (umx_text_equal(values[i], value))
            return true;
    return false;
}

const char *umx_voice_name(const Umx__VoiceUser *user)
{
    return user->sip_address != NULL ? user->sip_address : umx_or_empty(user->dn);
}

const char *umx_mailbox_name(const Umx__MailboxUser *user)
{
    return user->user_principal_name != NULL ? user->user_principal_name : umx_or_empty(user->dn);
}

const char *umx_mailbox_identity(struct umx_arena *arena, const Umx__MailboxUser *user)
{
    const uint8_t *g = user->object_guid.data;

    if (!user->has_object_guid || user->object_guid.len != 16)
        return umx_arena_string(arena, umx_or_empty(user->dn));
    return umx_arena_format(arena, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", g[3], g[2],
                            g[1], g[0], g[5], g[4], g[7], g[6], g[8], g[9], g[10], g[11], g[12], g[13], g[14], g[15]);
}

bool umx_eum_parse(const char *value, struct umx_eum *eum)
{
    static const char mark[] = ";phone-context=";

    if (value == NULL || strncasecmp(value, "eum:", 4) != 0)
        return false;
    eum->primary = strncmp(value, "EUM:", 4) == 0;
    eum->address = value + 4;
    eum->length = strcspn(eum->address, ";");
    eum->context = eum->address + eum->length;
    if (strncasecmp(eum->context, mark, sizeof mark - 1) != 0)
        return false;
    eum->context += sizeof mark - 1;
    return eum->length > 0 && *eum->context != '\0';
}

bool umx_eum_is_extension(const struct umx_eum *eum)
{
    return strspn(eum->address, "0123456789") >= eum->length;
}

bool umx_is_sip_plan(const Umx__DialPlan *plan)
{
    return plan != NULL && plan->has_uri_type && plan->uri_type == UMX__DIAL_PLAN__URI_TYPE__SIP_NAME;
}

const Umx__DialPlan *umx_find_dial_plan(const Umx__World *world, const char *forest, const char *dn)
{
    for (size_t i = 0; dn != NULL && i < world->n_dial_plan; i++)
        if (umx_text_dn_equal(world->dial_plan[i]->dn, dn) && umx_text_equal(world->dial_plan[i]->forest, forest))
            return world->dial_plan[i];
    return NULL;
}

const Umx__MailboxPolicy *umx_find_policy(const Umx__World *world, const char *forest, const char *dn)
{
    for (size_t i = 0; dn != NULL && i < world->n_mailbox_policy; i++) {
        const Umx__MailboxPolicy *policy = world->mailbox_policy[i];
        if (umx_text_equal(policy->forest, forest) &&
            (umx_text_equal(policy->name, dn) || umx_text_dn_equal(policy->dn, dn)))
            return policy;
    }
    return NULL;
}

/* ---- matching */

/* Mailboxes of the world by what tells people apart. */
struct mailboxes {
    struct umx_index sid, dn, master, sip, upn;
};

static void index_mailbox(struct mailboxes *all, const Umx__MailboxUser *user)
{
    umx_index_add(&all->sid, user->sid, user);
    umx_index_add(&all->dn, user->dn, user);
    umx_index_add(&all->upn, user->user_principal_name, user);
    if (!umx_text_equal(user->master_account_sid, self_sid))
        umx_index_add(&all->master, user->master_account_sid, user);
    for (size_t i = 0; i < user->n_proxy_address; i++)
        if (strncasecmp(user->proxy_address[i], "sip:", 4) == 0)
            umx_index_add(&all->sip, user->proxy_address[i] + 4, user);
}

/* The only mailbox of another forest that the index has for the key. */
static const Umx__MailboxUser *elsewhere(const struct umx_index *index, const char *key, const char *forest,
                                         bool *several)
{
    const Umx__MailboxUser *found = NULL, *user;
    size_t at = 0;

    while ((user = umx_index_next(index, key, &at)) != NULL) {
        if (user == found || umx_text_equal(user->forest, forest))
            continue;
        *several = found != NULL;
        found = user;
        if (*several)
            return NULL;
    }
    return found;
}

static const Umx__MailboxUser *same_object(const struct mailboxes *all, const Umx__VoiceUser *voice)
{
    const Umx__MailboxUser *user;
    size_t at = 0;

    if ((user = umx_index_find(&all->sid, voice->sid)) != NULL)
        return umx_text_equal(user->forest, voice->forest) ? user : NULL;
    while ((user = umx_index_next(&all->dn, voice->dn, &at)) != NULL)
        if (umx_text_equal(user->forest, voice->forest))
            return user;
    return NULL;
}

static void match_one(const struct mailboxes *all, struct umx_match *match)
{
    const Umx__VoiceUser *voice = match->voice;
    const struct {
        enum umx_match_rule rule;
        const struct umx_index *index;
        const char *key;
    } tries[] = {
        {UMX_MATCH_ORIGINATOR, &all->sid, voice->originator_sid},
        {UMX_MATCH_MASTER, &all->master, voice->sid},
        {UMX_MATCH_MASTER, &all->master, voice->originator_sid},
        {UMX_MATCH_SIP, &all->sip, umx_sip_bare(voice->sip_address)},
        {UMX_MATCH_UPN, &all->upn, voice->user_principal_name},
        {UMX_MATCH_UPN, &all->upn, umx_sip_bare(voice->sip_address)},
    };

    match->rule = UMX_MATCH_SAME;
    match->mailbox = same_object(all, voice);
    for (size_t i = 0; match->mailbox == NULL && !match->undecided && i < sizeof tries / sizeof tries[0]; i++) {
        match->rule = tries[i].rule;
        match->mailbox = elsewhere(tries[i].index, tries[i].key, voice->forest, &match->undecided);
    }
    if (match->mailbox == NULL && !match->undecided)
        match->rule = UMX_MATCH_NONE;
}

/* The index keeps what it is given as const; the matches are ours. */
static struct umx_match *writable(const struct umx_people *people, const void *found)
{
    return found != NULL ? &people->matches[(const struct umx_match *)found - people->matches] : NULL;
}

/* A mailbox that several Lync users of a forest claim belongs to the surest of them, if there is one. */
static void settle(const struct umx_people *people, struct umx_match *match)
{
    const struct umx_match *other;
    size_t at = 0;
    enum umx_match_rule best = match->rule;
    size_t same = 0;

    if (match->mailbox == NULL)
        return;
    while ((other = umx_index_next(&people->by_mailbox, match->mailbox->dn, &at)) != NULL) {
        if (other->mailbox != match->mailbox || !umx_text_equal(other->voice->forest, match->voice->forest))
            continue;
        if (other->rule < best)
            best = other->rule;
        same += other->rule == match->rule;
    }
    match->undecided = best != match->rule || same > 1;
}

static int match_all(struct umx_people *people)
{
    const Umx__World *world = people->view->world;
    struct mailboxes all;
    struct umx_index *const indexes[] = {&all.sid, &all.dn, &all.master, &all.sip, &all.upn};

    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
        umx_index_begin(indexes[i], people->arena);
        if (indexes[i] != &all.master)
            umx_index_reserve(indexes[i], world->n_mailbox_user);
    }
    for (size_t i = 0; i < world->n_mailbox_user; i++)
        index_mailbox(&all, world->mailbox_user[i]);
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++)
        if (indexes[i]->failed)
            return -1;
    people->count = world->n_voice_user;
    people->matches = umx_arena_alloc(people->arena, (people->count + 1) * sizeof *people->matches);
    if (people->matches == NULL)
        return -1;
    for (size_t i = 0; i < people->count; i++) {
        struct umx_match *match = &people->matches[i];
        match->voice = world->voice_user[i];
        match_one(&all, match);
        if (match->mailbox != NULL)
            umx_index_add(&people->by_mailbox, match->mailbox->dn, match);
    }
    for (size_t i = 0; i < people->count; i++)
        settle(people, &people->matches[i]);
    for (size_t i = 0; i < people->count; i++)
        if (people->matches[i].undecided)
            people->matches[i].mailbox = NULL;
    return 0;
}

/* ---- addresses */

static void index_eum(struct umx_people *people, char *const *values, size_t count, const ProtobufCMessage *holder)
{
    for (size_t i = 0; i < count; i++)
        if (strncasecmp(values[i], "eum:", 4) == 0)
            umx_index_add(&people->eum, values[i] + 4, holder);
}

static void index_pair(struct umx_people *people)
{
    const Umx__World *world = people->view->world;
    const struct umx_pair *pair = people->view->pair;

    for (size_t i = 0; i < world->n_mailbox_user; i++) {
        const Umx__MailboxUser *user = world->mailbox_user[i];
        if (!umx_text_equal(user->forest, pair->exchange))
            continue;
        umx_index_add(&people->by_name, user->dn, user);
        umx_index_add(&people->by_name, user->user_principal_name, user);
        umx_index_add(&people->by_name, user->sam_account_name, user);
        for (size_t k = 0; k < user->n_proxy_address; k++)
            if (strncasecmp(user->proxy_address[k], "sip:", 4) == 0)
                umx_index_add(&people->mailbox_sip, user->proxy_address[k], user);
        index_eum(people, user->proxy_address, user->n_proxy_address, &user->base);
    }
    for (size_t i = 0; i < people->count; i++) {
        const Umx__VoiceUser *user = people->matches[i].voice;
        if (!umx_text_equal(user->forest, pair->lync))
            continue;
        umx_index_add(&people->lync_name, user->dn, &people->matches[i]);
        umx_index_add(&people->lync_name, user->user_principal_name, &people->matches[i]);
        umx_index_add(&people->lync_name, user->sam_account_name, &people->matches[i]);
        umx_index_add(&people->lync_name, user->sip_address, &people->matches[i]);
        umx_index_add(&people->lync_sip, user->sip_address, user);
        umx_index_add(&people->lines, umx_line_bare(user->line), user);
        index_eum(people, user->proxy_address, user->n_proxy_address, &user->base);
    }
    for (size_t i = 0; i < world->n_contact; i++) {
        const Umx__Contact *contact = world->contact[i];
        if (!umx_text_equal(contact->forest, pair->lync))
            continue;
        umx_index_add(&people->lync_sip, contact->sip_address, contact);
        umx_index_add(&people->lines, umx_line_bare(contact->line), contact);
    }
}

struct umx_people *umx_people_open(const struct umx_view *view)
{
    if (view->people != NULL && *view->people != NULL)
        return *view->people;
    struct umx_arena *arena = umx_arena_new(PEOPLE_ARENA);
    struct umx_people *people = arena != NULL ? umx_arena_alloc(arena, sizeof *people) : NULL;

    if (people == NULL) {
        umx_arena_free(arena);
        return NULL;
    }
    people->view = view;
    people->arena = arena;
    struct umx_index *const indexes[] = {&people->by_name,  &people->lync_name,   &people->by_mailbox,
                                         &people->lync_sip, &people->mailbox_sip, &people->eum,
                                         &people->lines};
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++) {
        umx_index_begin(indexes[i], arena);
        umx_index_reserve(indexes[i], view->world->n_voice_user);
    }
    bool good = match_all(people) == 0;
    if (good)
        index_pair(people);
    for (size_t i = 0; i < sizeof indexes / sizeof indexes[0]; i++)
        good = good && !indexes[i]->failed;
    if (!good) {
        umx_arena_free(arena);
        return NULL;
    }
    people->shared = view->people != NULL;
    if (people->shared)
        *view->people = people;
    return people;
}

void umx_people_close(struct umx_people *people)
{
    if (people != NULL && !people->shared)
        umx_people_free(people);
}

void umx_people_free(struct umx_people *people)
{
    if (people != NULL)
        umx_arena_free(people->arena);
}

bool umx_people_here(const struct umx_people *people, const struct umx_match *match)
{
    const struct umx_pair *pair = people->view->pair;

    return umx_text_equal(match->voice->forest, pair->lync) &&
           (match->mailbox == NULL || umx_text_equal(match->mailbox->forest, pair->exchange));
}

struct umx_match *umx_people_of(const struct umx_people *people, const Umx__MailboxUser *mailbox)
{
    struct umx_match *match;
    size_t at = 0;

    while ((match = writable(people, umx_index_next(&people->by_mailbox, mailbox->dn, &at))) != NULL)
        if (match->mailbox == mailbox && umx_text_equal(match->voice->forest, people->view->pair->lync))
            return match;
    return NULL;
}
