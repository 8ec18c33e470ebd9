/* A stand-in for libsl_zed_c.so of ZED SDK 5.0, 5.1 or 5.2, for tests on machines with neither SDK
 * nor camera. It knows the structures by the byte offsets that the C interface's documentation
 * gives, and shares no declaration with the code under test: what it reads and writes through
 * `at` is what the real library would read and write.
 *
 * cc -shared -fPIC -DFLAVOUR=52 -DLOG='"calls.txt"' [-DCASE=...] stub.c
 */
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef VERSION
#if FLAVOUR == 50
#define VERSION "5.0.7"
#elif FLAVOUR == 51
#define VERSION "5.1.2"
#else
#define VERSION "5.2.1"
#endif
#endif
#ifndef OPEN_CODE /* what opening returns */
#define OPEN_CODE 0
#endif
#ifndef CLOSED_ON_WARNING /* the wrapper closes a camera that opened with a warning */
#define CLOSED_ON_WARNING 0
#endif
#ifndef CORRUPT_AT /* the grab that finds a damaged frame */
#define CORRUPT_AT -1
#endif
#ifndef END_AT /* the grab that finds the end of the file */
#define END_AT -1
#endif
#ifndef UNPLUG_AT /* the grab that finds the camera gone */
#define UNPLUG_AT -1
#endif
#ifndef UNPLUG_AFTER /* UNPLUG_AT counts from the call that is written down with these words */
#define UNPLUG_AFTER ""
#endif
#ifndef UNPLUG_CODE
#define UNPLUG_CODE 4
#endif
#ifndef ABSENT_OPENS /* how often opening fails after that */
#define ABSENT_OPENS 0
#endif
#ifndef REBOOTS /* grabs that say "rebooting" from UNPLUG_AT on, instead of being unplugged */
#define REBOOTS 0
#endif
#ifndef PAD /* bytes behind each row */
#define PAD 0
#endif
#ifndef OBJECTS
#define OBJECTS 1
#endif
#ifndef OVERRUN /* bytes written behind the sensors' structure */
#define OVERRUN 0
#endif
#ifndef REFUSED_SETTING /* the setting that the camera does not have */
#define REFUSED_SETTING -1
#endif
#ifndef ECHO_SHIFT /* bytes by which the parameters are misread */
#define ECHO_SHIFT 0
#endif

#define W 64
#define H 48
#define EXPORT __attribute__((visibility("default")))

static void put(void *base, size_t at, const void *value, size_t size) {
    memcpy((char *)base + at, value, size);
}
static void put_i32(void *base, size_t at, int32_t v) { put(base, at, &v, 4); }
static void put_f32(void *base, size_t at, float v) { put(base, at, &v, 4); }
static void put_u64(void *base, size_t at, uint64_t v) { put(base, at, &v, 8); }
static void put_u8(void *base, size_t at, uint8_t v) { put(base, at, &v, 1); }
static int32_t get_i32(const void *base, size_t at) {
    int32_t v;
    memcpy(&v, (const char *)base + at, 4);
    return v;
}
static float get_f32(const void *base, size_t at) {
    float v;
    memcpy(&v, (const char *)base + at, 4);
    return v;
}
static int get_u8(const void *base, size_t at) { return ((const uint8_t *)base)[at]; }

static unsigned char understood[84];
static bool opened;
static int grabs = -1, rebooted, opens, unplugged;
static int counted_from = -1;
static const uint64_t FIRST = 1700000000000000000ULL;

static void note(const char *line) {
    if (counted_from < 0 && strncmp(line, UNPLUG_AFTER, strlen(UNPLUG_AFTER)) == 0)
        counted_from = grabs < 0 ? 0 : grabs;
    FILE *file = fopen(LOG, "a");
    if (file) {
        fprintf(file, "%s\n", line);
        fclose(file);
    }
}

EXPORT char *sl_get_sdk_version(void) { return strdup(VERSION); }
EXPORT int sl_get_number_zed_connected(void) { return OPEN_CODE == 4 ? 0 : 1; }
EXPORT int sl_get_health_status(int id) { return id; }
#if FLAVOUR >= 51
EXPORT void sl_free(void *ptr) {
    note("free");
    free(ptr);
}
#endif
#if FLAVOUR >= 52
EXPORT int sl_open_camera_from_svo_file(int id) { return id; }
#endif
#ifdef FIND_USB_DEVICE
EXPORT int sl_find_usb_device(int id) { return id; }
#endif

