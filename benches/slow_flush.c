/* A slow disk: every flush of the program that this is preloaded into takes two milliseconds longer. The bench builds it
 * with `cc -shared -fPIC -ldl` and preloads it into PostgreSQL. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>

static int flushed(const char *name, int file)
{
    struct timespec pause = { .tv_sec = 0, .tv_nsec = 2 * 1000 * 1000 };
    int (*flush)(int) = (int (*)(int)) dlsym(RTLD_NEXT, name);

    nanosleep(&pause, 0);
    return flush(file);
}

int fdatasync(int file)
{
    return flushed("fdatasync", file);
}

int fsync(int file)
{
    return flushed("fsync", file);
}
