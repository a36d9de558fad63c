#include "esper/exchange/importers/module_calls.h"

#include <algorithm>

namespace esper::graph::importing {

ModuleCalls::Id ModuleCalls::add(Id outer, const ModuleCall& call) {
    const auto id = static_cast<Id>(nodes_.size());
    const auto depth = outer == kNone ? 0 : nodes_[outer].depth + 1;
    nodes_.push_back({call, outer, id, depth});
    return id;
}

ModuleCalls::Id ModuleCalls::inside(Id outer, std::string_view path, std::string_view type,
                                    std::string_view call) {
    if (const auto it = inside_.find({outer, path, call}); it != inside_.end()) return it->second;
    const auto kept = [&](std::string_view word) -> std::string_view {
        return words_.emplace_back(word);
    };
    const ModuleCall made{kept(path), kept(type), kept(call)};
    const auto id = add(outer, made);
    inside_.emplace(std::tuple(outer, made.path, made.call), id);
    nodes_[id].first = first_.emplace(std::pair(made.path, made.call), id).first->second;
    return id;
}

ModuleCalls::Id ModuleCalls::of_path(std::string_view path) {
    const auto is_around = [&](std::string_view outer) {
        return path.starts_with(outer) &&
               (path.size() == outer.size() || path[outer.size()] == '.');
    };
    // Neighbours share most of the modules that they are in.
    auto id = last_;
    while (id != kNone && !is_around(nodes_[id].call.path)) id = nodes_[id].outer;
    auto end = nodes_[id].call.path.size();
    while (end < path.size()) {
        end = std::min(path.find('.', end + 1), path.size());
        const auto part = path.substr(0, end);
        const auto next = static_cast<Id>(nodes_.size());
        const auto [known, added] =
            paths_.add(part, next, [&](Id other) { return nodes_[other].call.path; });
        id = added ? add(id, {part, "", ""}) : known;
    }
    return last_ = id;
}

}  // namespace esper::graph::importing