EXPORT bool sl_create_camera(int id) { return id >= 0 && id < 20; }
EXPORT bool sl_is_opened(int id) {
    (void)id;
    return opened;
}
EXPORT void sl_close_camera(int id) {
    (void)id;
    opened = false;
    note("close");
}
EXPORT void sl_unload_instance(int id) { (void)id; }

EXPORT int sl_open_camera(int id, void *init, unsigned serial, const char *svo, const char *ip,
                          int port,
#if FLAVOUR >= 52
                          int gmsl_port,
#endif
                          const char *log, const char *settings, const char *calibration) {
    char line[512];
    (void)id;
#if FLAVOUR < 52
    int gmsl_port = 0;
#endif
    snprintf(line, sizeof line,
             "open input=%d resolution=%d fps=%d device=%d flip=%d depth=%d min=%g max=%g unit=%d "
             "serial=%u svo=%s ip=%s port=%d gmsl=%d log=%s settings=%s calibration=%s",
             get_i32(init, 0), get_i32(init, 4), get_i32(init, 8), get_i32(init, 12),
             get_i32(init, 16), get_i32(init, 24), get_f32(init, 32), get_f32(init, 36),
             get_i32(init, 40), serial, svo, ip, port, gmsl_port, log, settings, calibration);
    note(line);
    snprintf(line, sizeof line, "init validity=%d enhancement=%d timeout=%g working=%dx%d",
             get_u8(init, 72), get_u8(init, 57), get_f32(init, 60), get_i32(init, 76),
             get_i32(init, 80));
    note(line);
    opens++;
    if (opens > 1 && opens <= 1 + ABSENT_OPENS)
        return 4;
    memcpy(understood, init, sizeof understood);
    opened = OPEN_CODE == 0 || (OPEN_CODE < 0 && !CLOSED_ON_WARNING);
    return OPEN_CODE;
}

EXPORT void *sl_get_init_parameters(int id) {
    char *echo = calloc(1, sizeof understood + ECHO_SHIFT);
    (void)id;
    memcpy(echo + ECHO_SHIFT, understood, sizeof understood);
    return echo;
}

EXPORT int sl_grab(int id, void *runtime) {
    (void)id;
    usleep(1000);
    if (!opened)
        return 19;
    if (rebooted > 0 && rebooted < REBOOTS) {
        rebooted++;
        return -1;
    }
    grabs++;
    if (grabs == 0) {
        char line[128];
        snprintf(line, sizeof line, "runtime frame=%d depth=%d fill=%d confidence=%d texture=%d",
                 get_i32(runtime, 0), get_u8(runtime, 4), get_u8(runtime, 5), get_i32(runtime, 8),
                 get_i32(runtime, 12));
        note(line);
    }
    if (counted_from >= 0 && grabs == counted_from + UNPLUG_AT && !unplugged) {
        unplugged = 1;
        if (REBOOTS) {
            rebooted = 1;
            return -1;
        }
        return UNPLUG_CODE;
    }
    if (grabs == END_AT)
        return 14;
    if (grabs == CORRUPT_AT)
        return -2;
    return 0;
}

EXPORT int sl_get_width(int id) { return id * 0 + W; }
EXPORT int sl_get_height(int id) { return id * 0 + H; }
EXPORT float sl_get_camera_fps(int id) { return id * 0 + 30.0f; }
EXPORT int sl_get_zed_serial(int id) { return id * 0 + 38486288; }
EXPORT int sl_get_camera_model(int id) { return id * 0 + 3; }
EXPORT int sl_get_camera_firmware(int id) { return id * 0 + 1523; }
EXPORT unsigned long long sl_get_image_timestamp(int id) {
    (void)id;
    return FIRST + (uint64_t)grabs * 33333333ULL;
}
EXPORT unsigned sl_get_frame_dropped_count(int id) { return (unsigned)id * 0 + 7; }

struct mat {
    unsigned char *bytes;
    int step;
};
EXPORT void *sl_mat_create_new_empty(void) { return calloc(1, sizeof(struct mat)); }
EXPORT void sl_mat_free(void *mat, int mem) {
    (void)mem;
    free(((struct mat *)mat)->bytes);
    free(mat);
}
EXPORT int *sl_mat_get_ptr(void *mat, int mem) {
    (void)mem;
    return (int *)(void *)((struct mat *)mat)->bytes;
}
EXPORT int sl_mat_get_width(void *mat) { return ((struct mat *)mat)->bytes ? W : 0; }
EXPORT int sl_mat_get_height(void *mat) { return ((struct mat *)mat)->bytes ? H : 0; }
EXPORT int sl_mat_get_pixel_bytes(void *mat) {
    (void)mat;
    return 4;
}
EXPORT int sl_mat_get_step_bytes(void *mat, int mem) {
    (void)mem;
    return ((struct mat *)mat)->step;
}

