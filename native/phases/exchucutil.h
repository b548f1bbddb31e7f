/*
 * Phase 7 between its files: what Lync asks of an Exchange forest, put together once from a world (model), judged by
 * the checks (exchucutil_check.c, exchucutil_live.c) and made by the planner (exchucutil_plan.c, exchucutil_finish.c).
 * Section numbers are those of the specification's chapter on exchucutil.ps1.
 */
#ifndef UMX_PHASES_EXCHUCUTIL_H
#define UMX_PHASES_EXCHUCUTIL_H

#include "phases/phase.h"
#include "phases/um_server.h"

enum {
    UMX_UC_POOL_FLOOR = 0x30000,      /* pools older than this are not looked at (2.4) */
    UMX_UC_MESSAGE_WAITING = 0x50000, /* Lync 2010 and later (2.6) */
    UMX_UC_ALLOW_MESSAGE_WAITING = 1, /* bit of msExchUMIPGatewayFlags2 */
    UMX_UC_FLAGS2_DEFAULT = -1,       /* all bits (4.4) */
    UMX_UC_NAME_MAX = 64,             /* characters of cn */
};

enum umx_uc_mode { UMX_UC_SAFE_MESH, UMX_UC_SAFE_MAP, UMX_UC_FAITHFUL };

/* Words of --set exchucutil.mode, by enum umx_uc_mode. */
extern const char *const umx_uc_modes[];

enum umx_uc_scope { UMX_UC_OUT, UMX_UC_IN, UMX_UC_UNDECIDED };

/* A pool that can have a gateway. */
struct umx_uc_pool {
    const Umx__LyncPool *pool;
    const char *fqdn;
    enum umx_uc_scope scope;
    const char *why; /* "homes 120 Enterprise Voice users" */
    int users;
    bool branch;
    bool message_waiting;          /* version >= 0x50000 and not a branch */
    const Umx__IpGateway *gateway; /* the first whose address is the pool, NULL: none */
    const Umx__IpGateway *second;  /* another one with the same address: which is meant? */
};

/* One line of exchucutil.hunt-map. */
struct umx_uc_map {
    const char *pool;
    const char *plan; /* name or phone context */
};

struct umx_uc {
    const struct umx_view *view;
    struct umx_arena *arena;
    enum umx_uc_mode mode;
    struct umx_uc_pool *pools;
    size_t pool_count;
    const Umx__DialPlan **plans; /* SIP plans of the Exchange forest */
    size_t plan_count;
    const char **named; /* exchucutil.pools */
    size_t named_count;
    const char **outdial; /* exchucutil.outdial */
    size_t outdial_count;
    struct umx_uc_map *map;
    size_t map_count;
};

/* 0 or UMX_ERR_MEMORY. Options must have been validated. */
int umx_uc_build(const struct umx_view *view, struct umx_arena *arena, struct umx_uc *out, struct umx_error *err);

/* Whether the plan belongs on the pool's gateway: always in a mesh, by the map in safe-map. */
bool umx_uc_wanted(const struct umx_uc *uc, const struct umx_uc_pool *pool, const Umx__DialPlan *plan);

/* Phone context up to its first dot (2.7), in the arena; NULL when there is no phone context. */
const char *umx_uc_pilot(struct umx_arena *arena, const Umx__DialPlan *plan);

bool umx_uc_child(const Umx__HuntGroup *group, const Umx__IpGateway *gateway);
/* The gateway's hunt group for the plan: the one with the right pilot identifier before any other; NULL: none. */
const Umx__HuntGroup *umx_uc_hunt_group(const Umx__World *world, const Umx__IpGateway *gateway,
                                        const Umx__DialPlan *plan);

/* Effective values: an absent attribute has Exchange's default (4.4). */
bool umx_uc_outcalls(const Umx__IpGateway *gateway);
bool umx_uc_waiting(const Umx__IpGateway *gateway);

/* A list option: items separated by commas; a backslash takes the next character as it is. */
int umx_uc_split(const char *value, struct umx_arena *arena, const char ***items, size_t *count);

/* ---- access (2.5) */

/* What a Lync group needs on a container. */
struct umx_uc_need {
    Umx__Container__Kind kind;
    const char *name;
    int32_t mask;
    int32_t flags;     /* 2 (CI): the children too */
    const char *sddl;  /* "(A;CI;LCRP;;;%s)" without the SID: up to it */
    const char *words; /* for people */
};

enum { UMX_UC_NEED_COUNT = 4, UMX_UC_GROUP_COUNT = 2 };
extern const struct umx_uc_need umx_uc_needs[UMX_UC_NEED_COUNT];

/* Groups that are given access: meaning and sAMAccountName. */
extern const struct umx_uc_group {
    const char *meaning;
    const char *name;
} umx_uc_groups[UMX_UC_GROUP_COUNT];

struct umx_uc_access {
    bool granted;                   /* allow entries for the SID cover the need, with the inheritance it needs */
    bool object_only;               /* they cover the container itself, and not what is below */
    bool wider;                     /* they reach further down than needed */
    const Umx__AccessEntry *denied; /* a deny entry that comes before and takes away what is needed; NULL: none */
    const char *found;              /* the SID's own entries in order, in words, "" when there are none */
};

/* Judges the DACL of a container for one SID. */
/* An entry for people: "the group may list and read here and below"; NULL: the arena is full. */
const char *umx_uc_entry_words(const Umx__AccessEntry *entry, struct umx_arena *arena);
int umx_uc_judge_access(const Umx__World *world, const Umx__Container *container, const struct umx_uc_need *need,
                        const char *sid, struct umx_arena *arena, struct umx_uc_access *out);

/* ---- rows of umx_exchucutil_checks */

typedef void umx_uc_run(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);

umx_uc_run umx_uc_check_groups, umx_uc_check_scope, umx_uc_check_access, umx_uc_check_dacl, umx_uc_check_gateways,
    umx_uc_check_peers, umx_uc_check_pilots, umx_uc_check_hunt_groups, umx_uc_check_outdial, umx_uc_check_state,
    umx_uc_check_waiting, umx_uc_check_restart, umx_uc_check_read;

/* Front Ends of a pool: members that a Lync agent named, or the pool's own name when it has an agent (Standard
 * Edition). In the arena; *count 0: not known. */
const char **umx_uc_front_ends(const Umx__World *world, const struct umx_uc_pool *pool, struct umx_arena *arena,
                               size_t *count);

/* Whether RTCSRV there was started after the last write that Lync reads of this pool (V7.6); FRESH when nothing of the
 * pool is written. why: a text for `actual`. */
enum umx_um_fresh umx_uc_front_end_fresh(const struct umx_uc *uc, const struct umx_uc_pool *pool, const char *server,
                                         struct umx_findings *out, const char **why);

/* Asks for the restart of the Front Ends of all pools in scope (of those that `wanted` takes; NULL: all) after the
 * steps. */
int umx_uc_ask_restarts(const struct umx_view *view, const char *slug, bool (*wanted)(const struct umx_uc_pool *pool),
                        const char *const *after, size_t after_count, struct umx_steps *out, struct umx_error *err);

#endif
