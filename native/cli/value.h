/*
 * JSON values as text in cells, and safe ways to look into a document whose shape the controller decides.
 */
#ifndef UMX_CLI_VALUE_H
#define UMX_CLI_VALUE_H

#include <jansson.h>

#include "base/text.h"

/* For people: null is empty, times lose their fraction, lists are joined by commas, objects are JSON. */
void umx_value_add_text(struct umx_text *out, const json_t *value);

/* For CSV: as above but nothing is lost: lists and objects are JSON, times whole. */
void umx_value_add_exact(struct umx_text *out, const json_t *value);

/* The string of a member; "" when it is missing, null or something else. */
const char *umx_value_string(const json_t *object, const char *key);
/* The integer of a member; 0 when there is none. */
long long umx_value_integer(const json_t *object, const char *key);

#endif
