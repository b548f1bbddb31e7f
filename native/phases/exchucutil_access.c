/* What two Lync groups need on four containers (2.5), and whether a DACL gives it: inheritance and denies count. */
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "phases/exchucutil.h"

enum {
    LIST_CHILDREN = 0x4,
    READ_PROPERTY = 0x10,
    CONTAINER_INHERIT = 0x2,
    NO_PROPAGATE = 0x4,
    INHERIT_ONLY = 0x8,
    INHERITED = 0x10,
    ALLOW = 0,
    DENY = 1,
    ALLOW_OBJECT = 5,
    DENY_OBJECT = 6,
};

const struct umx_uc_need umx_uc_needs[UMX_UC_NEED_COUNT] = {
    {UMX__CONTAINER__KIND__ORGANIZATION, "the organisation", LIST_CHILDREN, 0, "(A;;LC;;;", "list its children"},
    {UMX__CONTAINER__KIND__DIAL_PLANS, "UM DialPlan Container", LIST_CHILDREN | READ_PROPERTY, CONTAINER_INHERIT,
     "(A;CI;LCRP;;;", "list and read it and everything below"},
    {UMX__CONTAINER__KIND__AUTO_ATTENDANTS, "UM AutoAttendant Container", LIST_CHILDREN | READ_PROPERTY,
     CONTAINER_INHERIT, "(A;CI;LCRP;;;", "list and read it and everything below"},
    {UMX__CONTAINER__KIND__ADMIN_GROUPS, "Administrative Groups", LIST_CHILDREN | READ_PROPERTY, CONTAINER_INHERIT,
     "(A;CI;LCRP;;;", "list and read it and everything below"},
};

const struct umx_uc_group umx_uc_groups[UMX_UC_GROUP_COUNT] = {
    {"rtc_server_admins", "RTCUniversalServerAdmins"},
    {"rtc_component_services", "RTCComponentUniversalServices"},
};

/* Generic rights as the directory maps them. */
static const struct {
    uint32_t generic;
    uint32_t rights;
} generics[] = {
    {0x10000000, 0x000F01FF},
    {0x20000000, 0x00020004},
    {0x40000000, 0x00020028},
    {0x80000000, 0x00020094},
};

static uint32_t rights_of(const Umx__AccessEntry *entry)
{
    uint32_t mask = (uint32_t)entry->mask;

    for (size_t i = 0; i < sizeof generics / sizeof generics[0]; i++)
        if ((mask & generics[i].generic) != 0)
            mask |= generics[i].rights;
    return mask;
}

static int by_position(const void *a, const void *b)
{
    const Umx__AccessEntry *const *left = a;
    const Umx__AccessEntry *const *right = b;

    return ((*left)->position > (*right)->position) - ((*left)->position < (*right)->position);
}

/* Everyone and Authenticated Users: accounts of a trusted forest carry them too. */
static bool meets(const Umx__AccessEntry *entry, const char *sid)
{
    return umx_text_equal(entry->trustee_sid, sid) || umx_text_equal(entry->trustee_sid, "S-1-1-0") ||
           umx_text_equal(entry->trustee_sid, "S-1-5-11");
}

/* Bits still wanted, on the container itself and on what is below it. */
struct wanted {
    uint32_t here;
    uint32_t below;
};

static void take_allow(struct wanted *wanted, const Umx__AccessEntry *entry, bool *reaches)
{
    uint32_t rights = rights_of(entry);

    if ((entry->flags & INHERIT_ONLY) == 0) {
        *reaches = *reaches || ((wanted->here & rights) != 0 && (entry->flags & CONTAINER_INHERIT) != 0);
        wanted->here &= ~rights;
    }
    if ((entry->flags & CONTAINER_INHERIT) != 0 && (entry->flags & NO_PROPAGATE) == 0)
        wanted->below &= ~rights;
}

static bool plain(const Umx__AccessEntry *entry)
{
    return umx_or_empty(entry->object_type)[0] == '\0' && umx_or_empty(entry->inherited_object_type)[0] == '\0';
}

/* ---- entries in words */

