#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "esper/program/types.h"

namespace esper::graph {

/// A boolean that is true in training and false in evaluation (for BatchNorm, dropout).
struct TrainingFlag {
    bool operator==(const TrainingFlag&) const = default;
};
/// Memory formats, as ATen knows them.
enum class MemoryFormat : std::uint8_t { kContiguous = 0, kPreserve = 1, kChannelsLast = 2 };

/// A fixed argument of an instruction. std::monostate is `none`.
using Constant = std::variant<std::monostate, TrainingFlag, bool, std::int64_t, double, std::string,
                              std::vector<std::int64_t>, std::vector<double>, std::vector<bool>,
                              DType, MemoryFormat>;

/// A list of values, some of which may be absent (Tensor?[]).
using ValueList = std::vector<std::optional<ValueId>>;

/// One argument of an instruction: a value, a list of values or a constant.
using Argument = std::variant<ValueId, ValueList, Constant>;

/// `none`, `train`, `true`, `-3`, `0.1`, `"x"`, `[1, 2]`, `[1.0]`, `[true]`, `f32`,
/// `channels_last`. Doubles have the digits that read back as the same bits.
std::string to_string(const Constant& constant);

}  // namespace esper::graph
