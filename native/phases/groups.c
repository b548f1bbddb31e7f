#include "phases/groups.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/text.h"

enum { NODE_MAX = 64, DEPTH_MAX = 16 };

enum kind { WORD, AND, OR, IF, SAME };

/* A parsed expression: nodes refer to each other by index, the operands of an `if` are then, else (-1: none). */
struct node {
    enum kind kind;
    const char *word; /* WORD: the meaning; IF: the condition */
    size_t length;
    int left, right;
};

struct parser {
    const char *at;
    int depth;
    int count;
    bool failed;
    struct node nodes[NODE_MAX];
};

static int parse_or(struct parser *parser);
static int parse_conditional(struct parser *parser);

static int fail(struct parser *parser)
{
    parser->failed = true;
    return 0;
}

static void skip(struct parser *parser)
{
    parser->at += strspn(parser->at, " \t\n");
}

static size_t word_length(const char *at)
{
    return strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
}

static bool take_word(struct parser *parser, const char *word)
{
    size_t length = strlen(word);

    skip(parser);
    if (word_length(parser->at) != length || strncmp(parser->at, word, length) != 0)
        return false;
    parser->at += length;
    return true;
}

static bool take(struct parser *parser, char c)
{
    skip(parser);
    if (*parser->at != c)
        return false;
    parser->at++;
    return true;
}

static bool reserved(const char *word, size_t length)
{
    static const char *const words[] = {"and", "or", "if", "else", "same"};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i]) == length && strncmp(word, words[i], length) == 0)
            return true;
    return false;
}

static int node(struct parser *parser, enum kind kind, const char *word, size_t length, int left, int right)
{
    if (parser->count == NODE_MAX)
        return fail(parser);
    parser->nodes[parser->count] =
        (struct node){.kind = kind, .word = word, .length = length, .left = left, .right = right};
    return parser->count++;
}

static int parse_primary(struct parser *parser)
{
    bool same = false;

    skip(parser);
    const char *word = parser->at;
    size_t length = word_length(word);
    if (length == 4 && strncmp(word, "same", 4) == 0) {
        parser->at += 4;
        same = true;
        length = 0;
    }
    if (length == 0) {
        if (!take(parser, '(') || ++parser->depth > DEPTH_MAX)
            return fail(parser);
        int inner = parse_or(parser);
        parser->depth--;
        if (!take(parser, ')'))
            return fail(parser);
        return same ? node(parser, SAME, NULL, 0, inner, -1) : inner;
    }
    if (reserved(word, length))
        return fail(parser);
    parser->at += length;
    return node(parser, WORD, word, length, -1, -1);
}

static int parse_and(struct parser *parser)
{
    int left = parse_primary(parser);

    while (!parser->failed && take_word(parser, "and"))
        left = node(parser, AND, NULL, 0, left, parse_primary(parser));
    return left;
}

static int parse_conditional(struct parser *parser)
{
    int then = parse_and(parser);
    int otherwise = -1;

    if (parser->failed || !take_word(parser, "if"))
        return then;
    skip(parser);
    const char *word = parser->at;
    size_t length = word_length(word);
    if (length == 0 || reserved(word, length) || ++parser->depth > DEPTH_MAX)
        return fail(parser);
    parser->at += length;
    if (take_word(parser, "else"))
        otherwise = parse_conditional(parser);
    parser->depth--;
    return node(parser, IF, word, length, then, otherwise);
}

static int parse_or(struct parser *parser)
{
    int left = parse_conditional(parser);

    while (!parser->failed && take_word(parser, "or"))
        left = node(parser, OR, NULL, 0, left, parse_conditional(parser));
    return left;
}

/* Index of the root, or -1. */
static int parse(struct parser *parser, const char *expression)
{
    *parser = (struct parser){.at = expression};
    int root = parse_or(parser);
    skip(parser);
    return parser->failed || *parser->at != '\0' ? -1 : root;
}

/* Meanings that include others (0.5, 0.6). */
static const struct {
    const char *holder;
    const char *includes;
} includes[] = {
    {"organization_management", "organization_administrators"},  {"organization_management", "recipient_management"},
    {"organization_management", "recipient_administrators"},     {"organization_management", "server_management"},
    {"organization_administrators", "recipient_administrators"}, {"recipient_management", "recipient_administrators"},
};

static bool is(const struct node *word, const char *meaning)
{
    return strlen(meaning) == word->length && strncmp(meaning, word->word, word->length) == 0;
}

/* The name of a server in the directory is the first label of its FQDN, at most 15 characters of it. */
static bool same_server(const char *fqdn, const char *server)
{
    enum { SHORT_NAME = 15 };
    size_t label = strcspn(fqdn, ".");

    if (umx_text_equal(fqdn, server))
        return true;
    label = label < SHORT_NAME ? label : SHORT_NAME;
    return strchr(server, '.') == NULL && strlen(server) == label && strncasecmp(fqdn, server, label) == 0;
}

static bool holds(const struct node *word, const char *meaning, const char *server)
{
    if (meaning == NULL)
        return false;
    if (is(word, meaning))
        return true;
    const char *host = strchr(meaning, '@');
    if (host != NULL)
        return server != NULL && word->length == (size_t)(host - meaning) &&
               strncmp(meaning, word->word, word->length) == 0 && same_server(host + 1, server);
    for (size_t i = 0; i < sizeof includes / sizeof includes[0]; i++)
        if (umx_text_equal(includes[i].holder, meaning) && is(word, includes[i].includes))
            return true;
    return false;
}

