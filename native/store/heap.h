/*
 * SQLite's memory, counted for one thread while it runs a query.
 *
 * SQLite's own hard heap limit is one number for the whole process: a query at the limit would make the journal's
 * writer fail. So SQLite allocates through here, and a thread between begin and end gets nothing beyond its cap; its
 * query then ends with SQLITE_NOMEM, and nobody else notices. Other threads are neither counted nor limited.
 */
#ifndef UMX_STORE_HEAP_H
#define UMX_STORE_HEAP_H

#include <stdbool.h>
#include <stddef.h>

/* False when SQLite was already in use before this program began, and memory cannot be counted. */
bool umx_heap_begin(size_t cap);
/* Whether something was refused since begin. */
bool umx_heap_refused(void);
void umx_heap_end(void);

#endif
