#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "esper/execution/kernels/child_process.h"
#include "esper/services/tezzeret/tezzeret_errors.h"

namespace esper::tezzeret {

/// A C++ compiler of this machine.
struct Compiler {
    std::filesystem::path path;
    std::string version;  ///< "g++ 12.2.0"
};

inline constexpr std::string_view kNoCompiler =
    "there is no g++ or clang++ in /usr/bin or /usr/local/bin";

/// The compilers found in the usual folders, g++ first. Empty on a machine without any. Each is
/// asked for its version, so they are looked for once in a process.
const std::vector<Compiler>& find_compilers();

/// The instruction set that kernels are compiled for here, by the processor's list of features.
struct TargetIsa {
    std::string name;  ///< avx512bf16, avx512, avx2 or baseline
    std::vector<std::string> flags;
    bool has_bf16_products = false;
};
TargetIsa this_machine();

/// The flags that say how much a compiler shall do, e.g. `-O2`.
using Optimisation = std::vector<std::string>;

struct Compiled {
    std::string object;  ///< the shared object's bytes
    double cpu_seconds = 0;
    std::string flags;  ///< as they were passed
    execution::SandboxLevel sandbox = execution::SandboxLevel::kLimits;
};

/// Compiles one source in a child (execution/kernels/child_process.h), or not at all below
/// `least_sandbox`. The same source, compiler and flags give the same bytes in any folder. Errors:
/// kCompileFailed, KernelError::kGuardUnavailable.
Result<Compiled> compile(const Compiler& compiler, const TargetIsa& isa, const std::string& source,
                         const Optimisation& optimisation = {"-O2"},
                         execution::SandboxLevel least_sandbox = execution::SandboxLevel::kLimits);

/// Every flag of compile() except the output, as it goes into an artifact's id.
std::vector<std::string> compiler_flags(const TargetIsa& isa, const Optimisation& optimisation);

}  // namespace esper::tezzeret