static unsigned char *row(struct mat *mat, int y) {
    if (!mat->bytes) {
        mat->step = W * 4 + PAD;
        mat->bytes = malloc((size_t)mat->step * H);
        memset(mat->bytes, 0xEE, (size_t)mat->step * H);
    }
    return mat->bytes + (size_t)y * (size_t)mat->step;
}

EXPORT int sl_retrieve_image(int id, void *mat, int view, int mem, int w, int h, void *stream) {
    (void)id, (void)stream;
    if (mem != 0 || w != 0 || h != 0 || (view != 0 && view != 1))
        return 17;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            unsigned char *pixel = row(mat, y) + 4 * x;
            pixel[0] = (unsigned char)(grabs + 128 * view);
            pixel[1] = (unsigned char)x;
            pixel[2] = (unsigned char)y;
            pixel[3] = 255;
        }
    return 0;
}

EXPORT int sl_retrieve_measure(int id, void *mat, int measure, int mem, int w, int h, void *stream) {
    (void)id, (void)stream;
    if (mem != 0 || w != 0 || h != 0 || measure != 1)
        return 17;
    for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
            float value = 1000.0f + (float)x;
            if (x == 1)
                value = NAN;
            if (x == 2)
                value = INFINITY;
            if (x == 3)
                value = -INFINITY;
            put_f32(row(mat, y), 4 * (size_t)x, value);
        }
    return 0;
}

EXPORT int sl_enable_positional_tracking(int id, void *parameters, const char *area) {
    char line[256];
    (void)id;
    snprintf(line, sizeof line, "tracking w=%g memory=%d gravity=%d mode=%d area=%s",
             get_f32(parameters, 12), get_u8(parameters, 28), get_u8(parameters, 40),
             get_i32(parameters, 44), area);
    note(line);
    return 0;
}
EXPORT int sl_get_position_data(int id, void *pose, int frame) {
    (void)id, (void)frame;
    memset(pose, 0, 360);
    put_u8(pose, 0, 1);
    put_u64(pose, 8, FIRST);
    put_f32(pose, 28, 1.0f);
    put_f32(pose, 32, 10.0f);
    put_f32(pose, 36, 20.0f);
    put_f32(pose, 40, 30.0f);
    put_i32(pose, 44, 99);
    return 1;
}
EXPORT int sl_get_sensors_data(int id, void *sensors, int time) {
    (void)id;
    if (time != 0)
        return 17;
    memset(sensors, 0, 296);
    put_u8(sensors, 0, 1);
    put_u64(sensors, 8, FIRST + 5);
    for (int axis = 0; axis < 3; axis++) {
        put_f32(sensors, 16 + 4 * (size_t)axis, 1.0f + (float)axis);
        put_f32(sensors, 28 + 4 * (size_t)axis, 9.0f + (float)axis);
        put_f32(sensors, 216 + 16 + 4 * (size_t)axis, 40.0f + (float)axis);
    }
    put_f32(sensors, 64 + 12, 1.0f);
    put_u8(sensors, 192, 1);
    put_f32(sensors, 192 + 16, 1013.25f);
    put_u8(sensors, 216, 1);
    put_f32(sensors, 272, 31.5f);
    put_f32(sensors, 276, 30.5f);
    put_f32(sensors, 280, 35.0f);
    put_f32(sensors, 284, -100.0f);
    memset((char *)sensors + 296, 0, OVERRUN);
    return 0;
}

EXPORT int sl_enable_object_detection(int id, void *parameters) {
    char line[256];
    const char *onnx;
    (void)id;
    memcpy(&onnx, (char *)parameters + 24, sizeof onnx);
    snprintf(line, sizeof line, "detection instance=%d tracking=%d model=%d onnx=%s shape=%d filter=%d",
             get_i32(parameters, 0), get_u8(parameters, 4), get_i32(parameters, 8), onnx,
             get_i32(parameters, 32), get_i32(parameters, 56));
    note(line);
    return 0;
}

