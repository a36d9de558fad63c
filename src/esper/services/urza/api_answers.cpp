#include "esper/services/urza/api_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace esper::urza {

using serving::problem;
using serving::Request;
using serving::Response;

Response refuse(const Error& error) {
    if (error.is(UrzaError::kUnknownBlueprint) || error.is(UrzaError::kUnknownKernel) ||
        error.is(UrzaError::kUnknownWork))
        return problem(404, error);
    if (error.is(UrzaError::kNoObject)) return problem(410, error);
    if (error.is(UrzaError::kConflict) || error.is(UrzaError::kStaleLease) ||
        error.is(contracts::ContractError::kIllegalTransition))
        return problem(409, error);
    if (error.is(contracts::ContractError::kWrongRole)) return problem(403, error);
    if (error.is(UrzaError::kReadOnly) || error.is(UrzaError::kDiskFull))
        return problem(503, error);
    return problem(error);
}

Result<std::uint64_t> number_in(std::string_view text, std::string_view name, std::uint64_t most) {
    std::uint64_t number = 0;
    const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
    if (read.ec == std::errc() && read.ptr == text.data() + text.size() && number <= most)
        return number;
    return fail(UrzaError::kBadRequest,
                fmt::format("{}={}: expected a number from 0 to {}", name, text, most));
}

Result<std::uint64_t> number_of(const Request& request, const char* name, std::uint64_t usual,
                                std::uint64_t most) {
    const auto text = request.asked(name);
    if (!text) return usual;
    return number_in(*text, name, most);
}

Result<PageOf> page_of(const Request& request) {
    ESPER_TRY(const auto limit, number_of(request, "limit", PageOf{}.limit, kMostItems));
    return PageOf{std::string(request.asked("after").value_or("")),
                  static_cast<std::uint32_t>(std::max<std::uint64_t>(limit, 1))};
}

}  // namespace esper::urza
