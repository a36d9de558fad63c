#include "esper/services/urza/objects.h"

#include <fmt/format.h>

#include "esper/base/hash.h"
#include "esper/contracts/rule_check.h"

namespace esper::urza {

Status check_digest(std::string_view digest) {
    if (contracts::has_format(digest, contracts::Format::kSha256)) return {};
    return fail(UrzaError::kBadObject, fmt::format("'{}' is no SHA-256", digest));
}

Status check_object(std::string_view digest, std::string_view content, std::string_view where) {
    const std::string found = sha256(content).hex();
    if (found == digest) return {};
    return fail(UrzaError::kBadObject,
                fmt::format("{}: the content's SHA-256 is {}, so it was changed; delete it and "
                            "let esper forge make the kernel again",
                            where, found));
}

tl::unexpected<Error> no_object(std::string_view where) {
    return fail(
        UrzaError::kNoObject,
        fmt::format("{}: it is not there (collected?); esper forge makes the kernel again", where));
}

}  // namespace esper::urza
