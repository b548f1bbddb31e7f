/*
 * The command line program `umx`: global options, the table of commands, and what commands share.
 */
#ifndef UMX_CLI_CLI_H
#define UMX_CLI_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"
#include "base/text.h"
#include "cli/args.h"
#include "cli/document.h"
#include "cli/grid.h"

enum umx_cli_format { UMX_CLI_TABLE, UMX_CLI_JSON, UMX_CLI_JSONL, UMX_CLI_CSV };

/* Exit codes of design 8. */
enum { UMX_EXIT_GOOD = 0, UMX_EXIT_NO = 1, UMX_EXIT_USAGE = 2, UMX_EXIT_ACCESS = 3, UMX_EXIT_PARTIAL = 4 };

struct umx_command;

struct umx_cli {
    const char *controller; /* HOST:PORT */
    const char *identity;   /* path of the identity file */
    enum umx_cli_format format;
    bool progress;          /* progress on err, one line each, whatever err is */
    FILE *out;              /* the answer, nothing else */
    FILE *err;              /* everything else */
    struct umx_style style; /* of out */
    bool err_terminal;
    bool progress_shown;               /* a progress line stands on the terminal and has to be wiped */
    const struct umx_command *command; /* that runs; NULL: not known yet */
};

/* One command. run returns an exit code, or a negative status with err filled. */
struct umx_command {
    const char *words;    /* "plan show"; NULL ends the table */
    const char *operands; /* "NAME", "[NAME]", "" */
    int (*run)(struct umx_cli *cli, const struct umx_args *args, struct umx_error *err);
    const char *help; /* one line */
    const struct umx_option *options;
    const char *details; /* a paragraph, or NULL */
    const char *example;
    bool hidden;
};

const struct umx_command *umx_commands(void);
const struct umx_option *umx_global_options(void);

/* The command whose words begin the words given; *used is how many they are. NULL: none. */
const struct umx_command *umx_command_find(const char *const *words, size_t count, size_t *used);

/* Runs one command line without the program's name and returns the exit code. */
int umx_cli_run(struct umx_cli *cli, const char *const *words, size_t count);

/* Writes the error as text or, with -o json or jsonl, as JSON; to cli->err. */
void umx_cli_print_error(struct umx_cli *cli, const struct umx_error *err);

/* ---- help.c */
void umx_help_overview(const struct umx_cli *cli, FILE *out);
void umx_help_command(const struct umx_cli *cli, FILE *out, const struct umx_command *command);
/* Commands whose words begin with this word; false when there are none. */
bool umx_help_family(const struct umx_cli *cli, FILE *out, const char *word);

/* ---- call.c: one operation of the controller. */

/* What a caller wants to see while items come. Returning a negative status (with err) ends the call. item is borrowed.
 */
struct umx_call_sink {
    int (*item)(void *user, const char *type, const json_t *item, struct umx_error *err);
    void (*progress)(void *user, const json_t *progress); /* NULL: shown to the user as always */
    void *user;
    bool keep; /* items also go to the document */
};

/* Runs the operation; takes over arguments (NULL: none). The document is opened here and always to be closed by the
 * caller. Warnings go to cli->err, progress too where wanted. sink may be NULL. */
int umx_call(struct umx_cli *cli, const char *operation, json_t *arguments, const struct umx_call_sink *sink,
             struct umx_document *document, struct umx_error *err);

/* ---- progress.c */
void umx_progress_show(struct umx_cli *cli, const json_t *body);
void umx_progress_clear(struct umx_cli *cli);
/* A warning, or an error about one target; word says which. */
void umx_progress_problem(struct umx_cli *cli, const char *word, const json_t *body);

/* ---- output.c */

/* Shows a document to a person. */
typedef void umx_view(struct umx_cli *cli, const struct umx_document *document);

/* Writes the document in the chosen format. 0 or a negative status (the stream is full or closed). */
int umx_output(struct umx_cli *cli, const struct umx_document *document, umx_view *view, struct umx_error *err);

/* A grid of records of an array: one column per member named. */
struct umx_output_column {
    const char *key;
    const char *title;
    unsigned flags; /* enum umx_grid_flags */
};
void umx_output_records(struct umx_cli *cli, const json_t *records, const struct umx_output_column *columns,
                        size_t count);

/* `label: value` for a member of the document that is there and not empty. */
void umx_output_member(struct umx_cli *cli, const json_t *object, const char *key, const char *label);

/* The view of what an operation deleted by name. */
void umx_output_deleted(struct umx_cli *cli, const struct umx_document *document);

/* The text of the items of that type, one behind the other. */
void umx_output_parts(const struct umx_document *document, const char *type, struct umx_text *out);
/* To a file beside it that takes its name when it is whole; to standard output without a path. */
int umx_output_file(struct umx_cli *cli, const char *path, const struct umx_text *text, struct umx_error *err);

/* Calls and writes: the whole of a simple command. Gives 0, 4 when the answer was partial, or a negative status. */
int umx_output_call(struct umx_cli *cli, const char *operation, json_t *arguments, umx_view *view,
                    struct umx_error *err);

/* ---- arguments as JSON; nothing happens where the option or operand was not given */
int umx_json_text(json_t *object, const char *key, const char *value);
int umx_json_list(json_t *object, const char *key, const struct umx_args *args, const char *option);
int umx_json_time(json_t *object, const char *key, const char *value, const char *what, struct umx_error *err);
int umx_json_number(json_t *object, const char *key, const char *value, const char *what, struct umx_error *err);

#endif
