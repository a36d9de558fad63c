#include "esper/services/nissa/run_times.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>

#include "esper/base/files.h"
#include "esper/base/hash.h"
#include "esper/base/own_file.h"
#include "esper/base/text.h"
#include "esper/services/nissa/growing_file.h"
#include "esper/services/records/run_files.h"

namespace esper::nissa {

namespace {

constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

template <typename Number>
bool parse(std::string_view text, Number& number) {
    const auto* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, number);
    return error == std::errc{} && at == end;
}

// Two numbers between commas in each line; others are left out.
template <typename First>
std::vector<std::pair<First, std::int64_t>> pairs_in(const std::string& text) {
    std::vector<std::pair<First, std::int64_t>> pairs;
    for (const auto& line : split(text, '\n')) {
        const auto parts = split(line, ',');
        First first{};
        std::int64_t second = 0;
        if (parts.size() == 2 && parse(parts[0], first) && parse(parts[1], second))
            pairs.emplace_back(first, second);
    }
    return pairs;
}

std::int64_t nanoseconds(double seconds) { return static_cast<std::int64_t>(seconds * 1e9); }

}  // namespace

Result<RunTimes> RunTimes::read(const std::filesystem::path& run) {
    ESPER_TRY(const auto text, read_own_file(run / "metrics.csv", kMostBytes));
    ESPER_TRY(const auto rows, records::parse_metrics(text));
    RunTimes times;
    for (const auto& row : rows)
        if (row.seconds) times.epochs_.emplace_back(row.step, *row.seconds);
    const auto first = text.find('\n') + 1;
    times.fingerprint_ = text.substr(first, text.find('\n', first) - first);
    // Older runs knew only how long they took in all.
    if (const auto record = records::read_run_json(run); times.epochs_.empty() && record) {
        const auto wall = records::number_of(*record, "wall_seconds").value_or(0);
        for (const auto& row : rows)
            times.epochs_.emplace_back(
                row.step, wall * static_cast<double>(row.step) /
                              static_cast<double>(std::max<std::int64_t>(1, rows.back().step)));
        times.fingerprint_ += fmt::format("/{}", wall);
    }
    if (times.epochs_.empty())
        return fail(NissaError::kDamagedFile,
                    run.string() +
                        ": metrics.csv names no time yet; a run has one after its first "
                        "epoch");
    times.began_ns_ =
        look_at(run / "metrics.csv").changed_ns - nanoseconds(times.epochs_.back().second);
    if (const auto known = read_own_file(run / "event_times.csv", kMostBytes))
        for (const auto& [at, ns] : pairs_in<std::uint64_t>(*known)) times.events_[at] = ns;
    else if (!known.error().is(FileError::kNotFound))
        return fail(known.error());
    if (const auto known = read_own_file(run / records::kSessionsFile, kMostBytes))
        times.sessions_ = pairs_in<double>(*known);
    else if (!known.error().is(FileError::kNotFound))
        return fail(known.error());
    return times;
}

// What a session made again after a resume counts as the later one's.
std::int64_t RunTimes::after(double seconds) const {
    for (auto session = sessions_.rbegin(); session != sessions_.rend(); ++session)
        if (session->first <= seconds)
            return session->second + nanoseconds(seconds - session->first);
    return began_ns_ + nanoseconds(seconds);
}

std::int64_t RunTimes::of_event(std::uint64_t at, std::int64_t step) const {
    const auto known = events_.find(at);
    return known != events_.end() ? known->second : of_step(step);
}

std::int64_t RunTimes::of_step(std::int64_t step) const {
    const auto next =
        std::ranges::lower_bound(epochs_, step, {}, &decltype(epochs_)::value_type::first);
    if (next == epochs_.end()) return after(epochs_.back().second);
    const auto [s0, t0] = next == epochs_.begin() ? std::pair(std::int64_t{0}, 0.0) : *(next - 1);
    const double share =
        next->first == s0 ? 1.0
                          : static_cast<double>(step - s0) / static_cast<double>(next->first - s0);
    return after(t0 + std::clamp(share, 0.0, 1.0) * (next->second - t0));
}

std::string trace_id_of(const std::string& fingerprint, const std::string& seed) {
    return sha256(fingerprint + "/" + seed).hex().substr(0, 32);
}

}  // namespace esper::nissa
