#pragma once
// One list of keys declares a section: the struct with its defaults, and the list of its keys that
// reading, checking, printing, JSON Schema and the reference page use.

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "esper/configs/duration.h"
#include "esper/configs/rule.h"
#include "esper/configs/secret.h"
#include "esper/contracts/enum_text.h"

namespace esper::configs {

// Choices are declared like the enums of contracts; in a file their words are in lower case.
using contracts::EnumEntry;

using Pair = std::array<double, 2>;
using Names = std::vector<std::string>;

}  // namespace esper::configs

// LIST(X) has one X(type, name, default, rule, "meaning") per key. A key whose type is also such a
// struct is a sub-section.
#define ESPER_CONFIG_MEMBER(type, name, value, limits, meaning) type name = value;
#define ESPER_CONFIG_VISIT(type, name, value, limits, meaning) \
    visit.template key<&Self::name>(#name, limits, meaning);
#define ESPER_CONFIG_SECTION(Name, LIST)              \
    struct Name {                                     \
        using Self = Name;                            \
        LIST(ESPER_CONFIG_MEMBER)                     \
        bool operator==(const Name&) const = default; \
        template <typename Visitor>                   \
        static void describe(Visitor& visit) {        \
            LIST(ESPER_CONFIG_VISIT)                  \
        }                                             \
    };
