#include "esper/contracts/print.h"

#include "esper/contracts/json_codec.h"
#include "esper/contracts/json_text.h"
#include "esper/contracts/rule_check.h"
#include "esper/contracts/timestamp.h"

namespace esper::contracts {
namespace {

constexpr std::size_t kLongestText = 120;

void print_value(std::string& out, const TypeInfo& type, const void* value);

void print_fields(std::string& out, const RecordInfo& info, const void* record) {
    out += info.name;
    out += '{';
    bool first = true;
    for (const FieldInfo& field : info.fields) {
        const void* value = field.in(record);
        if (field.type->kind == Kind::kOptional && field.type->container->size(value) == 0) {
            continue;
        }
        if (!first) out += ", ";
        first = false;
        out += field.name;
        out += '=';
        print_value(out, *field.type, value);
    }
    out += '}';
}

void print_text(std::string& out, std::string_view text) {
    append_json_string(out, text.substr(0, kLongestText));
    if (text.size() > kLongestText) out += "…";
}

void print_map(std::string& out, const TypeInfo& type, const void* value) {
    struct Visit {
        std::string& out;
        const TypeInfo& element;
        bool first = true;
    } visit{out, *type.element};
    out += '{';
    type.container->each(value, &visit,
                         [](void* context, const std::string& key, const void* element) {
                             auto& v = *static_cast<Visit*>(context);
                             if (!v.first) v.out += ", ";
                             v.first = false;
                             v.out += key;
                             v.out += '=';
                             print_value(v.out, v.element, element);
                         });
    out += '}';
}

void print_value(std::string& out, const TypeInfo& type, const void* value) {
    switch (type.kind) {
        case Kind::kBool:
            out += *static_cast<const bool*>(value) ? "true" : "false";
            break;
        case Kind::kUnsigned:
            out += std::to_string(load_unsigned(type, value));
            break;
        case Kind::kSigned:
            out += std::to_string(load_signed(type, value));
            break;
        case Kind::kFloat:
            append_json_number(out, *static_cast<const double*>(value));
            break;
        case Kind::kText:
            print_text(out, *static_cast<const std::string*>(value));
            break;
        case Kind::kTime:
            append_timestamp(out, *static_cast<const Timestamp*>(value));
            break;
        case Kind::kJson:
            out += static_cast<const JsonText*>(value)->text();
            break;
        case Kind::kEnum: {
            const std::uint8_t number = *static_cast<const std::uint8_t*>(value);
            const EnumInfo& info = *type.enumeration;
            std::string_view word = "?";
            for (std::size_t i = 0; i < info.count; ++i) {
                if (info.number_at(i) == number) word = info.text_at(i);
            }
            out += word;
            break;
        }
        case Kind::kOptional:
            print_value(out, *type.element, type.container->at(value, 0));
            break;
        case Kind::kList: {
            out += '[';
            const std::size_t n = type.container->size(value);
            for (std::size_t i = 0; i < n; ++i) {
                if (i > 0) out += ", ";
                print_value(out, *type.element, type.container->at(value, i));
            }
            out += ']';
            break;
        }
        case Kind::kMap:
            print_map(out, type, value);
            break;
        case Kind::kRecord:
            print_fields(out, type.record(), value);
            break;
    }
}

}  // namespace

std::string print_record(const RecordInfo& info, const void* record) {
    std::string out;
    print_fields(out, info, record);
    return out;
}

}  // namespace esper::contracts
