#include "esper/execution/kernels/kernel_executor.h"

#include <fmt/format.h>

#include <cstring>

#include "esper/base/fault_points.h"

namespace esper::execution {
namespace {

using Steady = std::chrono::steady_clock;

/// A fault point for each class of error, so that tests can trigger every strategy.
struct Injection {
    FaultPoint point;
    KernelError error;
};
Injection injections[] = {
    {FaultPoint("executor.execution"), KernelError::kReturnedError},
    {FaultPoint("executor.loading"), KernelError::kNotLoadable},
    {FaultPoint("executor.validation"), KernelError::kNotFinite},
    {FaultPoint("executor.memory"), KernelError::kOutOfMemory},
    {FaultPoint("executor.device"), KernelError::kDevice},
    {FaultPoint("executor.network"), KernelError::kNetwork},
    {FaultPoint("executor.timeout"), KernelError::kTimedOut},
    {FaultPoint("executor.unknown"), KernelError::kUnknown},
};
FaultPoint breaker_injection{"executor.breaker"};

Status injected() {
    for (Injection& i : injections) {
        if (i.point.fires()) {
            return fail(i.error, fmt::format("injected: {}", i.point.name()));
        }
    }
    if (breaker_injection.fires()) {
        return fail(RecoveryError::kBreakerOpen, "injected: executor.breaker");
    }
    return {};
}

/// Faults after which the kernel's process cannot be trusted any more.
bool is_fatal(const Error& e) {
    return e.is(KernelError::kCrashed) || e.is(KernelError::kExited) ||
           e.is(KernelError::kTimedOut) || e.is(KernelError::kOverrun);
}
/// Faults of the kernel itself, not of its environment.
bool is_kernels_own(const Error& e) {
    return is_fatal(e) || e.is(KernelError::kReturnedError) || e.is(KernelError::kWrongShape) ||
           e.is(KernelError::kWrongDtype) || e.is(KernelError::kNotFinite);
}

void write_identity(std::span<const KernelTensor> outputs) {
    for (const KernelTensor& t : outputs) {
        if (t.bytes() > 0) std::memset(t.data, 0, static_cast<std::size_t>(t.bytes()));
    }
}

}  // namespace

KernelExecutor::KernelExecutor(KernelCache& cache, RecoveryManager& recovery,
                               ExecutorOptions options, StateTable* table)
    : cache_(cache),
      recovery_(recovery),
      options_([&] {
          if (options.guard_helper.empty()) options.guard_helper = KernelGuard::default_helper();
          return std::move(options);
      }()),
      table_(table) {}

Status KernelExecutor::run_guarded(LoadedKernel& kernel, const KernelCall& call,
                                   std::chrono::nanoseconds deadline) {
    LoadedKernel::Runtime& runtime = kernel.runtime();
    std::lock_guard lock(runtime.mutex);
    if (!runtime.guard || !runtime.guard->alive()) {
        runtime.guard.reset();
        ESPER_TRY(runtime.guard,
                  KernelGuard::start(kernel.image_fd(), options_.guard_helper, deadline));
    }
    ESPER_CHECK_STATUS(runtime.guard->run(call.inputs, call.outputs, deadline));
    return {};
}

Status KernelExecutor::execute(LoadedKernel& kernel, const KernelCall& call, bool& guarded) {
    const auto deadline = call.deadline.value_or(options_.deadline);
    LoadedKernel::Runtime& runtime = kernel.runtime();
    guarded = options_.mode == ExecutionMode::kGuarded ||
              (options_.mode == ExecutionMode::kProbation &&
               runtime.clean_runs.load(std::memory_order_acquire) < options_.probation_runs);
    if (guarded) {
        ESPER_CHECK_STATUS(run_guarded(kernel, call, deadline));
    } else {
        ESPER_CHECK_STATUS(kernel.enter_process());
        const auto start = Steady::now();
        ESPER_CHECK_STATUS(kernel.run(call.inputs, call.outputs));
        if (const auto late = Steady::now() - start - deadline; late.count() > 0) {
            return fail(KernelError::kTimedOut,
                        fmt::format("{} came {} ms after its deadline; its output is not used",
                                    kernel.artifact_id(), late.count() / 1'000'000));
        }
    }
    if (options_.check_finite) {
        for (const KernelTensor& t : call.outputs) ESPER_CHECK_STATUS(check_finite(t));
    }
    if (guarded &&
        runtime.clean_runs.fetch_add(1, std::memory_order_acq_rel) + 1 == options_.probation_runs &&
        options_.mode == ExecutionMode::kProbation) {
        std::lock_guard lock(runtime.mutex);
        runtime.guard.reset();
    }
    return {};
}

Status KernelExecutor::attempt(const KernelCall& call, bool& guarded) {
    ESPER_CHECK_STATUS(check_call(call.inputs, call.outputs));
    ESPER_CHECK_STATUS(injected());
    ESPER_TRY(const KernelPin pin, cache_.get(call.kernel_id));
    auto* kernel = dynamic_cast<LoadedKernel*>(pin.get());
    if (kernel == nullptr) {
        return fail(KernelError::kNotLoadable, "the cache's source makes no loaded kernels");
    }
    return execute(*kernel, call, guarded);
}

void KernelExecutor::judge(const KernelCall& call, const Error& error, ExecutionReport& report) {
    bool evict = is_fatal(error);
    {
        std::lock_guard lock(mutex_);
        ++stats_.errors[std::string(error.name())];
        if (!evict && is_kernels_own(error)) {
            evict = ++strikes_[call.kernel_id] >= options_.strikes;
        }
        if (evict) strikes_.erase(call.kernel_id);
        if (evict && !report.evicted) ++stats_.evicted;
    }
    if (evict && !report.evicted) {
        report.evicted = true;
        // The ban holds in this process even if it could not be written to disk.
        (void)cache_.ban(call.kernel_id, error.message());
    }
    if (table_ == nullptr || !call.seed) return;
    const Transition fault{.seed = *call.seed,
                           .to = SeedState::kErrorRecovery,
                           .actor = ComponentType::kKasmina,
                           .epoch = call.epoch};
    (void)table_->record_error(*call.seed, call.epoch);
    if (evict && can_fault(table_->state(*call.seed))) (void)table_->transition(fault);
}

ExecutionReport KernelExecutor::run(const KernelCall& call) {
    ExecutionReport report;
    const auto start = Steady::now();
    Status status = attempt(call, report.guarded);
    if (!status) {
        report.error = status.error();
        judge(call, status.error(), report);
        Incident incident{.type = classify(status.error()),
                          .component = "executor",
                          .layer = call.layer,
                          .kernel_id = call.kernel_id,
                          .error = status.error(),
                          .retry = {},
                          .fallback = {},
                          .degrade = {}};
        incident.retry = [&]() -> Status {
            // A banned kernel need not be tried again.
            if (report.evicted) return tl::unexpected<Error>(*report.error);
            Status again = attempt(call, report.guarded);
            if (!again) judge(call, again.error(), report);
            return again;
        };
        incident.fallback = [&]() -> Status {
            report.identity = true;
            return {};
        };
        incident.degrade = [&]() -> Status {
            // The kernel's next calls run in the guard process again.
            if (const KernelPin pin = cache_.find(call.kernel_id)) {
                if (auto* kernel = dynamic_cast<LoadedKernel*>(pin.get())) {
                    kernel->runtime().clean_runs.store(0, std::memory_order_release);
                }
            }
            return {};
        };
        report.recovery = recovery_.handle(incident);
        if (!report.recovery.recovered) report.identity = true;
        if (report.identity) write_identity(call.outputs);
    }
    report.elapsed = std::chrono::duration_cast<std::chrono::nanoseconds>(Steady::now() - start);
    std::lock_guard lock(mutex_);
    ++stats_.executions;
    ++(report.identity ? stats_.identities : stats_.succeeded);
    if (report.guarded) ++stats_.guarded;
    stats_.latency_us_total += static_cast<std::uint64_t>(report.elapsed.count() / 1000);
    return report;
}

ExecutorStats KernelExecutor::stats() const {
    std::lock_guard lock(mutex_);
    return stats_;
}

HealthReading KernelExecutor::reading() const {
    std::lock_guard lock(mutex_);
    std::uint64_t errors = 0;
    for (const auto& [name, n] : stats_.errors) errors += n;
    return {stats_.executions, errors, stats_.latency_us_total, memory_in_use()};
}

}  // namespace esper::execution
