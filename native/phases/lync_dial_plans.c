/* Phase 8: its options and the table of its checks. */
#include "phases/lync_dial_plans.h"

#include <string.h>

#include "base/text.h"

enum { LIST_MAX = 16 * 1024 };

static int one_of(const char *option, const char *value, const char *a, const char *b, struct umx_error *err)
{
    if (strcmp(value, a) == 0 || strcmp(value, b) == 0)
        return 0;
    return umx_fail(err, UMX_ERR_OPTION_INVALID, option, "\"%s\" is none of %s, %s", value, a, b);
}

static int valid_scope(const char *value, struct umx_error *err)
{
    return one_of("lync-dial-plans.scope", value, "tag", "site", err);
}

static int valid_rules(const char *value, struct umx_error *err)
{
    return one_of("lync-dial-plans.rules", value, "add", "leave", err);
}

/* Items of a list, each PLAN:VALUE; bare: or VALUE alone. */
static int valid_list(const char *option, const char *value, bool bare, bool (*good)(const char *),
                      const char *expected, struct umx_error *err)
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
        const char *colon = items[i][0] == '+' ? NULL : strchr(items[i], ':');
        if ((colon == NULL && !bare) || colon == items[i] || !good(colon != NULL ? colon + 1 : items[i]))
            rc = umx_fail(err, UMX_ERR_OPTION_INVALID, option, "\"%s\" is not %s", items[i], expected);
    }
out:
    umx_arena_free(arena);
    return rc;
}

static bool good_prefix(const char *value)
{
    return value[0] == '+' && value[1] != '0' && umx_is_digits(value + 1, 1, 14);
}

static bool good_identity(const char *value)
{
    const char *colon = strchr(value, ':');
    size_t length = strlen(value);

    if (length == 0 || length > 256 || strpbrk(value, "'\"`;$|&<>\n\r\t") != NULL)
        return false;
    return umx_text_equal(value, "Global") ||
           (colon != NULL && colon != value && colon[1] != '\0'); /* Site:, Registrar:, PstnGateway:, Tag: */
}

static int valid_prefix(const char *value, struct umx_error *err)
{
    return valid_list("lync-dial-plans.prefix", value, true, good_prefix, "+NUMBER or PLAN:+NUMBER", err);
}

static int valid_use(const char *value, struct umx_error *err)
{
    return valid_list("lync-dial-plans.use", value, false, good_identity,
                      "PLAN:IDENTITY with Global, Site:NAME, Registrar:FQDN or Tag:NAME", err);
}

const struct umx_phase_option umx_lync_dial_plans_options[] = {
    {"scope", "tag | site",
     "where what is missing goes: tag (default) makes a per-user dial plan with the phone context as its SimpleName, "
     "for the users that phase enterprise-voice grants it to; site puts it into the dial plan that applies to the "
     "pools",
     valid_scope},
    {"prefix", "+NUMBER | PLAN:+NUMBER[,...]",
     "what stands before an extension in E.164, for the normalisation rule; for all UM dial plans or by name or phone "
     "context",
     valid_prefix},
    {"use", "PLAN:IDENTITY[,...]",
     "the Lync dial plan that gets the phone context of a UM dial plan as its SimpleName: an existing one is renamed, "
     "another one is made",
     valid_use},
    {"rules", "add | leave",
     "leave: no normalisation rules are added, and none are demanded of the plan (default: add)", valid_rules},
    {NULL, NULL, NULL, NULL},
};

#define PLAN_AGAIN                                                                                                     \
    "`umx plan create NAME --phase lync-dial-plans --pair EXCHANGE:LYNC --set lync-dial-plans.prefix=+NUMBER`"

const struct umx_phase_check umx_lync_dial_plans_checks[] = {
    {"lync-dial-plans/rule", "V8.1",
     "Has the name of a Lync dial plan to be the phone context, because a linked server is older than 2010 SP1?",
     "`umx query \"select server, version_major, version_minor from exchange_server\"`", UMX_NEEDS_BOTH,
     "dial_plan exchange_server", false, umx_ld_check_rule},
    {"lync-dial-plans/name-match", "V8.2",
     "Is the phone context the SimpleName of a Lync dial plan, where it has to be (GL9, U5)?", PLAN_AGAIN,
     UMX_NEEDS_BOTH, "dial_plan exchange_server", true, umx_ld_check_match},
    {"lync-dial-plans/suitable", "V8.3",
     "Does a dial plan apply to each pool that homes Enterprise Voice users (Registrar, then site, then global)?",
     "`New-CsDialPlan -Identity Site:NAME`, or `Get-CsDialPlan` when the global one is missing", UMX_NEEDS_LYNC,
     "lync_pool", true, umx_ld_check_suitable},
    {"lync-dial-plans/normalization", "V8.4",
     "Does a rule of the dial plan that applies turn extensions of the UM plan's length into E.164 (F3.3)?", PLAN_AGAIN,
     UMX_NEEDS_BOTH, "dial_plan lync_pool", true, umx_ld_check_normalization},
    {.id = NULL},
};

int umx_lync_dial_plans_check(const Umx__World *world, const struct umx_pair *pair, const struct umx_options *options,
                              struct umx_findings *out, struct umx_error *err)
{
    return umx_checks_run(umx_phase("lync-dial-plans"), world, pair, options, out, err);
}
