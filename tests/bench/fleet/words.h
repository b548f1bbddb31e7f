/* The messages that both the made-up agents and the bare pair use. */
#ifndef UMX_BENCH_WORDS_H
#define UMX_BENCH_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* A report of the table `service` with that many rows, about 125 bytes a row, whose contents carry the generation (as
 * process_id of every row). Returns its length in out. */
size_t words_report(uint8_t *out, size_t room, const char *fqdn, int rows, int64_t generation, int64_t query);
size_t words_unchanged(uint8_t *out, size_t room, const char *table, int64_t generation, int64_t query);
size_t words_hello(uint8_t *out, size_t room, const char *fqdn);
size_t words_collect(uint8_t *out, size_t room, int64_t query);

double seconds(void);   /* monotonic */
double processor(void); /* of this process */

#endif
