/* A recorded host: its directory, identity, registry and shell output. Lists are in recorded_lists.c, certificates in
 * recorded_certificates.c. Files are read again at every collection, so that editing one is a change of the host. */
#include "agent/host/recorded.h"

#include <ini.h>
#include <stdlib.h>
#include <string.h>

#include "agent/host/shell.h"
#include "agent/host/watch.h"
#include "base/clock.h"
#include "base/text.h"

enum { RECORDED_ARENA = 64 * 1024, INI_MAX = 16 * 1024 };

int umx_recorded_path(const struct umx_recorded *recorded, const char *name, char path[UMX_AGENT_PATH_MAX],
                      struct umx_error *err)
{
    int n = snprintf(path, UMX_AGENT_PATH_MAX, "%s/%s", recorded->directory, name);

    if (n < 0 || n >= UMX_AGENT_PATH_MAX)
        return umx_fail(err, UMX_ERR_HOST_UNREADABLE, name, "the path is too long");
    return 0;
}

struct reading {
    struct umx_recorded *recorded;
    const char *bad;
};

static int setting(void *user, const char *section, const char *name, const char *value)
{
    struct reading *reading = user;
    struct umx_host *host = &reading->recorded->host;
    struct umx_host_identity *identity = &host->identity;
    const struct {
        const char *section;
        const char *name;
        const char **to;
    } settings[] = {
        {"host", "fqdn", &identity->fqdn},          {"host", "os", &identity->os},
        {"host", "address", &identity->address},    {"host", "shell_program", &identity->shell_program},
        {"directory", "forest", &identity->forest}, {"directory", "principal", &identity->principal},
        {"directory", "keytab", &identity->keytab}, {"directory", "domain_controllers", &identity->domain_controllers},
    };

    if (!umx_text_valid(value, strlen(value))) {
        reading->bad = "a value is not UTF-8";
        return 0;
    }
    if (strcmp(section, "host") == 0 && strcmp(name, "started_at") == 0) {
        if (umx_clock_parse(value, &identity->started_at) == 0)
            return 1;
        reading->bad = "started_at is not a time";
        return 0;
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        if (strcmp(section, settings[i].section) == 0 && strcmp(name, settings[i].name) == 0) {
            *settings[i].to = umx_arena_string(host->arena, value);
            return *settings[i].to != NULL;
        }
    }
    reading->bad = "there is no such setting";
    return 0;
}

/* A file without a directory stands beside host.ini. */
static int beside(struct umx_recorded *recorded, const char **name, struct umx_error *err)
{
    char path[UMX_AGENT_PATH_MAX];

    if ((*name)[0] == '\0' || (*name)[0] == '/')
        return 0;
    int status = umx_recorded_path(recorded, *name, path, err);
    if (status == 0 && (*name = umx_arena_string(recorded->host.arena, path)) == NULL)
        status = umx_fail(err, UMX_ERR_MEMORY, recorded->directory, NULL);
    return status;
}

static int read_identity(struct umx_recorded *recorded, struct umx_error *err)
{
    struct umx_host *host = &recorded->host;
    struct reading reading = {.recorded = recorded};
    struct umx_arena *arena = umx_arena_new(INI_MAX + 256);
    char path[UMX_AGENT_PATH_MAX];
    char *text = NULL;
    size_t length = 0;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, recorded->directory, NULL)
                               : umx_recorded_path(recorded, "host.ini", path, err);

    if (status == 0 && (status = umx_agent_file_read(path, INI_MAX, arena, &text, &length, err)) == UMX_E_NOT_FOUND)
        status = umx_fail(err, UMX_ERR_HOST_UNREADABLE, path, "a recorded host needs a host.ini with [host] fqdn");
    if (status == 0) {
        int line = ini_parse_string(text, setting, &reading);
        if (line != 0)
            status = umx_fail(err, UMX_ERR_HOST_UNREADABLE, path, "line %d: %s", line,
                              reading.bad != NULL ? reading.bad : "it is neither [section] nor name = value");
        else if (host->identity.fqdn[0] == '\0')
            status = umx_fail(err, UMX_ERR_HOST_UNREADABLE, path, "[host] fqdn is missing");
    }
    if (status == 0)
        status = beside(recorded, &host->identity.keytab, err);
    if (status == 0)
        status = beside(recorded, &host->identity.shell_program, err);
    umx_arena_free(arena);
    return status;
}

