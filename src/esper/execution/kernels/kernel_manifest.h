#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "esper/contracts/enums.h"
#include "esper/contracts/timestamp.h"
#include "esper/execution/kernels/kernel_error.h"
#include "esper/execution/kernels/trust/trust_error.h"

namespace esper::execution {

/// The inputs that a kernel, or a verdict about it, is for: the sizes of one sample, e.g.
/// {64, 16, 16}, and the numbers of samples from `rows_min` to `rows_max`.
struct ShapeClass {
    std::vector<std::int64_t> sample;
    std::int64_t rows_min = 1;
    std::int64_t rows_max = 1;
    bool operator==(const ShapeClass&) const = default;

    bool covers(const ShapeClass& other) const {
        return sample == other.sample && rows_min <= other.rows_min && rows_max >= other.rows_max;
    }
};
/// `64x16x16, 1 to 4096 rows`.
std::string to_string(const ShapeClass& shape);

/// What the forge says of a kernel; its key signs the JSON text of it (kManifestType).
struct KernelManifest {
    std::string artifact;  ///< the kernel's id
    std::int64_t abi = 0;
    std::string branch;     ///< SHA-256 of the branch's Program: the blueprint's id
    std::string precision;  ///< fp32, bf16
    ShapeClass shape;
    std::string isa;                        ///< e.g. x86-64-v4
    std::vector<std::string> cpu_features;  ///< all it needs, as /proc/cpuinfo calls them
    contracts::CompilationPipeline pipeline = contracts::CompilationPipeline::kFast;
    std::string toolchain;
    std::vector<std::string> flags;
    int sandbox = 0;                           ///< the level that the compiler ran at, 0 to 3
    std::map<std::string, std::string> files;  ///< SHA-256 of each

    /// Equal manifests give equal text.
    std::string text() const;
    /// Errors: KernelError::kBadManifest.
    static Result<KernelManifest> parse(std::string_view text);
};

/// What the gauntlet says of a kernel; its key signs the JSON text of it (kVerdictType).
struct Verdict {
    std::string artifact;
    std::string manifest;  ///< SHA-256 of the manifest's text
    std::string report;    ///< SHA-256 of the report's text
    std::string hardware;  ///< where it was measured
    ShapeClass shape;      ///< what it was tried on
    bool passed = false;
    std::vector<std::string> tags;
    contracts::Timestamp at;

    std::string text() const;
    /// Errors: TrustError::kBadVerdict.
    static Result<Verdict> parse(std::string_view text);
};

/// The features of this machine's processor that /proc/cpuinfo lists, sorted.
const std::vector<std::string>& cpu_features_here();
/// The processor's name, e.g. for Verdict::hardware.
std::string hardware_here();
/// Those of `needed` that are not among `present`.
std::vector<std::string> missing_features(const std::vector<std::string>& needed,
                                          const std::vector<std::string>& present);

}  // namespace esper::execution
