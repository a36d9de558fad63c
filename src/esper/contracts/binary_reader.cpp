#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "esper/base/hash.h"
#include "esper/base/utf8.h"
#include "esper/contracts/binary_codec.h"
#include "esper/contracts/json_scanner.h"
#include "esper/contracts/json_text.h"
#include "esper/contracts/rule_check.h"
#include "esper/contracts/versions.h"

namespace esper::contracts {

static_assert(std::endian::native == std::endian::little,
              "fixed-width numbers are written as they lie in memory");

namespace {

constexpr std::size_t kHeader = 2;
constexpr std::size_t kTrailer = 4;

class Reader {
  public:
    explicit Reader(std::string_view bytes) : all_(bytes), rest_(bytes) {}

    bool varint(std::uint64_t& out) {
        out = 0;
        for (unsigned shift = 0;; shift += 7) {
            std::uint8_t b = 0;
            if (!byte(b)) return false;
            if (shift == 63 && b > 1) {
                return fail(ContractError::kNotCanonical, "expected a number of at most 64 bits");
            }
            out |= static_cast<std::uint64_t>(b & 0x7Fu) << shift;
            if (b < 0x80) {
                return b != 0 || shift == 0 ||
                       fail(ContractError::kNotCanonical, "expected the shortest form of a number");
            }
        }
    }

    bool record(const RecordInfo& info, void* record, std::uint16_t version) {
        for (const FieldInfo& field : info.fields) {
            if (field.rule.since_version > version) break;
            if (!value(*field.type, field.at(record), field.rule, version)) {
                path_.insert(0, fmt::format(".{}", field.name));
                return false;
            }
        }
        std::string message = info.inconsistency(record);
        return message.empty() || fail(ContractError::kInconsistent, std::move(message));
    }

    bool finish() {
        return rest_.empty() ||
               fail(ContractError::kTrailingBytes,
                    fmt::format("expected the end, got {} more bytes", rest_.size()));
    }

    Error error(std::string_view name) const { return error_->within(std::string(name) + path_); }

  private:
    bool fail(ContractError code, std::string message) {
        error_ = esper::fail(code, fmt::format("{} (byte {})", message,
                                               kHeader + all_.size() - rest_.size()))
                     .value();
        return false;
    }
    bool take(std::string_view& out, std::uint64_t n) {
        if (n > rest_.size()) {
            return fail(ContractError::kTruncated,
                        fmt::format("expected {} more bytes, got {}", n, rest_.size()));
        }
        out = rest_.substr(0, n);
        rest_.remove_prefix(n);
        return true;
    }
    bool byte(std::uint8_t& out) {
        std::string_view b;
        if (!take(b, 1)) return false;
        out = static_cast<std::uint8_t>(b[0]);
        return true;
    }
    bool fixed(void* out, std::size_t n) {
        std::string_view b;
        if (!take(b, n)) return false;
        std::memcpy(out, b.data(), n);
        return true;
    }
    bool text(std::string& out) {
        std::uint64_t n = 0;
        std::string_view t;
        if (!varint(n) || !take(t, n)) return false;
        if (!is_utf8(t)) return fail(ContractError::kBadText, "expected UTF-8 text");
        out.assign(t);
        return true;
    }

    bool value(const TypeInfo& type, void* value, const Rule& rule, std::uint16_t version) {
        switch (type.kind) {
            case Kind::kBool: {
                std::uint8_t b = 0;
                if (!byte(b)) return false;
                if (b > 1) return fail(ContractError::kNotCanonical, "expected 0 or 1");
                *static_cast<bool*>(value) = b == 1;
                return true;
            }
            case Kind::kEnum:
                return enumeration(*type.enumeration, *static_cast<std::uint8_t*>(value));
            case Kind::kUnsigned: {
                std::uint64_t n = 0;
                if (!varint(n)) return false;
                if (!store_unsigned(type, value, n)) return too_wide(type);
                break;
            }
            case Kind::kSigned: {
                std::uint64_t n = 0;
                if (!varint(n)) return false;
                const auto number =
                    static_cast<std::int64_t>(n >> 1) ^ -static_cast<std::int64_t>(n & 1u);
                if (!store_signed(type, value, number)) return too_wide(type);
                break;
            }
            case Kind::kFloat:
            case Kind::kTime:
                if (!fixed(value, 8)) return false;
                break;
            case Kind::kText:
                if (!text(*static_cast<std::string*>(value))) return false;
                break;
            case Kind::kJson:
                if (!free_json(*static_cast<JsonText*>(value))) return false;
                break;
            case Kind::kOptional:
            case Kind::kList:
                return list(type, value, rule, version);
            case Kind::kMap:
                return map(type, value, rule, version);
            case Kind::kRecord:
                return record(type.record(), value, version);
        }
        auto v = check_leaf(type, value, rule);
        return !v || fail(v->code, std::move(v->message));
    }

