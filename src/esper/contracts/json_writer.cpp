#include <fmt/format.h>

#include <array>
#include <charconv>

#include "esper/contracts/json_codec.h"
#include "esper/contracts/json_text.h"
#include "esper/contracts/rule_check.h"
#include "esper/contracts/timestamp.h"
#include "esper/contracts/versions.h"

namespace esper::contracts {
namespace {

template <typename T>
void append_number(std::string& out, T number) {
    std::array<char, 32> buffer;
    const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
    out.append(buffer.data(), end);
}

class Writer {
  public:
    Writer(std::string& out, std::uint16_t version) : out_(out), version_(version) {}

    /// The fields of a record; `first` says whether a comma is due before the next one.
    void fields(const RecordInfo& info, const void* record, bool first) {
        for (const FieldInfo& field : info.fields) {
            if (field.rule.since_version > version_) break;
            const void* value = field.in(record);
            if (field.type->kind == Kind::kOptional && field.type->container->size(value) == 0) {
                continue;
            }
            if (!first) out_ += ',';
            first = false;
            out_ += '"';
            out_ += field.name;
            out_ += "\":";
            this->value(*field.type, value);
        }
    }

    void value(const TypeInfo& type, const void* value) {
        switch (type.kind) {
            case Kind::kBool:
                out_ += *static_cast<const bool*>(value) ? "true" : "false";
                break;
            case Kind::kUnsigned:
                append_number(out_, load_unsigned(type, value));
                break;
            case Kind::kSigned:
                append_number(out_, load_signed(type, value));
                break;
            case Kind::kFloat:
                append_number(out_, *static_cast<const double*>(value));
                break;
            case Kind::kText:
                append_json_string(out_, *static_cast<const std::string*>(value));
                break;
            case Kind::kTime:
                out_ += '"';
                append_timestamp(out_, *static_cast<const Timestamp*>(value));
                out_ += '"';
                break;
            case Kind::kJson:
                out_ += static_cast<const JsonText*>(value)->text();
                break;
            case Kind::kEnum:
                enumeration(*type.enumeration, *static_cast<const std::uint8_t*>(value));
                break;
            case Kind::kOptional:
                this->value(*type.element, type.container->at(value, 0));
                break;
            case Kind::kList:
                list(type, value);
                break;
            case Kind::kMap:
                map(type, value);
                break;
            case Kind::kRecord:
                out_ += '{';
                fields(type.record(), value, true);
                out_ += '}';
                break;
        }
    }

  private:
    void enumeration(const EnumInfo& info, std::uint8_t number) {
        for (std::size_t i = 0; i < info.count; ++i) {
            if (info.number_at(i) == number) append_json_string(out_, info.text_at(i));
        }
    }

    void list(const TypeInfo& type, const void* value) {
        out_ += '[';
        const std::size_t n = type.container->size(value);
        for (std::size_t i = 0; i < n; ++i) {
            if (i > 0) out_ += ',';
            this->value(*type.element, type.container->at(value, i));
        }
        out_ += ']';
    }

    void map(const TypeInfo& type, const void* value) {
        struct Visit {
            Writer& writer;
            const TypeInfo& element;
            bool first = true;
        } visit{*this, *type.element};
        out_ += '{';
        type.container->each(value, &visit,
                             [](void* context, const std::string& key, const void* element) {
                                 auto& v = *static_cast<Visit*>(context);
                                 if (!v.first) v.writer.out_ += ',';
                                 v.first = false;
                                 append_json_string(v.writer.out_, key);
                                 v.writer.out_ += ':';
                                 v.writer.value(v.element, element);
                             });
        out_ += '}';
    }

    std::string& out_;
    std::uint16_t version_;
};

}  // namespace

void append_json_number(std::string& out, double number) { append_number(out, number); }

void append_json_string(std::string& out, std::string_view text) {
    static constexpr std::string_view kHex = "0123456789abcdef";
    out += '"';
    std::size_t done = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
        out.append(text, done, i - done);
        done = i + 1;
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\t':
                out += "\\t";
                break;
            case '\r':
                out += "\\r";
                break;
            default:
                out += "\\u00";
                out += kHex[static_cast<unsigned char>(c) >> 4];
                out += kHex[static_cast<unsigned char>(c) & 15u];
        }
    }
    out.append(text, done, text.size() - done);
    out += '"';
}

Result<std::string> write_json(const RecordInfo& info, const void* record, std::uint16_t version) {
    ESPER_CHECK_STATUS(check_version(info, version));
    if (auto v = check_record(info, record)) {
        return fail(v->code, fmt::format("{}{}{}", info.name,
                                         v->message.starts_with('.') ? "" : ": ", v->message));
    }
    if (version < info.version) ESPER_CHECK_STATUS(check_representable(info, record, version));
    std::string out = fmt::format("{{\"schema\":\"{}/{}\"", info.name, version);
    Writer(out, version).fields(info, record, false);
    out += '}';
    return out;
}

}  // namespace esper::contracts
