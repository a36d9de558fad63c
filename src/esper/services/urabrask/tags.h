#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace esper::urabrask {

/// What a kernel is tagged by. Both figures are relative to the operators on the same shape, so
/// that kernels of different sizes can be compared.
struct TagFigures {
    double speed = 0;         ///< times the operators'
    double memory_ratio = 0;  ///< peak memory, in peaks of the operators
    double error_share = 0;   ///< of the largest error in what is allowed
};

/// The figures of other kernels on the same hardware.
struct TagPopulation {
    std::vector<double> speeds;
    std::vector<double> memory_ratios;
};
/// Fewer kernels than this make no percentiles.
inline constexpr std::size_t kFewestForPercentiles = 20;

/// high_speed for the fastest 20 %, medium_speed down to the slowest 30 %, low_speed for these;
/// high_memory for the largest 25 %, low_memory for the smallest 25 %. With fewer than
/// kFewestForPercentiles others: high_speed from twice the operators' speed, medium_speed from 1.03
/// times (what a run takes), low_speed below; high_memory above the operators' peak, low_memory up
/// to half of it. numerically_stable where at most half of the allowed error was used. A figure of
/// 0 was not measured and gives no tag.
std::vector<std::string> tags_of(const TagFigures& kernel, const TagPopulation& others);

}  // namespace esper::urabrask
