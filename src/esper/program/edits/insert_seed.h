#pragma once

#include <cstdint>
#include <vector>

#include "esper/program/edits/edits.h"

namespace esper::graph {

/// Which values of a Program share memory, and which instructions read and write it: found once, so
/// that asking for every anchor takes no longer than the Program is long. The Program must outlive
/// it.
class MemoryUse {
  public:
    explicit MemoryUse(const Program& program);
    /// Whether a seed may sit at the anchor, whose value instruction `first` - 1 makes (0: none
    /// does). After the insertion everybody reads the join instead of the value, which is the same
    /// Program only if nobody writes into the value's memory later, nor reads it under an older
    /// name. Errors: kIllegalEdit with the instruction in the way.
    Status check(const Anchor& anchor, std::size_t first) const;

  private:
    struct Use {
        std::size_t instruction;
        ValueId value;
    };
    const Program& program_;
    std::vector<std::uint32_t> memory_;     ///< of a value: the first value with the same memory
    std::vector<std::vector<Use>> reads_;   ///< of a memory, in order
    std::vector<std::vector<Use>> writes_;  ///< of a memory, in order
};

/// apply() for InsertSeed.
Result<ProgramPtr> insert_seed(const Program& program, const InsertSeed& edit);

/// True if a seed may sit at the anchor: nobody writes into its value later on, nor reads it under
/// an older name. With `uses` of the same Program for many anchors.
bool can_hold_seed(const Program& program, const Anchor& anchor);
bool can_hold_seed(const Program& program, const Anchor& anchor, const MemoryUse& uses);

}  // namespace esper::graph
