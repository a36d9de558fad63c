#include "esper/services/tolaria/data/stratified_split.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <string>

#include "esper/base/random.h"

namespace esper::tolaria {
namespace {

constexpr std::array<Part, 3> kDrawnParts = {Part::kProbe, Part::kValidation, Part::kTest};

void shuffle(std::vector<std::uint32_t>& rows, std::uint64_t seed, std::uint32_t index) {
    RandomStream stream(seed, "data.split", 0, index);
    const auto order = random_permutation(stream, static_cast<std::uint32_t>(rows.size()));
    std::vector<std::uint32_t> shuffled(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i) shuffled[i] = rows[order[i]];
    rows = std::move(shuffled);
}

// A share too small for one example of its own takes one of the largest part.
void give_one(PartRows& parts, const Split& split) {
    for (const Part part : kDrawnParts) {
        auto& rows = parts[static_cast<std::size_t>(part)];
        if (!rows.empty() || split.share(part) <= 0) continue;
        auto& largest = *std::ranges::max_element(
            parts, [](const auto& a, const auto& b) { return a.size() < b.size(); });
        if (largest.size() < 2) continue;
        rows.push_back(largest.back());
        largest.pop_back();
    }
}

}  // namespace

Result<PartRows> split_rows(std::span<const std::uint32_t> groups, const Split& split) {
    ESPER_CHECK_STATUS(check_split(split));
    std::map<std::uint32_t, std::vector<std::uint32_t>> members;
    for (std::uint32_t i = 0; i < groups.size(); ++i) members[groups[i]].push_back(i);
    PartRows parts;
    // What each part is still owed, so that rounding does not add up over many small groups.
    std::array<double, kPartCount> owed{};
    std::uint32_t index = 0;
    for (auto& [group, rows] : members) {
        shuffle(rows, split.seed, index++);
        std::size_t from = 0;
        for (const Part part : kDrawnParts) {
            const auto p = static_cast<std::size_t>(part);
            owed[p] += split.share(part) * static_cast<double>(rows.size());
            // One of each group stays for train.
            const auto left = rows.size() - from > 1 ? rows.size() - from - 1 : 0;
            const auto take = std::min(left, static_cast<std::size_t>(owed[p] + 1e-9));
            parts[p].insert(parts[p].end(), rows.begin() + static_cast<std::ptrdiff_t>(from),
                            rows.begin() + static_cast<std::ptrdiff_t>(from + take));
            owed[p] -= static_cast<double>(take);
            from += take;
        }
        parts[0].insert(parts[0].end(), rows.begin() + static_cast<std::ptrdiff_t>(from),
                        rows.end());
    }
    give_one(parts, split);
    for (const Part part : kAllParts) {
        auto& rows = parts[static_cast<std::size_t>(part)];
        const bool wanted = part == Part::kTrain || split.share(part) > 0;
        if (wanted && rows.empty())
            return fail(DataError::kTooSmall,
                        fmt::format("{} examples are too few for four parts: the {} part is empty; "
                                    "give more data",
                                    groups.size(), to_text(part)));
        shuffle(rows, split.seed, index++);
    }
    if (split.train_examples != 0 && parts[0].size() > split.train_examples)
        parts[0].resize(split.train_examples);
    return parts;
}

std::vector<std::uint32_t> tenths(std::span<const double> values) {
    std::vector<std::uint32_t> order(values.size());
    std::iota(order.begin(), order.end(), 0U);
    std::ranges::stable_sort(order, [&](auto a, auto b) { return values[a] < values[b]; });
    std::vector<std::uint32_t> groups(values.size());
    for (std::size_t rank = 0; rank < order.size(); ++rank)
        groups[order[rank]] = static_cast<std::uint32_t>(rank * 10 / order.size());
    return groups;
}

std::vector<std::uint32_t> groups_of_labels(std::span<const std::uint8_t> holds,
                                            std::size_t labels) {
    constexpr std::size_t kOften = 10;
    std::map<std::string, std::vector<std::uint32_t>> rows;
    for (std::size_t row = 0; row * labels < holds.size(); ++row) {
        const auto own = holds.subspan(row * labels, labels);
        rows[std::string(own.begin(), own.end())].push_back(static_cast<std::uint32_t>(row));
    }
    std::vector<std::uint32_t> groups(holds.size() / labels, 0);
    std::uint32_t next = 1;
    for (const auto& [combination, members] : rows) {
        if (members.size() < kOften) continue;
        for (const auto row : members) groups[row] = next;
        ++next;
    }
    return groups;
}

}  // namespace esper::tolaria
