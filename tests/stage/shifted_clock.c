/*
 * Loaded into a program before its libraries (LD_PRELOAD), this moves its wall clock and nothing else: by the seconds
 * in the file that UMX_CLOCK_SHIFT names (8 bytes, the machine's order), which a test writes while the program runs.
 * Timed waits go by the monotonic clock, but for Abseil's, whose futexes have ends by the wall clock: the kernel is
 * told them by its own. Workers (--worker) keep the machine's clock, which is that of the domain controllers they speak
 * with.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define SHOWN __attribute__((visibility("default")))

SHOWN int clock_gettime(clockid_t id, struct timespec *at);
SHOWN int gettimeofday(struct timeval *restrict at, void *restrict zone);
SHOWN time_t time(time_t *at);
SHOWN long syscall(long number, ...);

static const int64_t none;
static const volatile int64_t *shift = &none;
static long (*kernel)(long number, ...);

static int is_worker(void)
{
    char line[4096];
    int file = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t length = file >= 0 ? read(file, line, sizeof line - 1) : 0;

    if (file >= 0)
        close(file);
    return length > 0 && memmem(line, (size_t)length, "--worker", 8) != NULL;
}

__attribute__((constructor)) static void begin(void)
{
    const char *name = getenv("UMX_CLOCK_SHIFT");
    int file = name != NULL && !is_worker() ? open(name, O_RDONLY | O_CLOEXEC) : -1;
    void *map = file >= 0 ? mmap(NULL, sizeof *shift, PROT_READ, MAP_SHARED, file, 0) : MAP_FAILED;

    if (map != MAP_FAILED)
        shift = map;
    if (file >= 0)
        close(file);
}

static long ask(long number, long a, long b, long c, long d, long e, long f)
{
    if (kernel == NULL) {
        void *found = dlsym(RTLD_NEXT, "syscall");
        memcpy(&kernel, &found, sizeof kernel);
    }
    return kernel(number, a, b, c, d, e, f);
}

int clock_gettime(clockid_t id, struct timespec *at)
{
    int rc = (int)ask(SYS_clock_gettime, id, (long)at, 0, 0, 0, 0);

    if (rc == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE))
        at->tv_sec += *shift;
    return rc;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone)
{
    struct timespec now;

    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    *at = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return 0;
}

time_t time(time_t *at)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    if (at != NULL)
        *at = now.tv_sec;
    return now.tv_sec;
}

long syscall(long number, ...)
{
    long given[6];
    struct timespec end;
    va_list list;

    va_start(list, number);
    for (size_t i = 0; i < sizeof given / sizeof given[0]; i++)
        given[i] = va_arg(list, long);
    va_end(list);
    if (number == SYS_futex && (given[1] & FUTEX_CLOCK_REALTIME) != 0 && given[3] != 0) {
        memcpy(&end, (const void *)given[3], sizeof end);
        end.tv_sec -= *shift;
        given[3] = (long)&end;
    }
    return ask(number, given[0], given[1], given[2], given[3], given[4], given[5]);
}
