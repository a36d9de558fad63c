#include "esper/base/process_usage.h"

#include <unistd.h>

#include <fstream>
#include <string>

namespace esper {

namespace {

std::uint64_t entries_of(const std::filesystem::path& folder) {
    std::uint64_t n = 0;
    std::error_code error;
    for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end;
         it.increment(error)) {
        ++n;
    }
    return n;
}

std::int64_t signed_difference(std::uint64_t later, std::uint64_t before) {
    return static_cast<std::int64_t>(later) - static_cast<std::int64_t>(before);
}

}  // namespace

Result<ProcessUsage> process_usage(const std::filesystem::path& proc) {
    std::uint64_t total_pages = 0;
    std::uint64_t resident_pages = 0;
    std::ifstream statm(proc / "statm");
    const std::uint64_t descriptors = entries_of(proc / "fd");
    const std::uint64_t threads = entries_of(proc / "task");
    if (!(statm >> total_pages >> resident_pages) || descriptors < 2 || threads == 0) {
        return fail(UsageError::kUnreadable,
                    proc.string() + " does not tell memory, descriptors and threads; mount /proc");
    }
    // Two of the descriptors are this function's own.
    return ProcessUsage{resident_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)),
                        descriptors - 2, threads};
}

Result<std::uint64_t> peak_resident_bytes(const std::filesystem::path& proc) {
    std::ifstream status(proc / "status");
    for (std::string word; status >> word;) {
        std::uint64_t kibibytes = 0;
        if (word == "VmHWM:" && status >> kibibytes) return kibibytes * 1024;
    }
    return fail(UsageError::kUnreadable, (proc / "status").string() + " has no line VmHWM");
}

double UsageTrend::bytes_per_unit() const {
    const std::size_t from = first();
    const auto n = static_cast<double>(samples_.size() - from);
    if (n < 2) return 0;
    double mean_x = 0;
    double mean_y = 0;
    for (std::size_t i = from; i < samples_.size(); ++i) {
        mean_x += samples_[i].done / n;
        mean_y += static_cast<double>(samples_[i].usage.resident_bytes) / n;
    }
    double xy = 0;
    double xx = 0;
    for (std::size_t i = from; i < samples_.size(); ++i) {
        const double dx = samples_[i].done - mean_x;
        xy += dx * (static_cast<double>(samples_[i].usage.resident_bytes) - mean_y);
        xx += dx * dx;
    }
    return xx > 0 ? xy / xx : 0;
}

double UsageTrend::growth_bytes() const {
    if (samples_.empty()) return 0;
    return bytes_per_unit() * (samples_.back().done - samples_[first()].done);
}

std::int64_t UsageTrend::descriptor_growth() const {
    if (samples_.empty()) return 0;
    return signed_difference(samples_.back().usage.descriptors,
                             samples_[first()].usage.descriptors);
}

std::int64_t UsageTrend::thread_growth() const {
    if (samples_.empty()) return 0;
    return signed_difference(samples_.back().usage.threads, samples_[first()].usage.threads);
}

}  // namespace esper