static bool satisfied(const struct parser *parser, int at, const struct umx_person *people, size_t count)
{
    const struct node *n = &parser->nodes[at];

    switch (n->kind) {
    case WORD:
        for (size_t i = 0; i < count; i++)
            for (size_t k = 0; k < people[i].count; k++)
                if (holds(n, people[i].meanings[k], people[i].server))
                    return true;
        return false;
    case AND:
        return satisfied(parser, n->left, people, count) && satisfied(parser, n->right, people, count);
    case OR:
        return satisfied(parser, n->left, people, count) || satisfied(parser, n->right, people, count);
    case IF:
        return satisfied(parser, n->left, people, count) &&
               (n->right < 0 || satisfied(parser, n->right, people, count));
    case SAME:
        for (size_t i = 0; i < count; i++)
            if (satisfied(parser, n->left, &people[i], 1))
                return true;
        return false;
    }
    return false;
}

bool umx_groups_valid(const char *expression)
{
    struct parser parser;

    return parse(&parser, expression) >= 0;
}

bool umx_groups_satisfied_by(const char *expression, const struct umx_person *people, size_t count)
{
    struct parser parser;
    int root = parse(&parser, expression);

    return root >= 0 && satisfied(&parser, root, people, count);
}

bool umx_groups_satisfied(const char *expression, const char *const *meanings, size_t n)
{
    struct umx_person all = {.meanings = meanings, .count = n};

    return umx_groups_satisfied_by(expression, &all, 1);
}

/* How tightly a kind binds: an operand that binds less gets parentheses. */
static int tightness(enum kind kind)
{
    static const int values[] = {[WORD] = 3, [SAME] = 3, [AND] = 2, [IF] = 1, [OR] = 0};

    return values[kind];
}

static void write_node(const struct parser *parser, int at, int outer, struct umx_text *text)
{
    const struct node *n = &parser->nodes[at];
    bool parentheses = tightness(n->kind) < outer;

    if (parentheses)
        umx_text_adds(text, "(");
    switch (n->kind) {
    case WORD:
        umx_text_add(text, n->word, n->length);
        break;
    case AND:
    case OR:
        write_node(parser, n->left, tightness(n->kind), text);
        umx_text_adds(text, n->kind == AND ? " and " : " or ");
        write_node(parser, n->right, tightness(n->kind) + 1, text);
        break;
    case IF:
        write_node(parser, n->left, 2, text);
        umx_text_addf(text, " if %.*s", (int)n->length, n->word);
        if (n->right >= 0) {
            umx_text_adds(text, " else ");
            write_node(parser, n->right, 1, text);
        }
        break;
    case SAME:
        umx_text_adds(text, "same(");
        write_node(parser, n->left, 0, text);
        umx_text_adds(text, ")");
        break;
    }
    if (parentheses)
        umx_text_adds(text, ")");
}

static void write_missing(const struct parser *parser, int at, const struct umx_person *person, struct umx_text *text)
{
    const struct node *n = &parser->nodes[at];

    if (satisfied(parser, at, person, 1))
        return;
    if (n->kind == AND || n->kind == IF) {
        bool left = !satisfied(parser, n->left, person, 1);
        bool right = n->right >= 0 && !satisfied(parser, n->right, person, 1);
        if (left)
            write_missing(parser, n->left, person, text);
        if (left && right)
            umx_text_adds(text, " and ");
        if (right)
            write_missing(parser, n->right, person, text);
        return;
    }
    write_node(parser, at, 1, text);
}

static char *in_arena(struct umx_text *text, struct umx_arena *arena)
{
    char *copy = text->failed ? NULL : umx_arena_string(arena, umx_text_string(text));

    umx_text_free(text);
    return copy;
}

const char *umx_groups_missing(const char *expression, const char *const *meanings, size_t n, struct umx_arena *arena)
{
    struct umx_person person = {.meanings = meanings, .count = n};

    return umx_groups_missing_of(expression, &person, arena);
}

const char *umx_groups_missing_of(const char *expression, const struct umx_person *person, struct umx_arena *arena)
{
    struct parser parser;
    struct umx_text text = {0};
    int root = parse(&parser, expression);

    if (root < 0)
        return umx_arena_string(arena, expression);
    write_missing(&parser, root, person, &text);
    return in_arena(&text, arena);
}

/* The node that stands for this one when the conditions are known; -1: nothing is demanded. */
static int resolve(struct parser *parser, int at, const char *const *conditions, size_t count)
{
    struct node *n = &parser->nodes[at];

    if (n->kind == WORD)
        return at;
    if (n->kind == IF) {
        bool holding = false;
        for (size_t i = 0; i < count; i++)
            holding = holding || is(n, conditions[i]);
        int chosen = holding ? n->left : n->right;
        return chosen < 0 ? -1 : resolve(parser, chosen, conditions, count);
    }
    n->left = resolve(parser, n->left, conditions, count);
    if (n->kind == SAME)
        return n->left < 0 ? -1 : at;
    n->right = resolve(parser, n->right, conditions, count);
    if (n->left >= 0 && n->right >= 0)
        return at;
    /* A side that demands nothing satisfies an `or` and adds nothing to an `and`. */
    if (n->kind == OR)
        return -1;
    return n->left >= 0 ? n->left : n->right;
}

char *umx_groups_resolve(const char *expression, const char *const *conditions, size_t n, struct umx_arena *arena)
{
    struct parser parser;
    struct umx_text text = {0};
    int root = parse(&parser, expression);

    if (root < 0)
        return NULL;
    root = resolve(&parser, root, conditions, n);
    if (root >= 0)
        write_node(&parser, root, 0, &text);
    return in_arena(&text, arena);
}
