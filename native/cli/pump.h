/*
 * From the events of a running operation to its document, whatever the events come from: libumx, or a test.
 */
#ifndef UMX_CLI_PUMP_H
#define UMX_CLI_PUMP_H

#include <stdint.h>

#include "cli/cli.h"

enum umx_pump_next { UMX_PUMP_EVENT = 1, UMX_PUMP_END = 2, UMX_PUMP_TIMEOUT = 3 };

struct umx_pump_event {
    Umx__RunEvent__Kind kind;
    char type[64];
    json_t *body; /* the receiver's */
};

struct umx_pump_source {
    void *user;
    /* Waits at most timeout_ms. A value of enum umx_pump_next, or a negative status with err filled. After END nothing
     * more is asked. */
    int (*next)(void *user, uint32_t timeout_ms, struct umx_pump_event *event, struct umx_error *err);
    /* Ends the operation early; the source then gives an end or an error soon. */
    void (*cancel)(void *user);
    /* True when the user pressed the interrupt key. */
    bool (*interrupted)(void);
};

/* Runs until the end, an error, an interrupt (UMX_ERR_CANCELLED) or a refusal of the sink. The document is open. */
int umx_pump(struct umx_cli *cli, const struct umx_pump_source *source, const struct umx_call_sink *sink,
             struct umx_document *document, struct umx_error *err);

#endif
