#pragma once

#include <string>

#include "esper/base/ascii.h"
#include "esper/configs/values.h"

namespace esper::configs {

/// The word for an enum's value in a configuration file, in lower case.
template <contracts::ContractEnum Enum>
std::string spelling(Enum value) {
    return lowered(std::string(contracts::to_text(value)));
}

/// Reads and writes any enum declared with ESPER_CONTRACT_ENUM.
template <contracts::ContractEnum Enum>
class ChoiceType final : public TypedValue<Enum> {
  public:
    ValueKind kind() const override { return ValueKind::kChoice; }
    bool parse(std::span<const std::string_view> items, Enum& value) const override {
        for (const auto& entry : contracts::enum_entries<Enum>()) {
            if (spelling(entry.value) != items.front()) continue;
            value = entry.value;
            return true;
        }
        return false;
    }
    bool check(const Enum& value, const Rule&) const override {
        return contracts::to_text(value) != "?";
    }
    std::string print(const Enum& value, MaskSecrets) const override {
        return write_text(spelling(value));
    }
    std::string expected(const Rule&) const override {
        std::string text;
        for (const std::string& choice : choices()) {
            text += (text.empty() ? "one of " : ", ") + choice;
        }
        return text;
    }
    std::vector<std::string> choices() const override {
        std::vector<std::string> names;
        for (const auto& entry : contracts::enum_entries<Enum>()) {
            names.push_back(spelling(entry.value));
        }
        return names;
    }
};

template <typename T>
    requires contracts::ContractEnum<T>
const ValueType& choice_type() {
    static const ChoiceType<T> type;
    return type;
}

}  // namespace esper::configs
