#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "esper/base/error.h"

namespace esper {

#define ESPER_FAULT_ERRORS(X) X(kBadSpec, kUsage) X(kInjected, kRuntime)
ESPER_DEFINE_ERRORS(FaultError, "faults", ESPER_FAULT_ERRORS)

/// A named place in product code where a test can make something fail. Every build contains the
/// fault points; as long as none is armed, passing one costs one relaxed load of a shared flag.
///
///     static FaultPoint fault{"files.write"};
///     if (fault.fires()) return fail(FileError::kUnwritable, "…");
class FaultPoint {
  public:
    explicit FaultPoint(const char* name);
    bool fires() { return any_armed_.load(std::memory_order_relaxed) && fires_slow(); }
    /// kInjected when it fires: `ESPER_CHECK_STATUS(fault.check());`
    Status check();
    const char* name() const { return name_; }

  private:
    friend class FaultPoints;
    bool fires_slow();
    static std::atomic<bool> any_armed_;
    const char* name_;
};

/// Arms and disarms fault points by name. Thread-safe.
class FaultPoints {
  public:
    /// `spec`: a comma-separated list of `name@N` (fires once, at pass N), `name@N+` (fires from
    /// pass N on) and `name%P` (fires at each pass with a probability of P percent, drawn from
    /// `seed`). Passes count from 1, from the call of arm(). A name need not exist yet. Points that
    /// are armed and not named here stay armed. Error: kBadSpec; nothing is armed then.
    static Status arm(std::string_view spec, std::uint64_t seed = 0);
    /// Arms from the environment variable ESPER_FAULTS, if set.
    static Status arm_from_environment();
    static void disarm_all();
    /// Passes since the point was armed, or, if it is not armed, since any point was.
    static std::uint64_t passes(std::string_view name);
    static std::uint64_t fired(std::string_view name);
    /// Every fault point the program has constructed so far.
    static std::vector<std::string> names();
};

}  // namespace esper
