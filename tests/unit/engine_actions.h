/*
 * Steps with promises for the engine's tests: actions over users, restarts, gates and waits.
 */
#ifndef UMX_TESTS_UNIT_ENGINE_ACTIONS_H
#define UMX_TESTS_UNIT_ENGINE_ACTIONS_H

#include "engine_plans.h"
#include "phases/records.h"

#define FRONT_END "fe1.lync.test"

static inline Umx__World *part_new(struct draft *draft)
{
    return fake_new(&umx__world__descriptor, draft->arena);
}

static inline void part_push(struct draft *draft, Umx__World **part, const ProtobufCMessage *record)
{
    if (*part == NULL)
        *part = part_new(draft);
    if (!umx_records_push(draft->arena, *part, umx_reflect_copy(record, draft->arena)))
        abort();
}

static inline void part_user(struct draft *draft, Umx__World **part, const char *sip_address, const char *line)
{
    Umx__LyncUser user = UMX__LYNC_USER__INIT;

    user.forest = (char *)(uintptr_t)fake_forests[1];
    user.sip_address = (char *)(uintptr_t)sip_address;
    user.line = (char *)(uintptr_t)line;
    part_push(draft, part, &user.base);
}

static inline void part_service(struct draft *draft, Umx__World **part)
{
    Umx__Service service = UMX__SERVICE__INIT;

    service.server = (char *)(uintptr_t)FRONT_END;
    service.name = (char *)(uintptr_t) "RTCSRV";
    service.has_state = 1;
    service.state = UMX__SERVICE__STATE__RUNNING;
    part_push(draft, part, &service.base);
}

/* Gives the users u1 ... of the agent other lines, with the way back from each one's own result. */
static inline Umx__PlanStep *draft_users(struct stage *stage, struct draft *draft, int count)
{
    Umx__PlanStep *step = draft_step(draft, 1, UMX__CHANGE__KIND__ACTION, FRONT_END);
    Umx__ActionChange *action = fake_new(&umx__action_change__descriptor, draft->arena);

    fake_add_users(stage->fake, count);
    step->change->action = action;
    action->server = step->target;
    action->action = umx_arena_string(draft->arena, "set-cs-user");
    action->identity = umx_arena_string(draft->arena, "shell");
    action->undo_action = umx_arena_string(draft->arena, "set-cs-user");
    action->item = umx_arena_alloc(draft->arena, (size_t)count * sizeof(char *));
    action->undo_item = umx_arena_alloc(draft->arena, (size_t)count * sizeof(char *));
    for (int i = 1; i <= count; i++) {
        char address[48], line[32], before[32];
        snprintf(address, sizeof address, "sip:u%d@lync.test", i);
        snprintf(line, sizeof line, "tel:+%d", 4999 + i);
        snprintf(before, sizeof before, "tel:+%d", 999 + i);
        action->item[action->n_item++] =
            umx_arena_format(draft->arena, "{\"line\":\"%s\",\"sip_address\":\"%s\"}", line, address);
        action->undo_item[action->n_undo_item++] =
            umx_arena_format(draft->arena, "{\"line\":\"@result.previous_line\",\"sip_address\":\"%s\"}", address);
        part_user(draft, &step->predicted, address, line);
        part_user(draft, &step->original, address, before);
    }
    return step;
}

static inline Umx__PlanStep *draft_restart(struct draft *draft)
{
    Umx__PlanStep *step = draft_action(draft, FRONT_END);

    part_service(draft, &step->predicted);
    return step;
}

/* Every kind of step and of promise, both forests: what a crash test kills. */
static inline int store_every_kind(struct stage *stage, const char *name)
{
    struct draft draft = draft_make(stage, name);
    Umx__PlanStep *gateway = draft_add(&draft, 0, GATEWAY, "msExchUMIPGateway", "msExchUMIPGatewayAddress", "pool1");
    Umx__PlanStep *hunt = draft_add(&draft, 0, HUNT, "msExchUMHuntGroup", "msExchUMPilotIdentifier", "Plan");
    Umx__PlanStep *security = draft_modify(&draft, 0, DIAL_PLAN, "msExchUMVoIPSecurity", "1", "3");
    Umx__PlanStep *access = draft_access(&draft, CONTAINER);
    Umx__PlanStep *old = draft_step(&draft, 0, UMX__CHANGE__KIND__DELETE, OLD_HUNT);
    Umx__PlanStep *users = draft_users(stage, &draft, 2);
    Umx__PlanStep *restart = draft_restart(&draft);
    Umx__PlanStep *back = draft_wait(&draft, 1, "service", 60);
    Umx__PlanStep *gate = draft_gate(&draft, 1, "look at it");
    Umx__PlanStep *contact = draft_modify(&draft, 1, CONTACT, "msRTCSIP-Line", "tel:+1", "@s9.line");

    back->change->wait->server = umx_arena_string(draft.arena, FRONT_END);
    part_service(&draft, &back->predicted);
    part_service(&draft, &gate->predicted);
    draft_depend(&draft, hunt, gateway);
    draft_depend(&draft, old, hunt);
    draft_depend(&draft, restart, security);
    draft_depend(&draft, restart, users);
    draft_depend(&draft, back, restart);
    draft_depend(&draft, gate, back);
    draft_depend(&draft, contact, gate);
    (void)access;
    return draft_store(stage, &draft);
}

#endif