static const char *who_in_words(const Umx__AccessEntry *entry)
{
    return umx_text_equal(entry->trustee_sid, "S-1-1-0")    ? "Everyone"
           : umx_text_equal(entry->trustee_sid, "S-1-5-11") ? "Authenticated Users"
                                                            : "the group";
}

static const char *scope_in_words(const Umx__AccessEntry *entry)
{
    bool below = (entry->flags & CONTAINER_INHERIT) != 0;

    if ((entry->flags & INHERIT_ONLY) != 0)
        return (entry->flags & NO_PROPAGATE) != 0 ? "one level below only" : "below only";
    return !below ? "here only" : (entry->flags & NO_PROPAGATE) != 0 ? "here and one level below" : "here and below";
}

const char *umx_uc_entry_words(const Umx__AccessEntry *entry, struct umx_arena *arena)
{
    uint32_t rights = rights_of(entry);
    bool list = (rights & LIST_CHILDREN) != 0, read = (rights & READ_PROPERTY) != 0;
    bool deny = entry->type == DENY || entry->type == DENY_OBJECT;

    return umx_arena_format(arena, "%s %s %s%s %s%s", who_in_words(entry), deny ? "may not" : "may",
                            list && read ? "list and read"
                            : list       ? "list"
                            : read       ? "read"
                                         : "do something else",
                            plain(entry) ? "" : " (a part)", scope_in_words(entry),
                            (entry->flags & INHERITED) != 0 ? " (inherited)" : "");
}

int umx_uc_judge_access(const Umx__World *world, const Umx__Container *container, const struct umx_uc_need *need,
                        const char *sid, struct umx_arena *arena, struct umx_uc_access *out)
{
    struct wanted wanted = {.here = (uint32_t)need->mask, .below = need->flags != 0 ? (uint32_t)need->mask : 0};
    const Umx__AccessEntry **entries;
    size_t count = 0;
    bool reaches = false;

    *out = (struct umx_uc_access){.found = ""};
    for (size_t i = 0; i < world->n_access_entry; i++)
        count += umx_text_equal(world->access_entry[i]->forest, container->forest) &&
                 umx_text_dn_equal(world->access_entry[i]->target_dn, container->dn);
    entries = umx_arena_alloc(arena, (count + 1) * sizeof *entries);
    if (entries == NULL)
        return UMX_E_MEMORY;
    count = 0;
    for (size_t i = 0; i < world->n_access_entry; i++)
        if (umx_text_equal(world->access_entry[i]->forest, container->forest) &&
            umx_text_dn_equal(world->access_entry[i]->target_dn, container->dn))
            entries[count++] = world->access_entry[i];
    qsort(entries, count, sizeof *entries, by_position);
    for (size_t i = 0; i < count; i++) {
        const Umx__AccessEntry *entry = entries[i];
        bool own = umx_text_equal(entry->trustee_sid, sid);
        uint32_t rights = rights_of(entry);
        if (own) {
            const char *words = umx_uc_entry_words(entry, arena);
            if (words != NULL)
                words = umx_arena_format(arena, "%s%s%s", out->found, *out->found != '\0' ? ", " : "", words);
            if (words == NULL)
                return UMX_E_MEMORY;
            out->found = words;
        }
        /* A deny for one property or class takes part of it away: it is shown like one for all. */
        if ((entry->type == DENY || entry->type == DENY_OBJECT) && meets(entry, sid) && out->denied == NULL) {
            bool here = (entry->flags & INHERIT_ONLY) == 0 && (rights & wanted.here) != 0;
            bool below = (entry->flags & CONTAINER_INHERIT) != 0 && (rights & wanted.below) != 0;
            if (here || below)
                out->denied = entry;
        }
        if ((entry->type == ALLOW || entry->type == ALLOW_OBJECT) && own && plain(entry))
            take_allow(&wanted, entry, &reaches);
    }
    out->granted = wanted.here == 0 && wanted.below == 0;
    out->object_only = wanted.here == 0 && wanted.below != 0;
    out->wider = out->granted && need->flags == 0 && reaches;
    return 0;
}