    bool too_wide(const TypeInfo& type) {
        return fail(ContractError::kOutOfRange,
                    fmt::format("expected a number of {} bits", type.width * 8));
    }

    bool enumeration(const EnumInfo& info, std::uint8_t& value) {
        if (!byte(value)) return false;
        for (std::size_t i = 0; i < info.count; ++i) {
            if (info.number_at(i) == value) return true;
        }
        return fail(ContractError::kUnknownValue,
                    fmt::format("{} has no value {}", info.name, value));
    }

    bool free_json(JsonText& value) {
        std::string t;
        if (!text(t)) return false;
        auto parsed = JsonText::parse(t);
        if (!parsed) {
            error_ = parsed.error();
            return false;
        }
        if (parsed->text() != t) {
            return fail(ContractError::kNotCanonical, "expected JSON without white space");
        }
        value = std::move(*parsed);
        return true;
    }

    bool list(const TypeInfo& type, void* value, const Rule& rule, std::uint16_t version) {
        std::uint64_t n = 0;
        if (!varint(n)) return false;
        const bool optional = type.kind == Kind::kOptional;
        if (optional && n > 1) return fail(ContractError::kNotCanonical, "expected 0 or 1");
        if (auto v = check_count(n, rule); v && !optional) return fail(v->code, v->message);
        for (std::uint64_t i = 0; i < n; ++i) {
            if (rest_.empty()) return fail(ContractError::kTruncated, "expected more elements");
            if (!this->value(*type.element, type.container->add(value, {}), rule, version)) {
                if (!optional) path_.insert(0, fmt::format("[{}]", i));
                return false;
            }
        }
        return true;
    }

    bool map(const TypeInfo& type, void* value, const Rule& rule, std::uint16_t version) {
        std::uint64_t n = 0;
        if (!varint(n)) return false;
        if (auto v = check_count(n, rule)) return fail(v->code, v->message);
        std::string last;
        for (std::uint64_t i = 0; i < n; ++i) {
            std::string key;
            if (!text(key)) return false;
            if (i > 0 && key <= last) {
                return fail(
                    key == last ? ContractError::kDuplicateField : ContractError::kNotCanonical,
                    fmt::format("expected keys in ascending order, got '{}' after '{}'", key,
                                last));
            }
            last = key;
            void* element = type.container->add(value, std::move(key));
            if (!this->value(*type.element, element, rule, version)) {
                path_.insert(0, fmt::format("[\"{}\"]", last));
                return false;
            }
        }
        return true;
    }

    std::string_view all_;
    std::string_view rest_;
    std::optional<Error> error_;
    std::string path_;
};

}  // namespace

Result<std::uint8_t> binary_type(std::string_view bytes) {
    if (bytes.size() < kHeader + 1 + kTrailer) {
        return fail(ContractError::kTruncated,
                    fmt::format("expected a frame of at least {} bytes, got {}",
                                kHeader + 1 + kTrailer, bytes.size()));
    }
    if (static_cast<unsigned char>(bytes[0]) != kBinaryMagic) {
        return fail(ContractError::kSyntax,
                    fmt::format("expected a frame that starts with byte 0x{:02x}, got 0x{:02x}",
                                kBinaryMagic, static_cast<unsigned char>(bytes[0])));
    }
    return static_cast<std::uint8_t>(bytes[1]);
}

Status read_binary(const RecordInfo& info, std::string_view bytes, void* record) {
    if (bytes.size() > JsonScanner::kMaxBytes) {
        return fail(ContractError::kTooLarge,
                    fmt::format("{}: expected at most {} bytes, got {}", info.name,
                                JsonScanner::kMaxBytes, bytes.size()));
    }
    ESPER_TRY(const std::uint8_t type, binary_type(bytes));
    if (type != info.number) {
        return fail(ContractError::kWrongSchema, fmt::format("expected type {} ({}), got type {}",
                                                             info.number, info.name, type));
    }
    const std::string_view body = bytes.substr(0, bytes.size() - kTrailer);
    std::uint32_t stored = 0;
    std::memcpy(&stored, bytes.data() + body.size(), kTrailer);
    if (const std::uint32_t crc = crc32c(std::as_bytes(std::span(body))); crc != stored) {
        return fail(ContractError::kChecksumMismatch,
                    fmt::format("{}: expected CRC-32C {:08x}, got {:08x}; the bytes were damaged "
                                "or cut short on their way",
                                info.name, stored, crc));
    }
    Reader reader(body.substr(kHeader));
    std::uint64_t version = 0;
    if (!reader.varint(version)) return fail(reader.error(info.name));
    ESPER_CHECK_STATUS(check_version(info, version));
    if (!reader.record(info, record, static_cast<std::uint16_t>(version)) || !reader.finish()) {
        return fail(reader.error(info.name));
    }
    return {};
}

}  // namespace esper::contracts
