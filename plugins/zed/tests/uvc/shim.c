/* A ZED 2i in front of the C library, for machines without one: loaded before it, this takes the
 * calls on `<folder>/video0` and `<folder>/hidraw0` and behaves as the kernel's drivers do. What
 * polls is a real timer, so waiting is the kernel's own.
 *
 * The folder is the environment's ZED_SHIM; the environment also says what goes wrong:
 * ZED_SHIM_TORN=n makes picture n short, ZED_SHIM_UNPLUG=n removes the camera at picture n for
 * ZED_SHIM_AWAY openings, ZED_SHIM_USB2=1 puts it on USB 2, ZED_SHIM_DEAF=1 ignores writes,
 * ZED_SHIM_SILENT=1 sends nothing, ZED_SHIM_STEP=n sets the wall clock an hour ahead at picture n.
 * ZED_SHIM_SYSTEM=1 puts the folder in the place of /dev, and its
 * `sys` in that of /sys, for the devices' classes.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/hidraw.h>
#include <linux/uvcvideo.h>
#include <linux/videodev2.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BUFFERS 4
/* Nanoseconds from one picture to the next. */
#define PACE 10000000

static int video = -1, hid = -1, opens, away, frames, width, height;
static unsigned char *memory[BUFFERS];
static size_t length;
static bool queued[BUFFERS], drawn[BUFFERS], streaming, gone;
/* Filled and not yet taken, the oldest first. */
static struct {
    unsigned index, sequence;
    struct timespec at;
} filled[BUFFERS];
static unsigned waiting;
/* When the timer of the pictures was set to run, and how often it has run since, in ns. */
static uint64_t began, ticked;
static unsigned char registers[0x10000], result[384];
static unsigned reports;

static int setting(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static void note(const char *format, ...) {
    char path[512];
    va_list arguments;
    snprintf(path, sizeof path, "%s/calls", getenv("ZED_SHIM"));
    FILE *file = fopen(path, "a");
    if (!file)
        return;
    va_start(arguments, format);
    vfprintf(file, format, arguments);
    va_end(arguments);
    fputc('\n', file);
    fclose(file);
}

/* By the kernel itself, since programs ask for the time before they can look for other calls. */
int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    int step = setting("ZED_SHIM_STEP", -1);
    if (clock == CLOCK_REALTIME && step >= 0 && frames >= step)
        time->tv_sec += 3600;
    return result;
}

static int ticking(void) {
    struct itimerspec every = {{0, PACE}, {0, 1000000}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    timerfd_settime(fd, 0, &every, NULL);
    return fd;
}

/* The same for pictures, whose times are those of the timer, whenever somebody looks. */
static int filming(void) {
    struct itimerspec every = {{0, PACE}, {0, 0}};
    int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    clock_gettime(CLOCK_MONOTONIC, &every.it_value);
    began = (uint64_t)every.it_value.tv_sec * 1000000000 + (uint64_t)every.it_value.tv_nsec;
    ticked = 0;
    timerfd_settime(fd, TFD_TIMER_ABSTIME, &every, NULL);
    return fd;
}

/* Where a path of the system's devices leads. */
static const char *led(const char *path, char *room, size_t size) {
    const char *folder = getenv("ZED_SHIM");
    if (!folder || !setting("ZED_SHIM_SYSTEM", 0))
        return path;
    if (strncmp(path, "/sys/class/video4linux", 22) == 0 || strncmp(path, "/sys/class/hidraw", 17) == 0)
        snprintf(room, size, "%s%s", folder, path);
    else if (strcmp(path, "/dev/video0") == 0 || strcmp(path, "/dev/hidraw0") == 0)
        snprintf(room, size, "%s%s", folder, path + 4);
    else
        return path;
    return room;
}

int open64(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    char room[1024];
    va_list arguments;
    if (!real)
        real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open64");
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, int);
    va_end(arguments);
    return real(led(path, room, sizeof room), flags, mode);
}

DIR *opendir(const char *path) {
    static DIR *(*real)(const char *);
    char room[1024];
    if (!real)
        real = (DIR * (*)(const char *))dlsym(RTLD_NEXT, "opendir");
    return real(led(path, room, sizeof room));
}

