/*
 * A forest worker (design 4): the main loop of `umxd --worker`. It asks one forest what the controller wants to know,
 * one request at a time, and is killed when it is late.
 *
 * Requests and replies are frames (base/frame.h) of WorkerRequest and WorkerReply. The first request is `configure`.
 * Each request has replies that carry its id; the last one is marked, and carries an error when it failed.
 */
#ifndef UMX_DIRECTORY_WORKER_H
#define UMX_DIRECTORY_WORKER_H

/* Serves until the other side closes fd, which it takes over. Returns the exit code of the program. Changes the
 * process: SIGPIPE is ignored, SIGALRM ends it some seconds after a request's deadline. */
int umx_worker_main(int fd);

#endif
