#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "esper/contracts/rule.h"

namespace esper::contracts {

/// The version of the whole set of contracts that this build writes. A version never changes once
/// released: fields are only added, with `since`, and never renamed, renumbered or removed.
inline constexpr std::uint16_t kSchemaVersion = 1;

enum class Kind : std::uint8_t {
    kBool,
    kUnsigned,  ///< of `width` bytes
    kSigned,    ///< of `width` bytes
    kFloat,     ///< double; always finite on the wire
    kText,      ///< std::string, UTF-8
    kTime,      ///< Timestamp
    kJson,      ///< JsonText
    kEnum,
    kOptional,
    kList,
    kMap,  ///< std::map from text
    kRecord,
};

struct RecordInfo;

/// The values of an enum, without its C++ type.
struct EnumInfo {
    std::string_view name;
    std::size_t count;
    std::string_view (*text_at)(std::size_t index);
    std::uint8_t (*number_at)(std::size_t index);
};

/// Access to an optional, a list or a map, without its C++ element type.
struct ContainerInfo {
    std::size_t (*size)(const void* container);
    /// Optional and list: the i-th element.
    const void* (*at)(const void* container, std::size_t i);
    /// Optional and list: adds a default element at the end. Map: adds the key and returns its
    /// element, or null when the key exists already.
    void* (*add)(void* container, std::string&& key);
    /// Map: calls `visit` with every key in ascending order.
    void (*each)(const void* container, void* context,
                 void (*visit)(void* context, const std::string& key, const void* element));
};

struct TypeInfo {
    Kind kind;
    std::uint8_t width = 0;
    const TypeInfo* element = nullptr;
    const ContainerInfo* container = nullptr;
    const EnumInfo* enumeration = nullptr;
    const RecordInfo& (*record)() = nullptr;
};

struct FieldInfo {
    std::string_view name;
    const TypeInfo* type;
    void* (*at)(void* record);
    Rule rule;
    std::string_view doc;

    const void* in(const void* record) const { return at(const_cast<void*>(record)); }
};

/// Everything the codecs know about a declared type.
struct RecordInfo {
    std::string_view name;
    std::uint8_t number;  ///< the type's number in the binary form
    std::string_view doc;
    std::span<const FieldInfo> fields;
    std::uint16_t version;
    /// Describes fields that contradict each other; "" when none do.
    std::string (*inconsistency)(const void* record);
    void* (*create)();
    void (*destroy)(void* record);
    /// Sets every field to its default.
    void (*reset)(void* record);
    bool (*equal)(const void* a, const void* b);
};

}  // namespace esper::contracts
