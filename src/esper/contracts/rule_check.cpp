#include "esper/contracts/rule_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "esper/base/utf8.h"
#include "esper/contracts/json_text.h"
#include "esper/contracts/timestamp.h"

namespace esper::contracts {
namespace {

bool is_hex(std::string_view text) {
    return std::all_of(text.begin(), text.end(),
                       [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool is_uuid(std::string_view text) {
    if (text.size() != 36) return false;
    for (const std::size_t dash : {8u, 13u, 18u, 23u}) {
        if (text[dash] != '-') return false;
    }
    return is_hex(text.substr(0, 8)) && is_hex(text.substr(9, 4)) && is_hex(text.substr(14, 4)) &&
           is_hex(text.substr(19, 4)) && is_hex(text.substr(24));
}

bool is_id(std::string_view text) {
    return !text.empty() && text.size() <= 255 && text.front() != ' ' && text.back() != ' ' &&
           std::none_of(text.begin(), text.end(),
                        [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

bool is_uri(std::string_view text) {
    const auto colon = text.find("://");
    if (colon == std::string_view::npos || colon == 0 || colon + 3 == text.size()) return false;
    return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(colon),
                       [](char c) {
                           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
                                  c == '-';
                       }) &&
           text.find_first_of(" \t\r\n") == std::string_view::npos;
}

std::string bounds(double low, double high) {
    if (std::isinf(high)) return fmt::format("at least {}", low);
    if (std::isinf(low)) return fmt::format("at most {}", high);
    return fmt::format("{} to {}", low, high);
}

template <typename T>
std::optional<Violation> check_number(T number, const Rule& rule) {
    const auto value = static_cast<double>(number);
    if (value >= rule.min && value <= rule.max) return std::nullopt;
    return Violation{ContractError::kOutOfRange,
                     fmt::format("expected {}, got {}", bounds(rule.min, rule.max), number)};
}

std::string shorten(std::string_view text) {
    return text.size() <= 60 ? std::string(text) : std::string(text.substr(0, 57)) + "...";
}

std::optional<Violation> check_text(std::string_view text, const Rule& rule) {
    if (text.size() < rule.min_length || text.size() > rule.max_length) {
        return Violation{ContractError::kOutOfRange,
                         rule.max_length == Rule{}.max_length
                             ? fmt::format("expected at least {} bytes of text, got {}",
                                           rule.min_length, text.size())
                             : fmt::format("expected {} to {} bytes of text, got {}",
                                           rule.min_length, rule.max_length, text.size())};
    }
    if (!has_format(text, rule.format)) {
        return Violation{
            ContractError::kBadFormat,
            fmt::format("expected {}, got '{}'", format_name(rule.format), shorten(text))};
    }
    return std::nullopt;
}

std::optional<Violation> check_value(const TypeInfo& type, const void* value, const Rule& rule);

std::optional<Violation> at_path(std::optional<Violation> v, std::string_view path) {
    if (v) {
        const bool nested = v->message.starts_with('.') || v->message.starts_with('[');
        v->message = fmt::format("{}{}{}", path, nested ? "" : ": ", v->message);
    }
    return v;
}

std::optional<Violation> check_map(const TypeInfo& type, const void* value, const Rule& rule) {
    struct Visit {
        const TypeInfo& element;
        const Rule& rule;
        std::optional<Violation> found;
    } visit{*type.element, rule, std::nullopt};
    type.container->each(
        value, &visit, [](void* context, const std::string& key, const void* element) {
            auto& v = *static_cast<Visit*>(context);
            if (v.found) return;
            if (!is_utf8(key)) {
                v.found = Violation{ContractError::kBadText, "expected UTF-8 text as a key"};
                return;
            }
            v.found =
                at_path(check_value(v.element, element, v.rule), fmt::format("[\"{}\"]", key));
        });
    return visit.found;
}

std::optional<Violation> check_value(const TypeInfo& type, const void* value, const Rule& rule) {
    switch (type.kind) {
        case Kind::kOptional:
            if (type.container->size(value) == 0) return std::nullopt;
            return check_value(*type.element, type.container->at(value, 0), rule);
        case Kind::kList: {
            const std::size_t n = type.container->size(value);
            if (auto v = check_count(n, rule)) return v;
            for (std::size_t i = 0; i < n; ++i) {
                if (auto v = check_value(*type.element, type.container->at(value, i), rule)) {
                    return at_path(std::move(v), fmt::format("[{}]", i));
                }
            }
            return std::nullopt;
        }
        case Kind::kMap:
            if (auto v = check_count(type.container->size(value), rule)) return v;
            return check_map(type, value, rule);
        case Kind::kRecord: {
            auto v = check_record(type.record(), value);
            return v;
        }
        case Kind::kText:
            if (!is_utf8(*static_cast<const std::string*>(value))) {
                return Violation{ContractError::kBadText, "expected UTF-8 text"};
            }
            return check_leaf(type, value, rule);
        case Kind::kEnum: {
            const std::uint8_t number = *static_cast<const std::uint8_t*>(value);
            for (std::size_t i = 0; i < type.enumeration->count; ++i) {
                if (type.enumeration->number_at(i) == number) return std::nullopt;
            }
            return Violation{
                ContractError::kUnknownValue,
                fmt::format("expected a value of {}, got {}", type.enumeration->name, number)};
        }
        default:
            return check_leaf(type, value, rule);
    }
}

}  // namespace

bool has_format(std::string_view text, Format format) {
    switch (format) {
        case Format::kNone:
            return true;
        case Format::kId:
            return is_id(text);
        case Format::kUuid:
            return is_uuid(text);
        case Format::kSha256:
            return text.size() == 64 && is_hex(text);
        case Format::kHex:
            return text.size() % 2 == 0 && is_hex(text);
        case Format::kUri:
            return is_uri(text);
    }
    return false;
}

std::string_view format_name(Format format) {
    switch (format) {
        case Format::kNone:
            return "any text";
        case Format::kId:
            return "an id (no control characters, no space at either end)";
        case Format::kUuid:
            return "a UUID in lower case";
        case Format::kSha256:
            return "a SHA-256 as 64 lower-case hex digits";
        case Format::kHex:
            return "an even number of lower-case hex digits";
        case Format::kUri:
            return "a URI such as s3://bucket/key";
    }
    return "?";
}

std::optional<Violation> check_leaf(const TypeInfo& type, const void* value, const Rule& rule) {
    switch (type.kind) {
        case Kind::kUnsigned:
            return check_number(load_unsigned(type, value), rule);
        case Kind::kSigned:
            return check_number(load_signed(type, value), rule);
        case Kind::kFloat: {
            const double number = *static_cast<const double*>(value);
            if (!std::isfinite(number)) {
                return Violation{ContractError::kOutOfRange,
                                 fmt::format("expected a finite number, got {}", number)};
            }
            return check_number(number, rule);
        }
        case Kind::kText:
            return check_text(*static_cast<const std::string*>(value), rule);
        case Kind::kTime:
            if (!static_cast<const Timestamp*>(value)->in_range()) {
                return Violation{ContractError::kOutOfRange,
                                 "expected a time in the years 1678 to 2261"};
            }
            return std::nullopt;
        case Kind::kJson:
            if (!static_cast<const JsonText*>(value)->is_object()) {
                return Violation{ContractError::kWrongType, "expected a JSON object"};
            }
            return std::nullopt;
        default:
            return std::nullopt;
    }
}

std::optional<Violation> check_count(std::size_t count, const Rule& rule) {
    if (count >= rule.min_items && count <= rule.max_items) return std::nullopt;
    return Violation{ContractError::kOutOfRange,
                     rule.max_items == Rule{}.max_items
                         ? fmt::format("expected at least {} items, got {}", rule.min_items, count)
                         : fmt::format("expected {} to {} items, got {}", rule.min_items,
                                       rule.max_items, count)};
}

std::optional<Violation> check_record(const RecordInfo& info, const void* record) {
    for (const FieldInfo& field : info.fields) {
        if (auto v = check_value(*field.type, field.in(record), field.rule)) {
            return at_path(std::move(v), fmt::format(".{}", field.name));
        }
    }
    if (std::string message = info.inconsistency(record); !message.empty()) {
        return Violation{ContractError::kInconsistent, std::move(message)};
    }
    return std::nullopt;
}

}  // namespace esper::contracts
