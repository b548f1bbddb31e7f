#ifndef UMX_BENCH_BARE_H
#define UMX_BENCH_BARE_H

#include <stddef.h>

/* The limit: a server and a client of nothing but epoll and OpenSSL, in two processes. Holds COUNT mTLS connections,
 * asks all at once (ROUNDS times), each answers with a report of ROWS rows that the server unpacks and keeps; then each
 * sends ROUNDS reports. Prints one JSON object with the server's figures. */
void run_bare(const char *directory, size_t count, int rows, int rounds);

#endif
