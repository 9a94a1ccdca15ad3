/* A wall clock that a test moves, for one process: preloaded, it answers whoever reads the time.
 *
 * A wait until a moment of this clock goes by it as the kernel's do: when the clock jumps back, it lasts longer, and when
 * the clock jumps forwards, it is over. librdkafka waits so, by cnd_timedwait. The monotonic clock stays as it is.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <threads.h>
#include <time.h>
#include <unistd.h>

#define SECOND_NS 1000000000L
#define SLICE_NS 20000000L

static const volatile long *ahead_s;

__attribute__((constructor)) static void open_clock(void) {
    int file = open(getenv("JUMPING_CLOCK"), O_RDONLY | O_CLOEXEC);
    void *page = mmap(NULL, sizeof(long), PROT_READ, MAP_SHARED, file, 0);
    if (page == MAP_FAILED) abort();
    close(file);
    ahead_s = page;
}

static long jumped_s(clockid_t clock) {
    return ahead_s && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE) ? *ahead_s : 0;
}

int clock_gettime(clockid_t clock, struct timespec *now) {
    int failed = (int)syscall(SYS_clock_gettime, clock, now);
    if (!failed) now->tv_sec += jumped_s(clock);
    return failed;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone) {
    struct timespec read;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &read);
    now->tv_sec = read.tv_sec;
    now->tv_usec = read.tv_nsec / 1000;
    return 0;
}

int timespec_get(struct timespec *now, int base) {
    clock_gettime(CLOCK_REALTIME, now);
    return base;
}

time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}

static long left_ns(const struct timespec *until) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (until->tv_sec - now.tv_sec) * SECOND_NS + until->tv_nsec - now.tv_nsec;
}

static struct timespec in_kernel_time(long wait_ns) {
    struct timespec moment;
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &moment);
    long ns = moment.tv_nsec + wait_ns;
    return (struct timespec){moment.tv_sec + ns / SECOND_NS, ns % SECOND_NS};
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict until) {
    static int (*wait)(cnd_t *, mtx_t *, const struct timespec *);
    if (!wait) wait = (int (*)(cnd_t *, mtx_t *, const struct timespec *))dlsym(RTLD_NEXT, "cnd_timedwait");
    for (long ns; (ns = left_ns(until)) > 0;) {
        struct timespec slice = in_kernel_time(ns < SLICE_NS ? ns : SLICE_NS);
        int told = wait(cond, mutex, &slice);
        if (told != thrd_timedout) return told;
    }
    return thrd_timedout;
}
