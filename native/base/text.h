/*
 * Text: a growing buffer, UTF-8 checks, and comparisons the directory's way.
 * Inside umx all text is UTF-8. Text that comes from outside is made valid where it enters.
 */
#ifndef UMX_BASE_TEXT_H
#define UMX_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing, always NUL-terminated buffer. Zero-initialise it, free it with umx_text_free. A failed allocation sets
 * `failed` and makes all later additions no-ops: check once at the end. */
struct umx_text {
    char *data; /* NULL until the first addition */
    size_t length;
    size_t capacity;
    bool failed;
};

void umx_text_add(struct umx_text *text, const void *bytes, size_t length);
void umx_text_adds(struct umx_text *text, const char *string);
void umx_text_addf(struct umx_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Lines become one: as many of them, whole ones (the first in any case), as there is room for, and how many more there are. */
void umx_text_join(struct umx_text *lines, size_t lines_max, size_t bytes_max);
void umx_text_free(struct umx_text *text);
/* The text so far; "" when empty. */
const char *umx_text_string(const struct umx_text *text);

/* Copies as much of string as fits, cut at a UTF-8 boundary, always terminated. */
void umx_text_copy(char *to, size_t size, const char *string);

/* Valid UTF-8 (no surrogates, no overlong forms, <= U+10FFFF) without NUL. */
bool umx_text_valid(const void *bytes, size_t length);

/* Appends bytes with every invalid sequence and every NUL replaced by U+FFFD. */
void umx_text_add_valid(struct umx_text *text, const void *bytes, size_t length);

/* Equality without ASCII case; NULL equals only NULL. For FQDNs, SIP addresses, attribute names. */
bool umx_text_equal(const char *a, const char *b);

/* Where wanted stands in text, without regard to the case of ASCII letters; NULL: nowhere. */
const char *umx_text_find(const char *text, const char *wanted);

/* Equality of DNs: ASCII case and spaces around separators do not matter. Escapes are compared as written, which is
 * how one domain controller returns them. */
bool umx_text_dn_equal(const char *a, const char *b);

/* The parent of a DN (a pointer into it), or NULL for the last component. Escaped commas are not separators. */
const char *umx_text_dn_parent(const char *dn);

/* True when dn is child or lies anywhere below it. */
bool umx_text_dn_within(const char *dn, const char *ancestor);

/* Whether length bytes are a host's or a domain's name that means nothing to a shell: at most 255, ASCII letters,
 * digits,
 * '-', '.' and '_', and letters beyond ASCII. */
bool umx_text_host(const char *name, size_t length);

/* Whether the text may stand between double quotes in a command that somebody copies into cmd or PowerShell: no quote
 * (PowerShell takes typographic ones too), no sign that either expands, no control character. */
bool umx_text_quotable(const char *text);

/* Appends value escaped as the value of an RDN (RFC 4514). */
void umx_text_add_rdn(struct umx_text *text, const char *value);

/* Lower-case hex, appended. */
void umx_text_add_hex(struct umx_text *text, const void *bytes, size_t length);
/* One field of CSV after RFC 4180: quoted where it holds a quote, comma, line break, or blanks at its ends. */
void umx_text_add_csv(struct umx_text *out, const char *field);

/* Bytes from hex of either case into out; returns the count, or -1 when it is not hex or does not fit. */
long umx_text_from_hex(const char *hex, uint8_t *out, size_t size);

#endif
