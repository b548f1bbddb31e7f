/* run-action HOST STATE ACTION BATCH [ask] - one batch of the agent without a controller: items come from standard input,
 * one a line; a result goes to standard output for each, as JSON. */
#include <stdio.h>
#include <string.h>

#include "agent/action/action.h"
#include "base/reflect.h"

enum { LINE_MAX_BYTES = 64 * 1024 };

static void print(void *user, const Umx__ActionResult *result)
{
    struct umx_text text = {0};

    (void)user;
    umx_reflect_json(&result->base, &text);
    puts(umx_text_string(&text));
    fflush(stdout);
    umx_text_free(&text);
}

static size_t read_items(struct umx_arena *arena, char **items)
{
    static char line[LINE_MAX_BYTES];
    size_t count = 0;

    while (count < UMX_ACTION_ITEMS_MAX && fgets(line, sizeof line, stdin) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if ((items[count] = umx_arena_string(arena, line)) != NULL)
            count++;
    }
    return count;
}

int main(int argc, char **argv)
{
    static char identity[] = "shell";
    static char *items[UMX_ACTION_ITEMS_MAX];
    Umx__ActionBatch batch = UMX__ACTION_BATCH__INIT;
    struct umx_arena *arena = umx_arena_new(16 * 1024 * 1024);
    struct umx_action_journal *journal = NULL;
    struct umx_host *host = NULL;
    struct umx_error err = {0};
    int status = 2;

    if (argc < 5 || arena == NULL) {
        fprintf(stderr, "usage: run-action HOST STATE ACTION BATCH [ask]\n");
        goto out;
    }
    if (umx_host_open(argv[1], &host, &err) != 0 || umx_action_journal_open(argv[2], &journal, &err) != 0) {
        fprintf(stderr, "run-action: %s: %s\n", err.what, umx_error_why(&err));
        goto out;
    }
    batch.action = argv[3];
    batch.batch = argv[4];
    batch.identity = identity;
    batch.has_ask = batch.ask = argc > 5;
    batch.has_timeout = 1;
    batch.timeout = 60;
    batch.n_item = read_items(arena, items);
    batch.item = items;
    umx_action_batch(host, journal, &batch, print, NULL);
    status = 0;
out:
    umx_action_journal_close(journal);
    umx_host_close(host);
    umx_arena_free(arena);
    return status;
}
