#include "esper/base/fault_points.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "esper/base/random.h"
#include "esper/base/text.h"

namespace esper {
namespace {

/// Of the product. Many are constructed only when they are passed for the first time.
constexpr auto kProductPoints = std::to_array<std::string_view>(
    {"cache.disk.read", "cache.disk.write", "files.rename", "files.sync", "files.write",
     "seed.nan_gradient", "seed.nan_output", "seed.throw", "signature.openssl", "soak.leak",
     "soak.wrong_kernel", "urza.lost_commit_answer", "urza.network_file_system",
     "urza.no_connection", "urza.no_libpq"});

struct Rule {
    enum class Kind { kOnce, kFrom, kChance };
    Kind kind = Kind::kOnce;
    std::uint64_t pass = 0;
    double percent = 0;
    std::uint64_t seed = 0;
};

struct Point {
    std::optional<Rule> rule;
    std::uint64_t passes = 0;
    std::uint64_t fired = 0;
};

struct Registry {
    std::mutex mutex;
    std::set<std::string, std::less<>> names;
    std::map<std::string, Point, std::less<>> points;
};

// Never destroyed: code may pass fault points while static objects are being destroyed.
Registry& registry() {
    static auto* const instance = new Registry;
    return *instance;
}

bool decide(const Rule& rule, std::string_view name, std::uint64_t pass) {
    switch (rule.kind) {
        case Rule::Kind::kOnce:
            return pass == rule.pass;
        case Rule::Kind::kFrom:
            return pass >= rule.pass;
        case Rule::Kind::kChance:
            // Drawn per pass, so the result does not depend on other fault points.
            return RandomStream(rule.seed, name, pass).uniform() * 100.0 < rule.percent;
    }
    return false;
}

template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
    Number value{};
    const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

Result<std::pair<std::string, Rule>> parse_rule(std::string_view entry, std::uint64_t seed) {
    const auto refuse = [&] {
        return fail(FaultError::kBadSpec,
                    fmt::format("'{}' is no fault: expected name@N, name@N+ (N from 1) or name%P "
                                "(P from 0 to 100)",
                                entry));
    };
    const std::size_t mark = entry.find_first_of("@%");
    if (mark == std::string_view::npos || mark == 0) return refuse();
    std::string_view number = entry.substr(mark + 1);
    Rule rule;
    rule.seed = seed;
    if (entry[mark] == '%') {
        const auto percent = parse_number<double>(number);
        if (!percent || !(*percent >= 0 && *percent <= 100)) return refuse();
        rule.kind = Rule::Kind::kChance;
        rule.percent = *percent;
    } else {
        if (number.ends_with('+')) {
            rule.kind = Rule::Kind::kFrom;
            number.remove_suffix(1);
        }
        const auto pass = parse_number<std::uint64_t>(number);
        if (!pass || *pass == 0) return refuse();
        rule.pass = *pass;
    }
    return std::pair(std::string(entry.substr(0, mark)), rule);
}

}  // namespace

std::atomic<bool> FaultPoint::any_armed_{false};

FaultPoint::FaultPoint(const char* name) : name_(name) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    all.names.emplace(name);
}

bool FaultPoint::fires_slow() {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    Point& point = all.points[name_];
    ++point.passes;
    if (!point.rule || !decide(*point.rule, name_, point.passes)) return false;
    ++point.fired;
    return true;
}

Status FaultPoint::check() {
    if (!fires()) return {};
    return fail(FaultError::kInjected, fmt::format("fault point '{}' fired as armed", name_));
}

Status FaultPoints::arm(std::string_view spec, std::uint64_t seed) {
    std::vector<std::pair<std::string, Rule>> rules;
    for (const std::string& entry : split(spec, ',')) {
        ESPER_TRY(auto rule, parse_rule(entry, seed));
        rules.push_back(std::move(rule));
    }
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    for (auto& [name, rule] : rules) all.points[name] = Point{.rule = rule};
    FaultPoint::any_armed_.store(true, std::memory_order_relaxed);
    return {};
}

Status FaultPoints::arm_from_environment() {
    const char* spec = std::getenv("ESPER_FAULTS");
    if (spec == nullptr || *spec == '\0') return {};
    for (const std::string& entry : split(spec, ',')) {
        const std::string name = entry.substr(0, entry.find_first_of("@%"));
        const auto constructed = names();
        if (std::ranges::find(kProductPoints, name) == kProductPoints.end() &&
            std::ranges::find(constructed, name) == constructed.end())
            return fail(FaultError::kBadSpec,
                        fmt::format("ESPER_FAULTS: there is no fault point '{}'; there are: {}",
                                    name, fmt::join(kProductPoints, ", ")));
    }
    auto status = arm(spec);
    if (!status) return fail(status.error().within("ESPER_FAULTS"));
    return {};
}

void FaultPoints::disarm_all() {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    all.points.clear();
    FaultPoint::any_armed_.store(false, std::memory_order_relaxed);
}

std::uint64_t FaultPoints::passes(std::string_view name) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    const auto found = all.points.find(name);
    return found == all.points.end() ? 0 : found->second.passes;
}

std::uint64_t FaultPoints::fired(std::string_view name) {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    const auto found = all.points.find(name);
    return found == all.points.end() ? 0 : found->second.fired;
}

std::vector<std::string> FaultPoints::names() {
    Registry& all = registry();
    const std::lock_guard lock(all.mutex);
    return {all.names.begin(), all.names.end()};
}

}  // namespace esper
