#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "esper/services/nissa/otlp.h"
#include "esper/services/nissa/timed_events.h"

namespace esper::nissa {

// Services as a trace names them: the one that trains and the one that decides.
inline constexpr const char* kTolaria = "esper-tolaria";
inline constexpr const char* kTamiyo = "esper-tamiyo";

/// Tells splits of a run apart by name. After a rollback the same block may be split again at the
/// same step, so a name also counts. Events must come in the run's order.
class SplitNames {
  public:
    /// Of the split that a `split`, a `split_kept` or a `rollback` is about; empty for other
    /// events.
    std::string of(const records::Event& event);

  private:
    std::map<std::pair<std::string, std::int64_t>, int> times_;  ///< by copy and step
};

/// One split as a trace: from the boundary (the decision with its evidence, the checkpoint to which
/// the run could go back, the split itself) over the steps in which the training loss was watched
/// to what became of it. `at`: the place of its event `split`.
Trace split_trace(const std::vector<TimedEvent>& events, std::size_t at, std::string id);

}  // namespace esper::nissa
