/* administrators.txt of a recorded host: a SID a line, and after a tab the name where one is known. */
#include <string.h>

#include "agent/host/recorded.h"
#include "base/text.h"

enum { FILE_MAX = 256 * 1024 };

static bool is_sid(const char *text)
{
    return strncmp(text, "S-1-", 4) == 0 && strspn(text + 4, "0123456789-") == strlen(text + 4);
}

static int bad_line(const char *path, size_t line, struct umx_error *err)
{
    return umx_fail(err, UMX_ERR_HOST_UNREADABLE, path, "line %zu is not a SID, or there are more than %d", line,
                    UMX_HOST_ADMINISTRATORS_MAX);
}

int umx_recorded_administrators(struct umx_host *host, struct umx_arena *arena, struct umx_host_administrator **list,
                                size_t *count, struct umx_error *err)
{
    char path[UMX_AGENT_PATH_MAX];
    char *text = NULL;
    size_t length = 0, line = 0;
    int status = umx_recorded_path((const struct umx_recorded *)host, "administrators.txt", path, err);

    if (status == 0)
        status = umx_agent_file_read(path, FILE_MAX, arena, &text, &length, err);
    if (status != 0)
        return status == UMX_E_NOT_FOUND ? 0 : status; /* nothing was recorded: an empty list */
    *list = umx_arena_alloc(arena, UMX_HOST_ADMINISTRATORS_MAX * sizeof **list);
    if (*list == NULL || !umx_text_valid(text, length))
        return umx_fail(err, UMX_ERR_HOST_UNREADABLE, path, "it is not UTF-8, or memory is out");
    for (char *rest = text, *next; rest != NULL && *rest != '\0'; rest = next) {
        char *end = rest + strcspn(rest, "\r\n");
        next = *end != '\0' ? end + 1 : NULL;
        *end = '\0';
        line++;
        if (*rest == '\0')
            continue;
        char *name = strchr(rest, '\t');
        if (name != NULL)
            *name++ = '\0';
        if (!is_sid(rest) || *count == UMX_HOST_ADMINISTRATORS_MAX)
            return bad_line(path, line, err);
        (*list)[(*count)++] = (struct umx_host_administrator){.sid = rest, .name = name != NULL ? name : ""};
    }
    return 0;
}
