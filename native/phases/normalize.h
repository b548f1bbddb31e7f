/*
 * Lync's normalisation rules (V8.4): what they make of a number. Patterns come from another server and are hostile:
 * they are compiled and matched by PCRE2 under limits of length, nesting, memory and steps, without JIT.
 * .NET's expressions and PCRE2's agree in what such rules use; a pattern that PCRE2 does not take is "not judged".
 */
#ifndef UMX_PHASES_NORMALIZE_H
#define UMX_PHASES_NORMALIZE_H

#include <stddef.h>

enum { UMX_NUMBER_MAX = 256 }; /* bytes of a number, the terminator included */

enum umx_normalized {
    UMX_NORMALIZED,           /* a rule matched; the result is in out */
    UMX_NORMALIZED_NOTHING,   /* no rule matches */
    UMX_NORMALIZED_NOT_KNOWN, /* a rule that comes first could not be judged */
};

/* The first rule that matches the number decides, as in Lync. A rule is `pattern TAB translation`; translations have
 * $1, ${1}, ${name}, $& and $$. out holds UMX_NUMBER_MAX bytes; *rule is the index of the rule that decided. */
enum umx_normalized umx_normalize(char *const *rules, size_t count, const char *number, char *out, size_t *rule);

#endif
