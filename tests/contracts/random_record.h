#pragma once

#include <algorithm>
#include <cmath>
#include <memory>
#include <string>

#include "esper/base/random.h"
#include "esper/contracts/codec.h"

namespace esper::contracts {

/// Fills records with random values that keep the rules of their fields.
class RandomRecord {
  public:
    explicit RandomRecord(std::uint64_t seed) : random_(seed, "random record") {}

    void fill(const RecordInfo& info, void* record) {
        for (const FieldInfo& field : info.fields) fill(*field.type, field.at(record), field.rule);
    }

  private:
    void fill(const TypeInfo& type, void* value, const Rule& rule) {
        switch (type.kind) {
            case Kind::kBool:
                *static_cast<bool*>(value) = random_.below(2) == 1;
                break;
            case Kind::kUnsigned: {
                const double top = type.width == 8 ? 1.8e19 : std::pow(2.0, 8 * type.width) - 1;
                store_unsigned(type, value, static_cast<std::uint64_t>(number(rule, 0, top)));
                break;
            }
            case Kind::kSigned:
                store_signed(type, value, static_cast<std::int64_t>(number(rule, -9e18, 9e18)));
                break;
            case Kind::kFloat:
                *static_cast<double*>(value) = number(rule, -1e300, 1e300);
                break;
            case Kind::kText:
                *static_cast<std::string*>(value) = text(rule);
                break;
            case Kind::kTime:
                static_cast<Timestamp*>(value)->utc_ns =
                    static_cast<std::int64_t>(random_.next_u64() >> 2);
                break;
            case Kind::kJson:
                *static_cast<JsonText*>(value) =
                    *JsonText::parse(R"({"a": [1, 2.50, null], "é": "\u00e9", "n": )" +
                                     std::to_string(random_.below(1000)) + "}");
                break;
            case Kind::kEnum:
                *static_cast<std::uint8_t*>(value) =
                    type.enumeration->number_at(random_.below(type.enumeration->count));
                break;
            case Kind::kOptional:
                if (random_.below(2) == 1) {
                    fill(*type.element, type.container->add(value, {}), rule);
                }
                break;
            case Kind::kList:
            case Kind::kMap: {
                const std::uint64_t n = rule.min_items + random_.below(3);
                for (std::uint64_t i = 0; i < std::min<std::uint64_t>(n, rule.max_items); ++i) {
                    void* element =
                        type.container->add(value, "key \"" + std::to_string(i) + "\"\n\x01ü");
                    fill(*type.element, element, rule);
                }
                break;
            }
            case Kind::kRecord:
                fill(type.record(), value);
                break;
        }
    }

    double number(const Rule& rule, double low, double high) {
        low = std::max(low, rule.min);
        high = std::min(high, rule.max);
        const auto dice = random_.below(8);
        if (dice == 0) return low;
        if (dice == 1) return high;
        if (dice == 2 && low <= 0 && high >= 0) return 0;
        return dice < 6 ? random_.uniform(low, std::min(high, low + 1000))
                        : low / 2 + random_.uniform() * (high / 2 - low / 2);
    }

    std::string hex(std::size_t n) {
        std::string out;
        for (std::size_t i = 0; i < n; ++i) out += "0123456789abcdef"[random_.below(16)];
        return out;
    }

    std::string text(const Rule& rule) {
        switch (rule.format) {
            case Format::kUuid:
                return hex(8) + '-' + hex(4) + '-' + hex(4) + '-' + hex(4) + '-' + hex(12);
            case Format::kSha256:
                return hex(64);
            case Format::kHex:
                return hex(2 * random_.below(40));
            case Format::kUri:
                return "s3://bucket/" + hex(8);
            case Format::kId:
                return "layer" + hex(2) + ".conv";
            case Format::kNone:
                break;
        }
        static constexpr const char* kPieces[] = {"a", "\"", "\\",   "\n", "\t", "é",
                                                  "€", "😀", "\x01", " ",  "/",  "\x7f"};
        std::string out(rule.min_length, 'x');
        for (std::uint64_t n = random_.below(30); n > 0; --n) {
            const std::string piece = kPieces[random_.below(std::size(kPieces))];
            if (out.size() + piece.size() <= rule.max_length) out += piece;
        }
        return out;
    }

    RandomStream random_;
};

/// Makes a record of the type that `info` describes.
inline std::unique_ptr<void, void (*)(void*)> make_record(const RecordInfo& info) {
    return {info.create(), info.destroy};
}

}  // namespace esper::contracts
