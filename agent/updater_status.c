/* The updater's files: status (its own) and request (the agent's). Lines `name value`, replaced in one step. */
#include <stdlib.h>
#include <string.h>

#include "agent/updater.h"
#include "base/text.h"

enum { FILE_MAX = 2048 };

static const char *const words[] = {
    [UMX_UPDATER_NONE] = "none",         [UMX_UPDATER_TAKEN] = "taken",         [UMX_UPDATER_INSTALLING] = "installing",
    [UMX_UPDATER_TRIAL] = "trial",       [UMX_UPDATER_RETURNING] = "returning", [UMX_UPDATER_INSTALLED] = "installed",
    [UMX_UPDATER_RETURNED] = "returned", [UMX_UPDATER_REFUSED] = "refused",     [UMX_UPDATER_FAILED] = "failed",
};

bool umx_updater_id_valid(const char *id)
{
    return id != NULL && strlen(id) == UMX_UPDATE_ID - 1 && strspn(id, "0123456789abcdef") == UMX_UPDATE_ID - 1;
}

/* The value of a name, "" when there is none. */
static void value_of(const char *text, const char *name, char *out, size_t size)
{
    size_t length = strlen(name);

    out[0] = '\0';
    for (const char *at = text; at != NULL && *at != '\0';) {
        const char *end = strchr(at, '\n');
        size_t all = end != NULL ? (size_t)(end - at) : strlen(at);
        if (all > length && strncmp(at, name, length) == 0 && at[length] == ' ') {
            size_t count = all - length - 1 < size - 1 ? all - length - 1 : size - 1;
            memcpy(out, at + length + 1, count);
            out[count] = '\0';
            return;
        }
        at = end != NULL ? end + 1 : NULL;
    }
}

static int64_t number_of(const char *text, const char *name)
{
    char value[24];

    value_of(text, name, value, sizeof value);
    return strtoll(value, NULL, 10);
}

bool umx_updater_request_parse(const char *text, struct umx_updater_request *out)
{
    char downgrade[8];
    int64_t trial = number_of(text, "trial");

    *out = (struct umx_updater_request){0};
    value_of(text, "id", out->id, sizeof out->id);
    value_of(text, "downgrade", downgrade, sizeof downgrade);
    out->downgrade = strcmp(downgrade, "yes") == 0;
    out->trial = trial >= UMX_UPDATE_TRIAL_MIN && trial <= UMX_UPDATE_TRIAL_MAX ? (int)trial : UMX_UPDATE_TRIAL;
    return umx_updater_id_valid(out->id);
}

int umx_updater_status_read(const char *folder, struct umx_updater_status *out, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(2 * FILE_MAX);
    char path[UMX_AGENT_PATH_MAX + 16], word[16];
    char *text = NULL;
    size_t length;

    *out = (struct umx_updater_status){0};
    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, folder, NULL);
    snprintf(path, sizeof path, "%s/status", folder);
    int status = umx_agent_file_read(path, FILE_MAX, arena, &text, &length, err);
    if (status == 0) {
        value_of(text, "state", word, sizeof word);
        value_of(text, "id", out->id, sizeof out->id);
        value_of(text, "version", out->version, sizeof out->version);
        value_of(text, "previous", out->previous, sizeof out->previous);
        value_of(text, "reason", out->reason, sizeof out->reason);
        out->trial = (int)number_of(text, "trial");
        out->until = number_of(text, "until");
        out->error = (int)number_of(text, "error");
        for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
            if (strcmp(word, words[i]) == 0)
                out->state = (enum umx_updater_state)i;
        if (!umx_updater_id_valid(out->id))
            *out = (struct umx_updater_status){0};
    }
    umx_arena_free(arena);
    return status == UMX_E_NOT_FOUND ? 0 : status;
}

int umx_updater_status_write(const char *folder, const struct umx_updater_status *status, struct umx_error *err)
{
    char path[UMX_AGENT_PATH_MAX + 16], reason[UMX_UPDATE_REASON];
    struct umx_text text = {0};

    umx_text_copy(reason, sizeof reason, status->reason);
    for (char *c = reason; *c != '\0'; c++)
        if (*c == '\n' || *c == '\r')
            *c = ' ';
    umx_text_addf(&text, "id %s\nstate %s\nversion %s\nprevious %s\ntrial %d\nuntil %lld\nerror %d\nreason %s\n",
                  status->id, words[status->state], status->version, status->previous, status->trial,
                  (long long)status->until, status->error, reason);
    snprintf(path, sizeof path, "%s/status", folder);
    int result = text.failed ? umx_fail(err, UMX_ERR_MEMORY, path, NULL)
                             : umx_agent_file_replace(path, text.data, text.length, err);
    umx_text_free(&text);
    return result;
}
