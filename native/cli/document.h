/*
 * The JSON document of a command: items go to the array named by their type, the end event's members to the top level
 * (design 8). Arrays that an operation promises are there even when nothing came.
 */
#ifndef UMX_CLI_DOCUMENT_H
#define UMX_CLI_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "umx/v1/operator.pb-c.h"

enum { UMX_DOCUMENT_ITEMS_MAX = 4 * 1024 * 1024 }; /* what a hostile controller may make us keep */

struct umx_document {
    json_t *root;
    const char *primary; /* array that jsonl and csv write; NULL: the document itself is the record */
    size_t items;
    size_t warnings; /* all */
    bool partial;    /* somebody did not answer */
    bool ended;      /* the end event came */
};

/* What an operation answers: the arrays promised, the primary one first. Unknown operations promise nothing. */
const char *const *umx_document_arrays(const char *operation);

/* 0 or UMX_ERR_MEMORY. */
int umx_document_open(struct umx_document *document, const char *operation, struct umx_error *err);
void umx_document_close(struct umx_document *document);

/* One event. Takes over body (a NULL body is an invalid answer). Kinds without a place in the document (progress,
 * verbose) are only released. */
int umx_document_event(struct umx_document *document, Umx__RunEvent__Kind kind, const char *type, json_t *body,
                       struct umx_error *err);

/* Scalars and items that this program itself makes. Take over value. */
int umx_document_set(struct umx_document *document, const char *key, json_t *value, struct umx_error *err);
int umx_document_item(struct umx_document *document, const char *array, json_t *value, struct umx_error *err);
/* The message as JSON by reflection. */
int umx_document_message(struct umx_document *document, const char *array, const ProtobufCMessage *message,
                         struct umx_error *err);

/* Array of that name; NULL (which jansson takes for an empty one) when there is none. */
const json_t *umx_document_array(const struct umx_document *document, const char *name);

/* The error of an error body. */
int umx_document_error(const json_t *body, struct umx_error *err);

#endif
