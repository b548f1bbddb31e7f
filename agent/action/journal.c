#include "agent/action/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/open.h"
#include "base/text.h"

struct umx_action_journal {
    char path[UMX_AGENT_PATH_MAX];
    FILE *file;
    size_t length;                            /* bytes of the file */
    struct umx_action_journal_entry *entries; /* a ring of the newest, one for each item */
    size_t count;
    size_t oldest;
};

static const char *const words[] = {"none", "intent", "done", "failed"};

static struct umx_action_journal_entry *find(const struct umx_action_journal *journal, const char *batch, int item)
{
    for (size_t i = 0; i < journal->count; i++)
        if (journal->entries[i].item == item && strcmp(journal->entries[i].batch, batch) == 0)
            return &journal->entries[i];
    return NULL;
}

const struct umx_action_journal_entry *umx_action_journal_find(const struct umx_action_journal *journal,
                                                               const char *batch, int item)
{
    return find(journal, batch, item);
}

static int remember(struct umx_action_journal *journal, enum umx_action_journal_state state, const char *batch,
                    int item, const char *text, struct umx_error *err)
{
    struct umx_action_journal_entry *entry = find(journal, batch, item);
    char *copy = strdup(text);

    if (copy == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, journal->path, NULL);
    if (entry == NULL && journal->count < UMX_ACTION_JOURNAL_ENTRIES) {
        entry = &journal->entries[journal->count++];
    } else if (entry == NULL) {
        entry = &journal->entries[journal->oldest];
        journal->oldest = (journal->oldest + 1) % UMX_ACTION_JOURNAL_ENTRIES;
    }
    free(entry->text);
    entry->state = state;
    umx_text_copy(entry->batch, sizeof entry->batch, batch);
    entry->item = item;
    entry->text = copy;
    return 0;
}

/* One line; false: it is not one of ours, or was cut short. */
static bool parse(char *line, enum umx_action_journal_state *state, char **batch, int *item, char *text)
{
    char *fields[4] = {line};
    char *end = NULL;

    for (int i = 1; i < 4; i++) {
        char *tab = strchr(fields[i - 1], '\t');
        if (tab == NULL)
            return false;
        *tab = '\0';
        fields[i] = tab + 1;
    }
    *state = UMX_ACTION_JOURNAL_NONE;
    for (int i = UMX_ACTION_JOURNAL_INTENT; i <= UMX_ACTION_JOURNAL_FAILED; i++)
        if (strcmp(fields[0], words[i]) == 0)
            *state = (enum umx_action_journal_state)i;
    *batch = fields[1];
    long number = strtol(fields[2], &end, 10);
    long length = umx_text_from_hex(fields[3], (uint8_t *)text, UMX_ACTION_JOURNAL_TEXT_MAX);
    if (*state == UMX_ACTION_JOURNAL_NONE || strlen(*batch) >= UMX_ACTION_JOURNAL_BATCH_MAX || end == fields[2] ||
        *end != '\0' || number < 0 || number > INT32_MAX || length < 0)
        return false;
    *item = (int)number;
    text[length] = '\0';
    return memchr(text, '\0', (size_t)length) == NULL;
}

static int load(struct umx_action_journal *journal, struct umx_error *err)
{
    struct umx_arena *arena = umx_arena_new(UMX_ACTION_JOURNAL_FILE_MAX + 256);
    char text[UMX_ACTION_JOURNAL_TEXT_MAX + 1];
    char *bytes = NULL;
    size_t length = 0;

    if (arena == NULL)
        return umx_fail(err, UMX_ERR_MEMORY, journal->path, NULL);
    int status = umx_agent_file_read(journal->path, UMX_ACTION_JOURNAL_FILE_MAX, arena, &bytes, &length, err);
    if (status == UMX_E_NOT_FOUND)
        status = 0;
    for (char *at = bytes; status == 0 && at != NULL;) {
        enum umx_action_journal_state state;
        char *batch;
        int item;
        char *newline = memchr(at, '\n', (size_t)(bytes + length - at));
        if (newline == NULL)
            break; /* cut short by a crash */
        *newline = '\0';
        if (parse(at, &state, &batch, &item, text))
            status = remember(journal, state, batch, item, text, err);
        at = newline + 1;
    }
    umx_arena_free(arena);
    return status;
}

