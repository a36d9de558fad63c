#include <cstring>

#include "esper/contracts/rule_check.h"

namespace esper::contracts {
namespace {

template <typename T>
T load(const void* p) {
    T value;
    std::memcpy(&value, p, sizeof value);
    return value;
}

template <typename T, typename Wide>
bool store(void* p, Wide number) {
    const auto value = static_cast<T>(number);
    if (static_cast<Wide>(value) != number) return false;
    std::memcpy(p, &value, sizeof value);
    return true;
}

}  // namespace

std::uint64_t load_unsigned(const TypeInfo& type, const void* value) {
    switch (type.width) {
        case 1:
            return load<std::uint8_t>(value);
        case 2:
            return load<std::uint16_t>(value);
        case 4:
            return load<std::uint32_t>(value);
        default:
            return load<std::uint64_t>(value);
    }
}

std::int64_t load_signed(const TypeInfo& type, const void* value) {
    switch (type.width) {
        case 1:
            return load<std::int8_t>(value);
        case 2:
            return load<std::int16_t>(value);
        case 4:
            return load<std::int32_t>(value);
        default:
            return load<std::int64_t>(value);
    }
}

bool store_unsigned(const TypeInfo& type, void* value, std::uint64_t number) {
    switch (type.width) {
        case 1:
            return store<std::uint8_t>(value, number);
        case 2:
            return store<std::uint16_t>(value, number);
        case 4:
            return store<std::uint32_t>(value, number);
        default:
            return store<std::uint64_t>(value, number);
    }
}

bool store_signed(const TypeInfo& type, void* value, std::int64_t number) {
    switch (type.width) {
        case 1:
            return store<std::int8_t>(value, number);
        case 2:
            return store<std::int16_t>(value, number);
        case 4:
            return store<std::int32_t>(value, number);
        default:
            return store<std::int64_t>(value, number);
    }
}

}  // namespace esper::contracts
