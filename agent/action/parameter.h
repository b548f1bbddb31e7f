/*
 * The typed parameters of cmdlet actions. An item is a JSON object of strings; every value is checked here before a
 * shell starts, and travels as a line of its standard input, never as part of a script.
 */
#ifndef UMX_AGENT_PARAMETER_H
#define UMX_AGENT_PARAMETER_H

#include <stdbool.h>

#include "base/error.h"
#include "base/text.h"

enum umx_parameter_type {
    UMX_PARAMETER_NAME,   /* 1 to 64 characters without control characters or spaces at the ends */
    UMX_PARAMETER_TEXT,   /* 1 to 512 characters without control characters */
    UMX_PARAMETER_WORD,   /* one of `words`, compared without case and sent as it is written there */
    UMX_PARAMETER_NUMBER, /* 1 to 20: digits of an extension */
    UMX_PARAMETER_DIGITS, /* 1 to 20 digits: extension, country code */
    UMX_PARAMETER_E164,   /* +, then 2 to 15 digits */
    UMX_PARAMETER_SIP,    /* user@domain; a `sip:` before it is taken away */
    UMX_PARAMETER_LINE,   /* tel:+E.164, with ;ext=DIGITS or without */
    UMX_PARAMETER_EUM,    /* eum:ADDRESS;phone-context=CONTEXT */
    UMX_PARAMETER_HOST,   /* the FQDN of this server: a batch does not speak about others */
    UMX_PARAMETER_FQDN,
    UMX_PARAMETER_DN,
    UMX_PARAMETER_OBJECT,      /* objectGUID, or a DN */
    UMX_PARAMETER_THUMBPRINT,  /* 40 hex digits */
    UMX_PARAMETER_CERTIFICATE, /* PEM or base64 of DER: sent as base64 of the DER, its SHA-1 as `thumbprint` */
    UMX_PARAMETER_IDENTITY,    /* of a Lync dial plan: global, site:NAME, Registrar:FQDN, PstnGateway:FQDN or a tag */
    UMX_PARAMETER_SIMPLE_NAME, /* 1 to 256 letters, digits and - . + _ ( ) */
};

struct umx_parameter {
    const char *name;
    enum umx_parameter_type type;
    bool list;         /* values joined by line breaks */
    bool optional;     /* the key may be missing; `has` tells the script which ones are there */
    bool may_be_empty; /* "" means none */
    const char *words; /* UMX_PARAMETER_WORD: separated by spaces */
};

enum { UMX_PARAMETERS_MAX = 8, UMX_PARAMETER_LIST_MAX = 256 };

/* Appends the item's values as lines (collect/shell_text.h). host: FQDN of this server. Unknown and missing keys,
 * values that are not strings, and impossible values are UMX_ERR_ACTION_ITEM_INVALID with the key's name in it. */
int umx_parameters_write(const struct umx_parameter *parameters, const char *item, const char *host,
                         struct umx_text *lines, struct umx_error *err);

#endif
