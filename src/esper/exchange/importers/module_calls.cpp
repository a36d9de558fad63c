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
    auto id = kNone;
    auto end = path.size();  // of what is known
    while (end > 0) {
        if (const auto it = paths_.find(path.substr(0, end)); it != paths_.end()) {
            id = it->second;
            break;
        }
        const auto dot = path.rfind('.', end - 1);
        end = dot == std::string_view::npos ? 0 : dot;
    }
    while (end < path.size()) {
        end = std::min(path.find('.', end + 1), path.size());
        id = add(id, {path.substr(0, end), "", ""});
        paths_.emplace(path.substr(0, end), id);
    }
    return id;
}

}  // namespace esper::graph::importing
