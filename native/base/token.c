#include "base/token.h"

#include <string.h>

#include "base/text.h"

static const char prefix[] = "umx1-";

static void put_hex(const uint8_t *bytes, size_t length, char *to)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        to[2 * i] = digits[bytes[i] >> 4];
        to[2 * i + 1] = digits[bytes[i] & 15];
    }
}

void umx_token_format(const struct umx_token *token, char text[UMX_TOKEN_TEXT])
{
    char *at = text;

    memcpy(at, prefix, sizeof prefix - 1);
    at += sizeof prefix - 1;
    memcpy(at, token->id, UMX_TOKEN_ID);
    at += UMX_TOKEN_ID;
    *at++ = '-';
    put_hex(token->secret, sizeof token->secret, at);
    at += 2 * sizeof token->secret;
    *at++ = '-';
    put_hex(token->root, sizeof token->root, at);
    at[2 * sizeof token->root] = '\0';
}

/* count lower-case hex digits, copied with a NUL. */
static bool take_hex(const char **at, const char *end, size_t count, char *to)
{
    if ((size_t)(end - *at) < count || memchr(*at, '\0', count) != NULL)
        return false;
    memcpy(to, *at, count);
    to[count] = '\0';
    *at += count;
    return strspn(to, "0123456789abcdef") == count;
}

static bool take(const char **at, const char *end, const char *literal)
{
    size_t length = strlen(literal);

    if ((size_t)(end - *at) < length || memcmp(*at, literal, length) != 0)
        return false;
    *at += length;
    return true;
}

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

int umx_token_parse(const char *text, size_t length, const char *what, struct umx_token *out, struct umx_error *err)
{
    static const char bom[] = "\xef\xbb\xbf"; /* what an editor of Windows puts before it */
    const char *at = text;
    const char *end = text + length;
    char secret[2 * UMX_TOKEN_SECRET + 1];
    char root[2 * UMX_TOKEN_ROOT + 1];

    (void)take(&at, end, bom);
    while (at < end && space(*at))
        at++;
    while (end > at && space(end[-1]))
        end--;
    bool good = take(&at, end, prefix) && take_hex(&at, end, UMX_TOKEN_ID, out->id) && take(&at, end, "-") &&
                take_hex(&at, end, sizeof secret - 1, secret) && take(&at, end, "-") &&
                take_hex(&at, end, sizeof root - 1, root) && at == end &&
                umx_text_from_hex(secret, out->secret, sizeof out->secret) == (long)sizeof out->secret &&
                umx_text_from_hex(root, out->root, sizeof out->root) == (long)sizeof out->root;
    for (volatile char *p = secret; p < secret + sizeof secret; p++)
        *p = '\0';
    return good ? 0 : umx_fail(err, UMX_ERR_TOKEN_FILE_INVALID, what, NULL);
}

/* ---- patterns */

static bool label_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

bool umx_token_pattern_valid(const char *pattern)
{
    size_t label = 0;
    int dots = 0;
    int stars = 0;

    for (const char *p = pattern;; p++) {
        if (*p == '.' || *p == '\0') {
            if (label == 0 || label > 63)
                return false;
            label = 0;
            if (*p == '\0')
                break;
            dots++;
            continue;
        }
        if (*p == '*' && (dots > 0 || stars++ > 0))
            return false;
        if (*p != '*' && !label_letter(*p))
            return false;
        label++;
    }
    return stars == 1 && dots >= 2 && strlen(pattern) < 250;
}

bool umx_token_pattern_matches(const char *pattern, const char *fqdn)
{
    const char *star = strchr(pattern, '*');
    const char *dot = strchr(fqdn, '.');
    const char *rest = strchr(pattern, '.');

    if (star == NULL || dot == NULL || rest == NULL || star > rest || !umx_text_equal(rest, dot))
        return false;
    size_t before = (size_t)(star - pattern);
    size_t after = (size_t)(rest - star - 1);
    size_t label = (size_t)(dot - fqdn);
    char want[64], have[64];
    if (label < before + after + 1 || before >= sizeof want || after >= sizeof want)
        return false;
    for (size_t i = 0; i < label; i++)
        if (!label_letter(fqdn[i]))
            return false;
    memcpy(want, pattern, before);
    memcpy(have, fqdn, before);
    want[before] = have[before] = '\0';
    if (!umx_text_equal(want, have))
        return false;
    memcpy(want, star + 1, after);
    memcpy(have, dot - after, after);
    want[after] = have[after] = '\0';
    return umx_text_equal(want, have);
}
