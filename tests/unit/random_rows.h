/*
 * Input rows for a random world: what the phases propose there, filled in where a person would, some of them left out,
 * and contacts to edit and remove.
 */
#ifndef UMX_TESTS_RANDOM_ROWS_H
#define UMX_TESTS_RANDOM_ROWS_H

#include <stdlib.h>

#include "phases/build.h"
#include "random_worlds.h"

static inline void rw_fill_user(struct rw *rw, Umx__InputUser *row)
{
    const Umx__World *records = umx_world_records(rw->world);
    const Umx__DialPlan *plan = NULL;

    if (row->policy == NULL && rw_chance(rw, 80)) {
        const Umx__MailboxPolicy *policy = rw_policy(rw, row->forest != NULL ? row->forest : "", &plan);
        row->policy = policy != NULL ? policy->name : NULL;
    }
    for (size_t i = 0; plan == NULL && row->policy != NULL && i < records->n_dial_plan; i++)
        if (records->dial_plan[i]->name != NULL &&
            strncmp(row->policy, records->dial_plan[i]->name, strlen(records->dial_plan[i]->name)) == 0)
            plan = records->dial_plan[i];
    if (row->extension == NULL && plan != NULL && plan->digits > 0 && plan->digits < 19 && rw_chance(rw, 90))
        row->extension = rw_say(rw, "%0*zu", plan->digits, rw_below(rw, 10000) % (plan->digits > 3 ? 10000 : 10));
    if (row->line == NULL && rw_chance(rw, 70))
        row->line = rw_say(rw, "+4930777%04zu", rw->serial++);
    if (rw_chance(rw, 20))
        row->lync_dial_plan = w_s(rw_chance(rw, 70) ? "Berlin" : "Global");
    if (rw_chance(rw, 20))
        row->voice_policy = w_s("Inland");
}

static inline void rw_contact_rows(struct rw *rw, struct umx_proposal *proposal)
{
    const Umx__World *records = umx_world_records(rw->world);

    for (size_t i = 0; i < records->n_contact; i++) {
        Umx__InputContact row = UMX__INPUT_CONTACT__INIT;
        const Umx__Contact *contact = records->contact[i];
        if (contact->sip_address == NULL || !rw_chance(rw, 50))
            continue;
        row.forest = contact->forest;
        row.sip_address = contact->sip_address;
        row.action = w_s(rw_chance(rw, 50) ? "edit" : "remove");
        if (strcmp(row.action, "edit") == 0) {
            row.number = rw_chance(rw, 60) ? rw_say(rw, "+4989555%04zu", rw->serial++) : NULL;
            row.name = rw_chance(rw, 60) ? w_s(RW_PICK(rw, rw_odd_names)) : NULL;
        }
        umx_propose_contact(proposal, &row);
    }
}

/* Rows in a new arena that lives as long as the input. The world is not changed. */
static inline Umx__Input *random_rows(uint64_t seed, struct umx_world *world, struct umx_arena *arena)
{
    struct rw rw = {.seed = seed ^ 0x5eed, .serial = 1, .world = world};
    struct umx_proposal proposal = {.arena = arena};
    const struct umx_options options = {0};
    struct umx_error err = {0};

    if (umx_phases_propose(umx_world_records(world), NULL, 0, NULL, 0, &options, &proposal, &err) != 0)
        fail_msg("seed %llu, proposal: %s: %s", (unsigned long long)seed, err.what, umx_error_why(&err));
    Umx__Input *input = proposal.input;
    if (rw_chance(&rw, 50))
        rw_contact_rows(&rw, &proposal);
    int32_t number = 1;
#define RW_KEEP(list, count, percent)                                                                                  \
    do {                                                                                                               \
        size_t kept = 0;                                                                                               \
        for (size_t i = 0; i < input->count; i++)                                                                      \
            if (rw_chance(&rw, percent)) {                                                                             \
                input->list[i]->has_row = 1;                                                                           \
                input->list[i]->row = ++number;                                                                        \
                input->list[kept++] = input->list[i];                                                                  \
            }                                                                                                          \
        input->count = kept;                                                                                           \
    } while (0)
    RW_KEEP(dial_plan, n_dial_plan, 80);
    RW_KEEP(auto_attendant, n_auto_attendant, 80);
    RW_KEEP(user, n_user, 80);
    RW_KEEP(contact, n_contact, 70);
    for (size_t i = 0; i < input->n_user; i++)
        rw_fill_user(&rw, input->user[i]);
    return input;
}

/* Takes the rows away that a plan rejected; false: it rejected none. */
static inline bool rows_drop(Umx__Input *input, const struct umx_steps *steps)
{
    bool dropped = false;

#define RW_DROP(list, count)                                                                                           \
    do {                                                                                                               \
        size_t kept = 0;                                                                                               \
        for (size_t i = 0; i < input->count; i++) {                                                                    \
            bool bad = false;                                                                                          \
            for (size_t r = 0; r < steps->rejected_count; r++) {                                                       \
                const char *at = strstr(steps->rejected[r], " row ");                                                  \
                bad = bad || (at != NULL && strtol(at + 5, NULL, 10) == input->list[i]->row);                          \
            }                                                                                                          \
            dropped = dropped || bad;                                                                                  \
            if (!bad)                                                                                                  \
                input->list[kept++] = input->list[i];                                                                  \
        }                                                                                                              \
        input->count = kept;                                                                                           \
    } while (0)
    RW_DROP(dial_plan, n_dial_plan);
    RW_DROP(auto_attendant, n_auto_attendant);
    RW_DROP(user, n_user);
    RW_DROP(contact, n_contact);
    return dropped;
}

/* Rows that removed contacts, when nothing but these were rejected. */
static inline bool rows_drop_gone(Umx__Input *input, const struct umx_steps *steps)
{
    size_t kept = 0, count = input->n_contact;

    for (size_t r = 0; r < steps->rejected_count; r++)
        if (strstr(steps->rejected[r], "no contact has this") == NULL)
            return false;
    for (size_t i = 0; i < count; i++)
        if (input->contact[i]->action == NULL || strcmp(input->contact[i]->action, "remove") != 0)
            input->contact[kept++] = input->contact[i];
    input->n_contact = kept;
    return kept < count;
}

#endif
