#include "controller/targets.h"

#include <stdio.h>
#include <string.h>

#include "base/reflect.h"
#include "base/text.h"
#include "phases/um_server.h"

enum { POOL_PORT = 5061 };

struct finding {
    const Umx__World *records;
    struct umx_arena *arena;
    struct umx_targets *out;
    bool failed;
};

/* Pointers with room for one more; the room is the next power of two. */
static void *with_room(struct umx_arena *arena, void *items, size_t count)
{
    if (count > 0 && (count & (count - 1)) != 0)
        return items;
    void *more = umx_arena_alloc(arena, (count > 0 ? count * 2 : 1) * sizeof(void *));
    if (more != NULL && count > 0)
        memcpy(more, items, count * sizeof(void *));
    return more;
}

static void add(struct finding *finding, const Umx__ProofTarget *target)
{
    struct umx_targets *out = finding->out;
    Umx__ProofTarget *copy = umx_reflect_copy(&target->base, finding->arena);
    Umx__ProofTarget **items = with_room(finding->arena, out->items, out->count);

    if (copy == NULL || items == NULL) {
        finding->failed = true;
        return;
    }
    out->items = items;
    out->items[out->count++] = copy;
}

/* What one side alone tries. */
static void add_for(struct finding *finding, Umx__Forest__Side side, Umx__Proof__Kind kind, Umx__ProofTarget target)
{
    target.has_by = target.has_kind = 1;
    target.by = side;
    target.kind = kind;
    add(finding, &target);
}

static void add_forest(struct finding *finding, const Umx__Forest *forest)
{
    const Umx__World *records = finding->records;
    Umx__ProofTarget target = UMX__PROOF_TARGET__INIT;
    char name[UMX_ERROR_WHAT_MAX];

    target.forest = forest->forest;
    target.has_kind = 1;
    target.kind = UMX__PROOF__KIND__DNS;
    snprintf(name, sizeof name, "_ldap._tcp.dc._msdcs.%s", forest->forest);
    target.host = name;
    add(finding, &target);
    if (forest->domain_controller == NULL)
        return;
    target.host = forest->domain_controller;
    for (size_t k = 0; k < records->n_container; k++) {
        const Umx__Container *container = records->container[k];
        if (container->kind != UMX__CONTAINER__KIND__DIAL_PLANS || !umx_text_equal(container->forest, forest->forest))
            continue;
        target.dn = container->dn;
        add_for(finding, UMX__FOREST__SIDE__LYNC, UMX__PROOF__KIND__DIRECTORY, target);
    }
    target.dn = NULL;
    for (size_t k = 0; k < records->n_admin_group; k++) {
        const Umx__AdminGroup *group = records->admin_group[k];
        if (strcmp(group->meaning, "rtc_server_admins") != 0 || !umx_text_equal(group->forest, forest->forest))
            continue;
        target.sid = group->sid;
        add_for(finding, UMX__FOREST__SIDE__EXCHANGE, UMX__PROOF__KIND__SID, target);
    }
}

static void add_tls(struct finding *finding, char *forest, Umx__Forest__Side by, const char *host, int port)
{
    Umx__ProofTarget target = UMX__PROOF_TARGET__INIT;

    if (host == NULL || *host == '\0')
        return;
    target.forest = forest;
    target.has_port = 1;
    target.host = (char *)(uintptr_t)host; /* copied, never changed */
    target.port = port;
    add_for(finding, by, UMX__PROOF__KIND__TLS, target);
}

int umx_targets_find(const Umx__World *records, struct umx_arena *arena, struct umx_targets *out, struct umx_error *err)
{
    struct finding finding = {.records = records, .arena = arena, .out = out};

    *out = (struct umx_targets){0};
    for (size_t i = 0; i < records->n_forest; i++)
        add_forest(&finding, records->forest[i]);
    for (size_t i = 0; i < records->n_lync_pool; i++)
        add_tls(&finding, records->lync_pool[i]->forest, UMX__FOREST__SIDE__EXCHANGE, records->lync_pool[i]->pool,
                POOL_PORT);
    for (size_t i = 0; i < records->n_forest; i++) {
        size_t count;
        const struct umx_um_end *ends = umx_um_ends(records, records->forest[i]->forest, arena, &count);
        finding.failed = finding.failed || ends == NULL;
        for (size_t k = 0; ends != NULL && k < count; k++)
            add_tls(&finding, records->forest[i]->forest, UMX__FOREST__SIDE__LYNC, ends[k].fqdn, ends[k].port);
    }
    return finding.failed ? umx_fail(err, UMX_ERR_ARENA_FULL, "proofs", NULL) : 0;
}
