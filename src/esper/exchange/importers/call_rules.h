#pragma once

#include <ATen/core/dispatch/Dispatcher.h>

#include <cstddef>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "esper/base/error.h"

namespace esper::graph::importing {

/// What write_call() has to know of an operator.
struct CallRule {
    c10::OperatorHandle handle;
    /// The overload that has a number where this one has its second tensor; empty for none.
    std::string with_number;
    /// Positions of arguments: running means, flags that say whether the model trains, floats.
    std::vector<std::size_t> running_means, training_flags, floats;
    /// Whether write_random_call() may have something to say.
    bool may_draw = false;
};

/// The rules of the operators of one model, found once each.
class CallRules {
  public:
    /// Valid as long as this object. Errors: kUnknownOperator.
    Result<const CallRule*> find(const std::string& op);

  private:
    using Known = std::unordered_map<std::string, CallRule>;
    Known known_;
    const Known::value_type* last_ = nullptr;  ///< what find() gave
};

}  // namespace esper::graph::importing
