/*
 * Phase 9 between its files: the contacts that a pair of forests needs and has (spec 3), judged by the checks
 * (ocsumutil_check.c) and made by the planner (ocsumutil_plan.c, ocsumutil_rows.c).
 */
#ifndef UMX_PHASES_OCSUMUTIL_H
#define UMX_PHASES_OCSUMUTIL_H

#include "phases/dial_plan.h"

/* Number, plan or auto attendant that callers reach through a contact (3.7 O2). */
struct umx_oc_need {
    Umx__Contact__Type type;
    const Umx__DialPlan *plan;
    const Umx__AutoAttendant *attendant; /* NULL for Subscriber Access */
    const char *number;                  /* as Exchange has it */
    bool e164;
    const Umx__Contact *contact; /* the one that is there, NULL: none */
    size_t contacts;             /* how many are */
};

/* What an access entry list lets RTCUniversalUserAdmins do in an OU (3.6). */
struct umx_oc_right {
    bool create; /* contacts, by RTCUniversalUserAdmins */
    bool write;  /* otherIpPhone and the like of contacts in it */
    const Umx__AccessEntry *denied;
};

/* ---- contacts */

/* From otherIpPhone: `...;opaque=app:exum:<phone context>[more parts]`. The phone context is copied into the arena; ""
 * when there is none. */
const char *umx_oc_context(const Umx__Contact *contact, struct umx_arena *arena, Umx__Contact__Type *type);
/* The number of msRTCSIP-Line without `tel:` and what follows a semicolon; telephoneNumber when there is no line. */
const char *umx_oc_number(const Umx__Contact *contact, struct umx_arena *arena);
bool umx_oc_same_number(const char *a, const char *b);
const char *umx_oc_type_word(Umx__Contact__Type type);

/* ---- what is needed */

/* otherIpPhone has no way to write the plan's phone context. */
bool umx_oc_unspeakable(const Umx__DialPlan *plan);

/* The pair's needs in the order of plans, numbers and auto attendants. NULL: the arena is full. */
struct umx_oc_need *umx_oc_needs(const struct umx_view *view, struct umx_arena *arena, size_t *count);
/* A SIP plan of any Exchange forest of the world by its phone context, or NULL. */
const Umx__DialPlan *umx_oc_plan(const Umx__World *world, const char *phone_context);
bool umx_oc_has_attendant(const Umx__World *world, const Umx__DialPlan *plan, const char *number);
/* Whether a server that is linked to the plan is older than 2010 SP1 (14.1): names must then match (U5). */
bool umx_oc_name_binding(const Umx__World *world, const Umx__DialPlan *plan);

/* ---- organizational units */

const Umx__OrganizationalUnit *umx_oc_unit(const Umx__World *world, const char *forest, const char *dn);
struct umx_oc_right umx_oc_right(const Umx__World *world, const Umx__OrganizationalUnit *unit, const char *sid);

/* ---- rows of umx_ocsumutil_checks */

typedef void umx_oc_run(const struct umx_view *view, const struct umx_phase_check *check, struct umx_findings *out);

umx_oc_run umx_oc_check_admins, umx_oc_check_scan, umx_oc_check_rights, umx_oc_check_attendants, umx_oc_check_access,
    umx_oc_check_numbers, umx_oc_check_context, umx_oc_check_home, umx_oc_check_lines, umx_oc_check_addresses,
    umx_oc_check_names, umx_oc_check_enabled, umx_oc_check_plan_name;

/* ---- planning */

struct umx_oc_work {
    const struct umx_view *view;
    struct umx_steps *out;
    struct umx_error *err;
    const char *ou;     /* where contacts go when a row names none; NULL: not known */
    const char *domain; /* SIP domain of proposed addresses; NULL: the forest has none */
    const Umx__LyncPool *pool;
    /* Units that this plan makes or grants rights on, and the steps that contacts there wait for. */
    const char **units;
    const char **unit_steps;
    size_t unit_count;
    bool experimental;
};

/* The values of a contact as they shall be. */
struct umx_oc_contact {
    Umx__Contact__Type type;
    const char *phone_context;
    const char *attendant; /* name, for auto attendants */
    const char *number;
    const char *ou;
    const char *name;
    const char *sip; /* sip:user@domain */
    const Umx__LyncPool *pool;
};

/* otherIpPhone of the contact (3.4). */
const char *umx_oc_phone(struct umx_oc_work *work, const struct umx_oc_contact *contact);
const char *umx_oc_home(struct umx_oc_work *work, const Umx__LyncPool *pool);
/* Name, SIP address, OU and pool of a contact for a need, as far as they can be proposed. */
struct umx_oc_contact umx_oc_proposed(struct umx_oc_work *work, const struct umx_oc_need *need);
int umx_oc_begin(struct umx_oc_work *work, const struct umx_view *view, struct umx_steps *out, struct umx_error *err);
/* Whether contacts can be in this unit: it is there, or its parent is and it can be made. */
bool umx_oc_unit_possible(const struct umx_oc_work *work, const char *ou);
/* The step, which the caller may let wait for others; NULL when memory is short. */
Umx__PlanStep *umx_oc_create(struct umx_oc_work *work, const struct umx_oc_contact *contact);

/* The world before the plan's first step, where the fold gave one, else the view's own. */
const Umx__World *umx_oc_before(const struct umx_view *view);

/* What the steps of the plan so far do to a contact that is there. */
enum umx_oc_touched { UMX_OC_UNTOUCHED, UMX_OC_CHANGED, UMX_OC_REMOVED };
enum umx_oc_touched umx_oc_touched(const struct umx_oc_work *work, const Umx__Contact *contact);
/* The id of the step after which the contact no longer has its address or number; NULL: it keeps it. */
enum umx_oc_value { UMX_OC_ADDRESS, UMX_OC_NUMBER };
const char *umx_oc_freed(const struct umx_oc_work *work, const Umx__Contact *contact, enum umx_oc_value value);

/* Carries out the rows that belong to this pair. */
int umx_oc_rows(struct umx_oc_work *work);

#endif
