#include "esper/execution/kernels/memory_pressure.h"

#include <charconv>
#include <fstream>
#include <sstream>
#include <string>

namespace esper::execution {
namespace {

std::string content_of(const char* path) {
    std::ifstream in(path);
    std::ostringstream text;
    text << in.rdbuf();
    return text.str();
}

std::optional<double> number_in(std::string_view text) {
    const std::size_t start = text.find_first_of("0123456789");
    if (start == std::string_view::npos) return std::nullopt;
    double value = 0;
    const auto r = std::from_chars(text.data() + start, text.data() + text.size(), value);
    return r.ec == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<double> line_of(std::string_view meminfo, std::string_view name) {
    const std::size_t at = meminfo.find(name);
    if (at == std::string_view::npos) return std::nullopt;
    const std::string_view rest = meminfo.substr(at + name.size());
    return number_in(rest.substr(0, rest.find('\n')));
}

}  // namespace

MemoryPressure PressureLadder::update(double share) {
    auto rung = [&](double slack) {
        if (share >= thresholds_.eager_fallback - slack) return MemoryPressure::kEagerFallback;
        if (share >= thresholds_.degrade_telemetry - slack) {
            return MemoryPressure::kDegradeTelemetry;
        }
        if (share >= thresholds_.shrink_cache - slack) return MemoryPressure::kShrinkCache;
        return MemoryPressure::kNone;
    };
    const MemoryPressure up = rung(0);
    const MemoryPressure down = rung(thresholds_.margin);
    if (up > level_) level_ = up;
    if (down < level_) level_ = down;
    return level_;
}

std::optional<double> memory_in_use(std::string_view group_current, std::string_view group_max,
                                    std::string_view meminfo) {
    const auto current = number_in(group_current), limit = number_in(group_max);
    if (current && limit && *limit > 0) return *current / *limit;
    const auto total = line_of(meminfo, "MemTotal:"), available = line_of(meminfo, "MemAvailable:");
    if (total && available && *total > 0) return 1 - *available / *total;
    return std::nullopt;
}

std::optional<double> memory_in_use() {
    return memory_in_use(content_of("/sys/fs/cgroup/memory.current"),
                         content_of("/sys/fs/cgroup/memory.max"), content_of("/proc/meminfo"));
}

}  // namespace esper::execution
