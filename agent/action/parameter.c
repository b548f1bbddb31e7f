#include "agent/action/parameter.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

#include "agent/collect/shell_text.h"

enum { NAME_MAX_CHARACTERS = 64, TEXT_MAX = 512, ADDRESS_MAX = 320, DN_MAX = 1024, CERTIFICATE_MAX = 64 * 1024 };

/* What a type's check may use, and where it writes the values. */
struct value {
    const struct umx_parameter *parameter;
    const char *text;
    const char *host;
    struct umx_text *lines;
};

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
static const char digits[] = "0123456789";

static bool only(const char *text, const char *more, const char *set)
{
    char all[128];

    snprintf(all, sizeof all, "%s%s", set, more);
    return text[strspn(text, all)] == '\0';
}

static bool plain(const char *text)
{
    for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++)
        if (*p < 0x20 || *p == 0x7f)
            return false;
    return true;
}

static size_t characters(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

static bool sized(const char *text, size_t least, size_t most)
{
    size_t length = strlen(text);

    return length >= least && length <= most;
}

static void put(const struct value *value, const char *text)
{
    umx_shell_write(value->lines, value->parameter->name, text);
}

/* ---- one function a type: NULL when good, else what a good value is */

static const char *as_is(const struct value *value, bool good, const char *expected)
{
    if (!good)
        return expected;
    put(value, value->text);
    return NULL;
}

static const char *take_name(const struct value *value)
{
    const char *text = value->text;
    size_t length = strlen(text);
    bool good = length > 0 && plain(text) && characters(text) <= NAME_MAX_CHARACTERS && text[0] != ' ' &&
                text[length - 1] != ' ';

    return as_is(value, good, "1 to 64 characters, no space at an end");
}

static const char *take_text(const struct value *value)
{
    return as_is(value, sized(value->text, 1, TEXT_MAX) && plain(value->text), "1 to 512 characters of one line");
}

static const char *take_word(const struct value *value)
{
    char word[32];

    for (const char *at = value->parameter->words; *at != '\0';) {
        size_t length = strcspn(at, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, at);
        if (umx_text_equal(word, value->text)) {
            put(value, word);
            return NULL;
        }
        at += length;
        at += *at == ' ';
    }
    return value->parameter->words;
}

static const char *take_digits(const struct value *value)
{
    return as_is(value, sized(value->text, 1, 20) && only(value->text, "", digits), "1 to 20 digits");
}

static const char *take_number(const struct value *value)
{
    const char *text = value->text;
    bool good = sized(text, 1, 2) && only(text, "", digits) && text[0] != '0' && atoi(text) <= 20;

    return as_is(value, good, "a number from 1 to 20");
}

static bool e164(const char *text)
{
    return text[0] == '+' && text[1] >= '1' && text[1] <= '9' && sized(text, 3, 16) && only(text + 1, "", digits);
}

static const char *take_e164(const struct value *value)
{
    return as_is(value, e164(value->text), "a number as +493012345");
}

static const char *take_line(const struct value *value)
{
    static const char prefix[] = "tel:";
    char number[24];
    const char *extension = strchr(value->text, ';');
    bool good = strncmp(value->text, prefix, sizeof prefix - 1) == 0 && sized(value->text, 7, 48);

    if (good) {
        size_t length = strcspn(value->text, ";") - (sizeof prefix - 1);
        snprintf(number, sizeof number, "%.*s", (int)length, value->text + sizeof prefix - 1);
        good = length < sizeof number && e164(number) &&
               (extension == NULL ||
                (strncmp(extension, ";ext=", 5) == 0 && extension[5] != '\0' && only(extension + 5, "", digits)));
    }
    return as_is(value, good, "tel:+493012345, or tel:+493012345;ext=345");
}

static bool fqdn(const char *text)
{
    return sized(text, 3, 253) && only(text, "-._0123456789", letters) && text[0] != '.' && text[0] != '-' &&
           strchr(text, '.') != NULL;
}

/* user@domain, with the characters that people's addresses have. */
static bool address(const char *text)
{
    const char *at = strchr(text, '@');
    char user[ADDRESS_MAX];

    if (at == NULL || at == text || !sized(text, 3, ADDRESS_MAX - 1))
        return false;
    snprintf(user, sizeof user, "%.*s", (int)(at - text), text);
    return only(user, "0123456789._-+'!#%&=~", letters) && fqdn(at + 1);
}

static const char *take_sip(const struct value *value)
{
    bool prefixed = strncmp(value->text, "sip:", 4) == 0 || strncmp(value->text, "SIP:", 4) == 0;
    const char *text = value->text + (prefixed ? 4 : 0);

    if (!address(text))
        return "sip:user@domain";
    put(value, text);
    return NULL;
}

static const char *take_eum(const struct value *value)
{
    const char *text = value->text;
    const char *context = strstr(text, ";phone-context=");
    bool good = sized(text, 20, TEXT_MAX) && plain(text) && context != NULL && context > text + 4 &&
                context[sizeof ";phone-context=" - 1] != '\0' &&
                (strncmp(text, "eum:", 4) == 0 || strncmp(text, "EUM:", 4) == 0);

    return as_is(value, good, "eum:ADDRESS;phone-context=CONTEXT");
}

static const char *take_host(const struct value *value)
{
    return as_is(value, umx_text_equal(value->text, value->host), "the name of the server that is asked");
}

static const char *take_fqdn(const struct value *value)
{
    return as_is(value, fqdn(value->text), "a fully qualified name");
}

static bool dn(const char *text)
{
    return sized(text, 6, DN_MAX) && plain(text) && strchr(text, '=') != NULL && umx_text_dn_parent(text) != NULL;
}

static const char *take_dn(const struct value *value)
{
    return as_is(value, dn(value->text), "a distinguished name");
}

static const char *take_object(const struct value *value)
{
    bool guid = strlen(value->text) == 36 && only(value->text, "-", "0123456789abcdefABCDEF");

    return as_is(value, guid || dn(value->text), "an objectGUID or a distinguished name");
}

static const char *take_thumbprint(const struct value *value)
{
    bool good = strlen(value->text) == 40 && only(value->text, "", "0123456789abcdefABCDEF");

    return as_is(value, good, "40 hexadecimal digits");
}

static const char *take_identity(const struct value *value)
{
    bool good = sized(value->text, 1, 256) && only(value->text, ":._- 0123456789", letters);

    return as_is(value, good, "global, site:NAME, Registrar:FQDN, PstnGateway:FQDN or the name of a policy");
}

static const char *take_simple_name(const struct value *value)
{
    bool good = sized(value->text, 1, 256) && only(value->text, "-.+_()0123456789", letters);

    return as_is(value, good, "1 to 256 letters, digits and - . + _ ( )");
}

/* The certificate of PEM, or of the base64 of its DER. */
static X509 *parse_certificate(const char *text)
{
    size_t length = strlen(text);
    BIO *in = length <= CERTIFICATE_MAX ? BIO_new_mem_buf(text, (int)length) : NULL;
    X509 *certificate = NULL;

    if (in != NULL && strstr(text, "-----BEGIN") != NULL) {
        certificate = PEM_read_bio_X509(in, NULL, NULL, NULL);
    } else if (in != NULL) {
        BIO *base64 = BIO_new(BIO_f_base64());
        if (base64 != NULL) {
            if (strchr(text, '\n') == NULL)
                BIO_set_flags(base64, BIO_FLAGS_BASE64_NO_NL);
            BIO_push(base64, in);
            certificate = d2i_X509_bio(base64, NULL);
            BIO_free(base64);
        }
    }
    BIO_free(in);
    return certificate;
}

static const char *take_certificate(const struct value *value)
{
    X509 *certificate = parse_certificate(value->text);
    unsigned char *der = NULL;
    unsigned char hash[EVP_MAX_MD_SIZE];
    char hex[2 * EVP_MAX_MD_SIZE + 1] = "";
    char *base64 = NULL;
    unsigned size = 0;
    int length = certificate != NULL ? i2d_X509(certificate, &der) : -1;

    if (length > 0 && X509_digest(certificate, EVP_sha1(), hash, &size) == 1)
        base64 = OPENSSL_zalloc(((size_t)length + 2) / 3 * 4 + 1);
    if (base64 != NULL) {
        EVP_EncodeBlock((unsigned char *)base64, der, length);
        for (unsigned i = 0; i < size; i++)
            snprintf(hex + (size_t)2 * i, 3, "%02X", hash[i]);
        put(value, base64);
        umx_shell_write(value->lines, "thumbprint", hex);
    }
    const char *problem = base64 == NULL ? "a certificate in PEM, or base64 of DER" : NULL;
    OPENSSL_free(base64);
    OPENSSL_free(der);
    X509_free(certificate);
    return problem;
}

static const char *(*const takers[])(const struct value *value) = {
    [UMX_PARAMETER_NAME] = take_name,
    [UMX_PARAMETER_TEXT] = take_text,
    [UMX_PARAMETER_WORD] = take_word,
    [UMX_PARAMETER_NUMBER] = take_number,
    [UMX_PARAMETER_DIGITS] = take_digits,
    [UMX_PARAMETER_E164] = take_e164,
    [UMX_PARAMETER_SIP] = take_sip,
    [UMX_PARAMETER_LINE] = take_line,
    [UMX_PARAMETER_EUM] = take_eum,
    [UMX_PARAMETER_HOST] = take_host,
    [UMX_PARAMETER_FQDN] = take_fqdn,
    [UMX_PARAMETER_DN] = take_dn,
    [UMX_PARAMETER_OBJECT] = take_object,
    [UMX_PARAMETER_THUMBPRINT] = take_thumbprint,
    [UMX_PARAMETER_CERTIFICATE] = take_certificate,
    [UMX_PARAMETER_IDENTITY] = take_identity,
    [UMX_PARAMETER_SIMPLE_NAME] = take_simple_name,
};

/* ---- an item */

static const struct umx_parameter *find(const struct umx_parameter *parameters, const char *name)
{
    for (size_t i = 0; i < UMX_PARAMETERS_MAX && parameters[i].name != NULL; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return &parameters[i];
    return NULL;
}

static int bad(struct umx_error *err, const char *name, const char *why)
{
    return umx_fail(err, UMX_ERR_ACTION_ITEM_INVALID, name, "expected: %s", why);
}

/* All values of a list, one a line; lines that are empty do not count. */
static const char *take_list(struct value *value)
{
    const char *problem = NULL;
    size_t count = 0;
    struct umx_text one = {0};
    const char *at = value->text;

    while (problem == NULL && *at != '\0') {
        size_t length = strcspn(at, "\n");
        umx_text_free(&one);
        umx_text_add(&one, at, length);
        value->text = umx_text_string(&one);
        if (length > 0)
            problem = ++count > UMX_PARAMETER_LIST_MAX ? "at most 256 values" : takers[value->parameter->type](value);
        at += length;
        at += *at == '\n';
    }
    if (problem == NULL && count == 0 && !value->parameter->may_be_empty)
        problem = "at least one value";
    umx_text_free(&one);
    return problem;
}

static int take(const struct umx_parameter *parameter, const json_t *given, const char *host, struct umx_text *lines,
                struct umx_error *err)
{
    struct value value = {.parameter = parameter, .host = host, .lines = lines, .text = json_string_value(given)};
    const char *problem;

    if (given == NULL)
        return parameter->optional ? 0 : bad(err, parameter->name, "a value");
    if (value.text == NULL || strlen(value.text) != json_string_length(given))
        return bad(err, parameter->name, "a text");
    umx_shell_write(lines, "has", parameter->name);
    if (parameter->list)
        problem = take_list(&value);
    else if (value.text[0] == '\0' && parameter->may_be_empty)
        problem = NULL; /* no line: the script sees nothing */
    else
        problem = takers[parameter->type](&value);
    return problem == NULL ? 0 : bad(err, parameter->name, problem);
}

int umx_parameters_write(const struct umx_parameter *parameters, const char *item, const char *host,
                         struct umx_text *lines, struct umx_error *err)
{
    json_error_t where;
    json_t *object = json_loads(item, JSON_REJECT_DUPLICATES, &where);
    const char *key;
    json_t *given;
    int status = 0;

    if (object == NULL || !json_is_object(object)) {
        json_decref(object);
        return umx_fail(err, UMX_ERR_ACTION_ITEM_INVALID, "item", "it is not a JSON object");
    }
    json_object_foreach(object, key, given) if (status == 0 && find(parameters, key) == NULL) status =
        umx_fail(err, UMX_ERR_ACTION_ITEM_INVALID, key, "the action has no such value");
    for (size_t i = 0; status == 0 && i < UMX_PARAMETERS_MAX && parameters[i].name != NULL; i++)
        status = take(&parameters[i], json_object_get(object, parameters[i].name), host, lines, err);
    json_decref(object);
    if (status == 0 && lines->failed)
        status = umx_fail(err, UMX_ERR_MEMORY, "item", NULL);
    return status;
}