static int registry(struct umx_host *host, struct umx_registry *into, struct umx_error *err)
{
    const struct umx_recorded *recorded = (const struct umx_recorded *)host;
    struct umx_arena *arena = umx_arena_new(UMX_REGISTRY_FILE_MAX + 4096);
    char path[UMX_AGENT_PATH_MAX];
    char *bytes = NULL;
    size_t length = 0;
    int status = arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, recorded->directory, NULL)
                               : umx_recorded_path(recorded, "registry.reg", path, err);

    if (status == 0)
        status = umx_agent_file_read(path, UMX_REGISTRY_FILE_MAX, arena, &bytes, &length, err);
    if (status == 0)
        status = umx_registry_parse(into, bytes, length, err);
    else if (status == UMX_E_NOT_FOUND)
        status = 0; /* nothing was recorded: an empty registry */
    umx_arena_free(arena);
    return status;
}

static int shell_open(struct umx_host *host, const char *script, struct umx_host_shell **out, struct umx_error *err)
{
    const struct umx_recorded *recorded = (const struct umx_recorded *)host;

    return umx_host_shell_program(host->identity.shell_program, recorded->directory, script, out, err);
}

static int shell_record(struct umx_host *host, struct umx_arena *arena, const char *command, char **text,
                        size_t *length, struct umx_error *err)
{
    const struct umx_recorded *recorded = (const struct umx_recorded *)host;
    char name[128];
    char path[UMX_AGENT_PATH_MAX];
    int n = snprintf(name, sizeof name, "shell/%s.txt", command);

    if (n < 0 || (size_t)n >= sizeof name || strchr(command, '/') != NULL || command[0] == '.')
        return umx_fail(err, UMX_ERR_HOST_UNREADABLE, command, "not the name of a command");
    int status = umx_recorded_path(recorded, name, path, err);
    return status != 0 ? status : umx_agent_file_read(path, UMX_HOST_SHELL_MAX, arena, text, length, err);
}

/* Files one level down are covered by name; directories by their own time of change and the files in them. */
static void stamp_directory(const struct umx_recorded *recorded, const char *name, struct umx_arena *arena,
                            uint64_t *stamp)
{
    char path[UMX_AGENT_PATH_MAX];
    char file[UMX_AGENT_PATH_MAX];
    char **names = NULL;
    size_t count = 0;

    if (umx_recorded_path(recorded, name, path, NULL) != 0 ||
        umx_agent_file_list(path, "", UMX_HOST_CERTIFICATES_MAX, arena, &names, &count, NULL) != 0)
        return;
    for (size_t i = 0; i < count; i++) {
        int n = snprintf(file, sizeof file, "%s/%s", path, names[i]);
        if (n > 0 && (size_t)n < sizeof file && names[i][0] != '.')
            umx_agent_file_stamp(file, stamp);
    }
}

static uint64_t stamp(struct umx_host *host)
{
    static const char *const directories[] = {".", "certificates", "certificates/root", "certificates/ca", "shell"};
    const struct umx_recorded *recorded = (const struct umx_recorded *)host;
    uint64_t value = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < sizeof directories / sizeof *directories; i++) {
        struct umx_arena *arena = umx_arena_new(512 * 1024);
        if (arena == NULL)
            return 0;
        stamp_directory(recorded, directories[i], arena, &value);
        umx_arena_free(arena);
    }
    return value != 0 ? value : 1;
}

static void close_recorded(struct umx_host *host)
{
    umx_arena_free(host->arena);
    free(host);
}

int umx_host_open_recorded(const char *directory, struct umx_host **out, struct umx_error *err)
{
    static const struct umx_host_platform platform = {
        .registry = registry,
        .services = umx_recorded_services,
        .certificates = umx_recorded_certificates,
        .listeners = umx_recorded_listeners,
        .events = umx_recorded_events,
        .administrators = umx_recorded_administrators,
        .shell_open = shell_open,
        .shell_record = shell_record,
        .restart = umx_recorded_restart,
        .tls_identity = umx_recorded_tls_identity,
        .stamp = stamp,
        .watch = umx_recorded_watch,
        .close = close_recorded,
    };
    struct umx_recorded *recorded;

    if (strlen(directory) >= sizeof recorded->directory)
        return umx_fail(err, UMX_ERR_HOST_UNREADABLE, directory, "the path is too long");
    recorded = calloc(1, sizeof *recorded);
    if (recorded == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, directory, NULL);
    recorded->host.platform = &platform;
    recorded->host.identity = (struct umx_host_identity){.fqdn = "",
                                                         .os = "",
                                                         .address = "",
                                                         .forest = "",
                                                         .principal = "",
                                                         .keytab = "",
                                                         .domain_controllers = "",
                                                         .shell_program = "",
                                                         .recorded = true};
    umx_text_copy(recorded->directory, sizeof recorded->directory, directory);
    recorded->host.arena = umx_arena_new(RECORDED_ARENA);
    int status =
        recorded->host.arena == NULL ? umx_fail(err, UMX_ERR_MEMORY, directory, NULL) : read_identity(recorded, err);
    if (status != 0) {
        close_recorded(&recorded->host);
        return status;
    }
    *out = &recorded->host;
    return 0;
}