int open(const char *path, int flags, ...) {
    static int (*real)(const char *, int, ...);
    const char *folder = getenv("ZED_SHIM");
    va_list arguments;
    if (!real)
        real = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    va_start(arguments, flags);
    mode_t mode = va_arg(arguments, int);
    va_end(arguments);
    char room[1024];
    path = led(path, room, sizeof room);
    size_t size = folder ? strlen(folder) : 0;
    if (!folder || strncmp(path, folder, size) != 0)
        return real(path, flags, mode);
    if (strcmp(path + size, "/hidraw0") == 0)
        return hid = ticking();
    if (strcmp(path + size, "/video0") != 0)
        return real(path, flags, mode);
    if (gone && away-- > 0) {
        errno = ENODEV;
        return -1;
    }
    gone = false;
    opens++;
    streaming = false;
    note("open %s", (flags & O_NONBLOCK) ? "nonblocking" : "blocking");
    return video = filming();
}

/* Numbers of closed files are used again, for others. */
int close(int fd) {
    static int (*real)(int);
    if (!real)
        real = (int (*)(int))dlsym(RTLD_NEXT, "close");
    if (fd >= 0 && fd == video) {
        video = -1;
        waiting = 0;
        memset(queued, 0, sizeof queued);
    }
    if (fd >= 0 && fd == hid)
        hid = -1;
    return real(fd);
}

static int fail(int reason) {
    errno = reason;
    return -1;
}

/* The registers that tests look at, by device and the address's lower half. */
static unsigned char *reg(const unsigned char *block) {
    return &registers[(block[1] * 0x3d + block[7] * 0x1f3 + block[8]) & 0xffff];
}

static int unit(struct uvc_xu_control_query *query) {
    unsigned size = setting("ZED_SHIM_USB2", 0) ? 64 : 384;
    if (query->unit != 4 || query->selector != 2)
        return fail(ENOENT);
    if (query->query == 0x85 && query->size == 2) {
        query->data[0] = size & 255;
        query->data[1] = size >> 8;
        return 0;
    }
    if (query->size != size)
        return fail(ENOBUFS);
    if (query->query == 0x81) {
        memcpy(query->data, result, size);
        return 0;
    }
    const unsigned char *block = query->data;
    memset(result, 0, sizeof result);
    if (block[0] == 0x50 && block[1] == 0x12)
        note("pin %d = %d", block[2], block[3]);
    else if (block[0] == 0x51 && block[1] == 0xa1)
        memcpy(result + 17, "OV\x38\x48\x62\x88", 6);
    else if (block[0] == 0x51)
        result[17] = *reg(block);
    else if (!setting("ZED_SHIM_DEAF", 0))
        *reg(block) = block[16];
    return 0;
}

/* What the camera has sent since the last look: every picture is counted, and goes into a buffer if
 * one is free. */
static void arrive(void) {
    uint64_t ticks;
    if (read(video, &ticks, 8) != 8)
        return;
    for (; ticks > 0; ticks--, ticked++, frames++)
        for (unsigned index = 0; index < BUFFERS; index++)
            if (queued[index]) {
                uint64_t at = began + ticked * PACE;
                queued[index] = false;
                filled[waiting].index = index;
                filled[waiting].sequence = (unsigned)frames;
                filled[waiting].at.tv_sec = (time_t)(at / 1000000000);
                filled[waiting++].at.tv_nsec = (long)(at % 1000000000);
                break;
            }
}

/* The picture in the folder's file `picture`, or two plain eyes. */
static void draw(unsigned char *pixels) {
    char path[512];
    snprintf(path, sizeof path, "%s/picture", getenv("ZED_SHIM"));
    FILE *file = fopen(path, "r");
    if (file) {
        if (fread(pixels, 1, length, file) != length)
            abort();
        fclose(file);
        return;
    }
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            unsigned char *pixel = pixels + 2 * ((size_t)y * (size_t)width + (size_t)x);
            pixel[0] = (unsigned char)(x < width / 2 ? 50 : 200);
            pixel[1] = (unsigned char)(x % 2 ? 140 : 110);
        }
}

static int take(struct v4l2_buffer *buffer) {
    if (!streaming || setting("ZED_SHIM_SILENT", 0))
        return fail(EAGAIN);
    arrive();
    int last = setting("ZED_SHIM_UNPLUG", -1);
    if (opens == 1 && last >= 0 && frames > last) {
        gone = true;
        away = setting("ZED_SHIM_AWAY", 2);
        return fail(ENODEV);
    }
    if (waiting == 0)
        return fail(EAGAIN);
    unsigned index = filled[0].index, sequence = filled[0].sequence;
    if (!drawn[index])
        draw(memory[index]);
    drawn[index] = true;
    memory[index][0] = (unsigned char)sequence;
    buffer->index = index;
    buffer->bytesused = (unsigned)length;
    if ((int)sequence == setting("ZED_SHIM_TORN", -1))
        buffer->bytesused = (unsigned)length / 2;
    buffer->flags = 0;
    buffer->timestamp.tv_sec = filled[0].at.tv_sec;
    buffer->timestamp.tv_usec = filled[0].at.tv_nsec / 1000;
    buffer->sequence = sequence;
    memmove(filled, filled + 1, --waiting * sizeof filled[0]);
    return 0;
}

