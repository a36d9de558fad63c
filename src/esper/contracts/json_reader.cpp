#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "esper/base/text.h"
#include "esper/contracts/json_codec.h"
#include "esper/contracts/json_scanner.h"
#include "esper/contracts/json_text.h"
#include "esper/contracts/rule_check.h"
#include "esper/contracts/timestamp.h"
#include "esper/contracts/versions.h"

namespace esper::contracts {
namespace {

constexpr std::string_view kSchemaKey = "schema";

/// The digits of a number with a point or an exponent that is a whole number all the same, as
/// JSON Schema counts it (2.0, 1e3), with its sign; empty where it is none.
std::string whole_digits(std::string_view number) {
    const auto mark = number.find_first_of("eE");
    const auto mantissa = number.substr(0, mark);
    const auto point = mantissa.substr(0, mantissa.find('.'));
    std::string digits(point);
    if (point.size() < mantissa.size()) digits += mantissa.substr(point.size() + 1);
    int exponent = 0;
    if (mark != std::string_view::npos) {
        auto power = number.substr(mark + 1);
        if (power.starts_with('+')) power.remove_prefix(1);
        if (std::from_chars(power.data(), power.data() + power.size(), exponent).ec != std::errc{})
            return "";
    }
    exponent -= static_cast<int>(digits.size() - point.size());
    const std::size_t least = digits.starts_with('-') ? 2 : 1;
    for (; exponent < 0 && digits.ends_with('0') && digits.size() > least; ++exponent)
        digits.pop_back();
    const bool is_zero = digits.find_first_of("123456789") == std::string::npos;
    if (exponent < 0 && !is_zero) return "";
    constexpr int kBeyondAny = 21;  // digits, more than 64 bits have
    digits.append(static_cast<std::size_t>(std::clamp(exponent, 0, kBeyondAny)), '0');
    return digits;
}

class Reader {
  public:
    Reader(std::string_view text, std::uint16_t version) : scan_(text), version_(version) {}

    Status document(const RecordInfo& info, void* value) {
        top_ = &info;
        if (record(info, value) && scan_.finish()) return {};
        return esper::fail(scan_.error()->within(std::string(info.name) + path_));
    }
    /// The text's version if it differs from the assumed one.
    std::uint16_t other_version() const { return other_version_; }

  private:
    bool fail_at(const char* where, ContractError code, std::string message) {
        return scan_.fail_at(where, code, std::move(message));
    }
    bool fail_at(const char* where, Violation v) {
        return fail_at(where, v.code, std::move(v.message));
    }

    bool schema_key() {
        std::string schema;
        scan_.peek();
        const char* where = scan_.position();
        if (!scan_.string(schema)) return false;
        const auto slash = schema.rfind('/');
        const std::string_view name = std::string_view(schema).substr(0, slash);
        std::uint16_t version = 0;
        const char* end = schema.data() + schema.size();
        const auto parsed = slash == std::string::npos
                                ? std::from_chars_result{end, std::errc::invalid_argument}
                                : std::from_chars(schema.data() + slash + 1, end, version);
        if (name != top_->name || parsed.ec != std::errc{} || parsed.ptr != end) {
            return fail_at(where, ContractError::kWrongSchema,
                           fmt::format("expected '{}/<version>', got '{}'", top_->name, schema));
        }
        if (const Status s = check_version(*top_, version); !s) {
            return fail_at(where, ContractError::kUnknownVersion, s.error().message());
        }
        if (version != version_) {
            other_version_ = version;
            return fail_at(where, ContractError::kUnknownVersion, "another version");
        }
        return true;
    }

    bool record(const RecordInfo& info, void* value) {
        scan_.peek();
        const char* start = scan_.position();
        if (scan_.peek() != '{') return wrong_type("an object");
        scan_.take('{');
        if (!scan_.enter()) return false;
        const bool at_top = depth_++ == 0;
        std::uint64_t seen = 0;
        bool schema_seen = false;
        std::size_t next = 0;
        if (!scan_.take('}')) {
            for (;;) {
                const bool quoted = scan_.peek() == '"';
                const char* where = scan_.position();
                if (!quoted) return scan_.expect('"', "before a field name");
                if (!scan_.string(key_) || !scan_.expect(':', "after a field name")) return false;
                if (at_top && key_ == kSchemaKey) {
                    if (schema_seen) return twice(where);
                    schema_seen = true;
                    if (!schema_key()) return false;
                } else {
                    const std::size_t index = find(info, next);
                    if (index == info.fields.size()) return unknown_field(info, where);
                    const std::uint64_t bit = std::uint64_t{1} << index;
                    if ((seen & bit) != 0) return twice(where);
                    seen |= bit;
                    next = index + 1;
                    const FieldInfo& field = info.fields[index];
                    if (!this->value(*field.type, field.at(value), field.rule)) {
                        path_.insert(0, fmt::format(".{}", field.name));
                        return false;
                    }
                }
                if (scan_.take('}')) break;
                if (!scan_.expect(',', "or '}' between fields")) return false;
            }
        }
        scan_.leave();
        --depth_;
        return complete(info, seen, start) && consistent(info, value, start);
    }

