/*
 * The controller's door for its own host: a socket DATA/control.sock, mode 0600, for the same user and root alone. It
 * knows one request: copies of the databases, which a running controller keeps locked, for `umxd backup`.
 *
 * A request is one line, the answer too: `copy` gives `ok NAME` (a directory below DATA with state.db and journal.db,
 * which the asker removes) or `error REASON`.
 */
#ifndef UMX_CONTROLLER_CONTROL_H
#define UMX_CONTROLLER_CONTROL_H

#include "base/error.h"
#include "base/text.h"
#include "controller/controller.h"

struct umx_control;

/* Uses the controller's state and journal. Copies that an interrupted backup left behind are removed. */
int umx_control_open(struct umx_controller *controller, struct umx_control **out, struct umx_error *err);
void umx_control_close(struct umx_control *control); /* NULL is allowed */

/* Asks the controller of a data directory for copies: their directory, to be removed by umx_control_remove.
 * UMX_ERR_PEER_UNREACHABLE: none runs there. */
int umx_control_copy(const char *data, struct umx_text *directory, struct umx_error *err);

/* Copies made here, when no controller runs. */
int umx_control_make_copy(const char *data, struct umx_state *state, struct umx_journal_file *journal,
                          struct umx_text *directory, struct umx_error *err);
void umx_control_remove(const char *directory);

#endif
