#include "phases/shell.h"

#include <string.h>

#include "base/text.h"

enum { UM_VERSION_LAST_MAJOR = 15, UM_VERSION_LAST_MINOR = 1 }; /* 2016; 2019 (15.2) has no UM (G6) */

/* ---- agents */

struct version {
    int32_t major, minor, build;
};

static const Umx__ExchangeServer *find_exchange_server(const Umx__World *world, const char *forest, const char *server)
{
    for (size_t i = 0; i < world->n_exchange_server; i++)
        if (umx_text_equal(world->exchange_server[i]->forest, forest) &&
            umx_text_equal(world->exchange_server[i]->server, server))
            return world->exchange_server[i];
    return NULL;
}

static bool in_topology(const Umx__World *world, const char *forest, const char *server)
{
    for (size_t i = 0; i < world->n_lync_pool_member; i++)
        if (umx_text_equal(world->lync_pool_member[i]->member, server))
            return true;
    for (size_t i = 0; i < world->n_lync_pool; i++)
        if (umx_text_equal(world->lync_pool[i]->forest, forest) && umx_text_equal(world->lync_pool[i]->pool, server))
            return true;
    return false;
}

/* The agent's own word about its machine counts first; the directory knows servers whose report is not here yet. */
static bool runs(const Umx__World *world, const Umx__Agent *agent, Umx__Server__Product product,
                 struct version *version)
{
    for (size_t i = 0; i < world->n_server; i++) {
        const Umx__Server *server = world->server[i];
        if (!umx_text_equal(server->server, agent->server) || !server->has_product)
            continue;
        *version = (struct version){server->version_major, server->version_minor, server->version_build};
        return server->product == product;
    }
    if (product == UMX__SERVER__PRODUCT__LYNC)
        return in_topology(world, agent->forest, agent->server);
    const Umx__ExchangeServer *server = find_exchange_server(world, agent->forest, agent->server);
    if (server == NULL)
        return false;
    *version = (struct version){server->version_major, server->version_minor, server->version_build};
    return true;
}

static bool has_um(const struct version *version)
{
    return version->major < UM_VERSION_LAST_MAJOR ||
           (version->major == UM_VERSION_LAST_MAJOR && version->minor <= UM_VERSION_LAST_MINOR);
}

static bool newer(const struct version *a, const struct version *b)
{
    return a->major != b->major   ? a->major > b->major
           : a->minor != b->minor ? a->minor > b->minor
                                  : a->build > b->build;
}

bool umx_shell_runs(const Umx__World *world, const char *server)
{
    for (size_t i = 0; i < world->n_server; i++)
        if (umx_text_equal(world->server[i]->server, server) && world->server[i]->has_shell)
            return world->server[i]->shell;
    return true;
}

const char *umx_shell_agent(const Umx__World *world, const char *forest, Umx__Server__Product product)
{
    const char *best = NULL;
    struct version best_version = {0};

    for (size_t i = 0; i < world->n_agent; i++) {
        const Umx__Agent *agent = world->agent[i];
        struct version version = {0};
        if (!umx_text_equal(agent->forest, forest) || !umx_text_equal(agent->state, "connected") ||
            !runs(world, agent, product, &version) || !umx_shell_runs(world, agent->server) ||
            (product == UMX__SERVER__PRODUCT__EXCHANGE && !has_um(&version)))
            continue;
        if (best != NULL && !newer(&version, &best_version))
            continue;
        best = agent->server;
        best_version = version;
    }
    return best;
}

/* ---- text for a shell */

/* Bytes of the single quote that begins here, 0 when none does. PowerShell takes U+2018 to U+201B for one, too: a name
 * with such a letter would end the string, and what follows would be run by whoever copies the command. */
static size_t quote_length(const char *p)
{
    const unsigned char *bytes = (const unsigned char *)p;

    if (bytes[0] == '\'')
        return 1;
    return bytes[0] == 0xe2 && bytes[1] == 0x80 && bytes[2] >= 0x98 && bytes[2] <= 0x9b ? 3 : 0;
}

const char *umx_shell_quote(struct umx_steps *out, const char *text)
{
    struct umx_text quoted = {0};

    umx_text_adds(&quoted, "'");
    for (const char *p = umx_or_empty(text); *p != '\0';) {
        size_t quote = quote_length(p), length = quote > 0 ? quote : 1;
        umx_text_add(&quoted, p, quote); /* doubled */
        umx_text_add(&quoted, p, length);
        p += length;
    }
    umx_text_adds(&quoted, "'");
    const char *copy = umx_steps_copy(out, umx_text_string(&quoted));
    if (quoted.failed)
        out->failed = 1;
    umx_text_free(&quoted);
    return copy != NULL ? copy : "";
}

const char *umx_shell_quote_list(struct umx_steps *out, char *const *texts, size_t count)
{
    const char *list = "";

    for (size_t i = 0; i < count; i++)
        list = umx_steps_say(out, "%s%s%s", list, i > 0 ? "," : "", umx_shell_quote(out, texts[i]));
    return list;
}

const char *umx_join_lines(struct umx_steps *out, char *const *texts, size_t count)
{
    const char *list = "";

    for (size_t i = 0; i < count; i++)
        list = umx_steps_say(out, "%s%s%s", list, i > 0 ? "\n" : "", texts[i]);
    return list;
}
