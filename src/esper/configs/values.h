#pragma once
// What the schema knows of a key's type, without the type: how to read, check and write a value.

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "esper/configs/class_weights.h"
#include "esper/configs/section.h"

namespace esper::configs {

enum class MaskSecrets : int { kYes, kNo };

enum class ValueKind : int {
    kBool,
    kInteger,
    kNumber,
    kText,
    kSecret,
    kChoice,
    kDuration,
    kNames,         ///< a list of texts
    kPair,          ///< a list of two numbers
    kClassWeights,  ///< a word, or a list of numbers
};

/// Operations on a value behind a pointer to its own type. Stateless; one instance a type.
class ValueType {
  public:
    virtual ~ValueType() = default;
    virtual ValueKind kind() const = 0;
    /// Stores what `items` say (one item unless the kind is a list); where they say nothing of this
    /// type or break the rule, false, and the value stays as it was.
    virtual bool read(std::span<const std::string_view> items, const Rule& rule,
                      void* value) const = 0;
    /// Gives one value the content of another of this type.
    virtual void copy(const void* from, void* to) const = 0;
    virtual bool admits(const void* value, const Rule& rule) const = 0;
    /// As it stands in a YAML file.
    virtual std::string write(const void* value, MaskSecrets mask) const = 0;
    /// `a whole number from 1 to 1024`.
    virtual std::string expected(const Rule& rule) const = 0;
    /// The spellings of a choice; empty for other kinds.
    virtual std::vector<std::string> choices() const { return {}; }
    /// Range of the type itself, for whole numbers.
    virtual std::pair<double, double> range() const;

    bool is_list() const { return kind() == ValueKind::kNames || kind() == ValueKind::kPair; }
    /// Whether a file may say it as a list, or as one word.
    bool takes(bool list) const { return kind() == ValueKind::kClassWeights || list == is_list(); }
};

/// The same for one type, so that each kind of value says only what is its own.
template <typename T>
class TypedValue : public ValueType {
  public:
    bool read(std::span<const std::string_view> items, const Rule& rule, void* value) const final {
        T typed{};
        if (!parse(items, typed) || !check(typed, rule)) return false;
        *static_cast<T*>(value) = std::move(typed);
        return true;
    }
    void copy(const void* from, void* to) const final {
        *static_cast<T*>(to) = *static_cast<const T*>(from);
    }
    bool admits(const void* value, const Rule& rule) const final {
        return check(*static_cast<const T*>(value), rule);
    }
    std::string write(const void* value, MaskSecrets mask) const final {
        return print(*static_cast<const T*>(value), mask);
    }

  protected:
    virtual bool parse(std::span<const std::string_view> items, T& value) const = 0;
    virtual bool check(const T& value, const Rule& rule) const = 0;
    virtual std::string print(const T& value, MaskSecrets mask) const = 0;
};

template <typename T>
const ValueType& value_type();

template <>
const ValueType& value_type<bool>();
template <>
const ValueType& value_type<int>();
template <>
const ValueType& value_type<std::int64_t>();
template <>
const ValueType& value_type<std::uint64_t>();
template <>
const ValueType& value_type<double>();
template <>
const ValueType& value_type<std::string>();
template <>
const ValueType& value_type<Secret>();
template <>
const ValueType& value_type<Duration>();
template <>
const ValueType& value_type<Names>();
template <>
const ValueType& value_type<Pair>();
template <>
const ValueType& value_type<ClassWeights>();

/// `from 0 (excluded) to 1`, `at least 2`, or nothing.
std::string describe_range(double low, double high, bool low_open, bool high_open);

/// Whether a text keeps its rule's form (and is valid UTF-8 without control characters).
bool has_form(std::string_view text, TextForm form);
/// `a URL such as redis://localhost:6379`.
std::string_view describe_form(TextForm form);

/// A YAML scalar that reads back as this text, quoted only where it must be.
std::string write_text(std::string_view text);

}  // namespace esper::configs
