/*
 * The one place of the command line that knows how the controller is reached and where the operator's key is.
 */
#ifndef UMX_CLI_SESSION_H
#define UMX_CLI_SESSION_H

#include "base/text.h"
#include "cli/cli.h"
#include "cli/pump.h"

struct umx_cli_session;

/* Starts an operation over the identity of the command line. Takes over arguments (NULL: none). UMX_ERR_NO_IDENTITY
 * when there is no identity file. The source lives as long as the session. */
int umx_cli_session_start(const struct umx_cli *cli, const char *operation, json_t *arguments,
                          struct umx_cli_session **out, struct umx_pump_source *source, struct umx_error *err);
void umx_cli_session_close(struct umx_cli_session *session); /* NULL is allowed */

/* Signs with the identity's key: lower-case hex, appended. deployment is what the identity's own certificate says. */
int umx_cli_session_sign(const struct umx_cli *cli, const struct umx_text *text, struct umx_text *hex,
                         struct umx_error *err);
int umx_cli_session_deployment(const struct umx_cli *cli, struct umx_text *deployment, struct umx_error *err);

/* Gets an identity (umx_login of client/umx.h); takes over request, *result is the caller's. */
int umx_cli_session_login(json_t *request, json_t **result, struct umx_error *err);

#endif
