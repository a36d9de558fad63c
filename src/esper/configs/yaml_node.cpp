#include "esper/configs/yaml_node.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <istream>
#include <streambuf>
#include <utility>

#include "esper/base/printable_text.h"

namespace esper::configs {
namespace {

/// Leaves the parser from inside one of its events.
struct Refused {
    ConfigError code;
    int line;
    std::string message;
};

/// Lets an istream read a text where it lies.
class TextBuffer final : public std::streambuf {
  public:
    explicit TextBuffer(std::string_view text) {
        // A streambuf's pointers are not const, but reading through them changes nothing.
        char* begin = const_cast<char*>(text.data());
        setg(begin, begin, begin + text.size());
    }
};

/// Builds the tree from the parser's events. `path_` is the way from the root to the container
/// that is being filled; a container moves into its parent when it ends.
class TreeBuilder final : public YAML::EventHandler {
  public:
    TreeBuilder(std::string_view text, const std::string& source, Problems& problems,
                const YamlLimits& limits)
        : text_(text), source_(source), problems_(problems), limits_(limits) {}

    YamlNode take() { return std::move(root_); }

    void OnDocumentStart(const YAML::Mark& mark) override {
        if (documents_++ > 0) refuse(mark, "a second document begins; one file is one document");
    }
    void OnDocumentEnd() override {}

    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
        refuse_reference(mark, "", anchor);
        if (wants_key()) refuse(mark, "expected a key, got nothing");
        place(make(YamlNode::Kind::kNull, mark));
    }

    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
        refuse(mark, "aliases (*name) are not supported; write the value out");
    }

    void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  const std::string& value) override {
        refuse_reference(mark, tag, anchor);
        if (tag == "!") check_quotes(mark);
        if (wants_key()) {
            take_key(mark, value);
            return;
        }
        YamlNode node = make(YamlNode::Kind::kScalar, mark);
        node.text = value;
        place(std::move(node));
    }

    void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::kList);
    }
    void OnSequenceEnd() override { close(); }

    void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        open(mark, tag, anchor, YamlNode::Kind::kMap);
    }
    void OnMapEnd() override { close(); }

  private:
    struct Open {
        YamlNode node;
        std::string key;
        int key_line = 0;
        bool has_key = false;
        bool repeated = false;
    };

    [[noreturn]] static void refuse(const YAML::Mark& mark, std::string message) {
        throw Refused{ConfigError::kSyntax, mark.line + 1, std::move(message)};
    }

    static void refuse_reference(const YAML::Mark& mark, const std::string& tag,
                                 YAML::anchor_t anchor) {
        if (anchor != 0) refuse(mark, "anchors (&name) are not supported");
        if (!tag.empty() && tag != "?" && tag != "!") {
            refuse(mark, fmt::format("tags are not supported, got {}", in_quotes(tag)));
        }
    }

    /// yaml-cpp takes a quote that is never closed for closed where the text ends.
    void check_quotes(const YAML::Mark& mark) const {
        auto at = static_cast<std::size_t>(mark.pos);
        if (at >= text_.size() || (text_[at] != '"' && text_[at] != '\'')) return;
        const char quote = text_[at];
        while (++at < text_.size()) {
            if (quote == '"' && text_[at] == '\\') {
                ++at;
            } else if (text_[at] == quote) {
                if (quote == '"' || at + 1 >= text_.size() || text_[at + 1] != quote) return;
                ++at;
            }
        }
        refuse(mark, "a quote is opened and never closed");
    }

    bool wants_key() const {
        return !path_.empty() && path_.back().node.kind == YamlNode::Kind::kMap &&
               !path_.back().has_key;
    }

    YamlNode make(YamlNode::Kind kind, const YAML::Mark& mark) {
        if (++nodes_ > limits_.nodes) {
            throw Refused{ConfigError::kTooComplex, mark.line + 1,
                          fmt::format("more than {} values", limits_.nodes)};
        }
        YamlNode node;
        node.kind = kind;
        node.line = mark.line + 1;
        return node;
    }

    void take_key(const YAML::Mark& mark, const std::string& key) {
        Open& map = path_.back();
        map.key = key;
        map.key_line = mark.line + 1;
        map.has_key = true;
        map.repeated = false;
        for (const auto& entry : map.node.entries) {
            if (entry.key != key) continue;
            map.repeated = true;
            problems_.add(ConfigError::kDuplicateKey, {source_, map.key_line},
                          fmt::format("key {} is already set in line {}; keep one of the two",
                                      in_quotes(key), entry.line));
            break;
        }
    }

    void place(YamlNode node) {
        if (path_.empty()) {
            root_ = std::move(node);
            return;
        }
        Open& into = path_.back();
        if (into.node.kind == YamlNode::Kind::kList) {
            into.node.items.push_back(std::move(node));
            return;
        }
        into.has_key = false;
        // The parser notices a missing value only where the next thing begins.
        if (node.kind == YamlNode::Kind::kNull) node.line = into.key_line;
        if (into.repeated) return;
        into.node.entries.push_back({std::move(into.key), into.key_line, std::move(node)});
    }

    void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
              YamlNode::Kind kind) {
        refuse_reference(mark, tag, anchor);
        if (wants_key()) refuse(mark, "a key must be a word, not a list or a map");
        if (path_.size() >= limits_.depth) {
            throw Refused{ConfigError::kTooComplex, mark.line + 1,
                          fmt::format("nested more than {} deep", limits_.depth)};
        }
        path_.emplace_back().node = make(kind, mark);
    }

    void close() {
        YamlNode node = std::move(path_.back().node);
        path_.pop_back();
        place(std::move(node));
    }

    std::string_view text_;
    const std::string& source_;
    Problems& problems_;
    const YamlLimits& limits_;
    std::vector<Open> path_;
    YamlNode root_;
    std::size_t nodes_ = 0;
    int documents_ = 0;
};

/// The last of the lines 1 to `until` that is indented with a tab; 0 where there is none.
int line_with_tab(std::string_view text, int until) {
    int found = 0;
    for (int line = 1; line <= until; ++line) {
        const auto end = text.find('\n');
        const auto indent = text.substr(0, std::min(text.find_first_not_of(" \t"), end));
        if (indent.find('\t') != std::string_view::npos) found = line;
        if (end == std::string_view::npos) break;
        text.remove_prefix(end + 1);
    }
    return found;
}

}  // namespace

std::optional<YamlNode> read_yaml(std::string_view text, const std::string& source,
                                  Problems& problems, const YamlLimits& limits) {
    if (text.size() > limits.bytes) {
        problems.add(ConfigError::kTooComplex, {source},
                     fmt::format("expected at most {} bytes, got {}", limits.bytes, text.size()));
        return std::nullopt;
    }
    TextBuffer buffer(text);
    std::istream stream(&buffer);
    TreeBuilder builder(text, source, problems, limits);
    try {
        YAML::Parser parser(stream);
        while (parser.HandleNextDocument(builder)) {
        }
    } catch (const Refused& refused) {
        problems.add(refused.code, {source, refused.line}, refused.message);
        return std::nullopt;
    } catch (const YAML::Exception& error) {
        // The parser stumbles where the tab's line is put together, often one line later.
        const int tab = line_with_tab(text, error.mark.line + 1);
        problems.add(
            ConfigError::kSyntax, {source, tab > 0 ? tab : error.mark.line + 1},
            tab > 0
                ? std::string("a tab stands in the indentation; YAML takes blanks only")
                : fmt::format("not valid YAML: {} (column {})", error.msg, error.mark.column + 1));
        return std::nullopt;
    }
    return builder.take();
}

}  // namespace esper::configs
