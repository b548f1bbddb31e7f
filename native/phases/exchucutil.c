/* Phase 7: its options and the table of its checks. */
#include "phases/exchucutil.h"

#include <string.h>

#include "base/text.h"

static int valid_mode(const char *value, struct umx_error *err)
{
    for (int i = 0; umx_uc_modes[i] != NULL; i++)
        if (strcmp(value, umx_uc_modes[i]) == 0)
            return 0;
    return umx_fail(err, UMX_ERR_OPTION_INVALID, "exchucutil.mode", "\"%s\" is none of safe-mesh, safe-map, faithful",
                    value);
}

enum { LIST_MAX = 64 * 1024 };

/* Each item of a list, as the planner will see it. */
static int each_item(const char *option, const char *value, bool map, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(8 * LIST_MAX);
    const char **items;
    size_t count;
    int rc = 0;

    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, option, NULL);
    if (strlen(value) > LIST_MAX || umx_uc_split(value, arena, &items, &count) != 0) {
        rc = umx_fail(err, UMX_ERR_OPTION_INVALID, option, "the list is too long");
        goto out;
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        size_t pool = strcspn(items[i], ":");
        if (items[i][0] == '\0')
            rc = umx_fail(err, UMX_ERR_OPTION_INVALID, option, "item %zu is empty", i + 1);
        else if (map && (pool == 0 || items[i][pool] == '\0' || items[i][pool + 1] == '\0'))
            rc = umx_fail(err, UMX_ERR_OPTION_INVALID, option, "\"%s\" is not of the form POOL:PLAN", items[i]);
        else if (!map && items[i][pool] == ':')
            rc = umx_fail(err, UMX_ERR_OPTION_INVALID, option, "\"%s\" is not the FQDN of a pool", items[i]);
    }
out:
    umx_arena_free(arena);
    return rc;
}

static int valid_pools(const char *value, struct umx_error *err)
{
    return each_item("exchucutil.pools", value, false, err);
}

static int valid_outdial(const char *value, struct umx_error *err)
{
    return each_item("exchucutil.outdial", value, false, err);
}

static int valid_map(const char *value, struct umx_error *err)
{
    return each_item("exchucutil.hunt-map", value, true, err);
}

const struct umx_phase_option umx_exchucutil_options[] = {
    {"mode", "safe-mesh | safe-map | faithful",
     "safe-mesh (default): every gateway with every SIP dial plan, nothing foreign deleted, flags only on new objects; "
     "safe-map: hunt groups by hunt-map; faithful: the end state of the script, foreign hunt groups deleted and flags "
     "rewritten",
     valid_mode},
    {"pools", "POOL[,POOL...]", "pools in scope besides those that home Enterprise Voice users and their backups",
     valid_pools},
    {"hunt-map", "POOL:PLAN[,POOL:PLAN...]",
     "for safe-map: the dial plans (name or phone context) of each pool's gateway; a backslash takes the next "
     "character "
     "as it is",
     valid_map},
    {"outdial", "POOL[,POOL...]",
     "the one Lync gateway that may dial out (in a map one per dial plan); the safe modes then correct the flag on "
     "existing Lync gateways too",
     valid_outdial},
    {NULL, NULL, NULL, NULL},
};

#define PLAN_AGAIN "`umx plan create NAME --phase exchucutil --pair EXCHANGE:LYNC`"

const struct umx_phase_check umx_exchucutil_checks[] = {
    {"exchucutil/groups", "W1", "Are the two Lync groups that need access there?",
     "prepare the Lync forest: `Enable-CsAdForest`", UMX_NEEDS_LYNC, "admin_group", false, umx_uc_check_groups},
    {"exchucutil/scope", "V7.2", "Which pools need a gateway?", "`--set exchucutil.pools=POOL`", UMX_NEEDS_LYNC,
     "lync_pool", false, umx_uc_check_scope},
    {"exchucutil/access", "V7.1",
     "May both groups list and read the four containers, inheritance and deny entries taken into account?", PLAN_AGAIN,
     UMX_NEEDS_BOTH, "container access_entry admin_group", true, umx_uc_check_access},
    {"exchucutil/dacl", "V7.1", "Are the access-control lists of the four containers in canonical order?",
     "put it in order: open the Security tab in ADSI Edit and let it reorder, or `dsacls DN /resetDefaultDACL`",
     UMX_NEEDS_EXCHANGE, "container", false, umx_uc_check_dacl},
    {"exchucutil/gateways", "V7.2", "Does exactly one UM IP gateway have the pool's FQDN as its address?", PLAN_AGAIN,
     UMX_NEEDS_BOTH, "ip_gateway lync_pool", true, umx_uc_check_gateways},
    {"exchucutil/duplicate-peers", "V7.2", "Does each gateway have an address of its own?",
     "`Remove-UMIPGateway NAME` for the one that is not used", UMX_NEEDS_EXCHANGE, "ip_gateway", false,
     umx_uc_check_peers},
    {"exchucutil/pilots", "V7.3", "Does each SIP dial plan have a pilot identifier of its own?",
     "make a dial plan whose name has no dot", UMX_NEEDS_EXCHANGE, "dial_plan", false, umx_uc_check_pilots},
    {"exchucutil/hunt-groups", "V7.3",
     "Has each gateway in scope a hunt group for each SIP dial plan (by the map in safe-map), with the right pilot "
     "identifier?",
     PLAN_AGAIN, UMX_NEEDS_BOTH, "ip_gateway hunt_group dial_plan lync_pool", true, umx_uc_check_hunt_groups},
    {"exchucutil/outdial", "V7.4",
     "May exactly one Lync gateway in scope dial out for each SIP dial plan, and no branch pool?",
     "`--set exchucutil.outdial=POOL`", UMX_NEEDS_BOTH, "ip_gateway hunt_group dial_plan lync_pool", false,
     umx_uc_check_outdial},
    {"exchucutil/gateway-state", "V7.5", "Is the gateway enabled, with its port left to the transport?",
     "`Enable-UMIPGateway NAME`, `Set-UMIPGateway NAME -Port 0`", UMX_NEEDS_BOTH, "ip_gateway lync_pool", false,
     umx_uc_check_state},
    {"exchucutil/message-waiting", "2.6",
     "Is the message waiting indicator allowed for Lync 2010 and later, and not for branch and older pools?",
     "`Set-UMIPGateway NAME -MessageWaitingIndicatorAllowed $true`", UMX_NEEDS_BOTH, "ip_gateway lync_pool", false,
     umx_uc_check_waiting},
    {"exchucutil/front-end-restart", "V7.6", "Was RTCSRV of each Front End started after the last write?",
     "restart RTCSRV on one Front End after another", UMX_NEEDS_BOTH, "ip_gateway hunt_group container lync_pool",
     false, umx_uc_check_restart},
    {"exchucutil/read-test", "V7.7", "Does a Lync server read the dial plans with its own account, over the trust?",
     "see forests/trust-live and exchucutil/access; wait for replication; by hand: `ldp` as the server's account",
     UMX_NEEDS_BOTH, "dial_plan", false, umx_uc_check_read},
    {.id = NULL},
};

int umx_exchucutil_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                         struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("exchucutil"), world, pair, options, out, err);
}
