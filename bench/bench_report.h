#pragma once
// Writes a benchmark's results: a JSON file (docs/benchmarks.md) and a Markdown table.

#include <fmt/format.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "bench_stats.h"
#include "esper/version.h"

namespace bench {

/// Whether smaller values (times) or larger ones (rates) are better.
enum class Better { kLower, kHigher };

struct Row {
    std::string name;
    std::string unit;
    std::string against;  ///< name of the peer
    double ours = 0;
    double peer = 0;
    double ours_p99 = 0;
    Estimate ratio;
    std::size_t n = 0;
    Better better = Better::kLower;
};

/// Collects rows and writes them. A ratio above 1 means that ours is better.
///
///     bench::Report report("contracts");
///     auto s = bench::interleave(200, 100, ours, peer);
///     report.add_pairs("encode", "ns", s, "nlohmann");
///     report.add_goal("encode p50", "ns", s.ours, 50);
///     return report.finish(argc, argv);   // --json PATH
class Report {
  public:
    explicit Report(std::string name) : name_(std::move(name)) {}

    void set_version(std::string what, std::string version) {
        versions_.emplace_back(std::move(what), std::move(version));
    }

    /// Adds a comparison from interleaved pairs: ours[i] and peer[i] were measured back to back.
    /// The ratio is the median of the paired ratios.
    void add_pairs(std::string name, std::string unit, const Samples& s, std::string against,
                   Better better = Better::kLower) {
        std::vector<double> ratios;
        for (std::size_t i = 0; i < s.ours.size(); ++i) {
            ratios.push_back(better == Better::kLower ? s.peer[i] / s.ours[i]
                                                      : s.ours[i] / s.peer[i]);
        }
        const double tail = better == Better::kLower ? 0.99 : 0.01;
        rows_.push_back({std::move(name), std::move(unit), std::move(against), median(s.ours),
                         median(s.peer), quantile(s.ours, tail), bootstrap(ratios, median),
                         ratios.size(), better});
    }

    /// Adds a comparison with a goal. `q` is the quantile that the goal is for.
    void add_goal(std::string name, std::string unit, std::span<const double> ours, double goal,
                  double q = 0.5, Better better = Better::kLower) {
        auto statistic = [q](const std::vector<double>& v) { return quantile(v, q); };
        const Estimate e = bootstrap(ours, statistic);
        Estimate ratio;
        if (better == Better::kLower) {
            ratio = {goal / e.value, goal / e.high, goal / e.low};
        } else {
            ratio = {e.value / goal, e.low / goal, e.high / goal};
        }
        const double tail = better == Better::kLower ? 0.99 : 0.01;
        rows_.push_back({std::move(name), std::move(unit), "goal", e.value, goal,
                         quantile({ours.begin(), ours.end()}, tail), ratio, ours.size(), better});
    }

    const std::vector<Row>& rows() const { return rows_; }

    /// Prints the table; with `--json PATH` among the arguments also writes the file.
    int finish(int argc, char** argv) const {
        print();
        for (int i = 1; i + 1 < argc; ++i) {
            if (std::strcmp(argv[i], "--json") == 0 && !write(argv[i + 1])) {
                fmt::print(stderr, "cannot write {}\n", argv[i + 1]);
                return 1;
            }
        }
        return 0;
    }

    void print() const {
        fmt::print("{}: {}, {} threads, {}, commit {}\n\n", name_, cpu(),
                   std::thread::hardware_concurrency(), compiler(), commit());
        fmt::print("| case | ours | p99 | peer | against | unit | ratio | 95 % | n |\n");
        fmt::print("| --- | ---: | ---: | ---: | --- | --- | ---: | --- | ---: |\n");
        for (const Row& r : rows_) {
            fmt::print(
                "| {} | {:.4g} | {:.4g} | {:.4g} | {} | {} | {:.3f} | {:.3f}–{:.3f} | {} |\n",
                r.name, r.ours, r.ours_p99, r.peer, r.against, r.unit, r.ratio.value, r.ratio.low,
                r.ratio.high, r.n);
        }
    }

    bool write(const std::filesystem::path& path) const {
        if (path.has_parent_path()) std::filesystem::create_directories(path.parent_path());
        std::ofstream out(path);
        out << json() << "\n";
        return static_cast<bool>(out.flush());
    }

    std::string json() const {
        std::string versions =
            fmt::format("\"esper\": {}, \"compiler\": {}", q(ESPER_VERSION), q(compiler()));
        for (const auto& [what, version] : versions_) {
            versions += fmt::format(", {}: {}", q(what), q(version));
        }
        std::string rows;
        for (const Row& r : rows_) {
            if (!rows.empty()) rows += ",\n    ";
            rows += fmt::format(
                "{{\"case\": {}, \"ours\": {}, \"peer\": {}, \"unit\": {}, \"ratio\": {}, "
                "\"ci_low\": {}, \"ci_high\": {}, \"n\": {}, \"against\": {}, \"ours_p99\": {}, "
                "\"better\": {}}}",
                q(r.name), r.ours, r.peer, q(r.unit), r.ratio.value, r.ratio.low, r.ratio.high, r.n,
                q(r.against), r.ours_p99, q(r.better == Better::kLower ? "lower" : "higher"));
        }
        return fmt::format(
            "{{\n  \"name\": {},\n  \"machine\": {{\"cpu\": {}, \"cores\": {}, \"threads\": {}}},\n"
            "  \"versions\": {{{}}},\n  \"commit\": {},\n  \"rows\": [\n    {}\n  ]\n}}",
            q(name_), q(cpu()), cores(), std::thread::hardware_concurrency(), versions, q(commit()),
            rows);
    }

  private:
    static std::string q(std::string_view s) {
        std::string out = "\"";
        for (char c : s) {
            if (c == '"' || c == '\\') out += '\\';
            out += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
        }
        return out + "\"";
    }

    static std::string cpuinfo(std::string_view key) {
        std::ifstream in("/proc/cpuinfo");
        for (std::string line; std::getline(in, line);) {
            const auto colon = line.find(": ");
            if (line.starts_with(key) && colon != std::string::npos) return line.substr(colon + 2);
        }
        return "unknown";
    }
    static std::string cpu() { return cpuinfo("model name"); }
    static int cores() {
        const std::string n = cpuinfo("cpu cores");
        return n == "unknown" ? static_cast<int>(std::thread::hardware_concurrency())
                              : std::atoi(n.c_str());
    }
    static std::string compiler() {
#ifdef __clang__
        return std::string("clang ") + __clang_version__;
#else
        return std::string("g++ ") + __VERSION__;
#endif
    }
    static std::string commit() {
        const std::unique_ptr<FILE, int (*)(FILE*)> pipe(
            popen("git -C '" ESPER_SOURCE_DIR
                  "' describe --always --dirty --exclude='*' --abbrev=12 2>/dev/null",
                  "r"),
            pclose);
        std::array<char, 128> line{};
        if (!pipe || !std::fgets(line.data(), line.size(), pipe.get())) return "unknown";
        std::string s(line.data());
        while (!s.empty() && s.back() == '\n') s.pop_back();
        return s.empty() ? "unknown" : s;
    }

    std::string name_;
    std::vector<std::pair<std::string, std::string>> versions_;
    std::vector<Row> rows_;
};

}  // namespace bench
