#include "controller/grants.h"

#include <stdio.h>
#include <string.h>

/* dsacls letters: GR read all, RC read the descriptor, WD write the DACL, CC and DC create and delete children, WP
 * write properties; /I:T for the object and everything below, /I:S for what is below. */
static const struct {
    int side; /* bit of Forest.Side */
    bool writer;
    const char *place;   /* below the organisation, or a whole DN with %s for the configuration naming context */
    bool configuration;  /* place is below the configuration naming context */
    const char *inherit; /* dsacls option */
    const char *rights;
    const char *reason;
} rows[] = {
    {1, false, "", false, "/I:T", "GR", "reads dial plans, gateways, servers and access entries"},
    {2, false, "CN=RTC Service,CN=Services,", true, "/I:T", "GR", "reads pools and trusted servers"},
    {1, true, "", false, NULL, "RCWD", "phase exchucutil adds and removes access entries (V7.1)"},
    {1, true, "CN=UM DialPlan Container,", false, "/I:T", "GR", "reads back what it wrote"},
    {1, true, "CN=UM DialPlan Container,", false, NULL, "RCWD",
     "phase exchucutil adds and removes access entries (V7.1)"},
    {1, true, "CN=UM AutoAttendant Container,", false, NULL, "RCWD",
     "phase exchucutil adds and removes access entries (V7.1)"},
    {1, true, "CN=Administrative Groups,", false, NULL, "RCWD",
     "phase exchucutil adds and removes access entries (V7.1)"},
    {1, true, "CN=UM IPGateway Container,", false, "/I:T", "GRCCDCWPSDDT",
     "phase exchucutil creates, changes and deletes gateways and hunt groups (V7.2 to V7.5)"},
};

/* DOMAIN\name of an account given as principal name. */
static char *account_name(struct umx_arena *arena, const char *principal, const char *netbios)
{
    const char *at = strchr(principal, '@');
    int length = at != NULL ? (int)(at - principal) : (int)strlen(principal);

    return umx_arena_format(arena, "%s\\%.*s", netbios, length, principal);
}

int umx_grants(const struct umx_forest_config *forest, const Umx__World *records, struct umx_arena *arena,
               Umx__Grant ***grants, size_t *count, struct umx_error *err)
{
    enum { ROWS = sizeof rows / sizeof rows[0] };
    const char *organization = "<ORG>";
    const char *configuration = "<CFG>";
    const char *netbios = "<DOMAIN>";

    for (size_t i = 0; i < records->n_forest; i++) {
        const Umx__Forest *known = records->forest[i];
        if (!umx_text_equal(known->forest, forest->name))
            continue;
        organization = known->organization_dn != NULL ? known->organization_dn : organization;
        configuration = known->config_dn != NULL ? known->config_dn : configuration;
        netbios = known->netbios != NULL ? known->netbios : netbios;
    }
    *count = 0;
    *grants = umx_arena_alloc(arena, ROWS * sizeof **grants);
    for (size_t i = 0; *grants != NULL && i < ROWS; i++) {
        const char *principal = rows[i].writer ? forest->writer : forest->reader;
        if (((int)forest->side & rows[i].side) == 0 || principal == NULL)
            continue;
        Umx__Grant *grant = umx_reflect_new(&umx__grant__descriptor, arena);
        if (grant == NULL)
            return umx_fail(err, UMX_ERR_ARENA_FULL, forest->name, NULL);
        grant->forest = umx_arena_string(arena, forest->name);
        grant->account = account_name(arena, principal, netbios);
        grant->reason = umx_arena_string(arena, rows[i].reason);
        grant->command = umx_arena_format(arena, "dsacls \"%s%s\" %s%s/G \"%s:%s\"", rows[i].place,
                                          rows[i].configuration ? configuration : organization,
                                          rows[i].inherit != NULL ? rows[i].inherit : "",
                                          rows[i].inherit != NULL ? " " : "", grant->account, rows[i].rights);
        if (grant->command == NULL)
            return umx_fail(err, UMX_ERR_ARENA_FULL, forest->name, NULL);
        (*grants)[(*count)++] = grant;
    }
    return *grants != NULL ? 0 : umx_fail(err, UMX_ERR_ARENA_FULL, forest->name, NULL);
}
