#pragma once
// Constants of the binary form, for its writer and its reader; docs/program.md explains them.

#include <array>
#include <cstdint>
#include <string_view>

namespace esper::graph::binary {

inline constexpr std::string_view kMagic = "ESPRPROG";
inline constexpr std::uint16_t kMajor = 1;
inline constexpr std::uint16_t kMinor = 0;
/// Magic, two version numbers, number of sections.
inline constexpr std::size_t kHeaderSize = 8 + 2 + 2 + 4;
inline constexpr std::size_t kSectionHeaderSize = 4 + 8;
inline constexpr std::size_t kChecksumSize = 4;
/// Longer operators and scopes are not shared but written at each use, because a reference of one
/// byte must not expand to a kilobyte in the reader's memory.
inline constexpr std::size_t kLongestShared = 64;

/// Sections in the order in which they are written and must be read. Readers skip unknown sections.
inline constexpr std::array<std::string_view, 9> kSections{"STRS", "NAME", "INPT", "PARM", "BUFF",
                                                           "CTRL", "CALL", "ANCH", "OUTP"};

enum class ArgumentTag : std::uint8_t {
    kNone = 0,
    kTrain = 1,
    kFalse = 2,
    kTrue = 3,
    kInteger = 4,
    kDouble = 5,
    kString = 6,
    kIntegers = 7,
    kDoubles = 8,
    kBools = 9,
    kDType = 10,
    kMemoryFormat = 11,
    kValue = 12,
    kValues = 13,
};

}  // namespace esper::graph::binary
