#include "esper/configs/yaml.h"

#include <fmt/format.h>

#include "esper/configs/schema.h"
#include "esper/configs/waiting.h"

namespace esper::configs {
namespace {

class Writer {
  public:
    Writer(const EsperConfig& config, MaskSecrets mask, bool comments)
        : config_(config), mask_(mask), comments_(comments) {}

    std::string write() {
        section(Schema::kRoot, 0);
        return std::move(out_);
    }

  private:
    void section(std::size_t index, std::size_t indent) {
        for (const std::size_t child : schema_[index].children) {
            const Key& key = schema_[child];
            if (indent == 0 && !out_.empty()) out_ += '\n';
            const std::string margin(indent, ' ');
            if (!key.is_section()) {
                const std::string value = key.type->write(schema_.locate(config_, child), mask_);
                out_ += fmt::format("{}{}: {}{}\n", margin, key.name, value, remark(key));
            } else {
                out_ += fmt::format("{}{}:{}\n", margin, key.name, remark(key));
                section(child, indent + 2);
            }
        }
    }

    std::string remark(const Key& key) const {
        if (!comments_) return "";
        std::string text = fmt::format("  # {}", key.meaning);
        if (const Waiting* waiting = find_waiting(key); waiting != nullptr && own(key, *waiting)) {
            text += waiting->value.empty()
                        ? fmt::format(" (waits for {})", waiting->waits_for)
                        : fmt::format(" ({} waits for {})", waiting->value, waiting->waits_for);
        }
        if (key.is_section()) return text;
        std::string choices;
        for (const std::string& choice : key.type->choices()) {
            choices += (choices.empty() ? "" : ", ") + choice;
        }
        return choices.empty() ? text : fmt::format("{} ({})", text, choices);
    }

    /// Below a section that waits, only the section says so.
    static bool own(const Key& key, const Waiting& waiting) { return key.path == waiting.path; }

    const Schema& schema_ = Schema::instance();
    const EsperConfig& config_;
    MaskSecrets mask_;
    bool comments_;
    std::string out_;
};

}  // namespace

std::string to_yaml(const EsperConfig& config, MaskSecrets mask) {
    return Writer(config, mask, false).write();
}

std::string to_commented_yaml(const EsperConfig& config) {
    return Writer(config, MaskSecrets::kYes, true).write();
}

std::vector<Difference> differences(const EsperConfig& before, const EsperConfig& after) {
    const Schema& schema = Schema::instance();
    std::vector<Difference> found;
    for (std::size_t index = 0; index < schema.keys().size(); ++index) {
        const Key& key = schema[index];
        if (key.is_section()) continue;
        const auto text = [&](const EsperConfig& config, MaskSecrets mask) {
            return key.type->write(schema.locate(config, index), mask);
        };
        if (text(before, MaskSecrets::kNo) == text(after, MaskSecrets::kNo)) continue;
        found.push_back(
            {key.path, text(before, MaskSecrets::kYes), text(after, MaskSecrets::kYes)});
    }
    return found;
}

}  // namespace esper::configs
