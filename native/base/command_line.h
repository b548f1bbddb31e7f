/* The words of the command line as UTF-8, whatever the code page of the system is. */
#ifndef UMX_BASE_COMMAND_LINE_H
#define UMX_BASE_COMMAND_LINE_H

/* main's own where they are UTF-8 already; else as long as the program runs. NULL: no memory. */
char **umx_command_line(int *argc, char **argv);

#endif
