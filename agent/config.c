#include "agent/config.h"

#include <ini.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "agent/updater.h"
#include "base/open.h"
#include "base/text.h"

enum { CONFIG_MAX = 64 * 1024 };

struct reading {
    struct umx_agent_config *config;
    char bad[256];
};

static int take_text(struct reading *reading, const char *name, const char *value, char *to, size_t size)
{
    if (strlen(value) >= size || !umx_text_valid(value, strlen(value))) {
        snprintf(reading->bad, sizeof reading->bad, "%s is too long, or not UTF-8", name);
        return 0;
    }
    umx_text_copy(to, size, value);
    return 1;
}

/* DOMAIN\name. */
static int take_account(struct reading *reading, const char *value)
{
    const char *separator = strchr(value, '\\');

    if (separator == NULL || separator == value || separator[1] == '\0' || strchr(separator + 1, '\\') != NULL) {
        snprintf(reading->bad, sizeof reading->bad, "shell_account is DOMAIN\\name");
        return 0;
    }
    return take_text(reading, "shell_account", value, reading->config->shell_account,
                     sizeof reading->config->shell_account);
}

static bool managed(const char *account)
{
    size_t length = strlen(account);

    return length > 0 && account[length - 1] == '$';
}

static int take_seconds(struct reading *reading, const char *name, const char *value, int least, int *to)
{
    char *end = NULL;
    long number = strtol(value, &end, 10);

    if (end == value || *end != '\0' || number < least || number > 86400) {
        snprintf(reading->bad, sizeof reading->bad, "%s is a number of seconds from %d to 86400", name, least);
        return 0;
    }
    *to = (int)number;
    return 1;
}

static int setting(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct umx_agent_config *config = reading->config;

    if (strcmp(section, "agent") != 0) {
        snprintf(reading->bad, sizeof reading->bad, "there is only the section [agent]");
        return 0;
    }
    if (strcmp(name, "controller") == 0)
        return take_text(reading, name, value, config->controller, sizeof config->controller);
    if (strcmp(name, "identity") == 0)
        return take_text(reading, name, value, config->identity, sizeof config->identity);
    if (strcmp(name, "host") == 0)
        return take_text(reading, name, value, config->host, sizeof config->host);
    if (strcmp(name, "state") == 0)
        return take_text(reading, name, value, config->state, sizeof config->state);
    if (strcmp(name, "shell_account") == 0)
        return take_account(reading, value);
    if (strcmp(name, "shell_password_file") == 0)
        return take_text(reading, name, value, config->shell_password_file, sizeof config->shell_password_file);
    if (strcmp(name, "release_key") == 0)
        return take_text(reading, name, value, config->release_key, sizeof config->release_key);
    if (strcmp(name, "updater") == 0)
        return take_text(reading, name, value, config->updater, sizeof config->updater);
    if (strcmp(name, "installer") == 0)
        return take_text(reading, name, value, config->installer, sizeof config->installer);
    if (strcmp(name, "report_interval") == 0)
        return take_seconds(reading, name, value, 1, &config->report_interval);
    if (strcmp(name, "start_jitter") == 0)
        return take_seconds(reading, name, value, 0, &config->start_jitter);
    if (strcmp(name, "longest_wait") == 0)
        return take_seconds(reading, name, value, 1, &config->longest_wait);
    if (strcmp(name, "refused_wait") == 0)
        return take_seconds(reading, name, value, 1, &config->refused_wait);
    snprintf(reading->bad, sizeof reading->bad, "there is no setting `%.64s`", name);
    return 0;
}

/* HOST:PORT, or [IPV6]:PORT. */
static bool is_target(const char *text)
{
    const char *colon = strrchr(text, ':');
    char *end = NULL;

    if (colon == NULL || colon == text || colon[1] < '0' || colon[1] > '9')
        return false;
    long port = strtol(colon + 1, &end, 10);
    return *end == '\0' && port >= 1 && port <= 65535;
}

static void default_state(struct umx_agent_config *config)
{
    const char *given = getenv("STATE_DIRECTORY"); /* by systemd: the unit's StateDirectory */
    size_t folder = umx_folder_length(config->identity);

    if (config->state[0] != '\0')
        return;
    if (given != NULL && given[0] == '/' && strchr(given, ':') == NULL && strlen(given) < sizeof config->state)
        umx_text_copy(config->state, sizeof config->state, given);
    else if (folder == 0)
        umx_text_copy(config->state, sizeof config->state, ".");
    else if (folder == 1 || config->identity[folder - 2] == ':')
        snprintf(config->state, sizeof config->state, "%.*s", (int)folder, config->identity); /* the root of it all */
    else
        snprintf(config->state, sizeof config->state, "%.*s", (int)folder - 1, config->identity);
}

int umx_agent_config_read_host(const char *path, struct umx_agent_config *out, struct umx_error *err)
{
    struct reading reading = {.config = out};
    struct umx_arena *arena = umx_arena_new(CONFIG_MAX + 256);
    char *text = NULL;
    size_t length = 0;
    int status;

    *out = (struct umx_agent_config){.start_jitter = UMX_AGENT_START_JITTER,
                                     .longest_wait = UMX_AGENT_LONGEST_WAIT,
                                     .refused_wait = UMX_AGENT_REFUSED_WAIT};
    umx_text_copy(out->host, sizeof out->host, "local");
    umx_text_copy(out->updater, sizeof out->updater, umx_updater_folder);
    umx_text_copy(out->installer, sizeof out->installer, umx_updater_installer);
    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, path, NULL);
    if ((status = umx_agent_file_read(path, CONFIG_MAX, arena, &text, &length, err)) == 0) {
        int line = ini_parse_string(text, setting, &reading);
        if (line != 0)
            status = umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "line %d: %s", line,
                              reading.bad[0] != '\0' ? reading.bad : "it is neither [section] nor name = value");
    }
    umx_arena_free(arena);
    return status;
}

int umx_agent_config_read(const char *path, struct umx_agent_config *out, struct umx_error *err)
{
    int status = umx_agent_config_read_host(path, out, err);

    if (status != 0)
        return status;
    if (!is_target(out->controller))
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "controller = HOST:PORT is missing or wrong");
    if (out->identity[0] == '\0')
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "identity = FILE is missing");
    if (out->shell_account[0] != '\0' && !managed(out->shell_account) && out->shell_password_file[0] == '\0')
        return umx_fail(err, UMX_ERR_CONFIG_INVALID, path,
                        "shell_account is no group managed service account (its name does not end in $), so "
                        "shell_password_file = FILE is needed");
    default_state(out);
    return 0;
}
