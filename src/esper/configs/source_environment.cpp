#include "esper/configs/source_environment.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "esper/base/ascii.h"
#include "esper/base/text.h"
#include "esper/configs/waiting.h"

namespace esper::configs {
namespace {

constexpr std::string_view kPrefix = "ESPER_";

Origin variable(std::string_view name) {
    return {fmt::format("environment variable {}", name), 0, Strength::kEnvironment};
}

void apply_ecosystem(const Environment& environment, Assignment& assignment) {
    const Schema& schema = Schema::instance();
    for (std::size_t index = 0; index < schema.keys().size(); ++index) {
        // Credentials that lie around for others must not stop a run that does not use them.
        if (find_waiting(schema[index]) != nullptr) continue;
        std::string_view names = schema[index].rule.environment;
        while (!names.empty()) {
            const auto blank = names.find(' ');
            const auto found = environment.find(std::string(names.substr(0, blank)));
            if (found != environment.end() && !found->second.empty()) {
                assignment.set_from_text(index, found->second, variable(found->first));
                break;
            }
            names = blank == std::string_view::npos ? "" : names.substr(blank + 1);
        }
    }
}

/// `ESPER_GROWTH__GATE__DELTA` → `growth.gate.delta`.
std::string dotted(std::string_view name) {
    std::string path;
    for (std::size_t i = kPrefix.size(); i < name.size(); ++i) {
        const char c = name[i];
        if (c == '_' && i + 1 < name.size() && name[i + 1] == '_') {
            path += '.';
            ++i;
        } else {
            path += lower(c);
        }
    }
    return path;
}

/// Whether the name's first word is a section: then it was meant for us.
bool names_a_section(std::string_view path) {
    const Schema& schema = Schema::instance();
    const auto end = path.find_first_of("._");
    return schema.child(Schema::kRoot, path.substr(0, end)) != Schema::kNone;
}

std::vector<std::string> variable_names() {
    std::vector<std::string> names;
    for (const Key& key : Schema::instance().keys()) {
        if (!key.is_section()) names.push_back(Schema::environment_name(key));
    }
    return names;
}

void apply_ours(const Environment& environment, Assignment& assignment) {
    const Schema& schema = Schema::instance();
    for (auto it = environment.lower_bound(std::string(kPrefix));
         it != environment.end() && it->first.starts_with(kPrefix); ++it) {
        const auto& [name, value] = *it;
        const std::string path = dotted(name);
        if (value.empty() || !(names_a_section(path) || path.find('.') != std::string::npos)) {
            continue;
        }
        const std::size_t index = schema.find(path);
        if (index != Schema::kNone && !schema[index].is_section()) {
            assignment.set_from_text(index, value, variable(name));
            continue;
        }
        // A single underscore where two belong is the likely slip.
        std::string flat(name);
        for (const std::string& known : variable_names()) {
            std::string single;
            for (const char c : known) {
                if (c != '_' || single.empty() || single.back() != '_') single += c;
            }
            if (single == name) flat = known;
        }
        const std::string said = flat == name
                                     ? with_suggestion(name, variable_names())
                                     : fmt::format("'{}' (did you mean '{}'?)", name, flat);
        assignment.problems().add(ConfigError::kUnknownKey,
                                  {"environment", 0, Strength::kEnvironment},
                                  fmt::format("no key has the variable {}", said));
    }
}

}  // namespace

void apply_environment(const Environment& environment, Assignment& assignment) {
    apply_ecosystem(environment, assignment);
    apply_ours(environment, assignment);
}

Environment process_environment() {
    Environment environment;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text(*entry);
        const auto equals = text.find('=');
        if (equals == std::string_view::npos) continue;
        environment.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
    return environment;
}

}  // namespace esper::configs
