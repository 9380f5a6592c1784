/* Stands in for the library of NVIDIA's driver, with two H100 whose order is not that of the bus.
 *
 * Built by the tests, which define FOLDER. There, the file "mode" holds a word that says how the driver fares, and
 * whoever holds a lock on the file "gate" lets each call hang. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { SUCCESS = 0, NOT_SUPPORTED = 3, NO_PERMISSION = 4, DRIVER_NOT_LOADED = 9, GPU_IS_LOST = 15, MISMATCH = 18 };

typedef struct {
    const char *bus;
    unsigned long long used;
    unsigned utilization, celsius, milliwatts;
} gpu;

typedef struct {
    char legacy_bus[16];
    unsigned domain, bus, device, pci_device, pci_sub_system;
    char bus_id[32];
} pci_info;

typedef struct {
    unsigned version;
    unsigned long long total, reserved, free, used;
} memory_info;

typedef struct {
    unsigned gpu, memory;
} utilization_rates;

static const unsigned long long TOTAL = 85520809984ULL;

static gpu gpus[2] = {
    {"00000000:5D:00.0", 76504104960ULL, 97, 61, 612345},
    {"00000000:19:00.0", 1073741824ULL, 0, 34, 69870},
};

static char mode[32];

static int is(const char *word) {
    return strcmp(mode, word) == 0;
}

/* Waits at the gate, and says how the driver fares. */
static int enter(void) {
    int gate = open(FOLDER "/gate", O_RDONLY);
    flock(gate, LOCK_SH);
    close(gate);
    FILE *file = fopen(FOLDER "/mode", "r");
    if (!file || fscanf(file, "%31s", mode) != 1) strcpy(mode, "normal");
    if (file) fclose(file);
    if (is("not_loaded")) return DRIVER_NOT_LOADED;
    if (is("mismatch")) return MISMATCH;
    return SUCCESS;
}

static int enter_for(const gpu *gpu) {
    int result = enter();
    if (result != SUCCESS) return result;
    if (is("all_lost") || (is("one_lost") && gpu == &gpus[1])) return GPU_IS_LOST;
    if (is("not_ours") && gpu == &gpus[1]) return NO_PERMISSION;
    return SUCCESS;
}

int nvmlInit_v2(void) {
    return enter();
}

int nvmlShutdown(void) {
    return SUCCESS;
}

int nvmlSystemGetDriverVersion(char *version, unsigned length) {
    snprintf(version, length, "570.124.06");
    return enter();
}

int nvmlDeviceGetCount_v2(unsigned *count) {
    int result = enter();
    *count = is("no_gpu") ? 0 : 2;
    return result;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, gpu **device) {
    *device = &gpus[index];
    return enter_for(*device);
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *bus, gpu **device) {
    *device = strcmp(bus, gpus[0].bus) == 0 ? &gpus[0] : &gpus[1];
    return enter_for(*device);
}

int nvmlDeviceGetPciInfo_v3(gpu *device, pci_info *info) {
    snprintf(info->bus_id, sizeof info->bus_id, "%s", device->bus);
    return enter_for(device);
}

int nvmlDeviceGetName(gpu *device, char *name, unsigned length) {
    snprintf(name, length, "NVIDIA H100 80GB HBM3");
    return enter_for(device);
}

int nvmlDeviceGetMemoryInfo_v2(gpu *device, memory_info *info) {
    int result = enter_for(device);
    info->total = TOTAL;
    info->used = is("busy") ? TOTAL : device->used;
    return result == SUCCESS && is("no_memory") ? NOT_SUPPORTED : result;
}

int nvmlDeviceGetUtilizationRates(gpu *device, utilization_rates *rates) {
    int result = enter_for(device);
    rates->gpu = is("odd") ? 65535 : device->utilization;
    return result == SUCCESS && is("memory_only") ? NOT_SUPPORTED : result;
}

int nvmlDeviceGetTemperature(gpu *device, int sensor, unsigned *celsius) {
    int result = enter_for(device);
    (void)sensor;
    *celsius = is("odd") ? 0xFFFFFFFF : device->celsius;
    return result == SUCCESS && is("memory_only") ? NOT_SUPPORTED : result;
}

int nvmlDeviceGetPowerUsage(gpu *device, unsigned *milliwatts) {
    int result = enter_for(device);
    *milliwatts = is("odd") ? 0xFFFFFFFF : device->milliwatts;
    return result == SUCCESS && is("memory_only") ? NOT_SUPPORTED : result;
}
