#include "esper/base/processor.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <thread>

#include "esper/base/files.h"

namespace esper {

namespace {

std::vector<int> allowed_processors() {
    cpu_set_t set;
    std::vector<int> processors;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return processors;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(cpu, &set)) processors.push_back(cpu);
    return processors;
}

/// The features of the first processor, with a space before and behind each.
const std::string& features() {
    static const std::string list = ' ' + processor_info("flags") + ' ';
    return list;
}

}  // namespace

int physical_cores(const std::vector<int>& processors, const std::filesystem::path& topology) {
    std::set<std::string> cores;
    for (int cpu : processors) {
        const auto siblings = read_file(topology / ("cpu" + std::to_string(cpu)) / "topology" /
                                        "thread_siblings_list");
        if (!siblings || siblings->empty()) return 0;
        cores.insert(*siblings);
    }
    return static_cast<int>(cores.size());
}

int physical_cores() {
    const int cores = physical_cores(allowed_processors(), "/sys/devices/system/cpu");
    return cores > 0 ? cores : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
}

std::string processor_info(std::string_view name) {
    std::ifstream file("/proc/cpuinfo");
    for (std::string line; std::getline(file, line);) {
        const auto colon = line.find(':');
        if (line.starts_with(name) && colon != std::string::npos)
            return line.substr(std::min(colon + 2, line.size()));
    }
    return "";
}

bool has_avx512_bf16() { return features().find(" avx512_bf16 ") != std::string::npos; }

bool multiplies_bf16() {
    return has_avx512_bf16() || features().find(" amx_bf16 ") != std::string::npos;
}

}  // namespace esper
