#include "esper/services/nissa/settings.h"

#include <nlohmann/json.hpp>
#include <string>

#include "esper/configs/yaml_node.h"

namespace esper::nissa {

using configs::YamlNode;
using nlohmann::json;

namespace {

std::string text_of(const YamlNode& node) {
    if (node.kind == YamlNode::Kind::kScalar) return node.text;
    std::string out;
    for (const auto& item : node.items) out += (out.empty() ? "" : ", ") + text_of(item);
    return "[" + out + "]";
}

void put(const YamlNode& node, const std::string& path, json& out) {
    if (node.kind == YamlNode::Kind::kNull) return;
    if (node.kind != YamlNode::Kind::kMap) {
        out[path] = text_of(node);
        return;
    }
    for (const auto& entry : node.entries)
        put(entry.value, path.empty() ? entry.key : path + "." + entry.key, out);
}

}  // namespace

json settings_of(std::string_view yaml) {
    json settings = json::object();
    configs::Problems problems;
    if (const auto node = configs::read_yaml(yaml, "config.yaml", problems))
        put(*node, "", settings);
    settings.erase("");
    return settings;
}

}  // namespace esper::nissa
