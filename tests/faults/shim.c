/* Preloaded by tests/faults/reads.rs: positioned reads that come short, are interrupted, or fail.
   The test writes its wishes to a file that is mapped here. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct wishes {
    atomic_uint short_every, interrupt_every, fail_at, reads;
};

static struct wishes *wishes;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("VOXLOAD_TEST_WISHES");
    int fd = path ? open(path, O_RDWR) : -1;
    if (fd < 0)
        return;
    void *mapped = mmap(NULL, sizeof *wishes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (mapped != MAP_FAILED)
        wishes = mapped;
    close(fd);
}

ssize_t pread64(int fd, void *buffer, size_t length, off64_t offset)
{
    static ssize_t (*real)(int, void *, size_t, off64_t);
    if (!real)
        real = (ssize_t (*)(int, void *, size_t, off64_t))dlsym(RTLD_NEXT, "pread64");
    if (wishes) {
        unsigned number = atomic_fetch_add(&wishes->reads, 1) + 1;
        unsigned every = atomic_load(&wishes->interrupt_every);
        if (atomic_load(&wishes->fail_at) == number) {
            errno = EIO;
            return -1;
        }
        if (every && number % every == 0) {
            errno = EINTR;
            return -1;
        }
        every = atomic_load(&wishes->short_every);
        if (every && length > 1 && number % every == 0)
            length = 1 + number * 2654435761u % length;
    }
    return real(fd, buffer, length, offset);
}

ssize_t pread(int fd, void *buffer, size_t length, off_t offset)
{
    return pread64(fd, buffer, length, offset);
}
