#include "agent/collect/setup.h"

#include <stdlib.h>

#include "base/text.h"

const char *const umx_setup_roles[] = {
    "CafeRole",         "ClientAccessRole", "EdgeTransportRole",    "FrontendTransportRole",
    "HubTransportRole", "MailboxRole",      "UnifiedMessagingRole", NULL,
};

static const char *const roots[] = {
    "SOFTWARE\\Microsoft\\Exchange",
    "SOFTWARE\\Microsoft\\ExchangeServer",
    "SOFTWARE\\Microsoft\\Real-Time Communications",
    NULL,
};

/* Lync 2010's Front End key; what later versions use is not known, they are found by their services. */
#define LYNC_MARKER "SOFTWARE\\Microsoft\\Real-Time Communications\\{8D6164AA-D7B8-44A2-8125-E6C0DC7D4E9E}"

/* Newest first: a host that was upgraded in place may keep an older key. */
static const struct exchange {
    const char *setup;
    const char *roles;
} exchanges[] = {
    {"SOFTWARE\\Microsoft\\ExchangeServer\\v15\\Setup", "SOFTWARE\\Microsoft\\ExchangeServer\\v15"},
    {"SOFTWARE\\Microsoft\\ExchangeServer\\v14\\Setup", "SOFTWARE\\Microsoft\\ExchangeServer\\v14"},
    {"SOFTWARE\\Microsoft\\Exchange\\Setup", "SOFTWARE\\Microsoft\\Exchange\\v8.0"},
};

/* "15.0.847.32" gives 15, 0, 847. */
static bool parse_version(const char *text, struct umx_setup *setup)
{
    int32_t *parts[] = {&setup->major, &setup->minor, &setup->build};

    for (size_t i = 0; i < 3; i++) {
        char *end = NULL;
        if (text == NULL || *text < '0' || *text > '9')
            return false;
        long number = strtol(text, &end, 10);
        if (number > 99999 || (i < 2 && *end != '.'))
            return false;
        *parts[i] = (int32_t)number;
        text = end + 1;
    }
    return true;
}

static const struct umx_registry_key *role_key(const struct umx_setup *setup, const char *roles, const char *role)
{
    const char *path = umx_arena_format(setup->registry.arena, "%s\\%s", roles, role);

    return path != NULL ? umx_registry_find(&setup->registry, path) : NULL;
}

static void exchange_version(const struct umx_registry_key *key, struct umx_setup *setup)
{
    int64_t major = 0;
    int64_t minor = 0;
    int64_t build = 0;

    if (umx_registry_number(key, "MsiProductMajor", &major) && umx_registry_number(key, "MsiProductMinor", &minor) &&
        umx_registry_number(key, "MsiBuildMajor", &build)) {
        setup->major = (int32_t)(major & 0xffff);
        setup->minor = (int32_t)(minor & 0xffff);
        setup->build = (int32_t)(build & 0xffff);
        setup->has_version = true;
        return;
    }
    for (const char *const *role = umx_setup_roles; *role != NULL && !setup->has_version; role++) {
        const struct umx_registry_key *found = role_key(setup, setup->roles, *role);
        const char *version = umx_registry_text(found, "ConfiguredVersion");
        if (version == NULL)
            version = umx_registry_text(found, "UnpackedVersion");
        setup->has_version = parse_version(version, setup);
    }
}

/* The management tools alone make a Setup key: a server has at least one role key. */
static bool find_exchange(struct umx_setup *setup)
{
    for (size_t i = 0; i < sizeof exchanges / sizeof *exchanges; i++) {
        for (const char *const *role = umx_setup_roles; *role != NULL; role++) {
            if (role_key(setup, exchanges[i].roles, *role) == NULL)
                continue;
            const struct umx_registry_key *key = umx_registry_find(&setup->registry, exchanges[i].setup);
            setup->product = UMX__SERVER__PRODUCT__EXCHANGE;
            setup->roles = exchanges[i].roles;
            setup->install_path = umx_registry_text(key, "MsiInstallPath");
            exchange_version(key, setup);
            return true;
        }
    }
    return false;
}

static int find_lync(struct umx_collect *collect, struct umx_setup *setup, struct umx_error *err)
{
    static const char *const services[] = {"RTCSRV", "RTCMEDSRV"};
    const struct umx_registry_key *marker = umx_registry_find(&setup->registry, LYNC_MARKER);
    struct umx_host_service *list = NULL;
    size_t count = 0;

    if (marker != NULL) {
        setup->product = UMX__SERVER__PRODUCT__LYNC;
        setup->install_path = umx_registry_text(marker, "InstallDir");
        setup->has_version = parse_version(umx_registry_text(marker, "Version"), setup);
        return 0;
    }
    int status = umx_host_services(collect->host, collect->scratch, &list, &count, err);
    for (size_t i = 0; status == 0 && i < count; i++)
        for (size_t j = 0; j < sizeof services / sizeof *services; j++)
            if (umx_text_equal(list[i].name, services[j]))
                setup->product = UMX__SERVER__PRODUCT__LYNC;
    return status;
}

int umx_setup_read(struct umx_collect *collect, struct umx_setup *setup, struct umx_error *err)
{
    *setup = (struct umx_setup){.product = UMX__SERVER__PRODUCT__NONE};
    int status = umx_host_registry(collect->host, roots, collect->scratch, &setup->registry, err);

    if (status != 0 || find_exchange(setup))
        return status;
    return find_lync(collect, setup, err);
}
