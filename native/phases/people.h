/*
 * People of a pair of forests for phases 6, 10 and 11: each Lync user and the mailbox user he is (spec 5.1: one forest,
 * resource forest, central forest), found by indexes, so that ten thousand of each are nothing; what an address is in
 * use for; and the rows of the input that name them.
 */
#ifndef UMX_PHASES_PEOPLE_H
#define UMX_PHASES_PEOPLE_H

#include "phases/index.h"
#include "phases/phase.h"

enum {
    UMX_VOICE_REMOTE_CONTROL = 16, /* bits of msRTCSIP-OptionFlags (spec 4.7) */
    UMX_VOICE_ENTERPRISE = 128,
    UMX_VOICE_DUAL_MODE = 512,
};

/* How a Lync user and a mailbox were found to be one person, the surest first. */
enum umx_match_rule {
    UMX_MATCH_SAME,       /* one object */
    UMX_MATCH_ORIGINATOR, /* msRTCSIP-OriginatorSid is the mailbox user's objectSid */
    UMX_MATCH_MASTER,     /* msExchMasterAccountSid is the Lync user's objectSid, or the account of both */
    UMX_MATCH_SIP,        /* the mailbox has the SIP address among its proxy or EUM addresses */
    UMX_MATCH_UPN,        /* user principal names, or it is the SIP address */
    UMX_MATCH_ROW,        /* a row of the input says so */
    UMX_MATCH_NONE,
};

/* Words for people, by enum umx_match_rule. */
extern const char *const umx_match_words[];

struct umx_match {
    const Umx__VoiceUser *voice;
    const Umx__MailboxUser *mailbox; /* NULL: none, or undecided */
    enum umx_match_rule rule;
    bool undecided; /* several mailboxes, or several Lync users for one, equally sure */
};

struct umx_people {
    const struct umx_view *view;
    struct umx_arena *arena;
    bool shared;
    struct umx_match *matches; /* every Lync user of the world, in the world's order */
    size_t count;
    struct umx_index by_name;     /* UPN, sAMAccountName, DN -> mailbox users of the pair's Exchange forest */
    struct umx_index lync_name;   /* the same, and SIP addresses -> matches of the pair's Lync forest */
    struct umx_index by_mailbox;  /* DN of a mailbox user -> matches */
    struct umx_index lync_sip;    /* SIP address -> Lync users and contacts of the pair's Lync forest */
    struct umx_index mailbox_sip; /* sip: proxy address -> mailbox users of the pair's Exchange forest */
    struct umx_index eum;         /* EUM address without its prefix -> users of both forests */
    struct umx_index lines; /* telephone number without tel: -> Lync users and contacts of the pair's Lync forest */
};

/* In an arena of its own, which umx_people_close frees; checks of one run share it. NULL: no memory. */
struct umx_people *umx_people_open(const struct umx_view *view);
void umx_people_close(struct umx_people *people); /* NULL is allowed; shared ones stay */
void umx_people_free(struct umx_people *people);  /* shared ones too */

/* Whether the Lync user is of the pair's Lync forest and, when his mailbox is known, that of its Exchange forest. */
bool umx_people_here(const struct umx_people *people, const struct umx_match *match);
/* The Lync user of the pair's Lync forest whose mailbox it is; NULL: none or several. */
struct umx_match *umx_people_of(const struct umx_people *people, const Umx__MailboxUser *mailbox);

/* Enabled for Lync and for Enterprise Voice (V10B.2). */
bool umx_voice_enabled(const Umx__VoiceUser *user);
/* Whether the object is in the forest's root domain: only there are users written. True where the domain is not known.
 */
bool umx_people_writable(const Umx__Forest *forest, const char *dn);
/* Of the form sip:user@domain. */
bool umx_sip_valid(const char *address);
/* Without its scheme. */
const char *umx_sip_bare(const char *address);
const char *umx_line_bare(const char *line);
/* +E.164, with or without tel: before it, and ;ext=N behind it where there is one (V10B.1). */
bool umx_line_valid(const char *line);
/* Whether a list of proxy addresses has the value, whatever its case. */
bool umx_proxy_has(char *const *values, size_t count, const char *value);
/* DNs, UPNs and names: what a person is called in findings. */
const char *umx_voice_name(const Umx__VoiceUser *user);
const char *umx_mailbox_name(const Umx__MailboxUser *user);
/* What a cmdlet finds the mailbox by: objectGUID as text, or the DN where it is not known. In the arena. */
const char *umx_mailbox_identity(struct umx_arena *arena, const Umx__MailboxUser *user);