int ioctl(int fd, unsigned long request, ...) {
    static int (*real)(int, unsigned long, ...);
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    if (!real)
        real = (int (*)(int, unsigned long, ...))dlsym(RTLD_NEXT, "ioctl");
    if (fd == hid && hid >= 0 && request == HIDIOCSFEATURE(2)) {
        unsigned char *report = argument;
        note("feature %02x %02x", report[0], report[1]);
        return 0;
    }
    if (fd != video || video < 0)
        return real(fd, request, argument);
    if (gone)
        return fail(ENODEV);
    switch (request) {
    case VIDIOC_QUERYCAP: {
        struct v4l2_capability *capability = argument;
        capability->capabilities = V4L2_CAP_DEVICE_CAPS;
        capability->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
        return 0;
    }
    case VIDIOC_S_FMT: {
        struct v4l2_format *format = argument;
        if (format->type != V4L2_BUF_TYPE_VIDEO_CAPTURE)
            return fail(EINVAL);
        width = (int)format->fmt.pix.width;
        height = (int)format->fmt.pix.height;
        format->fmt.pix.bytesperline = (unsigned)width * 2;
        format->fmt.pix.sizeimage = (unsigned)(width * height) * 2;
        length = format->fmt.pix.sizeimage;
        note("format %dx%d", width, height);
        return 0;
    }
    case VIDIOC_S_PARM: {
        struct v4l2_streamparm *parameters = argument;
        note("rate %u/%u", parameters->parm.capture.timeperframe.denominator,
             parameters->parm.capture.timeperframe.numerator);
        return 0;
    }
    case VIDIOC_REQBUFS:
        ((struct v4l2_requestbuffers *)argument)->count = BUFFERS;
        return 0;
    case VIDIOC_QUERYBUF: {
        struct v4l2_buffer *buffer = argument;
        buffer->m.offset = buffer->index * 0x1000000;
        buffer->length = (unsigned)length;
        return 0;
    }
    case VIDIOC_QBUF: {
        struct v4l2_buffer *buffer = argument;
        if (buffer->index >= BUFFERS || queued[buffer->index])
            return fail(EINVAL);
        queued[buffer->index] = true;
        return 0;
    }
    case VIDIOC_DQBUF:
        return take(argument);
    case VIDIOC_STREAMON: {
        uint64_t before;
        if (read(video, &before, 8) != 8)
            before = 0;
        ticked += before;
        streaming = true;
        return 0;
    }
    case VIDIOC_STREAMOFF:
        streaming = false;
        memset(queued, 0, sizeof queued);
        waiting = 0;
        note("stream off");
        return 0;
    case VIDIOC_S_CTRL: {
        struct v4l2_control *control = argument;
        note("control %#x = %d", control->id, control->value);
        return 0;
    }
    case UVCIOC_CTRL_QUERY:
        return unit(argument);
    }
    return fail(ENOTTY);
}

ssize_t read(int fd, void *bytes, size_t size) {
    static ssize_t (*real)(int, void *, size_t);
    unsigned char report[64] = {1};
    if (!real)
        real = (ssize_t (*)(int, void *, size_t))dlsym(RTLD_NEXT, "read");
    if (fd != hid || hid < 0)
        return real(fd, bytes, size);
    uint64_t ticks;
    if (real(fd, &ticks, 8) != 8)
        return fail(EAGAIN);
    int16_t gravity = 4096;
    memcpy(report + 18, &gravity, 2);
    report[2] = (unsigned char)reports++;
    memcpy(bytes, report, size < 64 ? size : 64);
    return 64;
}

static void *map(void *start, size_t size, int access, int flags, int fd, off_t offset) {
    static void *(*real)(void *, size_t, int, int, int, off_t);
    if (!real)
        real = (void *(*)(void *, size_t, int, int, int, off_t))dlsym(RTLD_NEXT, "mmap");
    if (fd != video || video < 0)
        return real(start, size, access, flags, fd, offset);
    flags = MAP_PRIVATE | MAP_ANONYMOUS;
    drawn[(offset / 0x1000000) % BUFFERS] = false;
    return memory[(offset / 0x1000000) % BUFFERS] = real(start, size, access, flags, -1, 0);
}

void *mmap(void *start, size_t size, int access, int flags, int fd, off_t offset) {
    return map(start, size, access, flags, fd, offset);
}
