/*
 * An administrator runs commands of umxd as root, on the data of a controller that is another user: what such a command
 * makes would be root's, and the controller could not open it any more (the authority's lock, for example).
 */
#ifndef UMX_CONTROLLER_DATA_OWNER_H
#define UMX_CONTROLLER_DATA_OWNER_H

/* Gives what is root's below the directory to the directory's own owner and group. Only root does it, and only where
 * that owner is somebody else; whatever may be a trap of that owner (a link, a file with a second name) is left alone.
 */
void umx_data_owner_keep(const char *data);

#endif
