#include <fmt/format.h>

#include <cstring>

#include "esper/base/hash.h"
#include "esper/contracts/binary_codec.h"
#include "esper/contracts/json_text.h"
#include "esper/contracts/rule_check.h"
#include "esper/contracts/versions.h"

namespace esper::contracts {
namespace {

class Writer {
  public:
    Writer(std::string& out, std::uint16_t version) : out_(out), version_(version) {}

    void varint(std::uint64_t n) {
        while (n >= 0x80) {
            byte(static_cast<std::uint8_t>(n | 0x80u));
            n >>= 7;
        }
        byte(static_cast<std::uint8_t>(n));
    }

    void record(const RecordInfo& info, const void* record) {
        for (const FieldInfo& field : info.fields) {
            if (field.rule.since_version > version_) break;
            value(*field.type, field.in(record));
        }
    }

    void value(const TypeInfo& type, const void* value) {
        switch (type.kind) {
            case Kind::kBool:
                byte(*static_cast<const bool*>(value) ? 1 : 0);
                break;
            case Kind::kEnum:
                byte(*static_cast<const std::uint8_t*>(value));
                break;
            case Kind::kUnsigned:
                varint(load_unsigned(type, value));
                break;
            case Kind::kSigned:
                zigzag(load_signed(type, value));
                break;
            case Kind::kFloat:
            case Kind::kTime:
                fixed(value, 8);
                break;
            case Kind::kText:
                text(*static_cast<const std::string*>(value));
                break;
            case Kind::kJson:
                text(static_cast<const JsonText*>(value)->text());
                break;
            case Kind::kOptional:
            case Kind::kList: {
                const std::size_t n = type.container->size(value);
                varint(n);
                for (std::size_t i = 0; i < n; ++i) {
                    this->value(*type.element, type.container->at(value, i));
                }
                break;
            }
            case Kind::kMap:
                map(type, value);
                break;
            case Kind::kRecord:
                record(type.record(), value);
                break;
        }
    }

  private:
    void byte(std::uint8_t b) { out_ += static_cast<char>(b); }
    void zigzag(std::int64_t n) {
        varint((static_cast<std::uint64_t>(n) << 1) ^ static_cast<std::uint64_t>(n >> 63));
    }
    void fixed(const void* value, std::size_t size) {
        out_.append(static_cast<const char*>(value), size);
    }
    void text(std::string_view t) {
        varint(t.size());
        out_ += t;
    }
    void map(const TypeInfo& type, const void* value) {
        struct Visit {
            Writer& writer;
            const TypeInfo& element;
        } visit{*this, *type.element};
        varint(type.container->size(value));
        type.container->each(value, &visit,
                             [](void* context, const std::string& key, const void* element) {
                                 auto& v = *static_cast<Visit*>(context);
                                 v.writer.text(key);
                                 v.writer.value(v.element, element);
                             });
    }

    std::string& out_;
    std::uint16_t version_;
};

}  // namespace

std::string binary_image(const FieldInfo& field, const void* record) {
    std::string out;
    Writer(out, 0xFFFF).value(*field.type, field.in(record));
    return out;
}

Result<std::string> write_binary(const RecordInfo& info, const void* record,
                                 std::uint16_t version) {
    ESPER_CHECK_STATUS(check_version(info, version));
    if (auto v = check_record(info, record)) {
        return fail(v->code, fmt::format("{}{}{}", info.name,
                                         v->message.starts_with('.') ? "" : ": ", v->message));
    }
    if (version < info.version) ESPER_CHECK_STATUS(check_representable(info, record, version));
    std::string out;
    out += static_cast<char>(kBinaryMagic);
    out += static_cast<char>(info.number);
    Writer writer(out, version);
    writer.varint(version);
    writer.record(info, record);
    const std::uint32_t crc = crc32c(std::as_bytes(std::span(out)));
    for (int shift = 0; shift < 32; shift += 8) {
        out += static_cast<char>(static_cast<std::uint8_t>(crc >> shift));
    }
    return out;
}

}  // namespace esper::contracts