static void format(struct umx_text *out, enum umx_action_journal_state state, const char *batch, int item,
                   const char *text)
{
    umx_text_addf(out, "%s\t%s\t%d\t", words[state], batch, item);
    umx_text_add_hex(out, text, strlen(text));
    umx_text_adds(out, "\n");
}

static const struct umx_action_journal_entry *entry_at(const struct umx_action_journal *journal, size_t index)
{
    return &journal->entries[(journal->oldest + index) % journal->count];
}

/* The file becomes what is remembered, the oldest left out when that is too much: and no line is cut short. */
static int shorten(struct umx_action_journal *journal, struct umx_error *err)
{
    struct umx_text text = {0};
    size_t first = journal->count;
    size_t length = 0;

    umx_text_add(&text, "", 0);
    for (; first > 0 && length < UMX_ACTION_JOURNAL_KEPT; first--)
        length += 2 * strlen(entry_at(journal, first - 1)->text) + UMX_ACTION_JOURNAL_BATCH_MAX;
    for (size_t i = first; i < journal->count; i++) {
        const struct umx_action_journal_entry *entry = entry_at(journal, i);
        format(&text, entry->state, entry->batch, entry->item, entry->text);
    }
    int status = text.failed ? umx_fail(err, UMX_ERR_MEMORY, journal->path, NULL)
                             : umx_agent_file_replace(journal->path, text.data, text.length, err);
    if (status == 0)
        journal->length = text.length;
    umx_text_free(&text);
    return status;
}

static int open_file(struct umx_action_journal *journal, struct umx_error *err)
{
    if (journal->file != NULL)
        fclose(journal->file);
    journal->file = NULL;
    int status = shorten(journal, err);
    if (status == 0 && (journal->file = umx_open(journal->path, "ab")) == NULL)
        status = umx_fail_code(err, UMX_ERR_ACTION_JOURNAL, errno, journal->path, "%s", strerror(errno));
    return status;
}

int umx_action_journal_open(const char *directory, struct umx_action_journal **out, struct umx_error *err)
{
    struct umx_action_journal *journal = calloc(1, sizeof *journal);

    *out = NULL;
    if (journal != NULL)
        journal->entries = calloc(UMX_ACTION_JOURNAL_ENTRIES, sizeof *journal->entries);
    if (journal == NULL || journal->entries == NULL) {
        free(journal);
        return umx_fail(err, UMX_ERR_MEMORY, directory, NULL);
    }
    int n = snprintf(journal->path, sizeof journal->path, "%s/actions.journal", directory);
    int status = n < 0 || (size_t)n >= sizeof journal->path
                     ? umx_fail(err, UMX_ERR_ACTION_JOURNAL, directory, "the path is too long")
                     : load(journal, err);
    if (status == 0)
        status = open_file(journal, err);
    if (status != 0) {
        umx_action_journal_close(journal);
        return status;
    }
    *out = journal;
    return 0;
}

void umx_action_journal_close(struct umx_action_journal *journal)
{
    if (journal == NULL)
        return;
    if (journal->file != NULL)
        fclose(journal->file);
    for (size_t i = 0; i < journal->count; i++)
        free(journal->entries[i].text);
    free(journal->entries);
    free(journal);
}

int umx_action_journal_add(struct umx_action_journal *journal, enum umx_action_journal_state state, const char *batch,
                           int item, const char *text, struct umx_error *err)
{
    char cut[UMX_ACTION_JOURNAL_TEXT_MAX];
    struct umx_text line = {0};
    int status = 0;

    umx_text_copy(cut, sizeof cut, text);
    format(&line, state, batch, item, cut);
    if ((journal->file == NULL || journal->length > UMX_ACTION_JOURNAL_SHORTEN) &&
        (status = open_file(journal, err)) != 0)
        goto out;
    if (line.failed)
        status = umx_fail(err, UMX_ERR_MEMORY, journal->path, NULL);
    else if (fwrite(line.data, 1, line.length, journal->file) != line.length || fflush(journal->file) != 0 ||
             umx_sync(journal->file) != 0)
        status = umx_fail_code(err, UMX_ERR_ACTION_JOURNAL, errno, journal->path, "%s", strerror(errno));
    if (status == 0) {
        journal->length += line.length;
    } else if (journal->file != NULL) {
        fclose(journal->file); /* it may end in half a line: the next addition writes it anew */
        journal->file = NULL;
    }
out:
    umx_text_free(&line);
    return status != 0 ? status : remember(journal, state, batch, item, cut, err);
}
