/* The commands of umxd. Arguments are those after the command's name. */
#ifndef UMX_CONTROLLER_COMMANDS_H
#define UMX_CONTROLLER_COMMANDS_H

#include "base/error.h"

int umx_command_serve(int argc, char **argv, struct umx_error *err);
int umx_command_init(int argc, char **argv, struct umx_error *err);
int umx_command_issue(int argc, char **argv, struct umx_error *err);

#endif
