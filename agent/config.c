#include "agent/config.h"

#include <ini.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "agent/policy.h"
#include "agent/updater.h"
#include "base/open.h"
#include "base/text.h"

enum { CONFIG_MAX = 64 * 1024, LINE_MAX_BYTES = 199 /* the parser takes the rest of a longer one for another line */ };

enum kind { TEXT, ACCOUNT, SECONDS, SECONDS_OR_NONE };

/* Every setting. policy: a policy of the domain may set it; what names the machine's own places is not for many. */
static const struct setting {
    const char *name;
    enum kind kind;
    size_t offset;
    size_t size;
    bool policy;
} settings[] = {
#define ROW(name, kind, policy)                                                                                        \
    {                                                                                                                  \
#name, kind, offsetof(struct umx_agent_config, name), sizeof((struct umx_agent_config *)0)->name, policy       \
    }
    ROW(controller, TEXT, true),
    ROW(identity, TEXT, false),
    ROW(host, TEXT, false),
    ROW(state, TEXT, false),
    ROW(shell_account, ACCOUNT, true),
    ROW(shell_password_file, TEXT, false),
    ROW(release_key, TEXT, true),
    ROW(updater, TEXT, false),
    ROW(installer, TEXT, false),
    ROW(report_interval, SECONDS, true),
    ROW(start_jitter, SECONDS_OR_NONE, true),
    ROW(longest_wait, SECONDS, true),
    ROW(refused_wait, SECONDS, true),
#undef ROW
};

enum { SETTINGS = sizeof settings / sizeof *settings };
_Static_assert((int)SETTINGS <= (int)UMX_AGENT_SETTINGS, "a source for each setting");

struct reading {
    struct umx_agent_config *config;
    char bad[256];
};

static int take_text(struct reading *reading, const struct setting *setting, const char *value)
{
    if (strlen(value) >= setting->size || !umx_text_valid(value, strlen(value))) {
        snprintf(reading->bad, sizeof reading->bad, "%s is too long, or not UTF-8", setting->name);
        return 0;
    }
    umx_text_copy((char *)reading->config + setting->offset, setting->size, value);
    return 1;
}

/* DOMAIN\name. */
static int take_account(struct reading *reading, const struct setting *setting, const char *value)
{
    const char *separator = strchr(value, '\\');

    if (separator == NULL || separator == value || separator[1] == '\0' || strchr(separator + 1, '\\') != NULL) {
        snprintf(reading->bad, sizeof reading->bad, "%s is DOMAIN\\name", setting->name);
        return 0;
    }
    return take_text(reading, setting, value);
}

static bool managed(const char *account)
{
    size_t length = strlen(account);

    return length > 0 && account[length - 1] == '$';
}

static int take_seconds(struct reading *reading, const struct setting *setting, const char *value)
{
    const int least = setting->kind == SECONDS_OR_NONE ? 0 : 1;
    char *end = NULL;
    long number = strtol(value, &end, 10);

    if (end == value || *end != '\0' || number < least || number > 86400) {
        snprintf(reading->bad, sizeof reading->bad, "%s is a number of seconds from %d to 86400", setting->name, least);
        return 0;
    }
    *(int *)(void *)((char *)reading->config + setting->offset) = (int)number;
    return 1;
}

static const struct setting *find(const char *name)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (strcmp(settings[i].name, name) == 0)
            return &settings[i];
    return NULL;
}

/* As inih wants it: 1, or 0 and the reason in reading. */
static int take(struct reading *reading, const char *name, const char *value, enum umx_agent_source source)
{
    static int (*const takes[])(struct reading *, const struct setting *, const char *) = {
        [TEXT] = take_text, [ACCOUNT] = take_account, [SECONDS] = take_seconds, [SECONDS_OR_NONE] = take_seconds};
    const struct setting *setting = find(name);

    if (setting == NULL) {
        snprintf(reading->bad, sizeof reading->bad, "there is no setting `%.64s`", name);
        return 0;
    }
    if (source == UMX_AGENT_SOURCE_POLICY && !setting->policy) {
        snprintf(reading->bad, sizeof reading->bad, "%s is each machine's own, and no policy can set it", name);
        return 0;
    }
    if (!takes[setting->kind](reading, setting, value))
        return 0;
    reading->config->source[setting - settings] = (unsigned char)source;
    return 1;
}

static int from_file(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;

    if (strcmp(section, "agent") != 0) {
        snprintf(reading->bad, sizeof reading->bad, "there is only the section [agent]");
        return 0;
    }
    return take(reading, name, value, UMX_AGENT_SOURCE_FILE);
}

static int from_policy(void *user, const char *name, const char *value, struct umx_error *err)
{
    struct reading *reading = user;

    return take(reading, name, value, UMX_AGENT_SOURCE_POLICY)
               ? 0
               : umx_fail(err, UMX_ERR_CONFIG_INVALID, UMX_POLICY_PLACE, "%s", reading->bad);
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

/* The number of the first line that is too long; 0: none is. */
static int long_line(const char *text)
{
    for (int line = 1;; line++) {
        size_t length = strcspn(text, "\n");
        if (length > LINE_MAX_BYTES)
            return line;
        if (text[length] == '\0')
            return 0;
        text += length + 1;
    }
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
        int line = long_line(text);
        if (line != 0)
            snprintf(reading.bad, sizeof reading.bad, "it has more than %d bytes", LINE_MAX_BYTES);
        else
            line = ini_parse_string(text, from_file, &reading);
        if (line != 0)
            status = umx_fail(err, UMX_ERR_CONFIG_INVALID, path, "line %d: %s", line,
                              reading.bad[0] != '\0' ? reading.bad : "it is neither [section] nor name = value");
    }
    umx_arena_free(arena);
    return status == 0 ? umx_policy_read(from_policy, &reading, err) : status;
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

void umx_agent_config_show(const struct umx_agent_config *config, FILE *out)
{
    static const char *const words[] = {
        [UMX_AGENT_SOURCE_NONE] = "default", [UMX_AGENT_SOURCE_FILE] = "file", [UMX_AGENT_SOURCE_POLICY] = "policy"};

    for (size_t i = 0; i < SETTINGS; i++) {
        const char *at = (const char *)config + settings[i].offset;
        if (settings[i].kind == TEXT || settings[i].kind == ACCOUNT)
            fprintf(out, "%s = %s ; %s\n", settings[i].name, at, words[config->source[i]]);
        else
            fprintf(out, "%s = %d ; %s\n", settings[i].name, *(const int *)(const void *)at, words[config->source[i]]);
    }
}

const char *umx_agent_config_policies(const struct umx_agent_config *config, char *out, size_t size)
{
    size_t length = 0;

    out[0] = '\0';
    for (size_t i = 0; i < SETTINGS && length < size; i++)
        if (config->source[i] == UMX_AGENT_SOURCE_POLICY)
            length += (size_t)snprintf(out + length, size - length, "%s%s", length > 0 ? ", " : "", settings[i].name);
    return out;
}
