#pragma once
// One declaration per type. ESPER_CONTRACT names the type, ESPER_REQUIRED and ESPER_FIELD declare
// its members; JSON, the binary form, printing, JSON Schema and range checks follow from them.
//
//     struct HealthSummary {
//         ESPER_CONTRACT(HealthSummary, 17, "State of one domain")
//         ESPER_REQUIRED(1, std::string, domain_id, id(), "The domain")
//         ESPER_FIELD(2, double, balance, 0.0, at_least(0), "Adaptation budget left")
//     };

#include <array>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "esper/contracts/enum_text.h"
#include "esper/contracts/json_text.h"
#include "esper/contracts/reflect.h"
#include "esper/contracts/timestamp.h"

namespace esper::contracts {

template <int Id>
struct FieldTag {};

struct RecordName {
    std::string_view name;
    std::uint8_t number;
    std::string_view doc;
};

template <typename T>
concept Contract = requires {
    { T::esper_record } -> std::convertible_to<RecordName>;
};

template <Contract T>
const RecordInfo& record_info();

namespace detail {

inline constexpr int kMaxFields = 48;

template <ContractEnum E>
inline constexpr EnumInfo kEnumInfo{
    esper_enum_name(E{}), kEnumCount<E>,
    [](std::size_t i) { return esper_enum_entries(E{})[i].text; },
    [](std::size_t i) { return static_cast<std::uint8_t>(esper_enum_entries(E{})[i].value); }};

template <typename T>
struct TypeOf;

template <std::unsigned_integral T>
struct TypeOf<T> {
    static constexpr TypeInfo value{Kind::kUnsigned, sizeof(T)};
};
template <std::signed_integral T>
struct TypeOf<T> {
    static constexpr TypeInfo value{Kind::kSigned, sizeof(T)};
};
template <>
struct TypeOf<bool> {
    static constexpr TypeInfo value{Kind::kBool, 1};
};
template <>
struct TypeOf<double> {
    static constexpr TypeInfo value{Kind::kFloat, 8};
};
template <>
struct TypeOf<std::string> {
    static constexpr TypeInfo value{Kind::kText};
};
template <>
struct TypeOf<Timestamp> {
    static constexpr TypeInfo value{Kind::kTime, 8};
};
template <>
struct TypeOf<JsonText> {
    static constexpr TypeInfo value{Kind::kJson};
};
template <ContractEnum E>
struct TypeOf<E> {
    static constexpr TypeInfo value{Kind::kEnum, 1, nullptr, nullptr, &kEnumInfo<E>};
};
template <Contract T>
struct TypeOf<T> {
    static constexpr TypeInfo value{Kind::kRecord, 0, nullptr, nullptr, nullptr, &record_info<T>};
};

template <typename T>
struct TypeOf<std::optional<T>> {
    using C = std::optional<T>;
    static constexpr ContainerInfo container{
        [](const void* c) -> std::size_t { return static_cast<const C*>(c)->has_value() ? 1 : 0; },
        [](const void* c, std::size_t) -> const void* { return &**static_cast<const C*>(c); },
        [](void* c, std::string&&) -> void* { return &static_cast<C*>(c)->emplace(); }, nullptr};
    static constexpr TypeInfo value{Kind::kOptional, 0, &TypeOf<T>::value, &container};
};
template <typename T>
struct TypeOf<std::vector<T>> {
    static_assert(!std::same_as<T, bool>, "a list of bool has no addressable elements");
    using C = std::vector<T>;
    static constexpr ContainerInfo container{
        [](const void* c) { return static_cast<const C*>(c)->size(); },
        [](const void* c, std::size_t i) -> const void* { return &(*static_cast<const C*>(c))[i]; },
        [](void* c, std::string&&) -> void* { return &static_cast<C*>(c)->emplace_back(); },
        nullptr};
    static constexpr TypeInfo value{Kind::kList, 0, &TypeOf<T>::value, &container};
};
template <typename T>
struct TypeOf<std::map<std::string, T>> {
    using C = std::map<std::string, T>;
    static constexpr ContainerInfo container{
        [](const void* c) { return static_cast<const C*>(c)->size(); }, nullptr,
        [](void* c, std::string&& key) -> void* {
            auto [it, inserted] = static_cast<C*>(c)->try_emplace(std::move(key));
            return inserted ? &it->second : nullptr;
        },
        [](const void* c, void* context, void (*visit)(void*, const std::string&, const void*)) {
            for (const auto& [key, element] : *static_cast<const C*>(c)) {
                visit(context, key, &element);
            }
        }};
    static constexpr TypeInfo value{Kind::kMap, 0, &TypeOf<T>::value, &container};
};

template <typename T, int Id>
concept HasField = requires { T::esper_field(FieldTag<Id>{}); };

template <Contract T>
consteval int count_fields() {
    return []<int... I>(std::integer_sequence<int, I...>) {
        return (0 + ... + (HasField<T, I + 1> ? 1 : 0));
    }(std::make_integer_sequence<int, kMaxFields>{});
}

template <Contract T>
consteval auto collect_fields() {
    return []<int... I>(std::integer_sequence<int, I...>) {
        return std::array<FieldInfo, sizeof...(I)>{T::esper_field(FieldTag<I + 1>{})...};
    }(std::make_integer_sequence<int, count_fields<T>()>{});
}

template <Contract T>
inline constexpr auto kFields = collect_fields<T>();

/// Fields must be declared in the order of their versions. Only fields of version 1 may be
/// required: an older writer does not know the later ones, so those need a default.
template <Contract T>
consteval bool fields_are_ordered() {
    std::uint16_t version = 1;
    for (const FieldInfo& f : kFields<T>) {
        if (f.rule.since_version < version) return false;
        if (f.rule.since_version > 1 && f.rule.required) return false;
        version = f.rule.since_version;
    }
    return true;
}

template <Contract T>
constexpr std::uint16_t version_of() {
    if constexpr (requires { T::kSchemaVersion; }) {
        return T::kSchemaVersion;
    } else {
        return kSchemaVersion;
    }
}

template <Contract T>
std::string inconsistency_of(const void* record) {
    if constexpr (requires(const T& t) { t.inconsistency(); }) {
        return static_cast<const T*>(record)->inconsistency();
    } else {
        return {};
    }
}

}  // namespace detail

template <Contract T>
const RecordInfo& record_info() {
    static_assert(detail::fields_are_ordered<T>());
    static constexpr RecordInfo info{T::esper_record.name,
                                     T::esper_record.number,
                                     T::esper_record.doc,
                                     detail::kFields<T>,
                                     detail::version_of<T>(),
                                     detail::inconsistency_of<T>,
                                     []() -> void* { return new T(); },
                                     [](void* p) { delete static_cast<T*>(p); },
                                     [](void* p) { *static_cast<T*>(p) = T(); },
                                     [](const void* a, const void* b) {
                                         return *static_cast<const T*>(a) ==
                                                *static_cast<const T*>(b);
                                     }};
    return info;
}

}  // namespace esper::contracts

#define ESPER_CONTRACT(Type, number, doc)                                             \
    using Self = Type;                                                                \
    static constexpr ::esper::contracts::RecordName esper_record{#Type, number, doc}; \
    friend bool operator==(const Type&, const Type&) = default;

#define ESPER_FIELD_INFO(id, type, name, rule, doc)                                                \
    static constexpr ::esper::contracts::FieldInfo esper_field(::esper::contracts::FieldTag<id>) { \
        using namespace ::esper::contracts;                                                        \
        return {#name, &detail::TypeOf<type>::value,                                               \
                [](void* p) -> void* { return &static_cast<Self*>(p)->name; }, rule, doc};         \
    }

/// A member that JSON must name.
#define ESPER_REQUIRED(id, type, name, rule, doc) \
    type name{};                                  \
    ESPER_FIELD_INFO(id, type, name, (rule).mandatory(), doc)

/// A member with a default, which JSON may leave out.
#define ESPER_FIELD(id, type, name, init, rule, doc) \
    type name = init;                                \
    ESPER_FIELD_INFO(id, type, name, rule, doc)
