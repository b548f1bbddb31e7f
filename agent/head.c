#include "agent/head.h"

#include <stdlib.h>
#include <string.h>

#include "agent/file.h"
#include "base/text.h"

enum { FILE_MAX = 256 };

static bool path_of(const char *directory, char path[UMX_AGENT_PATH_MAX])
{
    int n = directory != NULL && directory[0] != '\0' ? snprintf(path, UMX_AGENT_PATH_MAX, "%s/journal-head", directory)
                                                      : 0;

    return n > 0 && n < UMX_AGENT_PATH_MAX;
}

static bool parse(const char *text, struct umx_agent_head *out)
{
    char hex[2 * UMX_AGENT_HEAD_HASH + 1];
    char *end;
    long long sequence = strtoll(text, &end, 10);

    if (sequence <= 0 || *end != ' ' || strlen(end + 1) != 2 * UMX_AGENT_HEAD_HASH + 1 ||
        end[1 + 2 * UMX_AGENT_HEAD_HASH] != '\n')
        return false;
    umx_text_copy(hex, sizeof hex, end + 1);
    if (umx_text_from_hex(hex, out->hash, sizeof out->hash) != UMX_AGENT_HEAD_HASH)
        return false;
    out->sequence = sequence;
    return true;
}

int umx_agent_head_load(const char *directory, struct umx_agent_head *out, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(2 * FILE_MAX);
    char path[UMX_AGENT_PATH_MAX];
    char *text = NULL;
    size_t length = 0;
    int status = 0;

    *out = (struct umx_agent_head){0};
    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, "journal-head", NULL);
    if (path_of(directory, path))
        status = umx_agent_file_read(path, FILE_MAX, arena, &text, &length, err);
    if (status == UMX_E_NOT_FOUND) {
        status = 0;
    } else if (status == 0 && text != NULL && (strlen(text) != length || !parse(text, out))) {
        *out = (struct umx_agent_head){0};
        status = umx_fail(err, UMX_ERR_FILE_UNREADABLE, path, "it is damaged");
    }
    umx_arena_free(arena);
    return status;
}

int umx_agent_head_keep(const char *directory, struct umx_agent_head *head, const Umx__JournalHead *told,
                        struct umx_error *err)
{
    char path[UMX_AGENT_PATH_MAX];
    struct umx_text line = {0};
    int status = 0;

    if (told == NULL || told->sequence <= head->sequence || told->hash.len != sizeof head->hash)
        return 0;
    head->sequence = told->sequence;
    memcpy(head->hash, told->hash.data, sizeof head->hash);
    if (!path_of(directory, path))
        return 0;
    umx_text_addf(&line, "%lld ", (long long)head->sequence);
    umx_text_add_hex(&line, head->hash, sizeof head->hash);
    umx_text_adds(&line, "\n");
    status = line.failed ? umx_fail(err, UMX_ERR_MEMORY, path, NULL)
                         : umx_agent_file_replace(path, umx_text_string(&line), line.length, err);
    umx_text_free(&line);
    return status;
}