    bool complete(const RecordInfo& info, std::uint64_t seen, const char* start) {
        for (std::size_t i = 0; i < info.fields.size(); ++i) {
            if (info.fields[i].rule.required && ((seen >> i) & 1u) == 0) {
                return fail_at(start, ContractError::kMissingField,
                               fmt::format("the field '{}' is required", info.fields[i].name));
            }
        }
        return true;
    }

    bool consistent(const RecordInfo& info, const void* value, const char* start) {
        std::string message = info.inconsistency(value);
        return message.empty() || fail_at(start, ContractError::kInconsistent, std::move(message));
    }

    /// Finds the field `key_`. Writers keep the order of declaration, so the next field is tried
    /// first.
    std::size_t find(const RecordInfo& info, std::size_t next) const {
        const std::size_t n = info.fields.size();
        for (std::size_t k = 0; k < n; ++k) {
            const std::size_t i = next + k < n ? next + k : next + k - n;
            if (info.fields[i].name == key_ && info.fields[i].rule.since_version <= version_) {
                return i;
            }
        }
        return n;
    }

    bool unknown_field(const RecordInfo& info, const char* where) {
        std::vector<std::string> names;
        for (const FieldInfo& field : info.fields) {
            if (field.rule.since_version <= version_) names.emplace_back(field.name);
            if (field.name == key_ && field.rule.since_version > version_) {
                return fail_at(where, ContractError::kUnknownField,
                               fmt::format("the field '{}' exists since schema version {}, the "
                                           "text says version {}",
                                           key_, field.rule.since_version, version_));
            }
        }
        return fail_at(
            where, ContractError::kUnknownField,
            fmt::format("{} has no field {}", info.name, quote_with_suggestion(key_, names)));
    }

    bool twice(const char* where) {
        return fail_at(where, ContractError::kDuplicateField,
                       fmt::format("expected every field once, got '{}' twice", key_));
    }

    bool wrong_type(std::string_view expected) {
        const char c = scan_.peek();
        std::string_view got = "a number";
        if (c == 0)
            return scan_.fail(ContractError::kTruncated,
                              fmt::format("expected {}, but the text ends", expected));
        if (c == '{') got = "an object";
        if (c == '[') got = "a list";
        if (c == '"') got = "text";
        if (c == 't' || c == 'f') got = "true or false";
        if (c == 'n') got = "null";
        return scan_.fail(ContractError::kWrongType,
                          fmt::format("expected {}, got {}", expected, got));
    }

    bool value(const TypeInfo& type, void* value, const Rule& rule) {
        const char c = scan_.peek();
        const char* where = scan_.position();
        switch (type.kind) {
            case Kind::kBool: {
                const bool yes = scan_.take_word("true");
                if (!yes && !scan_.take_word("false")) return wrong_type("true or false");
                *static_cast<bool*>(value) = yes;
                return true;
            }
            case Kind::kUnsigned:
            case Kind::kSigned:
                if (!integer(type, value)) return false;
                break;
            case Kind::kFloat:
                if (!real(*static_cast<double*>(value))) return false;
                break;
            case Kind::kText:
                if (c != '"') return wrong_type("text");
                if (!scan_.string(*static_cast<std::string*>(value))) return false;
                break;
            case Kind::kTime:
                return time(*static_cast<Timestamp*>(value));
            case Kind::kJson:
                if (!scan_.free_value(*static_cast<JsonText*>(value))) return false;
                break;
            case Kind::kEnum:
                return enumeration(*type.enumeration, *static_cast<std::uint8_t*>(value));
            case Kind::kOptional:
                if (scan_.take_word("null")) return true;
                return this->value(*type.element, type.container->add(value, {}), rule);
            case Kind::kList:
                return list(type, value, rule);
            case Kind::kMap:
                return map(type, value, rule);
            case Kind::kRecord:
                return record(type.record(), value);
        }
        if (auto v = check_leaf(type, value, rule)) return fail_at(where, std::move(*v));
        return true;
    }

    bool integer(const TypeInfo& type, void* value) {
        const char c = scan_.peek();
        if (c != '-' && (c < '0' || c > '9')) return wrong_type("a whole number");
        const char* where = scan_.position();
        std::string_view digits;
        if (!scan_.number(digits)) return false;
        const char* end = digits.data() + digits.size();
        bool fits = false;
        std::string whole;
        if (digits.find_first_of(".eE") != std::string_view::npos) {
            whole = whole_digits(digits);
            if (whole.empty())
                return fail_at(where, ContractError::kWrongType,
                               fmt::format("expected a whole number, got {}", digits));
            digits = whole;
            end = digits.data() + digits.size();
        }
        if (type.kind == Kind::kUnsigned) {
            std::uint64_t number = 0;
            fits = std::from_chars(digits.data(), end, number).ec == std::errc{} && c != '-' &&
                   store_unsigned(type, value, number);
        } else {
            std::int64_t number = 0;
            fits = std::from_chars(digits.data(), end, number).ec == std::errc{} &&
                   store_signed(type, value, number);
        }
        return fits || fail_at(where, ContractError::kOutOfRange,
                               fmt::format("expected {} whole number of {} bits, got {}",
                                           type.kind == Kind::kUnsigned ? "a non-negative" : "a",
                                           type.width * 8, digits));
    }

