#include "esper/utils/log_record.h"

#include <algorithm>

namespace esper::utils {
namespace {

/// In front of each field's text.
struct FieldHead {
    const char* key;
    std::uint64_t number;
    std::uint16_t text_size;
    std::uint8_t key_size;
    LogField::Kind kind;
};

}  // namespace

std::string_view log_level_name(LogLevel level) {
    static constexpr std::string_view kNames[] = {"debug", "info", "warning", "error", "off"};
    return kNames[static_cast<std::size_t>(level)];
}

void LogRecord::add(const LogField& field) {
    if (kCapacity - used < sizeof(FieldHead)) {
        cut = true;
        return;
    }
    FieldHead head{field.key.data(), 0, 0,
                   static_cast<std::uint8_t>(std::min<std::size_t>(field.key.size(), 255)),
                   field.kind};
    if (field.kind == LogField::Kind::kText) {
        const std::size_t room = kCapacity - used - sizeof head;
        const std::size_t n = std::min(field.text.size(), room);
        cut = cut || n < field.text.size();
        head.text_size = static_cast<std::uint16_t>(n);
        std::memcpy(bytes.data() + used + sizeof head, field.text.data(), n);
    } else if (field.kind == LogField::Kind::kBool) {
        head.number = field.as_bool ? 1 : 0;
    } else {
        head.number = field.as_unsigned;
    }
    std::memcpy(bytes.data() + used, &head, sizeof head);
    used = static_cast<std::uint16_t>(used + sizeof head + head.text_size);
    ++fields;
}

LogField LogRecord::read(std::size_t& at) const {
    FieldHead head;
    std::memcpy(&head, bytes.data() + at, sizeof head);
    LogField f{};
    f.key = {head.key, head.key_size};
    f.kind = head.kind;
    f.as_unsigned = head.number;
    if (head.kind == LogField::Kind::kBool) f.as_bool = head.number != 0;
    f.text = {bytes.data() + at + sizeof head, head.text_size};
    at += sizeof head + head.text_size;
    return f;
}

}  // namespace esper::utils
