#include "esper/configs/assignment.h"

#include <fmt/format.h>

#include <algorithm>

#include "esper/base/printable_text.h"
#include "esper/base/text.h"
#include "esper/configs/numbers.h"

namespace esper::configs {
namespace {

/// What someone who wrote this probably meant, as a sentence in brackets; or nothing.
std::string hint(const Key& key, std::string_view text) {
    double number = 0;
    switch (key.type->kind()) {
        case ValueKind::kChoice: {
            const auto choices = key.type->choices();
            const std::string near = text.size() > 64 ? "" : closest_match(text, choices);
            return near.empty() ? "" : fmt::format(" (did you mean '{}'?)", near);
        }
        case ValueKind::kDuration:
            if (!read_number(text, number)) return "";
            return " (a duration needs its unit)";
        case ValueKind::kBool:
            if (text == "yes" || text == "on" || text == "1" || text == "True") {
                return " (did you mean 'true'?)";
            }
            if (text == "no" || text == "off" || text == "0" || text == "False") {
                return " (did you mean 'false'?)";
            }
            return "";
        default:
            return "";
    }
}

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t");
    if (begin == std::string_view::npos) return "";
    return text.substr(begin, text.find_last_not_of(" \t") - begin + 1);
}

}  // namespace

Assignment::Assignment()
    : schema_(Schema::instance()),
      origins_(schema_.keys().size(), Origin{"default", 0, Strength::kDefault}),
      refused_(schema_.keys().size()) {}

void Assignment::refuse(std::size_t index, std::span<const std::string_view> items, bool is_list,
                        const Origin& origin) {
    const Key& key = schema_[index];
    refused_[index] = true;
    std::string got;
    const bool is_secret = key.type->kind() == ValueKind::kSecret;
    if (is_secret) {
        got = "something else";
    } else if (!is_list) {
        got = in_quotes(replace_url_password(items.front(), kMasked)) + hint(key, items.front());
    } else {
        std::string listed;
        for (const std::string_view item : items.first(std::min<std::size_t>(items.size(), 8))) {
            listed += (listed.empty() ? "" : ", ") + std::string(item.substr(0, 60));
        }
        got = "the list " + in_quotes(listed);
        if (key.type->kind() == ValueKind::kNames && items.size() > 1)
            if (const auto bad = std::ranges::find_if_not(
                    items, [&](auto item) { return has_form(item, key.rule.text); });
                bad != items.end())
                got += ", in which " + in_quotes(*bad) + " is none";
    }
    problems_.add(
        ConfigError::kBadValue, origin,
        fmt::format("{}: expected {}, got {}", key.path, key.type->expected(key.rule), got));
}

void Assignment::set(std::size_t index, std::span<const std::string_view> items, bool is_list,
                     const Origin& origin) {
    const Key& key = schema_[index];
    if (!key.type->takes(is_list) ||
        !key.type->read(items, key.rule, schema_.locate(config_, index))) {
        refuse(index, items, is_list, origin);
        return;
    }
    origins_[index] = origin;
}

void Assignment::reset(std::size_t index) {
    static const EsperConfig defaults;
    schema_[index].type->copy(schema_.locate(defaults, index), schema_.locate(config_, index));
    origins_[index] = Origin{"default", 0, Strength::kDefault};
    refused_[index] = false;
}

void Assignment::set_from_text(std::size_t index, std::string_view text, const Origin& origin) {
    const bool may_be_list = schema_[index].type->takes(true);
    const bool is_word = schema_[index].type->takes(false) && text.find_first_of("[,") == text.npos;
    if (!may_be_list || is_word) {
        set(index, std::span(&text, 1), false, origin);
        return;
    }
    if (text.starts_with('[') && text.ends_with(']')) {
        text = text.substr(1, text.size() - 2);
    }
    std::vector<std::string_view> items;
    while (!trimmed(text).empty()) {
        const auto comma = text.find(',');
        items.push_back(trimmed(text.substr(0, comma)));
        if (comma == std::string_view::npos) break;
        text.remove_prefix(comma + 1);
    }
    set(index, items, true, origin);
}

void Assignment::unknown_key(std::size_t section, std::string_view name, const Origin& origin) {
    const std::string& path = schema_[section].path;
    const std::string where = path.empty() ? "" : fmt::format(" in section '{}'", path);
    const std::string nested = (path.empty() ? "" : path + ".") + std::string(name);
    if (name.find('.') != std::string_view::npos && schema_.find(nested) != Schema::kNone) {
        const auto dot = name.find('.');
        problems_.add(
            ConfigError::kUnknownKey, origin,
            fmt::format("unknown key {}{}; in a file sections nest: write '{}:' and below "
                        "it, indented, '{}: …'",
                        in_quotes(name), where, name.substr(0, dot), name.substr(dot + 1)));
        return;
    }
    const std::string said = with_suggestion(name, schema_.child_names(section));
    std::string elsewhere;
    if (!said.ends_with(')')) {
        for (const std::string& other : schema_.paths_named(name)) {
            elsewhere += fmt::format("{}'{}'", elsewhere.empty() ? " (there is " : ", ", other);
        }
        if (!elsewhere.empty()) elsewhere += ")";
    }
    problems_.add(ConfigError::kUnknownKey, origin,
                  fmt::format("unknown key {}{}{}", said, where, elsewhere));
}

std::size_t Assignment::find_key(std::string_view path, const Origin& origin) {
    std::size_t at = Schema::kRoot;
    std::string_view rest = path;
    while (true) {
        const auto dot = rest.find('.');
        const std::string_view name = rest.substr(0, dot);
        const std::size_t next = schema_.child(at, name);
        if (next == Schema::kNone) {
            unknown_key(at, name, origin);
            return Schema::kNone;
        }
        at = next;
        if (dot == std::string_view::npos) break;
        rest.remove_prefix(dot + 1);
        if (!schema_[at].is_section()) {
            problems_.add(ConfigError::kUnknownKey, origin,
                          fmt::format("'{}' is a value and has no key {}", schema_[at].path,
                                      in_quotes(rest)));
            return Schema::kNone;
        }
    }
    if (schema_[at].is_section()) {
        const auto first = schema_[schema_[at].children.front()].path;
        problems_.add(ConfigError::kBadValue, origin,
                      fmt::format("'{}' is a section; name one of its keys, such as '{}'",
                                  schema_[at].path, first));
        return Schema::kNone;
    }
    return at;
}

}  // namespace esper::configs
