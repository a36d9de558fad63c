#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "esper/execution/kernels/health_monitor.h"
#include "esper/execution/kernels/kernel_cache.h"
#include "esper/execution/kernels/kernel_guard.h"
#include "esper/execution/kernels/loaded_kernel.h"
#include "esper/execution/kernels/recovery.h"
#include "esper/execution/states/state_layout.h"

namespace esper::execution {

/// Where a kernel runs; docs/reliability-kernels.md lists the faults that each mode survives.
enum class ExecutionMode : std::uint8_t {
    kGuarded,    ///< always in a guard process
    kProbation,  ///< in a guard process for its first clean runs, then in this process
    kInProcess,  ///< in this process from the start
};

struct ExecutorOptions {
    ExecutionMode mode = ExecutionMode::kProbation;
    std::uint32_t probation_runs = 16;
    std::chrono::nanoseconds deadline = std::chrono::seconds(10);
    std::uint32_t strikes = 3;  ///< lesser faults after which a kernel is banned
    bool check_finite = true;
    std::filesystem::path guard_helper = {};  ///< empty: KernelGuard::default_helper()
};

/// One call of a seed's kernel. In each output, `data` is the memory to write to, shape and dtype
/// are the expected ones.
struct KernelCall {
    std::uint64_t kernel_id = 0;
    std::span<const KernelTensor> inputs;
    std::span<const KernelTensor> outputs;
    std::string layer = {};
    std::optional<std::uint32_t> seed = {};  ///< the row in the state table that counts faults
    std::uint32_t epoch = 0;
    std::optional<std::chrono::nanoseconds> deadline = {};
};

struct ExecutionReport {
    bool identity = false;  ///< the outputs are zeros: the seed adds nothing
    bool guarded = false;
    bool evicted = false;  ///< the kernel will never run again
    std::chrono::nanoseconds elapsed{0};
    std::optional<Error> error;  ///< the first error, also if a retry succeeded
    Recovery recovery;
};

struct ExecutorStats {
    std::uint64_t executions = 0, succeeded = 0, identities = 0, evicted = 0, guarded = 0;
    std::uint64_t latency_us_total = 0;
    std::unordered_map<std::string, std::uint64_t> errors;  ///< by name
};

/// Runs kernels. `run` never fails: afterwards the outputs hold the kernel's results, or zeros (a
/// seed is residual, so zeros leave the host's activation as it is), and training continues.
/// RecoveryManager handles errors. A kernel that crashed, hung or wrote out of bounds, or that had
/// three lesser faults, is banned, and its seed's row records the error. Thread-safe; calls of one
/// guarded kernel run one after another.
class KernelExecutor {
  public:
    KernelExecutor(KernelCache& cache, RecoveryManager& recovery, ExecutorOptions options = {},
                   StateTable* table = nullptr);

    ExecutionReport run(const KernelCall& call);
    ExecutorStats stats() const;
    /// For the health monitor.
    HealthReading reading() const;

  private:
    Status attempt(const KernelCall& call, bool& guarded);
    Status execute(LoadedKernel& kernel, const KernelCall& call, bool& guarded);
    Status run_guarded(LoadedKernel& kernel, const KernelCall& call,
                       std::chrono::nanoseconds deadline);
    void judge(const KernelCall& call, const Error& error, ExecutionReport& report);

    KernelCache& cache_;
    RecoveryManager& recovery_;
    const ExecutorOptions options_;
    StateTable* const table_;
    mutable std::mutex mutex_;
    ExecutorStats stats_;
    std::unordered_map<std::uint64_t, std::uint32_t> strikes_;
};

}  // namespace esper::execution
