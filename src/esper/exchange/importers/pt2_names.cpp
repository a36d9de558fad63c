#include <nlohmann/json.hpp>

#include "esper/exchange/importers/program_writer.h"

namespace esper::graph::importing {

namespace {

using nlohmann::json;

constexpr std::size_t kMostLeaves = 10'000;
constexpr int kDeepest = 64;

// The keys of a dict-like node; its context is a JSON list of them, or such a list inside another
// one (data classes).
std::vector<std::string> keys_of(const json& node, std::size_t count) {
    if (!node.contains("context") || !node.at("context").is_string()) return {};
    auto context = json::parse(node.at("context").get<std::string>(), nullptr, false);
    for (int i = 0; i < 2; ++i) {
        if (context.is_array() && context.size() == count) {
            std::vector<std::string> keys;
            for (const auto& key : context)
                keys.push_back(key.is_string() ? key.get<std::string>() : key.dump());
            return keys;
        }
        if (context.is_array() && !context.empty() && context[0].is_array())
            context = json(context[0]);
    }
    return {};
}

bool walk(const json& node, const std::string& path, int depth, std::vector<std::string>& names) {
    if (depth > kDeepest || names.size() > kMostLeaves || !node.is_object()) return false;
    const auto& children = node.at("children_spec");
    if (node.at("type").is_null()) {
        names.push_back(path.empty() ? "output" : path);
        return true;
    }
    const auto keys = keys_of(node, children.size());
    for (std::size_t i = 0; i < children.size(); ++i) {
        const auto key = keys.empty() ? std::to_string(i) : keys[i];
        const auto base = path.empty() && keys.empty() ? std::string("output") : path;
        auto inner = base;
        if (!inner.empty()) inner += '.';
        inner += key;
        if (!walk(children[i], inner, depth + 1, names)) return false;
    }
    return true;
}

}  // namespace

std::vector<std::string> leaf_names(const std::string& tree_spec) {
    const auto spec = json::parse(tree_spec, nullptr, false);
    std::vector<std::string> names;
    try {
        if (!spec.is_array() || spec.size() != 2 || !walk(spec[1], "", 0, names)) return {};
    } catch (const json::exception&) {
        return {};
    }
    return names;
}

}  // namespace esper::graph::importing
