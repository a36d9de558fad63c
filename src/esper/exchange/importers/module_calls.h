#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "esper/base/name_table.h"

namespace esper::graph::importing {

/// One entry of a node's `nn_module_stack`: a call of a module.
struct ModuleCall {
    std::string_view path;  ///< `layer1.0.conv1`
    std::string_view type;  ///< `torch.nn.modules.conv.Conv2d`
    std::string_view call;  ///< tells calls of one module apart
};

/// The calls of modules that instructions stand in, each inside of another one. Kept once, however
/// many instructions there are: an instruction has the number of its innermost call.
class ModuleCalls {
  public:
    using Id = std::uint32_t;
    /// No module's call: what stands in the model itself.
    static constexpr Id kNone = 0;

    ModuleCalls() : nodes_(1) {}

    /// The call with this path, told apart from others of its module by `call`, inside of `outer`.
    /// The same number for the same arguments; its type is what was given first.
    Id inside(Id outer, std::string_view path, std::string_view type, std::string_view call);
    /// The one call of `a.b.c`, inside of that of `a.b`, inside of that of `a`: for models whose
    /// modules are known by their paths alone. Not to be mixed with inside(). The path is looked at
    /// as long as this object exists.
    Id of_path(std::string_view path);
    void reserve(std::size_t paths) {
        paths_.reserve(paths);
        nodes_.reserve(paths + 1);
    }

    const ModuleCall& operator[](Id id) const { return nodes_[id].call; }
    Id outer(Id id) const { return nodes_[id].outer; }
    /// The first one with the same path and the same `call`, whatever it is inside of.
    Id first(Id id) const { return nodes_[id].first; }
    /// How many calls there are around it.
    std::uint32_t depth(Id id) const { return nodes_[id].depth; }
    /// One more than the highest number.
    std::size_t size() const { return nodes_.size(); }

  private:
    struct Node {
        ModuleCall call;
        Id outer = kNone;
        Id first = kNone;
        std::uint32_t depth = 0;
    };
    Id add(Id outer, const ModuleCall& call);

    std::vector<Node> nodes_;
    std::deque<std::string>
        words_;  ///< of what inside() was given; a deque, since all look into it
    std::map<std::tuple<Id, std::string_view, std::string_view>, Id> inside_;
    std::map<std::pair<std::string_view, std::string_view>, Id> first_;
    NameTable paths_;
    Id last_ = kNone;  ///< what of_path() gave
};

}  // namespace esper::graph::importing