/* An EUM address: EUM:user@domain;phone-context=CONTEXT, or eum:EXTENSION;phone-context=CONTEXT. */
struct umx_eum {
    bool primary; /* the prefix is in capitals */
    const char *address;
    size_t length;
    const char *context;
};

bool umx_eum_parse(const char *value, struct umx_eum *eum);
/* An extension: digits only. */
bool umx_eum_is_extension(const struct umx_eum *eum);

/* The dial plan of a DN, or the policy of a DN or name, in an Exchange forest; NULL: none. */
const Umx__DialPlan *umx_find_dial_plan(const Umx__World *world, const char *forest, const char *dn);
const Umx__MailboxPolicy *umx_find_policy(const Umx__World *world, const char *forest, const char *dn);
bool umx_is_sip_plan(const Umx__DialPlan *plan);

/* ---- findings about many people */

/* Up to this many findings of one check name a person each; the others are counted in one more. */
enum { UMX_PEOPLE_NAMED_MAX = 50 };

struct umx_tally {
    const struct umx_view *view;
    const struct umx_phase_check *check;
    struct umx_findings *out;
    const char *forest; /* of the findings */
    const char *expected;
    size_t good;
    size_t named;
    size_t more;
    Umx__Finding__Status worst; /* of those that are only counted */
};

void umx_tally_good(struct umx_tally *tally);
/* One person of whom it is not so. NULL remedy: the check's. */
void umx_tally_bad(struct umx_tally *tally, Umx__Finding__Status status, const char *target, const char *actual,
                   const char *remedy);
/* The findings that count: who is right, and how many more are not. none: what to say when there was nobody (not
 * applicable then). */
void umx_tally_end(struct umx_tally *tally, const char *none);

/* Of whom a check asks: Enterprise Voice users of the pair and the people of its rows, or all Enterprise Voice users of
 * the Lync forest. */
enum umx_people_scope { UMX_PEOPLE_OF_PAIR, UMX_PEOPLE_OF_LYNC };

typedef void umx_people_judge(struct umx_people *people, const struct umx_match *match, struct umx_tally *tally);

/* A whole check about people. */
void umx_people_each(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out,
                     enum umx_people_scope scope, const char *expected, const char *none, umx_people_judge *judge);

/* ---- rows */

struct umx_user_row {
    const Umx__InputUser *row;       /* NULL: nobody named him */
    const Umx__MailboxUser *mailbox; /* NULL only where the caller takes Lync users without one */
    struct umx_match *match;
};

/* The rows of the input that are about this pair and that `wanted` (NULL: all) takes, in order. What is wrong with the
 * others of them is rejected (out NULL: left out silently). rows: in the people's arena. */
int umx_people_rows(struct umx_people *people, struct umx_steps *out, bool need_mailbox,
                    bool (*wanted)(const Umx__InputUser *row), struct umx_user_row **rows, size_t *count);

/* Without rows: every Enterprise Voice user of the pair who has a mailbox. NULL: no memory. */
struct umx_user_row *umx_people_enabled(struct umx_people *people, size_t *count);

/* Marks, by place in matches: Enterprise Voice users of the pair, and people of the rows. NULL: no memory. */
bool *umx_people_subjects(struct umx_people *people);

/* Who a plan leaves alone: a row is rejected; without rows it is noted, the first few by name. */
struct umx_left {
    struct umx_steps *out;
    const char *slug;
    size_t count;
    size_t more;
};

void umx_people_leave(struct umx_left *left, const struct umx_user_row *row, const char *who, const char *why);
void umx_people_left(struct umx_left *left);

/* What the Lync shell says of users of the pair's Lync forest, by SIP address. */
void umx_index_lync_users(struct umx_people *people, struct umx_index *index);
const Umx__LyncUser *umx_find_lync_user(const struct umx_index *lync_users, const Umx__VoiceUser *voice);

/* The columns that name a person with a mailbox; texts live as long as the people. */
void umx_people_propose(struct umx_people *people, const struct umx_match *match, Umx__InputUser *row);

bool umx_rows_given(const struct umx_view *view);

#endif
