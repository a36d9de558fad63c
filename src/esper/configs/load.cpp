#include "esper/configs/load.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "esper/base/files.h"
#include "esper/base/printable_text.h"
#include "esper/configs/assignment.h"
#include "esper/configs/profiles.h"
#include "esper/configs/relations.h"
#include "esper/configs/source_environment.h"
#include "esper/configs/source_yaml.h"
#include "esper/configs/waiting.h"

namespace esper::configs {
namespace {

constexpr std::string_view kProfileKey = "run.profile";

struct Override {
    std::string path;
    std::string value;
    Origin origin;
};

std::vector<Override> split_overrides(const std::vector<std::string>& texts, Problems& problems) {
    std::vector<Override> overrides;
    for (const std::string& text : texts) {
        const auto equals = text.find('=');
        if (equals == std::string::npos || equals == 0) {
            problems.add(ConfigError::kBadOverride, {"command line", 0, Strength::kCommandLine},
                         fmt::format("expected key=value such as growth.gate.delta=0.1, got {}",
                                     in_quotes(text)));
            continue;
        }
        overrides.push_back({text.substr(0, equals), text.substr(equals + 1),
                             Origin{"command line", 0, Strength::kCommandLine}});
    }
    return overrides;
}

struct ChosenProfile {
    std::string name;
    /// Set where the choice is no key of a source that is applied anyway.
    std::optional<Origin> origin = std::nullopt;
};

/// The profile must be known first, because everything else lies over it; so its name is looked up
/// in the sources, strongest first, before they are applied.
ChosenProfile choose_profile(const LoadOptions& options, const std::vector<Override>& overrides,
                             const std::optional<YamlNode>& document) {
    for (auto it = overrides.rbegin(); it != overrides.rend(); ++it) {
        if (it->path == kProfileKey) return {it->value};
    }
    if (!options.profile.empty())
        return {options.profile, Origin{"profile", 0, Strength::kEnvironment}};
    const auto variable = [&](const std::string& name) {
        const auto found = options.env.find(name);
        return found == options.env.end() ? std::string() : found->second;
    };
    if (auto name = variable("ESPER_RUN__PROFILE"); !name.empty()) return {name};
    if (auto name = variable("ESPER_PROFILE"); !name.empty()) {
        return {name, Origin{"environment variable ESPER_PROFILE", 0, Strength::kEnvironment}};
    }
    if (document) {
        if (const YamlNode* node = find_scalar(*document, kProfileKey)) return {node->text};
    }
    return {};
}

void apply_profile(const std::string& name, Assignment& assignment) {
    const Schema& schema = Schema::instance();
    const Key& key = schema[schema.find(kProfileKey)];
    Profile profile = Profile::kNone;
    const std::string_view text = name;
    // An unknown name is reported where the key itself is set.
    if (!key.type->read(std::span(&text, 1), key.rule, &profile)) return;
    for (const ProfileValue& value : profile_values(profile)) {
        assignment.set_from_text(schema.find(value.path), value.value,
                                 {fmt::format("profile {}", name), 0, Strength::kProfile});
    }
}

void complain_of_relations(const EsperConfig& config, const Assignment* assignment,
                           Problems& problems) {
    const Schema& schema = Schema::instance();
    check_relations(config,
                    [&](std::initializer_list<std::string_view> paths, std::string message) {
                        Origin origin{"configuration", 0, Strength::kDefault};
                        std::string names;
                        for (const std::string_view path : paths) {
                            const std::size_t key = schema.find(path);
                            names += (names.empty() ? "" : ", ") + std::string(path);
                            if (assignment == nullptr) continue;
                            // The value that holds here is not the one that was asked for.
                            if (assignment->refused(key)) return;
                            // Who spoke last made the conflict.
                            if (assignment->origin(key).strength > origin.strength) {
                                origin = assignment->origin(key);
                            }
                        }
                        problems.add(ConfigError::kConflict, std::move(origin),
                                     fmt::format("{}: {}", names, message));
                    });
}

void complain_of_waiting(const EsperConfig& config, const Assignment* assignment,
                         Problems& problems) {
    for (std::size_t key = 0; key < Schema::instance().keys().size(); ++key) {
        std::string why = refuse_waiting(key, config);
        if (why.empty()) continue;
        problems.add(ConfigError::kWaiting,
                     assignment == nullptr ? Origin{"configuration"} : assignment->origin(key),
                     std::move(why));
    }
}

/// A network that is named later than the shape of one takes the shape's place.
void settle_model_path(bool of_a_run, Assignment& assignment) {
    const Schema& schema = Schema::instance();
    if (assignment.config().model.path.empty()) return;
    const Strength named = assignment.origin(schema.find("model.path")).strength;
    for (const std::string_view path : shape_keys()) {
        const std::size_t key = schema.find(path);
        const Strength set = assignment.origin(key).strength;
        if (set < named || (of_a_run && set == Strength::kFile)) assignment.reset(key);
    }
}

void pass_over_waiting(Assignment& assignment) {
    for (std::size_t key = 0; key < Schema::instance().keys().size(); ++key) {
        if (assignment.origin(key).strength > Strength::kFile) continue;
        if (!refuse_waiting(key, assignment.config()).empty()) assignment.reset(key);
    }
}

Result<LoadedConfig> assemble(const LoadOptions& options, std::optional<YamlNode> document,
                              const std::string& source, Problems found) {
    Assignment assignment;
    Problems& problems = assignment.problems();
    problems = std::move(found);
    const auto overrides = split_overrides(options.overrides, problems);

    const ChosenProfile profile = choose_profile(options, overrides, document);
    if (!profile.name.empty()) apply_profile(profile.name, assignment);
    if (document) apply_yaml(*document, source, assignment);
    apply_environment(options.env, assignment);
    if (profile.origin) {
        assignment.set_from_text(Schema::instance().find(kProfileKey), profile.name,
                                 *profile.origin);
    }
    for (const Override& item : overrides) {
        const std::size_t key = assignment.find_key(item.path, item.origin);
        if (key != Schema::kNone) assignment.set_from_text(key, item.value, item.origin);
    }
    if (options.of_a_run) pass_over_waiting(assignment);
    settle_model_path(options.of_a_run, assignment);
    complain_of_waiting(assignment.config(), &assignment, problems);
    complain_of_relations(assignment.config(), &assignment, problems);
    if (!problems.empty()) return fail(problems.report());

    LoadedConfig loaded{.config = assignment.config(), .origins = {}, .warnings = {}};
    loaded.warnings = find_warnings(loaded.config);
    const auto& keys = Schema::instance().keys();
    for (std::size_t index = 0; index < keys.size(); ++index) {
        const Origin& origin = assignment.origin(index);
        if (origin.strength != Strength::kDefault)
            loaded.origins.emplace(keys[index].path, origin.to_string());
    }
    return loaded;
}

}  // namespace

Result<LoadedConfig> parse_config(std::string_view yaml, const std::string& name,
                                  const LoadOptions& options) {
    Problems problems;
    auto document = read_yaml(yaml, name, problems);
    return assemble(options, std::move(document), name, std::move(problems));
}

Result<LoadedConfig> load_config_with_origins(const LoadOptions& options) {
    if (options.path.empty()) return assemble(options, std::nullopt, "", {});
    const YamlLimits limits;
    auto text = read_file(options.path, limits.bytes);
    if (text) return parse_config(*text, options.path.string(), options);
    const bool large = text.error().is(FileError::kTooLarge);
    return fail(large ? ConfigError::kTooComplex : ConfigError::kUnreadable,
                fmt::format("cannot read the configuration: {}", text.error().message()));
}

Result<EsperConfig> load_config(const LoadOptions& options) {
    ESPER_TRY(auto loaded, load_config_with_origins(options));
    return std::move(loaded.config);
}

Status check_config(const EsperConfig& config) {
    Problems problems;
    const Schema& schema = Schema::instance();
    for (std::size_t index = 0; index < schema.keys().size(); ++index) {
        const Key& key = schema[index];
        if (key.is_section()) continue;
        const void* value = schema.locate(config, index);
        if (key.type->admits(value, key.rule)) continue;
        problems.add(ConfigError::kBadValue, {"configuration"},
                     fmt::format("{}: expected {}, got {}", key.path, key.type->expected(key.rule),
                                 in_quotes(key.type->write(value, MaskSecrets::kYes))));
    }
    complain_of_waiting(config, nullptr, problems);
    complain_of_relations(config, nullptr, problems);
    if (!problems.empty()) return fail(problems.report());
    return {};
}

}  // namespace esper::configs
