/*
 * The agent's configuration file:
 *
 *   [agent]
 *   controller      = HOST:PORT
 *   identity        = FILE        PEM: private key, certificate, intermediates, the deployment's root last
 *   host            = local       or recorded:DIR
 *   state           = DIR         the action journal; when not set systemd's, else the identity's directory
 *   shell_account   = DOMAIN\name  Windows: who runs the products' shell; a name ending in $ is a group managed service
 *                               account, any other needs shell_password_file. When not set, the service's own account
 *   shell_password_file = FILE  made by `umx-agent --store-shell-password`
 *   report_interval = SECONDS     full reports; the controller's value, else 300, when not set
 *   start_jitter    = SECONDS     the first connection waits a random time up to this (30)
 *   longest_wait    = SECONDS     between two attempts to connect, at most (60)
 *   refused_wait    = SECONDS     before trying again after the controller refused this identity (300)
 *   release_key     = FILE        public keys of releases (PEM, Ed25519); when not set, the agent takes no updates
 *   updater         = DIR         where the updater keeps its things, writable for it alone (/var/lib/umx-agent-update)
 *   installer       = FILE        the program that the updater has packages installed by (/usr/lib/umx-agent/installer)
 *
 * Unknown settings are errors, and so is a line of more than 199 bytes. Secrets stand in the identity file only. On
 * Windows a policy of the domain overrides some of them (policy.h).
 */
#ifndef UMX_AGENT_CONFIG_H
#define UMX_AGENT_CONFIG_H

#include <stdio.h>

#include "agent/file.h"
#include "base/error.h"

enum {
    UMX_AGENT_REPORT_INTERVAL = 300,
    UMX_AGENT_START_JITTER = 30,
    UMX_AGENT_LONGEST_WAIT = 60,
    UMX_AGENT_REFUSED_WAIT = 300,
    UMX_AGENT_SETTINGS = 16, /* at most */
};

/* Who has set a setting. */
enum umx_agent_source { UMX_AGENT_SOURCE_NONE, UMX_AGENT_SOURCE_FILE, UMX_AGENT_SOURCE_POLICY };

struct umx_agent_config {
    char controller[300];
    char identity[UMX_AGENT_PATH_MAX];
    char host[UMX_AGENT_PATH_MAX + 16];
    char state[UMX_AGENT_PATH_MAX];
    char shell_account[256];
    char shell_password_file[UMX_AGENT_PATH_MAX];
    char release_key[UMX_AGENT_PATH_MAX];
    char updater[UMX_AGENT_PATH_MAX];
    char installer[UMX_AGENT_PATH_MAX];
    int report_interval; /* seconds; 0: not set */
    int start_jitter;
    int longest_wait;
    int refused_wait;
    unsigned char source[UMX_AGENT_SETTINGS]; /* enum umx_agent_source, in the order of config.c */
};

/* Reads and checks; UMX_ERR_CONFIG_INVALID names the file and the line, or the policy's value. */
int umx_agent_config_read(const char *path, struct umx_agent_config *out, struct umx_error *err);

/* What `facts` needs: a missing controller or identity is no error then. */
int umx_agent_config_read_host(const char *path, struct umx_agent_config *out, struct umx_error *err);

/* Every setting as it is in force, a line each, with who has set it. */
void umx_agent_config_show(const struct umx_agent_config *config, FILE *out);

/* The names of those that a policy has set, "" when it has none; returns out. */
const char *umx_agent_config_policies(const struct umx_agent_config *config, char *out, size_t size);

#endif