    bool real(double& value) {
        const char c = scan_.peek();
        if (c != '-' && (c < '0' || c > '9')) return wrong_type("a number");
        const char* where = scan_.position();
        std::string_view digits;
        if (!scan_.number(digits)) return false;
        const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value);
        if (parsed.ec == std::errc{}) return true;
        return fail_at(where, ContractError::kOutOfRange,
                       fmt::format("expected a number that a double can hold, got {}", digits));
    }

    bool time(Timestamp& value) {
        const char* where = scan_.position();
        if (scan_.peek() != '"') return wrong_type("a UTC time as text");
        if (!scan_.string(word_)) return false;
        const auto parsed = parse_timestamp(word_);
        if (!parsed) {
            return fail_at(
                where, ContractError::kBadFormat,
                fmt::format("expected a UTC time such as 2026-11-23T09:18:05Z, got '{}'", word_));
        }
        value = *parsed;
        return true;
    }

    bool enumeration(const EnumInfo& info, std::uint8_t& value) {
        const char* where = scan_.position();
        if (scan_.peek() != '"') return wrong_type("a word");
        if (!scan_.string(word_)) return false;
        std::vector<std::string> words;
        for (std::size_t i = 0; i < info.count; ++i) {
            if (info.text_at(i) == word_) {
                value = info.number_at(i);
                return true;
            }
        }
        for (std::size_t i = 0; i < info.count; ++i) words.emplace_back(info.text_at(i));
        return fail_at(where, ContractError::kUnknownValue,
                       fmt::format("{} has no value {}; expected one of {}", info.name,
                                   quote_with_suggestion(word_, words), join(words, ", ")));
    }

    bool list(const TypeInfo& type, void* value, const Rule& rule) {
        const char* where = scan_.position();
        if (scan_.peek() != '[') return wrong_type("a list");
        scan_.take('[');
        if (!scan_.enter()) return false;
        std::size_t n = 0;
        if (!scan_.take(']')) {
            for (;; ++n) {
                if (!this->value(*type.element, type.container->add(value, {}), rule)) {
                    path_.insert(0, fmt::format("[{}]", n));
                    return false;
                }
                if (scan_.take(']')) break;
                if (!scan_.expect(',', "or ']' between elements")) return false;
            }
            ++n;
        }
        scan_.leave();
        if (auto v = check_count(n, rule)) return fail_at(where, std::move(*v));
        return true;
    }

    bool map(const TypeInfo& type, void* value, const Rule& rule) {
        const char* where = scan_.position();
        if (scan_.peek() != '{') return wrong_type("an object");
        scan_.take('{');
        if (!scan_.enter()) return false;
        std::size_t n = 0;
        if (!scan_.take('}')) {
            for (;; ++n) {
                scan_.peek();
                const char* at_key = scan_.position();
                std::string key;
                if (!scan_.string(key) || !scan_.expect(':', "after a key")) return false;
                key_ = key;
                void* element = type.container->add(value, std::string(key));
                if (element == nullptr) return twice(at_key);
                if (!this->value(*type.element, element, rule)) {
                    path_.insert(0, fmt::format("[\"{}\"]", key));
                    return false;
                }
                if (scan_.take('}')) break;
                if (!scan_.expect(',', "or '}' between entries")) return false;
            }
            ++n;
        }
        scan_.leave();
        if (auto v = check_count(n, rule)) return fail_at(where, std::move(*v));
        return true;
    }

    JsonScanner scan_;
    std::uint16_t version_;
    std::uint16_t other_version_ = 0;
    int depth_ = 0;
    const RecordInfo* top_ = nullptr;
    std::string key_;
    std::string word_;
    std::string path_;
};

}  // namespace

Status read_json(const RecordInfo& info, std::string_view text, void* record) {
    if (text.size() > JsonScanner::kMaxBytes) {
        return fail(ContractError::kTooLarge,
                    fmt::format("{}: expected at most {} bytes, got {}", info.name,
                                JsonScanner::kMaxBytes, text.size()));
    }
    Reader reader(text, info.version);
    Status status = reader.document(info, record);
    if (status || reader.other_version() == 0) return status;
    // The text names an older version: read again, with the fields of that version only.
    info.reset(record);
    return Reader(text, reader.other_version()).document(info, record);
}

}  // namespace esper::contracts
