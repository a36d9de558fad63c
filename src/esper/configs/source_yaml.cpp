#include "esper/configs/source_yaml.h"

#include <fmt/format.h>

#include "esper/base/printable_text.h"

namespace esper::configs {
namespace {

class Layer {
  public:
    Layer(const std::string& source, Assignment& assignment)
        : source_(source), assignment_(assignment) {}

    void section(const YamlNode& node, std::size_t index) {
        // A section without content: all of its keys are left out or commented out.
        if (node.kind == YamlNode::Kind::kNull) return;
        if (node.kind != YamlNode::Kind::kMap) {
            const std::string& path = schema_[index].path;
            complain(node, fmt::format("{}: expected a section (keys with their values), got {}",
                                       path.empty() ? "the document" : path, what(node)));
            return;
        }
        for (const auto& entry : node.entries) {
            const std::size_t child = schema_.child(index, entry.key);
            if (child == Schema::kNone) {
                assignment_.unknown_key(index, entry.key, {source_, entry.line});
            } else if (schema_[child].is_section()) {
                section(entry.value, child);
            } else {
                value(entry.value, child);
            }
        }
    }

  private:
    static std::string what(const YamlNode& node) {
        switch (node.kind) {
            case YamlNode::Kind::kNull:
                return "nothing";
            case YamlNode::Kind::kScalar:
                return in_quotes(node.text);
            case YamlNode::Kind::kList:
                return "a list";
            case YamlNode::Kind::kMap:
                return "a section";
        }
        return "";
    }

    void complain(const YamlNode& node, std::string message) {
        assignment_.problems().add(ConfigError::kBadValue, {source_, node.line},
                                   std::move(message));
    }

    void value(const YamlNode& node, std::size_t index) {
        const Origin origin{source_, node.line};
        if (node.kind == YamlNode::Kind::kScalar) {
            const std::string_view text = node.text;
            assignment_.set(index, std::span(&text, 1), false, origin);
            return;
        }
        std::vector<std::string_view> items;
        bool scalars = node.kind == YamlNode::Kind::kList;
        for (const YamlNode& item : node.items) {
            scalars = scalars && item.kind == YamlNode::Kind::kScalar;
            items.push_back(item.text);
        }
        if (scalars) {
            assignment_.set(index, items, true, origin);
        } else {
            const Key& key = schema_[index];
            complain(node,
                     fmt::format("{}: expected {}, got {}", key.path, key.type->expected(key.rule),
                                 node.kind == YamlNode::Kind::kList
                                     ? "a list that holds more than plain values"
                                     : what(node)));
        }
    }

    const Schema& schema_ = Schema::instance();
    const std::string& source_;
    Assignment& assignment_;
};

}  // namespace

void apply_yaml(const YamlNode& root, const std::string& source, Assignment& assignment) {
    Layer(source, assignment).section(root, Schema::kRoot);
}

const YamlNode* find_scalar(const YamlNode& root, std::string_view path) {
    const YamlNode* at = &root;
    while (true) {
        const auto dot = path.find('.');
        const YamlNode* next = nullptr;
        for (const auto& entry : at->entries) {
            if (entry.key == path.substr(0, dot)) next = &entry.value;
        }
        if (next == nullptr) return nullptr;
        at = next;
        if (dot == std::string_view::npos) break;
        path.remove_prefix(dot + 1);
    }
    return at->kind == YamlNode::Kind::kScalar ? at : nullptr;
}

}  // namespace esper::configs
