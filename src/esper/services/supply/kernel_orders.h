#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "esper/services/ports/kernel_supply.h"
#include "esper/services/tezzeret/forge.h"

namespace esper::supply {

/// What `forge.sandbox` and `--sandbox` ask for, by its name: prefer, require or bubblewrap.
execution::SandboxLevel least_sandbox(std::string_view wish);
std::string_view sandbox_wish(execution::SandboxLevel least);

/// How the forge of a run works.
struct ForgeWishes {
    /// Below that nothing is compiled.
    execution::SandboxLevel least_sandbox = execution::SandboxLevel::kLimits;
    int nice = 19;  ///< see set_priority()
};

/// Gives a process (0: this one) and what it starts the nice value; with 19 they also run only
/// where no other process wants the processor (SCHED_IDLE). A nice value alone lets a compiler keep
/// a processor for the rest of its turn, some milliseconds, when a thread of the run wakes up.
void set_priority(pid_t process, int nice);

/// A kernel that is ordered. A run orders what is there soonest.
struct ForgeOrder : ports::KernelNeed {
    tezzeret::Pipeline pipeline = tezzeret::Pipeline::kFast;
};

/// What a run orders from the forge's process, and what that process says of each order: JSON
/// texts, one a line.
std::string text_of(const ForgeOrder& order);
/// Error: TezzeretError::kUnsupported for a text that is no order.
Result<ForgeOrder> order_of(const std::string& line);

/// What came of an order.
struct OrderOutcome {
    std::string branch, precision;
    std::string status;  ///< tezzeret::status_name
    std::string why;
    std::string id;       ///< of the artifact in the library, "" for none
    bool faster = false;  ///< the gauntlet's interval says so
};
std::string text_of(const OrderOutcome& outcome);
/// Nothing for a line that is not whole yet.
std::optional<OrderOutcome> outcome_of(const std::string& line);

/// The process of a run's forge: takes orders from standard input until it ends, forges each, puts
/// kernel and verdict into the library `library`, and prints the outcome. It ends with the
/// process that started it. The exit code.
int forge_orders(const std::string& library, const ForgeWishes& wishes);
/// Why nothing can be compiled here: no compiler, or no jail for it where one is needed. "" if it
/// can.
std::string why_no_forge(const ForgeWishes& wishes);

}  // namespace esper::supply
