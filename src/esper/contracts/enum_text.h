#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace esper::contracts {

/// One value of a contract enum and its word in JSON, logs and schemas.
template <typename E>
struct EnumEntry {
    E value;
    std::string_view text;
};

/// Enums declared with ESPER_CONTRACT_ENUM; their numbers and words are part of the wire format.
template <typename E>
concept ContractEnum = requires(E e) { esper_enum_entries(e); };

template <ContractEnum E>
constexpr auto enum_entries() {
    return esper_enum_entries(E{});
}

template <ContractEnum E>
inline constexpr std::size_t kEnumCount = enum_entries<E>().size();

/// The word of a value; "?" for a number that is not a value of the enum.
template <ContractEnum E>
constexpr std::string_view to_text(E value) {
    for (const auto& entry : enum_entries<E>()) {
        if (entry.value == value) return entry.text;
    }
    return "?";
}

/// The value with that word (exact match), or nothing.
template <ContractEnum E>
constexpr std::optional<E> from_text(std::string_view text) {
    for (const auto& entry : enum_entries<E>()) {
        if (entry.text == text) return entry.value;
    }
    return std::nullopt;
}

/// The value with that number, or nothing.
template <ContractEnum E>
constexpr std::optional<E> from_number(std::uint64_t number) {
    for (const auto& entry : enum_entries<E>()) {
        if (static_cast<std::uint64_t>(entry.value) == number) return entry.value;
    }
    return std::nullopt;
}

}  // namespace esper::contracts

// Declares an enum of one byte from an X-macro list of (kName, number, "TEXT").
#define ESPER_ENUM_VALUE(name, number, text) name = (number),
#define ESPER_ENUM_ENTRY(name, number, text) EnumEntry<Self>{Self::name, text},
#define ESPER_CONTRACT_ENUM(Enum, LIST)                                  \
    enum class Enum : std::uint8_t { LIST(ESPER_ENUM_VALUE) };           \
    constexpr auto esper_enum_entries(Enum) {                            \
        using Self = Enum;                                               \
        return std::to_array<EnumEntry<Self>>({LIST(ESPER_ENUM_ENTRY)}); \
    }                                                                    \
    constexpr std::string_view esper_enum_name(Enum) { return #Enum; }
