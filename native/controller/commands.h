/* The commands of umxd. Arguments are those after the command's name. */
#ifndef UMX_CONTROLLER_COMMANDS_H
#define UMX_CONTROLLER_COMMANDS_H

#include "base/error.h"

int umx_command_serve(int argc, char **argv, struct umx_error *err);
int umx_command_init(int argc, char **argv, struct umx_error *err);
int umx_command_issue(int argc, char **argv, struct umx_error *err);
int umx_command_backup(int argc, char **argv, struct umx_error *err);
int umx_command_restore(int argc, char **argv, struct umx_error *err);
/* ca new-intermediate, ca new-root, ca discard. */
int umx_command_ca(int argc, char **argv, struct umx_error *err);
/* Names for UMX_CRASH_POINT (base/crash.h), for the tests that kill the controller everywhere. */
int umx_command_crash_points(int argc, char **argv, struct umx_error *err);

#endif
