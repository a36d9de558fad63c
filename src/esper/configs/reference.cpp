#include <fmt/format.h>

#include "esper/configs/profiles.h"
#include "esper/configs/published.h"
#include "esper/configs/schema.h"
#include "esper/configs/waiting.h"

namespace esper::configs {
namespace {

constexpr std::string_view kIntroduction = R"(# Configuration

This page is made from the declarations in `src/esper/configs` and checked by a test.

A value comes from the strongest source that sets it: the command line (`growth.gate.delta=0.1`),
the environment (`ESPER_GROWTH__GATE__DELTA=0.1`), the file, the profile, the default below. Keys
that are not listed here are refused, with the file's line and the key that was probably meant; one
report names everything that is wrong. The run's folder keeps the resolved file, with secrets
masked. For completion in an editor, begin a file with
`# yaml-language-server: $schema=../docs/config.schema.json`.

Files are plain YAML: maps, lists and scalars. Anchors, aliases, tags and repeated keys are refused.
Durations carry their unit: `20ep` epochs, `500ba` batches (optimizer steps), `5%` of the run's
steps, `250ms`, `10s`, `30m`, `72h`, `7d`. On the command line and in the environment a list is
written `a,b` or `[a, b]`.

A key marked **(waits for …)** is declared for what is still to come. Nothing reads it yet, so any
value but its default is refused. A network named by `model.path` has its own shape: `model.host`,
`depth`, `width`, `heads`, `dropout`, `classes` and `norm` beside it are refused where they come from
the same source or a stronger one, and passed over where they come from a weaker one.
)";

/// A cell must not end its table or start markup.
std::string cell(std::string_view text) {
    std::string out;
    for (const char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

class Page {
  public:
    std::string write() {
        out_ = kIntroduction;
        for (const std::size_t section : schema_[Schema::kRoot].children) {
            const Key& key = schema_[section];
            out_ += fmt::format("\n## {}: {}\n\n", key.path, key.meaning);
            out_ += "| key | takes | default | meaning |\n| --- | --- | --- | --- |\n";
            rows(section);
        }
        profiles();
        variables();
        return std::move(out_);
    }

  private:
    void rows(std::size_t section) {
        for (const std::size_t child : schema_[section].children) {
            const Key& key = schema_[child];
            if (key.is_section()) {
                out_ += fmt::format("| **`{}`** | | | *{}* |\n", key.path, cell(key.meaning));
                rows(child);
                continue;
            }
            const std::string value =
                key.type->write(schema_.locate(defaults_, child), MaskSecrets::kYes);
            out_ += fmt::format("| `{}` | {} | `{}` | {}{} |\n", key.path,
                                cell(key.type->expected(key.rule)), cell(value), cell(key.meaning),
                                cell(waits(key)));
        }
    }

    static std::string waits(const Key& key) {
        const Waiting* waiting = find_waiting(key);
        if (waiting == nullptr) return "";
        if (waiting->value.empty()) return fmt::format(" **(waits for {})**", waiting->waits_for);
        return fmt::format(" **({} waits for {})**", waiting->value, waiting->waits_for);
    }

    void profiles() {
        out_ +=
            "\n## Profiles\n\n`run.profile`, or `ESPER_PROFILE`.\n\n"
            "| profile | sets |\n| --- | --- |\n";
        for (const auto& entry : contracts::enum_entries<Profile>()) {
            std::string sets;
            for (const ProfileValue& value : profile_values(entry.value)) {
                sets +=
                    fmt::format("{}`{}: {}`", sets.empty() ? "" : ", ", value.path, value.value);
            }
            out_ += fmt::format("| {} | {} |\n", entry.text, sets.empty() ? "nothing" : sets);
        }
    }

    void variables() {
        out_ +=
            "\n## Variables of the ecosystem\n\nHonoured where ours are not set. Those of a key "
            "that "
            "waits are passed over until it is read.\n\n"
            "| key | variables, strongest first |\n| --- | --- |\n";
        for (const Key& key : schema_.keys()) {
            if (key.rule.environment.empty()) continue;
            std::string names = "`";
            for (const char c : key.rule.environment) {
                if (c == ' ') {
                    names += "`, `";
                } else {
                    names += c;
                }
            }
            out_ += fmt::format("| `{}` | {}` |\n", key.path, names);
        }
    }

    const Schema& schema_ = Schema::instance();
    const EsperConfig defaults_;
    std::string out_;
};

}  // namespace

std::string configuration_reference() { return Page().write(); }

}  // namespace esper::configs
