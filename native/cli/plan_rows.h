/*
 * Rows and values on the command line of plans: --input of `plan create`, --value and --file of `plan confirm`.
 */
#ifndef UMX_CLI_PLAN_ROWS_H
#define UMX_CLI_PLAN_ROWS_H

#include "cli/cli.h"
#include "cli/input.h"

/* Reads all files of --input. Bad rows are all named on cli->err, then UMX_ERR_INPUT_INVALID. input->root is NULL
 * without --input. The caller closes input. */
int umx_plan_rows_read(struct umx_cli *cli, const struct umx_args *args, struct umx_input *input,
                       struct umx_error *err);

/* After the controller refused rows by table and number: which file these are of. */
void umx_plan_rows_name(struct umx_cli *cli, const struct umx_input *input);

/* --value NAME=TEXT and --file NAME=PATH as the list `value` of plan.confirm. A file that is no text (a certificate in
 * DER) becomes base64. */
int umx_plan_values(json_t *arguments, const struct umx_args *args, struct umx_error *err);

/* Writes a template: the format is cli->format, table NULL: all. phases: names, to know what an empty template of CSV
 * has the columns of. */
int umx_plan_template_print(struct umx_cli *cli, const json_t *root, const char *table, char separator,
                            const struct umx_args *args, struct umx_error *err);

#endif
