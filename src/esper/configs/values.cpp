#include "esper/configs/values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>

#include "esper/configs/numbers.h"

namespace esper::configs {
namespace {

using Items = std::span<const std::string_view>;

class BoolType final : public TypedValue<bool> {
  public:
    ValueKind kind() const override { return ValueKind::kBool; }
    bool parse(Items items, bool& value) const override {
        if (items.front() != "true" && items.front() != "false") return false;
        value = items.front() == "true";
        return true;
    }
    bool check(const bool&, const Rule&) const override { return true; }
    std::string print(const bool& value, MaskSecrets) const override {
        return value ? "true" : "false";
    }
    std::string expected(const Rule&) const override { return "true or false"; }
};

template <typename T>
class NumberType final : public TypedValue<T> {
  public:
    static constexpr bool kWhole = std::is_integral_v<T>;
    ValueKind kind() const override { return kWhole ? ValueKind::kInteger : ValueKind::kNumber; }
    bool parse(Items items, T& value) const override { return read_number(items.front(), value); }
    bool check(const T& value, const Rule& rule) const override {
        const auto number = static_cast<double>(value);
        return std::isfinite(number) && rule.admits(number);
    }
    std::string print(const T& value, MaskSecrets) const override {
        if constexpr (kWhole) {
            return std::to_string(value);
        } else {
            return write_number(value);
        }
    }
    std::string expected(const Rule& rule) const override {
        // The type's own limits are only mentioned where the rule has none.
        double low = rule.low;
        if constexpr (std::is_unsigned_v<T>) low = std::max(low, 0.0);
        return (kWhole ? "a whole number" : "a number") +
               describe_range(low, rule.high, rule.low_open, rule.high_open);
    }
    std::pair<double, double> range() const override {
        if constexpr (kWhole) {
            return {static_cast<double>(std::numeric_limits<T>::min()),
                    static_cast<double>(std::numeric_limits<T>::max())};
        }
        return ValueType::range();
    }
};

class TextType final : public TypedValue<std::string> {
  public:
    ValueKind kind() const override { return ValueKind::kText; }
    bool parse(Items items, std::string& value) const override {
        // A masked password from a printed configuration is not a password.
        std::string text(items.front());
        if (text.find(kMasked) != std::string::npos &&
            replace_url_password(text, kMasked) == text) {
            text = replace_url_password(text, "");
        }
        value = std::move(text);
        return true;
    }
    bool check(const std::string& value, const Rule& rule) const override {
        return has_form(value, rule.text);
    }
    std::string print(const std::string& value, MaskSecrets mask) const override {
        return write_text(mask == MaskSecrets::kYes ? replace_url_password(value, kMasked) : value);
    }
    std::string expected(const Rule& rule) const override {
        return std::string(describe_form(rule.text));
    }
};

class SecretType final : public TypedValue<Secret> {
  public:
    ValueKind kind() const override { return ValueKind::kSecret; }
    bool parse(Items items, Secret& value) const override {
        value = items.front() == kMasked ? Secret() : Secret(std::string(items.front()));
        return true;
    }
    bool check(const Secret& value, const Rule&) const override {
        return has_form(value.reveal(), TextForm::kAny);
    }
    std::string print(const Secret& value, MaskSecrets mask) const override {
        if (mask == MaskSecrets::kNo || value.empty()) return write_text(value.reveal());
        return write_text(kMasked);
    }
    std::string expected(const Rule&) const override {
        return std::string(describe_form(TextForm::kAny));
    }
};

class DurationType final : public TypedValue<Duration> {
  public:
    ValueKind kind() const override { return ValueKind::kDuration; }
    bool parse(Items items, Duration& value) const override {
        const auto duration = Duration::parse(items.front());
        if (duration) value = *duration;
        return duration.has_value();
    }
    bool check(const Duration& value, const Rule& rule) const override {
        if (!std::isfinite(value.value) || !rule.admits(value.value)) return false;
        switch (rule.time) {
            case TimeKind::kProgress:
                return value.is_progress() &&
                       (value.unit != TimeUnit::kRunShare || value.value <= 100);
            case TimeKind::kEpochs:
                return value.unit == TimeUnit::kEpochs && value.value == std::floor(value.value);
            case TimeKind::kClock:
                return value.is_clock();
            case TimeKind::kAny:
                break;
        }
        return value.unit != TimeUnit::kRunShare || value.value <= 100;
    }
    std::string print(const Duration& value, MaskSecrets) const override {
        return value.to_string();
    }
    std::string expected(const Rule& rule) const override {
        const std::string_view above = rule.low_open ? " above zero" : "";
        switch (rule.time) {
            case TimeKind::kProgress:
                return fmt::format("progress{} such as 20ep, 500ba or 5%", above);
            case TimeKind::kEpochs:
                return fmt::format("whole epochs{} such as 20ep", above);
            case TimeKind::kClock:
                return fmt::format("a time{} such as 250ms, 10s, 30m, 72h or 7d", above);
            case TimeKind::kAny:
                break;
        }
        return fmt::format("a duration{} such as 20ep, 500ba, 5%, 10s, 30m or 72h", above);
    }
};

class NamesType final : public TypedValue<Names> {
  public:
    ValueKind kind() const override { return ValueKind::kNames; }
    bool parse(Items items, Names& value) const override {
        value.assign(items.begin(), items.end());
        return true;
    }
    bool check(const Names& value, const Rule& rule) const override {
        return std::ranges::all_of(
            value, [&](const std::string& name) { return has_form(name, rule.text); });
    }
    std::string print(const Names& value, MaskSecrets) const override {
        std::string out = "[";
        for (const std::string& name : value) {
            out += (out.size() > 1 ? ", " : "") + write_text(name);
        }
        return out + "]";
    }
    std::string expected(const Rule& rule) const override {
        return fmt::format("a list, each item {}", describe_form(rule.text));
    }
};

class PairType final : public TypedValue<Pair> {
  public:
    ValueKind kind() const override { return ValueKind::kPair; }
    bool parse(Items items, Pair& value) const override {
        return items.size() == value.size() && read_number(items[0], value[0]) &&
               read_number(items[1], value[1]);
    }
    bool check(const Pair& value, const Rule& rule) const override {
        return std::ranges::all_of(
            value, [&](double number) { return std::isfinite(number) && rule.admits(number); });
    }
    std::string print(const Pair& value, MaskSecrets) const override {
        return fmt::format("[{}, {}]", write_number(value[0]), write_number(value[1]));
    }
    std::string expected(const Rule& rule) const override {
        return "a list of two numbers, each" +
               describe_range(rule.low, rule.high, rule.low_open, rule.high_open);
    }
};

class ClassWeightsType final : public TypedValue<ClassWeights> {
  public:
    ValueKind kind() const override { return ValueKind::kClassWeights; }
    bool parse(Items items, ClassWeights& value) const override {
        value = {};
        if (items.size() == 1 && (items[0] == "none" || items[0] == "balanced")) {
            value.balanced = items[0] == "balanced";
            return true;
        }
        for (const auto item : items) {
            double weight = 0;
            if (!read_number(item, weight)) return false;
            value.listed.push_back(weight);
        }
        return !items.empty();
    }
    bool check(const ClassWeights& value, const Rule&) const override {
        const auto& listed = value.listed;
        return std::ranges::all_of(listed, [](double w) { return std::isfinite(w) && w >= 0; }) &&
               (listed.empty() || std::ranges::any_of(listed, [](double w) { return w > 0; }));
    }
    std::string print(const ClassWeights& value, MaskSecrets) const override {
        if (!value.is_set()) return "none";
        if (value.balanced) return "balanced";
        std::string out = "[";
        for (const double weight : value.listed)
            out += (out.size() > 1 ? ", " : "") + write_number(weight);
        return out + "]";
    }
    std::string expected(const Rule&) const override {
        return "none, balanced, or a list of numbers of at least 0, not all of them 0, one for "
               "each class or label";
    }
};

}  // namespace

std::pair<double, double> ValueType::range() const {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    return {-infinity, infinity};
}

std::string describe_range(double low, double high, bool low_open, bool high_open) {
    const auto bound = [](double value, bool open) {
        return write_number(value) + (open ? " (excluded)" : "");
    };
    const bool has_low = std::isfinite(low);
    const bool has_high = std::isfinite(high);
    if (has_low && has_high) {
        return fmt::format(" from {} to {}", bound(low, low_open), bound(high, high_open));
    }
    if (has_low)
        return fmt::format(" {} {}", low_open ? "above" : "of at least", write_number(low));
    if (has_high)
        return fmt::format(" {} {}", high_open ? "below" : "of at most", write_number(high));
    return "";
}

#define ESPER_VALUE_TYPE(T, Type)      \
    template <>                        \
    const ValueType& value_type<T>() { \
        static const Type type;        \
        return type;                   \
    }
ESPER_VALUE_TYPE(bool, BoolType)
ESPER_VALUE_TYPE(int, NumberType<int>)
ESPER_VALUE_TYPE(std::int64_t, NumberType<std::int64_t>)
ESPER_VALUE_TYPE(std::uint64_t, NumberType<std::uint64_t>)
ESPER_VALUE_TYPE(double, NumberType<double>)
ESPER_VALUE_TYPE(std::string, TextType)
ESPER_VALUE_TYPE(Secret, SecretType)
ESPER_VALUE_TYPE(Duration, DurationType)
ESPER_VALUE_TYPE(Names, NamesType)
ESPER_VALUE_TYPE(Pair, PairType)
ESPER_VALUE_TYPE(ClassWeights, ClassWeightsType)

}  // namespace esper::configs
