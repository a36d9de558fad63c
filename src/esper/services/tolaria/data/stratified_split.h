#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "esper/services/tolaria/data/split.h"

namespace esper::tolaria {

/// The example numbers of each part.
using PartRows = std::array<std::vector<std::uint32_t>, kPartCount>;

/// Divides examples 0 … groups.size()-1 by the shares, each group (class) like the whole, within
/// one example. The parts are disjoint; what the shares leave over is train's. A pure function of
/// its arguments: split.seed chooses which examples. Within a part the order is random. Each part
/// that has a share gets at least one example. Errors: kBadOption for bad shares; kTooSmall where a
/// part would be empty.
Result<PartRows> split_rows(std::span<const std::uint32_t> groups, const Split& split);

/// Groups for a number that is predicted: its tenths, by rank.
std::vector<std::uint32_t> tenths(std::span<const double> values);

/// Groups for several labels: `holds` has one byte a label for each example, 1 where it holds. The
/// same labels are a group where they come often enough to be divided; the others are one group.
std::vector<std::uint32_t> groups_of_labels(std::span<const std::uint8_t> holds,
                                            std::size_t labels);

}  // namespace esper::tolaria
