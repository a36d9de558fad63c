#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "esper/program/edits/edits.h"

namespace esper::graph {

/// Which values of a Program share memory, and which instructions read and write it: found once, so
/// that asking for every anchor takes no longer than the Program is long. The Program must outlive
/// it.
class MemoryUse {
  public:
    explicit MemoryUse(const Program& program);
    /// Of parts that have been checked.
    explicit MemoryUse(const Program::Parts& parts);
    /// Whether a seed may sit at the anchor, whose value instruction `first` - 1 makes (0: none
    /// does). After the insertion everybody reads the join instead of the value, which is the same
    /// Program only if nobody writes into the value's memory later, nor reads it under an older
    /// name. Errors: kIllegalEdit with the instruction in the way.
    Status check(const Anchor& anchor, std::size_t first) const;
    /// The same without a reason.
    bool allows(const Anchor& anchor, std::size_t first) const;

  private:
    struct Use {
        std::uint32_t instruction;
        ValueId value;
    };
    struct Note {
        std::uint32_t memory;
        Use use;
    };
    class Uses {
      public:
        Uses() = default;
        Uses(std::span<const Note> notes, std::uint32_t memories);
        /// In the order of the instructions.
        std::span<const Use> of(std::uint32_t memory) const {
            return std::span(uses_).subspan(begin_[memory], begin_[memory + 1] - begin_[memory]);
        }

      private:
        std::vector<std::uint32_t> begin_;  ///< of each memory's, in uses_
        std::vector<Use> uses_;
    };
    MemoryUse(std::span<const Instruction> instructions, std::span<const Output> outputs,
              std::uint32_t values);

    std::span<const Instruction> instructions_;
    std::span<const Output> outputs_;
    std::vector<std::uint32_t> memory_;  ///< of a value: the first value with the same memory
    Uses reads_, writes_;
};

/// apply() for InsertSeed.
Result<ProgramPtr> insert_seed(const Program& program, const InsertSeed& edit);

/// True if a seed may sit at the anchor: nobody writes into its value later on, nor reads it under
/// an older name. With `uses` of the same Program for many anchors.
bool can_hold_seed(const Program& program, const Anchor& anchor);
bool can_hold_seed(const Program& program, const Anchor& anchor, const MemoryUse& uses);

}  // namespace esper::graph