/* Object k: a 4 pixel square from (k % 60, 2), at 1 m plus k cm. */
static void corners(void *at, size_t offset, int k) {
    float left = (float)(k % 60), top = 2.0f;
    const float x[4] = {left, left + 4, left + 4, left}, y[4] = {top, top, top + 4, top + 4};
    for (size_t corner = 0; corner < 4; corner++) {
        put_f32(at, offset + 8 * corner, x[corner]);
        put_f32(at, offset + 8 * corner + 4, y[corner]);
    }
}

EXPORT int sl_retrieve_objects(int id, void *runtime, void *objects, unsigned instance) {
    (void)id;
    if (grabs == 0) {
        char line[128];
        snprintf(line, sizeof line, "objects instance=%u confidence=%g person=%d/%d vehicle=%d/%d",
                 instance, get_f32(runtime, 0), get_i32(runtime, 4), get_i32(runtime, 32),
                 get_i32(runtime, 8), get_i32(runtime, 36));
        note(line);
#if FLAVOUR >= 52
        snprintf(line, sizeof line, "hints %d %g %g", get_i32(runtime, 60), get_f32(runtime, 64),
                 get_f32(runtime, 216));
        note(line);
#endif
    }
    memset(objects, 0, 30632);
    put_i32(objects, 0, OBJECTS);
    for (int k = 0; k < OBJECTS && k < 75; k++) {
        char *object = (char *)objects + 32 + 408 * (size_t)k;
        put_i32(object, 0, k);
        put_i32(object, 44, 1000 + k);
        put_i32(object, 48, k == 1 ? 1 : 0);
        put_i32(object, 56, 1);
        put_i32(object, 60, k == 0 ? 1 : 0);
        put_f32(object, 64 + 8, 1000.0f + 10.0f * (float)k);
        put_f32(object, 76, 80.0f);
        corners(object, 88, k);
        put_f32(object, 132, k == 2 ? NAN : 5.0f);
        put_f32(object, 144, 600.0f);
    }
    return 0;
}

EXPORT int sl_enable_body_tracking(int id, void *parameters) {
    char line[128];
    (void)id;
    snprintf(line, sizeof line, "bodies instance=%d model=%d fitting=%d format=%d range=%g",
             get_i32(parameters, 0), get_i32(parameters, 8), get_u8(parameters, 12),
             get_i32(parameters, 16), get_f32(parameters, 24));
    note(line);
    return 0;
}
EXPORT int sl_retrieve_bodies(int id, void *runtime, void *bodies, unsigned instance) {
    (void)id, (void)runtime, (void)instance;
    memset(bodies, 0, 247232);
    put_i32(bodies, 0, 2);
    for (int k = 0; k < 2; k++) {
        char *body = (char *)bodies + 32 + 3296 * (size_t)k;
        put_i32(body, 0, 10 + k);
        put_i32(body, 44, 2);
        put_f32(body, 52 + 8, 2500.0f);
        put_f32(body, 100, 60.0f);
        corners(body, 112, 8 + k);
        put_f32(body, 156 + 4, 1750.0f);
    }
    return 0;
}

EXPORT int sl_set_camera_settings(int id, int setting, int value) {
    char line[64];
    (void)id;
    snprintf(line, sizeof line, "set %d %d", setting, value);
    note(line);
    return setting == REFUSED_SETTING ? 17 : 0;
}
EXPORT int sl_set_camera_settings_min_max(int id, int setting, int min, int max) {
    char line[64];
    (void)id;
    snprintf(line, sizeof line, "range %d %d %d", setting, min, max);
    note(line);
    return 0;
}
EXPORT int sl_set_roi_for_aec_agc(int id, int side, void *rect, bool reset) {
    char line[96];
    (void)id;
    snprintf(line, sizeof line, "roi %d %d,%d,%d,%d reset=%d", side, get_i32(rect, 0),
             get_i32(rect, 4), get_i32(rect, 8), get_i32(rect, 12), reset);
    note(line);
    return 0;
}
EXPORT int sl_enable_recording(int id, const char *file, int mode, unsigned bitrate, int fps,
                               bool transcode) {
    char line[256];
    (void)id;
    snprintf(line, sizeof line, "record %s mode=%d bitrate=%u fps=%d transcode=%d", file, mode,
             bitrate, fps, transcode);
    note(line);
    return mode == 4 ? 13 : 0;
}
EXPORT void sl_disable_recording(int id) {
    (void)id;
    note("stop recording");
}
