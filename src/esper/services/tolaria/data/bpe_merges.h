#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace esper::tolaria {

/// The merges of a BPE: the pair of neighbouring tokens that was learnt first becomes one token,
/// until no pair of the word is among them.
class BpeMerges {
  public:
    /// Tokens of the 256 bytes; -1: the vocabulary lacks it.
    std::array<std::int64_t, 256> bytes{};
    /// Words that are tokens as they are, whatever the merges say; by their bytes.
    std::unordered_map<std::string, std::uint32_t> whole;

    void add(std::uint32_t left, std::uint32_t right, std::uint32_t merged);
    std::size_t size() const { return merges_.size(); }

    /// Appends the tokens of a word; false where a byte of it has none.
    bool encode(std::string_view word, std::vector<std::uint32_t>& tokens) const;

  private:
    struct Merge {
        std::uint32_t rank = 0;
        std::uint32_t merged = 0;
    };
    std::unordered_map<std::uint64_t, Merge> merges_;
};

}  // namespace esper::tolaria
