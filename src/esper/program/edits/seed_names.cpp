#include "esper/program/edits/seed_names.h"

#include <algorithm>

namespace esper::graph {

std::string seed_scope(std::string_view seed) {
    return std::string(kSeedScopes) + std::string(seed);
}

std::string seed_prefix(std::string_view seed) { return seed_scope(seed) + "."; }

std::string seed_control(std::string_view seed) { return "alpha." + std::string(seed); }

bool is_seed_name(std::string_view seed) {
    return !seed.empty() && std::all_of(seed.begin(), seed.end(), [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
               c == '_' || c == '-' || c == '/';
    });
}

}  // namespace esper::graph
