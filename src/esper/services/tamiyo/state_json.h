#pragma once
// For the .cpp files that save and restore a controller's state.

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "esper/contracts/enum_text.h"
#include "esper/services/tamiyo/errors.h"

namespace esper::tamiyo {

/// Runs `restore`, which uses at() and get(), and turns the exceptions they throw into kBadState.
template <typename F>
Status restore_guarded(std::string_view what, F restore) {
    try {
        restore();
        return {};
    } catch (const nlohmann::json::exception& e) {
        return fail(TamiyoError::kBadState,
                    fmt::format("{} in the checkpoint cannot be read ({}); it is damaged or of "
                                "another version: resume from an older checkpoint",
                                what, e.what()));
    }
}

/// A value that was not measured becomes null.
inline nlohmann::json optional_json(const std::optional<double>& value) {
    return value ? nlohmann::json(*value) : nlohmann::json(nullptr);
}
inline std::optional<double> optional_number(const nlohmann::json& value) {
    if (value.is_null()) return std::nullopt;
    return value.get<double>();
}

/// The enum value of a word. Throws like nlohmann's at() for an unknown word.
template <contracts::ContractEnum E>
E enum_of(const std::string& word) {
    if (const auto value = contracts::from_text<E>(word)) return *value;
    throw nlohmann::json::other_error::create(
        599, fmt::format("'{}' is no {}", word, esper_enum_name(E{})), nullptr);
}

}  // namespace esper::tamiyo
