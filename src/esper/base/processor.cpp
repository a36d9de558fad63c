#include "esper/base/processor.h"

#include <sched.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <string>
#include <thread>

namespace esper {

int physical_cores() {
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    if (sched_getaffinity(0, sizeof(allowed), &allowed) != 0)
        return static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    // Hardware threads of one core name the same siblings.
    std::set<std::string> cores;
    int unknown = 0;
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
        if (!CPU_ISSET(cpu, &allowed)) continue;
        std::ifstream file("/sys/devices/system/cpu/cpu" + std::to_string(cpu) +
                           "/topology/thread_siblings_list");
        std::string siblings;
        if (std::getline(file, siblings) && !siblings.empty()) {
            cores.insert(siblings);
        } else {
            ++unknown;
        }
    }
    return std::max(1, static_cast<int>(cores.size()) + unknown);
}

bool multiplies_bf16() {
    static const bool answer = [] {
        std::ifstream file("/proc/cpuinfo");
        for (std::string line; std::getline(file, line);) {
            if (!line.starts_with("flags")) continue;
            line += ' ';
            return line.find(" avx512_bf16 ") != std::string::npos ||
                   line.find(" amx_bf16 ") != std::string::npos;
        }
        return false;
    }();
    return answer;
}

}  // namespace esper
