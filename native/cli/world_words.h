/*
 * Records and their fields in the words of people who run Exchange and Lync: `dial plan EU: VoIP security unsecured ->
 * secured`.
 */
#ifndef UMX_CLI_WORLD_WORDS_H
#define UMX_CLI_WORLD_WORDS_H

#include <jansson.h>
#include <protobuf-c/protobuf-c.h>

#include "base/text.h"

/* Appends what a record is called beside its forest or server (the first of its key's fields, NULL-terminated, at most
 * 6): its name, or the rest of its key with DNs shortened to their first value. */
void umx_world_words_name(struct umx_text *out, const char *table, const char *const *key,
                          const ProtobufCMessage *record);

/* Appends `VoIP security` for voip_security, `IP gateway` for ip_gateway. */
void umx_world_words_label(struct umx_text *out, const char *name);

/* Appends `unsecured -> secured`, `yes -> no`, `+49301 -> (nothing)`; of lists what went and what came. */
void umx_world_words_change(struct umx_text *out, const json_t *before, const json_t *after);

#endif
