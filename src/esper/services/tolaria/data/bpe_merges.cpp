#include "esper/services/tolaria/data/bpe_merges.h"

#include <algorithm>
#include <functional>
#include <queue>
#include <tuple>

namespace esper::tolaria {
namespace {

std::uint64_t pair_of(std::uint32_t left, std::uint32_t right) {
    return (std::uint64_t{left} << 32) | right;
}

/// A token of a word that is being merged, in a list of them.
struct Symbol {
    std::uint32_t token = 0;
    std::int64_t before = -1;
    std::int64_t after = -1;
    bool is_gone = false;
};

}  // namespace

void BpeMerges::add(std::uint32_t left, std::uint32_t right, std::uint32_t merged) {
    merges_.try_emplace(pair_of(left, right),
                        Merge{static_cast<std::uint32_t>(merges_.size()), merged});
}

bool BpeMerges::encode(std::string_view word, std::vector<std::uint32_t>& tokens) const {
    if (!whole.empty())
        if (const auto found = whole.find(std::string(word)); found != whole.end()) {
            tokens.push_back(found->second);
            return true;
        }
    std::vector<Symbol> symbols(word.size());
    for (std::size_t i = 0; i < word.size(); ++i) {
        const auto token = bytes[static_cast<unsigned char>(word[i])];
        if (token < 0) return false;
        symbols[i] = {static_cast<std::uint32_t>(token), static_cast<std::int64_t>(i) - 1,
                      i + 1 < word.size() ? static_cast<std::int64_t>(i) + 1 : -1, false};
    }
    // Pairs by rank, then from left to right. One whose symbols have changed since is passed over.
    using Candidate = std::tuple<std::uint32_t, std::int64_t, std::uint64_t, std::uint32_t>;
    std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
    const auto offer = [&](std::int64_t left) {
        if (left < 0) return;
        const auto& first = symbols[static_cast<std::size_t>(left)];
        if (first.after < 0) return;
        const auto pair =
            pair_of(first.token, symbols[static_cast<std::size_t>(first.after)].token);
        if (const auto found = merges_.find(pair); found != merges_.end())
            queue.emplace(found->second.rank, left, pair, found->second.merged);
    };
    for (std::size_t i = 0; i < symbols.size(); ++i) offer(static_cast<std::int64_t>(i));
    while (!queue.empty()) {
        const auto [rank, left, pair, merged] = queue.top();
        queue.pop();
        auto& first = symbols[static_cast<std::size_t>(left)];
        if (first.is_gone || first.after < 0) continue;
        auto& second = symbols[static_cast<std::size_t>(first.after)];
        if (pair_of(first.token, second.token) != pair) continue;
        first.token = merged;
        second.is_gone = true;
        first.after = second.after;
        if (first.after >= 0) symbols[static_cast<std::size_t>(first.after)].before = left;
        offer(first.before);
        offer(left);
    }
    for (const auto& symbol : symbols)
        if (!symbol.is_gone) tokens.push_back(symbol.token);
    return true;
}

}  // namespace esper::tolaria
