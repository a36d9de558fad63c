#pragma once
// program: the Program, which represents every model and blueprint; building, edits, hash, forms.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/error.h"
#include "esper/base/ids.h"

namespace esper::graph {

#define ESPER_GRAPH_ERRORS(X)                                                                     \
    X(kUnknownOperator, kData)      /* the installed libtorch has no such operator */             \
    X(kForbiddenOperator, kData)    /* not on the allow-list of blueprints */                     \
    X(kBadArguments, kData)         /* arity or kinds do not fit the operator's schema */         \
    X(kUndefinedValue, kData)       /* a value is used before its definition, or has none */      \
    X(kDuplicateName, kData)        /* two values, anchors or outputs share a name */             \
    X(kUnknownName, kUsage)         /* no parameter, anchor, seed or input of that name */        \
    X(kTooLarge, kData)             /* beyond the limits on sizes and counts */                   \
    X(kMalformed, kData)            /* text or bytes that are not a Program */                    \
    X(kWrongVersion, kData)         /* written by a schema this build does not read */            \
    X(kShapeMismatch, kData)        /* tensors do not fit each other or the declaration */        \
    X(kBrokenChain, kVerification)  /* a journal's hashes do not follow from each other */        \
    X(kHashMismatch, kVerification) /* content does not have the hash it claims */                \
    X(kIllegalEdit, kUsage)         /* the edit cannot be applied to this Program */              \
    X(kNotDifferentiable, kUsage)   /* nothing to differentiate, or an output without gradient */ \
    X(kExecution, kRuntime)         /* an operator threw while running */
ESPER_DEFINE_ERRORS(GraphError, "graph", ESPER_GRAPH_ERRORS)

/// A value of a Program: an input, parameter, buffer, control or result. Dense numbers, valid only
/// within one Program; to compare Programs use names and hashes.
using ValueId = StrongId<struct ValueTag>;

/// Element types; the numbers are part of the binary format.
enum class DType : std::uint8_t {
    kFloat32 = 0,
    kBFloat16 = 1,
    kFloat16 = 2,
    kFloat64 = 3,
    kInt64 = 4,
    kInt32 = 5,
    kInt16 = 6,
    kInt8 = 7,
    kUInt8 = 8,
    kBool = 9,
};
inline constexpr int kDTypeCount = 10;

/// `f32`, `bf16`, `f16`, `f64`, `i64`, `i32`, `i16`, `i8`, `u8`, `bool`.
std::string_view dtype_name(DType dtype);
std::optional<DType> dtype_from_name(std::string_view name);
std::size_t dtype_size(DType dtype);

/// Element type and sizes; -1 is a free size, which each batch decides (batch, time).
struct TensorType {
    DType dtype = DType::kFloat32;
    std::vector<std::int64_t> shape;
    bool operator==(const TensorType&) const = default;
    /// Number of elements; free sizes count as 1.
    std::int64_t numel() const;
};
/// `f32[?, 3, 32, 32]`.
std::string to_string(const TensorType& type);

/// Limits for every Program; they protect readers of foreign files.
struct Limits {
    static constexpr std::size_t kMaxInstructions = 1'000'000;
    static constexpr std::size_t kMaxValues = 4'000'000;
    static constexpr std::size_t kMaxArguments = 4096;
    static constexpr std::size_t kMaxRank = 16;
    static constexpr std::int64_t kMaxElements = std::int64_t{1} << 40;
    static constexpr std::size_t kMaxNameLength = 1024;
    /// Length of a string constant in bytes.
    static constexpr std::size_t kMaxStringLength = 65536;
    static constexpr std::size_t kMaxBytes = std::size_t{1} << 30;
};

}  // namespace esper::graph
