/* Phase 3: the table of its checks. */
#include "phases/dial_plans.h"

#define ROWS                                                                                                           \
    "`umx plan template --phase dial-plans --pair EXCHANGE:LYNC > rows.json`, fill it in, then `umx plan create NAME " \
    "--phase dial-plans --input rows.json`"

const struct umx_phase_check umx_dial_plans_checks[] = {
    {"dial-plans/sip-plan", "V3.1", "Is there a UM dial plan of URI type SIP?", ROWS, UMX_NEEDS_EXCHANGE, "dial_plan",
     true, umx_dp_check_sip_plan},
    {"dial-plans/mailbox-policy", "V3.7", "Does at least one UM mailbox policy belong to each SIP dial plan?",
     "`umx plan create NAME --phase dial-plans --pair EXCHANGE:LYNC`", UMX_NEEDS_EXCHANGE, "dial_plan mailbox_policy",
     true, umx_dp_check_mailbox_policy},
    {"dial-plans/phone-context", "V3.2",
     "Is the phone context the plan's name and a domain of its forest, as it was set when the plan was made?",
     "it cannot be changed: make a new plan with `umx plan create NAME --phase dial-plans --input rows.json`",
     UMX_NEEDS_EXCHANGE, "dial_plan", false, umx_dp_check_phone_context},
    {"dial-plans/digits", "V3.3", "Has the extension 1 to 20 digits?",
     "it cannot be changed: make a new plan with `umx plan create NAME --phase dial-plans --input rows.json`",
     UMX_NEEDS_EXCHANGE, "dial_plan", false, umx_dp_check_digits},
    {"dial-plans/access-numbers", "V3.4", "Has the plan numbers for Outlook Voice Access, each in E.164 (GL8)?", ROWS,
     UMX_NEEDS_EXCHANGE, "dial_plan", false, umx_dp_check_access_numbers},
    {"dial-plans/country-code", "V3.5", "Has the plan a country code, which 2013 and later demand?", ROWS,
     UMX_NEEDS_EXCHANGE, "dial_plan exchange_server", false, umx_dp_check_country_code},
    {"dial-plans/name", "V3.6", "Is the name short enough, without spaces and dots?",
     "make a new plan with another name: `umx plan create NAME --phase dial-plans --input rows.json`; a rename keeps "
     "the phone context",
     UMX_NEEDS_EXCHANGE, "dial_plan", false, umx_dp_check_name},
    {"dial-plans/unique", "V3.8", "Is the name unique over the SIP dial plans of all Exchange forests?",
     "make a new plan with another name: `umx plan create NAME --phase dial-plans --input rows.json`",
     UMX_NEEDS_EXCHANGE, "dial_plan", false, umx_dp_check_unique},
    {"dial-plans/attendant-numbers", "GL8",
     "Has each enabled auto attendant of a SIP dial plan a number, each in E.164 (GL8, 4.5)?",
     "`Set-UMAutoAttendant NAME -PilotIdentifierList +E164`", UMX_NEEDS_EXCHANGE, "dial_plan auto_attendant", false,
     umx_dp_check_attendants},
    {.id = NULL},
};

int umx_dial_plans_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                         struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("dial-plans"), world, pair, options, out, err);
}
