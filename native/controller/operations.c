#include "controller/operations.h"

#define ARGUMENTS(name) &umx__##name##__descriptor

static const struct umx_operation_row rows[] = {
    {"status", ARGUMENTS(no_arguments), UMX_ACCESS_VIEWER, false, 60, umx_operation_status},
    {"whoami", ARGUMENTS(no_arguments), UMX_ACCESS_VIEWER, false, 30, umx_operation_whoami},
    {"agents", ARGUMENTS(no_arguments), UMX_ACCESS_VIEWER, false, 30, umx_operation_agents},
    {"agents.held", ARGUMENTS(no_arguments), UMX_ACCESS_VIEWER, false, 30, umx_operation_agents_held},
    {"agents.accept", ARGUMENTS(agent_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_agents_accept},
    {"agents.reject", ARGUMENTS(agent_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_agents_reject},
    {"agents.revoke", ARGUMENTS(agent_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_agents_revoke},
    {"agents.forget", ARGUMENTS(agent_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_agents_forget},
    {"agents.update", ARGUMENTS(agents_update_arguments), UMX_ACCESS_OPERATOR, true, 300, umx_operation_agents_update},
    {"agents.update.status", ARGUMENTS(no_arguments), UMX_ACCESS_VIEWER, false, 30, umx_operation_agents_update_status},
    {"agents.update.pause", ARGUMENTS(no_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_agents_update_pause},
    {"agents.update.resume", ARGUMENTS(no_arguments), UMX_ACCESS_OPERATOR, true, 30,
     umx_operation_agents_update_resume},
    {"agents.update.stop", ARGUMENTS(no_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_agents_update_stop},
    {"agents.package", ARGUMENTS(no_arguments), UMX_ACCESS_OPERATOR, false, 300, umx_operation_agents_package},
    {"token.create", ARGUMENTS(token_create_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_token_create},
    {"token.list", ARGUMENTS(no_arguments), UMX_ACCESS_OPERATOR, false, 30, umx_operation_token_list},
    {"token.revoke", ARGUMENTS(token_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_token_revoke},
    {"query", ARGUMENTS(query_arguments), UMX_ACCESS_VIEWER, false, 120, umx_operation_query},
    {"agents.watch", ARGUMENTS(no_arguments), UMX_ACCESS_VIEWER, false, 0, umx_operation_agents_watch},
    {"query.save", ARGUMENTS(query_save_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_query_save},
    {"query.list", ARGUMENTS(no_arguments), UMX_ACCESS_VIEWER, false, 30, umx_operation_query_list},
    {"query.delete", ARGUMENTS(query_name_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_query_delete},
    {"check", ARGUMENTS(check_arguments), UMX_ACCESS_VIEWER, false, 120, umx_operation_check},
    {"snapshot", ARGUMENTS(no_arguments), UMX_ACCESS_OPERATOR, false, 300, umx_operation_snapshot},
    {"grants.show", ARGUMENTS(grants_arguments), UMX_ACCESS_VIEWER, false, 30, umx_operation_grants},
    {"plan.create", ARGUMENTS(plan_create_arguments), UMX_ACCESS_OPERATOR, true, 300, umx_operation_plan_create},
    {"plan.template", ARGUMENTS(plan_template_arguments), UMX_ACCESS_VIEWER, false, 300, umx_operation_plan_template},
    {"plan.list", ARGUMENTS(no_arguments), UMX_ACCESS_VIEWER, false, 30, umx_operation_plan_list},
    {"plan.show", ARGUMENTS(plan_arguments), UMX_ACCESS_VIEWER, false, 30, umx_operation_plan_show},
    {"plan.submit", ARGUMENTS(plan_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_plan_submit},
    /* Decisions are open to everybody whom a forest vouched for: the groups that count are the plan's, and the engine
     * proves them with an answer that names what is missing. */
    {"plan.approve", ARGUMENTS(plan_decision_arguments), UMX_ACCESS_VIEWER, true, 60, umx_operation_plan_approve},
    {"plan.deny", ARGUMENTS(plan_decision_arguments), UMX_ACCESS_VIEWER, true, 60, umx_operation_plan_deny},
    {"plan.withdraw", ARGUMENTS(plan_decision_arguments), UMX_ACCESS_VIEWER, true, 60, umx_operation_plan_withdraw},
    {"plan.start", ARGUMENTS(plan_start_arguments), UMX_ACCESS_OPERATOR, true, 300, umx_operation_plan_start},
    {"plan.confirm", ARGUMENTS(plan_confirm_arguments), UMX_ACCESS_OPERATOR, true, 120, umx_operation_plan_confirm},
    {"plan.watch", ARGUMENTS(plan_arguments), UMX_ACCESS_VIEWER, false, 0, umx_operation_plan_watch},
    {"plan.suspend", ARGUMENTS(plan_arguments), UMX_ACCESS_OPERATOR, true, 60, umx_operation_plan_suspend},
    {"plan.resume", ARGUMENTS(plan_arguments), UMX_ACCESS_OPERATOR, true, 120, umx_operation_plan_resume},
    {"plan.cancel", ARGUMENTS(plan_arguments), UMX_ACCESS_OPERATOR, true, 60, umx_operation_plan_cancel},
    {"plan.undo", ARGUMENTS(plan_undo_arguments), UMX_ACCESS_OPERATOR, true, 300, umx_operation_plan_undo},
    {"plan.export", ARGUMENTS(plan_export_arguments), UMX_ACCESS_AUDITOR, false, 60, umx_operation_plan_export},
    {"plan.delete", ARGUMENTS(plan_arguments), UMX_ACCESS_OPERATOR, true, 30, umx_operation_plan_delete},
    {"audit", ARGUMENTS(audit_arguments), UMX_ACCESS_AUDITOR, false, 300, umx_operation_audit},
    {"audit.verify", ARGUMENTS(no_arguments), UMX_ACCESS_AUDITOR, false, 300, umx_operation_audit_verify},
    {"ca.status", ARGUMENTS(no_arguments), UMX_ACCESS_VIEWER, false, 30, umx_operation_ca_status},
    {"ca.rotate.begin", ARGUMENTS(ca_rotate_begin_arguments), UMX_ACCESS_OPERATOR, true, 60, umx_operation_ca_begin},
    {"ca.rotate.complete", ARGUMENTS(ca_rotate_complete_arguments), UMX_ACCESS_OPERATOR, true, 60,
     umx_operation_ca_complete},
    {"ca.rotate.rollback", ARGUMENTS(no_arguments), UMX_ACCESS_OPERATOR, true, 60, umx_operation_ca_rollback},
    {NULL, NULL, UMX_ACCESS_VIEWER, false, 0, NULL},
};

const struct umx_operation_row *umx_operations(void)
{
    return rows;
}
