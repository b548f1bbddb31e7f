/* What the setup registry says about products (spec 6.6): shared by the tables `server` and `role`. */
#ifndef UMX_AGENT_SETUP_H
#define UMX_AGENT_SETUP_H

#include "agent/collect/collect.h"

struct umx_setup {
    struct umx_registry registry;
    Umx__Server__Product product;
    const char *roles;        /* key that the role keys are below; NULL without Exchange */
    const char *install_path; /* NULL: not known */
    bool has_version;
    int32_t major;
    int32_t minor;
    int32_t build;
};

/* Reads the registry and, for Lync without its marker key, the services. Lives in the collector's scratch arena. */
int umx_setup_read(struct umx_collect *collect, struct umx_setup *setup, struct umx_error *err);

/* Names of the role keys, NULL-terminated. */
extern const char *const umx_setup_roles[];

#endif
